/* SPDX-License-Identifier: Apache-2.0 */
/* Authorisation values: wrong ones are sent once, and the last try is left alone. */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS 8

static cs_token *open_with(const char *pin_file, bool force)
{
    cs_token_options options = fixture_options();
    cs_token *token = NULL;

    (void)snprintf(options.pin.path, sizeof options.pin.path, "%s", pin_file);
    options.force_final_try = force;
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    return token;
}

static cs_key *open_key(cs_token *token, const char *label, cs_use use)
{
    cs_key *key;

    assert_ok(cs_key_open(&key, token, fixture_key_uri(label), use, CS_SUITE_P256, error));
    return key;
}

static int sign(cs_key *key, cs_error *error)
{
    static const uint8_t digest[32] = {1};
    uint8_t signature[64];

    return cs_key_sign(key, digest, signature, error);
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
    assert_ok(cs_key_generate(&key, token, "prf", CS_USE_PRF, CS_SUITE_P256, error));
    cs_key_close(&key);
    cs_token_close(&token);
    return 0;
}

static void new_wrong_pin(void)
{
    static unsigned n;
    char text[32];

    (void)snprintf(text, sizeof text, "wrong %u\n", n++);
    fixture_write(fx.wrong_pin_file, text, 0600);
}

static void test_wrong(void **state)
{
    cs_token *token = open_with(fx.wrong_pin_file, false);
    cs_key *key = open_key(token, "sign", CS_USE_SIGN), *prf = open_key(token, "prf", CS_USE_PRF);
    cs_error e = {0};
    uint8_t out[32];

    (void)state;
    assert_int_equal(fixture_failed_tries(), 0); /* opening costs no try */
    assert_int_equal(sign(key, &e), CS_E_PIN_WRONG);
    assert_non_null(strstr(e.message, "2 of 3 tries are left"));
    assert_null(strstr(e.message, "wrong "));
    assert_int_equal(fixture_failed_tries(), 1);
    /* neither this key nor another sends it again, nor another token of this process */
    assert_fails(CS_E_PIN_WRONG, sign(key, error));
    assert_fails(CS_E_PIN_WRONG, cs_key_prf(prf, cs_view_str("x"), out, error));
    cs_key_close(&prf);
    cs_key_close(&key);
    cs_token_close(&token);
    token = open_with(fx.wrong_pin_file, false);
    key = open_key(token, "sign", CS_USE_SIGN);
    assert_fails(CS_E_PIN_WRONG, sign(key, error));
    assert_int_equal(fixture_failed_tries(), 1);
    /* the source is asked again, so a corrected file helps at once */
    fixture_write(fx.wrong_pin_file, PIN "\n", 0600);
    assert_ok(sign(key, error));
    assert_int_equal(fixture_failed_tries(), 1);
    cs_key_close(&key);
    cs_token_close(&token);
    fixture_forgive();
}

typedef struct signer {
    cs_key *key;
    int result;
} signer;

static void *work(void *context)
{
    signer *s = context;

    s->result = sign(s->key, NULL);
    return NULL;
}

static void test_wrong_in_threads(void **state)
{
    pthread_t threads[THREADS];
    signer signers[THREADS];
    cs_token *token;
    cs_key *key;

    (void)state;
    new_wrong_pin();
    token = open_with(fx.wrong_pin_file, false);
    key = open_key(token, "sign", CS_USE_SIGN);
    for (int i = 0; i < THREADS; i++) {
        signers[i] = (signer){key, CS_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &signers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(signers[i].result, CS_E_PIN_WRONG);
    }
    assert_int_equal(fixture_failed_tries(), 1);
    cs_key_close(&key);
    cs_token_close(&token);
    fixture_forgive();
}

static void burn(unsigned tries)
{
    for (unsigned i = 0; i < tries; i++) {
        cs_token *token;
        cs_key *key;

        new_wrong_pin();
        token = open_with(fx.wrong_pin_file, true);
        key = open_key(token, "sign", CS_USE_SIGN);
        assert_fails(CS_E_PIN_WRONG, sign(key, error));
        cs_key_close(&key);
        cs_token_close(&token);
    }
    assert_int_equal(fixture_failed_tries(), tries);
}

static void test_final_try(void **state)
{
    cs_token *token;
    cs_token_info info;
    cs_key *key;

    (void)state;
    burn(2);
    token = open_with(fx.pin_file, false);
    key = open_key(token, "sign", CS_USE_SIGN);
    assert_ok(cs_token_describe(token, &info, error));
    assert_true(info.pin_final_try && info.pin_count_low && !info.pin_locked);
    assert_fails(CS_E_PIN_FINAL_TRY, sign(key, error));
    assert_fails(CS_E_PIN_FINAL_TRY, sign(key, error));
    assert_int_equal(fixture_failed_tries(), 2);
    cs_key_close(&key);
    cs_token_close(&token);
    token = open_with(fx.pin_file, true);
    key = open_key(token, "sign", CS_USE_SIGN);
    assert_ok(sign(key, error));
    cs_key_close(&key);
    cs_token_close(&token);
    fixture_forgive();
}

static void test_locked(void **state)
{
    cs_token *token, *used = open_with(fx.pin_file, false);
    cs_token_info info;
    cs_key *key, *used_key = open_key(used, "sign", CS_USE_SIGN);
    cs_error e = {0};

    (void)state;
    assert_ok(sign(used_key, error));
    burn(3);
    token = open_with(fx.pin_file, true);
    key = open_key(token, "sign", CS_USE_SIGN);
    assert_int_equal(sign(key, &e), CS_E_PIN_LOCKED);
    assert_non_null(strstr(e.message, "tpm2_dictionarylockout"));
    assert_ok(cs_token_describe(token, &info, error));
    assert_true(info.pin_locked);
    /* a key whose value is known to be right is told by the TPM itself */
    assert_int_equal(sign(used_key, &e), CS_E_PIN_LOCKED);
    fixture_forgive();
    assert_ok(sign(key, error));
    assert_ok(sign(used_key, error));
    cs_key_close(&used_key);
    cs_key_close(&key);
    cs_token_close(&token);
    cs_token_close(&used);
}

static void test_missing(void **state)
{
    cs_token_options options = {0};
    cs_token *token;
    cs_key *key;

    (void)state;
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    key = open_key(token, "sign", CS_USE_SIGN);
    assert_fails(CS_E_PIN_MISSING, sign(key, error));
    cs_key_close(&key);
    assert_fails(CS_E_PIN_MISSING,
        cs_key_generate(&key, token, "without", CS_USE_SIGN, CS_SUITE_P256, error));
    cs_token_close(&token);
    assert_int_equal(fixture_failed_tries(), 0);
}

typedef struct secret {
    uint8_t bytes[CS_PIN_MAX];
    size_t n;
    unsigned asked;
} secret;

static int give(void *context, char *out, size_t *n, cs_error *error)
{
    secret *s = context;

    (void)error;
    s->asked++;
    memcpy(out, s->bytes, s->n);
    *n = s->n;
    return CS_OK;
}

static void with_secret(const char *label, size_t n, uint8_t last)
{
    secret s = {.n = n};
    cs_token_options options = {.pin = {.kind = CS_PIN_CALLBACK, .callback = give, .context = &s}};
    cs_token *token;
    cs_key *key;

    cs_random(s.bytes, sizeof s.bytes);
    s.bytes[n - 1] = last;
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    assert_int_equal(s.asked, 0);
    assert_ok(cs_key_generate(&key, token, label, CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(sign(key, error));
    assert_ok(sign(key, error));
    assert_int_equal(s.asked, 1); /* for as long as the token is open */
    cs_key_close(&key);
    cs_token_close(&token);
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    key = open_key(token, label, CS_USE_SIGN);
    assert_ok(sign(key, error));
    assert_int_equal(s.asked, 2);
    cs_key_close(&key);
    s.bytes[0] ^= 1;
    cs_token_close(&token);
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    key = open_key(token, label, CS_USE_SIGN);
    assert_fails(CS_E_PIN_WRONG, sign(key, error));
    cs_key_close(&key);
    cs_token_close(&token);
    fixture_forgive();
}

/* Of the biometric secret any byte may be anything; a TPM strips zeros at the end. */
static void test_callback(void **state)
{
    (void)state;
    with_secret("s-32", 32, 7);
    with_secret("s-zero", 32, 0);
    with_secret("s-1", 1, 9);
    with_secret("s-33", 33, 0);
    with_secret("s-255", 255, 1);
}

/* A long PIN is its SHA-256, as token.h says. */
static void test_long_pin(void **state)
{
    static const char pin[] = "a passphrase that is longer than thirty-two bytes";
    char path[160];
    cs_token *token;
    cs_key *key;

    (void)state;
    (void)snprintf(path, sizeof path, "%s/long-pin", fx.directory);
    fixture_write(path, pin, 0600);
    token = open_with(path, false);
    assert_ok(cs_key_generate(&key, token, "long", CS_USE_SIGN, CS_SUITE_P256, error));
    cs_key_close(&key);
    cs_token_close(&token);
    assert_int_equal(
        fixture_shell(
            "cd %s && tpm2_load -Q -r keys/long.pem -c c && tpm2_flushcontext -t && "
            "tpm2_sign -Q -c c -g sha256 -o sig -p hex:$(sha256sum long-pin | cut -c1-64) "
            "pin && tpm2_flushcontext -t",
            fx.directory),
        0);
    assert_int_equal(fixture_failed_tries(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_wrong_in_threads),
        cmocka_unit_test(test_final_try),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_callback),
        cmocka_unit_test(test_long_pin),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
