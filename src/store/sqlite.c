/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct cs_sql_cached {
    cs_sql_cached *next;
    const char *sql; /* a literal: never freed */
    sqlite3_stmt *statement;
};

int cs_sql_fail(cs_store *store, int result, cs_error *error)
{
    int number = store->db == NULL ? 0 : sqlite3_system_errno(store->db);

    switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
        if ((result & 0xff) == SQLITE_IOERR && number != ENOSPC && number != EDQUOT)
            return CS_FAIL(error, CS_E_DISK_FULL,
                "%s: the disk does not take or give data (%s); check the disk and its space",
                store->path, sqlite3_errstr(result));
        return CS_FAIL(
            error, CS_E_DISK_FULL, "%s: the disk is full; make room and try again", store->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our statements are fixed: it is the schema that is not ours */
        return CS_FAIL(error, CS_E_CORRUPT,
            "%s is damaged or not a database; restore it from a backup", store->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return CS_FAIL(error, CS_E_BUSY,
            "%s is locked by another process for too long; try again later", store->path);
    case SQLITE_NOMEM:
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the store %s", store->path);
    case SQLITE_TOOBIG:
        return CS_FAIL(error, CS_E_TOO_LARGE, "a value is too large for the store");
    case SQLITE_CONSTRAINT:
        return CS_FAIL(error, CS_E_EXISTS, "%s: such a row is there already", store->path);
    default:
        return CS_FAIL(error, CS_E_STORAGE, "%s: %s; check the file and its rights", store->path,
            sqlite3_errstr(result));
    }
}

/* A statement in use (its callback called us again) is left alone, and another is made. */
static int find(cs_store *store, sqlite3_stmt **out, const char *sql, cs_error *error)
{
    cs_sql_cached *cached;
    int result;

    for (cached = store->statements; cached != NULL; cached = cached->next) {
        if (strcmp(cached->sql, sql) == 0 && !sqlite3_stmt_busy(cached->statement)) {
            *out = cached->statement;
            return CS_OK;
        }
    }
    cached = calloc(1, sizeof *cached);
    if (cached == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a statement");
    result =
        sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &cached->statement, NULL);
    if (result != SQLITE_OK) {
        free(cached);
        return cs_sql_fail(store, result, error);
    }
    cached->sql = sql;
    cached->next = store->statements;
    store->statements = cached;
    *out = cached->statement;
    return CS_OK;
}

static int bind_bytes(sqlite3_stmt *statement, int at, const uint8_t *p, size_t n)
{
    return sqlite3_bind_blob64(statement, at, n == 0 ? (const uint8_t *)"" : p, n, SQLITE_STATIC);
}

static int bind_number(sqlite3_stmt *statement, int at, uint64_t number)
{
    return number > INT64_MAX ? SQLITE_TOOBIG : sqlite3_bind_int64(statement, at, (int64_t)number);
}

static int bind_all(sqlite3_stmt *statement, const char *format, va_list arguments)
{
    const cs_view *view;
    int result = SQLITE_OK;
    int at;

    for (at = 1; format[at - 1] != '\0' && result == SQLITE_OK; at++) {
        switch (format[at - 1]) {
        case 'k':
            result =
                bind_bytes(statement, at, va_arg(arguments, const uint8_t *), CS_STORE_KEY_SIZE);
            break;
        case 'd':
            result =
                bind_bytes(statement, at, va_arg(arguments, const uint8_t *), CS_RECORD_ID_SIZE);
            break;
        case 'v':
            view = va_arg(arguments, const cs_view *);
            result = bind_bytes(statement, at, view->p, view->n);
            break;
        case 'i':
            result = sqlite3_bind_int64(statement, at, va_arg(arguments, int64_t));
            break;
        case 'u':
            result = bind_number(statement, at, va_arg(arguments, uint64_t));
            break;
        default:
            result = SQLITE_MISUSE;
        }
    }
    return result;
}

static int start(cs_store *store, sqlite3_stmt **out, cs_error *error, const char *sql,
    const char *format, va_list arguments)
{
    int result;
    int rc;

    *out = NULL;
    rc = find(store, out, sql, error);
    if (rc != CS_OK)
        return rc;
    result = bind_all(*out, format, arguments);
    if (result == SQLITE_OK)
        return CS_OK;
    cs_sql_end(*out);
    *out = NULL;
    return cs_sql_fail(store, result, error);
}

int cs_sql_start(
    cs_store *store, sqlite3_stmt **out, cs_error *error, const char *sql, const char *format, ...)
{
    va_list arguments;
    int rc;

    va_start(arguments, format);
    rc = start(store, out, error, sql, format, arguments);
    va_end(arguments);
    return rc;
}

int cs_sql_step(cs_store *store, sqlite3_stmt *statement, bool *row, cs_error *error)
{
    int result = sqlite3_step(statement);

    *row = result == SQLITE_ROW;
    if (result == SQLITE_ROW || result == SQLITE_DONE)
        return CS_OK;
    return cs_sql_fail(store, result, error);
}

void cs_sql_end(sqlite3_stmt *statement)
{
    if (statement == NULL)
        return;
    (void)sqlite3_reset(statement); /* repeats the error of the last step */
    (void)sqlite3_clear_bindings(statement);
}

static int run(
    cs_store *store, cs_error *error, const char *sql, const char *format, va_list arguments)
{
    sqlite3_stmt *statement = NULL;
    bool row = true;
    int rc = start(store, &statement, error, sql, format, arguments);

    while (rc == CS_OK && row)
        rc = cs_sql_step(store, statement, &row, error);
    cs_sql_end(statement);
    return rc;
}

int cs_sql_run(cs_store *store, cs_error *error, const char *sql, const char *format, ...)
{
    va_list arguments;
    int rc;

    va_start(arguments, format);
    rc = run(store, error, sql, format, arguments);
    va_end(arguments);
    return rc;
}

int cs_store_write(cs_store *store, cs_error *error, const char *sql, const char *format, ...)
{
    va_list arguments;
    int rc = cs_store_enter(store, error);

    if (rc != CS_OK)
        return rc;
    va_start(arguments, format);
    rc = run(store, error, sql, format, arguments);
    va_end(arguments);
    return cs_store_leave(store, rc, error);
}

int cs_sql_number(
    cs_store *store, int64_t *value, cs_error *error, const char *sql, const char *format, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list arguments;
    bool row = false;
    int rc;

    va_start(arguments, format);
    rc = start(store, &statement, error, sql, format, arguments);
    va_end(arguments);
    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &row, error);
    if (rc == CS_OK && !row)
        rc = CS_FAIL(error, CS_E_NOT_FOUND, "the store has no such row");
    if (rc == CS_OK)
        rc = cs_column_time(store, statement, 0, value, error);
    while (rc == CS_OK && row)
        rc = cs_sql_step(store, statement, &row, error);
    cs_sql_end(statement);
    return rc;
}

void cs_sql_forget(cs_store *store)
{
    cs_sql_cached *cached;

    while (store->statements != NULL) {
        cached = store->statements;
        store->statements = cached->next;
        (void)sqlite3_finalize(cached->statement);
        free(cached);
    }
}

int cs_column_blob(cs_store *store, sqlite3_stmt *statement, int column, size_t most, cs_view *out,
    cs_error *error)
{
    int type = sqlite3_column_type(statement, column);

    out->p = sqlite3_column_blob(statement, column);
    out->n = (size_t)sqlite3_column_bytes(statement, column);
    if (type != SQLITE_BLOB || out->n > most || (out->n > 0 && out->p == NULL))
        return cs_sql_fail(store, SQLITE_CORRUPT, error);
    return CS_OK;
}

int cs_column_fixed(
    cs_store *store, sqlite3_stmt *statement, int column, uint8_t *out, size_t n, cs_error *error)
{
    cs_view view;
    int rc = cs_column_blob(store, statement, column, n, &view, error);

    if (rc != CS_OK)
        return rc;
    if (view.n != n)
        return cs_sql_fail(store, SQLITE_CORRUPT, error);
    memcpy(out, view.p, n);
    return CS_OK;
}

int cs_column_time(
    cs_store *store, sqlite3_stmt *statement, int column, int64_t *out, cs_error *error)
{
    if (sqlite3_column_type(statement, column) != SQLITE_INTEGER)
        return cs_sql_fail(store, SQLITE_CORRUPT, error);
    *out = sqlite3_column_int64(statement, column);
    return CS_OK;
}

int cs_column_count(
    cs_store *store, sqlite3_stmt *statement, int column, uint64_t *out, cs_error *error)
{
    int64_t value = 0;
    int rc = cs_column_time(store, statement, column, &value, error);

    if (rc != CS_OK)
        return rc;
    if (value < 0)
        return cs_sql_fail(store, SQLITE_CORRUPT, error);
    *out = (uint64_t)value;
    return CS_OK;
}
