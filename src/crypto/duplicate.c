/* SPDX-License-Identifier: Apache-2.0 */

/* The issuer's side of TPM2_Import: inner and outer wrap for an ECC storage parent. */

#include "p256.h"
#include "tpm_wrap.h"

#include <chartseal/duplicate.h>
#include <chartseal/secret.h>

#include <string.h>

#define DIGEST_SIZE (2 + CS_HASH_SIZE) /* TPM2B_DIGEST */
#define SENSITIVE_SIZE 42              /* TPM2B_SENSITIVE of a P-256 key without auth and seed */
#define INNER_SIZE (DIGEST_SIZE + SENSITIVE_SIZE)

int cs_duplicate_public(uint8_t out[CS_DUPLICATE_PUBLIC_SIZE], const cs_point *y, cs_error *error)
{
    const unsigned attributes =
        CS_TPM_USER_WITH_AUTH | CS_TPM_ENCRYPTED_DUPLICATION | CS_TPM_DECRYPT_BIT;
    uint8_t point[CS_P256_UNCOMPRESSED];
    uint8_t *at = out;
    int rc;

    if (y->suite != CS_SUITE_P256)
        return CS_FAIL(error, CS_E_USAGE, "a TPM takes an S_X of suite p256 alone");
    rc = cs_p256_uncompress(point, cs_point_view(y), error);
    if (rc != CS_OK)
        return rc;
    at = cs_tpm_put16(at, CS_TPM_ALG_ECC);
    at = cs_tpm_put16(at, CS_TPM_ALG_SHA256);
    at = cs_tpm_put16(at, attributes >> 16);
    at = cs_tpm_put16(at, attributes & 0xffff);
    at = cs_tpm_put16(at, 0);               /* no policy */
    at = cs_tpm_put16(at, CS_TPM_ALG_NULL); /* no symmetric algorithm: it is no parent */
    at = cs_tpm_put16(at, CS_TPM_ALG_ECDH);
    at = cs_tpm_put16(at, CS_TPM_ALG_SHA256);
    at = cs_tpm_put16(at, CS_TPM_CURVE_NIST_P256);
    at = cs_tpm_put16(at, CS_TPM_ALG_NULL); /* no KDF */
    at = cs_tpm_put2b(at, point + 1, CS_TPM_COORDINATE);
    at = cs_tpm_put2b(at, point + 1 + CS_TPM_COORDINATE, CS_TPM_COORDINATE);
    return at == out + CS_DUPLICATE_PUBLIC_SIZE
               ? CS_OK
               : CS_FAIL(error, CS_E_INTERNAL, "the public area has another size");
}

/* What is secret on the way; guarded. */
typedef struct wrapping {
    uint8_t ephemeral[32];
    uint8_t z[CS_TPM_COORDINATE];
    uint8_t seed[CS_HASH_SIZE];
    uint8_t storage[CS_DUPLICATE_KEY_SIZE];
    uint8_t integrity[CS_HASH_SIZE];
    uint8_t once[CS_DUPLICATE_KEY_SIZE];
    uint8_t
        inner[INNER_SIZE + CS_TPM_NAME_SIZE]; /* with room for the name behind it, to be hashed */
    uint8_t digest[CS_HASH_SIZE];
} wrapping;

static int wrap_inner(
    wrapping *w, const cs_scalar *s, const uint8_t name[CS_TPM_NAME_SIZE], cs_error *error)
{
    uint8_t *sensitive = w->inner + DIGEST_SIZE;
    uint8_t *at = cs_tpm_put16(sensitive, SENSITIVE_SIZE - 2);
    int rc;

    at = cs_tpm_put16(at, CS_TPM_ALG_ECC);
    at = cs_tpm_put16(at, 0); /* no authorisation value yet: X gives it its own */
    at = cs_tpm_put16(at, 0); /* no seed */
    at = cs_tpm_put2b(at, s->b, CS_SCALAR_SIZE);
    memcpy(at, name, CS_TPM_NAME_SIZE);
    rc = cs_hash(w->digest, (cs_view){sensitive, SENSITIVE_SIZE + CS_TPM_NAME_SIZE}, error);
    if (rc != CS_OK)
        return rc;
    (void)cs_tpm_put2b(w->inner, w->digest, CS_HASH_SIZE);
    cs_random(w->once, sizeof w->once);
    return cs_tpm_cfb(w->inner, INNER_SIZE, w->once, error);
}

static int wrap_outer(wrapping *w, const uint8_t name[CS_TPM_NAME_SIZE], cs_error *error)
{
    int rc = cs_tpm_kdf_a(
        w->storage, sizeof w->storage, w->seed, "STORAGE", name, CS_TPM_NAME_SIZE, error);

    if (rc == CS_OK)
        rc = cs_tpm_kdf_a(w->integrity, sizeof w->integrity, w->seed, "INTEGRITY", NULL, 0, error);
    if (rc == CS_OK)
        rc = cs_tpm_cfb(w->inner, INNER_SIZE, w->storage, error);
    memcpy(w->inner + INNER_SIZE, name, CS_TPM_NAME_SIZE);
    if (rc == CS_OK)
        rc = cs_hmac(w->digest, CS_VIEW_ARRAY(w->integrity), CS_VIEW_ARRAY(w->inner), error);
    return rc;
}

static int append_blob(cs_buf *out, const wrapping *w, cs_error *error)
{
    uint8_t size[2];
    size_t start = out->n;
    int rc = cs_buf_append(out, CS_VIEW_ARRAY(w->once), error);

    (void)cs_tpm_put16(size, CS_HASH_SIZE);
    if (rc == CS_OK)
        rc = cs_buf_append(out, CS_VIEW_ARRAY(size), error);
    if (rc == CS_OK)
        rc = cs_buf_append(out, CS_VIEW_ARRAY(w->digest), error);
    if (rc == CS_OK)
        rc = cs_buf_append(out, (cs_view){w->inner, INNER_SIZE}, error);
    if (rc != CS_OK)
        out->n = start;
    return rc;
}

int cs_duplicate_seal(cs_buf *out, uint8_t ephemeral[65], const uint8_t parent[65],
    const cs_scalar *s, const cs_point *y, cs_error *error)
{
    wrapping *w = cs_secret_new(sizeof *w);
    uint8_t public_area[CS_DUPLICATE_PUBLIC_SIZE], name[CS_TPM_NAME_SIZE];
    int rc;

    if (w == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for wrapping S_X");
    rc = cs_duplicate_public(public_area, y, error);
    if (rc == CS_OK)
        rc = cs_hash(cs_tpm_put16(name, CS_TPM_ALG_SHA256), CS_VIEW_ARRAY(public_area), error);
    if (rc == CS_OK)
        rc = cs_p256_generate(w->ephemeral, ephemeral, error);
    if (rc == CS_OK)
        rc = cs_p256_ecdh(w->z, w->ephemeral, (cs_view){parent, CS_P256_UNCOMPRESSED}, error);
    if (rc == CS_OK)
        rc = cs_tpm_kdf_e(w->seed, w->z, "DUPLICATE", ephemeral, parent, error);
    if (rc == CS_OK)
        rc = wrap_inner(w, s, name, error);
    if (rc == CS_OK)
        rc = wrap_outer(w, name, error);
    if (rc == CS_OK)
        rc = append_blob(out, w, error);
    cs_secret_free(&w);
    return rc;
}
