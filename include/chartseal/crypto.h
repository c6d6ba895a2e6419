/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_H
#define CHARTSEAL_CRYPTO_H

/*
 * The symmetric parts and the signatures that need no token: h, HKDF, HMAC, AEAD, ECDSA
 * verification. All over OpenSSL. (HPKE: hpke.h. Chunked AEAD: stream.h.)
 */

#include <chartseal/bytes.h>

#define CS_HASH_SIZE 32
#define CS_SIGNATURE_SIZE 64 /* ECDSA P-256, r ‖ s */
#define CS_AEAD_KEY_SIZE 32
#define CS_AEAD_NONCE_SIZE 12
#define CS_AEAD_TAG_SIZE 16
#define CS_HKDF_MAX 8160      /* 255 hashes: RFC 5869's limit for one output */
#define CS_HKDF_INFO_MAX 1024 /* labels and hashes; OpenSSL 3.0 itself stops at 2048 */
#define CS_KEY_WRAP_MAX 4096  /* a PKCS#8 P-256 key has 138 bytes */
#define CS_PUK_SIZE 33        /* P-256 public key, SEC1 compressed, as in credentials */

/* h: SHA-256. */
CS_MUST_CHECK int cs_hash(uint8_t out[CS_HASH_SIZE], cs_view bytes, cs_error *error);

/* h over bytes that arrive in pieces. A finished hasher takes no more: CS_E_ORDER. */
typedef struct cs_hasher cs_hasher;
CS_MUST_CHECK int cs_hasher_new(cs_hasher **out, cs_error *error);
CS_MUST_CHECK int cs_hasher_add(cs_hasher *hasher, cs_view bytes, cs_error *error);
CS_MUST_CHECK int cs_hasher_finish(cs_hasher *hasher, uint8_t out[CS_HASH_SIZE], cs_error *error);
void cs_hasher_free(cs_hasher **hasher);

/* HMAC-SHA-256 (RFC 2104). Key and bytes may be empty. */
CS_MUST_CHECK int cs_hmac(uint8_t out[CS_HASH_SIZE], cs_view key, cs_view bytes, cs_error *error);

/* HKDF-SHA-256 (RFC 5869), its two halves, and both in one. Salt, ikm and info may be empty. n is 1
 * to CS_HKDF_MAX, prk at least 32 bytes, info at most CS_HKDF_INFO_MAX; else CS_E_USAGE. */
CS_MUST_CHECK int cs_hkdf_extract(
    uint8_t out[CS_HASH_SIZE], cs_view salt, cs_view ikm, cs_error *error);
CS_MUST_CHECK int cs_hkdf_expand(
    uint8_t *out, size_t n, cs_view prk, cs_view info, cs_error *error);
CS_MUST_CHECK int cs_hkdf(
    uint8_t *out, size_t n, cs_view salt, cs_view ikm, cs_view info, cs_error *error);

/* scrypt (RFC 7914) with N = 2^15, r = 8, p = 3: the stretching of H(BP). Takes 32 MiB and a
 * few tenths of a second; CS_E_MEMORY. Secret and salt may be empty. */
CS_MUST_CHECK int cs_scrypt(
    uint8_t out[CS_HASH_SIZE], cs_view secret, cs_view salt, cs_error *error);

/* AES-256-GCM, one message. A key never meets a nonce twice: that is the caller's to keep. The
 * views must not look into out. plain and aad may be empty. Sealed is n + 16 bytes, appended to
 * out; opened n - 16, appended. Opening an altered message: CS_E_DECRYPT, and nothing is appended.
 */
CS_MUST_CHECK int cs_aead_seal(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE],
    const uint8_t nonce[CS_AEAD_NONCE_SIZE], cs_view aad, cs_view plain, cs_error *error);
CS_MUST_CHECK int cs_aead_open(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE],
    const uint8_t nonce[CS_AEAD_NONCE_SIZE], cs_view aad, cs_view sealed, cs_error *error);

/* A small thing at rest: fresh random nonce ‖ ciphertext ‖ tag. */
CS_MUST_CHECK int cs_box_seal(
    cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, cs_view plain, cs_error *error);
CS_MUST_CHECK int cs_box_open(
    cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, cs_view sealed, cs_error *error);

/* RFC 5649 (AES key wrap with padding) under a 256-bit key; wrapping only: tokens unwrap. plain
 * is 1 to CS_KEY_WRAP_MAX bytes, else CS_E_USAGE; up to 15 bytes longer when wrapped. Appended. */
CS_MUST_CHECK int cs_key_wrap_pad(
    cs_buf *out, const uint8_t kek[32], cs_view plain, cs_error *error);

/* ECDSA P-256 / SHA-256 over the hash of a message. puk: SEC1, 33 or 65 bytes.
 * CS_E_SIGNATURE; CS_E_POINT when puk is no point. Both s and n - s verify. */
CS_MUST_CHECK int cs_ecdsa_verify(cs_view puk, const uint8_t digest[CS_HASH_SIZE],
    const uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error);
/* r ‖ s to the DER that X.509 wants. */
CS_MUST_CHECK int cs_ecdsa_to_der(
    cs_buf *out, const uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error);

/* P-256 key pairs and ECDH in host memory: ephemerals, and the software token of the tests.
 * private: 32 bytes big-endian; public: 65 bytes uncompressed; x: 32 bytes, left-padded. */
CS_MUST_CHECK int cs_p256_generate(
    uint8_t private_key[32], uint8_t public_key[65], cs_error *error);
/* The public half of a private key. CS_E_SCALAR, here and below, for a key out of [1, n - 1]. */
CS_MUST_CHECK int cs_p256_public(
    uint8_t public_key[65], const uint8_t private_key[32], cs_error *error);
/* x of private·peer; peer: SEC1, 33 or 65 bytes. CS_E_POINT. */
CS_MUST_CHECK int cs_p256_ecdh(
    uint8_t x[32], const uint8_t private_key[32], cs_view peer, cs_error *error);
CS_MUST_CHECK int cs_p256_sign(uint8_t signature[CS_SIGNATURE_SIZE], const uint8_t private_key[32],
    const uint8_t digest[CS_HASH_SIZE], cs_error *error);
/* PKCS#8 (DER) of a P-256 private key, for key wrapping. Appended to out, which the caller wipes.
 */
CS_MUST_CHECK int cs_p256_pkcs8(cs_buf *out, const uint8_t private_key[32], cs_error *error);

#endif
