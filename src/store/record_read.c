/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#define COLUMNS "SELECT id, row_key, salt, stored_at, chunks, sealed FROM record "
#define NEWEST_FIRST " ORDER BY stored_at DESC, number DESC LIMIT ?"

/* row->sealed points into the statement. */
static int read_row(cs_store *store, sqlite3_stmt *statement, cs_record_row *row, cs_error *error)
{
    int rc = cs_column_fixed(store, statement, 0, row->id, sizeof row->id, error);

    if (rc == CS_OK)
        rc = cs_column_fixed(store, statement, 1, row->row_key, sizeof row->row_key, error);
    if (rc == CS_OK)
        rc = cs_column_fixed(store, statement, 2, row->salt, sizeof row->salt, error);
    if (rc == CS_OK)
        rc = cs_column_time(store, statement, 3, &row->stored_at, error);
    if (rc == CS_OK)
        rc = cs_column_count(store, statement, 4, &row->chunks, error);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 5, CS_STORE_SEALED_MAX, &row->sealed, error);
    return rc;
}

int cs_store_get_record(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE], cs_record_row *row,
    cs_buf *sealed, cs_error *error)
{
    cs_record_row found = {0};
    size_t before = sealed->n;
    sqlite3_stmt *statement;
    bool any = false;
    int rc = cs_sql_start(store, &statement, error, COLUMNS "WHERE id = ?", "d", id);

    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &any, error);
    if (rc == CS_OK && !any)
        rc = CS_FAIL(error, CS_E_NO_RECORD, "no record has that id");
    if (rc == CS_OK)
        rc = read_row(store, statement, &found, error);
    if (rc == CS_OK)
        rc = cs_buf_append(sealed, found.sealed, error);
    if (rc == CS_OK) {
        found.sealed.p = sealed->n == before ? NULL : sealed->p + before;
        *row = found;
    }
    cs_sql_end(statement);
    return rc;
}

/* Of a statement that was started, or not: `rc`. */
static int walk(cs_store *store, sqlite3_stmt *statement, int rc, cs_store_record_fn fn,
    void *context, cs_error *error)
{
    bool any = true;

    while (rc == CS_OK) {
        cs_record_row row = {0};

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

int cs_store_find_records(cs_store *store, const uint8_t *row_key, unsigned most,
    cs_store_record_fn fn, void *context, cs_error *error)
{
    sqlite3_stmt *statement;
    int rc;

    if (row_key != NULL)
        rc = cs_sql_start(store, &statement, error, COLUMNS "WHERE row_key = ?" NEWEST_FIRST, "ki",
            row_key, (int64_t)most);
    else
        rc = cs_sql_start(store, &statement, error, COLUMNS NEWEST_FIRST, "i", (int64_t)most);
    return walk(store, statement, rc, fn, context, error);
}

int cs_store_each_row(cs_store *store, cs_store_record_fn fn, void *context, cs_error *error)
{
    sqlite3_stmt *statement;
    int rc = cs_sql_start(store, &statement, error, COLUMNS "GROUP BY row_key", "");

    return walk(store, statement, rc, fn, context, error);
}

int cs_store_get_chunk(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE], uint64_t number,
    cs_buf *sealed, cs_error *error)
{
    sqlite3_stmt *statement;
    cs_view view;
    bool any = false;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT c.sealed FROM chunk c JOIN record r ON r.id = c.id"
        " WHERE c.id = ? AND c.number = ?",
        "du", id, number);

    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &any, error);
    if (rc == CS_OK && !any)
        rc = CS_FAIL(error, CS_E_NO_RECORD, "no record has that chunk");
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 0, CS_CHUNK_SEALED_MAX, &view, error);
    if (rc == CS_OK)
        rc = cs_buf_append(sealed, view, error);
    cs_sql_end(statement);
    return rc;
}
