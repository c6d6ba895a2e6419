/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, buffers, guarded memory, and what a hardened process no longer gives away. */
#include "test.h"

#include <chartseal/secret.h>

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_codes(void **state)
{
    static const int categories[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 70};
    size_t named = 0;

    (void)state;
    for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++) {
        for (int code = categories[i] * 100; code < categories[i] * 100 + 100; code++) {
            const char *name = cs_code_name(code);

            if (strcmp(name, "unknown") == 0)
                continue;
            assert_int_equal(cs_code_from_name(name), code);
            assert_int_equal(cs_category_of(code), categories[i]);
            named++;
        }
    }
    assert_true(named > 40);
    assert_string_equal(cs_code_name(12345), "unknown");
    assert_int_equal(cs_code_from_name("no such code"), CS_E_REFUSED);
    /* what went wrong on the other side is no mistake of the command here */
    assert_int_equal(cs_code_of_peer("usage"), CS_E_PEER);
    assert_int_equal(cs_code_of_peer("pin-wrong"), CS_E_PEER);
    assert_int_equal(cs_code_of_peer("internal"), CS_E_PEER);
    assert_int_equal(cs_code_of_peer("consent"), CS_E_CONSENT);
    assert_int_equal(cs_code_of_peer("no-record"), CS_E_NO_RECORD);
    assert_int_equal(cs_code_of_peer("too-large"), CS_E_TOO_LARGE);
    assert_int_equal(cs_code_of_peer("busy"), CS_E_BUSY);
    assert_int_equal(cs_code_of_peer("no such code"), CS_E_REFUSED);
}

static void test_messages(void **state)
{
    char text[2 * CS_ERROR_MESSAGE_MAX];
    cs_error error = {0};

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(CS_FAIL(&error, CS_E_BUSY, "%s", text), CS_E_BUSY);
    assert_int_equal(strlen(error.message), CS_ERROR_MESSAGE_MAX - 1);
    assert_int_equal(CS_FAIL(&error, CS_E_NO_FILE, "no file"), CS_E_NO_FILE);
    assert_int_equal(cs_error_context(&error, "opening %s", "a.pem"), CS_E_NO_FILE);
    assert_string_equal(error.message, "opening a.pem: no file");
    assert_int_equal(cs_error_context(&error, "%s", text), CS_E_NO_FILE);
    assert_int_equal(strlen(error.message), CS_ERROR_MESSAGE_MAX - 1);
    assert_int_equal(CS_FAIL(NULL, CS_E_BUSY, "nobody listens"), CS_E_BUSY);
}

static void test_clean_text(void **state)
{
    static const char *const clean[] = {"", "P-1", "Dr. Ada Ek", "Żółć 病院 🏥", "a\u200db"};
    static const char *const unclean[] = {"a\x1b[31m", "\n", "\x7f", "x\xff", "\xc2\x9b",
        "a\u202eb\u202c", "\u200f", "\u2066\u2069", "\u202c", "\u2069", "\u061c", "\u2028",
        "\ufeff", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "\xe2\x82"};
    bool is_clean;

    (void)state;
    for (size_t i = 0; i < sizeof clean / sizeof clean[0]; i++)
        assert_true(cs_text_is_clean(cs_view_str(clean[i])));
    for (size_t i = 0; i < sizeof unclean / sizeof unclean[0]; i++)
        assert_false(cs_text_is_clean(cs_view_str(unclean[i])));
    assert_false(cs_text_is_clean((cs_view){(const uint8_t *)"a\0b", 3}));
    assert_int_equal(cs_text_character(cs_view_str("\u202eb\u202c"), &is_clean), 3);
    assert_false(is_clean);
    assert_int_equal(cs_text_character(cs_view_str("\xff\xff"), &is_clean), 1);
    assert_false(is_clean);
    assert_int_equal(cs_text_character(cs_view_str("éa"), &is_clean), 2);
    assert_true(is_clean);
}

static void check_buffer(bool guarded)
{
    cs_buf buf = {.guarded = guarded};
    uint8_t byte = 7;

    for (int i = 0; i < 5000; i++)
        assert_ok(cs_buf_append(&buf, (cs_view){&byte, 1}, error));
    assert_int_equal(buf.n, 5000);
    assert_int_equal(buf.p[4999], 7);
    assert_ok(cs_buf_resize(&buf, 6000, error));
    assert_int_equal(buf.p[5999], 0);
    assert_ok(cs_buf_resize(&buf, 100, error));
    assert_int_equal(buf.p[100], 0); /* what was cut is wiped */
    assert_int_equal(buf.p[99], 7);
    cs_buf_clear(&buf);
    assert_int_equal(buf.n, 0);
    for (size_t i = 0; i < buf.capacity && i < 6000; i++)
        assert_int_equal(buf.p[i], 0);
    assert_fails(CS_E_MEMORY, cs_buf_reserve(&buf, SIZE_MAX / 2, error));
    cs_buf_free(&buf);
    assert_null(buf.p);
    assert_int_equal(buf.guarded, guarded);
    cs_buf_free(&buf);
    cs_buf_free(NULL);
}

static void test_buffers(void **state)
{
    (void)state;
    check_buffer(false);
    check_buffer(true);
}

static void test_hex(void **state)
{
    char hex[9];
    cs_buf buf = {0};

    (void)state;
    assert_ok(cs_unhex(&buf, "00fFa9", error));
    cs_hex(cs_view_buf(&buf), hex);
    assert_string_equal(hex, "00ffa9");
    assert_fails(CS_E_MALFORMED, cs_unhex(&buf, "123", error));
    assert_fails(CS_E_MALFORMED, cs_unhex(&buf, "1g", error));
    assert_int_equal(buf.n, 3);
    cs_buf_free(&buf);
}

static void test_views(void **state)
{
    const cs_view empty = {0};

    (void)state;
    assert_true(cs_view_equal(empty, cs_view_str("")));
    assert_true(cs_view_equal_secret(empty, cs_view_str(NULL)));
    assert_true(cs_view_equal_secret(cs_view_str("abc"), cs_view_str("abc")));
    assert_false(cs_view_equal_secret(cs_view_str("abc"), cs_view_str("abd")));
    assert_false(cs_view_equal_secret(cs_view_str("abc"), cs_view_str("abcd")));
}

/* The flags that the kernel has for the mapping around p. */
static void flags_of(const void *p, char *flags, size_t size)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool inside = false;

    assert_non_null(smaps);
    flags[0] = '\0';
    while (fgets(line, sizeof line, smaps) != NULL) {
        char *end;
        unsigned long from = strtoul(line, &end, 16); /* FROM-TO PERMISSIONS … opens a mapping */

        if (*end == '-')
            inside = (uintptr_t)p >= from && (uintptr_t)p < strtoul(end + 1, NULL, 16);
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            (void)snprintf(flags, size, "%s", line);
    }
    (void)fclose(smaps);
}

static void test_guarded(void **state)
{
    char flags[512];
    uint8_t *secret = cs_secret_new(32);
    cs_buf buf = {.guarded = true};

    (void)state;
    assert_non_null(secret);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(secret[i], 0);
    flags_of(secret, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd")); /* not in a dump */
    cs_secret_free(&secret);
    assert_null(secret);
    cs_secret_free(&secret);
    assert_null(cs_secret_new(0));
    assert_ok(cs_buf_append(&buf, cs_view_str("key"), error));
    flags_of(buf.p, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd"));
    cs_buf_free(&buf);
}

/* One byte behind guarded memory, or in it after it was given back, is the end of the process. */
static void must_die(void (*sin)(void))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)close(STDERR_FILENO);
        sin();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void read_behind(void)
{
    volatile uint8_t *secret = cs_secret_new(32);

    (void)secret[32];
}

static void read_after(void)
{
    uint8_t *secret = cs_secret_new(32);
    volatile uint8_t *stale = secret;

    cs_secret_free(&secret);
    (void)stale[0];
}

static void test_guards(void **state)
{
    (void)state;
    must_die(read_behind);
    must_die(read_after);
}

static void test_harden(void **state)
{
    struct rlimit limit;

    (void)state;
    assert_ok(cs_harden_process(error));
    assert_ok(cs_harden_process(error)); /* again is fine */
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 0);
    assert_int_equal(limit.rlim_max, 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(CRYPTO_secure_malloc_initialized(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_clean_text),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_guarded),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_harden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
