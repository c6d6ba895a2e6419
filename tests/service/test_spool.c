/* SPDX-License-Identifier: Apache-2.0 */
/* Contents on their way: hashed when they are opened, without a name until they are saved. */
#include "test.h"

#include "service/files.h"
#include "service/spool.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 150000 /* more than is copied at once, and no multiple of it */

static char dir[64];
static uint8_t bytes[SIZE];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    (void)snprintf(dir, sizeof dir, "/tmp/chartseal-spool.XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in(char path[128], const char *name)
{
    (void)snprintf(path, 128, "%s/%s", dir, name);
    return path;
}

static int is_file(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static size_t names(void)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, is_file, alphasort);

    assert_true(n >= 0);
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
    return (size_t)n;
}

static void test_open(void **state)
{
    char path[128];
    uint8_t hash[CS_HASH_SIZE];
    uint8_t piece[1000];
    cs_spool spool;
    size_t got;

    (void)state;
    assert_fails(CS_E_NO_FILE, cs_spool_open(&spool, in(path, "none"), "report", error));
    assert_fails(CS_E_USAGE, cs_spool_open(&spool, dir, "report", error));
    assert_int_equal(mkfifo(in(path, "pipe"), 0600), 0);
    assert_fails(CS_E_USAGE, cs_spool_open(&spool, path, "report", error)); /* and does not wait */
    assert_ok(cs_file_write(in(path, "file"), CS_VIEW_ARRAY(bytes), 0600, error));
    assert_ok(cs_spool_open(&spool, path, "report", error));
    assert_int_equal(spool.size, SIZE);
    assert_ok(cs_hash(hash, CS_VIEW_ARRAY(bytes), error));
    assert_memory_equal(spool.hash, hash, sizeof hash);
    assert_ok(cs_spool_read(&spool, piece, sizeof piece, &got, error)); /* from its beginning */
    assert_int_equal(got, sizeof piece);
    assert_memory_equal(piece, bytes, sizeof piece);
    cs_spool_close(&spool);
    cs_spool_close(&spool);
}

static void test_save(void **state)
{
    char path[128];
    cs_buf back = {0};
    cs_spool spool;

    (void)state;
    assert_ok(cs_spool_make(&spool, dir, error));
    assert_ok(cs_spool_write(&spool, (cs_view){bytes, 100000}, error));
    assert_ok(cs_spool_write(&spool, (cs_view){bytes + 100000, SIZE - 100000}, error));
    assert_int_equal(spool.size, SIZE);
    assert_int_equal(names(), 0);
    assert_ok(cs_spool_rewind(&spool, error));
    assert_ok(cs_spool_save(&spool, 10, NULL, error)); /* passed over */
    assert_ok(cs_spool_save(&spool, SIZE - 20, in(path, "middle"), error));
    assert_ok(cs_file_read(&back, path, SIZE, error));
    assert_true(cs_view_equal(cs_view_buf(&back), (cs_view){bytes + 10, SIZE - 20}));
    /* what is not there gets no name */
    assert_fails(CS_E_STORAGE, cs_spool_save(&spool, 11, in(path, "more"), error));
    assert_int_equal(names(), 1);
    cs_spool_close(&spool);
    assert_fails(CS_E_STORAGE, cs_spool_make(&spool, "/no/such/directory", error));
    cs_buf_free(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_save, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
