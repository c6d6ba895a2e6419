/* SPDX-License-Identifier: Apache-2.0 */
/* A record comes to the telecare cloud: U1, its blocks piece by piece, U2. */
#include "service/telecare_cloud.h"

#include "service/frames.h"

#include <chartseal/search.h>
#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

/* The store is for another thread to clean: this one may hold the table of sessions. */
static void leave(cs_telecare *cloud, const uint8_t id[CS_RECORD_ID_SIZE])
{
    uint8_t(*more)[CS_RECORD_ID_SIZE];

    (void)pthread_mutex_lock(&cloud->leaving);
    more = realloc(cloud->left, (cloud->left_count + 1) * sizeof *more);
    if (more != NULL) { /* else it goes with the next start */
        memcpy(more[cloud->left_count], id, CS_RECORD_ID_SIZE);
        cloud->left = more;
        cloud->left_count++;
    }
    (void)pthread_mutex_unlock(&cloud->leaving);
}

void cs_telecare_upload_free(cs_telecare_upload **upload)
{
    cs_telecare_upload *old = *upload;

    if (old == NULL)
        return;
    if (old->begun)
        leave(old->cloud, old->record_id);
    cs_bulk_free(&old->bulk);
    cs_hasher_free(&old->hasher);
    cs_buf_free(&old->plain);
    cs_buf_free(&old->answer);
    free(old);
    *upload = NULL;
}

/* -- U1 ------------------------------------------------------------------------------------------
 */

/* Before the blocks come; the same is asked again when they are there. */
static int check_place(const cs_worker *worker, const cs_telecare_upload *upload, cs_error *error)
{
    cs_telecare_row row = {0};
    int rc = cs_telecare_row_read(&row, worker, upload->place, error);

    if (rc == CS_OK)
        rc = cs_place_check_write(&row.value, &worker->world.env, upload->about.slot, error);
    else if (rc == CS_E_NOT_FOUND && upload->about.slot == CS_SLOT_REPORT)
        rc = CS_OK; /* an episode begins */
    cs_telecare_row_free(&row);
    return rc;
}

static int begin(cs_telecare_upload *upload, cs_error *error)
{
    cs_telecare *cloud = upload->cloud;
    int rc;

    cs_random(upload->record_id, sizeof upload->record_id);
    (void)pthread_mutex_lock(&cloud->writing);
    rc = cs_store_record_begin(cloud->writer->store, upload->record_id, error);
    (void)pthread_mutex_unlock(&cloud->writing);
    upload->begun = rc == CS_OK;
    return rc;
}

static int take_u1(cs_telecare *cloud, const cs_worker *worker, cs_held_session *held,
    const cs_frame_pair *u1, cs_error *error)
{
    cs_telecare_guest *guest = held->about;
    cs_telecare_upload *upload = calloc(1, sizeof *upload);
    int rc;

    cs_telecare_upload_free(&guest->upload);
    if (upload == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for an upload");
    guest->upload = upload;
    upload->cloud = cloud;
    rc = cs_guest_u1(held->session, &worker->world.env, &guest->guest, cloud->blocks_max,
        cs_view_buf(&u1->head), cs_view_buf(&u1->chunk), u1->final, &upload->plain, &upload->about,
        upload->place, &upload->bulk, error);
    if (rc == CS_OK)
        rc = check_place(worker, upload, error);
    if (rc == CS_OK)
        rc = cs_hasher_new(&upload->hasher, error);
    if (rc == CS_OK)
        rc = begin(upload, error);
    if (rc != CS_OK)
        cs_telecare_upload_free(&guest->upload);
    return rc;
}

int cs_telecare_u1(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    cs_telecare *cloud = server->role;
    uint8_t id[CS_SESSION_ID_SIZE];
    cs_held_session *held = NULL;
    cs_frame_pair u1 = {0};
    char label[32];
    int rc = cs_frame_pair_read(&u1, body, error);

    (void)answer;
    if (rc == CS_OK)
        rc = cs_head_session(cs_view_buf(&u1.head), id, label, error);
    if (rc == CS_OK)
        rc = cs_telecare_hold(cloud, worker, id, &held, decision, error);
    if (rc == CS_OK)
        rc = take_u1(cloud, worker, held, &u1, error);
    decision->recorded = rc == CS_OK; /* it is, when all has come */
    cs_sessions_give_back(cloud->sessions, &held, worker->world.env.now);
    cs_frame_pair_free(&u1);
    return rc;
}

/* -- the end -------------------------------------------------------------------------------------
 */

static int seal_value(
    cs_buf *sealed, const cs_row_keys *keys, const cs_place_value *value, cs_error *error)
{
    return cs_value_seal(
        sealed, keys->value, CS_VIEW_ARRAY(keys->row), &cs_place_value_schema, value, error);
}

/* An episode begins: a row for each of its places, so that there is none that somebody else made.
 */
static int add_rows(const cs_worker *worker, const cs_telecare_upload *upload, cs_view h_blocks,
    uint8_t row_key[CS_STORE_KEY_SIZE], cs_error *error)
{
    int rc = CS_OK;

    for (uint64_t slot = 1; rc == CS_OK && slot <= CS_SLOTS; slot++) {
        const bool own = slot == CS_SLOT_REPORT;
        const cs_place_value value = {.slot = slot,
            .ends = upload->about.ends,
            .blocks = own ? upload->about.blocks : 0,
            .h_blocks = own ? h_blocks : (cs_view){0}};
        cs_row_keys *keys = NULL;
        cs_buf sealed = {0};

        rc = cs_telecare_row_keys(
            &keys, worker, upload->about.places.p + (slot - 1) * CS_PLACE_SIZE, error);
        if (rc == CS_OK)
            rc = seal_value(&sealed, keys, &value, error);
        if (rc == CS_OK)
            rc = cs_store_add_place(
                worker->store, keys->row, (int64_t)upload->about.ends, cs_view_buf(&sealed), error);
        if (rc == CS_E_EXISTS)
            rc = CS_FAIL(error, CS_E_ORDER, "there is such a place already");
        if (rc == CS_OK && own)
            memcpy(row_key, keys->row, CS_STORE_KEY_SIZE);
        cs_secret_free(&keys);
        cs_buf_free(&sealed);
    }
    return rc;
}

static int fill_row(const cs_worker *worker, cs_telecare_upload *upload, cs_view h_blocks,
    uint8_t row_key[CS_STORE_KEY_SIZE], cs_error *error)
{
    cs_telecare_row row = {0};
    cs_buf sealed = {0};
    int rc = cs_telecare_row_read(&row, worker, upload->place, error);

    if (rc == CS_OK)
        rc = cs_place_check_write(&row.value, &worker->world.env, upload->about.slot, error);
    if (rc == CS_OK) {
        row.value.blocks = upload->about.blocks;
        row.value.seals = upload->about.seals;
        row.value.h_blocks = h_blocks;
        rc = seal_value(&sealed, row.keys, &row.value, error);
    }
    if (rc == CS_OK)
        rc = cs_store_set_place(worker->store, row.keys->row, cs_view_buf(&sealed), error);
    if (rc == CS_OK) {
        upload->about.ends = row.value.ends;
        memcpy(row_key, row.keys->row, CS_STORE_KEY_SIZE);
    }
    cs_telecare_row_free(&row);
    cs_buf_free(&sealed);
    return rc;
}

/* In one transaction: the row, the record, the entry. */
static int keep(
    cs_worker *writer, cs_telecare_upload *upload, cs_decision *decision, cs_error *error)
{
    cs_record_row record = {.stored_at = writer->world.env.now, .chunks = upload->about.blocks};
    uint8_t hash[CS_HASH_SIZE];
    int rc = cs_hasher_finish(upload->hasher, hash, error);

    if (rc == CS_OK)
        rc = cs_store_begin(writer->store, error);
    if (rc != CS_OK)
        return rc;
    memcpy(record.id, upload->record_id, sizeof record.id);
    rc = upload->about.slot == CS_SLOT_REPORT
             ? add_rows(writer, upload, CS_VIEW_ARRAY(hash), record.row_key, error)
             : fill_row(writer, upload, CS_VIEW_ARRAY(hash), record.row_key, error);
    if (rc == CS_OK)
        rc = cs_store_record_finish(writer->store, &record, error);
    (void)snprintf(decision->detail, sizeof decision->detail, "%llu blocks",
        (unsigned long long)upload->about.blocks);
    rc = cs_decision_commit(decision, writer, rc, error);
    if (rc == CS_OK)
        upload->begun = false;
    return rc;
}

static int make_u2(
    cs_held_session *held, const cs_worker *worker, cs_telecare_upload *upload, cs_error *error)
{
    cs_frame_pair u2 = {.final = true};
    int rc = cs_guest_u2(held->session, &worker->world.env, upload->place, upload->about.ends,
        &u2.head, &u2.chunk, error);

    if (rc == CS_OK)
        rc = cs_frame_pair_put(&upload->answer, &u2, error);
    cs_frame_pair_free(&u2);
    return rc;
}

/* -- blocks --------------------------------------------------------------------------------------
 */

/* A piece while it is taken apart. */
typedef struct piece {
    cs_telecare *cloud;
    const cs_worker *worker;
    cs_decision *decision;
    cs_held_session *held;
    cs_telecare_upload *upload;
    uint64_t first; /* the number of its first block */
    cs_buf block;
} piece;

static int take_head(piece *in, cs_view head, cs_error *error)
{
    const cs_telecare_guest *guest;
    int rc;

    if (head.n != CS_TELECARE_PIECE_HEAD_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "a piece begins with a session and a number");
    for (size_t i = CS_SESSION_ID_SIZE; i < head.n; i++)
        in->first = in->first << 8 | head.p[i];
    rc = cs_telecare_hold(in->cloud, in->worker, head.p, &in->held, in->decision, error);
    if (rc != CS_OK)
        return rc;
    guest = in->held->about;
    in->upload = guest->upload;
    if (in->upload == NULL)
        return CS_FAIL(error, CS_E_ORDER, "blocks before U1, or of an upload that was refused");
    if (in->first > in->upload->taken)
        return CS_FAIL(error, CS_E_ORDER, "a piece is missing before this one");
    return CS_OK;
}

static int take_block(piece *in, uint64_t number, cs_view chunk, cs_error *error)
{
    cs_telecare_upload *upload = in->upload;
    int rc;

    if (number < upload->taken) /* the answer to this piece was lost */
        return CS_OK;
    if (number >= upload->about.blocks)
        return CS_FAIL(error, CS_E_MALFORMED, "more blocks than the record has");
    cs_buf_clear(&in->block);
    rc = cs_bulk_open(upload->bulk, &in->block, chunk, number + 1 == upload->about.blocks, error);
    if (rc == CS_OK)
        rc = cs_hasher_add(upload->hasher, cs_view_buf(&in->block), error);
    if (rc == CS_OK)
        rc = cs_store_record_chunk(
            in->cloud->writer->store, upload->record_id, number, cs_view_buf(&in->block), error);
    if (rc == CS_OK)
        upload->taken++;
    return rc;
}

static int take_frame(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    piece *in = context;

    (void) final; /* of the piece; which block is the last, U1 has said */
    return index == 0 ? take_head(in, content, error)
                      : take_block(in, in->first + index - 1, content, error);
}

/* Through, or not: then what has come is worth nothing any more. */
static int settle(piece *in, cs_error *error)
{
    cs_telecare_upload *upload = in->upload;
    cs_worker *writer = in->cloud->writer;
    int rc = cs_store_record_flush(writer->store, error);

    if (rc == CS_OK && upload->begun && upload->taken == upload->about.blocks) {
        writer->world.env.now = in->worker->world.env.now;
        rc = keep(writer, upload, in->decision, error);
        if (rc == CS_OK)
            rc = make_u2(in->held, in->worker, upload, error);
    }
    return rc;
}

int cs_telecare_blocks(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    cs_telecare *cloud = server->role;
    piece in = {.cloud = cloud, .worker = worker, .decision = decision};
    cs_frames frames = {0};
    int rc;

    (void)pthread_mutex_lock(&cloud->writing);
    rc = cs_frames_feed(&frames, body, take_frame, &in, error);
    if (rc == CS_OK)
        rc = cs_frames_end(&frames, error);
    if (rc == CS_OK)
        rc = settle(&in, error);
    (void)pthread_mutex_unlock(&cloud->writing);
    if (rc == CS_OK)
        rc = cs_buf_append(&answer->body, cs_view_buf(&in.upload->answer), error);
    if (rc != CS_OK && in.held != NULL)
        in.held->over = true;
    decision->recorded = rc == CS_OK;
    answer->content_type = CS_STREAM_CONTENT_TYPE;
    cs_sessions_give_back(cloud->sessions, &in.held, worker->world.env.now);
    cs_frames_free(&frames);
    cs_buf_free(&in.block);
    return rc;
}
