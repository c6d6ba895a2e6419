/* SPDX-License-Identifier: Apache-2.0 */
/* No secret of telecare is lost in guarded memory, whatever fails. */
#include "guarded.h"
#include "soft_token.h"
#include "telecare_play.h"

static cast c;
static telecare_play p;

static int open_play(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    cast_open_telecare(&c, make_soft);
    telecare_open(&p, &c);
    p.report.n = 100;
    p.measurement.n = 66000;
    return 0;
}

static int close_play(void **state)
{
    (void)state;
    telecare_close(&p);
    cast_close(&c);
    assert_int_equal(guarded_live, 0);
    return 0;
}

/* A run that ends with the nth message, which is spoilt. */
static unsigned spoil;

static void spoil_nth(void *context, const char *name, cs_buf *message, bool *final)
{
    (void)context, (void)name, (void) final;
    if (spoil > 0 && --spoil == 0)
        message->p[message->n - 1] ^= 1;
}

static void test_refused(void **state)
{
    const long before = guarded_live;
    unsigned messages = 0;
    int rc = CS_E_REFUSED;

    (void)state;
    p.tamper = spoil_nth;
    for (unsigned nth = 1; rc != CS_OK; nth++) {
        spoil = nth;
        rc = telecare_run(&p, NULL);
        telecare_forget(&p);
        assert_int_equal(guarded_live, before);
        messages = nth;
    }
    assert_true(messages > 40);
}

/* Each guarded allocation refused in turn: said to be want of memory, and nothing else is lost. */
static void test_no_memory(void **state)
{
    const long before = guarded_live;
    unsigned allocations = 0;
    int rc = CS_E_MEMORY;

    (void)state;
    for (unsigned nth = 1; rc != CS_OK; nth++) {
        guarded_fails = nth;
        rc = telecare_run(&p, NULL);
        if (rc != CS_OK)
            assert_int_equal(rc, CS_E_MEMORY);
        guarded_fails = 0;
        telecare_forget(&p);
        assert_int_equal(guarded_live, before);
        allocations = nth;
    }
    assert_true(allocations > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_no_memory, open_play, close_play),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
