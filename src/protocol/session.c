/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/session.h"

#include <string.h>

/* All in guarded memory. */
struct cs_session {
    cs_suite suite;
    bool starts;
    bool ended;
    uint32_t next; /* sequence of the next message, in either direction */
    uint8_t id[CS_SESSION_ID_SIZE];
    uint8_t confirm[CS_HASH_SIZE];
    uint8_t from_i[CS_AEAD_KEY_SIZE];
    uint8_t from_j[CS_AEAD_KEY_SIZE];
};

/* What is secret on the way to SEK; guarded. */
typedef struct agreement {
    cs_point a; /* S_own·R_peer, canonical */
    cs_point b; /* r_own·Y_peer, canonical */
    cs_point c; /* r_own·R_peer */
    cs_point sum;
    uint8_t ikm[2 * CS_POINT_MAX];
    uint8_t sek[CS_HASH_SIZE];
} agreement;

int cs_ephemeral(cs_scalar **r, cs_point *point, cs_suite suite, cs_error *error)
{
    int rc;

    cs_secret_free(r);
    *r = cs_secret_new(sizeof **r);
    if (*r == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an ephemeral key");
    rc = cs_scalar_random(*r, suite, error);
    return rc == CS_OK ? cs_point_base_mul(point, suite, *r, error) : rc;
}

/* A and B change places between the two sides, and their sum is the same. With nobody there is one
 * of them only, and it is the sum. */
static int agree_points(agreement *g, const cs_handshake *h, cs_error *error)
{
    size_t n = cs_point_size(h->cloud->suite);
    int rc = CS_OK;

    if (h->scalar != NULL)
        rc = cs_key_scalar_mul(h->scalar, h->r_peer, &g->a, error);
    if (rc == CS_OK && h->peer != NULL) {
        rc = cs_point_mul(&g->b, h->r, &h->peer->y, error);
        cs_point_canonical(&g->b);
    }
    if (rc == CS_OK && h->scalar != NULL && h->peer != NULL)
        rc = cs_point_add(&g->sum, &g->a, &g->b, error);
    else if (rc == CS_OK)
        g->sum = h->scalar != NULL ? g->a : g->b;
    if (rc == CS_OK)
        rc = cs_point_mul(&g->c, h->r, h->r_peer, error);
    if (rc == CS_OK) {
        memcpy(g->ikm, g->sum.b, n);
        memcpy(g->ikm + n, g->c.b, n);
    }
    return rc;
}

static int hash_transcript(uint8_t hash[CS_HASH_SIZE], const cs_handshake *h, cs_error *error)
{
    const cs_view nobody = {0};
    const cs_credential *i = h->starts ? h->own : h->peer;
    const cs_credential *j = h->starts ? h->peer : h->own;
    const cs_transcript transcript = {.suite = h->cloud->suite,
        .pk = cs_point_view(&h->cloud->pk),
        .credential_i = i == NULL ? nobody : cs_credential_view(i),
        .credential_j = cs_credential_view(j),
        .r_i = cs_point_view(h->starts ? h->r_own : h->r_peer),
        .r_j = cs_point_view(h->starts ? h->r_peer : h->r_own),
        .t_i = (uint64_t)(h->starts ? h->t_own : h->t_peer),
        .t_j = (uint64_t)(h->starts ? h->t_peer : h->t_own)};

    return cs_message_hash(hash, &cs_transcript_schema, &transcript, error);
}

static int expand(
    uint8_t *out, size_t n, const uint8_t sek[CS_HASH_SIZE], const char *label, cs_error *error)
{
    return cs_hkdf_expand(out, n, (cs_view){sek, CS_HASH_SIZE}, cs_view_str(label), error);
}

static int derive_keys(cs_session *s, const uint8_t sek[CS_HASH_SIZE], cs_error *error)
{
    int rc = expand(s->id, sizeof s->id, sek, "chartseal/1 session id", error);

    if (rc == CS_OK)
        rc = expand(s->confirm, sizeof s->confirm, sek, "chartseal/1 confirm key", error);
    if (rc == CS_OK)
        rc = expand(s->from_i, sizeof s->from_i, sek, "chartseal/1 from i", error);
    if (rc == CS_OK)
        rc = expand(s->from_j, sizeof s->from_j, sek, "chartseal/1 from j", error);
    return rc;
}

int cs_session_agree(cs_session **out, const cs_handshake *h, cs_error *error)
{
    uint8_t salt[CS_HASH_SIZE];
    cs_session *session = cs_secret_new(sizeof *session);
    agreement *g = cs_secret_new(sizeof *g);
    size_t n = cs_point_size(h->cloud->suite);
    int rc = CS_OK;

    if (session == NULL || g == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a session; free some and retry");
    if (rc == CS_OK)
        rc = agree_points(g, h, error);
    if (rc == CS_OK)
        rc = hash_transcript(salt, h, error);
    if (rc == CS_OK)
        rc = cs_hkdf_extract(g->sek, CS_VIEW_ARRAY(salt), (cs_view){g->ikm, 2 * n}, error);
    if (rc == CS_OK) {
        session->suite = h->cloud->suite;
        session->starts = h->starts;
        rc = derive_keys(session, g->sek, error);
    }
    cs_secret_free(&g);
    if (rc != CS_OK)
        cs_secret_free(&session);
    *out = session;
    return rc;
}

void cs_session_free(cs_session **session)
{
    cs_secret_free(session);
}

const uint8_t *cs_session_id(const cs_session *session)
{
    return session->id;
}

bool cs_session_ended(const cs_session *session)
{
    return session->ended;
}

int cs_session_tag(const cs_session *session, const cs_confirmation *confirmation,
    uint8_t tag[CS_HASH_SIZE], cs_error *error)
{
    cs_buf bytes = {0};
    int rc = cs_encode(&bytes, &cs_confirmation_schema, confirmation, error);

    if (rc == CS_OK)
        rc = cs_hmac(tag, CS_VIEW_ARRAY(session->confirm), cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}

int cs_session_check_tag(const cs_session *session, const cs_confirmation *confirmation,
    cs_view tag, const char *whose, cs_error *error)
{
    uint8_t own[CS_HASH_SIZE];
    int rc = cs_session_tag(session, confirmation, own, error);

    if (rc == CS_OK && !cs_view_equal_secret(tag, CS_VIEW_ARRAY(own)))
        rc = CS_FAIL(
            error, CS_E_DECRYPT, "the tag does not match: %s has another session key", whose);
    return rc;
}

/* The stream of one message: its key belongs to direction, label and sequence, its aad is the head.
 */
static int open_stream(cs_stream **out, const cs_session *session, bool sending, const char *label,
    cs_view head, cs_error *error)
{
    const uint8_t *direction = session->starts == sending ? session->from_i : session->from_j;
    const cs_message_key name = {.label = cs_view_str(label), .sequence = session->next};
    cs_buf info = {0};
    uint8_t *key = cs_secret_new(CS_AEAD_KEY_SIZE);
    int rc = CS_OK;

    if (key == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a message key");
    if (rc == CS_OK)
        rc = cs_encode(&info, &cs_message_key_schema, &name, error);
    if (rc == CS_OK)
        rc = cs_hkdf_expand(key, CS_AEAD_KEY_SIZE, (cs_view){direction, CS_AEAD_KEY_SIZE},
            cs_view_buf(&info), error);
    if (rc == CS_OK)
        rc = cs_stream_new(out, key, head, error);
    cs_secret_free(&key);
    cs_buf_free(&info);
    return rc;
}

static int check_alive(const cs_session *session, cs_error *error)
{
    if (session->ended)
        return CS_FAIL(error, CS_E_ORDER, "the session has ended; start a new one");
    return CS_OK;
}

int cs_session_put(cs_session *session, const char *label, int64_t now, const cs_schema *schema,
    const void *body, uint64_t size, cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk,
    cs_error *error)
{
    const cs_session_head fields = {.suite = session->suite,
        .time = (uint64_t)now,
        .session = CS_VIEW_ARRAY(session->id),
        .sequence = session->next};
    cs_stream *stream = NULL;
    cs_buf plain = {0};
    int rc = check_alive(session, error);

    *bulk = NULL;
    *final = size == 0;
    if (rc == CS_OK)
        rc = cs_encode_as(head, &cs_session_head_schema, label, &fields, error);
    if (rc == CS_OK)
        rc = cs_encode(&plain, schema, body, error);
    if (rc == CS_OK)
        rc = open_stream(&stream, session, true, label, cs_view_buf(head), error);
    if (rc == CS_OK)
        rc = cs_stream_seal(stream, chunk, cs_view_buf(&plain), *final, error);
    if (rc == CS_OK)
        rc = cs_bulk_give(bulk, &stream, size, error);
    session->next++;
    if (rc != CS_OK)
        session->ended = true;
    cs_stream_free(&stream);
    cs_buf_free(&plain);
    return rc;
}

static int check_head(
    const cs_session *session, const cs_env *env, const cs_session_head *head, cs_error *error)
{
    int rc = cs_check_time(env, head->time, error);

    if (rc != CS_OK)
        return rc;
    if (head->suite != (uint64_t)session->suite)
        return CS_FAIL(error, CS_E_VERSION, "a message of another suite in this session");
    if (!cs_view_equal(head->session, CS_VIEW_ARRAY(session->id)))
        return CS_FAIL(error, CS_E_NO_SESSION, "a message of another session");
    if (head->sequence != session->next)
        return CS_FAIL(error, CS_E_ORDER, "a message out of its order; start a new session");
    return CS_OK;
}

int cs_session_take(cs_session *session, const char *label, const cs_env *env, cs_view head,
    cs_view chunk, bool final, const cs_schema *schema, void *body, cs_buf *plain, uint64_t *time,
    cs_stream **stream, cs_error *error)
{
    cs_session_head fields;
    int rc = check_alive(session, error);

    *stream = NULL;
    if (rc != CS_OK)
        return rc;
    rc = cs_decode_as(&cs_session_head_schema, label, &fields, head, error);
    if (rc == CS_OK)
        rc = check_head(session, env, &fields, error);
    if (rc == CS_OK)
        rc = open_stream(stream, session, false, label, head, error);
    if (rc == CS_OK)
        rc = cs_stream_open(*stream, plain, chunk, final, error);
    if (rc == CS_OK)
        rc = cs_decode(schema, body, cs_view_buf(plain), error);
    if (rc == CS_OK)
        *time = fields.time;
    session->next++;
    if (rc != CS_OK) {
        session->ended = true;
        cs_stream_free(stream);
    }
    return rc;
}
