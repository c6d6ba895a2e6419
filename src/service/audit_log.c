/* SPDX-License-Identifier: Apache-2.0 */
#include "service/audit_log.h"

#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

/* The keys of one epoch; `keys` is guarded memory. */
typedef struct epoch_box {
    uint8_t epoch[CS_AUDIT_EPOCH_SIZE];
    bool keyed; /* keys are those of epoch */
    cs_row_keys *keys;
} epoch_box;

struct cs_audit {
    cs_key *storage; /* not owned */
    cs_key *sign;    /* not owned */
    char *mark_path;
    epoch_box own;
    epoch_box other;    /* of another process, while following */
    bool begun;         /* the mark is known, `last` and `sealed` are good */
    cs_audit_head last; /* followed up to here */
    uint64_t sealed;    /* the entry that was sealed last */
    int64_t sealed_at;  /* when, or when the log was opened */
};

/* -- entries -------------------------------------------------------------------------------------
 */

static int take_epoch(
    epoch_box *box, cs_key *storage, const uint8_t epoch[CS_AUDIT_EPOCH_SIZE], cs_error *error)
{
    int rc;

    if (box->keyed && memcmp(box->epoch, epoch, CS_AUDIT_EPOCH_SIZE) == 0)
        return CS_OK;
    memcpy(box->epoch, epoch, CS_AUDIT_EPOCH_SIZE);
    rc = cs_row_keys_for(
        box->keys, storage, CS_TABLE_AUDIT, CS_VIEW_ARRAY(box->epoch), (cs_view){0}, error);
    box->keyed = rc == CS_OK;
    return rc;
}

/* epoch ‖ number: an entry that is moved along the chain no longer opens. */
static void entry_aad(
    uint8_t aad[CS_AUDIT_EPOCH_SIZE + 8], const uint8_t epoch[CS_AUDIT_EPOCH_SIZE], uint64_t number)
{
    memcpy(aad, epoch, CS_AUDIT_EPOCH_SIZE);
    for (int i = 0; i < 8; i++)
        aad[CS_AUDIT_EPOCH_SIZE + i] = (uint8_t)(number >> (56 - 8 * i));
}

static int seal_entry(const cs_audit *audit, uint64_t number, const cs_audit_entry *entry,
    cs_buf *sealed, cs_error *error)
{
    uint8_t aad[CS_AUDIT_EPOCH_SIZE + 8];
    int rc = cs_buf_append(sealed, CS_VIEW_ARRAY(audit->own.epoch), error);

    entry_aad(aad, audit->own.epoch, number);
    if (rc == CS_OK)
        rc = cs_value_seal(sealed, audit->own.keys->value, CS_VIEW_ARRAY(aad),
            &cs_audit_entry_schema, entry, error);
    return rc;
}

/* `box` gets the keys of the entry's epoch, unless it has them. */
static int open_entry(epoch_box *box, cs_key *storage, const cs_audit_row *row,
    cs_audit_entry *entry, cs_buf *plain, cs_error *error)
{
    uint8_t aad[CS_AUDIT_EPOCH_SIZE + 8];
    int rc;

    if (row->sealed.n < CS_AUDIT_EPOCH_SIZE)
        return CS_FAIL(error, CS_E_CORRUPT, "audit entry %llu is too short; run audit verify",
            (unsigned long long)row->number);
    rc = take_epoch(box, storage, row->sealed.p, error);
    entry_aad(aad, row->sealed.p, row->number);
    if (rc == CS_OK)
        rc = cs_value_open(&cs_audit_entry_schema, entry, plain, box->keys->value,
            CS_VIEW_ARRAY(aad),
            (cs_view){row->sealed.p + CS_AUDIT_EPOCH_SIZE, row->sealed.n - CS_AUDIT_EPOCH_SIZE},
            error);
    return rc == CS_OK
               ? CS_OK
               : cs_error_context(error, "audit entry %llu", (unsigned long long)row->number);
}

int cs_audit_new(
    cs_audit **out, cs_key *storage, cs_key *sign, const char *mark_path, cs_error *error)
{
    cs_audit *audit = calloc(1, sizeof *audit);
    uint8_t epoch[CS_AUDIT_EPOCH_SIZE];
    int rc;

    *out = NULL;
    if (audit == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the audit log");
    audit->storage = storage;
    audit->sign = sign;
    audit->mark_path = strdup(mark_path);
    audit->own.keys = cs_secret_new(sizeof *audit->own.keys);
    audit->other.keys = cs_secret_new(sizeof *audit->other.keys);
    cs_random(epoch, sizeof epoch);
    if (audit->mark_path == NULL || audit->own.keys == NULL || audit->other.keys == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for the audit log");
    else
        rc = take_epoch(&audit->own, storage, epoch, error);
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
    cs_secret_free(&(*audit)->own.keys);
    cs_secret_free(&(*audit)->other.keys);
    free((*audit)->mark_path);
    free(*audit);
    *audit = NULL;
}

/* The entry's number is part of what is sealed, so both are taken under one write lock. */
static int append_in_group(
    const cs_audit *audit, cs_store *store, const cs_audit_entry *entry, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    cs_buf sealed = {0};
    uint64_t number;
    uint64_t ignored;
    int rc = cs_store_audit_head(store, &number, hash, &ignored, error);

    if (rc == CS_OK)
        rc = seal_entry(audit, number + 1, entry, &sealed, error);
    if (rc == CS_OK)
        rc = cs_store_append_audit(store, (int64_t)entry->time, cs_view_buf(&sealed), NULL, error);
    cs_buf_free(&sealed);
    return rc;
}

int cs_audit_append(
    const cs_audit *audit, cs_store *store, const cs_audit_entry *entry, cs_error *error)
{
    int rc;

    if (cs_store_in_group(store))
        return append_in_group(audit, store, entry, error);
    rc = cs_store_begin(store, error);
    if (rc != CS_OK)
        return rc;
    rc = append_in_group(audit, store, entry, error);
    if (rc == CS_OK)
        return cs_store_commit(store, error);
    cs_store_rollback(store);
    return rc;
}

/* -- following and sealing -----------------------------------------------------------------------
 */

static int write_seal(cs_audit *audit, cs_store *store, const cs_audit_head *head, cs_error *error)
{
    uint8_t signature[CS_SIGNATURE_SIZE];
    int rc = cs_audit_seal_sign(audit->sign, head->number, head->hash, signature, error);

    if (rc == CS_OK && head->number > 0)
        rc = cs_store_seal_audit(store, head->number, CS_VIEW_ARRAY(signature), error);
    if (rc == CS_OK)
        rc = cs_audit_mark_write(audit->mark_path, head, signature, error);
    if (rc == CS_OK)
        audit->sealed = head->number;
    return rc;
}

static int read_mark(const cs_audit *audit, cs_audit_head *mark, cs_error *error)
{
    const cs_key_info *info = cs_key_describe(audit->sign);

    return cs_audit_mark_read(
        mark, audit->mark_path, (cs_view){info->public_key, info->public_key_size}, error);
}

int cs_audit_begin(cs_audit *audit, cs_store *store, cs_error *error)
{
    cs_audit_head mark = {0};
    cs_audit_head head;
    uint64_t ignored;
    int rc = read_mark(audit, &mark, error);

    if (rc == CS_E_NO_FILE) {
        rc = cs_store_audit_head(store, &head.number, head.hash, &ignored, error);
        if (rc == CS_OK && head.number == 0)
            rc = write_seal(audit, store, &mark, error);
        else if (rc == CS_OK)
            rc = read_mark(audit, &mark, error); /* another process may have begun just now */
        if (rc == CS_E_NO_FILE)
            rc = CS_FAIL(error, CS_E_CORRUPT,
                "%s is missing but the audit log has entries; find out who removed it, then see "
                "`audit adopt`",
                audit->mark_path);
    }
    if (rc == CS_OK) {
        audit->last = mark;
        audit->sealed = mark.number;
        audit->begun = true;
    }
    return rc;
}

static int broken(uint64_t number, cs_error *error)
{
    return CS_FAIL(error, CS_E_CORRUPT,
        "audit entry %llu is gone or changed, and the log is no longer sealed; keep the database "
        "as it is and find out who had access to it",
        (unsigned long long)number);
}

typedef struct following {
    cs_audit *audit;
    bool met; /* the entry that was reached before is there still */
} following;

static int follow_entry(void *context, const cs_audit_row *row, cs_error *error)
{
    following *state = context;
    cs_audit *audit = state->audit;
    bool own = row->sealed.n >= CS_AUDIT_EPOCH_SIZE &&
               memcmp(row->sealed.p, audit->own.epoch, CS_AUDIT_EPOCH_SIZE) == 0;
    uint64_t expected = state->met ? audit->last.number + 1 : audit->last.number;
    uint8_t hash[CS_HASH_SIZE];
    cs_audit_entry entry;
    cs_buf plain = {0};
    int rc = cs_audit_hash(row, hash, error);

    if (rc != CS_OK)
        return rc;
    if (row->number != expected || memcmp(row->hash, hash, sizeof hash) != 0 ||
        memcmp(state->met ? row->previous : row->hash, audit->last.hash, sizeof hash) != 0)
        return broken(expected, error);
    if (!state->met) {
        state->met = true;
        return CS_OK;
    }
    rc = open_entry(own ? &audit->own : &audit->other, audit->storage, row, &entry, &plain, error);
    cs_buf_free(&plain);
    if (rc == CS_E_DECRYPT)
        rc = broken(row->number, error);
    if (rc == CS_OK) {
        audit->last.number = row->number;
        memcpy(audit->last.hash, hash, sizeof hash);
    }
    return rc;
}

int cs_audit_follow(cs_audit *audit, cs_store *store, cs_error *error)
{
    following state = {.audit = audit};
    int rc = audit->begun ? CS_OK : cs_audit_begin(audit, store, error);

    state.met = audit->last.number == 0;
    if (rc == CS_OK)
        rc = cs_store_read_audit(store, audit->last.number, follow_entry, &state, error);
    if (rc == CS_OK && !state.met)
        rc = broken(audit->last.number, error);
    return rc;
}

int cs_audit_seal_when_due(
    cs_audit *audit, cs_store *store, int64_t now, bool at_once, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    uint64_t number;
    uint64_t ignored;
    int rc = audit->begun ? CS_OK : cs_audit_begin(audit, store, error);

    if (audit->sealed_at == 0)
        audit->sealed_at = now;
    if (rc == CS_OK)
        rc = cs_store_audit_head(store, &number, hash, &ignored, error);
    if (rc != CS_OK)
        return rc;
    if (number == audit->sealed)
        audit->sealed_at = now;
    if (number == audit->sealed ||
        (!at_once && number > audit->sealed && number - audit->sealed < CS_AUDIT_SEAL_ENTRIES &&
            now - audit->sealed_at < CS_AUDIT_SEAL_MS))
        return CS_OK;
    rc = cs_audit_follow(audit, store, error);
    if (rc == CS_OK)
        rc = write_seal(audit, store, &audit->last, error);
    if (rc == CS_OK)
        audit->sealed_at = now;
    return rc;
}

int cs_audit_adopt(cs_audit *audit, cs_store *store, const cs_audit_entry *entry, cs_error *error)
{
    int rc;

    audit->last = (cs_audit_head){0};
    audit->begun = true;
    rc = cs_audit_follow(audit, store, error);
    if (rc == CS_OK)
        rc = cs_audit_append(audit, store, entry, error);
    if (rc == CS_OK)
        rc = cs_audit_follow(audit, store, error);
    if (rc == CS_OK)
        rc = write_seal(audit, store, &audit->last, error);
    return rc;
}

/* -- verifying -----------------------------------------------------------------------------------
 */

typedef struct verification {
    cs_audit_report *report;
    cs_view puk;
    const cs_audit_head *known[2]; /* the mark, and what was expected or NULL */
} verification;

static int bad_entry(verification *state, uint64_t number, const char *why, cs_error *error)
{
    state->report->first_bad = number;
    return CS_FAIL(error, CS_E_CORRUPT,
        "audit entry %llu %s; keep the database as it is and find out who had access to it",
        (unsigned long long)number, why);
}

static bool is_as_known(const verification *state, const cs_audit_row *row)
{
    for (size_t i = 0; i < 2; i++) {
        const cs_audit_head *head = state->known[i];

        if (head != NULL && head->number == row->number &&
            memcmp(head->hash, row->hash, sizeof head->hash) != 0)
            return false;
    }
    return true;
}

static int verify_entry(void *context, const cs_audit_row *row, cs_error *error)
{
    verification *state = context;
    cs_audit_report *report = state->report;
    uint64_t expected = report->entries + 1;
    uint8_t hash[CS_HASH_SIZE];
    int rc;

    if (row->number != expected)
        return bad_entry(state, expected, "is missing", error);
    if (memcmp(row->previous, report->head.hash, sizeof hash) != 0)
        return bad_entry(state, expected, "does not follow the one before it", error);
    rc = cs_audit_hash(row, hash, error);
    if (rc != CS_OK)
        return rc;
    if (memcmp(row->hash, hash, sizeof hash) != 0)
        return bad_entry(state, expected, "was changed", error);
    if (!is_as_known(state, row))
        return bad_entry(state, expected, "is not the one that was sealed or expected", error);
    if (row->signature.n > 0) {
        if (cs_audit_seal_verify(state->puk, row->number, hash, row->signature, NULL) != CS_OK)
            return bad_entry(state, expected, "has a seal that is not its owner's", error);
        report->seals++;
        report->sealed = row->number;
    }
    report->entries = expected;
    report->head.number = expected;
    memcpy(report->head.hash, hash, sizeof hash);
    return CS_OK;
}

int cs_audit_verify(cs_audit_report *report, cs_store *store, cs_view puk,
    const cs_audit_head *mark, const cs_audit_head *expected, cs_error *error)
{
    verification state = {.report = report, .puk = puk, .known = {mark, expected}};
    int rc;

    *report = (cs_audit_report){0};
    rc = cs_store_read_audit(store, 1, verify_entry, &state, error);
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < 2; i++) {
        if (state.known[i] != NULL && state.known[i]->number > report->entries)
            return bad_entry(&state, report->entries + 1,
                "and what follows it, which was sealed or expected, is missing", error);
    }
    if (mark->number > report->sealed)
        report->sealed = mark->number;
    if (report->entries - report->sealed > CS_AUDIT_UNSEALED_MAX)
        return bad_entry(&state, report->sealed + 1,
            "and too many after it have no seal: seals were removed, or the token was away", error);
    return CS_OK;
}

/* -- reading -------------------------------------------------------------------------------------
 */

typedef struct reading {
    cs_key *storage;
    cs_audit_entry_fn fn;
    void *context;
    epoch_box box;
} reading;

static int read_entry(void *context, const cs_audit_row *row, cs_error *error)
{
    reading *state = context;
    cs_audit_entry entry;
    cs_buf plain = {0};
    int rc = open_entry(&state->box, state->storage, row, &entry, &plain, error);

    if (cs_value_is_bad(rc)) {
        entry = (cs_audit_entry){.time = (uint64_t)row->time,
            .action = cs_view_str(CS_AUDIT_UNREADABLE),
            .outcome = cs_view_str(cs_code_name(rc))};
        rc = CS_OK;
    }
    if (rc == CS_OK)
        rc = state->fn(state->context, row->number, &entry, error);
    cs_buf_free(&plain);
    return rc;
}

int cs_audit_read(
    cs_store *store, cs_key *storage, cs_audit_entry_fn fn, void *context, cs_error *error)
{
    reading state = {.storage = storage, .fn = fn, .context = context};
    int rc;

    state.box.keys = cs_secret_new(sizeof *state.box.keys);
    if (state.box.keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for reading the audit log");
    rc = cs_store_read_audit(store, 1, read_entry, &state, error);
    cs_secret_free(&state.box.keys);
    return rc;
}
