/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cloud_service.h"

#include "service/cloud_index.h"
#include "service/cloud_register.h"

#include <pthread.h>
#include <string.h>

#define LIST_BYTES_MAX (sizeof(uint64_t) * CS_REVOKED_MAX)

/* What the service hands out to everybody. */
typedef struct cloud {
    cs_buf parameters;
    pthread_mutex_t mutex; /* over `list` */
    cs_buf list;           /* as signed */
    cs_buf serials;        /* that it names; these two are the ticking thread's */
    int64_t signed_at;
} cloud;

/* -- revocations ---------------------------------------------------------------------------------
 */

static int sign_list(cs_server *server, cloud *state, cs_buf *serials, int64_t now, cs_error *error)
{
    cs_op_counts before = cs_ops_of_thread();
    cs_buf list = {0};
    int rc = cs_revocations_publish(&list, server->actor->sign, cs_view_buf(serials), now,
        now + CS_REVOCATIONS_LIFETIME_MS, error);

    cs_server_count_ops(server, "revocations", before);
    if (rc == CS_OK) {
        cs_buf old = state->serials;

        (void)pthread_mutex_lock(&state->mutex);
        cs_buf_free(&state->list);
        state->list = list;
        (void)pthread_mutex_unlock(&state->mutex);
        state->serials = *serials;
        *serials = old;
        state->signed_at = now;
        list = (cs_buf){0};
    }
    cs_buf_free(&list);
    return rc;
}

/* A list that cannot hold all names those issued last, which are in force for longest. The cloud
 * asks its database, so that it refuses the others too, and without it no hospital is reached. */
static size_t cut_list(cs_buf *serials)
{
    size_t over = serials->n <= LIST_BYTES_MAX ? 0 : serials->n - LIST_BYTES_MAX;

    if (over > 0) {
        memmove(serials->p, serials->p + over, LIST_BYTES_MAX);
        serials->n = LIST_BYTES_MAX;
    }
    return over / sizeof(uint64_t);
}

static int renew_list(cs_server *server, cs_worker *worker, cs_error *error)
{
    cloud *state = server->role;
    int64_t now = worker->world.env.now;
    cs_buf serials = {0};
    int rc = cs_store_revoked_serials(worker->store, now, &serials, error);
    size_t unlisted = cut_list(&serials);

    if (rc == CS_OK && (state->signed_at == 0 || now < state->signed_at ||
                           now - state->signed_at >= CS_REVOCATIONS_RENEW_MS ||
                           !cs_view_equal(cs_view_buf(&serials), cs_view_buf(&state->serials)))) {
        rc = sign_list(server, state, &serials, now, error);
        if (rc == CS_OK && unlisted > 0)
            cs_server_log(server,
                "%zu revoked credentials are over the %d of a list: the cloud alone refuses them; "
                "shorten \"credential_days\"",
                unlisted, CS_REVOKED_MAX);
    }
    cs_buf_free(&serials);
    return rc;
}

/* -- routes --------------------------------------------------------------------------------------
 */

static int handle_register(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "register", cs_cloud_register, error);
}

static int handle_publish(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "publish", cs_cloud_publication, error);
}

static int handle_search(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "search", cs_cloud_search, error);
}

static int handle_parameters(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    const cs_server *server = app;
    const cloud *state = server->role;

    (void)worker;
    (void)request;
    answer->content_type = CS_CONTENT_TYPE;
    return cs_buf_set(&answer->body, cs_view_buf(&state->parameters), error);
}

static int handle_revocations(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    const cs_server *server = app;
    cloud *state = server->role;
    int rc;

    (void)worker;
    (void)request;
    answer->content_type = CS_CONTENT_TYPE;
    (void)pthread_mutex_lock(&state->mutex);
    rc = cs_buf_set(&answer->body, cs_view_buf(&state->list), error);
    (void)pthread_mutex_unlock(&state->mutex);
    return rc;
}

static const cs_http_route routes[] = {
    {"POST", "/v1/register", "register", handle_register, CS_MESSAGE_MAX},
    {"POST", "/v1/publish", "publish", handle_publish, CS_MESSAGE_MAX},
    {"POST", "/v1/search", "search", handle_search, CS_MESSAGE_MAX},
    {"GET", "/v1/parameters", "parameters", handle_parameters, 0},
    {"GET", "/v1/revocations", "revocations", handle_revocations, 0},
};

/* The first list is there before the first request is. */
static int prepare(cs_server *server, cloud *state, cs_error *error)
{
    cs_worker *worker = NULL;
    int rc;

    server->role = state;
    rc = cs_home_read(server->home, "cloud.cbor", CS_MESSAGE_MAX, &state->parameters, error);
    if (rc == CS_OK)
        rc = cs_worker_open(&worker, server, error);
    if (rc == CS_OK)
        rc = renew_list(server, worker, error);
    cs_worker_close(&worker);
    return rc;
}

int cs_cloud_serve(cs_home *home, const cs_server_options *options, cs_error *error)
{
    cloud state = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    cs_server *server = NULL;
    int rc = cs_server_open(&server, home, error);

    if (rc == CS_OK)
        rc = prepare(server, &state, error);
    if (rc == CS_OK)
        rc = cs_server_run(
            server, options, routes, sizeof routes / sizeof routes[0], renew_list, error);
    cs_server_close(&server);
    cs_buf_free(&state.parameters);
    cs_buf_free(&state.list);
    cs_buf_free(&state.serials);
    return rc;
}
