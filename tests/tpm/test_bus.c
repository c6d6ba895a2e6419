/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody on the bus learns, and what he and a busy TPM can do. */
#include "proxy.h"

#include <chartseal/duplicate.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CC_READ_PUBLIC 0x173
#define CC_SIGN 0x15d
#define CC_ZGEN 0x154
#define CC_LOAD 0x157
#define CC_CREATE 0x153
#define CC_START 0x176

static cs_token *open_with(unsigned timeout_ms)
{
    cs_token_options options = fixture_options();
    cs_token *token = NULL;

    options.timeout_ms = timeout_ms;
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    return token;
}

static int sign(cs_key *key, cs_error *error)
{
    uint8_t digest[32] = {1}, signature[64];
    int rc = cs_key_sign(key, digest, signature, error);

    return rc == CS_OK ? cs_ecdsa_verify((cs_view){cs_key_describe(key)->public_key, 65}, digest,
                             signature, error)
                       : rc;
}

static cs_key *the_key(cs_token *token)
{
    cs_key *key = NULL;

    if (cs_key_open(&key, token, fixture_key_uri("sign"), CS_USE_SIGN, 0, NULL) != CS_OK)
        assert_ok(cs_key_generate(&key, token, "sign", CS_USE_SIGN, CS_SUITE_P256, error));
    return key;
}

static void test_secrecy(void **state)
{
    cs_token *token;
    cs_delivery_key *delivery;
    cs_key *agree, *prf, *scalar;
    uint8_t k[32], q[65], z[32], mac[32], root[65], peer[65];
    cs_buf blob = {.guarded = true};
    cs_scalar s;
    cs_point y, out, point;

    (void)state;
    proxy_forget();
    token = open_with(0);
    assert_ok(cs_key_generate(&agree, token, "agree", CS_USE_AGREE, CS_SUITE_P256, error));
    assert_ok(cs_key_generate(&prf, token, "prf", CS_USE_PRF, CS_SUITE_P256, error));
    assert_ok(cs_p256_generate(k, q, error));
    assert_ok(cs_key_agree(agree, q, z, error));
    assert_ok(cs_key_prf(prf, cs_view_str("an identity of a patient"), mac, error));
    assert_ok(cs_delivery_key_new(&delivery, token, root, error));
    assert_ok(cs_scalar_random(&s, CS_SUITE_P256, error));
    assert_ok(cs_point_base_mul(&y, CS_SUITE_P256, &s, error));
    assert_ok(cs_duplicate_seal(&blob, peer, root, &s, &y, error));
    assert_ok(cs_delivery_key_unwrap(&scalar, delivery, "S", peer, cs_view_buf(&blob), &y, error));
    assert_ok(cs_p256_compress(point.b, CS_VIEW_ARRAY(q), error));
    assert_ok(cs_point_decode(&point, CS_SUITE_P256, CS_VIEW_ARRAY(point.b), error));
    assert_ok(cs_key_scalar_mul(scalar, &point, &out, error));

    /* what is public passes in the clear, so the proxy does see */
    assert_true(proxy_saw(cs_key_describe(agree)->public_key + 1, 32));
    assert_true(proxy_saw(root + 1, 32));
    assert_true(proxy_saw(blob.p + 16 + 34, 76));
    /* and of the secrets nothing */
    assert_false(proxy_saw(PIN, strlen(PIN)));
    assert_false(proxy_saw(z, sizeof z));
    assert_false(proxy_saw(out.b + 1, 32));
    assert_false(proxy_saw(q + 1, 32)); /* not even whose point */
    assert_false(proxy_saw(s.b, sizeof s.b));
    assert_false(proxy_saw(blob.p, 16)); /* the one-time key of the blob */
    assert_false(proxy_saw(mac, sizeof mac));
    assert_false(proxy_saw("identity", 8));
    cs_key_close(&scalar);
    cs_key_close(&prf);
    cs_key_close(&agree);
    cs_delivery_key_free(&delivery);
    cs_buf_free(&blob);
    cs_token_close(&token);
}

/* A root of the interposer's own, with which he could read every session. */
static void test_other_root(void **state)
{
    cs_token_options options = fixture_options();
    cs_token *token;
    cs_error e = {0};

    (void)state;
    proxy_do((proxy_script){CC_READ_PUBLIC, 1000, PROXY_ROOT, 0});
    assert_int_equal(cs_token_open(&token, fixture_uri(), &options, &e), CS_E_TOKEN);
    assert_non_null(strstr(e.message, "somebody in between"));
    /* an answer that does not fit itself */
    proxy_do((proxy_script){CC_READ_PUBLIC, 1000, PROXY_FLIP, 0});
    assert_int_not_equal(cs_token_open(&token, fixture_uri(), &options, &e), CS_OK);
    proxy_do((proxy_script){0});
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    cs_token_close(&token);
}

/* Answers that were changed on the way are not taken for the TPM's. */
static void test_altered(void **state)
{
    static const uint32_t commands[] = {CC_ZGEN, CC_LOAD, CC_SIGN};
    cs_token *token = open_with(3000);
    cs_key *agree, *key = the_key(token);
    uint8_t k[32], q[65], here[32], there[32];

    (void)state;
    assert_ok(cs_key_open(&agree, token, fixture_key_uri("agree"), CS_USE_AGREE, 0, error));
    assert_ok(cs_p256_generate(k, q, error));
    assert_ok(cs_p256_ecdh(here, k, (cs_view){cs_key_describe(agree)->public_key, 65}, error));
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        proxy_do((proxy_script){commands[i], 1, PROXY_FLIP, 0});
        assert_ok(cs_key_agree(agree, q, there, error)); /* done again, over a new session */
        assert_memory_equal(here, there, 32);
        assert_ok(sign(key, error));
    }
    proxy_do((proxy_script){CC_ZGEN, 1000, PROXY_FLIP, 0});
    assert_int_not_equal(cs_key_agree(agree, q, there, NULL), CS_OK);
    proxy_do((proxy_script){0});
    assert_ok(cs_key_agree(agree, q, there, error));
    cs_key_close(&agree);
    cs_key_close(&key);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

static void test_put_off(void **state)
{
    /* RETRY, YIELDED, TESTING, NV_RATE, OBJECT_MEMORY, SESSION_MEMORY, SESSION_HANDLES */
    static const uint32_t codes[] = {0x922, 0x908, 0x90a, 0x920, 0x902, 0x903, 0x905};
    static const uint32_t commands[] = {CC_SIGN, CC_LOAD, CC_START};
    cs_token *token = open_with(10000), *hasty = open_with(1000);
    cs_key *key = the_key(token), *hasty_key = the_key(hasty);

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        for (size_t j = 0; j < sizeof commands / sizeof commands[0]; j++) {
            proxy_do((proxy_script){commands[j], 12, PROXY_ANSWER, codes[i]});
            assert_ok(sign(key, error));
        }
        proxy_do((proxy_script){CC_SIGN, 100000, PROXY_ANSWER, codes[i]});
        assert_fails(CS_E_BUSY, sign(hasty_key, error));
    }
    proxy_do((proxy_script){0});
    assert_ok(sign(hasty_key, error));
    cs_key_close(&hasty_key);
    cs_key_close(&key);
    cs_token_close(&hasty);
    cs_token_close(&token);
}

static void test_lost(void **state)
{
    /* INITIALIZE, REFERENCE_H0, REFERENCE_S0, HANDLE|P1 */
    static const uint32_t codes[] = {0x100, 0x910, 0x918, 0x18b};
    cs_token *token = open_with(3000);
    cs_key *key = the_key(token);

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        proxy_do((proxy_script){CC_SIGN, 1, PROXY_ANSWER, codes[i]});
        assert_ok(sign(key, error));
        proxy_do((proxy_script){CC_SIGN, 100, PROXY_ANSWER, codes[i]});
        assert_fails(CS_E_TOKEN_ABSENT, sign(key, error));
        proxy_do((proxy_script){0});
        assert_ok(sign(key, error));
    }
    proxy_do((proxy_script){CC_SIGN, 1, PROXY_DROP, 0});
    assert_ok(sign(key, error));
    proxy_do((proxy_script){CC_SIGN, 100, PROXY_DROP, 0});
    assert_fails(CS_E_TOKEN_ABSENT, sign(key, error));
    proxy_do((proxy_script){0});
    assert_ok(sign(key, error));
    cs_key_close(&key);
    cs_token_close(&token);
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_stalled(void **state)
{
    static const uint32_t commands[] = {CC_SIGN, CC_LOAD, CC_START, CC_READ_PUBLIC};
    cs_token *token = open_with(500);
    cs_key *key = the_key(token);

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int64_t start;

        (void)usleep(400000); /* so that the link is made anew */
        start = now_ms();
        proxy_do((proxy_script){commands[i], 1000, PROXY_STALL, 0});
        assert_fails(CS_E_TOKEN_ABSENT, sign(key, error));
        assert_true(now_ms() - start < 2500);
        proxy_do((proxy_script){0});
        (void)usleep(100000);
        assert_ok(sign(key, error));
    }
    cs_key_close(&key);
    cs_token_close(&token);
}

static void test_codes(void **state)
{
    cs_token *token = open_with(1000);
    cs_key *key = the_key(token), *other;

    (void)state;
    proxy_do((proxy_script){CC_SIGN, 1, PROXY_ANSWER, 0x921}); /* LOCKOUT */
    assert_fails(CS_E_PIN_LOCKED, sign(key, error));
    proxy_do((proxy_script){CC_CREATE, 1, PROXY_ANSWER, 0x2d2}); /* SCHEME, parameter 2 */
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_generate(&other, token, "master", CS_USE_ISSUE, CS_SUITE_P256, error));
    proxy_do((proxy_script){CC_SIGN, 1, PROXY_ANSWER, 0x101}); /* FAILURE */
    assert_fails(CS_E_TOKEN, sign(key, error));
    proxy_do((proxy_script){0});
    assert_ok(sign(key, error));
    cs_key_close(&key);
    cs_token_close(&token);
}

/* One session and one load serve many operations. */
static void test_economy(void **state)
{
    cs_token *token = open_with(0);
    cs_key *key = the_key(token);

    (void)state;
    assert_ok(sign(key, error));
    proxy_forget();
    for (int i = 0; i < 20; i++)
        assert_ok(sign(key, error));
    assert_int_equal(proxy_commands(CC_SIGN), 20);
    assert_true(proxy_commands(CC_LOAD) <= 2); /* a slow machine may have had a rest */
    assert_true(proxy_commands(CC_START) <= 2);
    cs_key_close(&key);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrecy),
        cmocka_unit_test(test_other_root),
        cmocka_unit_test(test_altered),
        cmocka_unit_test(test_put_off),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_economy),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, proxy_setup, proxy_teardown);
}
