/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <string.h>

void tpm_free(void *address_of_pointer, size_t n)
{
    void *p;

    memcpy(&p, address_of_pointer, sizeof p);
    if (p != NULL)
        cs_wipe(p, n);
    Esys_Free(p);
    p = NULL;
    memcpy(address_of_pointer, &p, sizeof p);
}

ESYS_TR tpm_session(tpm_job *job, bool command, bool answer)
{
    TPMA_SESSION attributes = TPMA_SESSION_CONTINUESESSION;

    if (command)
        attributes |= TPMA_SESSION_DECRYPT;
    if (answer)
        attributes |= TPMA_SESSION_ENCRYPT;
    (void)Esys_TRSess_SetAttributes(job->esys, job->session, attributes, 0xff);
    return job->session;
}

/* ESYS keeps it in memory of its own until it is overwritten, after the work. */
static TSS2_RC set_auth(tpm_job *job, const tpm_key *key)
{
    TPM2B_AUTH auth = {0};
    TSS2_RC rc;

    if (key->blob.empty_auth)
        return TSS2_RC_SUCCESS;
    auth = tpm_auth_value(job->token);
    rc = TPM(job, TR_SetAuth, job->object, &auth);
    cs_wipe(&auth, sizeof auth);
    return rc;
}

static void clear_auth(tpm_job *job)
{
    static const TPM2B_AUTH nothing;

    if (job->esys != NULL && job->object != ESYS_TR_NONE)
        (void)Esys_TR_SetAuth(job->esys, job->object, &nothing);
}

static TSS2_RC prepare(tpm_job *job, tpm_key *key)
{
    TSS2_RC rc = tpm_link_make(job);

    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        rc = tpm_link_session(job);
    if (key == NULL || rc != TSS2_RC_SUCCESS || job->rc != CS_OK)
        return rc;
    rc = tpm_auth_want(job, key);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        rc = tpm_link_load(job, key);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        rc = set_auth(job, key);
    return rc;
}

static TSS2_RC attempt(tpm_job *job, tpm_key *key, tpm_work work, void *context)
{
    TSS2_RC rc = prepare(job, key);

    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK) {
        job->at_stake = key != NULL && !key->blob.empty_auth;
        rc = work(job, context);
        if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK && job->at_stake)
            key->proved_turn = job->token->auth_turn;
    }
    clear_auth(job);
    for (size_t i = 0; i < sizeof job->scratch / sizeof job->scratch[0]; i++) {
        if (job->esys != NULL && job->scratch[i] != ESYS_TR_NONE && tpm_rc_fate(rc) != TPM_LOST)
            (void)Esys_FlushContext(job->esys, job->scratch[i]);
    }
    return rc;
}

/* True when it is worth another attempt. */
static bool wait_a_little(tpm_job *job, tpm_fate fate, unsigned *backoff_ms)
{
    tpm_token *token = job->token;
    int64_t now = tpm_now_ms();

    if (now + *backoff_ms >= token->deadline_ms)
        return false;
    if (fate == TPM_SHORT) {
        bool sweep = token->untidy || (now > job->sweep_at_ms && !job->swept);

        if (sweep)
            tpm_link_sweep(token);
        else
            tpm_link_drop(token, true);
        token->untidy = token->untidy && !sweep;
        job->swept = job->swept || sweep;
    }
    tpm_sleep_ms(*backoff_ms);
    *backoff_ms *= 2;
    if (*backoff_ms > (fate == TPM_SHORT ? TPM_SHORT_MAX_MS : TPM_BACKOFF_MAX_MS))
        *backoff_ms = fate == TPM_SHORT ? TPM_SHORT_MAX_MS : TPM_BACKOFF_MAX_MS;
    return true;
}

static int refused(tpm_job *job, const tpm_key *key, TSS2_RC rc)
{
    if (job->at_stake)
        return tpm_auth_refused(job, key);
    return CS_FAIL(job->error, CS_E_TOKEN,
        "the TPM (serial %s) refused %s (0x%x): its storage root, or the key, has not the empty "
        "authorisation value it should have",
        job->token->serial, job->call, rc);
}

/* What was taken before is not wrong now: after a reset of an unshared TPM our session or key may
 * have the number of another program's. Once, it is tried over a new link. */
static tpm_fate fate_of(const tpm_job *job, const tpm_key *key, TSS2_RC rc)
{
    tpm_fate fate = tpm_rc_fate(rc);

    if (fate == TPM_REFUSED && job->at_stake && job->lost == 0 &&
        key->proved_turn == job->token->auth_turn)
        return TPM_LOST;
    return fate;
}

/* Programs that are kept waiting together do not sweep at the same moment: the first makes room for
 * the others, who hold nothing yet. */
static int64_t when_to_sweep(const tpm_token *token)
{
    uint16_t random;

    cs_random(&random, sizeof random);
    return token->deadline_ms - token->timeout_ms + TPM_SWEEP_MS + random % TPM_SWEEP_SPREAD_MS;
}

static int run(tpm_token *token, tpm_key *key, tpm_work work, void *context, cs_error *error)
{
    unsigned backoff_ms = TPM_BACKOFF_FIRST_MS;
    unsigned lost = 0;
    bool swept = false;
    int64_t sweep_at_ms = when_to_sweep(token);
    TSS2_RC put_off = TSS2_RC_SUCCESS;

    for (;;) {
        tpm_job job = {.token = token,
            .object = ESYS_TR_NONE,
            .scratch = {ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE},
            .call = "nothing",
            .lost = lost,
            .swept = swept,
            .sweep_at_ms = sweep_at_ms,
            .error = error};
        TSS2_RC rc = attempt(&job, key, work, context);
        tpm_fate fate = fate_of(&job, key, rc);
        bool late = tpm_now_ms() >= token->deadline_ms;
        int result;

        if (rc == TSS2_RC_SUCCESS)
            return job.rc;
        if ((fate == TPM_WAIT || fate == TPM_SHORT) && wait_a_little(&job, fate, &backoff_ms)) {
            swept = job.swept;
            put_off = rc;
            continue;
        }
        if (fate == TPM_REFUSED)
            result = refused(&job, key, rc);
        else /* where time ran out with waiting, that is the reason */
            result = tpm_fail(token, job.call,
                late && tpm_rc_silent(rc) && put_off != TSS2_RC_SUCCESS ? put_off : rc, error);
        token->untidy = token->untidy || fate == TPM_LOST;
        /* after a failure nothing that was loaded is relied on */
        tpm_link_drop(token, !tpm_rc_silent(rc));
        if (fate != TPM_LOST || late || lost >= (tpm_rc_silent(rc) ? 1 : TPM_LOSSES_MAX))
            return result;
        lost++;
    }
}

int tpm_run(tpm_token *token, tpm_key *key, tpm_work work, void *context, cs_error *error)
{
    int rc = tpm_take(token, error);

    if (rc != CS_OK)
        return rc;
    rc = run(token, key, work, context, error);
    tpm_give(token);
    return rc;
}
