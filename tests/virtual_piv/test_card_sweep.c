/* SPDX-License-Identifier: Apache-2.0 */
/* A card that fails at every command of a visit in turn, or is pulled in a signature. */
#include "slot.h"

#include <signal.h>
#include <stdio.h>

/* What a visit does with a card. */
static int visit(cs_error *error)
{
    cs_token_options options = slot_options(card_slot.pin_file);
    uint8_t private_key[32], peer[65], x[32], digest[32] = {1}, signature[64];
    cs_token *token = NULL;
    cs_key *sign = NULL, *agree = NULL;
    int rc = cs_p256_generate(private_key, peer, error);

    if (rc == CS_OK)
        rc = cs_token_open(&token, slot_token_uri("Dr.%20Ada"), &options, error);
    if (rc == CS_OK)
        rc = cs_key_open(&sign, token, slot_key_uri(SLOT_SIGN), CS_USE_SIGN, CS_SUITE_P256, error);
    if (rc == CS_OK)
        rc = cs_key_open(
            &agree, token, slot_key_uri(SLOT_AGREE), CS_USE_AGREE, CS_SUITE_P256, error);
    if (rc == CS_OK)
        rc = cs_key_sign(sign, digest, signature, error);
    if (rc == CS_OK)
        rc = cs_ecdsa_verify(
            (cs_view){cs_key_describe(sign)->public_key, 65}, digest, signature, error);
    if (rc == CS_OK)
        rc = cs_key_agree(agree, peer, x, error);
    cs_key_close(&agree);
    cs_key_close(&sign);
    cs_token_close(&token);
    cs_token_shutdown();
    return rc;
}

/* How many commands a visit takes, those of the reader's own software included. */
static unsigned commands_of_a_visit(void)
{
    cs_error error = {0};

    slot_insert("ada", "");
    assert_int_equal(visit(&error), CS_OK);
    slot_eject();
    return slot_commands("", "");
}

/* Whatever fails, it is a failure that is told or none at all; a right PIN costs no try; and the
 * next visit finds the card as it was. */
static void test_fault_at_every_command(void **state)
{
    unsigned count = commands_of_a_visit(), failed = 0;
    cs_error error;

    (void)state;
    for (unsigned i = 1; i <= count; i++) {
        char options[64];
        int rc;

        (void)snprintf(options, sizeof options, "--fail-at %u:6f00", i);
        slot_insert("ada", options);
        rc = visit(&error);
        if (rc != CS_OK) {
            failed++;
            if (rc == CS_E_PIN_WRONG || rc == CS_E_INTERNAL || error.message[0] == '\0')
                fail_msg("at command %u: %s: %s", i, cs_code_name(rc), error.message);
        }
        rc = visit(&error);
        if (rc != CS_OK)
            fail_msg("after command %u: %s: %s", i, cs_code_name(rc), error.message);
        assert_int_equal(slot_tries(), 3);
        slot_eject();
    }
    print_message("%u commands, %u of which end the visit\n", count, failed);
}

/* The keys are open; the card is pulled at a command of their use, before it or after it is carried
 * out. Either the use fails as one of an absent card, or OpenSC has come to it in another way; and
 * with the card back, the open keys work. */
static void pull_at(const char *fault, unsigned at)
{
    char options[64];
    uint8_t digest[32] = {1}, signature[64];
    cs_token *token;
    cs_key *sign, *agree;
    cs_error error = {0};
    int rc;

    (void)snprintf(options, sizeof options, "%s %u", fault, at);
    slot_insert("ada", options);
    token = slot_open();
    sign = slot_key(token, SLOT_SIGN, CS_USE_SIGN);
    agree = slot_key(token, SLOT_AGREE, CS_USE_AGREE);
    rc = cs_key_sign(sign, digest, signature, &error);
    if (rc != CS_E_TOKEN_ABSENT && rc != CS_E_TOKEN)
        fail_msg("%s %u: %s: %s", fault, at, cs_code_name(rc), error.message);
    slot_wait_until_empty();
    slot_put_back();
    slot_after_backoff();
    slot_assert_signs(sign);
    slot_assert_agrees(agree);
    assert_int_equal(slot_tries(), 3);
    cs_key_close(&agree);
    cs_key_close(&sign);
    cs_token_close(&token);
    slot_eject();
}

/* The VERIFY and the operation: a signature's last two commands. Before them OpenSC asks for the
 * discovery object, each time it comes to the card; when that fails because the card has just gone,
 * and the reader does not know yet, OpenSC 0.23 waits for a lock of its own for ever. */
static void test_pulled_in_a_signature(void **state)
{
    unsigned after;
    cs_token *token;
    cs_key *sign, *agree;

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    sign = slot_key(token, SLOT_SIGN, CS_USE_SIGN);
    agree = slot_key(token, SLOT_AGREE, CS_USE_AGREE);
    slot_assert_signs(sign);
    after = slot_commands("", "");
    assert_int_equal(slot_pins_sent(), 2); /* the login, and this */
    cs_key_close(&agree);
    cs_key_close(&sign);
    cs_token_close(&token);
    slot_eject();
    for (unsigned i = after - 1; i <= after; i++) {
        cs_token_shutdown();
        pull_at("--pull-at", i);
        cs_token_shutdown();
        pull_at("--pull-after", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fault_at_every_command, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_pulled_in_a_signature, slot_setup, slot_teardown),
    };

    return cmocka_run_group_tests(tests, slot_group_setup, slot_group_teardown);
}
