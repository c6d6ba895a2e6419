/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_patient_telecare.h"

#include "cli/biometric_options.h"
#include "cli/care_options.h"
#include "cli/invitation.h"
#include "cli/output.h"
#include "cli/trust_verb.h"

#include <unistd.h>

typedef int procedure(
    cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error);

static int print_care(const cs_care_report *report, const cs_care_input *input,
    const cs_opened *opened, int64_t took_ms, const cs_arguments *arguments, cs_error *error)
{
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(cs_care_json(report, opened, took_ms), error);
    cs_say_care(report, input->outputs);
    return CS_OK;
}

static int open_patient(
    cs_opened *opened, const char **cloud_url, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_open_home(opened, CS_HOME_PATIENT, arguments, error);

    if (rc == CS_OK)
        rc = cs_cloud_url(cloud_url, opened->home, arguments, error);
    if (rc == CS_OK)
        rc = cs_give_biometric(opened->home, arguments, error);
    if (rc == CS_OK)
        rc = cs_open_party(opened, arguments, error);
    if (rc == CS_OK)
        cs_warn_lists(opened->home);
    return rc;
}

static int run(cs_care_input *input, procedure *fn, const cs_arguments *arguments, cs_error *error)
{
    int64_t started = cs_clock_ms();
    cs_care_report report;
    cs_care_world world = {0};
    cs_opened opened = {0};
    const char *cloud_url = NULL;
    cs_buf letter = {0};
    int rc = cs_invitation_read(&letter, cs_arg(arguments, "invitation"), error);

    input->letter = cs_view_buf(&letter);
    input->hospital = cs_arg(arguments, "hospital");
    input->doctor = cs_arg(arguments, "doctor");
    if (rc == CS_OK)
        rc = open_patient(&opened, &cloud_url, arguments, error);
    if (rc == CS_OK)
        rc = cs_care_open(&world, opened.actor, cloud_url, opened.log, error);
    if (rc == CS_OK) {
        const cs_care me = {.actor = opened.actor,
            .world = &world.world,
            .log = opened.log,
            .progress_fd = cs_arg_flag(arguments, "json") ? -1 : STDERR_FILENO};

        rc = fn(&report, &me, input, error);
    }
    if (rc == CS_OK)
        rc = print_care(&report, input, &opened, cs_clock_ms() - started, arguments, error);
    cs_care_close(&world);
    cs_close_member(&opened);
    cs_buf_free(&letter);
    return rc;
}

int cs_run_patient_upload(const cs_arguments *arguments, cs_error *error)
{
    cs_care_input input = {.path = cs_arg(arguments, "measurement"),
        .media_type = cs_arg_or(arguments, "media-type", "application/octet-stream"),
        .outputs = {cs_arg(arguments, "report-out")}};
    int rc = cs_arg_text(arguments, "media-type", CS_MEDIA_TYPE_MAX, error);

    if (rc == CS_OK)
        rc = cs_check_output(arguments, "report-out", false, error);
    return rc == CS_OK ? run(&input, cs_care_pup, arguments, error) : rc;
}

int cs_run_patient_read(const cs_arguments *arguments, cs_error *error)
{
    static const char *const outputs[] = {"report-out", "measurement-out", "diagnosis-out"};
    cs_care_input input = {0};
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof outputs / sizeof outputs[0]; i++) {
        input.outputs[i] = cs_arg(arguments, outputs[i]);
        rc = cs_check_output(arguments, outputs[i], false, error);
    }
    if (rc == CS_OK)
        rc = run(
            &input, cs_arg_flag(arguments, "copy") ? cs_care_copy : cs_care_cp, arguments, error);
    return rc;
}

#define EXPECTED_OPTIONS                                                                           \
    {"hospital", "ID", false, "the hospital it has to be from; otherwise any"},                    \
    {                                                                                              \
        "doctor", "ID", false, "the doctor it has to be with; otherwise any"                       \
    }

const cs_option cs_patient_upload_options[] = {
    CS_DIR_OPTION,
    CS_INVITATION_OPTION,
    {"measurement", "FILE", true, "m_B: what the device sensed, of any size"},
    {"media-type", "TYPE", false, "its media type; application/octet-stream"},
    {"report-out", "FILE", false, "where the hospital's report goes"},
    EXPECTED_OPTIONS,
    CS_CLOUD_URL_OPTION,
    CS_BIOMETRIC_OPTIONS,
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

const cs_option cs_patient_read_options[] = {
    CS_DIR_OPTION,
    CS_INVITATION_OPTION,
    {"diagnosis-out", "FILE", true, "where the diagnosis goes, once it is verified"},
    {"report-out", "FILE", false, "where the report goes"},
    {"measurement-out", "FILE", false, "where the measurement goes"},
    {"copy", NULL, false, "from the copy that an earlier call has left; leave none"},
    EXPECTED_OPTIONS,
    CS_CLOUD_URL_OPTION,
    CS_BIOMETRIC_OPTIONS,
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
