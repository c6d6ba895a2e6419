/* SPDX-License-Identifier: Apache-2.0 */
#include "service/server_common.h"

#include "service/refusals.h"
#include "service/signals.h"
#include "service/trust_install.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STORE_NAME "chartseal.db"
#define CRL_METRIC "chartseal_crl_next_update_seconds"
#define CREDENTIAL_METRIC "chartseal_credential_not_after_seconds"
#define LOG_LINE_MAX 512
#define LOG_REPEAT_MS 60000 /* a failure that goes on is said once a minute */

/* -- log -----------------------------------------------------------------------------------------
 */

void cs_server_log(const cs_server *server, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (gmtime_r(&now, &tm) != NULL)
        (void)strftime(when, sizeof when, "%FT%TZ", &tm);
    (void)fprintf(
        stderr, "%s chartseal %s: %s\n", when, cs_home_kind_name(server->home->kind), line);
}

/* The class and the place, not the message: a message may name who it is about. */
void cs_server_log_error(const cs_server *server, const char *what, const cs_error *error)
{
    const char *file = error->file == NULL ? "?" : error->file;
    const char *slash = strrchr(file, '/');

    cs_server_log(server, "%s: %s (%s:%d)", what, cs_code_name(error->code),
        slash == NULL ? file : slash + 1, error->line);
}

static void log_failed(void *app, const char *procedure, const cs_error *error)
{
    cs_server_log_error(app, procedure, error);
}

void cs_text_of(char *out, size_t size, cs_view text)
{
    size_t n = text.n < size ? text.n : size - 1;

    if (n > 0)
        memcpy(out, text.p, n);
    out[n] = '\0';
}

/* -- server and workers --------------------------------------------------------------------------
 */

void cs_server_count_ops(const cs_server *server, const char *procedure, cs_op_counts before)
{
    cs_metrics_add_token_ops(
        server->metrics, procedure, cs_ops_between(before, cs_ops_of_thread()));
}

static int declare_metrics(cs_server *server, cs_error *error)
{
    int rc = cs_metrics_new(&server->metrics, error);

    if (rc == CS_OK)
        rc = cs_metrics_declare(server->metrics, CS_METRIC_COUNTER, "chartseal_decisions",
            "Requests decided, by procedure and outcome.", error);
    if (rc == CS_OK)
        rc = cs_metrics_declare(server->metrics, CS_METRIC_GAUGE, CRL_METRIC,
            "When the authority's revocation list that ends first does, in seconds since 1970; 0: "
            "there is none.",
            error);
    if (rc == CS_OK && server->home->kind != CS_HOME_CLOUD)
        rc = cs_metrics_declare(server->metrics, CS_METRIC_GAUGE, CREDENTIAL_METRIC,
            "When the credential ends, in seconds since 1970; 0: there is none.", error);
    return rc;
}

/* Without a mark that leads to what is there, nothing is sealed and the log says so; patients are
 * served all the same. */
static int open_audit(cs_server *server, cs_error *error)
{
    const cs_actor *actor = server->actor;
    char mark[CS_PATH_MAX];
    cs_store *store = NULL;
    int rc;

    cs_home_path(server->home, CS_AUDIT_MARK_NAME, mark);
    rc = cs_audit_new(&server->audit, actor->storage, actor->sign, mark, error);
    if (rc == CS_OK)
        rc = cs_store_open(&store, server->store_path, error);
    if (rc == CS_OK) {
        cs_error alarm = {0};

        rc = cs_audit_begin(server->audit, store, &alarm);
        if (rc == CS_E_CORRUPT) {
            cs_server_log(server, "ALARM: %s", alarm.message);
            rc = CS_OK;
        } else if (rc != CS_OK) {
            *error = alarm;
        }
    }
    cs_store_close(&store);
    return rc;
}

int cs_server_open(cs_server **out, cs_home *home, cs_error *error)
{
    cs_op_counts before = cs_ops_of_thread();
    cs_server *server = calloc(1, sizeof *server);
    int rc;

    *out = NULL;
    if (server == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the service");
    server->home = home;
    atomic_init(&server->lists, 0);
    cs_health_init(&server->health);
    (void)pthread_mutex_init(&server->tally.mutex, NULL); /* does not fail on Linux */
    cs_home_path(home, STORE_NAME, server->store_path);
    rc = cs_actor_open(&server->actor, home, true, error);
    if (rc == CS_OK)
        rc = cs_trust_watch_new(&server->trust, home, server->actor->trust, error);
    if (rc == CS_OK)
        rc = declare_metrics(server, error);
    if (rc == CS_OK)
        rc = open_audit(server, error);
    if (rc == CS_OK) {
        cs_server_count_ops(server, "audit", before);
        *out = server;
    } else {
        cs_server_close(&server);
    }
    return rc;
}

void cs_server_close(cs_server **server)
{
    if (*server == NULL)
        return;
    cs_trust_watch_free(&(*server)->trust);
    cs_audit_free(&(*server)->audit);
    cs_metrics_free(&(*server)->metrics);
    cs_actor_free(&(*server)->actor);
    free(*server);
    *server = NULL;
}

static void follow_trust(cs_worker *worker)
{
    cs_trust_watch_follow(worker->server->trust, &worker->trust, &worker->trust_changes);
    worker->world.env.trust = worker->trust;
}

int cs_worker_open(cs_worker **out, const cs_server *server, cs_error *error)
{
    cs_worker *worker = calloc(1, sizeof *worker);
    int rc;

    *out = NULL;
    if (worker == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a worker");
    worker->server = server;
    worker->lists = atomic_load(&server->lists);
    rc = cs_store_open(&worker->store, server->store_path, error);
    if (rc == CS_OK)
        rc = cs_world_open(&worker->world, server->actor, worker->store, error);
    if (rc == CS_OK)
        follow_trust(worker);
    if (rc == CS_OK)
        *out = worker;
    else
        cs_worker_close(&worker);
    return rc;
}

void cs_worker_close(cs_worker **worker)
{
    if (*worker == NULL)
        return;
    cs_world_close(&(*worker)->world);
    cs_trust_free(&(*worker)->trust);
    cs_store_close(&(*worker)->store);
    free(*worker);
    *worker = NULL;
}

int cs_worker_refresh(cs_worker *worker, cs_error *error)
{
    unsigned lists = atomic_load(&worker->server->lists);
    int rc = CS_OK;

    if (lists != worker->lists) {
        cs_world_close(&worker->world);
        rc = cs_world_open(&worker->world, worker->server->actor, worker->store, error);
        if (rc == CS_OK)
            worker->lists = lists;
    }
    follow_trust(worker);
    cs_world_tick(&worker->world);
    return rc;
}

/* -- decisions -----------------------------------------------------------------------------------
 */

void cs_decision_party(cs_decision *decision, const char *who, cs_role role)
{
    (void)snprintf(decision->who, sizeof decision->who, "%s", who);
    decision->role = cs_role_name(role);
}

void cs_decision_about(cs_decision *decision, const char *patient, const char *detail)
{
    (void)snprintf(decision->patient, sizeof decision->patient, "%s", patient);
    (void)snprintf(decision->detail, sizeof decision->detail, "%s", detail);
}

void cs_decision_query(cs_decision *decision, const cs_query *query, int rc)
{
    if (!query->known || rc == CS_E_REPLAY)
        return;
    decision->repeatable = rc != CS_OK;
    cs_decision_party(decision, query->doctor.id, CS_ROLE_DOCTOR);
    cs_decision_about(decision, query->id_p, query->id_de);
    if (query->emergency)
        (void)snprintf(decision->reason, sizeof decision->reason, "%s", query->reason);
    cs_decision_evidence(decision, query->h_request, query->signature);
}

void cs_decision_evidence(cs_decision *decision, const uint8_t h_request[CS_HASH_SIZE],
    const uint8_t signature[CS_SIGNATURE_SIZE])
{
    memcpy(decision->evidence, h_request, CS_HASH_SIZE);
    memcpy(decision->evidence + CS_HASH_SIZE, signature, CS_SIGNATURE_SIZE);
    decision->has_evidence = true;
}

static cs_audit_entry entry_of(const cs_decision *decision, const cs_worker *worker, int outcome)
{
    return (cs_audit_entry){
        .time = (uint64_t)worker->world.env.now,
        .action = cs_view_str(decision->action),
        .outcome = cs_view_str(cs_code_name(outcome)),
        .who = cs_view_str(decision->who),
        .role = cs_view_str(decision->role == NULL ? "" : decision->role),
        .patient = cs_view_str(decision->patient),
        .detail = cs_view_str(decision->detail),
        .evidence = {decision->evidence, decision->has_evidence ? sizeof decision->evidence : 0},
        .reason = cs_view_str(decision->reason),
    };
}

int cs_decision_record(cs_decision *decision, const cs_worker *worker, int outcome, cs_error *error)
{
    const cs_audit_entry entry = entry_of(decision, worker, outcome);

    return cs_audit_append(worker->server->audit, worker->store, &entry, error);
}

int cs_decision_commit(cs_decision *decision, cs_worker *worker, int rc, cs_error *error)
{
    if (rc == CS_OK)
        rc = cs_decision_record(decision, worker, CS_OK, error);
    if (rc == CS_OK)
        rc = cs_store_commit(worker->store, error);
    if (rc != CS_OK)
        cs_store_rollback(worker->store);
    else
        decision->recorded = true;
    return rc;
}

int cs_decision_adopt(cs_decision *decision, const cs_worker *worker, cs_error *error)
{
    const cs_audit_entry entry = entry_of(decision, worker, CS_OK);

    return cs_audit_adopt(worker->server->audit, worker->store, &entry, error);
}

static unsigned status_of(int code)
{
    switch (cs_category_of(code)) {
    case CS_CATEGORY_OK:
        return 200;
    case CS_CATEGORY_USAGE:
    case CS_CATEGORY_INPUT:
        return 400;
    case CS_CATEGORY_REFUSED:
        return 403;
    case CS_CATEGORY_NOT_FOUND:
        return 404;
    case CS_CATEGORY_BUSY:
        return 503;
    case CS_CATEGORY_STORAGE:
        return 507;
    default:
        return 500;
    }
}

static void drop_answer(cs_http_answer *answer)
{
    cs_buf_free(&answer->body);
    if (answer->release != NULL)
        answer->release(answer->context);
    *answer = (cs_http_answer){0};
}

/* The failure as an answer; when not even that can be made, the server answers for us. */
static int refuse(const cs_server *server, const cs_decision *decision, cs_http_answer *answer,
    int code, cs_error *error)
{
    drop_answer(answer);
    if (cs_category_of(code) != CS_CATEGORY_REFUSED && cs_category_of(code) != CS_CATEGORY_INPUT)
        cs_server_log_error(server, decision->action, error);
    answer->status = status_of(code);
    answer->content_type = CS_CONTENT_TYPE;
    /* no Retry-After with 503: what was decided on is remembered, and would be a replay */
    return cs_refusal_make(&answer->body, code, error);
}

int cs_server_decide(cs_server *server, cs_worker *worker, const cs_http_request *request,
    cs_http_answer *answer, const char *action, cs_step *step, cs_error *error)
{
    cs_decision decision = {.action = action};
    cs_op_counts before = cs_ops_of_thread();
    cs_error unrecorded = {0};
    int rc = cs_worker_refresh(worker, error);
    cs_label labels[2] = {{"procedure", request->procedure}};

    if (rc == CS_OK)
        rc = step(server, worker, request->body, &decision, answer, error);
    if (rc == CS_OK && !decision.recorded)
        rc = cs_decision_record(&decision, worker, CS_OK, error);
    if (rc != CS_OK) {
        cs_health_note(&server->health, rc);
        if (cs_refusal_record(server, worker, &decision, rc, &unrecorded) != CS_OK) {
            cs_health_note(&server->health, (int)unrecorded.code);
            cs_server_log_error(server, "a refusal is missing in the audit log", &unrecorded);
        }
    }
    cs_server_count_ops(server, request->procedure, before);
    labels[1] = (cs_label){"outcome", cs_code_name(rc)};
    cs_metrics_add(server->metrics, "chartseal_decisions", labels, 2, 1);
    if (rc != CS_OK)
        return refuse(server, &decision, answer, rc, error);
    if (answer->content_type == NULL)
        answer->content_type = CS_CONTENT_TYPE;
    return CS_OK;
}

/* -- the process ---------------------------------------------------------------------------------
 */

static void *http_worker_new(void *app, cs_error *error)
{
    cs_worker *worker;

    return cs_worker_open(&worker, app, error) == CS_OK ? worker : NULL;
}

static void http_worker_free(void *worker)
{
    cs_worker *mine = worker;

    cs_worker_close(&mine);
}

static int write_port(const char *path, uint16_t port, cs_error *error)
{
    char text[16];

    if (path == NULL)
        return CS_OK;
    (void)snprintf(text, sizeof text, "%u\n", port);
    return cs_file_write(path, cs_view_str(text), 0644, error);
}

void cs_server_seal(cs_server *server, cs_worker *worker)
{
    cs_error why = {0};

    if (cs_audit_seal_when_due(server->audit, worker->store, worker->world.env.now, false, &why) !=
        CS_OK)
        cs_server_log_error(server, "the audit log is not sealed", &why);
}

/* What was counted is written down when it is time, or `at_once`; so is the seal. */
static int keep_audit(cs_server *server, cs_worker *worker, bool at_once, cs_error *error)
{
    cs_op_counts before = cs_ops_of_thread();
    int64_t now;
    int rc = CS_OK;

    cs_world_tick(&worker->world);
    now = worker->world.env.now;
    if (at_once || now - server->tally_at >= CS_REFUSALS_WRITE_MS || now < server->tally_at) {
        rc = cs_refusals_write(server, worker, error);
        server->tally_at = rc == CS_OK ? now : server->tally_at;
    }
    if (rc == CS_OK)
        rc = cs_audit_follow(server->audit, worker->store, error);
    if (rc == CS_OK)
        rc = cs_audit_seal_when_due(server->audit, worker->store, now, at_once, error);
    cs_server_count_ops(server, "audit", before);
    return rc;
}

/* Dates that somebody has to see to before they come. */
static void show_dates(const cs_server *server)
{
    cs_lists lists = {0};

    if (cs_home_lists(&lists, server->home, NULL) == CS_OK)
        cs_metrics_set(
            server->metrics, CRL_METRIC, NULL, 0, (double)lists.first.next_update / 1000.0);
    if (server->home->kind != CS_HOME_CLOUD)
        cs_metrics_set(server->metrics, CREDENTIAL_METRIC, NULL, 0,
            (double)server->actor->credential.not_after / 1000.0);
}

/* Not a failure of the house: the earlier trust stays. */
static void look_at_trust(const cs_server *server)
{
    cs_error failure = {0};
    bool news = false;

    if (cs_trust_watch_look(server->trust, &news, &failure) != CS_OK && news)
        cs_server_log_error(server,
            "authorities.pem, crl.pem and the OCSP policy are not taken in, the earlier ones stay",
            &failure);
    else if (news)
        cs_server_log(server, "authorities.pem, crl.pem and the OCSP policy taken in");
    if (news)
        show_dates(server);
}

/* What has failed is tried again: one prf, one small write. */
static void try_again(cs_server *server, const cs_worker *worker)
{
    const cs_env *env = &worker->world.env;
    cs_health *health = &server->health;
    uint8_t out[CS_HASH_SIZE];
    bool fresh;

    if (cs_health_has(health, CS_AIL_TOKEN) &&
        cs_key_prf(server->actor->storage, cs_view_str("chartseal/1 health"), out, NULL) == CS_OK)
        cs_health_works(health, CS_AIL_TOKEN);
    if (!cs_health_has(health, CS_AIL_STORAGE) && !cs_health_has(health, CS_AIL_DISK_FULL))
        return;
    cs_random(out, sizeof out);
    if (cs_store_seen(worker->store, out, env->now, env->now, &fresh, NULL) == CS_OK) {
        cs_health_works(health, CS_AIL_STORAGE);
        cs_health_works(health, CS_AIL_DISK_FULL);
    }
}

/* All that is due, each whether or not another has failed; the error is the first. */
static int tick_once(cs_server *server, cs_worker *worker, cs_server_tick *tick, cs_error *error)
{
    cs_error later = {0};
    cs_error *why;
    int rc = cs_worker_refresh(worker, error);
    int audit;

    cs_health_judge(&server->health, CS_AIL_REVOCATIONS, cs_world_knows_revoked(&worker->world));
    if (rc == CS_OK && tick != NULL)
        rc = tick(server, worker, error);
    why = rc == CS_OK ? error : &later;
    audit = keep_audit(server, worker, false, why);
    if (audit == CS_E_CORRUPT && !cs_health_has(&server->health, CS_AIL_AUDIT))
        cs_server_log(server, "ALARM: %s", why->message);
    cs_health_judge(&server->health, CS_AIL_AUDIT, audit != CS_E_CORRUPT);
    cs_health_note(&server->health, rc);
    if (audit != CS_E_CORRUPT)
        cs_health_note(&server->health, audit);
    try_again(server, worker);
    cs_health_tick(&server->health);
    return rc == CS_OK ? audit : rc;
}

/* Until told to stop. What is due and fails is said, and tried again at the next tick. */
static int keep_house(
    cs_server *server, cs_worker *worker, int stop_fd, cs_server_tick *tick, cs_error *error)
{
    int64_t said_at = 0;
    int rc;

    while ((rc = cs_wait_for_stop(stop_fd, CS_SERVER_TICK_MS, error)) == CS_E_TIMEOUT) {
        cs_error failure = {0};

        look_at_trust(server);
        if (tick_once(server, worker, tick, &failure) != CS_OK &&
            worker->world.env.now - said_at >= LOG_REPEAT_MS) {
            cs_server_log_error(server, "housekeeping", &failure);
            said_at = worker->world.env.now;
        }
    }
    return rc;
}

static bool is_well(void *app, char *reason, size_t size)
{
    cs_server *server = app;

    return cs_health_is_well(&server->health, reason, size);
}

int cs_server_run(cs_server *server, const cs_server_options *options, const cs_http_route *routes,
    size_t route_count, cs_server_tick *tick, cs_error *error)
{
    const cs_http_server_config config = {
        .address = options->address,
        .port = options->port,
        .workers = options->workers,
        .queue = options->queue,
        .routes = routes,
        .route_count = route_count,
        .app = server,
        .worker_new = http_worker_new,
        .worker_free = http_worker_free,
        .healthy = is_well,
        .failed = log_failed,
        .metrics = server->metrics,
    };
    cs_http_server *http = NULL;
    cs_worker *worker = NULL;
    int rc = cs_worker_open(&worker, server, error);

    if (rc == CS_OK)
        rc = cs_http_server_start(&http, &config, error);
    if (rc == CS_OK)
        rc = write_port(options->port_file, cs_http_server_port(http), error);
    if (rc == CS_OK) {
        cs_server_log(server, "answering on %s, port %u",
            options->address == NULL ? "127.0.0.1" : options->address, cs_http_server_port(http));
        rc = keep_house(server, worker, options->stop_fd, tick, error);
    }
    if (http != NULL) {
        int stopped;

        cs_server_log(server, "stopping");
        stopped = cs_http_server_stop(&http, CS_SERVER_GRACE_MS, rc == CS_OK ? error : NULL);
        rc = rc == CS_OK ? stopped : rc;
        stopped = keep_audit(server, worker, true, rc == CS_OK ? error : NULL);
        rc = rc == CS_OK ? stopped : rc;
        cs_server_log(server, "stopped");
    }
    cs_worker_close(&worker);
    return rc;
}
