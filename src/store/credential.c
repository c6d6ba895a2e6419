/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <string.h>

int cs_store_next_serial(cs_store *store, uint64_t *serial, cs_error *error)
{
    int64_t value = 0;
    int rc;

    *serial = 0;
    if (cs_store_in_group(store))
        return CS_FAIL(error, CS_E_USAGE, "a serial is not taken within a group of writes");
    rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc =
        cs_sql_number(store, &value, error, "UPDATE serial SET last = last + 1 RETURNING last", "");
    if (rc == CS_OK && value < 1)
        rc = cs_sql_fail(store, SQLITE_CORRUPT, error);
    rc = cs_store_leave(store, rc, error);
    if (rc == CS_OK)
        *serial = (uint64_t)value;
    return rc;
}

int cs_store_check_identity(cs_store *store, const uint8_t id_key[32], const uint8_t owner[32],
    int64_t now, cs_error *error)
{
    int64_t taken = 0;
    int rc = cs_sql_number(store, &taken, error,
        "SELECT count(*) FROM credential WHERE id_key = ? AND owner <> ?"
        " AND revoked_at = 0 AND not_after >= ?",
        "kki", id_key, owner, now);

    if (rc == CS_OK && taken != 0)
        rc = CS_FAIL(error, CS_E_TAKEN, "that identity belongs to another key; revoke it first");
    return rc;
}

static int replace(cs_store *store, const cs_credential_row *row, int64_t now, cs_error *error)
{
    int rc = cs_store_check_identity(store, row->id_key, row->owner, now, error);

    if (rc == CS_OK)
        rc = cs_sql_run(store, error,
            "UPDATE credential SET current = 0 WHERE id_key = ? AND current = 1", "k", row->id_key);
    if (rc == CS_OK)
        rc = cs_sql_run(store, error, "INSERT INTO credential VALUES (?, ?, ?, ?, ?, 1, ?)",
            "ukkiiv", row->serial, row->id_key, row->owner, row->not_after, row->revoked_at,
            &row->sealed);
    return rc;
}

int cs_store_put_credential(
    cs_store *store, const cs_credential_row *row, int64_t now, cs_error *error)
{
    int rc = cs_store_fits(row->sealed, error);

    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    return cs_store_leave(store, replace(store, row, now, error), error);
}

static int read_row(cs_store *store, sqlite3_stmt *statement, cs_credential_row *row,
    cs_buf *sealed, cs_error *error)
{
    size_t before = sealed->n;
    cs_view view;
    int rc = cs_column_count(store, statement, 0, &row->serial, error);

    if (rc == CS_OK)
        rc = cs_column_fixed(store, statement, 1, row->owner, sizeof row->owner, error);
    if (rc == CS_OK)
        rc = cs_column_time(store, statement, 2, &row->not_after, error);
    if (rc == CS_OK)
        rc = cs_column_time(store, statement, 3, &row->revoked_at, error);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 4, CS_STORE_SEALED_MAX, &view, error);
    if (rc == CS_OK)
        rc = cs_buf_append(sealed, view, error);
    if (rc == CS_OK)
        row->sealed =
            (cs_view){sealed->n == before ? NULL : sealed->p + before, sealed->n - before};
    return rc;
}

int cs_store_get_credential(cs_store *store, const uint8_t id_key[32], cs_credential_row *row,
    cs_buf *sealed, cs_error *error)
{
    cs_credential_row found = {0};
    sqlite3_stmt *statement;
    bool any = false;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT serial, owner, not_after, revoked_at, sealed FROM credential"
        " WHERE id_key = ? AND current = 1",
        "k", id_key);

    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &any, error);
    if (rc == CS_OK && !any)
        rc = CS_FAIL(error, CS_E_NOT_FOUND, "no credential is stored for that identity");
    if (rc == CS_OK)
        rc = read_row(store, statement, &found, sealed, error);
    if (rc == CS_OK) {
        memcpy(found.id_key, id_key, sizeof found.id_key);
        *row = found;
    }
    cs_sql_end(statement);
    return rc;
}

int cs_store_live_credentials(
    cs_store *store, const uint8_t id_key[32], int64_t now, uint64_t *count, cs_error *error)
{
    int64_t value = 0;
    int rc = cs_sql_number(store, &value, error,
        "SELECT count(*) FROM credential WHERE id_key = ? AND revoked_at = 0 AND not_after >= ?",
        "ki", id_key, now);

    *count = (uint64_t)value;
    return rc;
}

int cs_store_revoke(cs_store *store, uint64_t serial, int64_t now, cs_error *error)
{
    int rc = cs_store_enter(store, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_sql_run(store, error,
        "UPDATE credential SET revoked_at = CASE revoked_at WHEN 0 THEN ? ELSE revoked_at END"
        " WHERE serial = ?",
        "iu", now, serial);
    if (rc == CS_OK && sqlite3_changes(store->db) != 1)
        rc = CS_FAIL(error, CS_E_NOT_FOUND, "no credential has that serial; check the number");
    if (rc == CS_OK)
        rc = cs_sql_run(store, error,
            "UPDATE credential SET revoked_at = ?1 WHERE revoked_at = 0 AND not_after >= ?1"
            " AND (id_key, owner) = (SELECT id_key, owner FROM credential WHERE serial = ?2)",
            "iu", now, serial);
    if (rc == CS_OK)
        rc = cs_sql_run(store, error,
            "UPDATE enrolment SET not_after = 0"
            " WHERE owner = (SELECT owner FROM credential WHERE serial = ?)",
            "u", serial);
    return cs_store_leave(store, rc, error);
}

int cs_store_is_revoked(cs_store *store, uint64_t serial, bool *revoked, cs_error *error)
{
    int64_t good = 0;
    int rc;

    *revoked = true;
    if (serial > INT64_MAX)
        return CS_OK; /* never stored */
    rc = cs_sql_number(store, &good, error,
        "SELECT count(*) FROM credential WHERE serial = ? AND revoked_at = 0", "u", serial);
    if (rc == CS_OK)
        *revoked = good != 1;
    return rc;
}

int cs_store_revoked_serials(cs_store *store, int64_t now, cs_buf *serials, cs_error *error)
{
    sqlite3_stmt *statement;
    size_t before = serials->n;
    uint64_t serial = 0;
    uint8_t bytes[8];
    bool row = true;
    int i;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT serial FROM credential WHERE revoked_at <> 0 AND not_after >= ? ORDER BY serial",
        "i", now);

    while (rc == CS_OK) {
        rc = cs_sql_step(store, statement, &row, error);
        if (rc != CS_OK || !row)
            break;
        rc = cs_column_count(store, statement, 0, &serial, error);
        for (i = 0; i < 8; i++)
            bytes[i] = (uint8_t)(serial >> (56 - 8 * i));
        if (rc == CS_OK)
            rc = cs_buf_append(serials, CS_VIEW_ARRAY(bytes), error);
    }
    cs_sql_end(statement);
    if (rc != CS_OK)
        serials->n = before;
    return rc;
}
