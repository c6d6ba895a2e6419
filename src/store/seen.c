/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

int cs_store_seen(cs_store *store, const uint8_t hash[32], int64_t now, int64_t until, bool *fresh,
    cs_error *error)
{
    bool inserted = false;
    int rc = cs_store_enter(store, error);

    *fresh = false;
    if (rc != CS_OK)
        return rc;
    rc = cs_sql_run(store, error, "DELETE FROM seen WHERE until < ?", "i", now);
    if (rc == CS_OK)
        rc =
            cs_sql_run(store, error, "INSERT OR IGNORE INTO seen VALUES (?, ?)", "ki", hash, until);
    if (rc == CS_OK)
        inserted = sqlite3_changes(store->db) == 1;
    rc = cs_store_leave(store, rc, error);
    *fresh = rc == CS_OK && inserted;
    return rc;
}
