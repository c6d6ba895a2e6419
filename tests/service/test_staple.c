/* SPDX-License-Identifier: Apache-2.0 */
/* A responder as it should be, and as it should not: what is shown, what is kept, what is said. */
#include "responder.h"

#include "service/actor.h"
#include "service/http_server.h"
#include "service/staple.h"

#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MINUTE INT64_C(60000)
#define DAY (INT64_C(1440) * MINUTE)

static EVP_PKEY *ca_key, *key;
static X509 *ca, *certificate, *others;
static cs_http_server *server;
static cs_home home = {.kind = CS_HOME_DOCTOR};
static cs_actor actor = {.home = &home};
static cs_buf reply; /* what the responder answers */
static unsigned status = 200;
static unsigned asked;
static char url[64];
static cs_error last; /* of what was brought */

static int respond(void *app, void *worker, const cs_http_request *request, cs_http_answer *answer,
    cs_error *error)
{
    const uint8_t *p = request->body.p;
    OCSP_REQUEST *read = d2i_OCSP_REQUEST(NULL, &p, (long)request->body.n);

    (void)app;
    (void)worker;
    asked++;
    if (read == NULL)
        return CS_FAIL(error, CS_E_MALFORMED, "no request");
    OCSP_REQUEST_free(read);
    answer->status = status;
    return cs_buf_set(&answer->body, cs_view_buf(&reply), error);
}

static X509 *issue(long serial)
{
    static const char *const extensions[] = {"keyUsage=critical,digitalSignature", NULL};
    int64_t now = cs_clock_ms();

    return test_certificate(ca, ca_key, key, "D", serial, now - DAY, now + DAY, extensions);
}

static int set_up(void **state)
{
    static const char *const extensions[] = {
        "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", NULL};
    static const cs_http_route routes[] = {{"POST", "/board/ocsp", "ocsp", respond, 4096}};
    const cs_http_server_config config = {.routes = routes, .route_count = 1, .workers = 1};
    int64_t now = cs_clock_ms();
    cs_buf der, pem = {0};

    (void)state;
    (void)snprintf(home.dir, sizeof home.dir, "/tmp/chartseal-staple.XXXXXX");
    assert_non_null(mkdtemp(home.dir));
    ca_key = test_key();
    key = test_key();
    ca = test_certificate(NULL, NULL, ca_key, "Board", 1, now - DAY, now + DAY, extensions);
    certificate = issue(7);
    others = issue(8);
    der = test_der(ca);
    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_buf(&der), error));
    assert_ok(cs_trust_new(&actor.trust, cs_view_buf(&pem), (cs_view){0}, error));
    actor.certificate = test_der(certificate);
    cs_buf_free(&der);
    cs_buf_free(&pem);
    assert_ok(cs_http_server_start(&server, &config, error));
    (void)snprintf(
        url, sizeof url, "http://127.0.0.1:%u/board/ocsp", (unsigned)cs_http_server_port(server));
    home.config = json_pack("{s:{s:s}}", "ocsp", "url", url);
    return 0;
}

static int tear_down(void **state)
{
    char path[CS_PATH_MAX];

    (void)state;
    cs_home_path(&home, "ocsp.der", path);
    (void)unlink(path);
    json_decref(home.config);
    cs_trust_free(&actor.trust);
    cs_buf_free(&actor.certificate);
    cs_buf_free(&actor.staple);
    cs_buf_free(&reply);
    X509_free(ca);
    X509_free(certificate);
    X509_free(others);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    return rmdir(home.dir);
}

/* The responder's next answer. */
static void say(int what, X509 *about, int64_t age, int64_t life)
{
    int64_t now = cs_clock_ms();
    const test_answer answer = {.certificate = about,
        .issuer = ca,
        .status = what,
        .this_update = now - age,
        .next_update = life == 0 ? 0 : now - age + life,
        .signer = ca,
        .key = ca_key};

    cs_buf_free(&reply);
    reply = test_ocsp(&answer);
    status = 200;
}

static void forget(void)
{
    char path[CS_PATH_MAX];

    cs_home_path(&home, "ocsp.der", path);
    (void)unlink(path);
    asked = 0;
}

/* What a process that begins now knows. */
static void begin(void)
{
    actor.staple_asked = 0;
    actor.party.ocsp = (cs_view){0};
}

/* Brings, wants that code; how often the responder was asked; a warning with that word, or none. */
static void expect_again(int wanted, unsigned questions, bool shown, const char *word)
{
    char warning[CS_STAPLE_WARNING_SIZE] = "x";

    asked = 0;
    last = (cs_error){0};
    assert_fails(wanted, cs_staple_bring(&actor, warning, &last));
    assert_int_equal(asked, questions);
    assert_int_equal(actor.party.ocsp.n > 0, shown);
    if (word == NULL)
        assert_string_equal(warning, "");
    else if (strstr(warning, word) == NULL || strstr(warning, url) == NULL)
        fail_msg("no '%s' in '%s'", word, warning);
}

static void expect(int wanted, unsigned questions, bool shown, const char *word)
{
    begin();
    expect_again(wanted, questions, shown, word);
}

static void test_kept(void **state)
{
    (void)state;
    forget();
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 0, DAY);
    expect(CS_OK, 1, true, NULL);
    assert_true(cs_view_equal(actor.party.ocsp, cs_view_buf(&reply)));
    expect(CS_OK, 0, true, NULL);
    /* older than ten minutes, or than half of its life: asked again */
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 11 * MINUTE, DAY);
    forget();
    expect(CS_OK, 1, true, NULL);
    expect(CS_OK, 1, true, NULL);
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 3 * MINUTE, 5 * MINUTE);
    forget();
    expect(CS_OK, 1, true, NULL);
    expect(CS_OK, 1, true, NULL);
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 3 * MINUTE, 0);
    expect(CS_OK, 1, true, NULL);
    expect(CS_OK, 0, true, NULL);
    /* of the certificate before */
    say(V_OCSP_CERTSTATUS_GOOD, others, 0, DAY);
    assert_ok(cs_home_write(&home, "ocsp.der", cs_view_buf(&reply), error));
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 0, DAY);
    expect(CS_OK, 1, true, NULL);
}

static void test_none(void **state)
{
    static const uint8_t zeros[CS_OCSP_MAX + 1];

    (void)state;
    forget();
    say(V_OCSP_CERTSTATUS_UNKNOWN, certificate, 0, DAY);
    expect(CS_OK, 1, false, "does not know");
    say(V_OCSP_CERTSTATUS_GOOD, others, 0, DAY);
    expect(CS_OK, 1, false, "not about this certificate");
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 2 * DAY, 0);
    expect(CS_OK, 1, false, "too old");
    assert_ok(cs_buf_set(&reply, cs_view_str("<html>"), error));
    expect(CS_OK, 1, false, "none");
    assert_ok(cs_buf_set(&reply, CS_VIEW_ARRAY(zeros), error));
    expect(CS_OK, 1, false, "larger than");
    cs_buf_clear(&reply);
    status = 404;
    expect(CS_OK, 1, false, "status 404");
    /* nobody there, nor a place to ask */
    assert_int_equal(json_object_set_new(json_object_get(home.config, "ocsp"), "url",
                         json_string("http://127.0.0.1:1")),
        0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:1");
    expect(CS_OK, 0, false, "does not answer");
    json_object_clear(home.config);
    expect(CS_OK, 0, false, NULL);
    (void)snprintf(
        url, sizeof url, "http://127.0.0.1:%u/board/ocsp", (unsigned)cs_http_server_port(server));
    assert_int_equal(json_object_set_new(home.config, "ocsp", json_pack("{s:s}", "url", url)), 0);
}

/* What was kept is shown when there is nothing newer, as long as it is good; a revocation counts at
 * once, and for as long as nothing else is said. */
static void test_outage_and_revocation(void **state)
{
    (void)state;
    forget();
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 11 * MINUTE, DAY);
    expect(CS_OK, 1, true, NULL);
    status = 500;
    expect(CS_OK, 1, true, "the earlier one is shown");
    say(V_OCSP_CERTSTATUS_REVOKED, certificate, 5 * MINUTE, DAY);
    expect(CS_E_REVOKED, 1, false, NULL);
    status = 500;
    expect(CS_E_REVOKED, 1, false, NULL);
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 0, DAY);
    expect(CS_OK, 1, true, NULL);
}

/* An answer of before, in its dates, that somebody on the way has kept. */
static void test_played_again(void **state)
{
    cs_buf kept;

    (void)state;
    forget();
    say(V_OCSP_CERTSTATUS_REVOKED, certificate, 20 * MINUTE, DAY);
    expect(CS_E_REVOKED, 1, false, NULL);
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 30 * MINUTE, DAY);
    expect(CS_E_REVOKED, 1, false, NULL);
    /* nor is one of the same time newer */
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 20 * MINUTE + 1000, DAY);
    expect(CS_E_REVOKED, 1, false, NULL);
    assert_non_null(strstr(last.message, "older"));
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 15 * MINUTE, DAY);
    expect(CS_OK, 1, true, NULL);
    kept = reply;
    reply = (cs_buf){0};
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 30 * MINUTE, DAY);
    expect(CS_OK, 1, true, "older");
    assert_true(cs_view_equal(actor.party.ocsp, cs_view_buf(&kept)));
    say(V_OCSP_CERTSTATUS_REVOKED, certificate, 30 * MINUTE, DAY);
    expect(CS_OK, 1, true, "older");
    cs_buf_free(&kept);
}

/* A process that goes on asks once in ten minutes, or in half of an answer's life, however old the
 * answers are and whatever came; and when one that it showed has ended. */
static void test_not_too_often(void **state)
{
    (void)state;
    forget();
    begin();
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 11 * MINUTE, DAY);
    expect_again(CS_OK, 1, true, NULL);
    expect_again(CS_OK, 0, true, NULL);
    actor.staple_asked -= 11 * MINUTE;
    expect_again(CS_OK, 1, true, NULL);
    expect_again(CS_OK, 0, true, NULL);
    actor.staple_asked += 20 * MINUTE; /* the clock was put back */
    expect_again(CS_OK, 1, true, NULL);
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 3 * MINUTE, 5 * MINUTE);
    forget();
    actor.staple_asked -= 3 * MINUTE;
    expect_again(CS_OK, 1, true, NULL);
    expect_again(CS_OK, 0, true, NULL);
    actor.staple_asked -= 3 * MINUTE;
    expect_again(CS_OK, 1, true, NULL);
    /* it ends, for what is asked here of answers */
    assert_ok(cs_trust_set_ocsp(actor.trust, (cs_ocsp_policy){.max_age_ms = MINUTE}, error));
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 0, 5 * MINUTE);
    expect_again(CS_OK, 1, true, NULL);
    assert_ok(cs_trust_set_ocsp(
        actor.trust, (cs_ocsp_policy){.max_age_ms = CS_OCSP_AGE_DEFAULT_MS}, error));
    /* nothing comes */
    forget();
    begin();
    status = 500;
    expect_again(CS_OK, 1, false, "status 500");
    expect_again(CS_OK, 0, false, NULL);
    actor.staple_asked -= 11 * MINUTE;
    expect_again(CS_OK, 1, false, "status 500");
}

/* The authority's list, which names that certificate, as a trust of its own. */
static cs_trust *trust_naming(X509 *named)
{
    X509_CRL *crl = X509_CRL_new();
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *from = ASN1_TIME_adj(NULL, time(NULL), 0, -60);
    ASN1_TIME *until = ASN1_TIME_adj(NULL, time(NULL), 1, 0);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    cs_buf ca_der = test_der(ca), ca_pem = {0}, crl_pem = {0};
    cs_trust *trust = NULL;
    uint8_t *der = NULL;
    int n;

    assert_int_equal(ASN1_INTEGER_set(number, 1), 1);
    assert_int_equal(X509_CRL_set_version(crl, 1), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, from), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, until), 1);
    assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0), 1);
    assert_int_equal(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(named)), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(entry, from), 1);
    assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
    assert_true(X509_CRL_sign(crl, ca_key, EVP_sha256()) > 0);
    n = i2d_X509_CRL(crl, &der);
    assert_true(n > 0);
    assert_ok(cs_pem_encode(&crl_pem, "X509 CRL", (cs_view){der, (size_t)n}, error));
    assert_ok(cs_pem_encode(&ca_pem, "CERTIFICATE", cs_view_buf(&ca_der), error));
    assert_ok(cs_trust_new(&trust, cs_view_buf(&ca_pem), cs_view_buf(&crl_pem), error));
    OPENSSL_free(der);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_CRL_free(crl);
    cs_buf_free(&ca_der);
    cs_buf_free(&ca_pem);
    cs_buf_free(&crl_pem);
    return trust;
}

/* What the own list says needs no responder: none is asked or blamed, and what is kept stays. */
static void test_own_list(void **state)
{
    cs_trust *without = actor.trust;
    cs_buf kept = {0};

    (void)state;
    forget();
    say(V_OCSP_CERTSTATUS_GOOD, certificate, 11 * MINUTE, DAY);
    expect(CS_OK, 1, true, NULL);
    actor.trust = trust_naming(certificate);
    expect(CS_E_REVOKED, 0, false, NULL);
    assert_null(strstr(last.message, url));
    assert_ok(cs_home_read(&home, "ocsp.der", CS_OCSP_MAX, &kept, error));
    assert_true(cs_view_equal(cs_view_buf(&kept), cs_view_buf(&reply)));
    cs_trust_free(&actor.trust);
    actor.trust = trust_naming(others);
    expect(CS_OK, 1, true, NULL);
    cs_trust_free(&actor.trust);
    actor.trust = without;
    cs_buf_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_outage_and_revocation),
        cmocka_unit_test(test_played_again),
        cmocka_unit_test(test_not_too_often),
        cmocka_unit_test(test_own_list),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);

    if (cs_http_server_stop(&server, 1000, NULL) != CS_OK)
        failed++;
    return failed;
}
