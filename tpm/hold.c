/* SPDX-License-Identifier: Apache-2.0 */
/* Who has the link; and a watcher that lets an unshared TPM go when nobody has wanted it for a
 * moment, because a program that only waits must not keep others from it. */
#include "tpm.h"

#include <errno.h>
#include <signal.h>

void tpm_hold_init(tpm_token *token)
{
    (void)pthread_mutex_init(&token->lock, NULL);
    tpm_condition_init(&token->changed);
    token->busy = false;
    token->closing = false;
    token->watched = false;
}

static void *watch(void *context)
{
    tpm_token *token = context;

    (void)pthread_mutex_lock(&token->lock);
    while (!token->closing) {
        int64_t at = token->rested_ms + TPM_IDLE_MS;
        struct timespec until = tpm_timespec(at);

        if (token->busy || token->link.esys == NULL) {
            (void)pthread_cond_wait(&token->changed, &token->lock);
        } else if (tpm_now_ms() < at) {
            (void)pthread_cond_timedwait(&token->changed, &token->lock, &until);
        } else {
            token->busy = true;
            (void)pthread_mutex_unlock(&token->lock);
            tpm_link_drop(token, true);
            (void)pthread_mutex_lock(&token->lock);
            token->busy = false;
            (void)pthread_cond_broadcast(&token->changed);
        }
    }
    (void)pthread_mutex_unlock(&token->lock);
    return NULL;
}

/* Called with the lock. Without a watcher (no memory for a thread) the link is dropped at once. */
static void start_watcher(tpm_token *token)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    token->watched = pthread_create(&token->watcher, NULL, watch, token) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!token->watched)
        tpm_link_drop(token, true);
}

int tpm_take(tpm_token *token, cs_error *error)
{
    int64_t deadline = tpm_now_ms() + token->timeout_ms;
    struct timespec until = tpm_timespec(deadline);
    bool late = false;

    (void)pthread_mutex_lock(&token->lock);
    while (token->busy && !late)
        late = pthread_cond_timedwait(&token->changed, &token->lock, &until) == ETIMEDOUT;
    late = token->busy;
    if (!late)
        token->busy = true;
    (void)pthread_mutex_unlock(&token->lock);
    if (late)
        return CS_FAIL(error, CS_E_BUSY, "the TPM (serial %s) was busy for %u ms; try again later",
            token->serial, token->timeout_ms);
    token->deadline_ms = deadline;
    return CS_OK;
}

void tpm_give(tpm_token *token)
{
    bool unshared = !token->shared && token->link.esys != NULL;

    if (unshared && tpm_now_ms() - token->link.since_ms > TPM_HOLD_MS) {
        tpm_link_drop(token, true);
        token->pause_until_ms = tpm_now_ms() + TPM_PAUSE_MS;
        unshared = false;
    }
    (void)pthread_mutex_lock(&token->lock);
    token->busy = false;
    token->rested_ms = tpm_now_ms();
    if (unshared && !token->watched)
        start_watcher(token);
    (void)pthread_cond_broadcast(&token->changed);
    (void)pthread_mutex_unlock(&token->lock);
}

void tpm_hold_end(tpm_token *token)
{
    bool watched;

    (void)pthread_mutex_lock(&token->lock);
    token->closing = true;
    watched = token->watched;
    (void)pthread_cond_broadcast(&token->changed);
    (void)pthread_mutex_unlock(&token->lock);
    if (watched)
        (void)pthread_join(token->watcher, NULL);
    if (token->untidy) {
        token->deadline_ms = tpm_now_ms() + TPM_TIDY_MS;
        tpm_link_sweep(token);
    } else {
        tpm_link_drop(token, true);
    }
    (void)pthread_cond_destroy(&token->changed);
    (void)pthread_mutex_destroy(&token->lock);
}
