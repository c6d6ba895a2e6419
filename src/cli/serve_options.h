/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_SERVE_OPTIONS_H
#define CHARTSEAL_CLI_SERVE_OPTIONS_H

/* What `cloud` and `hospital` share: how a service is started, and where it listens. */

#include "cli/options.h"
#include "service/server_common.h"

#define CS_SERVE_OPTIONS                                                                           \
    {"listen", "ADDR:PORT", false, "where to answer; else as config.json says; port 0: any"},      \
        {"workers", "N", false, "requests decided at once; 4"},                                    \
        {"queue", "N", false, "requests that may wait, further ones are told 503; 64"},            \
        {"port-file", "FILE", false, "gets the port as soon as the service answers"},              \
        {"wire-log", "FILE", false,                                                                \
            "append every message of exchanges that it begins, a line of JSON each"},              \
    {                                                                                              \
        "json", NULL, false, "one JSON object on standard output, when it has stopped"             \
    }

#define CS_LISTEN_OPTION                                                                           \
    {                                                                                              \
        "listen", "ADDR:PORT", false,                                                              \
            "where `serve` is to answer; 127.0.0.1 and a port of its own"                          \
    }

/* --listen of an init into config.json, checked; `otherwise` when it is not given. */
CS_MUST_CHECK int cs_listen_config(
    json_t *config, const cs_arguments *arguments, const char *otherwise, cs_error *error);

typedef int cs_serve_fn(cs_home *home, const cs_server_options *options, cs_error *error);

/* The whole of a `serve` verb: home, options, signals, and then `serve` until told to stop; with
 * --json the counts of the wire log at the end. */
CS_MUST_CHECK int cs_run_serve(
    const cs_arguments *arguments, cs_home_kind kind, cs_serve_fn *serve, cs_error *error);

/* The newest audit entry and seal, the rows of the tables named (ended by NULL): for `status`. */
CS_MUST_CHECK int cs_store_report(
    json_t **out, cs_store *store, const char *const *tables, cs_error *error);

/* Milliseconds since 1970 as a date and time in UTC. */
#define CS_DATE_SIZE 32
const char *cs_date(char out[CS_DATE_SIZE], int64_t time_ms);

#endif
