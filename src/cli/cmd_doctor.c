/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certificates.h"
#include "cli/cli.h"
#include "cli/cmd_doctor_telecare.h"
#include "cli/cmd_doctor_visit.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/trust_verb.h"
#include "service/authority.h"
#include "service/register_client.h"

/* -- init, csr -----------------------------------------------------------------------------------
 */

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    json_t *config = NULL;
    cs_home *home = NULL;
    int rc = cs_arg_text(arguments, "name", CS_HOLDER_TEXT_MAX, error);

    if (rc == CS_OK)
        rc = cs_token_config(&config, arguments, error);
    if (rc == CS_OK &&
        json_object_set_new(config, "name", json_string(cs_arg(arguments, "name"))) != 0)
        rc = CS_FAIL(error, CS_E_USAGE, "--name is not UTF-8 text");
    if (rc == CS_OK)
        rc = cs_member_init(&home, CS_HOME_DOCTOR, arguments, config, fingerprint, error);
    if (rc == CS_OK)
        rc = cs_print_member(home, fingerprint, "chartseal doctor csr", arguments, error);
    cs_home_free(&home);
    json_decref(config);
    return rc;
}

static int make_request(
    const cs_home *home, const cs_actor *actor, const char *path, cs_error *error)
{
    const char *name = cs_home_text(home, "name");

    if (name == NULL)
        return CS_FAIL(error, CS_E_MALFORMED, "%s/config.json has no name; mend it", home->dir);
    return cs_request_write(home, actor, name, path, error);
}

static int run_csr(const cs_arguments *arguments, cs_error *error)
{
    const char *path = cs_arg(arguments, "out");
    cs_op_counts before = cs_ops_of_thread();
    cs_opened opened = {0};
    int rc = cs_check_output(arguments, "out", true, error);

    if (rc == CS_OK)
        rc = cs_open_home(&opened, CS_HOME_DOCTOR, arguments, error);
    if (rc == CS_OK)
        rc = cs_actor_open(&opened.actor, opened.home, true, error);
    if (rc == CS_OK)
        rc = make_request(opened.home, opened.actor, path, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = cs_print_json(json_pack("{s:b, s:s, s:o}", "ok", 1, "request", path, "token_ops",
                               cs_ops_json(cs_ops_between(before, cs_ops_of_thread()))),
            error);
    else if (rc == CS_OK && !cs_is_stdout(path))
        cs_say("wrote %s; an authority answers it with a certificate", path);
    cs_close_member(&opened);
    return rc;
}

/* -- register ------------------------------------------------------------------------------------
 */

static int run_register(const cs_arguments *arguments, cs_error *error)
{
    const char *certificate = cs_arg(arguments, "certificate");
    const char *code_file = cs_arg(arguments, "code-file");
    uint8_t code[CS_CODE_SIZE] = {0};
    const char *url = NULL;
    cs_op_counts before = cs_ops_of_thread();
    cs_opened opened;
    int rc = cs_open_member(&opened, CS_HOME_DOCTOR, arguments, error);

    if (rc == CS_OK)
        rc = cs_keep_cloud_url(&url, opened.home, arguments, error);
    if (rc == CS_OK && code_file != NULL)
        rc = cs_read_code(code, code_file, error);
    if (rc == CS_OK && certificate != NULL)
        rc = cs_certificate_install(opened.home, opened.actor, certificate, error);
    if (rc == CS_OK && opened.actor->certificate.n == 0)
        rc = CS_FAIL(error, CS_E_USAGE, "--certificate FILE is missing: none is there yet");
    if (rc == CS_OK)
        rc = cs_certificate_staple(opened.actor, error);
    if (rc == CS_OK)
        rc = cs_register_client(opened.home, opened.actor, url, CS_ROLE_DOCTOR, (cs_view){0},
            (cs_view){code, code_file == NULL ? 0 : sizeof code}, opened.log, error);
    if (rc == CS_OK)
        rc = cs_print_registered(
            &opened, cs_ops_between(before, cs_ops_of_thread()), arguments, error);
    cs_wipe(code, sizeof code);
    cs_close_member(&opened);
    return rc;
}

static int run_trust(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_trust(arguments, CS_HOME_DOCTOR, error);
}

static const cs_option init_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "who the doctor is in this cloud"},
    {"name", "NAME", true, "the name for the certificate, as patients will see it"},
    CS_TOKEN_OPTIONS,
    CS_MEMBER_OPTIONS,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option csr_options[] = {
    CS_DIR_OPTION,
    {"out", "FILE", true, "where the request (PKCS#10, PEM) goes; - is standard output"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option register_options[] = {
    CS_DIR_OPTION,
    {"cloud-url", "URL", false, "where the cloud answers; needed the first time"},
    {"certificate", "FILE", false, "the authority's answer (PEM); needed the first time"},
    {"code-file", "FILE", false,
        "an enrolment code, for an identity that was revoked or another's"},
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_verb verbs[] = {
    {"init", "make the keys in the token, and take in whom to trust", init_options,
        "--dir ek --id dr-ek --name 'Dr. Ada Ek' --token pkcs11:token=ek --cloud-file cloud.cbor "
        "--authority board.pem --crl crl.pem",
        run_init},
    {"csr", "write a certificate request, signed in the token", csr_options,
        "--dir ek --out ek.csr", run_csr},
    {"register", "register with the cloud, by the certificate", register_options,
        "--dir ek --cloud-url https://cloud.example --certificate ek.pem", run_register},
    {"visit", "serve a patient: consult, fetch the record, send and file the diagnosis",
        cs_doctor_visit_options,
        "--dir ek --listen 0.0.0.0:7430 --department cardiology --record-out record.json",
        cs_run_doctor_visit},
    {"telecare treat", "read report and measurement, send the diagnosis (TP)",
        cs_doctor_treat_options,
        "--dir ek --invitation hospital.inv --report-out report.json --measurement-out ecg.bin",
        cs_run_doctor_treat},
    {"trust", CS_TRUST_SUMMARY, cs_trust_options, "--dir ek --crl crl.pem", run_trust},
    {0},
};

const cs_group cs_doctor_group = {"doctor", "the doctor's station", verbs};
