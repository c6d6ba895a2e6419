/* SPDX-License-Identifier: Apache-2.0 */
#include "service/audit_log.h"

#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

struct cs_audit {
    uint8_t epoch[CS_AUDIT_EPOCH_SIZE];
    cs_row_keys *keys; /* guarded */
    int64_t sealed_at; /* when the last seal was made, or the log opened */
};

static int epoch_keys(
    cs_row_keys *keys, cs_key *storage, const uint8_t epoch[CS_AUDIT_EPOCH_SIZE], cs_error *error)
{
    return cs_row_keys_for(
        keys, storage, CS_TABLE_AUDIT, (cs_view){epoch, CS_AUDIT_EPOCH_SIZE}, (cs_view){0}, error);
}

int cs_audit_new(cs_audit **out, cs_key *storage, cs_error *error)
{
    cs_audit *audit = calloc(1, sizeof *audit);
    int rc;

    *out = NULL;
    if (audit == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the audit log");
    audit->keys = cs_secret_new(sizeof *audit->keys);
    cs_random(audit->epoch, sizeof audit->epoch);
    if (audit->keys == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for the audit log");
    else
        rc = epoch_keys(audit->keys, storage, audit->epoch, error);
    if (rc == CS_OK)
        *out = audit;
    else
        cs_audit_free(&audit);
    return rc;
}

void cs_audit_free(cs_audit **audit)
{
    if (*audit == NULL)
        return;
    cs_secret_free(&(*audit)->keys);
    free(*audit);
    *audit = NULL;
}

int cs_audit_append(
    const cs_audit *audit, cs_store *store, const cs_audit_entry *entry, cs_error *error)
{
    const cs_view epoch = CS_VIEW_ARRAY(audit->epoch);
    cs_buf sealed = {0};
    uint64_t number;
    int rc = cs_buf_append(&sealed, epoch, error);

    if (rc == CS_OK)
        rc =
            cs_value_seal(&sealed, audit->keys->value, epoch, &cs_audit_entry_schema, entry, error);
    if (rc == CS_OK)
        rc = cs_store_append_audit(
            store, (int64_t)entry->time, cs_view_buf(&sealed), &number, error);
    cs_buf_free(&sealed);
    return rc;
}

int cs_audit_seal_when_due(
    cs_audit *audit, cs_store *store, cs_key *sign, int64_t now, bool at_once, cs_error *error)
{
    uint8_t signature[CS_SIGNATURE_SIZE];
    uint8_t hash[CS_HASH_SIZE];
    uint64_t number;
    uint64_t sealed;
    int rc;

    if (audit->sealed_at == 0)
        audit->sealed_at = now;
    rc = cs_store_audit_head(store, &number, hash, &sealed, error);
    if (rc != CS_OK)
        return rc;
    if (number <= sealed) {
        audit->sealed_at = now;
        return CS_OK;
    }
    if (!at_once && number - sealed < CS_AUDIT_SEAL_ENTRIES &&
        now - audit->sealed_at < CS_AUDIT_SEAL_MS)
        return CS_OK;
    rc = cs_audit_seal_sign(sign, number, hash, signature, error);
    if (rc == CS_OK)
        rc = cs_store_seal_audit(store, number, CS_VIEW_ARRAY(signature), error);
    if (rc == CS_OK)
        audit->sealed_at = now;
    return rc;
}

typedef struct verification {
    cs_audit_report *report;
    cs_view puk;
    uint8_t hash[CS_HASH_SIZE]; /* of the entry before */
} verification;

static int bad_entry(verification *state, uint64_t number, const char *why, cs_error *error)
{
    state->report->first_bad = number;
    return CS_FAIL(error, CS_E_CORRUPT,
        "audit entry %llu %s; keep the database as it is and find out who had access to it",
        (unsigned long long)number, why);
}

static int verify_entry(void *context, const cs_audit_row *row, cs_error *error)
{
    verification *state = context;
    uint64_t expected = state->report->entries + 1;
    uint8_t hash[CS_HASH_SIZE];
    int rc;

    if (row->number != expected)
        return bad_entry(state, expected, "is missing", error);
    if (memcmp(row->previous, state->hash, sizeof hash) != 0)
        return bad_entry(state, expected, "does not follow the one before it", error);
    rc = cs_audit_hash(row, hash, error);
    if (rc != CS_OK)
        return rc;
    if (memcmp(row->hash, hash, sizeof hash) != 0)
        return bad_entry(state, expected, "was changed", error);
    if (row->signature.n > 0) {
        if (cs_audit_seal_verify(state->puk, row->number, hash, row->signature, NULL) != CS_OK)
            return bad_entry(state, expected, "has a seal that is not its owner's", error);
        state->report->seals++;
        state->report->sealed = row->number;
    }
    state->report->entries = expected;
    memcpy(state->hash, hash, sizeof hash);
    return CS_OK;
}

int cs_audit_verify(cs_audit_report *report, cs_store *store, cs_view puk, cs_error *error)
{
    verification state = {.report = report, .puk = puk};

    *report = (cs_audit_report){0};
    return cs_store_read_audit(store, 1, verify_entry, &state, error);
}

typedef struct reading {
    cs_key *storage;
    cs_audit_entry_fn fn;
    void *context;
    uint8_t epoch[CS_AUDIT_EPOCH_SIZE];
    bool keyed; /* keys are those of epoch */
    cs_row_keys *keys;
} reading;

static int read_entry(void *context, const cs_audit_row *row, cs_error *error)
{
    reading *state = context;
    cs_audit_entry entry;
    cs_buf plain = {0};
    cs_view epoch = {row->sealed.p, CS_AUDIT_EPOCH_SIZE};
    cs_view box;
    int rc = CS_OK;

    if (row->sealed.n < CS_AUDIT_EPOCH_SIZE)
        return CS_FAIL(error, CS_E_CORRUPT, "audit entry %llu is too short; run audit verify",
            (unsigned long long)row->number);
    box = (cs_view){row->sealed.p + CS_AUDIT_EPOCH_SIZE, row->sealed.n - CS_AUDIT_EPOCH_SIZE};
    if (!state->keyed || memcmp(epoch.p, state->epoch, CS_AUDIT_EPOCH_SIZE) != 0) {
        memcpy(state->epoch, epoch.p, CS_AUDIT_EPOCH_SIZE);
        rc = epoch_keys(state->keys, state->storage, state->epoch, error);
        state->keyed = rc == CS_OK;
    }
    if (rc == CS_OK)
        rc = cs_value_open(
            &cs_audit_entry_schema, &entry, &plain, state->keys->value, epoch, box, error);
    if (rc != CS_OK)
        rc = cs_error_context(error, "audit entry %llu", (unsigned long long)row->number);
    else
        rc = state->fn(state->context, row->number, &entry, error);
    cs_buf_free(&plain);
    return rc;
}

int cs_audit_read(
    cs_store *store, cs_key *storage, cs_audit_entry_fn fn, void *context, cs_error *error)
{
    reading state = {.storage = storage, .fn = fn, .context = context};
    int rc;

    state.keys = cs_secret_new(sizeof *state.keys);
    if (state.keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for reading the audit log");
    rc = cs_store_read_audit(store, 1, read_entry, &state, error);
    cs_secret_free(&state.keys);
    return rc;
}
