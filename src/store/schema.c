/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#define APPLICATION_ID 0x43537631 /* "CSv1" */

/* Step n brings a store of version n to n + 1. A released step is never changed. */
static const char *const steps[] = {
    "PRAGMA application_id = 0x43537631;"
    "CREATE TABLE seen (hash BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX seen_until ON seen (until);"
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"
    "CREATE TABLE enrolment (key BLOB PRIMARY KEY, not_after INTEGER NOT NULL, owner BLOB) STRICT;"
    "CREATE TABLE serial (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL) STRICT;"
    "INSERT INTO serial VALUES (1, 0);"
    "CREATE TABLE credential (serial INTEGER PRIMARY KEY, id_key BLOB NOT NULL,"
    " owner BLOB NOT NULL, not_after INTEGER NOT NULL, revoked_at INTEGER NOT NULL,"
    " current INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX credential_current ON credential (id_key) WHERE current = 1;"
    "CREATE INDEX credential_revoked ON credential (serial) WHERE revoked_at <> 0;"
    "CREATE TABLE index_row (number INTEGER PRIMARY KEY AUTOINCREMENT, row_key BLOB NOT NULL,"
    " hospital_key BLOB NOT NULL, sealed BLOB NOT NULL, stored_at INTEGER NOT NULL,"
    " UNIQUE (row_key, hospital_key)) STRICT;"
    "CREATE TABLE unfinished (id BLOB PRIMARY KEY, writer INTEGER NOT NULL,"
    " chunks INTEGER NOT NULL) STRICT;"
    "CREATE TABLE record (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,"
    " row_key BLOB NOT NULL, salt BLOB NOT NULL, stored_at INTEGER NOT NULL,"
    " chunks INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;"
    "CREATE INDEX record_row_key ON record (row_key, stored_at);"
    "CREATE TABLE chunk (place INTEGER PRIMARY KEY, id BLOB NOT NULL, number INTEGER NOT NULL,"
    " sealed BLOB NOT NULL, UNIQUE (id, number)) STRICT;"
    "CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE,"
    " sealed BLOB NOT NULL, stored_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE audit (number INTEGER PRIMARY KEY, time INTEGER NOT NULL,"
    " previous BLOB NOT NULL, hash BLOB NOT NULL, sealed BLOB NOT NULL,"
    " signature BLOB NOT NULL) STRICT;"
    "CREATE INDEX audit_sealed ON audit (number) WHERE length(signature) > 0;"
    "PRAGMA user_version = 1;",
    "CREATE INDEX credential_identity ON credential (id_key);"
    /* What waits is asked for by its kind; a list of all records comes in order without a sort. */
    "ALTER TABLE outbox ADD COLUMN kind INTEGER NOT NULL DEFAULT 1;"
    "CREATE INDEX outbox_kind ON outbox (kind, number);"
    "DROP TABLE setting;" /* nobody ever kept anything there */
    "CREATE INDEX record_stored ON record (stored_at);"
    "PRAGMA user_version = 2;",
    /* No rowid: it would tell in which order places came, and so which belong together. */
    "CREATE TABLE place (key BLOB PRIMARY KEY, ends INTEGER NOT NULL,"
    " sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX place_ends ON place (ends);"
    "PRAGMA user_version = 3;",
    /* What a TPM said when a credential was issued; those it said nothing about have no row. */
    "CREATE TABLE attestation (serial INTEGER PRIMARY KEY, level INTEGER NOT NULL,"
    " sealed BLOB NOT NULL) STRICT;"
    "PRAGMA user_version = 4;",
};
#define VERSION ((int64_t)(sizeof steps / sizeof steps[0]))

static int check(cs_store *store, int64_t *version, cs_error *error)
{
    int64_t application = 0;
    int rc = cs_sql_number(store, &application, error, "PRAGMA application_id", "");

    if (rc == CS_OK)
        rc = cs_sql_number(store, version, error, "PRAGMA user_version", "");
    if (rc != CS_OK)
        return rc;
    if (application != APPLICATION_ID)
        return CS_FAIL(error, CS_E_CORRUPT,
            "%s is damaged, or another program's database; name the store's own file", store->path);
    if (*version < 1)
        return cs_sql_fail(store, SQLITE_CORRUPT, error);
    if (*version > VERSION)
        return CS_FAIL(error, CS_E_SCHEMA,
            "%s was made by a newer version; use that version of this program", store->path);
    return CS_OK;
}

static int climb(cs_store *store, int64_t version, cs_error *error)
{
    int result = SQLITE_OK;

    for (; version < VERSION && result == SQLITE_OK; version++)
        result = sqlite3_exec(store->db, steps[version], NULL, NULL, NULL);
    return result == SQLITE_OK ? CS_OK : cs_sql_fail(store, result, error);
}

int cs_store_create(cs_store *store, cs_error *error)
{
    int rc = cs_store_enter(store, error);

    if (rc != CS_OK)
        return rc;
    return cs_store_leave(store, climb(store, 0, error), error);
}

int cs_store_migrate(cs_store *store, cs_error *error)
{
    int64_t version = 0;
    int rc = check(store, &version, error);

    if (rc != CS_OK || version == VERSION)
        return rc;
    rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = check(store, &version, error); /* another process may have been faster */
    if (rc == CS_OK)
        rc = climb(store, version, error);
    return cs_store_leave(store, rc, error);
}
