/* SPDX-License-Identifier: Apache-2.0 */
/* Files that were cut or have flipped bits: told as damage, and never undefined behaviour. */
#include "place.h"

#include <string.h>
#include <unistd.h>

#define HEADER 100 /* SQLite's, which is at the start of the first page */
#define PAGE ((size_t)4096)
#define FLIPS 300
#define RECORDS 4
#define CHUNKS 5

static uint8_t bytes[5000];

static int take(void *context, cs_view sealed, cs_error *error)
{
    size_t *n = context;

    (void)error;
    *n += sealed.n;
    return CS_OK;
}

static int take_outbox(void *context, const cs_outbox_row *row, cs_error *error)
{
    return take(context, row->sealed, error);
}

static int take_audit(void *context, const cs_audit_row *row, cs_error *error)
{
    return take(context, row->sealed, error);
}

static int take_record(void *context, const cs_record_row *row, cs_error *error)
{
    return take(context, row->sealed, error);
}

static void fill(cs_store *store)
{
    const cs_view value = CS_VIEW_ARRAY(bytes);
    uint8_t key[32] = {0};
    cs_record_row record = {.chunks = CHUNKS, .sealed = value};
    cs_credential_row credential = {.not_after = 100, .sealed = value};
    uint64_t n;
    bool fresh;

    for (key[0] = 1; key[0] <= RECORDS; key[0]++) {
        memcpy(record.id, key, sizeof record.id);
        memcpy(credential.id_key, key, sizeof key);
        credential.serial = key[0];
        assert_ok(cs_store_record_begin(store, record.id, error));
        for (n = 0; n < CHUNKS; n++)
            assert_ok(cs_store_record_chunk(store, record.id, n, value, error));
        assert_ok(cs_store_record_finish(store, &record, error));
        assert_ok(cs_store_put_credential(store, &credential, 1, error));
        assert_ok(cs_store_put_index(store, key, key, value, 1, error));
        assert_ok(cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, key, value, 1, error));
        assert_ok(cs_store_append_audit(store, 1, value, NULL, error));
        assert_ok(cs_store_seen(store, key, 1, 99, &fresh, error));
        assert_ok(cs_store_add_enrolment(store, key, 99, error));
    }
}

static int keep_first(int so_far, int rc)
{
    return so_far == CS_OK ? rc : so_far;
}

static int read_keyed(cs_store *store, cs_buf *out, size_t *n, cs_error *error)
{
    cs_credential_row credential;
    cs_record_row record;
    uint8_t key[32] = {0};
    uint64_t chunk;
    int rc = CS_OK;

    for (key[0] = 1; key[0] <= RECORDS; key[0]++) {
        cs_buf_clear(out);
        rc = keep_first(rc, cs_store_get_index(store, key, 9, take, n, error));
        rc = keep_first(rc, cs_store_get_credential(store, key, &credential, out, error));
        rc = keep_first(rc, cs_store_get_record(store, key, &record, out, error));
        for (chunk = 0; chunk < CHUNKS; chunk++)
            rc = keep_first(rc, cs_store_get_chunk(store, key, chunk, out, error));
    }
    return rc;
}

/* Reads all there is, whatever fails on the way, and gives back the first failure. */
static int read_all(cs_store *store, cs_error *error)
{
    cs_buf out = {0};
    uint64_t head;
    uint8_t hash[32];
    size_t n = 0;
    int rc = read_keyed(store, &out, &n, error);

    rc = keep_first(rc, cs_store_find_records(store, NULL, 99, take_record, &n, error));
    rc = keep_first(
        rc, cs_store_get_outbox(store, CS_OUTBOX_PUBLICATION, 0, 99, take_outbox, &n, error));
    rc = keep_first(rc, cs_store_read_audit(store, 1, take_audit, &n, error));
    rc = keep_first(rc, cs_store_audit_head(store, &head, hash, &head, error));
    rc = keep_first(rc, cs_store_revoked_serials(store, 1, &out, error));
    cs_buf_free(&out);
    return rc;
}

static int write_some(cs_store *store, cs_error *error)
{
    uint8_t key[32] = {77};
    uint64_t serial;
    bool fresh;
    int rc = cs_store_append_audit(store, 1, CS_VIEW_ARRAY(bytes), NULL, error);

    rc = keep_first(rc, cs_store_seen(store, key, 1, 99, &fresh, error));
    rc = keep_first(rc, cs_store_next_serial(store, &serial, error));
    rc = keep_first(
        rc, cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, key, CS_VIEW_ARRAY(bytes), 1, error));
    rc = keep_first(rc, cs_store_record_begin(store, key, error));
    cs_store_record_abandon(store, key);
    return rc;
}

static void make_whole(cs_buf *whole)
{
    cs_store *store = place_open();

    memset(bytes, 'x', sizeof bytes);
    fill(store);
    assert_ok(read_all(store, error));
    cs_store_close(&store);
    place_read(whole, "");
    assert_int_equal(place_size("-wal"), -1);
}

/* What the file as it is now comes to. */
static int try_file(bool write_too)
{
    cs_store *store = NULL;
    cs_error error;
    int rc = cs_store_open(&store, place_path, &error);

    if (rc == CS_OK) {
        rc = read_all(store, &error);
        if (write_too)
            rc = keep_first(rc, write_some(store, &error));
    } else {
        assert_null(store);
    }
    cs_store_close(&store);
    return rc;
}

/* A cut within the last page alone is like flipped bits in it. */
static void test_cut(void **state)
{
    cs_buf whole = {0};
    size_t n;

    (void)state;
    make_whole(&whole);
    for (n = 0; n <= whole.n - PAGE; n += 1024) {
        place_write((cs_view){whole.p, n}, "");
        if (try_file(false) != CS_E_CORRUPT)
            fail_msg("a store cut to %zu of %zu bytes is not called damaged", n, whole.n);
    }
    for (n = 1; n <= whole.n - PAGE; n = n * 2 + 1) {
        place_write((cs_view){whole.p, n}, "");
        assert_int_equal(try_file(true), CS_E_CORRUPT);
    }
    place_write(cs_view_buf(&whole), "");
    assert_int_equal(try_file(true), CS_OK);
    cs_buf_free(&whole);
}

/* What a flipped bit may come to: it is in a value that the store does not look into; in a key,
 * so that the row is not found; in a number; or it is noticed. */
static bool is_expected(int code)
{
    static const int codes[] = {CS_OK, CS_E_CORRUPT, CS_E_SCHEMA, CS_E_NOT_FOUND, CS_E_NO_RECORD,
        CS_E_EXISTS, CS_E_STORAGE};
    size_t i;

    for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == code)
            return true;
    }
    return false;
}

static int flip(cs_buf *whole, size_t at)
{
    const uint8_t bit = (uint8_t)(1u << place_random(8));
    int rc;

    whole->p[at] ^= bit;
    place_write(cs_view_buf(whole), "");
    rc = try_file(true);
    if (!is_expected(rc))
        fail_msg("bit %02x of byte %zu flipped gives %s", bit, at, cs_code_name(rc));
    whole->p[at] ^= bit;
    return rc;
}

static void test_header_flips(void **state)
{
    cs_buf whole = {0};
    unsigned damaged = 0;
    size_t at;

    (void)state;
    place_seed();
    make_whole(&whole);
    for (at = 0; at < HEADER; at++) {
        int rc = flip(&whole, at);

        damaged += rc == CS_E_CORRUPT;
        if (at < 16 || (at >= 68 && at < 72)) /* SQLite's mark, and ours */
            assert_int_equal(rc, CS_E_CORRUPT);
    }
    assert_true(damaged > 20);
    cs_buf_free(&whole);
}

static void test_page_flips(void **state)
{
    cs_buf whole = {0};
    unsigned damaged = 0;
    unsigned i;

    (void)state;
    place_seed();
    make_whole(&whole);
    for (i = 0; i < FLIPS; i++) {
        size_t page = place_random((uint32_t)(whole.n / PAGE)) * PAGE;
        size_t start = page == 0 ? HEADER : page;

        /* Most of the structure of a page is at its start. */
        damaged += flip(&whole, start + place_random(i % 2 == 0 ? 16 : 3900)) == CS_E_CORRUPT;
    }
    assert_true(damaged > 0);
    cs_buf_free(&whole);
}

/* A log with flipped bits is as if it ended there: SQLite's own check sums. What was acknowledged
 * before the last checkpoint is still there. */
static int leave_log(int number, int tell)
{
    cs_store *store;
    cs_error error;

    (void)number;
    (void)tell;
    if (cs_store_open(&store, place_path, &error) != CS_OK || write_some(store, &error) != CS_OK)
        return 1;
    _exit(0);
}

static void test_log_flips(void **state)
{
    cs_buf whole = {0};
    cs_buf log = {0};
    place_child child;
    unsigned i;

    (void)state;
    place_seed();
    make_whole(&whole);
    child = place_fork(leave_log, 0);
    assert_int_equal(place_join(&child), 0);
    place_read(&log, "-wal");
    place_read(&whole, "");
    for (i = 0; i < 50; i++) {
        size_t at = place_random((uint32_t)log.n);

        log.p[at] ^= 0x10;
        place_write(cs_view_buf(&whole), "");
        place_write(cs_view_buf(&log), "-wal");
        assert_int_equal(try_file(false), CS_OK);
        place_check_integrity();
        log.p[at] ^= 0x10;
    }
    cs_buf_free(&whole);
    cs_buf_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_cut),
        PLACE_TEST(test_header_flips),
        PLACE_TEST(test_page_flips),
        PLACE_TEST(test_log_flips),
    };

    return cmocka_run_group_tests_name("damaged stores", tests, NULL, NULL);
}
