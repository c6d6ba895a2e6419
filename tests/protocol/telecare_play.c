/* SPDX-License-Identifier: Apache-2.0 */
#include "telecare_play.h"
#include "protocol/telecare.h"

#include <stdio.h>
#include <string.h>

#define REPORT_SIZE 3000
#define MEASUREMENT_SIZE 200000 /* four blocks */

static uint8_t content[MEASUREMENT_SIZE];

void telecare_open(telecare_play *p, cast *c)
{
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 29 + i / 253);
    memset(p, 0, sizeof *p);
    p->c = c;
    p->hospital = &c->hospital;
    p->patient = &c->patient;
    p->doctor = &c->doctor;
    p->report = (cs_view){content, REPORT_SIZE};
    p->measurement = (cs_view){content, MEASUREMENT_SIZE};
    p->diagnosis = cs_view_str("sinus rhythm; continue as before");
    p->ends = TELECARE_END;
    p->blocks_max = TELECARE_BLOCKS_MAX;
}

void telecare_forget(telecare_play *p)
{
    cs_buf *all[] = {&p->letter_p, &p->letter_d, &p->report_at_p, &p->report_at_d,
        &p->measurement_at_d, &p->measurement_at_p, &p->diagnosis_at_p, &p->copy_at_p,
        &p->seen_of_named, &p->seen_of_nobody};

    cs_episode_free(&p->at_hospital);
    cs_episode_free(&p->at_patient);
    cs_episode_free(&p->at_doctor);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        cs_buf_free(all[i]);
    p->hospital->memory.seen_count = 0;
    p->patient->memory.seen_count = 0;
    p->doctor->memory.seen_count = 0;
    p->c->telecare.memory.seen_count = 0;
    p->hospital_ops = p->patient_ops = p->doctor_ops = p->cloud_ops = (cs_op_counts){0};
}

void telecare_empty_cloud(telecare_play *p)
{
    for (size_t i = 0; i < p->row_count; i++) {
        cs_buf_free(&p->rows[i].value);
        cs_buf_free(&p->rows[i].blocks);
    }
    p->row_count = 0;
}

void telecare_close(telecare_play *p)
{
    telecare_forget(p);
    telecare_empty_cloud(p);
}

static void deliver(
    telecare_play *p, const telecare_line *line, const char *name, cs_buf *message, bool *final)
{
    char full[32];
    bool ignored = false;

    if (p->tamper == NULL)
        return;
    (void)snprintf(full, sizeof full, "%s%s%s", line == NULL ? "" : line->procedure,
        line == NULL ? "" : " ", name);
    p->tamper(p->tamper_context, full, message, final == NULL ? &ignored : final);
}

static cs_op_counts *account_of(telecare_play *p, const cast_actor *who)
{
    if (who == p->patient)
        return &p->patient_ops;
    return who == p->doctor ? &p->doctor_ops : &p->hospital_ops;
}

/* What the cloud learns, in the clear. */
static void see(telecare_play *p, const telecare_line *line, cs_view what)
{
    cs_buf *seen = line->guest.nobody ? &p->seen_of_nobody : &p->seen_of_named;

    assert_ok(cs_buf_append(seen, what, error));
}

static void see_upload(telecare_play *p, const telecare_line *line, const cs_upload *upload)
{
    see(p, line, upload->token);
    see(p, line, upload->places);
    for (size_t i = 0; i < upload->seals.n; i++)
        see(p, line, upload->seals.items[i]);
}

/* -- the cloud's store ---------------------------------------------------------------------------
 */

static int row_keys(
    telecare_play *p, const uint8_t place[CS_PLACE_SIZE], cs_row_keys *keys, cs_error *error)
{
    return cs_row_keys_for(keys, p->c->telecare.storage, CS_TABLE_PLACE,
        (cs_view){place, CS_PLACE_SIZE}, (cs_view){0}, error);
}

static telecare_row *find_row(telecare_play *p, const cs_row_keys *keys)
{
    for (size_t i = 0; i < p->row_count; i++) {
        if (memcmp(p->rows[i].key, keys->row, sizeof keys->row) == 0)
            return &p->rows[i];
    }
    return NULL;
}

telecare_row *telecare_row_of(telecare_play *p, const uint8_t place[CS_PLACE_SIZE])
{
    cs_row_keys keys;

    assert_ok(row_keys(p, place, &keys, error));
    return find_row(p, &keys);
}

static int put_value(
    telecare_row *row, const cs_row_keys *keys, const cs_place_value *value, cs_error *error)
{
    cs_buf_clear(&row->value);
    return cs_value_seal(
        &row->value, keys->value, CS_VIEW_ARRAY(keys->row), &cs_place_value_schema, value, error);
}

/* The row of a place, opened; *value points into *plain. */
static int get_row(telecare_play *p, const uint8_t place[CS_PLACE_SIZE], telecare_row **row,
    cs_row_keys *keys, cs_place_value *value, cs_buf *plain, cs_error *error)
{
    int rc = row_keys(p, place, keys, error);

    if (rc != CS_OK)
        return rc;
    *row = find_row(p, keys);
    if (*row == NULL)
        return CS_FAIL(error, CS_E_NOT_FOUND, "there is no such place");
    return cs_value_open(&cs_place_value_schema, value, plain, keys->value,
        CS_VIEW_ARRAY(keys->row), cs_view_buf(&(*row)->value), error);
}

/* An episode begins: a row for each of its places. */
static int add_rows(telecare_play *p, const cs_upload *upload, cs_error *error)
{
    int rc = CS_OK;

    for (uint64_t slot = 1; rc == CS_OK && slot <= CS_SLOTS; slot++) {
        const cs_place_value value = {.slot = slot, .ends = upload->ends};
        telecare_row *row = &p->rows[p->row_count];
        cs_row_keys keys;

        assert_true(p->row_count < TELECARE_ROWS_MAX);
        rc = row_keys(p, upload->places.p + (slot - 1) * CS_PLACE_SIZE, &keys, error);
        if (rc == CS_OK && find_row(p, &keys) != NULL)
            rc = CS_FAIL(error, CS_E_ORDER, "there is such a place already");
        if (rc == CS_OK) {
            memset(row, 0, sizeof *row);
            memcpy(row->key, keys.row, sizeof row->key);
            p->row_count++;
            rc = put_value(row, &keys, &value, error);
        }
    }
    return rc;
}

/* -- sessions ------------------------------------------------------------------------------------
 */

static int call_by_name(telecare_play *p, telecare_line *line, cs_error *error)
{
    cast_actor *who = line->caller_actor;
    cast_actor *cloud = &p->c->telecare;
    cs_op_counts ops = cs_ops_of_thread();
    cs_buf t1 = {0};
    cs_buf t2 = {0};
    int rc = cs_caller_t1(line->caller, &who->env, &t1, error);

    cast_charge(account_of(p, who), &ops);
    if (rc == CS_OK) {
        deliver(p, line, "T1", &t1, NULL);
        rc = cs_guest_t1(&line->guest, &cloud->party, &cloud->env, cs_view_buf(&t1), error);
    }
    if (rc == CS_OK) {
        see(p, line, cs_credential_view(&line->guest.who));
        see(p, line, (cs_view){line->guest.certificate, line->guest.certificate_size});
        see(p, line, cs_point_view(&line->guest.r_x));
    }
    if (rc == CS_OK)
        rc = cs_guest_t2(&cloud->party, &cloud->env, &line->guest, &t2, &line->session, error);
    cast_charge(&p->cloud_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, line, "T2", &t2, NULL);
        rc = cs_caller_t2(line->caller, &who->env, cs_view_buf(&t2), error);
    }
    cast_charge(account_of(p, who), &ops);
    cs_buf_free(&t1);
    cs_buf_free(&t2);
    return rc;
}

static int call_as_nobody(
    telecare_play *p, telecare_line *line, const cs_episode *episode, cs_error *error)
{
    cast_actor *who = line->caller_actor;
    cast_actor *cloud = &p->c->telecare;
    cs_op_counts ops = cs_ops_of_thread();
    cs_place_value value;
    cs_row_keys keys;
    telecare_row *row;
    cs_buf plain = {0};
    cs_buf t3 = {0};
    cs_buf t4 = {0};
    int rc = cs_caller_t3(
        line->caller, &who->env, cs_episode_place(episode, CS_SLOT_REPORT), &t3, error);

    cast_charge(account_of(p, who), &ops);
    if (rc == CS_OK) {
        deliver(p, line, "T3", &t3, NULL);
        rc = cs_guest_t3(&line->guest, &cloud->party, &cloud->env, cs_view_buf(&t3), error);
    }
    if (rc == CS_OK) {
        see(p, line, CS_VIEW_ARRAY(line->guest.place));
        see(p, line, cs_point_view(&line->guest.r_x));
    }
    if (rc == CS_OK)
        rc = get_row(p, line->guest.place, &row, &keys, &value, &plain, error);
    if (rc == CS_OK)
        rc = cs_guest_t4(&cloud->party, &cloud->env, &line->guest, &t4, &line->session, error);
    cast_charge(&p->cloud_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, line, "T4", &t4, NULL);
        rc = cs_caller_t4(line->caller, &who->env, cs_view_buf(&t4), error);
    }
    cast_charge(account_of(p, who), &ops);
    cs_buf_free(&plain);
    cs_buf_free(&t3);
    cs_buf_free(&t4);
    return rc;
}

int telecare_call(telecare_play *p, telecare_line *line, const char *procedure, cast_actor *who,
    const cs_episode *episode, cs_error *error)
{
    const cs_episode *own = who == p->patient  ? p->at_patient
                            : who == p->doctor ? p->at_doctor
                                               : p->at_hospital;
    int rc;

    memset(line, 0, sizeof *line);
    line->procedure = procedure;
    line->caller_actor = who;
    rc = cs_caller_new(&line->caller, &who->party, &who->env,
        own == NULL ? &p->c->telecare.credential : cs_episode_party(own, CS_ROLE_CLOUD), error);
    if (rc != CS_OK)
        return rc;
    return episode == NULL ? call_by_name(p, line, error) : call_as_nobody(p, line, episode, error);
}

void telecare_hang_up(telecare_line *line)
{
    cs_caller_free(&line->caller);
    cs_session_free(&line->session);
}

/* -- a record to the cloud -----------------------------------------------------------------------
 */

/* The blocks from the writing into the row. */
static int carry_blocks(telecare_play *p, telecare_line *line, cs_writing *writing, cs_view from,
    cs_bulk *in, telecare_row *row, cs_error *error)
{
    cs_buf chunk = {0};
    bool final = false;
    int rc = CS_OK;

    while (rc == CS_OK && !final) {
        size_t n = cs_writing_want(writing);

        assert_true(n <= from.n);
        cs_buf_clear(&chunk);
        rc = cs_writing_block(writing, (cs_view){from.p, n}, &chunk, &final, error);
        from.p += n;
        from.n -= n;
        if (rc == CS_OK) {
            deliver(p, line, "U1 block", &chunk, &final);
            rc = cs_bulk_open(in, &row->blocks, cs_view_buf(&chunk), final, error);
        }
        if (rc == CS_OK)
            see(p, line, (cs_view){row->blocks.p + row->blocks.n - CS_BLOCK_SIZE, CS_BLOCK_SIZE});
    }
    cs_buf_free(&chunk);
    return rc;
}

/* U1 at the cloud, up to where the blocks can come. */
static int take_upload(telecare_play *p, telecare_line *line, cs_view head, cs_view chunk,
    bool final, cs_buf *plain, cs_upload *upload, uint8_t place[CS_PLACE_SIZE], cs_bulk **bulk,
    cs_error *error)
{
    const cast_actor *cloud = &p->c->telecare;
    int rc = cs_guest_check_again(&line->guest, &cloud->party, &cloud->env, error);

    if (rc == CS_OK)
        rc = cs_guest_u1(line->session, &cloud->env, &line->guest, p->blocks_max, head, chunk,
            final, plain, upload, place, bulk, error);
    if (rc == CS_OK)
        see_upload(p, line, upload);
    if (rc == CS_OK && upload->slot == CS_SLOT_REPORT)
        rc = add_rows(p, upload, error);
    return rc;
}

static int answer_upload(telecare_play *p, telecare_line *line, cs_writing *writing,
    const uint8_t place[CS_PLACE_SIZE], uint64_t ends, cs_error *error)
{
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final = true;
    int rc = cs_guest_u2(line->session, &p->c->telecare.env, place, ends, &head, &chunk, error);

    if (rc == CS_OK) {
        deliver(p, line, "U2 head", &head, NULL);
        deliver(p, line, "U2", &chunk, &final);
        rc = cs_writing_u2(writing, line->caller, &line->caller_actor->env, cs_view_buf(&head),
            cs_view_buf(&chunk), final, error);
    }
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

int telecare_send(
    telecare_play *p, telecare_line *line, cs_writing *writing, cs_view from, cs_error *error)
{
    cs_op_counts ops = cs_ops_of_thread();
    uint8_t place[CS_PLACE_SIZE];
    cs_place_value value = {0};
    cs_upload upload = {0};
    telecare_row *row = NULL;
    cs_row_keys keys;
    cs_bulk *in = NULL;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    cs_buf opened = {0};
    bool final = false;
    int rc = cs_writing_u1(
        writing, line->caller, &line->caller_actor->env, &head, &chunk, &final, error);

    cast_charge(account_of(p, line->caller_actor), &ops);
    if (rc == CS_OK) {
        deliver(p, line, "U1 head", &head, NULL);
        deliver(p, line, "U1 first", &chunk, &final);
        rc = take_upload(p, line, cs_view_buf(&head), cs_view_buf(&chunk), final, &plain, &upload,
            place, &in, error);
    }
    if (rc == CS_OK)
        rc = get_row(p, place, &row, &keys, &value, &opened, error);
    if (rc == CS_OK)
        rc = cs_place_check_write(&value, &p->c->telecare.env, upload.slot, error);
    if (rc == CS_OK)
        rc = carry_blocks(p, line, writing, from, in, row, error);
    if (rc == CS_OK) {
        value.blocks = upload.blocks;
        value.seals = upload.seals;
        rc = put_value(row, &keys, &value, error);
    } else if (row != NULL && value.blocks == 0) {
        cs_buf_clear(&row->blocks); /* what did not come whole is not kept */
    }
    if (rc == CS_OK)
        rc = answer_upload(p, line, writing, place, value.ends, error);
    cast_charge(&p->cloud_ops, &ops);
    cs_bulk_free(&in);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    cs_buf_free(&opened);
    return rc;
}

/* -- a record from the cloud ---------------------------------------------------------------------
 */

static int give_blocks(telecare_play *p, telecare_line *line, const telecare_row *row, cs_bulk *out,
    cs_reading *reading, cs_buf *into, cs_error *error)
{
    cs_buf chunk = {0};
    int rc = CS_OK;

    for (size_t at = 0; rc == CS_OK && at < row->blocks.n; at += CS_BLOCK_SIZE) {
        bool final;

        cs_buf_clear(&chunk);
        rc = cs_bulk_seal(out, &chunk, (cs_view){row->blocks.p + at, CS_BLOCK_SIZE}, &final, error);
        if (rc == CS_OK) {
            deliver(p, line, "G2 block", &chunk, &final);
            rc = cs_reading_block(
                reading, &line->caller_actor->env, cs_view_buf(&chunk), final, into, error);
        }
    }
    cs_buf_free(&chunk);
    return rc;
}

/* G1 at the cloud, and G2. */
static int serve_fetch(telecare_play *p, telecare_line *line, cs_view g1_head, cs_view g1,
    bool g1_final, cs_buf *head, cs_buf *chunk, bool *final, telecare_row **row, cs_bulk **bulk,
    cs_error *error)
{
    const cast_actor *cloud = &p->c->telecare;
    uint8_t place[CS_PLACE_SIZE];
    cs_place_value value;
    cs_row_keys keys;
    cs_buf plain = {0};
    uint64_t slot = 0;
    int rc = cs_guest_check_again(&line->guest, &cloud->party, &cloud->env, error);

    if (rc == CS_OK)
        rc = cs_guest_g1(
            line->session, &cloud->env, &line->guest, g1_head, g1, g1_final, &slot, place, error);
    if (rc == CS_OK) {
        see(p, line, CS_VIEW_ARRAY(place));
        rc = get_row(p, place, row, &keys, &value, &plain, error);
    }
    if (rc == CS_OK)
        rc = cs_place_check_read(&value, &cloud->env, slot, error);
    if (rc == CS_OK)
        rc =
            cs_guest_g2(line->session, &cloud->env, place, &value, head, chunk, final, bulk, error);
    cs_buf_free(&plain);
    return rc;
}

int telecare_fetch(telecare_play *p, telecare_line *line, cs_episode *episode, cs_slot slot,
    cs_buf *into, cs_error *error)
{
    cast_actor *who = line->caller_actor;
    cs_op_counts ops = cs_ops_of_thread();
    cs_reading *reading = NULL;
    telecare_row *row = NULL;
    cs_bulk *out = NULL;
    cs_buf g1_head = {0};
    cs_buf g1 = {0};
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool g1_final = true;
    bool final = false;
    int rc = cs_episode_g1(episode, slot, line->caller, &who->env, &g1_head, &g1, error);

    cast_charge(account_of(p, who), &ops);
    if (rc == CS_OK) {
        deliver(p, line, "G1 head", &g1_head, NULL);
        deliver(p, line, "G1", &g1, &g1_final);
        rc = serve_fetch(p, line, cs_view_buf(&g1_head), cs_view_buf(&g1), g1_final, &head, &chunk,
            &final, &row, &out, error);
    }
    cast_charge(&p->cloud_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, line, "G2 head", &head, NULL);
        deliver(p, line, "G2 first", &chunk, &final);
        rc = cs_episode_g2(&reading, episode, slot, line->caller, &who->env, cs_view_buf(&head),
            cs_view_buf(&chunk), final, error);
    }
    if (rc == CS_OK)
        rc = give_blocks(p, line, row, out, reading, into, error);
    if (rc == CS_OK)
        rc = cs_reading_finish(reading, error);
    cast_charge(account_of(p, who), &ops);
    cs_reading_free(&reading);
    cs_bulk_free(&out);
    cs_buf_free(&g1_head);
    cs_buf_free(&g1);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

/* -- the procedures ------------------------------------------------------------------------------
 */

cs_content telecare_content(cs_view bytes)
{
    cs_content out = {.media_type = "application/octet-stream", .size = bytes.n};

    assert_ok(cs_hash(out.hash, bytes, error));
    return out;
}

int telecare_invite(telecare_play *p, cs_error *error)
{
    cs_op_counts ops = cs_ops_of_thread();
    int rc = cs_hup_letter(p->at_hospital, CS_ROLE_PATIENT, &p->letter_p, error);

    if (rc == CS_OK)
        rc = cs_hup_letter(p->at_hospital, CS_ROLE_DOCTOR, &p->letter_d, error);
    cast_charge(&p->hospital_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, NULL, "letter P", &p->letter_p, NULL);
        rc = cs_episode_open(
            &p->at_patient, &p->patient->party, &p->patient->env, cs_view_buf(&p->letter_p), error);
    }
    cast_charge(&p->patient_ops, &ops);
    if (rc == CS_OK) {
        deliver(p, NULL, "letter D", &p->letter_d, NULL);
        rc = cs_episode_open(
            &p->at_doctor, &p->doctor->party, &p->doctor->env, cs_view_buf(&p->letter_d), error);
    }
    cast_charge(&p->doctor_ops, &ops);
    return rc;
}

int telecare_hup(telecare_play *p, cs_error *error)
{
    const cs_content about = telecare_content(p->report);
    const cs_hup_input input = {.credential_p = cs_credential_view(&p->patient->credential),
        .credential_d = cs_credential_view(&p->doctor->credential),
        .cert_d = p->doctor->party.certificate,
        .credential_c = cs_credential_view(&p->c->telecare.credential),
        .url = "https://telecare.example",
        .ends = p->ends};
    cs_op_counts ops = cs_ops_of_thread();
    cs_writing *writing = NULL;
    telecare_line line = {0};
    int rc = cs_hup_new(
        &p->at_hospital, &writing, &p->hospital->party, &p->hospital->env, &input, &about, error);

    cast_charge(&p->hospital_ops, &ops);
    if (rc == CS_OK)
        rc = telecare_call(p, &line, "HUP", p->hospital, NULL, error);
    if (rc == CS_OK)
        rc = telecare_send(p, &line, writing, p->report, error);
    if (rc == CS_OK)
        rc = telecare_invite(p, error);
    telecare_hang_up(&line);
    cs_writing_free(&writing);
    return rc;
}

int telecare_pup(telecare_play *p, cs_error *error)
{
    const cs_content about = telecare_content(p->measurement);
    cs_writing *writing = NULL;
    cs_op_counts ops;
    telecare_line line;
    int rc = telecare_call(p, &line, "PUP", p->patient, p->at_patient, error);

    if (rc == CS_OK)
        rc = telecare_fetch(p, &line, p->at_patient, CS_SLOT_REPORT, &p->report_at_p, error);
    ops = cs_ops_of_thread();
    if (rc == CS_OK)
        rc = cs_pup_new(&writing, p->at_patient, &p->patient->env, &about, error);
    cast_charge(&p->patient_ops, &ops);
    if (rc == CS_OK)
        rc = telecare_send(p, &line, writing, p->measurement, error);
    telecare_hang_up(&line);
    cs_writing_free(&writing);
    return rc;
}

int telecare_tp(telecare_play *p, cs_error *error)
{
    const cs_content about = telecare_content(p->diagnosis);
    cs_writing *writing = NULL;
    cs_op_counts ops;
    telecare_line line;
    int rc = telecare_call(p, &line, "TP", p->doctor, NULL, error);

    if (rc == CS_OK)
        rc = telecare_fetch(p, &line, p->at_doctor, CS_SLOT_REPORT, &p->report_at_d, error);
    if (rc == CS_OK)
        rc = telecare_fetch(
            p, &line, p->at_doctor, CS_SLOT_MEASUREMENT, &p->measurement_at_d, error);
    ops = cs_ops_of_thread();
    if (rc == CS_OK)
        rc = cs_tp_new(&writing, p->at_doctor, &p->doctor->env, &about, error);
    cast_charge(&p->doctor_ops, &ops);
    if (rc == CS_OK)
        rc = telecare_send(p, &line, writing, p->diagnosis, error);
    telecare_hang_up(&line);
    cs_writing_free(&writing);
    return rc;
}

int telecare_cp(telecare_play *p, cs_error *error)
{
    cs_writing *writing = NULL;
    cs_buf all = {0};
    telecare_line line;
    int rc = telecare_call(p, &line, "CP", p->patient, p->at_patient, error);

    if (rc == CS_OK)
        rc = telecare_fetch(p, &line, p->at_patient, CS_SLOT_DIAGNOSIS, &p->diagnosis_at_p, error);
    if (rc == CS_OK)
        rc = cs_cp_new(&writing, p->at_patient, &p->patient->env, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&all, cs_view_buf(&p->report_at_p), error);
    if (rc == CS_OK)
        rc = cs_buf_append(&all, p->measurement, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&all, cs_view_buf(&p->diagnosis_at_p), error);
    if (rc == CS_OK)
        rc = telecare_send(p, &line, writing, cs_view_buf(&all), error);
    telecare_hang_up(&line);
    cs_writing_free(&writing);
    cs_buf_free(&all);
    return rc;
}

int telecare_read_copy(telecare_play *p, cs_error *error)
{
    telecare_line line;
    int rc = telecare_call(p, &line, "copy", p->patient, p->at_patient, error);

    if (rc == CS_OK)
        rc = telecare_fetch(p, &line, p->at_patient, CS_SLOT_COPY, &p->copy_at_p, error);
    telecare_hang_up(&line);
    return rc;
}

int telecare_run(telecare_play *p, cs_error *error)
{
    int rc;

    telecare_forget(p);
    telecare_empty_cloud(p);
    rc = telecare_hup(p, error);
    if (rc == CS_OK)
        rc = telecare_pup(p, error);
    if (rc == CS_OK)
        rc = telecare_tp(p, error);
    return rc == CS_OK ? telecare_cp(p, error) : rc;
}

/* -- who tries what he has ------------------------------------------------------------------------
 */

/* The cloud's row of a place, opened by the cloud. */
static void open_row(telecare_play *play, const uint8_t place[CS_PLACE_SIZE], cs_row_keys *keys,
    telecare_row **row, cs_place_value *value, cs_buf *plain)
{
    assert_ok(cs_row_keys_for(keys, play->c->telecare.storage, CS_TABLE_PLACE,
        (cs_view){place, CS_PLACE_SIZE}, (cs_view){0}, error));
    *row = telecare_row_of(play, place);
    assert_non_null(*row);
    assert_ok(cs_value_open(&cs_place_value_schema, value, plain, keys->value,
        CS_VIEW_ARRAY(keys->row), cs_view_buf(&(*row)->value), error));
}

unsigned telecare_try(telecare_play *play, const cast_actor *who, const uint8_t *key)
{
    unsigned opened = 0;

    for (cs_slot slot = CS_SLOT_REPORT; slot <= CS_SLOT_COPY; slot++) {
        const uint8_t *place = cs_episode_place(play->at_hospital, slot);
        cs_place_value value;
        cs_row_keys keys;
        telecare_row *row;
        cs_buf plain = {0};
        cs_buf opened_block = {0};
        uint8_t tried[CS_RECORD_KEY_SIZE];

        open_row(play, place, &keys, &row, &value, &plain);
        for (size_t i = 0; who != NULL && i < value.seals.n; i++) {
            if (cs_record_key_open(tried, &who->party, place, value.seals.items[i], NULL) == CS_OK)
                opened++;
        }
        if (key != NULL &&
            cs_chunk_open(&opened_block, key, (cs_view){place, CS_PLACE_SIZE}, 0, value.blocks == 1,
                (cs_view){row->blocks.p, CS_BLOCK_SIZE}, NULL) == CS_OK)
            opened++;
        cs_buf_free(&plain);
        cs_buf_free(&opened_block);
    }
    return opened;
}
