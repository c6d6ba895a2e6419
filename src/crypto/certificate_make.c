/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"
#include "p256.h"
#include "x509.h"

#include <chartseal/group.h>

#include <openssl/x509v3.h>
#include <string.h>

#define NAME_MAX_BYTES CS_HOLDER_TEXT_MAX /* all ub- of RFC 5280 that are used here */

typedef struct extension {
    int nid;
    const char *value; /* as in OpenSSL's configuration */
} extension;

/* In this order: AKI of a self-signed certificate is copied from its SKI. */
static const extension ca_extensions[] = {
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {0, NULL},
};
static const extension leaf_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,digitalSignature,nonRepudiation"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {0, NULL},
};

/* For a key that cannot sign: software that finds keys by their certificates takes it for no other
 * use, and nothing that relies on a signature takes the certificate. */
static const extension agreement_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,keyAgreement"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {0, NULL},
};

/* No authority's identifier: there is none. */
static const extension container_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,keyAgreement"},
    {NID_subject_key_identifier, "hash"},
    {0, NULL},
};
static const cs_subject nobody = {.common_name = "nobody: this certificate vouches for nothing"};

static int add_name(X509_NAME *name, int nid, const char *text, cs_error *error)
{
    size_t n = strlen(text);

    if (n == 0 || n > NAME_MAX_BYTES || !cs_x509_clean_text(cs_view_str(text).p, n))
        return CS_FAIL(error, CS_E_USAGE, "the %s of a certificate is 1 to %d bytes of clean UTF-8",
            OBJ_nid2ln(nid), NAME_MAX_BYTES);
    if (nid == NID_serialNumber && strspn(text, CS_ID_PRINTABLE) != n)
        return CS_FAIL(error, CS_E_USAGE,
            "an identity in a certificate has letters, digits, spaces and '()+,-./:=? only");
    if (X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, cs_view_str(text).p, (int)n, -1, 0) !=
        1)
        return CS_OPENSSL_FAIL(error, "hold a name");
    return CS_OK;
}

int cs_x509_set_name(X509_NAME *name, const cs_subject *subject, cs_error *error)
{
    int rc = CS_OK;

    if (subject->organisation != NULL)
        rc = add_name(name, NID_organizationName, subject->organisation, error);
    if (rc == CS_OK && subject->role != NULL)
        rc = add_name(name, NID_organizationalUnitName, subject->role, error);
    if (rc == CS_OK)
        rc = add_name(name, NID_commonName, subject->common_name, error);
    if (rc == CS_OK && subject->id != NULL)
        rc = add_name(name, NID_serialNumber, subject->id, error);
    return rc;
}

static int add_extensions(
    X509 *certificate, X509 *issuer, const extension *extensions, cs_error *error)
{
    for (const extension *e = extensions; e->value != NULL; e++) {
        X509V3_CTX context;
        X509_EXTENSION *made;
        int added;

        X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
        X509V3_set_ctx_nodb(&context);
        made = X509V3_EXT_nconf_nid(NULL, &context, e->nid, e->value);
        added = made != NULL && X509_add_ext(certificate, made, -1) == 1;
        X509_EXTENSION_free(made);
        if (!added)
            return CS_OPENSSL_FAIL(error, "make an extension");
    }
    return CS_OK;
}

static int set_times(X509 *certificate, int64_t not_before, int64_t not_after, cs_error *error)
{
    ASN1_TIME *first = NULL;
    ASN1_TIME *last = NULL;
    int rc;

    if (not_before >= not_after)
        return CS_FAIL(error, CS_E_USAGE, "a certificate ends after it begins");
    rc = cs_x509_time(&first, not_before, error);
    if (rc == CS_OK)
        rc = cs_x509_time(&last, not_after, error);
    if (rc == CS_OK && (X509_set1_notBefore(certificate, first) != 1 ||
                           X509_set1_notAfter(certificate, last) != 1))
        rc = CS_OPENSSL_FAIL(error, "hold a time");
    ASN1_TIME_free(first);
    ASN1_TIME_free(last);
    return rc;
}

static int set_serial(X509 *certificate, const uint8_t serial[8], cs_error *error)
{
    ASN1_INTEGER *number = NULL;
    int rc = cs_x509_integer(&number, serial, error);

    if (rc == CS_OK && X509_set_serialNumber(certificate, number) != 1)
        rc = CS_OPENSSL_FAIL(error, "hold a serial number");
    ASN1_INTEGER_free(number);
    return rc;
}

static int public_pkey(EVP_PKEY **out, cs_view puk, cs_error *error)
{
    uint8_t uncompressed[CS_P256_UNCOMPRESSED];
    int rc = cs_p256_uncompress(uncompressed, puk, error);

    if (rc == CS_OK)
        rc = cs_p256_pkey(out, uncompressed, NULL, error);
    return rc;
}

/* What the two kinds of certificate have in common: version, serial, dates, subject and key. */
static int fill(X509 *certificate, const cs_subject *subject, cs_view puk, const uint8_t serial[8],
    int64_t not_before, int64_t not_after, cs_error *error)
{
    EVP_PKEY *key = NULL;
    int rc = public_pkey(&key, puk, error);

    if (rc == CS_OK && (X509_set_version(certificate, X509_VERSION_3) != 1 ||
                           X509_set_pubkey(certificate, key) != 1))
        rc = CS_OPENSSL_FAIL(error, "make a certificate");
    if (rc == CS_OK)
        rc = set_serial(certificate, serial, error);
    if (rc == CS_OK)
        rc = set_times(certificate, not_before, not_after, error);
    if (rc == CS_OK)
        rc = cs_x509_set_name(X509_get_subject_name(certificate), subject, error);
    EVP_PKEY_free(key);
    return rc;
}

static int emit_certificate(
    cs_buf *out, X509 *certificate, cs_view signer, cs_sign_fn sign, void *context, cs_error *error)
{
    EVP_PKEY *throwaway = NULL;
    cs_unsigned draft = {0};
    int rc = cs_x509_throwaway_key(&throwaway, error);

    if (rc == CS_OK && X509_sign(certificate, throwaway, EVP_sha256()) <= 0)
        rc = CS_OPENSSL_FAIL(error, "make a certificate");
    EVP_PKEY_free(throwaway);
    if (rc != CS_OK)
        return rc;
    draft.n = i2d_X509(certificate, &draft.der);
    return cs_x509_emit(out, draft, signer, sign, context, error);
}

static void random_serial(uint8_t serial[8])
{
    cs_random(serial, 8);
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
}

int cs_ca_make(cs_buf *out, const cs_subject *subject, cs_view puk, int64_t not_before,
    int64_t not_after, cs_sign_fn sign, void *context, cs_error *error)
{
    X509 *certificate = X509_new();
    uint8_t serial[8];
    int rc;

    if (certificate == NULL)
        return CS_OPENSSL_FAIL(error, "make a certificate");
    random_serial(serial);
    rc = fill(certificate, subject, puk, serial, not_before, not_after, error);
    if (rc == CS_OK && X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1)
        rc = CS_OPENSSL_FAIL(error, "make a certificate");
    if (rc == CS_OK)
        rc = add_extensions(certificate, certificate, ca_extensions, error);
    if (rc == CS_OK)
        rc = emit_certificate(out, certificate, puk, sign, context, error);
    X509_free(certificate);
    return rc;
}

static int issue(cs_buf *out, cs_view ca_der, const extension *extensions,
    const cs_subject *subject, cs_view puk, const uint8_t serial[8], int64_t not_before,
    int64_t not_after, cs_sign_fn sign, void *context, cs_error *error)
{
    uint8_t ca_puk[CS_PUK_SIZE];
    X509 *certificate = NULL;
    X509 *ca = NULL;
    int rc = cs_x509_authority(&ca, ca_puk, ca_der, error);

    if (rc != CS_OK)
        return rc;
    certificate = X509_new();
    if (certificate == NULL || X509_set_issuer_name(certificate, X509_get_subject_name(ca)) != 1)
        rc = CS_OPENSSL_FAIL(error, "make a certificate");
    if (rc == CS_OK)
        rc = fill(certificate, subject, puk, serial, not_before, not_after, error);
    if (rc == CS_OK)
        rc = add_extensions(certificate, ca, extensions, error);
    if (rc == CS_OK)
        rc = emit_certificate(out, certificate, CS_VIEW_ARRAY(ca_puk), sign, context, error);
    X509_free(certificate);
    X509_free(ca);
    return rc;
}

int cs_certificate_issue(cs_buf *out, cs_view ca_der, const cs_subject *subject, cs_view puk,
    const uint8_t serial[8], int64_t not_before, int64_t not_after, cs_sign_fn sign, void *context,
    cs_error *error)
{
    return issue(out, ca_der, leaf_extensions, subject, puk, serial, not_before, not_after, sign,
        context, error);
}

int cs_certificate_issue_agreement(cs_buf *out, cs_view ca_der, const cs_subject *subject,
    cs_view puk, const uint8_t serial[8], int64_t not_before, int64_t not_after, cs_sign_fn sign,
    void *context, cs_error *error)
{
    return issue(out, ca_der, agreement_extensions, subject, puk, serial, not_before, not_after,
        sign, context, error);
}

static int append_der(cs_buf *out, const X509 *certificate, cs_error *error)
{
    uint8_t *der = NULL;
    int n = i2d_X509(certificate, &der);
    int rc = n > 0 ? cs_buf_append(out, (cs_view){der, (size_t)n}, error)
                   : CS_OPENSSL_FAIL(error, "encode a certificate");

    OPENSSL_free(der);
    return rc;
}

int cs_certificate_container(cs_buf *out, const cs_subject *subject, cs_view puk,
    int64_t not_before, int64_t not_after, cs_error *error)
{
    X509 *certificate = X509_new();
    EVP_PKEY *throwaway = NULL;
    uint8_t serial[8];
    int rc;

    if (certificate == NULL)
        return CS_OPENSSL_FAIL(error, "make a certificate");
    random_serial(serial);
    rc = cs_x509_set_name(X509_get_issuer_name(certificate), &nobody, error);
    if (rc == CS_OK)
        rc = fill(certificate, subject, puk, serial, not_before, not_after, error);
    if (rc == CS_OK)
        rc = add_extensions(certificate, certificate, container_extensions, error);
    if (rc == CS_OK)
        rc = cs_x509_throwaway_key(&throwaway, error);
    if (rc == CS_OK && X509_sign(certificate, throwaway, EVP_sha256()) <= 0)
        rc = CS_OPENSSL_FAIL(error, "make a certificate");
    if (rc == CS_OK)
        rc = append_der(out, certificate, error);
    EVP_PKEY_free(throwaway);
    X509_free(certificate);
    return rc;
}
