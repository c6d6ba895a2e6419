/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

int cs_store_put_index(cs_store *store, const uint8_t row_key[32], const uint8_t hospital_key[32],
    cs_view sealed, int64_t now, cs_error *error)
{
    int rc = cs_store_fits(sealed, error);

    if (rc != CS_OK)
        return rc;
    return cs_store_write(store, error,
        "INSERT OR REPLACE INTO index_row (row_key, hospital_key, sealed, stored_at)"
        " VALUES (?, ?, ?, ?)",
        "kkvi", row_key, hospital_key, &sealed, now);
}

int cs_store_get_index(cs_store *store, const uint8_t row_key[32], unsigned most,
    cs_store_row_fn fn, void *context, cs_error *error)
{
    sqlite3_stmt *statement;
    cs_view view;
    bool row = true;
    int rc = cs_sql_start(store, &statement, error,
        "SELECT sealed FROM index_row WHERE row_key = ?"
        " ORDER BY stored_at DESC, number DESC LIMIT ?",
        "ki", row_key, (int64_t)most);

    while (rc == CS_OK) {
        rc = cs_sql_step(store, statement, &row, error);
        if (rc != CS_OK || !row)
            break;
        rc = cs_column_blob(store, statement, 0, CS_STORE_SEALED_MAX, &view, error);
        if (rc == CS_OK)
            rc = fn(context, view, error);
    }
    cs_sql_end(statement);
    return rc;
}
