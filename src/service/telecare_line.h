/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TELECARE_LINE_H
#define SERVICE_TELECARE_LINE_H

/*
 * A party's line to the telecare cloud (telecare_cloud.h), over HTTP: a session, and in it records
 * sent and fetched.
 *
 * A piece of an upload whose answer does not come is sent again; when the cloud has lost the
 * session, by its age or by a restart, a new one is opened and the record sent from its beginning.
 */

#include "service/spool.h"
#include "service/visit_exchange.h"

#include <chartseal/telecare.h>

typedef struct cs_line {
    const cs_actor *actor; /* these are the caller's and outlive the line */
    cs_world *world;
    cs_wire_log *log;
    const uint8_t *place; /* called by it as nobody; NULL: by name */
    int progress_fd;      /* -1: show nothing */

    cs_peer peer; /* set by a line's own calls, as are the others */
    cs_caller *caller;
    cs_op_counts session_ops; /* of all sessions that were opened */
} cs_line;

/* Opens a session with that cloud: T1 and T2, or T3 and T4. */
CS_MUST_CHECK int cs_line_open(
    cs_line *line, const cs_credential *cloud, const char *url, cs_error *error);
void cs_line_close(cs_line *line);

/* U1, the blocks, U2: the record of those contents, one after the other. */
CS_MUST_CHECK int cs_line_send(
    cs_line *line, cs_writing *writing, cs_spool *const contents[], size_t count, cs_error *error);

/* G1, G2 and the blocks into the spool, verified. parts: what was signed of each (of a copy three).
 */
CS_MUST_CHECK int cs_line_fetch(cs_line *line, cs_episode *episode, cs_slot slot, cs_spool *into,
    cs_part parts[CS_SLOTS - 1], cs_error *error);

#endif
