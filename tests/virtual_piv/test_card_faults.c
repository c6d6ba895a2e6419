/* SPDX-License-Identifier: Apache-2.0 */
/* Cards as they are used: pulled, mixed up, reset by others, with wrong PINs, failing anywhere. */
#include "slot.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <winscard.h>

/* -- out and in */

static void test_pulled_and_put_back(void **state)
{
    cs_token *token;
    cs_key *sign, *agree;
    uint8_t digest[32] = {1}, signature[64];

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    sign = slot_key(token, SLOT_SIGN, CS_USE_SIGN);
    agree = slot_key(token, SLOT_AGREE, CS_USE_AGREE);
    slot_assert_signs(sign);
    slot_pull();
    assert_fails(CS_E_TOKEN_ABSENT, cs_key_sign(sign, digest, signature, error));
    slot_put_back();
    slot_after_backoff();
    slot_assert_signs(sign);
    slot_assert_agrees(agree);
    /* so quickly that nobody has asked for it meanwhile */
    slot_pull();
    slot_put_back();
    slot_assert_agrees(agree);
    slot_assert_signs(sign);
    assert_int_equal(slot_tries(), 3);
    cs_key_close(&agree);
    cs_key_close(&sign);
    cs_token_close(&token);
}

static void test_another_card_instead(void **state)
{
    cs_token *token;
    cs_key *sign;
    uint8_t digest[32] = {1}, signature[64];

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    sign = slot_key(token, SLOT_SIGN, CS_USE_SIGN);
    slot_eject();
    slot_insert("bob", "");
    assert_fails(CS_E_TOKEN_ABSENT, cs_key_sign(sign, digest, signature, error));
    assert_int_equal(slot_tries(), 3); /* Bob's card was not tried with Ada's PIN */
    assert_int_equal(slot_commands("87", ""), 0);
    slot_eject();
    slot_insert("ada", "");
    slot_after_backoff();
    slot_assert_signs(sign);
    cs_key_close(&sign);
    cs_token_close(&token);
}

/* -- others at the card */

static void reset_by_another(DWORD disposition)
{
    SCARDCONTEXT context;
    SCARDHANDLE card;
    DWORD protocol;

    assert_int_equal(
        SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context), SCARD_S_SUCCESS);
    assert_int_equal(SCardConnect(context, "Virtual PCD 00 00", SCARD_SHARE_SHARED,
                         SCARD_PROTOCOL_T1, &card, &protocol),
        SCARD_S_SUCCESS);
    assert_int_equal(SCardDisconnect(card, disposition), SCARD_S_SUCCESS);
    (void)SCardReleaseContext(context);
}

static void test_reset_by_another(void **state)
{
    cs_token *token;
    cs_key *sign, *agree;

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    sign = slot_key(token, SLOT_SIGN, CS_USE_SIGN);
    agree = slot_key(token, SLOT_AGREE, CS_USE_AGREE);
    reset_by_another(SCARD_RESET_CARD);
    slot_assert_signs(sign);
    reset_by_another(SCARD_RESET_CARD);
    slot_assert_agrees(agree);
    reset_by_another(SCARD_LEAVE_CARD);
    slot_assert_signs(sign);
    reset_by_another(SCARD_UNPOWER_CARD);
    slot_assert_agrees(agree);
    assert_int_equal(slot_tries(), 3);
    cs_key_close(&agree);
    cs_key_close(&sign);
    cs_token_close(&token);
}

/* -- PINs */

static void test_wrong_pin(void **state)
{
    cs_token_options wrong = slot_options(card_slot.wrong_pin_file);
    cs_token *token = NULL;

    (void)state;
    slot_insert("ada", "");
    for (int i = 0; i < 3; i++)
        assert_fails(
            CS_E_PIN_WRONG, cs_token_open(&token, slot_token_uri("Dr.%20Ada"), &wrong, error));
    assert_int_equal(slot_tries(), 2); /* sent once */
    token = slot_open();
    cs_token_close(&token);
    assert_int_equal(slot_tries(), 3);
}

/* The last try is left alone, unless forced. */
static void test_final_try(void **state)
{
    cs_token_options right = slot_options(card_slot.pin_file);
    cs_token *token = NULL;

    (void)state;
    slot_set_tries("ada", 1);
    slot_insert("ada", "");
    assert_fails(
        CS_E_PIN_FINAL_TRY, cs_token_open(&token, slot_token_uri("Dr.%20Ada"), &right, error));
    assert_int_equal(slot_tries(), 1);
    right.force_final_try = true;
    assert_ok(cs_token_open(&token, slot_token_uri("Dr.%20Ada"), &right, error));
    assert_int_equal(slot_tries(), 3);
    cs_token_close(&token);
}

static void test_locked_pin(void **state)
{
    cs_token_options right = slot_options(card_slot.pin_file);
    cs_token *token = NULL;

    (void)state;
    slot_set_tries("ada", 0);
    slot_insert("ada", "");
    assert_fails(
        CS_E_PIN_LOCKED, cs_token_open(&token, slot_token_uri("Dr.%20Ada"), &right, error));
    assert_int_equal(slot_pins_sent(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pulled_and_put_back, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_another_card_instead, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_reset_by_another, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_pin, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_final_try, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_locked_pin, slot_setup, slot_teardown),
    };

    return cmocka_run_group_tests(tests, slot_group_setup, slot_group_teardown);
}
