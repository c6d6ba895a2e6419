/* SPDX-License-Identifier: Apache-2.0 */
/* How commands come and answers go: lengths, chains, what is no command; signals and faults. */
#include "reader.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void test_lengths(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    assert_status(0x6700, reader_send(r, "00a404"));
    assert_status(0x6700, reader_send(r, "00cb3fff 06 5c017e"));
    assert_status(0x6700, reader_send(r, "00cb3fff 02 5c017e 0000"));
    assert_status(0x6700, reader_send(r, "00cb3fff 00 00"));
    assert_status(0x6700, reader_send(r, "00cb3fff 00 0000 5c017e"));
    assert_status(0x6700, reader_send(r, "00cb3fff 00 0003 5c01"));
    assert_status(0x6700, reader_send(r, "00cb3fff 00 0003 5c017e 00"));
    assert_status(0x6e00, reader_send(r, "80cb3fff 03 5c017e 00"));
    assert_status(0x6881, reader_send(r, "01cb3fff 03 5c017e 00"));
    assert_status(0x6d00, reader_send(r, "00b00000 00"));
    assert_status(0x6a80, reader_send(r, "00cb3fff 00"));
    /* extended, with and without Le */
    assert_status(0x9000, reader_send(r, "00cb3fff 00 0003 5c017e 0000"));
    assert_int_equal(r->data.n, 20);
    assert_status(0x9000, reader_send(r, "00cb3fff 00 0003 5c017e"));
    assert_int_equal(r->data.n, 20);
    assert_status(0x610f, reader_send(r, "00cb3fff 00 0003 5c017e 0005"));
    assert_int_equal(r->data.n, 5);
    assert_status(0x6a86, reader_send(r, "00c00001 00"));
    assert_status(0x610d, reader_send(r, "00c00000 02"));
    assert_status(0x9000, reader_send(r, "00c00000 00"));
    assert_data(r, "0308 0000 1000 0100 5f2f 0240 00");
    assert_status(0x6985, reader_send(r, "00c00000 00"));
    /* another command in between forgets the rest */
    assert_status(0x610f, reader_send(r, "00cb3fff 03 5c017e 05"));
    assert_status(0x63c3, reader_send(r, "00200080"));
    assert_status(0x6985, reader_send(r, "00c00000 00"));
}

/* An object of 600 bytes: in by a chain of three, out by 256 at a time. */
static void test_chains(void **state)
{
    reader *r = *state;
    uint8_t first[5 + 200] = {
        0x10, 0xdb, 0x3f, 0xff, 200, 0x5c, 3, 0x5f, 0xc1, 0x0a, 0x53, 0x82, 2, 88};
    uint8_t middle[5 + 255] = {0x10, 0xdb, 0x3f, 0xff, 255};
    uint8_t last[5 + 154] = {0x00, 0xdb, 0x3f, 0xff, 154};

    reader_start(r, "");
    reader_select(r);
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(first)));
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(middle)));
    assert_status(0x6982, reader_send_bytes(r, CS_VIEW_ARRAY(last))); /* known at its end alone */
    reader_authenticate(r);
    last[158] = 0xee;
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(first)));
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(middle)));
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(last)));
    assert_status(0x6100, reader_send(r, "00cb3fff 05 5c035fc10a 00"));
    assert_int_equal(r->data.n, 256);
    assert_status(0x615c, reader_send(r, "00c00000 00"));
    assert_int_equal(r->data.n, 256);
    assert_status(0x9000, reader_send(r, "00c00000 5c"));
    assert_int_equal(r->data.n, 92);
    assert_int_equal(r->data.p[91], 0xee);
    assert_status(0x9000, reader_send(r, "00cb3fff 00 0005 5c035fc10a 0000"));
    assert_int_equal(r->data.n, 604);
    /* a chain that another command breaks, and one that has no end */
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(first)));
    assert_status(0x6883, reader_send(r, "00200080"));
    assert_status(0x63c3, reader_send(r, "00200080"));
    for (int i = 0; i < 16; i++)
        assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(middle)));
    assert_status(0x6700, reader_send_bytes(r, CS_VIEW_ARRAY(middle)));
    assert_status(0x9000, reader_send(r, "00cb3fff 00 0005 5c035fc10a 0000"));
    assert_int_equal(r->data.n, 604);
}

/* Whatever comes, the card answers, and is the same card afterwards. */
static void test_noise(void **state)
{
    reader *r = *state;
    uint8_t noise[300];

    reader_start(r, "");
    reader_select(r);
    for (unsigned i = 0; i < 3000; i++) {
        uint16_t n, status;

        cs_random(noise, sizeof noise);
        n = (uint16_t)(2 + (noise[299] | noise[298] << 8) % 290);
        noise[0] &= 0x13; /* most are of a class that it takes */
        if (i % 2 == 0 && n > 5)
            noise[4] = (uint8_t)(n - 5); /* and half of the right length */
        if (noise[1] == 0xa4)
            continue;
        status = reader_send_bytes(r, (cs_view){noise, n});
        assert_true(status >= 0x6100);
    }
    assert_true(reader_send(r, "00cb3fff 03 5c017e 00") != READER_PULLED);
    assert_status(0x9000, reader_send(r, "00cb3fff 03 5c017e 00"));
    assert_data(r, "7e124f0ba0000003080000100001005f2f024000");
    reader_authenticate(r);
    /* messages of the reader's own that it does not know, and an empty one */
    reader_write(r, (cs_view){(const uint8_t *)"\0\0\0\1\7", 5});
    reader_select(r);
}

static void test_pull_and_insert(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    reader_verify(r);
    reader_signal(r, SIGUSR1);
    reader_wait_for_pull(r);
    reader_signal(r, SIGUSR2);
    reader_wait_for_card(r);
    assert_status(0x6d00, reader_send(r, "00200080"));
    reader_select(r);
    assert_status(0x63c3, reader_send(r, "00200080"));
    /* pulled while it is out, and stopped */
    reader_signal(r, SIGUSR1);
    reader_wait_for_pull(r);
    reader_signal(r, SIGUSR1);
    reader_stop(r);
}

static void test_fails_at(void **state)
{
    reader *r = *state;

    reader_start(r, "--fail-at 3:6f00");
    reader_select(r);
    reader_verify(r);
    assert_status(0x6f00, reader_send(r, "00240080 10 313233343536ffff 363534333231ffff"));
    reader_verify(r); /* not carried out */
    reader_stop(r);
    reader_start(r, "--pull-at 2");
    reader_select(r);
    assert_status(READER_PULLED, reader_send(r, "00240080 10 313233343536ffff 363534333231ffff"));
    reader_signal(r, SIGUSR2);
    reader_wait_for_card(r);
    reader_select(r);
    reader_verify(r);
    reader_stop(r);
    reader_start(r, "--pull-after 2");
    reader_select(r);
    assert_status(READER_PULLED, reader_send(r, "00240080 10 313233343536ffff 363534333231ffff"));
    reader_signal(r, SIGUSR2);
    reader_wait_for_card(r);
    reader_select(r);
    assert_status(0x9000, reader_send(r, "00200080 08 363534333231ffff"));
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_delay(void **state)
{
    reader *r = *state;
    int64_t begin;

    reader_start(r, "--delay-ms 150");
    reader_select(r);
    reader_authenticate(r);
    begin = now_ms();
    assert_status(0x9000, reader_send(r, "0047009d 05 ac03800111 00"));
    assert_in_range(now_ms() - begin, 150, 1000);
    begin = now_ms();
    for (int i = 0; i < 20; i++)
        assert_status(0x9000, reader_send(r, "00cb3fff 03 5c017e 00"));
    assert_in_range(now_ms() - begin, 0, 149);
}

/* Two cards at once, each its own; and a log that tells no secrets. */
static void test_two_cards(void **state)
{
    reader *r = *state, *other;
    void *other_state;
    char log[160], options[200], line[64];
    FILE *file;

    (void)reader_setup(&other_state);
    other = other_state;
    (void)snprintf(log, sizeof log, "%s/log", r->directory);
    (void)snprintf(options, sizeof options, "--log %s --serial 00000001", log);
    reader_start(r, options);
    reader_start(other, "--serial 00000002");
    reader_select(r);
    reader_select(other);
    assert_status(0x63c2, reader_send(r, "00200080 08 393939393939ffff"));
    assert_status(0x63c3, reader_send(other, "00200080"));
    assert_status(0x9000, reader_send(r, "00f80000 00"));
    assert_data(r, "00000001");
    assert_status(0x9000, reader_send(other, "00f80000 00"));
    assert_data(other, "00000002");
    (void)reader_teardown(&other_state);
    file = fopen(log, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "1 00a40400 11 9000\n");
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "2 00200080 13 63c2\n");
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lengths, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_chains, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_noise, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_pull_and_insert, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_fails_at, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_delay, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_two_cards, reader_setup, reader_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
