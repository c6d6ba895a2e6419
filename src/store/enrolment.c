/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

int cs_store_add_enrolment(
    cs_store *store, const uint8_t key[32], int64_t not_after, cs_error *error)
{
    return cs_store_write(
        store, error, "INSERT INTO enrolment VALUES (?, ?, NULL)", "ki", key, not_after);
}

/* One statement decides, so that of two owners at once one wins. */
int cs_store_use_enrolment(
    cs_store *store, const uint8_t key[32], const uint8_t owner[32], int64_t now, cs_error *error)
{
    int rc = cs_store_enter(store, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_sql_run(store, error,
        "UPDATE enrolment SET owner = ?2 WHERE key = ?1 AND not_after >= ?3"
        " AND (owner IS NULL OR owner = ?2)",
        "kki", key, owner, now);
    if (rc == CS_OK && sqlite3_changes(store->db) != 1)
        rc = CS_FAIL(error, CS_E_ENROLMENT,
            "the enrolment code is unknown, used or expired; ask for a new one");
    return cs_store_leave(store, rc, error);
}
