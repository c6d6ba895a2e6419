/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes or threads on one store at once. */
#include "place.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#define PROCESSES 2
#define ROUNDS 60
#define THREADS 4
#define EACH 25
#define GROUPS 60

/* Both processes send each message: of the two, one is fresh. */
static int race_seen(int number, int tell)
{
    uint8_t hash[32] = {0};
    cs_store *store;
    cs_error error;
    uint8_t round;
    bool fresh;

    (void)number;
    if (cs_store_open(&store, place_path, &error) != CS_OK)
        return 1;
    for (round = 0; round < ROUNDS; round++) {
        hash[0] = round;
        if (cs_store_seen(store, hash, 1, 99, &fresh, &error) != CS_OK)
            return 2;
        if (fresh && !place_tell(tell, &round, sizeof round))
            return 3;
    }
    cs_store_close(&store);
    return 0;
}

static void test_seen(void **state)
{
    place_child children[PROCESSES];
    unsigned fresh[ROUNDS] = {0};
    uint8_t round;
    int i;

    (void)state;
    for (i = 0; i < PROCESSES; i++)
        children[i] = place_fork(race_seen, i);
    for (i = 0; i < PROCESSES; i++) {
        while (place_hear(&children[i], &round, sizeof round)) {
            assert_true(round < ROUNDS);
            fresh[round]++;
        }
        assert_int_equal(place_join(&children[i]), 0);
    }
    for (i = 0; i < ROUNDS; i++)
        assert_int_equal(fresh[i], 1);
}

/* Both want each identity for keys of their own: of the two, one has it. */
static int race_credential(int number, int tell)
{
    cs_credential_row row = {.not_after = 99, .owner = {(uint8_t)(number + 1)}};
    cs_store *store;
    cs_error error;
    uint8_t round;

    if (cs_store_open(&store, place_path, &error) != CS_OK)
        return 1;
    for (round = 0; round < ROUNDS; round++) {
        int rc = cs_store_next_serial(store, &row.serial, &error);

        if (rc != CS_OK)
            return 2;
        row.id_key[0] = round;
        rc = cs_store_put_credential(store, &row, 1, &error);
        if (rc == CS_OK && !place_tell(tell, &row.serial, sizeof row.serial))
            return 3;
        if (rc != CS_OK && rc != CS_E_TAKEN)
            return 4;
    }
    cs_store_close(&store);
    return 0;
}

static void test_credential(void **state)
{
    place_child children[PROCESSES];
    uint64_t serial;
    int won = 0;
    int i;

    (void)state;
    for (i = 0; i < PROCESSES; i++)
        children[i] = place_fork(race_credential, i);
    for (i = 0; i < PROCESSES; i++) {
        while (place_hear(&children[i], &serial, sizeof serial))
            won++;
        assert_int_equal(place_join(&children[i]), 0);
    }
    assert_int_equal(won, ROUNDS);
    assert_int_equal(place_number("SELECT count(DISTINCT id_key) FROM credential"), ROUNDS);
    assert_int_equal(place_number("SELECT count(*) FROM credential WHERE current = 1"), ROUNDS);
    assert_int_equal(place_number("SELECT last FROM serial"), ROUNDS * PROCESSES);
}

typedef struct worker {
    pthread_t thread;
    int rc;
    cs_error error;
    uint64_t serials[EACH];
} worker;

static void *work(void *context)
{
    worker *w = context;
    cs_store *store;
    int i;

    w->rc = cs_store_open(&store, place_path, &w->error);
    for (i = 0; i < EACH && w->rc == CS_OK; i++) {
        w->rc = cs_store_next_serial(store, &w->serials[i], &w->error);
        if (w->rc == CS_OK)
            w->rc = cs_store_append_audit(store, i, cs_view_str("entry"), NULL, &w->error);
    }
    cs_store_close(&store);
    return NULL;
}

typedef struct chain {
    uint64_t number;
    uint8_t hash[32];
} chain;

static int follow(void *context, const cs_audit_row *row, cs_error *error)
{
    chain *c = context;

    if (row->number != c->number + 1 || memcmp(row->previous, c->hash, 32) != 0)
        return CS_FAIL(error, CS_E_SIGNATURE, "the chain breaks");
    c->number = row->number;
    memcpy(c->hash, row->hash, sizeof c->hash);
    return CS_OK;
}

/* Also the first opening is a race: there is no store yet. */
static void test_threads(void **state)
{
    static worker workers[THREADS];
    unsigned given[THREADS * EACH] = {0};
    chain c = {0};
    cs_store *store;
    int i;
    int j;

    (void)state;
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    for (i = 0; i < THREADS; i++) {
        if (workers[i].rc != CS_OK)
            fail_msg("thread %d: %s", i, workers[i].error.message);
        for (j = 0; j < EACH; j++) {
            assert_in_range(workers[i].serials[j], 1, THREADS * EACH);
            given[workers[i].serials[j] - 1]++;
        }
    }
    for (i = 0; i < THREADS * EACH; i++)
        assert_int_equal(given[i], 1);
    store = place_open();
    assert_ok(cs_store_read_audit(store, 1, follow, &c, error));
    assert_int_equal(c.number, THREADS * EACH);
    cs_store_close(&store);
}

/* Records with two chunks and an audit entry, each as one group. */
static int write_groups(int number, int tell)
{
    cs_record_row row = {.chunks = 2, .sealed = cs_view_str("header")};
    cs_store *store;
    cs_error error;
    uint8_t i;

    (void)number;
    (void)tell;
    if (cs_store_open(&store, place_path, &error) != CS_OK)
        return 1;
    for (i = 1; i <= GROUPS; i++) {
        row.id[0] = i;
        if (cs_store_record_begin(store, row.id, &error) != CS_OK ||
            cs_store_record_chunk(store, row.id, 0, cs_view_str("one"), &error) != CS_OK ||
            cs_store_record_chunk(store, row.id, 1, cs_view_str("two"), &error) != CS_OK ||
            cs_store_begin(store, &error) != CS_OK ||
            cs_store_append_audit(store, i, cs_view_str("entry"), NULL, &error) != CS_OK ||
            cs_store_record_finish(store, &row, &error) != CS_OK ||
            cs_store_commit(store, &error) != CS_OK)
            return 2;
    }
    cs_store_close(&store);
    return 0;
}

typedef struct reading {
    cs_store *store;
    uint64_t records;
} reading;

/* Reads with the handle whose walk is going on. */
static int read_chunks(void *context, const cs_record_row *row, cs_error *error)
{
    reading *r = context;
    cs_buf chunks = {0};
    int rc = cs_store_get_chunk(r->store, row->id, 0, &chunks, error);

    if (rc == CS_OK)
        rc = cs_store_get_chunk(r->store, row->id, 1, &chunks, error);
    if (rc == CS_OK && !cs_view_equal(cs_view_buf(&chunks), cs_view_str("onetwo")))
        rc = CS_FAIL(error, CS_E_CORRUPT, "not the chunks that were written");
    cs_buf_free(&chunks);
    r->records++;
    return rc;
}

static void test_read_while_written(void **state)
{
    cs_store *store = place_open();
    reading r = {.store = store};
    place_child child;
    uint64_t entries = 0;
    uint64_t before = 0;
    unsigned partly = 0;

    (void)state;
    child = place_fork(write_groups, 0);
    while (entries < GROUPS) {
        chain c = {0};

        assert_ok(cs_store_count(store, "audit", &entries, error));
        assert_true(entries >= before);
        before = entries;
        partly += entries > 0 && entries < GROUPS;
        r.records = 0;
        assert_ok(cs_store_find_records(store, NULL, 1000, read_chunks, &r, error));
        assert_true(r.records >= entries); /* what was committed with them is there too */
        assert_ok(cs_store_read_audit(store, 1, follow, &c, error));
        assert_true(c.number >= r.records);
    }
    assert_int_equal(place_join(&child), 0);
    assert_true(partly > 0);
    cs_store_close(&store);
}

static int hold_lock(int number, int tell)
{
    cs_store *store;
    cs_error error;

    if (cs_store_open(&store, place_path, &error) != CS_OK ||
        cs_store_begin(store, &error) != CS_OK ||
        cs_store_append_audit(store, 1, cs_view_str("theirs"), NULL, &error) != CS_OK ||
        !place_tell(tell, &number, sizeof number))
        return 1;
    (void)poll(NULL, 0, number);
    return cs_store_commit(store, &error) == CS_OK ? 0 : 2;
}

/* A writer waits for another's group, and does not see the half of it. */
static void test_waits_for_lock(void **state)
{
    cs_store *store = place_open();
    uint64_t number = 0;
    place_child child;
    int told;

    (void)state;
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("before"), NULL, error));
    child = place_fork(hold_lock, 300);
    assert_true(place_hear(&child, &told, sizeof told));
    assert_ok(cs_store_count(store, "audit", &number, error));
    assert_int_equal(number, 1);
    assert_ok(cs_store_append_audit(store, 1, cs_view_str("ours"), &number, error));
    assert_int_equal(number, 3); /* behind theirs */
    assert_int_equal(place_join(&child), 0);
    cs_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_seen),
        PLACE_TEST(test_credential),
        PLACE_TEST(test_threads),
        PLACE_TEST(test_read_while_written),
        PLACE_TEST(test_waits_for_lock),
    };

    return cmocka_run_group_tests_name("races for the store", tests, NULL, NULL);
}
