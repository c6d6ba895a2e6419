/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <string.h>

#define UNFINISHED "SELECT chunks FROM unfinished WHERE id = ? AND writer = ?"

/* Some chunks at a time: one transaction over a large record would fill the log. */
static int drop(cs_store *store, const uint8_t *id, cs_error *error)
{
    int64_t left = 1;
    int rc = CS_OK;

    while (rc == CS_OK && left > 0) {
        rc = cs_store_enter(store, error);
        if (rc != CS_OK)
            return rc;
        /* Never a finished record's chunks, whatever another handle did meanwhile. */
        rc = cs_sql_run(store, error,
            "DELETE FROM chunk WHERE place IN (SELECT place FROM chunk WHERE id = ?1"
            " AND EXISTS (SELECT 1 FROM unfinished WHERE id = ?1) LIMIT ?2)",
            "di", id, (int64_t)CS_STORE_PENDING_MAX);
        left = sqlite3_changes(store->db);
        if (rc == CS_OK && left == 0)
            rc = cs_sql_run(store, error, "DELETE FROM unfinished WHERE id = ?", "d", id);
        rc = cs_store_leave(store, rc, error);
    }
    return rc;
}

/* The next unfinished record of a dead writer, if any. */
static int find_dead(cs_store *store, uint8_t *id, bool *found, cs_error *error)
{
    sqlite3_stmt *statement;
    int64_t writer = 0;
    bool lives = true;
    bool row = true;
    int rc = cs_sql_start(store, &statement, error, "SELECT id, writer FROM unfinished", "");

    *found = false;
    while (rc == CS_OK && lives) {
        rc = cs_sql_step(store, statement, &row, error);
        if (rc != CS_OK || !row)
            break;
        rc = cs_column_time(store, statement, 1, &writer, error);
        if (rc == CS_OK)
            rc = cs_writer_lives(store, writer, &lives, error);
        if (rc == CS_OK && !lives)
            rc = cs_column_fixed(store, statement, 0, id, CS_RECORD_ID_SIZE, error);
    }
    cs_sql_end(statement);
    *found = rc == CS_OK && !lives;
    return rc;
}

static int purge(cs_store *store, cs_error *error)
{
    uint8_t id[CS_RECORD_ID_SIZE];
    bool found = true;
    int rc = CS_OK;

    while (rc == CS_OK && found) {
        rc = find_dead(store, id, &found, error);
        if (rc == CS_OK && found)
            rc = drop(store, id, error);
    }
    return rc;
}

int cs_store_record_purge(cs_store *store, cs_error *error)
{
    int rc = cs_writer_hold(store, error);

    return rc == CS_OK ? purge(store, error) : rc;
}

int cs_store_record_begin(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE], cs_error *error)
{
    int64_t there = 0;
    int rc;

    if (store->group)
        return CS_FAIL(error, CS_E_USAGE, "a record is not begun within a group of writes");
    rc = cs_store_record_purge(store, error);
    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = cs_sql_number(store, &there, error, "SELECT count(*) FROM record WHERE id = ?", "d", id);
    if (rc == CS_OK && there != 0)
        rc = CS_FAIL(error, CS_E_EXISTS, "a record with that id is stored; take another id");
    if (rc == CS_OK)
        rc = cs_sql_number(
            store, &there, error, "SELECT count(*) FROM unfinished WHERE id = ?", "d", id);
    if (rc == CS_OK && there != 0) /* not stored: it may never be */
        rc = CS_FAIL(error, CS_E_BUSY, "that record is being written; try again in a moment");
    if (rc == CS_OK)
        rc = cs_sql_run(
            store, error, "INSERT INTO unfinished VALUES (?, ?, 0)", "di", id, store->writer);
    return cs_store_leave(store, rc, error);
}

static int insert_pending(cs_store *store, cs_error *error)
{
    const cs_pending *pending = &store->pending;
    size_t offset = 0;
    unsigned i;
    int rc = CS_OK;

    for (i = 0; i < pending->count && rc == CS_OK; i++) {
        cs_view view = {pending->bytes.p + offset, pending->sizes[i]};

        rc = cs_sql_run(store, error, "INSERT INTO chunk (id, number, sealed) VALUES (?, ?, ?)",
            "duv", pending->id, pending->first + i, &view);
        offset += pending->sizes[i];
    }
    if (rc == CS_OK)
        rc = cs_sql_run(store, error, "UPDATE unfinished SET chunks = ? WHERE id = ?", "ud",
            pending->first + pending->count, pending->id);
    return rc;
}

static void forget_pending(cs_store *store)
{
    store->pending.first += store->pending.count;
    store->pending.count = 0;
    cs_buf_clear(&store->pending.bytes);
}

int cs_store_record_flush(cs_store *store, cs_error *error)
{
    int rc;

    if (store->pending.count == 0)
        return CS_OK;
    rc = cs_store_enter(store, error);
    if (rc == CS_OK)
        rc = cs_store_leave(store, insert_pending(store, error), error);
    if (rc == CS_OK)
        forget_pending(store);
    return rc;
}

static bool is_pending(const cs_store *store, const uint8_t *id)
{
    return store->pending.count > 0 && memcmp(store->pending.id, id, CS_RECORD_ID_SIZE) == 0;
}

/* How many chunks of this handle's unfinished record are written. */
static int written(cs_store *store, const uint8_t *id, uint64_t *chunks, cs_error *error)
{
    int64_t value = 0;
    int rc = cs_sql_number(store, &value, error, UNFINISHED, "di", id, store->writer);

    if (rc == CS_E_NOT_FOUND)
        return CS_FAIL(error, CS_E_NO_RECORD, "no such record is being written here; begin it");
    *chunks = (uint64_t)value;
    return rc;
}

int cs_store_record_chunk(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE], uint64_t number,
    cs_view sealed, cs_error *error)
{
    cs_pending *pending = &store->pending;
    int rc = CS_OK;

    if (store->group)
        return CS_FAIL(error, CS_E_USAGE, "chunks are not written within a group of writes");
    if (sealed.n > CS_CHUNK_SEALED_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a chunk is above 64 KiB");
    if (!is_pending(store, id) || pending->count == CS_STORE_PENDING_MAX) {
        rc = cs_store_record_flush(store, error);
        if (rc == CS_OK)
            rc = written(store, id, &pending->first, error);
        if (rc != CS_OK)
            return rc;
        memcpy(pending->id, id, CS_RECORD_ID_SIZE);
    }
    if (number != pending->first + pending->count)
        return CS_FAIL(error, CS_E_ORDER, "a chunk is out of its order; append them one by one");
    rc = cs_buf_append(&pending->bytes, sealed, error);
    if (rc == CS_OK)
        pending->sizes[pending->count++] = sealed.n;
    return rc;
}

static int finish(cs_store *store, const cs_record_row *row, bool waiting, cs_error *error)
{
    uint64_t chunks = 0;
    int rc = waiting ? insert_pending(store, error) : CS_OK;

    if (rc == CS_OK)
        rc = written(store, row->id, &chunks, error);
    if (rc == CS_OK && chunks != row->chunks)
        rc = CS_FAIL(error, CS_E_ORDER, "the record has not as many chunks as its row says");
    if (rc == CS_OK)
        rc = cs_sql_run(store, error,
            "INSERT INTO record (id, row_key, salt, stored_at, chunks, sealed)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            "dkkiuv", row->id, row->row_key, row->salt, row->stored_at, row->chunks, &row->sealed);
    if (rc == CS_OK)
        rc = cs_sql_run(store, error, "DELETE FROM unfinished WHERE id = ?", "d", row->id);
    return rc;
}

int cs_store_record_finish(cs_store *store, const cs_record_row *row, cs_error *error)
{
    bool waiting = is_pending(store, row->id);
    int rc = cs_store_fits(row->sealed, error);

    if (rc == CS_OK)
        rc = cs_store_enter(store, error);
    if (rc != CS_OK)
        return rc;
    rc = cs_store_leave(store, finish(store, row, waiting, error), error);
    if (rc == CS_OK && waiting)
        forget_pending(store);
    return rc;
}

void cs_store_record_abandon(cs_store *store, const uint8_t id[CS_RECORD_ID_SIZE])
{
    cs_error ignored;
    uint64_t chunks;
    int rc;

    if (is_pending(store, id))
        forget_pending(store);
    rc = written(store, id, &chunks, &ignored);
    if (rc == CS_OK)
        rc = drop(store, id, &ignored);
    /* What fails here, on a full disk, is left as a dead writer's, for whoever begins next. */
    if (rc != CS_OK && rc != CS_E_NO_RECORD)
        cs_writer_release(store);
}
