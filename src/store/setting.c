/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

int cs_store_put_setting(cs_store *store, const char *name, cs_view value, cs_error *error)
{
    int rc = cs_store_fits(value, error);

    if (rc != CS_OK)
        return rc;
    return cs_store_write(
        store, error, "INSERT OR REPLACE INTO setting VALUES (?, ?)", "tv", name, &value);
}

int cs_store_get_setting(cs_store *store, const char *name, cs_buf *value, cs_error *error)
{
    sqlite3_stmt *statement;
    cs_view view;
    bool row = false;
    int rc = cs_sql_start(
        store, &statement, error, "SELECT value FROM setting WHERE name = ?", "t", name);

    if (rc == CS_OK)
        rc = cs_sql_step(store, statement, &row, error);
    if (rc == CS_OK && !row)
        rc = CS_FAIL(error, CS_E_NOT_FOUND, "the store has no setting '%s'", name);
    if (rc == CS_OK)
        rc = cs_column_blob(store, statement, 0, CS_STORE_SEALED_MAX, &view, error);
    if (rc == CS_OK)
        rc = cs_buf_append(value, view, error);
    cs_sql_end(statement);
    return rc;
}
