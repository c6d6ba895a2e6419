/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded pool of a token's sessions, and the way back when they were lost. */
#include "p11.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void p11_pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

static void init_locks(p11_token *token)
{
    pthread_condattr_t attributes;
    pthread_rwlockattr_t order;

    (void)pthread_mutex_init(&token->lock, NULL);
    (void)pthread_rwlockattr_init(&order);
    /* who wants to be alone is not kept waiting by an unending stream of others */
    (void)pthread_rwlockattr_setkind_np(&order, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&token->alone, &order);
    (void)pthread_rwlockattr_destroy(&order);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&token->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

/* The maximum a token tells is believed when it is a number of sessions: 0 means no limit, all ones
 * that it does not tell. */
static unsigned fewer(unsigned limit, CK_ULONG told)
{
    if (told != CK_EFFECTIVELY_INFINITE && told != CK_UNAVAILABLE_INFORMATION && told < limit)
        return (unsigned)told;
    return limit;
}

static int open_logged_in(p11_token *token, unsigned generation, p11_session *out, cs_error *error)
{
    CK_RV rv = p11_session_open(token, generation, out);
    int rc;

    if (rv != CKR_OK)
        return p11_fail(token, "C_OpenSession", rv, error);
    rc = p11_login(token, out->handle, error);
    if (rc != CS_OK)
        p11_session_close(token, out);
    return rc;
}

int p11_pool_new(p11_token *token, unsigned wanted, cs_error *error)
{
    p11_session session;
    unsigned limit = wanted == 0 ? P11_SESSIONS_DEFAULT : wanted;
    int rc;

    if (limit > P11_SESSIONS_MAX)
        return CS_FAIL(error, CS_E_USAGE, "at most %d sessions can be asked for", P11_SESSIONS_MAX);
    limit = fewer(limit, token->info.ulMaxSessionCount);
    limit = fewer(limit, token->info.ulMaxRwSessionCount);
    token->generation = 1;
    rc = open_logged_in(token, token->generation, &session, error);
    if (rc != CS_OK)
        return rc;
    init_locks(token);
    token->limit = limit;
    token->idle[0] = session;
    token->idle_count = 1;
    token->open_count = 1;
    return CS_OK;
}

void p11_pool_free(p11_token *token)
{
    for (unsigned i = 0; i < token->idle_count; i++)
        p11_session_close(token, &token->idle[i]);
    (void)pthread_cond_destroy(&token->changed);
    (void)pthread_rwlock_destroy(&token->alone);
    (void)pthread_mutex_destroy(&token->lock);
}

/* The child has one thread, and nothing that the lock guarded is kept. */
void p11_pool_after_fork(p11_token *token)
{
    init_locks(token);
    token->idle_count = 0;
    token->open_count = 0;
    token->holds = NULL;
    token->parked = 0;
    token->generation++;
    token->lost = true;
    cs_held_pin_after_fork(token->base.held, true);
    token->recovering = false;
    token->retry_at_ms = 0;
    token->backoff_ms = 0;
}

/* Called with the lock. The PIN that is held goes with whatever it was held for: a card that comes
 * back may be in other hands. */
static void set_lost(p11_token *token)
{
    token->lost = true;
    cs_held_pin_forget(token->base.held);
}

typedef struct looking {
    p11_token *token;
    p11_slot other; /* the one in its slot; no module: none */
} looking;

static int same_token(void *context, const p11_slot *slot, cs_error *error)
{
    looking *l = context;

    (void)error;
    if (!p11_is_token(l->token, &slot->info)) {
        if (slot->id == l->token->slot)
            l->other = *slot;
        return 0;
    }
    l->token->slot = slot->id;
    return 1;
}

static int is_gone(const looking *l, cs_error *error)
{
    const p11_token *token = l->token;
    char label[sizeof token->label], serial[sizeof token->serial];

    if (l->other.module == NULL)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "token %s (serial %s) is gone from module %s; insert or reconnect it", token->label,
            token->serial, token->module->path);
    (void)p11_text(label, sizeof label, l->other.info.label, sizeof l->other.info.label);
    (void)p11_text(
        serial, sizeof serial, l->other.info.serialNumber, sizeof l->other.info.serialNumber);
    return CS_FAIL(error, CS_E_TOKEN_ABSENT,
        "in the place of token %s (serial %s) is another, %s (serial %s), which was sent nothing; "
        "put the first one back",
        token->label, token->serial, label, serial);
}

/* Neither the slot number nor a handle of before means anything now. */
static int find_and_log_in(p11_token *token, unsigned generation, p11_session *out, cs_error *error)
{
    looking l = {.token = token};
    int rc = p11_module_revive(token->module, error);

    if (rc != CS_OK)
        return rc;
    rc = p11_slot_each(token->module, same_token, &l, error);
    if (rc == 0)
        return is_gone(&l, error);
    return rc == 1 ? open_logged_in(token, generation, out, error) : rc;
}

static void back_off(p11_token *token)
{
    token->backoff_ms = token->backoff_ms == 0 ? P11_BACKOFF_FIRST_MS : token->backoff_ms * 2;
    if (token->backoff_ms > P11_BACKOFF_MAX_MS)
        token->backoff_ms = P11_BACKOFF_MAX_MS;
    token->retry_at_ms = now_ms() + token->backoff_ms;
}

/* Within the back-off. Whoever comes then is told what is to be done, a locked PIN above all, and
 * not merely that he came too early. */
static int fail_as_before(const p11_token *token, cs_error *error)
{
    if (error != NULL) {
        *error = token->why_lost;
        (void)cs_error_context(error,
            "token %s (serial %s) was lost, and is tried again in a moment", token->label,
            token->serial);
    }
    return (int)token->why_lost.code;
}

/* Called with the lock; gives it up while it talks to the token. The others wait on `recovering`.
 */
static int recover(p11_token *token, cs_error *error)
{
    p11_session dropped[P11_SESSIONS_MAX];
    unsigned count = token->idle_count, generation;
    p11_session session;
    cs_error why = {0};
    int rc;

    if (now_ms() < token->retry_at_ms)
        return fail_as_before(token, error);
    memcpy(dropped, token->idle, count * sizeof dropped[0]);
    token->idle_count = 0;
    token->open_count -= count;
    generation = ++token->generation;
    token->recovering = true;
    (void)pthread_mutex_unlock(&token->lock);

    for (unsigned i = 0; i < count; i++)
        p11_session_close(token, &dropped[i]);
    rc = find_and_log_in(token, generation, &session, &why);

    (void)pthread_mutex_lock(&token->lock);
    token->recovering = false;
    if (rc == CS_OK) {
        token->idle[token->idle_count++] = session;
        token->open_count++;
        token->lost = false;
        token->backoff_ms = 0;
    } else {
        /* who did not want to be asked has sent nothing, and may be asked again at once */
        if (rc != CS_E_CANCELLED)
            back_off(token);
        why.code = (cs_code)rc; /* a PIN source of the program's own may not have set it */
        token->why_lost = why;
        if (error != NULL)
            *error = why;
    }
    (void)pthread_cond_broadcast(&token->changed);
    return rc;
}

static unsigned limit_now(const p11_token *token)
{
    return now_ms() < token->lowered_until_ms ? token->lowered : token->limit + token->parked;
}

/* Called with the lock, which is given up for the call. *again: there is none to be had this way,
 * look anew at what there is. */
static int open_one_more(p11_token *token, p11_session *out, bool *again, cs_error *error)
{
    unsigned generation;
    CK_RV rv;

    token->open_count++;
    generation = token->generation;
    (void)pthread_mutex_unlock(&token->lock);
    rv = p11_session_open(token, generation, out);
    (void)pthread_mutex_lock(&token->lock);
    *again = false;
    if (rv == CKR_OK && out->generation == token->generation)
        return CS_OK;
    if (rv == CKR_OK) {
        /* the token was lost and found meanwhile: this session may be of either side */
        (void)pthread_mutex_unlock(&token->lock);
        p11_session_close(token, out);
        (void)pthread_mutex_lock(&token->lock);
    }
    token->open_count--;
    if (rv == CKR_OK) {
        *again = true;
        return CS_OK;
    }
    if (rv == CKR_SESSION_COUNT && token->open_count > 0) {
        token->lowered = token->open_count; /* it has fewer than it told, or others have them */
        token->lowered_until_ms = now_ms() + P11_LOWERED_MS;
        *again = true;
        return CS_OK;
    }
    if (p11_rv_is_lost(rv) && out->generation == token->generation)
        set_lost(token);
    (void)pthread_cond_signal(&token->changed);
    return p11_fail(token, "C_OpenSession", rv, error);
}

static int wait_for_change(p11_token *token, int64_t deadline_ms, cs_error *error)
{
    int64_t now = now_ms(), until = deadline_ms;
    struct timespec at;

    if (now >= deadline_ms)
        return CS_FAIL(error, CS_E_BUSY,
            "all %u sessions of token %s (serial %s) were busy for %u ms; try again later, or "
            "allow "
            "more (token_sessions in config.json)",
            limit_now(token), token->label, token->serial, token->timeout_ms);
    if (now < token->lowered_until_ms && token->lowered_until_ms < until)
        until = token->lowered_until_ms;
    at = (struct timespec){.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    (void)pthread_cond_timedwait(&token->changed, &token->lock, &at);
    return CS_OK;
}

int p11_session_take(p11_token *token, p11_session *out, cs_error *error)
{
    int64_t deadline_ms = now_ms() + token->timeout_ms;
    bool opened_lost = false;
    int rc = CS_OK;

    (void)pthread_mutex_lock(&token->lock);
    for (;;) {
        bool again = false;

        if (token->lost && !token->recovering) {
            rc = recover(token, error);
        } else if (!token->recovering && token->idle_count > 0) {
            *out = token->idle[--token->idle_count];
            break;
        } else if (!token->recovering && token->open_count < limit_now(token)) {
            rc = open_one_more(token, out, &again, error);
            if (rc == CS_OK && !again)
                break;
            if (rc != CS_OK && token->lost && !opened_lost) {
                opened_lost = true; /* once: recover and try again */
                rc = CS_OK;
            }
        } else {
            rc = wait_for_change(token, deadline_ms, error);
        }
        if (rc != CS_OK)
            break;
    }
    (void)pthread_mutex_unlock(&token->lock);
    return rc;
}

/* With the last session of a process the token logs it out, and a person would be asked for the PIN
 * again because one operation failed: another session is opened before that one is closed. Called
 * with the lock, which is given up meanwhile. */
static void keep_login(p11_token *token)
{
    p11_session fresh;
    bool again = false;

    if (open_one_more(token, &fresh, &again, NULL) == CS_OK && !again)
        token->idle[token->idle_count++] = fresh;
}

/* The lock is held. */
static p11_hold *hold_of(const p11_token *token, const p11_session *session)
{
    for (p11_hold *hold = token->holds; hold != NULL; hold = hold->next) {
        if (hold->session.handle == session->handle &&
            hold->session.generation == session->generation)
            return hold;
    }
    return NULL;
}

/* The lock is held, and given up meanwhile. */
static void close_counted(p11_token *token, const p11_session *session)
{
    /* closed before it is counted down: who opens the next must find room for it */
    (void)pthread_mutex_unlock(&token->lock);
    p11_session_close(token, session);
    (void)pthread_mutex_lock(&token->lock);
    token->open_count--;
    /* with the last session the login is gone too */
    if (token->open_count == 0)
        set_lost(token);
}

void p11_session_give(p11_token *token, const p11_session *session, bool healthy, bool lost)
{
    p11_hold *hold;
    bool current, keep;

    (void)pthread_mutex_lock(&token->lock);
    current = session->generation == token->generation;
    if (lost && current)
        set_lost(token);
    current = current && !token->lost;
    keep = healthy && current;
    hold = current ? hold_of(token, session) : NULL;
    if (keep) {
        token->idle[token->idle_count++] = *session;
    } else if (hold != NULL) {
        hold->parked = true;
        token->parked++;
    } else {
        if (current && token->open_count == 1)
            keep_login(token);
        close_counted(token, session);
    }
    (void)pthread_cond_signal(&token->changed);
    (void)pthread_mutex_unlock(&token->lock);
}

void p11_hold_begin(p11_job *job, p11_hold *hold)
{
    *hold = (p11_hold){.session = {job->session, job->generation}};
    (void)pthread_mutex_lock(&job->token->lock);
    hold->next = job->token->holds;
    job->token->holds = hold;
    (void)pthread_mutex_unlock(&job->token->lock);
}

/* In a child of a fork there is nothing to end: the session is the parent's. */
void p11_hold_end(p11_token *token, p11_hold *hold)
{
    p11_hold **p, *other;

    (void)pthread_mutex_lock(&token->lock);
    for (p = &token->holds; *p != NULL && *p != hold; p = &(*p)->next)
        ;
    if (*p != NULL) {
        *p = (*p)->next;
        other = hold_of(token, &hold->session);
        if (hold->parked && other != NULL) {
            other->parked = true;
        } else if (hold->parked) {
            token->parked--;
            close_counted(token, &hold->session);
            (void)pthread_cond_signal(&token->changed);
        }
    }
    (void)pthread_mutex_unlock(&token->lock);
}
