/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_PLACE_H
#define CHARTSEAL_TEST_PLACE_H

/* What the tests of the store share: a place for it, a look behind its back, other processes, and
 * chance that can be repeated. Includes cmocka and the store. */

#include "test.h"

#include "store/store.h"

#include <sys/types.h>

/* A directory of its own for each test, and in it the store's path. */
extern char place_directory[64];
extern char place_path[96];
int place_set_up(void **state);
int place_tear_down(void **state);

/* The test, in a place of its own. */
#define PLACE_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, place_set_up, place_tear_down)

cs_store *place_open(void);

/* Past the store: statements and one number from a connection of its own. */
void place_sql(const char *sql);
int64_t place_number(const char *sql);
void place_check_integrity(void);

/* Whole files; `end` is "" for the database, "-wal" for its log. The size is -1 without a file. */
void place_read(cs_buf *out, const char *end);
void place_write(cs_view bytes, const char *end);
int64_t place_size(const char *end);

/* A child that runs fn and leaves with its result (0 is well); it asserts nothing. */
typedef int (*place_fn)(int number, int tell);
typedef struct place_child {
    pid_t pid;
    int ear; /* what the child wrote to `tell` */
} place_child;
place_child place_fork(place_fn fn, int number);
/* The child's result; -1 if it was killed. Closes the ear. */
int place_join(place_child *child);
/* True for each whole object that a child told. */
bool place_hear(const place_child *child, void *out, size_t n);
bool place_tell(int tell, const void *what, size_t n);

/* A generator whose seed is shown, and taken from CHARTSEAL_TEST_SEED when that is set. */
void place_seed(void);
uint32_t place_random(uint32_t below);

#endif
