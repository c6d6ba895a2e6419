/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest brings to the cloud and fetches from it: U1, U2, G1, G2, and what a place allows. */
#include "protocol/session.h"
#include "protocol/telecare.h"

#include <string.h>

/* A report is brought by a hospital, a diagnosis by a doctor, and what is the patient's by nobody
 * whom the cloud would know. */
static int check_writer(const cs_guest *guest, uint64_t slot, cs_error *error)
{
    const cs_slot_rule *rule = cs_slot_rule_of(slot);
    const cs_role role = guest->nobody ? CS_ROLE_PATIENT : guest->who.role;

    if (role != rule->author)
        return CS_FAIL(error, CS_E_POLICY, "a %s is not for this caller to write", rule->name);
    return CS_OK;
}

/* The report begins an episode: its places, and an end that the cloud can keep to. */
static int check_beginning(
    const cs_env *env, const cs_upload *upload, const uint8_t place[CS_PLACE_SIZE], cs_error *error)
{
    if (upload->slot != CS_SLOT_REPORT) {
        if (upload->places.n != 0 || upload->ends != 0)
            return CS_FAIL(error, CS_E_MALFORMED, "an episode begins with its report alone");
        return CS_OK;
    }
    if (upload->places.n != (size_t)CS_SLOTS * CS_PLACE_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "an episode has %d places", CS_SLOTS);
    if (memcmp(upload->places.p, place, CS_PLACE_SIZE) != 0)
        return CS_FAIL(error, CS_E_MALFORMED, "the first place is not that of the token");
    if ((int64_t)upload->ends <= env->now)
        return CS_FAIL(error, CS_E_EXPIRED, "the episode has ended before it begins");
    if ((int64_t)upload->ends > env->now + CS_EPISODE_LIFE_MAX_MS)
        return CS_FAIL(error, CS_E_POLICY, "an episode lasts a year at most");
    return CS_OK;
}

static int check_size(const cs_upload *upload, uint64_t blocks_max, cs_error *error)
{
    if (upload->blocks > blocks_max)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a record of %llu blocks is over the limit of %llu",
            (unsigned long long)upload->blocks, (unsigned long long)blocks_max);
    /* who does not pad would stand out, and with him everybody who does */
    if (cs_blocks_padded(upload->blocks) != upload->blocks)
        return CS_FAIL(error, CS_E_MALFORMED, "a record is not padded to a step");
    if (upload->seals.n != cs_slot_rule_of(upload->slot)->seals)
        return CS_FAIL(error, CS_E_MALFORMED, "a %s with another number of seals than it has",
            cs_slot_rule_of(upload->slot)->name);
    return CS_OK;
}

int cs_guest_u1(cs_session *session, const cs_env *env, const cs_guest *guest, uint64_t blocks_max,
    cs_view head, cs_view chunk, bool final, cs_buf *plain, cs_upload *upload,
    uint8_t place[CS_PLACE_SIZE], cs_bulk **bulk, cs_error *error)
{
    cs_stream *stream = NULL;
    uint64_t time;
    int rc = cs_session_take(session, "chartseal/1 U1", env, head, chunk, final, &cs_upload_schema,
        upload, plain, &time, &stream, error);

    *bulk = NULL;
    if (rc == CS_OK)
        rc = cs_check_same_time(time, upload->time, error);
    if (rc == CS_OK)
        rc = check_writer(guest, upload->slot, error);
    if (rc == CS_OK)
        rc = check_size(upload, blocks_max, error);
    if (rc == CS_OK)
        rc = cs_place_of(place, upload->slot, upload->token.p, error);
    if (rc == CS_OK)
        rc = check_beginning(env, upload, place, error);
    if (rc == CS_OK)
        rc = cs_bulk_take(bulk, &stream, upload->blocks * CS_BLOCK_SIZE, error);
    cs_stream_free(&stream);
    return rc;
}

int cs_guest_u2(cs_session *session, const cs_env *env, const uint8_t place[CS_PLACE_SIZE],
    uint64_t ends, cs_buf *head, cs_buf *chunk, cs_error *error)
{
    const cs_stored stored = {
        .time = (uint64_t)env->now, .place = {place, CS_PLACE_SIZE}, .ends = ends};
    cs_bulk *none = NULL;
    bool final;

    return cs_session_put(session, "chartseal/1 U2", env->now, &cs_stored_schema, &stored, 0, head,
        chunk, &final, &none, error);
}

int cs_guest_g1(cs_session *session, const cs_env *env, const cs_guest *guest, cs_view head,
    cs_view chunk, bool final, uint64_t *slot, uint8_t place[CS_PLACE_SIZE], cs_error *error)
{
    cs_stream *stream = NULL;
    cs_bulk *none = NULL;
    cs_buf plain = {0};
    cs_fetch fetch;
    uint64_t time;
    int rc = cs_session_take(session, "chartseal/1 G1", env, head, chunk, final, &cs_fetch_schema,
        &fetch, &plain, &time, &stream, error);

    if (rc == CS_OK)
        rc = cs_check_same_time(time, fetch.time, error);
    if (rc == CS_OK)
        rc = cs_bulk_take(&none, &stream, 0, error);
    if (rc == CS_OK && !guest->nobody && guest->who.role != CS_ROLE_DOCTOR)
        rc = CS_FAIL(error, CS_E_POLICY, "a hospital brings records here and fetches none");
    if (rc == CS_OK) {
        *slot = fetch.slot;
        memcpy(place, fetch.place.p, CS_PLACE_SIZE);
    }
    cs_stream_free(&stream);
    cs_buf_free(&plain);
    return rc;
}

int cs_guest_g2(cs_session *session, const cs_env *env, const uint8_t place[CS_PLACE_SIZE],
    const cs_place_value *row, cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk,
    cs_error *error)
{
    const cs_fetched fetched = {.time = (uint64_t)env->now,
        .place = {place, CS_PLACE_SIZE},
        .blocks = row->blocks,
        .seals = row->seals};

    return cs_session_put(session, "chartseal/1 G2", env->now, &cs_fetched_schema, &fetched,
        row->blocks * CS_BLOCK_SIZE, head, chunk, final, bulk, error);
}

static int check_row(const cs_place_value *row, const cs_env *env, uint64_t slot, cs_error *error)
{
    if ((int64_t)row->ends < env->now)
        return CS_FAIL(
            error, CS_E_EXPIRED, "the episode has ended; ask the hospital for a new one");
    if (row->slot != slot)
        return CS_FAIL(error, CS_E_RECIPIENT, "the place is that of another record");
    return CS_OK;
}

int cs_place_check_write(
    const cs_place_value *row, const cs_env *env, uint64_t slot, cs_error *error)
{
    int rc = check_row(row, env, slot, error);

    if (rc == CS_OK && row->blocks != 0)
        rc = CS_FAIL(error, CS_E_ORDER, "there is a record at this place already; it stays");
    return rc;
}

int cs_place_check_read(
    const cs_place_value *row, const cs_env *env, uint64_t slot, cs_error *error)
{
    int rc = check_row(row, env, slot, error);

    if (rc == CS_OK && row->blocks == 0)
        rc = CS_FAIL(error, CS_E_NO_RECORD, "there is no record at this place yet");
    return rc;
}
