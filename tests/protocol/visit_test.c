/* SPDX-License-Identifier: Apache-2.0 */
/* A whole visit over every backend that there is: what arrives, and at which price in token
 * operations. With the argument "tpm" over those that need a simulated TPM, and no more. */
#include "backends.h"
#include "play.h"
#include "soft_token.h"

#include <stdio.h>
#include <string.h>

static void check_custody(const cast_actor *actor, cs_custody custody)
{
    assert_int_equal(cs_key_describe(actor->scalar)->custody, custody);
    assert_int_equal(actor->sealed.n > 0, custody == CS_CUSTODY_SEALED);
}

/* What a TPM says when its party registers: of the sign and the decrypt key, of the storage root
 * where S_X goes to it, and one activation. */
static void check_attested(cast *c, const backend *b)
{
    uint64_t want = !backend_has_tpm(b) ? 0 : b->suite == CS_SUITE_P256 ? 4 : 3;
    cs_op_counts before;

    assert_int_equal(c->patient.attested, backend_has_tpm(b) ? CS_ATTESTED_BOUND : CS_ATTESTED_NOT);
    cast_at(c, CAST_START + CAST_HOUR);
    before = cs_ops_of_thread();
    assert_ok(cast_register(c, &c->patient, NULL, NULL, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).attest, want);
}

/* What PC takes for the TPM of the one who registers, altered as somebody would have it who shows
 * another's. */
static void without_endorsement(cs_registration *r)
{
    r->attested = CS_ATTESTED_STATED;
}
static void other_endorsement(cs_registration *r)
{
    memcpy(r->endorsement, r->puk_decrypt, sizeof r->endorsement);
}
static void other_attesting(cs_registration *r)
{
    r->attesting_name[2] ^= 1;
}

/* S_X that is sealed for another TPM, or attestation key, opens in none; and one that is not sealed
 * is not taken by who has shown an endorsement key. Nothing is kept of it. */
static void refuses_answer(cast *c, void (*alter)(cs_registration *), int code)
{
    static const uint8_t binding[CS_HASH_SIZE] = {1}, enrolment[CS_CODE_SIZE] = {1};
    cast_actor *x = &c->patient;
    const cs_registering_input input = {.role = x->role,
        .id = x->id,
        .token = x->token,
        .label = "another",
        .binding = CS_VIEW_ARRAY(binding),
        .code = CS_VIEW_ARRAY(enrolment)};
    cs_registering *registering = NULL;
    cs_registration seen;
    cs_credential credential;
    cs_key *scalar = NULL;
    cs_buf r1 = {0}, r2 = {0}, sealed = {0};

    assert_ok(cs_registering_begin(&registering, &x->party, &x->env, &input, &r1, error));
    assert_ok(cs_register_open(&seen, &c->pc.party, &c->pc.env, cs_view_buf(&r1), error));
    alter(&seen);
    assert_ok(cs_register_issue(&c->pc.party, &c->pc.env, &seen, c->pc.env.now,
        c->pc.env.now + CAST_YEAR, cast_serial, c, &credential, &r2, error));
    assert_fails(code, cs_registering_finish(registering, &x->env, cs_view_buf(&r2), &credential,
                           &scalar, &sealed, error));
    assert_null(scalar);
    assert_int_equal(sealed.n, 0);
    cs_registering_free(&registering);
    cs_buf_free(&r1);
    cs_buf_free(&r2);
    cs_buf_free(&sealed);
}

static void check_other_tpm(cast *c, const backend *b)
{
    if (!backend_has_tpm(b))
        return;
    refuses_answer(c, without_endorsement, CS_E_PEER);
    refuses_answer(c, other_endorsement, CS_E_DECRYPT);
    refuses_answer(c, other_attesting, CS_E_DECRYPT);
}

static void check_visit(const backend *b)
{
    cast c;
    play p;

    cast_open(&c, b->suite, b->make);
    play_open(&p, &c);
    assert_ok(play_visit(&p, error));
    assert_true(cs_view_equal(cs_view_buf(&p.signal_seen), p.signal));
    assert_true(cs_view_equal(cs_view_buf(&p.emr_seen), p.emr));
    assert_true(cs_view_equal(cs_view_buf(&p.dinf_seen), p.dinf));
    assert_true(cs_view_equal(cs_view_buf(&p.dinf_filed), p.dinf));
    backend_check_ops("patient", p.patient_ops,
        (cs_op_counts){.sign = 2, .agree = 1, .scalar_mul = 1}, b->patients);
    backend_check_ops(
        "doctor", p.doctor_ops, (cs_op_counts){.sign = 4, .agree = 3, .scalar_mul = 2}, b->others);
    backend_check_ops("hospital", p.hospital_ops,
        (cs_op_counts){.sign = 1, .agree = 1, .scalar_mul = 1}, b->others);
    backend_check_ops("cloud", p.cloud_ops, (cs_op_counts){.sign = 1, .agree = 1}, b->others);
    backend_check_ops("filing", p.filing_ops, (cs_op_counts){0}, b->others);
    check_custody(&c.patient, b->patients);
    check_custody(&c.doctor, b->others);
    check_custody(&c.hospital, b->others);
    check_attested(&c, b);
    check_other_tpm(&c, b);
    play_close(&p);
    cast_close(&c);
}

/* Content of every awkward length: none, one byte, a chunk and its neighbours. */
static void test_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, CS_CHUNK_SIZE - 1, CS_CHUNK_SIZE, CS_CHUNK_SIZE + 1};
    cast c;
    play p;

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    play_open(&p, &c);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        p.signal.n = p.emr.n = lengths[i];
        p.dinf = (cs_view){p.emr.p, lengths[i]};
        assert_ok(play_visit(&p, error));
        assert_int_equal(p.emr_seen.n, lengths[i]);
        assert_true(cs_view_equal(cs_view_buf(&p.dinf_seen), p.dinf));
    }
    play_close(&p);
    cast_close(&c);
}

static void test_emergency(void **state)
{
    cast c;
    play p;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    play_open(&p, &c);
    p.emergency = "unconscious on arrival";
    assert_ok(play_visit(&p, error));
    assert_true(p.query.emergency);
    assert_string_equal(p.query.reason, "unconscious on arrival");
    assert_true(cs_view_equal(cs_view_buf(&p.emr_seen), p.emr));
    play_close(&p);
    cast_close(&c);
}

/* Both hospitals of the answer, one after the other, in one search. */
static void test_second_hospital(void **state)
{
    cast c;
    play p;

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    play_open(&p, &c);
    assert_ok(play_visit(&p, error));
    assert_int_equal(cs_search_count(p.search), 2);
    assert_ok(play_session(&p, 1, error));
    assert_string_equal(p.query.id_p, c.patient.id);
    play_close(&p);
    cast_close(&c);
}

/* Registration and renewal: another serial, the same keys; a sealed S_X opens again from its bytes.
 */
static void test_registration(void **state)
{
    cs_key *again = NULL;
    cs_point base;
    cs_point one;
    cs_point other;
    cs_scalar two = {{2}};
    uint64_t serial;
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft_sealed);
    serial = c.doctor.credential.serial;
    cast_at(&c, CAST_START + 1);
    assert_ok(cast_register(&c, &c.doctor, NULL, NULL, error));
    assert_true(c.doctor.credential.serial > serial);
    assert_ok(cs_scalar_open_sealed(
        &again, c.doctor.decrypt, cs_view_buf(&c.doctor.sealed), &c.doctor.credential, error));
    assert_ok(cs_point_base_mul(&base, CS_SUITE_ED25519, &two, error));
    assert_ok(cs_key_scalar_mul(again, &base, &one, error));
    assert_ok(cs_key_scalar_mul(c.doctor.scalar, &base, &other, error));
    assert_true(cs_point_equal(&one, &other));
    assert_ok(cs_point_mul(&base, &two, &c.doctor.credential.y, error));
    cs_point_canonical(&base);
    assert_true(cs_point_equal(&one, &base));
    cs_key_close(&again);
    cast_close(&c);
}

static void test_publication(void **state)
{
    cs_publishing publishing;
    cs_publication publication;
    cs_buf p1 = {0};
    cs_buf p2 = {0};
    cs_op_counts before;
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    before = cs_ops_of_thread();
    assert_ok(cs_publishing_begin(&publishing, &c.hospital.party, &c.hospital.env, c.patient.id,
        PLAY_DEPARTMENT, "http://127.0.0.1:1", &p1, error));
    assert_ok(cs_publication_open(&publication, &c.pc.party, &c.pc.env, cs_view_buf(&p1), error));
    assert_string_equal(publication.id_p, c.patient.id);
    assert_string_equal(publication.id_de, PLAY_DEPARTMENT);
    assert_string_equal(publication.hospital.id, c.hospital.id);
    assert_ok(cs_publication_acknowledge(&publication, &c.pc.party, &c.pc.env, &p2, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).sign, 1);
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).agree, 1);
    assert_ok(cs_publishing_finish(
        &publishing, &c.hospital.party, &c.hospital.env, cs_view_buf(&p2), error));
    c.hospital.env.now += CS_DELTA_T_DEFAULT + 1;
    assert_fails(CS_E_STALE, cs_publishing_finish(&publishing, &c.hospital.party, &c.hospital.env,
                                 cs_view_buf(&p2), error));
    c.hospital.env.now = CAST_START;
    p2.p[p2.n - 1] ^= 1;
    assert_fails(CS_E_DECRYPT, cs_publishing_finish(&publishing, &c.hospital.party, &c.hospital.env,
                                   cs_view_buf(&p2), error));
    /* the same publication again */
    assert_fails(CS_E_REPLAY,
        cs_publication_open(&publication, &c.pc.party, &c.pc.env, cs_view_buf(&p1), error));
    for (size_t i = 0; i < p1.n; i++) {
        p1.p[i] ^= 1;
        assert_int_not_equal(CS_OK,
            cs_publication_open(&publication, &c.pc.party, &c.pc.env, cs_view_buf(&p1), NULL));
        p1.p[i] ^= 1;
    }
    cs_buf_free(&p1);
    cs_buf_free(&p2);
    cast_close(&c);
}

static void test_revocation_list(void **state)
{
    static const uint8_t serials[16] = {0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0};
    cs_revocations list;
    cs_buf bytes = {0};
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    assert_ok(cs_revocations_publish(
        &bytes, c.pc.sign, CS_VIEW_ARRAY(serials), CAST_START, CAST_START + 1000, error));
    assert_ok(cs_revocations_open(&list, &c.cloud, cs_view_buf(&bytes), CAST_START, error));
    assert_true(cs_revocations_have(&list, 3));
    assert_true(cs_revocations_have(&list, 256));
    assert_false(cs_revocations_have(&list, 1));
    assert_fails(CS_E_LISTS,
        cs_revocations_open(&list, &c.cloud, cs_view_buf(&bytes), CAST_START + 1001, error));
    for (size_t i = 0; i < bytes.n; i++) {
        bytes.p[i] ^= 4;
        assert_int_not_equal(
            CS_OK, cs_revocations_open(&list, &c.cloud, cs_view_buf(&bytes), CAST_START, NULL));
        bytes.p[i] ^= 4;
    }
    cs_buf_free(&bytes);
    cast_close(&c);
}

int main(int argc, char **argv)
{
    backend_kind wanted = backends_wanted(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_emergency),
        cmocka_unit_test(test_second_hospital),
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_publication),
        cmocka_unit_test(test_revocation_list),
    };
    int failed = backends_run(wanted, check_visit);

    if (wanted != BACKENDS_SOFT)
        return failed;
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
