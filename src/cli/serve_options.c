/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve_options.h"

#include "cli/output.h"
#include "cli/trust_verb.h"
#include "service/signals.h"
#include "service/sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOST_MAX 64 /* numeric */
#define WORKERS_MAX 256
#define QUEUE_MAX 65536

/* Whether a service could listen at that address; on which port shows when it does. */
static int check_host(const char *host, uint16_t port, cs_error *error)
{
    struct addrinfo *found = NULL;
    cs_error why = {0};

    if (cs_look_up(&found, host, port, AI_PASSIVE, &why) != CS_OK)
        return CS_FAIL(error, CS_E_USAGE, "--listen: %s", why.message);
    freeaddrinfo(found);
    return CS_OK;
}

int cs_listen_config(
    json_t *config, const cs_arguments *arguments, const char *otherwise, cs_error *error)
{
    const char *text = cs_arg_or(arguments, "listen", otherwise);
    char host[HOST_MAX];
    uint16_t port;
    int rc = CS_OK;

    if (cs_arg(arguments, "listen") != NULL) {
        rc = cs_arg_address(arguments, "listen", host, sizeof host, &port, error);
        if (rc == CS_OK)
            rc = check_host(host, port, error);
    }
    if (rc == CS_OK && json_object_set_new(config, "listen", json_string(text)) != 0)
        rc = CS_FAIL(error, CS_E_USAGE, "--listen is not UTF-8 text");
    return rc;
}

/* --listen, or "listen" of config.json read as if it had been given. */
static int read_address(const cs_home *home, const cs_arguments *arguments, char host[HOST_MAX],
    uint16_t *port, cs_error *error)
{
    static const cs_option one[] = {{"listen", "ADDR:PORT", false, ""}, {0}};
    const cs_arguments configured = {.options = one, .values = {cs_home_text(home, "listen")}};
    const char *given = cs_arg(arguments, "listen");

    if (given == NULL && configured.values[0] == NULL)
        return CS_FAIL(error, CS_E_USAGE, "--listen ADDR:PORT is missing: where to answer?");
    return cs_arg_address(
        given != NULL ? arguments : &configured, "listen", host, HOST_MAX, port, error);
}

static int print_served(cs_home_kind kind, cs_wire_counts wire, cs_error *error)
{
    return cs_print_json(
        json_pack("{s:b, s:s, s:{s:I, s:I}}", "ok", 1, "role", cs_home_kind_name(kind), "wire",
            "messages", (json_int_t)wire.messages, "bytes", (json_int_t)wire.bytes),
        error);
}

int cs_run_serve(
    const cs_arguments *arguments, cs_home_kind kind, cs_serve_fn *serve, cs_error *error)
{
    cs_server_options options = {.port_file = cs_arg(arguments, "port-file"), .stop_fd = -1};
    cs_wire_log *log = NULL;
    cs_home *home = NULL;
    char host[HOST_MAX];
    int64_t workers = 0;
    int64_t queue = 0;
    int rc = cs_arg_number(&workers, arguments, "workers", 0, 1, WORKERS_MAX, error);

    if (rc == CS_OK)
        rc = cs_check_output(arguments, "port-file", false, error);
    if (rc == CS_OK)
        rc = cs_arg_number(&queue, arguments, "queue", 0, 1, QUEUE_MAX, error);
    if (rc == CS_OK)
        rc = cs_home_open(&home, cs_arg(arguments, "dir"), kind, error);
    if (rc == CS_OK)
        rc = read_address(home, arguments, host, &options.port, error);
    if (rc == CS_OK)
        rc = cs_wire_log_open(&log, cs_arg(arguments, "wire-log"), error);
    if (rc == CS_OK)
        rc = cs_stop_fd_open(&options.stop_fd, error);
    if (rc == CS_OK) {
        cs_warn_lists(home);
        options.wire_log = log;
        options.address = host;
        options.workers = (unsigned)workers;
        options.queue = (unsigned)queue;
        rc = serve(home, &options, error);
    }
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = print_served(kind, cs_wire_log_counts(log), error);
    if (options.stop_fd >= 0)
        (void)close(options.stop_fd);
    cs_wire_log_close(&log);
    cs_home_free(&home);
    return rc;
}

int cs_store_report(json_t **out, cs_store *store, const char *const *tables, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    uint64_t number;
    uint64_t sealed;
    int rc = cs_store_audit_head(store, &number, hash, &sealed, error);

    *out = NULL;
    if (rc != CS_OK)
        return rc;
    *out = json_pack("{s:b, s:{s:I, s:I}}", "ok", 1, "audit", "entries", (json_int_t)number,
        "sealed", (json_int_t)sealed);
    for (; rc == CS_OK && *tables != NULL; tables++) {
        uint64_t count;

        rc = cs_store_count(store, *tables, &count, error);
        if (rc == CS_OK && json_object_set_new(*out, *tables, json_integer((json_int_t)count)) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    }
    if (rc != CS_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

const char *cs_date(char out[CS_DATE_SIZE], int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL || strftime(out, CS_DATE_SIZE, "%F %T UTC", &tm) == 0)
        (void)snprintf(out, CS_DATE_SIZE, "%lld ms", (long long)time_ms);
    return out;
}
