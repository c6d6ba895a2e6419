/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <stdio.h>

#define NO_LIMIT 0xfffffffeu /* the most pages that SQLite knows */

static int execute(cs_store *store, const char *sql, cs_error *error)
{
    return cs_sql_run(store, error, sql, "");
}

int cs_store_limit_pages(cs_store *store, unsigned pages, cs_error *error)
{
    char sql[64];
    int result;

    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %u", pages == 0 ? NO_LIMIT : pages);
    result = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? CS_OK : cs_sql_fail(store, result, error);
}

/* After a full disk SQLite may have rolled back the whole group; no later call of the group may
 * then be kept alone. */
static int check_group(cs_store *store, cs_error *error)
{
    if (store->group && sqlite3_get_autocommit(store->db) != 0)
        return CS_FAIL(error, CS_E_STORAGE,
            "%s: an earlier failure undid this group of writes; begin it again", store->path);
    return CS_OK;
}

int cs_store_begin(cs_store *store, cs_error *error)
{
    int rc;

    if (store->group)
        return CS_FAIL(error, CS_E_USAGE, "a group of writes is open; commit it first");
    rc = cs_store_record_flush(store, error); /* so that a rollback of the group loses no chunk */
    if (rc == CS_OK)
        rc = execute(store, "BEGIN IMMEDIATE", error);
    if (rc == CS_OK)
        store->group = true;
    return rc;
}

int cs_store_commit(cs_store *store, cs_error *error)
{
    int rc;

    if (!store->group)
        return CS_FAIL(error, CS_E_USAGE, "no group of writes is open; begin one");
    rc = check_group(store, error);
    if (rc == CS_OK)
        rc = execute(store, "COMMIT", error);
    if (rc != CS_OK)
        cs_store_rollback(store);
    store->group = false;
    return rc;
}

void cs_store_rollback(cs_store *store)
{
    cs_error ignored;

    if (store->group && sqlite3_get_autocommit(store->db) == 0)
        (void)!execute(store, "ROLLBACK", &ignored);
    store->group = false;
}

bool cs_store_in_group(const cs_store *store)
{
    return store->group;
}

int cs_store_enter(cs_store *store, cs_error *error)
{
    int rc = check_group(store, error);

    if (rc != CS_OK)
        return rc;
    return execute(store, store->group ? "SAVEPOINT one_call" : "BEGIN IMMEDIATE", error);
}

int cs_store_leave(cs_store *store, int rc, cs_error *error)
{
    cs_error ignored;

    if (rc == CS_OK)
        rc = execute(store, store->group ? "RELEASE one_call" : "COMMIT", error);
    if (rc == CS_OK || sqlite3_get_autocommit(store->db) != 0)
        return rc;
    if (!store->group) {
        (void)!execute(store, "ROLLBACK", &ignored);
    } else if (execute(store, "ROLLBACK TO one_call", &ignored) == CS_OK) {
        (void)!execute(store, "RELEASE one_call", &ignored);
    }
    return rc;
}

int cs_store_fits(cs_view sealed, cs_error *error)
{
    if (sealed.n > CS_STORE_SEALED_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a value is above the store's limit of 1 MiB");
    return CS_OK;
}
