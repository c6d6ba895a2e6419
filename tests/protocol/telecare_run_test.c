/* SPDX-License-Identifier: Apache-2.0 */
/* Telecare over every backend that the tests have: what arrives, and at which price in token
 * operations. */
#include "fixture.h"
#include "soft_token.h"
#include "telecare_play.h"

#include <string.h>

typedef struct backend {
    const char *name;
    cs_suite suite;
    cast_token_fn make;
    uint64_t extra_agree; /* per scalar_mul, for a sealed S_X */
} backend;

static cs_token *make_soft(const char *name)
{
    (void)name;
    return cs_soft_token_new();
}

static cs_token *make_soft_sealed(const char *name)
{
    cs_token *token = make_soft(name);

    cs_soft_token_deliver_sealed(token, true);
    return token;
}

static cs_token *make_softhsm(const char *name)
{
    cs_token_options options = fixture_options();
    cs_token *token = NULL;

    fixture_add_token(name);
    assert_ok(cs_token_open(&token, fixture_uri(name, ""), &options, error));
    return token;
}

/* PKCS#11 has no ECSCHNORR: PC of the p256 suite is elsewhere. */
static cs_token *make_softhsm_but_pc(const char *name)
{
    return strcmp(name, "pc.example") == 0 ? make_soft(name) : make_softhsm(name);
}

static const backend backends[] = {
    {"soft ed25519, lifted", CS_SUITE_ED25519, make_soft, 0},
    {"soft ed25519, sealed", CS_SUITE_ED25519, make_soft_sealed, 1},
    {"soft p256, wrapped", CS_SUITE_P256, make_soft, 0},
    {"soft p256, sealed", CS_SUITE_P256, make_soft_sealed, 1},
    {"SoftHSM ed25519, lifted", CS_SUITE_ED25519, make_softhsm, 0},
    {"SoftHSM p256, wrapped", CS_SUITE_P256, make_softhsm_but_pc, 0},
};

static void check_ops(const backend *b, const char *who, cs_op_counts got, cs_op_counts want)
{
    want.agree += want.scalar_mul * b->extra_agree;
    if (memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%s, %s: %llu sign, %llu agree, %llu scalar_mul, %llu issue, %llu prf", b->name,
            who, (unsigned long long)got.sign, (unsigned long long)got.agree,
            (unsigned long long)got.scalar_mul, (unsigned long long)got.issue,
            (unsigned long long)got.prf);
}

static void check_run(const backend *b)
{
    cs_buf all = {0};
    telecare_play p;
    cast c;

    cast_open(&c, b->suite, b->make);
    telecare_open(&p, &c);
    assert_ok(telecare_run(&p, error));
    assert_true(cs_view_equal(cs_view_buf(&p.report_at_p), p.report));
    assert_true(cs_view_equal(cs_view_buf(&p.report_at_d), p.report));
    assert_true(cs_view_equal(cs_view_buf(&p.measurement_at_d), p.measurement));
    assert_true(cs_view_equal(cs_view_buf(&p.diagnosis_at_p), p.diagnosis));
    /* H: SigH and the session's */
    check_ops(
        b, "hospital", p.hospital_ops, (cs_op_counts){.sign = 2, .agree = 1, .scalar_mul = 1});
    /* P: SigP; letter with report, diagnosis */
    check_ops(b, "patient", p.patient_ops, (cs_op_counts){.sign = 1, .agree = 2});
    /* D: SigD; letter with report, measurement; and the session's */
    check_ops(b, "doctor", p.doctor_ops, (cs_op_counts){.sign = 2, .agree = 3, .scalar_mul = 1});
    /* C: two sessions by name, two of nobody; four rows made, each of four sent, three fetched and
     * two shown looked up */
    check_ops(
        b, "cloud", p.cloud_ops, (cs_op_counts){.sign = 2, .agree = 4, .scalar_mul = 4, .prf = 14});
    /* the copy, with another agree, is all three */
    assert_ok(telecare_read_copy(&p, error));
    assert_int_equal(p.patient_ops.agree, 3);
    assert_ok(cs_buf_set(&all, p.report, error));
    assert_ok(cs_buf_append(&all, p.measurement, error));
    assert_ok(cs_buf_append(&all, p.diagnosis, error));
    assert_true(cs_view_equal(cs_view_buf(&p.copy_at_p), cs_view_buf(&all)));
    cs_buf_free(&all);
    telecare_close(&p);
    cast_close(&c);
}

static void test_backends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        void *fresh = NULL; /* a SoftHSM for each: labels are the parties' */

        assert_int_equal(fixture_setup(&fresh), 0);
        check_run(&backends[i]);
        assert_int_equal(fixture_teardown(&fresh), 0);
    }
}

/* A device that was switched off in between: P begins CP from the letter alone, and reads again
 * what it wrote itself. */
static void test_begun_again(void **state)
{
    telecare_line line;
    telecare_play p;
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    telecare_open(&p, &c);
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_pup(&p, error));
    assert_ok(telecare_tp(&p, error));
    cs_episode_free(&p.at_patient);
    cs_buf_clear(&p.report_at_p);
    p.patient_ops = (cs_op_counts){0};
    assert_ok(cs_episode_open(
        &p.at_patient, &c.patient.party, &c.patient.env, cs_view_buf(&p.letter_p), error));
    assert_ok(telecare_call(&p, &line, "again", &c.patient, p.at_patient, error));
    assert_ok(telecare_fetch(&p, &line, p.at_patient, CS_SLOT_REPORT, &p.report_at_p, error));
    assert_ok(
        telecare_fetch(&p, &line, p.at_patient, CS_SLOT_MEASUREMENT, &p.measurement_at_p, error));
    telecare_hang_up(&line);
    assert_true(cs_view_equal(cs_view_buf(&p.measurement_at_p), p.measurement));
    cast_at(&c, CAST_START + 1);
    assert_ok(telecare_cp(&p, error));
    assert_int_equal(p.patient_ops.sign, 0);
    assert_int_equal(p.patient_ops.agree, 2); /* and the letter's, which is not counted here */
    assert_ok(telecare_read_copy(&p, error));
    telecare_close(&p);
    cast_close(&c);
}

/* Contents of every awkward length, around what a block takes. */
static void test_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, 63000, 65519, 65520, 65521, 131040, 196000};
    static uint8_t bytes[200000];
    telecare_play p;
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    telecare_open(&p, &c);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const cs_view view = {bytes, lengths[i]};

        p.report = p.measurement = p.diagnosis = view;
        cast_at(&c, CAST_START + (int64_t)i);
        assert_ok(telecare_run(&p, error));
        assert_ok(telecare_read_copy(&p, error));
        assert_true(cs_view_equal(cs_view_buf(&p.report_at_d), view));
        assert_true(cs_view_equal(cs_view_buf(&p.measurement_at_d), view));
        assert_int_equal(p.copy_at_p.n, 3 * lengths[i]);
    }
    telecare_close(&p);
    cast_close(&c);
}

/* Every number of blocks is at most an eighth too large, and no step is missed. */
static void test_steps(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 100000; n++) {
        uint64_t padded = cs_blocks_padded(n);

        assert_true(padded >= n && (padded - n) * 8 <= n);
        assert_true(cs_blocks_padded(padded) == padded);
    }
    assert_true(cs_blocks_padded(CS_BLOCKS_MAX - 1) == CS_BLOCKS_MAX);
    assert_true(cs_blocks_padded(15) == 15 && cs_blocks_padded(17) == 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_begun_again),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
