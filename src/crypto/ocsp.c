/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's OCSP, except for what looks at the clock: OCSP_basic_verify verifies the chain of the
 * signer, and OCSP_check_validity the dates, at the time of the machine. So the first is asked for
 * the signature alone, and chain and dates are checked here at the time that is given.
 */
#include "ocsp.h"

#include "openssl_fail.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define OCSP_SIGNING "1.3.6.1.5.5.7.3.9" /* id-kp-OCSPSigning */

/* OpenSSL asks no strength of a response's signature. */
static const int signature_algorithms[] = {
    NID_ecdsa_with_SHA256,
    NID_ecdsa_with_SHA384,
    NID_ecdsa_with_SHA512,
    NID_sha256WithRSAEncryption,
    NID_sha384WithRSAEncryption,
    NID_sha512WithRSAEncryption,
    NID_ED25519,
};

/* Hashes that a CertID may be made with. They name the certificate, nothing more. */
static const int name_hashes[] = {NID_sha1, NID_sha256, NID_sha384, NID_sha512};

static bool is_among(int nid, const int *nids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (nids[i] == nid)
            return true;
    }
    return false;
}

/* -- asking --------------------------------------------------------------------------------------
 */

bool cs_ocsp_is_url(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return n < CS_OCSP_URL_SIZE &&
           (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0);
}

int cs_ocsp_url(char url[CS_OCSP_URL_SIZE], cs_view certificate, cs_error *error)
{
    X509 *x509 = NULL;
    STACK_OF(OPENSSL_STRING) * places;
    int rc = cs_x509_decode(&x509, certificate, error);

    url[0] = '\0';
    if (rc != CS_OK)
        return rc;
    places = X509_get1_ocsp(x509);
    for (int i = 0; url[0] == '\0' && i < sk_OPENSSL_STRING_num(places); i++) {
        const char *place = sk_OPENSSL_STRING_value(places, i);

        if (cs_ocsp_is_url(place))
            (void)snprintf(url, CS_OCSP_URL_SIZE, "%s", place);
    }
    X509_email_free(places);
    X509_free(x509);
    ERR_clear_error();
    return CS_OK;
}

static int encode_request(cs_buf *out, const cs_asked *asked, cs_error *error)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), asked->certificate, asked->issuer);
    uint8_t *der = NULL;
    int n = -1;
    int rc;

    if (request != NULL && id != NULL && OCSP_request_add0_id(request, id) != NULL) {
        id = NULL; /* the request's now */
        n = i2d_OCSP_REQUEST(request, &der);
    }
    rc = n > 0 ? cs_buf_append(out, (cs_view){der, (size_t)n}, error)
               : CS_OPENSSL_FAIL(error, "make an OCSP request");
    OPENSSL_free(der);
    OCSP_CERTID_free(id);
    OCSP_REQUEST_free(request);
    return rc;
}

static int open_asked(
    cs_asked *out, const cs_trust *trust, cs_view certificate, int64_t now_ms, cs_error *error)
{
    int rc;

    *out = (cs_asked){.now_ms = now_ms};
    rc = cs_x509_decode(&out->certificate, certificate, error);
    return rc == CS_OK ? cs_x509_verify(&out->issuer, trust, out->certificate, now_ms, error) : rc;
}

static void close_asked(cs_asked *asked)
{
    X509_free(asked->certificate);
    X509_free(asked->issuer);
}

int cs_ocsp_request(
    cs_buf *out, const cs_trust *trust, cs_view certificate, int64_t now_ms, cs_error *error)
{
    cs_asked asked;
    int rc = open_asked(&asked, trust, certificate, now_ms, error);

    if (rc == CS_OK)
        rc = encode_request(out, &asked, error);
    close_asked(&asked);
    return rc;
}

/* -- an answer -----------------------------------------------------------------------------------
 */

static int decode(OCSP_BASICRESP **out, cs_view der, cs_error *error)
{
    const uint8_t *p = der.p;
    OCSP_RESPONSE *response =
        der.n == 0 || der.n > CS_OCSP_MAX ? NULL : d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
    int rc = CS_OK;

    *out = NULL;
    if (response == NULL || p != der.p + der.n)
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "what should be an OCSP answer is none, or over %d",
            CS_OCSP_MAX);
    else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "the OCSP responder gave no answer: %s",
            OCSP_response_status_str(OCSP_response_status(response)));
    else if ((*out = OCSP_response_get1_basic(response)) == NULL)
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "the OCSP answer is not of the basic form");
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return rc;
}

/* NULL: of a hash that is not taken here. */
static const EVP_MD *hash_of(OCSP_CERTID *id)
{
    ASN1_OBJECT *hash = NULL;

    if (OCSP_id_get0_info(NULL, &hash, NULL, NULL, id) != 1 ||
        !is_among(OBJ_obj2nid(hash), name_hashes, sizeof name_hashes / sizeof name_hashes[0]))
        return NULL;
    return EVP_get_digestbyobj(hash);
}

/* Is this part of an answer about the certificate? */
static bool is_about(const OCSP_SINGLERESP *single, const cs_asked *asked)
{
    OCSP_CERTID *named = OCSP_CERTID_dup(OCSP_SINGLERESP_get0_id(single));
    const EVP_MD *hash = named == NULL ? NULL : hash_of(named);
    OCSP_CERTID *own =
        hash == NULL ? NULL : OCSP_cert_to_id(hash, asked->certificate, asked->issuer);
    bool same = own != NULL && OCSP_id_cmp(own, named) == 0;

    OCSP_CERTID_free(own);
    OCSP_CERTID_free(named);
    return same;
}

/* A critical extension changes what the answer means; none is known here. */
static bool has_critical(OCSP_BASICRESP *basic, OCSP_SINGLERESP *single)
{
    return OCSP_BASICRESP_get_ext_by_critical(basic, 1, -1) >= 0 ||
           OCSP_SINGLERESP_get_ext_by_critical(single, 1, -1) >= 0;
}

static int find_single(
    OCSP_SINGLERESP **out, OCSP_BASICRESP *basic, const cs_asked *asked, cs_error *error)
{
    size_t found = 0;

    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

        if (is_about(single, asked)) {
            *out = single;
            found++;
        }
    }
    ERR_clear_error();
    if (found != 1)
        return CS_FAIL(error, CS_E_CERTIFICATE, "the OCSP answer is %s this certificate",
            found == 0 ? "not about" : "twofold about");
    if (has_critical(basic, *out))
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the OCSP answer has a critical extension that is not understood here");
    return CS_OK;
}

static int check_dates(OCSP_SINGLERESP *single, int64_t max_age_ms, int64_t now_ms, int *status,
    cs_ocsp_dates *dates, cs_error *error)
{
    ASN1_GENERALIZEDTIME *from = NULL;
    ASN1_GENERALIZEDTIME *until = NULL;

    *status = OCSP_single_get0_status(single, NULL, NULL, &from, &until);
    dates->this_update = from == NULL ? -1 : cs_x509_to_ms(from);
    dates->next_update = until == NULL ? 0 : cs_x509_to_ms(until);
    ERR_clear_error();
    if (dates->this_update < 0 || dates->next_update < 0 ||
        (until != NULL && dates->next_update < dates->this_update))
        return CS_FAIL(error, CS_E_CERTIFICATE, "the OCSP answer's dates are none");
    if (dates->this_update > now_ms + CS_CRL_CLOCK_MS)
        return CS_FAIL(
            error, CS_E_CERTIFICATE, "the OCSP answer is of the future; check the clock");
    if (now_ms - dates->this_update > max_age_ms ||
        (until != NULL && now_ms > dates->next_update + CS_CRL_CLOCK_MS))
        return CS_FAIL(error, CS_E_OCSP,
            "the OCSP answer about the certificate is too old; see that its authority's responder "
            "can be reached");
    return CS_OK;
}

/* The issuer itself, or who has an end certificate of it with OCSPSigning among its extended
 * usages.
 */
static int check_signer(X509 *signer, const cs_trust *trust, const cs_asked *asked, cs_error *error)
{
    static const char *const usage[] = {OCSP_SIGNING};
    X509 *above = NULL;
    int rc;

    if (X509_cmp(signer, asked->issuer) == 0)
        return CS_OK;
    if (X509_check_ca(signer) != 0 || (X509_get_extension_flags(signer) & EXFLAG_INVALID) != 0 ||
        (X509_get_key_usage(signer) & KU_DIGITAL_SIGNATURE) == 0 ||
        !cs_x509_has_usage(signer, usage, 1))
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the OCSP answer is signed with a certificate that is not for this (OCSPSigning)");
    rc = cs_x509_verify(&above, trust, signer, asked->now_ms, error);
    if (rc == CS_OK && X509_cmp(above, asked->issuer) != 0)
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "it is of another authority than the certificate");
    X509_free(above);
    if (cs_category_of(rc) != CS_CATEGORY_REFUSED)
        return rc;
    (void)cs_error_context(error, "the OCSP responder's certificate");
    if (error != NULL)
        error->code = CS_E_CERTIFICATE;
    return CS_E_CERTIFICATE;
}

static int check_signature(
    OCSP_BASICRESP *basic, const cs_trust *trust, const cs_asked *asked, cs_error *error)
{
    const X509_ALGOR *algorithm = OCSP_resp_get0_tbs_sigalg(basic);
    const ASN1_OBJECT *object = NULL;
    STACK_OF(X509) *issuers = sk_X509_new_null();
    X509 *signer = NULL;
    int rc = CS_OK;

    if (issuers == NULL || sk_X509_push(issuers, asked->issuer) <= 0) {
        sk_X509_free(issuers);
        return CS_OPENSSL_FAIL(error, "verify an OCSP answer");
    }
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    if (!is_among(OBJ_obj2nid(object), signature_algorithms,
            sizeof signature_algorithms / sizeof signature_algorithms[0]))
        rc = CS_FAIL(error, CS_E_CERTIFICATE,
            "the OCSP answer is not signed with ECDSA or RSA over SHA-256 or longer, or Ed25519");
    else if (OCSP_resp_get0_signer(basic, &signer, issuers) != 1)
        rc = CS_FAIL(error, CS_E_CERTIFICATE,
            "the OCSP answer is not signed by the certificate's authority or a delegate of it");
    if (rc == CS_OK)
        rc = check_signer(signer, trust, asked, error);
    /* finds the same signer, in the same order; its chain was checked above */
    if (rc == CS_OK && OCSP_basic_verify(basic, issuers, NULL, OCSP_NOVERIFY) != 1)
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "the OCSP answer's signature does not verify");
    sk_X509_free(issuers);
    ERR_clear_error();
    return rc;
}

static int check_answer(const cs_trust *trust, const cs_asked *asked, cs_view answer,
    cs_ocsp_dates *dates, cs_error *error)
{
    OCSP_BASICRESP *basic = NULL;
    OCSP_SINGLERESP *single = NULL;
    int status = V_OCSP_CERTSTATUS_UNKNOWN;
    int rc = decode(&basic, answer, error);

    if (rc == CS_OK)
        rc = find_single(&single, basic, asked, error);
    if (rc == CS_OK)
        rc = check_dates(
            single, cs_trust_ocsp(trust).max_age_ms, asked->now_ms, &status, dates, error);
    if (rc == CS_OK)
        rc = check_signature(basic, trust, asked, error);
    if (rc == CS_OK && status == V_OCSP_CERTSTATUS_REVOKED)
        rc = CS_FAIL(error, CS_E_REVOKED, "the certificate is revoked, its authority answers");
    else if (rc == CS_OK && status != V_OCSP_CERTSTATUS_GOOD)
        rc = CS_FAIL(
            error, CS_E_CERTIFICATE, "the authority's responder does not know the certificate");
    OCSP_BASICRESP_free(basic);
    return rc;
}

int cs_ocsp_check(const cs_trust *trust, cs_view certificate, cs_view answer, int64_t now_ms,
    cs_ocsp_dates *dates, cs_error *error)
{
    cs_asked asked;
    int rc = open_asked(&asked, trust, certificate, now_ms, error);

    *dates = (cs_ocsp_dates){0};
    if (rc == CS_OK)
        rc = check_answer(trust, &asked, answer, dates, error);
    close_asked(&asked);
    return rc;
}

int cs_x509_ocsp_policy(
    const cs_trust *trust, const cs_asked *asked, cs_view answer, cs_error *error)
{
    cs_ocsp_dates dates;
    int rc;

    if (answer.n == 0)
        rc = CS_FAIL(error, CS_E_OCSP,
            "the certificate comes without an OCSP answer, which is required here; see that its "
            "authority's responder can be reached");
    else
        rc = check_answer(trust, asked, answer, &dates, error);
    if (rc == CS_E_OCSP && !cs_trust_ocsp(trust).required) {
        if (error != NULL)
            error->code = CS_OK;
        return CS_OK;
    }
    return rc;
}
