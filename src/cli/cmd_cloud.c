/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ceremony_verb.h"
#include "cli/cli.h"
#include "cli/cmd_cloud_telecare.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/serve_options.h"
#include "cli/survivor_report.h"
#include "cli/trust_verb.h"
#include "service/actor.h"
#include "service/attestations.h"
#include "service/cloud_admin.h"
#include "service/cloud_service.h"

#include <stdio.h>
#include <string.h>

#define PEM_FILE_MAX (2 * (size_t)CS_CRL_MAX)
#define LISTEN_DEFAULT "127.0.0.1:8440"

/* -- init ----------------------------------------------------------------------------------------
 */

/* A role whose TPMs nobody certifies could never register. */
static int attestation_config(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    const char *roles = cs_arg(arguments, "require-attestation");
    int rc;

    if (roles == NULL)
        return CS_OK;
    if (cs_arg(arguments, "tpm-roots") == NULL)
        return CS_FAIL(error, CS_E_USAGE,
            "--require-attestation wants --tpm-roots too: without a manufacturer's word a program "
            "passes for a TPM");
    rc = cs_attestation_check_roles(roles, error);
    if (rc == CS_OK && json_object_set_new(config, "require_attestation", json_string(roles)) != 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for config.json");
    return rc;
}

/* Whom the cloud believes: doctors' and hospitals' certificates are checked against the first,
 * their TPMs' against the makers, which are any number of CA certificates. */
typedef struct believed {
    cs_buf authorities, crl, makers;
} believed;

static void free_believed(believed *in)
{
    cs_buf_free(&in->authorities);
    cs_buf_free(&in->crl);
    cs_buf_free(&in->makers);
}

static int read_if_given(
    cs_buf *out, const char *option, size_t limit, const cs_arguments *arguments, cs_error *error)
{
    const char *file = cs_arg(arguments, option);

    return file == NULL ? CS_OK : cs_file_read(out, file, limit, error);
}

static int check_trust(const cs_buf *authorities, const cs_buf *crl, cs_error *error)
{
    cs_trust *trust = NULL;
    int rc = cs_trust_new(&trust, cs_view_buf(authorities), cs_view_buf(crl), error);

    cs_trust_free(&trust);
    return rc;
}

static int read_believed(believed *out, const cs_arguments *arguments, cs_error *error)
{
    static const cs_buf none;
    int rc = cs_file_read(&out->authorities, cs_arg(arguments, "authority"), PEM_FILE_MAX, error);

    if (rc == CS_OK)
        rc = read_if_given(&out->crl, "crl", PEM_FILE_MAX, arguments, error);
    if (rc == CS_OK)
        rc = check_trust(&out->authorities, &out->crl, error);
    if (rc == CS_OK)
        rc = read_if_given(&out->makers, "tpm-roots", CS_TPM_MAKERS_MAX, arguments, error);
    if (rc == CS_OK && out->makers.n > 0 && check_trust(&out->makers, &none, error) != CS_OK)
        rc = cs_error_context(error, "%s", cs_arg(arguments, "tpm-roots"));
    return rc;
}

static int add_config(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    int64_t days;
    int rc = cs_listen_config(config, arguments, LISTEN_DEFAULT, error);

    if (rc == CS_OK)
        rc = cs_arg_number(&days, arguments, "credential-days", CS_CREDENTIAL_DAYS, 1, 3650, error);
    if (rc == CS_OK &&
        json_object_set_new(config, "credential_days", json_sprintf("%lld", (long long)days)) != 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for config.json");
    return rc == CS_OK ? attestation_config(config, arguments, error) : rc;
}

/* What is in the home beyond config.json. */
static int found(cs_home *home, const believed *in, cs_error *error)
{
    cs_actor *actor = NULL;
    int rc = cs_home_write(home, "authorities.pem", cs_view_buf(&in->authorities), error);

    if (rc == CS_OK && in->crl.n > 0)
        rc = cs_home_write(home, "crl.pem", cs_view_buf(&in->crl), error);
    if (rc == CS_OK && in->makers.n > 0)
        rc = cs_home_write(home, CS_TPM_MAKERS_FILE, cs_view_buf(&in->makers), error);
    if (rc == CS_OK)
        rc = cs_actor_open(&actor, home, false, error);
    if (rc == CS_OK)
        rc = cs_cloud_found(home, actor, error);
    cs_actor_free(&actor);
    return rc;
}

/* Home, keys and parameters. pin: NULL, or where the PIN is now. */
static int make_cloud(cs_home **out, const cs_arguments *arguments, cs_suite suite,
    const json_t *config, const cs_pin_source *pin, bool adopt, cs_error *error)
{
    cs_token *token = NULL;
    believed in = {0};
    int rc = read_believed(&in, arguments, error);

    if (rc == CS_OK)
        rc = cs_home_create(out, cs_arg(arguments, "dir"), CS_HOME_CLOUD, cs_arg(arguments, "id"),
            suite, config, error);
    if (rc == CS_OK && pin != NULL)
        (*out)->pin = *pin;
    if (rc == CS_OK)
        rc = cs_home_equip(&token, *out, adopt, error);
    cs_token_close(&token);
    if (rc == CS_OK) {
        rc = found(*out, &in, error);
        if (rc != CS_OK)
            cs_home_undo(*out);
    }
    free_believed(&in);
    return rc;
}

static int print_cloud(const cs_home *home, const cs_arguments *arguments, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    int rc = cs_home_fingerprint(fingerprint, home, error);

    if (rc != CS_OK)
        return rc;
    cs_warn_lists(home);
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:s, s:s, s:s, s:s+, s:s, s:O, s:i, s:o}", "ok", 1, "role", "cloud",
                "id", home->id, "suite", cs_suite_name(home->suite), "parameters", home->dir,
                "/cloud.cbor", "fingerprint", fingerprint, "keys",
                json_object_get(home->config, "keys"), "adopted", (int)home->adopted, "token_ops",
                cs_ops_json(cs_ops_of_thread())),
            error);
    cs_say_made(home);
    cs_say("hand out %s/cloud.cbor; its fingerprint, to be told another way, is", home->dir);
    cs_say("  %s", fingerprint);
    return CS_OK;
}

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    cs_home *home = NULL;
    json_t *config = NULL;
    cs_suite suite;
    int rc = cs_arg_suite(&suite, arguments, error);

    if (rc == CS_OK)
        rc = cs_token_config(&config, arguments, error);
    if (rc == CS_OK)
        rc = add_config(config, arguments, error);
    if (rc == CS_OK)
        rc = make_cloud(
            &home, arguments, suite, config, NULL, cs_arg_flag(arguments, "adopt-keys"), error);
    if (rc == CS_OK)
        rc = print_cloud(home, arguments, error);
    cs_home_free(&home);
    json_decref(config);
    return rc;
}

/* -- ceremony ------------------------------------------------------------------------------------
 */

static int prepare(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    believed in = {0};
    int rc = read_believed(&in, arguments, error);

    if (rc == CS_OK)
        rc = add_config(config, arguments, error);
    free_believed(&in);
    return rc;
}

/* A PKCS#11 token issues in this suite alone. */
static int make_by_ceremony(cs_home **out, const cs_arguments *arguments, const json_t *config,
    const cs_pin_source *pin, cs_error *error)
{
    return make_cloud(out, arguments, CS_SUITE_ED25519, config, pin, false, error);
}

static int run_ceremony(const cs_arguments *arguments, cs_error *error)
{
    static const cs_ceremony_role role = {CS_HOME_CLOUD, prepare, make_by_ceremony,
        "hand out cloud.cbor, its fingerprint by another way; chartseal token combine, cloud "
        "serve"};

    return cs_run_ceremony(arguments, &role, error);
}

/* -- enrol, revoke, status -----------------------------------------------------------------------
 */

typedef struct opened_cloud {
    cs_home *home;
    cs_server *server;
    cs_worker *worker;
} opened_cloud;

static int open_cloud(opened_cloud *out, const cs_arguments *arguments, cs_error *error)
{
    int rc;

    *out = (opened_cloud){0};
    rc = cs_home_open(&out->home, cs_arg(arguments, "dir"), CS_HOME_CLOUD, error);
    if (rc == CS_OK)
        rc = cs_server_open(&out->server, out->home, error);
    if (rc == CS_OK)
        rc = cs_worker_open(&out->worker, out->server, error);
    return rc;
}

static void close_cloud(opened_cloud *cloud)
{
    cs_worker_close(&cloud->worker);
    cs_server_close(&cloud->server);
    cs_home_free(&cloud->home);
}

static const char *code_file(const cs_arguments *arguments)
{
    const char *file = cs_arg(arguments, "code-file");

    return file == NULL || cs_is_stdout(file) ? NULL : file;
}

static int print_code(const char *text, const cs_arguments *arguments, cs_error *error)
{
    const char *file = code_file(arguments);

    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:s, s:s, s:s, s:o}", "ok", 1, "role", cs_arg(arguments, "role"), "id",
                cs_arg(arguments, "id"), file == NULL ? "code" : "code_file",
                file == NULL ? text : file, "token_ops", cs_ops_json(cs_ops_of_thread())),
            error);
    return CS_OK;
}

static int give_code(
    const uint8_t code[CS_CODE_SIZE], const cs_arguments *arguments, cs_error *error)
{
    const char *file = code_file(arguments);
    char text[CS_CODE_TEXT_SIZE];
    char line[CS_CODE_TEXT_SIZE + 1];
    int rc = CS_OK;

    cs_code_print(code, text);
    (void)snprintf(line, sizeof line, "%s\n", text);
    if (file != NULL || !cs_arg_flag(arguments, "json"))
        rc = cs_write_output(file == NULL ? "-" : file, cs_view_str(line), 0600, error);
    if (rc == CS_OK)
        rc = print_code(text, arguments, error);
    cs_wipe(line, sizeof line);
    cs_wipe(text, sizeof text);
    return rc;
}

static int run_enrol(const cs_arguments *arguments, cs_error *error)
{
    const char *id = cs_arg(arguments, "id");
    opened_cloud cloud = {0};
    uint8_t code[CS_CODE_SIZE];
    cs_role role;
    int64_t days;
    int rc = cs_check_output(arguments, "code-file", true, error);

    if (rc == CS_OK)
        rc = cs_role_from_name(&role, cs_arg(arguments, "role"), error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "id", CS_ID_MAX, error);
    if (rc == CS_OK)
        rc = cs_arg_number(
            &days, arguments, "days", CS_ENROLMENT_DAYS, 1, CS_ENROLMENT_DAYS_MAX, error);
    if (rc == CS_OK)
        rc = open_cloud(&cloud, arguments, error);
    cs_random(code, sizeof code);
    /* a code that reached nobody must admit nobody */
    if (rc == CS_OK)
        cs_server_seal(cloud.server, cloud.worker);
    if (rc == CS_OK)
        rc = give_code(code, arguments, error);
    if (rc == CS_OK) {
        rc = cs_cloud_enrol(cloud.server, cloud.worker, role, id, days, code, error);
        if (rc != CS_OK)
            rc = cs_error_context(error, "the code that was given out admits nobody");
    }
    cs_wipe(code, sizeof code);
    close_cloud(&cloud);
    return rc;
}

static int revoke(
    opened_cloud *cloud, uint64_t *serial, const cs_arguments *arguments, cs_error *error)
{
    const char *role_name = cs_arg(arguments, "role");
    const char *id = cs_arg(arguments, "id");
    cs_role role;
    int64_t number;
    int rc;

    if (cs_arg(arguments, "serial") != NULL) {
        rc = cs_arg_number(&number, arguments, "serial", 0, 1, (int64_t)CS_SERIAL_MAX, error);
        *serial = (uint64_t)number;
        return rc != CS_OK ? rc
                           : cs_cloud_revoke_serial(cloud->server, cloud->worker, *serial, error);
    }
    rc = cs_role_from_name(&role, role_name, error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "id", CS_ID_MAX, error);
    if (rc == CS_OK)
        rc = cs_cloud_revoke_party(cloud->server, cloud->worker, role, id, serial, error);
    return rc;
}

static int run_revoke(const cs_arguments *arguments, cs_error *error)
{
    bool by_serial = cs_arg(arguments, "serial") != NULL;
    bool by_party = cs_arg(arguments, "role") != NULL && cs_arg(arguments, "id") != NULL;
    bool any_party = cs_arg(arguments, "role") != NULL || cs_arg(arguments, "id") != NULL;
    opened_cloud cloud = {0};
    uint64_t serial = 0;
    int rc;

    if (by_serial == by_party || (by_serial && any_party))
        return CS_FAIL(error, CS_E_USAGE, "give --serial, or both --role and --id");
    rc = open_cloud(&cloud, arguments, error);
    if (rc == CS_OK)
        rc = revoke(&cloud, &serial, arguments, error);
    if (rc == CS_OK)
        cs_server_seal(cloud.server, cloud.worker);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = cs_print_json(json_pack("{s:b, s:I}", "ok", 1, "serial", (json_int_t)serial), error);
    else if (rc == CS_OK)
        cs_say("revoked credential %llu; a running service hands out the new list in a second",
            (unsigned long long)serial);
    close_cloud(&cloud);
    return rc;
}

static int run_serve(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_serve(arguments, CS_HOME_CLOUD, cs_cloud_serve, error);
}

static void say_status(const cs_home *home, const json_t *report)
{
    const json_t *audit = json_object_get(report, "audit");
    const json_t *attested = json_object_get(report, "attested");

    cs_say("cloud %s, suite %s, listens on %s", home->id, cs_suite_name(home->suite),
        cs_home_text(home, "listen"));
    cs_say("  credentials %lld, enrolment codes %lld, index rows %lld",
        (long long)json_integer_value(json_object_get(report, "credential")),
        (long long)json_integer_value(json_object_get(report, "enrolment")),
        (long long)json_integer_value(json_object_get(report, "index_row")));
    cs_say("  keys of credentials in force: genuine TPM %lld, bound to a TPM %lld, stated %lld, "
           "not attested %lld",
        (long long)json_integer_value(json_object_get(attested, "genuine")),
        (long long)json_integer_value(json_object_get(attested, "bound")),
        (long long)json_integer_value(json_object_get(attested, "stated")),
        (long long)json_integer_value(json_object_get(attested, "none")));
    cs_say("  audit entries %lld, sealed to %lld",
        (long long)json_integer_value(json_object_get(audit, "entries")),
        (long long)json_integer_value(json_object_get(audit, "sealed")));
}

static int run_status(const cs_arguments *arguments, cs_error *error)
{
    static const char *const tables[] = {"credential", "enrolment", "index_row", NULL};
    cs_home *home = NULL;
    cs_store *store = NULL;
    json_t *report = NULL;
    json_t *attested = NULL;
    char path[CS_PATH_MAX];
    int rc = cs_home_open(&home, cs_arg(arguments, "dir"), CS_HOME_CLOUD, error);

    if (rc == CS_OK) {
        cs_home_path(home, "chartseal.db", path);
        rc = cs_store_open(&store, path, error);
    }
    if (rc == CS_OK)
        rc = cs_store_report(&report, store, tables, error);
    if (rc == CS_OK)
        rc = cs_attestation_report(&attested, store, cs_clock_ms(), error);
    if (rc == CS_OK && json_object_set_new(report, "attested", attested) != 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    if (rc == CS_OK && cs_arg_flag(arguments, "json")) {
        if (json_object_set_new(report, "id", json_string(home->id)) != 0 ||
            json_object_set_new(report, "suite", json_string(cs_suite_name(home->suite))) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
        if (rc == CS_OK)
            rc = cs_trust_report(report, home, error);
        if (rc == CS_OK)
            rc = cs_survivor_report(report, home, error);
        if (rc == CS_OK)
            rc = cs_print_json(json_incref(report), error);
    } else if (rc == CS_OK) {
        say_status(home, report);
        cs_say_trust(home);
        cs_say_survivor(home);
    }
    json_decref(report);
    cs_store_close(&store);
    cs_home_free(&home);
    return rc;
}

/* -- attestation: what a TPM said when a party registered */

static int print_attestation(const cs_attestation_found *found, const cs_buf *said,
    const cs_arguments *arguments, cs_error *error)
{
    const char *file = cs_arg(arguments, "out");
    int rc = CS_OK;

    if (file != NULL && said->n > 0)
        rc = cs_write_output(file, cs_view_buf(said), 0644, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:s, s:s, s:I, s:s, s:o}", "ok", 1, "role", cs_arg(arguments, "role"),
                "id", cs_arg(arguments, "id"), "serial", (json_int_t)found->serial, "attested",
                cs_attested_name(found->attested), "attestation",
                said->n == 0 ? json_null() : cs_hex_json(cs_view_buf(said))),
            error);
    if (rc == CS_OK && file == NULL)
        cs_say("credential %llu: attested %s", (unsigned long long)found->serial,
            cs_attested_name(found->attested));
    return rc;
}

static int run_attestation(const cs_arguments *arguments, cs_error *error)
{
    cs_attestation_found found = {0};
    opened_cloud cloud = {0};
    cs_buf said = {0};
    cs_role role;
    int rc = cs_check_output(arguments, "out", false, error);

    if (rc == CS_OK)
        rc = cs_role_from_name(&role, cs_arg(arguments, "role"), error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "id", CS_ID_MAX, error);
    if (rc == CS_OK)
        rc = open_cloud(&cloud, arguments, error);
    if (rc == CS_OK)
        rc = cs_attestation_find(
            &found, &said, cloud.server, cloud.worker, role, cs_arg(arguments, "id"), error);
    if (rc == CS_OK)
        rc = print_attestation(&found, &said, arguments, error);
    cs_buf_free(&said);
    close_cloud(&cloud);
    return rc;
}

static int run_trust(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_trust(arguments, CS_HOME_CLOUD, error);
}

/* -- the table -----------------------------------------------------------------------------------
 */

#define MAKERS_OPTIONS                                                                             \
    {"tpm-roots", "PEM", false,                                                                    \
        "manufacturers of TPMs whose endorsement certificates are believed"},                      \
    {                                                                                              \
        "require-attestation", "ROLES", false,                                                     \
            "who has to keep the keys in such a TPM: patient, doctor, hospital, cloud, with "      \
            "commas"                                                                               \
    }

static const cs_option init_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "what the cloud is called"},
    CS_TOKEN_OPTIONS,
    {"suite", "NAME", false, "ed25519 (PKCS#11 tokens) or p256 (TPM); ed25519"},
    {"authority", "PEM", true, "the medical authorities to trust"},
    {"crl", "PEM", false, "their revocation lists"},
    MAKERS_OPTIONS,
    {"credential-days", "N", false, "how long a credential is good for; 365"},
    CS_LISTEN_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option ceremony_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "what the cloud is called"},
    CS_CEREMONY_OPTIONS,
    {"authority", "PEM", true, "the medical authorities to trust"},
    {"crl", "PEM", false, "their revocation lists"},
    {"credential-days", "N", false, "how long a credential is good for; 365"},
    MAKERS_OPTIONS,
    CS_LISTEN_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option enrol_options[] = {
    CS_DIR_OPTION,
    {"role", "ROLE", true, "patient, hospital, cloud, or doctor who was revoked or has new keys"},
    {"id", "ID", true, "whom the code admits"},
    {"days", "N", false, "how long it is good for; 7"},
    {"code-file", "FILE", false, "where the code goes (mode 0600); else standard output"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option revoke_options[] = {
    CS_DIR_OPTION,
    {"serial", "N", false, "the credential's serial number"},
    {"role", "ROLE", false, "or whose it is: patient, doctor, hospital or cloud"},
    {"id", "ID", false, "and the identity"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option attestation_options[] = {
    CS_DIR_OPTION,
    {"role", "ROLE", true, "patient, doctor, hospital or cloud"},
    {"id", "ID", true, "whose keys"},
    {"out", "FILE", false, "what the TPM said, as R1 carried it (docs/protocol.md)"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option serve_options[] = {CS_DIR_OPTION, CS_SERVE_OPTIONS, CS_OPTIONS_END};
static const cs_option status_options[] = {CS_DIR_OPTION, CS_JSON_OPTION, CS_OPTIONS_END};

static const cs_verb verbs[] = {
    {"init", "make the cloud's keys in its token, its parameters and its home", init_options,
        "--dir cloud --id pc.example --token pkcs11:token=cloud --pin-file cloud.pin "
        "--authority board.pem --crl crl.pem",
        run_init},
    {"ceremony", CS_CEREMONY_SUMMARY, ceremony_options,
        "--dir cloud --id pc.example --module /usr/lib/hsm.so --label cloud --operators 5 "
        "--needed 3 --pin-file /run/chartseal/cloud.pin --authority board.pem --crl crl.pem",
        run_ceremony},
    {"enrol", "make a code that admits one party, once", enrol_options,
        "--dir cloud --role patient --id P-1 --code-file p1.code", run_enrol},
    {"revoke", "revoke a credential, by its serial or by whose it is", revoke_options,
        "--dir cloud --role doctor --id D-1", run_revoke},
    {"serve", "answer registrations, publications and searches until told to stop", serve_options,
        "--dir cloud --listen 0.0.0.0:8440", run_serve},
    {"status", "what the cloud holds, in numbers", status_options, "--dir cloud", run_status},
    {"attestation", "what a TPM said of a party's keys when it registered", attestation_options,
        "--dir cloud --role patient --id P-1", run_attestation},
    {"trust", CS_TRUST_SUMMARY, cs_trust_options, "--dir cloud --crl crl.pem", run_trust},
    {"telecare init", "make the keys and the home of a telecare cloud, and a certificate request",
        cs_telecare_init_options,
        "--dir tc --id telecare.example --token pkcs11:token=tc --pin-file tc.pin --cloud-file "
        "cloud.cbor --authority board.pem --crl crl.pem --url https://telecare.example",
        cs_run_telecare_init},
    {"telecare register", "register the telecare cloud with this one", cs_telecare_register_options,
        "--dir tc --cloud-url https://cloud.example --code-file tc.code --certificate tc.pem",
        cs_run_telecare_register},
    {"telecare serve", "keep the records of episodes until told to stop", cs_telecare_serve_options,
        "--dir tc --listen 0.0.0.0:8442", cs_run_telecare_serve},
    {"telecare list", "what is kept: how much, until when; it cannot say whose",
        cs_telecare_list_options, "--dir tc", cs_run_telecare_list},
    {"telecare status", "what the telecare cloud holds, in numbers", cs_telecare_status_options,
        "--dir tc", cs_run_telecare_status},
    {"telecare trust", CS_TRUST_SUMMARY, cs_trust_options, "--dir tc --crl crl.pem",
        cs_run_telecare_trust},
    {0},
};

const cs_group cs_cloud_group = {
    "cloud", "the public cloud: key generation centre and index; and the cloud of telecare", verbs};
