/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/cmd_patient_visit.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "service/cloud_admin.h"
#include "service/register_client.h"

#define PASSPHRASE_MAX 4096
#define SALT_SIZE 32

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    json_t *config = NULL;
    cs_home *home = NULL;
    int rc = cs_token_config(&config, arguments, error);

    if (rc == CS_OK)
        rc = cs_member_init(&home, CS_HOME_PATIENT, arguments, config, fingerprint, error);
    if (rc == CS_OK)
        rc = cs_print_member(home, fingerprint, "chartseal patient register", arguments, error);
    cs_home_free(&home);
    json_decref(config);
    return rc;
}

/* B' = HMAC(salt, H(BP)) with a fresh salt, which stays on the device. */
static int make_binding(
    cs_home *home, const char *path, uint8_t binding[CS_HASH_SIZE], cs_error *error)
{
    cs_buf passphrase = {.guarded = true};
    uint8_t salt[SALT_SIZE];
    char hex[2 * SALT_SIZE + 1];
    int rc = cs_read_line(&passphrase, path, "passphrase", PASSPHRASE_MAX, error);

    cs_random(salt, sizeof salt);
    cs_hex(CS_VIEW_ARRAY(salt), hex);
    if (rc == CS_OK)
        rc = cs_biometric_binding(
            binding, (cs_view){passphrase.p, passphrase.n - 1}, CS_VIEW_ARRAY(salt), error);
    if (rc == CS_OK)
        rc = cs_home_set_text(home, "binding_salt", hex, error);
    cs_buf_free(&passphrase);
    return rc;
}

static int run_register(const cs_arguments *arguments, cs_error *error)
{
    const char *url = NULL;
    cs_op_counts before = cs_ops_of_thread();
    uint8_t binding[CS_HASH_SIZE];
    cs_opened opened;
    uint8_t code[CS_CODE_SIZE];
    int rc = cs_open_member(&opened, CS_HOME_PATIENT, arguments, error);

    if (rc == CS_OK)
        rc = cs_keep_cloud_url(&url, opened.home, arguments, error);
    if (rc == CS_OK)
        rc = cs_read_code(code, cs_arg(arguments, "code-file"), error);
    if (rc == CS_OK)
        rc = make_binding(opened.home, cs_arg(arguments, "passphrase-file"), binding, error);
    if (rc == CS_OK)
        rc = cs_register_client(opened.home, opened.actor, url, CS_ROLE_PATIENT,
            CS_VIEW_ARRAY(binding), CS_VIEW_ARRAY(code), opened.log, error);
    if (rc == CS_OK)
        rc = cs_print_registered(
            &opened, cs_ops_between(before, cs_ops_of_thread()), arguments, error);
    cs_wipe(binding, sizeof binding);
    cs_wipe(code, sizeof code);
    cs_close_member(&opened);
    return rc;
}

static const cs_option init_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "who the patient is in this cloud"},
    CS_TOKEN_OPTIONS,
    CS_MEMBER_OPTIONS,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option register_options[] = {
    CS_DIR_OPTION,
    {"cloud-url", "URL", false, "where the cloud answers; needed the first time"},
    {"code-file", "FILE", true, "the enrolment code is the first line"},
    {"passphrase-file", "FILE", true, "the passphrase (BP) is the first line; it stays here"},
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_verb verbs[] = {
    {"init", "make the keys in the device's token, and take in whom to trust", init_options,
        "--dir device --id P-000417 --token pkcs11:token=device --cloud-file cloud.cbor "
        "--authority board.pem",
        run_init},
    {"register", "register with the cloud, by an enrolment code", register_options,
        "--dir device --cloud-url https://cloud.example --code-file code --passphrase-file phrase",
        run_register},
    {"visit", "see a doctor: consent, send the signal, receive the diagnosis",
        cs_patient_visit_options,
        "--dir device --station 192.0.2.7:7430 --signal ecg.bin --diagnosis-out diagnosis.txt",
        cs_run_patient_visit},
    {0},
};

const cs_group cs_patient_group = {"patient", "the patient's device", verbs};
