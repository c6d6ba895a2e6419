/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "service/authority.h"

#include <string.h>

#define PEM_MAX 65536 /* of one request or certificate */
#define SERIAL_HEX (2 * 8 + 1)

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    json_t *config = NULL;
    cs_home *home = NULL;
    cs_token *token = NULL;
    cs_actor *actor = NULL;
    int rc = cs_token_config(&config, arguments, error);

    if (rc == CS_OK)
        rc = cs_home_init(&home, &token, cs_arg(arguments, "dir"), CS_HOME_AUTHORITY,
            cs_arg(arguments, "name"), CS_SUITE_P256, config, cs_arg_flag(arguments, "adopt-keys"),
            error);
    cs_token_close(&token);
    if (rc != CS_OK)
        goto out;
    rc = cs_actor_open(&actor, home, false, error);
    if (rc == CS_OK)
        rc = cs_authority_found(home, actor, error);
    if (rc != CS_OK) {
        cs_home_undo(home);
        goto out;
    }
    if (cs_arg_flag(arguments, "json"))
        rc = cs_print_json(
            json_pack("{s:b, s:s, s:s+, s:s+, s:O, s:i, s:o}", "ok", 1, "name", home->id,
                "certificate", home->dir, "/certificate.pem", "crl", home->dir, "/crl.pem", "keys",
                json_object_get(home->config, "keys"), "adopted", (int)home->adopted, "token_ops",
                cs_ops_json(cs_ops_of_thread())),
            error);
    if (rc == CS_OK && !cs_arg_flag(arguments, "json")) {
        cs_say_made(home);
        cs_say("hand certificate.pem and crl.pem in it to those who trust this authority");
    }
out:
    cs_actor_free(&actor);
    cs_home_free(&home);
    json_decref(config);
    return rc;
}

static int open_authority(
    cs_home **home, cs_actor **actor, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_home_open(home, cs_arg(arguments, "dir"), CS_HOME_AUTHORITY, error);

    return rc == CS_OK ? cs_actor_open(actor, *home, false, error) : rc;
}

static int print_issued(
    const cs_issued *issued, cs_op_counts ops, const cs_arguments *arguments, cs_error *error)
{
    char serial[SERIAL_HEX];
    const cs_holder *holder = &issued->holder;
    char name[CS_HOLDER_TEXT_MAX + 1];
    char id[CS_HOLDER_TEXT_MAX + 1];

    cs_hex(CS_VIEW_ARRAY(issued->serial), serial);
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "ok", 1, "name",
                                 holder->name, "role", holder->role, "id", holder->id, "usage",
                                 issued->agrees ? "agree" : "sign", "serial", serial, "not_after",
                                 (json_int_t)issued->not_after, "token_ops", cs_ops_json(ops)),
            error);
    if (!cs_is_stdout(cs_arg(arguments, "out")))
        cs_say("issued a certificate%s to %s, %s %s, serial %s: %s",
            issued->agrees ? " for key agreement" : "",
            cs_printable(name, sizeof name, holder->name), holder->role,
            cs_printable(id, sizeof id, holder->id), serial, cs_arg(arguments, "out"));
    return CS_OK;
}

static int run_issue(const cs_arguments *arguments, cs_error *error)
{
    cs_home *home = NULL;
    cs_actor *actor = NULL;
    const char *agree_key = cs_arg(arguments, "agree-key");
    cs_buf request = {0};
    cs_buf agree = {0};
    cs_buf certificate = {0};
    cs_issued issued;
    int64_t days;
    cs_op_counts before = cs_ops_of_thread();
    int rc = cs_arg_number(
        &days, arguments, "days", CS_CERTIFICATE_DAYS_DEFAULT, 1, CS_CERTIFICATE_DAYS_MAX, error);

    if (rc == CS_OK)
        rc = cs_check_output(arguments, "out", true, error);
    if (rc == CS_OK)
        rc = cs_file_read(&request, cs_arg(arguments, "request"), PEM_MAX, error);
    if (rc == CS_OK && agree_key != NULL)
        rc = cs_file_read(&agree, agree_key, PEM_MAX, error);
    if (rc == CS_OK && agree_key != NULL && agree.n == 0)
        rc = CS_FAIL(error, CS_E_MALFORMED, "%s is empty; it has to be a public key", agree_key);
    if (rc == CS_OK)
        rc = open_authority(&home, &actor, arguments, error);
    if (rc == CS_OK)
        rc = cs_authority_issue(home, actor, cs_view_buf(&request), cs_view_buf(&agree), days,
            &issued, &certificate, error);
    if (rc == CS_OK)
        rc = cs_write_output(cs_arg(arguments, "out"), cs_view_buf(&certificate), 0644, error);
    if (rc == CS_OK)
        rc = print_issued(&issued, cs_ops_between(before, cs_ops_of_thread()), arguments, error);
    cs_buf_free(&request);
    cs_buf_free(&agree);
    cs_buf_free(&certificate);
    cs_actor_free(&actor);
    cs_home_free(&home);
    return rc;
}

static int serial_of_file(uint8_t serial[8], const char *path, cs_error *error)
{
    cs_buf pem = {0};
    cs_buf der = {0};
    int rc = cs_file_read(&pem, path, PEM_MAX, error);

    if (rc == CS_OK)
        rc = cs_pem_decode(&der, "CERTIFICATE", cs_view_buf(&pem), error);
    if (rc == CS_OK)
        rc = cs_certificate_serial(cs_view_buf(&der), serial, error);
    cs_buf_free(&pem);
    cs_buf_free(&der);
    return rc;
}

/* --serial or --certificate, one of the two. */
static int which_serial(uint8_t serial[8], const cs_arguments *arguments, cs_error *error)
{
    const char *hex = cs_arg(arguments, "serial");
    const char *file = cs_arg(arguments, "certificate");
    cs_buf bytes = {0};
    int rc;

    if ((hex == NULL) == (file == NULL))
        return CS_FAIL(error, CS_E_USAGE, "give --serial or --certificate, one of the two");
    if (file != NULL)
        return serial_of_file(serial, file, error);
    rc = cs_unhex(&bytes, hex, error);
    if (rc == CS_OK && bytes.n == 8)
        memcpy(serial, bytes.p, 8);
    else
        rc = CS_FAIL(error, CS_E_USAGE, "--serial '%s' is not the 16 hex digits of a serial", hex);
    cs_buf_free(&bytes);
    return rc;
}

typedef int (*list_fn)(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error);

/* change == NULL: the list as it is. */
static int write_list(
    const cs_arguments *arguments, list_fn change, const cs_marking *marking, cs_error *error)
{
    cs_home *home = NULL;
    cs_actor *actor = NULL;
    int rc = open_authority(&home, &actor, arguments, error);

    if (rc == CS_OK)
        rc = change == NULL ? cs_authority_list(home, actor, error)
                            : change(home, actor, marking, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = cs_print_json(json_pack("{s:b, s:s+}", "ok", 1, "crl", home->dir, "/crl.pem"), error);
    else if (rc == CS_OK)
        cs_say("wrote %s/crl.pem, good for %d days; hand it to those who trust this authority",
            home->dir, CS_CRL_DAYS);
    cs_actor_free(&actor);
    cs_home_free(&home);
    return rc;
}

static int run_revoke(const cs_arguments *arguments, cs_error *error)
{
    cs_marking marking = {.whole_key = cs_arg_flag(arguments, "whole-key")};
    int rc = which_serial(marking.serial, arguments, error);

    if (rc != CS_OK)
        return rc;
    return write_list(arguments,
        cs_arg_flag(arguments, "hold") ? cs_authority_hold : cs_authority_revoke, &marking, error);
}

static int run_release(const cs_arguments *arguments, cs_error *error)
{
    cs_marking marking = {.whole_key = cs_arg_flag(arguments, "whole-key")};
    int rc = which_serial(marking.serial, arguments, error);

    return rc == CS_OK ? write_list(arguments, cs_authority_release, &marking, error) : rc;
}

static int run_crl(const cs_arguments *arguments, cs_error *error)
{
    return write_list(arguments, NULL, NULL, error);
}

static const cs_option init_options[] = {
    CS_DIR_OPTION,
    {"name", "NAME", true, "what the authority is called"},
    CS_TOKEN_OPTIONS,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option issue_options[] = {
    CS_DIR_OPTION,
    {"request", "FILE", true, "the request (PKCS#10, PEM)"},
    {"out", "FILE", true, "where the certificate (PEM) goes; - is standard output"},
    {"agree-key", "FILE", false,
        "certify this public key (PEM) of the same holder instead, for key agreement"},
    {"days", "N", false, "how long it is good for; 365"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option revoke_options[] = {
    CS_DIR_OPTION,
    {"serial", "HEX", false, "the certificate's serial number, 16 digits"},
    {"certificate", "FILE", false, "or the certificate (PEM)"},
    {"whole-key", NULL, false, "every certificate of its key: a renewal leaves several"},
    {"hold", NULL, false, "until it is released: for a card that is looked for"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option release_options[] = {
    CS_DIR_OPTION,
    {"serial", "HEX", false, "the certificate's serial number, 16 digits"},
    {"certificate", "FILE", false, "or the certificate (PEM)"},
    {"whole-key", NULL, false, "every certificate of its key that is on hold"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option crl_options[] = {CS_DIR_OPTION, CS_JSON_OPTION, CS_OPTIONS_END};

static const cs_verb verbs[] = {
    {"init", "make the authority's key in its token, its certificate and an empty revocation list",
        init_options, "--dir board --name 'Medical Board' --token pkcs11:token=board", run_init},
    {"issue",
        "check a request and issue a certificate; who asks, by which name, is for you to check",
        issue_options, "--dir board --request doctor.csr --out doctor.pem", run_issue},
    {"revoke", "revoke a certificate and write the revocation list", revoke_options,
        "--dir board --certificate doctor.pem", run_revoke},
    {"release", "take a certificate that was revoked with --hold off the revocation list",
        release_options, "--dir board --certificate doctor.pem", run_release},
    {"crl", "write the revocation list again, before it is too old", crl_options, "--dir board",
        run_crl},
    {0},
};

const cs_group cs_authority_group = {
    "authority", "a small medical authority, for trials: certificates for doctors", verbs};
