/* SPDX-License-Identifier: Apache-2.0 */

/* PKCS#10: what a token's key asks an authority for. */

#include "openssl_fail.h"
#include "p256.h"
#include "x509.h"

#include <chartseal/group.h>

int cs_request_make(cs_buf *out, const cs_subject *subject, cs_view puk, cs_sign_fn sign,
    void *context, cs_error *error)
{
    uint8_t uncompressed[CS_P256_UNCOMPRESSED];
    X509_REQ *request = NULL;
    EVP_PKEY *key = NULL;
    EVP_PKEY *throwaway = NULL;
    cs_unsigned draft = {0};
    int rc = cs_p256_uncompress(uncompressed, puk, error);

    if (rc == CS_OK)
        rc = cs_p256_pkey(&key, uncompressed, NULL, error);
    if (rc == CS_OK)
        rc = cs_x509_throwaway_key(&throwaway, error);
    if (rc != CS_OK)
        goto out;
    request = X509_REQ_new();
    if (request == NULL || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(request, key) != 1) {
        rc = CS_OPENSSL_FAIL(error, "make a request");
        goto out;
    }
    rc = cs_x509_set_name(X509_REQ_get_subject_name(request), subject, error);
    if (rc == CS_OK && X509_REQ_sign(request, throwaway, EVP_sha256()) <= 0)
        rc = CS_OPENSSL_FAIL(error, "make a request");
    if (rc != CS_OK)
        goto out;
    draft.n = i2d_X509_REQ(request, &draft.der);
    rc = cs_x509_emit(out, draft, puk, sign, context, error);
out:
    X509_REQ_free(request);
    EVP_PKEY_free(throwaway);
    EVP_PKEY_free(key);
    return rc;
}

static bool encodes_to(X509_REQ *request, cs_view der)
{
    uint8_t *again = NULL;
    int n = i2d_X509_REQ(request, &again);
    bool same = n > 0 && cs_view_equal((cs_view){again, (size_t)n}, der);

    OPENSSL_free(again);
    return same;
}

static int decode(X509_REQ **out, cs_view der, cs_error *error)
{
    const uint8_t *p = der.p;
    const ASN1_BIT_STRING *signature = NULL;

    *out = NULL;
    if (der.n == 0 || der.n > CS_CERTIFICATE_MAX)
        return CS_FAIL(error, CS_E_MALFORMED, "a certificate request has 1 to %d bytes, not %zu",
            CS_CERTIFICATE_MAX, der.n);
    *out = d2i_X509_REQ(NULL, &p, (long)der.n);
    if (*out != NULL)
        X509_REQ_get0_signature(*out, &signature, NULL);
    if (*out == NULL || p != der.p + der.n || !cs_x509_whole_bytes(signature) ||
        !encodes_to(*out, der)) {
        ERR_clear_error();
        return CS_FAIL(error, CS_E_MALFORMED, "not one PKCS#10 request in DER");
    }
    return CS_OK;
}

int cs_request_check(cs_view der, cs_holder *holder, cs_error *error)
{
    X509_REQ *request = NULL;
    int rc = decode(&request, der, error);

    if (rc == CS_OK)
        rc = cs_x509_puk(holder->puk, X509_REQ_get_X509_PUBKEY(request), CS_E_MALFORMED, error);
    if (rc == CS_OK && (X509_REQ_get_signature_nid(request) != NID_ecdsa_with_SHA256 ||
                           X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) != 1)) {
        ERR_clear_error();
        rc = CS_FAIL(error, CS_E_SIGNATURE,
            "the request is not signed by its own key with ECDSA and SHA-256");
    }
    if (rc == CS_OK)
        rc = cs_x509_holder(holder, X509_REQ_get_subject_name(request), CS_E_MALFORMED, error);
    X509_REQ_free(request);
    return rc;
}
