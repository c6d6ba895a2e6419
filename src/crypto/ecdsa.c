/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"
#include "p256.h"

#include <chartseal/group.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <string.h>

#define HALF 32

int cs_ecdsa_to_der(cs_buf *out, const uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, HALF, NULL);
    BIGNUM *s = BN_bin2bn(signature + HALF, HALF, NULL);
    uint8_t *der = NULL;
    int n = -1;
    int rc;

    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = NULL; /* the pair's now */
        s = NULL;
        n = i2d_ECDSA_SIG(pair, &der);
    }
    if (n > 0)
        rc = cs_buf_append(out, (cs_view){der, (size_t)n}, error);
    else
        rc = CS_OPENSSL_FAIL(error, "encode a signature");
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return rc;
}

int cs_ecdsa_verify(cs_view puk, const uint8_t digest[CS_HASH_SIZE],
    const uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    uint8_t public_key[CS_P256_UNCOMPRESSED];
    cs_buf der = {0};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = NULL;
    int rc = cs_p256_uncompress(public_key, puk, error);

    if (rc == CS_OK)
        rc = cs_p256_pkey(&key, public_key, NULL, error);
    if (rc == CS_OK)
        rc = cs_ecdsa_to_der(&der, signature, error);
    if (rc != CS_OK)
        goto out;
    context = EVP_PKEY_CTX_new(key, NULL);
    if (context == NULL || EVP_PKEY_verify_init(context) != 1)
        rc = CS_OPENSSL_FAIL(error, "verify a signature");
    else if (EVP_PKEY_verify(context, der.p, der.n, digest, CS_HASH_SIZE) != 1) {
        ERR_clear_error();
        rc = CS_FAIL(error, CS_E_SIGNATURE, "the signature does not verify");
    }
out:
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    cs_buf_free(&der);
    return rc;
}

static int from_der(uint8_t signature[CS_SIGNATURE_SIZE], const uint8_t *der, size_t n)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    int ok = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, HALF) == HALF &&
             BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + HALF, HALF) == HALF;

    ECDSA_SIG_free(pair);
    return ok;
}

int cs_p256_sign(uint8_t signature[CS_SIGNATURE_SIZE], const uint8_t private_key[32],
    const uint8_t digest[CS_HASH_SIZE], cs_error *error)
{
    uint8_t public_key[CS_P256_UNCOMPRESSED];
    uint8_t der[CS_SIGNATURE_SIZE + 16]; /* two INTEGERs in a SEQUENCE: 72 at most */
    size_t n = sizeof der;
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = NULL;
    int rc = cs_p256_public(public_key, private_key, error);

    if (rc == CS_OK)
        rc = cs_p256_pkey(&key, public_key, private_key, error);
    if (rc != CS_OK)
        return rc;
    context = EVP_PKEY_CTX_new(key, NULL);
    if (context == NULL || EVP_PKEY_sign_init(context) != 1 ||
        EVP_PKEY_sign(context, der, &n, digest, CS_HASH_SIZE) != 1 || !from_der(signature, der, n))
        rc = CS_OPENSSL_FAIL(error, "sign");
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    return rc;
}
