/* SPDX-License-Identifier: Apache-2.0 */
/* What comes too late within a session: its messages held back, and a diagnosis signed long before.
 * (The messages that are sealed to a key: test_time of refusal_test.) */
#include "play.h"
#include "soft_token.h"

#include <string.h>

static cast shared;

static int open_cast(void **state)
{
    (void)state;
    cast_open(&shared, CS_SUITE_ED25519, make_soft);
    return 0;
}

static int close_cast(void **state)
{
    (void)state;
    cast_close(&shared);
    return 0;
}

/* Puts its receiver's clock forward when a message of a session comes by: it was held back. */
typedef struct delay {
    const char *name;
    cast_actor *receiver;
    int64_t by;
} delay;

static void hold_back(void *context, const char *name, cs_buf *message, bool *final)
{
    const delay *d = context;

    (void)message;
    (void) final;
    if (strcmp(name, d->name) == 0)
        d->receiver->env.now = CAST_START + d->by;
}

static void test_time_in_session(void **state)
{
    delay delays[] = {{"M3 head", &shared.doctor, 0}, {"M4 head", &shared.patient, 0},
        {"S5 head", &shared.hospital, 0}, {"S6 head", &shared.doctor, 0},
        {"F1 head", &shared.hospital, 0}, {"F2 head", &shared.doctor, 0}};
    play p;

    (void)state;
    play_open(&p, &shared);
    p.tamper = hold_back;
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        cast_at(&shared, CAST_START);
        p.tamper_context = &delays[i];
        delays[i].by = CS_DELTA_T_DEFAULT + 1;
        assert_fails(CS_E_STALE, play_visit(&p, error));
    }
    cast_at(&shared, CAST_START);
    delays[0].by = CS_DELTA_T_DEFAULT;
    p.tamper_context = &delays[0];
    assert_ok(play_visit(&p, error));
    play_close(&p);
}

/* A diagnosis that was signed some time ago, in a M4 of now. */
static void test_time_of_diagnosis(void **state)
{
    cs_diagnosis seen = {0};
    cs_bulk *out = NULL;
    cs_bulk *in = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    bool final;
    play p;

    (void)state;
    play_open(&p, &shared);
    assert_ok(play_visit(&p, error)); /* forgets what was before */
    cs_visit_p_free(&p.visit_p);
    cs_visit_d_free(&p.visit_d);
    cast_at(&shared, CAST_START + 1);
    assert_ok(play_consultation(&p, error));
    assert_ok(cs_diagnosis_sign(&p.diagnosis, &shared.doctor.party, &shared.doctor.env,
        shared.patient.id, PLAY_DEPARTMENT, "text/plain", p.dinf, error));
    cast_at(&shared, CAST_START + 2 + CS_DELTA_T_DEFAULT);
    assert_ok(cs_visit_d_m4(
        p.visit_d, &shared.doctor.env, &p.diagnosis, &head, &chunk, &final, &out, error));
    assert_fails(CS_E_STALE, cs_visit_p_m4(p.visit_p, &shared.patient.env, cs_view_buf(&head),
                                 cs_view_buf(&chunk), final, &plain, &seen, &in, error));
    assert_null(in);
    cs_bulk_free(&out);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    play_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_in_session, open_cast, close_cast),
        cmocka_unit_test_setup_teardown(test_time_of_diagnosis, open_cast, close_cast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
