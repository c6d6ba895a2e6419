/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities and revocation lists that are replaced while a service runs. */
#include "test.h"

#include "service/home.h"
#include "service/trust_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1700000000000LL
#define DAY 86400000LL

static cs_home home;
static uint8_t private_key[32];
static uint8_t public_key[65];
static cs_buf ca;
static cs_buf doctor;

static int sign(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *refusal)
{
    return cs_p256_sign(signature, context, digest, refusal);
}

static void write_pem(const char *name, const char *label, cs_view der)
{
    cs_buf pem = {0};

    assert_ok(cs_pem_encode(&pem, label, der, error));
    assert_ok(cs_home_write(&home, name, cs_view_buf(&pem), error));
    cs_buf_free(&pem);
}

static void write_list(const cs_revocation *revoked, size_t count)
{
    cs_buf crl = {0};

    assert_ok(cs_crl_issue(
        &crl, cs_view_buf(&ca), revoked, count, 1, NOW - DAY, NOW + DAY, sign, private_key, error));
    write_pem("crl.pem", "X509 CRL", cs_view_buf(&crl));
    cs_buf_free(&crl);
}

static int set_up(void **state)
{
    const cs_subject board = {.common_name = "board"};
    const cs_subject subject = {.common_name = "doctor"};
    const cs_view puk = CS_VIEW_ARRAY(public_key);
    static const uint8_t serial[8] = {1};
    char directory[] = "/tmp/test_trust.XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(home.dir, sizeof home.dir, "%s", directory);
    assert_ok(cs_p256_generate(private_key, public_key, error));
    assert_ok(cs_ca_make(&ca, &board, puk, NOW - DAY, NOW + DAY, sign, private_key, error));
    assert_ok(cs_certificate_issue(&doctor, cs_view_buf(&ca), &subject, puk, serial, NOW - DAY,
        NOW + DAY, sign, private_key, error));
    write_pem("authorities.pem", "CERTIFICATE", cs_view_buf(&ca));
    write_list(NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    char path[CS_PATH_MAX];

    (void)state;
    cs_home_path(&home, "crl.pem", path);
    (void)unlink(path);
    cs_home_path(&home, "authorities.pem", path);
    (void)unlink(path);
    cs_buf_free(&ca);
    cs_buf_free(&doctor);
    return rmdir(home.dir);
}

static int check(const cs_trust *trust)
{
    cs_holder holder;

    return cs_certificate_check(trust, cs_view_buf(&doctor), NULL, NOW, &holder, NULL);
}

static void test_taken_in(void **state)
{
    const cs_revocation revoked = {.serial = {1}, .time_ms = NOW - 1};
    cs_trust_watch *watch = NULL;
    cs_trust *mine = NULL;
    cs_trust *earlier;
    unsigned changes = 0;
    char path[CS_PATH_MAX];
    bool news = false;

    (void)state;
    assert_ok(cs_trust_watch_new(&watch, &home, NULL, error));
    assert_ok(cs_trust_watch_look(watch, &news, error));
    assert_true(news);
    cs_trust_watch_follow(watch, &mine, &changes);
    assert_int_equal(check(mine), CS_OK);
    assert_ok(cs_trust_watch_look(watch, &news, error));
    assert_false(news);

    /* a new list; who is in the middle of something keeps the earlier one */
    write_list(&revoked, 1);
    assert_ok(cs_trust_watch_look(watch, &news, error));
    assert_true(news);
    earlier = cs_trust_share(mine);
    cs_trust_watch_follow(watch, &mine, &changes);
    assert_ptr_not_equal(mine, earlier);
    assert_int_equal(check(mine), CS_E_REVOKED);
    assert_int_equal(check(earlier), CS_OK);
    cs_trust_free(&earlier);

    /* what does not parse, or is gone, does not make the revoked good again; it is told once */
    assert_ok(cs_home_write(&home, "crl.pem",
        cs_view_str("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), error));
    assert_fails(CS_E_MALFORMED, cs_trust_watch_look(watch, &news, error));
    assert_true(news);
    assert_fails(CS_E_MALFORMED, cs_trust_watch_look(watch, &news, error));
    assert_false(news);
    assert_ok(cs_home_write(&home, "crl.pem", (cs_view){0}, error));
    assert_fails(CS_E_MALFORMED, cs_trust_watch_look(watch, &news, error));
    cs_home_path(&home, "crl.pem", path);
    assert_int_equal(unlink(path), 0);
    assert_fails(CS_E_NO_FILE, cs_trust_watch_look(watch, &news, error));
    cs_trust_watch_follow(watch, &mine, &changes);
    assert_int_equal(check(mine), CS_E_REVOKED);

    write_list(NULL, 0);
    assert_ok(cs_trust_watch_look(watch, &news, error));
    assert_true(news);
    cs_trust_watch_follow(watch, &mine, &changes);
    assert_int_equal(check(mine), CS_OK);
    cs_trust_free(&mine);
    cs_trust_watch_free(&watch);
    assert_null(watch);
}

/* What is asked of OCSP answers is in config.json. */
static void test_policy(void **state)
{
    const cs_view config[] = {cs_view_str("{\"ocsp\": {\"required\": true, \"max_age_s\": 3600}}"),
        cs_view_str("{\"ocsp\": {\"required\": \"yes\"}}"), cs_view_str("{\"ocsp\": []}"),
        cs_view_str("{\"ocsp\": {\"max_age_s\": 0}}"),
        cs_view_str("{\"ocsp\": {\"max_age_s\": 31622401}}"), cs_view_str("{")};
    const cs_view none = {0};
    cs_trust_watch *watch = NULL;
    cs_trust *mine = NULL;
    cs_holder holder;
    unsigned changes = 0;
    char path[CS_PATH_MAX];
    bool news = false;

    (void)state;
    write_list(NULL, 0);
    assert_ok(cs_trust_watch_new(&watch, &home, NULL, error));
    assert_ok(cs_trust_watch_look(watch, &news, error));
    cs_trust_watch_follow(watch, &mine, &changes);
    assert_ok(cs_certificate_check(mine, cs_view_buf(&doctor), &none, NOW, &holder, error));
    assert_ok(cs_home_write(&home, "config.json", config[0], error));
    assert_ok(cs_trust_watch_look(watch, &news, error));
    assert_true(news);
    cs_trust_watch_follow(watch, &mine, &changes);
    assert_fails(
        CS_E_OCSP, cs_certificate_check(mine, cs_view_buf(&doctor), &none, NOW, &holder, error));
    /* what is wrong does not make an answer optional again */
    for (size_t i = 1; i < sizeof config / sizeof config[0]; i++) {
        assert_ok(cs_home_write(&home, "config.json", config[i], error));
        assert_fails(CS_E_MALFORMED, cs_trust_watch_look(watch, &news, error));
        cs_trust_watch_follow(watch, &mine, &changes);
        assert_fails(CS_E_OCSP,
            cs_certificate_check(mine, cs_view_buf(&doctor), &none, NOW, &holder, error));
    }
    cs_home_path(&home, "config.json", path);
    assert_int_equal(unlink(path), 0);
    assert_fails(CS_E_NO_FILE, cs_trust_watch_look(watch, &news, error));
    cs_trust_free(&mine);
    cs_trust_watch_free(&watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_in), cmocka_unit_test(test_policy)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
