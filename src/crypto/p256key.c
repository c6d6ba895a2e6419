/* SPDX-License-Identifier: Apache-2.0 */

/* P-256 key pairs in host memory. */

#include "p256.h"

#include <chartseal/group.h>

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

/* PrivateKeyInfo of id-ecPublicKey on prime256v1 with an ECPrivateKey in it: every length is fixed,
 * so the DER is this, the private key, a head and the public key. */
static const uint8_t pkcs8_head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07,
    0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t pkcs8_public_head[] = {0xa1, 0x44, 0x03, 0x42, 0x00};

/* Written here and not by OpenSSL, whose encoders take the key through the ordinary heap. */
int cs_p256_pkcs8(cs_buf *out, const uint8_t private_key[32], cs_error *error)
{
    uint8_t public_key[CS_P256_UNCOMPRESSED];
    const cs_view parts[] = {CS_VIEW_ARRAY(pkcs8_head), {private_key, 32},
        CS_VIEW_ARRAY(pkcs8_public_head), CS_VIEW_ARRAY(public_key)};
    size_t start = out->n;
    int rc = cs_p256_public(public_key, private_key, error);

    for (size_t i = 0; rc == CS_OK && i < sizeof parts / sizeof parts[0]; i++)
        rc = cs_buf_append(out, parts[i], error);
    if (rc != CS_OK && out->n > start) {
        cs_wipe(out->p + start, out->n - start);
        out->n = start;
    }
    return rc;
}
