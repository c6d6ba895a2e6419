/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

int cs_store_put_attestation(
    cs_store *store, uint64_t serial, unsigned level, cs_view sealed, cs_error *error)
{
    int rc = cs_store_fits(sealed, error);

    if (rc == CS_OK && (level == 0 || level > CS_STORE_LEVEL_MAX))
        rc = CS_FAIL(error, CS_E_USAGE, "%u is no level of an attestation", level);
    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = cs_sql_run(store, error, "INSERT INTO attestation VALUES (?, ?, ?)", "uuv", serial,
        (uint64_t)level, &sealed);
    return cs_store_leave(store, rc, error);
}

static int read_row(
    cs_store *store, sqlite3_stmt *statement, unsigned *level, cs_buf *sealed, cs_error *error)
{
    uint64_t number = 0;
    cs_view view;
    int rc = cs_column_count(store, statement, 0, &number, error);

    if (rc == CS_OK && (number == 0 || number > CS_STORE_LEVEL_MAX))
        rc = cs_sql_fail(store, SQLITE_CORRUPT, error);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 1, CS_STORE_SEALED_MAX, &view, error);
    if (rc == CS_OK)
        rc = cs_buf_append(sealed, view, error);
    if (rc == CS_OK)
        *level = (unsigned)number;
    return rc;
}

int cs_store_get_attestation(
    cs_store *store, uint64_t serial, unsigned *level, cs_buf *sealed, cs_error *error)
{
    sqlite3_stmt *statement;
    bool any = false;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT level, sealed FROM attestation WHERE serial = ?", "u", serial);

    *level = 0;
    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &any, error);
    if (rc == CS_OK && any)
        rc = read_row(store, statement, level, sealed, error);
    cs_sql_end(statement);
    return rc;
}

int cs_store_count_attested(
    cs_store *store, unsigned level, int64_t now, uint64_t *count, cs_error *error)
{
    int64_t value = 0;
    int rc = cs_sql_number(store, &value, error,
        "SELECT count(*) FROM credential LEFT JOIN attestation USING (serial)"
        " WHERE coalesce(level, 0) = ? AND revoked_at = 0 AND not_after >= ?",
        "ui", (uint64_t)level, now);

    *count = (uint64_t)value;
    return rc;
}
