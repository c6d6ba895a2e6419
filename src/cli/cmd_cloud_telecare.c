/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_cloud_telecare.h"

#include "cli/output.h"
#include "cli/serve_options.h"
#include "cli/service_member.h"
#include "cli/trust_verb.h"
#include "service/telecare_cloud.h"

#include <string.h>

#define LISTEN_DEFAULT "127.0.0.1:8442"

/* -- init, register, serve, trust ----------------------------------------------------------------
 */

static int add_limit(json_t *config, const cs_arguments *arguments, cs_error *error)
{
    int64_t mib;
    int rc = cs_arg_number(&mib, arguments, "upload-max", CS_TELECARE_UPLOAD_MIB_DEFAULT, 1,
        CS_TELECARE_UPLOAD_MIB_MAX, error);

    if (rc == CS_OK &&
        json_object_set_new(config, "upload_max_mib", json_integer((json_int_t)mib)) != 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for config.json");
    return rc;
}

int cs_run_telecare_init(const cs_arguments *arguments, cs_error *error)
{
    json_t *config = NULL;
    int rc = cs_token_config(&config, arguments, error);

    if (rc == CS_OK)
        rc = cs_service_config(config, arguments, LISTEN_DEFAULT, error);
    if (rc == CS_OK)
        rc = add_limit(config, arguments, error);
    if (rc == CS_OK)
        rc = cs_service_member_init(CS_HOME_TELECARE, arguments, config,
            "have request.pem certified, then chartseal cloud telecare register", error);
    json_decref(config);
    return rc;
}

int cs_run_telecare_register(const cs_arguments *arguments, cs_error *error)
{
    return cs_service_member_register(CS_HOME_TELECARE, arguments, NULL, error);
}

int cs_run_telecare_serve(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_serve(arguments, CS_HOME_TELECARE, cs_telecare_serve, error);
}

int cs_run_telecare_trust(const cs_arguments *arguments, cs_error *error)
{
    return cs_run_trust(arguments, CS_HOME_TELECARE, error);
}

/* -- list, status --------------------------------------------------------------------------------
 */

/* No token is asked: there is nothing here that it could open without a place. */
static int open_store(
    cs_home **home, cs_store **store, const cs_arguments *arguments, cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc = cs_home_open(home, cs_arg(arguments, "dir"), CS_HOME_TELECARE, error);

    if (rc == CS_OK) {
        cs_home_path(*home, "chartseal.db", path);
        rc = cs_store_open(store, path, error);
    }
    return rc;
}

typedef struct listing {
    json_t *places; /* NULL: lines for people */
    uint64_t count, filled, bytes;
} listing;

static int list_place(void *context, const cs_place_row *row, cs_error *error)
{
    listing *list = context;
    uint64_t size = row->chunks * CS_BLOCK_SIZE;
    char ends[CS_DATE_SIZE];
    char stored[CS_DATE_SIZE];

    list->count++;
    list->filled += row->chunks > 0;
    list->bytes += size;
    if (list->places != NULL) {
        if (json_array_append_new(list->places,
                json_pack("{s:I, s:I, s:o}", "ends", (json_int_t)row->ends, "size",
                    (json_int_t)size, "stored_at",
                    row->chunks == 0 ? json_null() : json_integer((json_int_t)row->stored_at))) !=
            0)
            return CS_FAIL(error, CS_E_MEMORY, "no memory for the list");
    } else if (row->chunks == 0) {
        cs_say("ends %s  empty", cs_date(ends, row->ends));
    } else {
        cs_say("ends %s  %12llu bytes, stored %s", cs_date(ends, row->ends),
            (unsigned long long)size, cs_date(stored, row->stored_at));
    }
    return CS_OK;
}

int cs_run_telecare_list(const cs_arguments *arguments, cs_error *error)
{
    listing list = {.places = cs_arg_flag(arguments, "json") ? json_array() : NULL};
    cs_home *home = NULL;
    cs_store *store = NULL;
    int rc = open_store(&home, &store, arguments, error);

    if (rc == CS_OK)
        rc = cs_store_each_place(store, list_place, &list, error);
    if (rc == CS_OK && list.places != NULL)
        rc = cs_print_json(
            json_pack("{s:b, s:I, s:I, s:I, s:I, s:O}", "ok", 1, "episodes",
                (json_int_t)(list.count / CS_SLOTS), "places", (json_int_t)list.count, "records",
                (json_int_t)list.filled, "bytes", (json_int_t)list.bytes, "list", list.places),
            error);
    else if (rc == CS_OK)
        cs_say("%llu episodes: %llu places, %llu with a record, %llu bytes",
            (unsigned long long)(list.count / CS_SLOTS), (unsigned long long)list.count,
            (unsigned long long)list.filled, (unsigned long long)list.bytes);
    json_decref(list.places);
    cs_store_close(&store);
    cs_home_free(&home);
    return rc;
}

static void say_status(const cs_home *home, const json_t *report)
{
    const json_t *audit = json_object_get(report, "audit");

    cs_say("telecare cloud %s, suite %s, answers at %s", home->id, cs_suite_name(home->suite),
        cs_home_text(home, "url"));
    cs_say("  places %lld, records %lld, none above %lld MiB",
        (long long)json_integer_value(json_object_get(report, "place")),
        (long long)json_integer_value(json_object_get(report, "record")),
        (long long)json_integer_value(json_object_get(home->config, "upload_max_mib")));
    cs_say("  audit entries %lld, sealed to %lld",
        (long long)json_integer_value(json_object_get(audit, "entries")),
        (long long)json_integer_value(json_object_get(audit, "sealed")));
    cs_say_trust(home);
}

int cs_run_telecare_status(const cs_arguments *arguments, cs_error *error)
{
    static const char *const tables[] = {"place", "record", NULL};
    cs_home *home = NULL;
    cs_store *store = NULL;
    json_t *report = NULL;
    int rc = open_store(&home, &store, arguments, error);

    if (rc == CS_OK)
        rc = cs_store_report(&report, store, tables, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json")) {
        if (json_object_set_new(report, "id", json_string(home->id)) != 0 ||
            json_object_set_new(report, "suite", json_string(cs_suite_name(home->suite))) != 0 ||
            json_object_set(report, "url", json_object_get(home->config, "url")) != 0 ||
            json_object_set(
                report, "upload_max_mib", json_object_get(home->config, "upload_max_mib")) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
        if (rc == CS_OK)
            rc = cs_trust_report(report, home, error);
        if (rc == CS_OK)
            rc = cs_print_json(json_incref(report), error);
    } else if (rc == CS_OK) {
        say_status(home, report);
    }
    json_decref(report);
    cs_store_close(&store);
    cs_home_free(&home);
    return rc;
}

/* -- the options ---------------------------------------------------------------------------------
 */

const cs_option cs_telecare_init_options[] = {
    CS_DIR_OPTION,
    {"id", "ID", true, "what the telecare cloud is called"},
    CS_TOKEN_OPTIONS,
    CS_MEMBER_OPTIONS,
    CS_LISTEN_OPTION,
    {"url", "URL", false, "where others reach it; http:// and --listen"},
    {"upload-max", "MIB", false, "the largest record it takes, in MiB; 1024"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

const cs_option cs_telecare_register_options[] = {CS_SERVICE_REGISTER_OPTIONS};
const cs_option cs_telecare_serve_options[] = {CS_DIR_OPTION, CS_SERVE_OPTIONS, CS_OPTIONS_END};
const cs_option cs_telecare_list_options[] = {CS_DIR_OPTION, CS_JSON_OPTION, CS_OPTIONS_END};
const cs_option cs_telecare_status_options[] = {CS_DIR_OPTION, CS_JSON_OPTION, CS_OPTIONS_END};
