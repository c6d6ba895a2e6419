/* SPDX-License-Identifier: Apache-2.0 */
/* Making a token whose maker may be interrupted. */
#include "fixture.h"

#include <stdio.h>

/* A run that ended after C_InitToken: the same call finds the token, and gives it its PIN once. */
static void test_initialise_again(void **state)
{
    cs_pin_source so_pin = {.kind = CS_PIN_FILE}, pin = {.kind = CS_PIN_FILE};
    cs_pin_source wrong = {.kind = CS_PIN_FILE};
    cs_token_options options = fixture_options();
    cs_token_vacancy vacancy;
    cs_token *token = NULL;

    (void)state;
    (void)snprintf(so_pin.path, sizeof so_pin.path, "%s", fx.so_pin_file);
    (void)snprintf(pin.path, sizeof pin.path, "%s", fx.pin_file);
    (void)snprintf(wrong.path, sizeof wrong.path, "%s", fx.wrong_pin_file);
    fixture_write(fx.wrong_pin_file, WRONG_PIN "\n", 0600);
    assert_ok(cs_token_find_vacancy(&vacancy, fixture_module(), "again", error));
    assert_int_equal(vacancy.pin_least, 4); /* SoftHSM's */
    assert_int_equal(vacancy.pin_most, 255);
    assert_fails(CS_E_EXISTS, cs_token_find_vacancy(&vacancy, fixture_module(), LABEL, error));
    fixture_script("C_InitPIN 1 fail 5\n");
    assert_fails(
        CS_E_TOKEN, cs_token_initialise_again(fixture_module(), "again", &so_pin, &pin, error));
    fixture_script("");
    assert_fails(
        CS_E_PIN_MISSING, cs_token_open(&token, fixture_uri("again", ""), &options, error));
    assert_fails(
        CS_E_PIN_WRONG, cs_token_initialise_again(fixture_module(), "again", &wrong, &pin, error));
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(cs_token_initialise_again(fixture_module(), "again", &so_pin, &pin, error));
        assert_ok(cs_token_open(&token, fixture_uri("again", ""), &options, error));
        cs_token_close(&token);
    }
    assert_int_equal(fixture_calls("C_InitToken"), 0);
    assert_int_equal(fixture_calls("C_InitPIN"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_initialise_again)};

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
