/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says, or does not say, of a key, and for what it is refused. */
#include "fixture.h"
#include "other.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static int opens(cs_token *token, const char *label, cs_use use, cs_error *error)
{
    cs_key *key;
    int rc = cs_key_open(&key, token, fixture_key_uri(label), use, CS_SUITE_P256, error);

    cs_key_close(&key);
    return rc;
}

static void generate(cs_token *token, const char *label, cs_use use)
{
    cs_key *key;

    assert_ok(cs_key_generate(&key, token, label, use, CS_SUITE_ED25519, error));
    cs_key_close(&key);
}

static void hide(CK_ATTRIBUTE_TYPE type)
{
    char script[64];

    (void)snprintf(script, sizeof script, "C_GetAttributeValue * hide 0x%lx\n", type);
    fixture_script(script);
}

/* Silence about reading out is taken for the worse; about what else is permitted, it is not. */
static void test_unsaid(void **state)
{
    static const CK_ATTRIBUTE_TYPE permitted[] = {
        CKA_DECRYPT, CKA_UNWRAP, CKA_PRIVATE, CKA_ALWAYS_AUTHENTICATE};
    cs_token *token = fixture_open();

    (void)state;
    generate(token, "unsaid", CS_USE_SIGN);
    hide(CKA_EXTRACTABLE);
    assert_fails(CS_E_KEY_EXPOSED, opens(token, "unsaid", CS_USE_SIGN, error));
    hide(CKA_SENSITIVE);
    assert_fails(CS_E_KEY_EXPOSED, opens(token, "unsaid", CS_USE_SIGN, error));
    for (size_t i = 0; i < sizeof permitted / sizeof permitted[0]; i++) {
        hide(permitted[i]);
        assert_ok(opens(token, "unsaid", CS_USE_SIGN, error));
    }
    fixture_script("");
    cs_token_close(&token);
}

static void test_other_uses(void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE permission;
        cs_use use;
        int wanted;
    } cases[] = {
        {CKA_DECRYPT, CS_USE_AGREE, CS_OK}, /* cards say so of keys that cannot */
        {CKA_SIGN, CS_USE_AGREE, CS_E_TOKEN_UNSUITABLE},
        {CKA_SIGN, CS_USE_SCALAR, CS_E_TOKEN_UNSUITABLE},
        {CKA_DECRYPT, CS_USE_SCALAR, CS_E_TOKEN_UNSUITABLE},
        {CKA_UNWRAP, CS_USE_SCALAR, CS_E_TOKEN_UNSUITABLE},
        {CKA_VERIFY, CS_USE_SCALAR, CS_OK}, /* nothing that is asked for */
    };
    static const CK_ATTRIBUTE_TYPE permissions[] = {CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP};
    cs_token *token = fixture_open();
    other_user o = other_open(true);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CK_ATTRIBUTE more[6] = {
            {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_DERIVE, &yes, 1}};
        CK_OBJECT_HANDLE public_key, private_key;

        for (size_t j = 0; j < 3; j++)
            more[3 + j] = (CK_ATTRIBUTE){
                permissions[j], permissions[j] == cases[i].permission ? &yes : &no, 1};
        other_make_pair(&o, "more", (CK_BYTE)i, more, 6, &public_key, &private_key);
        assert_fails(cases[i].wanted, opens(token, "more", cases[i].use, error));
        assert_ok(cs_key_destroy(token, "more", error));
    }
    other_close(&o);
    cs_token_close(&token);
}

static void make_secret(const other_user *o, CK_ATTRIBUTE_TYPE permission, CK_BBOOL private)
{
    static const CK_ATTRIBUTE_TYPE permissions[] = {
        CKA_SIGN, CKA_DERIVE, CKA_UNWRAP, CKA_ENCRYPT, CKA_WRAP, CKA_DECRYPT};
    CK_MECHANISM mechanism = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    CK_ULONG size = 32;
    char label[] = "secret";
    CK_ATTRIBUTE template[12] = {{CKA_LABEL, label, 6}, {CKA_VALUE_LEN, &size, sizeof size},
        {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &private, 1}, {CKA_SENSITIVE, &yes, 1},
        {CKA_EXTRACTABLE, &no, 1}};
    CK_OBJECT_HANDLE object;

    for (size_t i = 0; i < 6; i++)
        template[6 + i] = (CK_ATTRIBUTE){permissions[i],
            permissions[i] == CKA_SIGN || permissions[i] == permission ? &yes : &no, 1};
    assert_int_equal(o->f->C_GenerateKey(o->session, &mechanism, template, 12, &object), CKR_OK);
}

static void test_storage_keys(void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE permission;
        CK_BBOOL private;
        int wanted;
    } cases[] = {
        {CKA_SIGN, CK_TRUE, CS_OK},
        {CKA_SIGN, CK_FALSE, CS_E_TOKEN_UNSUITABLE},
        {CKA_DERIVE, CK_TRUE, CS_E_TOKEN_UNSUITABLE},
        {CKA_UNWRAP, CK_TRUE, CS_E_TOKEN_UNSUITABLE},
        {CKA_WRAP, CK_TRUE, CS_E_TOKEN_UNSUITABLE},
        {CKA_ENCRYPT, CK_TRUE, CS_E_TOKEN_UNSUITABLE},
        {CKA_DECRYPT, CK_TRUE, CS_E_TOKEN_UNSUITABLE},
    };
    cs_token *token = fixture_open();
    other_user o = other_open(true);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_secret(&o, cases[i].permission, cases[i].private);
        assert_fails(cases[i].wanted, opens(token, "secret", CS_USE_PRF, error));
        assert_ok(cs_key_destroy(token, "secret", error));
    }
    other_close(&o);
    cs_token_close(&token);
}

/* s and the storage key are evidence of their origin, or they are not used. */
static void test_origin(void **state)
{
    static const CK_ATTRIBUTE_TYPE origins[] = {
        CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE};
    cs_token *token = fixture_open();
    cs_key *key;

    (void)state;
    generate(token, "master", CS_USE_ISSUE);
    generate(token, "storage", CS_USE_PRF);
    generate(token, "plain", CS_USE_SIGN);
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        hide(origins[i]);
        assert_fails(CS_E_KEY_EXPOSED, cs_key_open(&key, token, fixture_key_uri("master"),
                                           CS_USE_ISSUE, CS_SUITE_ED25519, error));
        assert_fails(CS_E_KEY_EXPOSED, opens(token, "storage", CS_USE_PRF, error));
        assert_ok(opens(token, "plain", CS_USE_SIGN, error));
    }
    fixture_script("");
    cs_token_close(&token);
}

/* Found again after a loss, a key is looked at as when it was opened. */
static void test_found_again(void **state)
{
    cs_token *token = fixture_open();
    uint8_t out[32];
    cs_key *key;

    (void)state;
    assert_ok(cs_key_generate(&key, token, "again", CS_USE_PRF, CS_SUITE_P256, error));
    fixture_script("C_SignInit 1 drop 0\nC_GetAttributeValue * hide 0x162\n"); /* extractable */
    assert_fails(CS_E_KEY_EXPOSED, cs_key_prf(key, cs_view_str("x"), out, error));
    fixture_script("");
    assert_ok(cs_key_prf(key, cs_view_str("x"), out, error));
    cs_key_close(&key);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsaid),
        cmocka_unit_test(test_other_uses),
        cmocka_unit_test(test_storage_keys),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_found_again),
    };

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
