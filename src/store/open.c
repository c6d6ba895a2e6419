/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <stdlib.h>

#define BUSY_MILLISECONDS 10000
#define WAL_TRIES 100

int cs_sql_open(cs_store *store, cs_error *error)
{
    int result = sqlite3_open_v2(store->path, &store->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);

    if (result != SQLITE_OK)
        return cs_sql_fail(store, result, error);
    (void)sqlite3_extended_result_codes(store->db, 1);
    (void)sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, (int)(CS_STORE_SEALED_MAX + 4096));
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    result = sqlite3_busy_timeout(store->db, BUSY_MILLISECONDS);
    if (result == SQLITE_OK)
        result = sqlite3_exec(store->db,
            "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;"
            "PRAGMA cache_size = -4096; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
            "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;",
            NULL, NULL, NULL);
    return result == SQLITE_OK ? CS_OK : cs_sql_fail(store, result, error);
}

void cs_sql_close(cs_store *store)
{
    cs_sql_forget(store);
    (void)sqlite3_close(store->db); /* rolls back what is open */
    store->db = NULL;
}

/* Going over to WAL does not always wait for the lock by itself. */
static int use_wal(cs_store *store, cs_error *error)
{
    int result = SQLITE_BUSY;
    int tries;

    for (tries = 0; tries < WAL_TRIES && result == SQLITE_BUSY; tries++) {
        result = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (result == SQLITE_BUSY)
            (void)sqlite3_sleep(20);
    }
    return result == SQLITE_OK ? CS_OK : cs_sql_fail(store, result, error);
}

static int configure(cs_store *store, cs_error *error)
{
    /* First: a file that is none of ours is not to be changed, not even to WAL. */
    int rc = cs_store_migrate(store, error);

    if (rc == CS_OK)
        rc = use_wal(store, error);
    if (rc == CS_OK &&
        sqlite3_exec(store->db, "PRAGMA wal_autocheckpoint = 1000", NULL, NULL, NULL) != SQLITE_OK)
        rc = CS_FAIL(error, CS_E_STORAGE, "%s cannot be set up; check the file", store->path);
    return rc;
}

int cs_store_open(cs_store **out, const char *path, cs_error *error)
{
    cs_store *store = calloc(1, sizeof *store);
    int rc;

    *out = NULL;
    if (store == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a store");
    store->writers = -1;
    rc = cs_file_resolve(&store->path, path, error);
    if (rc == CS_OK)
        rc = cs_file_ready(store->path, error);
    if (rc == CS_OK)
        rc = cs_sql_open(store, error);
    if (rc == CS_OK)
        rc = configure(store, error);
    if (rc == CS_OK)
        *out = store;
    else
        cs_store_close(&store);
    return rc;
}

void cs_store_close(cs_store **store)
{
    cs_store *old;

    if (store == NULL || *store == NULL)
        return;
    old = *store;
    *store = NULL;
    cs_sql_close(old);
    cs_writer_release(old);
    cs_buf_free(&old->pending.bytes);
    free(old->path);
    free(old);
}
