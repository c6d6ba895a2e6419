/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service_member.h"

#include "cli/certificates.h"
#include "cli/serve_options.h"
#include "service/cloud_admin.h"
#include "service/register_client.h"

#include <string.h>
#include <unistd.h>

/* -- init ----------------------------------------------------------------------------------------
 */

int cs_check_url(const char *option, const char *url, cs_error *error)
{
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : "";
    size_t n = strcspn(host, "/");

    if (n == 0 || strcspn(host, " ?#@\\") < n)
        return CS_FAIL(error, CS_E_USAGE,
            "--%s '%s' is no address of a service; it is http:// or https:// and HOST[:PORT]",
            option, url);
    return CS_OK;
}

int cs_service_config(
    json_t *config, const cs_arguments *arguments, const char *listen, cs_error *error)
{
    const char *url = cs_arg(arguments, "url");
    json_t *value;
    int rc = cs_listen_config(config, arguments, listen, error);

    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "url", CS_URL_MAX, error);
    if (rc == CS_OK && url != NULL)
        rc = cs_check_url("url", url, error);
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
    if (json_object_set_new(config, "url", value) != 0)
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

int cs_service_member_make(cs_home **out, cs_home_kind kind, const cs_arguments *arguments,
    const json_t *config, const cs_pin_source *pin, bool adopt,
    char fingerprint[2 * CS_HASH_SIZE + 1], cs_error *error)
{
    int rc = cs_member_begin(out, kind, arguments, config, fingerprint, error);

    if (rc == CS_OK && pin != NULL)
        (*out)->pin = *pin;
    if (rc == CS_OK)
        rc = cs_member_equip(*out, adopt, error);
    if (rc == CS_OK) {
        rc = ask_for_certificate(*out, error);
        if (rc != CS_OK)
            cs_home_undo(*out);
    }
    return rc;
}

int cs_service_member_init(cs_home_kind kind, const cs_arguments *arguments, const json_t *config,
    const char *next, cs_error *error)
{
    char fingerprint[2 * CS_HASH_SIZE + 1];
    cs_home *home = NULL;
    int rc = cs_service_member_make(&home, kind, arguments, config, NULL,
        cs_arg_flag(arguments, "adopt-keys"), fingerprint, error);

    if (rc == CS_OK)
        rc = cs_print_member(home, fingerprint, next, arguments, error);
    cs_home_free(&home);
    return rc;
}

/* -- register ------------------------------------------------------------------------------------
 */

int cs_service_member_register(cs_home_kind kind, const cs_arguments *arguments,
    int (*after)(cs_home *home, cs_error *error), cs_error *error)
{
    const char *certificate = cs_arg(arguments, "certificate");
    const char *url = NULL;
    uint8_t code[CS_CODE_SIZE] = {0};
    cs_op_counts ops = cs_ops_of_thread();
    cs_opened opened;
    int lock = -1;
    int rc = cs_open_member(&opened, kind, arguments, error);

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
        rc = cs_certificate_staple(opened.actor, error);
    if (rc == CS_OK)
        rc = cs_home_set_text(opened.home, "cloud_url", url, error);
    if (rc == CS_OK)
        rc = cs_register_client(opened.home, opened.actor, url, cs_home_role(kind), (cs_view){0},
            CS_VIEW_ARRAY(code), opened.log, error);
    if (lock >= 0)
        (void)close(lock);
    if (rc == CS_OK)
        ops = cs_ops_between(ops, cs_ops_of_thread());
    if (rc == CS_OK && after != NULL)
        rc = after(opened.home, error);
    if (rc == CS_OK)
        rc = cs_print_registered(&opened, ops, arguments, error);
    cs_wipe(code, sizeof code);
    cs_close_member(&opened);
    return rc;
}
