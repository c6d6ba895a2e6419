/* SPDX-License-Identifier: Apache-2.0 */
/* Each topic's calls on one handle, as store.h says them. */
#include "place.h"

#include <string.h>

#define TOO_MUCH ((1u << 20) + 1)

static uint8_t large[TOO_MUCH];

/* What a walk met: the first byte of each value, as a string. */
typedef struct met {
    char letters[16];
    size_t n;
    size_t stop; /* after so many, if not 0 */
} met;

static int meet(void *context, cs_view sealed, cs_error *error)
{
    met *m = context;

    if (sealed.n == 0 || m->n + 1 >= sizeof m->letters)
        return CS_FAIL(error, CS_E_INTERNAL, "more than the test knows");
    m->letters[m->n++] = (char)sealed.p[0];
    return m->n == m->stop ? CS_E_ORDER : CS_OK;
}

static int meet_outbox(void *context, const cs_outbox_row *row, cs_error *error)
{
    if (row->sealed.n == 0 || row->key[0] != row->sealed.p[0])
        return CS_FAIL(error, CS_E_INTERNAL, "not the key of that value");
    return meet(context, row->sealed, error);
}

static int meet_record(void *context, const cs_record_row *row, cs_error *error)
{
    return meet(context, row->sealed, error);
}

static void test_seen(void **state)
{
    const uint8_t hash[32] = {1};
    cs_store *store = place_open();
    bool fresh;

    (void)state;
    assert_ok(cs_store_seen(store, hash, 10, 20, &fresh, error));
    assert_true(fresh);
    assert_ok(cs_store_seen(store, hash, 20, 99, &fresh, error));
    assert_false(fresh);
    assert_ok(cs_store_seen(store, hash, 21, 30, &fresh, error));
    assert_true(fresh);
    assert_int_equal(place_number("SELECT count(*) FROM seen"), 1);
    cs_store_close(&store);
}

static void test_enrolment(void **state)
{
    const uint8_t key[32] = {7};
    const uint8_t alice[32] = {1};
    const uint8_t bob[32] = {2};
    cs_store *store = place_open();

    (void)state;
    assert_fails(CS_E_ENROLMENT, cs_store_use_enrolment(store, key, alice, 5, error));
    assert_ok(cs_store_add_enrolment(store, key, 10, error));
    assert_fails(CS_E_EXISTS, cs_store_add_enrolment(store, key, 99, error));
    assert_fails(CS_E_ENROLMENT, cs_store_use_enrolment(store, key, alice, 11, error));
    assert_ok(cs_store_use_enrolment(store, key, alice, 10, error));
    assert_ok(cs_store_use_enrolment(store, key, alice, 10, error));
    assert_fails(CS_E_ENROLMENT, cs_store_use_enrolment(store, key, bob, 10, error));
    cs_store_close(&store);
}

static void check_current(cs_store *store, uint64_t serial, int64_t revoked_at)
{
    const uint8_t id_key[32] = {0};
    cs_credential_row got = {0};
    cs_buf sealed = {0};

    assert_ok(cs_buf_set(&sealed, cs_view_str("before"), error));
    assert_ok(cs_store_get_credential(store, id_key, &got, &sealed, error));
    assert_int_equal(got.serial, serial);
    assert_int_equal(got.revoked_at, revoked_at);
    assert_true(cs_view_equal(got.sealed, cs_view_str("s")));
    cs_buf_free(&sealed);
}

static void check_revoked(cs_store *store, uint64_t serial, bool wanted)
{
    bool revoked = !wanted;

    assert_ok(cs_store_is_revoked(store, serial, &revoked, error));
    assert_int_equal(revoked, wanted);
}

static void check_live(cs_store *store, int64_t now, uint64_t wanted)
{
    const uint8_t id_key[32] = {0};
    uint64_t count = 0;

    assert_ok(cs_store_live_credentials(store, id_key, now, &count, error));
    assert_int_equal(count, wanted);
}

static void test_credentials(void **state)
{
    cs_credential_row row = {.not_after = 100, .sealed = cs_view_str("s"), .owner = {1}};
    const uint8_t wanted[16] = {[7] = 1, [15] = 2};
    const uint8_t unknown[32] = {9};
    cs_store *store = place_open();
    cs_credential_row got;
    cs_buf bytes = {0};

    (void)state;
    assert_fails(CS_E_NOT_FOUND, cs_store_get_credential(store, unknown, &got, &bytes, error));
    for (row.serial = 1; row.serial <= 2; row.serial++) /* the same keys: both count */
        assert_ok(cs_store_put_credential(store, &row, (int64_t)row.serial, error));
    check_revoked(store, 1, false);
    check_revoked(store, 2, false);
    check_live(store, 100, 2);
    check_live(store, 101, 0);
    assert_ok(cs_store_revoked_serials(store, 2, &bytes, error));
    assert_int_equal(bytes.n, 0);
    check_current(store, 2, 0);
    row.owner[0] = 2;
    assert_fails(CS_E_TAKEN, cs_store_put_credential(store, &row, 100, error));
    check_revoked(store, 3, true);
    assert_ok(cs_store_revoke(store, 2, 50, error));
    assert_ok(cs_store_revoke(store, 2, 60, error)); /* the first moment stays */
    check_revoked(store, 1, true);                   /* and takes all of the owner's */
    check_live(store, 50, 0);
    assert_fails(CS_E_NOT_FOUND, cs_store_revoke(store, 9, 5, error));
    check_current(store, 2, 50);
    assert_ok(cs_store_put_credential(store, &row, 61, error));
    check_current(store, 3, 0);
    check_revoked(store, UINT64_MAX, true);
    row.owner[0] = 3;
    row.serial = 4; /* another's that has expired gives way, and is not called revoked */
    row.not_after = 300;
    assert_ok(cs_store_put_credential(store, &row, 101, error));
    /* A call that fails in its middle changes nothing, within a group too. */
    assert_fails(CS_E_EXISTS, cs_store_put_credential(store, &row, 102, error));
    assert_ok(cs_store_begin(store, error));
    assert_fails(CS_E_EXISTS, cs_store_put_credential(store, &row, 102, error));
    assert_ok(cs_store_commit(store, error));
    check_current(store, 4, 0);
    check_revoked(store, 4, false);
    assert_ok(cs_store_revoked_serials(store, 100, &bytes, error));
    assert_true(cs_view_equal(cs_view_buf(&bytes), CS_VIEW_ARRAY(wanted)));
    assert_ok(cs_store_revoked_serials(store, 101, &bytes, error));
    assert_int_equal(bytes.n, sizeof wanted);
    cs_buf_free(&bytes);
    cs_store_close(&store);
}

/* With a credential or without; only those in force are counted. */
static void test_attestations(void **state)
{
    cs_store *store = place_open();
    cs_credential_row row = {.not_after = 100, .sealed = cs_view_str("s"), .owner = {1}};
    uint64_t count = 0;
    unsigned level = 9;
    cs_buf sealed = {0};

    (void)state;
    for (row.serial = 1; row.serial <= 3; row.serial++) {
        row.id_key[0] = (uint8_t)row.serial;
        assert_ok(cs_store_put_credential(store, &row, 1, error));
    }
    assert_ok(cs_store_put_attestation(store, 2, 3, cs_view_str("said"), error));
    assert_ok(cs_store_get_attestation(store, 1, &level, &sealed, error));
    assert_int_equal(level, 0);
    assert_int_equal(sealed.n, 0);
    assert_ok(cs_store_get_attestation(store, 2, &level, &sealed, error));
    assert_int_equal(level, 3);
    assert_true(cs_view_equal(cs_view_buf(&sealed), cs_view_str("said")));
    assert_ok(cs_store_count_attested(store, 0, 50, &count, error));
    assert_int_equal(count, 2);
    assert_ok(cs_store_count_attested(store, 3, 50, &count, error));
    assert_int_equal(count, 1);
    assert_ok(cs_store_count_attested(store, 3, 101, &count, error));
    assert_int_equal(count, 0);
    assert_ok(cs_store_revoke(store, 2, 50, error));
    assert_ok(cs_store_count_attested(store, 3, 50, &count, error));
    assert_int_equal(count, 0);
    assert_fails(CS_E_USAGE, cs_store_put_attestation(store, 3, 0, cs_view_str("x"), error));
    assert_fails(CS_E_USAGE, cs_store_put_attestation(store, 3, 16, cs_view_str("x"), error));
    assert_int_not_equal(cs_store_put_attestation(store, 2, 1, cs_view_str("x"), NULL), CS_OK);
    place_sql("UPDATE attestation SET level = 99");
    assert_fails(CS_E_CORRUPT, cs_store_get_attestation(store, 2, &level, &sealed, error));
    assert_int_equal(level, 0);
    cs_buf_free(&sealed);
    cs_store_close(&store);
}

static void test_serials_and_groups(void **state)
{
    cs_store *store = place_open();
    uint64_t serial;
    uint64_t again;
    uint64_t count;

    (void)state;
    assert_fails(CS_E_USAGE, cs_store_commit(store, error));
    assert_ok(cs_store_next_serial(store, &serial, error));
    assert_int_equal(serial, 1);
    assert_ok(cs_store_begin(store, error));
    assert_fails(CS_E_USAGE, cs_store_begin(store, error));
    assert_fails(CS_E_USAGE, cs_store_next_serial(store, &serial, error));
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("a"), NULL, error));
    cs_store_rollback(store);
    assert_ok(cs_store_next_serial(store, &again, error));
    assert_int_equal(again, 2);
    cs_store_close(&store);
    store = place_open();
    assert_ok(cs_store_next_serial(store, &serial, error));
    assert_int_equal(serial, again + 1);
    /* A call that fails within a group undoes itself alone. */
    assert_ok(cs_store_begin(store, error));
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("a"), NULL, error));
    assert_fails(CS_E_NOT_FOUND, cs_store_revoke(store, 9, 1, error));
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("b"), NULL, error));
    assert_ok(cs_store_commit(store, error));
    assert_ok(cs_store_count(store, "audit", &count, error));
    assert_int_equal(count, 2);
    cs_store_close(&store);
}

static void check_index(cs_store *store, const uint8_t *row_key, unsigned most, const char *wanted)
{
    met m = {0};

    assert_ok(cs_store_get_index(store, row_key, most, meet, &m, error));
    assert_string_equal(m.letters, wanted);
}

static void test_index(void **state)
{
    const uint8_t row_key[32] = {1};
    const uint8_t other_key[32] = {2};
    const uint8_t north[32] = {3};
    const uint8_t south[32] = {4};
    const uint8_t west[32] = {5};
    met m = {.stop = 2};
    cs_store *store = place_open();

    (void)state;
    check_index(store, row_key, 9, "");
    assert_ok(cs_store_put_index(store, row_key, north, cs_view_str("n"), 10, error));
    assert_ok(cs_store_put_index(store, row_key, south, cs_view_str("s"), 30, error));
    assert_ok(cs_store_put_index(store, row_key, west, cs_view_str("w"), 20, error));
    assert_ok(cs_store_put_index(store, other_key, west, cs_view_str("x"), 99, error));
    check_index(store, row_key, 9, "swn");
    check_index(store, row_key, 1, "s");
    check_index(store, row_key, 0, "");
    assert_ok(cs_store_put_index(store, row_key, north, cs_view_str("N"), 30, error));
    check_index(store, row_key, 9, "Nsw"); /* replaced, and of two of one time the later first */
    assert_fails(CS_E_ORDER, cs_store_get_index(store, row_key, 9, meet, &m, error));
    assert_string_equal(m.letters, "Ns");
    assert_fails(
        CS_E_TOO_LARGE, cs_store_put_index(store, row_key, north, CS_VIEW_ARRAY(large), 40, error));
    check_index(store, row_key, 9, "Nsw");
    cs_store_close(&store);
}

static void check_outbox(cs_store *store, unsigned most, const char *wanted)
{
    met m = {0};

    assert_ok(cs_store_get_outbox(store, CS_OUTBOX_PUBLICATION, 0, most, meet_outbox, &m, error));
    assert_string_equal(m.letters, wanted);
}

/* A notice that waits for a person is not met again and again by who publishes. */
static void test_outbox_kinds(void **state)
{
    const uint8_t n[32] = {'n'};
    const uint8_t p[32] = {'p'};
    const uint8_t q[32] = {'q'};
    met m = {0};
    uint64_t count = 0;
    cs_store *store = place_open();

    (void)state;
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_NOTICE, n, cs_view_str("n"), 1, error));
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, p, cs_view_str("p"), 2, error));
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, q, cs_view_str("q"), 3, error));
    check_outbox(store, 9, "pq");
    assert_ok(cs_store_get_outbox(store, CS_OUTBOX_PUBLICATION, 2, 9, meet_outbox, &m, error));
    assert_string_equal(m.letters, "q");
    assert_ok(cs_store_count_outbox(store, CS_OUTBOX_NOTICE, &count, error));
    assert_int_equal(count, 1);
    assert_ok(cs_store_drop_outbox(store, n, 1, error));
    assert_ok(cs_store_count_outbox(store, CS_OUTBOX_NOTICE, &count, error));
    assert_int_equal(count, 0);
    assert_ok(cs_store_count_outbox(store, CS_OUTBOX_PUBLICATION, &count, error));
    assert_int_equal(count, 2);
    cs_store_close(&store);
}

/* What is kept takes the place of nothing, of either kind. */
static void test_outbox_keep(void **state)
{
    const uint8_t p[32] = {'p'};
    const uint8_t n[32] = {'n'};
    uint64_t count = 0;
    cs_store *store = place_open();

    (void)state;
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, p, cs_view_str("p"), 1, error));
    assert_ok(cs_store_keep_outbox(store, CS_OUTBOX_NOTICE, p, cs_view_str("x"), 2, error));
    assert_ok(cs_store_keep_outbox(store, CS_OUTBOX_PUBLICATION, p, cs_view_str("x"), 2, error));
    check_outbox(store, 9, "p");
    assert_ok(cs_store_keep_outbox(store, CS_OUTBOX_NOTICE, n, cs_view_str("n"), 3, error));
    assert_ok(cs_store_count_outbox(store, CS_OUTBOX_NOTICE, &count, error));
    assert_int_equal(count, 1);
    assert_fails(CS_E_TOO_LARGE,
        cs_store_keep_outbox(store, CS_OUTBOX_NOTICE, n, CS_VIEW_ARRAY(large), 9, error));
    cs_store_close(&store);
}

static void test_outbox(void **state)
{
    const uint8_t a[32] = {'a'};
    const uint8_t b[32] = {'b'};
    met m = {.stop = 1};
    cs_store *store = place_open();

    (void)state;
    check_outbox(store, 9, "");
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, a, cs_view_str("a1"), 9, error));
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, b, cs_view_str("b1"), 5, error));
    check_outbox(store, 9, "ab");
    check_outbox(store, 1, "a");
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, a, cs_view_str("a2"), 9, error));
    check_outbox(store, 9, "ba"); /* what was replaced waits behind the others */
    assert_fails(CS_E_ORDER,
        cs_store_get_outbox(store, CS_OUTBOX_PUBLICATION, 0, 9, meet_outbox, &m, error));
    assert_fails(CS_E_TOO_LARGE,
        cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, b, CS_VIEW_ARRAY(large), 9, error));
    assert_ok(cs_store_drop_outbox(store, b, 2, error));
    assert_ok(cs_store_drop_outbox(store, b, 2, error)); /* acknowledged twice */
    assert_ok(cs_store_drop_outbox(store, a, 1, error)); /* replaced since it was sent */
    check_outbox(store, 9, "a");
    cs_store_close(&store);
}

static void put_record(cs_store *store, char letter, uint8_t row_key, int64_t stored_at)
{
    cs_record_row row = {.id = {(uint8_t)letter}, .row_key = {row_key}, .stored_at = stored_at};

    row.sealed = (cs_view){row.id, 1};
    assert_ok(cs_store_record_begin(store, row.id, error));
    assert_ok(cs_store_record_finish(store, &row, error));
}

static void check_records(cs_store *store, const uint8_t *row_key, unsigned most, const char *want)
{
    met m = {0};

    assert_ok(cs_store_find_records(store, row_key, most, meet_record, &m, error));
    assert_string_equal(m.letters, want);
}

static void test_find_records(void **state)
{
    const uint8_t one[32] = {1};
    const uint8_t none[32] = {9};
    met m = {.stop = 2};
    cs_store *store = place_open();

    (void)state;
    put_record(store, 'a', 1, 10);
    put_record(store, 'b', 2, 40);
    put_record(store, 'c', 1, 30);
    put_record(store, 'd', 1, 10);
    check_records(store, one, 9, "cda");
    check_records(store, one, 2, "cd");
    check_records(store, NULL, 9, "bcda");
    check_records(store, none, 9, "");
    assert_fails(CS_E_ORDER, cs_store_find_records(store, NULL, 9, meet_record, &m, error));
    assert_string_equal(m.letters, "bc");
    cs_store_close(&store);
}

static void test_count(void **state)
{
    static const char *const tables[] = {
        "credential", "index_row", "record", "audit", "outbox", "enrolment"};
    const uint8_t key[32] = {1};
    const cs_credential_row row = {.serial = 1, .not_after = 9, .sealed = cs_view_str("s")};
    cs_store *store = place_open();
    uint64_t count = 9;
    size_t i;

    (void)state;
    assert_ok(cs_store_put_credential(store, &row, 1, error));
    assert_ok(cs_store_put_index(store, key, key, cs_view_str("i"), 1, error));
    put_record(store, 'r', 1, 1);
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("a"), NULL, error));
    assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, key, cs_view_str("o"), 1, error));
    assert_ok(cs_store_add_enrolment(store, key, 9, error));
    for (i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        assert_ok(cs_store_count(store, tables[i], &count, error));
        assert_int_equal(count, 1);
    }
    assert_fails(CS_E_USAGE, cs_store_count(store, "setting", &count, error));
    assert_fails(CS_E_USAGE, cs_store_count(store, "audit; DROP TABLE audit", &count, error));
    cs_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_seen),
        PLACE_TEST(test_enrolment),
        PLACE_TEST(test_credentials),
        PLACE_TEST(test_attestations),
        PLACE_TEST(test_serials_and_groups),
        PLACE_TEST(test_index),
        PLACE_TEST(test_outbox),
        PLACE_TEST(test_outbox_kinds),
        PLACE_TEST(test_outbox_keep),
        PLACE_TEST(test_find_records),
        PLACE_TEST(test_count),
    };

    return cmocka_run_group_tests_name("calls of the store", tests, NULL, NULL);
}
