/* SPDX-License-Identifier: Apache-2.0 */
/* Where a PIN comes from, and the places it must not come from. */
#include "test.h"

#include "token/pin.h"

#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char directory[64];
static unsigned patience_s; /* of the person who is asked; 0: the default */

static const char *file(const char *name, const char *text, unsigned mode)
{
    static char path[128];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    (void)unlink(path);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static int get(cs_pin_kind kind, const char *path, const char *expected, cs_error *error)
{
    cs_pin_source source = {.kind = kind, .patience_s = patience_s};
    cs_pin pin;
    int rc;

    (void)snprintf(source.path, sizeof source.path, "%s", path);
    rc = cs_pin_get(&pin, &source, "token test", NULL, error);
    if (rc != CS_OK) {
        assert_null(pin.text);
        return rc;
    }
    assert_int_equal(pin.n, strlen(expected));
    assert_memory_equal(pin.text, expected, pin.n);
    cs_pin_free(&pin);
    assert_null(pin.text);
    return CS_OK;
}

static void test_file(void **state)
{
    char longest[CS_PIN_MAX + 3];

    (void)state;
    assert_ok(get(CS_PIN_FILE, file("a", "1234\n", 0600), "1234", error));
    assert_ok(get(CS_PIN_FILE, file("a", "1234", 0400), "1234", error));
    assert_ok(get(CS_PIN_FILE, file("a", "1234\r\nsecond line\n", 0600), "1234", error));
    assert_ok(get(CS_PIN_FILE, file("a", "with spaces \n", 0600), "with spaces ", error));
    memset(longest, 'x', sizeof longest);
    longest[CS_PIN_MAX] = '\0';
    assert_ok(get(CS_PIN_FILE, file("a", longest, 0600), longest, error));
    longest[CS_PIN_MAX] = 'x';
    longest[CS_PIN_MAX + 1] = '\0';
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_FILE, file("a", longest, 0600), "", error));
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_FILE, file("a", "", 0600), "", error));
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_FILE, file("a", "\n1234\n", 0600), "", error));
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_FILE, "/nonexistent/pin", "", error));
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_FILE, directory, "", error));
}

static int give(void *context, char *out, size_t *n, cs_error *error)
{
    *n = *(const size_t *)context;
    memset(out, 0, *n < CS_PIN_MAX ? *n : CS_PIN_MAX); /* any bytes, zeros too */
    return *n == 7 ? CS_FAIL(error, CS_E_CANCELLED, "no finger") : CS_OK;
}

static void test_callback(void **state)
{
    size_t n = CS_PIN_MAX;
    cs_pin_source source = {.kind = CS_PIN_CALLBACK, .callback = give, .context = &n};
    cs_pin pin;

    (void)state;
    assert_ok(cs_pin_get(&pin, &source, "token test", NULL, error));
    assert_int_equal(pin.n, CS_PIN_MAX);
    cs_pin_free(&pin);
    n = CS_PIN_MAX + 1;
    assert_fails(CS_E_INTERNAL, cs_pin_get(&pin, &source, "token test", NULL, error));
    n = 0;
    assert_fails(CS_E_PIN_MISSING, cs_pin_get(&pin, &source, "token test", NULL, error));
    n = 7;
    assert_fails(CS_E_CANCELLED, cs_pin_get(&pin, &source, "token test", NULL, error));
    source.callback = NULL;
    assert_fails(CS_E_PIN_MISSING, cs_pin_get(&pin, &source, "token test", NULL, error));
}

static void test_open_to_others(void **state)
{
    static const unsigned modes[] = {0640, 0604, 0644, 0660, 0622};
    cs_error error;

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(
            get(CS_PIN_FILE, file("open", "1234\n", modes[i]), "", &error), CS_E_PIN_MISSING);
        assert_non_null(strstr(error.message, "chmod 600"));
        assert_null(strstr(error.message, "1234"));
    }
}

/* systemd's credentials show their ACL as group bits. */
static void test_credential(void **state)
{
    const char *path;

    (void)state;
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
    assert_ok(get(CS_PIN_FILE, file("credential", "1234\n", 0440), "1234", error));
    path = file("credential", "1234\n", 0444);
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_FILE, path, "", error));
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    path = file("credential", "1234\n", 0440);
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_FILE, path, "", error));
}

static void test_environment(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("CS_TEST_PIN_FILE"), 0);
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_ENVIRONMENT, "CS_TEST_PIN_FILE", "", error));
    assert_int_equal(setenv("CS_TEST_PIN_FILE", file("e", "5678\n", 0600), 1), 0);
    assert_ok(get(CS_PIN_ENVIRONMENT, "CS_TEST_PIN_FILE", "5678", error));
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_NONE, "", "", error));
}

/* A pinentry of the test's own, found by PATH; a display is pretended, so that it is asked. */
static void with_pinentry(const char *script)
{
    char path[256];

    (void)file("pinentry", script, 0700);
    (void)snprintf(path, sizeof path, "%s:/usr/bin:/bin", directory);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(setenv("DISPLAY", ":99", 1), 0);
}

#define DIALOGUE_BEGIN                                                                             \
    "#!/bin/sh\necho OK ready\nwhile read -r command rest; do case $command in GETPIN) "
#define DIALOGUE_END " ;; BYE) exit 0 ;; *) echo OK ;; esac; done\n"

static void test_pinentry(void **state)
{
    (void)state;
    with_pinentry(DIALOGUE_BEGIN "echo 'D 12%2534%0A5'; echo OK" DIALOGUE_END);
    assert_ok(get(CS_PIN_PINENTRY, "", "12%34\n5", error));
    with_pinentry(DIALOGUE_BEGIN "echo 'ERR 83886179 Operation cancelled'" DIALOGUE_END);
    assert_fails(CS_E_CANCELLED, get(CS_PIN_PINENTRY, "", "", error));
    with_pinentry(DIALOGUE_BEGIN "echo OK" DIALOGUE_END);
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_PINENTRY, "", "", error));
    with_pinentry(DIALOGUE_BEGIN "echo 'D 12%2'; echo OK" DIALOGUE_END);
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_PINENTRY, "", "", error));
    with_pinentry(DIALOGUE_BEGIN "exit 1" DIALOGUE_END);
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_PINENTRY, "", "", error));
    with_pinentry(DIALOGUE_BEGIN "yes '# comment' 2>/dev/null" DIALOGUE_END);
    assert_fails(CS_E_PIN_MISSING, get(CS_PIN_PINENTRY, "", "", error));
}

/* How long it took, in seconds. */
static double timed(int wanted)
{
    struct timespec begun, ended;
    cs_error told = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    assert_int_equal(get(CS_PIN_PINENTRY, "", "", &told), wanted);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_non_null(strstr(told.message, "in time"));
    return (double)(ended.tv_sec - begun.tv_sec) +
           (double)(ended.tv_nsec - begun.tv_nsec) / 1000000000;
}

/* Nobody is waited for for ever: not for a person, and not for a pinentry that hangs. */
static void test_pinentry_is_late(void **state)
{
    double took;

    (void)state;
    patience_s = 1;
    with_pinentry(DIALOGUE_BEGIN "exec sleep 60" DIALOGUE_END);
    took = timed(CS_E_CANCELLED);
    assert_true(took >= 1 && took < 20);
    /* it does not even leave when its input has ended */
    with_pinentry("#!/bin/sh\necho OK ready\nexec sleep 60\n");
    took = timed(CS_E_CANCELLED);
    assert_true(took >= 1 && took < 20);
    /* it is told the time, and one that cannot be is as good */
    with_pinentry("#!/bin/sh\necho OK ready\nwhile read -r command rest; do case $command in\n"
                  "SETTIMEOUT) seconds=$rest; echo OK ;; GETPIN) echo \"D $seconds\"; echo OK ;;\n"
                  "BYE) exit 0 ;; *) echo OK ;; esac; done\n");
    patience_s = 7;
    assert_ok(get(CS_PIN_PINENTRY, "", "7", error));
    patience_s = 0;
    assert_ok(get(CS_PIN_PINENTRY, "", "120", error)); /* CS_PIN_PATIENCE_S */
    with_pinentry("#!/bin/sh\necho OK ready\nwhile read -r command rest; do case $command in\n"
                  "SETTIMEOUT) echo 'ERR 1 unknown' ;; GETPIN) echo 'D 2468'; echo OK ;;\n"
                  "BYE) exit 0 ;; *) echo OK ;; esac; done\n");
    assert_ok(get(CS_PIN_PINENTRY, "", "2468", error));
}

/* The child asks on a terminal of its own; the parent types, and reads what is shown. Returns the
 * child's wait status; *echo: is the terminal's echo on afterwards? */
static int type_at(const char *text, const char *expected, int wanted, bool *echo)
{
    char shown[512];
    size_t n = 0;
    struct termios after;
    int terminal, status = 0;
    pid_t child;

    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0); /* no pinentry */
    assert_int_equal(unsetenv("DISPLAY"), 0);
    (void)unsetenv("WAYLAND_DISPLAY");
    child = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(child >= 0);
    if (child == 0)
        _exit(get(CS_PIN_PINENTRY, "", expected, NULL) == wanted ? 0 : 1);
    for (bool typed = false; n < sizeof shown - 1;) {
        ssize_t got = read(terminal, shown + n, sizeof shown - 1 - n);

        if (got <= 0)
            break;
        n += (size_t)got;
        shown[n] = '\0';
        if (!typed && strstr(shown, "token test: ") != NULL) {
            assert_int_equal(write(terminal, text, strlen(text)), (ssize_t)strlen(text));
            typed = true;
        }
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(tcgetattr(terminal, &after), 0);
    *echo = (after.c_lflag & ECHO) != 0;
    assert_non_null(strstr(shown, "PIN of token test"));
    assert_null(strstr(shown, "2468"));
    (void)close(terminal);
    return status;
}

static void test_terminal(void **state)
{
    bool echo;

    (void)state;
    assert_int_equal(type_at("2468\n", "2468", CS_OK, &echo), 0);
    assert_true(echo);
    assert_int_equal(type_at("13\x15"
                             "2469\x7f"
                             "8\n",
                         "2468", CS_OK, &echo),
        0); /* kill, erase */
    assert_int_equal(type_at("2468\x04", "2468", CS_OK, &echo), 0);
    assert_int_equal(type_at("\x04", "", CS_E_CANCELLED, &echo), 0);
}

/* A person who has gone: the PIN that was begun is not taken, and the terminal is as it was. */
static void test_terminal_is_late(void **state)
{
    bool echo = false;

    (void)state;
    patience_s = 1;
    assert_int_equal(type_at("24", "", CS_E_CANCELLED, &echo), 0);
    patience_s = 0;
    assert_true(echo);
}

/* What is to be done elsewhere is a line on the terminal, where nobody else takes it. */
static void test_tell(void **state)
{
    char shown[128] = "";
    int terminal, status;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    size_t n = 0;
    ssize_t got;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        cs_pin_tell(NULL, NULL, "enter the PIN at the reader");
        _exit(0);
    }
    while (n < sizeof shown - 1 && (got = read(terminal, shown + n, sizeof shown - 1 - n)) > 0)
        n += (size_t)got;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_string_equal(shown, "enter the PIN at the reader\r\n");
    (void)close(terminal);
}

/* Ctrl-C: no PIN, and the terminal is as it was. */
static void test_interrupted(void **state)
{
    bool echo = false;

    (void)state;
    assert_int_equal(type_at("24\x03", "", CS_E_CANCELLED, &echo), 0);
    assert_true(echo);
    assert_int_equal(type_at("24\x1c", "", CS_E_CANCELLED, &echo), 0); /* Ctrl-backslash */
    assert_true(echo);
}

/* A daemon has no terminal and no display: it is told, not left waiting. */
static void test_nobody_to_ask(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        _exit(setsid() >= 0 && get(CS_PIN_PINENTRY, "", "", NULL) == CS_E_PIN_MISSING ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Where others can read it, a PIN in the URI is refused, however it is written. */
static void test_uris(void **state)
{
    static const char *const refused[] = {"pkcs11:token=a?pin-value=1234",
        "pkcs11:token=a?module-path=/m.so&pin-value=1234", "pkcs11:token=a;pin-value=1234",
        "pkcs11:token=a?pin- value=1234", "pkcs11:token=a?PIN-VALUE=1234", "a?ppin-value=1"};
    cs_error told;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(cs_pin_refuse_in_uri(refused[i], "--token", &told), CS_E_USAGE);
        assert_non_null(strstr(told.message, "--token"));
        assert_null(strstr(told.message, "1234"));
    }
    assert_ok(cs_pin_refuse_in_uri("pkcs11:token=a?pin-source=file:/pin", "--token", error));
    assert_ok(cs_pin_refuse_in_uri("", "--token", error));
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof directory, "/tmp/chartseal-pin-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"a", "open", "credential", "e", "pinentry"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_callback),
        cmocka_unit_test(test_open_to_others),
        cmocka_unit_test(test_credential),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_pinentry),
        cmocka_unit_test(test_pinentry_is_late),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_terminal_is_late),
        cmocka_unit_test(test_tell),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_nobody_to_ask),
        cmocka_unit_test(test_uris),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
