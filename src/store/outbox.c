/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

int cs_store_put_outbox(cs_store *store, cs_outbox_kind kind, const uint8_t key[32], cs_view sealed,
    int64_t now, cs_error *error)
{
    int rc = cs_store_fits(sealed, error);

    if (rc != CS_OK)
        return rc;
    return cs_store_write(store, error,
        "INSERT OR REPLACE INTO outbox (kind, key, sealed, stored_at) VALUES (?, ?, ?, ?)", "ikvi",
        (int64_t)kind, key, &sealed, now);
}

int cs_store_keep_outbox(cs_store *store, cs_outbox_kind kind, const uint8_t key[32],
    cs_view sealed, int64_t now, cs_error *error)
{
    int rc = cs_store_fits(sealed, error);

    if (rc != CS_OK)
        return rc;
    return cs_store_write(store, error,
        "INSERT INTO outbox (kind, key, sealed, stored_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (key) DO NOTHING",
        "ikvi", (int64_t)kind, key, &sealed, now);
}

static int read_row(cs_store *store, sqlite3_stmt *statement, cs_outbox_row *row, cs_error *error)
{
    int rc = cs_column_count(store, statement, 0, &row->number, error);

    if (rc == CS_OK)
        rc = cs_column_fixed(store, statement, 1, row->key, sizeof row->key, error);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 2, CS_STORE_SEALED_MAX, &row->sealed, error);
    return rc;
}

int cs_store_get_outbox(cs_store *store, cs_outbox_kind kind, uint64_t after, unsigned most,
    cs_store_outbox_fn fn, void *context, cs_error *error)
{
    sqlite3_stmt *statement;
    cs_outbox_row row;
    bool any = true;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT number, key, sealed FROM outbox WHERE kind = ? AND number > ?"
        " ORDER BY number LIMIT ?",
        "iui", (int64_t)kind, after, (int64_t)most);

    while (rc == CS_OK) {
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

int cs_store_drop_outbox(cs_store *store, const uint8_t key[32], uint64_t number, cs_error *error)
{
    return cs_store_write(
        store, error, "DELETE FROM outbox WHERE key = ? AND number = ?", "ku", key, number);
}

int cs_store_count_outbox(cs_store *store, cs_outbox_kind kind, uint64_t *count, cs_error *error)
{
    int64_t value = 0;
    int rc = cs_sql_number(
        store, &value, error, "SELECT count(*) FROM outbox WHERE kind = ?", "i", (int64_t)kind);

    *count = (uint64_t)value;
    return rc;
}
