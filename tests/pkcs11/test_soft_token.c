/* SPDX-License-Identifier: Apache-2.0 */
/* The software token that the protocol's tests stand on does what SoftHSM does. */
#include "soft_token.h"
#include "test.h"

#include <string.h>

static void test_verbs(void **state)
{
    static const cs_suite suites[] = {CS_SUITE_ED25519, CS_SUITE_P256};
    cs_token *token = cs_soft_token_new();
    uint8_t digest[32] = {1}, signature[64], private_key[32], public_key[65], a[32], b[32];
    cs_key *key;
    cs_point r;
    cs_scalar s;

    (void)state;
    assert_ok(cs_key_generate(&key, token, "sign", CS_USE_SIGN, 0, error));
    assert_ok(cs_key_sign(key, digest, signature, error));
    assert_ok(
        cs_ecdsa_verify((cs_view){cs_key_describe(key)->public_key, 65}, digest, signature, error));
    assert_fails(CS_E_USAGE, cs_key_agree(key, public_key, a, error));
    cs_key_close(&key);
    assert_ok(cs_key_generate(&key, token, "agree", CS_USE_AGREE, 0, error));
    assert_ok(cs_p256_generate(private_key, public_key, error));
    assert_ok(cs_key_agree(key, public_key, a, error));
    assert_ok(cs_p256_ecdh(b, private_key, (cs_view){cs_key_describe(key)->public_key, 65}, error));
    assert_memory_equal(a, b, 32);
    cs_key_close(&key);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(cs_key_destroy(token, "issue", error));
        assert_ok(cs_key_generate(&key, token, "issue", CS_USE_ISSUE, suites[i], error));
        assert_ok(cs_key_issue(key, cs_view_str("m"), &r, &s, error)); /* checks the equation */
        cs_key_close(&key);
        assert_ok(cs_key_open(&key, token, "soft:object=issue", CS_USE_ISSUE, suites[i], error));
        cs_key_close(&key);
    }
    assert_fails(CS_E_EXISTS, cs_key_generate(&key, token, "sign", CS_USE_SIGN, 0, error));
    assert_fails(CS_E_KEY_MISSING, cs_key_open(&key, token, "nothing", CS_USE_SIGN, 0, error));
    assert_fails(CS_E_USAGE, cs_key_open(&key, token, "sign", CS_USE_AGREE, 0, error));
    cs_token_close(&token);
}

static void test_fails_on_demand(void **state)
{
    cs_token *token = cs_soft_token_new();
    uint8_t out[32];
    cs_key *key;

    (void)state;
    assert_ok(cs_key_generate(&key, token, "prf", CS_USE_PRF, 0, error));
    cs_soft_token_fail(token, CS_SOFT_PRF, 2);
    assert_ok(cs_key_prf(key, cs_view_str("x"), out, error));
    assert_fails(CS_E_TOKEN, cs_key_prf(key, cs_view_str("x"), out, error));
    assert_ok(cs_key_prf(key, cs_view_str("x"), out, error));
    cs_soft_token_fail(token, CS_SOFT_ANY, 1);
    assert_fails(CS_E_TOKEN, cs_key_prf(key, cs_view_str("x"), out, error));
    cs_key_close(&key);
    cs_token_close(&token);
}

static void test_deliveries(void **state)
{
    cs_token *token = cs_soft_token_new();
    cs_delivery_key *delivery;
    cs_delivery way;
    uint8_t public_key[65], peer[65], private_key[32], kek[32];
    cs_buf pkcs8 = {0}, wrapped = {0};
    cs_key *key;
    cs_scalar s;
    cs_point y, q, here;

    (void)state;
    assert_ok(cs_token_delivery(token, CS_SUITE_P256, &way, error));
    assert_int_equal(way, CS_DELIVERY_WRAPPED);
    assert_ok(cs_scalar_random(&s, CS_SUITE_P256, error));
    assert_ok(cs_point_base_mul(&y, CS_SUITE_P256, &s, error));
    assert_ok(cs_delivery_key_new(&delivery, token, public_key, error));
    assert_ok(cs_p256_generate(private_key, peer, error));
    assert_ok(cs_p256_ecdh(kek, private_key, CS_VIEW_ARRAY(public_key), error));
    assert_ok(cs_p256_pkcs8(&pkcs8, s.b, error));
    assert_ok(cs_key_wrap_pad(&wrapped, kek, cs_view_buf(&pkcs8), error));
    assert_ok(cs_delivery_key_unwrap(&key, delivery, "S", peer, cs_view_buf(&wrapped), &y, error));
    assert_ok(cs_key_scalar_mul(key, &y, &q, error));
    assert_ok(cs_point_mul(&here, &s, &y, error));
    cs_point_canonical(&here);
    assert_true(cs_point_equal(&here, &q));
    cs_key_close(&key);
    wrapped.p[0] ^= 1;
    assert_fails(CS_E_DECRYPT,
        cs_delivery_key_unwrap(&key, delivery, "S", peer, cs_view_buf(&wrapped), &y, error));
    cs_delivery_key_free(&delivery);
    cs_buf_free(&pkcs8);
    cs_buf_free(&wrapped);
    assert_ok(cs_token_delivery(token, CS_SUITE_ED25519, &way, error));
    assert_int_equal(way, CS_DELIVERY_LIFTED);
    cs_soft_token_deliver_sealed(token, true);
    assert_ok(cs_token_delivery(token, CS_SUITE_P256, &way, error));
    assert_int_equal(way, CS_DELIVERY_SEALED);
    cs_token_close(&token);
}

/* A kind of token that knows nothing of it, as a TPM does not. */
static void test_no_wrapping(void **state)
{
    cs_token *token = cs_soft_token_new();
    uint8_t some[CS_WRAPPING_KEY_SIZE] = {1};
    const cs_unwrapping from = {.key = some, .wrapped = CS_VIEW_ARRAY(some)};
    cs_buf wrapped = {0};
    cs_key *key;

    (void)state;
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_generate_wrapped(&key, &wrapped, token, NULL, "k", CS_USE_PRF, 0, error));
    assert_null(key);
    assert_fails(
        CS_E_TOKEN_UNSUITABLE, cs_key_unwrap(&key, token, &from, "k", CS_USE_PRF, 0, error));
    assert_null(key);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_fails_on_demand),
        cmocka_unit_test(test_deliveries),
        cmocka_unit_test(test_no_wrapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
