/* SPDX-License-Identifier: Apache-2.0 */
/* A record on its way from the cloud: G1, G2, its blocks, and the check of what they hold. */
#include "protocol/session.h"
#include "protocol/telecare.h"

#include <stdlib.h>
#include <string.h>

struct cs_reading {
    cs_episode *episode;
    cs_slot slot;
    cs_bulk *bulk;     /* of the session that carries it */
    cs_stream *stream; /* of the record */
    uint64_t total;    /* blocks */
    uint64_t taken;
    bool refused;
    cs_parts parts;
    uint64_t content;                     /* bytes of it that are still to come */
    cs_episode_part own[CS_SIGNED_SLOTS]; /* what was signed, not known until the finish */
};

void cs_reading_free(cs_reading **reading)
{
    if (reading == NULL || *reading == NULL)
        return;
    for (size_t i = 0; i < CS_SIGNED_SLOTS; i++)
        cs_episode_part_free(&(*reading)->own[i]);
    cs_parts_end(&(*reading)->parts);
    cs_bulk_free(&(*reading)->bulk);
    cs_stream_free(&(*reading)->stream);
    free(*reading);
    *reading = NULL;
}

size_t cs_reading_parts(const cs_reading *reading)
{
    return reading->parts.n;
}

const cs_part *cs_reading_part(const cs_reading *reading, size_t i)
{
    return i < reading->parts.n ? &reading->parts.part[i] : NULL;
}

/* Which of a record's seals is one's own. */
static int own_seal(const cs_episode *episode, uint64_t slot, size_t *i, cs_error *error)
{
    const cs_slot_rule *rule = cs_slot_rule_of(slot);

    for (*i = 0; *i < rule->seals; ++*i) {
        if (rule->readers[*i] == episode->role)
            return CS_OK;
    }
    return CS_FAIL(error, CS_E_RECIPIENT, "a %s is not sealed to a %s", rule->name,
        cs_role_name(episode->role));
}

/* A measurement is read when the report is known, which it has to follow; and so on. A copy has all
 * of them in it. */
static int check_may_read(
    const cs_episode *episode, const cs_env *env, uint64_t slot, cs_error *error)
{
    size_t i;
    int rc = cs_episode_check_end(episode, env, error);

    if (rc == CS_OK && slot != CS_SLOT_REPORT)
        rc = own_seal(episode, slot, &i, error);
    if (rc == CS_OK && slot != CS_SLOT_REPORT && slot != CS_SLOT_COPY &&
        !episode->parts[slot - 2].known)
        rc = CS_FAIL(error, CS_E_ORDER, "read the %s before the %s",
            cs_slot_rule_of(slot - 1)->name, cs_slot_rule_of(slot)->name);
    return rc;
}

int cs_episode_g1(cs_episode *episode, cs_slot slot, cs_caller *caller, const cs_env *env,
    cs_buf *head, cs_buf *chunk, cs_error *error)
{
    const cs_fetch fetch = {.time = (uint64_t)env->now,
        .slot = slot,
        .place = {cs_episode_place(episode, slot), CS_PLACE_SIZE}};
    cs_session *session = NULL;
    cs_bulk *none = NULL;
    bool final;
    int rc = check_may_read(episode, env, slot, error);

    if (rc == CS_OK)
        rc = cs_caller_session(&session, caller, error);
    if (rc == CS_OK)
        rc = cs_session_put(session, "chartseal/1 G1", env->now, &cs_fetch_schema, &fetch, 0, head,
            chunk, &final, &none, error);
    return rc;
}

static int open_key(const cs_reading *reading, const cs_fetched *fetched,
    uint8_t key[CS_RECORD_KEY_SIZE], cs_error *error)
{
    const cs_episode *episode = reading->episode;
    size_t i = 0;
    int rc = CS_OK;

    if (fetched->seals.n != cs_slot_rule_of(reading->slot)->seals)
        return CS_FAIL(error, CS_E_MALFORMED, "a %s with another number of seals",
            cs_slot_rule_of(reading->slot)->name);
    if (reading->slot == CS_SLOT_REPORT) {
        memcpy(key, episode->secrets->report_key, CS_RECORD_KEY_SIZE);
        return CS_OK;
    }
    rc = own_seal(episode, reading->slot, &i, error);
    if (rc == CS_OK)
        rc = cs_record_key_open(key, episode->me, cs_episode_place(episode, reading->slot),
            fetched->seals.items[i], error);
    return rc;
}

static int open_stream(cs_reading *reading, const cs_fetched *fetched, cs_error *error)
{
    const uint8_t *place = cs_episode_place(reading->episode, reading->slot);
    uint8_t *key = cs_secret_new(CS_RECORD_KEY_SIZE);
    int rc = CS_OK;

    if (key == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a record's key");
    if (rc == CS_OK)
        rc = open_key(reading, fetched, key, error);
    if (rc == CS_OK)
        rc = cs_stream_new(&reading->stream, key, (cs_view){place, CS_PLACE_SIZE}, error);
    cs_secret_free(&key);
    return rc;
}

static int take_g2(cs_reading *reading, cs_session *session, const cs_env *env, cs_view head,
    cs_view chunk, bool final, cs_error *error)
{
    const cs_view place = {cs_episode_place(reading->episode, reading->slot), CS_PLACE_SIZE};
    cs_stream *stream = NULL;
    cs_buf plain = {0};
    cs_fetched fetched;
    uint64_t time;
    int rc = cs_session_take(session, "chartseal/1 G2", env, head, chunk, final, &cs_fetched_schema,
        &fetched, &plain, &time, &stream, error);

    if (rc == CS_OK)
        rc = cs_check_same_time(time, fetched.time, error);
    if (rc == CS_OK && !cs_view_equal(fetched.place, place))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the cloud sent another record than was asked for");
    if (rc == CS_OK)
        rc = cs_bulk_take(&reading->bulk, &stream, fetched.blocks * CS_BLOCK_SIZE, error);
    if (rc == CS_OK)
        rc = open_stream(reading, &fetched, error);
    reading->total = fetched.blocks;
    cs_stream_free(&stream);
    cs_buf_free(&plain);
    return rc;
}

int cs_episode_g2(cs_reading **out, cs_episode *episode, cs_slot slot, cs_caller *caller,
    const cs_env *env, cs_view head, cs_view chunk, bool final, cs_error *error)
{
    cs_reading *reading = calloc(1, sizeof *reading);
    cs_session *session = NULL;
    int rc = CS_OK;

    *out = NULL;
    if (reading == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a record");
    reading->episode = episode;
    reading->slot = slot;
    rc = check_may_read(episode, env, slot, error);
    if (rc == CS_OK)
        rc = cs_caller_session(&session, caller, error);
    if (rc == CS_OK)
        rc = take_g2(reading, session, env, head, chunk, final, error);
    if (rc != CS_OK)
        cs_reading_free(&reading);
    *out = reading;
    return rc;
}

/* Each part's statement. One record's is checked as it is today; those of a copy were, when it was
 * made, and follow each other. */
static int take_statements(
    cs_reading *reading, const cs_env *env, const cs_front *front, cs_error *error)
{
    const size_t parts = cs_slot_rule_of(reading->slot)->parts;
    const bool copy = reading->slot == CS_SLOT_COPY;
    cs_view previous = {0};
    int rc = CS_OK;

    if (front->statements.n != parts || front->certificates.n != parts)
        return CS_FAIL(error, CS_E_MALFORMED, "a record with another number of parts than it has");
    if (!copy)
        previous = cs_episode_previous(reading->episode, reading->slot);
    for (size_t i = 0; rc == CS_OK && i < parts; i++) {
        rc = cs_statement_check(&reading->own[i], reading->episode, env,
            copy ? i + 1 : (uint64_t)reading->slot, front->statements.items[i],
            front->certificates.items[i], previous, !copy, error);
        reading->parts.part[i] = reading->own[i].part;
        previous = CS_VIEW_ARRAY(reading->own[i].h_statement);
    }
    reading->parts.n = rc == CS_OK ? parts : 0;
    return rc;
}

/* The front of the first block; *plain then begins with the content. */
static int take_front(cs_reading *reading, const cs_env *env, cs_view *plain, cs_error *error)
{
    cs_front front;
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < CS_FRONT_LENGTH_SIZE; i++)
        n = n << 8 | plain->p[i];
    if (n > plain->n - CS_FRONT_LENGTH_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "the front of a record is longer than its block");
    rc = cs_decode(&cs_front_schema, &front, (cs_view){plain->p + CS_FRONT_LENGTH_SIZE, n}, error);
    if (rc == CS_OK)
        rc = take_statements(reading, env, &front, error);
    if (rc == CS_OK)
        rc = cs_parts_begin(&reading->parts, error);
    if (rc != CS_OK)
        return rc;
    reading->content = cs_parts_size(&reading->parts);
    /* there is one number of blocks for a content, so none says more than its size */
    if (cs_record_blocks(n, reading->content) != reading->total)
        return CS_FAIL(error, CS_E_TRUNCATED, "a record is not as long as what was signed of it");
    plain->p += CS_FRONT_LENGTH_SIZE + n;
    plain->n -= CS_FRONT_LENGTH_SIZE + n;
    return CS_OK;
}

static int take_plain(
    cs_reading *reading, const cs_env *env, cs_view plain, cs_buf *content, cs_error *error)
{
    cs_view now;
    int rc = CS_OK;

    /* full: the bulk lets no other chunk through, and a chunk holds one block */
    if (reading->taken == 0)
        rc = take_front(reading, env, &plain, error);
    if (rc != CS_OK)
        return rc;
    now = (cs_view){plain.p, plain.n < reading->content ? plain.n : (size_t)reading->content};
    for (size_t i = now.n; i < plain.n; i++) {
        if (plain.p[i] != 0)
            return CS_FAIL(error, CS_E_MALFORMED, "there is something in the padding of a record");
    }
    rc = cs_parts_pass(&reading->parts, now, error);
    if (rc == CS_OK)
        rc = cs_buf_append(content, now, error);
    if (rc == CS_OK)
        reading->content -= now.n;
    return rc;
}

int cs_reading_block(cs_reading *reading, const cs_env *env, cs_view chunk, bool final,
    cs_buf *content, cs_error *error)
{
    cs_buf block = {0};
    cs_buf plain = {0};
    int rc = CS_OK;

    if (reading->refused || reading->taken == reading->total)
        return CS_FAIL(error, CS_E_ORDER, "a block behind the last one of a record");
    rc = cs_bulk_open(reading->bulk, &block, chunk, final, error);
    if (rc == CS_OK)
        rc = cs_stream_open(reading->stream, &plain, cs_view_buf(&block),
            reading->taken + 1 == reading->total, error);
    if (rc == CS_OK)
        rc = take_plain(reading, env, cs_view_buf(&plain), content, error);
    reading->refused = rc != CS_OK;
    reading->taken++;
    cs_buf_free(&plain);
    cs_buf_free(&block);
    return rc;
}

int cs_reading_finish(cs_reading *reading, cs_error *error)
{
    if (reading->refused)
        return CS_FAIL(error, CS_E_ORDER, "a record that was refused, or has ended already");
    /* the blocks are as many as the content takes, so with the last of them all of it is there */
    if (reading->taken != reading->total)
        return CS_FAIL(error, CS_E_TRUNCATED, "the record ended too early");
    if (reading->slot != CS_SLOT_COPY) {
        cs_episode_part *known = cs_episode_part_of(reading->episode, reading->slot);

        cs_episode_part_move(known, &reading->own[0]);
        known->known = true;
    }
    reading->refused = true; /* nothing more comes from it */
    return CS_OK;
}
