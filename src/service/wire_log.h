/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_WIRE_LOG_H
#define SERVICE_WIRE_LOG_H

/*
 * What goes over the wire, for measurement and for reading along: one line of JSON per message,
 *     {"from":"doctor","to":"pc","type":"S1","hex":"a1…"}
 * An exchange is logged by the side that begins it, what it sends and what it is answered, so that
 * a file which all parties share has each message once. Several processes may log to the same file:
 * it is opened for appending, and each line is one write(). Messages on the wire are sealed, so
 * that the file holds what an eavesdropper would have; even so it is made with mode 0600. Without a
 * file (path NULL) the log only counts. Thread-safe; a log that is NULL is one that does nothing.
 */

#include <chartseal/bytes.h>

/* One message; the wire has none as large. It also keeps a line well below what one write() does.
 */
#define CS_WIRE_LOG_MESSAGE_MAX (64u << 20)

typedef struct cs_wire_counts {
    uint64_t messages;
    uint64_t bytes; /* of the messages, not of the lines */
} cs_wire_counts;

typedef struct cs_wire_log cs_wire_log;

CS_MUST_CHECK int cs_wire_log_open(cs_wire_log **out, const char *path, cs_error *error);
void cs_wire_log_close(cs_wire_log **log);

/* `from`, `to` and `type` are names out of the program: letters, digits and " _.:/-" only, at most
 * 64 (CS_E_USAGE). Counts first: what could not be written was on the wire all the same. A full
 * disk (CS_E_DISK_FULL) may leave one cut line. */
CS_MUST_CHECK int cs_wire_log_add(cs_wire_log *log, const char *from, const char *to,
    const char *type, cs_view bytes, cs_error *error);
cs_wire_counts cs_wire_log_counts(cs_wire_log *log);

#endif
