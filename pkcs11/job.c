/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

/* The key's handle in this generation of sessions: known, or found again by its identity. */
static CK_RV current_handle(p11_job *job, p11_key *key)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv;

    (void)pthread_mutex_lock(&job->token->lock);
    if (key->generation == job->generation)
        handle = key->handle;
    (void)pthread_mutex_unlock(&job->token->lock);
    if (handle == CK_INVALID_HANDLE) {
        rv = p11_key_find_again(job, key, &handle);
        if (rv != CKR_OK || job->rc != CS_OK)
            return rv;
        (void)pthread_mutex_lock(&job->token->lock);
        key->handle = handle;
        key->generation = job->generation;
        (void)pthread_mutex_unlock(&job->token->lock);
    }
    job->key = handle;
    return CKR_OK;
}

int p11_run(p11_token *token, p11_key *key, p11_work work, void *context, cs_error *error)
{
    for (int attempt = 0;; attempt++) {
        p11_job job = {.token = token, .f = token->module->functions, .error = error};
        p11_session session;
        CK_RV rv = CKR_OK;
        bool lost;
        int rc = p11_session_take(token, &session, error);

        if (rc != CS_OK)
            return rc;
        job.session = session.handle;
        job.generation = session.generation;
        if (key != NULL)
            rv = current_handle(&job, key);
        if (rv == CKR_OK && job.rc == CS_OK)
            rv = work(&job, context);
        lost = p11_rv_is_lost(rv);
        /* after a failure an operation may still be active on the session: it is not kept */
        p11_session_give(token, &session, rv == CKR_OK, lost);
        if (rv == CKR_OK || job.rc != CS_OK)
            return job.rc;
        if (!lost || job.committed || attempt > 0)
            return p11_fail(token, job.call, rv, error);
    }
}
