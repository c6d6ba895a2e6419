/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TELECARE_CLOUD_H
#define SERVICE_TELECARE_CLOUD_H

/*
 * The storage cloud of telecare over HTTP (telecare.h says what it is for):
 *
 *     GET  /v1/credential   its credential, which a hospital puts into the terms of an episode
 *     POST /v1/call         T1 → T2        a hospital or a doctor, by name
 *     POST /v1/guest        T3 → T4        a patient, by a place
 *     POST /v1/upload       U1 → nothing   application/vnd.chartseal.stream
 *     POST /v1/blocks       blocks → nothing, and after the last U2      likewise
 *     POST /v1/fetch        G1 → G2        likewise
 *
 * A record may be larger than memory, so its blocks come in pieces of a few at a time, each a
 * request that is done in a moment and holds no worker between. A piece begins with the session's
 * id and the number of its first block (8 bytes, big-endian), for the case that an answer is lost:
 * who sends a piece again finds it taken, and after the last one is given the same U2. What the id
 * and the number say is not secret and need not be signed: a block opens at its place in the stream
 * or ends the session.
 *
 * Blocks go to the disk with each piece, but nobody sees them before the last, which brings in one
 * transaction the row of the place, the record and the audit entry. So U2 means that it is kept. A
 * part of an upload goes when its session ends, or with the next start.
 *
 * All uploads write with one handle of the store, one piece at a time: the database has one writer
 * anyway.
 */

#include "service/publisher.h"
#include "service/sessions.h"

#include <chartseal/telecare.h>

/* Both ends of a piece: a request stays short beside others, and 24 MiB of bodies hold many. */
#define CS_TELECARE_PIECE_BLOCKS 16u
#define CS_TELECARE_PIECE_HEAD_SIZE (CS_SESSION_ID_SIZE + 8)
/* "upload_max_mib" in config.json: of one record, padded. */
#define CS_TELECARE_UPLOAD_MIB_DEFAULT 1024
#define CS_TELECARE_UPLOAD_MIB_MAX (1 << 20)
/* Whoever has not come back by then has to begin anew; so has an upload of his. The life is that of
 * the longest upload: 1 GiB at 100 kbit/s. */
#define CS_TELECARE_IDLE_MS (10 * 60000LL)
#define CS_TELECARE_LIFE_MS (24 * 3600000LL)

typedef struct cs_telecare {
    cs_server *server;
    cs_sessions *sessions;
    cs_publisher *publisher; /* fetches revocation lists */
    int lock;                /* on the home: its credential stays while this is open */
    uint64_t blocks_max;
    pthread_mutex_t writing; /* over `writer`: its store and what it has begun there */
    cs_worker *writer;
    pthread_mutex_t leaving; /* over the two below; nothing else is locked under it */
    uint8_t (*left)[CS_RECORD_ID_SIZE];
    size_t left_count; /* records whose upload has ended in the middle */
} cs_telecare;

/* Serve until options->stop_fd says stop. */
CS_MUST_CHECK int cs_telecare_serve(
    cs_home *home, const cs_server_options *options, cs_error *error);

/* -- among the files of this service -------------------------------------------------------------
 */

/* An upload while its blocks come. */
typedef struct cs_telecare_upload {
    cs_telecare *cloud;
    uint8_t record_id[CS_RECORD_ID_SIZE];
    uint8_t place[CS_PLACE_SIZE];
    cs_buf plain; /* which `about` points into */
    cs_upload about;
    cs_bulk *bulk;
    cs_hasher *hasher;
    uint64_t taken; /* blocks */
    bool begun;     /* in the store, and not finished there */
    cs_buf answer;  /* U2, once all is kept */
} cs_telecare_upload;
void cs_telecare_upload_free(cs_telecare_upload **upload);

/* What a session is about. */
typedef struct cs_telecare_guest {
    cs_guest guest;
    cs_telecare_upload *upload; /* NULL: none */
} cs_telecare_guest;

/* The session of a message, in hand; who it is with goes into the decision, and is still in order.
 */
CS_MUST_CHECK int cs_telecare_hold(cs_telecare *cloud, const cs_worker *worker,
    const uint8_t id[CS_SESSION_ID_SIZE], cs_held_session **held, cs_decision *decision,
    cs_error *error);

/* The row of a place, opened with one prf. *value points into *plain. CS_E_NOT_FOUND. */
typedef struct cs_telecare_row {
    cs_row_keys *keys; /* guarded */
    cs_buf plain;
    cs_place_value value;
} cs_telecare_row;
CS_MUST_CHECK int cs_telecare_row_read(cs_telecare_row *row, const cs_worker *worker,
    const uint8_t place[CS_PLACE_SIZE], cs_error *error);
CS_MUST_CHECK int cs_telecare_row_keys(cs_row_keys **out, const cs_worker *worker,
    const uint8_t place[CS_PLACE_SIZE], cs_error *error);
void cs_telecare_row_free(cs_telecare_row *row);

/* The steps of the routes (server_common.h). */
cs_step cs_telecare_t1, cs_telecare_t3, cs_telecare_u1, cs_telecare_blocks, cs_telecare_g1;

/* Remove what uploads have left; in the ticking thread, and at the end. */
void cs_telecare_drop_left(cs_telecare *cloud);

#endif
