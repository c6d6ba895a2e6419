/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads, processes that fork, processes side by side on a TPM without a resource manager,
 * and nothing left behind. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 20
#define OPERATIONS 200 /* CHARTSEAL_TPM_OPERATIONS asks for another number */

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

static int setup(void **state)
{
    cs_token *token;
    cs_key *key;
    int rc = fixture_setup(state);

    if (rc != 0)
        return rc;
    token = fixture_open();
    assert_ok(cs_key_generate(&key, token, "sign", CS_USE_SIGN, CS_SUITE_P256, error));
    cs_key_close(&key);
    assert_ok(cs_key_generate(&key, token, "agree", CS_USE_AGREE, CS_SUITE_P256, error));
    cs_key_close(&key);
    assert_ok(cs_key_generate(&key, token, "prf", CS_USE_PRF, CS_SUITE_P256, error));
    cs_key_close(&key);
    cs_token_close(&token);
    return 0;
}

static worker open_keys(cs_token *token)
{
    worker w = {0};

    assert_ok(cs_key_open(&w.sign, token, fixture_key_uri("sign"), CS_USE_SIGN, 0, error));
    assert_ok(cs_key_open(&w.agree, token, fixture_key_uri("agree"), CS_USE_AGREE, 0, error));
    assert_ok(cs_key_open(&w.prf, token, fixture_key_uri("prf"), CS_USE_PRF, 0, error));
    assert_ok(cs_key_prf(w.prf, cs_view_str("thread"), w.expected_prf, error));
    return w;
}

static void close_keys(worker *w)
{
    cs_key_close(&w->sign);
    cs_key_close(&w->agree);
    cs_key_close(&w->prf);
}

static void test_threads(void **state)
{
    cs_token *token = fixture_open();
    worker keys = open_keys(token), workers[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = keys;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].right, ROUNDS);
        assert_int_equal(workers[i].spent.sign, ROUNDS);
        assert_int_equal(workers[i].spent.agree, ROUNDS);
    }
    close_keys(&keys);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
}

static int slow_pin(void *context, char *out, size_t *n, cs_error *error)
{
    (void)context;
    (void)error;
    (void)usleep(600000);
    *n = (size_t)snprintf(out, CS_PIN_MAX, "%s", PIN);
    return CS_OK;
}

/* Who waits for the TPM waits a limited time. */
static void test_busy(void **state)
{
    cs_token_options options = {
        .pin = {.kind = CS_PIN_CALLBACK, .callback = slow_pin}, .timeout_ms = 200};
    cs_token *token = NULL;
    pthread_t thread;
    worker w = {0};
    uint8_t digest[32] = {1}, signature[64];

    (void)state;
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    assert_ok(cs_key_open(&w.sign, token, fixture_key_uri("sign"), CS_USE_SIGN, 0, error));
    assert_ok(cs_key_open(&w.agree, token, fixture_key_uri("agree"), CS_USE_AGREE, 0, error));
    assert_ok(cs_key_open(&w.prf, token, fixture_key_uri("prf"), CS_USE_PRF, 0, error));
    assert_int_equal(pthread_create(&thread, NULL, work, &w), 0);
    (void)usleep(100000);
    assert_fails(CS_E_BUSY, cs_key_sign(w.sign, digest, signature, error));
    assert_int_equal(pthread_join(thread, NULL), 0);
    close_keys(&w);
    cs_token_close(&token);
}

static int exit_of(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* 0 when the child did what it should. _exit: the parent's test runner is not the child's. */
static int in_child(const worker *keys, cs_token *token, bool shut_down)
{
    pid_t child = fork();

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
    return exit_of(child);
}

static void test_fork(void **state)
{
    cs_token *token = fixture_open();
    worker keys = open_keys(token);

    (void)state;
    assert_true(one_round(&keys));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(in_child(&keys, token, i == 1), 0);
        /* whatever the child did, the parent's link is whole */
        assert_true(one_round(&keys));
    }
    close_keys(&keys);
    cs_token_close(&token);
}

static pid_t start_process(int rounds)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        cs_token_options options = fixture_options();
        cs_token *token = NULL;
        cs_error e = {0};
        worker w = {0};
        int rc = 0;

        if (cs_token_open(&token, fixture_uri(), &options, &e) != CS_OK) {
            (void)fprintf(stderr, "in a child: %s\n", e.message);
            _exit(2);
        }
        w = open_keys(token);
        for (int i = 0; i < rounds && rc == 0; i++)
            rc = one_round(&w) ? 0 : 3;
        close_keys(&w);
        cs_token_close(&token);
        _exit(rc);
    }
    return child;
}

static void test_side_by_side(void **state)
{
    pid_t children[3];

    (void)state;
    assert_int_equal(fixture_shell("true"), 0); /* flushes what children before left, who ended */
    for (int i = 0; i < 3; i++)
        children[i] = start_process(20);
    for (int i = 0; i < 3; i++)
        assert_int_equal(exit_of(children[i]), 0);
    assert_int_equal(fixture_loaded(), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

/* What killed processes leave in the few places of the TPM does not keep the next one out. */
static void test_killed(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        pid_t child = start_process(100000);

        for (int j = 0; j < 500 && fixture_loaded() == 0; j++)
            (void)usleep(10000);
        (void)kill(child, SIGKILL);
        (void)exit_of(child);
    }
    assert_int_equal(exit_of(start_process(3)), 0);
    assert_int_equal(exit_of(start_process(3)), 0);
    assert_int_equal(fixture_failed_tries(), 0);
    assert_int_equal(fixture_shell("true"), 0); /* flushes what is left over */
}

static void test_many(void **state)
{
    const char *asked = getenv("CHARTSEAL_TPM_OPERATIONS");
    long operations = asked == NULL ? OPERATIONS : strtol(asked, NULL, 10);
    cs_token *token = fixture_open();
    worker keys = open_keys(token);
    uint8_t bytes[3000] = {0}, out[32];

    (void)state;
    for (long i = 0; i < operations; i += 4) {
        assert_true(one_round(&keys));
        assert_ok(cs_key_prf(keys.prf, CS_VIEW_ARRAY(bytes), out, error));
    }
    close_keys(&keys);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_many),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
