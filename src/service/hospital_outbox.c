/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital_outbox.h"

#include "service/server_common.h"

#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

#define KEY_NAME "outbox" /* no audit epoch: those have 16 bytes */
#define ACTION_PUBLISH "publish"
#define ACTION_NOTICE "emergency-notice"

struct cs_outbox {
    cs_row_keys *keys; /* guarded */
};

int cs_outbox_new(cs_outbox **out, cs_key *storage, cs_error *error)
{
    cs_outbox *outbox = calloc(1, sizeof *outbox);
    int rc;

    *out = NULL;
    if (outbox == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the outbox");
    outbox->keys = cs_secret_new(sizeof *outbox->keys);
    if (outbox->keys == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for the outbox");
    else
        rc = cs_row_keys_for(
            outbox->keys, storage, CS_TABLE_AUDIT, cs_view_str(KEY_NAME), (cs_view){0}, error);
    if (rc == CS_OK)
        *out = outbox;
    else
        cs_outbox_free(&outbox);
    return rc;
}

void cs_outbox_free(cs_outbox **outbox)
{
    if (*outbox == NULL)
        return;
    cs_secret_free(&(*outbox)->keys);
    free(*outbox);
    *outbox = NULL;
}

static int put(const cs_outbox *outbox, cs_store *store, cs_outbox_kind kind,
    const uint8_t key[CS_STORE_KEY_SIZE], const cs_audit_entry *item, cs_error *error)
{
    cs_buf sealed = {0};
    int rc = cs_value_seal(&sealed, outbox->keys->value, (cs_view){key, CS_STORE_KEY_SIZE},
        &cs_audit_entry_schema, item, error);

    if (rc == CS_OK)
        rc =
            cs_store_put_outbox(store, kind, key, cs_view_buf(&sealed), (int64_t)item->time, error);
    cs_buf_free(&sealed);
    return rc;
}

int cs_outbox_put_publication(const cs_outbox *outbox, cs_store *store,
    const uint8_t row[CS_STORE_KEY_SIZE], const char *id_p, const char *id_de, int64_t now,
    cs_error *error)
{
    const cs_audit_entry item = {
        .time = (uint64_t)now,
        .action = cs_view_str(ACTION_PUBLISH),
        .outcome = cs_view_str("queued"),
        .patient = cs_view_str(id_p),
        .detail = cs_view_str(id_de),
    };

    return put(outbox, store, CS_OUTBOX_PUBLICATION, row, &item, error);
}

int cs_outbox_put_notice(
    const cs_outbox *outbox, cs_store *store, const cs_query *query, int64_t now, cs_error *error)
{
    const cs_audit_entry item = {
        .time = (uint64_t)now,
        .action = cs_view_str(ACTION_NOTICE),
        .outcome = cs_view_str("queued"),
        .who = cs_view_str(query->doctor.id),
        .role = cs_view_str(cs_role_name(CS_ROLE_DOCTOR)),
        .patient = cs_view_str(query->id_p),
        .detail = cs_view_str(query->id_de),
        .reason = cs_view_str(query->reason),
    };

    return put(outbox, store, CS_OUTBOX_NOTICE, query->h_request, &item, error);
}

/* -- reading -------------------------------------------------------------------------------------
 */

typedef struct reading {
    const cs_outbox *outbox;
    cs_outbox_fn fn;
    void *context;
} reading;

static int read_item(void *context, const cs_outbox_row *row, cs_error *error)
{
    reading *state = context;
    cs_outbox_item item = {.number = row->number};
    cs_audit_entry entry;
    cs_buf plain = {0};
    int rc = cs_value_open(&cs_audit_entry_schema, &entry, &plain, state->outbox->keys->value,
        CS_VIEW_ARRAY(row->key), row->sealed, error);

    if (cs_value_is_bad(rc)) { /* the others are read all the same */
        memcpy(item.key, row->key, sizeof item.key);
        item.unreadable = true;
        rc = state->fn(state->context, &item, error);
    } else if (rc == CS_OK) {
        memcpy(item.key, row->key, sizeof item.key);
        item.time = (int64_t)entry.time;
        cs_text_of(item.id_p, sizeof item.id_p, entry.patient);
        cs_text_of(item.id_de, sizeof item.id_de, entry.detail);
        cs_text_of(item.id_d, sizeof item.id_d, entry.who);
        cs_text_of(item.reason, sizeof item.reason, entry.reason);
        rc = state->fn(state->context, &item, error);
    }
    cs_buf_free(&plain);
    return rc;
}

int cs_outbox_read(const cs_outbox *outbox, cs_store *store, cs_outbox_kind kind, uint64_t after,
    unsigned most, cs_outbox_fn fn, void *context, cs_error *error)
{
    reading state = {.outbox = outbox, .fn = fn, .context = context};

    return cs_store_get_outbox(store, kind, after, most, read_item, &state, error);
}

int cs_outbox_check_notice(const cs_outbox *outbox, const cs_outbox_row *row, cs_error *error)
{
    cs_audit_entry entry;
    cs_buf plain = {0};
    int rc = cs_value_open(&cs_audit_entry_schema, &entry, &plain, outbox->keys->value,
        CS_VIEW_ARRAY(row->key), row->sealed, error);

    if (cs_value_is_bad(rc) ||
        (rc == CS_OK && !cs_view_equal(entry.action, cs_view_str(ACTION_NOTICE))))
        rc = CS_FAIL(error, CS_E_CORRUPT,
            "notice %llu of the outbox is none, or not as it was written; find out who had access "
            "to the database",
            (unsigned long long)row->number);
    cs_buf_free(&plain);
    return rc;
}

typedef struct counting {
    uint64_t readable;
    uint64_t unreadable;
} counting;

static int count_item(void *context, const cs_outbox_item *item, cs_error *error)
{
    counting *count = context;

    (void)error;
    count->readable += !item->unreadable;
    count->unreadable += item->unreadable;
    return CS_OK;
}

int cs_outbox_count(
    const cs_outbox *outbox, cs_store *store, cs_outbox_counts *out, cs_error *error)
{
    counting publications = {0};
    counting notices = {0};
    int rc = cs_outbox_read(
        outbox, store, CS_OUTBOX_PUBLICATION, 0, UINT32_MAX, count_item, &publications, error);

    if (rc == CS_OK)
        rc = cs_outbox_read(
            outbox, store, CS_OUTBOX_NOTICE, 0, UINT32_MAX, count_item, &notices, error);
    *out = (cs_outbox_counts){.publications = publications.readable,
        .notices = notices.readable,
        .unreadable = publications.unreadable + notices.unreadable};
    return rc;
}
