/* SPDX-License-Identifier: Apache-2.0 */
/* The audit chain, seen by a verifier who trusts the newest hash alone. */
#include "place.h"

#include <string.h>

#define ENTRIES 6

static const char swap_2_and_3[] = "UPDATE audit SET number = number - 5 WHERE number IN (2, 3);"
                                   "UPDATE audit SET number = -number WHERE number < 0";
static const char repeat_last[] =
    "INSERT INTO audit SELECT 7, time, previous, hash, sealed, signature FROM audit"
    " WHERE number = 6";

typedef struct chain {
    uint64_t number;
    uint8_t hash[32];
    size_t signatures;
} chain;

static int follow(void *context, const cs_audit_row *row, cs_error *error)
{
    uint8_t hash[32];
    chain *c = context;
    int rc = cs_audit_hash(row, hash, error);

    if (rc != CS_OK)
        return rc;
    if (row->number != c->number + 1 || memcmp(row->previous, c->hash, sizeof hash) != 0 ||
        memcmp(row->hash, hash, sizeof hash) != 0)
        return CS_FAIL(error, CS_E_SIGNATURE, "the chain breaks");
    c->number = row->number;
    c->signatures += row->signature.n > 0;
    memcpy(c->hash, hash, sizeof hash);
    return CS_OK;
}

/* The whole chain, up to a head that is known from elsewhere. */
static int verify(cs_store *store, const chain *head, cs_error *error)
{
    chain c = {0};
    int rc = cs_store_read_audit(store, 1, follow, &c, error);

    if (rc == CS_OK && (c.number != head->number || memcmp(c.hash, head->hash, 32) != 0))
        rc = CS_FAIL(error, CS_E_SIGNATURE, "the chain ends elsewhere");
    return rc;
}

static cs_store *write_chain(chain *head)
{
    cs_store *store = place_open();
    uint64_t sealed_number = 9;
    uint64_t number = 9;
    uint8_t i;

    memset(head->hash, 1, sizeof head->hash);
    assert_ok(cs_store_audit_head(store, &head->number, head->hash, &sealed_number, error));
    assert_int_equal(head->number, 0);
    assert_int_equal(sealed_number, 0);
    assert_memory_equal(head->hash, (uint8_t[32]){0}, 32);
    for (i = 1; i <= ENTRIES; i++) {
        assert_ok(cs_store_append_audit(store, 100 + i, (cs_view){&i, 1}, &number, error));
        assert_int_equal(number, i);
    }
    assert_ok(cs_store_audit_head(store, &head->number, head->hash, &sealed_number, error));
    assert_int_equal(head->number, ENTRIES);
    assert_int_equal(sealed_number, 0);
    return store;
}

/* SHA-256 of label, 1, 101, zeros and the byte 01, computed with another program. */
static void test_known_hash(void **state)
{
    static const uint8_t entry = 1;
    const cs_audit_row row = {.number = 1, .time = 101, .sealed = {&entry, 1}};
    uint8_t hash[32];
    char hex[65];

    (void)state;
    assert_ok(cs_audit_hash(&row, hash, error));
    cs_hex(CS_VIEW_ARRAY(hash), hex);
    assert_string_equal(hex, "31df57157b0410bb7f99f9b7a1fa74ed7ec3a11a14089641a6242f2086c456c4");
}

static void test_head_and_seals(void **state)
{
    chain head;
    cs_store *store = write_chain(&head);
    uint64_t number;
    uint64_t sealed_number;
    uint8_t hash[32];
    chain c = {.number = 3};

    (void)state;
    assert_ok(verify(store, &head, error));
    assert_ok(cs_store_seal_audit(store, 2, cs_view_str("signature"), error));
    assert_ok(cs_store_seal_audit(store, 4, cs_view_str("signature"), error));
    assert_fails(CS_E_NOT_FOUND, cs_store_seal_audit(store, ENTRIES + 1, cs_view_str("s"), error));
    assert_fails(CS_E_NOT_FOUND, cs_store_seal_audit(store, 0, cs_view_str("s"), error));
    assert_ok(cs_store_audit_head(store, &number, hash, &sealed_number, error));
    assert_int_equal(number, ENTRIES);
    assert_int_equal(sealed_number, 4);
    assert_memory_equal(hash, head.hash, 32);
    assert_ok(verify(store, &head, error)); /* a seal changes no hash */
    /* From the middle on: the first row links to what came before, which is not given. */
    assert_fails(CS_E_SIGNATURE, cs_store_read_audit(store, 4, follow, &c, error));
    assert_ok(cs_store_read_audit(store, ENTRIES + 1, follow, &c, error));
    assert_int_equal(c.number, 3);
    memset(&c, 0, sizeof c);
    assert_ok(cs_store_read_audit(store, 0, follow, &c, error));
    assert_int_equal(c.signatures, 2);
    cs_store_close(&store);
}

static void test_changes_found(void **state)
{
    static const char *const changes[] = {
        "UPDATE audit SET sealed = x'09' WHERE number = 3",
        "UPDATE audit SET sealed = x'' WHERE number = 3",
        "UPDATE audit SET time = time + 1 WHERE number = 1",
        "UPDATE audit SET previous = zeroblob(32) WHERE number = 4",
        "UPDATE audit SET hash = zeroblob(32) WHERE number = 6",
        "DELETE FROM audit WHERE number = 1",
        "DELETE FROM audit WHERE number = 4",
        "DELETE FROM audit WHERE number = 6",
        "DELETE FROM audit",
        "UPDATE audit SET number = -number; UPDATE audit SET number = number + 7",
        swap_2_and_3,
        "DELETE FROM audit WHERE number = 3; UPDATE audit SET number = number - 1 WHERE number > 3",
        repeat_last,
    };
    cs_buf whole = {0};
    chain head;
    cs_store *store = write_chain(&head);
    size_t i;

    (void)state;
    cs_store_close(&store);
    place_read(&whole, "");
    for (i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        place_sql(changes[i]);
        store = place_open();
        assert_fails(CS_E_SIGNATURE, verify(store, &head, error));
        cs_store_close(&store);
        place_write(cs_view_buf(&whole), "");
    }
    store = place_open();
    assert_ok(verify(store, &head, error));
    cs_store_close(&store);
    cs_buf_free(&whole);
}

/* Columns of a wrong size or sign never reach a verifier. */
static void test_damaged_rows(void **state)
{
    static const char *const changes[] = {
        "UPDATE audit SET hash = zeroblob(31) WHERE number = 6",
        "UPDATE audit SET previous = zeroblob(33) WHERE number = 6",
        "UPDATE audit SET sealed = zeroblob(1048577) WHERE number = 6",
        "UPDATE audit SET number = -1 WHERE number = 6",
    };
    uint64_t number;
    uint8_t hash[32];
    chain head;
    cs_store *store = write_chain(&head);
    chain c = {0};

    (void)state;
    place_sql(changes[0]);
    assert_fails(CS_E_CORRUPT, cs_store_audit_head(store, &number, hash, &number, error));
    assert_fails(CS_E_CORRUPT, cs_store_append_audit(store, 1, cs_view_str("a"), NULL, error));
    place_sql("UPDATE audit SET hash = zeroblob(32) WHERE number = 6");
    place_sql(changes[1]);
    assert_fails(CS_E_CORRUPT, verify(store, &head, error));
    place_sql("UPDATE audit SET previous = zeroblob(32) WHERE number = 6");
    place_sql(changes[2]);
    assert_fails(CS_E_CORRUPT, cs_store_read_audit(store, 6, follow, &c, error));
    place_sql("DELETE FROM audit WHERE number < 6");
    place_sql(changes[3]);
    assert_fails(CS_E_CORRUPT, cs_store_append_audit(store, 1, cs_view_str("a"), NULL, error));
    cs_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_hash),
        PLACE_TEST(test_head_and_seals),
        PLACE_TEST(test_changes_found),
        PLACE_TEST(test_damaged_rows),
    };

    return cmocka_run_group_tests_name("the store's audit chain", tests, NULL, NULL);
}
