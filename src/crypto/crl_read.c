/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists as files: their dates, and which of two is the newer. */
#include "openssl_fail.h"
#include "x509.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define PEM_MAX ((size_t)2 * CS_CRL_MAX)
#define NEVER_MS INT64_C(253402300799999) /* the end of the year 9999 */

typedef struct lists {
    STACK_OF(X509) * authorities;
    STACK_OF(X509_CRL) * old, *new;
} lists;

int64_t cs_x509_to_ms(const ASN1_TIME *time)
{
    struct tm tm = {0};

    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : -1;
}

static cs_crl_dates dates_of(const X509_CRL *crl)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);

    return (cs_crl_dates){.this_update = cs_x509_to_ms(X509_CRL_get0_lastUpdate(crl)),
        .next_update = next == NULL ? NEVER_MS : cs_x509_to_ms(next)};
}

static int open_pem(BIO **out, cs_view text, cs_error *error)
{
    *out = NULL;
    if (text.n > PEM_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "PEM of %zu bytes is over %zu", text.n, PEM_MAX);
    *out = BIO_new_mem_buf(text.n == 0 ? (const void *)"" : text.p, (int)text.n);
    ERR_clear_error();
    return *out == NULL ? CS_OPENSSL_FAIL(error, "read PEM") : CS_OK;
}

static int read_lists(STACK_OF(X509_CRL) * out, cs_view text, cs_error *error)
{
    BIO *pem;
    X509_CRL *crl = NULL;
    int rc = open_pem(&pem, text, error);

    while (rc == CS_OK && (crl = PEM_read_bio_X509_CRL(pem, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_CRL_push(out, crl) <= 0) {
            X509_CRL_free(crl);
            rc = CS_OPENSSL_FAIL(error, "hold a revocation list");
        }
    }
    if (rc == CS_OK && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        rc = CS_FAIL(error, CS_E_MALFORMED, "revocation lists: PEM that does not decode");
    BIO_free(pem);
    ERR_clear_error();
    return rc;
}

static int read_authorities(STACK_OF(X509) * out, cs_view text, cs_error *error)
{
    BIO *pem;
    X509 *ca = NULL;
    int rc = open_pem(&pem, text, error);

    while (rc == CS_OK && (ca = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_push(out, ca) <= 0) {
            X509_free(ca);
            rc = CS_OPENSSL_FAIL(error, "hold an authority");
        }
    }
    BIO_free(pem);
    ERR_clear_error();
    return rc;
}

int cs_crl_look(cs_view crl_pem, size_t *count, cs_crl_dates *first, cs_error *error)
{
    STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
    int rc = crls == NULL ? CS_OPENSSL_FAIL(error, "hold revocation lists")
                          : read_lists(crls, crl_pem, error);

    *count = 0;
    *first = (cs_crl_dates){0};
    if (rc == CS_OK)
        *count = (size_t)sk_X509_CRL_num(crls);
    for (int i = 0; rc == CS_OK && i < sk_X509_CRL_num(crls); i++) {
        cs_crl_dates dates = dates_of(sk_X509_CRL_value(crls, i));

        if (i == 0 || dates.next_update < first->next_update)
            *first = dates;
    }
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return rc;
}

int cs_certificate_not_after(cs_view der, int64_t *not_after, cs_error *error)
{
    X509 *certificate = NULL;
    int rc = cs_x509_decode(&certificate, der, error);

    if (rc == CS_OK)
        *not_after = cs_x509_to_ms(X509_get0_notAfter(certificate));
    X509_free(certificate);
    return rc;
}

/* -- taking a newer list in ----------------------------------------------------------------------
 */

/* The authority whose name and key the list has; -1: none that is trusted. */
static int authority_of(const lists *in, X509_CRL *crl)
{
    int found = -1;

    for (int i = 0; found < 0 && i < sk_X509_num(in->authorities); i++) {
        X509 *ca = sk_X509_value(in->authorities, i);

        if (X509_NAME_cmp(X509_get_subject_name(ca), X509_CRL_get_issuer(crl)) == 0 &&
            X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1)
            found = i;
    }
    ERR_clear_error();
    return found;
}

/* By their numbers where both have one (RFC 5280, 5.2.3), else by their dates. */
static bool is_older(const X509_CRL *a, const X509_CRL *b)
{
    ASN1_INTEGER *first = X509_CRL_get_ext_d2i(a, NID_crl_number, NULL, NULL);
    ASN1_INTEGER *second = X509_CRL_get_ext_d2i(b, NID_crl_number, NULL, NULL);
    bool older = first != NULL && second != NULL
                     ? ASN1_INTEGER_cmp(first, second) < 0
                     : dates_of(a).this_update < dates_of(b).this_update;

    ASN1_INTEGER_free(first);
    ASN1_INTEGER_free(second);
    return older;
}

static int check_new(const lists *in, X509_CRL *crl, int64_t now_ms, cs_error *error)
{
    cs_crl_dates dates = dates_of(crl);
    int authority = authority_of(in, crl);

    if (authority < 0)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the revocation list is not signed by an authority that is trusted here; get the right "
            "one, or give its authority too");
    if (dates.next_update <= now_ms)
        return CS_FAIL(error, CS_E_LISTS,
            "the authority's revocation list is too old; get a new crl.pem from it");
    if (dates.this_update > now_ms + CS_CRL_CLOCK_MS)
        return CS_FAIL(
            error, CS_E_LISTS, "the authority's revocation list is not valid yet; check the clock");
    for (int i = 0; i < sk_X509_CRL_num(in->old); i++) {
        X509_CRL *old = sk_X509_CRL_value(in->old, i);

        if (authority_of(in, old) == authority && is_older(crl, old))
            return CS_FAIL(error, CS_E_LISTS,
                "the revocation list that is there is newer, so it stays; get a new crl.pem from "
                "the authority");
    }
    return CS_OK;
}

static bool is_replaced(const lists *in, int authority)
{
    for (int i = 0; i < sk_X509_CRL_num(in->new); i++) {
        if (authority_of(in, sk_X509_CRL_value(in->new, i)) == authority)
            return true;
    }
    return false;
}

static int append_pem(cs_buf *out, X509_CRL *crl, cs_error *error)
{
    uint8_t *der = NULL;
    int n = i2d_X509_CRL(crl, &der);
    int rc = n <= 0 ? CS_OPENSSL_FAIL(error, "encode a revocation list")
                    : cs_pem_encode(out, "X509 CRL", (cs_view){der, (size_t)n}, error);

    OPENSSL_free(der);
    return rc;
}

static int merge(const lists *in, int64_t now_ms, cs_buf *out, cs_error *error)
{
    int rc = CS_OK;

    for (int i = 0; rc == CS_OK && i < sk_X509_CRL_num(in->new); i++) {
        rc = check_new(in, sk_X509_CRL_value(in->new, i), now_ms, error);
        if (rc == CS_OK)
            rc = append_pem(out, sk_X509_CRL_value(in->new, i), error);
    }
    for (int i = 0; rc == CS_OK && i < sk_X509_CRL_num(in->old); i++) {
        X509_CRL *old = sk_X509_CRL_value(in->old, i);
        int authority = authority_of(in, old);

        if (authority >= 0 && !is_replaced(in, authority))
            rc = append_pem(out, old, error);
    }
    return rc;
}

int cs_crl_update(
    cs_buf *out, cs_view ca_pem, cs_view old_pem, cs_view new_pem, int64_t now_ms, cs_error *error)
{
    lists in = {sk_X509_new_null(), sk_X509_CRL_new_null(), sk_X509_CRL_new_null()};
    int rc = CS_OK;

    if (in.authorities == NULL || in.old == NULL || in.new == NULL)
        rc = CS_OPENSSL_FAIL(error, "hold revocation lists");
    if (rc == CS_OK)
        rc = read_authorities(in.authorities, ca_pem, error);
    if (rc == CS_OK)
        rc = read_lists(in.new, new_pem, error);
    if (rc == CS_OK && new_pem.n > 0 && sk_X509_CRL_num(in.new) == 0)
        rc = CS_FAIL(error, CS_E_MALFORMED, "no revocation list (X509 CRL, in PEM) is in the file");
    if (rc == CS_OK)
        rc = read_lists(in.old, old_pem, error);
    if (rc == CS_OK)
        rc = merge(&in, now_ms, out, error);
    sk_X509_pop_free(in.authorities, X509_free);
    sk_X509_CRL_pop_free(in.old, X509_CRL_free);
    sk_X509_CRL_pop_free(in.new, X509_CRL_free);
    return rc;
}
