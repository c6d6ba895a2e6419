/* SPDX-License-Identifier: Apache-2.0 */
/* What a URI names: none, one or two; where its PIN comes from, and that it is never told. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int opens(const char *uri, const cs_token_options *options, cs_error *error)
{
    cs_token *token;
    int rc = cs_token_open(&token, uri, options, error);

    cs_token_close(&token);
    return rc;
}

static void test_token_uris(void **state)
{
    cs_token_options options = fixture_options();
    char uri[CS_URI_MAX];

    (void)state;
    assert_ok(opens(fixture_uri(LABEL, ""), &options, error));
    assert_fails(CS_E_TOKEN_ABSENT, opens(fixture_uri("nobody", ""), &options, error));
    assert_fails(CS_E_USAGE, opens("tpm2:0x81000001", &options, error));
    assert_fails(CS_E_USAGE, opens("pkcs11:token", &options, error));
    assert_fails(CS_E_USAGE, opens("pkcs11:token=unit;nonsense=1", &options, error));
    /* what would not be followed */
    assert_fails(CS_E_USAGE, opens(fixture_uri("unit;slot-id=4711", ""), &options, error));
    assert_fails(CS_E_USAGE, opens(fixture_uri("unit;slot-id=0", ""), &options, error));
    assert_fails(CS_E_USAGE, opens(fixture_uri("unit;slot-description=x", ""), &options, error));
    assert_fails(CS_E_USAGE, opens(fixture_uri("unit;slot-manufacturer=x", ""), &options, error));
    assert_fails(CS_E_USAGE, opens(fixture_uri(LABEL, "&module-name=softhsm2"), &options, error));
    assert_fails(
        CS_E_TOKEN_ABSENT, opens(fixture_uri("unit;library-version=9", ""), &options, error));
    assert_fails(CS_E_TOKEN_ABSENT,
        opens("pkcs11:token=unit?module-path=/nonexistent/module.so", &options, error));
    fixture_add_token("twin");
    (void)snprintf(uri, sizeof uri, "pkcs11:model=SoftHSM%%20v2?module-path=%s", fixture_module());
    assert_fails(CS_E_KEY_AMBIGUOUS, opens(uri, &options, error));
}

static void test_key_uris(void **state)
{
    cs_token *token = fixture_open();
    cs_key *a, *b, *key;

    (void)state;
    assert_ok(cs_key_generate(&a, token, "first", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(cs_key_generate(&b, token, "second", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(cs_key_open(&key, token, fixture_key_uri("first"), CS_USE_SIGN, 0, error));
    cs_key_close(&key);
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, fixture_key_uri("third"), CS_USE_SIGN, 0, error));
    assert_fails(
        CS_E_KEY_AMBIGUOUS, cs_key_open(&key, token, "pkcs11:type=private", CS_USE_SIGN, 0, error));
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, "pkcs11:token=other;object=first", CS_USE_SIGN, 0, error));
    assert_fails(CS_E_USAGE,
        cs_key_open(&key, token, "pkcs11:object=first;type=public", CS_USE_SIGN, 0, error));
    assert_fails(CS_E_USAGE, cs_key_open(&key, token, "first", CS_USE_SIGN, 0, error));
    assert_non_null(strstr(cs_key_describe(a)->uri, "token=unit"));
    assert_non_null(strstr(cs_key_describe(a)->uri, "serial="));
    assert_non_null(strstr(cs_key_describe(a)->uri, "object=first"));
    assert_non_null(strstr(cs_key_describe(a)->uri, "type=private"));
    assert_non_null(strstr(cs_key_describe(a)->uri, "module-path="));
    cs_key_close(&a);
    cs_key_close(&b);
    cs_token_close(&token);
}

static void test_pins_in_uris(void **state)
{
    char query[256];

    (void)state;
    assert_ok(opens(fixture_uri(LABEL, "&pin-value=" PIN), NULL, error));
    (void)snprintf(query, sizeof query, "&pin-source=file:%s", fx.pin_file);
    assert_ok(opens(fixture_uri(LABEL, query), NULL, error));
    (void)snprintf(query, sizeof query, "&pin-source=file://%s", fx.pin_file);
    assert_ok(opens(fixture_uri(LABEL, query), NULL, error));
    (void)snprintf(query, sizeof query, "&pin-source=%s", fx.pin_file);
    assert_ok(opens(fixture_uri(LABEL, query), NULL, error));
    (void)snprintf(query, sizeof query, "&pin-source=%s&pin-value=" PIN, fx.pin_file);
    assert_fails(CS_E_USAGE, opens(fixture_uri(LABEL, query), NULL, error));
    assert_fails(CS_E_USAGE, opens(fixture_uri(LABEL, "&pin-source=|cat%20/pin"), NULL, error));
    assert_fails(CS_E_USAGE, opens("pkcs11:token=unit;pin-value=" PIN, NULL, error));
    assert_fails(CS_E_PIN_MISSING, opens(fixture_uri(LABEL, ""), NULL, error));
}

static void test_pins_are_not_told(void **state)
{
    cs_error error;

    (void)state;
    assert_int_equal(
        opens(fixture_uri(LABEL, "&pin-value=" WRONG_PIN), NULL, &error), CS_E_PIN_WRONG);
    assert_null(strstr(error.message, WRONG_PIN));
    assert_non_null(strstr(error.message, "CKR_PIN_INCORRECT"));
    assert_non_null(strstr(error.message, "C_Login"));
    assert_non_null(strstr(error.message, "token unit"));
    assert_non_null(strstr(error.message, fixture_module()));
    assert_int_equal(opens("pkcs11:token=unit;pin-value=" PIN, NULL, &error), CS_E_USAGE);
    assert_null(strstr(error.message, PIN));
    assert_int_equal(
        opens(fixture_uri("nobody", "&pin-value=" PIN), NULL, &error), CS_E_TOKEN_ABSENT);
    assert_null(strstr(error.message, PIN));
}

static int count_tokens(void *context, const cs_token_info *info)
{
    unsigned *count = context;

    if (info->initialised) {
        assert_non_null(strstr(info->uri, "serial="));
        assert_string_equal(info->module, fixture_module());
        ++*count;
    }
    return 0;
}

static int stop(void *context, const cs_token_info *info)
{
    (void)context;
    (void)info;
    return 4711;
}

static void test_list_and_initialise(void **state)
{
    unsigned count = 0;
    cs_token_info info;
    cs_token *token = fixture_open();

    (void)state;
    assert_ok(cs_token_list(fixture_module(), count_tokens, &count, error));
    assert_int_equal(count, 2);
    assert_int_equal(cs_token_list(fixture_module(), stop, NULL, NULL), 4711);
    assert_ok(cs_token_describe(token, &info, error));
    assert_string_equal(info.label, LABEL);
    assert_true(info.initialised && info.login_required && !info.pin_locked);
    cs_token_close(&token);
    assert_fails(CS_E_EXISTS,
        cs_token_initialise(fixture_module(), LABEL, fx.so_pin_file, fx.pin_file, error));
    assert_fails(CS_E_PIN_MISSING,
        cs_token_initialise(fixture_module(), "third", "/nonexistent", fx.pin_file, error));
    fixture_write(fx.wrong_pin_file, "1\n", 0600);
    assert_fails(CS_E_USAGE,
        cs_token_initialise(fixture_module(), "third", fx.so_pin_file, fx.wrong_pin_file, error));
    assert_fails(CS_E_USAGE,
        cs_token_initialise(fixture_module(), "a label that is longer than thirty-two bytes",
            fx.so_pin_file, fx.pin_file, error));
}

static int find_ours(void *context, const cs_token_info *info)
{
    bool *found = context;

    *found = *found || strcmp(info->label, LABEL) == 0;
    return 0;
}

/* Without module-path, the modules that p11-kit is configured with; SoftHSM is one on Debian. */
static void test_configured_modules(void **state)
{
    cs_token_options options = fixture_options();
    cs_token *token;
    cs_key *key;
    bool found = false;
    uint8_t digest[32] = {3}, signature[64];

    (void)state;
    assert_ok(cs_token_list(NULL, find_ours, &found, error));
    /* p11-kit-modules has softhsm2.module on Debian; without it nothing is tested here */
    assert_true(found);
    assert_ok(cs_token_open(&token, "pkcs11:token=" LABEL, &options, error));
    assert_ok(cs_key_generate(&key, token, "configured", CS_USE_SIGN, 0, error));
    assert_ok(cs_key_sign(key, digest, signature, error));
    cs_key_close(&key);
    cs_token_close(&token);
    assert_fails(CS_E_TOKEN_ABSENT, opens("pkcs11:token=nobody", &options, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_uris),
        cmocka_unit_test(test_key_uris),
        cmocka_unit_test(test_pins_in_uris),
        cmocka_unit_test(test_pins_are_not_told),
        cmocka_unit_test(test_list_and_initialise),
        cmocka_unit_test(test_configured_modules),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
