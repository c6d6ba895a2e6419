/* SPDX-License-Identifier: Apache-2.0 */
#include "service/visit_exchange.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_TYPE "application/cbor"
#define RETRIES 2 /* only where the server has done nothing */
#define TYPE_MAX 32

int cs_peer_open(cs_peer *out, const char *url, const char *me, const char *other, cs_wire_log *log,
    cs_error *error)
{
    const cs_http_client_options options = {.retries = RETRIES};

    *out = (cs_peer){.me = me, .other = other, .log = log};
    return cs_http_client_new(&out->http, url, &options, error);
}

void cs_peer_close(cs_peer *peer)
{
    cs_http_client_free(&peer->http);
}

static int log_sent(const cs_peer *peer, const char *type, cs_view bytes, cs_error *error)
{
    return cs_wire_log_add(peer->log, peer->me, peer->other, type, bytes, error);
}

static int log_received(const cs_peer *peer, const char *type, cs_view bytes, cs_error *error)
{
    return cs_wire_log_add(peer->log, peer->other, peer->me, type, bytes, error);
}

/* The server's own answers, before the protocol had its say, are the name of a code. */
static int plain_refusal(const cs_peer *peer, const cs_http_reply *reply, cs_error *error)
{
    char name[TYPE_MAX] = "";

    if (reply->status == 503)
        return CS_FAIL(error, CS_E_BUSY, "the %s is busy; try again in a moment", peer->other);
    if (reply->body.n > 0 && reply->body.n < sizeof name &&
        strncmp(reply->content_type, "text/plain", 10) == 0) {
        memcpy(name, reply->body.p, reply->body.n);
        name[strcspn(name, "\r\n")] = '\0';
        return CS_FAIL(error, (cs_code)cs_code_of_peer(name),
            "the %s could not do it (%s); see what it has logged", peer->other,
            cs_code_name(cs_code_from_name(name)));
    }
    return CS_FAIL(error, CS_E_PEER, "the %s answered with HTTP status %u; is the address right?",
        peer->other, reply->status);
}

int cs_peer_refusal(cs_peer *peer, const cs_http_reply *reply, cs_error *error)
{
    char who[TYPE_MAX];
    int rc;

    if (strncmp(reply->content_type, MESSAGE_TYPE, strlen(MESSAGE_TYPE)) != 0)
        return plain_refusal(peer, reply, error);
    rc = log_received(peer, "refusal", cs_view_buf(&reply->body), error);
    if (rc != CS_OK)
        return rc;
    (void)snprintf(who, sizeof who, "the %s", peer->other);
    return cs_refusal_raise(cs_view_buf(&reply->body), who, error);
}

static int take_answer(
    cs_peer *peer, cs_http_reply *reply, const char *type, cs_buf *answer, cs_error *error)
{
    int rc;

    if (reply->status != 200)
        return cs_peer_refusal(peer, reply, error);
    rc = log_received(peer, type, cs_view_buf(&reply->body), error);
    if (rc == CS_OK)
        rc = cs_buf_set(answer, cs_view_buf(&reply->body), error);
    return rc;
}

int cs_peer_ask(cs_peer *peer, const char *path, const char *type_sent, cs_view sent,
    const char *type_received, cs_buf *answer, cs_error *error)
{
    cs_http_reply reply = {0};
    int rc = log_sent(peer, type_sent, sent, error);

    if (rc == CS_OK)
        rc = cs_http_post(peer->http, &reply, path, MESSAGE_TYPE, sent, error);
    if (rc == CS_OK)
        rc = take_answer(peer, &reply, type_received, answer, error);
    cs_http_reply_free(&reply);
    return rc;
}

int cs_peer_get(cs_peer *peer, const char *path, const char *type, cs_buf *answer, cs_error *error)
{
    cs_http_reply reply = {0};
    int rc = cs_http_get(peer->http, &reply, path, error);

    if (rc == CS_OK)
        rc = take_answer(peer, &reply, type, answer, error);
    cs_http_reply_free(&reply);
    return rc;
}

/* -- frames --------------------------------------------------------------------------------------
 */

typedef struct stream {
    const cs_peer *peer;
    const char *type;
    cs_frames frames;
    cs_peer_frame_fn *fn;
    void *context;
} stream;

static int take_frame(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    const stream *in = context;
    char type[TYPE_MAX];
    int rc;

    (void)snprintf(type, sizeof type, "%s%s", in->type, index == 0 ? "" : " chunk");
    rc = log_received(in->peer, type, content, error);
    return rc == CS_OK ? in->fn(in->context, index, content, final, error) : rc;
}

static int feed(void *context, cs_view bytes, cs_error *error)
{
    stream *in = context;

    return cs_frames_feed(&in->frames, bytes, take_frame, in, error);
}

typedef struct sending {
    const cs_peer *peer;
    const char *type;
} sending;

static int log_frame(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    const sending *out = context;
    char type[TYPE_MAX];

    (void) final;
    (void)snprintf(type, sizeof type, "%s%s", out->type, index == 0 ? "" : " chunk");
    return log_sent(out->peer, type, content, error);
}

static int log_frames(const cs_peer *peer, const char *type, cs_view sent, cs_error *error)
{
    sending out = {peer, type};
    cs_frames frames = {0};
    int rc = cs_frames_feed(&frames, sent, log_frame, &out, error);

    cs_frames_free(&frames);
    return rc;
}

int cs_peer_stream(cs_peer *peer, const char *path, const char *type_sent, cs_view sent,
    const char *type_received, cs_peer_frame_fn *fn, void *context, cs_error *error)
{
    stream in = {.peer = peer, .type = type_received, .fn = fn, .context = context};
    cs_http_reply reply = {0};
    int rc = log_frames(peer, type_sent, sent, error);

    if (rc == CS_OK)
        rc = cs_http_post_stream(
            peer->http, &reply, path, CS_STREAM_CONTENT_TYPE, sent, feed, &in, error);
    if (rc == CS_OK && reply.status != 200)
        rc = cs_peer_refusal(peer, &reply, error);
    else if (rc == CS_OK)
        rc = cs_frames_end(&in.frames, error);
    cs_frames_free(&in.frames);
    cs_http_reply_free(&reply);
    return rc;
}

int cs_peer_frames(cs_peer *peer, const char *path, const char *type_sent, cs_view sent,
    const char *type_received, cs_frame_pair *answer, cs_error *error)
{
    cs_http_reply reply = {0};
    int rc = log_frames(peer, type_sent, sent, error);

    if (rc == CS_OK)
        rc = cs_http_post(peer->http, &reply, path, CS_STREAM_CONTENT_TYPE, sent, error);
    if (rc == CS_OK && reply.status != 200)
        rc = cs_peer_refusal(peer, &reply, error);
    else if (rc == CS_OK && reply.body.n > 0) {
        cs_frame_pair_free(answer);
        rc = cs_frame_pair_read(answer, cs_view_buf(&reply.body), error);
        if (rc == CS_OK)
            rc = log_received(peer, type_received, cs_view_buf(&answer->head), error);
        if (rc == CS_OK)
            rc = log_received(peer, type_received, cs_view_buf(&answer->chunk), error);
    }
    cs_http_reply_free(&reply);
    return rc;
}

/* -- revocations ---------------------------------------------------------------------------------
 */

int cs_fetch_revocations(cs_peer *cloud, cs_world *world, const cs_actor *actor, cs_error *error)
{
    cs_buf list = {0};
    int rc = cs_peer_get(cloud, "/v1/revocations", "revocations", &list, error);

    if (rc == CS_OK)
        rc = cs_world_revocations(world, actor, cs_view_buf(&list), error);
    cs_buf_free(&list);
    return rc;
}
