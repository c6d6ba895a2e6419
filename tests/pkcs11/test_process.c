/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on few sessions, processes that fork with a token open, others that log in. */
#include "fixture.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <p11-kit/pkcs11.h>
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

/* The file in which SoftHSM keeps a token's label, flags and PIN. */
static void token_object(char path[PATH_MAX])
{
    char pattern[PATH_MAX];
    glob_t found;

    (void)snprintf(pattern, sizeof pattern, "%s/tokens/*/token.object", fx.directory);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    (void)snprintf(path, PATH_MAX, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static size_t read_file(const char *path, uint8_t *out, size_t size)
{
    FILE *file = fopen(path, "rbe");
    size_t n;

    assert_non_null(file);
    n = fread(out, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return n;
}

static void write_file(const char *path, const uint8_t *bytes, size_t n)
{
    FILE *file = fopen(path, "wbe");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void *open_token(void *context)
{
    cs_token_options options = fixture_options();
    cs_token **token = context;

    return cs_token_open(token, fixture_uri(LABEL, ""), &options, NULL) == CS_OK ? token : NULL;
}

/* What another process's login does to the file, drawn out: it is cut to nothing, then written. */
static void test_token_rewritten(void **state)
{
    char path[PATH_MAX];
    uint8_t bytes[4096];
    size_t n;
    pthread_t opener;
    cs_token *token = NULL;
    void *opened;

    (void)state;
    cs_token_shutdown(); /* the module is to read the file anew */
    token_object(path);
    n = read_file(path, bytes, sizeof bytes);
    assert_in_range(n, 1, sizeof bytes - 1);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(pthread_create(&opener, NULL, open_token, &token), 0);
    assert_int_equal(usleep(50 * 1000), 0);
    write_file(path, bytes, n);
    assert_int_equal(pthread_join(opener, &opened), 0);
    assert_non_null(opened);
    cs_token_close(&token);
}

/* Other code in the process has the module, too, and finalises it. */
static void test_finalised_by_others(void **state)
{
    void *library = dlopen(CS_SOFTHSM_MODULE, RTLD_NOW);
    void *symbol = dlsym(library, "C_GetFunctionList");
    CK_C_GetFunctionList get;
    CK_FUNCTION_LIST *others;
    cs_token *token = fixture_open();
    worker keys = open_keys(token, "finalised");

    (void)state;
    *(void **)&get = symbol;
    assert_int_equal(get(&others), CKR_OK);
    assert_int_equal(others->C_Finalize(NULL), CKR_OK);
    assert_true(one_round(&keys));
    assert_int_equal(in_child(&keys, token, false), 0);
    assert_true(one_round(&keys));
    close_keys(&keys);
    cs_token_close(&token);
    assert_int_equal(dlclose(library), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_token_rewritten),
        cmocka_unit_test(test_finalised_by_others),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
