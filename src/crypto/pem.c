/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"

#include <chartseal/certificate.h>

#include <openssl/pem.h>
#include <string.h>

#define PEM_MAX ((size_t)2 * CS_CRL_MAX)

int cs_pem_encode(cs_buf *out, const char *label, cs_view der, cs_error *error)
{
    BIO *bio;
    char *text = NULL;
    long n = 0;
    int rc;

    if (der.n > PEM_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "%zu bytes are too many for PEM", der.n);
    bio = BIO_new(BIO_s_mem());
    if (bio != NULL && PEM_write_bio(bio, label, "", der.p, (long)der.n) > 0)
        n = BIO_get_mem_data(bio, &text);
    if (n > 0)
        rc = cs_buf_append(out, (cs_view){(const uint8_t *)text, (size_t)n}, error);
    else
        rc = CS_OPENSSL_FAIL(error, "encode PEM");
    BIO_free(bio);
    return rc;
}

/* The first block of that label is taken; others may stand before it. */
int cs_pem_decode(cs_buf *der, const char *label, cs_view pem, cs_error *error)
{
    BIO *bio;
    bool found = false;
    int rc = CS_OK;

    if (pem.n > PEM_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "PEM of %zu bytes is over %zu", pem.n, PEM_MAX);
    bio = BIO_new_mem_buf(pem.n == 0 ? (const void *)"" : pem.p, (int)pem.n);
    if (bio == NULL)
        return CS_OPENSSL_FAIL(error, "read PEM");
    while (!found && rc == CS_OK) {
        char *name = NULL;
        char *header = NULL;
        uint8_t *data = NULL;
        long n = 0;

        if (PEM_read_bio(bio, &name, &header, &data, &n) != 1) {
            rc = CS_FAIL(error, CS_E_MALFORMED, "no PEM block \"%s\" there", label);
        } else if (strcmp(name, label) == 0 && header[0] == '\0') {
            found = true;
            rc = cs_buf_append(der, (cs_view){data, (size_t)n}, error);
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)n);
    }
    ERR_clear_error();
    BIO_free(bio);
    return rc;
}
