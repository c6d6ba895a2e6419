/* SPDX-License-Identifier: Apache-2.0 */
/* No secret of a visit is lost in guarded memory, whatever fails. */
#include "guarded.h"
#include "play.h"
#include "soft_token.h"

#include <string.h>

static cast c;
static play p;

static int open_play(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    play_open(&p, &c);
    return 0;
}

static int close_play(void **state)
{
    (void)state;
    play_close(&p);
    cast_close(&c);
    assert_int_equal(guarded_live, 0);
    return 0;
}

/* A step fails at its nth token operation, and is taken again. */
typedef int (*again_fn)(cs_error *error);

static void fail_and_retry(cs_token *token, again_fn step)
{
    unsigned failures = 0;

    for (unsigned nth = 1; nth < 8; nth++) {
        int rc;

        cs_soft_token_fail(token, CS_SOFT_ANY, nth);
        rc = step(NULL);
        cs_soft_token_fail(token, CS_SOFT_ANY, 0);
        if (rc == CS_OK)
            break;
        assert_int_equal(rc, CS_E_TOKEN);
        failures++;
        c.doctor.memory.seen_count = 0;
        c.hospital.memory.seen_count = 0;
    }
    assert_in_range(failures, 1, 6);
}

static int patient_m1(cs_error *error)
{
    cs_buf m1 = {0};
    int rc = cs_visit_p_m1(p.visit_p, &c.patient.env, &m1, error);

    cs_buf_free(&m1);
    return rc;
}

static cs_buf kept_m1;

static int doctor_m1(cs_error *error)
{
    cs_buf m2 = {0};
    int rc = cs_visit_d_m1(p.visit_d, &c.doctor.env, cs_view_buf(&kept_m1), &m2, error);

    cs_buf_free(&m2);
    return rc;
}

static void open_visit(void)
{
    cs_buf m0 = {0};

    assert_ok(cs_visit_d_new(&p.visit_d, &c.doctor.party, "", &m0, error));
    assert_ok(
        cs_visit_p_new(&p.visit_p, &c.patient.party, &c.patient.env, cs_view_buf(&m0), error));
    cs_buf_free(&m0);
}

/* Everything that a visit makes is gone when its two sides are. */
static void test_consultation(void **state)
{
    long before = guarded_live;

    (void)state;
    open_visit();
    fail_and_retry(c.patient.token, patient_m1);
    cs_visit_p_free(&p.visit_p);
    cs_visit_d_free(&p.visit_d);
    assert_int_equal(guarded_live, before);
    open_visit();
    assert_ok(cs_visit_p_m1(p.visit_p, &c.patient.env, &kept_m1, error));
    fail_and_retry(c.doctor.token, doctor_m1);
    cs_visit_p_free(&p.visit_p);
    cs_visit_d_free(&p.visit_d);
    cs_buf_free(&kept_m1);
    assert_int_equal(guarded_live, before);
}

static int whole_session(cs_error *error)
{
    return play_session(&p, 0, error);
}

static void test_search(void **state)
{
    long before;

    (void)state;
    assert_ok(play_visit(&p, error));
    play_close(&p);
    before = guarded_live;
    p.emergency = "unconscious on arrival";
    assert_ok(play_search(&p, error));
    fail_and_retry(c.doctor.token, whole_session);
    fail_and_retry(c.hospital.token, whole_session);
    play_close(&p);
    assert_int_equal(guarded_live, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_consultation, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_search, open_play, close_play),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
