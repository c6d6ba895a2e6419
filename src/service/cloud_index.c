/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cloud_index.h"

#include <chartseal/search.h>
#include <chartseal/secret.h>

#include <stdlib.h>

static int index_keys(
    cs_row_keys **out, cs_key *storage, const char *id_p, const char *id_de, cs_error *error)
{
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    int rc;

    *out = NULL;
    if (keys == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an index row");
    rc = cs_row_keys_for(
        keys, storage, CS_TABLE_INDEX, cs_view_str(id_p), cs_view_str(id_de), error);
    if (rc != CS_OK)
        cs_secret_free(&keys);
    *out = keys;
    return rc;
}

/* -- publishing ----------------------------------------------------------------------------------
 */

/* Which hospital a value is of, for the database to replace it, and telling the database nothing.
 */
static int hospital_key(
    uint8_t out[CS_HASH_SIZE], const cs_row_keys *keys, const char *id_hpc, cs_error *error)
{
    return cs_hmac(out, CS_VIEW_ARRAY(keys->name), cs_view_str(id_hpc), error);
}

static int keep_value(cs_worker *worker, const cs_row_keys *keys, const cs_publication *publication,
    cs_decision *decision, cs_error *error)
{
    const cs_index_value value = {
        .id_hpc = cs_view_str(publication->hospital.id),
        .credential_hpc = cs_credential_view(&publication->hospital),
        .url = cs_view_str(publication->url),
    };
    uint8_t hospital[CS_HASH_SIZE];
    cs_buf sealed = {0};
    int rc = hospital_key(hospital, keys, publication->hospital.id, error);

    if (rc == CS_OK)
        rc = cs_value_seal(
            &sealed, keys->value, CS_VIEW_ARRAY(keys->row), &cs_index_value_schema, &value, error);
    if (rc == CS_OK)
        rc = cs_store_begin(worker->store, error);
    if (rc != CS_OK)
        goto out;
    rc = cs_store_put_index(
        worker->store, keys->row, hospital, cs_view_buf(&sealed), worker->world.env.now, error);
    rc = cs_decision_commit(decision, worker, rc, error);
out:
    cs_buf_free(&sealed);
    return rc;
}

int cs_cloud_publication(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    const cs_party *pc = &server->actor->party;
    cs_publication *publication = cs_secret_new(sizeof *publication);
    cs_row_keys *keys = NULL;
    int rc;

    if (publication == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a publication");
    rc = cs_publication_open(publication, pc, &worker->world.env, body, error);
    if (publication->known && rc != CS_E_REPLAY) {
        decision->repeatable = rc != CS_OK;
        cs_decision_party(decision, publication->hospital.id, CS_ROLE_HOSPITAL);
        cs_decision_about(decision, publication->id_p, publication->id_de);
        cs_decision_evidence(decision, publication->h_request, publication->signature);
    }
    if (rc == CS_OK)
        rc = index_keys(&keys, pc->storage, publication->id_p, publication->id_de, error);
    if (rc == CS_OK)
        rc = keep_value(worker, keys, publication, decision, error);
    if (rc == CS_OK)
        rc = cs_publication_acknowledge(publication, pc, &worker->world.env, &answer->body, error);
    cs_secret_free(&keys);
    cs_secret_free(&publication);
    return rc;
}

/* -- search --------------------------------------------------------------------------------------
 */

typedef struct found_rows {
    const cs_row_keys *keys;
    cs_buf plain[CS_LIST_MAX];
    cs_index_value values[CS_LIST_MAX];
    size_t count;
} found_rows;

static int take_row(void *context, cs_view sealed, cs_error *error)
{
    found_rows *found = context;
    size_t i = found->count;
    int rc;

    if (i == CS_LIST_MAX)
        return CS_FAIL(error, CS_E_INTERNAL, "the store gave more rows than it was asked for");
    found->count++;
    rc = cs_value_open(&cs_index_value_schema, &found->values[i], &found->plain[i],
        found->keys->value, CS_VIEW_ARRAY(found->keys->row), sealed, error);
    return rc == CS_E_DECRYPT ? CS_FAIL(error, CS_E_CORRUPT, "an index row does not open") : rc;
}

/* Leaves out the hospitals that D would refuse. */
static int keep_valid(found_rows *found, const cs_cloud *cloud, cs_worker *worker, cs_error *error)
{
    size_t kept = 0;

    for (size_t i = 0; i < found->count; i++) {
        cs_credential credential;
        bool revoked = false;
        int rc = cs_credential_parse(&credential, cloud, found->values[i].credential_hpc, error);

        if (rc == CS_OK)
            rc = cs_store_is_revoked(worker->store, credential.serial, &revoked, error);
        if (rc != CS_OK)
            return rc;
        if (!revoked && credential.not_after > worker->world.env.now)
            found->values[kept++] = found->values[i];
    }
    if (kept == 0)
        return CS_FAIL(error, CS_E_NO_DEPARTMENT,
            "no hospital has published records of this patient and department");
    found->count = kept;
    return CS_OK;
}

static int answer_query(
    cs_server *server, cs_worker *worker, const cs_query *query, cs_buf *s2, cs_error *error)
{
    const cs_party *pc = &server->actor->party;
    found_rows *found = calloc(1, sizeof *found);
    cs_row_keys *keys = NULL;
    int rc;

    if (found == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a search");
    rc = index_keys(&keys, pc->storage, query->id_p, query->id_de, error);
    found->keys = keys;
    if (rc == CS_OK)
        rc = cs_store_get_index(worker->store, keys->row, CS_LIST_MAX, take_row, found, error);
    if (rc == CS_OK)
        rc = keep_valid(found, pc->cloud, worker, error);
    if (rc == CS_OK)
        rc = cs_query_answer(pc, &worker->world.env, query, found->values, found->count, s2, error);
    for (size_t i = 0; i < CS_LIST_MAX; i++)
        cs_buf_free(&found->plain[i]);
    free(found);
    cs_secret_free(&keys);
    return rc;
}

int cs_cloud_search(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error)
{
    cs_query *query = calloc(1, sizeof *query);
    int rc;

    if (query == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a search");
    rc = cs_query_open(query, &server->actor->party, &worker->world.env, body, error);
    cs_decision_query(decision, query, rc);
    if (rc == CS_OK)
        rc = answer_query(server, worker, query, &answer->body, error);
    free(query);
    return rc;
}
