/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital_visit.h"

#include "service/frames.h"

#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

/* -- session -------------------------------------------------------------------------------------
 */

/* The notice and its trace in the log go to the disk before the doctor gets anything. */
static int give_notice(
    const cs_hpc *hospital, cs_worker *worker, const cs_query *query, cs_error *error)
{
    cs_decision notice = {.action = "emergency-notice"};
    int rc = cs_store_begin(worker->store, error);

    if (rc != CS_OK)
        return rc;
    cs_decision_query(&notice, query, CS_OK);
    rc = cs_outbox_put_notice(hospital->outbox, worker->store, query, worker->world.env.now, error);
    if (rc == CS_OK)
        rc = cs_decision_record(&notice, worker, CS_OK, error);
    if (rc == CS_OK)
        rc = cs_store_commit(worker->store, error);
    if (rc != CS_OK)
        cs_store_rollback(worker->store);
    return rc;
}

static void release_query(void *about)
{
    cs_wipe(about, sizeof(cs_query));
    free(about);
}

/* *about is the query; the session takes it over. */
static int open_session(
    cs_server *server, cs_worker *worker, void **about, cs_buf *s4, cs_error *error)
{
    const cs_query *query = *about;
    cs_hpc *hospital = server->role;
    int64_t now = worker->world.env.now;
    cs_session *session = NULL;
    int rc = CS_OK;

    if (query->emergency && !hospital->allows_emergency)
        return CS_FAIL(error, CS_E_POLICY, "this hospital allows no emergency access");
    rc = cs_sessions_have_room(hospital->sessions, query->doctor.id, now, error);
    if (rc == CS_OK && query->emergency)
        rc = give_notice(hospital, worker, query, error);
    if (rc == CS_OK)
        rc =
            cs_access_answer(&server->actor->party, &worker->world.env, query, s4, &session, error);
    if (rc == CS_OK)
        rc = cs_sessions_put(
            hospital->sessions, &session, query->doctor.id, about, release_query, now, error);
    cs_session_free(&session);
    return rc;
}

int cs_hpc_session(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    cs_query *query = calloc(1, sizeof *query);
    void *about = query;
    int rc;

    if (query == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a session");
    rc = cs_access_open(query, &server->actor->party, &worker->world.env, body, error);
    cs_decision_query(decision, query, rc);
    if (rc == CS_OK)
        rc = open_session(server, worker, &about, &answer->body, error);
    if (about != NULL)
        release_query(about);
    return rc;
}

int cs_hpc_hold(cs_hpc *hospital, const cs_worker *worker, cs_view head, cs_held_session **out,
    cs_decision *decision, cs_error *error)
{
    uint8_t id[CS_SESSION_ID_SIZE];
    char label[32];
    int rc = cs_head_session(head, id, label, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = cs_sessions_take(hospital->sessions, id, worker->world.env.now, out, error);
    if (rc != CS_OK)
        return rc;
    cs_decision_query(decision, (*out)->about, CS_OK);
    rc = cs_access_check_again(
        (*out)->about, &hospital->server->actor->party, &worker->world.env, error);
    (*out)->over = rc != CS_OK;
    return rc;
}

/* -- record --------------------------------------------------------------------------------------
 */

/* An answer on its way: one stored chunk becomes one chunk under SEK2. */
typedef struct record_stream {
    cs_record *record;
    cs_bulk *bulk;
    uint64_t next;
} record_stream;

static void release_stream(void *context)
{
    record_stream *stream = context;

    cs_record_free(&stream->record);
    cs_bulk_free(&stream->bulk);
    free(stream);
}

static int read_stream(void *context, void *worker, cs_buf *out, bool *end, cs_error *error)
{
    record_stream *stream = context;
    const cs_worker *mine = worker;
    cs_buf plain = {0};
    cs_buf sealed = {0};
    int rc = cs_record_read(stream->record, mine->store, stream->next++, &plain, error);

    if (rc == CS_OK)
        rc = cs_bulk_seal(stream->bulk, &sealed, cs_view_buf(&plain), end, error);
    if (rc == CS_OK)
        rc = cs_frame_put(out, cs_view_buf(&sealed), *end, error);
    cs_buf_free(&plain);
    cs_buf_free(&sealed);
    return rc;
}

/* S6 as far as it is known at once; the rest is read by the server as it can be sent. */
static int start_answer(const cs_held_session *held, const cs_worker *worker, record_stream *stream,
    const cs_record_list *others, cs_http_answer *answer, cs_error *error)
{
    const cs_record_header *header = &stream->record->header;
    cs_chpc2 record = {
        .record_id = CS_VIEW_ARRAY(stream->record->id),
        .media_type = header->media_type,
        .size = header->size,
        .h_emr = header->hash,
        .stored_at = header->time,
        .sig_emr = header->signature,
        .others = {.n = others->n},
    };
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final;
    int rc;

    for (size_t i = 0; i < others->n; i++)
        record.others.items[i] = CS_VIEW_ARRAY(others->ids[i]);
    rc = cs_access_s6(
        held->session, &worker->world.env, &record, &head, &chunk, &final, &stream->bulk, error);
    if (rc == CS_OK)
        rc = cs_frame_put(&answer->body, cs_view_buf(&head), false, error);
    if (rc == CS_OK)
        rc = cs_frame_put(&answer->body, cs_view_buf(&chunk), final, error);
    answer->content_type = CS_STREAM_CONTENT_TYPE;
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

static int answer_record(cs_server *server, cs_worker *worker, cs_held_session *held,
    const cs_frame_pair *parts, cs_http_answer *answer, cs_error *error)
{
    const cs_query *query = held->about;
    cs_key *storage = server->actor->storage;
    record_stream *stream = calloc(1, sizeof *stream);
    cs_record_list others;
    cs_row_keys *row = NULL;
    uint8_t id[CS_RECORD_ID_SIZE];
    size_t id_size = 0;
    int rc;

    if (stream == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a record");
    rc = cs_access_s5(held->session, &worker->world.env, query, cs_view_buf(&parts->head),
        cs_view_buf(&parts->chunk), parts->final, id, &id_size, error);
    if (rc == CS_OK)
        rc = cs_patient_keys(&row, storage, query->id_p, query->id_de, error);
    if (rc == CS_OK)
        rc = cs_record_find(&stream->record, &others, worker->store, storage, row->row,
            id_size == 0 ? NULL : id, error);
    if (rc == CS_OK)
        rc = start_answer(held, worker, stream, &others, answer, error);
    cs_secret_free(&row);
    if (rc != CS_OK || stream->bulk == NULL) {
        release_stream(stream);
    } else {
        answer->read = read_stream;
        answer->release = release_stream;
        answer->context = stream;
    }
    return rc;
}

int cs_hpc_record(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    cs_hpc *hospital = server->role;
    cs_held_session *held = NULL;
    cs_frame_pair parts = {0};
    int rc = cs_frame_pair_read(&parts, body, error);

    if (rc == CS_OK)
        rc = cs_hpc_hold(hospital, worker, cs_view_buf(&parts.head), &held, decision, error);
    if (rc == CS_OK)
        rc = answer_record(server, worker, held, &parts, answer, error);
    cs_sessions_give_back(hospital->sessions, &held, worker->world.env.now);
    cs_frame_pair_free(&parts);
    return rc;
}
