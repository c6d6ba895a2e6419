/* SPDX-License-Identifier: Apache-2.0 */
#include "ocsp.h"
#include "openssl_fail.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PEM_MAX ((size_t)2 * CS_CRL_MAX)

/* 112 bits of security: no SHA-1, no RSA under 2048 bits in a chain. */
#define AUTH_LEVEL 2

struct cs_trust {
    atomic_uint owners;
    X509_STORE *store;
    STACK_OF(X509_CRL) * crls; /* the store's too; here to know whose there are */
    cs_ocsp_policy ocsp;
};

/* Nobody is asked for a passphrase in the middle of reading a file. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

/* PEM ends where no further block begins; anything else is damage. */
static int end_of_pem(const char *what, cs_error *error)
{
    unsigned long last = ERR_peek_last_error();
    bool end = last == 0 ||
               (ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE);

    ERR_clear_error();
    if (!end)
        return CS_FAIL(error, CS_E_MALFORMED, "%s: PEM that does not decode", what);
    return CS_OK;
}

static int add_authorities(cs_trust *trust, BIO *pem, cs_error *error)
{
    size_t count = 0;
    X509 *ca;

    while ((ca = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL)) != NULL) {
        bool good = X509_check_ca(ca) == 1 && X509_STORE_add_cert(trust->store, ca) == 1;

        X509_free(ca);
        if (!good) {
            ERR_clear_error();
            return CS_FAIL(error, CS_E_CERTIFICATE,
                "a certificate among the trusted is not that of an authority (CA:TRUE)");
        }
        count++;
    }
    if (count == 0) {
        ERR_clear_error();
        return CS_FAIL(error, CS_E_CERTIFICATE, "no CA certificate in what is to be trusted");
    }
    return end_of_pem("CA certificates", error);
}

static int add_crls(cs_trust *trust, BIO *pem, cs_error *error)
{
    X509_CRL *crl;

    while ((crl = PEM_read_bio_X509_CRL(pem, NULL, no_passphrase, NULL)) != NULL) {
        if (X509_STORE_add_crl(trust->store, crl) != 1 || sk_X509_CRL_push(trust->crls, crl) <= 0) {
            X509_CRL_free(crl);
            return CS_OPENSSL_FAIL(error, "hold a revocation list");
        }
    }
    return end_of_pem("revocation lists", error);
}

typedef int (*add_fn)(cs_trust *trust, BIO *pem, cs_error *error);

static int add_pem(cs_trust *trust, cs_view text, add_fn add, cs_error *error)
{
    BIO *pem;
    int rc;

    if (text.n > PEM_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "PEM of %zu bytes is over %zu", text.n, PEM_MAX);
    pem = BIO_new_mem_buf(text.n == 0 ? (const void *)"" : text.p, (int)text.n);
    if (pem == NULL)
        return CS_OPENSSL_FAIL(error, "read PEM");
    ERR_clear_error();
    rc = add(trust, pem, error);
    BIO_free(pem);
    return rc;
}

int cs_trust_new(cs_trust **out, cs_view ca_pem, cs_view crl_pem, cs_error *error)
{
    cs_trust *trust = calloc(1, sizeof *trust);
    int rc;

    *out = NULL;
    if (trust == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the trusted authorities");
    atomic_init(&trust->owners, 1);
    trust->ocsp = (cs_ocsp_policy){.max_age_ms = CS_OCSP_AGE_DEFAULT_MS};
    trust->store = X509_STORE_new();
    trust->crls = sk_X509_CRL_new_null();
    if (trust->store == NULL || trust->crls == NULL)
        rc = CS_OPENSSL_FAIL(error, "hold the trusted authorities");
    else
        rc = add_pem(trust, ca_pem, add_authorities, error);
    if (rc == CS_OK)
        rc = add_pem(trust, crl_pem, add_crls, error);
    if (rc == CS_OK)
        *out = trust;
    else
        cs_trust_free(&trust);
    return rc;
}

cs_trust *cs_trust_share(cs_trust *trust)
{
    if (trust != NULL)
        atomic_fetch_add(&trust->owners, 1);
    return trust;
}

void cs_trust_free(cs_trust **trust)
{
    cs_trust *mine = trust == NULL ? NULL : *trust;

    if (mine == NULL)
        return;
    *trust = NULL;
    if (atomic_fetch_sub(&mine->owners, 1) != 1)
        return;
    sk_X509_CRL_pop_free(mine->crls, X509_CRL_free);
    X509_STORE_free(mine->store);
    free(mine);
}

int cs_trust_set_ocsp(cs_trust *trust, cs_ocsp_policy policy, cs_error *error)
{
    if (policy.max_age_ms < 1 || policy.max_age_ms > CS_OCSP_AGE_MAX_MS)
        return CS_FAIL(error, CS_E_USAGE, "the age of an OCSP answer is up to %lld days",
            (long long)(CS_OCSP_AGE_MAX_MS / 86400000));
    trust->ocsp = policy;
    return CS_OK;
}

cs_ocsp_policy cs_trust_ocsp(const cs_trust *trust)
{
    return trust->ocsp;
}

static bool has_crl_of(const cs_trust *trust, const X509_NAME *issuer)
{
    for (int i = 0; i < sk_X509_CRL_num(trust->crls); i++) {
        if (X509_NAME_cmp(X509_CRL_get_issuer(sk_X509_CRL_value(trust->crls, i)), issuer) == 0)
            return true;
    }
    return false;
}

typedef struct finding_context {
    const cs_trust *trust;
} finding_context;

/* Lists are looked for along the whole chain; that an issuer has none here is no fault. */
static int on_finding(int good, X509_STORE_CTX *context)
{
    const finding_context *given = X509_STORE_CTX_get_app_data(context);
    const X509 *current = X509_STORE_CTX_get_current_cert(context);

    if (good == 1 || X509_STORE_CTX_get_error(context) != X509_V_ERR_UNABLE_TO_GET_CRL ||
        current == NULL || has_crl_of(given->trust, X509_get_issuer_name(current)))
        return good;
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

static int verdict(int finding, cs_error *error)
{
    switch (finding) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return CS_FAIL(error, CS_E_EXPIRED, "the certificate is expired; get a new one");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return CS_FAIL(error, CS_E_EXPIRED, "the certificate is not valid yet; check the clock");
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return CS_FAIL(
            error, CS_E_LISTS, "the authority's revocation list is too old; get a new crl.pem");
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return CS_FAIL(
            error, CS_E_LISTS, "the authority's revocation list is not valid yet; check the clock");
    case X509_V_ERR_CERT_REVOKED:
        return CS_FAIL(error, CS_E_REVOKED, "the certificate is revoked by its authority");
    default:
        return CS_FAIL(error, CS_E_CERTIFICATE, "the certificate is refused: %s",
            X509_verify_cert_error_string(finding));
    }
}

/* *issuer (NULL: nobody asks): who issued it, the trust's; to be freed. */
static int take_issuer(X509 **issuer, X509_STORE_CTX *context, cs_error *error)
{
    X509 *found = sk_X509_value(X509_STORE_CTX_get0_chain(context), 1);

    if (issuer == NULL)
        return CS_OK;
    if (found == NULL)
        return CS_FAIL(error, CS_E_CERTIFICATE, "the certificate's issuer is not there");
    (void)X509_up_ref(found);
    *issuer = found;
    return CS_OK;
}

int cs_x509_verify(
    X509 **issuer, const cs_trust *trust, X509 *certificate, int64_t now_ms, cs_error *error)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN; /* every authority given is an anchor */
    finding_context given = {trust};
    X509_VERIFY_PARAM *parameters;
    int rc = CS_OK;

    if (context == NULL || X509_STORE_CTX_init(context, trust->store, certificate, NULL) != 1) {
        X509_STORE_CTX_free(context);
        return CS_OPENSSL_FAIL(error, "verify a certificate");
    }
    if (sk_X509_CRL_num(trust->crls) > 0)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(parameters, (time_t)(now_ms / 1000));
    X509_VERIFY_PARAM_set_auth_level(parameters, AUTH_LEVEL);
    if (X509_VERIFY_PARAM_set_flags(parameters, flags) != 1 ||
        X509_STORE_CTX_set_app_data(context, &given) != 1) {
        rc = CS_OPENSSL_FAIL(error, "verify a certificate");
    } else {
        X509_STORE_CTX_set_verify_cb(context, on_finding);
        if (X509_verify_cert(context) != 1)
            rc = verdict(X509_STORE_CTX_get_error(context), error);
        else
            rc = take_issuer(issuer, context, error);
    }
    ERR_clear_error();
    X509_STORE_CTX_free(context);
    return rc;
}

static int check(const cs_trust *trust, cs_view der, bool agrees, const cs_view *ocsp,
    int64_t now_ms, cs_holder *holder, cs_error *error)
{
    X509 *certificate = NULL;
    X509 *issuer = NULL;
    int rc = cs_x509_decode(&certificate, der, error);

    if (rc == CS_OK)
        rc = cs_x509_check_leaf(certificate, agrees, error);
    if (rc == CS_OK)
        rc = cs_x509_verify(&issuer, trust, certificate, now_ms, error);
    if (rc == CS_OK && ocsp != NULL)
        rc = cs_x509_ocsp_policy(trust, &(cs_asked){certificate, issuer, now_ms}, *ocsp, error);
    if (rc == CS_OK)
        rc = cs_x509_puk(holder->puk, X509_get_X509_PUBKEY(certificate), CS_E_CERTIFICATE, error);
    if (rc == CS_OK)
        rc = cs_x509_holder(holder, X509_get_subject_name(certificate), CS_E_CERTIFICATE, error);
    X509_free(issuer);
    X509_free(certificate);
    return rc;
}

int cs_certificate_check(const cs_trust *trust, cs_view der, const cs_view *ocsp, int64_t now_ms,
    cs_holder *holder, cs_error *error)
{
    return check(trust, der, false, ocsp, now_ms, holder, error);
}

int cs_certificate_check_agreement(
    const cs_trust *trust, cs_view der, int64_t now_ms, cs_holder *holder, cs_error *error)
{
    return check(trust, der, true, NULL, now_ms, holder, error);
}

/* -- endorsement keys */

/* TCG EK Credential Profile, 3.2: id-kp-EKCertificate. */
#define EK_CERTIFICATE_USAGE "2.23.133.8.1"

static int is_endorsement(X509 *certificate, cs_error *error)
{
    static const char *const usage[] = {EK_CERTIFICATE_USAGE};

    if (X509_check_ca(certificate) != 0 ||
        (X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE, "it is no certificate of an endorsement key");
    if (!cs_x509_has_usage(certificate, usage, 1))
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "its extended key usage does not say that it is for an endorsement key");
    return CS_OK;
}

int cs_endorsement_read(cs_view der, uint8_t puk[CS_PUK_SIZE], cs_error *error)
{
    X509 *certificate = NULL;
    int rc = cs_x509_decode(&certificate, der, error);

    if (rc == CS_OK)
        rc = cs_x509_puk(puk, X509_get_X509_PUBKEY(certificate), CS_E_CERTIFICATE, error);
    X509_free(certificate);
    return rc;
}

int cs_endorsement_check(const cs_trust *trust, cs_view der, int64_t now_ms, cs_error *error)
{
    X509 *certificate = NULL;
    int rc = cs_x509_decode(&certificate, der, error);

    if (rc == CS_OK)
        rc = is_endorsement(certificate, error);
    if (rc == CS_OK)
        rc = cs_x509_verify(NULL, trust, certificate, now_ms, error);
    X509_free(certificate);
    return rc;
}
