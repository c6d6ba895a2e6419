/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_AUDIT_LOG_H
#define SERVICE_AUDIT_LOG_H

/*
 * The audit log of PC and HPC: one entry per decision, chained by hash (store.h) and sealed at
 * intervals by a signature of the token over the newest hash.
 *
 * The token must not seal what somebody made of the database, so the log is followed: from the head
 * that was sealed last (audit_mark.h), each entry must be the successor of the one before it and
 * open under its own number; only a head that was reached in this way is signed. A service follows
 * at each tick, so that what it has seen once cannot be taken back later. What was added since the
 * last tick is as safe as the disk alone; and to who puts back an old database together with an old
 * mark while nothing runs, only a head that was kept elsewhere says no.
 *
 * An entry is stored as epoch ‖ box. The epoch is 16 random bytes drawn at each start, the box's
 * key is one prf of it and its aad epoch ‖ number, so that logging itself costs no token operation.
 * Any number of threads and processes may append, each thread with its own store handle.
 */

#include "service/audit_mark.h"
#include "store/store.h"

#include <chartseal/at_rest.h>

#define CS_AUDIT_EPOCH_SIZE 16
#define CS_AUDIT_SEAL_ENTRIES 1000u     /* unsealed entries at most */
#define CS_AUDIT_SEAL_MS (15 * 60000LL) /* and for how long at most */
/* More without a seal fail the verification: as many as may be due, and as many again for a crash
 * in front of the seal, or a token that was away for a while. */
#define CS_AUDIT_UNSEALED_MAX ((uint64_t)2 * CS_AUDIT_SEAL_ENTRIES)

typedef struct cs_audit cs_audit;

/* One prf. The keys are not owned; mark_path names the file of the mark. */
CS_MUST_CHECK int cs_audit_new(
    cs_audit **out, cs_key *storage, cs_key *sign, const char *mark_path, cs_error *error);
void cs_audit_free(cs_audit **audit);

/* Find the mark, or make the first (one sign) if there is no entry yet; call it before the first
 * entry is written. CS_E_CORRUPT: there are entries and no mark, or a forged one; nothing is sealed
 * then. */
CS_MUST_CHECK int cs_audit_begin(cs_audit *audit, cs_store *store, cs_error *error);

/* Durable on return, or part of the store's open transaction. */
CS_MUST_CHECK int cs_audit_append(
    const cs_audit *audit, cs_store *store, const cs_audit_entry *entry, cs_error *error);

/* Follow what was appended since the last time; one prf for each run of entries of another process.
 * CS_E_CORRUPT: the log was changed behind our back; it stays so until the service is started
 * anew. For one thread at a time, this and the next two. */
CS_MUST_CHECK int cs_audit_follow(cs_audit *audit, cs_store *store, cs_error *error);
/* Follow, and sign the newest entry's hash, if it is time to, or `at_once` whenever something is
 * unsealed. One sign at most. */
CS_MUST_CHECK int cs_audit_seal_when_due(
    cs_audit *audit, cs_store *store, int64_t now, bool at_once, cs_error *error);
/* The log as it is becomes the one that is sealed from here on: after a restored backup, by the
 * word of the person who restored it. It is followed from its first entry, gets the entry, which
 * should say so, and is sealed. */
CS_MUST_CHECK int cs_audit_adopt(
    cs_audit *audit, cs_store *store, const cs_audit_entry *entry, cs_error *error);

typedef struct cs_audit_report {
    uint64_t entries;
    uint64_t seals;
    uint64_t sealed;    /* number of the last entry with a seal */
    uint64_t first_bad; /* 0: none */
    cs_audit_head head; /* the newest entry */
} cs_audit_report;
/* Recompute the chain, check every seal with the owner's PUK sign, and that the chain leads through
 * the mark and (unless NULL) the head that is expected. CS_E_CORRUPT names the first bad entry. */
CS_MUST_CHECK int cs_audit_verify(cs_audit_report *report, cs_store *store, cs_view puk,
    const cs_audit_head *mark, const cs_audit_head *expected, cs_error *error);

/* Open every entry, oldest first; one prf per epoch. The entry is valid during the call. One that
 * cannot be read is handed over too, with its time, this action, and the name of a code. */
#define CS_AUDIT_UNREADABLE "unreadable"
typedef int (*cs_audit_entry_fn)(
    void *context, uint64_t number, const cs_audit_entry *entry, cs_error *error);
CS_MUST_CHECK int cs_audit_read(
    cs_store *store, cs_key *storage, cs_audit_entry_fn fn, void *context, cs_error *error);

#endif
