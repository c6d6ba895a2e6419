/* SPDX-License-Identifier: Apache-2.0 */
/* What the store takes for its file, and what it makes of its directory. */
#include "place.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KILLS 30

static void check_refused(int code)
{
    cs_store *store = NULL;
    cs_buf before = {0};
    cs_buf after = {0};

    place_read(&before, "");
    assert_fails(code, cs_store_open(&store, place_path, error));
    assert_null(store);
    place_read(&after, "");
    assert_true(cs_view_equal(cs_view_buf(&before), cs_view_buf(&after)));
    cs_buf_free(&before);
    cs_buf_free(&after);
}

/* A store in the middle of its work: what its user did last is in the log alone. */
static int leave_log(int number, int tell)
{
    cs_store *store;
    cs_error error;

    (void)number;
    (void)tell;
    if (cs_store_open(&store, place_path, &error) != CS_OK)
        return 1;
    if (cs_store_add_enrolment(store, (uint8_t[32]){1}, 99, &error) != CS_OK)
        return 2;
    _exit(0); /* without a close, like a crash */
}

static void make_log(void)
{
    place_child child = place_fork(leave_log, 0);

    assert_int_equal(place_join(&child), 0);
    assert_true(place_size("-wal") > 0);
}

static void test_empty_file(void **state)
{
    cs_store *store;

    (void)state;
    place_write((cs_view){0}, "");
    check_refused(CS_E_CORRUPT);
    assert_int_equal(unlink(place_path), 0);
    make_log();
    assert_int_equal(truncate(place_path, 0), 0);
    check_refused(CS_E_CORRUPT);
    assert_true(place_size("-wal") > 0); /* for who wants to rescue what is in it */
    assert_int_equal(unlink(place_path), 0);
    assert_fails(CS_E_CORRUPT, cs_store_open(&store, place_path, error));
    assert_int_equal(place_size(""), -1);
    assert_true(place_size("-wal") > 0);
}

/* The log of a crashed process is taken up. */
static void test_log_taken_up(void **state)
{
    uint64_t count = 0;
    cs_store *store;

    (void)state;
    make_log();
    store = place_open();
    assert_ok(cs_store_count(store, "enrolment", &count, error));
    assert_int_equal(count, 1);
    cs_store_close(&store);
}

static void test_not_a_store(void **state)
{
    static uint8_t sevens[8192];

    (void)state;
    memset(sevens, '7', sizeof sevens);
    place_write(cs_view_str("short"), "");
    check_refused(CS_E_CORRUPT);
    place_write(CS_VIEW_ARRAY(sevens), "");
    check_refused(CS_E_CORRUPT);
    assert_int_equal(unlink(place_path), 0);
    place_sql("PRAGMA user_version = 1"); /* a database without tables */
    check_refused(CS_E_CORRUPT);
    place_sql("CREATE TABLE audit (number INTEGER PRIMARY KEY)");
    check_refused(CS_E_CORRUPT);
}

static void test_mark_lost(void **state)
{
    cs_store *store = place_open();

    (void)state;
    cs_store_close(&store);
    place_sql("PRAGMA application_id = 0");
    check_refused(CS_E_CORRUPT);
    place_sql("PRAGMA user_version = 0");
    check_refused(CS_E_CORRUPT);
    place_sql("PRAGMA application_id = 0x43537631"); /* the mark without a version */
    check_refused(CS_E_CORRUPT);
    place_sql("PRAGMA user_version = -1");
    check_refused(CS_E_CORRUPT);
    place_sql("PRAGMA user_version = 4");
    store = place_open();
    cs_store_close(&store);
}

/* What the first version made; a database of it is brought up when it is opened. */
static void test_migration(void **state)
{
    cs_store *store = place_open();
    uint64_t count = 0;

    (void)state;
    assert_ok(cs_store_put_outbox(
        store, CS_OUTBOX_PUBLICATION, (uint8_t[32]){1}, cs_view_str("item"), 1, error));
    cs_store_close(&store);
    place_sql("CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"
              "DROP INDEX credential_identity; DROP INDEX outbox_kind; DROP INDEX record_stored;"
              "ALTER TABLE outbox DROP COLUMN kind; DROP TABLE place; DROP TABLE attestation;"
              "PRAGMA user_version = 1");
    store = place_open();
    assert_ok(cs_store_count_outbox(store, CS_OUTBOX_PUBLICATION, &count, error));
    assert_int_equal(count, 1);
    assert_int_equal(place_number("PRAGMA user_version"), 4);
    assert_ok(cs_store_put_attestation(store, 1, 2, cs_view_str("said"), error));
    cs_store_close(&store);
    /* and what the second made */
    place_sql("DROP TABLE place; DROP TABLE attestation; PRAGMA user_version = 2");
    store = place_open();
    assert_ok(cs_store_count(store, "place", &count, error));
    assert_int_equal(count, 0);
    assert_int_equal(place_number("PRAGMA user_version"), 4);
    cs_store_close(&store);
}

static void test_future_schema(void **state)
{
    cs_store *store = place_open();

    (void)state;
    cs_store_close(&store);
    place_sql("PRAGMA user_version = 5");
    check_refused(CS_E_SCHEMA);
    place_sql("PRAGMA user_version = 2147483647");
    check_refused(CS_E_SCHEMA);
}

/* A table that is gone is damage, told when it is met. */
static void test_table_lost(void **state)
{
    cs_store *store = place_open();

    (void)state;
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("a"), NULL, error));
    place_sql("DROP TABLE enrolment");
    assert_fails(CS_E_CORRUPT, cs_store_add_enrolment(store, (uint8_t[32]){1}, 99, error));
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("a"), NULL, error));
    cs_store_close(&store);
}

static void check_mode(const char *end)
{
    char name[128];
    struct stat about;

    (void)snprintf(name, sizeof name, "%s%s", place_path, end);
    assert_int_equal(stat(name, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(about.st_nlink, 1);
}

static void check_modes(mode_t mask)
{
    const uint8_t id[CS_RECORD_ID_SIZE] = {1};
    mode_t before = umask(mask);
    cs_store *store = place_open();

    assert_ok(cs_store_record_begin(store, id, error));
    (void)umask(before);
    check_mode("");
    check_mode("-wal");
    check_mode("-shm");
    check_mode("-writers");
    cs_store_close(&store);
    assert_int_equal(unlink(place_path), 0);
}

static void test_modes(void **state)
{
    cs_store *store;

    (void)state;
    check_modes(0);
    check_modes(0277);
    store = place_open();
    cs_store_close(&store);
    assert_int_equal(chmod(place_path, 0644), 0);
    store = place_open();
    check_mode("");
    cs_store_close(&store);
}

static void test_names(void **state)
{
    char name[128];
    char link[96];
    cs_store *store = NULL;

    (void)state;
    assert_fails(CS_E_STORAGE, cs_store_open(&store, "/nowhere/at/all", error));
    assert_fails(CS_E_STORAGE, cs_store_open(&store, "", error));
    (void)snprintf(name, sizeof name, "%s/", place_directory);
    assert_fails(CS_E_STORAGE, cs_store_open(&store, name, error));
    assert_fails(CS_E_STORAGE, cs_store_open(&store, place_directory, error));
    assert_int_equal(symlink("elsewhere", place_path), 0);
    assert_fails(CS_E_STORAGE, cs_store_open(&store, place_path, error));
    assert_int_equal(unlink(place_path), 0);
    /* A directory may be reached through a link, as home directories are. */
    (void)snprintf(link, sizeof link, "%s/link", place_directory);
    assert_int_equal(symlink(".", link), 0);
    (void)snprintf(name, sizeof name, "%s/link/db", place_directory);
    assert_ok(cs_store_open(&store, name, error));
    assert_int_equal(unlink(link), 0);
    cs_store_close(&store);
    assert_true(place_size("") > 0);
}

static int open_and_close(int number, int tell)
{
    cs_store *store;
    cs_error error;
    int rc = cs_store_open(&store, place_path, &error);

    (void)number;
    (void)tell;
    cs_store_close(&store);
    return rc == CS_OK ? 0 : 1;
}

static void remove_all(void)
{
    char pattern[128];
    glob_t found;
    size_t i;

    (void)snprintf(pattern, sizeof pattern, "%s*", place_path);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (i = 0; i < found.gl_pathc; i++)
        assert_int_equal(unlink(found.gl_pathv[i]), 0);
    globfree(&found);
}

/* Who dies while making the store leaves none, or a whole one, to the next. */
static void test_killed_while_made(void **state)
{
    cs_store *store;
    int killed = 0;
    int turn;

    (void)state;
    place_seed();
    for (turn = 0; turn < KILLS; turn++) {
        place_child child = place_fork(open_and_close, 0);

        (void)usleep(place_random(20000));
        assert_int_equal(kill(child.pid, SIGKILL), 0);
        killed += place_join(&child) == -1;
        store = place_open();
        cs_store_close(&store);
        place_check_integrity();
        remove_all();
    }
    assert_true(killed > 0);
}

/* Of several who make it at once, all have the same one. */
static void test_made_by_several(void **state)
{
    place_child children[4];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof children / sizeof children[0]; i++)
        children[i] = place_fork(open_and_close, 0);
    for (i = 0; i < sizeof children / sizeof children[0]; i++)
        assert_int_equal(place_join(&children[i]), 0);
    assert_int_equal(place_number("SELECT last FROM serial"), 0);
}

/* A directory that cannot be written: nothing is made, and the error says so. */
static int open_without_rights(int number, int tell)
{
    cs_store *store = NULL;
    cs_error error;

    (void)number;
    (void)tell;
    if (chmod(place_directory, 0500) != 0 || (geteuid() == 0 && seteuid(65534) != 0))
        return 1;
    return cs_store_open(&store, place_path, &error) == CS_E_STORAGE ? 0 : 2;
}

static void test_no_rights(void **state)
{
    place_child child = place_fork(open_without_rights, 0);

    (void)state;
    assert_int_equal(place_join(&child), 0);
    assert_int_equal(chmod(place_directory, 0700), 0);
    assert_int_equal(place_size(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_empty_file),
        PLACE_TEST(test_log_taken_up),
        PLACE_TEST(test_not_a_store),
        PLACE_TEST(test_mark_lost),
        PLACE_TEST(test_migration),
        PLACE_TEST(test_future_schema),
        PLACE_TEST(test_table_lost),
        PLACE_TEST(test_modes),
        PLACE_TEST(test_names),
        PLACE_TEST(test_killed_while_made),
        PLACE_TEST(test_made_by_several),
        PLACE_TEST(test_no_rights),
    };

    return cmocka_run_group_tests_name("the store's file", tests, NULL, NULL);
}
