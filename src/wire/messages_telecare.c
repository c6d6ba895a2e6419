/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/table.h"

#include <chartseal/wire_telecare.h>

/* The tables of telecare; those of C20 are in messages.c, and the list of all of them too. */

#define PLACES_SIZE ((size_t)CS_SLOTS * CS_PLACE_SIZE)

static const cs_field terms_fields[] = {
    UINT(cs_terms, suite, 1, 2),
    BYTES(cs_terms, credential_h, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_terms, credential_p, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_terms, credential_d, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_terms, credential_c, 1, CS_CREDENTIAL_MAX),
    TEXT(cs_terms, url, 1, CS_URL_MAX),
    UINT(cs_terms, ends, 1, CS_TIME_MAX),
    BYTES(cs_terms, places, PLACES_SIZE, PLACES_SIZE),
};
const cs_schema cs_terms_schema = SCHEMA(cs_terms, "terms", terms_fields);

static const cs_field invitation_fields[] = {
    BYTES(cs_invitation, terms, 1, CS_TERMS_MAX),
    BYTES(cs_invitation, tokens, CS_PLACE_TOKEN_SIZE, 2 * CS_PLACE_TOKEN_SIZE),
    BYTES(cs_invitation, report_key, CS_RECORD_KEY_SIZE, CS_RECORD_KEY_SIZE),
    BYTES(cs_invitation, cert_d, 0, CS_CERT_MAX),
};
const cs_schema cs_invitation_schema = SCHEMA(cs_invitation, "invitation", invitation_fields);

static const cs_field letter_fields[] = {
    UINT(cs_letter, suite, 1, 2),
    BYTES(cs_letter, enc, 65, 65),
    BYTES(cs_letter, ct, 16, CS_TERMS_MAX + CS_CERT_MAX + 256),
};
const cs_schema cs_letter_schema = SCHEMA(cs_letter, "letter", letter_fields);

static const cs_field place_token_fields[] = {
    UINT(cs_place_token, slot, 1, CS_SLOTS),
    BYTES(cs_place_token, token, CS_PLACE_TOKEN_SIZE, CS_PLACE_TOKEN_SIZE),
};
const cs_schema cs_place_token_schema = SCHEMA(cs_place_token, "place", place_token_fields);

static const cs_field statement_fields[] = {
    UINT(cs_statement, slot, 1, CS_SLOT_DIAGNOSIS),
    BYTES(cs_statement, episode, CS_HASH_SIZE, CS_HASH_SIZE),
    TEXT(cs_statement, id_h, 1, CS_ID_MAX),
    TEXT(cs_statement, id_p, 1, CS_ID_MAX),
    TEXT(cs_statement, id_d, 1, CS_ID_MAX),
    UINT(cs_statement, time, 0, CS_TIME_MAX),
    TEXT(cs_statement, media_type, 1, CS_MEDIA_TYPE_MAX),
    UINT(cs_statement, size, 0, CS_RECORD_SIZE_MAX),
    BYTES(cs_statement, h_content, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_statement, previous, 0, CS_HASH_SIZE),
};
const cs_schema cs_statement_schema = SCHEMA(cs_statement, "statement", statement_fields);

static const cs_field front_fields[] = {
    LIST(cs_front, statements, 1, CS_STATEMENT_MAX),
    LIST(cs_front, certificates, 0, CS_CERT_MAX),
};
const cs_schema cs_front_schema = SCHEMA(cs_front, "front", front_fields);

static const cs_field sig_t1_fields[] = {
    BYTES(cs_sig_t1, pk, 32, CS_POINT_MAX),
    UINT(cs_sig_t1, t_x, 0, CS_TIME_MAX),
    TEXT(cs_sig_t1, id_x, 1, CS_ID_MAX),
    BYTES(cs_sig_t1, r_x, 32, CS_POINT_MAX),
    TEXT(cs_sig_t1, id_c, 1, CS_ID_MAX),
};
const cs_schema cs_sig_t1_schema = SCHEMA(cs_sig_t1, "SigT1", sig_t1_fields);

static const cs_field ct1_fields[] = {
    BYTES(cs_ct1, credential_x, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_ct1, cert_x, 1, CS_CERT_MAX),
    BYTES(cs_ct1, ocsp, 0, CS_STAPLE_MAX),
    UINT(cs_ct1, t_x, 0, CS_TIME_MAX),
    BYTES(cs_ct1, r_x, 32, CS_POINT_MAX),
    BYTES(cs_ct1, sig_t1, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_ct1_schema = SCHEMA(cs_ct1, "CT1", ct1_fields);

static const cs_field sig_t2_fields[] = {
    BYTES(cs_sig_t2, pk, 32, CS_POINT_MAX),
    UINT(cs_sig_t2, t_c, 0, CS_TIME_MAX),
    TEXT(cs_sig_t2, id_c, 1, CS_ID_MAX),
    TEXT(cs_sig_t2, id_x, 1, CS_ID_MAX),
    BYTES(cs_sig_t2, r_x, 32, CS_POINT_MAX),
    BYTES(cs_sig_t2, r_c, 32, CS_POINT_MAX),
    BYTES(cs_sig_t2, tag_c, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_sig_t2, h_t1, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_sig_t2_schema = SCHEMA(cs_sig_t2, "SigT2", sig_t2_fields);

static const cs_field ct2_fields[] = {
    UINT(cs_ct2, t_c, 0, CS_TIME_MAX),
    BYTES(cs_ct2, r_c, 32, CS_POINT_MAX),
    BYTES(cs_ct2, tag_c, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_ct2, sig_t2, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_ct2_schema = SCHEMA(cs_ct2, "CT2", ct2_fields);

static const cs_field ct3_fields[] = {
    BYTES(cs_ct3, place, CS_PLACE_SIZE, CS_PLACE_SIZE),
    UINT(cs_ct3, t_x, 0, CS_TIME_MAX),
    BYTES(cs_ct3, r_x, 32, CS_POINT_MAX),
};
const cs_schema cs_ct3_schema = SCHEMA(cs_ct3, "CT3", ct3_fields);

static const cs_field ct4_fields[] = {
    UINT(cs_ct4, t_c, 0, CS_TIME_MAX),
    BYTES(cs_ct4, r_c, 32, CS_POINT_MAX),
    BYTES(cs_ct4, tag_c, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_ct4_schema = SCHEMA(cs_ct4, "CT4", ct4_fields);

static const cs_field upload_fields[] = {
    UINT(cs_upload, time, 0, CS_TIME_MAX),
    UINT(cs_upload, slot, 1, CS_SLOTS),
    BYTES(cs_upload, token, CS_PLACE_TOKEN_SIZE, CS_PLACE_TOKEN_SIZE),
    UINT(cs_upload, blocks, 1, CS_BLOCKS_MAX),
    LIST(cs_upload, seals, CS_RECORD_SEAL_SIZE, CS_RECORD_SEAL_SIZE),
    UINT(cs_upload, ends, 0, CS_TIME_MAX),
    BYTES(cs_upload, places, 0, PLACES_SIZE),
};
const cs_schema cs_upload_schema = SCHEMA(cs_upload, "upload", upload_fields);

static const cs_field stored_fields[] = {
    UINT(cs_stored, time, 0, CS_TIME_MAX),
    BYTES(cs_stored, place, CS_PLACE_SIZE, CS_PLACE_SIZE),
    UINT(cs_stored, ends, 1, CS_TIME_MAX),
};
const cs_schema cs_stored_schema = SCHEMA(cs_stored, "stored", stored_fields);

static const cs_field fetch_fields[] = {
    UINT(cs_fetch, time, 0, CS_TIME_MAX),
    UINT(cs_fetch, slot, 1, CS_SLOTS),
    BYTES(cs_fetch, place, CS_PLACE_SIZE, CS_PLACE_SIZE),
};
const cs_schema cs_fetch_schema = SCHEMA(cs_fetch, "fetch", fetch_fields);

static const cs_field fetched_fields[] = {
    UINT(cs_fetched, time, 0, CS_TIME_MAX),
    BYTES(cs_fetched, place, CS_PLACE_SIZE, CS_PLACE_SIZE),
    UINT(cs_fetched, blocks, 1, CS_BLOCKS_MAX),
    LIST(cs_fetched, seals, CS_RECORD_SEAL_SIZE, CS_RECORD_SEAL_SIZE),
};
const cs_schema cs_fetched_schema = SCHEMA(cs_fetched, "fetched", fetched_fields);

static const cs_field place_value_fields[] = {
    UINT(cs_place_value, slot, 1, CS_SLOTS),
    UINT(cs_place_value, ends, 1, CS_TIME_MAX),
    UINT(cs_place_value, blocks, 0, CS_BLOCKS_MAX),
    LIST(cs_place_value, seals, CS_RECORD_SEAL_SIZE, CS_RECORD_SEAL_SIZE),
    BYTES(cs_place_value, h_blocks, 0, CS_HASH_SIZE),
};
const cs_schema cs_place_value_schema = SCHEMA(cs_place_value, "place value", place_value_fields);
