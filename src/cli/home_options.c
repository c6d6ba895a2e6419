/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/home_options.h"

#include "cli/output.h"
#include "cli/trust_verb.h"
#include "service/cloud_admin.h"
#include "token/pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_FILE_MAX 256

#define PEM_FILE_MAX (2 * (size_t)CS_CRL_MAX)

static int set_absolute(json_t *object, const char *name, const char *path, cs_error *error)
{
    char *absolute = realpath(path, NULL);
    int rc = CS_OK;

    if (absolute == NULL)
        return CS_FAIL(error, CS_E_NO_FILE, "%s cannot be found; see that the path is right", path);
    if (json_object_set_new(object, name, json_string(absolute)) != 0)
        rc = CS_FAIL(error, CS_E_USAGE, "the path %s is not UTF-8", path);
    free(absolute);
    return rc;
}

int cs_token_config(json_t **config, const cs_arguments *arguments, cs_error *error)
{
    const char *file = cs_arg(arguments, "pin-file");
    const char *variable = cs_arg(arguments, "pin-env");
    json_t *pin;
    int rc = cs_pin_refuse_in_uri(cs_arg(arguments, "token"), "--token", error);

    *config = NULL;
    if (rc != CS_OK)
        return rc;
    if (file != NULL && variable != NULL)
        return CS_FAIL(error, CS_E_USAGE, "give --pin-file or --pin-env, not both");
    *config = json_pack("{s:s, s:{}}", "token", cs_arg(arguments, "token"), "pin");
    pin = json_object_get(*config, "pin");
    if (pin == NULL)
        return CS_FAIL(error, CS_E_USAGE, "--token is not UTF-8 text");
    if (file != NULL)
        rc = set_absolute(pin, "file", file, error);
    else if (variable != NULL &&
             json_object_set_new(pin, "environment", json_string(variable)) != 0)
        rc = CS_FAIL(error, CS_E_USAGE, "--pin-env is not UTF-8 text");
    if (rc != CS_OK) {
        json_decref(*config);
        *config = NULL;
    }
    return rc;
}

/* The files that a member is given, read and checked before anything is made. */
typedef struct member_files {
    cs_buf cloud, authorities, crl;
    cs_cloud parameters;
} member_files;

static void free_files(member_files *files)
{
    cs_buf_free(&files->cloud);
    cs_buf_free(&files->authorities);
    cs_buf_free(&files->crl);
}

static int read_files(member_files *files, const cs_arguments *arguments, cs_error *error)
{
    const char *crl = cs_arg(arguments, "crl");
    const char *cloud = cs_arg(arguments, "cloud-file");
    cs_trust *trust = NULL;
    int rc = cs_file_read(&files->cloud, cloud, CS_MESSAGE_MAX, error);

    if (rc == CS_OK) {
        rc = cs_cloud_parse(&files->parameters, cs_view_buf(&files->cloud), error);
        if (rc != CS_OK)
            rc = cs_error_context(error, "%s holds no parameters of a cloud", cloud);
    }
    if (rc == CS_OK)
        rc = cs_file_read(&files->authorities, cs_arg(arguments, "authority"), PEM_FILE_MAX, error);
    if (rc == CS_OK && crl != NULL)
        rc = cs_file_read(&files->crl, crl, PEM_FILE_MAX, error);
    if (rc == CS_OK)
        rc =
            cs_trust_new(&trust, cs_view_buf(&files->authorities), cs_view_buf(&files->crl), error);
    cs_trust_free(&trust);
    return rc;
}

static int write_files(const cs_home *home, const member_files *files, cs_error *error)
{
    int rc = cs_home_write(home, "cloud.cbor", cs_view_buf(&files->cloud), error);

    if (rc == CS_OK)
        rc = cs_home_write(home, "authorities.pem", cs_view_buf(&files->authorities), error);
    if (rc == CS_OK && files->crl.n > 0)
        rc = cs_home_write(home, "crl.pem", cs_view_buf(&files->crl), error);
    return rc;
}

int cs_member_check_files(const cs_arguments *arguments, cs_error *error)
{
    member_files files = {0};
    int rc = read_files(&files, arguments, error);

    free_files(&files);
    return rc;
}

int cs_member_begin(cs_home **out, cs_home_kind kind, const cs_arguments *arguments,
    const json_t *config, char fingerprint[2 * CS_HASH_SIZE + 1], cs_error *error)
{
    member_files files = {0};
    uint8_t hash[CS_HASH_SIZE];
    int rc = read_files(&files, arguments, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = cs_hash(hash, cs_view_buf(&files.cloud), error);
    if (rc == CS_OK)
        rc = cs_home_create(out, cs_arg(arguments, "dir"), kind, cs_arg(arguments, "id"),
            files.parameters.suite, config, error);
    if (rc == CS_OK) {
        cs_hex(CS_VIEW_ARRAY(hash), fingerprint);
        rc = write_files(*out, &files, error);
        if (rc != CS_OK) {
            cs_home_undo(*out);
            cs_home_free(out);
        }
    }
    free_files(&files);
    return rc;
}

void cs_say_made(const cs_home *home)
{
    if (home->adopted == 0)
        cs_say("made %s, and the keys in the token", home->dir);
    else
        cs_say("made %s, with %u keys that were in the token already; see `chartseal token audit`",
            home->dir, home->adopted);
}

int cs_member_equip(cs_home *home, bool adopt, cs_error *error)
{
    cs_token *token = NULL;
    int rc = cs_home_equip(&token, home, adopt, error);

    cs_token_close(&token);
    return rc;
}

int cs_member_init(cs_home **out, cs_home_kind kind, const cs_arguments *arguments,
    const json_t *config, char fingerprint[2 * CS_HASH_SIZE + 1], cs_error *error)
{
    int rc = cs_member_begin(out, kind, arguments, config, fingerprint, error);

    if (rc == CS_OK)
        rc = cs_member_equip(*out, cs_arg_flag(arguments, "adopt-keys"), error);
    if (rc != CS_OK)
        cs_home_free(out);
    return rc;
}

int cs_print_member(const cs_home *home, const char *fingerprint, const char *next,
    const cs_arguments *arguments, cs_error *error)
{
    cs_warn_lists(home);
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:s, s:s, s:s, s:s, s:O, s:i, s:o}", "ok", 1, "role",
                cs_home_kind_name(home->kind), "id", home->id, "suite", cs_suite_name(home->suite),
                "cloud_fingerprint", fingerprint, "keys", json_object_get(home->config, "keys"),
                "adopted", (int)home->adopted, "token_ops", cs_ops_json(cs_ops_of_thread())),
            error);
    cs_say_made(home);
    cs_say("the cloud's fingerprint is %s", fingerprint);
    cs_say("compare it with what the cloud tells you by another way; then: %s", next);
    return CS_OK;
}

int cs_arg_suite(cs_suite *out, const cs_arguments *arguments, cs_error *error)
{
    const char *name = cs_arg_or(arguments, "suite", "ed25519");

    if (cs_suite_from_name(out, name, NULL) != CS_OK)
        return CS_FAIL(error, CS_E_USAGE, "--suite '%s' is neither ed25519 nor p256", name);
    return CS_OK;
}

int cs_cloud_url(
    const char **out, const cs_home *home, const cs_arguments *arguments, cs_error *error)
{
    *out = cs_arg_or(arguments, "cloud-url", cs_home_text(home, "cloud_url"));
    if (*out == NULL)
        return CS_FAIL(
            error, CS_E_USAGE, "--cloud-url URL is missing: where does the cloud answer?");
    return CS_OK;
}

int cs_keep_cloud_url(
    const char **out, cs_home *home, const cs_arguments *arguments, cs_error *error)
{
    const char *given = cs_arg(arguments, "cloud-url");
    int rc = given == NULL ? CS_OK : cs_home_set_text(home, "cloud_url", given, error);

    return rc == CS_OK ? cs_cloud_url(out, home, arguments, error) : rc;
}

int cs_open_wire_log(cs_wire_log **out, const cs_arguments *arguments, cs_error *error)
{
    const char *path = cs_arg(arguments, "wire-log");

    if (path != NULL && cs_is_stdout(path))
        return CS_FAIL(error, CS_E_USAGE,
            "--wire-log - is not possible; name a file (./- if it is called that)");
    return cs_wire_log_open(out, path, error);
}

/* Standard error has it beside --json too, which is on standard output. */
static void tell_person(void *context, const char *text)
{
    char clean[CS_ERROR_MESSAGE_MAX];

    (void)context;
    cs_warn("%s", cs_printable(clean, sizeof clean, text));
}

int cs_open_home(cs_opened *out, cs_home_kind kind, const cs_arguments *arguments, cs_error *error)
{
    int rc;

    *out = (cs_opened){0};
    rc = cs_home_open(&out->home, cs_arg(arguments, "dir"), kind, error);
    if (rc == CS_OK)
        out->home->tell = tell_person;
    return rc;
}

int cs_open_party(cs_opened *out, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_actor_open(&out->actor, out->home, true, error);

    return rc == CS_OK ? cs_open_wire_log(&out->log, arguments, error) : rc;
}

int cs_open_member(
    cs_opened *out, cs_home_kind kind, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_open_home(out, kind, arguments, error);

    return rc == CS_OK ? cs_open_party(out, arguments, error) : rc;
}

void cs_close_member(cs_opened *opened)
{
    cs_wire_log_close(&opened->log);
    cs_actor_free(&opened->actor);
    cs_home_free(&opened->home);
}

int cs_print_registered(
    const cs_opened *opened, cs_op_counts ops, const cs_arguments *arguments, cs_error *error)
{
    const cs_credential *credential = &opened->actor->credential;
    cs_wire_counts counts = cs_wire_log_counts(opened->log);
    const cs_key_info *scalar = cs_key_describe(opened->actor->scalar);
    bool sealed = scalar->custody == CS_CUSTODY_SEALED;

    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:s, s:s, s:I, s:I, s:s, s:s, s:o, s:{s:I, s:I}}", "ok", 1, "role",
                cs_home_kind_name(opened->home->kind), "id", credential->id, "serial",
                (json_int_t)credential->serial, "not_after", (json_int_t)credential->not_after,
                "scalar", sealed ? "sealed" : "token", "delivery", cs_key_delivery(scalar),
                "token_ops", cs_ops_json(ops), "wire", "messages", (json_int_t)counts.messages,
                "bytes", (json_int_t)counts.bytes),
            error);
    cs_say("registered %s as %s, credential %llu", credential->id,
        cs_home_kind_name(opened->home->kind), (unsigned long long)credential->serial);
    cs_say("S_X is %s (%s)", sealed ? "sealed to a key of the token" : "in the token",
        cs_key_delivery(scalar));
    return CS_OK;
}

int cs_read_line(cs_buf *out, const char *path, const char *what, size_t limit, cs_error *error)
{
    int rc = cs_file_read(out, path, limit, error);
    const uint8_t *end;

    if (rc != CS_OK)
        return rc;
    end = out->n == 0 ? NULL : memchr(out->p, '\n', out->n);
    if (end != NULL)
        rc = cs_buf_resize(out, (size_t)(end - out->p), error);
    if (rc == CS_OK && out->n > 0 && out->p[out->n - 1] == '\r')
        rc = cs_buf_resize(out, out->n - 1, error);
    if (rc == CS_OK && (out->n == 0 || memchr(out->p, '\0', out->n) != NULL))
        rc = CS_FAIL(error, CS_E_MALFORMED, "%s holds no %s in its first line", path, what);
    if (rc == CS_OK)
        rc = cs_buf_append(out, (cs_view){(const uint8_t *)"", 1}, error);
    return rc;
}

int cs_read_code(uint8_t code[CS_CODE_SIZE], const char *path, cs_error *error)
{
    cs_buf line = {0};
    int rc = cs_read_line(&line, path, "enrolment code", CODE_FILE_MAX, error);

    if (rc == CS_OK)
        rc = cs_code_parse(code, (const char *)line.p, error);
    cs_buf_free(&line);
    return rc;
}
