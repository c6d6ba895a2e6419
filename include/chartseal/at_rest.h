/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_AT_REST_H
#define CHARTSEAL_AT_REST_H

/*
 * What PC and HPC keep, so that a stolen disk tells nothing: row keys and encryption keys come from
 * the storage key in the token, by one prf per row or record.
 *
 *     out       = prf(["chartseal/1 <table>", a, b])
 *     row key   = HKDF-Expand(out, "chartseal/1 row key")       what the database is asked for
 *     value key = HKDF-Expand(out, "chartseal/1 value key")     AES-256-GCM, fresh nonce, aad = row
 * key
 *     name key  = HKDF-Expand(out, "chartseal/1 name key")      HMAC: names within the row
 *
 * The index of PC (ID_P, ID_DE), the list of records of HPC (ID_P, ID_DE), the registered
 * identities (role, ID) and the enrolment codes are such tables. A record's key is prf of its id
 * and a salt. The audit log is sealed under one key per start, so that logging costs no token
 * operation.
 */

#include <chartseal/stream.h>
#include <chartseal/token.h>
#include <chartseal/wire.h>

typedef struct cs_row_keys {
    uint8_t row[32];
    uint8_t value[32]; /* secret: keep in guarded memory, wipe */
    uint8_t name[32];  /* likewise */
} cs_row_keys;

typedef enum cs_table {
    CS_TABLE_INDEX = 1, /* PC: patient, department → hospitals */
    CS_TABLE_PATIENT,   /* HPC: patient, department → records */
    CS_TABLE_IDENTITY,  /* PC: role, identity → credential */
    CS_TABLE_ENROLMENT, /* PC: role ‖ identity, code */
    CS_TABLE_AUDIT,     /* epoch */
    CS_TABLE_PLACE,     /* telecare cloud: place → cs_place_value */
} cs_table;

/* One prf. a: 1 to CS_TEXT_MAX bytes; b may be empty. */
CS_MUST_CHECK int cs_row_keys_for(
    cs_row_keys *out, cs_key *storage, cs_table table, cs_view a, cs_view b, cs_error *error);

/* A record's keys: header (a box, aad = id) and content (chunks, aad = id). One prf. */
typedef struct cs_record_keys {
    uint8_t header[32];
    uint8_t content[32];
} cs_record_keys;
CS_MUST_CHECK int cs_record_keys_for(cs_record_keys *out, cs_key *storage, const uint8_t id[16],
    const uint8_t salt[32], cs_error *error);

/* Seal and open a struct as a row's value. `plain` keeps what the opened struct points into. */
CS_MUST_CHECK int cs_value_seal(cs_buf *out, const uint8_t key[32], cs_view aad,
    const cs_schema *schema, const void *value, cs_error *error);
CS_MUST_CHECK int cs_value_open(const cs_schema *schema, void *value, cs_buf *plain,
    const uint8_t key[32], cs_view aad, cs_view sealed, cs_error *error);
/* Whether cs_value_open failed because of what is stored, so that the next row may be better; and
 * not because of the token or for want of memory. */
bool cs_value_is_bad(int code);

/* The signature that seals an audit chain up to an entry, and its check. */
CS_MUST_CHECK int cs_audit_seal_sign(cs_key *sign, uint64_t number, const uint8_t hash[32],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error);
CS_MUST_CHECK int cs_audit_seal_verify(
    cs_view puk, uint64_t number, const uint8_t hash[32], cs_view signature, cs_error *error);

#endif
