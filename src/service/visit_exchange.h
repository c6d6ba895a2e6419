/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_VISIT_EXCHANGE_H
#define CHARTSEAL_SERVICE_VISIT_EXCHANGE_H

/* One message to a service and its answer, with the wire log kept and a refusal turned into the
 * error it stands for ("the hospital refused: …"). */

#include "service/frames.h"
#include "service/home.h"
#include "service/http_client.h"
#include "service/wire_log.h"

typedef struct cs_peer {
    cs_http_client *http;
    const char *me;    /* names of parties, static storage: "doctor" */
    const char *other; /* "cloud" */
    cs_wire_log *log;  /* not owned */
} cs_peer;

CS_MUST_CHECK int cs_peer_open(cs_peer *out, const char *url, const char *me, const char *other,
    cs_wire_log *log, cs_error *error);
void cs_peer_close(cs_peer *peer);

/* POST; the answer replaces *answer. The types are what the wire log says of the two. */
CS_MUST_CHECK int cs_peer_ask(cs_peer *peer, const char *path, const char *type_sent, cs_view sent,
    const char *type_received, cs_buf *answer, cs_error *error);
CS_MUST_CHECK int cs_peer_get(
    cs_peer *peer, const char *path, const char *type, cs_buf *answer, cs_error *error);

/* The same with frames (frames.h) both ways: `sent` is a body of frames, and every frame of the
 * answer is given to fn as it comes. The first of it is logged as `type_received`, further ones as
 * "… chunk". */
typedef int cs_peer_frame_fn(
    void *context, uint64_t index, cs_view content, bool final, cs_error *error);
CS_MUST_CHECK int cs_peer_stream(cs_peer *peer, const char *path, const char *type_sent,
    cs_view sent, const char *type_received, cs_peer_frame_fn *fn, void *context, cs_error *error);

/* Frames sent, and no frames back or one message without content: the answer's pair is empty, or
 * has both. */
CS_MUST_CHECK int cs_peer_frames(cs_peer *peer, const char *path, const char *type_sent,
    cs_view sent, const char *type_received, cs_frame_pair *answer, cs_error *error);

/* What came of a call when it was not status 200: a refusal, or not our protocol. */
CS_MUST_CHECK int cs_peer_refusal(cs_peer *peer, const cs_http_reply *reply, cs_error *error);

/* Fetch the list of revoked credentials and take it in. */
CS_MUST_CHECK int cs_fetch_revocations(
    cs_peer *cloud, cs_world *world, const cs_actor *actor, cs_error *error);

#endif
