/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on few sessions, and processes that fork with a token open. */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 40

typedef struct worker {
    cs_key *sign, *agree, *prf;
    uint8_t expected_prf[32];
    unsigned right;
    cs_op_counts spent;
} worker;

static bool one_round(const worker *w)
{
    uint8_t digest[32], signature[64], private_key[32], public_key[65], here[32], there[32];

    cs_random(digest, sizeof digest);
    if (cs_key_sign(w->sign, digest, signature, NULL) != CS_OK ||
        cs_ecdsa_verify(
            (cs_view){cs_key_describe(w->sign)->public_key, 65}, digest, signature, NULL) != CS_OK)
        return false;
    if (cs_p256_generate(private_key, public_key, NULL) != CS_OK ||
        cs_key_agree(w->agree, public_key, there, NULL) != CS_OK ||
        cs_p256_ecdh(here, private_key, (cs_view){cs_key_describe(w->agree)->public_key, 65},
            NULL) != CS_OK ||
        memcmp(here, there, 32) != 0)
        return false;
    return cs_key_prf(w->prf, cs_view_str("thread"), here, NULL) == CS_OK &&
           memcmp(here, w->expected_prf, 32) == 0;
}

static void *work(void *context)
{
    worker *w = context;
    cs_op_counts before = cs_ops_of_thread();

    for (int i = 0; i < ROUNDS; i++)
        w->right += one_round(w) ? 1 : 0;
    w->spent = cs_ops_between(before, cs_ops_of_thread());
    return NULL;
}

static worker open_keys(cs_token *token, const char *mark)
{
    char label[32];
    worker w = {0};

    (void)snprintf(label, sizeof label, "sign-%s", mark);
    assert_ok(cs_key_generate(&w.sign, token, label, CS_USE_SIGN, CS_SUITE_P256, error));
    (void)snprintf(label, sizeof label, "agree-%s", mark);
    assert_ok(cs_key_generate(&w.agree, token, label, CS_USE_AGREE, CS_SUITE_P256, error));
    (void)snprintf(label, sizeof label, "prf-%s", mark);
    assert_ok(cs_key_generate(&w.prf, token, label, CS_USE_PRF, CS_SUITE_P256, error));
    assert_ok(cs_key_prf(w.prf, cs_view_str("thread"), w.expected_prf, error));
    return w;
}

static void close_keys(worker *w)
{
    cs_key_close(&w->sign);
    cs_key_close(&w->agree);
    cs_key_close(&w->prf);
}

static void run_threads(const worker *keys)
{
    pthread_t threads[THREADS];
    worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = *keys;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].right, ROUNDS);
        assert_int_equal(workers[i].spent.sign, ROUNDS);
        assert_int_equal(workers[i].spent.agree, ROUNDS);
    }
}

static void test_threads(void **state)
{
    cs_token *token = fixture_open_with(2, 0);
    worker keys = open_keys(token, "threads");

    (void)state;
    run_threads(&keys);
    close_keys(&keys);
    cs_token_close(&token);
}

/* 0 when the child did what it should. _exit: the parent's test runner is not the child's. */
static int in_child(const worker *keys, cs_token *token, bool shut_down)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        worker own = *keys;
        int rc = 0;

        for (int i = 0; i < 3 && rc == 0; i++)
            rc = one_round(&own) ? 0 : 1;
        if (rc == 0 && shut_down) {
            close_keys(&own);
            cs_token_close(&token);
            cs_token_shutdown();
        }
        _exit(rc);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_fork(void **state)
{
    cs_token *token = fixture_open();
    worker keys = open_keys(token, "fork");

    (void)state;
    assert_true(one_round(&keys));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(in_child(&keys, token, i == 1), 0);
        /* whatever the child did, the parent's sessions are whole */
        assert_true(one_round(&keys));
    }
    close_keys(&keys);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_fork),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
