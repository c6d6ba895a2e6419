/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#define CHUNKS_AT_ONCE 128 /* 8 MiB: the log stays small, and others get their turn */

int cs_store_add_place(
    cs_store *store, const uint8_t key[32], int64_t ends, cs_view sealed, cs_error *error)
{
    int64_t there = 0;
    int rc = cs_store_fits(sealed, error);

    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = cs_sql_number(store, &there, error, "SELECT count(*) FROM place WHERE key = ?", "k", key);
    if (rc == CS_OK && there != 0)
        rc = CS_FAIL(error, CS_E_EXISTS, "there is such a place already; draw another token");
    if (rc == CS_OK)
        rc = cs_sql_run(
            store, error, "INSERT INTO place VALUES (?, ?, ?)", "kiv", key, ends, &sealed);
    return cs_store_leave(store, rc, error);
}

static int no_place(cs_error *error)
{
    return CS_FAIL(error, CS_E_NOT_FOUND, "there is no such place; it may have ended");
}

int cs_store_get_place(cs_store *store, const uint8_t key[32], cs_buf *sealed, cs_error *error)
{
    sqlite3_stmt *statement;
    cs_view view;
    bool any = false;
    int rc =
        cs_sql_start(store, &statement, error, "SELECT sealed FROM place WHERE key = ?", "k", key);

    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &any, error);
    if (rc == CS_OK && !any)
        rc = no_place(error);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 0, CS_STORE_SEALED_MAX, &view, error);
    if (rc == CS_OK)
        rc = cs_buf_append(sealed, view, error);
    cs_sql_end(statement);
    return rc;
}

int cs_store_set_place(cs_store *store, const uint8_t key[32], cs_view sealed, cs_error *error)
{
    int rc = cs_store_fits(sealed, error);

    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = cs_sql_run(store, error, "UPDATE place SET sealed = ? WHERE key = ?", "vk", &sealed, key);
    if (rc == CS_OK && sqlite3_changes(store->db) != 1)
        rc = no_place(error);
    return cs_store_leave(store, rc, error);
}

int cs_store_each_place(cs_store *store, cs_store_place_fn fn, void *context, cs_error *error)
{
    sqlite3_stmt *statement;
    bool any = true;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT p.ends, coalesce(r.stored_at, 0), coalesce(r.chunks, 0)"
        " FROM place p LEFT JOIN record r ON r.row_key = p.key ORDER BY 1, 2, 3",
        "");

    while (rc == CS_OK) {
        cs_place_row row = {0};

        rc = cs_sql_step(store, statement, &any, error);
        if (rc != CS_OK || !any)
            break;
        rc = cs_column_time(store, statement, 0, &row.ends, error);
        if (rc == CS_OK)
            rc = cs_column_time(store, statement, 1, &row.stored_at, error);
        if (rc == CS_OK)
            rc = cs_column_count(store, statement, 2, &row.chunks, error);
        if (rc == CS_OK)
            rc = fn(context, &row, error);
    }
    cs_sql_end(statement);
    return rc;
}

/* -- the end of a place --------------------------------------------------------------------------
 */

static int find_ended(
    cs_store *store, int64_t now, uint8_t key[CS_STORE_KEY_SIZE], bool *found, cs_error *error)
{
    sqlite3_stmt *statement;
    int rc = cs_sql_start(
        store, &statement, error, "SELECT key FROM place WHERE ends < ? LIMIT 1", "i", now);

    *found = false;
    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, found, error);
    if (rc == CS_OK && *found)
        rc = cs_column_fixed(store, statement, 0, key, CS_STORE_KEY_SIZE, error);
    cs_sql_end(statement);
    return rc;
}

static int remove_place(cs_store *store, const uint8_t key[CS_STORE_KEY_SIZE], cs_error *error)
{
    int64_t left = 1;
    int rc = CS_OK;

    while (rc == CS_OK && left > 0) {
        rc = cs_store_enter(store, error);
        if (rc != CS_OK)
            return rc;
        rc = cs_sql_run(store, error,
            "DELETE FROM chunk WHERE place IN (SELECT c.place FROM record r"
            " JOIN chunk c ON c.id = r.id WHERE r.row_key = ? LIMIT ?)",
            "ki", key, (int64_t)CHUNKS_AT_ONCE);
        left = sqlite3_changes(store->db);
        if (rc == CS_OK && left == 0)
            rc = cs_sql_run(store, error, "DELETE FROM record WHERE row_key = ?", "k", key);
        if (rc == CS_OK && left == 0)
            rc = cs_sql_run(store, error, "DELETE FROM place WHERE key = ?", "k", key);
        rc = cs_store_leave(store, rc, error);
    }
    return rc;
}

int cs_store_expire_places(
    cs_store *store, int64_t now, unsigned most, unsigned *removed, cs_error *error)
{
    uint8_t key[CS_STORE_KEY_SIZE];
    bool found = true;
    int rc = CS_OK;

    for (*removed = 0; rc == CS_OK && *removed < most;) {
        rc = find_ended(store, now, key, &found, error);
        if (rc != CS_OK || !found)
            break;
        rc = remove_place(store, key, error);
        *removed += rc == CS_OK;
    }
    return rc;
}
