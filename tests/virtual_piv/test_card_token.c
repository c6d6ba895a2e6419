/* SPDX-License-Identifier: Apache-2.0 */
/* A PIV card behind OpenSC as a token: what it can do of the five verbs, and what it costs. */
#include "slot.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int collect(void *context, const cs_key_info *info)
{
    cs_key_info *all = context;

    for (int i = 0; i < 4; i++) {
        if (all[i].use == 0) {
            all[i] = *info;
            return 0;
        }
    }
    return 1;
}

static void test_list(void **state)
{
    cs_key_info keys[4] = {0};
    cs_token_info info;
    cs_token *token;

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    assert_ok(cs_token_describe(token, &info, error));
    assert_string_equal(info.label, "Dr. Ada");
    assert_string_equal(info.serial + 8, "00c0ffee");
    assert_ok(cs_token_list_keys(token, collect, keys, error));
    assert_string_equal(keys[1].label, "SIGN key");
    assert_int_equal(keys[1].use, CS_USE_SIGN);
    assert_true(keys[1].always_authenticate);
    assert_string_equal(keys[2].label, "KEY MAN key");
    assert_int_equal(keys[2].use, CS_USE_AGREE);
    for (int i = 0; i < 4; i++) {
        assert_true(keys[i].sensitive && !keys[i].extractable);
        assert_int_equal(keys[i].public_key_size, 65);
        assert_int_equal(keys[i].always_authenticate, i == 1);
    }
    cs_token_close(&token);
}

/* Each signature by 9C costs one VERIFY and one operation, and by 9A the operation alone. */
static void test_sign(void **state)
{
    cs_token *token;
    cs_key *sign, *auth;

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    sign = slot_key(token, SLOT_SIGN, CS_USE_SIGN);
    auth = slot_key(token, SLOT_AUTH, CS_USE_SIGN);
    slot_forget_commands();
    for (int i = 0; i < 5; i++)
        slot_assert_signs(sign);
    assert_int_equal(slot_commands("87", "9c"), 5);
    assert_int_equal(slot_commands("20", "80"), 5);
    slot_forget_commands();
    for (int i = 0; i < 5; i++)
        slot_assert_signs(auth);
    assert_int_equal(slot_commands("87", "9a"), 5);
    assert_int_equal(slot_commands("20", "80"), 0);
    slot_assert_signs(sign);
    assert_int_equal(slot_tries(), 3);
    cs_key_close(&auth);
    cs_key_close(&sign);
    cs_token_close(&token);
}

static void test_agree(void **state)
{
    cs_token *token;
    cs_key *key;
    uint8_t private_key[32], peer[65], x[32];

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    key = slot_key(token, SLOT_AGREE, CS_USE_AGREE);
    slot_forget_commands();
    for (int i = 0; i < 5; i++)
        slot_assert_agrees(key);
    assert_int_equal(slot_commands("87", "9d"), 5);
    assert_ok(cs_p256_generate(private_key, peer, error));
    peer[64] ^= 1; /* off the curve */
    assert_fails(CS_E_TOKEN, cs_key_agree(key, peer, x, error));
    slot_assert_agrees(key);
    cs_key_close(&key);
    cs_token_close(&token);
}

/* S_X in a retired slot, suite p256: |S·Q| against the other side. */
static void test_scalar(void **state)
{
    cs_token *token;
    cs_key *key;
    cs_point y, q, here, there;
    cs_scalar r;

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    key = slot_key(token, SLOT_RETIRED, CS_USE_SCALAR);
    assert_int_equal(cs_key_describe(key)->public_key_size, 33);
    assert_ok(
        cs_point_decode(&y, CS_SUITE_P256, (cs_view){cs_key_describe(key)->public_key, 33}, error));
    assert_ok(cs_scalar_random(&r, CS_SUITE_P256, error));
    assert_ok(cs_point_base_mul(&q, CS_SUITE_P256, &r, error));
    slot_forget_commands();
    assert_ok(cs_key_scalar_mul(key, &q, &there, error));
    assert_int_equal(slot_commands("87", "82"), 1);
    assert_ok(cs_point_mul(&here, &r, &y, error));
    cs_point_canonical(&here);
    assert_true(cs_point_equal(&here, &there));
    cs_key_close(&key);
    cs_token_close(&token);
}

/* What a PIV card has no way to do is refused for that, and nothing is changed on it. */
static void test_unsuitable(void **state)
{
    cs_token *token;
    cs_delivery delivery;
    cs_key *key;

    (void)state;
    slot_insert("ada", "");
    token = slot_open();
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&key, token, slot_key_uri(SLOT_SIGN), CS_USE_AGREE, CS_SUITE_P256, error));
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&key, token, slot_key_uri(SLOT_AGREE), CS_USE_SIGN, CS_SUITE_P256, error));
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&key, token, slot_key_uri(SLOT_AUTH), CS_USE_ISSUE, CS_SUITE_ED25519, error));
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, slot_key_uri("id=%04"), CS_USE_SIGN, CS_SUITE_P256, error));
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, "pkcs11:id=%02;type=secret-key", CS_USE_PRF, 0, error));
    assert_ok(cs_token_delivery(token, CS_SUITE_P256, &delivery, error));
    assert_int_equal(delivery, CS_DELIVERY_SEALED);
    assert_ok(cs_token_delivery(token, CS_SUITE_ED25519, &delivery, error));
    assert_int_equal(delivery, CS_DELIVERY_SEALED);
    slot_forget_commands();
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_generate(&key, token, "new", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_int_equal(slot_commands("47", ""), 0);
    assert_int_equal(slot_commands("db", ""), 0);
    cs_token_close(&token);
}

/* The time of a visit is that of the card's own operations, and little more. */
static void test_time(void **state)
{
    enum { DELAY_MS = 150, ROUNDS = 4 };
    cs_token *token;
    cs_key *sign, *agree;
    int64_t begin, spent;

    (void)state;
    slot_insert("ada", "--delay-ms 150");
    token = slot_open();
    sign = slot_key(token, SLOT_SIGN, CS_USE_SIGN);
    agree = slot_key(token, SLOT_AGREE, CS_USE_AGREE);
    begin = now_ms();
    for (int i = 0; i < ROUNDS; i++) {
        slot_assert_signs(sign);
        slot_assert_agrees(agree);
    }
    spent = now_ms() - begin;
    print_message("%d operations of %d ms: %lld ms\n", 2 * ROUNDS, DELAY_MS, (long long)spent);
    assert_in_range(spent, 2 * ROUNDS * DELAY_MS, 2 * ROUNDS * DELAY_MS * 115 / 100);
    cs_key_close(&agree);
    cs_key_close(&sign);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_sign, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_agree, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_scalar, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_unsuitable, slot_setup, slot_teardown),
        cmocka_unit_test_setup_teardown(test_time, slot_setup, slot_teardown),
    };

    return cmocka_run_group_tests(tests, slot_group_setup, slot_group_teardown);
}
