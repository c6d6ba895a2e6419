/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital.h"

#include "service/actor.h"

#include <chartseal/search.h>
#include <chartseal/secret.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_policy(cs_hpc *hospital, const cs_home *home, cs_error *error)
{
    const char *text = cs_home_text(home, "emergency");

    hospital->allows_emergency = text == NULL || strcmp(text, "allow") == 0;
    if (!hospital->allows_emergency && strcmp(text, "deny") != 0)
        return CS_FAIL(error, CS_E_MALFORMED,
            "\"emergency\" in %s/config.json is neither allow nor deny; mend it", home->dir);
    return CS_OK;
}

int cs_hpc_open(cs_hpc **out, cs_home *home, cs_error *error)
{
    cs_hpc *hospital = calloc(1, sizeof *hospital);
    int rc;

    *out = NULL;
    if (hospital == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a hospital");
    hospital->lock = -1;
    rc = cs_home_lock(&hospital->lock, home, false, error);
    if (rc == CS_OK)
        rc = read_policy(hospital, home, error);
    if (rc == CS_OK)
        rc = cs_server_open(&hospital->server, home, error);
    if (rc == CS_OK)
        rc = cs_outbox_new(&hospital->outbox, hospital->server->actor->storage, error);
    if (rc == CS_OK) {
        hospital->server->role = hospital;
        *out = hospital;
    } else {
        cs_hpc_close(&hospital);
    }
    return rc;
}

void cs_hpc_close(cs_hpc **hospital)
{
    if (*hospital == NULL)
        return;
    cs_publisher_free(&(*hospital)->publisher);
    cs_sessions_free(&(*hospital)->sessions);
    cs_outbox_free(&(*hospital)->outbox);
    cs_server_close(&(*hospital)->server);
    if ((*hospital)->lock >= 0)
        (void)close((*hospital)->lock);
    free(*hospital);
    *hospital = NULL;
}

int cs_hpc_keep(cs_hpc *hospital, cs_worker *worker, cs_record_writer *writer,
    const cs_row_keys *row, const cs_record_header *header, cs_decision *decision, cs_error *error)
{
    char id_p[CS_ID_MAX + 1];
    char id_de[CS_DEPARTMENT_MAX + 1];
    int rc = cs_store_begin(worker->store, error);

    if (rc != CS_OK)
        return rc;
    cs_text_of(id_p, sizeof id_p, header->id_p);
    cs_text_of(id_de, sizeof id_de, header->id_de);
    rc = cs_record_write_finish(writer, row->row, header, error);
    if (rc == CS_OK)
        rc = cs_outbox_put_publication(
            hospital->outbox, worker->store, row->row, id_p, id_de, worker->world.env.now, error);
    return cs_decision_commit(decision, worker, rc, error);
}

/* -- import --------------------------------------------------------------------------------------
 */

static int copy_in(cs_record_writer *writer, const cs_import *import, cs_error *error)
{
    cs_buf piece = {0};
    int rc = cs_buf_resize(&piece, CS_CHUNK_SIZE, error);

    while (rc == CS_OK) {
        ssize_t n = read(import->fd, piece.p, piece.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = CS_FAIL(error, CS_E_STORAGE, "the file cannot be read: %s", strerror(errno));
        if (n <= 0)
            break;
        rc = cs_record_write(writer, (cs_view){piece.p, (size_t)n}, error);
        if (import->progress != NULL)
            cs_progress_advance(import->progress, (uint64_t)n);
    }
    cs_buf_free(&piece);
    return rc;
}

static int sign_and_keep(cs_hpc *hospital, cs_worker *worker, cs_record_writer *writer,
    const cs_import *import, const cs_row_keys *row, const cs_imported *in, cs_error *error)
{
    const cs_party *hpc = &hospital->server->actor->party;
    uint8_t sig_emr[CS_SIGNATURE_SIZE];
    cs_decision decision = {.action = "import"};
    int64_t now;
    int rc = cs_worker_refresh(worker, error);

    now = worker->world.env.now;
    if (rc == CS_OK)
        rc = cs_emr_sign(hpc, import->id_p, import->id_de, in->id, import->media_type, in->hash,
            now, sig_emr, error);
    if (rc == CS_OK) {
        const cs_record_header header = {
            .kind = CS_RECORD_EMR,
            .id_p = cs_view_str(import->id_p),
            .id_de = cs_view_str(import->id_de),
            .media_type = cs_view_str(import->media_type),
            .size = in->size,
            .hash = CS_VIEW_ARRAY(in->hash),
            .time = (uint64_t)now,
            .signature = CS_VIEW_ARRAY(sig_emr),
        };

        cs_decision_party(&decision, hospital->server->home->id, CS_ROLE_HOSPITAL);
        cs_decision_about(&decision, import->id_p, import->id_de);
        rc = cs_hpc_keep(hospital, worker, writer, row, &header, &decision, error);
    }
    return rc;
}

int cs_hpc_import(
    cs_hpc *hospital, cs_worker *worker, const cs_import *import, cs_imported *out, cs_error *error)
{
    cs_op_counts before = cs_ops_of_thread();
    cs_key *storage = hospital->server->actor->storage;
    cs_record_writer *writer = NULL;
    cs_row_keys *row = NULL;
    int rc = cs_patient_keys(&row, storage, import->id_p, import->id_de, error);

    cs_random(out->id, sizeof out->id);
    if (rc == CS_OK)
        rc = cs_record_writer_new(&writer, worker->store, storage, out->id, error);
    if (rc == CS_OK)
        rc = copy_in(writer, import, error);
    if (rc == CS_OK)
        rc = cs_record_write_end(writer, &out->size, out->hash, error);
    if (rc == CS_OK)
        rc = sign_and_keep(hospital, worker, writer, import, row, out, error);
    cs_record_writer_free(&writer);
    cs_secret_free(&row);
    cs_server_count_ops(hospital->server, "import", before);
    return rc;
}

/* -- publishing everything again -----------------------------------------------------------------
 */

/* What is queued in one transaction: no token is asked, and nobody kept waiting, within it. */
#define QUEUED_TOGETHER 64u

typedef struct republishing {
    cs_hpc *hospital;
    cs_store *writes; /* another handle: the one that reads is in the middle of a query */
    int64_t now;
    uint64_t rows;
    cs_outbox_item items[QUEUED_TOGETHER]; /* opened, not queued yet */
    size_t n;
} republishing;

static int queue_items(republishing *state, cs_error *error)
{
    int rc = cs_store_begin(state->writes, error);

    if (cs_value_is_bad(rc)) /* `list` tells of it; the others are to be found */
        return CS_OK;
    if (rc != CS_OK)
        return rc;
    for (size_t i = 0; i < state->n && rc == CS_OK; i++)
        rc = cs_outbox_put_publication(state->hospital->outbox, state->writes, state->items[i].key,
            state->items[i].id_p, state->items[i].id_de, state->now, error);
    if (rc == CS_OK)
        rc = cs_store_commit(state->writes, error);
    else
        cs_store_rollback(state->writes);
    if (rc == CS_OK)
        state->n = 0;
    return rc;
}

static int queue_row(void *context, const cs_record_row *row, cs_error *error)
{
    republishing *state = context;
    cs_outbox_item *item = &state->items[state->n];
    cs_record *record = NULL;
    int rc = cs_record_open(&record, row, state->hospital->server->actor->storage, error);

    if (rc != CS_OK)
        return rc;
    memcpy(item->key, row->row_key, sizeof item->key);
    cs_text_of(item->id_p, sizeof item->id_p, record->header.id_p);
    cs_text_of(item->id_de, sizeof item->id_de, record->header.id_de);
    cs_record_free(&record);
    state->n++;
    state->rows++;
    return state->n == QUEUED_TOGETHER ? queue_items(state, error) : CS_OK;
}

int cs_hpc_publish_all(cs_hpc *hospital, cs_worker *worker, uint64_t *rows, cs_error *error)
{
    republishing *state = calloc(1, sizeof *state);
    int rc;

    *rows = 0;
    if (state == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for publishing");
    state->hospital = hospital;
    state->now = worker->world.env.now;
    rc = cs_store_open(&state->writes, hospital->server->store_path, error);
    if (rc == CS_OK)
        rc = cs_store_each_row(worker->store, queue_row, state, error);
    if (rc == CS_OK)
        rc = queue_items(state, error);
    *rows = state->rows;
    cs_store_close(&state->writes);
    free(state);
    return rc;
}

/* -- notices -------------------------------------------------------------------------------------
 */

static int take_notice(void *context, const cs_outbox_item *item, cs_error *error)
{
    cs_outbox_item *out = context;

    (void)error;
    *out = *item;
    return CS_OK;
}

int cs_hpc_acknowledge(cs_hpc *hospital, cs_worker *worker, uint64_t number, cs_error *error)
{
    cs_decision decision = {.action = "notice-acknowledged"};
    cs_outbox_item notice = {0};
    int rc = cs_store_begin(worker->store, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_outbox_read(hospital->outbox, worker->store, CS_OUTBOX_NOTICE, number - 1, 1,
        take_notice, &notice, error);
    if (rc == CS_OK && notice.number != number)
        rc = CS_FAIL(error, CS_E_NOT_FOUND, "no notice %llu waits; see `hospital notices`",
            (unsigned long long)number);
    if (rc == CS_OK) {
        cs_decision_party(&decision, hospital->server->home->id, CS_ROLE_HOSPITAL);
        cs_decision_about(&decision, notice.id_p, notice.id_de);
        (void)snprintf(decision.reason, sizeof decision.reason, "%s", notice.reason);
        rc = cs_store_drop_outbox(worker->store, notice.key, number, error);
    }
    return cs_decision_commit(&decision, worker, rc, error);
}
