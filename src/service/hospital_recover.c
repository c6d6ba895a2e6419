/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital_recover.h"

#include "service/actor.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NOTICES_TOGETHER 1000u
#define ACTION_RECOVERED "recovered"

typedef struct recovery {
    cs_hpc *hospital;
    cs_worker *worker;
    cs_store *old; /* of another process's, or nobody's */
    cs_recovered *out;
} recovery;

/* -- a record ------------------------------------------------------------------------------------
 */

static int copy_chunks(
    cs_record_writer *writer, const cs_record *record, recovery *r, cs_error *error)
{
    cs_buf plain = {0};
    int rc = CS_OK;

    for (uint64_t i = 0; rc == CS_OK && i < record->chunks; i++) {
        cs_buf_clear(&plain);
        rc = cs_record_read(record, r->old, i, &plain, error);
        if (rc == CS_OK)
            rc = cs_record_write(writer, cs_view_buf(&plain), error);
    }
    cs_wipe(plain.p, plain.n);
    cs_buf_free(&plain);
    return rc;
}

/* The row has to be the patient's, too: it is the database's word alone. */
static int check_row(const cs_row_keys *row, const cs_record_row *old, cs_error *error)
{
    if (memcmp(row->row, old->row_key, sizeof old->row_key) != 0)
        return CS_FAIL(error, CS_E_CORRUPT,
            "a record lies in another patient's row; find out who had access to the database");
    return CS_OK;
}

static int check_content(
    const cs_record_header *header, uint64_t size, const uint8_t hash[32], cs_error *error)
{
    if (size != header->size || !cs_view_equal((cs_view){hash, CS_HASH_SIZE}, header->hash))
        return CS_FAIL(
            error, CS_E_CORRUPT, "the content of a record is not what it was; restore a backup");
    return CS_OK;
}

typedef struct names {
    char id_p[CS_ID_MAX + 1], id_de[CS_DEPARTMENT_MAX + 1], media_type[CS_MEDIA_TYPE_MAX + 1];
} names;

static int keep(recovery *r, cs_record_writer *writer, const cs_row_keys *row,
    const cs_record *record, const names *n, cs_error *error)
{
    const cs_party *hpc = &r->hospital->server->actor->party;
    cs_record_header header = record->header;
    uint8_t sig_emr[CS_SIGNATURE_SIZE];
    cs_decision decision = {.action = "recover"};
    int rc = cs_worker_refresh(r->worker, error);

    if (rc == CS_OK)
        rc = cs_emr_sign(hpc, n->id_p, n->id_de, record->id, n->media_type, header.hash.p,
            (int64_t)header.time, sig_emr, error);
    if (rc != CS_OK)
        return rc;
    header.signature = CS_VIEW_ARRAY(sig_emr);
    cs_decision_party(&decision, r->hospital->server->home->id, CS_ROLE_HOSPITAL);
    cs_decision_about(&decision, n->id_p, n->id_de);
    return cs_hpc_keep(r->hospital, r->worker, writer, row, &header, &decision, error);
}

static int take_over(recovery *r, cs_record_writer *writer, const cs_record *record,
    const cs_record_row *old, cs_error *error)
{
    const cs_record_header *header = &record->header;
    cs_row_keys *row = NULL;
    uint8_t hash[CS_HASH_SIZE];
    uint64_t size = 0;
    names n;
    int rc;

    cs_text_of(n.id_p, sizeof n.id_p, header->id_p);
    cs_text_of(n.id_de, sizeof n.id_de, header->id_de);
    cs_text_of(n.media_type, sizeof n.media_type, header->media_type);
    rc = cs_patient_keys(&row, r->hospital->server->actor->storage, n.id_p, n.id_de, error);
    if (rc == CS_OK)
        rc = check_row(row, old, error);
    if (rc == CS_OK)
        rc = copy_chunks(writer, record, r, error);
    if (rc == CS_OK)
        rc = cs_record_write_end(writer, &size, hash, error);
    if (rc == CS_OK)
        rc = check_content(header, size, hash, error);
    if (rc == CS_OK)
        rc = keep(r, writer, row, record, &n, error);
    cs_secret_free(&row);
    return rc;
}

static int recover_record(void *context, const cs_record_row *old, cs_error *error)
{
    recovery *r = context;
    cs_key *storage = r->hospital->server->actor->storage;
    cs_record_writer *writer = NULL;
    cs_record *record = NULL;
    int rc = cs_record_writer_new(&writer, r->worker->store, storage, old->id, error);

    if (rc == CS_E_EXISTS) {
        r->out->there++;
        return CS_OK;
    }
    if (rc == CS_OK)
        rc = cs_record_open(&record, old, storage, error);
    if (rc == CS_OK)
        rc = take_over(r, writer, record, old, error);
    cs_record_writer_free(&writer);
    cs_record_free(&record);
    if (rc == CS_OK) {
        r->out->records++;
    } else {
        char id[2 * CS_RECORD_ID_SIZE + 1];

        cs_hex(CS_VIEW_ARRAY(old->id), id);
        rc = cs_error_context(error, "record %s", id);
    }
    return rc;
}

/* -- notices -------------------------------------------------------------------------------------
 */

typedef struct notices {
    recovery *r;
    uint64_t last;
    unsigned n;
} notices;

/* Sealed under the storage key, with the key of the row: what opens comes as it is, and takes the
 * place of nothing that waits here. */
static int take_notice(void *context, const cs_outbox_row *row, cs_error *error)
{
    notices *state = context;
    cs_worker *worker = state->r->worker;
    int rc = cs_outbox_check_notice(state->r->hospital->outbox, row, error);

    state->last = row->number;
    state->n++;
    return rc == CS_OK ? cs_store_keep_outbox(worker->store, CS_OUTBOX_NOTICE, row->key,
                             row->sealed, worker->world.env.now, error)
                       : rc;
}

/* In a transaction. */
static int recover_notices(recovery *r, cs_error *error)
{
    notices state = {.r = r};
    uint64_t before = 0, after = 0;
    int rc = cs_store_count_outbox(r->worker->store, CS_OUTBOX_NOTICE, &before, error);

    if (rc != CS_OK)
        return rc;
    do {
        state.n = 0;
        rc = cs_store_get_outbox(
            r->old, CS_OUTBOX_NOTICE, state.last, NOTICES_TOGETHER, take_notice, &state, error);
    } while (rc == CS_OK && state.n == NOTICES_TOGETHER);
    if (rc == CS_OK)
        rc = cs_store_count_outbox(r->worker->store, CS_OUTBOX_NOTICE, &after, error);
    if (rc == CS_OK)
        r->out->notices = after - before;
    return rc;
}

/* -- all of it -----------------------------------------------------------------------------------
 */

static int open_old(recovery *r, const char *database, cs_error *error)
{
    struct stat old, own;

    if (stat(database, &old) != 0)
        return CS_FAIL(error, errno == ENOENT ? CS_E_NO_FILE : CS_E_STORAGE,
            "%s cannot be read: %s", database, strerror(errno));
    if (stat(r->hospital->server->store_path, &own) == 0 && old.st_dev == own.st_dev &&
        old.st_ino == own.st_ino)
        return CS_FAIL(error, CS_E_USAGE,
            "%s is this home's own database; name the one of the home that was lost", database);
    return cs_store_open(&r->old, database, error);
}

typedef struct earlier {
    const char *old_head;
    bool found;
} earlier;

static int match_recovered(
    void *context, uint64_t number, const cs_audit_entry *entry, cs_error *error)
{
    earlier *state = context;
    size_t n = strlen(state->old_head);

    (void)number;
    (void)error;
    state->found =
        state->found ||
        (cs_view_equal(entry->action, cs_view_str(ACTION_RECOVERED)) && entry->detail.n >= n &&
            memcmp(entry->detail.p + entry->detail.n - n, state->old_head, n) == 0);
    return CS_OK;
}

/* The notices and the entry that says so, together: where there is that entry, persons may have
 * dealt with the notices since, and they do not come again. */
static int conclude(recovery *r, cs_error *error)
{
    cs_decision decision = {.action = ACTION_RECOVERED};
    earlier state = {.old_head = r->out->old_head};
    cs_audit_head head = {0};
    uint64_t sealed;
    int rc = cs_store_audit_head(r->old, &head.number, head.hash, &sealed, error);

    if (rc != CS_OK)
        return rc;
    cs_audit_head_print(&head, r->out->old_head);
    rc = cs_audit_read(
        r->worker->store, r->hospital->server->actor->storage, match_recovered, &state, error);
    if (rc == CS_OK)
        rc = cs_store_begin(r->worker->store, error);
    if (rc != CS_OK)
        return rc;
    if (!state.found)
        rc = recover_notices(r, error);
    cs_decision_party(&decision, r->hospital->server->home->id, CS_ROLE_HOSPITAL);
    (void)snprintf(decision.detail, sizeof decision.detail,
        "%llu records; the log of before ends at %s", (unsigned long long)r->out->records,
        r->out->old_head);
    return cs_decision_commit(&decision, r->worker, rc, error);
}

int cs_hpc_recover(
    cs_hpc *hospital, cs_worker *worker, const char *database, cs_recovered *out, cs_error *error)
{
    recovery r = {.hospital = hospital, .worker = worker, .out = out};
    cs_op_counts before = cs_ops_of_thread();
    int rc;

    *out = (cs_recovered){0};
    rc = open_old(&r, database, error);
    if (rc == CS_OK)
        rc = cs_store_find_records(r.old, NULL, UINT_MAX, recover_record, &r, error);
    if (rc == CS_OK)
        rc = conclude(&r, error);
    cs_store_close(&r.old);
    cs_server_count_ops(hospital->server, "recover", before);
    return rc;
}
