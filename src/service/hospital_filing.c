/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital_visit.h"

#include "service/frames.h"

#include <chartseal/secret.h>

#include <string.h>

/* A filing while it is taken in: M_DINF is small (CS_DIAGNOSIS_MAX) and held in memory, so that its
 * signature is checked before anything is stored. */
typedef struct filing {
    cs_hpc *hospital;
    cs_worker *worker;
    cs_decision *decision;
    cs_held_session *held;
    cs_buf head;
    cs_buf plain; /* of the struct, which `cd5` points into */
    cs_cd5 cd5;
    cs_bulk *bulk;
    cs_buf content;
} filing;

static int take_frame(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    filing *state = context;

    if (index == 0) {
        int rc = cs_buf_set(&state->head, content, error);

        return rc != CS_OK ? rc
                           : cs_hpc_hold(state->hospital, state->worker, content, &state->held,
                                 state->decision, error);
    }
    if (index == 1)
        return cs_access_f1(state->held->session, &state->worker->world.env, state->held->about,
            cs_view_buf(&state->head), content, final, &state->plain, &state->cd5, &state->bulk,
            error);
    if (state->bulk == NULL)
        return CS_FAIL(error, CS_E_MALFORMED, "a filing goes on after its end");
    return cs_bulk_open(state->bulk, &state->content, content, final, error);
}

/* Of who filed it: the same filing has the same id, and nobody else can tell what it will be. */
static int record_id(
    uint8_t id[CS_RECORD_ID_SIZE], const cs_row_keys *row, cs_view sig_dinf, cs_error *error)
{
    uint8_t mac[CS_HASH_SIZE];
    int rc = cs_hmac(mac, CS_VIEW_ARRAY(row->name), sig_dinf, error);

    if (rc == CS_OK)
        memcpy(id, mac, CS_RECORD_ID_SIZE);
    return rc;
}

/* As M_DINF is kept with the doctor's signature, and signed by the hospital as every record is, so
 * that it can be read like one. */
static int keep_diagnosis(filing *state, const cs_row_keys *row, cs_record_writer *writer,
    const uint8_t id[CS_RECORD_ID_SIZE], cs_error *error)
{
    const cs_query *query = state->held->about;
    int64_t now = state->worker->world.env.now;
    uint8_t sig_emr[CS_SIGNATURE_SIZE];
    uint8_t hash[CS_HASH_SIZE];
    char media_type[CS_MEDIA_TYPE_MAX + 1];
    cs_buf evidence = {0};
    uint64_t size;
    int rc = cs_encode(&evidence, &cs_cd5_schema, &state->cd5, error);

    cs_text_of(media_type, sizeof media_type, state->cd5.media_type);
    if (rc == CS_OK)
        rc = cs_record_write(writer, cs_view_buf(&state->content), error);
    if (rc == CS_OK)
        rc = cs_record_write_end(writer, &size, hash, error);
    if (rc == CS_OK)
        rc = cs_emr_sign(&state->hospital->server->actor->party, query->id_p, query->id_de, id,
            media_type, hash, now, sig_emr, error);
    if (rc == CS_OK) {
        const cs_record_header header = {
            .kind = CS_RECORD_DIAGNOSIS,
            .id_p = cs_view_str(query->id_p),
            .id_de = cs_view_str(query->id_de),
            .media_type = state->cd5.media_type,
            .size = size,
            .hash = CS_VIEW_ARRAY(hash),
            .time = (uint64_t)now,
            .signature = CS_VIEW_ARRAY(sig_emr),
            .evidence = cs_view_buf(&evidence),
            .author = cs_view_str(query->doctor.id),
        };

        rc = cs_hpc_keep(
            state->hospital, state->worker, writer, row, &header, state->decision, error);
    }
    cs_buf_free(&evidence);
    return rc;
}

/* The receipt says that the diagnosis is kept, so this is seen and not concluded. */
static int is_stored(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE], cs_error *error)
{
    cs_record_row row;
    cs_buf sealed = {0};
    int rc = cs_store_get_record(store, id, &row, &sealed, error);

    cs_buf_free(&sealed);
    return rc;
}

static int keep(filing *state, uint8_t id[CS_RECORD_ID_SIZE], cs_error *error)
{
    const cs_query *query = state->held->about;
    cs_key *storage = state->hospital->server->actor->storage;
    cs_record_writer *writer = NULL;
    cs_row_keys *row = NULL;
    int rc = cs_patient_keys(&row, storage, query->id_p, query->id_de, error);

    if (rc == CS_OK)
        rc = record_id(id, row, state->cd5.sig_dinf, error);
    if (rc == CS_OK)
        rc = cs_record_writer_new(&writer, state->worker->store, storage, id, error);
    if (rc == CS_OK)
        rc = keep_diagnosis(state, row, writer, id, error);
    else if (rc == CS_E_EXISTS) /* filed before: the answer was lost */
        rc = is_stored(state->worker->store, id, error);
    cs_record_writer_free(&writer);
    cs_secret_free(&row);
    return rc;
}

static int answer_filing(
    filing *state, const uint8_t id[CS_RECORD_ID_SIZE], cs_http_answer *answer, cs_error *error)
{
    cs_buf head = {0};
    cs_buf chunk = {0};
    int rc =
        cs_access_f2(state->held->session, &state->worker->world.env, id, &head, &chunk, error);

    if (rc == CS_OK)
        rc = cs_frame_put(&answer->body, cs_view_buf(&head), false, error);
    if (rc == CS_OK)
        rc = cs_frame_put(&answer->body, cs_view_buf(&chunk), true, error);
    answer->content_type = CS_STREAM_CONTENT_TYPE;
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

int cs_hpc_filing(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    filing state = {.hospital = server->role, .worker = worker, .decision = decision};
    cs_frames frames = {0};
    uint8_t id[CS_RECORD_ID_SIZE];
    uint8_t hash[CS_HASH_SIZE];
    int rc = cs_frames_feed(&frames, body, take_frame, &state, error);

    if (rc == CS_OK)
        rc = cs_frames_end(&frames, error);
    if (rc == CS_OK)
        rc = cs_access_filed(state.held->about, &state.cd5, state.bulk, hash, error);
    if (rc == CS_OK)
        rc = keep(&state, id, error);
    if (rc == CS_OK)
        rc = answer_filing(&state, id, answer, error);
    if (state.held != NULL) /* F1 is the last of a visit */
        state.held->over = true;
    if (rc == CS_OK)
        cs_publisher_wake(state.hospital->publisher);
    cs_sessions_give_back(state.hospital->sessions, &state.held, worker->world.env.now);
    cs_bulk_free(&state.bulk);
    cs_buf_free(&state.head);
    cs_buf_free(&state.plain);
    cs_buf_free(&state.content);
    cs_frames_free(&frames);
    return rc;
}
