/* SPDX-License-Identifier: Apache-2.0 */
/* What a token gives away of its keys: nothing. And what an audit sees of them. */
#include "fixture.h"
#include "other.h"

#include <chartseal/secret.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A session of the test's own, logged in, beside the backend's. */
static other_user own;

static CK_RV read_value(CK_OBJECT_HANDLE object)
{
    uint8_t value[256];
    CK_ATTRIBUTE attribute = {CKA_VALUE, value, sizeof value};

    return own.f->C_GetAttributeValue(own.session, object, &attribute, 1);
}

static unsigned refuse_all_values(CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof class};
    CK_OBJECT_HANDLE objects[16];
    CK_ULONG count;

    assert_int_equal(own.f->C_FindObjectsInit(own.session, &template, 1), CKR_OK);
    assert_int_equal(own.f->C_FindObjects(own.session, objects, 16, &count), CKR_OK);
    assert_int_equal(own.f->C_FindObjectsFinal(own.session), CKR_OK);
    for (CK_ULONG i = 0; i < count; i++)
        assert_int_equal(read_value(objects[i]), CKR_ATTRIBUTE_SENSITIVE);
    return (unsigned)count;
}

static void make_one_of_each(cs_token *token, cs_scalar *s)
{
    static const struct {
        const char *label;
        cs_use use;
    } keys[] = {{"k-sign", CS_USE_SIGN}, {"k-agree", CS_USE_AGREE}, {"k-issue", CS_USE_ISSUE},
        {"k-prf", CS_USE_PRF}};
    uint8_t k[CS_X25519_SIZE];
    bool found = false;
    cs_key *key;
    cs_point y;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_ok(
            cs_key_generate(&key, token, keys[i].label, keys[i].use, CS_SUITE_ED25519, error));
        cs_key_close(&key);
    }
    while (!found) {
        assert_ok(cs_scalar_random(s, CS_SUITE_ED25519, error));
        assert_ok(cs_x25519_lift(k, &found, s, error));
    }
    assert_ok(cs_point_base_mul(&y, CS_SUITE_ED25519, s, error));
    assert_ok(cs_key_import_lifted(&key, token, "k-scalar", s, &y, error));
    cs_key_close(&key);
}

typedef struct audit {
    unsigned count, uses[CS_USE_PRF + 1], exposed;
} audit;

static int look(void *context, const cs_key_info *info)
{
    audit *a = context;

    a->count++;
    a->uses[info->use]++;
    if (info->extractable || !info->sensitive) {
        a->exposed++;
        return 0;
    }
    assert_int_equal(info->custody, CS_CUSTODY_TOKEN);
    assert_true(info->token_serial[0] != '\0');
    if (strcmp(info->label, "k-scalar") != 0)
        assert_true(info->local && info->always_sensitive && info->never_extractable);
    else
        assert_true(!info->local);
    if (info->use != CS_USE_PRF)
        assert_true(info->public_key_size > 0);
    return 0;
}

static bool file_has(const char *path, const uint8_t *bytes, size_t n)
{
    static uint8_t content[65536];
    FILE *file = fopen(path, "r");
    size_t size;

    assert_non_null(file);
    size = fread(content, 1, sizeof content, file);
    assert_int_equal(fclose(file), 0);
    return memmem(content, size, bytes, n) != NULL;
}

/* Every file of every token. */
static bool token_has(const uint8_t *bytes, size_t n)
{
    char path[600];
    bool found = false;
    unsigned files = 0;
    struct dirent *token_entry, *entry;
    DIR *tokens, *token;

    (void)snprintf(path, sizeof path, "%s/tokens", fx.directory);
    tokens = opendir(path);
    assert_non_null(tokens);
    while ((token_entry = readdir(tokens)) != NULL) {
        if (token_entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/tokens/%s", fx.directory, token_entry->d_name);
        token = opendir(path);
        assert_non_null(token);
        while ((entry = readdir(token)) != NULL) {
            if (entry->d_name[0] == '.')
                continue;
            (void)snprintf(path, sizeof path, "%s/tokens/%s/%s", fx.directory, token_entry->d_name,
                entry->d_name);
            found = found || file_has(path, bytes, n);
            files++;
        }
        (void)closedir(token);
    }
    (void)closedir(tokens);
    assert_true(files > 5);
    return found;
}

static void test_nothing_is_given_away(void **state)
{
    cs_token *token = fixture_open();
    uint8_t k[CS_X25519_SIZE], label[] = "k-scalar";
    bool found;
    audit a = {0};
    cs_scalar s;

    (void)state;
    make_one_of_each(token, &s);
    assert_ok(cs_token_list_keys(token, look, &a, error));
    assert_int_equal(a.count, 5);
    assert_int_equal(a.exposed, 0);
    for (cs_use use = CS_USE_SIGN; use <= CS_USE_PRF; use++)
        assert_int_equal(a.uses[use], 1);
    own = other_open(true);
    assert_int_equal(refuse_all_values(CKO_PRIVATE_KEY), 4);
    assert_int_equal(refuse_all_values(CKO_SECRET_KEY), 1);
    other_close(&own);

    assert_ok(cs_x25519_lift(k, &found, &s, error));
    assert_false(token_has(k, sizeof k));
    assert_false(token_has(s.b, sizeof s.b));
    assert_false(token_has((const uint8_t *)PIN, strlen(PIN)));
    /* what is there in clear would be found */
    assert_true(
        token_has((const uint8_t *)LABEL, strlen(LABEL)) || token_has(label, sizeof label - 1));
    cs_token_close(&token);
}

static int stop(void *context, const cs_key_info *info)
{
    (void)context;
    (void)info;
    return 4711;
}

/* A key that somebody else put there, that can be read out. */
static void test_exposed(void **state)
{
    cs_token *token = fixture_open();
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    uint8_t value[32] = {1};
    char label[] = "exposed";
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class},
        {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &no, 1}, {CKA_EXTRACTABLE, &yes, 1}, {CKA_SIGN, &yes, 1},
        {CKA_LABEL, label, sizeof label - 1}, {CKA_VALUE, value, sizeof value}};
    CK_OBJECT_HANDLE object;
    audit a = {0};
    cs_key *key;

    (void)state;
    own = other_open(true);
    assert_int_equal(own.f->C_CreateObject(own.session, template, 9, &object), CKR_OK);
    assert_int_equal(read_value(object), CKR_OK);
    other_close(&own);
    assert_fails(CS_E_KEY_EXPOSED,
        cs_key_open(&key, token, fixture_key_uri("exposed"), CS_USE_PRF, 0, error));
    assert_null(key);
    assert_ok(cs_token_list_keys(token, look, &a, error));
    assert_int_equal(a.exposed, 1);
    assert_int_equal(cs_token_list_keys(token, stop, NULL, NULL), 4711);
    assert_ok(cs_key_destroy(token, "exposed", error));
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, fixture_key_uri("exposed"), CS_USE_PRF, 0, error));
    cs_token_close(&token);
}

/* A certificate often has the label of its key; removing the key leaves it. */
static void test_other_objects_stay(void **state)
{
    cs_token *token = fixture_open();
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    char label[] = "shared";
    uint8_t value[] = {1, 2, 3}, read[8];
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &no, 1}, {CKA_LABEL, label, sizeof label - 1},
        {CKA_VALUE, value, sizeof value}};
    CK_ATTRIBUTE back = {CKA_VALUE, read, sizeof read};
    CK_OBJECT_HANDLE object;
    cs_key *key;

    (void)state;
    own = other_open(true);
    assert_int_equal(own.f->C_CreateObject(own.session, template, 5, &object), CKR_OK);
    assert_ok(cs_key_generate(&key, token, "shared", CS_USE_SIGN, 0, error));
    cs_key_close(&key);
    assert_ok(cs_key_destroy(token, "shared", error));
    assert_fails(CS_E_KEY_MISSING,
        cs_key_open(&key, token, fixture_key_uri("shared"), CS_USE_SIGN, 0, error));
    assert_int_equal(own.f->C_GetAttributeValue(own.session, object, &back, 1), CKR_OK);
    assert_int_equal(back.ulValueLen, sizeof value);
    other_close(&own);
    cs_token_close(&token);
}

static void make_secret(other_user *o, const char *name)
{
    CK_MECHANISM mechanism = {CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG size = 16;
    char label[16];
    CK_ATTRIBUTE template[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &size, sizeof size},
        {CKA_LABEL, label, strlen(name)}};
    CK_OBJECT_HANDLE made;

    (void)snprintf(label, sizeof label, "%s", name);
    assert_int_equal(o->f->C_GenerateKey(o->session, &mechanism, template, 3, &made), CKR_OK);
}

/* All keys of the label go, however many, and no other, though the token shows others, too. */
static void test_only_that_label_goes(void **state)
{
    cs_token *token = fixture_open();

    (void)state;
    own = other_open(true);
    for (unsigned i = 0; i < 70; i++)
        make_secret(&own, "many");
    make_secret(&own, "single");
    make_secret(&own, "manyfold");
    fixture_script("C_FindObjectsInit * loose 0x3\n"); /* CKA_LABEL */
    assert_ok(cs_key_destroy(token, "single", error));
    fixture_script("");
    assert_true(other_find(&own, CKO_SECRET_KEY, "single") == 0);
    assert_true(other_find(&own, CKO_SECRET_KEY, "manyfold") != 0);
    assert_ok(cs_key_destroy(token, "many", error));
    assert_true(other_find(&own, CKO_SECRET_KEY, "many") == 0);
    assert_true(other_find(&own, CKO_SECRET_KEY, "manyfold") != 0);
    assert_ok(cs_key_destroy(token, "manyfold", error));
    other_close(&own);
    cs_token_close(&token);
}

/* A signing key that wants its PIN for every signature, as a card's 9C does. */
static void make_always_authenticate(const char *name)
{
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE more[] = {{CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_SIGN, &yes, 1},
        {CKA_ALWAYS_AUTHENTICATE, &yes, 1}};
    CK_OBJECT_HANDLE public_key, private_key;

    other_make_pair(&own, name, 3, more, 4, &public_key, &private_key);
}

static void test_always_authenticate(void **state)
{
    cs_token *token = fixture_open();
    uint8_t digest[32] = {7}, signature[64];
    cs_key *key;

    (void)state;
    own = other_open(true);
    make_always_authenticate("card");
    other_close(&own);
    assert_ok(cs_key_open(&key, token, fixture_key_uri("card"), CS_USE_SIGN, 0, error));
    assert_true(cs_key_describe(key)->always_authenticate);
    for (int i = 0; i < 3; i++) {
        assert_ok(cs_key_sign(key, digest, signature, error));
        assert_ok(cs_ecdsa_verify(
            (cs_view){cs_key_describe(key)->public_key, 65}, digest, signature, error));
    }
    /* when the PIN cannot be had, nothing is signed, and the next time all is well */
    fixture_write(fx.pin_file, PIN "\n", 0644);
    assert_fails(CS_E_PIN_MISSING, cs_key_sign(key, digest, signature, error));
    fixture_write(fx.pin_file, PIN "\n", 0600);
    assert_ok(cs_key_sign(key, digest, signature, error));
    cs_key_close(&key);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_given_away),
        cmocka_unit_test(test_exposed),
        cmocka_unit_test(test_other_objects_stay),
        cmocka_unit_test(test_only_that_label_goes),
        cmocka_unit_test(test_always_authenticate),
    };

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
