/* SPDX-License-Identifier: Apache-2.0 */
/* A held PIN by itself: for how many uses, how long, for which token, and what ends it. */
#include "test.h"

#include "token/pin_hold.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ADA ((cs_view){(const uint8_t *)"ada 17", 6})
#define BOB ((cs_view){(const uint8_t *)"bob 18", 6})

static cs_held_pin *held;

static void begin(cs_pin_hold_kind kind, unsigned uses, unsigned seconds)
{
    cs_pin_hold policy = {kind, uses, seconds};

    cs_held_pin_free(&held);
    assert_ok(cs_held_pin_new(&held, &policy, error));
}

static void keep(unsigned used)
{
    cs_pin pin = {.text = cs_secret_new(CS_PIN_MAX), .n = 4};

    assert_non_null(pin.text);
    memcpy(pin.text, "2468", 4);
    cs_held_pin_keep(held, &pin, ADA, used);
    cs_pin_free(&pin);
}

static bool take(cs_view owner)
{
    cs_pin pin = {0};
    bool got = cs_held_pin_take(held, &pin, owner);

    if (got) {
        assert_int_equal(pin.n, 4);
        assert_memory_equal(pin.text, "2468", 4);
    } else {
        assert_null(pin.text);
    }
    cs_pin_free(&pin);
    return got;
}

static unsigned uses_left(void)
{
    unsigned count = 0;

    while (count <= CS_PIN_HOLD_USES_MAX && take(ADA))
        count++;
    return count;
}

static void test_each(void **state)
{
    (void)state;
    begin(CS_PIN_HOLD_EACH, 0, 0);
    assert_false(take(ADA));
    keep(0);
    assert_false(take(ADA));
}

static void test_visit(void **state)
{
    (void)state;
    begin(CS_PIN_HOLD_VISIT, 0, 0);
    assert_false(take(ADA));
    keep(0);
    for (int i = 0; i < 4; i++)
        assert_true(take(ADA));
    cs_held_pin_end_visit(held);
    assert_false(take(ADA));
    keep(0);
    assert_int_equal(uses_left(), CS_PIN_HOLD_USES_MAX); /* not for ever either */
    assert_false(take(ADA));
}

static void test_counted(void **state)
{
    (void)state;
    begin(CS_PIN_HOLD_COUNTED, 3, 60);
    keep(0);
    assert_true(take(ADA));
    cs_held_pin_end_visit(held); /* it is not for a visit */
    assert_int_equal(uses_left(), 2);
    keep(1); /* asked for at a use, which counts */
    assert_int_equal(uses_left(), 2);
    begin(CS_PIN_HOLD_COUNTED, 1, 60);
    keep(1);
    assert_false(take(ADA));
}

static void test_time(void **state)
{
    const struct timespec over = {1, 100000000};

    (void)state;
    begin(CS_PIN_HOLD_COUNTED, 250, 1);
    keep(0);
    assert_true(take(ADA));
    (void)nanosleep(&over, NULL);
    assert_false(take(ADA));
    keep(0); /* the time begins anew with the PIN */
    assert_true(take(ADA));
}

static void test_another_token(void **state)
{
    (void)state;
    begin(CS_PIN_HOLD_VISIT, 0, 0);
    keep(0);
    assert_false(take(BOB));
    assert_false(take(ADA)); /* once another was there, it is gone for the first, too */
    keep(0);
    assert_false(take((cs_view){ADA.p, 5}));
}

static void test_forgotten(void **state)
{
    (void)state;
    begin(CS_PIN_HOLD_COUNTED, 8, 60);
    keep(0);
    cs_held_pin_forget(held);
    assert_false(take(ADA));
    cs_held_pin_forget(held);
}

/* What the parent holds, its child does not; and the parent goes on holding it. */
static void test_fork(void **state)
{
    pid_t child;
    int status = 1;

    (void)state;
    begin(CS_PIN_HOLD_VISIT, 0, 0);
    keep(0);
    cs_held_pin_before_fork(held);
    child = fork();
    cs_held_pin_after_fork(held, child == 0);
    assert_true(child >= 0);
    if (child == 0) {
        status = take(ADA) ? 1 : 0;
        keep(0);
        status += take(ADA) ? 0 : 2;
        cs_held_pin_free(&held);
        _exit(status);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(take(ADA));
}

/* Every page of guarded memory of a PIN is unmapped at the end of its time, before anybody asks. */
static void test_wiped_at_its_time(void **state)
{
    const struct timespec over = {1, 300000000};
    unsigned long before = 0, during = 0, after = 0;
    unsigned long *const readings[] = {&before, &during, &after};

    (void)state;
    begin(CS_PIN_HOLD_COUNTED, 8, 1);
    keep(0);
    cs_held_pin_forget(held); /* the thread has its stack by now */
    for (size_t i = 0; i < 3; i++) {
        FILE *file = fopen("/proc/self/smaps", "r");
        char line[256];

        assert_non_null(file);
        /* what sodium_malloc gives is locked ("lo") and in no core dump ("dd"), or that alone */
        while (fgets(line, sizeof line, file) != NULL)
            *readings[i] += strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dd") != NULL;
        assert_int_equal(fclose(file), 0);
        if (i == 0)
            keep(0);
        if (i == 1)
            (void)nanosleep(&over, NULL);
    }
    assert_true(during > before);
    assert_int_equal(after, before);
}

static void test_limits(void **state)
{
    static const struct {
        const char *text;
        cs_pin_hold policy;
    } good[] = {
        {"each", {CS_PIN_HOLD_EACH, 0, 0}},
        {"visit", {CS_PIN_HOLD_VISIT, 0, 0}},
        {"1/1", {CS_PIN_HOLD_COUNTED, 1, 60}},
        {"8/60", {CS_PIN_HOLD_COUNTED, 8, 3600}},
        {"250/1440", {CS_PIN_HOLD_COUNTED, 250, 86400}},
    };
    static const char *const bad[] = {"", "never", "8", "8/", "/60", "0/60", "8/0", "251/60",
        "8/1441", "-1/60", "8/60 ", "8/60/1", "Visit", "00008/60", "8/99999", "99999999999/1"};
    cs_pin_hold policy = {CS_PIN_HOLD_COUNTED, CS_PIN_HOLD_USES_MAX + 1, 60};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cs_pin_hold got;

        assert_ok(cs_pin_hold_parse(&got, good[i].text, "--pin-hold", error));
        assert_int_equal(got.kind, good[i].policy.kind);
        assert_int_equal(got.uses, good[i].policy.uses);
        assert_int_equal(got.seconds, good[i].policy.seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cs_pin_hold got;

        assert_fails(CS_E_USAGE, cs_pin_hold_parse(&got, bad[i], "--pin-hold", error));
    }
    assert_fails(CS_E_USAGE, cs_held_pin_new(&held, &policy, error));
    policy = (cs_pin_hold){(cs_pin_hold_kind)7, 1, 1};
    assert_fails(CS_E_USAGE, cs_held_pin_new(&held, &policy, error));
}

static int teardown(void **state)
{
    (void)state;
    cs_held_pin_free(&held);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each, teardown),
        cmocka_unit_test_teardown(test_visit, teardown),
        cmocka_unit_test_teardown(test_counted, teardown),
        cmocka_unit_test_teardown(test_time, teardown),
        cmocka_unit_test_teardown(test_another_token, teardown),
        cmocka_unit_test_teardown(test_forgotten, teardown),
        cmocka_unit_test_teardown(test_fork, teardown),
        cmocka_unit_test_teardown(test_wiped_at_its_time, teardown),
        cmocka_unit_test_teardown(test_limits, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
