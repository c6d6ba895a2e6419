/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital_records.h"

#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

static cs_view id_view(const uint8_t id[CS_RECORD_ID_SIZE])
{
    return (cs_view){id, CS_RECORD_ID_SIZE};
}

int cs_patient_keys(
    cs_row_keys **out, cs_key *storage, const char *id_p, const char *id_de, cs_error *error)
{
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    int rc;

    *out = NULL;
    if (keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a patient's row");
    rc = cs_row_keys_for(
        keys, storage, CS_TABLE_PATIENT, cs_view_str(id_p), cs_view_str(id_de), error);
    if (rc != CS_OK)
        cs_secret_free(&keys);
    *out = keys;
    return rc;
}

static int record_keys(cs_record_keys **out, cs_key *storage, const uint8_t id[CS_RECORD_ID_SIZE],
    const uint8_t salt[32], cs_error *error)
{
    cs_record_keys *keys = cs_secret_new(sizeof *keys);
    int rc;

    *out = NULL;
    if (keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a record's keys");
    rc = cs_record_keys_for(keys, storage, id, salt, error);
    if (rc != CS_OK)
        cs_secret_free(&keys);
    *out = keys;
    return rc;
}

/* -- writing -------------------------------------------------------------------------------------
 */

struct cs_record_writer {
    cs_store *store; /* not owned */
    uint8_t id[CS_RECORD_ID_SIZE];
    uint8_t salt[32];
    cs_record_keys *keys; /* guarded */
    cs_hasher *hasher;
    cs_buf waiting; /* the chunk that may turn out to be the last */
    uint64_t chunks;
    uint64_t size;
    bool begun;
};

int cs_record_writer_new(cs_record_writer **out, cs_store *store, cs_key *storage,
    const uint8_t id[CS_RECORD_ID_SIZE], cs_error *error)
{
    cs_record_writer *writer = calloc(1, sizeof *writer);
    int rc;

    *out = NULL;
    if (writer == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for writing a record");
    writer->store = store;
    memcpy(writer->id, id, sizeof writer->id);
    cs_random(writer->salt, sizeof writer->salt);
    rc = record_keys(&writer->keys, storage, id, writer->salt, error);
    if (rc == CS_OK)
        rc = cs_hasher_new(&writer->hasher, error);
    if (rc == CS_OK)
        rc = cs_buf_reserve(&writer->waiting, CS_CHUNK_SIZE, error);
    if (rc == CS_OK)
        rc = cs_store_record_begin(store, id, error);
    writer->begun = rc == CS_OK;
    if (rc == CS_OK)
        *out = writer;
    else
        cs_record_writer_free(&writer);
    return rc;
}

static int put_chunk(cs_record_writer *writer, bool final, cs_error *error)
{
    cs_buf sealed = {0};
    int rc = cs_chunk_seal(&sealed, writer->keys->content, id_view(writer->id), writer->chunks,
        final, cs_view_buf(&writer->waiting), error);

    if (rc == CS_OK)
        rc = cs_store_record_chunk(
            writer->store, writer->id, writer->chunks, cs_view_buf(&sealed), error);
    writer->chunks++;
    cs_buf_clear(&writer->waiting);
    cs_buf_free(&sealed);
    return rc;
}

int cs_record_write(cs_record_writer *writer, cs_view plain, cs_error *error)
{
    int rc = CS_OK;

    if (plain.n > CS_RECORD_SIZE_MAX - writer->size)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a record has at most 1 TiB");
    if (plain.n > 0)
        rc = cs_hasher_add(writer->hasher, plain, error);
    writer->size += plain.n;
    while (rc == CS_OK && plain.n > 0) {
        size_t room;
        size_t n;

        if (writer->waiting.n == CS_CHUNK_SIZE)
            rc = put_chunk(writer, false, error);
        room = CS_CHUNK_SIZE - writer->waiting.n;
        n = plain.n < room ? plain.n : room;
        if (rc == CS_OK)
            rc = cs_buf_append(&writer->waiting, (cs_view){plain.p, n}, error);
        plain.p += n;
        plain.n -= n;
    }
    return rc;
}

int cs_record_write_end(
    cs_record_writer *writer, uint64_t *size, uint8_t hash[CS_HASH_SIZE], cs_error *error)
{
    int rc = CS_OK;

    if (writer->size > 0)
        rc = put_chunk(writer, true, error);
    if (rc == CS_OK)
        rc = cs_hasher_finish(writer->hasher, hash, error);
    *size = writer->size;
    return rc;
}

int cs_record_write_finish(cs_record_writer *writer, const uint8_t row_key[CS_STORE_KEY_SIZE],
    const cs_record_header *header, cs_error *error)
{
    cs_record_row row = {.stored_at = (int64_t)header->time, .chunks = writer->chunks};
    cs_buf sealed = {0};
    int rc = cs_value_seal(&sealed, writer->keys->header, id_view(writer->id),
        &cs_record_header_schema, header, error);

    memcpy(row.id, writer->id, sizeof row.id);
    memcpy(row.row_key, row_key, sizeof row.row_key);
    memcpy(row.salt, writer->salt, sizeof row.salt);
    row.sealed = cs_view_buf(&sealed);
    if (rc == CS_OK)
        rc = cs_store_record_finish(writer->store, &row, error);
    cs_buf_free(&sealed);
    return rc;
}

void cs_record_writer_free(cs_record_writer **writer)
{
    if (*writer == NULL)
        return;
    if ((*writer)->begun) /* does nothing to a record that is finished and committed */
        cs_store_record_abandon((*writer)->store, (*writer)->id);
    cs_secret_free(&(*writer)->keys);
    cs_hasher_free(&(*writer)->hasher);
    cs_buf_free(&(*writer)->waiting);
    free(*writer);
    *writer = NULL;
}

/* -- reading -------------------------------------------------------------------------------------
 */

int cs_record_open(cs_record **out, const cs_record_row *row, cs_key *storage, cs_error *error)
{
    cs_record *record = calloc(1, sizeof *record);
    int rc;

    *out = NULL;
    if (record == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a record");
    memcpy(record->id, row->id, sizeof record->id);
    record->chunks = row->chunks;
    rc = record_keys(&record->keys, storage, row->id, row->salt, error);
    if (rc == CS_OK)
        rc = cs_value_open(&cs_record_header_schema, &record->header, &record->plain,
            record->keys->header, id_view(record->id), row->sealed, error);
    if (rc == CS_E_DECRYPT)
        rc = CS_FAIL(error, CS_E_CORRUPT, "the header of a record does not open; restore a backup");
    if (rc == CS_OK)
        *out = record;
    else
        cs_record_free(&record);
    return rc;
}

void cs_record_free(cs_record **record)
{
    if (*record == NULL)
        return;
    cs_secret_free(&(*record)->keys);
    cs_buf_free(&(*record)->plain);
    free(*record);
    *record = NULL;
}

int cs_record_read(
    const cs_record *record, cs_store *store, uint64_t number, cs_buf *out, cs_error *error)
{
    cs_buf sealed = {0};
    int rc = cs_store_get_chunk(store, record->id, number, &sealed, error);

    if (rc == CS_OK)
        rc = cs_chunk_open(out, record->keys->content, id_view(record->id), number,
            number + 1 == record->chunks, cs_view_buf(&sealed), error);
    if (rc == CS_E_DECRYPT)
        rc = CS_FAIL(error, CS_E_CORRUPT, "a chunk of a record does not open; restore a backup");
    cs_buf_free(&sealed);
    return rc;
}

/* -- finding -------------------------------------------------------------------------------------
 */

static int no_record(cs_error *error)
{
    return CS_FAIL(error, CS_E_NO_RECORD, "no such record of this patient and department");
}

static int take_id(void *context, const cs_record_row *row, cs_error *error)
{
    cs_record_list *list = context;

    (void)error;
    if (list->n < CS_LIST_MAX)
        memcpy(list->ids[list->n++], row->id, CS_RECORD_ID_SIZE);
    return CS_OK;
}

/* The record of that id if it is in that row. */
static int open_in_row(cs_record **out, cs_store *store, cs_key *storage,
    const uint8_t row_key[CS_STORE_KEY_SIZE], const uint8_t id[CS_RECORD_ID_SIZE], cs_error *error)
{
    cs_record_row row;
    cs_buf sealed = {0};
    int rc = cs_store_get_record(store, id, &row, &sealed, error);

    if (rc == CS_OK && memcmp(row.row_key, row_key, sizeof row.row_key) != 0)
        rc = no_record(error);
    if (rc == CS_OK)
        rc = cs_record_open(out, &row, storage, error);
    cs_buf_free(&sealed);
    return rc;
}

static int open_newest(cs_record **out, cs_store *store, cs_key *storage,
    const uint8_t row_key[CS_STORE_KEY_SIZE], const cs_record_list *list, cs_error *error)
{
    cs_record *newest = NULL;
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && *out == NULL && i < list->n; i++) {
        cs_record *record = NULL;

        rc = open_in_row(&record, store, storage, row_key, list->ids[i], error);
        if (rc == CS_OK && record->header.kind == CS_RECORD_EMR)
            *out = record;
        else if (newest == NULL)
            newest = record;
        else
            cs_record_free(&record);
    }
    if (rc == CS_OK && *out == NULL) {
        *out = newest;
        newest = NULL;
    }
    cs_record_free(&newest);
    if (rc == CS_OK && *out == NULL)
        rc = no_record(error);
    return rc;
}

static void leave_out(cs_record_list *list, const uint8_t id[CS_RECORD_ID_SIZE])
{
    for (size_t i = 0; i < list->n; i++) {
        if (memcmp(list->ids[i], id, CS_RECORD_ID_SIZE) != 0)
            continue;
        list->n--;
        memmove(&list->ids[i], &list->ids[i + 1], (list->n - i) * sizeof list->ids[0]);
        return;
    }
}

int cs_record_find(cs_record **out, cs_record_list *others, cs_store *store, cs_key *storage,
    const uint8_t row[CS_STORE_KEY_SIZE], const uint8_t *id, cs_error *error)
{
    int rc;

    *out = NULL;
    *others = (cs_record_list){0};
    rc = cs_store_find_records(store, row, CS_LIST_MAX, take_id, others, error);
    if (rc == CS_OK)
        rc = id == NULL ? open_newest(out, store, storage, row, others, error)
                        : open_in_row(out, store, storage, row, id, error);
    if (rc == CS_OK)
        leave_out(others, (*out)->id);
    return rc;
}
