/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <time.h>

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

/* No longer than one waits for a session: a person may be thinking of the PIN. */
static int enter_token(p11_token *token, bool alone, cs_error *error)
{
    struct timespec until;
    int failed;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += token->timeout_ms / 1000;
    until.tv_nsec += (long)(token->timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    failed = alone ? pthread_rwlock_clockwrlock(&token->alone, CLOCK_MONOTONIC, &until)
                   : pthread_rwlock_clockrdlock(&token->alone, CLOCK_MONOTONIC, &until);
    if (failed != 0)
        return CS_FAIL(error, CS_E_BUSY,
            "token %s (serial %s) was busy with another operation for %u ms; try again later",
            token->label, token->serial, token->timeout_ms);
    return CS_OK;
}

/* The work of one session, or what kept it from being done. */
static CK_RV do_work(p11_job *job, p11_key *key, p11_work work, void *context)
{
    CK_RV rv = CKR_OK;

    job->rc =
        enter_token(job->token, key != NULL && key->base.info.always_authenticate, job->error);
    if (job->rc != CS_OK)
        return CKR_OK;
    if (key != NULL)
        rv = current_handle(job, key);
    if (rv == CKR_OK && job->rc == CS_OK)
        rv = work(job, context);
    (void)pthread_rwlock_unlock(&job->token->alone);
    return rv;
}

int p11_run(p11_token *token, p11_key *key, p11_work work, void *context, cs_error *error)
{
    for (int attempt = 0;; attempt++) {
        p11_job job = {.token = token, .f = token->module->functions, .error = error};
        p11_session session;
        CK_RV rv;
        bool lost;
        int rc = p11_session_take(token, &session, error);

        if (rc != CS_OK)
            return rc;
        job.session = session.handle;
        job.generation = session.generation;
        rv = do_work(&job, key, work, context);
        lost = p11_rv_is_lost(rv);
        /* after a failure an operation may still be active on the session: it is not kept */
        p11_session_give(token, &session, rv == CKR_OK, lost);
        if (rv == CKR_OK || job.rc != CS_OK)
            return job.rc;
        if (!lost || job.committed || attempt > 0)
            return p11_fail(token, job.call, rv, error);
    }
}
