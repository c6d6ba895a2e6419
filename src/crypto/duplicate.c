/* SPDX-License-Identifier: Apache-2.0 */

/* The issuer's side of TPM2_Import: inner and outer wrap for an ECC storage parent. */

#include "openssl_fail.h"
#include "p256.h"

#include <chartseal/duplicate.h>
#include <chartseal/secret.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

/* Numbers of TPM 2.0 Library, Part 2. */
#define ALG_NULL 0x0010
#define ALG_SHA256 0x000b
#define ALG_ECDH 0x0019
#define ALG_ECC 0x0023
#define CURVE_NIST_P256 0x0003
#define USER_WITH_AUTH 0x00000040u
#define ENCRYPTED_DUPLICATION 0x00000800u
#define DECRYPT 0x00020000u

#define DIGEST_SIZE (2 + CS_HASH_SIZE) /* TPM2B_DIGEST */
#define NAME_SIZE (2 + CS_HASH_SIZE)   /* algorithm ‖ digest */
#define SENSITIVE_SIZE 42              /* TPM2B_SENSITIVE of a P-256 key without auth and seed */
#define INNER_SIZE (DIGEST_SIZE + SENSITIVE_SIZE)
#define COORDINATE 32

static uint8_t *put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put2b(uint8_t *at, const uint8_t *bytes, size_t n)
{
    at = put16(at, (unsigned)n);
    memcpy(at, bytes, n);
    return at + n;
}

int cs_duplicate_public(uint8_t out[CS_DUPLICATE_PUBLIC_SIZE], const cs_point *y, cs_error *error)
{
    const unsigned attributes = USER_WITH_AUTH | ENCRYPTED_DUPLICATION | DECRYPT;
    uint8_t point[CS_P256_UNCOMPRESSED];
    uint8_t *at = out;
    int rc;

    if (y->suite != CS_SUITE_P256)
        return CS_FAIL(error, CS_E_USAGE, "a TPM takes an S_X of suite p256 alone");
    rc = cs_p256_uncompress(point, cs_point_view(y), error);
    if (rc != CS_OK)
        return rc;
    at = put16(at, ALG_ECC);
    at = put16(at, ALG_SHA256);
    at = put16(at, attributes >> 16);
    at = put16(at, attributes & 0xffff);
    at = put16(at, 0);        /* no policy */
    at = put16(at, ALG_NULL); /* no symmetric algorithm: it is no parent */
    at = put16(at, ALG_ECDH);
    at = put16(at, ALG_SHA256);
    at = put16(at, CURVE_NIST_P256);
    at = put16(at, ALG_NULL); /* no KDF */
    at = put2b(at, point + 1, COORDINATE);
    at = put2b(at, point + 1 + COORDINATE, COORDINATE);
    return at == out + CS_DUPLICATE_PUBLIC_SIZE
               ? CS_OK
               : CS_FAIL(error, CS_E_INTERNAL, "the public area has another size");
}

static int derive(
    const char *kdf_name, OSSL_PARAM *parameters, uint8_t *out, size_t n, cs_error *error)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    int rc = CS_OK;

    if (context == NULL || EVP_KDF_derive(context, out, n, parameters) != 1)
        rc = CS_OPENSSL_FAIL(error, "derive a key for a TPM");
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return rc;
}

/* KDFa (Part 1, 11.4.10.2) is SP 800-108 in counter mode with HMAC: the label's end is the
 * separator. context: a Name, or empty. */
static int kdf_a(uint8_t *out, size_t n, const uint8_t key[CS_HASH_SIZE], const char *label,
    const uint8_t *context, size_t context_n, cs_error *error)
{
    char mode[] = "counter", mac[] = "HMAC", digest[] = "SHA256";
    uint8_t key_copy[CS_HASH_SIZE], context_copy[NAME_SIZE];
    char label_copy[16];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, mac, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key_copy, sizeof key_copy),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, label_copy, strlen(label)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, context_copy, context_n),
        OSSL_PARAM_construct_end(),
    };
    int rc;

    memcpy(key_copy, key, sizeof key_copy);
    (void)snprintf(label_copy, sizeof label_copy, "%s", label);
    if (context_n > 0)
        memcpy(context_copy, context, context_n);
    rc = derive("KBKDF", parameters, out, n, error);
    cs_wipe(key_copy, sizeof key_copy);
    return rc;
}

/* KDFe (Part 1, 11.4.10.3) is the one-step KDF of SP 800-56C with a hash. */
static int kdf_e(uint8_t seed[CS_HASH_SIZE], uint8_t z[COORDINATE], const uint8_t ephemeral[65],
    const uint8_t parent[65], cs_error *error)
{
    static const char label[] = "DUPLICATE"; /* its end counts */
    char digest[] = "SHA256";
    uint8_t info[sizeof label + 2 * COORDINATE];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, z, COORDINATE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info),
        OSSL_PARAM_construct_end(),
    };

    memcpy(info, label, sizeof label);
    memcpy(info + sizeof label, ephemeral + 1, COORDINATE);
    memcpy(info + sizeof label + COORDINATE, parent + 1, COORDINATE);
    return derive("SSKDF", parameters, seed, CS_HASH_SIZE, error);
}

/* AES-128-CFB with an IV of zeros, as every wrap of Part 1 has it; in place. */
static int cfb(uint8_t *bytes, size_t n, const uint8_t key[CS_DUPLICATE_KEY_SIZE], cs_error *error)
{
    static const uint8_t iv[16];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done = 0;
    int rc = CS_OK;

    if (context == NULL || EVP_EncryptInit_ex(context, EVP_aes_128_cfb128(), NULL, key, iv) != 1 ||
        EVP_EncryptUpdate(context, bytes, &done, bytes, (int)n) != 1 || (size_t)done != n)
        rc = CS_OPENSSL_FAIL(error, "wrap a key for a TPM");
    EVP_CIPHER_CTX_free(context);
    return rc;
}

/* What is secret on the way; guarded. */
typedef struct wrapping {
    uint8_t ephemeral[32];
    uint8_t z[COORDINATE];
    uint8_t seed[CS_HASH_SIZE];
    uint8_t storage[CS_DUPLICATE_KEY_SIZE];
    uint8_t integrity[CS_HASH_SIZE];
    uint8_t once[CS_DUPLICATE_KEY_SIZE];
    uint8_t inner[INNER_SIZE + NAME_SIZE]; /* with room for the name behind it, to be hashed */
    uint8_t digest[CS_HASH_SIZE];
} wrapping;

static int wrap_inner(
    wrapping *w, const cs_scalar *s, const uint8_t name[NAME_SIZE], cs_error *error)
{
    uint8_t *sensitive = w->inner + DIGEST_SIZE;
    uint8_t *at = put16(sensitive, SENSITIVE_SIZE - 2);
    int rc;

    at = put16(at, ALG_ECC);
    at = put16(at, 0); /* no authorisation value yet: X gives it its own */
    at = put16(at, 0); /* no seed */
    at = put2b(at, s->b, CS_SCALAR_SIZE);
    memcpy(at, name, NAME_SIZE);
    rc = cs_hash(w->digest, (cs_view){sensitive, SENSITIVE_SIZE + NAME_SIZE}, error);
    if (rc != CS_OK)
        return rc;
    (void)put2b(w->inner, w->digest, CS_HASH_SIZE);
    cs_random(w->once, sizeof w->once);
    return cfb(w->inner, INNER_SIZE, w->once, error);
}

static int wrap_outer(wrapping *w, const uint8_t name[NAME_SIZE], cs_error *error)
{
    int rc = kdf_a(w->storage, sizeof w->storage, w->seed, "STORAGE", name, NAME_SIZE, error);

    if (rc == CS_OK)
        rc = kdf_a(w->integrity, sizeof w->integrity, w->seed, "INTEGRITY", NULL, 0, error);
    if (rc == CS_OK)
        rc = cfb(w->inner, INNER_SIZE, w->storage, error);
    memcpy(w->inner + INNER_SIZE, name, NAME_SIZE);
    if (rc == CS_OK)
        rc = cs_hmac(w->digest, CS_VIEW_ARRAY(w->integrity), CS_VIEW_ARRAY(w->inner), error);
    return rc;
}

static int append_blob(cs_buf *out, const wrapping *w, cs_error *error)
{
    uint8_t size[2];
    size_t start = out->n;
    int rc = cs_buf_append(out, CS_VIEW_ARRAY(w->once), error);

    (void)put16(size, CS_HASH_SIZE);
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
    uint8_t public_area[CS_DUPLICATE_PUBLIC_SIZE], name[NAME_SIZE];
    int rc;

    if (w == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for wrapping S_X");
    rc = cs_duplicate_public(public_area, y, error);
    if (rc == CS_OK)
        rc = cs_hash(put16(name, ALG_SHA256), CS_VIEW_ARRAY(public_area), error);
    if (rc == CS_OK)
        rc = cs_p256_generate(w->ephemeral, ephemeral, error);
    if (rc == CS_OK)
        rc = cs_p256_ecdh(w->z, w->ephemeral, (cs_view){parent, CS_P256_UNCOMPRESSED}, error);
    if (rc == CS_OK)
        rc = kdf_e(w->seed, w->z, ephemeral, parent, error);
    if (rc == CS_OK)
        rc = wrap_inner(w, s, name, error);
    if (rc == CS_OK)
        rc = wrap_outer(w, name, error);
    if (rc == CS_OK)
        rc = append_blob(out, w, error);
    cs_secret_free(&w);
    return rc;
}
