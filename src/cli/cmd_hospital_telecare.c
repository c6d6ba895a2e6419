/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_hospital_telecare.h"

#include "cli/care_options.h"
#include "cli/certificates.h"
#include "cli/cmd_hospital_records.h"
#include "cli/invitation.h"
#include "cli/output.h"
#include "cli/service_member.h"
#include "cli/trust_verb.h"

#include <string.h>
#include <unistd.h>

#define DAYS_DEFAULT 14
#define DAY_MS 86400000LL
#define PEM_MAX 65536

/* What the hospital is given of patient and doctor. */
typedef struct guests {
    cs_buf credential_p, credential_d, cert_d;
} guests;

static void free_guests(guests *g)
{
    cs_buf_free(&g->credential_p);
    cs_buf_free(&g->credential_d);
    cs_buf_free(&g->cert_d);
}

static int read_guests(guests *g, const cs_arguments *arguments, cs_error *error)
{
    const char *certificate = cs_arg(arguments, "doctor-certificate");
    cs_buf pem = {0};
    int rc = cs_file_read(
        &g->credential_p, cs_arg(arguments, "patient-credential"), CS_CREDENTIAL_MAX, error);

    if (rc == CS_OK)
        rc = cs_file_read(
            &g->credential_d, cs_arg(arguments, "doctor-credential"), CS_CREDENTIAL_MAX, error);
    if (rc == CS_OK)
        rc = cs_file_read(&pem, certificate, PEM_MAX, error);
    if (rc == CS_OK) {
        rc = cs_pem_decode(&g->cert_d, "CERTIFICATE", cs_view_buf(&pem), error);
        if (rc != CS_OK)
            rc = cs_error_context(error, "%s", certificate);
    }
    cs_buf_free(&pem);
    return rc;
}

static int check_options(int64_t *days, const cs_arguments *arguments, cs_error *error)
{
    static const char *const outputs[] = {
        "patient-invitation", "doctor-invitation", "patient-svg", "doctor-svg"};
    int rc = cs_arg_number(days, arguments, "days", DAYS_DEFAULT, 1, 365, error);

    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "media-type", CS_MEDIA_TYPE_MAX, error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "telecare-url", CS_URL_MAX, error);
    if (rc == CS_OK)
        rc = cs_check_url("telecare-url", cs_arg(arguments, "telecare-url"), error);
    for (size_t i = 0; rc == CS_OK && i < sizeof outputs / sizeof outputs[0]; i++)
        rc = cs_check_output(arguments, outputs[i], false, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "qr") && cs_arg_flag(arguments, "json"))
        rc = CS_FAIL(error, CS_E_USAGE, "give --qr or --json, not both");
    return rc;
}

/* Who was invited to what, in the hospital's own log. */
static int on_stored(void *context, const cs_care_report *so_far, cs_error *error)
{
    const cs_opened_hospital *opened = context;
    cs_decision decision = {.action = "telecare-open"};

    cs_decision_party(&decision, opened->home->id, CS_ROLE_HOSPITAL);
    cs_decision_about(&decision, so_far->patient, so_far->doctor);
    return cs_decision_record(&decision, opened->worker, CS_OK, error);
}

/* The codes are beside the files, so that one that is too long for a code takes nothing away. */
static bool show_codes(const char *whose, cs_view letter, const char *svg, bool terminal)
{
    cs_buf text = {0};
    cs_error why = {0};
    int rc = cs_invitation_text(&text, letter, &why);

    if (rc == CS_OK && svg != NULL)
        rc = cs_qr_svg(cs_view_buf(&text), svg, &why);
    if (rc == CS_OK && terminal) {
        cs_say("invitation of the %s:", whose);
        rc = cs_qr_print(cs_view_buf(&text), &why);
    }
    if (rc != CS_OK)
        cs_warn("no QR code for the %s: %s", whose, why.message);
    cs_buf_free(&text);
    return rc == CS_OK;
}

/* *codes: all that were asked for. */
static int give_letters(
    cs_view letter_p, cs_view letter_d, bool *codes, const cs_arguments *arguments, cs_error *error)
{
    bool terminal = cs_arg_flag(arguments, "qr");
    int rc = cs_file_write(cs_arg(arguments, "patient-invitation"), letter_p, 0600, error);

    if (rc == CS_OK)
        rc = cs_file_write(cs_arg(arguments, "doctor-invitation"), letter_d, 0600, error);
    if (rc != CS_OK)
        return cs_error_context(
            error, "the report is stored, but nobody is invited to it; open another episode");
    *codes = show_codes("patient", letter_p, cs_arg(arguments, "patient-svg"), terminal);
    *codes = show_codes("doctor", letter_d, cs_arg(arguments, "doctor-svg"), terminal) && *codes;
    return CS_OK;
}

static int print_opened(const cs_care_report *report, const cs_opened *opened, bool codes,
    int64_t took_ms, const cs_arguments *arguments, cs_error *error)
{
    static const char *const none[CS_SLOTS] = {NULL};
    const char *patient = cs_arg(arguments, "patient-invitation");
    const char *doctor = cs_arg(arguments, "doctor-invitation");
    json_t *out;

    if (cs_arg_flag(arguments, "json")) {
        out = cs_care_json(report, opened, took_ms);
        if (out != NULL && json_object_set_new(out, "invitations",
                               json_pack("{s:s, s:s, s:b}", "patient", patient, "doctor", doctor,
                                   "codes", codes)) != 0) {
            json_decref(out);
            out = NULL;
        }
        return cs_print_json(out, error);
    }
    cs_say_care(report, none);
    cs_say("hand %s to the patient and %s to the doctor", patient, doctor);
    return CS_OK;
}

static int upload(cs_opened_hospital *opened, cs_wire_log *log, const guests *g, int64_t days,
    cs_care_report *report, bool *codes, const cs_arguments *arguments, cs_error *error)
{
    const bool json = cs_arg_flag(arguments, "json");
    cs_actor *actor = opened->hospital->server->actor;
    const cs_care me = {.actor = actor,
        .world = &opened->worker->world,
        .log = log,
        .progress_fd = json ? -1 : STDERR_FILENO};
    const cs_care_opening opening = {.credential_p = cs_view_buf(&g->credential_p),
        .credential_d = cs_view_buf(&g->credential_d),
        .cert_d = cs_view_buf(&g->cert_d),
        .url = cs_arg(arguments, "telecare-url"),
        .ends = cs_clock_ms() + days * DAY_MS,
        .path = cs_arg(arguments, "report"),
        .media_type = cs_arg_or(arguments, "media-type", "application/octet-stream"),
        .stored = on_stored,
        .context = opened};
    const char *cloud_url = NULL;
    cs_buf letter_p = {0};
    cs_buf letter_d = {0};
    int rc = cs_actor_wants_registration(actor, error);

    if (rc == CS_OK)
        rc = cs_certificate_staple(actor, error);
    if (rc == CS_OK)
        rc = cs_cloud_url(&cloud_url, opened->home, arguments, error);
    if (rc == CS_OK)
        rc = cs_care_lists(me.world, actor, cloud_url, log, error);
    if (rc == CS_OK)
        rc = cs_care_hup(report, &letter_p, &letter_d, &me, &opening, error);
    if (rc == CS_OK)
        rc = give_letters(cs_view_buf(&letter_p), cs_view_buf(&letter_d), codes, arguments, error);
    cs_buf_free(&letter_p);
    cs_buf_free(&letter_d);
    return rc;
}

int cs_run_hospital_telecare(const cs_arguments *arguments, cs_error *error)
{
    int64_t started = cs_clock_ms();
    cs_opened_hospital opened = {0};
    cs_opened shown = {0};
    cs_care_report report;
    bool codes = false;
    guests g = {0};
    int64_t days;
    int rc = check_options(&days, arguments, error);

    if (rc == CS_OK)
        rc = read_guests(&g, arguments, error);
    if (rc == CS_OK)
        rc = cs_open_wire_log(&shown.log, arguments, error);
    if (rc == CS_OK)
        rc = cs_open_hospital(&opened, arguments, error);
    if (rc == CS_OK)
        cs_warn_lists(opened.home);
    if (rc == CS_OK)
        rc = upload(&opened, shown.log, &g, days, &report, &codes, arguments, error);
    if (rc == CS_OK) {
        cs_server_seal(opened.hospital->server, opened.worker);
        rc = print_opened(&report, &shown, codes, cs_clock_ms() - started, arguments, error);
    }
    free_guests(&g);
    cs_close_hospital(&opened);
    cs_wire_log_close(&shown.log);
    return rc;
}

const cs_option cs_hospital_telecare_options[] = {
    CS_DIR_OPTION,
    {"report", "FILE", true, "m_H: a FHIR bundle or any other file, of any size"},
    {"media-type", "TYPE", false, "what it is; application/octet-stream"},
    {"telecare-url", "URL", true, "where the telecare cloud answers"},
    {"patient-credential", "FILE", true, "credential.cbor of the patient's home"},
    {"doctor-credential", "FILE", true, "credential.cbor of the doctor's home"},
    {"doctor-certificate", "PEM", true, "her certificate"},
    {"patient-invitation", "FILE", true, "where the patient's invitation goes, sealed to him"},
    {"doctor-invitation", "FILE", true, "where the doctor's goes, sealed to her"},
    {"qr", NULL, false, "print both as QR codes, too"},
    {"patient-svg", "FILE", false, "the patient's as a QR code, for paper"},
    {"doctor-svg", "FILE", false, "the doctor's"},
    {"days", "N", false, "when the episode ends, and the cloud forgets it; 14"},
    CS_CLOUD_URL_OPTION,
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
