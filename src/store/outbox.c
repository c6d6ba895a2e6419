/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

int cs_store_put_outbox(
    cs_store *store, const uint8_t key[32], cs_view sealed, int64_t now, cs_error *error)
{
    int rc = cs_store_fits(sealed, error);

    if (rc != CS_OK)
        return rc;
    return cs_store_write(store, error,
        "INSERT OR REPLACE INTO outbox (key, sealed, stored_at) VALUES (?, ?, ?)", "kvi", key,
        &sealed, now);
}

/* Oldest first. */
int cs_store_get_outbox(
    cs_store *store, unsigned most, cs_store_outbox_fn fn, void *context, cs_error *error)
{
    sqlite3_stmt *statement;
    uint8_t key[CS_STORE_KEY_SIZE];
    cs_view view;
    bool row = true;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT key, sealed FROM outbox ORDER BY number LIMIT ?", "i", (int64_t)most);

    while (rc == CS_OK) {
        rc = cs_sql_step(store, statement, &row, error);
        if (rc != CS_OK || !row)
            break;
        rc = cs_column_fixed(store, statement, 0, key, sizeof key, error);
        if (rc == CS_OK)
            rc = cs_column_blob(store, statement, 1, CS_STORE_SEALED_MAX, &view, error);
        if (rc == CS_OK)
            rc = fn(context, key, view, error);
    }
    cs_sql_end(statement);
    return rc;
}

int cs_store_drop_outbox(cs_store *store, const uint8_t key[32], cs_error *error)
{
    return cs_store_write(store, error, "DELETE FROM outbox WHERE key = ?", "k", key);
}
