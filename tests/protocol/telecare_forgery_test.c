/* SPDX-License-Identifier: Apache-2.0 */
/* What L18 lets others do in the name of patient, doctor, hospital and cloud, and records that are
 * not what they seem: each attack carried out by somebody who has what that attacker has.
 * docs/protocol.md, section 13, has the list. */
#include "protocol/common.h"
#include "protocol/envelope.h"
#include "protocol/session.h"
#include "protocol/telecare.h"
#include "telecare_stage.h"

#include <stdlib.h>
#include <string.h>

/* -- other doctors of the patient ----------------------------------------------------------------
 */

/* L18: anyone who holds N_i of a patient computes the key with every doctor of his. Here a doctor
 * has all of her own episode, and gets what the cloud has of the patient's episode with another;
 * and somebody finds the patient's letter, opened, but not the key that opens letters. */
static void test_other_doctor_of_patient(void **state)
{
    const cs_episode_secrets *found;

    (void)state;
    assert_ok(telecare_run(&p, error));
    q.doctor = &c.other_doctor;
    cast_at(&c, CAST_START + 1);
    assert_ok(telecare_run(&q, error));
    assert_int_equal(telecare_try(&q, &c.doctor, p.at_doctor->secrets->report_key), 0);
    assert_int_equal(telecare_try(&q, &c.doctor, p.at_doctor->secrets->tokens[2]), 0);
    /* each her own: the report by the letter's key, the measurement by her own */
    assert_int_equal(telecare_try(&p, &c.doctor, p.at_doctor->secrets->report_key), 2);
    assert_int_equal(telecare_try(&q, &c.other_doctor, q.at_doctor->secrets->report_key), 2);
    /* the letter's secrets open the report, and nothing that came later */
    found = p.at_patient->secrets;
    assert_int_equal(telecare_try(&p, NULL, found->report_key), 1);
    assert_int_equal(telecare_try(&p, &c.other_patient, found->tokens[1]), 0);
    assert_int_equal(telecare_try(&p, &c.hospital, found->tokens[3]), 0);
    /* and P himself: one seal of the measurement, the diagnosis, the copy */
    assert_int_equal(telecare_try(&p, &c.patient, NULL), 3);
}

/* The wrong doctor with the right letter's secrets: she may call, and may fetch ciphertext whose
 * places she was told, and that is all. */
static void test_wrong_doctor_with_places(void **state)
{
    telecare_line line;
    cs_buf content = {0};

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_pup(&p, error));
    assert_ok(telecare_call(&p, &line, "call", &c.other_doctor, NULL, error));
    assert_ok(telecare_fetch(&p, &line, p.at_doctor, CS_SLOT_REPORT, &content, error));
    /* her own keys in the place of the doctor's */
    p.at_doctor->me = &c.other_doctor.party;
    assert_fails(CS_E_RECIPIENT,
        telecare_fetch(&p, &line, p.at_doctor, CS_SLOT_MEASUREMENT, &content, error));
    p.at_doctor->me = &c.doctor.party;
    telecare_hang_up(&line);
    cs_buf_free(&content);
}

/* -- who is not who he says ----------------------------------------------------------------------
 */

/* Whoever has the cloud's PRK, but not its S_C, is not taken for it, by name or by nobody; nor is a
 * caller without his S_X. */
static void test_without_scalar(void **state)
{
    cast_actor *who[] = {&c.telecare, &c.hospital, &c.doctor};
    telecare_line line;
    cs_key *right;

    (void)state;
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        right = who[i]->party.scalar;
        who[i]->party.scalar = c.other_hospital.scalar;
        assert_fails(CS_E_DECRYPT, telecare_run(&p, error));
        who[i]->party.scalar = right;
    }
    assert_ok(telecare_run(&p, error));
    cast_at(&c, CAST_START + 1);
    right = c.telecare.party.scalar;
    c.telecare.party.scalar = c.other_hospital.scalar;
    assert_fails(CS_E_DECRYPT, telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    c.telecare.party.scalar = right;
    telecare_hang_up(&line);
}

/* -- forgery -------------------------------------------------------------------------------------
 */

/* A record put at a place by the cloud, or with it: under a key that the forger draws, sealed to
 * readers as an honest one, of these statements and this content (of less than a block). */
static void plant(telecare_play *play, cs_slot slot, const cs_episode_part *part, cs_view content)
{
    static uint8_t plain[CS_BLOCK_PLAIN];
    const cs_slot_rule *rule = cs_slot_rule_of(slot);
    const uint8_t *place = cs_episode_place(play->at_hospital, slot);
    const cs_front front = {.statements = {{cs_view_buf(&part->statement)}, 1},
        .certificates = {{cs_view_buf(&part->certificate)}, 1}};
    uint8_t seals[CS_RECORD_SEALS_MAX][CS_RECORD_SEAL_SIZE];
    cs_place_value value = {.slot = slot, .ends = (uint64_t)play->ends, .blocks = 1};
    uint8_t key[CS_RECORD_KEY_SIZE];
    telecare_row *row = telecare_row_of(play, place);
    cs_row_keys keys;
    cs_buf bytes = {0};

    assert_ok(cs_encode(&bytes, &cs_front_schema, &front, error));
    memset(plain, 0, sizeof plain);
    plain[2] = (uint8_t)(bytes.n >> 8);
    plain[3] = (uint8_t)bytes.n;
    memcpy(plain + 4, bytes.p, bytes.n);
    memcpy(plain + 4 + bytes.n, content.p, content.n);
    if (slot == CS_SLOT_REPORT)
        memcpy(key, play->at_hospital->secrets->report_key, sizeof key);
    else
        cs_random(key, sizeof key);
    for (size_t i = 0; i < rule->seals; i++) {
        assert_ok(cs_record_key_seal(seals[i],
            cs_episode_party(play->at_hospital, rule->readers[i])->puk_decrypt, place, key, error));
        value.seals.items[value.seals.n++] = CS_VIEW_ARRAY(seals[i]);
    }
    cs_buf_clear(&row->blocks);
    cs_buf_clear(&row->value);
    assert_ok(cs_chunk_seal(
        &row->blocks, key, (cs_view){place, CS_PLACE_SIZE}, 0, true, CS_VIEW_ARRAY(plain), error));
    assert_ok(cs_row_keys_for(&keys, c.telecare.storage, CS_TABLE_PLACE,
        (cs_view){place, CS_PLACE_SIZE}, (cs_view){0}, error));
    assert_ok(cs_value_seal(
        &row->value, keys.value, CS_VIEW_ARRAY(keys.row), &cs_place_value_schema, &value, error));
    cs_buf_free(&bytes);
}

/* What `part` says, said by somebody else: under his own signature. */
static void sign_again(cs_episode_part *out, const cs_episode_part *part, const cast_actor *who)
{
    cs_statement statement;
    cs_signed whole;

    memset(out, 0, sizeof *out);
    assert_ok(cs_decode(&cs_signed_schema, &whole, cs_view_buf(&part->statement), error));
    assert_ok(cs_decode(&cs_statement_schema, &statement, whole.body, error));
    assert_ok(cs_signed_make(&out->statement, who->sign, &cs_statement_schema, &statement, error));
    assert_ok(cs_buf_set(&out->certificate, who->party.certificate, error));
}

/* The cloud, another hospital, another doctor, the patient and the doctor themselves in the name of
 * whom they are not. */
static void test_no_forgery(void **state)
{
    const cast_actor *forgers[] = {
        &c.telecare, &c.other_hospital, &c.other_doctor, &c.other_patient, &c.pc};
    cs_episode_part forged;
    const cs_episode_part *real;

    (void)state;
    p.measurement.n = 1000;
    for (size_t i = 0; i < sizeof forgers / sizeof forgers[0]; i++) {
        telecare_forget(&p);
        telecare_empty_cloud(&p);
        cast_at(&c, CAST_START + (int64_t)i);
        assert_ok(telecare_hup(&p, error));
        real = cs_episode_part_of(p.at_hospital, CS_SLOT_REPORT);
        sign_again(&forged, real, forgers[i]);
        plant(&p, CS_SLOT_REPORT, &forged, p.report);
        assert_fails(CS_E_SIGNATURE, telecare_pup(&p, error));
        cs_episode_part_free(&forged);
        plant(&p, CS_SLOT_REPORT, real, p.report); /* the real one goes through, so planted */
        c.telecare.memory.seen_count = 0;
        assert_ok(telecare_pup(&p, error));
        real = cs_episode_part_of(p.at_patient, CS_SLOT_MEASUREMENT);
        sign_again(&forged, real, forgers[i]);
        plant(&p, CS_SLOT_MEASUREMENT, &forged, p.measurement);
        assert_fails(CS_E_SIGNATURE, telecare_tp(&p, error));
        cs_episode_part_free(&forged);
        sign_again(&forged, real, &c.doctor); /* D in P's name */
        plant(&p, CS_SLOT_MEASUREMENT, &forged, p.measurement);
        cast_at(&c, CAST_START + 100 + (int64_t)i);
        assert_fails(CS_E_SIGNATURE, telecare_tp(&p, error));
        cs_episode_part_free(&forged);
        plant(&p, CS_SLOT_MEASUREMENT, real, p.measurement);
        cast_at(&c, CAST_START + 200 + (int64_t)i);
        cs_buf_clear(&p.report_at_d);
        assert_ok(telecare_tp(&p, error));
        sign_again(&forged, cs_episode_part_of(p.at_doctor, CS_SLOT_DIAGNOSIS), &c.patient);
        plant(&p, CS_SLOT_DIAGNOSIS, &forged, p.diagnosis); /* P in D's name */
        assert_fails(CS_E_SIGNATURE, telecare_cp(&p, error));
        cs_episode_part_free(&forged);
    }
}

/* A bit of what the cloud keeps, anywhere. */
static void test_altered_at_rest(void **state)
{
    (void)state;
    for (size_t at = 0; at < CS_BLOCK_SIZE; at += 8111) {
        telecare_row *row;

        cast_at(&c, CAST_START + (int64_t)at);
        telecare_forget(&p);
        telecare_empty_cloud(&p);
        assert_ok(telecare_hup(&p, error));
        row = telecare_row_of(&p, cs_episode_place(p.at_hospital, CS_SLOT_REPORT));
        row->blocks.p[at] ^= 1;
        assert_fails(CS_E_DECRYPT, telecare_pup(&p, error));
        row->blocks.p[at] ^= 1;
        cast_at(&c, CAST_START + (int64_t)at + 1);
        assert_ok(telecare_pup(&p, error));
    }
}

/* L18: signatures cover h(m) alone, so what a doctor signed for one counts for all. Here D's
 * diagnosis of one patient, and of the same patient in another episode, is put into a place where D
 * is awaited, with the very same content. */
static void plant_from_other_episode(cast_actor *patient)
{
    cs_buf again = {0};

    p.patient = &c.patient;
    q.patient = patient;
    cast_at(&c, CAST_START);
    assert_ok(telecare_run(&p, error));
    cast_at(&c, CAST_START + 1);
    telecare_forget(&q);
    telecare_empty_cloud(&q);
    assert_ok(telecare_hup(&q, error));
    assert_ok(telecare_pup(&q, error));
    plant(&q, CS_SLOT_DIAGNOSIS, cs_episode_part_of(p.at_doctor, CS_SLOT_DIAGNOSIS), p.diagnosis);
    assert_fails(CS_E_RECIPIENT, telecare_cp(&q, error));
    assert_int_equal(q.diagnosis_at_p.n, 0);
    cs_buf_free(&again);
    telecare_forget(&p);
    telecare_forget(&q);
}

static void test_signature_of_another_episode(void **state)
{
    uint8_t digest[CS_HASH_SIZE];
    uint8_t sig_d[CS_SIGNATURE_SIZE];

    (void)state;
    /* a signature over h(m), as in L18, is good wherever m is */
    assert_ok(cs_hash(digest, p.diagnosis, error));
    assert_ok(cs_key_sign(c.doctor.sign, digest, sig_d, error));
    assert_ok(cs_ecdsa_verify(CS_VIEW_ARRAY(c.doctor.credential.puk_sign), digest, sig_d, error));
    plant_from_other_episode(&c.other_patient);
    plant_from_other_episode(&c.patient);
}

/* The diagnosis of a measurement that P has meanwhile exchanged, or the cloud for him. */
static void test_diagnosis_of_other_measurement(void **state)
{
    const cs_content other = telecare_content((cs_view){p.measurement.p + 7, 500});
    cs_episode_part part;

    (void)state;
    p.measurement.n = 1000;
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_pup(&p, error));
    /* P signs another, and has the cloud put it there after D has read the first */
    assert_ok(telecare_tp(&p, error));
    assert_ok(
        cs_statement_sign(&part, p.at_patient, &c.patient.env, CS_SLOT_MEASUREMENT, &other, error));
    part.known = true;
    cs_episode_part_move(cs_episode_part_of(p.at_patient, CS_SLOT_MEASUREMENT), &part);
    assert_fails(CS_E_RECIPIENT, telecare_cp(&p, error));
}

/* D knows all places and writes to one: with what she has she occupies none of the patient's. */
static void test_place_is_no_token(void **state)
{
    const cs_content about = telecare_content(p.measurement);
    cs_writing *writing = NULL;
    telecare_line line;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    assert_ok(telecare_fetch(&p, &line, p.at_patient, CS_SLOT_REPORT, &p.report_at_p, error));
    /* the place for the token, and D's own token, as who writes anonymously */
    assert_ok(cs_pup_new(&writing, p.at_patient, &c.patient.env, &about, error));
    memcpy(p.at_patient->secrets->tokens[CS_SLOT_MEASUREMENT - 1],
        cs_episode_place(p.at_doctor, CS_SLOT_MEASUREMENT), CS_PLACE_SIZE);
    assert_fails(CS_E_NOT_FOUND, telecare_send(&p, &line, writing, p.measurement, error));
    telecare_hang_up(&line);
    cast_at(&c, CAST_START + 1);
    assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    memcpy(p.at_patient->secrets->tokens[CS_SLOT_MEASUREMENT - 1],
        p.at_doctor->secrets->tokens[CS_SLOT_DIAGNOSIS - 1], CS_PLACE_TOKEN_SIZE);
    assert_fails(CS_E_NOT_FOUND, telecare_send(&p, &line, writing, p.measurement, error));
    telecare_hang_up(&line);
    cs_writing_free(&writing);
}

/* A hospital that is not the episode's, with its token stolen: what H brought stays. */
static void test_wrong_hospital(void **state)
{
    const cs_content about = telecare_content(p.diagnosis);
    cs_episode_part part;
    cs_writing *writing = NULL;
    telecare_line line;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(
        cs_statement_sign(&part, p.at_hospital, &c.hospital.env, CS_SLOT_REPORT, &about, error));
    assert_ok(cs_writing_new(&writing, p.at_hospital, CS_SLOT_REPORT, &part, error));
    assert_ok(telecare_call(&p, &line, "call", &c.other_hospital, NULL, error));
    assert_fails(CS_E_ORDER, telecare_send(&p, &line, writing, p.diagnosis, error));
    telecare_hang_up(&line);
    cs_writing_free(&writing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_other_doctor_of_patient, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_wrong_doctor_with_places, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_without_scalar, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_no_forgery, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_altered_at_rest, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_signature_of_another_episode, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(
            test_diagnosis_of_other_measurement, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_place_is_no_token, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_wrong_hospital, open_plays, close_plays),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
