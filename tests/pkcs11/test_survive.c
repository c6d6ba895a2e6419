/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that are wrapped once, stay, and come back into another token. */
#include "fixture.h"
#include "other.h"

#include <chartseal/secret.h>
#include <stdio.h>
#include <string.h>

#define SECOND "second"

static cs_pin_source so_pin(void)
{
    cs_pin_source source = {.kind = CS_PIN_FILE};

    (void)snprintf(source.path, sizeof source.path, "%s", fx.so_pin_file);
    return source;
}

static cs_token *open_as(const char *label, cs_use backed_up, cs_use restored)
{
    cs_token_options options = fixture_options();
    cs_token *token = NULL;

    options.backed_up = backed_up;
    options.restored = restored;
    assert_ok(cs_token_open(&token, fixture_uri(label, ""), &options, error));
    return token;
}

static cs_wrapping_key *wrapping_key(const char *label, const uint8_t *key)
{
    const cs_pin_source so = so_pin();
    cs_wrapping_key *out = NULL;

    assert_ok(cs_wrapping_key_new(&out, fixture_uri(label, ""), &so, key, error));
    return out;
}

static void prf(uint8_t out[32], cs_key *key)
{
    assert_ok(cs_key_prf(key, cs_view_str("which key is it"), out, error));
}

static uint8_t *random_key(void)
{
    uint8_t *key = cs_secret_new(CS_WRAPPING_KEY_SIZE);

    assert_non_null(key);
    cs_random(key, CS_WRAPPING_KEY_SIZE);
    return key;
}

/* "storage" in the first token, wrapped under `key`; its prf. */
static void make(cs_buf *wrapped, uint8_t value[32], const uint8_t *key)
{
    cs_wrapping_key *with = wrapping_key(LABEL, key);
    cs_token *token = open_as(LABEL, CS_USE_PRF, 0);
    const cs_key_info *info;
    cs_key *made = NULL;
    cs_buf none = {0};

    assert_ok(
        cs_key_generate_wrapped(&made, wrapped, token, with, "storage", CS_USE_PRF, 0, error));
    info = cs_key_describe(made);
    assert_true(info->sensitive && info->always_sensitive && info->local && !info->extractable);
    assert_true(info->wrap_with_trusted && !info->never_extractable);
    prf(value, made);
    cs_key_close(&made);
    assert_fails(CS_E_EXISTS,
        cs_key_generate_wrapped(&made, &none, token, with, "storage", CS_USE_PRF, 0, error));
    cs_token_close(&token);
    cs_wrapping_key_free(&with);
}

static void destroy(const char *token_label, const char *label)
{
    cs_token *token = open_as(token_label, 0, 0);

    assert_ok(cs_key_destroy(token, label, error));
    cs_token_close(&token);
}

static void test_wrapped_and_back(void **state)
{
    uint8_t *key = random_key(), *again = random_key();
    uint8_t value[32], back[32];
    cs_buf wrapped = {0}, rewrapped = {0};
    cs_unwrapping from = {.key = key};
    cs_wrapping_key *with;
    cs_token *token;
    cs_key *restored;

    (void)state;
    make(&wrapped, value, key);
    assert_int_equal(wrapped.n, 40); /* RFC 5649, of 32 bytes */
    from.wrapped = cs_view_buf(&wrapped);
    token = open_as(SECOND, 0, CS_USE_PRF);
    assert_ok(cs_key_unwrap(&restored, token, &from, "back", CS_USE_PRF, 0, error));
    assert_false(cs_key_describe(restored)->extractable || cs_key_describe(restored)->local);
    prf(back, restored);
    assert_memory_equal(back, value, 32);
    cs_key_close(&restored);
    assert_fails(CS_E_EXISTS, cs_key_unwrap(&restored, token, &from, "back", CS_USE_PRF, 0, error));
    assert_ok(cs_key_destroy(token, "back", error));
    cs_token_close(&token);

    /* wrapped once more on its way back, under another key */
    with = wrapping_key(SECOND, again);
    token = open_as(SECOND, CS_USE_PRF, CS_USE_PRF);
    from.again = with;
    from.rewrapped = &rewrapped;
    assert_ok(cs_key_unwrap(&restored, token, &from, "back", CS_USE_PRF, 0, error));
    assert_false(cs_key_describe(restored)->extractable);
    prf(back, restored);
    assert_memory_equal(back, value, 32);
    cs_key_close(&restored);
    assert_ok(cs_key_destroy(token, "back", error));
    assert_false(cs_view_equal(cs_view_buf(&wrapped), cs_view_buf(&rewrapped)));
    from = (cs_unwrapping){.key = again, .wrapped = cs_view_buf(&rewrapped)};
    assert_ok(cs_key_unwrap(&restored, token, &from, "back", CS_USE_PRF, 0, error));
    prf(back, restored);
    assert_memory_equal(back, value, 32);
    cs_key_close(&restored);
    cs_token_close(&token);
    cs_wrapping_key_free(&with);
    destroy(SECOND, "back");
    destroy(LABEL, "storage");
    cs_buf_free(&wrapped);
    cs_buf_free(&rewrapped);
    cs_secret_free(&key);
    cs_secret_free(&again);
}

/* Who opens the token without saying that it has such a key gets none. */
static void test_taken_by_choice_alone(void **state)
{
    static const struct {
        cs_use backed_up, restored;
        int first, second; /* what the key in each token answers */
    } cases[] = {
        {0, 0, CS_E_KEY_EXPOSED, CS_E_KEY_EXPOSED},
        {CS_USE_ISSUE, CS_USE_ISSUE, CS_E_KEY_EXPOSED, CS_E_KEY_EXPOSED},
        {CS_USE_PRF, 0, CS_OK, CS_E_KEY_EXPOSED},
        {0, CS_USE_PRF, CS_E_KEY_EXPOSED, CS_OK},
    };
    uint8_t *key = random_key(), value[32];
    cs_buf wrapped = {0};
    cs_unwrapping from = {.key = key};
    cs_token *token;
    cs_key *opened;

    (void)state;
    make(&wrapped, value, key);
    from.wrapped = cs_view_buf(&wrapped);
    token = open_as(SECOND, 0, 0); /* nor is it made for whoever does not */
    assert_fails(
        CS_E_KEY_EXPOSED, cs_key_unwrap(&opened, token, &from, "storage", CS_USE_PRF, 0, error));
    assert_null(opened);
    cs_token_close(&token);
    token = open_as(SECOND, 0, CS_USE_PRF);
    assert_ok(cs_key_unwrap(&opened, token, &from, "storage", CS_USE_PRF, 0, error));
    cs_key_close(&opened);
    cs_token_close(&token);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int second = 0; second < 2; second++) {
            int wanted = second ? cases[i].second : cases[i].first;
            char uri[CS_URI_MAX];

            (void)snprintf(
                uri, sizeof uri, "pkcs11:token=%s;object=storage", second ? SECOND : LABEL);
            token = open_as(second ? SECOND : LABEL, cases[i].backed_up, cases[i].restored);
            assert_int_equal(cs_key_open(&opened, token, uri, CS_USE_PRF, 0, NULL), wanted);
            cs_key_close(&opened);
            cs_token_close(&token);
        }
    }
    destroy(SECOND, "storage");
    destroy(LABEL, "storage");
    cs_buf_free(&wrapped);
    cs_secret_free(&key);
}

/* A secret key of that label as the user alone could make it. */
static void make_own(other_user *o, char *name, CK_BBOOL extractable, CK_BBOOL trusted_only)
{
    CK_MECHANISM mechanism = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG size = 32;
    CK_ATTRIBUTE template[] = {{CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &extractable, 1},
        {CKA_WRAP_WITH_TRUSTED, &trusted_only, 1}, {CKA_SIGN, &yes, 1}, {CKA_VERIFY, &no, 1},
        {CKA_ENCRYPT, &no, 1}, {CKA_DECRYPT, &no, 1}, {CKA_WRAP, &no, 1}, {CKA_UNWRAP, &no, 1},
        {CKA_DERIVE, &no, 1}, {CKA_VALUE_LEN, &size, sizeof size}, {CKA_LABEL, name, strlen(name)}};
    CK_OBJECT_HANDLE made;

    assert_int_equal(o->f->C_GenerateKey(o->session, &mechanism, template,
                         sizeof template / sizeof template[0], &made),
        CKR_OK);
}

static CK_RV set(other_user *o, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
    CK_ATTRIBUTE attribute = {type, &value, 1};

    return o->f->C_SetAttributeValue(o->session, object, &attribute, 1);
}

static CK_RV wrap(other_user *o, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    uint8_t out[128];
    CK_ULONG n = sizeof out;

    return o->f->C_WrapKey(o->session, &mechanism, with, key, out, &n);
}

/* What the user's PIN alone can do with it: nothing. */
static void test_the_user_cannot(void **state)
{
    uint8_t *key = random_key(), value[32];
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG size = 32;
    CK_ATTRIBUTE template[] = {{CKA_TOKEN, &no, 1}, {CKA_WRAP, &yes, 1},
        {CKA_VALUE_LEN, &size, sizeof size}, {CKA_TRUSTED, &yes, 1}};
    CK_OBJECT_HANDLE made, wrapping, storage;
    cs_buf wrapped = {0};
    other_user o;
    cs_token *token;
    cs_key *opened;

    (void)state;
    make(&wrapped, value, key);
    o = other_open(true);
    storage = other_find(&o, CKO_SECRET_KEY, "storage");
    assert_int_equal(set(&o, storage, CKA_EXTRACTABLE, yes), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(set(&o, storage, CKA_WRAP_WITH_TRUSTED, no), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(
        o.f->C_GenerateKey(o.session, &mechanism, template, 4, &made), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(o.f->C_GenerateKey(o.session, &mechanism, template, 3, &wrapping), CKR_OK);
    assert_int_equal(set(&o, wrapping, CKA_TRUSTED, yes), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(wrap(&o, wrapping, storage), CKR_KEY_UNEXTRACTABLE);
    /* one in the state before it is made to stay: its attributes hold */
    make_own(&o, (char[]){"leaving"}, yes, yes);
    storage = other_find(&o, CKO_SECRET_KEY, "leaving");
    assert_int_equal(set(&o, storage, CKA_WRAP_WITH_TRUSTED, no), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(wrap(&o, wrapping, storage), CKR_KEY_NOT_WRAPPABLE);
    /* keys that could leave otherwise are no keys, whatever the owner says */
    make_own(&o, (char[]){"readable"}, yes, no);
    make_own(&o, (char[]){"was-readable"}, yes, no);
    assert_int_equal(
        set(&o, other_find(&o, CKO_SECRET_KEY, "was-readable"), CKA_EXTRACTABLE, no), CKR_OK);
    other_close(&o);
    token = open_as(LABEL, CS_USE_PRF, CS_USE_PRF);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"leaving", "readable", "was-readable"};

        assert_fails(CS_E_KEY_EXPOSED,
            cs_key_open(&opened, token, fixture_key_uri(names[i]), CS_USE_PRF, 0, error));
        assert_ok(cs_key_destroy(token, names[i], error));
    }
    cs_token_close(&token);
    destroy(LABEL, "storage");
    cs_buf_free(&wrapped);
    cs_secret_free(&key);
}

/* Nothing of it is in the token afterwards, or for others to use meanwhile beyond wrapping. */
static unsigned count_objects(other_user *o)
{
    CK_OBJECT_HANDLE found[16];
    CK_ULONG count = 0;

    assert_int_equal(o->f->C_FindObjectsInit(o->session, NULL, 0), CKR_OK);
    assert_int_equal(o->f->C_FindObjects(o->session, found, 16, &count), CKR_OK);
    assert_int_equal(o->f->C_FindObjectsFinal(o->session), CKR_OK);
    return (unsigned)count;
}

static void test_the_wrapping_key_goes(void **state)
{
    uint8_t *key = random_key(), value[32];
    cs_buf wrapped = {0};
    other_user o;

    (void)state;
    make(&wrapped, value, key);
    o = other_open(true);
    assert_int_equal(count_objects(&o), 1); /* the storage key */
    other_close(&o);
    destroy(LABEL, "storage");
    cs_buf_free(&wrapped);
    cs_secret_free(&key);
}

static void test_refused(void **state)
{
    uint8_t *key = random_key(), *wrong = random_key(), value[32];
    cs_pin_source so = so_pin();
    cs_buf wrapped = {0}, none = {0};
    cs_unwrapping from = {.key = wrong};
    cs_wrapping_key *with = NULL;
    cs_token *token;
    cs_key *out;

    (void)state;
    make(&wrapped, value, key);
    token = open_as(SECOND, CS_USE_PRF, CS_USE_PRF);
    from.wrapped = cs_view_buf(&wrapped);
    assert_fails(CS_E_DECRYPT, cs_key_unwrap(&out, token, &from, "back", CS_USE_PRF, 0, error));
    from.key = key;
    for (size_t i = 0; i < wrapped.n; i++) {
        wrapped.p[i] ^= 1;
        assert_fails(CS_E_DECRYPT, cs_key_unwrap(&out, token, &from, "back", CS_USE_PRF, 0, error));
        wrapped.p[i] ^= 1;
    }
    from.wrapped.n = 0;
    assert_fails(CS_E_MALFORMED, cs_key_unwrap(&out, token, &from, "back", CS_USE_PRF, 0, error));
    from.wrapped = (cs_view){wrapped.p, CS_WRAPPED_MAX + 1};
    assert_fails(CS_E_MALFORMED, cs_key_unwrap(&out, token, &from, "back", CS_USE_PRF, 0, error));
    from.wrapped = cs_view_buf(&wrapped);
    assert_fails(CS_E_USAGE, cs_key_unwrap(&out, token, &from, "back", CS_USE_SIGN, 0, error));
    cs_token_close(&token);

    /* in the wrong token; with a wrong PIN; in no PKCS#11 token */
    with = wrapping_key(LABEL, key);
    token = open_as(SECOND, CS_USE_PRF, 0);
    assert_fails(CS_E_USAGE,
        cs_key_generate_wrapped(&out, &none, token, with, "other", CS_USE_PRF, 0, error));
    assert_fails(CS_E_USAGE,
        cs_key_generate_wrapped(&out, &none, token, with, "other", CS_USE_AGREE, 0, error));
    cs_token_close(&token);
    cs_wrapping_key_free(&with);
    (void)snprintf(so.path, sizeof so.path, "%s", fx.wrong_pin_file);
    assert_fails(
        CS_E_PIN_WRONG, cs_wrapping_key_new(&with, fixture_uri(LABEL, ""), &so, key, error));
    assert_null(with);
    assert_fails(
        CS_E_TOKEN_UNSUITABLE, cs_wrapping_key_new(&with, "tpm2:dir=/none", &so, key, error));
    assert_int_equal(none.n, 0);
    destroy(LABEL, "storage");
    cs_buf_free(&wrapped);
    cs_buf_free(&none);
    cs_secret_free(&key);
    cs_secret_free(&wrong);
}

/* The officer's PIN gets the care that the user's gets. */
static void test_the_officers_pin(void **state)
{
    static const struct {
        const char *script;
        int code;
        unsigned logins;
    } cases[] = {
        {"C_GetTokenInfo * flags 0x200000\n", CS_E_PIN_FINAL_TRY, 0},
        {"C_GetTokenInfo * flags 0x400000\n", CS_E_PIN_LOCKED, 0},
        {"C_GetTokenInfo * flags 0x100000\n", CS_OK, 1}, /* CKF_SO_PIN_COUNT_LOW */
        {"C_Logout * fail 0x5\n", CS_E_TOKEN, 1},
        {"C_CreateObject * fail 0x10\n", CS_E_TOKEN_UNSUITABLE, 1},
        {"", CS_OK, 1},
    };
    uint8_t *key = random_key();
    cs_pin_source so = so_pin();
    cs_wrapping_key *with = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_script(cases[i].script);
        assert_int_equal(
            cs_wrapping_key_new(&with, fixture_uri(LABEL, ""), &so, key, NULL), cases[i].code);
        assert_int_equal(fixture_calls("C_Login"), cases[i].logins);
        cs_wrapping_key_free(&with);
        assert_int_equal(fixture_calls("C_OpenSession"), fixture_calls("C_CloseSession"));
    }
    /* a refused one is not sent again; that it is the user's PIN does not hinder the user */
    (void)snprintf(so.path, sizeof so.path, "%s", fx.pin_file);
    fixture_script("");
    for (int i = 0; i < 2; i++) {
        assert_fails(
            CS_E_PIN_WRONG, cs_wrapping_key_new(&with, fixture_uri(LABEL, ""), &so, key, error));
        assert_int_equal(fixture_calls("C_Login"), 1);
    }
    cs_token_close(&(cs_token *){open_as(LABEL, 0, 0)});
    cs_secret_free(&key);
}

/* The key ends with its session; by its handle it is not destroyed, which may be another's by then.
 */
static void test_the_wrapping_key_ends(void **state)
{
    uint8_t *key = random_key();
    cs_wrapping_key *with = wrapping_key(LABEL, key);

    (void)state;
    fixture_script("");
    cs_wrapping_key_free(&with);
    assert_int_equal(fixture_calls("C_DestroyObject"), 0);
    assert_int_equal(fixture_calls("C_CloseSession"), 1);
    cs_secret_free(&key);
}

/* What does not come to its end leaves no key; SoftHSM does not wrap an Ed25519 key at all. */
static void test_half_way(void **state)
{
    static const struct {
        const char *script;
        cs_use use;
        int wanted;
    } cases[] = {
        {"", CS_USE_ISSUE, CS_E_TOKEN_UNSUITABLE},
        {"C_WrapKey * fail 0x69\n", CS_USE_PRF, CS_E_TOKEN_UNSUITABLE},
        {"C_WrapKey * fail 0x70\n", CS_USE_PRF, CS_E_TOKEN_UNSUITABLE},
        {"C_SetAttributeValue * fail 0x10\n", CS_USE_PRF, CS_E_TOKEN},
        {"C_GenerateKey * fail 0x30\n", CS_USE_PRF, CS_E_TOKEN},
    };
    uint8_t *key = random_key();
    cs_buf wrapped = {0};
    cs_key *out;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cs_wrapping_key *with = wrapping_key(LABEL, key);
        cs_token *token = open_as(LABEL, cases[i].use, 0);
        other_user o;

        fixture_script(cases[i].script);
        assert_fails(cases[i].wanted, cs_key_generate_wrapped(&out, &wrapped, token, with, "half",
                                          cases[i].use, CS_SUITE_ED25519, error));
        fixture_script("");
        assert_null(out);
        assert_int_equal(wrapped.n, 0);
        cs_wrapping_key_free(&with);
        cs_token_close(&token);
        o = other_open(true);
        assert_int_equal(count_objects(&o), 0);
        other_close(&o);
    }
    cs_buf_free(&wrapped);
    cs_secret_free(&key);
}

/* A token that wraps s, as SoftHSM does not: that it comes back shows in what it issues. */
static void test_a_master_key(void **state)
{
    uint8_t *key = random_key();
    cs_wrapping_key *with = wrapping_key(LABEL, key);
    cs_token *token = open_as(LABEL, CS_USE_ISSUE, CS_USE_ISSUE);
    cs_unwrapping from = {.key = key};
    cs_key *made, *back, *other;
    cs_buf wrapped = {0};
    cs_scalar s;
    cs_point r;

    (void)state;
    fixture_script("C_WrapKey * fake 0\nC_UnwrapKey * fake 0\n");
    assert_ok(cs_key_generate_wrapped(
        &made, &wrapped, token, with, "master", CS_USE_ISSUE, CS_SUITE_ED25519, error));
    assert_false(cs_key_describe(made)->extractable);
    assert_true(cs_key_describe(made)->wrap_with_trusted);
    from.wrapped = cs_view_buf(&wrapped);
    assert_fails(CS_E_POINT, /* s is known by its public half alone */
        cs_key_unwrap(&back, token, &from, "back", CS_USE_ISSUE, CS_SUITE_ED25519, error));
    from.public_key = (cs_view){cs_key_describe(made)->public_key, 32};
    assert_ok(cs_key_unwrap(&back, token, &from, "back", CS_USE_ISSUE, CS_SUITE_ED25519, error));
    assert_memory_equal(cs_key_describe(back)->public_key, cs_key_describe(made)->public_key, 32);
    assert_ok(cs_key_issue(back, cs_view_str("a message"), &r, &s, error));
    cs_key_close(&back);
    assert_ok(cs_key_destroy(token, "back", error));
    /* beside another's public half it issues nothing */
    assert_ok(cs_key_generate(&other, token, "other", CS_USE_ISSUE, CS_SUITE_ED25519, error));
    from.public_key = (cs_view){cs_key_describe(other)->public_key, 32};
    assert_ok(cs_key_unwrap(&back, token, &from, "back", CS_USE_ISSUE, CS_SUITE_ED25519, error));
    assert_int_not_equal(cs_key_issue(back, cs_view_str("a message"), &r, &s, NULL), CS_OK);
    cs_key_close(&back);
    cs_key_close(&other);
    cs_key_close(&made);
    fixture_script("");
    assert_ok(cs_key_destroy(token, "back", error));
    assert_ok(cs_key_destroy(token, "other", error));
    assert_ok(cs_key_destroy(token, "master", error));
    cs_token_close(&token);
    cs_wrapping_key_free(&with);
    cs_buf_free(&wrapped);
    cs_secret_free(&key);
}

static int setup(void **state)
{
    int rc = fixture_setup_shim(state);

    fixture_add_token(SECOND);
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrapped_and_back),
        cmocka_unit_test(test_taken_by_choice_alone),
        cmocka_unit_test(test_the_user_cannot),
        cmocka_unit_test(test_the_wrapping_key_goes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_the_officers_pin),
        cmocka_unit_test(test_the_wrapping_key_ends),
        cmocka_unit_test(test_half_way),
        cmocka_unit_test(test_a_master_key),
    };

    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
