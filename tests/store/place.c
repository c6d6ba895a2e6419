/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED_NAME "CHARTSEAL_TEST_SEED"

char place_directory[64];
char place_path[96];
static uint64_t chance;

int place_set_up(void **state)
{
    (void)state;
    (void)snprintf(place_directory, sizeof place_directory, "/tmp/chartseal-store-XXXXXX");
    if (mkdtemp(place_directory) == NULL)
        return -1;
    (void)snprintf(place_path, sizeof place_path, "%s/db", place_directory);
    return 0;
}

int place_tear_down(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-writers"};
    char name[128];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", place_path, ends[i]);
        (void)unlink(name);
    }
    return rmdir(place_directory); /* fails when the store left something else behind */
}

cs_store *place_open(void)
{
    cs_store *store = NULL;

    assert_ok(cs_store_open(&store, place_path, error));
    return store;
}

static sqlite3 *look_behind(void)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(place_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    return db;
}

void place_sql(const char *sql)
{
    sqlite3 *db = look_behind();

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int64_t place_number(const char *sql)
{
    sqlite3 *db = look_behind();
    sqlite3_stmt *statement = NULL;
    int64_t number;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

void place_check_integrity(void)
{
    assert_int_equal(
        place_number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0);
}

static FILE *open_end(const char *end, const char *mode)
{
    char name[128];

    (void)snprintf(name, sizeof name, "%s%s", place_path, end);
    return fopen(name, mode);
}

void place_read(cs_buf *out, const char *end)
{
    FILE *file = open_end(end, "rb");
    int64_t n = place_size(end);

    assert_non_null(file);
    assert_ok(cs_buf_resize(out, (size_t)n, error));
    assert_int_equal(fread(out->p, 1, out->n, file), out->n);
    assert_int_equal(fclose(file), 0);
}

void place_write(cs_view bytes, const char *end)
{
    FILE *file = open_end(end, "wb");

    assert_non_null(file);
    if (bytes.n > 0)
        assert_int_equal(fwrite(bytes.p, 1, bytes.n, file), bytes.n);
    assert_int_equal(fclose(file), 0);
}

int64_t place_size(const char *end)
{
    char name[128];
    struct stat about;

    (void)snprintf(name, sizeof name, "%s%s", place_path, end);
    return lstat(name, &about) == 0 ? (int64_t)about.st_size : -1;
}

place_child place_fork(place_fn fn, int number)
{
    place_child child;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        (void)close(ends[0]);
        _exit(fn(number, ends[1]));
    }
    (void)close(ends[1]);
    child.ear = ends[0];
    return child;
}

int place_join(place_child *child)
{
    int status = 0;

    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    (void)close(child->ear);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool place_hear(const place_child *child, void *out, size_t n)
{
    ssize_t got;

    do
        got = read(child->ear, out, n);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)n;
}

bool place_tell(int tell, const void *what, size_t n)
{
    return write(tell, what, n) == (ssize_t)n;
}

void place_seed(void)
{
    const char *given = getenv(SEED_NAME);
    uint32_t seed;

    if (given != NULL)
        seed = (uint32_t)strtoul(given, NULL, 10);
    else
        cs_random(&seed, sizeof seed);
    print_message("%s=%u\n", SEED_NAME, (unsigned)seed);
    chance = seed;
}

/* SplitMix64's step: enough for tests. */
uint32_t place_random(uint32_t below)
{
    uint64_t z;

    chance += 0x9e3779b97f4a7c15u;
    z = chance;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 32) % below;
}
