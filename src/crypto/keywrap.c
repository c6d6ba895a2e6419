/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"

#include <chartseal/crypto.h>

#include <openssl/evp.h>

#define BLOCK 8u

int cs_key_wrap_pad(cs_buf *out, const uint8_t kek[32], cs_view plain, cs_error *error)
{
    EVP_CIPHER_CTX *context = NULL;
    size_t start = out->n;
    size_t wrapped_n;
    int n = 0;
    int rc;

    if (plain.n == 0 || plain.n > CS_KEY_WRAP_MAX)
        return CS_FAIL(error, CS_E_USAGE, "a key to wrap has 1 to %d bytes, not %zu",
            CS_KEY_WRAP_MAX, plain.n);
    wrapped_n = (plain.n + BLOCK - 1) / BLOCK * BLOCK + BLOCK;
    rc = cs_buf_resize(out, start + wrapped_n, error);
    if (rc != CS_OK)
        return rc;
    context = EVP_CIPHER_CTX_new();
    if (context != NULL)
        EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (context == NULL ||
        EVP_EncryptInit_ex(context, EVP_aes_256_wrap_pad(), NULL, kek, NULL) != 1 ||
        EVP_EncryptUpdate(context, out->p + start, &n, plain.p, (int)plain.n) != 1 ||
        (size_t)n != wrapped_n) {
        out->n = start;
        rc = CS_OPENSSL_FAIL(error, "wrap a key");
    }
    EVP_CIPHER_CTX_free(context);
    return rc;
}
