/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"
#include "x509.h"

#include <openssl/x509v3.h>

#define REVOKED_MAX 100000 /* some 38 bytes each, within CS_CRL_MAX */

static bool set_hold(X509_REVOKED *entry)
{
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    bool set = reason != NULL && ASN1_ENUMERATED_set(reason, CRL_REASON_CERTIFICATE_HOLD) == 1 &&
               X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) == 1;

    ASN1_ENUMERATED_free(reason);
    return set;
}

static int add_revoked(X509_CRL *crl, const cs_revocation *item, cs_error *error)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = NULL;
    ASN1_TIME *time = NULL;
    int rc = cs_x509_integer(&serial, item->serial, error);

    if (rc == CS_OK)
        rc = cs_x509_time(&time, item->time_ms, error);
    if (rc == CS_OK) {
        if (entry != NULL && X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
            X509_REVOKED_set_revocationDate(entry, time) == 1 && (!item->hold || set_hold(entry)) &&
            X509_CRL_add0_revoked(crl, entry) == 1)
            entry = NULL; /* the list's now */
        else
            rc = CS_OPENSSL_FAIL(error, "hold a revocation");
    }
    X509_REVOKED_free(entry);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(time);
    return rc;
}

static int set_times(X509_CRL *crl, int64_t this_update, int64_t next_update, cs_error *error)
{
    ASN1_TIME *first = NULL;
    ASN1_TIME *last = NULL;
    int rc;

    if (this_update >= next_update)
        return CS_FAIL(error, CS_E_USAGE, "the next revocation list comes after this one");
    rc = cs_x509_time(&first, this_update, error);
    if (rc == CS_OK)
        rc = cs_x509_time(&last, next_update, error);
    if (rc == CS_OK &&
        (X509_CRL_set1_lastUpdate(crl, first) != 1 || X509_CRL_set1_nextUpdate(crl, last) != 1))
        rc = CS_OPENSSL_FAIL(error, "hold a time");
    ASN1_TIME_free(first);
    ASN1_TIME_free(last);
    return rc;
}

static int set_extensions(X509_CRL *crl, X509 *ca, uint64_t number, cs_error *error)
{
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    X509_EXTENSION *authority = NULL;
    X509V3_CTX context;
    int rc = CS_OK;

    X509V3_set_ctx(&context, ca, NULL, NULL, crl, 0);
    X509V3_set_ctx_nodb(&context);
    authority = X509V3_EXT_nconf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    if (serial == NULL || authority == NULL || ASN1_INTEGER_set_uint64(serial, number) != 1 ||
        X509_CRL_add_ext(crl, authority, -1) != 1 ||
        X509_CRL_add1_ext_i2d(crl, NID_crl_number, serial, 0, 0) != 1)
        rc = CS_OPENSSL_FAIL(error, "make an extension");
    X509_EXTENSION_free(authority);
    ASN1_INTEGER_free(serial);
    return rc;
}

static int emit(
    cs_buf *out, X509_CRL *crl, cs_view signer, cs_sign_fn sign, void *context, cs_error *error)
{
    EVP_PKEY *throwaway = NULL;
    cs_unsigned draft = {0};
    int rc = cs_x509_throwaway_key(&throwaway, error);

    if (rc == CS_OK && X509_CRL_sign(crl, throwaway, EVP_sha256()) <= 0)
        rc = CS_OPENSSL_FAIL(error, "make a revocation list");
    EVP_PKEY_free(throwaway);
    if (rc != CS_OK)
        return rc;
    draft.n = i2d_X509_CRL(crl, &draft.der);
    return cs_x509_emit(out, draft, signer, sign, context, error);
}

int cs_crl_issue(cs_buf *out, cs_view ca_der, const cs_revocation *revoked, size_t count,
    uint64_t number, int64_t this_update, int64_t next_update, cs_sign_fn sign, void *context,
    cs_error *error)
{
    uint8_t puk[CS_PUK_SIZE];
    X509 *ca = NULL;
    X509_CRL *crl = NULL;
    int rc;

    if (count > REVOKED_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a revocation list has at most %d", REVOKED_MAX);
    rc = cs_x509_authority(&ca, puk, ca_der, error);
    if (rc != CS_OK)
        return rc;
    crl = X509_CRL_new();
    if (crl == NULL || X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) != 1)
        rc = CS_OPENSSL_FAIL(error, "make a revocation list");
    if (rc == CS_OK)
        rc = set_times(crl, this_update, next_update, error);
    for (size_t i = 0; rc == CS_OK && i < count; i++)
        rc = add_revoked(crl, &revoked[i], error);
    if (rc == CS_OK)
        rc = set_extensions(crl, ca, number, error);
    if (rc == CS_OK)
        rc = emit(out, crl, CS_VIEW_ARRAY(puk), sign, context, error);
    X509_CRL_free(crl);
    X509_free(ca);
    return rc;
}
