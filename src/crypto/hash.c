/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"

#include <chartseal/crypto.h>

#include <openssl/evp.h>
#include <stdlib.h>

struct cs_hasher {
    EVP_MD_CTX *context; /* NULL once finished */
};

int cs_hash(uint8_t out[CS_HASH_SIZE], cs_view bytes, cs_error *error)
{
    if (EVP_Digest(bytes.p, bytes.n, out, NULL, EVP_sha256(), NULL) != 1)
        return CS_OPENSSL_FAIL(error, "hash");
    return CS_OK;
}

int cs_hasher_new(cs_hasher **out, cs_error *error)
{
    cs_hasher *hasher = calloc(1, sizeof *hasher);

    *out = NULL;
    if (hasher == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a hash");
    hasher->context = EVP_MD_CTX_new();
    if (hasher->context == NULL || EVP_DigestInit_ex(hasher->context, EVP_sha256(), NULL) != 1) {
        cs_hasher_free(&hasher);
        return CS_OPENSSL_FAIL(error, "hash");
    }
    *out = hasher;
    return CS_OK;
}

static int not_finished(const cs_hasher *hasher, cs_error *error)
{
    if (hasher->context == NULL)
        return CS_FAIL(error, CS_E_ORDER, "the hash is finished; begin another");
    return CS_OK;
}

int cs_hasher_add(cs_hasher *hasher, cs_view bytes, cs_error *error)
{
    int rc = not_finished(hasher, error);

    if (rc == CS_OK && EVP_DigestUpdate(hasher->context, bytes.p, bytes.n) != 1)
        rc = CS_OPENSSL_FAIL(error, "hash");
    return rc;
}

int cs_hasher_finish(cs_hasher *hasher, uint8_t out[CS_HASH_SIZE], cs_error *error)
{
    int rc = not_finished(hasher, error);

    if (rc != CS_OK)
        return rc;
    if (EVP_DigestFinal_ex(hasher->context, out, NULL) != 1)
        rc = CS_OPENSSL_FAIL(error, "hash");
    EVP_MD_CTX_free(hasher->context);
    hasher->context = NULL;
    return rc;
}

void cs_hasher_free(cs_hasher **hasher)
{
    if (hasher == NULL || *hasher == NULL)
        return;
    EVP_MD_CTX_free((*hasher)->context);
    free(*hasher);
    *hasher = NULL;
}
