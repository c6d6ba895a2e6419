/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of what is kept: one for each use, table and row, from one prf. */
#include "soft_token.h"
#include "test.h"

#include <chartseal/at_rest.h>
#include <chartseal/crypto.h>

#include <string.h>

static cs_token *token;
static cs_key *storage;

static int open_storage(void **state)
{
    (void)state;
    token = cs_soft_token_new();
    assert_ok(cs_key_generate(&storage, token, "storage", CS_USE_PRF, CS_SUITE_ED25519, error));
    return 0;
}

static int close_storage(void **state)
{
    (void)state;
    cs_key_close(&storage);
    cs_token_close(&token);
    return 0;
}

static cs_row_keys keys_of(cs_table table, const char *a, const char *b)
{
    cs_row_keys keys;
    cs_op_counts before = cs_ops_of_thread();

    assert_ok(cs_row_keys_for(&keys, storage, table, cs_view_str(a), cs_view_str(b), error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).prf, 1);
    return keys;
}

/* Section 8 of docs/protocol.md, computed here once more. */
static void assert_derived(cs_view prk, const char *label, const uint8_t key[32])
{
    uint8_t expected[32];

    assert_ok(cs_hkdf_expand(expected, sizeof expected, prk, cs_view_str(label), error));
    assert_memory_equal(key, expected, sizeof expected);
}

static void test_one_key_for_each_use(void **state)
{
    const cs_row_name name = {.a = cs_view_str("patient-4711"), .b = cs_view_str("cardiology")};
    const cs_row_keys keys = keys_of(CS_TABLE_INDEX, "patient-4711", "cardiology");
    uint8_t prk[CS_HASH_SIZE];
    cs_buf bytes = {0};

    (void)state;
    assert_ok(cs_encode_as(&bytes, &cs_row_name_schema, "chartseal/1 index", &name, error));
    assert_ok(cs_key_prf(storage, cs_view_buf(&bytes), prk, error));
    assert_derived(CS_VIEW_ARRAY(prk), "chartseal/1 row key", keys.row);
    assert_derived(CS_VIEW_ARRAY(prk), "chartseal/1 value key", keys.value);
    assert_derived(CS_VIEW_ARRAY(prk), "chartseal/1 name key", keys.name);
    /* what encrypts is no key of a MAC too, and what the database sees is neither */
    assert_memory_not_equal(keys.value, keys.name, sizeof keys.name);
    assert_memory_not_equal(keys.row, keys.name, sizeof keys.name);
    assert_memory_not_equal(keys.row, keys.value, sizeof keys.value);
    cs_buf_free(&bytes);
}

/* Tables, and the two parts of a name, do not run into each other. */
static void test_rows_differ(void **state)
{
    cs_row_keys all[8];
    size_t n = 0;

    (void)state;
    for (int table = CS_TABLE_INDEX; table <= CS_TABLE_AUDIT; table++)
        all[n++] = keys_of((cs_table)table, "ab", "c");
    all[n++] = keys_of(CS_TABLE_INDEX, "a", "bc");
    all[n++] = keys_of(CS_TABLE_INDEX, "abc", "");
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(all[i].row, all[j].row, sizeof all[i].row);
            assert_memory_not_equal(all[i].value, all[j].value, sizeof all[i].value);
            assert_memory_not_equal(all[i].name, all[j].name, sizeof all[i].name);
        }
    }
}

static int open_row(const cs_row_keys *keys, cs_view sealed, cs_buf *plain, cs_error *error)
{
    cs_index_value value;

    cs_buf_clear(plain);
    return cs_value_open(&cs_index_value_schema, &value, plain, keys->value,
        CS_VIEW_ARRAY(keys->row), sealed, error);
}

/* W2: whoever has the index's database reads no row in it, and can neither alter one nor put one
 * patient's in the place of another's. */
static void test_index_row_moved(void **state)
{
    const cs_row_keys mine = keys_of(CS_TABLE_INDEX, "patient-4711", "cardiology");
    const cs_row_keys other = keys_of(CS_TABLE_INDEX, "patient-0815", "cardiology");
    const cs_index_value value = {.id_hpc = cs_view_str("hospital-north"),
        .credential_hpc = cs_view_str("a credential"),
        .url = cs_view_str("https://records.north.example")};
    cs_buf again = {0};
    cs_buf plain = {0};
    cs_buf sealed = {0};

    (void)state;
    assert_ok(cs_value_seal(
        &sealed, mine.value, CS_VIEW_ARRAY(mine.row), &cs_index_value_schema, &value, error));
    assert_ok(cs_value_seal(
        &again, mine.value, CS_VIEW_ARRAY(mine.row), &cs_index_value_schema, &value, error));
    assert_false(cs_view_equal(cs_view_buf(&sealed), cs_view_buf(&again))); /* no pad to be had */
    for (size_t at = 0; at + value.id_hpc.n <= sealed.n; at++)
        assert_memory_not_equal(sealed.p + at, value.id_hpc.p, value.id_hpc.n);
    assert_ok(open_row(&mine, cs_view_buf(&sealed), &plain, error));
    assert_fails(CS_E_DECRYPT, open_row(&other, cs_view_buf(&sealed), &plain, error));
    {
        cs_row_keys mixed = mine; /* and the row's key is bound even where the value key is known */

        memcpy(mixed.row, other.row, sizeof mixed.row);
        assert_fails(CS_E_DECRYPT, open_row(&mixed, cs_view_buf(&sealed), &plain, error));
    }
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 1;
        assert_fails(CS_E_DECRYPT, open_row(&mine, cs_view_buf(&sealed), &plain, error));
        sealed.p[i] ^= 1;
    }
    cs_buf_free(&again);
    cs_buf_free(&plain);
    cs_buf_free(&sealed);
}

/* The seal of the audit chain is over its number and its hash, by that key. */
static void test_audit_seal(void **state)
{
    uint8_t hash[CS_HASH_SIZE] = {1, 2, 3};
    uint8_t signature[CS_SIGNATURE_SIZE];
    cs_key *keys[2];
    cs_view puk[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(cs_key_generate(
            &keys[i], token, i == 0 ? "sign" : "another", CS_USE_SIGN, CS_SUITE_ED25519, error));
        puk[i] = (cs_view){
            cs_key_describe(keys[i])->public_key, cs_key_describe(keys[i])->public_key_size};
    }
    assert_ok(cs_audit_seal_sign(keys[0], 1000, hash, signature, error));
    assert_ok(cs_audit_seal_verify(puk[0], 1000, hash, CS_VIEW_ARRAY(signature), error));
    assert_fails(
        CS_E_SIGNATURE, cs_audit_seal_verify(puk[0], 1001, hash, CS_VIEW_ARRAY(signature), error));
    assert_fails(
        CS_E_SIGNATURE, cs_audit_seal_verify(puk[1], 1000, hash, CS_VIEW_ARRAY(signature), error));
    assert_fails(
        CS_E_SIGNATURE, cs_audit_seal_verify(puk[0], 1000, hash, (cs_view){signature, 63}, error));
    hash[0] ^= 1;
    assert_fails(
        CS_E_SIGNATURE, cs_audit_seal_verify(puk[0], 1000, hash, CS_VIEW_ARRAY(signature), error));
    for (size_t i = 0; i < 2; i++)
        cs_key_close(&keys[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key_for_each_use),
        cmocka_unit_test(test_rows_differ),
        cmocka_unit_test(test_index_row_moved),
        cmocka_unit_test(test_audit_seal),
    };

    return cmocka_run_group_tests(tests, open_storage, close_storage);
}
