/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authorisation value: the PIN, in guarded memory for as long as the token is open, because a
 * TPM asks for it at every use. One that was refused is remembered by a keyed digest and never sent
 * to that TPM for those keys again.
 */
#include "tpm.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

#define REFUSED_MAX 64 /* more than a TPM allows tries */
#define PROPERTIES 32  /* from TPM2_PT_PERMANENT on: those of the lockout are among them */

static pthread_mutex_t refused_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint8_t key[CS_HASH_SIZE];
    uint8_t digests[REFUSED_MAX][CS_HASH_SIZE];
    size_t count;
} refused;

void tpm_auth_after_fork(void)
{
    (void)pthread_mutex_init(&refused_lock, NULL);
}

TSS2_RC tpm_tries_read(tpm_job *job, tpm_tries *out)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc = TPM(job, GetCapability, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
        TPM2_CAP_TPM_PROPERTIES, TPM2_PT_PERMANENT, PROPERTIES, &more, &data);

    *out = (tpm_tries){0};
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    for (UINT32 i = 0; i < data->data.tpmProperties.count && i < TPM2_MAX_TPM_PROPERTIES; i++) {
        UINT32 value = data->data.tpmProperties.tpmProperty[i].value;

        switch (data->data.tpmProperties.tpmProperty[i].property) {
        case TPM2_PT_PERMANENT:
            out->locked = (value & TPMA_PERMANENT_INLOCKOUT) != 0;
            break;
        case TPM2_PT_LOCKOUT_COUNTER:
            out->failed = value;
            break;
        case TPM2_PT_MAX_AUTH_FAIL:
            out->most = value;
            break;
        case TPM2_PT_LOCKOUT_INTERVAL:
            out->interval_s = value;
            break;
        default:
            break;
        }
    }
    Esys_Free(data);
    return rc;
}

static int check_tries(const tpm_token *token, const tpm_tries *tries, cs_error *error)
{
    if (tries->locked || (tries->most > 0 && tries->failed >= tries->most))
        return CS_FAIL(error, CS_E_PIN_LOCKED,
            "the TPM (serial %s) is locked after %u wrong authorisations; one try comes back every "
            "%u s, or let its owner end it (tpm2_dictionarylockout -c)",
            token->serial, tries->failed, tries->interval_s);
    if (tries->most > 0 && tries->failed + 1 >= tries->most && tries->failed > 0 &&
        !token->force_final_try)
        return CS_FAIL(error, CS_E_PIN_FINAL_TRY,
            "the TPM (serial %s) has one try left, which is left alone; another comes back after "
            "%u s",
            token->serial, tries->interval_s);
    return CS_OK;
}

/* For this TPM and these keys; under a key that leaves with the process. Called with the lock. */
static int digest_of(const tpm_token *token, uint8_t out[CS_HASH_SIZE], cs_error *error)
{
    uint8_t key[CS_HASH_SIZE];
    int rc;

    if (refused.count == 0)
        cs_random(refused.key, sizeof refused.key);
    rc = cs_hmac(key, CS_VIEW_ARRAY(refused.key),
        (cs_view){token->root_name.name, token->root_name.size}, error);
    if (rc == CS_OK)
        rc = cs_hmac(key, CS_VIEW_ARRAY(key), cs_view_str(token->dir), error);
    if (rc == CS_OK)
        rc = cs_hmac(out, CS_VIEW_ARRAY(key), (cs_view){token->auth, token->auth_size}, error);
    cs_wipe(key, sizeof key);
    return rc;
}

static int check_not_refused(const tpm_token *token, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    bool again;
    int rc;

    (void)pthread_mutex_lock(&refused_lock);
    again = refused.count == REFUSED_MAX;
    rc = digest_of(token, digest, error);
    for (size_t i = 0; rc == CS_OK && i < refused.count; i++)
        again =
            again || cs_view_equal_secret(CS_VIEW_ARRAY(digest), CS_VIEW_ARRAY(refused.digests[i]));
    (void)pthread_mutex_unlock(&refused_lock);
    cs_wipe(digest, sizeof digest);
    if (rc == CS_OK && again)
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "the TPM (serial %s) has refused this PIN; it is not sent again, correct it",
            token->serial);
    return rc;
}

/* A PIN longer than an authorisation value can be is hashed to one. */
static int take_pin(tpm_token *token, const cs_pin *pin, cs_error *error)
{
    cs_view text = {(const uint8_t *)pin->text, pin->n};

    token->auth = cs_secret_new(TPM_AUTH_MAX);
    if (token->auth == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN; raise RLIMIT_MEMLOCK");
    token->auth_turn++;
    if (text.n > TPM_AUTH_MAX) {
        token->auth_size = TPM_AUTH_MAX;
        return cs_hash(token->auth, text, error);
    }
    memcpy(token->auth, text.p, text.n);
    token->auth_size = text.n;
    return CS_OK;
}

static int fetch(tpm_token *token, const tpm_tries *tries, cs_error *error)
{
    cs_pin pin = {0};
    char what[96], warning[48];
    int rc;

    (void)snprintf(what, sizeof what, "the TPM's keys (serial %s)", token->serial);
    (void)snprintf(warning, sizeof warning, "%u tries are left", tries->most - tries->failed);
    if (token->pin_source.kind == CS_PIN_PINENTRY)
        token->base.pin_prompts++;
    rc = cs_pin_get(&pin, &token->pin_source, what, tries->failed > 0 ? warning : NULL, error);
    if (rc == CS_OK)
        rc = take_pin(token, &pin, error);
    cs_pin_free(&pin);
    if (rc == CS_OK)
        rc = check_not_refused(token, error);
    if (rc != CS_OK)
        tpm_auth_forget(token);
    return rc;
}

/* The tries are looked at before a value is sent that this key is not known to take. */
TSS2_RC tpm_auth_want(tpm_job *job, const tpm_key *key)
{
    tpm_token *token = job->token;
    tpm_tries tries = {0};
    TSS2_RC rc = TSS2_RC_SUCCESS;

    if (key != NULL && key->blob.empty_auth)
        return rc;
    if (token->auth != NULL && (key == NULL || key->proved_turn == token->auth_turn))
        return rc;
    rc = tpm_tries_read(job, &tries);
    if (rc == TSS2_RC_SUCCESS && key != NULL)
        job->rc = check_tries(token, &tries, job->error);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK && token->auth == NULL)
        job->rc = fetch(token, &tries, job->error);
    return rc;
}

TPM2B_AUTH tpm_auth_value(const tpm_token *token)
{
    TPM2B_AUTH out = {.size = (UINT16)token->auth_size};

    if (token->auth != NULL)
        memcpy(out.buffer, token->auth, token->auth_size);
    return out;
}

void tpm_auth_forget(tpm_token *token)
{
    cs_secret_free(&token->auth);
    token->auth_size = 0;
}

int tpm_auth_refused(tpm_job *job, const tpm_key *key)
{
    tpm_token *token = job->token;
    const char *call = job->call;
    tpm_tries tries;

    (void)pthread_mutex_lock(&refused_lock);
    if (refused.count < REFUSED_MAX &&
        digest_of(token, refused.digests[refused.count], NULL) == CS_OK)
        refused.count++;
    (void)pthread_mutex_unlock(&refused_lock);
    tpm_auth_forget(token);
    if (tpm_tries_read(job, &tries) != TSS2_RC_SUCCESS || tries.most == 0)
        return CS_FAIL(job->error, CS_E_PIN_WRONG,
            "the TPM (serial %s) refused the PIN for key %s (%s); check it, it is not tried again",
            token->serial, key->base.info.label, call);
    return CS_FAIL(job->error, CS_E_PIN_WRONG,
        "the TPM (serial %s) refused the PIN for key %s (%s); check it, it is not tried again; %u "
        "of %u tries are left",
        token->serial, key->base.info.label, call,
        tries.failed < tries.most ? tries.most - tries.failed : 0, tries.most);
}
