/* SPDX-License-Identifier: Apache-2.0 */
/* PIN and PUK of the virtual card, what they count, and that it outlives the process. */
#include "reader.h"

#include <signal.h>

#define VERIFY_RIGHT "00200080 08 313233343536ffff"
#define VERIFY_WRONG "00200080 08 393939393939ffff"
#define TRIES "00200080"

static void test_verify_counts(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    assert_status(0x6d00, reader_send(r, TRIES)); /* not selected */
    reader_select(r);
    assert_status(0x63c3, reader_send(r, TRIES));
    assert_status(0x63c2, reader_send(r, VERIFY_WRONG));
    assert_status(0x63c2, reader_send(r, TRIES));
    assert_status(0x9000, reader_send(r, VERIFY_RIGHT));
    assert_status(0x9000, reader_send(r, TRIES));
    /* a wrong one takes the status away */
    assert_status(0x63c2, reader_send(r, VERIFY_WRONG));
    assert_status(0x63c2, reader_send(r, TRIES));
    assert_status(0x9000, reader_send(r, VERIFY_RIGHT));
    assert_status(0x9000, reader_send(r, "0020ff80"));
    assert_status(0x63c3, reader_send(r, TRIES));
    /* what cannot be a PIN costs no try */
    assert_status(0x6a80, reader_send(r, "00200080 07 31323334353637"));
    assert_status(0x6a80, reader_send(r, "00200080 08 31323334ffffffff"));
    assert_status(0x6a80, reader_send(r, "00200080 08 313233343536ff37"));
    assert_status(0x6a88, reader_send(r, "00200000 08 313233343536ffff"));
    assert_status(0x6a86, reader_send(r, "00200180 08 313233343536ffff"));
    assert_status(0x63c3, reader_send(r, TRIES));
}

static void test_counts_persist(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    assert_status(0x63c2, reader_send(r, VERIFY_WRONG));
    reader_stop(r);
    reader_start(r, "");
    reader_select(r);
    assert_status(0x63c2, reader_send(r, TRIES));
    assert_status(0x63c1, reader_send(r, VERIFY_WRONG));
    /* killed: nothing is written at the end that was not there before */
    reader_signal(r, SIGKILL);
    reader_wait_for_pull(r);
    r->card = 0;
    reader_start(r, "");
    reader_select(r);
    assert_status(0x6983, reader_send(r, VERIFY_WRONG));
    assert_status(0x6983, reader_send(r, VERIFY_RIGHT));
    assert_status(0x6983, reader_send(r, TRIES));
    assert_status(0x6983, reader_send(r, "00240080 10 313233343536ffff 363534333231ffff"));
}

/* Pulled between the count and the answer, the try is spent. */
static void test_pulled_try_is_spent(void **state)
{
    reader *r = *state;

    reader_start(r, "--pull-after 2");
    reader_select(r);
    assert_status(READER_PULLED, reader_send(r, VERIFY_WRONG));
    reader_signal(r, SIGUSR2);
    reader_wait_for_card(r);
    reader_select(r);
    assert_status(0x63c2, reader_send(r, TRIES));
}

static void test_change_reference(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    assert_status(0x63c2, reader_send(r, "00240080 10 393939393939ffff 363534333231ffff"));
    assert_status(0x6a80, reader_send(r, "00240080 10 313233343536ffff 36353433ffffffff"));
    assert_status(0x6a80, reader_send(r, "00240080 0f 313233343536ffff 363534333231ff"));
    assert_status(0x6a88, reader_send(r, "0024009b 10 313233343536ffff 363534333231ffff"));
    assert_status(0x6a86, reader_send(r, "00240180 10 313233343536ffff 363534333231ffff"));
    assert_status(0x63c2, reader_send(r, TRIES));
    assert_status(0x9000, reader_send(r, "00240080 10 313233343536ffff 363534333231ffff"));
    assert_status(0x9000, reader_send(r, TRIES)); /* and is verified */
    reader_reset(r);
    reader_select(r);
    assert_status(0x63c3, reader_send(r, TRIES));
    assert_status(0x63c2, reader_send(r, VERIFY_RIGHT));
    assert_status(0x9000, reader_send(r, "00200080 08 363534333231ffff"));
    /* the PUK */
    assert_status(0x63c2, reader_send(r, "00240081 10 3939393939393939 3837363534333231"));
    assert_status(0x9000, reader_send(r, "00240081 10 3132333435363738 3837363534333231"));
    reader_stop(r);
    reader_start(r, "");
    reader_select(r);
    assert_status(0x63c2, reader_send(r, "00240081 10 3132333435363738 3837363534333231"));
    assert_status(0x9000, reader_send(r, "00240081 10 3837363534333231 3132333435363738"));
}

static void test_reset_retry(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    for (int i = 0; i < 3; i++)
        (void)reader_send(r, VERIFY_WRONG);
    assert_status(0x6983, reader_send(r, TRIES));
    assert_status(0x6a88, reader_send(r, "002c0081 10 3132333435363738 363534333231ffff"));
    assert_status(0x6a86, reader_send(r, "002c0180 10 3132333435363738 363534333231ffff"));
    assert_status(0x6a80, reader_send(r, "002c0080 10 3132333435363738 3635ffffffffffff"));
    assert_status(0x63c2, reader_send(r, "002c0080 10 3939393939393939 363534333231ffff"));
    assert_status(0x9000, reader_send(r, "002c0080 10 3132333435363738 363534333231ffff"));
    assert_status(0x63c3, reader_send(r, TRIES)); /* not verified by it */
    assert_status(0x9000, reader_send(r, "00200080 08 363534333231ffff"));
    for (int i = 0; i < 2; i++)
        (void)reader_send(r, "002c0080 10 3939393939393939 363534333231ffff");
    assert_status(0x6983, reader_send(r, "002c0080 10 3939393939393939 363534333231ffff"));
    assert_status(0x6983, reader_send(r, "002c0080 10 3132333435363738 363534333231ffff"));
}

static void test_power_ends_what_was_verified(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    reader_verify(r);
    reader_authenticate(r);
    reader_select(r); /* the same application again: nothing is lost */
    assert_status(0x9000, reader_send(r, TRIES));
    assert_status(0x6a82, reader_send(r, "00a40400 05 a000000527 00"));
    assert_status(0x9000, reader_send(r, TRIES));
    reader_reset(r);
    assert_status(0x6d00, reader_send(r, TRIES));
    reader_select(r);
    assert_status(0x63c3, reader_send(r, TRIES));
    assert_status(0x6982, reader_send(r, "0047009c 05 ac03800111 00"));
}

/* Yubico's: other numbers of tries, and the reset of a card that is beyond help. */
static void test_retries_and_reset(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    assert_status(0x6982, reader_send(r, "00fa0502"));
    reader_verify(r);
    assert_status(0x6982, reader_send(r, "00fa0502"));
    reader_authenticate(r);
    assert_status(0x6a86, reader_send(r, "00fa0002"));
    assert_status(0x9000, reader_send(r, "00fa0502"));
    assert_status(0x9000, reader_send(r, "0020ff80"));
    assert_status(0x63c5, reader_send(r, TRIES));
    assert_status(0x9000, reader_send(r, "0047009c 05 ac03800111 00"));
    assert_status(0x6985, reader_send(r, "00fb0000"));
    for (int i = 0; i < 5; i++)
        (void)reader_send(r, VERIFY_WRONG);
    assert_status(0x6985, reader_send(r, "00fb0000"));
    for (int i = 0; i < 2; i++)
        (void)reader_send(r, "002c0080 10 3939393939393939 363534333231ffff");
    assert_status(0x6a86, reader_send(r, "00fb0001"));
    assert_status(0x9000, reader_send(r, "00fb0000"));
    reader_stop(r);
    reader_start(r, "");
    reader_select(r);
    assert_status(0x63c3, reader_send(r, TRIES));
    assert_status(0x6a88, reader_send(r, "00f7009c 00"));
    assert_status(0x6a82, reader_send(r, "00cb3fff 05 5c035fc102 00"));
    reader_authenticate(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verify_counts, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_counts_persist, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_pulled_try_is_spent, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_change_reference, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_reset_retry, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(
            test_power_ends_what_was_verified, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_retries_and_reset, reader_setup, reader_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
