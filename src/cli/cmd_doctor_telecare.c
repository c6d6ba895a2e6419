/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_doctor_telecare.h"

#include "cli/care_options.h"
#include "cli/certificates.h"
#include "cli/diagnosis_source.h"
#include "cli/invitation.h"
#include "cli/output.h"
#include "cli/trust_verb.h"

#include <string.h>
#include <unistd.h>

/* The command line, and the home that an editor works in. */
typedef struct desk {
    const cs_arguments *arguments;
    const cs_home *home;
    cs_actor *actor;
} desk;

static int on_diagnose(void *context, cs_buf *out, cs_error *error)
{
    const desk *me = context;
    int rc;

    if (!cs_arg_flag(me->arguments, "json"))
        cs_say("the report is in %s, the measurement in %s", cs_arg(me->arguments, "report-out"),
            cs_arg(me->arguments, "measurement-out"));
    rc = cs_take_diagnosis(out, me->arguments, me->home, -1, error);
    /* what was good when she began to write may have ended */
    return rc == CS_OK ? cs_certificate_staple(me->actor, error) : rc;
}

static int check_options(const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_check_diagnosis_source(arguments, error);

    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "media-type", CS_MEDIA_TYPE_MAX, error);
    if (rc == CS_OK)
        rc = cs_check_output(arguments, "report-out", false, error);
    if (rc == CS_OK)
        rc = cs_check_output(arguments, "measurement-out", false, error);
    return rc;
}

/* A file is sent as it is, whatever its size; what is typed is held in memory. */
static const char *diagnosis_file(const cs_arguments *arguments)
{
    const char *from = cs_arg(arguments, "diagnosis");

    return from == NULL || strcmp(from, "-") == 0 ? NULL : from;
}

int cs_run_doctor_treat(const cs_arguments *arguments, cs_error *error)
{
    int64_t started = cs_clock_ms();
    const bool json = cs_arg_flag(arguments, "json");
    desk me = {.arguments = arguments};
    cs_care_input input = {.hospital = cs_arg(arguments, "hospital"),
        .patient = cs_arg(arguments, "patient"),
        .path = diagnosis_file(arguments),
        .media_type = cs_arg_or(arguments, "media-type", "text/plain"),
        .outputs = {cs_arg(arguments, "report-out"), cs_arg(arguments, "measurement-out")},
        .diagnose = on_diagnose,
        .context = &me};
    const char *cloud_url = NULL;
    cs_care_report report;
    cs_care_world world = {0};
    cs_opened opened = {0};
    cs_buf letter = {0};
    int rc = check_options(arguments, error);

    if (rc == CS_OK)
        rc = cs_invitation_read(&letter, cs_arg(arguments, "invitation"), error);
    input.letter = cs_view_buf(&letter);
    if (rc == CS_OK)
        rc = cs_open_member(&opened, CS_HOME_DOCTOR, arguments, error);
    if (rc == CS_OK)
        rc = cs_cloud_url(&cloud_url, opened.home, arguments, error);
    me.home = opened.home;
    me.actor = opened.actor;
    if (rc == CS_OK)
        cs_warn_lists(opened.home);
    if (rc == CS_OK)
        rc = cs_certificate_staple(opened.actor, error);
    if (rc == CS_OK)
        rc = cs_care_open(&world, opened.actor, cloud_url, opened.log, error);
    if (rc == CS_OK) {
        const cs_care care = {.actor = opened.actor,
            .world = &world.world,
            .log = opened.log,
            .progress_fd = json ? -1 : STDERR_FILENO};

        rc = cs_care_tp(&report, &care, &input, error);
    }
    if (rc == CS_OK && json)
        rc = cs_print_json(cs_care_json(&report, &opened, cs_clock_ms() - started), error);
    else if (rc == CS_OK)
        cs_say_care(&report, input.outputs);
    cs_care_close(&world);
    cs_close_member(&opened);
    cs_buf_free(&letter);
    return rc;
}

const cs_option cs_doctor_treat_options[] = {
    CS_DIR_OPTION,
    CS_INVITATION_OPTION,
    {"report-out", "FILE", true, "where the hospital's report goes"},
    {"measurement-out", "FILE", true, "where the patient's measurement goes"},
    {"diagnosis", "FILE", false, "m_D; - is standard input; otherwise $EDITOR is opened"},
    {"media-type", "TYPE", false, "of the diagnosis; text/plain"},
    {"hospital", "ID", false, "the hospital it has to be from; otherwise any"},
    {"patient", "ID", false, "the patient it has to be of; otherwise any"},
    CS_CLOUD_URL_OPTION,
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
