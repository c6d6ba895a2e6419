/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_doctor_visit.h"

#include "cli/diagnosis_source.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/trust_verb.h"
#include "service/signals.h"
#include "service/station.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_DEFAULT_S 3600
#define TIMEOUT_MAX_S 86400
#define VISITS_MAX 1000 /* more than a day's */

/* What the station asks of the person and the command line. */
typedef struct desk {
    const cs_arguments *arguments;
    const cs_home *home;
    bool quiet; /* --json: people are told nothing */
    int stop_fd;
} desk;

static void tell(const desk *me, const char *text)
{
    char clean[512];

    if (!me->quiet)
        cs_say("%s", cs_printable(clean, sizeof clean, text));
}

static int on_listening(void *context, uint16_t port, cs_error *error)
{
    const desk *me = context;
    const char *path = cs_arg(me->arguments, "port-file");
    char text[64];
    int rc = CS_OK;

    (void)snprintf(text, sizeof text, "%u\n", (unsigned)port);
    if (path != NULL)
        rc = cs_file_write(path, cs_view_str(text), 0644, error);
    (void)snprintf(text, sizeof text, "waiting for a patient on port %u", (unsigned)port);
    tell(me, text);
    return rc;
}

static void on_notice(void *context, const char *text)
{
    tell(context, text);
}

static void on_warning(void *context, const char *text)
{
    (void)context;
    cs_warn("%s", text);
}

static int on_diagnose(void *context, const cs_station_report *so_far, cs_buf *out, cs_error *error)
{
    const desk *me = context;

    (void)so_far;
    return cs_take_diagnosis(out, me->arguments, me->home, me->stop_fd, error);
}

static int check_outputs(const cs_arguments *arguments, cs_error *error)
{
    static const char *const names[] = {"record-out", "signal-out", "port-file"};
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof names / sizeof names[0]; i++)
        rc = cs_check_output(arguments, names[i], false, error);
    return rc;
}

static int check_texts(const cs_arguments *arguments, cs_error *error)
{
    static const struct {
        const char *name;
        size_t most;
    } texts[] = {{"department", CS_DEPARTMENT_MAX}, {"media-type", CS_MEDIA_TYPE_MAX},
        {"hospital", CS_ID_MAX}, {"emergency", CS_TEXT_MAX}, {"patient", CS_ID_MAX}};
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof texts / sizeof texts[0]; i++)
        rc = cs_arg_text(arguments, texts[i].name, texts[i].most, error);
    return rc;
}

static int set_record(
    cs_station_input *input, cs_buf *id, const cs_arguments *arguments, cs_error *error)
{
    const char *hex = cs_arg(arguments, "record");

    if (hex != NULL && (cs_unhex(id, hex, error) != CS_OK || id->n != CS_RECORD_ID_SIZE))
        return CS_FAIL(
            error, CS_E_USAGE, "--record '%s' is not the 32 hex digits of a record id", hex);
    input->record_id = cs_view_buf(id);
    input->wants_record = !cs_arg_flag(arguments, "no-record");
    /* who names a record wants that one; and in an emergency there is nothing but the record */
    input->requires_record = cs_arg_flag(arguments, "require-record") || hex != NULL ||
                             cs_arg(arguments, "emergency") != NULL;
    if (hex != NULL && !input->wants_record)
        return CS_FAIL(error, CS_E_USAGE, "give --record or --no-record, not both");
    if (cs_arg_flag(arguments, "require-record") && !input->wants_record)
        return CS_FAIL(error, CS_E_USAGE, "give --require-record or --no-record, not both");
    return CS_OK;
}

static int set_emergency(cs_station_input *input, const cs_arguments *arguments, cs_error *error)
{
    input->emergency_reason = cs_arg(arguments, "emergency");
    input->emergency_patient = cs_arg(arguments, "patient");
    if ((input->emergency_reason == NULL) != (input->emergency_patient == NULL))
        return CS_FAIL(error, CS_E_USAGE,
            "--emergency REASON and --patient ID go together; without an emergency the patient's "
            "device says who it is");
    return CS_OK;
}

static int set_place(cs_station_input *input, char *host, size_t host_size,
    const cs_arguments *arguments, cs_error *error)
{
    int64_t seconds;
    int rc =
        cs_arg_number(&seconds, arguments, "timeout", TIMEOUT_DEFAULT_S, 1, TIMEOUT_MAX_S, error);

    if (rc != CS_OK)
        return rc;
    input->patience_ms = (int)seconds * 1000;
    input->listen_host = host;
    input->department = cs_arg(arguments, "department");
    if (input->emergency_reason != NULL)
        return CS_OK; /* no device comes */
    if (cs_arg(arguments, "listen") == NULL)
        return CS_FAIL(error, CS_E_USAGE,
            "--listen HOST:PORT is missing: where does the patient's device come?");
    return cs_arg_address(arguments, "listen", host, host_size, &input->listen_port, error);
}

static json_t *record_json(const cs_station_report *report)
{
    const cs_found_record *record = &report->record;

    if (!report->has_record)
        return json_null();
    return json_pack("{s:o, s:o, s:I, s:s, s:s, s:s, s:I, s:I}", "id",
        cs_hex_json(CS_VIEW_ARRAY(record->id)), "sha256", cs_hex_json(CS_VIEW_ARRAY(record->hash)),
        "size", (json_int_t)record->size, "path", record->path, "media_type", record->media_type,
        "hospital", record->hospital, "other_records", (json_int_t)record->others,
        "other_hospitals", (json_int_t)record->other_hospitals);
}

static json_t *signal_json(const cs_station_report *report)
{
    if (report->signal_size == 0)
        return json_null();
    return json_pack("{s:o, s:I, s:s}", "sha256", cs_hex_json(CS_VIEW_ARRAY(report->signal_hash)),
        "size", (json_int_t)report->signal_size, "path", report->signal_path);
}

static json_t *diagnosis_json(const cs_station_report *report)
{
    return json_pack("{s:o, s:I, s:b, s:o}", "sha256",
        cs_hex_json(CS_VIEW_ARRAY(report->diagnosis_hash)), "size",
        (json_int_t)report->diagnosis_size, "delivered", report->delivered, "filed",
        report->filed ? cs_hex_json(CS_VIEW_ARRAY(report->filed_id)) : json_null());
}

static json_t *steps_json(const cs_station_report *report)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "consultation", cs_ops_json(report->consultation_ops),
        "search", cs_ops_json(report->search_ops), "session", cs_ops_json(report->session_ops),
        "diagnosis", cs_ops_json(report->diagnosis_ops));
}

static int print_visit(const cs_station_report *report, const cs_opened *opened,
    cs_wire_counts before, int64_t took_ms, cs_error *error)
{
    cs_wire_counts counts = cs_wire_log_counts(opened->log);

    return cs_print_json(
        json_pack(
            "{s:b, s:s, s:b, s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:I, s:f, s:f}",
            "ok", 1, "peer", report->patient, "consent", report->consented, "record",
            record_json(report), "record_missing",
            report->missing == CS_OK ? NULL : cs_code_name(report->missing), "signal",
            signal_json(report), "diagnosis", diagnosis_json(report), "token_ops",
            cs_ops_json(report->ops), "filing_ops", cs_ops_json(report->filing_ops), "step_ops",
            steps_json(report), "wire", "messages", (json_int_t)(counts.messages - before.messages),
            "bytes", (json_int_t)(counts.bytes - before.bytes), "pin_prompts",
            (json_int_t)report->pin_prompts, "seconds", (double)took_ms / 1000, "own_seconds",
            (double)report->own_us / 1000000),
        error);
}

static void say_visit(const desk *me, const cs_station_report *report)
{
    char hex[2 * CS_RECORD_ID_SIZE + 1];

    if (report->signal_size > 0)
        cs_say("the signal is in %s", report->signal_path);
    if (report->delivered)
        tell(me, "the patient's device has the diagnosis and has verified it");
    if (report->filed) {
        cs_hex(CS_VIEW_ARRAY(report->filed_id), hex);
        cs_say("the diagnosis is filed as record %s", hex);
    }
}

/* Of several visits, nothing that is for one patient is said beforehand. */
static int set_visits(int64_t *visits, const cs_arguments *arguments, cs_error *error)
{
    static const char *const of_one[] = {
        "record", "record-out", "signal-out", "emergency", "diagnosis"};
    int rc = cs_arg_number(visits, arguments, "visits", 1, 1, VISITS_MAX, error);

    for (size_t i = 0; rc == CS_OK && *visits > 1 && i < sizeof of_one / sizeof of_one[0]; i++) {
        if (cs_arg(arguments, of_one[i]) != NULL)
            rc = CS_FAIL(error, CS_E_USAGE,
                "--%s is for one patient; with --visits each has a diagnosis from the editor, and "
                "files in the home",
                of_one[i]);
    }
    return rc;
}

static int one_visit(const desk *me, cs_opened *opened, const cs_station_input *input,
    cs_station_report *report, cs_error *error)
{
    cs_wire_counts before = cs_wire_log_counts(opened->log);
    int64_t started = cs_clock_ms();
    int rc = cs_station_visit(report, opened->home, opened->actor, opened->log, input, error);

    if (rc != CS_OK)
        return rc;
    if (me->quiet)
        return print_visit(report, opened, before, cs_clock_ms() - started, error);
    say_visit(me, report);
    return CS_OK;
}

/* A failure that the next patient has no part in: of this one, of the network to this one's
 * hospital, of the card, which can be put back. Others end the command, or it would run in circles.
 */
static bool may_go_on(const desk *me, const cs_station_report *report, int rc)
{
    struct pollfd stop = {.fd = me->stop_fd, .events = POLLIN};

    if (!report->somebody_came || poll(&stop, 1, 0) != 0)
        return false;
    switch (cs_category_of(rc)) {
    case CS_CATEGORY_BUSY: /* or nobody answered in time */
    case CS_CATEGORY_PIN:
    case CS_CATEGORY_TOKEN:
    case CS_CATEGORY_INPUT:
    case CS_CATEGORY_REFUSED:
    case CS_CATEGORY_NOT_FOUND:
    case CS_CATEGORY_NETWORK:
        return true;
    default:
        return false;
    }
}

/* One patient after the other. A visit that fails is told at once; the status is that of the last
 * that failed, so that 0 says that none did. */
static int all_visits(const desk *me, cs_opened *opened, const cs_station_input *input,
    int64_t visits, cs_error *error)
{
    cs_station_report report;
    int failed = CS_OK;

    for (int64_t i = 1; i <= visits; i++) {
        int rc = one_visit(me, opened, input, &report, error);

        if (rc != CS_OK && (i == visits || !may_go_on(me, &report, rc)))
            return rc;
        if (rc == CS_OK)
            continue;
        failed = rc;
        (void)cs_report(rc, error, me->quiet);
    }
    error->message[0] = '\0'; /* it is told */
    return failed;
}

static int open_station(
    cs_opened *opened, cs_station_input *input, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_open_home(opened, CS_HOME_DOCTOR, arguments, error);

    if (rc == CS_OK) {
        opened->home->visits = true;
        opened->home->pin_hold = cs_arg(arguments, "pin-hold");
        rc = cs_open_party(opened, arguments, error);
    }
    return rc == CS_OK ? cs_cloud_url(&input->cloud_url, opened->home, arguments, error) : rc;
}

int cs_run_doctor_visit(const cs_arguments *arguments, cs_error *error)
{
    bool json = cs_arg_flag(arguments, "json");
    desk me = {.arguments = arguments, .quiet = json};
    cs_station_input input = {.hospital = cs_arg(arguments, "hospital"),
        .signal_path = cs_arg(arguments, "signal-out"),
        .record_path = cs_arg(arguments, "record-out"),
        .media_type = cs_arg_or(arguments, "media-type", "text/plain"),
        .stop_fd = -1,
        .progress_fd = json ? -1 : STDERR_FILENO,
        .listening = on_listening,
        .notice = on_notice,
        .warn = on_warning,
        .diagnose = on_diagnose,
        .context = &me};
    cs_opened opened = {0};
    cs_buf record_id = {0};
    char host[256] = "";
    int64_t visits = 1;
    int rc = set_visits(&visits, arguments, error);

    if (rc == CS_OK)
        rc = cs_check_diagnosis_source(arguments, error);
    if (rc == CS_OK)
        rc = check_texts(arguments, error);
    if (rc == CS_OK)
        rc = check_outputs(arguments, error);
    if (rc == CS_OK)
        rc = set_record(&input, &record_id, arguments, error);
    if (rc == CS_OK)
        rc = set_emergency(&input, arguments, error);
    if (rc == CS_OK)
        rc = set_place(&input, host, sizeof host, arguments, error);
    if (rc == CS_OK)
        rc = cs_stop_fd_open(&input.stop_fd, error);
    me.stop_fd = input.stop_fd;
    if (rc == CS_OK)
        rc = open_station(&opened, &input, arguments, error);
    me.home = opened.home;
    if (rc == CS_OK)
        cs_warn_lists(opened.home);
    if (rc == CS_OK)
        rc = all_visits(&me, &opened, &input, visits, error);
    if (input.stop_fd >= 0)
        (void)close(input.stop_fd);
    cs_buf_free(&record_id);
    cs_close_member(&opened);
    return rc;
}

const cs_option cs_doctor_visit_options[] = {
    CS_DIR_OPTION,
    {"listen", "HOST:PORT", false, "where the patient's device comes; port 0 takes a free one"},
    {"port-file", "FILE", false, "write the port there once it is open"},
    {"department", "DE", true, "the department whose records are looked for"},
    {"diagnosis", "FILE", false, "the diagnosis; - is standard input; otherwise $EDITOR is opened"},
    {"media-type", "TYPE", false, "of the diagnosis; text/plain"},
    {"record", "ID", false, "this record; otherwise the newest"},
    {"hospital", "ID", false, "of this hospital; otherwise the one with the newest entry"},
    {"record-out", "FILE", false, "where the record goes; otherwise into the home"},
    {"signal-out", "FILE", false, "where the device's signal goes; otherwise into the home"},
    {"no-record", NULL, false, "fetch no record"},
    {"require-record", NULL, false, "end the visit if there is no record; else it goes on without"},
    {"emergency", "REASON", false, "without the patient's consent; always recorded and reviewed"},
    {"patient", "ID", false, "the patient of the emergency"},
    {"cloud-url", "URL", false, "where the cloud answers; otherwise as at the registration"},
    {"pin-hold", "HOW", false, "each: the PIN for every signature; visit: once; or N/T (minutes)"},
    {"visits", "N", false, "so many patients, one after the other; 1"},
    {"timeout", "S", false, "how long to wait for a patient; 3600"},
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
