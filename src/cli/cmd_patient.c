/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/biometric_options.h"
#include "cli/cli.h"
#include "cli/cmd_patient_telecare.h"
#include "cli/cmd_patient_visit.h"
#include "cli/output.h"
#include "cli/trust_verb.h"
#include "service/actor.h"
#include "service/biometrics.h"
#include "service/cloud_admin.h"
#include "service/register_client.h"

#include <chartseal/secret.h>

/* In a TPM the authorisation value of the keys comes from BP, and there is no PIN beside it. */
static int choose_pin(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    if (!cs_uri_is_tpm(cs_arg(arguments, "token")))
        return CS_OK;
    if (cs_arg(arguments, "pin-file") != NULL || cs_arg(arguments, "pin-env") != NULL)
        return CS_FAIL(error, CS_E_USAGE,
            "in a TPM the biometric password takes the place of the PIN; leave out --pin-file and "
            "--pin-env");
    if (json_object_set_new(json_object_get(config, "pin"), "from", json_string("biometric")) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a configuration; free some and retry");
    return CS_OK;
}

/* After the home is there, and before there are keys. */
static int enrol(cs_home *home, const cs_biometric *bp, cs_error *error)
{
    uint8_t *h_bp = cs_new_h_bp(error);
    int rc = h_bp == NULL ? CS_E_MEMORY : cs_home_enrol(h_bp, home, bp, error);

    if (rc != CS_OK)
        cs_home_undo(home);
    cs_secret_free(&h_bp);
    return rc;
}

static int make_member(cs_home **home, const cs_arguments *arguments, json_t *config,
    char fingerprint[2 * CS_HASH_SIZE + 1], cs_error *error)
{
    cs_buf bytes = {.guarded = true};
    cs_biometric bp = {0};
    bool given = false;
    int rc = cs_read_biometric(&bp, &given, &bytes, arguments, error);

    *home = NULL;
    if (rc == CS_OK && given)
        rc = choose_pin(config, arguments, error);
    if (rc == CS_OK)
        rc = cs_member_begin(home, CS_HOME_PATIENT, arguments, config, fingerprint, error);
    if (rc == CS_OK && given)
        rc = enrol(*home, &bp, error);
    if (rc == CS_OK)
        rc = cs_member_equip(*home, cs_arg_flag(arguments, "adopt-keys"), error);
    if (rc != CS_OK)
        cs_home_free(home);
    cs_buf_free(&bytes);
    return rc;
}

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    json_t *config = NULL;
    cs_home *home = NULL;
    int rc = cs_token_config(&config, arguments, error);

    if (rc == CS_OK)
        rc = make_member(&home, arguments, config, fingerprint, error);
    if (rc == CS_OK)
        rc = cs_print_member(home, fingerprint, "chartseal patient register", arguments, error);
    cs_home_free(&home);
    json_decref(config);
    return rc;
}

/* H(BP) from what was enrolled. Without an enrolment a template is enrolled now, since no two
 * readings of it are the same; a passphrase is stretched with the salt of this registration. */
static int find_h_bp(
    uint8_t *h_bp, cs_home *home, const cs_biometric *bp, cs_view salt, cs_error *error)
{
    if (cs_home_has_biometric(home))
        return cs_home_recover(h_bp, home, bp, error);
    if (bp->kind == CS_BIOMETRIC_TEMPLATE)
        return cs_home_enrol(h_bp, home, bp, error);
    return cs_biometric_hash(h_bp, bp->bytes, salt, error);
}

/* B' = HMAC(salt, H(BP)) with a fresh salt, which stays on the device. */
static int make_binding(
    uint8_t binding[CS_HASH_SIZE], cs_home *home, const cs_biometric *bp, cs_error *error)
{
    uint8_t *h_bp = cs_new_h_bp(error);
    uint8_t salt[CS_BIOMETRIC_SALT_SIZE];
    char hex[2 * CS_BIOMETRIC_SALT_SIZE + 1];
    int rc = h_bp == NULL ? CS_E_MEMORY : CS_OK;

    cs_random(salt, sizeof salt);
    cs_hex(CS_VIEW_ARRAY(salt), hex);
    if (rc == CS_OK)
        rc = find_h_bp(h_bp, home, bp, CS_VIEW_ARRAY(salt), error);
    if (rc == CS_OK)
        rc = cs_biometric_bind(binding, h_bp, CS_VIEW_ARRAY(salt), error);
    if (rc == CS_OK)
        rc = cs_home_set_text(home, "binding_salt", hex, error);
    cs_secret_free(&h_bp);
    return rc;
}

static int run_register(const cs_arguments *arguments, cs_error *error)
{
    const char *url = NULL;
    cs_op_counts before = cs_ops_of_thread();
    cs_buf bytes = {.guarded = true};
    cs_biometric bp = {0};
    uint8_t binding[CS_HASH_SIZE];
    cs_opened opened = {0};
    uint8_t code[CS_CODE_SIZE];
    int rc = cs_need_biometric(&bp, &bytes, arguments, error);

    if (rc == CS_OK)
        rc = cs_open_home(&opened, CS_HOME_PATIENT, arguments, error);
    if (rc == CS_OK)
        rc = cs_keep_cloud_url(&url, opened.home, arguments, error);
    if (rc == CS_OK)
        rc = cs_read_code(code, cs_arg(arguments, "code-file"), error);
    if (rc == CS_OK)
        rc = make_binding(binding, opened.home, &bp, error);
    if (rc == CS_OK)
        rc = cs_open_party(&opened, arguments, error);
    if (rc == CS_OK)
        rc = cs_register_client(opened.home, opened.actor, url, CS_ROLE_PATIENT,
            CS_VIEW_ARRAY(binding), CS_VIEW_ARRAY(code), opened.log, error);
    if (rc == CS_OK)
        rc = cs_print_registered(
            &opened, cs_ops_between(before, cs_ops_of_thread()), arguments, error);
    cs_wipe(binding, sizeof binding);
    cs_wipe(code, sizeof code);
    cs_buf_free(&bytes);
    cs_close_member(&opened);
    return rc;
}

static int run_trust(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_trust(arguments, CS_HOME_PATIENT, error);
}

static const cs_option init_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "who the patient is in this cloud"},
    CS_TOKEN_OPTIONS,
    CS_MEMBER_OPTIONS,
    CS_BIOMETRIC_OPTIONS,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option register_options[] = {
    CS_DIR_OPTION,
    {"cloud-url", "URL", false, "where the cloud answers; needed the first time"},
    {"code-file", "FILE", true, "the enrolment code is the first line"},
    CS_BIOMETRIC_OPTIONS,
    CS_WIRE_LOG_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_verb verbs[] = {
    {"init", "make the keys in the device's token, and take in whom to trust", init_options,
        "--dir device --id P-000417 --token pkcs11:token=device --cloud-file cloud.cbor "
        "--authority board.pem --crl crl.pem --template iris",
        run_init},
    {"register", "register with the cloud, by an enrolment code", register_options,
        "--dir device --cloud-url https://cloud.example --code-file code --template iris",
        run_register},
    {"visit", "see a doctor: consent, send the signal, receive the diagnosis",
        cs_patient_visit_options,
        "--dir device --station 192.0.2.7:7430 --signal ecg.bin --diagnosis-out diagnosis.txt",
        cs_run_patient_visit},
    {"telecare upload", "read the hospital's report, send a measurement (PUP)",
        cs_patient_upload_options,
        "--dir device --invitation hospital.inv --measurement ecg.bin --report-out report.json",
        cs_run_patient_upload},
    {"telecare read", "read the doctor's diagnosis, keep a copy of all at the cloud (CP)",
        cs_patient_read_options,
        "--dir device --invitation hospital.inv --diagnosis-out diagnosis.txt",
        cs_run_patient_read},
    {"trust", CS_TRUST_SUMMARY, cs_trust_options, "--dir device --crl crl.pem", run_trust},
    {0},
};

const cs_group cs_patient_group = {"patient", "the patient's device", verbs};
