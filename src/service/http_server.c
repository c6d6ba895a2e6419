/* SPDX-License-Identifier: Apache-2.0 */
#include "service/http_work.h"
#include "service/sockets.h"
#include "service/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_DEFAULT 4u
#define QUEUE_DEFAULT 64u
#define CONNECTIONS_DEFAULT 512u
#define TIMEOUT_S_DEFAULT 30u
#define RECEIVE_TIMEOUTS 4u
#define BACKLOG 128
/* Of libmicrohttpd, for one connection: holds the headers of a request, and one chunk of an answer.
 * More headers than fit are answered with 431. */
#define CONNECTION_MEMORY ((size_t)64 << 10)
#define REASON_MAX 200
#define FIRST_BODY_SIZE 64u /* of a buffer, which then doubles */

#define REQUESTS "chartseal_requests"
#define SECONDS "chartseal_request_seconds"
#define QUEUE_LENGTH "chartseal_queue_length"
#define CONNECTIONS "chartseal_connections"

/* ---- answers */

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t room)
{
    cs_http_job *job = context;
    size_t left = job->piece.n - job->sent;

    (void)position;
    if (job->cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (left > 0) {
        size_t n = left < room ? left : room;

        memcpy(out, job->piece.p + job->sent, n);
        job->sent += n;
        return (ssize_t)n;
    }
    if (job->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return cs_http_submit(job, CS_HTTP_PULLING) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *new_response(cs_http_job *job)
{
    cs_http_answer *answer = &job->answer;

    if (answer->read == NULL) /* the job outlives the response: no copy */
        return MHD_create_response_from_buffer(answer->body.n,
            answer->body.n == 0 ? (void *)&job->sent : answer->body.p, MHD_RESPMEM_PERSISTENT);
    job->piece = answer->body;
    answer->body = (cs_buf){0};
    return MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, CS_HTTP_PULL_SIZE, read_stream, job, NULL);
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

static void count_answer(const cs_http_job *job)
{
    char status[16];
    const cs_label labels[] = {
        {"route", job->route == NULL ? "other" : job->route->procedure}, {"status", status}};

    (void)snprintf(status, sizeof status, "%u", job->answer.status);
    cs_metrics_add(job->server->metrics, REQUESTS, labels, 2, 1);
}

/* `allow`: the method that would have been right, for 405; else NULL. */
static enum MHD_Result send_answer(cs_http_job *job, const char *allow)
{
    cs_http_answer *answer = &job->answer;
    struct MHD_Response *response;
    enum MHD_Result rc = MHD_NO;
    char seconds[16];

    if (answer->read != NULL && job->old_version)
        cs_http_answer_code(job, MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED, "version");
    if (answer->status == 0)
        answer->status = MHD_HTTP_OK;
    if (answer->content_type == NULL)
        answer->content_type = "application/octet-stream";
    (void)snprintf(seconds, sizeof seconds, "%u", answer->retry_after_s);
    job->state = CS_HTTP_ANSWERED;
    response = new_response(job);
    if (response == NULL)
        return MHD_NO;
    if (add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type) &&
        add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
        (answer->retry_after_s == 0 ||
            add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds)) &&
        (allow == NULL || add_header(response, MHD_HTTP_HEADER_ALLOW, allow)))
        rc = MHD_queue_response(job->connection, answer->status, response);
    MHD_destroy_response(response);
    if (rc == MHD_YES)
        count_answer(job);
    return rc;
}

static enum MHD_Result send_code(cs_http_job *job, unsigned status, const char *name)
{
    cs_http_answer_code(job, status, name);
    return send_answer(job, NULL);
}

/* ---- built in */

static enum MHD_Result send_health(cs_http_job *job)
{
    const cs_http_server_config *config = &job->server->config;
    char reason[REASON_MAX] = "not well";

    if (config->healthy == NULL || config->healthy(config->app, reason, sizeof reason))
        return send_code(job, MHD_HTTP_OK, "ok");
    return send_code(job, MHD_HTTP_SERVICE_UNAVAILABLE, reason);
}

static enum MHD_Result send_metrics(cs_http_job *job)
{
    cs_http_server *server = job->server;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    size_t queued;

    (void)pthread_mutex_lock(&server->lock);
    queued = server->queued;
    (void)pthread_mutex_unlock(&server->lock);
    cs_metrics_set(server->metrics, QUEUE_LENGTH, NULL, 0, (double)queued);
    if (info != NULL)
        cs_metrics_set(server->metrics, CONNECTIONS, NULL, 0, info->num_connections);
    job->answer.content_type = CS_METRICS_CONTENT_TYPE;
    if (cs_metrics_render(server->metrics, &job->answer.body, NULL) != CS_OK)
        return send_code(job, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal");
    return send_answer(job, NULL);
}

/* What has no route: built in, or wrong. */
static enum MHD_Result send_unrouted(cs_http_job *job, const char *method, const char *path)
{
    const cs_http_server_config *config = &job->server->config;
    bool health = strcmp(path, "/healthz") == 0;
    const char *allow = health || strcmp(path, "/metrics") == 0 ? MHD_HTTP_METHOD_GET : NULL;

    if (allow != NULL && strcmp(method, MHD_HTTP_METHOD_GET) == 0)
        return health ? send_health(job) : send_metrics(job);
    for (size_t i = 0; i < config->route_count && allow == NULL; i++) {
        if (strcmp(config->routes[i].path, path) == 0)
            allow = config->routes[i].method;
    }
    if (allow == NULL)
        return send_code(job, MHD_HTTP_NOT_FOUND, "not-found");
    cs_http_answer_code(job, MHD_HTTP_METHOD_NOT_ALLOWED, "usage");
    return send_answer(job, allow);
}

/* ---- requests */

static cs_http_watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

static cs_http_job *new_job(cs_http_server *server, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version)
{
    const cs_http_server_config *config = &server->config;
    cs_http_job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return NULL;
    job->server = server;
    job->connection = connection;
    job->old_version = strcmp(version, MHD_HTTP_VERSION_1_1) != 0;
    job->started_ms = cs_monotonic_ms();
    for (size_t i = 0; i < config->route_count && job->route == NULL; i++) {
        if (strcmp(config->routes[i].path, path) == 0 &&
            strcmp(config->routes[i].method, method) == 0)
            job->route = &config->routes[i];
    }
    return job;
}

/* True if the client announces more than the limit and waits for our word before it sends it. The
 * others are read to their end, into nothing: closed early, they might not see the answer. */
static bool is_announced_too_large(const cs_http_job *job)
{
    const char *length = MHD_lookup_connection_value(
        job->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *expect =
        MHD_lookup_connection_value(job->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT);

    return length != NULL && expect != NULL && job->route != NULL &&
           strtoull(length, NULL, 10) > job->route->body_max;
}

static enum MHD_Result count_length(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    unsigned *lengths = context;

    (void)kind, (void)value;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
        strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0)
        (*lengths)++;
    return MHD_YES;
}

/* Where a request says twice how long it is, a proxy in front of us may see its end elsewhere, and
 * what follows could pass for somebody else's request. Such a connection is closed. */
static bool is_ambiguous(struct MHD_Connection *connection)
{
    unsigned lengths = 0;

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_length, &lengths);
    return lengths > 1;
}

/* Takes what so much more of this body will need from the budget; false: it is not there. Only this
 * thread takes from it. */
static bool charge(cs_http_job *job, size_t more)
{
    size_t budget = job->server->config.receipt_max;
    size_t memory = job->charged == 0 ? FIRST_BODY_SIZE : job->charged;

    if (job->body.n + more <= job->charged)
        return true;
    if (job->body.n + more > CS_HTTP_SHORT_BODY_MAX)
        budget /= 2;
    while (memory < job->body.n + more) /* as a buffer grows */
        memory *= 2;
    if (atomic_load(&job->server->in_receipt) - job->charged + memory > budget)
        return false;
    atomic_fetch_add(&job->server->in_receipt, memory - job->charged);
    job->charged = memory;
    return true;
}

/* What goes over a limit is dropped, and what comes after it is read into nothing. */
static enum MHD_Result receive_body(cs_http_job *job, const char *data, size_t *size)
{
    cs_view view = {(const uint8_t *)data, *size};
    size_t limit = job->route == NULL ? 0 : job->route->body_max;

    *size = 0;
    if (job->too_large)
        return MHD_YES;
    if (view.n > limit - job->body.n) {
        job->too_large = job->route != NULL;
        cs_http_body_free(job);
        return MHD_YES;
    }
    job->no_room = job->no_room || !charge(job, view.n);
    if (job->no_room) {
        cs_http_body_free(job);
        return MHD_YES;
    }
    return cs_buf_append(&job->body, view, NULL) == CS_OK ? MHD_YES : MHD_NO;
}

static enum MHD_Result handle_received(cs_http_job *job, const char *method, const char *path)
{
    cs_http_watch_pause(job->server->watch, watched_of(job->connection));
    job->started_ms = cs_monotonic_ms();
    if (job->route == NULL)
        return send_unrouted(job, method, path);
    if (job->too_large)
        return send_code(job, MHD_HTTP_CONTENT_TOO_LARGE, "too-large");
    if (job->no_room)
        return send_code(job, MHD_HTTP_SERVICE_UNAVAILABLE, "busy");
    if (cs_http_submit(job, CS_HTTP_IN_WORK))
        return MHD_YES;
    return send_code(job, MHD_HTTP_SERVICE_UNAVAILABLE, "busy");
}

/* libmicrohttpd calls this when the headers are in, for each part of the body, when it is complete
 * (*size == 0), and once more when the connection was resumed. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version, const char *data, size_t *size,
    void **slot)
{
    cs_http_job *job = *slot;

    if (job == NULL) {
        job = is_ambiguous(connection) ? NULL : new_job(context, connection, path, method, version);
        *slot = job;
        if (job == NULL)
            return MHD_NO;
        if (is_announced_too_large(job))
            return send_code(job, MHD_HTTP_CONTENT_TOO_LARGE, "too-large");
        return MHD_YES;
    }
    if (job->cut)
        return MHD_NO;
    if (*size > 0)
        return receive_body(job, data, size);
    if (job->state == CS_HTTP_ANSWERED)
        return send_answer(job, NULL);
    return handle_received(job, method, path);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
    enum MHD_RequestTerminationCode why)
{
    cs_http_server *server = context;
    cs_http_job *job = *slot;

    (void)why;
    if (job == NULL)
        return;
    if (job->active) {
        const cs_label labels[] = {{"route", job->route->procedure}};

        cs_metrics_observe(server->metrics, SECONDS, labels, 1,
            (double)(cs_monotonic_ms() - job->started_ms) / 1000);
        (void)pthread_mutex_lock(&server->lock);
        server->active--;
        if (server->active == 0)
            (void)pthread_cond_signal(&server->quiet);
        (void)pthread_mutex_unlock(&server->lock);
    }
    cs_http_job_free(job);
    *slot = NULL;
    cs_http_watch_resume(server->watch, watched_of(connection));
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
    enum MHD_ConnectionNotificationCode what)
{
    cs_http_server *server = context;
    const union MHD_ConnectionInfo *info;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        cs_http_watch_remove(server->watch, *socket_context);
        *socket_context = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != NULL)
        *socket_context = cs_http_watch_add(server->watch, info->connect_fd);
}

/* ---- starting and stopping */

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value == 0 ? otherwise : value;
}

static void fill_defaults(cs_http_server_config *config)
{
    config->workers = or_default(config->workers, WORKERS_DEFAULT);
    config->queue = or_default(config->queue, QUEUE_DEFAULT);
    config->connections = or_default(config->connections, CONNECTIONS_DEFAULT);
    config->timeout_s = or_default(config->timeout_s, TIMEOUT_S_DEFAULT);
    config->receive_s = or_default(config->receive_s, RECEIVE_TIMEOUTS * config->timeout_s);
    if (config->receipt_max == 0)
        config->receipt_max = CS_HTTP_RECEIPT_MAX_DEFAULT;
}

static int check_routes(const cs_http_server_config *config, cs_error *error)
{
    for (size_t i = 0; i < config->route_count; i++) {
        const cs_http_route *r = &config->routes[i];

        if (r->method == NULL || r->path == NULL || r->path[0] != '/' || r->procedure == NULL ||
            r->handle == NULL)
            return CS_FAIL(error, CS_E_USAGE, "route %zu of the service is incomplete", i + 1);
    }
    return CS_OK;
}

static int set_up_metrics(cs_http_server *server, cs_error *error)
{
    int rc = CS_OK;

    if (server->config.metrics == NULL)
        rc = cs_metrics_new(&server->own_metrics, error);
    server->metrics = server->config.metrics == NULL ? server->own_metrics : server->config.metrics;
    if (rc == CS_OK)
        rc = cs_metrics_declare(server->metrics, CS_METRIC_COUNTER, REQUESTS,
            "Requests answered, by route and HTTP status.", error);
    if (rc == CS_OK)
        rc = cs_metrics_declare(server->metrics, CS_METRIC_HISTOGRAM, SECONDS,
            "From a complete request to the end of its answer.", error);
    if (rc == CS_OK)
        rc = cs_metrics_declare(server->metrics, CS_METRIC_GAUGE, QUEUE_LENGTH,
            "Requests that wait for a worker.", error);
    if (rc == CS_OK)
        rc = cs_metrics_declare(
            server->metrics, CS_METRIC_GAUGE, CONNECTIONS, "Connections that are open.", error);
    return rc;
}

/* poll and not epoll: with the latter, libmicrohttpd does not notice that a client who sent half a
 * request has gone, and keeps its place until the timeout. */
static int start_daemon(cs_http_server *server, cs_error *error)
{
    server->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC,
        server->port, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, server->listen_fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_CONNECTION_LIMIT, server->config.connections,
        MHD_OPTION_CONNECTION_TIMEOUT, server->config.timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY, MHD_OPTION_END);
    if (server->daemon == NULL)
        return CS_FAIL(error, CS_E_NETWORK,
            "the HTTP service does not start; see the limits on threads and open files");
    return CS_OK;
}

/* Everything that stands, in any state of having been started. */
static void take_down(cs_http_server *server)
{
    cs_http_workers_stop(server);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    if (server->listen_fd >= 0)
        (void)close(server->listen_fd);
    cs_http_watch_free(&server->watch);
    cs_metrics_free(&server->own_metrics);
    (void)pthread_cond_destroy(&server->work);
    (void)pthread_cond_destroy(&server->quiet);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

int cs_http_server_start(cs_http_server **out, const cs_http_server_config *config, cs_error *error)
{
    cs_http_server *server;
    pthread_condattr_t monotonic;
    int rc = check_routes(config, error);

    *out = NULL;
    if (rc != CS_OK)
        return rc;
    server = calloc(1, sizeof *server);
    if (server == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the HTTP service");
    server->config = *config;
    server->listen_fd = -1;
    atomic_init(&server->in_receipt, 0);
    server->port = config->port;
    fill_defaults(&server->config);
    (void)pthread_mutex_init(&server->lock, NULL); /* none of these fails on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&server->work, NULL);
    (void)pthread_cond_init(&server->quiet, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    rc = set_up_metrics(server, error);
    if (rc == CS_OK)
        rc = cs_listen_socket(&server->listen_fd, &server->port, config->address, BACKLOG, error);
    if (rc == CS_OK)
        rc = cs_http_watch_new(&server->watch, server->config.receive_s, error);
    if (rc == CS_OK)
        rc = cs_http_workers_start(server, error);
    if (rc == CS_OK)
        rc = start_daemon(server, error);
    if (rc == CS_OK)
        *out = server;
    else
        take_down(server);
    return rc;
}

uint16_t cs_http_server_port(const cs_http_server *server)
{
    return server->port;
}

cs_metrics *cs_http_server_metrics(cs_http_server *server)
{
    return server->metrics;
}

/* False if there is still something in hand at the end of the time. */
static bool wait_until_quiet(cs_http_server *server, unsigned grace_ms)
{
    struct timespec until;
    bool quiet;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(grace_ms / 1000);
    until.tv_nsec += (long)(grace_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&server->lock);
    server->stopping = true;
    while (server->active > 0 && pthread_cond_timedwait(&server->quiet, &server->lock, &until) == 0)
        ;
    quiet = server->active == 0;
    server->cutting = true;
    (void)pthread_mutex_unlock(&server->lock);
    return quiet;
}

int cs_http_server_stop(cs_http_server **server, unsigned grace_ms, cs_error *error)
{
    cs_http_server *s = *server;
    bool quiet;

    if (s == NULL)
        return CS_OK;
    *server = NULL;
    /* from here on new connections are refused by the system; libmicrohttpd forgets the socket */
    (void)MHD_quiesce_daemon(s->daemon);
    (void)shutdown(s->listen_fd, SHUT_RDWR);
    quiet = wait_until_quiet(s, grace_ms);
    take_down(s);
    if (!quiet)
        return CS_FAIL(error, CS_E_TIMEOUT,
            "not everything in hand was finished within %u ms; what was left is cut", grace_ms);
    return CS_OK;
}
