/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_P256_H
#define CHARTSEAL_CRYPTO_P256_H

/* P-256 points and keys as OpenSSL holds them, shared by the group and by the key pairs. */

#include <chartseal/crypto.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#define CS_P256_COMPRESSED 33
#define CS_P256_UNCOMPRESSED 65

/* n, big-endian. */
extern const uint8_t cs_p256_order[32];

/* In [1, n - 1]? Constant time. */
bool cs_p256_scalar_valid(const uint8_t scalar[32]);

/* What a computation on the curve needs; the result is in `point`. Zero-initialise; end it always.
 */
typedef struct cs_p256_work {
    const EC_GROUP *group; /* shared, never freed */
    BN_CTX *bn;            /* of the secure heap */
    EC_POINT *point;
} cs_p256_work;

CS_MUST_CHECK int cs_p256_begin(cs_p256_work *work, cs_error *error);
void cs_p256_end(cs_p256_work *work);

/* point = the SEC1 point of 33 or 65 bytes, on the curve; hybrid forms and the identity are
 * CS_E_POINT. */
CS_MUST_CHECK int cs_p256_load(cs_p256_work *work, cs_view sec1, cs_error *error);
/* point = k·point, or k·G when base. k is secret: big-endian, in range. */
CS_MUST_CHECK int cs_p256_times(
    cs_p256_work *work, const uint8_t k[32], bool base, cs_error *error);
/* point in n (33 or 65) bytes. The identity is CS_E_POINT. */
CS_MUST_CHECK int cs_p256_store(cs_p256_work *work, uint8_t *out, size_t n, cs_error *error);

/* An EVP_PKEY of the public key, and of the private key too when it is not NULL. */
CS_MUST_CHECK int cs_p256_pkey(EVP_PKEY **out, const uint8_t public_key[CS_P256_UNCOMPRESSED],
    const uint8_t *private_key, cs_error *error);

#endif
