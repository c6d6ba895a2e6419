/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_STORE_H
#define CHARTSEAL_STORE_H

/*
 * The store: what a party keeps between messages. One struct of functions per kind of database
 * hides behind these calls; SQLite (WAL, synchronous=FULL) is the embedded default.
 *
 * The store sees no identity and no content: every key it is given is a hash or a prf output (32
 * bytes), every value is sealed by the caller. What it must do is keep: a call that returned CS_OK
 * survives kill -9 and loss of power; a call that failed changed nothing. CS_E_DISK_FULL,
 * CS_E_CORRUPT, CS_E_BUSY (another process holds the write lock for too long) and CS_E_SCHEMA say
 * what is wrong.
 *
 * A handle is for one thread at a time; open one per worker. Several processes may have the same
 * store open. A callback may read with the handle that called it, but writes with another one: the
 * snapshot it reads may be older than what it would change. Times are milliseconds since 1970.
 * Buffers given for output are appended to.
 */

#include <chartseal/crypto.h>

typedef struct cs_store cs_store;

#define CS_STORE_KEY_SIZE 32
#define CS_RECORD_ID_SIZE 16

/* Opens `path`, making it (mode 0600) if it is missing, and migrates it to the present schema. What
 * is there but is no store, be it empty, is CS_E_CORRUPT, and so is a log without its store; both
 * are left as they are. Damage further inside is CS_E_CORRUPT when it is met. */
CS_MUST_CHECK int cs_store_open(cs_store **out, const char *path, cs_error *error);
void cs_store_close(cs_store **store);
/* For tests of a full disk: no more than that many pages, or than there are; 0 lifts the limit. */
CS_MUST_CHECK int cs_store_limit_pages(cs_store *store, unsigned pages, cs_error *error);

/* A group of calls as one: all or nothing, and durable after commit. Not nested. */
CS_MUST_CHECK int cs_store_begin(cs_store *store, cs_error *error);
CS_MUST_CHECK int cs_store_commit(cs_store *store, cs_error *error);
void cs_store_rollback(cs_store *store);
bool cs_store_in_group(const cs_store *store);

/* -- seen messages: true in *fresh once per hash until `until`; durable. Also forgets what is past.
 */
CS_MUST_CHECK int cs_store_seen(cs_store *store, const uint8_t hash[32], int64_t now, int64_t until,
    bool *fresh, cs_error *error);

/* -- enrolment codes (PC): one use each. */
CS_MUST_CHECK int cs_store_add_enrolment(
    cs_store *store, const uint8_t key[32], int64_t not_after, cs_error *error);
/* CS_E_ENROLMENT: unknown or expired; or used by another owner than `owner` (a hash of the keys
 * that used it), so that the same party may ask again after a lost answer. Marks it used. */
CS_MUST_CHECK int cs_store_use_enrolment(
    cs_store *store, const uint8_t key[32], const uint8_t owner[32], int64_t now, cs_error *error);

/* -- credentials (PC). */
typedef struct cs_credential_row {
    uint64_t serial;
    uint8_t id_key[32]; /* prf of role and identity: one current row per id_key */
    uint8_t owner[32];  /* hash of the party's public keys */
    int64_t not_after;
    int64_t revoked_at; /* 0: not */
    cs_view sealed;
} cs_credential_row;
/* The next serial, never given twice, even if nothing is stored under it; starts at 1. Not within a
 * group, whose rollback would take it back. */
CS_MUST_CHECK int cs_store_next_serial(cs_store *store, uint64_t *serial, cs_error *error);
/* CS_E_TAKEN if the identity has a current row of another owner, neither revoked nor expired. */
CS_MUST_CHECK int cs_store_check_identity(cs_store *store, const uint8_t id_key[32],
    const uint8_t owner[32], int64_t now, cs_error *error);
/* Stores as the current row of id_key. An earlier row of the same owner stays in force until it
 * ends: it is for the same keys. CS_E_TAKEN as above. */
CS_MUST_CHECK int cs_store_put_credential(
    cs_store *store, const cs_credential_row *row, int64_t now, cs_error *error);
/* The current row of id_key; row->sealed points into *sealed. CS_E_NOT_FOUND. */
CS_MUST_CHECK int cs_store_get_credential(cs_store *store, const uint8_t id_key[32],
    cs_credential_row *row, cs_buf *sealed, cs_error *error);
/* How many credentials of id_key are neither revoked nor expired. */
CS_MUST_CHECK int cs_store_live_credentials(
    cs_store *store, const uint8_t id_key[32], int64_t now, uint64_t *count, cs_error *error);
/* With it all that the same owner has for the same identity. The codes that the owner used are
 * spent too: they would bring the owner back. */
CS_MUST_CHECK int cs_store_revoke(cs_store *store, uint64_t serial, int64_t now, cs_error *error);
/* *revoked: also true for a serial that was never stored. */
CS_MUST_CHECK int cs_store_is_revoked(
    cs_store *store, uint64_t serial, bool *revoked, cs_error *error);
/* Revoked serials whose credential has not expired at `now`, ascending, 8 bytes big-endian each. */
CS_MUST_CHECK int cs_store_revoked_serials(
    cs_store *store, int64_t now, cs_buf *serials, cs_error *error);

/* -- attestations (PC): what a TPM said of the keys of a credential, with it. */
#define CS_STORE_LEVEL_MAX 15
CS_MUST_CHECK int cs_store_put_attestation(
    cs_store *store, uint64_t serial, unsigned level, cs_view sealed, cs_error *error);
/* Level 0 and nothing appended where there is none. */
CS_MUST_CHECK int cs_store_get_attestation(
    cs_store *store, uint64_t serial, unsigned *level, cs_buf *sealed, cs_error *error);
/* How many credentials, neither revoked nor expired at `now`, have that level (0: none). */
CS_MUST_CHECK int cs_store_count_attested(
    cs_store *store, unsigned level, int64_t now, uint64_t *count, cs_error *error);

/* -- index (PC): rows of several hospitals under one row key. */
CS_MUST_CHECK int cs_store_put_index(cs_store *store, const uint8_t row_key[32],
    const uint8_t hospital_key[32], cs_view sealed, int64_t now, cs_error *error);
typedef int (*cs_store_row_fn)(void *context, cs_view sealed, cs_error *error);
/* Newest first, `most` at most; none is CS_OK without a call. Non-zero from fn stops, is returned.
 */
CS_MUST_CHECK int cs_store_get_index(cs_store *store, const uint8_t row_key[32], unsigned most,
    cs_store_row_fn fn, void *context, cs_error *error);

/* -- records (HPC): written in chunks, visible only when finished. */
typedef struct cs_record_row {
    uint8_t id[CS_RECORD_ID_SIZE];
    uint8_t row_key[32]; /* prf of patient and department */
    uint8_t salt[32];
    int64_t stored_at;
    uint64_t chunks;
    cs_view sealed; /* the record's header */
} cs_record_row;
/* Begin: forget unfinished ones of dead writers, remember this id as unfinished. Chunks are then
 * appended in order, in transactions of some MiB that the store keeps itself. CS_E_EXISTS: a
 * record with that id is stored; CS_E_BUSY: somebody is writing one, who may fail. */
CS_MUST_CHECK int cs_store_record_begin(
    cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE], cs_error *error);
CS_MUST_CHECK int cs_store_record_chunk(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE],
    uint64_t number, cs_view sealed, cs_error *error);
/* Makes it visible; after CS_OK it is durable. Inside a cs_store_begin it is part of that group. */
CS_MUST_CHECK int cs_store_record_finish(
    cs_store *store, const cs_record_row *row, cs_error *error);
/* Chunks that wait go to the disk now, for who will not be back soon. */
CS_MUST_CHECK int cs_store_record_flush(cs_store *store, cs_error *error);
/* Drops an unfinished record. */
void cs_store_record_abandon(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE]);
/* Drops those of dead writers, as beginning a record does. */
CS_MUST_CHECK int cs_store_record_purge(cs_store *store, cs_error *error);
/* By id; or the records of a row key, newest first; or all. CS_E_NO_RECORD for a missing id. The
 * row given to fn is valid during the call. */
typedef int (*cs_store_record_fn)(void *context, const cs_record_row *row, cs_error *error);
CS_MUST_CHECK int cs_store_get_record(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE],
    cs_record_row *row, cs_buf *sealed, cs_error *error);
CS_MUST_CHECK int cs_store_find_records(cs_store *store, const uint8_t *row_key, unsigned most,
    cs_store_record_fn fn, void *context, cs_error *error);
/* One record of each row key. */
CS_MUST_CHECK int cs_store_each_row(
    cs_store *store, cs_store_record_fn fn, void *context, cs_error *error);
CS_MUST_CHECK int cs_store_get_chunk(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE],
    uint64_t number, cs_buf *sealed, cs_error *error);

/* -- places (telecare cloud): a row for each; what lies there is the record with the same row_key.
 */
/* CS_E_EXISTS. */
CS_MUST_CHECK int cs_store_add_place(
    cs_store *store, const uint8_t key[32], int64_t ends, cs_view sealed, cs_error *error);
/* CS_E_NOT_FOUND, here and below. */
CS_MUST_CHECK int cs_store_get_place(
    cs_store *store, const uint8_t key[32], cs_buf *sealed, cs_error *error);
CS_MUST_CHECK int cs_store_set_place(
    cs_store *store, const uint8_t key[32], cs_view sealed, cs_error *error);
typedef struct cs_place_row {
    int64_t ends;
    int64_t stored_at; /* 0, and no chunks: nothing lies there */
    uint64_t chunks;
} cs_place_row;
typedef int (*cs_store_place_fn)(void *context, const cs_place_row *row, cs_error *error);
/* All of them, the one that ends first first. */
CS_MUST_CHECK int cs_store_each_place(
    cs_store *store, cs_store_place_fn fn, void *context, cs_error *error);
/* Remove up to `most` places that ended before `now`, with their records: chunk by chunk, so that
 * nobody waits for long, and the row last, so that what was cut short is gone on with. */
CS_MUST_CHECK int cs_store_expire_places(
    cs_store *store, int64_t now, unsigned most, unsigned *removed, cs_error *error);

/* -- outbox (HPC): sealed things to be told, each until it is acknowledged. The same `key`
 * replaces, and the new one has a new number. */
typedef enum cs_outbox_kind { CS_OUTBOX_PUBLICATION = 1, CS_OUTBOX_NOTICE = 2 } cs_outbox_kind;
typedef struct cs_outbox_row {
    uint64_t number;
    uint8_t key[32];
    cs_view sealed;
} cs_outbox_row;
CS_MUST_CHECK int cs_store_put_outbox(cs_store *store, cs_outbox_kind kind, const uint8_t key[32],
    cs_view sealed, int64_t now, cs_error *error);
/* The same, but what is there under that key, of either kind, stays as it is. */
CS_MUST_CHECK int cs_store_keep_outbox(cs_store *store, cs_outbox_kind kind, const uint8_t key[32],
    cs_view sealed, int64_t now, cs_error *error);
typedef int (*cs_store_outbox_fn)(void *context, const cs_outbox_row *row, cs_error *error);
/* Those of the kind with a number above `after`, oldest first. */
CS_MUST_CHECK int cs_store_get_outbox(cs_store *store, cs_outbox_kind kind, uint64_t after,
    unsigned most, cs_store_outbox_fn fn, void *context, cs_error *error);
/* Nothing is dropped if the item was replaced meanwhile: what replaced it is still to be told. */
CS_MUST_CHECK int cs_store_drop_outbox(
    cs_store *store, const uint8_t key[32], uint64_t number, cs_error *error);
CS_MUST_CHECK int cs_store_count_outbox(
    cs_store *store, cs_outbox_kind kind, uint64_t *count, cs_error *error);

/* -- audit chain: entry n carries hash_n = SHA-256("chartseal/1 audit" ‖ n ‖ time ‖ hash_{n-1} ‖
 * sealed), big-endian numbers, hash_0 = 32 zero bytes. Seals are signatures over a hash_n. */
typedef struct cs_audit_row {
    uint64_t number; /* from 1 */
    int64_t time;
    uint8_t previous[32];
    uint8_t hash[32];
    cs_view sealed;
    cs_view signature; /* empty: not sealed here */
} cs_audit_row;
CS_MUST_CHECK int cs_store_append_audit(
    cs_store *store, int64_t now, cs_view sealed, uint64_t *number, cs_error *error);
/* The newest entry's number and hash (0 and zeros when there is none), and the newest sealed one's.
 */
CS_MUST_CHECK int cs_store_audit_head(
    cs_store *store, uint64_t *number, uint8_t hash[32], uint64_t *sealed_number, cs_error *error);
CS_MUST_CHECK int cs_store_seal_audit(
    cs_store *store, uint64_t number, cs_view signature, cs_error *error);
typedef int (*cs_store_audit_fn)(void *context, const cs_audit_row *row, cs_error *error);
CS_MUST_CHECK int cs_store_read_audit(
    cs_store *store, uint64_t from, cs_store_audit_fn fn, void *context, cs_error *error);
/* Recompute hash_n of a row from its fields. */
CS_MUST_CHECK int cs_audit_hash(const cs_audit_row *row, uint8_t hash[32], cs_error *error);

/* Counts for status and metrics: rows by table name ("credential", "index_row", "record", "audit",
 * "outbox", "enrolment", "place"). CS_E_USAGE for another name. */
CS_MUST_CHECK int cs_store_count(
    cs_store *store, const char *table, uint64_t *count, cs_error *error);

#endif
