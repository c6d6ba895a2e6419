/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "service/files.h"
#include "service/wire_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#define PROCESSES 4
#define LINES 200
#define LARGEST 20000

static char directory[] = "/tmp/test_wire_log.XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/wire.jsonl", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory);
}

/* Lines of many sizes, each of one byte value that says which process it is. */
static int log_from(int process)
{
    static uint8_t bytes[LARGEST];
    cs_wire_log *log = NULL;
    int rc = cs_wire_log_open(&log, path, NULL);

    memset(bytes, process, sizeof bytes);
    for (size_t i = 0; i < LINES && rc == CS_OK; i++)
        rc = cs_wire_log_add(log, "doctor", "pc", "S1", (cs_view){bytes, i * 97 % LARGEST}, NULL);
    cs_wire_log_close(&log);
    return rc;
}

static int check_line(const char *line, size_t n)
{
    json_error_t why;
    json_t *object = json_loadb(line, n, 0, &why);
    const char *from, *to, *type, *hex;
    size_t size;
    int process;

    if (object == NULL)
        fail_msg("%s: %.80s", why.text, line);
    assert_int_equal(json_unpack(object, "{s:s,s:s,s:s,s:s!}", "from", &from, "to", &to, "type",
                         &type, "hex", &hex),
        0); /* and no other key */
    assert_string_equal(from, "doctor");
    assert_string_equal(to, "pc");
    assert_string_equal(type, "S1");
    size = strlen(hex) / 2;
    assert_int_equal(strlen(hex), 2 * size);
    process = size == 0 ? 0 : hex[1] - '0';
    for (size_t i = 0; i < size; i++)
        assert_int_equal(hex[2 * i + 1] - '0', process);
    json_decref(object);
    return process;
}

static void test_processes(void **state)
{
    cs_buf all = {0};
    unsigned lines[PROCESSES + 1] = {0};
    struct stat info;
    size_t at = 0;

    (void)state;
    for (int i = 1; i <= PROCESSES; i++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            _exit(log_from(i) == CS_OK ? 0 : 1);
    }
    for (int i = 1; i <= PROCESSES; i++) {
        int status = 0;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(cs_file_read(&all, path, (size_t)1 << 30, error));
    while (at < all.n) {
        const uint8_t *end = memchr(all.p + at, '\n', all.n - at);
        size_t n;

        assert_non_null(end);
        n = (size_t)(end - (all.p + at));
        lines[check_line((const char *)all.p + at, n)]++;
        at += n + 1;
    }
    assert_int_equal(lines[0], PROCESSES); /* the empty messages */
    for (int i = 1; i <= PROCESSES; i++)
        assert_int_equal(lines[i], LINES - 1);
    cs_buf_free(&all);
}

static void test_counts(void **state)
{
    cs_wire_log *log = NULL;
    cs_wire_counts counts;

    (void)state;
    assert_ok(cs_wire_log_open(&log, NULL, error));
    assert_ok(cs_wire_log_add(log, "a", "b", "M1", cs_view_str("12345"), error));
    assert_ok(cs_wire_log_add(log, "a", "b", "M2", cs_view_str("67"), error));
    counts = cs_wire_log_counts(log);
    assert_int_equal(counts.messages, 2);
    assert_int_equal(counts.bytes, 7);
    cs_wire_log_close(&log);
    assert_null(log);
    assert_ok(cs_wire_log_add(NULL, "a", "b", "M1", (cs_view){0}, error));
    assert_int_equal(cs_wire_log_counts(NULL).messages, 0);
}

static void test_refusals(void **state)
{
    cs_wire_log *log = NULL;

    (void)state;
    assert_fails(CS_E_STORAGE, cs_wire_log_open(&log, "/nowhere/at/all", error));
    assert_null(log);
    assert_ok(cs_wire_log_open(&log, path, error));
    assert_fails(CS_E_USAGE, cs_wire_log_add(log, "a\"b", "b", "M1", (cs_view){0}, error));
    assert_fails(CS_E_USAGE, cs_wire_log_add(log, "a", "b", "", (cs_view){0}, error));
    cs_wire_log_close(&log);
    assert_ok(cs_wire_log_open(&log, "/dev/full", error));
    assert_fails(CS_E_DISK_FULL, cs_wire_log_add(log, "a", "b", "M1", (cs_view){0}, error));
    assert_int_equal(cs_wire_log_counts(log).messages, 1);
    cs_wire_log_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
