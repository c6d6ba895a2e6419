/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital_outbox.h"

#include "service/server_common.h"

#include <chartseal/secret.h>

#include <limits.h>
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

static int put(const cs_outbox *outbox, cs_store *store, const uint8_t key[CS_STORE_KEY_SIZE],
    const cs_audit_entry *item, cs_error *error)
{
    cs_buf sealed = {0};
    int rc = cs_value_seal(&sealed, outbox->keys->value, (cs_view){key, CS_STORE_KEY_SIZE},
        &cs_audit_entry_schema, item, error);

    if (rc == CS_OK)
        rc = cs_store_put_outbox(store, key, cs_view_buf(&sealed), (int64_t)item->time, error);
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

    return put(outbox, store, row, &item, error);
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

    return put(outbox, store, query->h_request, &item, error);
}

/* -- reading -------------------------------------------------------------------------------------
 */

typedef struct reading {
    const cs_outbox *outbox;
    cs_outbox_item *items; /* NULL: only count */
    size_t most;
    cs_outbox_counts counts;
} reading;

static int read_item(
    void *context, const uint8_t key[CS_STORE_KEY_SIZE], cs_view sealed, cs_error *error)
{
    reading *state = context;
    cs_audit_entry item;
    cs_buf plain = {0};
    int rc = cs_value_open(&cs_audit_entry_schema, &item, &plain, state->outbox->keys->value,
        (cs_view){key, CS_STORE_KEY_SIZE}, sealed, error);

    if (cs_value_is_bad(rc)) { /* the others go out all the same */
        state->counts.unreadable++;
        rc = CS_OK;
    } else if (rc == CS_OK && !cs_view_equal(item.action, cs_view_str(ACTION_PUBLISH))) {
        state->counts.notices++;
    } else if (rc == CS_OK) {
        if (state->items != NULL && state->counts.publications < state->most) {
            cs_outbox_item *out = &state->items[state->counts.publications];

            memcpy(out->key, key, sizeof out->key);
            cs_text_of(out->id_p, sizeof out->id_p, item.patient);
            cs_text_of(out->id_de, sizeof out->id_de, item.detail);
        }
        state->counts.publications++;
    }
    cs_buf_free(&plain);
    return rc;
}

int cs_outbox_publications(const cs_outbox *outbox, cs_store *store, cs_outbox_item *items,
    size_t most, size_t *count, cs_error *error)
{
    reading state = {.outbox = outbox, .items = items, .most = most};
    int rc = cs_store_get_outbox(store, UINT_MAX, read_item, &state, error);

    *count = state.counts.publications < most ? (size_t)state.counts.publications : most;
    return rc;
}

int cs_outbox_count(
    const cs_outbox *outbox, cs_store *store, cs_outbox_counts *out, cs_error *error)
{
    reading state = {.outbox = outbox};
    int rc = cs_store_get_outbox(store, UINT_MAX, read_item, &state, error);

    *out = state.counts;
    return rc;
}
