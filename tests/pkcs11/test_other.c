/* SPDX-License-Identifier: Apache-2.0 */
/* What others do to a token that we have open: log it out, put objects of their own into it. */
#include "fixture.h"
#include "other.h"

#include <stdio.h>
#include <string.h>

static cs_key *new_key(cs_token *token, const char *label, cs_use use)
{
    cs_key *key;

    assert_ok(cs_key_generate(&key, token, label, use, CS_SUITE_ED25519, error));
    return key;
}

/* All sessions of the application are logged out with one. */
static void log_out(void)
{
    other_user o = other_open(false);

    assert_int_equal(o.f->C_Logout(o.session), CKR_OK);
    other_close(&o);
}

static int count_one(void *context, const cs_key_info *info)
{
    (void)info;
    ++*(unsigned *)context;
    return 0;
}

/* Hidden is not absent: each looks again, logged in. */
static void test_logged_out(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key = new_key(token, "hidden", CS_USE_SIGN), *again;
    unsigned count = 0;
    other_user o;

    (void)state;
    log_out();
    assert_ok(cs_key_open(&again, token, fixture_key_uri("hidden"), CS_USE_SIGN, 0, error));
    cs_key_close(&again);
    log_out();
    assert_ok(cs_token_list_keys(token, count_one, &count, error));
    assert_int_equal(count, 1);
    log_out();
    assert_fails(CS_E_EXISTS, cs_key_generate(&again, token, "hidden", CS_USE_SIGN, 0, error));
    log_out();
    assert_ok(cs_key_destroy(token, "hidden", error));
    o = other_open(true);
    assert_int_equal(other_find(&o, CKO_PRIVATE_KEY, "hidden"), 0);
    assert_int_equal(other_find(&o, CKO_PUBLIC_KEY, "hidden"), 0);
    other_close(&o);
    cs_key_close(&key);
    cs_token_close(&token);
}

/* Should the removal fail half-way, it is the private half that is gone. */
static void test_private_first(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key = new_key(token, "halved", CS_USE_SIGN);
    other_user o = other_open(true);

    (void)state;
    cs_key_close(&key);
    fixture_script("C_DestroyObject 2 fail 0x6\n");
    assert_fails(CS_E_TOKEN, cs_key_destroy(token, "halved", error));
    fixture_script("");
    assert_int_equal(other_find(&o, CKO_PRIVATE_KEY, "halved"), 0);
    assert_ok(cs_key_destroy(token, "halved", error));
    assert_int_equal(other_find(&o, CKO_PUBLIC_KEY, "halved"), 0);
    other_close(&o);
    cs_token_close(&token);
}

typedef struct labels {
    unsigned count;
    char found[4][CS_LABEL_MAX + 1];
} labels;

static int keep_label(void *context, const cs_key_info *info)
{
    labels *l = context;

    assert_true(l->count < 4);
    (void)snprintf(l->found[l->count++], sizeof l->found[0], "%s", info->label);
    return 0;
}

static bool has_label(const labels *l, const char *wanted)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (strcmp(l->found[i], wanted) == 0)
            return true;
    }
    return false;
}

/* Latin-1, C1 controls, a cut character, an overlong one: an audit shows them all as UTF-8. */
static void test_odd_labels(void **state)
{
    static const char *const odd[] = {"caf\xe9",
        "\xc2\x9b"
        "2J",
        "Z\xc3\xbcrich \xe2\x82", "\xc0\xaf"};
    static const char *const shown[] = {"caf?", "?2J", "Z\xc3\xbcrich ??", "??"};
    cs_token *token = fixture_open();
    other_user o = other_open(true);
    CK_OBJECT_HANDLE made[4][2];
    labels l = {0};

    (void)state;
    for (CK_BYTE i = 0; i < 4; i++)
        other_make_pair(&o, odd[i], (CK_BYTE)(i + 1), NULL, 0, &made[i][0], &made[i][1]);
    assert_ok(cs_token_list_keys(token, keep_label, &l, error));
    assert_int_equal(l.count, 4);
    for (size_t i = 0; i < 4; i++) {
        if (!has_label(&l, shown[i]))
            fail_msg("no label %s", shown[i]);
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(o.f->C_DestroyObject(o.session, made[i / 2][i % 2]), CKR_OK);
    other_close(&o);
    cs_token_close(&token);
}

/* -- public halves, which need no PIN to be taken out or put in */

static CK_OBJECT_HANDLE put_public(
    const other_user *o, const char *name, cs_view id, const uint8_t point[65])
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = CKK_EC;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    uint8_t der[67] = {4, 65}, own_id[64];
    char label[32];
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class},
        {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &no, 1},
        {CKA_LABEL, label, strlen(name)}, {CKA_ID, own_id, id.n},
        {CKA_EC_PARAMS, p256, sizeof p256}, {CKA_EC_POINT, der, sizeof der}};
    CK_OBJECT_HANDLE object;

    (void)snprintf(label, sizeof label, "%s", name);
    memcpy(der + 2, point, 65);
    memcpy(own_id, id.p, id.n);
    assert_int_equal(o->f->C_CreateObject(o->session, template, 8, &object), CKR_OK);
    return object;
}

/* Another public key beside the private one, before or in place of its own. */
static void swap_public(cs_token *token, const char *label, cs_use use)
{
    cs_key *key = new_key(token, label, use), *again;
    uint8_t private_key[32], point[65], own[65], id[64];
    CK_ATTRIBUTE attribute = {CKA_ID, id, sizeof id};
    other_user o = other_open(false);
    CK_OBJECT_HANDLE object = other_find(&o, CKO_PUBLIC_KEY, label), wrong;

    memcpy(own, cs_key_describe(key)->public_key, 65);
    cs_key_close(&key);
    assert_ok(cs_p256_generate(private_key, point, error));
    assert_int_equal(o.f->C_GetAttributeValue(o.session, object, &attribute, 1), CKR_OK);
    wrong = put_public(&o, label, (cs_view){id, attribute.ulValueLen}, point);
    assert_ok(cs_key_open(&again, token, fixture_key_uri(label), use, 0, error));
    assert_memory_equal(cs_key_describe(again)->public_key, own, 65);
    cs_key_close(&again);

    assert_int_equal(o.f->C_DestroyObject(o.session, object), CKR_OK);
    assert_fails(
        CS_E_KEY_MISSING, cs_key_open(&again, token, fixture_key_uri(label), use, 0, error));
    assert_int_equal(o.f->C_DestroyObject(o.session, wrong), CKR_OK);
    (void)put_public(&o, label, (cs_view){id, attribute.ulValueLen}, own);
    assert_ok(cs_key_open(&again, token, fixture_key_uri(label), use, 0, error));
    cs_key_close(&again);
    assert_ok(cs_key_destroy(token, label, error));
    other_close(&o);
}

static void test_swapped_public(void **state)
{
    cs_token *token = fixture_open();

    (void)state;
    swap_public(token, "swap-agree", CS_USE_AGREE);
    swap_public(token, "swap-sign", CS_USE_SIGN);
    cs_token_close(&token);
}

/* A key that others made, with a CKA_ID of theirs, has to show what it is: once, when opened. */
static void test_foreign_pair(void **state)
{
    cs_token *token = fixture_open();
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE more[] = {{CKA_DERIVE, &yes, 1}, {CKA_SIGN, &no, 1}, {CKA_SENSITIVE, &yes, 1},
        {CKA_EXTRACTABLE, &no, 1}};
    uint8_t private_key[32], point[65], id = 5;
    CK_OBJECT_HANDLE public_key, private;
    other_user o = other_open(true);
    cs_key *key;

    (void)state;
    other_make_pair(&o, "foreign", id, more, 4, &public_key, &private);
    fixture_script("");
    assert_ok(cs_key_open(&key, token, fixture_key_uri("foreign"), CS_USE_AGREE, 0, error));
    assert_int_equal(fixture_calls("C_DeriveKey"), 1);
    assert_non_null(strstr(cs_key_describe(key)->uri, "id=%05"));
    cs_key_close(&key);
    assert_int_equal(o.f->C_DestroyObject(o.session, public_key), CKR_OK);
    assert_ok(cs_p256_generate(private_key, point, error));
    (void)put_public(&o, "foreign", (cs_view){&id, 1}, point);
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, fixture_key_uri("foreign"), CS_USE_AGREE, 0, error));
    other_close(&o);
    assert_ok(cs_key_destroy(token, "foreign", error));
    cs_token_close(&token);
}

/* A key is named by what it is, and the label is there for people. */
static void test_named_by_id(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key = new_key(token, "named", CS_USE_PRF), *again;
    char uri[CS_URI_MAX];

    (void)state;
    (void)snprintf(uri, sizeof uri, "%s", cs_key_describe(key)->uri);
    cs_key_close(&key);
    assert_non_null(strstr(uri, "object=named"));
    assert_ok(cs_key_destroy(token, "named", error));
    key = new_key(token, "named", CS_USE_PRF);
    assert_fails(CS_E_KEY_MISSING, cs_key_open(&again, token, uri, CS_USE_PRF, 0, error));
    cs_key_close(&key);
    assert_ok(cs_key_destroy(token, "named", error));
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logged_out),
        cmocka_unit_test(test_private_first),
        cmocka_unit_test(test_odd_labels),
        cmocka_unit_test(test_swapped_public),
        cmocka_unit_test(test_foreign_pair),
        cmocka_unit_test(test_named_by_id),
    };

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
