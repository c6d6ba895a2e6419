/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation key and its statements: TPM2_Certify over a key, with what the statement is made
 * for as qualifying data. The key is made for one attestor, under the storage root, so that no
 * hierarchy's authorisation is needed, and that nobody knows one registration of a TPM by another's
 * key.
 */
#include "tpm.h"

#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

static TSS2_RC create_work(tpm_job *job, void *context)
{
    static const TPM2B_SENSITIVE_CREATE no_auth;
    static const TPM2B_DATA outside;
    static const TPML_PCR_SELECTION no_pcr;
    tpm_attestor *a = context;
    const TPM2B_PUBLIC template = tpm_attestation_template();
    TPM2B_PRIVATE *private_part = NULL;
    TPM2B_PUBLIC *public_part = NULL;
    TSS2_RC rc =
        TPM(job, Create, job->root, tpm_session(job, true, true), ESYS_TR_NONE, ESYS_TR_NONE,
            &no_auth, &template, &outside, &no_pcr, &private_part, &public_part, NULL, NULL, NULL);

    if (rc == TSS2_RC_SUCCESS)
        a->key = (tpm_blob){.empty_auth = true,
            .parent = TPM_ROOT_HANDLE,
            .public_part = *public_part,
            .private_part = *private_part};
    Esys_Free(public_part);
    tpm_free(&private_part, sizeof *private_part);
    return rc;
}

TSS2_RC tpm_attestor_load(tpm_job *job, const tpm_attestor *a, ESYS_TR *object)
{
    TSS2_RC rc = TPM(job, Load, job->root, tpm_session(job, true, true), ESYS_TR_NONE, ESYS_TR_NONE,
        &a->key.private_part, &a->key.public_part, object);

    if (rc != TSS2_RC_SUCCESS)
        *object = ESYS_TR_NONE;
    return rc;
}

static int put_area(
    uint8_t out[CS_TPM_PUBLIC_MAX], size_t *size, const TPMT_PUBLIC *area, cs_error *error)
{
    *size = 0;
    if (Tss2_MU_TPMT_PUBLIC_Marshal(area, out, CS_TPM_PUBLIC_MAX, size) != TSS2_RC_SUCCESS)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the public area of a TPM key is over %d bytes; no statement about it is made",
            CS_TPM_PUBLIC_MAX);
    return CS_OK;
}

/* -- statements */

typedef struct certification {
    const tpm_attestor *attestor;
    const uint8_t *qualifying;
    const tpm_key *key; /* NULL: the storage root */
    cs_statement_of_key *out;
} certification;

static int take_signature(tpm_job *job, uint8_t out[64], const TPMT_SIGNATURE *signature)
{
    const TPMS_SIGNATURE_ECC *ecc = &signature->signature.ecdsa;
    int rc;

    if (signature->sigAlg != TPM2_ALG_ECDSA || ecc->hash != TPM2_ALG_SHA256)
        return CS_FAIL(job->error, CS_E_TOKEN,
            "the TPM (serial %s) signed a statement with another scheme than the key's",
            job->token->serial);
    rc = tpm_pad(out, &ecc->signatureR, job->error);
    return rc == CS_OK ? tpm_pad(out + 32, &ecc->signatureS, job->error) : rc;
}

static int take_statement(
    tpm_job *job, const certification *c, const TPM2B_ATTEST *attest, const TPMT_SIGNATURE *by)
{
    if (attest->size != sizeof c->out->attest)
        return CS_FAIL(job->error, CS_E_TOKEN,
            "the TPM (serial %s) made a statement of %u bytes, not %zu", job->token->serial,
            attest->size, sizeof c->out->attest);
    memcpy(c->out->attest, attest->attestationData, sizeof c->out->attest);
    return take_signature(job, c->out->signature, by);
}

/* What is certified is used with its owner's authorisation, by the session; the AK with none. */
static TSS2_RC certify_work(tpm_job *job, void *context)
{
    static const TPMT_SIG_SCHEME of_the_key = {.scheme = TPM2_ALG_NULL};
    const certification *c = context;
    TPM2B_DATA qualifying = {.size = CS_HASH_SIZE};
    TPM2B_ATTEST *attest = NULL;
    TPMT_SIGNATURE *signature = NULL;
    TSS2_RC rc = tpm_attestor_load(job, c->attestor, &job->scratch[0]);

    memcpy(qualifying.buffer, c->qualifying, CS_HASH_SIZE);
    if (rc == TSS2_RC_SUCCESS)
        rc = TPM(job, Certify, c->key == NULL ? job->root : job->object, job->scratch[0],
            tpm_session(job, true, true), ESYS_TR_PASSWORD, ESYS_TR_NONE, &qualifying, &of_the_key,
            &attest, &signature);
    if (rc == TSS2_RC_SUCCESS)
        job->rc = take_statement(job, c, attest, signature);
    Esys_Free(attest);
    Esys_Free(signature);
    return rc;
}

/* The storage root is known by its Name alone; its public area is asked for. */
static TSS2_RC read_root_work(tpm_job *job, void *context)
{
    certification *c = context;
    TPM2B_PUBLIC *area = NULL;
    TPM2B_NAME name = {0};
    TSS2_RC rc = TPM(job, ReadPublic, job->root, tpm_session(job, false, true), ESYS_TR_NONE,
        ESYS_TR_NONE, &area, NULL, NULL);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    job->rc = tpm_name_of(&name, area, job->error);
    if (job->rc == CS_OK && !tpm_name_equal(&name, &job->token->root_name))
        job->rc = CS_FAIL(job->error, CS_E_TOKEN, "the TPM's storage root is another one now");
    if (job->rc == CS_OK)
        job->rc = put_area(c->out->area, &c->out->area_size, &area->publicArea, job->error);
    Esys_Free(area);
    return job->rc == CS_OK ? certify_work(job, context) : rc;
}

static int certify(cs_attestor *base, cs_key *key_base, const uint8_t qualifying[32],
    cs_statement_of_key *out, cs_error *error)
{
    tpm_attestor *a = (tpm_attestor *)base;
    tpm_key *key = (tpm_key *)key_base;
    certification c = {a, qualifying, key, out};
    int rc;

    memset(out, 0, sizeof *out);
    if (key == NULL)
        return tpm_run(a->token, NULL, read_root_work, &c, error);
    if (key_base->ops != &tpm_key_ops || key->token != a->token)
        return CS_FAIL(error, CS_E_USAGE, "key %s is in another token than the one that attests",
            key_base->info.label);
    rc = put_area(out->area, &out->area_size, &key->blob.public_part.publicArea, error);
    return rc == CS_OK ? tpm_run(a->token, key, certify_work, &c, error) : rc;
}

/* -- the attestor */

static void free_attestor(cs_attestor *base)
{
    cs_wipe(base, sizeof(tpm_attestor));
    free(base);
}

int tpm_attestor_new(cs_token *base, cs_attestor **out, cs_error *error)
{
    tpm_attestor *a = calloc(1, sizeof *a);
    int rc;

    if (a == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for an attestation key");
    a->base.certify = certify;
    a->base.activate = tpm_activate;
    a->base.free = free_attestor;
    a->token = (tpm_token *)base;
    rc = tpm_run(a->token, NULL, create_work, a, error);
    if (rc == CS_OK)
        rc = tpm_name_of(&a->name, &a->key.public_part, error);
    if (rc == CS_OK)
        rc = put_area(
            a->base.info.area, &a->base.info.area_size, &a->key.public_part.publicArea, error);
    if (rc == CS_OK)
        rc = tpm_endorsement_find(a, error);
    if (rc == CS_OK)
        *out = &a->base;
    else
        free_attestor(&a->base);
    return rc;
}
