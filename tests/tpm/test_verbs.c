/* SPDX-License-Identifier: Apache-2.0 */
/* The five verbs on a TPM, each against the same arithmetic in software. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void test_sign(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key, *again;
    uint8_t digest[32], signature[64];
    const cs_key_info *info;

    (void)state;
    assert_ok(cs_key_generate(&key, token, "signing", CS_USE_SIGN, CS_SUITE_P256, error));
    info = cs_key_describe(key);
    assert_int_equal(info->public_key_size, 65);
    assert_true(info->sensitive && !info->extractable && info->local);
    assert_true(info->always_sensitive && info->never_extractable);
    assert_string_equal(info->label, "signing");
    for (int i = 0; i < 20; i++) {
        cs_random(digest, sizeof digest);
        assert_ok(cs_key_sign(key, digest, signature, error));
        assert_ok(cs_ecdsa_verify((cs_view){info->public_key, 65}, digest, signature, error));
    }
    digest[0] ^= 1;
    assert_fails(
        CS_E_SIGNATURE, cs_ecdsa_verify((cs_view){info->public_key, 65}, digest, signature, error));

    /* the URI that the key tells opens the same key */
    assert_ok(cs_key_open(&again, token, info->uri, CS_USE_SIGN, CS_SUITE_P256, error));
    assert_memory_equal(cs_key_describe(again)->public_key, info->public_key, 65);
    assert_ok(cs_key_sign(again, digest, signature, error));
    assert_ok(cs_ecdsa_verify((cs_view){info->public_key, 65}, digest, signature, error));
    cs_key_close(&again);
    cs_key_close(&key);
    assert_null(key);
    cs_token_close(&token);
}

static void test_agree(void **state)
{
    cs_token *token = fixture_open();
    cs_op_counts before = cs_ops_of_thread(), spent;
    cs_key *key;
    uint8_t private_key[32], public_key[65], here[32], there[32];

    (void)state;
    assert_ok(cs_key_generate(&key, token, "decrypting", CS_USE_AGREE, CS_SUITE_P256, error));
    for (int i = 0; i < 20; i++) {
        assert_ok(cs_p256_generate(private_key, public_key, error));
        assert_ok(cs_key_agree(key, public_key, there, error));
        assert_ok(cs_p256_ecdh(
            here, private_key, (cs_view){cs_key_describe(key)->public_key, 65}, error));
        assert_memory_equal(here, there, 32);
    }
    spent = cs_ops_between(before, cs_ops_of_thread());
    assert_int_equal(spent.agree, 20);
    public_key[64] ^= 1; /* off the curve */
    assert_fails(CS_E_POINT, cs_key_agree(key, public_key, there, error));
    public_key[64] ^= 1;
    assert_ok(cs_key_agree(key, public_key, there, error));
    assert_memory_equal(here, there, 32);
    cs_key_close(&key);
    cs_token_close(&token);
}

static void test_issue(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key;
    cs_point pk, r, y, expected;
    cs_scalar s;
    char text[32];

    (void)state;
    assert_ok(cs_key_generate(&key, token, "master", CS_USE_ISSUE, CS_SUITE_P256, error));
    assert_int_equal(cs_key_describe(key)->public_key_size, 33);
    assert_ok(cs_point_decode(
        &pk, CS_SUITE_P256, (cs_view){cs_key_describe(key)->public_key, 33}, error));
    for (int i = 0; i < 20; i++) {
        cs_view m;

        (void)snprintf(text, sizeof text, "m_X %d", i);
        m = cs_view_str(text);
        assert_ok(cs_key_issue(key, m, &r, &s, error));
        assert_ok(cs_issue_verify(&s, &r, &pk, m, &y, error)); /* Eq. 4 */
        assert_ok(cs_implicit_public(&expected, &r, &pk, m, error));
        assert_true(cs_point_equal(&y, &expected));
        assert_fails(CS_E_CREDENTIAL,
            cs_issue_verify(&s, &r, &pk, cs_view_str("another message"), &y, error));
    }
    cs_key_close(&key);
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_generate(&key, token, "master-ed", CS_USE_ISSUE, CS_SUITE_ED25519, error));
    cs_token_close(&token);
}

/* The storage key is not to be had, so long inputs are compared with an HMAC of the same key that
 * tpm2-tools makes. */
static void same_as_tools(cs_key *key, size_t n)
{
    char in[160], out[160];
    uint8_t bytes[5000], here[32], there[32];
    FILE *file;

    assert_true(n <= sizeof bytes);
    cs_random(bytes, sizeof bytes);
    (void)snprintf(in, sizeof in, "%s/in", fx.directory);
    (void)snprintf(out, sizeof out, "%s/out", fx.directory);
    file = fopen(in, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    assert_ok(cs_key_prf(key, (cs_view){bytes, n}, here, error));
    assert_int_equal(
        fixture_shell("cd %s && tpm2_load -Q -r keys/storage.pem -c ctx && tpm2_flushcontext -t && "
                      "tpm2_hmac -Q -c ctx -p " PIN " -o %s %s && tpm2_flushcontext -t",
            fx.directory, out, in),
        0);
    file = fopen(out, "r");
    assert_non_null(file);
    assert_int_equal(fread(there, 1, sizeof there, file), sizeof there);
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(here, there, 32);
}

static void test_prf(void **state)
{
    static const size_t sizes[] = {1, 64, 1023, 1024, 1025, 2048, 2049, 4096, 5000};
    cs_token *token = fixture_open();
    cs_key *key, *again, *other;
    uint8_t a[32], b[32];

    (void)state;
    assert_ok(cs_key_generate(&key, token, "storage", CS_USE_PRF, CS_SUITE_P256, error));
    assert_ok(cs_key_generate(&other, token, "storage2", CS_USE_PRF, CS_SUITE_P256, error));
    assert_int_equal(cs_key_describe(key)->public_key_size, 0);
    assert_ok(cs_key_open(&again, token, cs_key_describe(key)->uri, CS_USE_PRF, 0, error));
    assert_ok(cs_key_prf(key, cs_view_str("index"), a, error));
    assert_ok(cs_key_prf(again, cs_view_str("index"), b, error));
    assert_memory_equal(a, b, 32);
    assert_ok(cs_key_prf(key, cs_view_str("record"), b, error));
    assert_memory_not_equal(a, b, 32);
    assert_ok(cs_key_prf(other, cs_view_str("index"), b, error));
    assert_memory_not_equal(a, b, 32);
    assert_ok(cs_key_prf(key, (cs_view){NULL, 0}, a, error));
    assert_ok(cs_key_prf(key, cs_view_str(""), b, error));
    assert_memory_equal(a, b, 32);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        same_as_tools(key, sizes[i]);
    cs_key_close(&other);
    cs_key_close(&again);
    cs_key_close(&key);
    cs_token_close(&token);
}

static void test_uses_refused(void **state)
{
    cs_token *token = fixture_open();
    cs_key *sign, *agree, *key;
    uint8_t bytes[65] = {0};
    cs_point point = {.suite = CS_SUITE_P256};
    cs_scalar s;

    (void)state;
    assert_ok(cs_key_generate(&sign, token, "only-sign", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(cs_key_generate(&agree, token, "only-agree", CS_USE_AGREE, CS_SUITE_P256, error));
    assert_fails(CS_E_USAGE, cs_key_agree(sign, bytes, bytes, error));
    assert_fails(CS_E_USAGE, cs_key_prf(sign, cs_view_str("x"), bytes, error));
    assert_fails(CS_E_USAGE, cs_key_issue(sign, cs_view_str("x"), &point, &s, error));
    assert_fails(CS_E_USAGE, cs_key_scalar_mul(agree, &point, &point, error));
    /* the key's own attributes count too */
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&key, token, cs_key_describe(sign)->uri, CS_USE_AGREE, CS_SUITE_P256, error));
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&key, token, cs_key_describe(agree)->uri, CS_USE_SIGN, CS_SUITE_P256, error));
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&key, token, cs_key_describe(sign)->uri, CS_USE_ISSUE, CS_SUITE_P256, error));
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&key, token, cs_key_describe(sign)->uri, CS_USE_PRF, CS_SUITE_P256, error));
    assert_fails(
        CS_E_USAGE, cs_key_generate(&key, token, "S_X", CS_USE_SCALAR, CS_SUITE_P256, error));
    assert_fails(
        CS_E_EXISTS, cs_key_generate(&key, token, "only-sign", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_null(key);
    cs_key_close(&agree);
    cs_key_close(&sign);
    assert_ok(cs_key_destroy(token, "only-sign", error));
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, fixture_key_uri("only-sign"), CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(cs_key_destroy(token, "only-sign", error));
    assert_ok(cs_key_generate(&key, token, "only-sign", CS_USE_SIGN, CS_SUITE_P256, error));
    cs_key_close(&key);
    cs_token_close(&token);
}

static void test_nothing_left(void **state)
{
    (void)state;
    assert_int_equal(fixture_loaded(), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_issue),
        cmocka_unit_test(test_prf),
        cmocka_unit_test(test_uses_refused),
        cmocka_unit_test(test_nothing_left),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
