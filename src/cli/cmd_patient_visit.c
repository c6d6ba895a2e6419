/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_patient_visit.h"

#include "cli/biometric_options.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/serve_options.h"
#include "cli/trust_verb.h"
#include "service/device.h"
#include "service/signals.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_DEFAULT_S 7200 /* longer than a station waits, so that it is the one to say why */
#define TIMEOUT_MAX_S 86400
#define SHOWN_MAX 128

typedef struct desk {
    const cs_arguments *arguments;
    int stop_fd;
} desk;

/* What a yes signs. */
static void say_consent(const cs_doctor_shown *doctor)
{
    char department[SHOWN_MAX];
    char purpose[SHOWN_MAX];
    char until[CS_DATE_SIZE];

    if (!doctor->consents) {
        (void)printf("No records of yours may be read. Go on with this doctor? [y/N] ");
        return;
    }
    (void)printf("A yes is your consent, signed: this doctor may read your records of %s, for %s, "
                 "until %s.\nGo on with this doctor, and consent to that? [y/N] ",
        doctor->consent_department[0] == '\0'
            ? "every department"
            : cs_printable(department, sizeof department, doctor->consent_department),
        cs_printable(purpose, sizeof purpose, doctor->purpose),
        cs_date(until, doctor->consent_until));
}

/* A person decides; without one, --doctor has decided. */
static int ask_person(const cs_doctor_shown *doctor, int stop_fd, cs_error *error)
{
    char name[SHOWN_MAX];
    char id[SHOWN_MAX];
    char department[SHOWN_MAX];
    char answer;
    int rc;

    (void)printf("This is %s (%s), %s.\n", cs_printable(name, sizeof name, doctor->name),
        cs_printable(id, sizeof id, doctor->id),
        cs_printable(department, sizeof department, doctor->department));
    say_consent(doctor);
    (void)fflush(stdout);
    rc = cs_input_answer(&answer, stop_fd, error);
    if (rc == CS_E_CANCELLED)
        return CS_FAIL(error, CS_E_CANCELLED, "you stopped it; nothing about you was sent");
    if (rc == CS_OK && answer != 'y' && answer != 'Y')
        rc = CS_FAIL(error, CS_E_CANCELLED, "you declined; nothing about you was sent");
    return rc;
}

static int on_accept(void *context, const cs_doctor_shown *doctor, cs_error *error)
{
    const desk *me = context;
    const char *expected = cs_arg(me->arguments, "doctor");
    char id[SHOWN_MAX];

    if (expected == NULL)
        return ask_person(doctor, me->stop_fd, error);
    if (strcmp(expected, doctor->id) != 0)
        return CS_FAIL(error, CS_E_RECIPIENT,
            "the station is that of %s, not of %s; nothing about you was sent",
            cs_printable(id, sizeof id, doctor->id), expected);
    return CS_OK;
}

static int set_input(cs_device_input *input, char *host, size_t host_size,
    const cs_arguments *arguments, cs_error *error)
{
    const char *department = cs_arg(arguments, "consent-department");
    int64_t seconds;
    int rc =
        cs_arg_number(&seconds, arguments, "timeout", TIMEOUT_DEFAULT_S, 1, TIMEOUT_MAX_S, error);

    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "consent-department", CS_DEPARTMENT_MAX, error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "purpose", CS_TEXT_MAX, error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "signal-type", CS_MEDIA_TYPE_MAX, error);
    if (rc != CS_OK)
        return rc;
    if (cs_arg(arguments, "doctor") == NULL && isatty(STDIN_FILENO) == 0)
        return CS_FAIL(error, CS_E_USAGE,
            "give --doctor ID: there is no terminal to ask which doctor is the right one");
    if (department != NULL && cs_arg_flag(arguments, "no-consent"))
        return CS_FAIL(error, CS_E_USAGE, "give --consent-department or --no-consent, not both");
    input->patience_ms = (int)seconds * 1000;
    input->host = host;
    input->consents = !cs_arg_flag(arguments, "no-consent");
    input->consent_department =
        department != NULL && strcmp(department, "any") == 0 ? "" : department;
    return cs_arg_address(arguments, "station", host, host_size, &input->port, error);
}

static json_t *signal_json(const cs_device_report *report)
{
    if (report->signal_size == 0)
        return json_null();
    return json_pack("{s:o, s:I}", "sha256", cs_hex_json(CS_VIEW_ARRAY(report->signal_hash)),
        "size", (json_int_t)report->signal_size);
}

static int print_visit(const cs_device_report *report, const cs_opened *opened,
    const char *diagnosis_path, int64_t took_ms, cs_error *error)
{
    cs_wire_counts counts = cs_wire_log_counts(opened->log);

    return cs_print_json(
        json_pack("{s:b, s:s, s:s, s:s, s:b, s:o, s:{s:o, s:I, s:s, s:s}, s:o, s:{s:o, s:o}, "
                  "s:{s:I, s:I}, s:f}",
            "ok", 1, "peer", report->doctor, "peer_name", report->doctor_name, "department",
            report->department, "consent", report->consented, "signal", signal_json(report),
            "diagnosis", "sha256", cs_hex_json(CS_VIEW_ARRAY(report->diagnosis_hash)), "size",
            (json_int_t)report->diagnosis_size, "path", diagnosis_path, "media_type",
            report->diagnosis_type, "token_ops", cs_ops_json(report->ops), "step_ops",
            "consultation", cs_ops_json(report->consultation_ops), "consent",
            cs_ops_json(report->consent_ops), "wire", "messages", (json_int_t)counts.messages,
            "bytes", (json_int_t)counts.bytes, "seconds", (double)took_ms / 1000),
        error);
}

int cs_run_patient_visit(const cs_arguments *arguments, cs_error *error)
{
    const char *path = cs_arg(arguments, "diagnosis-out");
    desk me = {.arguments = arguments, .stop_fd = -1};
    cs_device_input input = {.signal_path = cs_arg(arguments, "signal"),
        .signal_type = cs_arg_or(arguments, "signal-type", "application/octet-stream"),
        .purpose = cs_arg_or(arguments, "purpose", "treatment"),
        .diagnosis_path = path,
        .stop_fd = -1,
        .accept = on_accept,
        .context = &me};
    int64_t started = cs_clock_ms();
    cs_device_report report;
    cs_opened opened = {0};
    char host[256] = "";
    char name[SHOWN_MAX];
    int rc = set_input(&input, host, sizeof host, arguments, error);

    if (rc == CS_OK)
        rc = cs_check_output(arguments, "diagnosis-out", false, error);
    if (rc == CS_OK)
        rc = cs_stop_fd_open(&input.stop_fd, error);
    me.stop_fd = input.stop_fd;
    if (rc == CS_OK)
        rc = cs_open_home(&opened, CS_HOME_PATIENT, arguments, error);
    if (rc == CS_OK)
        rc = cs_cloud_url(&input.cloud_url, opened.home, arguments, error);
    if (rc == CS_OK)
        rc = cs_give_biometric(opened.home, arguments, error);
    if (rc == CS_OK)
        rc = cs_open_party(&opened, arguments, error);
    if (rc == CS_OK)
        cs_warn_lists(opened.home);
    if (rc == CS_OK)
        rc = cs_device_visit(&report, opened.home, opened.actor, opened.log, &input, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = print_visit(&report, &opened, path, cs_clock_ms() - started, error);
    else if (rc == CS_OK)
        cs_say("the diagnosis of %s, verified, is in %s",
            cs_printable(name, sizeof name, report.doctor_name), path);
    if (input.stop_fd >= 0)
        (void)close(input.stop_fd);
    cs_close_member(&opened);
    return rc;
}

const cs_option cs_patient_visit_options[] = {
    CS_DIR_OPTION,
    {"station", "HOST:PORT", true, "the doctor's station"},
    {"diagnosis-out", "FILE", true, "where the diagnosis goes, once it is verified"},
    {"doctor", "ID", false, "the doctor it has to be; otherwise a person is asked"},
    {"signal", "FILE", false, "what the device sensed, for the doctor"},
    {"signal-type", "TYPE", false, "its media type; application/octet-stream"},
    {"consent-department", "DE", false, "records of this department, or any; else the station's"},
    {"purpose", "T", false, "what the records are to be used for; treatment"},
    {"no-consent", NULL, false, "the doctor may not fetch records"},
    {"cloud-url", "URL", false, "where the cloud answers; otherwise as at the registration"},
    {"timeout", "S", false, "how long to wait for the diagnosis; 7200"},
    CS_BIOMETRIC_OPTIONS,
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
