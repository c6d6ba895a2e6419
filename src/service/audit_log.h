/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_AUDIT_LOG_H
#define SERVICE_AUDIT_LOG_H

/*
 * The audit log of PC and HPC: one entry per decision, chained by hash (store.h) and sealed at
 * intervals by a signature of the token over the newest hash. A changed, dropped or reordered entry
 * breaks the chain; to mend the chain after a seal takes the token. What is after the last seal is
 * as safe as the disk alone: a log whose end was cut off in front of its last seal verifies, so the
 * number of the last seal is worth keeping somewhere else.
 *
 * An entry is stored as epoch ‖ box. The epoch is 16 random bytes drawn at each start, the box's
 * key is one prf of it, so that logging itself costs no token operation. Any number of threads and
 * processes may append, each thread with its own store handle.
 */

#include "store/store.h"

#include <chartseal/at_rest.h>

#define CS_AUDIT_EPOCH_SIZE 16
#define CS_AUDIT_SEAL_ENTRIES 1000u     /* unsealed entries at most */
#define CS_AUDIT_SEAL_MS (15 * 60000LL) /* and for how long at most */

typedef struct cs_audit cs_audit;

/* One prf. */
CS_MUST_CHECK int cs_audit_new(cs_audit **out, cs_key *storage, cs_error *error);
void cs_audit_free(cs_audit **audit);

/* Durable on return, or part of the store's open transaction. */
CS_MUST_CHECK int cs_audit_append(
    const cs_audit *audit, cs_store *store, const cs_audit_entry *entry, cs_error *error);

/* Sign the newest entry's hash if it is time to, or `at_once` whenever something is unsealed. One
 * sign at most. For one thread at a time. */
CS_MUST_CHECK int cs_audit_seal_when_due(
    cs_audit *audit, cs_store *store, cs_key *sign, int64_t now, bool at_once, cs_error *error);

typedef struct cs_audit_report {
    uint64_t entries;
    uint64_t seals;
    uint64_t sealed;    /* number of the last entry with a seal */
    uint64_t first_bad; /* 0: none */
} cs_audit_report;
/* Recompute the chain and check every seal with the owner's PUK sign. CS_E_CORRUPT names the first
 * bad entry. */
CS_MUST_CHECK int cs_audit_verify(
    cs_audit_report *report, cs_store *store, cs_view puk, cs_error *error);

/* Open every entry, oldest first; one prf per epoch. The entry is valid during the call. */
typedef int (*cs_audit_entry_fn)(
    void *context, uint64_t number, const cs_audit_entry *entry, cs_error *error);
CS_MUST_CHECK int cs_audit_read(
    cs_store *store, cs_key *storage, cs_audit_entry_fn fn, void *context, cs_error *error);

#endif
