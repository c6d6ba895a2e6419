/* SPDX-License-Identifier: Apache-2.0 */
/* A full disk at every kind of write: told, nothing lost or half done, and well once there is room.
 * The database cannot grow (a limit of pages), or nothing at all can be written (RLIMIT_FSIZE). */
#include "place.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static uint8_t large[60000]; /* more than what is left in any page */
static const uint8_t key[32] = {1};
static const uint8_t other[32] = {2};
static const uint8_t record_id[CS_RECORD_ID_SIZE] = {1};

#define LARGE CS_VIEW_ARRAY(large)

typedef int (*call_fn)(cs_store *store, cs_error *error);

static int put_index(cs_store *store, cs_error *error)
{
    return cs_store_put_index(store, key, key, LARGE, 1, error);
}

static int put_outbox(cs_store *store, cs_error *error)
{
    return cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, key, LARGE, 1, error);
}

static int append_audit(cs_store *store, cs_error *error)
{
    return cs_store_append_audit(store, 1, LARGE, NULL, error);
}

static int seal_audit(cs_store *store, cs_error *error)
{
    return cs_store_seal_audit(store, 1, LARGE, error);
}

static int put_credential(cs_store *store, cs_error *error)
{
    const cs_credential_row row = {.serial = 9, .not_after = 99, .sealed = LARGE};

    return cs_store_put_credential(store, &row, 1, error);
}

static int begin_record(cs_store *store, cs_error *error)
{
    const uint8_t id[CS_RECORD_ID_SIZE] = {2};

    return cs_store_record_begin(store, id, error);
}

static int finish_record(cs_store *store, cs_error *error)
{
    cs_record_row row = {.chunks = 1, .sealed = LARGE};

    memcpy(row.id, record_id, sizeof row.id);
    return cs_store_record_finish(store, &row, error);
}

static int group(cs_store *store, cs_error *error)
{
    int rc = cs_store_begin(store, error);

    if (rc != CS_OK)
        return rc;
    rc = put_index(store, error);
    if (rc == CS_OK)
        rc = append_audit(store, error);
    if (rc == CS_OK)
        return cs_store_commit(store, error);
    cs_store_rollback(store);
    return rc;
}

static int see(cs_store *store, cs_error *error)
{
    bool fresh = false;
    int rc = cs_store_seen(store, other, 1, 99, &fresh, error);

    if (rc != CS_OK && fresh)
        return CS_E_REPLAY; /* must not be called fresh when that is not kept */
    return rc == CS_OK && !fresh ? CS_E_REPLAY : rc;
}

static int next_serial(cs_store *store, cs_error *error)
{
    uint64_t serial = 77;
    int rc = cs_store_next_serial(store, &serial, error);

    return rc != CS_OK && serial != 0 ? CS_E_INTERNAL : rc;
}

static int revoke_one(cs_store *store, cs_error *error)
{
    return cs_store_revoke(store, 1, 1, error);
}

static int add_enrolment(cs_store *store, cs_error *error)
{
    return cs_store_add_enrolment(store, other, 99, error);
}

static int use_enrolment(cs_store *store, cs_error *error)
{
    return cs_store_use_enrolment(store, key, key, 1, error);
}

static int drop_outbox(cs_store *store, cs_error *error)
{
    return cs_store_drop_outbox(store, other, 2, error);
}

static const struct {
    call_fn call;
    bool grows; /* needs a page more */
} calls[] = {
    {put_index, true},
    {put_outbox, true},
    {append_audit, true},
    {seal_audit, true},
    {put_credential, true},
    {finish_record, true},
    {group, true},
    {begin_record, false},
    {see, false},
    {next_serial, false},
    {revoke_one, false},
    {add_enrolment, false},
    {use_enrolment, false},
    {drop_outbox, false},
};
#define CALLS (sizeof calls / sizeof calls[0])

/* One row of each kind, and a record with a chunk in waiting. */
static cs_store *open_filled(void)
{
    const cs_credential_row row = {.serial = 1, .owner = {7}, .id_key = {7}, .not_after = 99};
    cs_store *store = place_open();

    memset(large, 'x', sizeof large);
    assert_ok(cs_store_put_index(store, key, key, cs_view_str("before"), 1, error));
    assert_ok(
        cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, key, cs_view_str("before"), 1, error));
    assert_ok(
        cs_store_put_outbox(store, CS_OUTBOX_PUBLICATION, other, cs_view_str("before"), 1, error));
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("before"), NULL, error));
    assert_ok(cs_store_put_credential(store, &row, 1, error));
    assert_ok(cs_store_add_enrolment(store, key, 99, error));
    assert_ok(cs_store_record_begin(store, record_id, error));
    assert_ok(cs_store_record_chunk(store, record_id, 0, LARGE, error));
    return store;
}

/* What a call may have changed, as one number. */
static int64_t sum_up(void)
{
    return place_number(
        "SELECT (SELECT count(*) FROM seen)"
        " + (SELECT sum(length(sealed) + length(signature) + 3) FROM audit)"
        " + (SELECT sum(length(sealed) + 5) FROM index_row)"
        " + (SELECT sum(length(sealed) + 7) FROM outbox)"
        " + (SELECT sum(length(sealed) + revoked_at + current) FROM credential)"
        " + (SELECT count(*) + count(owner) FROM enrolment)"
        " + (SELECT count(*) * 11 FROM unfinished) + (SELECT count(*) * 13 FROM record)"
        " + (SELECT count(*) * 17 FROM chunk) + (SELECT last FROM serial)");
}

static void set_file_limit(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size > limit.rlim_max ? limit.rlim_max : size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_no_more_pages(void **state)
{
    cs_store *store = open_filled();
    size_t i;

    (void)state;
    for (i = 0; i < CALLS; i++) {
        int64_t before = sum_up();

        if (!calls[i].grows)
            continue;
        assert_ok(cs_store_limit_pages(store, 1, error));
        assert_fails(CS_E_DISK_FULL, calls[i].call(store, error));
        assert_int_equal(sum_up(), before);
        assert_ok(cs_store_limit_pages(store, 0, error));
        assert_ok(calls[i].call(store, error));
        assert_int_not_equal(sum_up(), before);
    }
    place_check_integrity();
    cs_store_close(&store);
}

static void test_no_more_bytes(void **state)
{
    cs_store *store = open_filled();
    size_t i;

    (void)state;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    for (i = 0; i < CALLS; i++) {
        int64_t before = sum_up();
        cs_error told = {0};
        int rc;

        set_file_limit(0);
        rc = calls[i].call(store, &told);
        set_file_limit(RLIM_INFINITY);
        assert_int_equal(rc, CS_E_DISK_FULL);
        assert_int_equal(sum_up(), before);
        assert_ok(calls[i].call(store, error));
        assert_int_not_equal(sum_up(), before);
    }
    place_check_integrity();
    cs_store_close(&store);
}

/* Small rows until no page has room for one: each is there, or told to be not. */
static void test_small_rows(void **state)
{
    cs_store *store = place_open();
    uint8_t hash[32] = {0};
    uint8_t code[32] = {0};
    uint32_t seen = 0;
    uint32_t added = 0;
    cs_error told = {0};
    bool fresh = true;
    int rc;

    (void)state;
    assert_ok(cs_store_limit_pages(store, 1, error));
    while ((rc = cs_store_seen(store, hash, 1, 99, &fresh, &told)) == CS_OK)
        memcpy(hash, &(uint32_t){++seen}, sizeof seen);
    assert_int_equal(rc, CS_E_DISK_FULL);
    assert_false(fresh);
    while ((rc = cs_store_add_enrolment(store, code, 99, &told)) == CS_OK)
        memcpy(code, &(uint32_t){++added}, sizeof added);
    assert_int_equal(rc, CS_E_DISK_FULL);
    assert_int_equal(place_number("SELECT count(*) FROM seen"), seen);
    assert_int_equal(place_number("SELECT count(*) FROM enrolment"), added);
    assert_ok(cs_store_limit_pages(store, 0, error));
    assert_ok(cs_store_seen(store, hash, 1, 99, &fresh, error));
    assert_true(fresh);
    assert_ok(cs_store_add_enrolment(store, code, 99, error));
    cs_store_close(&store);
}

/* A full disk undoes the whole group; a later call must not be kept alone. */
static void test_group_goes_on(void **state)
{
    cs_store *store = open_filled();
    int64_t before;

    (void)state;
    assert_ok(cs_store_begin(store, error)); /* writes the chunk that waits */
    cs_store_rollback(store);
    before = sum_up();
    assert_ok(cs_store_limit_pages(store, 1, error));
    assert_ok(cs_store_begin(store, error));
    assert_ok(see(store, error));
    assert_fails(CS_E_DISK_FULL, put_index(store, error));
    (void)!revoke_one(store, &(cs_error){0});
    (void)!cs_store_commit(store, &(cs_error){0});
    assert_true(sum_up() == before || sum_up() == before + 2); /* none, or both that went well */
    assert_fails(CS_E_USAGE, cs_store_commit(store, error));
    assert_ok(cs_store_limit_pages(store, 0, error));
    assert_ok(group(store, error));
    cs_store_close(&store);
}

/* A store that cannot be made leaves nothing behind, and is made once there is room. */
static void test_abandoned_in_vain(void **state)
{
    const uint8_t id[CS_RECORD_ID_SIZE] = {5};
    cs_store *store = place_open();
    cs_store *second = NULL;

    (void)state;
    assert_ok(cs_store_open(&second, place_path, error));
    assert_ok(cs_store_record_begin(store, id, error));
    assert_fails(CS_E_BUSY, cs_store_record_begin(second, id, error));
    (void)signal(SIGXFSZ, SIG_IGN);
    set_file_limit(0);
    cs_store_record_abandon(store, id);
    set_file_limit(RLIM_INFINITY);
    assert_int_equal(place_number("SELECT count(*) FROM unfinished"), 1);
    /* once there is room, anybody may write it, at once */
    assert_ok(cs_store_record_begin(second, id, error));
    assert_fails(CS_E_BUSY, cs_store_record_begin(store, id, error));
    cs_store_record_abandon(second, id);
    assert_ok(cs_store_record_begin(store, id, error));
    cs_store_close(&second);
    cs_store_close(&store);
}

static void test_no_room_to_make(void **state)
{
    cs_error told = {0};
    cs_store *store = NULL;
    int rc;

    (void)state;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    set_file_limit(8192);
    rc = cs_store_open(&store, place_path, &told);
    set_file_limit(RLIM_INFINITY);
    assert_int_equal(rc, CS_E_DISK_FULL);
    assert_null(store);
    assert_int_equal(place_size(""), -1);
    store = place_open();
    cs_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_no_more_pages),
        PLACE_TEST(test_no_more_bytes),
        PLACE_TEST(test_small_rows),
        PLACE_TEST(test_group_goes_on),
        PLACE_TEST(test_abandoned_in_vain),
        PLACE_TEST(test_no_room_to_make),
    };

    return cmocka_run_group_tests_name("a full disk", tests, NULL, NULL);
}
