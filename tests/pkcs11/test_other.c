/* SPDX-License-Identifier: Apache-2.0 */
/* What others do to a token that we have open: log it out, put objects of their own into it. */
#include "fixture.h"
#include "other.h"

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
    other o = other_open(false);

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
    other o;

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
    other o = other_open(true);

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
    strcpy(l->found[l->count++], info->label);
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
    other o = other_open(true);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logged_out),
        cmocka_unit_test(test_private_first),
        cmocka_unit_test(test_odd_labels),
    };

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
