/* SPDX-License-Identifier: Apache-2.0 */
/* A record on its way to the cloud: U1, its blocks, U2. */
#include "protocol/session.h"
#include "protocol/telecare.h"

#include <stdlib.h>
#include <string.h>

typedef enum writing_step { NEW, SENDING, SENT, STORED } writing_step;

struct cs_writing {
    cs_episode *episode;
    cs_slot slot;
    writing_step step;
    cs_episode_part own; /* what was signed for it; a copy has none of its own */
    cs_parts parts;
    cs_buf front;
    uint8_t *key;      /* guarded; drawn anew by each U1 */
    cs_stream *stream; /* of the record */
    cs_bulk *bulk;     /* of the session that carries it */
    uint64_t blocks;   /* of which so many are left */
    uint64_t content;  /* and so many bytes of content */
    bool first;
};

void cs_writing_free(cs_writing **writing)
{
    if (writing == NULL || *writing == NULL)
        return;
    cs_episode_part_free(&(*writing)->own);
    cs_parts_end(&(*writing)->parts);
    cs_buf_free(&(*writing)->front);
    cs_stream_free(&(*writing)->stream);
    cs_bulk_free(&(*writing)->bulk);
    cs_secret_free(&(*writing)->key);
    free(*writing);
    *writing = NULL;
}

static void add_part(cs_writing *writing, cs_front *front, const cs_episode_part *part)
{
    size_t i = writing->parts.n++;

    writing->parts.part[i] = part->part;
    front->statements.items[i] = cs_view_buf(&part->statement);
    front->certificates.items[i] = cs_view_buf(&part->certificate);
    front->statements.n = front->certificates.n = i + 1;
}

static int set_front(cs_writing *writing, cs_error *error)
{
    cs_front front = {0};

    if (writing->slot != CS_SLOT_COPY)
        add_part(writing, &front, &writing->own);
    for (uint64_t slot = 1; writing->slot == CS_SLOT_COPY && slot <= CS_SIGNED_SLOTS; slot++)
        add_part(writing, &front, cs_episode_part_of(writing->episode, slot));
    if (cs_parts_size(&writing->parts) > CS_RECORD_SIZE_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a record is over %llu bytes",
            (unsigned long long)CS_RECORD_SIZE_MAX);
    return cs_encode(&writing->front, &cs_front_schema, &front, error);
}

int cs_writing_new(
    cs_writing **out, cs_episode *episode, cs_slot slot, cs_episode_part *part, cs_error *error)
{
    cs_writing *writing = calloc(1, sizeof *writing);
    int rc = CS_OK;

    *out = NULL;
    if (writing == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a record");
    writing->episode = episode;
    writing->slot = slot;
    writing->key = cs_secret_new(CS_RECORD_KEY_SIZE);
    if (part != NULL)
        cs_episode_part_move(&writing->own, part);
    if (writing->key == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a record's key");
    if (rc == CS_OK)
        rc = set_front(writing, error);
    if (rc != CS_OK)
        cs_writing_free(&writing);
    *out = writing;
    return rc;
}

/* The key to each of the readers; the report's goes into the letters. */
static int seal_key(const cs_writing *writing,
    uint8_t seals[CS_RECORD_SEALS_MAX][CS_RECORD_SEAL_SIZE], cs_list *list, cs_error *error)
{
    const cs_slot_rule *rule = cs_slot_rule_of(writing->slot);
    cs_episode *episode = writing->episode;
    int rc = CS_OK;

    if (writing->slot == CS_SLOT_REPORT)
        memcpy(episode->secrets->report_key, writing->key, CS_RECORD_KEY_SIZE);
    for (size_t i = 0; rc == CS_OK && i < rule->seals; i++) {
        rc = cs_record_key_seal(seals[i], cs_episode_party(episode, rule->readers[i])->puk_decrypt,
            cs_episode_place(episode, writing->slot), writing->key, error);
        list->items[i] = CS_VIEW_ARRAY(seals[i]);
        list->n = i + 1;
    }
    return rc;
}

/* A key of its own each time: two contents under one key and the same nonces would open each other.
 */
static int begin(cs_writing *writing, cs_error *error)
{
    int rc;

    writing->step = NEW;
    cs_stream_free(&writing->stream);
    cs_bulk_free(&writing->bulk);
    cs_random(writing->key, CS_RECORD_KEY_SIZE);
    writing->content = cs_parts_size(&writing->parts);
    writing->blocks = cs_record_blocks(writing->front.n, writing->content);
    writing->first = true;
    rc = cs_stream_new(&writing->stream, writing->key,
        (cs_view){cs_episode_place(writing->episode, writing->slot), CS_PLACE_SIZE}, error);
    return rc == CS_OK ? cs_parts_begin(&writing->parts, error) : rc;
}

int cs_writing_u1(cs_writing *writing, cs_caller *caller, const cs_env *env, cs_buf *head,
    cs_buf *chunk, bool *final, cs_error *error)
{
    const cs_episode *episode = writing->episode;
    uint8_t seals[CS_RECORD_SEALS_MAX][CS_RECORD_SEAL_SIZE];
    cs_upload upload = {.time = (uint64_t)env->now,
        .slot = writing->slot,
        .token = CS_VIEW_ARRAY(episode->secrets->tokens[writing->slot - 1])};
    cs_session *session = NULL;
    int rc;

    if (writing->step == STORED)
        return CS_FAIL(error, CS_E_ORDER, "the record is stored already");
    rc = cs_episode_check_end(episode, env, error);
    if (rc == CS_OK)
        rc = cs_caller_session(&session, caller, error);
    if (rc == CS_OK)
        rc = begin(writing, error);
    if (rc == CS_OK)
        rc = seal_key(writing, seals, &upload.seals, error);
    if (rc != CS_OK)
        return rc;
    upload.blocks = writing->blocks;
    if (writing->slot == CS_SLOT_REPORT) {
        upload.ends = (uint64_t)episode->ends;
        upload.places = (cs_view){episode->places[0], sizeof episode->places};
    }
    rc = cs_session_put(session, "chartseal/1 U1", env->now, &cs_upload_schema, &upload,
        upload.blocks * CS_BLOCK_SIZE, head, chunk, final, &writing->bulk, error);
    if (rc == CS_OK)
        writing->step = SENDING;
    return rc;
}

static size_t room(const cs_writing *writing)
{
    return writing->first ? CS_BLOCK_PLAIN - CS_FRONT_LENGTH_SIZE - writing->front.n
                          : CS_BLOCK_PLAIN;
}

size_t cs_writing_want(const cs_writing *writing)
{
    size_t most = room(writing);

    return writing->content < most ? (size_t)writing->content : most;
}

static int fill_block(cs_writing *writing, cs_view content, cs_buf *plain, cs_error *error)
{
    const size_t n = writing->front.n;
    const uint8_t length[CS_FRONT_LENGTH_SIZE] = {
        (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    int rc = CS_OK;

    if (writing->first)
        rc = cs_buf_append(plain, CS_VIEW_ARRAY(length), error);
    if (rc == CS_OK && writing->first)
        rc = cs_buf_append(plain, cs_view_buf(&writing->front), error);
    if (rc == CS_OK)
        rc = cs_buf_append(plain, content, error);
    if (rc == CS_OK)
        rc = cs_buf_resize(plain, CS_BLOCK_PLAIN, error);
    return rc;
}

int cs_writing_block(
    cs_writing *writing, cs_view content, cs_buf *chunk, bool *final, cs_error *error)
{
    cs_buf plain = {0};
    cs_buf block = {0};
    int rc = CS_OK;

    if (writing->step != SENDING)
        return CS_FAIL(error, CS_E_ORDER, "a block before U1, or behind the last one");
    if (content.n != cs_writing_want(writing))
        rc = CS_FAIL(error, CS_E_TRUNCATED, "a block takes %zu bytes of the content, not %zu",
            cs_writing_want(writing), content.n);
    if (rc == CS_OK)
        rc = cs_parts_pass(&writing->parts, content, error);
    if (rc == CS_OK)
        rc = fill_block(writing, content, &plain, error);
    if (rc == CS_OK)
        rc = cs_stream_seal(
            writing->stream, &block, cs_view_buf(&plain), writing->blocks == 1, error);
    if (rc == CS_OK)
        rc = cs_bulk_seal(writing->bulk, chunk, cs_view_buf(&block), final, error);
    writing->content -= rc == CS_OK ? content.n : 0;
    writing->first = false;
    if (rc != CS_OK)
        writing->step = NEW;
    else if (--writing->blocks == 0)
        writing->step = SENT;
    cs_buf_free(&plain);
    cs_buf_free(&block);
    return rc;
}

int cs_writing_u2(cs_writing *writing, cs_caller *caller, const cs_env *env, cs_view head,
    cs_view chunk, bool final, cs_error *error)
{
    const cs_episode *episode = writing->episode;
    cs_session *session = NULL;
    cs_stream *stream = NULL;
    cs_bulk *none = NULL;
    cs_buf plain = {0};
    cs_stored stored;
    uint64_t time;
    int rc = cs_caller_session(&session, caller, error);

    if (rc == CS_OK && writing->step != SENT)
        rc = CS_FAIL(error, CS_E_ORDER, "an answer before the record was sent");
    if (rc != CS_OK)
        return rc;
    writing->step = NEW;
    rc = cs_session_take(session, "chartseal/1 U2", env, head, chunk, final, &cs_stored_schema,
        &stored, &plain, &time, &stream, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, stored.time, error);
    if (rc == CS_OK)
        rc = cs_bulk_take(&none, &stream, 0, error);
    if (rc == CS_OK && (stored.ends != (uint64_t)episode->ends ||
                           !cs_view_equal(stored.place,
                               (cs_view){episode->places[writing->slot - 1], CS_PLACE_SIZE})))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the cloud stored something else than was sent");
    if (rc == CS_OK) {
        writing->step = STORED;
        if (writing->slot != CS_SLOT_COPY) {
            cs_episode_part *known = cs_episode_part_of(writing->episode, writing->slot);

            cs_episode_part_move(known, &writing->own);
            known->known = true;
        }
    }
    cs_stream_free(&stream);
    cs_buf_free(&plain);
    return rc;
}
