/* SPDX-License-Identifier: Apache-2.0 */
/* S_X comes to SoftHSM in each of the three ways, and multiplies as the software does. */
#include "fixture.h"

#include <chartseal/hpke.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 10

static void new_scalar(cs_suite suite, cs_scalar *s, cs_point *y)
{
    uint8_t k[CS_X25519_SIZE];
    bool found = suite == CS_SUITE_P256;

    do {
        assert_ok(cs_scalar_random(s, suite, error));
        if (suite == CS_SUITE_ED25519)
            assert_ok(cs_x25519_lift(k, &found, s, error));
    } while (!found);
    assert_ok(cs_point_base_mul(y, suite, s, error));
}

static void multiplies_as(cs_key *key, const cs_scalar *s, cs_suite suite)
{
    cs_scalar k;
    cs_point q, here, there;

    for (int i = 0; i < ROUNDS; i++) {
        assert_ok(cs_scalar_random(&k, suite, error));
        assert_ok(cs_point_base_mul(&q, suite, &k, error));
        assert_ok(cs_point_mul(&here, s, &q, error));
        cs_point_canonical(&here);
        assert_ok(cs_key_scalar_mul(key, &q, &there, error));
        assert_true(cs_point_equal(&here, &there));
    }
}

static void shows(const cs_key *key, const cs_point *y)
{
    const cs_key_info *info = cs_key_describe(key);
    cs_view shown = {info->public_key, info->public_key_size};

    assert_true(cs_view_equal(shown, cs_point_view(y)));
    assert_true(info->sensitive && !info->extractable && !info->local);
    assert_int_equal(info->use, CS_USE_SCALAR);
}

static void reopens(cs_token *token, const char *label, const cs_scalar *s, const cs_point *y)
{
    cs_key *key;

    assert_ok(cs_key_open(&key, token, fixture_key_uri(label), CS_USE_SCALAR, y->suite, error));
    shows(key, y);
    multiplies_as(key, s, y->suite);
    cs_key_close(&key);
}

static struct {
    const cs_point *y;
    char uri[CS_URI_MAX];
} shown;

static int is_shown(void *context, const cs_key_info *info)
{
    (void)context;
    if (cs_view_equal((cs_view){info->public_key, info->public_key_size}, cs_point_view(shown.y)))
        (void)snprintf(shown.uri, sizeof shown.uri, "%s", info->uri);
    return 0;
}

/* By the URI that the token's listing has for it. */
static void open_shown(cs_key **out, cs_token *token, const cs_point *y)
{
    shown.y = y;
    assert_ok(cs_token_list_keys(token, is_shown, NULL, error));
    assert_ok(cs_key_open(out, token, shown.uri, CS_USE_SCALAR, y->suite, error));
}

/* The old one can be used until it is said that it may go; then the new one is alone. */
static void takes_over(cs_token *token, const char *label, const cs_scalar *old,
    const cs_point *old_y, cs_key *new_key, const cs_scalar *s)
{
    cs_point y;
    cs_key *key = NULL, *gone = NULL;

    assert_fails(CS_E_KEY_AMBIGUOUS,
        cs_key_open(&key, token, fixture_key_uri(label), CS_USE_SCALAR, old_y->suite, error));
    open_shown(&key, token, old_y);
    multiplies_as(key, old, old_y->suite);
    multiplies_as(new_key, s, old_y->suite);
    assert_ok(cs_key_remove_others(new_key, error));
    assert_fails(
        CS_E_KEY_MISSING, cs_key_open(&gone, token, shown.uri, CS_USE_SCALAR, old_y->suite, error));
    assert_ok(cs_point_base_mul(&y, old_y->suite, s, error));
    cs_key_close(&key);
    cs_key_close(&new_key);
    reopens(token, label, s, &y);
}

static void test_lifted(void **state)
{
    cs_token *token = fixture_open();
    cs_delivery delivery;
    cs_key *key;
    cs_scalar s, other;
    cs_point y, other_y;

    (void)state;
    assert_ok(cs_token_delivery(token, CS_SUITE_ED25519, &delivery, error));
    assert_int_equal(delivery, CS_DELIVERY_LIFTED);
    new_scalar(CS_SUITE_ED25519, &s, &y);
    assert_ok(cs_key_import_lifted(&key, token, "S-lifted", &s, &y, error));
    shows(key, &y);
    multiplies_as(key, &s, CS_SUITE_ED25519);
    cs_key_close(&key);
    reopens(token, "S-lifted", &s, &y);

    /* not the private key of that Y: refused, and the old one stays */
    new_scalar(CS_SUITE_ED25519, &other, &other_y);
    assert_fails(CS_E_CREDENTIAL, cs_key_import_lifted(&key, token, "S-lifted", &other, &y, error));
    reopens(token, "S-lifted", &s, &y);
    assert_ok(cs_key_import_lifted(&key, token, "S-lifted", &other, &other_y, error));
    takes_over(token, "S-lifted", &s, &y, key, &other);
    cs_token_close(&token);
}

static void test_no_lift(void **state)
{
    cs_token *token = fixture_open();
    uint8_t k[CS_X25519_SIZE];
    bool found = true;
    cs_key *key;
    cs_scalar s;
    cs_point y;

    (void)state;
    while (found) {
        assert_ok(cs_scalar_random(&s, CS_SUITE_ED25519, error));
        assert_ok(cs_x25519_lift(k, &found, &s, error));
    }
    assert_ok(cs_point_base_mul(&y, CS_SUITE_ED25519, &s, error));
    assert_fails(CS_E_SCALAR, cs_key_import_lifted(&key, token, "S-none", &s, &y, error));
    assert_fails(CS_E_KEY_MISSING, cs_key_open(&key, token, fixture_key_uri("S-none"),
                                       CS_USE_SCALAR, CS_SUITE_ED25519, error));
    cs_token_close(&token);
}

/* What the issuer does with the delivery key. */
static void wrap_for(
    const uint8_t delivery_public[65], const cs_scalar *s, uint8_t peer[65], cs_buf *wrapped)
{
    uint8_t private_key[32], kek[32];
    cs_buf pkcs8 = {0};

    assert_ok(cs_p256_generate(private_key, peer, error));
    assert_ok(cs_p256_ecdh(kek, private_key, (cs_view){delivery_public, 65}, error));
    assert_ok(cs_p256_pkcs8(&pkcs8, s->b, error));
    cs_buf_clear(wrapped);
    assert_ok(cs_key_wrap_pad(wrapped, kek, cs_view_buf(&pkcs8), error));
    cs_buf_free(&pkcs8);
}

static void test_wrapped(void **state)
{
    cs_token *token = fixture_open_with(1, 0); /* one session is enough */
    cs_delivery_key *delivery;
    cs_delivery way;
    uint8_t public_key[65], peer[65];
    cs_buf wrapped = {0};
    cs_key *key;
    cs_scalar s, other;
    cs_point y, other_y;

    (void)state;
    assert_ok(cs_token_delivery(token, CS_SUITE_P256, &way, error));
    assert_int_equal(way, CS_DELIVERY_WRAPPED);
    new_scalar(CS_SUITE_P256, &s, &y);
    assert_ok(cs_delivery_key_new(&delivery, token, public_key, error));
    wrap_for(public_key, &s, peer, &wrapped);
    assert_ok(cs_delivery_key_unwrap(
        &key, delivery, "S-wrapped", peer, cs_view_buf(&wrapped), &y, error));
    shows(key, &y);
    multiplies_as(key, &s, CS_SUITE_P256);
    cs_key_close(&key);
    reopens(token, "S-wrapped", &s, &y);

    new_scalar(CS_SUITE_P256, &other, &other_y);
    wrap_for(public_key, &other, peer, &wrapped);
    assert_fails(CS_E_CREDENTIAL, cs_delivery_key_unwrap(&key, delivery, "S-wrapped", peer,
                                      cs_view_buf(&wrapped), &y, error));
    wrapped.p[8] ^= 1;
    assert_fails(CS_E_DECRYPT, cs_delivery_key_unwrap(&key, delivery, "S-wrapped", peer,
                                   cs_view_buf(&wrapped), &other_y, error));
    reopens(token, "S-wrapped", &s, &y);
    wrapped.p[8] ^= 1;
    assert_ok(cs_delivery_key_unwrap(
        &key, delivery, "S-wrapped", peer, cs_view_buf(&wrapped), &other_y, error));
    cs_delivery_key_free(&delivery);
    takes_over(token, "S-wrapped", &s, &y, key, &other);
    cs_buf_free(&wrapped);
    cs_token_close(&token);
}

/* An operation in between fails, and its session with it: that of the pair stays for as long as the
 * pair, and no longer. */
static void test_session_is_held(void **state)
{
    cs_token *token = fixture_open_with(1, 1000);
    uint8_t public_key[65], peer[65], digest[32] = {1}, signature[64];
    cs_delivery_key *delivery, *second;
    cs_buf wrapped = {0};
    cs_key *sign, *key;
    cs_scalar s;
    cs_point y;

    (void)state;
    new_scalar(CS_SUITE_P256, &s, &y);
    assert_ok(cs_key_generate(&sign, token, "between", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(cs_delivery_key_new(&delivery, token, public_key, error));
    assert_ok(cs_delivery_key_new(&second, token, peer, error));
    wrap_for(public_key, &s, peer, &wrapped);
    fixture_script("C_Sign 1 fail 0x6\n"); /* CKR_FUNCTION_FAILED */
    assert_fails(CS_E_TOKEN, cs_key_sign(sign, digest, signature, error));
    assert_ok(cs_key_sign(sign, digest, signature, error)); /* by another session */
    assert_int_equal(fixture_calls("C_CloseSession"), 0);
    cs_delivery_key_free(&second); /* of the same session */
    assert_int_equal(fixture_calls("C_CloseSession"), 0);
    assert_ok(
        cs_delivery_key_unwrap(&key, delivery, "S-held", peer, cs_view_buf(&wrapped), &y, error));
    multiplies_as(key, &s, CS_SUITE_P256);
    cs_key_close(&key);
    cs_delivery_key_free(&delivery);
    assert_int_equal(fixture_calls("C_CloseSession"), 1);
    assert_int_equal(fixture_calls("C_OpenSession"), 1);
    assert_ok(cs_key_sign(sign, digest, signature, error));
    assert_int_equal(fixture_calls("C_OpenSession"), 1);
    assert_int_equal(fixture_calls("C_Login"), 0);
    fixture_script("");
    cs_key_close(&sign);
    cs_buf_free(&wrapped);
    cs_token_close(&token);
}

/* In a child of a fork the pair is not there: its handles are not used, whatever has them, and the
 * parent's pair stays. */
static void test_pair_is_not_inherited(void **state)
{
    cs_token *token = fixture_open();
    uint8_t public_key[65], peer[65], digest[32] = {1}, signature[64];
    cs_delivery_key *delivery;
    cs_buf wrapped = {0};
    cs_key *sign, *key;
    cs_scalar s;
    cs_point y;
    pid_t child;
    int status;

    (void)state;
    new_scalar(CS_SUITE_P256, &s, &y);
    assert_ok(cs_key_generate(&sign, token, "forked", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(cs_delivery_key_new(&delivery, token, public_key, error));
    wrap_for(public_key, &s, peer, &wrapped);
    fixture_script("");
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int rc = cs_key_sign(sign, digest, signature, NULL);

        if (rc == CS_OK)
            rc = cs_delivery_key_unwrap(&key, delivery, "S-forked", peer, cs_view_buf(&wrapped), &y,
                     NULL) == CS_E_TOKEN
                     ? CS_OK
                     : CS_E_INTERNAL;
        cs_delivery_key_free(&delivery);
        _exit(rc == CS_OK && fixture_calls("C_DestroyObject") == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_ok(
        cs_delivery_key_unwrap(&key, delivery, "S-forked", peer, cs_view_buf(&wrapped), &y, error));
    multiplies_as(key, &s, CS_SUITE_P256);
    cs_key_close(&key);
    cs_delivery_key_free(&delivery);
    cs_key_close(&sign);
    cs_buf_free(&wrapped);
    cs_token_close(&token);
}

static void sealed_in(cs_suite suite, cs_key *agree)
{
    const cs_key_info *info = cs_key_describe(agree);
    cs_view puk = {info->public_key, info->public_key_size};
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf sealed = {0};
    cs_op_counts before, spent;
    cs_key *key;
    cs_scalar s;
    cs_point y, out;

    new_scalar(suite, &s, &y);
    assert_ok(cs_hpke_seal(enc, &sealed, puk, cs_view_str("chartseal/1 S_X"), cs_point_view(&y),
        CS_VIEW_ARRAY(s.b), NULL, error));
    assert_ok(cs_key_open_sealed(
        &key, agree, CS_VIEW_ARRAY(enc), cs_view_buf(&sealed), suite, &y, error));
    assert_int_equal(cs_key_describe(key)->custody, CS_CUSTODY_SEALED);
    assert_true(info->always_sensitive && info->never_extractable);
    info = cs_key_describe(key); /* came from outside, whatever holds for the key around it */
    assert_true(!info->local && !info->always_sensitive && !info->never_extractable);
    before = cs_ops_of_thread();
    multiplies_as(key, &s, suite);
    spent = cs_ops_between(before, cs_ops_of_thread());
    assert_int_equal(spent.agree, ROUNDS);
    assert_int_equal(spent.scalar_mul, ROUNDS);
    cs_key_close(&key);

    assert_fails(CS_E_MALFORMED, cs_key_open_sealed(&key, agree, CS_VIEW_ARRAY(enc),
                                     (cs_view){sealed.p, sealed.n - 1}, suite, &y, error));
    sealed.p[0] ^= 1; /* altered: found at the first use */
    assert_ok(cs_key_open_sealed(
        &key, agree, CS_VIEW_ARRAY(enc), cs_view_buf(&sealed), suite, &y, error));
    assert_fails(CS_E_DECRYPT, cs_key_scalar_mul(key, &y, &out, error));
    assert_int_equal(CS_E_DECRYPT, cs_key_scalar_mul(key, &y, &out, NULL));
    cs_key_close(&key);
    cs_buf_free(&sealed);
}

/* Out of its seal once, for a token that takes it in another way; not another than Y's. */
static void unsealed_in(cs_suite suite, cs_key *agree)
{
    const cs_key_info *info = cs_key_describe(agree);
    cs_view puk = {info->public_key, info->public_key_size};
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf sealed = {0};
    cs_op_counts before, spent;
    cs_key *key;
    cs_scalar s, other, taken;
    cs_point y, other_y;

    new_scalar(suite, &s, &y);
    new_scalar(suite, &other, &other_y);
    for (int i = 0; i < 2; i++) {
        cs_view of = i == 0 ? CS_VIEW_ARRAY(s.b) : CS_VIEW_ARRAY(other.b);

        cs_buf_clear(&sealed);
        assert_ok(cs_hpke_seal(
            enc, &sealed, puk, cs_view_str("chartseal/1 S_X"), cs_point_view(&y), of, NULL, error));
        assert_ok(cs_key_open_sealed(
            &key, agree, CS_VIEW_ARRAY(enc), cs_view_buf(&sealed), suite, &y, error));
        before = cs_ops_of_thread();
        if (i == 0) {
            assert_ok(cs_key_unseal(&taken, key, error));
            assert_memory_equal(taken.b, s.b, sizeof s.b);
        } else {
            assert_fails(CS_E_CREDENTIAL, cs_key_unseal(&taken, key, error));
            assert_memory_not_equal(taken.b, other.b, sizeof other.b);
        }
        spent = cs_ops_between(before, cs_ops_of_thread());
        assert_int_equal(spent.agree, 1);
        assert_int_equal(spent.scalar_mul, 0);
        cs_key_close(&key);
    }
    assert_fails(CS_E_USAGE, cs_key_unseal(&taken, agree, error));
    cs_buf_free(&sealed);
}

static void test_sealed(void **state)
{
    cs_token *token = fixture_open();
    cs_key *agree;

    (void)state;
    assert_ok(cs_key_generate(&agree, token, "opens", CS_USE_AGREE, CS_SUITE_P256, error));
    sealed_in(CS_SUITE_ED25519, agree);
    sealed_in(CS_SUITE_P256, agree);
    unsealed_in(CS_SUITE_ED25519, agree);
    unsealed_in(CS_SUITE_P256, agree);
    cs_key_close(&agree);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifted),
        cmocka_unit_test(test_no_lift),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_session_is_held),
        cmocka_unit_test(test_pair_is_not_inherited),
        cmocka_unit_test(test_sealed),
    };

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
