/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SESSIONS_H
#define SERVICE_SESSIONS_H

/*
 * The sessions that HPC has open with doctors, in memory alone: after a restart they are gone, and
 * a doctor opens a new one. Bounded: a doctor's CS_SESSIONS_DOCTOR_MAX + 1st takes the place of her
 * own that was idle for longest; when the table is full the oldest session that has been idle for
 * CS_SESSION_IDLE_MS makes room, and if there is none the answer is CS_E_BUSY, so that nobody can
 * push a visit out by opening sessions. A session serves one request at a time, and none later than
 * CS_SESSION_LIFE_MS after it was opened. Thread-safe.
 */

#include <chartseal/search.h>

#define CS_SESSIONS_MAX 1024u
#define CS_SESSION_IDLE_MS (30 * 60000LL)
#define CS_SESSION_LIFE_MS (60 * 60000LL) /* a long consultation; a new session costs S1 to S4 */
#define CS_SESSIONS_DOCTOR_MAX 8u         /* patients at once, some of them abandoned */

typedef struct cs_sessions cs_sessions;

/* A session in the hands of one request. */
typedef struct cs_held_session {
    cs_session *session;
    cs_query query;
    int64_t opened_at;
    int64_t used_at;
    bool held;
    bool over; /* set by who holds it: it is freed when it is given back */
} cs_held_session;

/* capacity 0: CS_SESSIONS_MAX. */
CS_MUST_CHECK int cs_sessions_new(cs_sessions **out, size_t capacity, cs_error *error);
void cs_sessions_free(cs_sessions **sessions);

/* CS_E_BUSY when one more of this doctor would not fit: to be asked before a token is. */
CS_MUST_CHECK int cs_sessions_have_room(
    cs_sessions *sessions, const char *doctor, int64_t now, cs_error *error);
/* Takes *session over and sets it to NULL; on failure it stays the caller's. CS_E_BUSY. */
CS_MUST_CHECK int cs_sessions_put(cs_sessions *sessions, cs_session **session,
    const cs_query *query, int64_t now, cs_error *error);

/* Free those that are past their life. */
void cs_sessions_sweep(cs_sessions *sessions, int64_t now);

/* CS_E_NO_SESSION; CS_E_BUSY while another request has it. */
CS_MUST_CHECK int cs_sessions_take(cs_sessions *sessions, const uint8_t id[CS_SESSION_ID_SIZE],
    int64_t now, cs_held_session **out, cs_error *error);
/* Give it back; a session that has ended or is over is freed. NULL inside is fine. */
void cs_sessions_give_back(cs_sessions *sessions, cs_held_session **held, int64_t now);

size_t cs_sessions_count(cs_sessions *sessions);

#endif
