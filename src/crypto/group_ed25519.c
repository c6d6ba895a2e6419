/* SPDX-License-Identifier: Apache-2.0 */

/* edwards25519, the subgroup of prime order L, over libsodium. */

#include "group_ops.h"

#include <sodium.h>
#include <string.h>

#define SIZE 32
#define SIGN_BIT 0x80u

/* L = 2^252 + 27742317777372353535851937790883648493, little-endian. */
const uint8_t cs_ed25519_order[CS_SCALAR_SIZE] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
    0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x10};

/*
 * (L - 1)·Q = -Q holds for the points of order L alone. libsodium 1.0.18 as first released takes
 * points of order 2L for points of the subgroup (its check looks at one coordinate of L·Q), so the
 * equation is tested here too.
 */
static bool in_subgroup(const uint8_t *q)
{
    uint8_t scalar[CS_SCALAR_SIZE];
    uint8_t product[SIZE];

    memcpy(scalar, cs_ed25519_order, sizeof scalar);
    scalar[0]--;
    if (crypto_scalarmult_ed25519_noclamp(product, scalar, q) != 0)
        return false;
    product[SIZE - 1] ^= SIGN_BIT;
    return sodium_memcmp(product, q, SIZE) == 0;
}

/* libsodium refuses non-canonical encodings and points of small order, the identity among them. */
static int check(const uint8_t *point, cs_error *error)
{
    if (crypto_core_ed25519_is_valid_point(point) != 1 || !in_subgroup(point))
        return CS_FAIL(error, CS_E_POINT, "not a point of edwards25519's prime-order subgroup");
    return CS_OK;
}

static bool scalar_valid(const uint8_t scalar[CS_SCALAR_SIZE])
{
    return sodium_compare(scalar, cs_ed25519_order, CS_SCALAR_SIZE) < 0 &&
           sodium_is_zero(scalar, CS_SCALAR_SIZE) == 0;
}

static int base_mul(uint8_t *out, const uint8_t *k, cs_error *error)
{
    if (crypto_scalarmult_ed25519_base_noclamp(out, k) != 0)
        return CS_FAIL(error, CS_E_POINT, "a multiple of the base point is the identity");
    return CS_OK;
}

static int mul(uint8_t *out, const uint8_t *k, const uint8_t *q, cs_error *error)
{
    if (crypto_scalarmult_ed25519_noclamp(out, k, q) != 0)
        return CS_FAIL(error, CS_E_POINT, "a multiple of the point is the identity");
    return CS_OK;
}

static int add(uint8_t *out, const uint8_t *a, const uint8_t *b, cs_error *error)
{
    static const uint8_t identity[SIZE] = {1};

    if (crypto_core_ed25519_add(out, a, b) != 0 || sodium_memcmp(out, identity, SIZE) == 0)
        return CS_FAIL(error, CS_E_POINT, "the sum of two points is the identity");
    return CS_OK;
}

/* -(x, y) = (-x, y), and x is 0 for no point of the subgroup but the identity: the sign bit alone
 * tells Q from -Q. */
static void canonical(uint8_t *point)
{
    point[SIZE - 1] &= (uint8_t)~SIGN_BIT;
}

/* SHA-512(R ‖ PK ‖ m) mod L, as in RFC 8032, 5.1.6. */
static int issue_hash(uint8_t *e, const uint8_t *r, const uint8_t *pk, cs_view m, cs_error *error)
{
    uint8_t digest[crypto_hash_sha512_BYTES];
    crypto_hash_sha512_state state;

    (void)error;
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, r, SIZE);
    crypto_hash_sha512_update(&state, pk, SIZE);
    crypto_hash_sha512_update(&state, m.p, m.n);
    crypto_hash_sha512_final(&state, digest);
    crypto_core_ed25519_scalar_reduce(e, digest);
    return CS_OK;
}

static int issue_scalar(
    uint8_t *out, const uint8_t *r, const uint8_t *e, const uint8_t *s, cs_error *error)
{
    uint8_t e_s[CS_SCALAR_SIZE];

    (void)error;
    crypto_core_ed25519_scalar_mul(e_s, e, s);
    crypto_core_ed25519_scalar_add(out, r, e_s);
    cs_wipe(e_s, sizeof e_s);
    return CS_OK;
}

const cs_group_ops cs_group_ed25519 = {
    .name = "ed25519",
    .point_size = SIZE,
    .check = check,
    .scalar_valid = scalar_valid,
    .base_mul = base_mul,
    .mul = mul,
    .add = add,
    .canonical = canonical,
    .issue_hash = issue_hash,
    .issue_scalar = issue_scalar,
};
