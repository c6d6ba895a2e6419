/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm_wrap.h"

#include "openssl_fail.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

uint8_t *cs_tpm_put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

uint8_t *cs_tpm_put2b(uint8_t *at, const uint8_t *bytes, size_t n)
{
    at = cs_tpm_put16(at, (unsigned)n);
    memcpy(at, bytes, n);
    return at + n;
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
int cs_tpm_kdf_a(uint8_t *out, size_t n, const uint8_t key[CS_HASH_SIZE], const char *label,
    const uint8_t *context, size_t context_n, cs_error *error)
{
    char mode[] = "counter", mac[] = "HMAC", digest[] = "SHA256";
    uint8_t key_copy[CS_HASH_SIZE], context_copy[CS_TPM_NAME_SIZE];
    char label_copy[CS_TPM_LABEL_MAX];
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
int cs_tpm_kdf_e(uint8_t seed[CS_HASH_SIZE], uint8_t z[CS_TPM_COORDINATE], const char *label,
    const uint8_t ephemeral[65], const uint8_t parent[65], cs_error *error)
{
    const size_t label_n = strlen(label) + 1; /* its end counts */
    char digest[] = "SHA256";
    uint8_t info[CS_TPM_LABEL_MAX + 2 * CS_TPM_COORDINATE];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, z, CS_TPM_COORDINATE),
        OSSL_PARAM_construct_octet_string(
            OSSL_KDF_PARAM_INFO, info, label_n + 2 * CS_TPM_COORDINATE),
        OSSL_PARAM_construct_end(),
    };

    if (label_n > CS_TPM_LABEL_MAX)
        return CS_FAIL(error, CS_E_INTERNAL, "the label %s of a TPM's KDF is too long", label);
    memcpy(info, label, label_n);
    memcpy(info + label_n, ephemeral + 1, CS_TPM_COORDINATE);
    memcpy(info + label_n + CS_TPM_COORDINATE, parent + 1, CS_TPM_COORDINATE);
    return derive("SSKDF", parameters, seed, CS_HASH_SIZE, error);
}

/* AES-128-CFB with an IV of zeros, as every wrap of Part 1 has it; in place. */
int cs_tpm_cfb(uint8_t *bytes, size_t n, const uint8_t key[CS_TPM_AES_SIZE], cs_error *error)
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
