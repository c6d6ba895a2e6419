/* SPDX-License-Identifier: Apache-2.0 */
#include "service/station.h"

#include "service/actor.h"
#include "service/staple.h"
#include "service/visit_link.h"
#include "service/wait.h"

#include <stdio.h>
#include <string.h>

#define REVOCATIONS_AGE_MS 60000 /* fetched again for a patient who comes later than this */
#define NOTICE_MAX 512
/* A person looks at M0 and decides; whoever comes next has to wait for it. */
#define DECISION_MS 120000

typedef struct station {
    cs_home *home;
    cs_actor *actor;
    cs_store *store;
    cs_wire_log *log;
    cs_world world;
    cs_talk talk; /* not logged here: the device keeps that log */
    cs_visit_d *visit;
    cs_finder finder;
    bool nobody; /* no hospital has records, so that there is none to file with either */
    const cs_station_input *input;
    cs_station_report *report;
} station;

/* -- getting ready -------------------------------------------------------------------------------
 */

static int refresh_revocations(station *me, cs_error *error)
{
    cs_peer cloud = {0};
    int rc = cs_peer_open(&cloud, me->input->cloud_url, "doctor", "cloud", me->log, error);

    if (rc == CS_OK)
        rc = cs_fetch_revocations(&cloud, &me->world, me->actor, error);
    cs_peer_close(&cloud);
    return rc;
}

/* A doctor whose certificate is no longer good hears it before a patient is there. */
static int check_myself(station *me, cs_error *error)
{
    cs_holder holder;
    int rc = cs_actor_wants_registration(me->actor, error);

    if (rc == CS_OK && me->actor->trust != NULL)
        rc = cs_certificate_check(
            me->actor->trust, me->actor->party.certificate, NULL, cs_clock_ms(), &holder, error);
    return rc;
}

/* A card that is not there can still come before the patient does, and so can a doctor who does not
 * give the PIN now. */
static int ask_ahead(station *me, cs_error *error)
{
    int rc = cs_token_begin_visit(me->actor->token, error);

    if (rc != CS_E_TOKEN_ABSENT && rc != CS_E_CANCELLED)
        return rc;
    me->input->notice(me->input->context, error->message);
    return CS_OK;
}

/* A station that serves one patient after the other, and waits long for each, takes in what `doctor
 * trust` has brought since. */
static int read_trust(station *me, cs_error *error)
{
    cs_trust *fresh = NULL;
    int rc = cs_home_read_trust(&fresh, me->home, error);

    if (rc != CS_OK)
        return rc;
    cs_trust_free(&me->actor->trust);
    me->actor->trust = fresh;
    me->world.env.trust = fresh;
    return CS_OK;
}

/* What the authority says of the certificate today goes along with it. */
static int bring_staple(station *me, cs_error *error)
{
    char warning[CS_STAPLE_WARNING_SIZE];
    int rc = cs_staple_bring(me->actor, warning, error);

    if (rc == CS_OK && warning[0] != '\0')
        me->input->warn(me->input->context, warning);
    return rc;
}

/* After somebody was waited for: what was good before it may have ended. */
static int catch_up(station *me, cs_error *error)
{
    int rc = read_trust(me, error);

    return rc == CS_OK ? bring_staple(me, error) : rc;
}

static int prepare(station *me, cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc = read_trust(me, error);

    if (rc == CS_OK)
        rc = check_myself(me, error);
    if (rc == CS_OK)
        rc = ask_ahead(me, error);
    cs_home_path(me->home, "chartseal.db", path);
    if (rc == CS_OK)
        rc = cs_store_open(&me->store, path, error);
    if (rc == CS_OK)
        rc = cs_world_open(&me->world, me->actor, me->store, error);
    if (rc == CS_OK)
        rc = refresh_revocations(me, error);
    return rc == CS_OK ? bring_staple(me, error) : rc;
}

/* -- the consultation: M0-M3 ---------------------------------------------------------------------
 */

static int meet(station *me, cs_error *error)
{
    cs_buf m0 = {0};
    cs_buf m1 = {0};
    cs_buf m2 = {0};
    cs_op_counts before = cs_ops_of_thread();
    int patience_ms = me->input->patience_ms;
    int rc = cs_visit_d_new(&me->visit, &me->actor->party, me->input->department, &m0, error);

    if (rc == CS_OK)
        rc = cs_talk_send_m0(&me->talk, cs_view_buf(&m0), error);
    if (rc == CS_OK)
        rc = cs_talk_receive(
            &me->talk, "M1", &m1, patience_ms < DECISION_MS ? patience_ms : DECISION_MS, error);
    cs_world_tick(&me->world);
    if (rc == CS_OK)
        rc = cs_visit_d_m1(me->visit, &me->world.env, cs_view_buf(&m1), &m2, error);
    if (rc == CS_OK)
        rc = cs_talk_send(&me->talk, "M2", cs_view_buf(&m2), error);
    if (rc == CS_OK)
        (void)snprintf(me->report->patient, sizeof me->report->patient, "%s",
            cs_visit_d_patient(me->visit)->id);
    me->report->consultation_ops = cs_ops_between(before, cs_ops_of_thread());
    cs_buf_free(&m0);
    cs_buf_free(&m1);
    cs_buf_free(&m2);
    return rc;
}

static int receive_signal(station *me, cs_bulk *bulk, cs_error *error)
{
    cs_station_report *report = me->report;
    cs_file_sink *sink = NULL;
    int rc;

    if (me->input->signal_path != NULL)
        (void)snprintf(
            report->signal_path, sizeof report->signal_path, "%s", me->input->signal_path);
    else
        (void)snprintf(report->signal_path, sizeof report->signal_path, "%s/signal-%lld",
            me->home->dir, (long long)me->world.env.now);
    rc = cs_file_sink_open(&sink, report->signal_path, 0600, error);
    if (rc == CS_OK)
        rc = cs_talk_receive_bulk(&me->talk, "M3 chunk", bulk, cs_file_sink_write, sink, error);
    if (rc == CS_OK)
        rc = cs_bulk_hash(bulk, report->signal_hash, error);
    if (rc == CS_OK)
        rc = cs_file_sink_commit(&sink, error);
    cs_file_sink_abandon(&sink);
    return rc;
}

static int receive_m3(station *me, cs_error *error)
{
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    cs_signal signal = {0};
    cs_bulk *bulk = NULL;
    bool final = false;
    int rc = cs_talk_receive(&me->talk, "M3", &head, CS_ANSWER_MS, error);

    if (rc == CS_OK)
        rc = cs_talk_receive_chunk(&me->talk, "M3 chunk", &chunk, &final, error);
    cs_world_tick(&me->world);
    if (rc == CS_OK)
        rc = cs_visit_d_m3(me->visit, &me->world.env, cs_view_buf(&head), cs_view_buf(&chunk),
            final, &plain, &signal, &bulk, error);
    if (rc == CS_OK) {
        me->report->consented = cs_visit_d_consent(me->visit).n > 0;
        me->report->signal_size = signal.size;
    }
    if (rc == CS_OK && bulk != NULL)
        rc = receive_signal(me, bulk, error);
    cs_bulk_free(&bulk);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    return rc;
}

/* What one who comes can bring about: it is no reason to send the next away. A failure of our own
 * token, disk or cloud is one, and so is being told to stop. */
static bool is_the_visitors(const station *me, int rc)
{
    switch (cs_category_of(rc)) {
    case CS_CATEGORY_INPUT:
    case CS_CATEGORY_REFUSED:
    case CS_CATEGORY_NETWORK:
        return true;
    default:
        return rc == CS_E_TIMEOUT || me->talk.refused;
    }
}

static void send_away(station *me, const cs_error *why)
{
    char text[NOTICE_MAX];

    cs_talk_refuse(&me->talk, why->code);
    cs_link_free(&me->talk.link);
    cs_visit_d_free(&me->visit);
    me->talk.refused = false;
    me->report->somebody_came = false;
    (void)snprintf(text, sizeof text, "somebody came, but it was no visit (%.300s); still waiting",
        why->message);
    me->input->notice(me->input->context, text);
}

/* Nobody else came: what became of the last who did is told, if there was one. */
static int nobody(const station *me, const cs_error *last, cs_error *error)
{
    int seconds = me->input->patience_ms / 1000;

    if (last->code == CS_OK)
        return CS_FAIL(
            error, CS_E_TIMEOUT, "no patient came in %d seconds; see --timeout", seconds);
    return CS_FAIL(error, (cs_code)last->code, "no patient came in %d seconds but one: %.400s",
        seconds, last->message);
}

/* One after the other, until one's M1 is accepted: whoever is in the network can come first. */
static int await_patient(station *me, cs_link_listener *listener, cs_error *error)
{
    const cs_station_input *input = me->input;
    int64_t started = cs_clock_ms();
    int64_t fetched = started;
    cs_error last = {0};
    int rc = CS_E_TIMEOUT;

    while (rc != CS_OK) {
        int64_t passed = cs_clock_ms() - started;
        int left_ms = passed < input->patience_ms ? input->patience_ms - (int)passed : 0;

        rc = cs_link_accept(&me->talk.link, listener, left_ms, input->stop_fd, error);
        if (rc == CS_E_TIMEOUT)
            return nobody(me, &last, error);
        if (rc != CS_OK)
            return rc;
        me->report->somebody_came = true;
        cs_link_cancel_on(me->talk.link, input->stop_fd);
        if (cs_clock_ms() - fetched > REVOCATIONS_AGE_MS) {
            rc = refresh_revocations(me, error);
            fetched = cs_clock_ms();
        }
        if (rc == CS_OK)
            rc = catch_up(me, error);
        if (rc != CS_OK)
            return rc;
        rc = meet(me, &last);
        if (rc != CS_OK && !is_the_visitors(me, rc))
            return CS_FAIL(error, (cs_code)rc, "%s", last.message);
        if (rc != CS_OK)
            send_away(me, &last);
    }
    return rc;
}

static int wait_for_patient(station *me, cs_error *error)
{
    const cs_station_input *input = me->input;
    cs_link_listener *listener = NULL;
    int rc = cs_link_listen(&listener, input->listen_host, input->listen_port, error);

    if (rc == CS_OK)
        rc = input->listening(input->context, cs_link_listener_port(listener), error);
    if (rc == CS_OK)
        rc = await_patient(me, listener, error);
    cs_link_listener_free(&listener);
    return rc;
}

static int consult(station *me, cs_error *error)
{
    char text[NOTICE_MAX];
    int rc = wait_for_patient(me, error);

    if (rc == CS_OK)
        rc = receive_m3(me, error);
    if (rc != CS_OK)
        return rc;
    (void)snprintf(text, sizeof text, "patient %s is here%s", me->report->patient,
        me->report->consented ? "" : " and gives no consent to records");
    me->input->notice(me->input->context, text);
    return CS_OK;
}

/* -- record, diagnosis, filing -------------------------------------------------------------------
 */

static bool may_search(const station *me)
{
    return me->input->emergency_reason != NULL || me->report->consented;
}

/* A patient who is new to a department is treated all the same: the doctor hears why there is no
 * record, and the visit goes on. */
static int without_record(station *me, int rc, cs_error *error)
{
    const cs_station_input *input = me->input;
    char hex[2 * CS_RECORD_ID_SIZE + 1] = "";
    char text[NOTICE_MAX];

    if (rc == CS_E_NO_RECORD) {
        cs_hex(input->record_id, hex);
        (void)CS_FAIL(error, CS_E_NO_RECORD,
            "no record %s%sof this patient in %s is at the hospital; leave --record out for the "
            "newest",
            hex, hex[0] == '\0' ? "" : " ", input->department);
        cs_finder_close(&me->finder); /* the hospital has ended the session; filing opens one */
    } else if (rc == CS_E_NO_DEPARTMENT) {
        (void)CS_FAIL(error, CS_E_NO_DEPARTMENT,
            "no hospital has records of this patient in %s; see whether --department is right",
            input->department);
    } else if (rc != CS_E_NOT_FOUND) {
        return rc;
    }
    if (input->requires_record)
        return rc;
    me->nobody = rc != CS_E_NO_RECORD;
    me->report->missing = rc;
    (void)snprintf(
        text, sizeof text, "%.400s (the visit goes on without a record)", error->message);
    input->notice(input->context, text);
    return CS_OK;
}

static int fetch_record(station *me, cs_error *error)
{
    const cs_station_input *input = me->input;
    char text[NOTICE_MAX];
    int rc;

    if (!input->wants_record || !may_search(me))
        return CS_OK;
    rc = cs_finder_open(&me->finder, error);
    me->report->search_ops = me->finder.search_ops;
    me->report->session_ops = me->finder.session_ops;
    if (rc == CS_OK)
        rc = cs_finder_record(&me->finder, input->record_id, input->record_path, me->home->dir,
            &me->report->record, error);
    if (rc != CS_OK)
        return without_record(me, rc, error);
    me->report->has_record = true;
    (void)snprintf(text, sizeof text, "record of %s, %llu bytes, is in %s",
        me->report->record.hospital, (unsigned long long)me->report->record.size,
        me->report->record.path);
    input->notice(input->context, text);
    return CS_OK;
}

static int write_diagnosis(
    station *me, cs_buf *content, cs_signed_diagnosis *diagnosis, cs_error *error)
{
    const cs_station_input *input = me->input;
    cs_op_counts before = cs_ops_of_thread();
    int64_t own_us = cs_monotonic_us() - cs_waited_us();
    int rc = input->diagnose(input->context, me->report, content, error);

    cs_waited_since(own_us + cs_waited_us()); /* for a person, so far as it was not counted */
    if (rc == CS_OK && content->n == 0)
        rc = CS_FAIL(error, CS_E_CANCELLED, "the diagnosis is empty: nothing was sent or filed");
    if (rc == CS_OK && content->n > CS_DIAGNOSIS_MAX)
        rc = CS_FAIL(error, CS_E_TOO_LARGE, "the diagnosis has %zu bytes; at most %d go through",
            content->n, CS_DIAGNOSIS_MAX);
    cs_world_tick(&me->world);
    if (rc == CS_OK)
        rc = cs_diagnosis_sign(diagnosis, &me->actor->party, &me->world.env, me->report->patient,
            input->department, input->media_type, cs_view_buf(content), error);
    if (rc == CS_OK)
        rc = cs_hash(me->report->diagnosis_hash, cs_view_buf(content), error);
    me->report->diagnosis_size = content->n;
    me->report->diagnosis_ops = cs_ops_between(before, cs_ops_of_thread());
    return rc;
}

static int deliver(
    station *me, const cs_signed_diagnosis *diagnosis, cs_view content, cs_error *error)
{
    cs_held_content rest = {content};
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf done = {0};
    cs_bulk *bulk = NULL;
    bool final = false;
    int rc =
        cs_visit_d_m4(me->visit, &me->world.env, diagnosis, &head, &chunk, &final, &bulk, error);

    if (rc == CS_OK)
        rc = cs_talk_send(&me->talk, "M4", cs_view_buf(&head), error);
    if (rc == CS_OK)
        rc = cs_talk_send_chunk(&me->talk, "M4 chunk", cs_view_buf(&chunk), final, error);
    if (rc == CS_OK)
        rc = cs_talk_send_bulk(&me->talk, "M4 chunk", bulk, cs_content_from_memory, &rest, error);
    if (rc == CS_OK)
        rc = cs_talk_receive(&me->talk, "the receipt", &done, CS_ANSWER_MS, error);
    if (rc == CS_OK && !cs_view_equal(cs_view_buf(&done), cs_view_str(CS_DONE)))
        rc = CS_FAIL(error, CS_E_PEER, "the device gave no receipt for the diagnosis");
    me->report->delivered = rc == CS_OK;
    cs_bulk_free(&bulk);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&done);
    return rc;
}

/* What the hospital did not take is kept where the doctor finds it. */
static int keep_unfiled(station *me, cs_view content, cs_error *error)
{
    char name[64];
    cs_error failed;

    (void)snprintf(name, sizeof name, "unfiled-%lld", (long long)me->world.env.now);
    if (cs_home_write(me->home, name, content, &failed) != CS_OK)
        return cs_error_context(
            error, "the diagnosis is NOT filed and NOT kept (%.100s)", failed.message);
    return cs_error_context(
        error, "the diagnosis is not filed, it is kept in %.200s/%s", me->home->dir, name);
}

/* No hospital to file with is no failure of the visit, if the patient has the diagnosis. */
static int tell_unfiled(station *me, cs_view content, cs_error *error)
{
    char text[NOTICE_MAX];

    (void)snprintf(text, sizeof text,
        "no hospital has records of this patient in %s, so the diagnosis is not filed; the patient "
        "has it",
        me->input->department);
    if (!me->report->delivered) {
        (void)CS_FAIL(error, CS_E_NO_DEPARTMENT, "no hospital has records of this patient in %s",
            me->input->department);
        return keep_unfiled(me, content, error);
    }
    me->input->notice(me->input->context, text);
    return CS_OK;
}

/* A hospital can only be asked by right of a consent, or of an emergency; and if none has records,
 * there is none to file with. */
static int file_diagnosis(
    station *me, const cs_signed_diagnosis *diagnosis, cs_view content, cs_error *error)
{
    const cs_station_input *input = me->input;
    cs_op_counts before = cs_ops_of_thread();
    int rc;

    if (!may_search(me)) {
        input->notice(input->context, "without a consent the diagnosis is not filed");
        return CS_OK;
    }
    if (me->nobody)
        return tell_unfiled(me, content, error);
    rc = catch_up(me, error);
    if (rc == CS_OK)
        rc = cs_finder_file(&me->finder, diagnosis, content, me->report->filed_id, error);
    me->report->filing_ops = cs_ops_between(before, cs_ops_of_thread());
    me->report->filed = rc == CS_OK;
    if (rc == CS_E_NO_DEPARTMENT || rc == CS_E_NOT_FOUND) /* with --no-record it shows here */
        return tell_unfiled(me, content, error);
    return rc == CS_OK ? CS_OK : keep_unfiled(me, content, error);
}

/* Both are tried, whatever came of the other; the first failure is told. */
static int send_and_file(station *me, cs_error *error)
{
    cs_signed_diagnosis diagnosis;
    cs_buf content = {0};
    cs_error later;
    int filed;
    int rc = write_diagnosis(me, &content, &diagnosis, error);

    if (rc != CS_OK && content.n > 0 && content.n <= CS_DIAGNOSIS_MAX)
        rc = keep_unfiled(me, cs_view_buf(&content), error);
    if (rc != CS_OK)
        goto out;
    if (me->visit != NULL)
        rc = deliver(me, &diagnosis, cs_view_buf(&content), error);
    if (rc == CS_OK) {
        rc = file_diagnosis(me, &diagnosis, cs_view_buf(&content), error);
        goto out;
    }
    filed = file_diagnosis(me, &diagnosis, cs_view_buf(&content), &later);
    rc = cs_error_context(error, "the diagnosis did not reach the device (it is %sfiled)",
        filed == CS_OK && me->report->filed ? "" : "NOT ");
out:
    cs_buf_free(&content);
    return rc;
}

static void set_finder(station *me)
{
    const cs_station_input *input = me->input;

    me->finder = (cs_finder){.actor = me->actor,
        .world = &me->world,
        .log = me->log,
        .cloud_url = input->cloud_url,
        .id_p = me->report->patient,
        .department = input->department,
        .hospital_id = input->hospital,
        .reason = input->emergency_reason,
        .progress_fd = input->progress_fd};
    if (me->visit != NULL)
        me->finder.consent = cs_visit_d_consent(me->visit);
}

static int serve(station *me, cs_error *error)
{
    int rc = prepare(me, error);

    if (rc == CS_OK && me->input->emergency_reason == NULL)
        rc = consult(me, error);
    else if (rc == CS_OK)
        (void)snprintf(
            me->report->patient, sizeof me->report->patient, "%s", me->input->emergency_patient);
    if (rc != CS_OK)
        return rc;
    set_finder(me);
    rc = fetch_record(me, error);
    return rc == CS_OK ? send_and_file(me, error) : rc;
}

int cs_station_visit(cs_station_report *out, cs_home *home, cs_actor *actor, cs_wire_log *log,
    const cs_station_input *input, cs_error *error)
{
    station me = {.home = home,
        .actor = actor,
        .log = log,
        .talk = {.me = "doctor", .other = "patient"},
        .input = input,
        .report = out};
    cs_op_counts before = cs_ops_of_thread();
    int64_t begun_us = cs_monotonic_us() - cs_waited_us();
    int rc;

    *out = (cs_station_report){0};
    rc = serve(&me, error);
    out->own_us = cs_monotonic_us() - cs_waited_us() - begun_us;
    if (rc != CS_OK)
        cs_talk_refuse(&me.talk, rc);
    out->ops = cs_ops_between(out->filing_ops, cs_ops_between(before, cs_ops_of_thread()));
    cs_finder_close(&me.finder);
    out->pin_prompts = cs_token_pin_prompts(actor->token);
    cs_token_end_visit(actor->token);
    cs_visit_d_free(&me.visit);
    cs_link_free(&me.talk.link);
    cs_world_close(&me.world);
    cs_store_close(&me.store);
    return rc;
}
