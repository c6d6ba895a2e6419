/* SPDX-License-Identifier: Apache-2.0 */
/* A record is fetched from the telecare cloud: G1, G2 and its blocks. */
#include "service/telecare_cloud.h"

#include "service/frames.h"

#include <chartseal/search.h>

#include <stdlib.h>
#include <string.h>

/* An answer on its way: a stored block becomes a chunk of the session. */
typedef struct block_stream {
    uint8_t record_id[CS_RECORD_ID_SIZE];
    cs_bulk *bulk;
    uint64_t next;
} block_stream;

static void release_stream(void *context)
{
    block_stream *stream = context;

    cs_bulk_free(&stream->bulk);
    free(stream);
}

static int read_stream(void *context, void *worker, cs_buf *out, bool *end, cs_error *error)
{
    block_stream *stream = context;
    const cs_worker *mine = worker;
    cs_buf block = {0};
    cs_buf sealed = {0};
    int rc = cs_store_get_chunk(mine->store, stream->record_id, stream->next++, &block, error);

    if (rc == CS_OK)
        rc = cs_bulk_seal(stream->bulk, &sealed, cs_view_buf(&block), end, error);
    if (rc == CS_OK)
        rc = cs_frame_put(out, cs_view_buf(&sealed), *end, error);
    cs_buf_free(&block);
    cs_buf_free(&sealed);
    return rc;
}

static int take_id(void *context, const cs_record_row *row, cs_error *error)
{
    block_stream *stream = context;

    (void)error;
    memcpy(stream->record_id, row->id, CS_RECORD_ID_SIZE);
    stream->next = 1; /* found */
    return CS_OK;
}

static int find_record(
    block_stream *stream, const cs_worker *worker, const cs_row_keys *keys, cs_error *error)
{
    int rc = cs_store_find_records(worker->store, keys->row, 1, take_id, stream, error);

    if (rc == CS_OK && stream->next == 0)
        rc = CS_FAIL(error, CS_E_CORRUPT, "the blocks of a place are gone; restore a backup");
    stream->next = 0;
    return rc;
}

static int start_answer(const cs_worker *worker, const cs_held_session *held, uint64_t slot,
    const uint8_t place[CS_PLACE_SIZE], block_stream *stream, cs_buf *body, cs_error *error)
{
    cs_telecare_row row = {0};
    cs_frame_pair g2 = {0};
    int rc = cs_telecare_row_read(&row, worker, place, error);

    if (rc == CS_OK)
        rc = cs_place_check_read(&row.value, &worker->world.env, slot, error);
    if (rc == CS_OK)
        rc = find_record(stream, worker, row.keys, error);
    if (rc == CS_OK)
        rc = cs_guest_g2(held->session, &worker->world.env, place, &row.value, &g2.head, &g2.chunk,
            &g2.final, &stream->bulk, error);
    if (rc == CS_OK)
        rc = cs_frame_pair_put(body, &g2, error);
    cs_frame_pair_free(&g2);
    cs_telecare_row_free(&row);
    return rc;
}

static int answer_g1(const cs_worker *worker, const cs_held_session *held, const cs_frame_pair *g1,
    cs_http_answer *answer, cs_error *error)
{
    const cs_telecare_guest *guest = held->about;
    block_stream *stream = calloc(1, sizeof *stream);
    uint8_t place[CS_PLACE_SIZE];
    uint64_t slot = 0;
    int rc;

    if (stream == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a record");
    rc = cs_guest_g1(held->session, &worker->world.env, &guest->guest, cs_view_buf(&g1->head),
        cs_view_buf(&g1->chunk), g1->final, &slot, place, error);
    if (rc == CS_OK)
        rc = start_answer(worker, held, slot, place, stream, &answer->body, error);
    if (rc != CS_OK) {
        release_stream(stream);
        return rc;
    }
    answer->content_type = CS_STREAM_CONTENT_TYPE;
    answer->read = read_stream;
    answer->release = release_stream;
    answer->context = stream;
    return CS_OK;
}

int cs_telecare_g1(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    cs_telecare *cloud = server->role;
    uint8_t id[CS_SESSION_ID_SIZE];
    cs_held_session *held = NULL;
    cs_frame_pair g1 = {0};
    char label[32];
    int rc = cs_frame_pair_read(&g1, body, error);

    if (rc == CS_OK)
        rc = cs_head_session(cs_view_buf(&g1.head), id, label, error);
    if (rc == CS_OK)
        rc = cs_telecare_hold(cloud, worker, id, &held, decision, error);
    if (rc == CS_OK)
        rc = answer_g1(worker, held, &g1, answer, error);
    cs_sessions_give_back(cloud->sessions, &held, worker->world.env.now);
    cs_frame_pair_free(&g1);
    return rc;
}
