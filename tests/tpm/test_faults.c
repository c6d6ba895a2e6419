/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM that is reset, killed, frozen or exchanged while a token is open. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 1500

typedef struct open_keys {
    cs_token *token;
    cs_key *sign, *agree, *prf;
    uint8_t expected[32];
} open_keys;

static int use_all(const open_keys *k, cs_error *error)
{
    uint8_t digest[32] = {1}, signature[64], d[32], q[65], here[32] = {0}, there[32] = {0};
    int rc = cs_key_sign(k->sign, digest, signature, error);

    if (rc == CS_OK)
        rc = cs_ecdsa_verify(
            (cs_view){cs_key_describe(k->sign)->public_key, 65}, digest, signature, error);
    if (rc == CS_OK)
        rc = cs_p256_generate(d, q, error);
    if (rc == CS_OK)
        rc = cs_key_agree(k->agree, q, there, error);
    if (rc == CS_OK)
        rc = cs_p256_ecdh(here, d, (cs_view){cs_key_describe(k->agree)->public_key, 65}, error);
    if (rc == CS_OK && memcmp(here, there, 32) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "another Z");
    if (rc == CS_OK)
        rc = cs_key_prf(k->prf, cs_view_str("index"), there, error);
    if (rc == CS_OK && memcmp(k->expected, there, 32) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "another HMAC");
    return rc;
}

static open_keys open_all(void)
{
    cs_token_options options = fixture_options();
    open_keys k = {0};

    options.timeout_ms = TIMEOUT_MS;
    assert_ok(cs_token_open(&k.token, fixture_uri(), &options, error));
    assert_ok(cs_key_open(&k.sign, k.token, fixture_key_uri("sign"), CS_USE_SIGN, 0, error));
    assert_ok(cs_key_open(&k.agree, k.token, fixture_key_uri("agree"), CS_USE_AGREE, 0, error));
    assert_ok(cs_key_open(&k.prf, k.token, fixture_key_uri("prf"), CS_USE_PRF, 0, error));
    assert_ok(cs_key_prf(k.prf, cs_view_str("index"), k.expected, error));
    assert_ok(use_all(&k, error));
    return k;
}

static void close_all(open_keys *k)
{
    cs_key_close(&k->sign);
    cs_key_close(&k->agree);
    cs_key_close(&k->prf);
    cs_token_close(&k->token);
}

static int setup(void **state)
{
    cs_token *token;
    cs_key *key;
    int rc = fixture_setup(state);

    if (rc != 0)
        return rc;
    token = fixture_open();
    assert_ok(cs_key_generate(&key, token, "sign", CS_USE_SIGN, CS_SUITE_P256, error));
    cs_key_close(&key);
    assert_ok(cs_key_generate(&key, token, "agree", CS_USE_AGREE, CS_SUITE_P256, error));
    cs_key_close(&key);
    assert_ok(cs_key_generate(&key, token, "prf", CS_USE_PRF, CS_SUITE_P256, error));
    cs_key_close(&key);
    cs_token_close(&token);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* With the link still warm, and after it was let go. A reset without an orderly shutdown counts as
 * a wrong try where keys under dictionary-attack protection were in use: that is the TPM's rule. */
static void test_reset(void **state)
{
    open_keys k = open_all();

    (void)state;
    for (int i = 0; i < 6; i++) {
        fixture_reset();
        if (i % 2 == 1)
            (void)usleep(400000);
        assert_ok(use_all(&k, error));
        assert_ok(use_all(&k, error));
        fixture_forgive();
    }
    close_all(&k);
    assert_int_equal(fixture_loaded(), 0);
}

static void test_restart(void **state)
{
    open_keys k = open_all();
    cs_error e = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        int64_t start;

        fixture_stop();
        start = now_ms();
        assert_int_equal(use_all(&k, &e), CS_E_TOKEN_ABSENT);
        assert_non_null(strstr(e.message, "see that it runs"));
        assert_fails(CS_E_TOKEN_ABSENT, use_all(&k, error));
        assert_true(now_ms() - start < 2 * TIMEOUT_MS);
        fixture_start();
        fixture_forgive();
        assert_ok(use_all(&k, error));
    }
    close_all(&k);
    assert_int_equal(fixture_loaded(), 0);
}

static void test_frozen(void **state)
{
    open_keys k = open_all();
    cs_token_options options = fixture_options();
    cs_token *token;
    int64_t start;

    (void)state;
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            (void)usleep(400000); /* the link is let go, and has to be made */
        fixture_freeze(true);
        start = now_ms();
        assert_fails(CS_E_TOKEN_ABSENT, use_all(&k, error));
        assert_true(now_ms() - start < TIMEOUT_MS + 1500);
        start = now_ms();
        options.timeout_ms = 500;
        assert_fails(CS_E_TOKEN_ABSENT, cs_token_open(&token, fixture_uri(), &options, error));
        assert_true(now_ms() - start < 3500);
        fixture_freeze(false);
        (void)usleep(300000);
        assert_ok(use_all(&k, error));
    }
    close_all(&k);
}

/* Another TPM in its place is not taken for it. */
static void test_exchanged(void **state)
{
    open_keys k = open_all();
    char path[160];

    (void)state;
    fixture_stop();
    (void)snprintf(path, sizeof path, "%s/tpm2-00.permall", fx.tpm.state);
    assert_int_equal(unlink(path), 0);
    fixture_start();
    assert_fails(CS_E_TOKEN_ABSENT, use_all(&k, error));
    close_all(&k);
    assert_fails(CS_E_TOKEN, cs_token_open(&k.token, fixture_uri(), NULL, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_exchanged),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
