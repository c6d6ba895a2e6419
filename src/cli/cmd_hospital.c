/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certificates.h"
#include "cli/cli.h"
#include "cli/cmd_hospital_records.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/serve_options.h"
#include "cli/trust_verb.h"
#include "service/cloud_admin.h"
#include "service/hospital_service.h"
#include "service/register_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_DEFAULT "127.0.0.1:8441"

/* -- init ----------------------------------------------------------------------------------------
 */

/* What doctors will be sent to: of http or https, a host, and nothing that hides which. */
static int check_url(const char *url, cs_error *error)
{
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : "";
    size_t n = strcspn(host, "/");

    if (n == 0 || strcspn(host, " ?#@\\") < n)
        return CS_FAIL(error, CS_E_USAGE,
            "--url '%s' is no address of a service; it is http:// or https:// and HOST[:PORT]",
            url);
    return CS_OK;
}

/* "listen", "url" (where doctors reach the service) and "emergency". */
static int add_config(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    const char *emergency = cs_arg_or(arguments, "emergency", "allow");
    const char *url = cs_arg(arguments, "url");
    json_t *value;
    int rc = cs_listen_config(config, arguments, LISTEN_DEFAULT, error);

    if (rc != CS_OK)
        return rc;
    if (strcmp(emergency, "allow") != 0 && strcmp(emergency, "deny") != 0)
        return CS_FAIL(error, CS_E_USAGE, "--emergency is allow or deny, not '%s'", emergency);
    rc = cs_arg_text(arguments, "url", CS_URL_MAX, error);
    if (rc == CS_OK && url != NULL)
        rc = check_url(url, error);
    if (rc != CS_OK)
        return rc;
    value = url != NULL
                ? json_string(url)
                : json_sprintf("http://%s", json_string_value(json_object_get(config, "listen")));
    if (json_string_length(value) > CS_URL_MAX) {
        json_decref(value);
        return CS_FAIL(
            error, CS_E_USAGE, "http:// and --listen are longer than %d bytes", CS_URL_MAX);
    }
    if (json_object_set_new(config, "url", value) != 0 ||
        json_object_set_new(config, "emergency", json_string(emergency)) != 0)
        return CS_FAIL(error, CS_E_USAGE, "--url is not UTF-8 text");
    return CS_OK;
}

static int ask_for_certificate(cs_home *home, cs_error *error)
{
    cs_actor *actor = NULL;
    int rc = cs_actor_open(&actor, home, true, error);

    if (rc == CS_OK)
        rc = cs_request_write(home, actor, home->id, NULL, error);
    cs_actor_free(&actor);
    return rc;
}

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    json_t *config = NULL;
    cs_home *home = NULL;
    int rc = cs_token_config(&config, arguments, error);

    if (rc == CS_OK)
        rc = add_config(config, arguments, error);
    if (rc == CS_OK)
        rc = cs_member_init(&home, CS_HOME_HOSPITAL, arguments, config, fingerprint, error);
    if (rc == CS_OK) {
        rc = ask_for_certificate(home, error);
        if (rc != CS_OK)
            cs_home_undo(home);
    }
    if (rc == CS_OK)
        rc = cs_print_member(home, fingerprint,
            "have request.pem certified, then chartseal hospital register", arguments, error);
    cs_home_free(&home);
    json_decref(config);
    return rc;
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
    const char *certificate = cs_arg(arguments, "certificate");
    const char *url = NULL;
    uint8_t code[CS_CODE_SIZE] = {0};
    cs_op_counts ops = cs_ops_of_thread();
    cs_opened opened;
    int lock = -1;
    int rc = cs_open_member(&opened, CS_HOME_HOSPITAL, arguments, error);

    /* A service that goes on with the old S_X would answer nobody who reads the new index. */
    if (rc == CS_OK)
        rc = cs_home_lock(&lock, opened.home, true, error);
    if (rc == CS_OK)
        rc = cs_cloud_url(&url, opened.home, arguments, error);
    if (rc == CS_OK)
        rc = cs_read_code(code, cs_arg(arguments, "code-file"), error);
    if (rc == CS_OK && certificate != NULL)
        rc = cs_certificate_install(opened.home, opened.actor, certificate, error);
    if (rc == CS_OK && opened.actor->certificate.n == 0)
        rc = CS_FAIL(error, CS_E_USAGE, "--certificate PEM is missing: none is there yet");
    if (rc == CS_OK)
        rc = cs_home_set_text(opened.home, "cloud_url", url, error);
    if (rc == CS_OK)
        rc = cs_register_client(opened.home, opened.actor, url, CS_ROLE_HOSPITAL, (cs_view){0},
            CS_VIEW_ARRAY(code), opened.log, error);
    if (lock >= 0)
        (void)close(lock);
    if (rc == CS_OK)
        ops = cs_ops_between(ops, cs_ops_of_thread());
    if (rc == CS_OK)
        rc = publish_again(opened.home, error);
    if (rc == CS_OK)
        rc = cs_print_registered(&opened, ops, arguments, error);
    cs_wipe(code, sizeof code);
    cs_close_member(&opened);
    return rc;
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

static const cs_option register_options[] = {
    CS_DIR_OPTION,
    {"cloud-url", "URL", false, "where the cloud answers; else as the last time"},
    {"code-file", "FILE", true, "the enrolment code is the first line"},
    {"certificate", "PEM", false, "the certificate for request.pem; else the one that is there"},
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

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
    {"list", "the records that are kept, the newest first", list_options,
        "--dir hpc --patient P-1 --department cardiology", cs_run_hospital_list},
    {"notices", "emergency accesses that no person has dealt with yet", notices_options,
        "--dir hpc --acknowledge 7", cs_run_hospital_notices},
    {"status", "what the hospital holds, in numbers", status_options, "--dir hpc",
        cs_run_hospital_status},
    {"trust", CS_TRUST_SUMMARY, cs_trust_options, "--dir hpc --crl crl.pem", run_trust},
    {0},
};

const cs_group cs_hospital_group = {"hospital", "a hospital's private cloud", verbs};
