/* SPDX-License-Identifier: Apache-2.0 */
/* The file that a key which survives its token is in: whole, and nobody's but its ceremony's. */
#include "service/backup_file.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static const uint8_t key[CS_WRAPPING_KEY_SIZE] = {1, 2, 3};

static void write_one(uint8_t sha256[CS_HASH_SIZE])
{
    uint8_t wrapped[40];
    cs_backup b = {.kind = CS_HOME_HOSPITAL,
        .suite = CS_SUITE_ED25519,
        .id = "hospital \"n\xc3\xb6rd\"",
        .token = "north",
        .serial = "0123456789abcdef",
        .time = "2026-01-02T03:04:05.678Z",
        .check = "00ff",
        .needed = 2,
        .count = 3};

    memset(wrapped, 0xa5, sizeof wrapped);
    memset(b.ceremony, 7, sizeof b.ceremony);
    assert_ok(cs_buf_append(&b.wrapped, CS_VIEW_ARRAY(wrapped), error));
    assert_ok(cs_backup_write(path, &b, key, error));
    memcpy(sha256, b.sha256, CS_HASH_SIZE);
    cs_buf_free(&b.wrapped);
}

static void test_there_and_back(void **state)
{
    uint8_t sha256[CS_HASH_SIZE], other[CS_WRAPPING_KEY_SIZE] = {1, 2, 4};
    cs_backup *b;

    (void)state;
    write_one(sha256);
    assert_ok(cs_backup_read(&b, path, error));
    assert_int_equal(b->kind, CS_HOME_HOSPITAL);
    assert_string_equal(b->id, "hospital \"n\xc3\xb6rd\"");
    assert_string_equal(b->check, "00ff");
    assert_int_equal(b->needed, 2);
    assert_int_equal(b->count, 3);
    assert_int_equal(b->wrapped.n, 40);
    assert_int_equal(b->ceremony[7], 7);
    assert_memory_equal(b->sha256, sha256, CS_HASH_SIZE);
    assert_ok(cs_backup_verify(b, key, error));
    assert_fails(CS_E_SIGNATURE, cs_backup_verify(b, other, error));
    cs_backup_free(&b);
    assert_null(b);
}

/* By form, or by the mac: a file with one byte changed is never taken. */
static void test_each_byte_counts(void **state)
{
    uint8_t sha256[CS_HASH_SIZE];
    cs_buf good = {0};
    size_t by_form = 0, by_mac = 0;

    (void)state;
    write_one(sha256);
    assert_ok(cs_file_read(&good, path, CS_BACKUP_FILE_MAX, error));
    for (size_t i = 0; i < good.n; i++) {
        static const uint8_t masks[] = {1, 2, 0x20, 0x80};
        uint8_t mask = masks[i % sizeof masks];
        cs_backup *b = NULL;
        int rc;

        good.p[i] ^= mask;
        assert_ok(cs_file_write(path, cs_view_buf(&good), 0600, error));
        rc = cs_backup_read(&b, path, NULL);
        if (rc == CS_OK) {
            assert_int_equal(cs_backup_verify(b, key, NULL), CS_E_SIGNATURE);
            by_mac++;
        } else {
            assert_int_equal(rc, CS_E_CORRUPT);
            by_form++;
        }
        cs_backup_free(&b);
        good.p[i] ^= mask;
    }
    assert_true(by_form > 100 && by_mac > 100);
    cs_buf_free(&good);
}

static void refuse(const char *text)
{
    cs_backup *b;

    assert_ok(cs_file_write(path, cs_view_str(text), 0600, error));
    assert_fails(CS_E_CORRUPT, cs_backup_read(&b, path, error));
    assert_null(b);
}

/* Of the one form, but with a line feed or a bell in what goes into a transcript. */
static void test_unclean(void **state)
{
    static const char *const texts[] = {"id", "token", "serial", "time", "check"};
    uint8_t sha256[CS_HASH_SIZE];
    cs_buf good = {0};
    char text[CS_BACKUP_FILE_MAX], mark[32];

    (void)state;
    write_one(sha256);
    assert_ok(cs_file_read(&good, path, CS_BACKUP_FILE_MAX, error));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *at;

        (void)snprintf(mark, sizeof mark, "\"%s\":\"", texts[i]);
        (void)snprintf(text, sizeof text, "%.*s", (int)good.n, (const char *)good.p);
        at = strstr(text, mark);
        assert_non_null(at);
        at += strlen(mark);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)((size_t)(at - text)),
            (const char *)good.p, i % 2 == 0 ? "\\n" : "\\u0007",
            (const char *)good.p + (at - text));
        text[good.n + (i % 2 == 0 ? 2 : 6)] = '\0';
        refuse(text);
    }
    cs_buf_free(&good);
}

static void test_no_backup(void **state)
{
    char large[CS_BACKUP_FILE_MAX + 2];
    cs_backup *b;

    (void)state;
    refuse("");
    refuse("\n");
    refuse("{}\n");
    refuse("[]\n");
    refuse("{\"backup\":\"chartseal/1 backup\"}\n");
    memset(large, ' ', sizeof large);
    large[sizeof large - 1] = '\0';
    assert_ok(cs_file_write(path, cs_view_str(large), 0600, error));
    assert_fails(CS_E_TOO_LARGE, cs_backup_read(&b, path, error));
    (void)unlink(path);
    assert_fails(CS_E_NO_FILE, cs_backup_read(&b, path, error));
}

static int setup(void **state)
{
    int fd;

    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/chartseal-backup-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_each_byte_counts),
        cmocka_unit_test(test_unclean),
        cmocka_unit_test(test_no_backup),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
