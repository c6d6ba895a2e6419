/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_VISIT_LINK_H
#define CHARTSEAL_SERVICE_VISIT_LINK_H

/*
 * What the doctor's station and the patient's device say to each other over a link (link.h): whole
 * messages, the chunks of M3 and M4, refusals. A refusal that arrives is the error it stands for; a
 * side that gives up sends one, so that the other does not wait for nothing.
 */

#include "service/link.h"
#include "service/wire_log.h"

#include <chartseal/session.h>

/* The first bytes after connecting: a port scanner sends none, and others wait behind it. */
#define CS_HELLO_MS 3000
/* A machine answers in this time; people are given longer by whoever calls. */
#define CS_ANSWER_MS 30000

typedef enum cs_frame_kind {
    CS_FRAME_MESSAGE = 1,
    CS_FRAME_CHUNK = 2,
    CS_FRAME_FINAL = 3,
    CS_FRAME_REFUSAL = 4,
} cs_frame_kind;

/* The last message, from the device: the diagnosis arrived and was verified. */
#define CS_DONE "chartseal/1 done"

typedef struct cs_talk {
    cs_link *link;
    const char *me, *other; /* names of parties, static storage */
    cs_wire_log *log;       /* not owned; NULL: the other side keeps it */
    bool refused;           /* the error is the other side's refusal */
} cs_talk;

CS_MUST_CHECK int cs_talk_send(cs_talk *talk, const char *type, cs_view message, cs_error *error);
CS_MUST_CHECK int cs_talk_receive(
    cs_talk *talk, const char *type, cs_buf *message, int timeout_ms, cs_error *error);
CS_MUST_CHECK int cs_talk_send_chunk(
    cs_talk *talk, const char *type, cs_view chunk, bool final, cs_error *error);
CS_MUST_CHECK int cs_talk_receive_chunk(
    cs_talk *talk, const char *type, cs_buf *chunk, bool *final, cs_error *error);

/* The content of a message, read from fn and sent; or received and given to fn. bulk may be NULL:
 * there is none. `read` fills at most n bytes, all of them unless the content is over. */
typedef int cs_content_read(void *context, uint8_t *out, size_t n, size_t *got, cs_error *error);
typedef int cs_content_write(void *context, cs_view bytes, cs_error *error);
CS_MUST_CHECK int cs_talk_send_bulk(cs_talk *talk, const char *type, cs_bulk *bulk,
    cs_content_read *fn, void *context, cs_error *error);
CS_MUST_CHECK int cs_talk_receive_bulk(cs_talk *talk, const char *type, cs_bulk *bulk,
    cs_content_write *fn, void *context, cs_error *error);

/* M0 says which doctor this is. It is public, to whoever comes; but who only listens shall not
 * learn whom a patient sees, so the device begins with a fresh P-256 key (hello, 65 bytes) and the
 * station seals M0 to it (HPKE, info "chartseal/1 M0"). Nobody is authenticated by that. */
CS_MUST_CHECK int cs_talk_send_m0(cs_talk *talk, cs_view m0, cs_error *error);
CS_MUST_CHECK int cs_talk_receive_m0(cs_talk *talk, cs_buf *m0, cs_error *error);

/* Content in memory, as a cs_content_read; and into a cs_buf, as a cs_content_write. */
typedef struct cs_held_content {
    cs_view rest;
} cs_held_content;
int cs_content_from_memory(void *context, uint8_t *out, size_t n, size_t *got, cs_error *error);
int cs_content_to_buf(void *buf, cs_view bytes, cs_error *error);

/* Tell the other side why we leave; what cannot be told is not.
 */
void cs_talk_refuse(cs_talk *talk, int code);

#endif
