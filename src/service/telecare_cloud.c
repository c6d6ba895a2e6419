/* SPDX-License-Identifier: Apache-2.0 */
#include "service/telecare_cloud.h"

#include "service/actor.h"
#include "service/frames.h"

#include <chartseal/search.h>
#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_BODY_MAX (CS_FRAME_HEAD_MAX + CS_MESSAGE_MAX) /* U1, G1: a head and one message */
#define BLOCKS_BODY_MAX                                                                            \
    (CS_FRAME_HEAD_MAX + CS_TELECARE_PIECE_BLOCKS * (CS_CHUNK_SEALED_MAX + (size_t)64))
#define EXPIRE_AT_ONCE 64u /* places of one tick; the others wait for the next */
#define BLOCKS_PER_MIB ((1u << 20) / CS_BLOCK_SIZE)

/* -- rows ----------------------------------------------------------------------------------------
 */

int cs_telecare_row_keys(
    cs_row_keys **out, const cs_worker *worker, const uint8_t place[CS_PLACE_SIZE], cs_error *error)
{
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    int rc;

    *out = NULL;
    if (keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a place");
    rc = cs_row_keys_for(keys, worker->server->actor->storage, CS_TABLE_PLACE,
        (cs_view){place, CS_PLACE_SIZE}, (cs_view){0}, error);
    if (rc != CS_OK)
        cs_secret_free(&keys);
    *out = keys;
    return rc;
}

int cs_telecare_row_read(cs_telecare_row *row, const cs_worker *worker,
    const uint8_t place[CS_PLACE_SIZE], cs_error *error)
{
    cs_buf sealed = {0};
    int rc = cs_telecare_row_keys(&row->keys, worker, place, error);

    if (rc == CS_OK)
        rc = cs_store_get_place(worker->store, row->keys->row, &sealed, error);
    if (rc == CS_OK) {
        rc = cs_value_open(&cs_place_value_schema, &row->value, &row->plain, row->keys->value,
            CS_VIEW_ARRAY(row->keys->row), cs_view_buf(&sealed), error);
        if (cs_value_is_bad(rc))
            rc = CS_FAIL(error, CS_E_CORRUPT, "the row of a place does not open; restore a backup");
    }
    cs_buf_free(&sealed);
    return rc;
}

void cs_telecare_row_free(cs_telecare_row *row)
{
    cs_secret_free(&row->keys);
    cs_buf_free(&row->plain);
    *row = (cs_telecare_row){0};
}

/* -- sessions ------------------------------------------------------------------------------------
 */

/* Who calls by a name and has signed for it; a repetition says nothing about her. */
static void note_guest(cs_decision *decision, const cs_guest *guest, int rc)
{
    if (guest->nobody || (rc != CS_OK && !guest->known) || rc == CS_E_REPLAY)
        return;
    decision->repeatable = rc != CS_OK;
    cs_decision_party(decision, guest->who.id, guest->who.role);
    cs_decision_evidence(decision, guest->h_request, guest->signature);
}

static void release_guest(void *about)
{
    cs_telecare_guest *guest = about;

    cs_telecare_upload_free(&guest->upload);
    cs_wipe(guest, sizeof *guest);
    free(guest);
}

/* A place stands for who shows it. */
static void owner_of(const cs_guest *guest, char owner[CS_SESSION_OWNER_SIZE])
{
    if (guest->nobody)
        cs_hex(CS_VIEW_ARRAY(guest->place), owner);
    else
        (void)snprintf(
            owner, CS_SESSION_OWNER_SIZE, "%s %s", cs_role_name(guest->who.role), guest->who.id);
}

static int answer_guest(cs_telecare *cloud, const cs_worker *worker, cs_telecare_guest **guest,
    cs_buf *answer, cs_error *error)
{
    const cs_party *party = &cloud->server->actor->party;
    const cs_env *env = &worker->world.env;
    char owner[CS_SESSION_OWNER_SIZE];
    cs_session *session = NULL;
    void *about = *guest;
    int rc;

    owner_of(&(*guest)->guest, owner);
    rc = cs_sessions_have_room(cloud->sessions, owner, env->now, error);
    if (rc == CS_OK && (*guest)->guest.nobody)
        rc = cs_guest_t4(party, env, &(*guest)->guest, answer, &session, error);
    else if (rc == CS_OK)
        rc = cs_guest_t2(party, env, &(*guest)->guest, answer, &session, error);
    if (rc == CS_OK)
        rc = cs_sessions_put(
            cloud->sessions, &session, owner, &about, release_guest, env->now, error);
    *guest = about;
    cs_session_free(&session);
    return rc;
}

/* A place that there is, and that has not ended. */
static int check_place(const cs_worker *worker, const cs_guest *guest, cs_error *error)
{
    cs_telecare_row row = {0};
    int rc = cs_telecare_row_read(&row, worker, guest->place, error);

    if (rc == CS_OK && (int64_t)row.value.ends < worker->world.env.now)
        rc = CS_FAIL(error, CS_E_EXPIRED, "the episode has ended; ask the hospital for a new one");
    cs_telecare_row_free(&row);
    return rc;
}

static int open_guest(cs_server *server, cs_worker *worker, cs_view body, bool nobody,
    cs_decision *decision, cs_http_answer *answer, cs_error *error)
{
    const cs_party *party = &server->actor->party;
    cs_telecare_guest *guest = calloc(1, sizeof *guest);
    int rc;

    if (guest == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a session");
    rc = nobody ? cs_guest_t3(&guest->guest, party, &worker->world.env, body, error)
                : cs_guest_t1(&guest->guest, party, &worker->world.env, body, error);
    note_guest(decision, &guest->guest, rc);
    if (rc == CS_OK && nobody)
        rc = check_place(worker, &guest->guest, error);
    if (rc == CS_OK)
        rc = answer_guest(server->role, worker, &guest, &answer->body, error);
    if (guest != NULL)
        release_guest(guest);
    return rc;
}

int cs_telecare_t1(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    return open_guest(server, worker, body, false, decision, answer, error);
}

int cs_telecare_t3(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    return open_guest(server, worker, body, true, decision, answer, error);
}

int cs_telecare_hold(cs_telecare *cloud, const cs_worker *worker,
    const uint8_t id[CS_SESSION_ID_SIZE], cs_held_session **held, cs_decision *decision,
    cs_error *error)
{
    const cs_telecare_guest *guest;
    int rc = cs_sessions_take(cloud->sessions, id, worker->world.env.now, held, error);

    if (rc != CS_OK)
        return rc;
    guest = (*held)->about;
    note_guest(decision, &guest->guest, CS_OK);
    rc = cs_guest_check_again(
        &guest->guest, &cloud->server->actor->party, &worker->world.env, error);
    (*held)->over = rc != CS_OK;
    return rc;
}

/* -- routes --------------------------------------------------------------------------------------
 */

static int handle_call(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "telecare-call", cs_telecare_t1, error);
}

static int handle_guest(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "telecare-guest", cs_telecare_t3, error);
}

static int handle_upload(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "telecare-upload", cs_telecare_u1, error);
}

static int handle_blocks(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(
        app, worker, request, answer, "telecare-upload", cs_telecare_blocks, error);
}

static int handle_fetch(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "telecare-fetch", cs_telecare_g1, error);
}

static int handle_credential(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    const cs_server *server = app;

    (void)worker;
    (void)request;
    answer->content_type = CS_CONTENT_TYPE;
    return cs_buf_set(&answer->body, cs_credential_view(&server->actor->credential), error);
}

static const cs_http_route routes[] = {
    {"POST", "/v1/call", "call", handle_call, CS_MESSAGE_MAX},
    {"POST", "/v1/guest", "guest", handle_guest, CS_MESSAGE_MAX},
    {"POST", "/v1/upload", "upload", handle_upload, MESSAGE_BODY_MAX},
    {"POST", "/v1/blocks", "blocks", handle_blocks, BLOCKS_BODY_MAX},
    {"POST", "/v1/fetch", "fetch", handle_fetch, MESSAGE_BODY_MAX},
    {"GET", "/v1/credential", "credential", handle_credential, 0},
};

/* -- what is due ---------------------------------------------------------------------------------
 */

void cs_telecare_drop_left(cs_telecare *cloud)
{
    uint8_t(*left)[CS_RECORD_ID_SIZE];
    size_t count;

    (void)pthread_mutex_lock(&cloud->leaving);
    left = cloud->left;
    count = cloud->left_count;
    cloud->left = NULL;
    cloud->left_count = 0;
    (void)pthread_mutex_unlock(&cloud->leaving);
    for (size_t i = 0; i < count; i++) {
        (void)pthread_mutex_lock(&cloud->writing);
        cs_store_record_abandon(cloud->writer->store, left[i]);
        (void)pthread_mutex_unlock(&cloud->writing);
    }
    free(left);
}

static int expire(cs_worker *worker, cs_error *error)
{
    cs_decision decision = {.action = "telecare-expire"};
    unsigned removed = 0;
    int rc = cs_store_expire_places(
        worker->store, worker->world.env.now, EXPIRE_AT_ONCE, &removed, error);

    if (rc != CS_OK || removed == 0)
        return rc;
    cs_decision_party(&decision, worker->server->home->id, CS_ROLE_CLOUD);
    (void)snprintf(
        decision.detail, sizeof decision.detail, "%u places, with what lay there", removed);
    return cs_decision_record(&decision, worker, CS_OK, error);
}

static int look_after(cs_server *server, cs_worker *worker, cs_error *error)
{
    cs_telecare *cloud = server->role;
    uint64_t places = 0;
    int rc;

    cs_sessions_sweep(cloud->sessions, worker->world.env.now, CS_TELECARE_IDLE_MS);
    cs_telecare_drop_left(cloud);
    rc = expire(worker, error);
    if (rc == CS_OK)
        rc = cs_store_count(worker->store, "place", &places, error);
    if (rc == CS_OK)
        cs_metrics_set(server->metrics, "chartseal_places", NULL, 0, (double)places);
    cs_metrics_set(
        server->metrics, "chartseal_sessions", NULL, 0, (double)cs_sessions_count(cloud->sessions));
    return rc;
}

/* -- the service ---------------------------------------------------------------------------------
 */

static int read_limit(cs_telecare *cloud, const cs_home *home, cs_error *error)
{
    const json_t *value = json_object_get(home->config, "upload_max_mib");
    json_int_t mib = value == NULL ? CS_TELECARE_UPLOAD_MIB_DEFAULT : json_integer_value(value);

    if (mib < 1 || mib > CS_TELECARE_UPLOAD_MIB_MAX)
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/config.json: upload_max_mib is a number from 1 to %d; mend it", home->dir,
            CS_TELECARE_UPLOAD_MIB_MAX);
    cloud->blocks_max = (uint64_t)mib * BLOCKS_PER_MIB;
    return CS_OK;
}

static int declare_gauges(cs_metrics *metrics, cs_error *error)
{
    int rc = cs_metrics_declare(
        metrics, CS_METRIC_GAUGE, "chartseal_sessions", "Sessions open with guests.", error);

    if (rc == CS_OK)
        rc = cs_metrics_declare(metrics, CS_METRIC_GAUGE, "chartseal_places",
            "Places of episodes that have not ended, four for each.", error);
    return rc;
}

static int open_cloud(cs_telecare *cloud, cs_home *home, cs_error *error)
{
    int rc = cs_home_lock(&cloud->lock, home, false, error);

    if (rc == CS_OK)
        rc = read_limit(cloud, home, error);
    if (rc == CS_OK)
        rc = cs_server_open(&cloud->server, home, error);
    if (rc == CS_OK) {
        cloud->server->role = cloud;
        rc = cs_actor_wants_registration(cloud->server->actor, error);
    }
    if (rc == CS_OK)
        rc = declare_gauges(cloud->server->metrics, error);
    if (rc == CS_OK)
        rc = cs_sessions_new(&cloud->sessions, 0, CS_TELECARE_LIFE_MS, error);
    if (rc == CS_OK)
        rc = cs_worker_open(&cloud->writer, cloud->server, error);
    if (rc == CS_OK) /* what was being uploaded when the service before this one ended */
        rc = cs_store_record_purge(cloud->writer->store, error);
    return rc;
}

static void close_cloud(cs_telecare *cloud)
{
    cs_publisher_free(&cloud->publisher);
    cs_sessions_free(&cloud->sessions);
    if (cloud->writer != NULL)
        cs_telecare_drop_left(cloud);
    cs_worker_close(&cloud->writer);
    cs_server_close(&cloud->server);
    if (cloud->lock >= 0)
        (void)close(cloud->lock);
}

int cs_telecare_serve(cs_home *home, const cs_server_options *options, cs_error *error)
{
    cs_telecare cloud = {
        .lock = -1, .writing = PTHREAD_MUTEX_INITIALIZER, .leaving = PTHREAD_MUTEX_INITIALIZER};
    int rc = open_cloud(&cloud, home, error);

    if (rc == CS_OK)
        cloud.server->wire_log = options->wire_log;
    if (rc == CS_OK)
        rc = cs_publisher_new(&cloud.publisher, cloud.server, NULL, error);
    if (rc == CS_OK)
        rc = cs_publisher_start(cloud.publisher, error);
    if (rc == CS_OK)
        rc = cs_server_run(
            cloud.server, options, routes, sizeof routes / sizeof routes[0], look_after, error);
    close_cloud(&cloud);
    return rc;
}
