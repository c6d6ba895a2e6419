/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOSPITAL_RECORDS_H
#define SERVICE_HOSPITAL_RECORDS_H

/*
 * HPC's records at rest: chunks of 64 KiB, each an AEAD of its own under the record's content key
 * with the record's id as aad, its number and whether it is the last in the nonce; and a header
 * (who, what, h, signature) under the header key. Both keys are one prf of id and salt. Writing and
 * reading hold one chunk in memory, whatever the size.
 */

#include "service/server_common.h"

#define CS_RECORD_EMR 1u       /* M_EMR, the hospital's: SigEMR */
#define CS_RECORD_DIAGNOSIS 2u /* M_DINF, a doctor's: SigDINF is in the evidence */

/* -- the row of a patient and department ---------------------------------------------------------
 */

/* In guarded memory; free with cs_secret_free. One prf. */
CS_MUST_CHECK int cs_patient_keys(
    cs_row_keys **out, cs_key *storage, const char *id_p, const char *id_de, cs_error *error);

/* -- writing -------------------------------------------------------------------------------------
 */

typedef struct cs_record_writer cs_record_writer;

/* One prf. id: CS_RECORD_ID_SIZE bytes, of no record yet. */
CS_MUST_CHECK int cs_record_writer_new(cs_record_writer **out, cs_store *store, cs_key *storage,
    const uint8_t id[CS_RECORD_ID_SIZE], cs_error *error);
CS_MUST_CHECK int cs_record_write(cs_record_writer *writer, cs_view plain, cs_error *error);
/* The last chunk goes out; then size and h of what was written are known. */
CS_MUST_CHECK int cs_record_write_end(
    cs_record_writer *writer, uint64_t *size, uint8_t hash[CS_HASH_SIZE], cs_error *error);
/* Makes the record visible under the row; part of the store's open transaction. */
CS_MUST_CHECK int cs_record_write_finish(cs_record_writer *writer,
    const uint8_t row[CS_STORE_KEY_SIZE], const cs_record_header *header, cs_error *error);
/* What was not finished is dropped. NULL inside is fine. */
void cs_record_writer_free(cs_record_writer **writer);

/* -- reading -------------------------------------------------------------------------------------
 */

/* A record found, with its keys; its content is read by any store handle. */
typedef struct cs_record {
    uint8_t id[CS_RECORD_ID_SIZE];
    uint64_t chunks;
    cs_record_header header; /* points into plain */
    cs_buf plain;
    cs_record_keys *keys; /* guarded */
} cs_record;

/* One prf. `row` has what the store said. CS_E_CORRUPT when the header does not open. */
CS_MUST_CHECK int cs_record_open(
    cs_record **out, const cs_record_row *row, cs_key *storage, cs_error *error);
void cs_record_free(cs_record **record);
/* Chunk `number` (from 0), opened and appended to out. */
CS_MUST_CHECK int cs_record_read(
    const cs_record *record, cs_store *store, uint64_t number, cs_buf *out, cs_error *error);

/* The record of that id in that row, or (id NULL) its newest M_EMR, or newest at all if it has no
 * M_EMR; and the ids of up to CS_LIST_MAX others of the row, newest first, 16 bytes each in `ids`.
 * One prf for each record looked into. CS_E_NO_RECORD, also for a record that is another
 * patient's: who asks learns nothing from the difference. */
typedef struct cs_record_list {
    uint8_t ids[CS_LIST_MAX][CS_RECORD_ID_SIZE];
    size_t n;
} cs_record_list;
CS_MUST_CHECK int cs_record_find(cs_record **out, cs_record_list *others, cs_store *store,
    cs_key *storage, const uint8_t row[CS_STORE_KEY_SIZE], const uint8_t *id, cs_error *error);

#endif
