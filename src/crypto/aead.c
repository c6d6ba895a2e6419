/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"

#include <chartseal/crypto.h>

#include <limits.h>
#include <openssl/evp.h>

/* What one call of EVP takes. */
#define PART_MAX ((size_t)INT_MAX - 64)

/* What both directions share: key, nonce, aad. */
static EVP_CIPHER_CTX *begin(const uint8_t *key, const uint8_t *nonce, cs_view aad, int encrypt)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int n = 0;

    if (context == NULL)
        return NULL;
    if (EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) == 1 &&
        (aad.n == 0 || EVP_CipherUpdate(context, NULL, &n, aad.p, (int)aad.n) == 1))
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

static int run(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *in, size_t n)
{
    int done = 0;

    return n == 0 || (EVP_CipherUpdate(context, out, &done, in, (int)n) == 1 && done == (int)n);
}

int cs_aead_seal(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE],
    const uint8_t nonce[CS_AEAD_NONCE_SIZE], cs_view aad, cs_view plain, cs_error *error)
{
    EVP_CIPHER_CTX *context;
    size_t start = out->n;
    int n = 0;
    int rc;

    if (plain.n > PART_MAX || aad.n > PART_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "too large to be sealed at once; use a stream");
    rc = cs_buf_resize(out, start + plain.n + CS_AEAD_TAG_SIZE, error);
    if (rc != CS_OK)
        return rc;
    context = begin(key, nonce, aad, 1);
    if (context == NULL || !run(context, out->p + start, plain.p, plain.n) ||
        EVP_CipherFinal_ex(context, out->p + start + plain.n, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_AEAD_GET_TAG, CS_AEAD_TAG_SIZE, out->p + start + plain.n) != 1) {
        cs_wipe(out->p + start, out->n - start);
        out->n = start;
        rc = CS_OPENSSL_FAIL(error, "encrypt");
    }
    EVP_CIPHER_CTX_free(context);
    return rc;
}

int cs_aead_open(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE],
    const uint8_t nonce[CS_AEAD_NONCE_SIZE], cs_view aad, cs_view sealed, cs_error *error)
{
    EVP_CIPHER_CTX *context = NULL;
    uint8_t tag[CS_AEAD_TAG_SIZE];
    size_t start = out->n;
    size_t plain_n;
    int n = 0;
    int rc;

    if (sealed.n > PART_MAX || aad.n > PART_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "too large to be opened at once");
    if (sealed.n < CS_AEAD_TAG_SIZE)
        return CS_FAIL(error, CS_E_DECRYPT, "too short to be a sealed message");
    plain_n = sealed.n - CS_AEAD_TAG_SIZE;
    for (size_t i = 0; i < sizeof tag; i++)
        tag[i] = sealed.p[plain_n + i];
    rc = cs_buf_reserve(out, plain_n + 1, error);
    if (rc != CS_OK)
        return rc;
    context = begin(key, nonce, aad, 0);
    if (context == NULL ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1) {
        rc = CS_OPENSSL_FAIL(error, "decrypt");
    } else if (!run(context, out->p + start, sealed.p, plain_n) ||
               EVP_CipherFinal_ex(context, out->p + start + plain_n, &n) != 1) {
        ERR_clear_error();
        cs_wipe(out->p + start, plain_n);
        rc = CS_FAIL(error, CS_E_DECRYPT, "does not open: altered, or sealed for another key");
    } else {
        out->n = start + plain_n;
    }
    EVP_CIPHER_CTX_free(context);
    return rc;
}

/* 96-bit random nonces: a key may seal 2^32 boxes (SP 800-38D, 8.3); rows have a key each or are
 * far fewer. */
int cs_box_seal(
    cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, cs_view plain, cs_error *error)
{
    uint8_t nonce[CS_AEAD_NONCE_SIZE];
    size_t start = out->n;
    int rc;

    cs_random(nonce, sizeof nonce);
    rc = cs_buf_append(out, CS_VIEW_ARRAY(nonce), error);
    if (rc == CS_OK)
        rc = cs_aead_seal(out, key, nonce, aad, plain, error);
    if (rc != CS_OK)
        out->n = start;
    return rc;
}

int cs_box_open(
    cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, cs_view sealed, cs_error *error)
{
    if (sealed.n < CS_AEAD_NONCE_SIZE + CS_AEAD_TAG_SIZE)
        return CS_FAIL(error, CS_E_DECRYPT, "too short to be a sealed box");
    return cs_aead_open(out, key, sealed.p, aad,
        (cs_view){sealed.p + CS_AEAD_NONCE_SIZE, sealed.n - CS_AEAD_NONCE_SIZE}, error);
}
