/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_GROUP_H
#define CHARTSEAL_GROUP_H

/*
 * The two groups of prime order that the key agreement of C20 runs in, behind one interface.
 *
 *   suite 1, ed25519: edwards25519's subgroup of order L; points as in RFC 8032 (32 bytes), scalars
 *                     32 bytes little-endian.
 *   suite 2, p256:    NIST P-256; points SEC1 compressed (33 bytes), scalars 32 bytes big-endian.
 *
 * A cs_point or cs_scalar that came out of a decode function is valid: a point on the curve, in the
 * prime-order subgroup, not the identity, in its only encoding; a scalar in [1, order - 1]. Nothing
 * else makes one, so the arithmetic does not check again, except for results that can be the
 * identity, which are CS_E_POINT.
 *
 * |Q| is the canonical one of ±Q: even y on P-256, sign bit 0 on edwards25519. Tokens give the x
 * coordinate of S·Q alone, which is |S·Q|; both sides of an agreement use it (docs/protocol.md).
 *
 * Arithmetic with a scalar that is secret is constant-time as far as libsodium and OpenSSL are.
 */

#include <chartseal/bytes.h>

typedef enum cs_suite {
    CS_SUITE_ED25519 = 1,
    CS_SUITE_P256 = 2,
} cs_suite;

#define CS_SCALAR_SIZE 32
#define CS_POINT_MAX 33
#define CS_X25519_SIZE 32

typedef struct cs_scalar {
    uint8_t b[CS_SCALAR_SIZE];
} cs_scalar;

typedef struct cs_point {
    cs_suite suite;
    uint8_t b[CS_POINT_MAX]; /* 32 bytes used for ed25519; the 33rd is 0 then */
} cs_point;

bool cs_suite_known(uint64_t suite);
/* "ed25519", "p256"; "unknown". */
const char *cs_suite_name(cs_suite suite);
/* The suite of that name; CS_E_VERSION. */
CS_MUST_CHECK int cs_suite_from_name(cs_suite *out, const char *name, cs_error *error);
size_t cs_point_size(cs_suite suite);

cs_view cs_point_view(const cs_point *point);
bool cs_point_equal(const cs_point *a, const cs_point *b);

/* Decode with full validation. CS_E_POINT, CS_E_SCALAR. */
CS_MUST_CHECK int cs_point_decode(cs_point *out, cs_suite suite, cs_view bytes, cs_error *error);
CS_MUST_CHECK int cs_scalar_decode(cs_scalar *out, cs_suite suite, cs_view bytes, cs_error *error);

/* A uniform scalar in [1, order - 1], such as r5..r8. *out should be guarded memory. */
CS_MUST_CHECK int cs_scalar_random(cs_scalar *out, cs_suite suite, cs_error *error);

CS_MUST_CHECK int cs_point_base_mul(
    cs_point *out, cs_suite suite, const cs_scalar *k, cs_error *error);
CS_MUST_CHECK int cs_point_mul(
    cs_point *out, const cs_scalar *k, const cs_point *q, cs_error *error);
CS_MUST_CHECK int cs_point_add(
    cs_point *out, const cs_point *a, const cs_point *b, cs_error *error);
/* |Q| */
void cs_point_canonical(cs_point *point);

/* e = H(R, PK, m): SHA-512(R ‖ PK ‖ m) mod L, or SHA-256(x(R) ‖ SHA-256(m)) mod n. */
CS_MUST_CHECK int cs_issue_hash(
    cs_scalar *e, const cs_point *r, const cs_point *pk, cs_view m, cs_error *error);
/* Y_X = R_X1 + e·PK: the public key of S_X, from public values alone. */
CS_MUST_CHECK int cs_implicit_public(
    cs_point *y, const cs_point *r, const cs_point *pk, cs_view m, cs_error *error);
/* Eq. 4, 7, 10: S·P = R + e·PK. CS_E_CREDENTIAL when it does not hold. */
CS_MUST_CHECK int cs_issue_verify(const cs_scalar *s, const cs_point *r, const cs_point *pk,
    cs_view m, cs_point *y, cs_error *error);

/* Schnorr issuance with s in host memory: for tests and for tokens that are software. r random. */
CS_MUST_CHECK int cs_issue_software(cs_scalar *s_x, cs_point *r, const cs_scalar *master,
    const cs_point *pk, cs_view m, cs_error *error);

/* edwards25519 and X25519, so that a token that has X25519 alone can hold S_X.
 * The lift: k = S + tL with k ≡ 0 mod 8 and 2^254 ≤ k < 2^255, which exists for about half of all
 * S; *found tells. X25519's clamping leaves such a k as it is. k: CS_X25519_SIZE bytes,
 * little-endian. */
CS_MUST_CHECK int cs_x25519_lift(uint8_t *k, bool *found, const cs_scalar *s, cs_error *error);
/* u(Q), 32 bytes little-endian, what X25519 takes; and the canonical point with that u. */
CS_MUST_CHECK int cs_point_to_u(uint8_t *u, const cs_point *q, cs_error *error);
CS_MUST_CHECK int cs_point_from_u(cs_point *out, cs_view u, cs_error *error);

/* P-256: the point with that x and even y (x: 1 to 32 bytes, as some tokens strip zeros;
 * CS_E_POINT); SEC1 conversions for tokens. */
CS_MUST_CHECK int cs_point_from_x(cs_point *out, cs_view x, cs_error *error);
CS_MUST_CHECK int cs_p256_uncompress(uint8_t out[65], cs_view sec1, cs_error *error);
CS_MUST_CHECK int cs_p256_compress(uint8_t out[33], cs_view sec1, cs_error *error);

#endif
