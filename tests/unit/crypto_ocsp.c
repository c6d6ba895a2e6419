/* SPDX-License-Identifier: Apache-2.0 */
#include "responder.h"

#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define NOW (INT64_C(1800000000) * SECOND)
#define SERIAL 7

typedef struct who {
    EVP_PKEY *key;
    X509 *certificate;
} who;

typedef struct world {
    who ca, other_ca, doctor, other_doctor;
    who delegate, no_delegate, stranger, expired, everything, delegate_ca;
    cs_buf doctor_der;
    cs_trust *trust;
} world;

static const char *const ca_extensions[] = {"basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash", NULL};
static const char *const person_extensions[] = {"basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "authorityInfoAccess=caIssuers;URI:http://ca.example/ca.der,OCSP;URI:ldap://ca.example/x,"
    "OCSP;URI:http://ocsp.example:8080/board",
    NULL};
static const char *const plain_extensions[] = {"keyUsage=critical,digitalSignature", NULL};
static const char *const delegate_extensions[] = {"keyUsage=critical,digitalSignature",
    "extendedKeyUsage=critical,OCSPSigning", "noCheck=ignored", NULL};
static const char *const everything_extensions[] = {
    "keyUsage=critical,digitalSignature", "extendedKeyUsage=anyExtendedKeyUsage", NULL};
static const char *const delegate_ca_extensions[] = {"basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,digitalSignature,keyCertSign", "extendedKeyUsage=OCSPSigning", NULL};

static who new_who(const who *issuer, const char *name, long serial, int64_t not_after,
    const char *const *extensions)
{
    who out = {.key = test_key()};

    out.certificate = test_certificate(issuer == NULL ? NULL : issuer->certificate,
        issuer == NULL ? NULL : issuer->key, out.key, name, serial, NOW - 100 * DAY, not_after,
        extensions);
    return out;
}

static void free_who(who *w)
{
    EVP_PKEY_free(w->key);
    X509_free(w->certificate);
}

static int sign(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(context, NULL);
    uint8_t der[128];
    const uint8_t *p = der;
    size_t n = sizeof der;
    ECDSA_SIG *pair;

    (void)error;
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, der, &n, digest, CS_HASH_SIZE), 1);
    pair = d2i_ECDSA_SIG(NULL, &p, (long)n);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32), 32);
    ECDSA_SIG_free(pair);
    EVP_PKEY_CTX_free(ctx);
    return CS_OK;
}

/* `marked`: the serial that is on the list; 0: there is no list. */
static cs_trust *new_trust(const world *w, uint8_t marked, int64_t list_until)
{
    const cs_revocation revocation = {
        .serial = {0, 0, 0, 0, 0, 0, 0, marked}, .time_ms = NOW - 2 * DAY};
    cs_buf ca = test_der(w->ca.certificate);
    cs_buf other = test_der(w->other_ca.certificate);
    cs_buf ca_pem = {0};
    cs_buf crl = {0};
    cs_buf crl_pem = {0};
    cs_trust *trust = NULL;

    assert_ok(cs_pem_encode(&ca_pem, "CERTIFICATE", cs_view_buf(&ca), error));
    assert_ok(cs_pem_encode(&ca_pem, "CERTIFICATE", cs_view_buf(&other), error));
    if (marked != 0) {
        assert_ok(cs_crl_issue(&crl, cs_view_buf(&ca), &revocation, 1, 1, NOW - 2 * DAY, list_until,
            sign, w->ca.key, error));
        assert_ok(cs_pem_encode(&crl_pem, "X509 CRL", cs_view_buf(&crl), error));
    }
    assert_ok(cs_trust_new(&trust, cs_view_buf(&ca_pem), cs_view_buf(&crl_pem), error));
    cs_buf_free(&ca);
    cs_buf_free(&other);
    cs_buf_free(&ca_pem);
    cs_buf_free(&crl);
    cs_buf_free(&crl_pem);
    return trust;
}

static int setup(void **state)
{
    world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->ca = new_who(NULL, "Board", 1, NOW + 1000 * DAY, ca_extensions);
    w->other_ca = new_who(NULL, "Other Board", 2, NOW + 1000 * DAY, ca_extensions);
    w->doctor = new_who(&w->ca, "Dr Ada Ek", SERIAL, NOW + 100 * DAY, person_extensions);
    w->other_doctor = new_who(&w->ca, "Dr Bo Ask", SERIAL + 1, NOW + 100 * DAY, plain_extensions);
    w->delegate = new_who(&w->ca, "Responder", 20, NOW + 10 * DAY, delegate_extensions);
    w->no_delegate = new_who(&w->ca, "No Responder", 21, NOW + 10 * DAY, plain_extensions);
    w->stranger = new_who(&w->other_ca, "Stranger", 22, NOW + 10 * DAY, delegate_extensions);
    w->expired = new_who(&w->ca, "Expired", 23, NOW - DAY, delegate_extensions);
    w->everything = new_who(&w->ca, "Everything", 24, NOW + 10 * DAY, everything_extensions);
    w->delegate_ca = new_who(&w->ca, "Sub CA", 25, NOW + 10 * DAY, delegate_ca_extensions);
    w->doctor_der = test_der(w->doctor.certificate);
    w->trust = new_trust(w, 0, 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    who *all[] = {&w->ca, &w->other_ca, &w->doctor, &w->other_doctor, &w->delegate, &w->no_delegate,
        &w->stranger, &w->expired, &w->everything, &w->delegate_ca};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free_who(all[i]);
    cs_buf_free(&w->doctor_der);
    cs_trust_free(&w->trust);
    free(w);
    return 0;
}

/* "Good", of an hour ago, by the delegate. */
static test_answer good(const world *w)
{
    return (test_answer){.certificate = w->doctor.certificate,
        .issuer = w->ca.certificate,
        .status = V_OCSP_CERTSTATUS_GOOD,
        .this_update = NOW - HOUR,
        .next_update = NOW + DAY,
        .signer = w->delegate.certificate,
        .key = w->delegate.key};
}

static int check(const world *w, const cs_trust *trust, const test_answer *answer)
{
    cs_buf der = test_ocsp(answer);
    cs_ocsp_dates dates;
    int rc =
        cs_ocsp_check(trust, cs_view_buf(&w->doctor_der), cs_view_buf(&der), NOW, &dates, NULL);

    if (rc == CS_OK)
        assert_int_equal(dates.this_update, answer->this_update);
    cs_buf_free(&der);
    return rc;
}

static void test_request_and_url(void **state)
{
    const world *w = *state;
    char url[CS_OCSP_URL_SIZE];
    cs_buf request = {0};
    cs_buf other = test_der(w->other_doctor.certificate);
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), w->doctor.certificate, w->ca.certificate);
    OCSP_REQUEST *read;
    const uint8_t *p;

    assert_ok(cs_ocsp_request(&request, w->trust, cs_view_buf(&w->doctor_der), NOW, error));
    p = request.p;
    read = d2i_OCSP_REQUEST(NULL, &p, (long)request.n);
    assert_non_null(read);
    assert_int_equal(OCSP_request_onereq_count(read), 1);
    assert_int_equal(OCSP_id_cmp(OCSP_onereq_get0_id(OCSP_request_onereq_get0(read, 0)), id), 0);
    OCSP_REQUEST_free(read);
    OCSP_CERTID_free(id);
    /* of an authority that is not trusted there is no issuer to name */
    cs_buf_clear(&request);
    assert_fails(CS_E_CERTIFICATE,
        cs_ocsp_request(&request, w->trust, (cs_view){(const uint8_t *)"x", 1}, NOW, error));
    assert_int_equal(request.n, 0);

    assert_ok(cs_ocsp_url(url, cs_view_buf(&w->doctor_der), error));
    assert_string_equal(url, "http://ocsp.example:8080/board");
    assert_ok(cs_ocsp_url(url, cs_view_buf(&other), error));
    assert_string_equal(url, "");
    cs_buf_free(&other);
    cs_buf_free(&request);
}

static void test_signers(void **state)
{
    const world *w = *state;
    const struct {
        const who *signer;
        int wanted;
    } cases[] = {
        {&w->delegate, CS_OK},
        {&w->ca, CS_OK},
        {&w->no_delegate, CS_E_CERTIFICATE}, /* without the usage */
        {&w->everything, CS_E_CERTIFICATE},  /* any usage is not this one */
        {&w->stranger, CS_E_CERTIFICATE},    /* of an authority that is trusted, but another */
        {&w->other_ca, CS_E_CERTIFICATE},    /* that authority itself */
        {&w->expired, CS_E_CERTIFICATE},
        {&w->doctor, CS_E_CERTIFICATE}, /* about herself */
        {&w->delegate_ca, CS_E_CERTIFICATE},
    };
    test_answer answer = good(w);
    cs_trust *listed;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer.signer = cases[i].signer->certificate;
        answer.key = cases[i].signer->key;
        if (check(w, w->trust, &answer) != cases[i].wanted)
            fail_msg("signer %zu", i);
    }
    /* a delegate that is on its authority's list */
    answer = good(w);
    listed = new_trust(w, 20, NOW + DAY);
    assert_int_equal(check(w, listed, &answer), CS_E_CERTIFICATE);
    cs_trust_free(&listed);
    /* SHA-1 is no signature */
    answer.signature = EVP_sha1();
    assert_int_equal(check(w, w->trust, &answer), CS_E_CERTIFICATE);
    answer.signature = EVP_sha384();
    assert_int_equal(check(w, w->trust, &answer), CS_OK);
}

static void test_what_it_says(void **state)
{
    const world *w = *state;
    test_answer answer = good(w);

    answer.id_hash = EVP_sha256();
    assert_int_equal(check(w, w->trust, &answer), CS_OK);
    answer.id_hash = EVP_md5();
    assert_int_equal(check(w, w->trust, &answer), CS_E_CERTIFICATE);

    answer = good(w);
    answer.status = V_OCSP_CERTSTATUS_REVOKED;
    assert_int_equal(check(w, w->trust, &answer), CS_E_REVOKED);
    answer.status = V_OCSP_CERTSTATUS_UNKNOWN;
    assert_int_equal(check(w, w->trust, &answer), CS_E_CERTIFICATE);

    answer = good(w);
    answer.also = w->other_doctor.certificate; /* one more that nobody asked about */
    assert_int_equal(check(w, w->trust, &answer), CS_OK);
    answer.certificate = w->other_doctor.certificate;
    answer.also = NULL;
    assert_int_equal(check(w, w->trust, &answer), CS_E_CERTIFICATE);

    /* revoked, and good: which? */
    answer = good(w);
    answer.status = V_OCSP_CERTSTATUS_REVOKED;
    answer.also = w->doctor.certificate;
    assert_int_equal(check(w, w->trust, &answer), CS_E_CERTIFICATE);
    /* the number of the doctor, but of another authority */
    answer = good(w);
    answer.issuer = w->other_ca.certificate;
    assert_int_equal(check(w, w->trust, &answer), CS_E_CERTIFICATE);
}

static void test_dates(void **state)
{
    const world *w = *state;
    const struct {
        int64_t this_update, next_update;
        int wanted;
    } cases[] = {
        {NOW, NOW + HOUR, CS_OK},
        {NOW + CS_CRL_CLOCK_MS, NOW + HOUR, CS_OK},
        {NOW + CS_CRL_CLOCK_MS + SECOND, NOW + HOUR, CS_E_CERTIFICATE}, /* of the future */
        {NOW - HOUR, NOW - CS_CRL_CLOCK_MS, CS_OK},
        {NOW - HOUR, NOW - CS_CRL_CLOCK_MS - SECOND, CS_E_OCSP},
        {NOW - HOUR, 0, CS_OK}, /* without an end: its age counts */
        {NOW - DAY, 0, CS_OK},
        {NOW - DAY - SECOND, 0, CS_E_OCSP},
        {NOW - DAY - SECOND, NOW + DAY, CS_E_OCSP}, /* in its dates, and too old for us */
        {NOW - HOUR, NOW - 2 * HOUR, CS_E_CERTIFICATE},
    };
    test_answer answer = good(w);
    cs_trust *patient = new_trust(w, 0, 0);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer.this_update = cases[i].this_update;
        answer.next_update = cases[i].next_update;
        if (check(w, w->trust, &answer) != cases[i].wanted)
            fail_msg("dates %zu", i);
    }
    assert_ok(cs_trust_set_ocsp(patient, (cs_ocsp_policy){.max_age_ms = 2 * DAY}, error));
    answer = good(w);
    answer.this_update = NOW - DAY - SECOND;
    assert_int_equal(check(w, patient, &answer), CS_OK);
    assert_fails(CS_E_USAGE, cs_trust_set_ocsp(patient, (cs_ocsp_policy){.max_age_ms = 0}, error));
    assert_fails(CS_E_USAGE,
        cs_trust_set_ocsp(patient, (cs_ocsp_policy){.max_age_ms = CS_OCSP_AGE_MAX_MS + 1}, error));
    cs_trust_free(&patient);
}

/* Each byte wrong, cut, longer, larger than what is taken. */
static void test_hostile(void **state)
{
    const world *w = *state;
    test_answer answer = good(w);
    cs_buf der = test_ocsp(&answer);
    const cs_view doctor = cs_view_buf(&w->doctor_der);
    cs_ocsp_dates dates;
    uint8_t *large = calloc(1, CS_OCSP_MAX + 1);

    assert_non_null(large);
    for (size_t i = 0; i < der.n; i++) {
        der.p[i] ^= 1;
        if (cs_ocsp_check(w->trust, doctor, cs_view_buf(&der), NOW, &dates, NULL) == CS_OK)
            fail_msg("good with a wrong bit in byte %zu", i);
        der.p[i] ^= 1;
    }
    assert_ok(cs_ocsp_check(w->trust, doctor, cs_view_buf(&der), NOW, &dates, error));
    for (size_t n = 0; n < der.n; n++)
        assert_fails(CS_E_CERTIFICATE,
            cs_ocsp_check(w->trust, doctor, (cs_view){der.p, n}, NOW, &dates, error));
    memcpy(large, der.p, der.n);
    assert_fails(CS_E_CERTIFICATE,
        cs_ocsp_check(w->trust, doctor, (cs_view){large, der.n + 1}, NOW, &dates, error));
    assert_fails(CS_E_CERTIFICATE,
        cs_ocsp_check(w->trust, doctor, (cs_view){large, CS_OCSP_MAX + 1}, NOW, &dates, error));
    /* one that is in order but for its size */
    cs_buf_free(&der);
    answer.also = w->other_doctor.certificate;
    for (answer.times = 40; der.n <= CS_OCSP_MAX; answer.times += 2) {
        cs_buf_free(&der);
        der = test_ocsp(&answer);
        assert_int_equal(cs_ocsp_check(w->trust, doctor, cs_view_buf(&der), NOW, &dates, NULL),
            der.n <= CS_OCSP_MAX ? CS_OK : CS_E_CERTIFICATE);
    }
    /* "try later", which nobody signs */
    assert_fails(CS_E_CERTIFICATE,
        cs_ocsp_check(w->trust, doctor, (cs_view){(const uint8_t[]){0x30, 3, 0x0a, 1, 3}, 5}, NOW,
            &dates, error));
    cs_buf_free(&der);
    free(large);
}

/* -- the policy: docs/protocol.md, "Certificates", has this table
 * -------------------------------------------------- */

enum { PREFERRED, REQUIRED, POLICIES };
enum { NO_LIST, NOT_LISTED, LISTED, OLD_LIST, LISTS };
enum { GOOD, REVOKED, UNKNOWN, NOT_BY_IT, ANOTHERS, FUTURE, GARBAGE, OLD, NONE, ANSWERS };

static cs_buf an_answer(const world *w, int which)
{
    test_answer answer = good(w);
    cs_buf garbage = {0};

    switch (which) {
    case REVOKED:
        answer.status = V_OCSP_CERTSTATUS_REVOKED;
        break;
    case UNKNOWN:
        answer.status = V_OCSP_CERTSTATUS_UNKNOWN;
        break;
    case NOT_BY_IT:
        answer.signer = w->stranger.certificate;
        answer.key = w->stranger.key;
        break;
    case ANOTHERS:
        answer.certificate = w->other_doctor.certificate;
        break;
    case FUTURE:
        answer.this_update = NOW + HOUR;
        break;
    case OLD:
        answer.this_update = NOW - 2 * DAY;
        break;
    case GARBAGE:
        assert_ok(cs_buf_set(&garbage, cs_view_str("garbage"), error));
        return garbage;
    case NONE:
        return garbage;
    default:
        break;
    }
    return test_ocsp(&answer);
}

static void test_policy(void **state)
{
    /* with no list, or not on it; each other list is its own verdict, whatever is answered */
    static const int wanted[ANSWERS][POLICIES] = {
        [GOOD] = {CS_OK, CS_OK},
        [REVOKED] = {CS_E_REVOKED, CS_E_REVOKED},
        [UNKNOWN] = {CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        [NOT_BY_IT] = {CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        [ANOTHERS] = {CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        [FUTURE] = {CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        [GARBAGE] = {CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        [OLD] = {CS_OK, CS_E_OCSP},
        [NONE] = {CS_OK, CS_E_OCSP},
    };
    const world *w = *state;
    cs_trust *trusts[LISTS] = {[NO_LIST] = new_trust(w, 0, 0),
        [NOT_LISTED] = new_trust(w, 99, NOW + DAY),
        [LISTED] = new_trust(w, SERIAL, NOW + DAY),
        [OLD_LIST] = new_trust(w, 99, NOW - DAY)};

    for (int a = 0; a < ANSWERS; a++) {
        cs_buf der = an_answer(w, a);
        const cs_view answer = cs_view_buf(&der);

        for (int cell = 0; cell < LISTS * POLICIES; cell++) {
            int list = cell / POLICIES;
            int policy = cell % POLICIES;
            int expected = list == LISTED     ? CS_E_REVOKED
                           : list == OLD_LIST ? CS_E_LISTS
                                              : wanted[a][policy];
            cs_error failure = {0};
            cs_holder holder;
            int rc;

            assert_ok(cs_trust_set_ocsp(trusts[list],
                (cs_ocsp_policy){.required = policy == REQUIRED, .max_age_ms = DAY}, error));
            rc = cs_certificate_check(
                trusts[list], cs_view_buf(&w->doctor_der), &answer, NOW, &holder, &failure);
            if (rc != expected || failure.code != (cs_code)rc)
                fail_msg("answer %d, list %d, policy %d: wanted %s, got %s (%s)", a, list, policy,
                    cs_code_name(expected), cs_code_name(rc), failure.message);
            /* where no answer can come along, the lists alone are asked */
            assert_int_equal(cs_certificate_check(trusts[list], cs_view_buf(&w->doctor_der), NULL,
                                 NOW, &holder, NULL),
                list == LISTED     ? CS_E_REVOKED
                : list == OLD_LIST ? CS_E_LISTS
                                   : CS_OK);
        }
        cs_buf_free(&der);
    }
    for (size_t i = 0; i < LISTS; i++)
        cs_trust_free(&trusts[i]);
}

/* -- extended key usage, and the certificate of a key that agrees
 * ------------------------------------------------------------------ */

static void test_usages(void **state)
{
    static const char sign_usage[] = "keyUsage=critical,digitalSignature";
    static const char agree_usage[] = "keyUsage=critical,keyAgreement";
    static const char both_usage[] = "keyUsage=critical,digitalSignature,keyAgreement";
    static const struct {
        const char *extensions[3];
        int signs, agrees;
    } cases[] = {
        {{sign_usage, NULL}, CS_OK, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=anyExtendedKeyUsage"}, CS_OK, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=clientAuth"}, CS_OK, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=emailProtection"}, CS_OK, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=1.3.6.1.5.5.7.3.36"}, CS_OK, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=msSmartcardLogin"}, CS_OK, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=critical,serverAuth,clientAuth"}, CS_OK, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=serverAuth"}, CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=critical,codeSigning,timeStamping"}, CS_E_CERTIFICATE,
            CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=OCSPSigning"}, CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        {{sign_usage, "extendedKeyUsage=1.3.6.1.5.5.7.3.2.1"}, CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        {{agree_usage, NULL}, CS_E_CERTIFICATE, CS_OK},
        {{agree_usage, "extendedKeyUsage=emailProtection"}, CS_E_CERTIFICATE, CS_OK},
        {{agree_usage, "extendedKeyUsage=serverAuth"}, CS_E_CERTIFICATE, CS_E_CERTIFICATE},
        {{both_usage, NULL}, CS_OK, CS_E_CERTIFICATE},
        {{"basicConstraints=CA:FALSE", NULL}, CS_E_CERTIFICATE, CS_E_CERTIFICATE},
    };
    const world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        who one = new_who(&w->ca, "One", 50, NOW + DAY, cases[i].extensions);
        cs_buf der = test_der(one.certificate);
        cs_holder holder;

        if (cs_certificate_check(w->trust, cs_view_buf(&der), NULL, NOW, &holder, NULL) !=
                cases[i].signs ||
            cs_certificate_check_agreement(w->trust, cs_view_buf(&der), NOW, &holder, NULL) !=
                cases[i].agrees)
            fail_msg("usages %zu", i);
        assert_fails(cases[i].agrees == CS_OK ? CS_E_EXPIRED : cases[i].agrees,
            cs_certificate_check_agreement(
                w->trust, cs_view_buf(&der), NOW + 2 * DAY, &holder, error));
        cs_buf_free(&der);
        free_who(&one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_and_url),
        cmocka_unit_test(test_signers),
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_usages),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
