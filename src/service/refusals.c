/* SPDX-License-Identifier: Apache-2.0 */
#include "service/refusals.h"

#include <stdio.h>

/* An entry, unless this very request was refused before: its hash is remembered for as long as its
 * time lets it pass. */
static int record_once(
    cs_server *server, const cs_worker *worker, cs_decision *decision, int code, cs_error *error)
{
    const cs_env *env = &worker->world.env;
    bool fresh = false;
    int rc = cs_store_begin(worker->store, error);

    if (rc != CS_OK)
        return rc;
    rc = env->seen(
        env->context, decision->evidence, env->now + CS_SEEN_MS(env->delta_t), &fresh, error);
    if (rc == CS_OK && (fresh || !cs_tally_add(&server->tally, decision->action, code, 1)))
        rc = cs_decision_record(decision, worker, code, error);
    if (rc == CS_OK)
        return cs_store_commit(worker->store, error);
    cs_store_rollback(worker->store);
    return rc;
}

int cs_refusal_record(
    cs_server *server, const cs_worker *worker, cs_decision *decision, int code, cs_error *error)
{
    if (!decision->has_evidence && cs_tally_add(&server->tally, decision->action, code, 1))
        return CS_OK;
    if (decision->repeatable)
        return record_once(server, worker, decision, code, error);
    return cs_decision_record(decision, worker, code, error);
}

static int write_row(const cs_worker *worker, const cs_tally_row *row, cs_error *error)
{
    cs_decision decision = {.action = row->action};

    (void)snprintf(decision.detail, sizeof decision.detail, "%llu requests that nobody signed",
        (unsigned long long)row->count);
    return cs_decision_record(&decision, worker, row->code, error);
}

int cs_refusals_write(cs_server *server, const cs_worker *worker, cs_error *error)
{
    cs_tally_row rows[CS_TALLY_MAX];
    size_t n = cs_tally_take(&server->tally, rows);
    int rc;

    if (n == 0)
        return CS_OK;
    rc = cs_store_begin(worker->store, error);
    if (rc == CS_OK) {
        for (size_t i = 0; i < n && rc == CS_OK; i++)
            rc = write_row(worker, &rows[i], error);
        if (rc == CS_OK)
            rc = cs_store_commit(worker->store, error);
        else
            cs_store_rollback(worker->store);
    }
    for (size_t i = 0; i < n && rc != CS_OK; i++) {
        if (!cs_tally_add(&server->tally, rows[i].action, rows[i].code, rows[i].count))
            cs_server_log(server, "counted refusals are lost: no place to keep them");
    }
    return rc;
}
