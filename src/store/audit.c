/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <string.h>

#define LABEL "chartseal/1 audit"

static void big_endian(uint8_t *out, uint64_t number)
{
    int i;

    for (i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

int cs_audit_hash(const cs_audit_row *row, uint8_t hash[32], cs_error *error)
{
    cs_hasher *hasher = NULL;
    uint8_t numbers[16];
    int rc = cs_hasher_new(&hasher, error);

    big_endian(numbers, row->number);
    big_endian(numbers + 8, (uint64_t)row->time);
    if (rc == CS_OK)
        rc = cs_hasher_add(hasher, cs_view_str(LABEL), error);
    if (rc == CS_OK)
        rc = cs_hasher_add(hasher, CS_VIEW_ARRAY(numbers), error);
    if (rc == CS_OK)
        rc = cs_hasher_add(hasher, CS_VIEW_ARRAY(row->previous), error);
    if (rc == CS_OK)
        rc = cs_hasher_add(hasher, row->sealed, error);
    if (rc == CS_OK)
        rc = cs_hasher_finish(hasher, hash, error);
    cs_hasher_free(&hasher);
    return rc;
}

static int head(cs_store *store, uint64_t *number, uint8_t hash[32], cs_error *error)
{
    sqlite3_stmt *statement;
    bool any = false;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", "");

    *number = 0;
    memset(hash, 0, 32);
    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &any, error);
    if (rc == CS_OK && any)
        rc = cs_column_count(store, statement, 0, number, error);
    if (rc == CS_OK && any)
        rc = cs_column_fixed(store, statement, 1, hash, 32, error);
    cs_sql_end(statement);
    return rc;
}

int cs_store_append_audit(
    cs_store *store, int64_t now, cs_view sealed, uint64_t *number, cs_error *error)
{
    cs_audit_row row = {.time = now, .sealed = sealed};
    int rc = cs_store_fits(sealed, error);

    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = head(store, &row.number, row.previous, error);
    row.number++;
    if (rc == CS_OK)
        rc = cs_audit_hash(&row, row.hash, error);
    if (rc == CS_OK)
        rc = cs_sql_run(store, error, "INSERT INTO audit VALUES (?, ?, ?, ?, ?, x'')", "uikkv",
            row.number, now, row.previous, row.hash, &sealed);
    rc = cs_store_leave(store, rc, error);
    if (rc == CS_OK && number != NULL)
        *number = row.number;
    return rc;
}

int cs_store_audit_head(
    cs_store *store, uint64_t *number, uint8_t hash[32], uint64_t *sealed_number, cs_error *error)
{
    int64_t value = 0;
    int rc = head(store, number, hash, error);

    if (rc == CS_OK)
        rc = cs_sql_number(store, &value, error,
            "SELECT coalesce(max(number), 0) FROM audit WHERE length(signature) > 0", "");
    if (rc == CS_OK)
        *sealed_number = (uint64_t)value;
    return rc;
}

int cs_store_seal_audit(cs_store *store, uint64_t number, cs_view signature, cs_error *error)
{
    int rc = cs_store_fits(signature, error);

    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = cs_sql_run(
        store, error, "UPDATE audit SET signature = ? WHERE number = ?", "vu", &signature, number);
    if (rc == CS_OK && sqlite3_changes(store->db) != 1)
        rc = CS_FAIL(error, CS_E_NOT_FOUND, "the audit chain has no such entry to seal");
    return cs_store_leave(store, rc, error);
}

static int read_row(cs_store *store, sqlite3_stmt *statement, cs_audit_row *row, cs_error *error)
{
    int rc = cs_column_count(store, statement, 0, &row->number, error);

    if (rc == CS_OK)
        rc = cs_column_time(store, statement, 1, &row->time, error);
    if (rc == CS_OK)
        rc = cs_column_fixed(store, statement, 2, row->previous, sizeof row->previous, error);
    if (rc == CS_OK)
        rc = cs_column_fixed(store, statement, 3, row->hash, sizeof row->hash, error);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 4, CS_STORE_SEALED_MAX, &row->sealed, error);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 5, CS_STORE_SEALED_MAX, &row->signature, error);
    return rc;
}

int cs_store_read_audit(
    cs_store *store, uint64_t from, cs_store_audit_fn fn, void *context, cs_error *error)
{
    sqlite3_stmt *statement;
    bool any = true;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT number, time, previous, hash, sealed, signature FROM audit WHERE number >= ?"
        " ORDER BY number",
        "u", from);

    while (rc == CS_OK) {
        cs_audit_row row = {0};

        rc = cs_sql_step(store, statement, &any, error);
        if (rc != CS_OK || !any)
            break;
        rc = read_row(store, statement, &row, error);
        if (rc == CS_OK)
            rc = fn(context, &row, error);
    }
    cs_sql_end(statement);
    return rc;
}
