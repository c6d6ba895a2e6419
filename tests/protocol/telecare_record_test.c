/* SPDX-License-Identifier: Apache-2.0 */
/* A record of telecare in pieces, taken as they should not be; and records that no honest author
 * makes. */
#include "protocol/common.h"
#include "protocol/session.h"
#include "protocol/telecare.h"
#include "telecare_stage.h"

#include <string.h>

/* -- a record in pieces --------------------------------------------------------------------------
 */

static void test_writing_in_order(void **state)
{
    static uint8_t bytes[66000];
    const cs_content about = telecare_content(CS_VIEW_ARRAY(bytes));
    cs_writing *writing = NULL;
    telecare_line line;
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final = false;
    size_t n;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_pup(&p, error));
    assert_ok(cs_pup_new(&writing, p.at_patient, &c.patient.env, &about, error));
    cast_at(&c, CAST_START + 1);
    assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    assert_fails(CS_E_ORDER, cs_writing_block(writing, (cs_view){0}, &chunk, &final, error));
    assert_fails(CS_E_ORDER, cs_writing_u2(writing, line.caller, &c.patient.env, cs_view_buf(&head),
                                 cs_view_buf(&chunk), final, error));
    assert_ok(cs_writing_u1(writing, line.caller, &c.patient.env, &head, &chunk, &final, error));
    n = cs_writing_want(writing);
    assert_fails(
        CS_E_TRUNCATED, cs_writing_block(writing, (cs_view){bytes, n - 1}, &chunk, &final, error));
    /* refused: from the beginning, under another key */
    assert_fails(CS_E_ORDER, cs_writing_block(writing, (cs_view){bytes, n}, &chunk, &final, error));
    cs_buf_clear(&head);
    cs_buf_clear(&chunk);
    assert_ok(cs_writing_u1(writing, line.caller, &c.patient.env, &head, &chunk, &final, error));
    assert_ok(cs_writing_block(writing, (cs_view){bytes, n}, &chunk, &final, error));
    /* the file has changed since its hash was taken */
    bytes[n] ^= 1;
    assert_fails(
        CS_E_SIGNATURE, cs_writing_block(writing, (cs_view){bytes + n, cs_writing_want(writing)},
                            &chunk, &final, error));
    bytes[n] ^= 1;
    telecare_hang_up(&line);
    cs_writing_free(&writing);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
}

/* What is at a place stays there: by whoever knows its token, a second record is refused, and the
 * first is still read. */
static void test_written_once(void **state)
{
    const cs_content about = telecare_content(p.measurement);
    cs_writing *writing = NULL;
    telecare_line line;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_pup(&p, error));
    assert_ok(cs_pup_new(&writing, p.at_patient, &c.patient.env, &about, error));
    cast_at(&c, CAST_START + 1);
    assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    assert_fails(CS_E_ORDER, telecare_send(&p, &line, writing, p.measurement, error));
    telecare_hang_up(&line);
    cs_writing_free(&writing);
    assert_ok(telecare_tp(&p, error));
    assert_true(cs_view_equal(cs_view_buf(&p.measurement_at_d), p.measurement));
}

static void test_stored_once(void **state)
{
    const cs_content about = telecare_content(p.diagnosis);
    cs_writing *writing = NULL;
    telecare_line line;
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(telecare_pup(&p, error));
    call(&line, &c.doctor);
    assert_ok(telecare_fetch(&p, &line, p.at_doctor, CS_SLOT_REPORT, &p.report_at_d, error));
    assert_ok(
        telecare_fetch(&p, &line, p.at_doctor, CS_SLOT_MEASUREMENT, &p.measurement_at_d, error));
    assert_ok(cs_tp_new(&writing, p.at_doctor, &c.doctor.env, &about, error));
    assert_ok(telecare_send(&p, &line, writing, p.diagnosis, error));
    assert_fails(CS_E_ORDER,
        cs_writing_u1(writing, line.caller, &c.doctor.env, &head, &chunk, &final, error));
    telecare_hang_up(&line);
    cs_writing_free(&writing);
}

/* The report asked for by D, and the cloud's G2 taken: what comes next are its blocks. */
static void begin_reading(telecare_line *line, uint64_t blocks, cs_reading **reading, cs_bulk **out)
{
    const cs_place_value value = {.slot = CS_SLOT_REPORT, .ends = 1, .blocks = blocks};
    uint8_t place[CS_PLACE_SIZE];
    uint64_t slot;
    cs_buf g1_head = {0};
    cs_buf g1 = {0};
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final;

    assert_ok(cs_episode_g1(
        p.at_doctor, CS_SLOT_REPORT, line->caller, &c.doctor.env, &g1_head, &g1, error));
    assert_ok(cs_guest_g1(line->session, &c.telecare.env, &line->guest, cs_view_buf(&g1_head),
        cs_view_buf(&g1), true, &slot, place, error));
    assert_ok(cs_guest_g2(
        line->session, &c.telecare.env, place, &value, &head, &chunk, &final, out, error));
    assert_ok(cs_episode_g2(reading, p.at_doctor, CS_SLOT_REPORT, line->caller, &c.doctor.env,
        cs_view_buf(&head), cs_view_buf(&chunk), final, error));
    cs_buf_free(&g1_head);
    cs_buf_free(&g1);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
}

/* The report's block number i as the cloud sends it. */
static void next_block(cs_bulk *out, size_t i, cs_buf *chunk, bool *final)
{
    const telecare_row *row = telecare_row_of(&p, cs_episode_place(p.at_doctor, CS_SLOT_REPORT));

    cs_buf_clear(chunk);
    assert_ok(cs_bulk_seal(
        out, chunk, (cs_view){row->blocks.p + i * CS_BLOCK_SIZE, CS_BLOCK_SIZE}, final, error));
}

/* A reading that is not finished, finished twice, or gets more than there is. */
static void test_reading_in_order(void **state)
{
    cs_reading *reading = NULL;
    telecare_line line;
    cs_bulk *out = NULL;
    cs_buf chunk = {0};
    cs_buf content = {0};
    bool final = false;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    call(&line, &c.doctor);
    begin_reading(&line, 1, &reading, &out);
    assert_int_equal(cs_reading_parts(reading), 0);
    assert_null(cs_reading_part(reading, 0));
    assert_fails(CS_E_TRUNCATED, cs_reading_finish(reading, error));
    next_block(out, 0, &chunk, &final);
    assert_ok(
        cs_reading_block(reading, &c.doctor.env, cs_view_buf(&chunk), final, &content, error));
    assert_int_equal(cs_reading_parts(reading), 1);
    assert_true(cs_reading_part(reading, 0)->size == p.report.n);
    assert_true(cs_reading_part(reading, 0)->time == CAST_START);
    assert_true(cs_episode_time(p.at_doctor, CS_SLOT_REPORT) == 0);
    assert_fails(CS_E_ORDER,
        cs_reading_block(reading, &c.doctor.env, cs_view_buf(&chunk), final, &content, error));
    assert_ok(cs_reading_finish(reading, error));
    assert_true(cs_episode_time(p.at_doctor, CS_SLOT_REPORT) == CAST_START);
    assert_fails(CS_E_ORDER, cs_reading_finish(reading, error));
    cs_reading_free(&reading);
    cs_bulk_free(&out);
    telecare_hang_up(&line);
    cs_buf_free(&chunk);
    cs_buf_free(&content);
}

/* A block that was refused is not mended by the right one. */
static void test_refused_block(void **state)
{
    cs_reading *reading = NULL;
    telecare_line line;
    cs_bulk *out = NULL;
    cs_buf chunk = {0};
    cs_buf content = {0};
    bool final = false;

    (void)state;
    p.report = p.measurement; /* two blocks */
    assert_ok(telecare_hup(&p, error));
    call(&line, &c.doctor);
    begin_reading(&line, 2, &reading, &out);
    next_block(out, 0, &chunk, &final);
    assert_fails(CS_E_DECRYPT, cs_reading_block(reading, &c.doctor.env,
                                   (cs_view){chunk.p, chunk.n - 1}, final, &content, error));
    assert_fails(CS_E_ORDER,
        cs_reading_block(reading, &c.doctor.env, cs_view_buf(&chunk), final, &content, error));
    assert_fails(CS_E_ORDER, cs_reading_finish(reading, error));
    assert_int_equal(content.n, 0);
    cs_reading_free(&reading);
    cs_bulk_free(&out);
    telecare_hang_up(&line);
    cs_buf_free(&chunk);
    cs_buf_free(&content);
}

/* -- records that no honest author makes ---------------------------------------------------------
 */

/* The plain text of the report's one block, and back under the same key. */
static void rewrite_report(const uint8_t *plain)
{
    const uint8_t *place = cs_episode_place(p.at_hospital, CS_SLOT_REPORT);
    telecare_row *row = telecare_row_of(&p, place);

    cs_buf_clear(&row->blocks);
    assert_ok(cs_chunk_seal(&row->blocks, p.at_hospital->secrets->report_key,
        (cs_view){place, CS_PLACE_SIZE}, 0, true, (cs_view){plain, CS_BLOCK_PLAIN}, error));
}

static void must_not_read(cs_code code, const uint8_t *plain)
{
    cs_episode_part *part = cs_episode_part_of(p.at_patient, CS_SLOT_REPORT);
    telecare_line line;

    rewrite_report(plain);
    c.telecare.memory.seen_count = 0;
    cast_at(&c, c.patient.env.now + 1);
    cs_buf_clear(&p.report_at_p);
    assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    if (code == CS_OK)
        assert_ok(telecare_fetch(&p, &line, p.at_patient, CS_SLOT_REPORT, &p.report_at_p, error));
    else
        assert_fails(
            code, telecare_fetch(&p, &line, p.at_patient, CS_SLOT_REPORT, &p.report_at_p, error));
    assert_int_equal(part->known, code == CS_OK);
    telecare_hang_up(&line);
}

static void put_front(uint8_t *plain, const cs_front *front, cs_view content)
{
    cs_buf bytes = {0};

    assert_ok(cs_encode(&bytes, &cs_front_schema, front, error));
    memset(plain, 0, CS_BLOCK_PLAIN);
    plain[2] = (uint8_t)(bytes.n >> 8);
    plain[3] = (uint8_t)bytes.n;
    memcpy(plain + 4, bytes.p, bytes.n);
    memcpy(plain + 4 + bytes.n, content.p, content.n);
    cs_buf_free(&bytes);
}

static void test_record_in_other_forms(void **state)
{
    static uint8_t plain[CS_BLOCK_PLAIN];
    const cs_episode_part *part;
    cs_front front = {0};

    (void)state;
    assert_ok(telecare_hup(&p, error));
    part = cs_episode_part_of(p.at_hospital, CS_SLOT_REPORT);
    front.statements.items[0] = front.statements.items[1] = cs_view_buf(&part->statement);
    front.certificates.items[0] = front.certificates.items[1] = cs_view_buf(&part->certificate);
    front.statements.n = front.certificates.n = 1;
    /* two parts, or a certificate more or less than statements */
    front.statements.n = front.certificates.n = 2;
    put_front(plain, &front, p.report);
    must_not_read(CS_E_MALFORMED, plain);
    front.statements.n = 1;
    put_front(plain, &front, p.report);
    must_not_read(CS_E_MALFORMED, plain);
    front.certificates.n = 0;
    put_front(plain, &front, p.report);
    must_not_read(CS_E_MALFORMED, plain);
    front.statements.n = 2;
    front.certificates.n = 1;
    put_front(plain, &front, p.report);
    must_not_read(CS_E_MALFORMED, plain);
    front.statements.n = 1;
    /* something in the padding: a place for what nobody signed */
    put_front(plain, &front, p.report);
    plain[CS_BLOCK_PLAIN - 1] = 1;
    must_not_read(CS_E_MALFORMED, plain);
    /* another content, and a front that goes beyond its block */
    put_front(plain, &front, (cs_view){p.measurement.p, p.report.n + 1});
    must_not_read(CS_E_MALFORMED, plain);
    put_front(plain, &front, (cs_view){p.measurement.p + 1, p.report.n});
    must_not_read(CS_E_SIGNATURE, plain);
    put_front(plain, &front, p.report);
    plain[1] = 1;
    must_not_read(CS_E_MALFORMED, plain);
    memset(plain, 0xff, 4);
    must_not_read(CS_E_MALFORMED, plain);
    put_front(plain, &front, p.report);
    must_not_read(CS_OK, plain);
}

/* A record that was refused has no end, even where no content is missing. */
static void test_refused_has_no_end(void **state)
{
    static uint8_t plain[CS_BLOCK_PLAIN];
    const cs_episode_part *part;
    cs_front front = {0};
    cs_reading *reading = NULL;
    telecare_line line;
    cs_bulk *out = NULL;
    cs_buf chunk = {0};
    cs_buf content = {0};
    bool final = false;

    (void)state;
    p.report.n = 0;
    assert_ok(telecare_hup(&p, error));
    part = cs_episode_part_of(p.at_hospital, CS_SLOT_REPORT);
    front.statements = (cs_list){{cs_view_buf(&part->statement)}, 1};
    front.certificates = (cs_list){{cs_view_buf(&part->certificate)}, 1};
    put_front(plain, &front, p.report);
    plain[CS_BLOCK_PLAIN - 1] = 1;
    rewrite_report(plain);
    call(&line, &c.doctor);
    begin_reading(&line, 1, &reading, &out);
    next_block(out, 0, &chunk, &final);
    assert_fails(CS_E_MALFORMED,
        cs_reading_block(reading, &c.doctor.env, cs_view_buf(&chunk), final, &content, error));
    assert_fails(CS_E_ORDER, cs_reading_finish(reading, error));
    assert_true(cs_episode_time(p.at_doctor, CS_SLOT_REPORT) == 0);
    cs_reading_free(&reading);
    cs_bulk_free(&out);
    telecare_hang_up(&line);
    cs_buf_free(&chunk);
    cs_buf_free(&content);
}

/* More or fewer blocks than the content takes: the cloud pads on its own, or a mistaken author. */
static void test_other_number_of_blocks(void **state)
{
    const uint8_t *place;
    static const uint8_t nothing[CS_BLOCK_PLAIN];
    static uint8_t plain[CS_BLOCK_PLAIN];
    const cs_episode_part *part;
    cs_front front = {0};
    cs_row_keys keys;
    telecare_row *row;
    telecare_line line;
    const cs_place_value value = {.slot = 1, .ends = (uint64_t)TELECARE_END, .blocks = 2};

    (void)state;
    assert_ok(telecare_hup(&p, error));
    place = cs_episode_place(p.at_hospital, CS_SLOT_REPORT);
    part = cs_episode_part_of(p.at_hospital, CS_SLOT_REPORT);
    front.statements = (cs_list){{cs_view_buf(&part->statement)}, 1};
    front.certificates = (cs_list){{cs_view_buf(&part->certificate)}, 1};
    put_front(plain, &front, p.report);
    row = telecare_row_of(&p, place);
    cs_buf_clear(&row->blocks);
    for (uint64_t i = 0; i < 2; i++)
        assert_ok(cs_chunk_seal(&row->blocks, p.at_hospital->secrets->report_key,
            (cs_view){place, CS_PLACE_SIZE}, i, i == 1,
            (cs_view){i == 0 ? plain : nothing, CS_BLOCK_PLAIN}, error));
    assert_ok(cs_row_keys_for(&keys, c.telecare.storage, CS_TABLE_PLACE,
        (cs_view){place, CS_PLACE_SIZE}, (cs_view){0}, error));
    cs_buf_clear(&row->value);
    assert_ok(cs_value_seal(
        &row->value, keys.value, CS_VIEW_ARRAY(keys.row), &cs_place_value_schema, &value, error));
    assert_ok(telecare_call(&p, &line, "call", &c.patient, p.at_patient, error));
    assert_fails(CS_E_TRUNCATED,
        telecare_fetch(&p, &line, p.at_patient, CS_SLOT_REPORT, &p.report_at_p, error));
    telecare_hang_up(&line);
}

/* A statement by H, with this time. */
static int check_dated(int64_t time, cs_error *outer)
{
    uint8_t hash[CS_HASH_SIZE] = {0};
    const cs_statement fields = {.slot = CS_SLOT_REPORT,
        .episode = CS_VIEW_ARRAY(p.at_hospital->id),
        .id_h = cs_view_str(c.hospital.id),
        .id_p = cs_view_str(c.patient.id),
        .id_d = cs_view_str(c.doctor.id),
        .time = (uint64_t)time,
        .media_type = cs_view_str("text/plain"),
        .h_content = CS_VIEW_ARRAY(hash)};
    cs_episode_part part;
    cs_buf bytes = {0};
    int rc;

    assert_ok(cs_signed_make(&bytes, c.hospital.sign, &cs_statement_schema, &fields, error));
    rc = cs_statement_check(&part, p.at_patient, &c.patient.env, CS_SLOT_REPORT,
        cs_view_buf(&bytes), c.hospital.party.certificate, (cs_view){0}, true, outer);
    cs_episode_part_free(&part);
    cs_buf_free(&bytes);
    return rc;
}

/* Nobody signs ahead, after the end, or long before there could have been the episode. */
static void test_dates_of_statements(void **state)
{
    const int64_t first = p.ends - CS_EPISODE_LIFE_MAX_MS - CS_EPISODE_STEP_MS;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    assert_ok(check_dated(CAST_START + CS_DELTA_T_DEFAULT, error));
    assert_fails(CS_E_STALE, check_dated(CAST_START + CS_DELTA_T_DEFAULT + 1, error));
    assert_ok(check_dated(first, error));
    assert_fails(CS_E_STALE, check_dated(first - 1, error));
    cast_at(&c, p.ends);
    assert_ok(check_dated(p.ends, error));
    assert_fails(CS_E_EXPIRED, check_dated(p.ends + 1, error));
}

/* A copy of parts that are too large together. */
static void test_copy_too_large(void **state)
{
    cs_writing *writing = NULL;

    (void)state;
    assert_ok(telecare_run(&p, error));
    p.at_patient->parts[0].part.size = CS_RECORD_SIZE_MAX;
    assert_fails(CS_E_TOO_LARGE, cs_cp_new(&writing, p.at_patient, &c.patient.env, error));
    assert_null(writing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writing_in_order, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_written_once, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_stored_once, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_reading_in_order, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_refused_block, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_record_in_other_forms, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_refused_has_no_end, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_other_number_of_blocks, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_dates_of_statements, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_copy_too_large, open_plays, close_plays),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
