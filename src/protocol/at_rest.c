/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/common.h"

#include <chartseal/at_rest.h>

static const char *table_label(cs_table table)
{
    switch (table) {
    case CS_TABLE_INDEX:
        return "chartseal/1 index";
    case CS_TABLE_PATIENT:
        return "chartseal/1 patient";
    case CS_TABLE_IDENTITY:
        return "chartseal/1 identity";
    case CS_TABLE_ENROLMENT:
        return "chartseal/1 enrolment";
    case CS_TABLE_AUDIT:
        return "chartseal/1 audit key";
    case CS_TABLE_PLACE:
        return "chartseal/1 place row";
    }
    return "chartseal/1 row";
}

/* A key that is wanted from a prf's output: one label for each use. */
typedef struct wanted_key {
    const char *label;
    uint8_t *key; /* 32 bytes */
} wanted_key;

/* One prf of a name, and the keys from its output. */
static int derive(
    cs_key *storage, cs_view name, const wanted_key *keys, size_t count, cs_error *error)
{
    uint8_t *out = cs_secret_new(CS_HASH_SIZE);
    cs_view prk = {out, CS_HASH_SIZE};
    int rc = CS_OK;

    if (out == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a storage key");
    if (rc == CS_OK)
        rc = cs_key_prf(storage, name, out, error);
    for (size_t i = 0; rc == CS_OK && i < count; i++)
        rc = cs_hkdf_expand(keys[i].key, 32, prk, cs_view_str(keys[i].label), error);
    cs_secret_free(&out);
    return rc;
}

int cs_row_keys_for(
    cs_row_keys *out, cs_key *storage, cs_table table, cs_view a, cs_view b, cs_error *error)
{
    const cs_row_name name = {.a = a, .b = b};
    const wanted_key keys[] = {{"chartseal/1 row key", out->row},
        {"chartseal/1 value key", out->value}, {"chartseal/1 name key", out->name}};
    cs_buf bytes = {0};
    int rc = cs_encode_as(&bytes, &cs_row_name_schema, table_label(table), &name, error);

    if (rc == CS_OK)
        rc = derive(storage, cs_view_buf(&bytes), keys, sizeof keys / sizeof keys[0], error);
    cs_buf_free(&bytes);
    return rc;
}

int cs_record_keys_for(cs_record_keys *out, cs_key *storage, const uint8_t id[16],
    const uint8_t salt[32], cs_error *error)
{
    const cs_record_name name = {.record_id = {id, 16}, .salt = {salt, 32}};
    const wanted_key keys[] = {
        {"chartseal/1 header key", out->header}, {"chartseal/1 content key", out->content}};
    cs_buf bytes = {0};
    int rc = cs_encode(&bytes, &cs_record_name_schema, &name, error);

    if (rc == CS_OK)
        rc = derive(storage, cs_view_buf(&bytes), keys, sizeof keys / sizeof keys[0], error);
    cs_buf_free(&bytes);
    return rc;
}

int cs_value_seal(cs_buf *out, const uint8_t key[32], cs_view aad, const cs_schema *schema,
    const void *value, cs_error *error)
{
    cs_buf plain = {0};
    int rc = cs_encode(&plain, schema, value, error);

    if (rc == CS_OK)
        rc = cs_box_seal(out, key, aad, cs_view_buf(&plain), error);
    cs_buf_free(&plain);
    return rc;
}

int cs_value_open(const cs_schema *schema, void *value, cs_buf *plain, const uint8_t key[32],
    cs_view aad, cs_view sealed, cs_error *error)
{
    int rc = cs_box_open(plain, key, aad, sealed, error);

    return rc == CS_OK ? cs_decode(schema, value, cs_view_buf(plain), error) : rc;
}

bool cs_value_is_bad(int code)
{
    return cs_category_of(code) == CS_CATEGORY_INPUT || code == CS_E_DECRYPT ||
           code == CS_E_CORRUPT;
}

int cs_audit_seal_sign(cs_key *sign, uint64_t number, const uint8_t hash[32],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    const cs_audit_seal seal = {.number = number, .hash = {hash, 32}};

    return cs_message_sign(signature, sign, &cs_audit_seal_schema, &seal, error);
}

int cs_audit_seal_verify(
    cs_view puk, uint64_t number, const uint8_t hash[32], cs_view signature, cs_error *error)
{
    const cs_audit_seal seal = {.number = number, .hash = {hash, 32}};
    uint8_t compressed[CS_PUK_SIZE];
    int rc = cs_p256_compress(compressed, puk, error);

    if (rc == CS_OK)
        rc = cs_message_verify("the seal of the audit chain", compressed, &cs_audit_seal_schema,
            &seal, signature, NULL, error);
    return rc;
}
