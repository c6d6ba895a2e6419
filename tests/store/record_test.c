/* SPDX-License-Identifier: Apache-2.0 */
/* Records: their order, their size, their writers, and kill -9 at any moment. */
#include "place.h"

#include "store/sqlite.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

#define LARGE_CHUNKS 1024u /* of 64 KiB: 64 MiB */
#define MIB ((int64_t)1 << 20)
#define KILLS 30
#define CHUNKS 300 /* three transactions */

static uint8_t chunk[CS_CHUNK_SEALED_MAX];

static void test_order_and_ids(void **state)
{
    const cs_view view = {chunk, 10};
    const cs_view too_large = {chunk, sizeof chunk + 1}; /* never looked into */
    cs_record_row row = {.id = {1}, .chunks = 2, .sealed = cs_view_str("header")};
    const uint8_t unknown[CS_RECORD_ID_SIZE] = {9};
    cs_store *store = place_open();
    cs_store *other = place_open();
    cs_record_row got;
    cs_buf out = {0};

    (void)state;
    assert_fails(CS_E_NO_RECORD, cs_store_record_chunk(store, row.id, 0, view, error));
    assert_fails(CS_E_NO_RECORD, cs_store_record_finish(store, &row, error));
    assert_ok(cs_store_record_begin(store, row.id, error));
    assert_fails(CS_E_BUSY, cs_store_record_begin(other, row.id, error));
    assert_fails(CS_E_NO_RECORD, cs_store_record_chunk(other, row.id, 0, view, error));
    assert_fails(CS_E_TOO_LARGE, cs_store_record_chunk(store, row.id, 0, too_large, error));
    assert_fails(CS_E_ORDER, cs_store_record_chunk(store, row.id, 1, view, error));
    assert_ok(cs_store_record_chunk(store, row.id, 0, view, error));
    assert_fails(CS_E_ORDER, cs_store_record_chunk(store, row.id, 0, view, error));
    assert_fails(CS_E_ORDER, cs_store_record_finish(store, &row, error));
    assert_ok(cs_store_record_chunk(store, row.id, 1, (cs_view){0}, error));
    assert_fails(CS_E_NO_RECORD, cs_store_get_record(store, row.id, &got, &out, error));
    assert_fails(CS_E_NO_RECORD, cs_store_get_chunk(store, row.id, 0, &out, error));
    assert_ok(cs_store_record_finish(store, &row, error));
    assert_fails(CS_E_NO_RECORD, cs_store_record_finish(store, &row, error));
    assert_fails(CS_E_EXISTS, cs_store_record_begin(store, row.id, error));
    assert_ok(cs_store_get_record(other, row.id, &got, &out, error));
    assert_true(cs_view_equal(got.sealed, row.sealed));
    assert_int_equal(got.chunks, 2);
    assert_ok(cs_store_get_chunk(other, row.id, 0, &out, error));
    assert_int_equal(out.n, row.sealed.n + view.n);
    assert_ok(cs_store_get_chunk(other, row.id, 1, &out, error));
    assert_fails(CS_E_NO_RECORD, cs_store_get_chunk(other, row.id, 2, &out, error));
    assert_fails(CS_E_NO_RECORD, cs_store_get_record(other, unknown, &got, &out, error));
    assert_int_equal(out.n, row.sealed.n + view.n);
    assert_ok(cs_store_begin(store, error));
    assert_fails(CS_E_USAGE, cs_store_record_begin(store, unknown, error));
    assert_fails(CS_E_USAGE, cs_store_record_chunk(store, unknown, 0, view, error));
    cs_store_rollback(store);
    cs_buf_free(&out);
    cs_store_close(&other);
    cs_store_close(&store);
}

static int count_row(void *context, const cs_record_row *row, cs_error *error)
{
    size_t *count = context;

    (void)row, (void)error;
    (*count)++;
    return CS_OK;
}

/* Lists of any length come in their order from an index: nothing is sorted in memory. */
static void test_walks(void **state)
{
    cs_store *store = place_open();
    const uint8_t *row_key = (uint8_t[CS_STORE_KEY_SIZE]){1};
    sqlite3_stmt *statement = NULL;
    size_t walks = 0;
    size_t n = 0;

    (void)state;
    for (uint8_t i = 1; i <= 3; i++) {
        const cs_record_row row = {
            .id = {i}, .row_key = {i / 2}, .stored_at = i, .sealed = cs_view_str("h")};

        assert_ok(cs_store_record_begin(store, row.id, error));
        assert_ok(cs_store_record_finish(store, &row, error));
    }
    assert_ok(cs_store_find_records(store, NULL, UINT32_MAX, count_row, &n, error));
    assert_int_equal(n, 3);
    assert_ok(cs_store_find_records(store, row_key, UINT32_MAX, count_row, &n, error));
    assert_int_equal(n, 3 + 2);
    assert_ok(cs_store_each_row(store, count_row, &n, error));
    assert_int_equal(n, 3 + 2 + 2);
    while ((statement = sqlite3_next_stmt(store->db, statement)) != NULL) {
        walks += strstr(sqlite3_sql(statement), "FROM record") != NULL;
        assert_int_equal(sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_SORT, 0), 0);
    }
    assert_in_range(walks, 3, 9);
    cs_store_close(&store);
}

static void check_unfinished(int64_t records, int64_t chunks)
{
    assert_int_equal(place_number("SELECT count(*) FROM unfinished"), records);
    assert_int_equal(place_number("SELECT count(*) FROM chunk"), chunks);
}

static void test_abandon(void **state)
{
    const uint8_t first[CS_RECORD_ID_SIZE] = {1};
    const uint8_t second[CS_RECORD_ID_SIZE] = {2};
    const cs_view view = {chunk, 10};
    cs_record_row row = {.id = {1}};
    cs_store *store = place_open();
    cs_store *other = place_open();
    cs_buf none = {0};
    uint64_t i;

    (void)state;
    assert_ok(cs_store_record_begin(store, first, error));
    for (i = 0; i < CHUNKS; i++)
        assert_ok(cs_store_record_chunk(store, first, i, view, error));
    assert_ok(cs_store_record_begin(store, second, error)); /* two at a time */
    assert_ok(cs_store_record_chunk(store, second, 0, view, error));
    check_unfinished(2, CHUNKS);
    assert_fails(CS_E_NO_RECORD, cs_store_get_chunk(other, first, 0, &none, error));
    assert_int_equal(none.n, 0);
    cs_store_record_abandon(other, first); /* not its own */
    check_unfinished(2, CHUNKS);
    assert_ok(cs_store_record_chunk(store, first, CHUNKS, view, error));
    cs_store_record_abandon(store, first);
    check_unfinished(1, 1);
    assert_fails(CS_E_NO_RECORD, cs_store_record_chunk(store, first, CHUNKS + 1, view, error));
    assert_ok(cs_store_record_begin(store, first, error)); /* the id is free again */
    assert_ok(cs_store_record_finish(store, &row, error));
    cs_store_record_abandon(store, first); /* finished ones stay */
    /* What a closed handle left goes with the next record of another one, which keeps its own. */
    cs_store_close(&store);
    assert_ok(cs_store_record_begin(other, second, error));
    check_unfinished(1, 0);
    assert_int_equal(place_number("SELECT count(*) FROM record"), 1);
    cs_store_close(&other);
}

/* As large as records get: what it takes is bounded all the same. */
static void test_large_record(void **state)
{
    cs_record_row row = {.id = {1}, .chunks = LARGE_CHUNKS, .sealed = cs_view_str("header")};
    cs_store *store = place_open();
    int64_t log = 0;
    cs_buf out = {0};
    uint64_t i;

    (void)state;
    (void)sqlite3_memory_highwater(1);
    assert_ok(cs_store_record_begin(store, row.id, error));
    for (i = 0; i < LARGE_CHUNKS; i++) {
        memset(chunk, (int)(i % 251), sizeof chunk);
        assert_ok(cs_store_record_chunk(store, row.id, i, CS_VIEW_ARRAY(chunk), error));
        log = place_size("-wal") > log ? place_size("-wal") : log;
    }
    assert_ok(cs_store_record_finish(store, &row, error));
    for (i = 0; i < LARGE_CHUNKS; i++) {
        cs_buf_clear(&out);
        assert_ok(cs_store_get_chunk(store, row.id, i, &out, error));
        memset(chunk, (int)(i % 251), sizeof chunk);
        assert_true(cs_view_equal(cs_view_buf(&out), CS_VIEW_ARRAY(chunk)));
    }
    print_message("sqlite %lld KiB, waiting %zu KiB, log %lld KiB\n",
        (long long)(sqlite3_memory_highwater(0) / 1024), store->pending.bytes.capacity / 1024,
        (long long)(log / 1024));
    assert_true(sqlite3_memory_highwater(0) < 8 * MIB);
    assert_true((int64_t)store->pending.bytes.capacity <= 16 * MIB);
    assert_true(log < 32 * MIB);
    cs_buf_free(&out);
    cs_store_close(&store);
}

/* What chunk n of a record must be, from its id. */
static cs_view expected_chunk(const uint8_t *id, uint64_t n)
{
    memset(chunk, id[0] ^ (int)(n & 0xff), sizeof chunk);
    return (cs_view){chunk, (id[1] * 7u + n * 13u) % 2000u};
}

/* Records until it is killed; each one acknowledged is durable. */
static int write_records(int number, int tell)
{
    cs_record_row row = {.chunks = CHUNKS, .sealed = cs_view_str("header")};
    cs_store *store;
    cs_error error;
    uint64_t i;

    (void)number;
    if (cs_store_open(&store, place_path, &error) != CS_OK)
        return 1;
    for (;;) {
        cs_random(row.id, sizeof row.id);
        if (cs_store_record_begin(store, row.id, &error) != CS_OK)
            return 2;
        for (i = 0; i < CHUNKS; i++) {
            if (cs_store_record_chunk(store, row.id, i, expected_chunk(row.id, i), &error) != CS_OK)
                return 3;
        }
        if (cs_store_begin(store, &error) != CS_OK ||
            cs_store_record_finish(store, &row, &error) != CS_OK ||
            cs_store_append_audit(store, 1, CS_VIEW_ARRAY(row.id), NULL, &error) != CS_OK ||
            cs_store_commit(store, &error) != CS_OK || !place_tell(tell, row.id, sizeof row.id))
            return 4;
    }
}

static int check_record(void *context, const cs_record_row *row, cs_error *error)
{
    cs_store *store = context;
    cs_buf out = {0};
    uint64_t i;
    int rc = CS_OK;

    for (i = 0; i < row->chunks && rc == CS_OK; i++) {
        cs_buf_clear(&out);
        rc = cs_store_get_chunk(store, row->id, i, &out, error);
        if (rc == CS_OK && !cs_view_equal(cs_view_buf(&out), expected_chunk(row->id, i)))
            rc = CS_FAIL(error, CS_E_CORRUPT, "a chunk is not what was written");
    }
    cs_buf_free(&out);
    return rc;
}

/* After a death: all that was acknowledged is whole, and the unfinished goes. */
static void check_survivors(const place_child *child, uint64_t *acknowledged)
{
    const uint8_t mine[CS_RECORD_ID_SIZE] = {0};
    cs_store *store = place_open();
    uint8_t id[CS_RECORD_ID_SIZE];
    cs_record_row row;
    cs_buf sealed = {0};

    while (place_hear(child, id, sizeof id)) {
        assert_ok(cs_store_get_record(store, id, &row, &sealed, error));
        assert_ok(check_record(store, &row, error));
        ++*acknowledged;
    }
    assert_ok(cs_store_record_begin(store, mine, error));
    assert_int_equal(place_number("SELECT count(*) FROM unfinished"), 1);
    assert_int_equal(
        place_number("SELECT (SELECT sum(chunks) FROM record) - (SELECT count(*) FROM chunk)"), 0);
    assert_int_equal(
        place_number("SELECT (SELECT count(*) FROM record) - (SELECT count(*) FROM audit)"), 0);
    cs_store_record_abandon(store, mine);
    cs_buf_free(&sealed);
    cs_store_close(&store);
}

static void test_kill(void **state)
{
    uint64_t acknowledged = 0;
    cs_store *store;
    int turn;

    (void)state;
    place_seed();
    store = place_open(); /* made here, so that none dies while making it */
    cs_store_close(&store);
    for (turn = 0; turn < KILLS; turn++) {
        place_child child = place_fork(write_records, 0);

        (void)poll(NULL, 0, (int)(1 + place_random(150)));
        assert_int_equal(kill(child.pid, SIGKILL), 0);
        check_survivors(&child, &acknowledged);
        assert_int_equal(place_join(&child), -1);
        place_check_integrity();
    }
    print_message("%llu records were acknowledged\n", (unsigned long long)acknowledged);
    assert_true(acknowledged > 0);
    store = place_open();
    assert_ok(cs_store_find_records(store, NULL, 100000, check_record, store, error));
    cs_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_order_and_ids),
        PLACE_TEST(test_walks),
        PLACE_TEST(test_abandon),
        PLACE_TEST(test_large_record),
        PLACE_TEST(test_kill),
    };

    return cmocka_run_group_tests_name("records of the store", tests, NULL, NULL);
}
