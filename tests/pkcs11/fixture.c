/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "tree.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* SoftHSM 2.6.1 loses an ASN1_STRING per Ed25519 key. Leaks are told with whole stacks, so that
 * this and nothing of ours is left out. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the sanitizers' names */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libsofthsm2\n";
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

fixture fx;
static bool use_shim;

const char *fixture_module(void)
{
    return use_shim ? CS_SHIM_MODULE : CS_SOFTHSM_MODULE;
}

void fixture_write(const char *path, const char *text, unsigned mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void place(char *out, size_t size, const char *name)
{
    assert_true(snprintf(out, size, "%s/%s", fx.directory, name) < (int)size);
}

void fixture_add_token(const char *label)
{
    assert_ok(cs_token_initialise(fixture_module(), label, fx.so_pin_file, fx.pin_file, error));
}

static int setup(bool shim)
{
    char path[128], text[512];

    use_shim = shim;
    /* stays, so that the leak checker can name it after the shutdown */
    assert_non_null(dlopen(CS_SOFTHSM_MODULE, RTLD_NOW | RTLD_NODELETE));
    (void)snprintf(fx.directory, sizeof fx.directory, "%s", "/tmp/chartseal-test-XXXXXX");
    assert_non_null(mkdtemp(fx.directory));
    place(path, sizeof path, "tokens");
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(text, sizeof text,
        "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", path);
    place(path, sizeof path, "softhsm2.conf");
    fixture_write(path, text, 0600);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    place(fx.pin_file, sizeof fx.pin_file, "pin");
    place(fx.wrong_pin_file, sizeof fx.wrong_pin_file, "wrong-pin");
    place(fx.so_pin_file, sizeof fx.so_pin_file, "so-pin");
    place(fx.script, sizeof fx.script, "script");
    place(fx.counts, sizeof fx.counts, "counts");
    fixture_write(fx.pin_file, PIN "\n", 0600);
    fixture_write(fx.wrong_pin_file, WRONG_PIN "\n", 0600);
    fixture_write(fx.so_pin_file, SO_PIN "\n", 0600);
    assert_int_equal(setenv("CS_SHIM_SCRIPT", fx.script, 1), 0);
    assert_int_equal(setenv("CS_SHIM_COUNTS", fx.counts, 1), 0);
    fixture_write(fx.script, "", 0600);
    fixture_add_token(LABEL);
    return 0;
}

int fixture_setup(void **state)
{
    (void)state;
    return setup(false);
}

int fixture_setup_shim(void **state)
{
    (void)state;
    return setup(true);
}

int fixture_teardown(void **state)
{
    (void)state;
    cs_token_shutdown();
    return remove_tree(fx.directory);
}

const char *fixture_uri(const char *label, const char *more_query)
{
    static char uri[CS_URI_MAX];

    (void)snprintf(
        uri, sizeof uri, "pkcs11:token=%s?module-path=%s%s", label, fixture_module(), more_query);
    return uri;
}

const char *fixture_key_uri(const char *label)
{
    static char uri[CS_URI_MAX];

    (void)snprintf(uri, sizeof uri, "pkcs11:token=%s;object=%s", LABEL, label);
    return uri;
}

cs_token_options fixture_options(void)
{
    cs_token_options options = {.pin = {.kind = CS_PIN_FILE}};

    (void)snprintf(options.pin.path, sizeof options.pin.path, "%s", fx.pin_file);
    return options;
}

cs_token *fixture_open_with(unsigned sessions, unsigned timeout_ms)
{
    cs_token_options options = fixture_options();
    cs_token *token = NULL;

    options.sessions = sessions;
    options.timeout_ms = timeout_ms;
    assert_ok(cs_token_open(&token, fixture_uri(LABEL, ""), &options, error));
    return token;
}

cs_token *fixture_open(void)
{
    return fixture_open_with(0, 0);
}

void fixture_script(const char *text)
{
    char path[160];

    /* whole at once, because the shim may look at any moment */
    (void)snprintf(path, sizeof path, "%s.new", fx.script);
    fixture_write(path, text, 0600);
    assert_int_equal(rename(path, fx.script), 0);
    (void)unlink(fx.counts);
}

unsigned fixture_calls(const char *call)
{
    FILE *file = fopen(fx.counts, "r");
    char line[64];
    unsigned count = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, call) == 0)
            count++;
    }
    if (file != NULL)
        (void)fclose(file);
    return count;
}
