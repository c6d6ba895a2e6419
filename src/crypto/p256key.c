/* SPDX-License-Identifier: Apache-2.0 */

/* P-256 key pairs in host memory. */

#include "openssl_fail.h"
#include "p256.h"

#include <chartseal/group.h>

#include <openssl/x509.h>
#include <string.h>

static int in_range(const uint8_t private_key[32], cs_error *error)
{
    if (!cs_p256_scalar_valid(private_key))
        return CS_FAIL(error, CS_E_SCALAR, "a P-256 private key is zero or not below the order");
    return CS_OK;
}

int cs_p256_public(uint8_t public_key[65], const uint8_t private_key[32], cs_error *error)
{
    cs_p256_work work = {0};
    int rc = in_range(private_key, error);

    if (rc == CS_OK)
        rc = cs_p256_begin(&work, error);
    if (rc == CS_OK)
        rc = cs_p256_times(&work, private_key, true, error);
    if (rc == CS_OK)
        rc = cs_p256_store(&work, public_key, CS_P256_UNCOMPRESSED, error);
    cs_p256_end(&work);
    return rc;
}

int cs_p256_generate(uint8_t private_key[32], uint8_t public_key[65], cs_error *error)
{
    do {
        cs_random(private_key, 32);
    } while (!cs_p256_scalar_valid(private_key));
    return cs_p256_public(public_key, private_key, error);
}

int cs_p256_ecdh(uint8_t x[32], const uint8_t private_key[32], cs_view peer, cs_error *error)
{
    uint8_t shared[CS_P256_COMPRESSED];
    cs_p256_work work = {0};
    int rc = in_range(private_key, error);

    if (rc == CS_OK)
        rc = cs_p256_begin(&work, error);
    if (rc == CS_OK)
        rc = cs_p256_load(&work, peer, error);
    if (rc == CS_OK)
        rc = cs_p256_times(&work, private_key, false, error);
    if (rc == CS_OK)
        rc = cs_p256_store(&work, shared, sizeof shared, error);
    if (rc == CS_OK)
        memcpy(x, shared + 1, 32);
    cs_wipe(shared, sizeof shared);
    cs_p256_end(&work);
    return rc;
}

int cs_p256_pkcs8(cs_buf *out, const uint8_t private_key[32], cs_error *error)
{
    uint8_t public_key[CS_P256_UNCOMPRESSED];
    EVP_PKEY *key = NULL;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    uint8_t *der = NULL;
    int n = -1;
    int rc = cs_p256_public(public_key, private_key, error);

    if (rc == CS_OK)
        rc = cs_p256_pkey(&key, public_key, private_key, error);
    if (rc != CS_OK)
        return rc;
    info = EVP_PKEY2PKCS8(key);
    if (info != NULL)
        n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    if (n > 0) {
        rc = cs_buf_append(out, (cs_view){der, (size_t)n}, error);
        OPENSSL_clear_free(der, (size_t)n);
    } else {
        rc = CS_OPENSSL_FAIL(error, "encode a private key");
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(key);
    return rc;
}
