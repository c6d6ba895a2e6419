/* SPDX-License-Identifier: Apache-2.0 */
/* Telecare over every backend that there is: what arrives, and at which price in token operations.
 * With the argument "tpm" over those that need a simulated TPM, and no more. */
#include "backends.h"
#include "telecare_play.h"

#include <string.h>

static void check_run(const backend *b)
{
    cs_buf all = {0};
    telecare_play p;
    cast c;

    cast_open(&c, b->suite, b->make);
    cast_open_telecare(&c, b->make);
    telecare_open(&p, &c);
    assert_ok(telecare_run(&p, error));
    assert_true(cs_view_equal(cs_view_buf(&p.report_at_p), p.report));
    assert_true(cs_view_equal(cs_view_buf(&p.report_at_d), p.report));
    assert_true(cs_view_equal(cs_view_buf(&p.measurement_at_d), p.measurement));
    assert_true(cs_view_equal(cs_view_buf(&p.diagnosis_at_p), p.diagnosis));
    /* H: SigH and the session's */
    backend_check_ops("hospital", p.hospital_ops,
        (cs_op_counts){.sign = 2, .agree = 1, .scalar_mul = 1}, b->others);
    /* P: SigP; letter with report, diagnosis */
    backend_check_ops("patient", p.patient_ops, (cs_op_counts){.sign = 1, .agree = 2}, b->patients);
    /* D: SigD; letter with report, measurement; and the session's */
    backend_check_ops(
        "doctor", p.doctor_ops, (cs_op_counts){.sign = 2, .agree = 3, .scalar_mul = 1}, b->others);
    /* C: two sessions by name, two of nobody; four rows made, each of four sent, three fetched and
     * two shown looked up */
    backend_check_ops("cloud", p.cloud_ops,
        (cs_op_counts){.sign = 2, .agree = 4, .scalar_mul = 4, .prf = 14}, b->others);
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

/* A device that was switched off in between: P begins CP from the letter alone, and reads again
 * what it wrote itself. */
static void test_begun_again(void **state)
{
    telecare_line line;
    telecare_play p;
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    cast_open_telecare(&c, make_soft);
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
    cast_open_telecare(&c, make_soft);
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

/* What a QR code holds (version 40, level L, bytes) is enough for a letter with identities of usual
 * length. */
static void test_letters_are_short(void **state)
{
    telecare_play p;
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    cast_open_telecare(&c, make_soft);
    telecare_open(&p, &c);
    assert_ok(telecare_hup(&p, error));
    assert_true(p.letter_d.n <= 2953);
    assert_true(p.letter_p.n <= 2953);
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

int main(int argc, char **argv)
{
    backend_kind wanted = backends_wanted(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begun_again),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_letters_are_short),
        cmocka_unit_test(test_steps),
    };
    int failed = backends_run(wanted, check_run);

    if (wanted != BACKENDS_SOFT)
        return failed;
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
