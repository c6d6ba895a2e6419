/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's side of a search against a cloud or a hospital that answers as it likes, and against
 * a caller that takes the steps as they should not be taken. */
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
    return 0;
}

/* PC answers S1 with `count` hospitals, of which the last may be no hospital. */
static void answer_s1(cs_buf *s2, cs_view s1, size_t count, bool last_is_garbage)
{
    cs_index_value rows[CS_LIST_MAX];

    for (size_t i = 0; i < count; i++)
        rows[i] = (cs_index_value){.id_hpc = cs_view_str(c.hospital.id),
            .credential_hpc = cs_credential_view(&c.hospital.credential),
            .url = cs_view_str("http://127.0.0.1:7420")};
    if (last_is_garbage)
        rows[count - 1].credential_hpc = cs_view_str("no credential");
    c.pc.memory.seen_count = 0;
    assert_ok(cs_query_open(&p.query, &c.pc.party, &c.pc.env, s1, error));
    cs_buf_clear(s2);
    assert_ok(cs_query_answer(&c.pc.party, &c.pc.env, &p.query, rows, count, s2, error));
}

/* PC answers one S1 twice, with the longest list that there is and a fault at its end: what the
 * refused answer left must not be counted, and there is no second answer. */
static void test_s2_twice(void **state)
{
    cs_buf s1 = {0};
    cs_buf s2 = {0};

    (void)state;
    assert_ok(cs_search_new(&p.search, &c.doctor.party, c.patient.id, PLAY_DEPARTMENT, (cs_view){0},
        "unconscious on arrival", error));
    assert_ok(cs_search_s1(p.search, &c.doctor.env, &s1, error));
    answer_s1(&s2, cs_view_buf(&s1), CS_LIST_MAX, true);
    assert_fails(CS_E_MALFORMED, cs_search_s2(p.search, &c.doctor.env, cs_view_buf(&s2), error));
    assert_int_equal(cs_search_count(p.search), 0);
    cast_at(&c, CAST_START + 1);
    answer_s1(&s2, cs_view_buf(&s1), CS_LIST_MAX, false);
    assert_fails(CS_E_ORDER, cs_search_s2(p.search, &c.doctor.env, cs_view_buf(&s2), error));
    /* the search itself can go on, with another S1 */
    cs_buf_clear(&s1);
    assert_ok(cs_search_s1(p.search, &c.doctor.env, &s1, error));
    answer_s1(&s2, cs_view_buf(&s1), CS_LIST_MAX, false);
    assert_ok(cs_search_s2(p.search, &c.doctor.env, cs_view_buf(&s2), error));
    assert_int_equal(cs_search_count(p.search), CS_LIST_MAX);
    assert_fails(CS_E_ORDER, cs_search_s2(p.search, &c.doctor.env, cs_view_buf(&s2), error));
    cs_buf_free(&s1);
    cs_buf_free(&s2);
}

/* S5 asks for one record and HPC gives `given`, a record without bytes that it signed itself. */
static int other_record(
    cs_view asked, const uint8_t given[16], cs_chpc2 *seen, cs_buf *plain, cs_error *outer)
{
    uint8_t hash[CS_HASH_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE];
    uint8_t id[16];
    size_t id_size;
    const cs_chpc2 record = {.record_id = {given, 16},
        .media_type = cs_view_str("text/plain"),
        .h_emr = CS_VIEW_ARRAY(hash),
        .stored_at = CAST_START,
        .sig_emr = CS_VIEW_ARRAY(signature)};
    cs_bulk *bulk = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final = true;
    int rc;

    assert_ok(cs_hash(hash, (cs_view){0}, error));
    assert_ok(cs_emr_sign(&c.hospital.party, c.patient.id, PLAY_DEPARTMENT, given, "text/plain",
        hash, CAST_START, signature, error));
    assert_ok(cs_search_s5(p.search, &c.doctor.env, asked, &head, &chunk, error));
    assert_ok(cs_access_s5(p.session, &c.hospital.env, &p.query, cs_view_buf(&head),
        cs_view_buf(&chunk), final, id, &id_size, error));
    cs_buf_clear(&head);
    cs_buf_clear(&chunk);
    assert_ok(
        cs_access_s6(p.session, &c.hospital.env, &record, &head, &chunk, &final, &bulk, error));
    cs_buf_clear(plain);
    rc = cs_search_s6(p.search, &c.doctor.env, cs_view_buf(&head), cs_view_buf(&chunk), final,
        plain, seen, &bulk, outer);
    assert_null(bulk);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

/* HPC gives another record of this patient than D asked for: its signature alone is in order. */
static void test_other_record(void **state)
{
    static const uint8_t asked[16] = "asked for this.";
    static const uint8_t other[16] = "and got another";
    cs_buf plain = {0};
    cs_chpc2 seen;

    (void)state;
    assert_ok(play_visit(&p, error));
    assert_fails(CS_E_RECIPIENT, other_record(CS_VIEW_ARRAY(asked), other, &seen, &plain, error));
    assert_ok(other_record(CS_VIEW_ARRAY(asked), asked, &seen, &plain, error));
    assert_ok(cs_search_finish(p.search, &seen, NULL, error));
    assert_ok(other_record((cs_view){0}, other, &seen, &plain, error)); /* the newest: any */
    assert_ok(cs_search_finish(p.search, &seen, NULL, error));
    cs_buf_free(&plain);
}

/* The end of a record before there is a hospital, after none was sent, and after D went on to
 * another hospital, whose key would then be taken for SigEMR. */
static void test_finish_out_of_order(void **state)
{
    static const uint8_t id[16] = "some record....";
    cs_search *search = NULL;
    cs_chpc2 seen = {0};
    cs_buf plain = {0};
    cs_buf s3 = {0};

    (void)state;
    assert_ok(cs_search_new(&search, &c.doctor.party, c.patient.id, PLAY_DEPARTMENT, (cs_view){0},
        "unconscious on arrival", error));
    assert_fails(CS_E_ORDER, cs_search_finish(search, &seen, NULL, error));
    cs_search_free(&search);
    assert_ok(play_visit(&p, error));
    assert_fails(CS_E_ORDER, cs_search_finish(p.search, &seen, NULL, error));
    assert_ok(other_record(CS_VIEW_ARRAY(id), id, &seen, &plain, error));
    assert_ok(cs_search_s3(p.search, &c.doctor.env, 1, &s3, error));
    assert_fails(CS_E_ORDER, cs_search_finish(p.search, &seen, NULL, error));
    /* and when the session with the other one is open */
    assert_ok(play_session(&p, 0, error));
    assert_ok(other_record(CS_VIEW_ARRAY(id), id, &seen, &plain, error));
    assert_ok(play_session(&p, 1, error));
    assert_fails(CS_E_ORDER, cs_search_finish(p.search, &seen, NULL, error));
    cs_buf_free(&plain);
    cs_buf_free(&s3);
}

/* A S3 that the token fails to sign has given up the session before: no step takes it for open. */
static void test_failed_s3(void **state)
{
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf s3 = {0};

    (void)state;
    assert_ok(play_visit(&p, error));
    cs_soft_token_fail(c.doctor.token, CS_SOFT_ANY, 1);
    assert_fails(CS_E_TOKEN, cs_search_s3(p.search, &c.doctor.env, 1, &s3, error));
    cs_soft_token_fail(c.doctor.token, CS_SOFT_ANY, 0);
    assert_fails(
        CS_E_ORDER, cs_search_s5(p.search, &c.doctor.env, (cs_view){0}, &head, &chunk, error));
    assert_ok(play_session(&p, 1, error));
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&s3);
}

/* A filing whose diagnosis was signed at a time of the doctor's choice. */
static int file_dated(int64_t t_d5, cs_error *outer)
{
    assert_ok(play_visit(&p, error));
    c.doctor.env.now = t_d5;
    assert_ok(cs_diagnosis_sign(&p.diagnosis, &c.doctor.party, &c.doctor.env, c.patient.id,
        PLAY_DEPARTMENT, "text/plain", p.dinf, error));
    c.doctor.env.now = CAST_START;
    return play_filing(&p, outer);
}

/* The date of a diagnosis becomes the record's: neither of the future nor put back at will. */
static void test_filing_date(void **state)
{
    (void)state;
    assert_ok(file_dated(CAST_START + c.hospital.env.delta_t, error));
    assert_fails(CS_E_STALE, file_dated(CAST_START + c.hospital.env.delta_t + 1, error));
    assert_fails(CS_E_STALE, file_dated(CAST_START + 50 * CAST_YEAR, error));
    assert_ok(file_dated(CAST_START - CS_FILING_AGE_MAX, error));
    assert_fails(CS_E_STALE, file_dated(CAST_START - CS_FILING_AGE_MAX - 1, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filing_date, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_finish_out_of_order, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_failed_s3, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_other_record, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_s2_twice, open_play, close_play),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
