/* SPDX-License-Identifier: Apache-2.0 */
/* Places of telecare: made once, filled, listed, and gone after their end with what lay there. */
#include "place.h"

#include <stdio.h>
#include <string.h>

#define NOW 1700000000000LL
#define CHUNKS 300 /* more than are removed at once */

static const uint8_t first[CS_STORE_KEY_SIZE] = {1};
static const uint8_t second[CS_STORE_KEY_SIZE] = {2};

static void put_record(cs_store *store, const uint8_t row_key[CS_STORE_KEY_SIZE], uint8_t number,
    uint64_t chunks, bool finish)
{
    cs_record_row row = {.id = {number}, .stored_at = NOW, .chunks = chunks};
    char bytes[100] = "";

    memcpy(row.row_key, row_key, sizeof row.row_key);
    assert_ok(cs_store_record_begin(store, row.id, error));
    for (uint64_t i = 0; i < chunks; i++)
        assert_ok(cs_store_record_chunk(
            store, row.id, i, (cs_view){(const uint8_t *)bytes, sizeof bytes}, error));
    if (finish)
        assert_ok(cs_store_record_finish(store, &row, error));
}

static void test_rows(void **state)
{
    cs_store *store = place_open();
    cs_buf sealed = {0};

    (void)state;
    assert_fails(CS_E_NOT_FOUND, cs_store_get_place(store, first, &sealed, error));
    assert_fails(CS_E_NOT_FOUND, cs_store_set_place(store, first, cs_view_str("x"), error));
    assert_ok(cs_store_add_place(store, first, NOW, cs_view_str("one"), error));
    assert_fails(CS_E_EXISTS, cs_store_add_place(store, first, NOW, cs_view_str("two"), error));
    assert_ok(cs_store_set_place(store, first, cs_view_str("three"), error));
    cs_store_close(&store);
    store = place_open();
    assert_ok(cs_store_get_place(store, first, &sealed, error));
    assert_true(cs_view_equal(cs_view_buf(&sealed), cs_view_str("three")));
    cs_buf_free(&sealed);
    cs_store_close(&store);
}

typedef struct seen {
    size_t count;
    cs_place_row rows[4];
} seen;

static int note(void *context, const cs_place_row *row, cs_error *error)
{
    seen *s = context;

    (void)error;
    s->rows[s->count++] = *row;
    return CS_OK;
}

static void test_list(void **state)
{
    cs_store *store = place_open();
    seen s = {0};

    (void)state;
    assert_ok(cs_store_add_place(store, first, NOW + 2, cs_view_str("a"), error));
    assert_ok(cs_store_add_place(store, second, NOW + 1, cs_view_str("b"), error));
    put_record(store, first, 7, 3, true);
    assert_ok(cs_store_each_place(store, note, &s, error));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.rows[0].ends, NOW + 1);
    assert_int_equal(s.rows[0].chunks, 0);
    assert_int_equal(s.rows[0].stored_at, 0);
    assert_int_equal(s.rows[1].chunks, 3);
    assert_int_equal(s.rows[1].stored_at, NOW);
    cs_store_close(&store);
}

static void test_end(void **state)
{
    const uint8_t others[CS_STORE_KEY_SIZE] = {9};
    cs_store *store = place_open();
    cs_buf sealed = {0};
    unsigned removed = 9;

    (void)state;
    assert_ok(cs_store_add_place(store, first, NOW, cs_view_str("a"), error));
    assert_ok(cs_store_add_place(store, second, NOW + 1, cs_view_str("b"), error));
    put_record(store, first, 1, CHUNKS, true);
    put_record(store, second, 2, 2, true);
    put_record(store, others, 3, 2, true); /* of no place */
    assert_ok(cs_store_expire_places(store, NOW, 10, &removed, error));
    assert_int_equal(removed, 0);
    assert_ok(cs_store_expire_places(store, NOW + 1, 10, &removed, error));
    assert_int_equal(removed, 1);
    assert_fails(CS_E_NOT_FOUND, cs_store_get_place(store, first, &sealed, error));
    assert_ok(cs_store_get_place(store, second, &sealed, error));
    assert_int_equal(place_number("SELECT count(*) FROM chunk"), 4);
    assert_int_equal(place_number("SELECT count(*) FROM record"), 2);
    /* so many at a time */
    assert_ok(cs_store_add_place(store, first, NOW, cs_view_str("a"), error));
    assert_ok(cs_store_expire_places(store, NOW + 10, 1, &removed, error));
    assert_int_equal(removed, 1);
    assert_ok(cs_store_expire_places(store, NOW + 10, 10, &removed, error));
    assert_int_equal(removed, 1);
    assert_int_equal(place_number("SELECT count(*) FROM place"), 0);
    place_check_integrity();
    cs_buf_free(&sealed);
    cs_store_close(&store);
}

/* What a dead writer left goes with the next that asks, and what is flushed is on the disk. */
static void test_left_over(void **state)
{
    cs_store *store = place_open();

    (void)state;
    put_record(store, first, 1, 2, false);
    assert_int_equal(place_number("SELECT count(*) FROM chunk"), 0);
    assert_ok(cs_store_record_flush(store, error));
    assert_int_equal(place_number("SELECT count(*) FROM chunk"), 2);
    assert_ok(cs_store_record_purge(store, error)); /* this writer lives */
    assert_int_equal(place_number("SELECT count(*) FROM unfinished"), 1);
    cs_store_close(&store);
    store = place_open();
    assert_ok(cs_store_record_purge(store, error));
    assert_int_equal(place_number("SELECT count(*) FROM unfinished"), 0);
    assert_int_equal(place_number("SELECT count(*) FROM chunk"), 0);
    cs_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_list, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_end, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_left_over, place_set_up, place_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
