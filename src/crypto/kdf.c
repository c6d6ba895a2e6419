/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"

#include <chartseal/crypto.h>

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

/* As hard to guess as N = 2^17, p = 1, in a quarter of the memory: a patient's device has little.
 */
#define SCRYPT_N (UINT64_C(1) << 15)
#define SCRYPT_R 8u
#define SCRYPT_P 3u
#define SCRYPT_MEMORY (UINT64_C(64) << 20) /* 128 · r · N is 32 MiB, and some */

/* OpenSSL takes a NULL key or password for a missing one, not for an empty one. */
static const void *never_null(cs_view bytes)
{
    return bytes.n == 0 ? (const void *)"" : bytes.p;
}

/* OSSL_PARAM is made for reading and writing; a KDF only reads. */
static OSSL_PARAM octets(const char *name, cs_view bytes)
{
    union {
        const void *read;
        void *write;
    } address = {.read = never_null(bytes)};

    return OSSL_PARAM_construct_octet_string(name, address.write, bytes.n);
}

static int derive(const char *algorithm, uint8_t *out, size_t n, const OSSL_PARAM *parameters)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, algorithm, NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    int ok = context != NULL && EVP_KDF_derive(context, out, n, parameters) == 1;

    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    if (!ok)
        cs_wipe(out, n);
    return ok;
}

int cs_hmac(uint8_t out[CS_HASH_SIZE], cs_view key, cs_view bytes, cs_error *error)
{
    if (key.n > INT_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "an HMAC key of %zu bytes is too large", key.n);
    if (HMAC(EVP_sha256(), never_null(key), (int)key.n, never_null(bytes), bytes.n, out, NULL) ==
        NULL)
        return CS_OPENSSL_FAIL(error, "compute an HMAC");
    return CS_OK;
}

/* RFC 5869, 2.2: no salt is a salt of zeros, and HMAC pads its key with zeros. */
int cs_hkdf_extract(uint8_t out[CS_HASH_SIZE], cs_view salt, cs_view ikm, cs_error *error)
{
    return cs_hmac(out, salt, ikm, error);
}

int cs_hkdf_expand(uint8_t *out, size_t n, cs_view prk, cs_view info, cs_error *error)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char digest[] = "SHA256";
    OSSL_PARAM parameters[5];

    if (n == 0 || n > CS_HKDF_MAX || prk.n < CS_HASH_SIZE || info.n > CS_HKDF_INFO_MAX)
        return CS_FAIL(error, CS_E_USAGE,
            "HKDF gives 1 to %d bytes from a key of at least %d, with info of at most %d",
            CS_HKDF_MAX, CS_HASH_SIZE, CS_HKDF_INFO_MAX);
    parameters[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    parameters[2] = octets(OSSL_KDF_PARAM_KEY, prk);
    parameters[3] = octets(OSSL_KDF_PARAM_INFO, info);
    parameters[4] = OSSL_PARAM_construct_end();
    if (!derive("HKDF", out, n, parameters))
        return CS_OPENSSL_FAIL(error, "derive a key with HKDF");
    return CS_OK;
}

int cs_hkdf(uint8_t *out, size_t n, cs_view salt, cs_view ikm, cs_view info, cs_error *error)
{
    uint8_t prk[CS_HASH_SIZE];
    int rc = cs_hkdf_extract(prk, salt, ikm, error);

    if (rc == CS_OK)
        rc = cs_hkdf_expand(out, n, CS_VIEW_ARRAY(prk), info, error);
    cs_wipe(prk, sizeof prk);
    return rc;
}

int cs_scrypt(uint8_t out[CS_HASH_SIZE], cs_view secret, cs_view salt, cs_error *error)
{
    uint64_t n = SCRYPT_N;
    uint64_t memory = SCRYPT_MEMORY;
    uint32_t r = SCRYPT_R;
    uint32_t p = SCRYPT_P;
    OSSL_PARAM parameters[7];

    parameters[0] = octets(OSSL_KDF_PARAM_PASSWORD, secret);
    parameters[1] = octets(OSSL_KDF_PARAM_SALT, salt);
    parameters[2] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n);
    parameters[3] = OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r);
    parameters[4] = OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p);
    parameters[5] = OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory);
    parameters[6] = OSSL_PARAM_construct_end();
    if (!derive("SCRYPT", out, CS_HASH_SIZE, parameters)) {
        ERR_clear_error();
        return CS_FAIL(error, CS_E_MEMORY, "scrypt fails: it needs 128 MiB of memory; free some");
    }
    return CS_OK;
}
