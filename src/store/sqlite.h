/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_STORE_SQLITE_H
#define CHARTSEAL_STORE_SQLITE_H

/* What the topics of the store share: the handle, statements, transactions, errors. */

#include "store/store.h"

#include <chartseal/stream.h>
#include <sqlite3.h>

/* The largest sealed value: above every message of the protocol, far below what hurts memory. */
#define CS_STORE_SEALED_MAX (1u << 20)
/* Chunks per transaction: 8 MiB, so that the log and the memory stay small. */
#define CS_STORE_PENDING_MAX 128u

typedef struct cs_sql_cached cs_sql_cached;

/* Chunks of one record that are not written yet. They wait here, not in an open transaction, so
 * that a slow sender does not hold the write lock. */
typedef struct cs_pending {
    uint8_t id[CS_RECORD_ID_SIZE];
    uint64_t first;
    unsigned count;
    size_t sizes[CS_STORE_PENDING_MAX];
    cs_buf bytes;
} cs_pending;

struct cs_store {
    sqlite3 *db;
    char *path;
    cs_sql_cached *statements;
    bool group;
    int writers;    /* the lock file of writers, or -1 */
    int64_t writer; /* this handle's byte in it */
    cs_pending pending;
};

/* The error for a result of SQLite on this handle. */
int cs_sql_fail(cs_store *store, int result, cs_error *error);

/* A cached statement with its parameters bound, one letter each: k a 32-byte key, d a record id,
 * v a cs_view *, i an int64_t, u an uint64_t. What is bound must live until cs_sql_end.
 */
CS_MUST_CHECK int cs_sql_start(
    cs_store *store, sqlite3_stmt **out, cs_error *error, const char *sql, const char *format, ...);
CS_MUST_CHECK int cs_sql_step(cs_store *store, sqlite3_stmt *statement, bool *row, cs_error *error);
void cs_sql_end(sqlite3_stmt *statement);
/* Start, run to its end, end. */
CS_MUST_CHECK int cs_sql_run(
    cs_store *store, cs_error *error, const char *sql, const char *format, ...);
/* One integer; CS_E_NOT_FOUND without a row. */
CS_MUST_CHECK int cs_sql_number(
    cs_store *store, int64_t *value, cs_error *error, const char *sql, const char *format, ...);
void cs_sql_forget(cs_store *store);

/* Columns of the present row; what has the wrong type or size is CS_E_CORRUPT. */
CS_MUST_CHECK int cs_column_fixed(
    cs_store *store, sqlite3_stmt *statement, int column, uint8_t *out, size_t n, cs_error *error);
CS_MUST_CHECK int cs_column_blob(cs_store *store, sqlite3_stmt *statement, int column, size_t most,
    cs_view *out, cs_error *error);
CS_MUST_CHECK int cs_column_time(
    cs_store *store, sqlite3_stmt *statement, int column, int64_t *out, cs_error *error);
CS_MUST_CHECK int cs_column_count(
    cs_store *store, sqlite3_stmt *statement, int column, uint64_t *out, cs_error *error);

/* A call that writes: a transaction of its own, or a savepoint in the caller's group. Leave gives
 * back rc, or what went wrong at the commit. */
CS_MUST_CHECK int cs_store_enter(cs_store *store, cs_error *error);
CS_MUST_CHECK int cs_store_leave(cs_store *store, int rc, cs_error *error);
/* One statement as such a call. */
CS_MUST_CHECK int cs_store_write(
    cs_store *store, cs_error *error, const char *sql, const char *format, ...);

/* CS_E_TOO_LARGE for a value above CS_STORE_SEALED_MAX. */
CS_MUST_CHECK int cs_store_fits(cs_view sealed, cs_error *error);

/* open.c: opens store->path, which must be there, and sets up the connection. */
CS_MUST_CHECK int cs_sql_open(cs_store *store, cs_error *error);
void cs_sql_close(cs_store *store);

/* file.c: the path with its directory resolved, for free(3); and a whole store, made if there is
 * no file, under that path. */
CS_MUST_CHECK int cs_file_resolve(char **out, const char *path, cs_error *error);
CS_MUST_CHECK int cs_file_ready(const char *path, cs_error *error);

/* schema.c: makes the schema in an empty database; brings a store to the present version. */
CS_MUST_CHECK int cs_store_create(cs_store *store, cs_error *error);
CS_MUST_CHECK int cs_store_migrate(cs_store *store, cs_error *error);

/* writer.c: which process or handle still writes. */
CS_MUST_CHECK int cs_writer_hold(cs_store *store, cs_error *error);
CS_MUST_CHECK int cs_writer_lives(cs_store *store, int64_t writer, bool *lives, cs_error *error);
void cs_writer_release(cs_store *store);

#endif
