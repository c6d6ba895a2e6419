/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SESSIONS_H
#define SERVICE_SESSIONS_H

/*
 * The sessions that a service has open (HPC with doctors, a telecare cloud with its guests), in
 * memory alone: after a restart they are gone, and who had one opens another. Bounded: an owner's
 * CS_SESSIONS_OWNER_MAX + 1st takes the place of his own that was idle for longest; when the table
 * is full the oldest session that has been idle for CS_SESSION_IDLE_MS makes room, and if there is
 * none the answer is CS_E_BUSY, so that nobody can push a visit out by opening sessions. A session
 * serves one request at a time, and none later than its life after it was opened.
 * Thread-safe.
 */

#include <chartseal/session.h>

#define CS_SESSIONS_MAX 1024u
#define CS_SESSION_IDLE_MS (30 * 60000LL)
#define CS_SESSION_LIFE_MS (60 * 60000LL) /* a long consultation; a new session costs S1 to S4 */
#define CS_SESSIONS_OWNER_MAX 8u          /* a doctor's patients at once, some of them abandoned */
#define CS_SESSION_OWNER_SIZE (CS_ID_MAX + 16u) /* a role and an identity, or a place in hex */

typedef struct cs_sessions cs_sessions;

/* A session in the hands of one request. */
typedef struct cs_held_session {
    cs_session *session;
    void *about; /* what the service knows of it */
    void (*release)(void *about);
    char owner[CS_SESSION_OWNER_SIZE];
    int64_t opened_at;
    int64_t used_at;
    bool held;
    bool over; /* set by who holds it: it is freed when it is given back */
} cs_held_session;

/* capacity 0: CS_SESSIONS_MAX. life_ms: CS_SESSION_LIFE_MS, or what the service finds right. */
CS_MUST_CHECK int cs_sessions_new(
    cs_sessions **out, size_t capacity, int64_t life_ms, cs_error *error);
void cs_sessions_free(cs_sessions **sessions);

/* CS_E_BUSY when one more of this owner would not fit: to be asked before a token is. */
CS_MUST_CHECK int cs_sessions_have_room(
    cs_sessions *sessions, const char *owner, int64_t now, cs_error *error);
/* Takes *session and *about over and sets them to NULL; on failure they stay the caller's. release
 * is called when the session ends, with the table locked. CS_E_BUSY. */
CS_MUST_CHECK int cs_sessions_put(cs_sessions *sessions, cs_session **session, const char *owner,
    void **about, void (*release)(void *about), int64_t now, cs_error *error);

/* Free those that are past their life, or have been idle for `idle_ms`. */
void cs_sessions_sweep(cs_sessions *sessions, int64_t now, int64_t idle_ms);

/* CS_E_NO_SESSION; CS_E_BUSY while another request has it. */
CS_MUST_CHECK int cs_sessions_take(cs_sessions *sessions, const uint8_t id[CS_SESSION_ID_SIZE],
    int64_t now, cs_held_session **out, cs_error *error);
/* Give it back; a session that has ended or is over is freed. NULL inside is fine. */
void cs_sessions_give_back(cs_sessions *sessions, cs_held_session **held, int64_t now);

size_t cs_sessions_count(cs_sessions *sessions);

#endif
