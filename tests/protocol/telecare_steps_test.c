/* SPDX-License-Identifier: Apache-2.0 */
/* Telecare against who takes the steps as they should not be taken: in another order, with
 * another's letter or clock, as another role; and records that no honest author makes. */
#include "protocol/common.h"
#include "protocol/session.h"
#include "protocol/telecare.h"
#include "soft_token.h"
#include "telecare_stage.h"

#include <string.h>

/* -- HUP -----------------------------------------------------------------------------------------
 */

static int open_episode(cast_actor *who, int64_t ends, cs_view credential_c, cs_error *outer)
{
    const cs_content about = telecare_content(p.report);
    const cs_hup_input input = {.credential_p = cs_credential_view(&c.patient.credential),
        .credential_d = cs_credential_view(&c.doctor.credential),
        .cert_d = c.doctor.party.certificate,
        .credential_c = credential_c,
        .url = "https://telecare.example",
        .ends = ends};
    cs_writing *writing = NULL;
    int rc;

    telecare_forget(&p);
    rc = cs_hup_new(&p.at_hospital, &writing, &who->party, &who->env, &input, &about, outer);
    cs_writing_free(&writing);
    return rc;
}

static void test_hup(void **state)
{
    const cs_view cloud = cs_credential_view(&c.telecare.credential);
    const int64_t last = CAST_START + CS_EPISODE_LIFE_MAX_MS - CS_EPISODE_STEP_MS;
    cs_buf letter = {0};

    (void)state;
    assert_ok(open_episode(&c.hospital, CAST_START + 1, cloud, error));
    assert_true(cs_episode_ends(p.at_hospital) == CAST_START + CAST_HOUR);
    assert_ok(open_episode(&c.hospital, last, cloud, error));
    assert_fails(CS_E_USAGE, open_episode(&c.hospital, last + 1, cloud, error));
    assert_fails(CS_E_USAGE, open_episode(&c.hospital, CAST_START, cloud, error));
    assert_fails(CS_E_USAGE, open_episode(&c.doctor, CAST_START + 1, cloud, error));
    /* a hospital is no cloud */
    assert_fails(CS_E_CREDENTIAL, open_episode(&c.hospital, CAST_START + 1,
                                      cs_credential_view(&c.other_hospital.credential), error));
    /* nobody is invited to what is not there, or to nothing of theirs */
    assert_ok(open_episode(&c.hospital, CAST_START + 1, cloud, error));
    assert_fails(CS_E_ORDER, cs_hup_letter(p.at_hospital, CS_ROLE_PATIENT, &letter, error));
    telecare_forget(&p);
    assert_ok(telecare_hup(&p, error));
    assert_fails(CS_E_USAGE, cs_hup_letter(p.at_hospital, CS_ROLE_HOSPITAL, &letter, error));
    assert_fails(CS_E_USAGE, cs_hup_letter(p.at_hospital, CS_ROLE_CLOUD, &letter, error));
    assert_fails(CS_E_USAGE, cs_hup_letter(p.at_doctor, CS_ROLE_PATIENT, &letter, error));
    assert_int_equal(letter.n, 0);
}

/* -- letters -------------------------------------------------------------------------------------
 */

static int open_letter(const cast_actor *who, cs_view letter, cs_error *outer)
{
    cs_episode *episode = NULL;
    int rc = cs_episode_open(&episode, &who->party, &who->env, letter, outer);

    assert_int_equal(rc == CS_OK, episode != NULL);
    cs_episode_free(&episode);
    return rc;
}

/* What is in a letter, sealed again to somebody. */
static void reseal(cs_buf *out, const cast_actor *to, const cs_invitation *invitation)
{
    cs_buf_clear(out);
    assert_ok(cs_letter_seal(out, c.suite, to->credential.puk_decrypt, invitation, error));
}

/* A wrong doctor, patient or hospital with a letter; and one that has ended. */
static void test_letters(void **state)
{
    uint8_t tokens[3 * CS_PLACE_TOKEN_SIZE] = {0};
    cs_invitation invitation;
    cs_buf plain = {0};
    cs_buf other = {0};

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_fails(CS_E_RECIPIENT, open_letter(&c.other_doctor, cs_view_buf(&p.letter_d), error));
    assert_fails(CS_E_RECIPIENT, open_letter(&c.other_patient, cs_view_buf(&p.letter_p), error));
    assert_fails(CS_E_RECIPIENT, open_letter(&c.doctor, cs_view_buf(&p.letter_p), error));
    assert_fails(CS_E_USAGE, open_letter(&c.hospital, cs_view_buf(&p.letter_p), error));
    /* passed on by who may open it */
    assert_ok(
        cs_letter_open(&invitation, &plain, &c.doctor.party, cs_view_buf(&p.letter_d), error));
    reseal(&other, &c.other_doctor, &invitation);
    assert_fails(CS_E_RECIPIENT, open_letter(&c.other_doctor, cs_view_buf(&other), error));
    /* a patient with a doctor's letter has the wrong name in it */
    reseal(&other, &c.patient, &invitation);
    assert_int_not_equal(open_letter(&c.patient, cs_view_buf(&other), NULL), CS_OK);
    /* a token too few, and one too many */
    memcpy(tokens, invitation.tokens.p, CS_PLACE_TOKEN_SIZE);
    invitation.tokens = (cs_view){tokens, 2 * CS_PLACE_TOKEN_SIZE};
    reseal(&other, &c.doctor, &invitation);
    assert_fails(CS_E_MALFORMED, open_letter(&c.doctor, cs_view_buf(&other), error));
    cs_buf_clear(&plain);
    assert_ok(
        cs_letter_open(&invitation, &plain, &c.patient.party, cs_view_buf(&p.letter_p), error));
    invitation.tokens.n = CS_PLACE_TOKEN_SIZE;
    reseal(&other, &c.patient, &invitation);
    assert_fails(CS_E_MALFORMED, open_letter(&c.patient, cs_view_buf(&other), error));
    /* in its last moment, and after it */
    cast_at(&c, p.ends);
    assert_ok(open_letter(&c.doctor, cs_view_buf(&p.letter_d), error));
    cast_at(&c, p.ends + 1);
    assert_fails(CS_E_EXPIRED, open_letter(&c.doctor, cs_view_buf(&p.letter_d), error));
    assert_fails(CS_E_EXPIRED, open_letter(&c.patient, cs_view_buf(&p.letter_p), error));
    cs_buf_free(&plain);
    cs_buf_free(&other);
}

/* Keys that were replaced under the same name, one by one; and another name with the same keys. */
static void test_replaced_keys(void **state)
{
    const cs_credential right = c.doctor.credential;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    c.doctor.credential.puk_sign[5] ^= 1;
    assert_fails(CS_E_RECIPIENT, open_letter(&c.doctor, cs_view_buf(&p.letter_d), error));
    c.doctor.credential = right;
    c.doctor.credential.puk_decrypt[5] ^= 1;
    assert_fails(CS_E_RECIPIENT, open_letter(&c.doctor, cs_view_buf(&p.letter_d), error));
    c.doctor.credential = right;
    c.doctor.credential.id[0] ^= 1;
    assert_fails(CS_E_RECIPIENT, open_letter(&c.doctor, cs_view_buf(&p.letter_d), error));
    c.doctor.credential = right;
    assert_ok(open_letter(&c.doctor, cs_view_buf(&p.letter_d), error));
}

/* -- the order of things -------------------------------------------------------------------------
 */

static void test_procedures_in_order(void **state)
{
    const cs_content about = telecare_content(p.diagnosis);
    cs_writing *writing = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    telecare_line line;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    /* nobody answers what he has not read */
    assert_fails(CS_E_ORDER, cs_pup_new(&writing, p.at_patient, &c.patient.env, &about, error));
    assert_fails(CS_E_ORDER, cs_tp_new(&writing, p.at_doctor, &c.doctor.env, &about, error));
    assert_fails(CS_E_ORDER, cs_cp_new(&writing, p.at_patient, &c.patient.env, error));
    /* nor as somebody else */
    assert_fails(CS_E_USAGE, cs_pup_new(&writing, p.at_doctor, &c.doctor.env, &about, error));
    assert_fails(CS_E_USAGE, cs_tp_new(&writing, p.at_patient, &c.patient.env, &about, error));
    assert_fails(CS_E_USAGE, cs_cp_new(&writing, p.at_doctor, &c.doctor.env, error));
    assert_null(writing);
    /* a measurement before the report, a diagnosis or copy by D, and all without a session */
    call(&line, &c.doctor);
    assert_fails(CS_E_ORDER, cs_episode_g1(p.at_doctor, CS_SLOT_MEASUREMENT, line.caller,
                                 &c.doctor.env, &head, &chunk, error));
    assert_fails(CS_E_RECIPIENT, cs_episode_g1(p.at_doctor, CS_SLOT_DIAGNOSIS, line.caller,
                                     &c.doctor.env, &head, &chunk, error));
    assert_fails(CS_E_RECIPIENT,
        cs_episode_g1(p.at_doctor, CS_SLOT_COPY, line.caller, &c.doctor.env, &head, &chunk, error));
    telecare_hang_up(&line);
    assert_ok(
        cs_caller_new(&line.caller, &c.doctor.party, &c.doctor.env, &c.telecare.credential, error));
    assert_fails(CS_E_ORDER, cs_episode_g1(p.at_doctor, CS_SLOT_REPORT, line.caller, &c.doctor.env,
                                 &head, &chunk, error));
    telecare_hang_up(&line);
    /* what is not there yet */
    call(&line, &c.doctor);
    assert_ok(telecare_fetch(&p, &line, p.at_doctor, CS_SLOT_REPORT, &p.report_at_d, error));
    assert_fails(CS_E_NO_RECORD,
        telecare_fetch(&p, &line, p.at_doctor, CS_SLOT_MEASUREMENT, &p.measurement_at_d, error));
    telecare_hang_up(&line);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
}

/* After its end nothing is read or written any more, at either side. */
static void test_after_the_end(void **state)
{
    const cs_content about = telecare_content(p.measurement);
    const cs_place_value row = {.slot = 1, .ends = (uint64_t)p.ends};
    cs_writing *writing = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    telecare_line line;
    bool final;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_pup(&p, error));
    cast_at(&c, p.ends - 1);
    assert_ok(cs_pup_new(&writing, p.at_patient, &c.patient.env, &about, error));
    call(&line, &c.doctor);
    cast_at(&c, p.ends + 1);
    assert_fails(CS_E_EXPIRED, cs_episode_g1(p.at_doctor, CS_SLOT_REPORT, line.caller,
                                   &c.doctor.env, &head, &chunk, error));
    assert_fails(CS_E_EXPIRED,
        cs_writing_u1(writing, line.caller, &c.patient.env, &head, &chunk, &final, error));
    cs_writing_free(&writing);
    assert_fails(CS_E_EXPIRED, cs_pup_new(&writing, p.at_patient, &c.patient.env, &about, error));
    telecare_hang_up(&line);
    /* the cloud, whatever the others' clocks say */
    assert_fails(CS_E_EXPIRED, cs_place_check_read(&row, &c.telecare.env, 1, error));
    assert_fails(CS_E_EXPIRED, cs_place_check_write(&row, &c.telecare.env, 1, error));
    cast_at(&c, p.ends);
    assert_ok(cs_place_check_write(&row, &c.telecare.env, 1, error));
    assert_fails(CS_E_RECIPIENT, cs_place_check_write(&row, &c.telecare.env, 2, error));
    cs_buf_free(&head);
    cs_buf_free(&chunk);
}

static void test_caller_in_order(void **state)
{
    cs_session *session = NULL;
    cs_caller *caller = NULL;
    cs_guest named;
    cs_guest nobody;
    cs_buf t1 = {0};
    cs_buf t2 = {0};
    cs_buf t3 = {0};

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_fails(CS_E_CREDENTIAL,
        cs_caller_new(&caller, &c.doctor.party, &c.doctor.env, &c.hospital.credential, error));
    assert_ok(
        cs_caller_new(&caller, &c.doctor.party, &c.doctor.env, &c.telecare.credential, error));
    assert_fails(CS_E_ORDER, cs_caller_t2(caller, &c.doctor.env, cs_view_buf(&t2), error));
    assert_fails(CS_E_ORDER, cs_caller_t4(caller, &c.doctor.env, cs_view_buf(&t2), error));
    cast_at(&c, CAST_START + 1);
    assert_ok(cs_caller_t3(
        caller, &c.doctor.env, cs_episode_place(p.at_doctor, CS_SLOT_REPORT), &t3, error));
    assert_fails(CS_E_ORDER, cs_caller_t2(caller, &c.doctor.env, cs_view_buf(&t2), error));
    assert_ok(cs_caller_t1(caller, &c.doctor.env, &t1, error));
    assert_fails(CS_E_ORDER, cs_caller_t4(caller, &c.doctor.env, cs_view_buf(&t2), error));
    assert_ok(cs_guest_t1(&named, &c.telecare.party, &c.telecare.env, cs_view_buf(&t1), error));
    assert_ok(cs_guest_t3(&nobody, &c.telecare.party, &c.telecare.env, cs_view_buf(&t3), error));
    /* each has its answer */
    assert_fails(
        CS_E_ORDER, cs_guest_t4(&c.telecare.party, &c.telecare.env, &named, &t2, &session, error));
    assert_fails(
        CS_E_ORDER, cs_guest_t2(&c.telecare.party, &c.telecare.env, &nobody, &t2, &session, error));
    assert_null(session);
    assert_ok(cs_guest_t2(&c.telecare.party, &c.telecare.env, &named, &t2, &session, error));
    assert_ok(cs_caller_t2(caller, &c.doctor.env, cs_view_buf(&t2), error));
    /* once */
    assert_fails(CS_E_ORDER, cs_caller_t2(caller, &c.doctor.env, cs_view_buf(&t2), error));
    /* both requests repeated, and the answer too, to another session of the same request */
    assert_fails(CS_E_REPLAY,
        cs_guest_t1(&named, &c.telecare.party, &c.telecare.env, cs_view_buf(&t1), error));
    assert_true(named.known);
    assert_fails(CS_E_REPLAY,
        cs_guest_t3(&nobody, &c.telecare.party, &c.telecare.env, cs_view_buf(&t3), error));
    cs_session_free(&session);
    cs_caller_free(&caller);
    cs_buf_free(&t1);
    cs_buf_free(&t2);
    cs_buf_free(&t3);
}

static int always_seen(
    void *context, const uint8_t hash[CS_HASH_SIZE], int64_t until, bool *fresh, cs_error *error)
{
    (void)context, (void)hash, (void)until, (void)error;
    *fresh = false;
    return CS_OK;
}

/* The memory of what was seen is asked by the cloud, and by who is answered. */
static void test_memory_is_asked(void **state)
{
    cast_actor *who[] = {&c.telecare, &c.hospital, &c.doctor};

    (void)state;
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        int (*before)(void *, const uint8_t[CS_HASH_SIZE], int64_t, bool *, cs_error *) =
            who[i]->env.seen;

        who[i]->env.seen = always_seen;
        assert_fails(CS_E_REPLAY, telecare_run(&p, error));
        who[i]->env.seen = before;
    }
    assert_ok(telecare_run(&p, error));
}

/* -- roles at the cloud --------------------------------------------------------------------------
 */

/* A T1 of a patient, and of another cloud: credentials of the house, but not to call with. And of a
 * doctor with some other certificate. */
static void test_who_may_call(void **state)
{
    static const uint8_t some[] = "some certificate";
    cast_actor *who[] = {&c.patient, &c.telecare, &c.doctor};
    const cs_code codes[] = {CS_E_CREDENTIAL, CS_E_CREDENTIAL, CS_E_CERTIFICATE};
    cs_guest guest;
    cs_buf t1 = {0};

    (void)state;
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        const cs_view right = who[i]->party.certificate;
        cs_caller *caller = NULL;

        if (who[i] != &c.telecare)
            who[i]->party.certificate = CS_VIEW_ARRAY(some);
        assert_ok(
            cs_caller_new(&caller, &who[i]->party, &who[i]->env, &c.telecare.credential, error));
        cs_buf_clear(&t1);
        assert_ok(cs_caller_t1(caller, &who[i]->env, &t1, error));
        assert_fails(codes[i],
            cs_guest_t1(&guest, &c.telecare.party, &c.telecare.env, cs_view_buf(&t1), error));
        who[i]->party.certificate = right;
        cs_caller_free(&caller);
    }
    cs_buf_free(&t1);
}

/* An upload as this guest, made by hand. */
static int upload_as(telecare_line *line, const cs_upload *upload, cs_error *outer)
{
    uint8_t place[CS_PLACE_SIZE];
    cs_session *session = NULL;
    cs_upload seen;
    cs_bulk *out = NULL;
    cs_bulk *in = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    bool final;
    int rc;

    assert_ok(cs_caller_session(&session, line->caller, error));
    assert_ok(cs_session_put(session, "chartseal/1 U1", c.telecare.env.now, &cs_upload_schema,
        upload, upload->blocks * CS_BLOCK_SIZE, &head, &chunk, &final, &out, error));
    rc = cs_guest_u1(line->session, &c.telecare.env, &line->guest, TELECARE_BLOCKS_MAX,
        cs_view_buf(&head), cs_view_buf(&chunk), final, &plain, &seen, place, &in, outer);
    cs_bulk_free(&out);
    cs_bulk_free(&in);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    return rc;
}

/* A session ends with what it refuses no other than with a message that does not open, so each has
 * its own. */
static void must_not_upload(cs_code code, cast_actor *who, const cs_upload *upload)
{
    telecare_line line;

    cast_at(&c, c.telecare.env.now + 1);
    if (who == NULL) {
        c.telecare.memory.seen_count = 0;
        assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    } else {
        call(&line, who);
    }
    if (code == CS_OK)
        assert_ok(upload_as(&line, upload, error));
    else
        assert_fails(code, upload_as(&line, upload, error));
    telecare_hang_up(&line);
}

static void test_what_may_be_uploaded(void **state)
{
    static const uint8_t token[CS_PLACE_TOKEN_SIZE] = {7};
    static const uint8_t seal[CS_RECORD_SEAL_SIZE] = {4};
    uint8_t places[CS_SLOTS * CS_PLACE_SIZE] = {0};
    const cs_upload report = {.time = 0,
        .slot = CS_SLOT_REPORT,
        .token = CS_VIEW_ARRAY(token),
        .blocks = 1,
        .ends = (uint64_t)p.ends,
        .places = CS_VIEW_ARRAY(places)};
    cs_upload now;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(cs_place_of(places, CS_SLOT_REPORT, token, error));
#define EACH(code, who, ...)                                                                       \
    do {                                                                                           \
        now = report;                                                                              \
        now.time = (uint64_t)c.telecare.env.now + 1;                                               \
        __VA_ARGS__;                                                                               \
        must_not_upload(code, who, &now);                                                          \
    } while (0)
    EACH(CS_OK, &c.hospital, (void)0);
    EACH(CS_E_POLICY, &c.doctor, (void)0);
    EACH(CS_E_POLICY, NULL, (void)0);
    EACH(CS_E_TOO_LARGE, &c.hospital, now.blocks = TELECARE_BLOCKS_MAX + 8);
    EACH(CS_OK, &c.hospital, now.blocks = 18);
    EACH(CS_E_MALFORMED, &c.hospital, now.blocks = 17); /* not padded */
    EACH(CS_E_EXPIRED, &c.hospital, now.ends = now.time);
    EACH(CS_OK, &c.hospital, now.ends = now.time + (uint64_t)CS_EPISODE_LIFE_MAX_MS);
    EACH(CS_E_POLICY, &c.hospital, now.ends = now.time + (uint64_t)CS_EPISODE_LIFE_MAX_MS + 1);
    EACH(CS_E_MALFORMED, &c.hospital, now.places.n -= CS_PLACE_SIZE);
    EACH(CS_E_MALFORMED, &c.hospital, now.seals = ((cs_list){{CS_VIEW_ARRAY(seal)}, 1}));
    /* a diagnosis is D's alone, and what is P's nobody's with a name */
    now.seals = (cs_list){{CS_VIEW_ARRAY(seal)}, 1};
#define OTHER(code, who, which, ...)                                                               \
    EACH(code, who, now.slot = (which), now.ends = 0, now.places.n = 0, now.seals.n = 1,           \
        now.seals.items[0] = CS_VIEW_ARRAY(seal), __VA_ARGS__)
    OTHER(CS_OK, &c.doctor, CS_SLOT_DIAGNOSIS, (void)0);
    OTHER(CS_E_POLICY, &c.hospital, CS_SLOT_DIAGNOSIS, (void)0);
    OTHER(CS_E_POLICY, NULL, CS_SLOT_DIAGNOSIS, (void)0);
    OTHER(CS_OK, NULL, CS_SLOT_COPY, (void)0);
    OTHER(CS_E_POLICY, &c.doctor, CS_SLOT_COPY, (void)0);
    OTHER(CS_E_POLICY, &c.hospital, CS_SLOT_MEASUREMENT, (void)0);
    OTHER(CS_E_MALFORMED, NULL, CS_SLOT_COPY, now.seals.n = 0);
    OTHER(CS_E_MALFORMED, NULL, CS_SLOT_COPY, now.ends = 1);
    OTHER(CS_E_MALFORMED, NULL, CS_SLOT_COPY, now.places.n = CS_PLACE_SIZE);
    OTHER(CS_E_STALE, NULL, CS_SLOT_COPY, now.time++);
#undef EACH
#undef OTHER
}

/* A hospital fetches nothing here. */
static void test_hospital_fetches(void **state)
{
    telecare_line line;
    cs_buf content = {0};

    (void)state;
    assert_ok(telecare_hup(&p, error));
    cast_at(&c, CAST_START + 1);
    call(&line, &c.hospital);
    assert_fails(
        CS_E_POLICY, telecare_fetch(&p, &line, p.at_hospital, CS_SLOT_REPORT, &content, error));
    assert_int_equal(content.n, 0);
    telecare_hang_up(&line);
}

/* A token that fails, at each operation: the error comes out, and nothing is taken for done. */
static void test_token_failures(void **state)
{
    cast_actor *who[] = {&c.hospital, &c.patient, &c.doctor, &c.telecare};
    const unsigned operations[] = {4, 3, 6, 24};

    (void)state;
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        for (unsigned nth = 1; nth <= operations[i]; nth++) {
            cs_soft_token_fail(who[i]->token, CS_SOFT_ANY, nth);
            assert_fails(CS_E_TOKEN, telecare_run(&p, error));
        }
        cs_soft_token_fail(who[i]->token, CS_SOFT_ANY, operations[i] + 1);
        assert_ok(telecare_run(&p, error));
        cs_soft_token_fail(who[i]->token, CS_SOFT_ANY, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hup, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_letters, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_replaced_keys, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_procedures_in_order, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_after_the_end, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_caller_in_order, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_memory_is_asked, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_who_may_call, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_what_may_be_uploaded, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_hospital_fetches, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_token_failures, open_plays, close_plays),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
