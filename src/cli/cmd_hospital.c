/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ceremony_verb.h"
#include "cli/cli.h"
#include "cli/cmd_hospital_records.h"
#include "cli/cmd_hospital_recover.h"
#include "cli/cmd_hospital_telecare.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/serve_options.h"
#include "cli/service_member.h"
#include "cli/trust_verb.h"
#include "service/hospital_service.h"

#include <string.h>

#define LISTEN_DEFAULT "127.0.0.1:8441"

/* -- init ----------------------------------------------------------------------------------------
 */

static int add_config(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    const char *emergency = cs_arg_or(arguments, "emergency", "allow");
    int rc = cs_service_config(config, arguments, LISTEN_DEFAULT, error);

    if (rc != CS_OK)
        return rc;
    if (strcmp(emergency, "allow") != 0 && strcmp(emergency, "deny") != 0)
        return CS_FAIL(error, CS_E_USAGE, "--emergency is allow or deny, not '%s'", emergency);
    if (json_object_set_new(config, "emergency", json_string(emergency)) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for config.json");
    return CS_OK;
}

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    json_t *config = NULL;
    int rc = cs_token_config(&config, arguments, error);

    if (rc == CS_OK)
        rc = add_config(config, arguments, error);
    if (rc == CS_OK)
        rc = cs_service_member_init(CS_HOME_HOSPITAL, arguments, config,
            "have request.pem certified, then chartseal hospital register", error);
    json_decref(config);
    return rc;
}

/* -- ceremony ------------------------------------------------------------------------------------
 */

static int prepare(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_member_check_files(arguments, error);

    return rc == CS_OK ? add_config(config, arguments, error) : rc;
}

static int make_by_ceremony(cs_home **out, const cs_arguments *arguments, const json_t *config,
    const cs_pin_source *pin, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];

    return cs_service_member_make(
        out, CS_HOME_HOSPITAL, arguments, config, pin, false, fingerprint, error);
}

static int run_ceremony(const cs_arguments *arguments, cs_error *error)
{
    static const cs_ceremony_role role = {CS_HOME_HOSPITAL, prepare, make_by_ceremony,
        "have request.pem certified; chartseal token combine, hospital register, hospital serve"};

    return cs_run_ceremony(arguments, &role, error);
}

/* -- register ------------------------------------------------------------------------------------
 */

/* What was published names the old credential: it is published again by the service. */
static int publish_again(cs_home *home, cs_error *error)
{
    cs_hpc *hospital = NULL;
    cs_worker *worker = NULL;
    uint64_t rows = 0;
    int rc = cs_hpc_open(&hospital, home, error);

    if (rc == CS_OK)
        rc = cs_worker_open(&worker, hospital->server, error);
    if (rc == CS_OK)
        rc = cs_hpc_publish_all(hospital, worker, &rows, error);
    cs_worker_close(&worker);
    cs_hpc_close(&hospital);
    return rc;
}

static int run_register(const cs_arguments *arguments, cs_error *error)
{
    return cs_service_member_register(CS_HOME_HOSPITAL, arguments, publish_again, error);
}

static int run_serve(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_serve(arguments, CS_HOME_HOSPITAL, cs_hpc_serve, error);
}

static int run_trust(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_trust(arguments, CS_HOME_HOSPITAL, error);
}

/* -- the table -----------------------------------------------------------------------------------
 */

static const cs_option init_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "what the hospital is called"},
    CS_TOKEN_OPTIONS,
    CS_MEMBER_OPTIONS,
    CS_LISTEN_OPTION,
    {"url", "URL", false, "where doctors reach it; http:// and --listen"},
    {"emergency", "WORD", false, "allow or deny access without a consent; allow"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option ceremony_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "what the hospital is called"},
    CS_CEREMONY_OPTIONS,
    CS_MEMBER_OPTIONS,
    CS_LISTEN_OPTION,
    {"url", "URL", false, "where doctors reach it; http:// and --listen"},
    {"emergency", "WORD", false, "allow or deny access without a consent; allow"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option register_options[] = {CS_SERVICE_REGISTER_OPTIONS};

static const cs_option serve_options[] = {CS_DIR_OPTION, CS_SERVE_OPTIONS, CS_OPTIONS_END};

static const cs_option import_options[] = {
    CS_DIR_OPTION,
    {"patient", "ID", true, "whose record it is"},
    {"department", "DE", true, "the department that it belongs to"},
    {"file", "FILE", true, "the record, of any size"},
    {"media-type", "TYPE", false, "what it is; application/octet-stream"},
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option list_options[] = {
    CS_DIR_OPTION,
    {"patient", "ID", false, "only this patient's"},
    {"department", "DE", false, "only this department's"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option notices_options[] = {
    CS_DIR_OPTION,
    {"acknowledge", "NUMBER", false, "this one is dealt with: drop it"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option status_options[] = {CS_DIR_OPTION, CS_JSON_OPTION, CS_OPTIONS_END};

static const cs_verb verbs[] = {
    {"init", "make the hospital's keys in its token, its home and a request for a certificate",
        init_options,
        "--dir hpc --id hospital.example --token pkcs11:token=hospital --pin-file hpc.pin "
        "--cloud-file cloud.cbor --authority board.pem --crl crl.pem --url "
        "https://hospital.example",
        run_init},
    {"ceremony", CS_CEREMONY_SUMMARY, ceremony_options,
        "--dir hpc --id hospital.example --module /usr/lib/hsm.so --label hospital --operators 3 "
        "--needed 2 --pin-file /run/chartseal/hospital.pin --cloud-file cloud.cbor "
        "--authority board.pem --crl crl.pem",
        run_ceremony},
    {"register", "register with the cloud, by an enrolment code and a certificate",
        register_options,
        "--dir hpc --cloud-url https://cloud.example --code-file hpc.code --certificate hpc.pem",
        run_register},
    {"serve", "answer doctors and publish records until told to stop", serve_options,
        "--dir hpc --listen 0.0.0.0:8441", run_serve},
    {"import", "take a record in: encrypt, sign, keep and publish it", import_options,
        "--dir hpc --patient P-1 --department cardiology --file bundle.json "
        "--media-type application/fhir+json",
        cs_run_hospital_import},
    {"recover", "take over the records of a home whose token was lost; its storage key came back",
        cs_recover_options, "--dir hpc2 --database old/chartseal.db", cs_run_hospital_recover},
    {"list", "the records that are kept, the newest first", list_options,
        "--dir hpc --patient P-1 --department cardiology", cs_run_hospital_list},
    {"notices", "emergency accesses that no person has dealt with yet", notices_options,
        "--dir hpc --acknowledge 7", cs_run_hospital_notices},
    {"status", "what the hospital holds, in numbers", status_options, "--dir hpc",
        cs_run_hospital_status},
    {"telecare upload", "open an episode: upload a report, invite the patient and a doctor (HUP)",
        cs_hospital_telecare_options,
        "--dir hpc --report bundle.json --media-type application/fhir+json --telecare-url "
        "https://telecare.example --patient-credential p.cbor --doctor-credential d.cbor "
        "--doctor-certificate d.pem --patient-invitation p.inv --doctor-invitation d.inv",
        cs_run_hospital_telecare},
    {"trust", CS_TRUST_SUMMARY, cs_trust_options, "--dir hpc --crl crl.pem", run_trust},
    {0},
};

const cs_group cs_hospital_group = {"hospital", "a hospital's private cloud", verbs};
