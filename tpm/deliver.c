/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S_X of suite p256, imported: the issuer has wrapped it for the storage root (duplicate.h), the
 * TPM opens it inside, and gives it the token's authorisation value before its file is written. One
 * of suite ed25519 stays sealed to a decrypt key of this TPM: it has no such curve.
 */
#include "tpm.h"

#include <chartseal/duplicate.h>
#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

int tpm_delivery(cs_token *token, cs_suite suite, cs_delivery *out, cs_error *error)
{
    (void)token;
    (void)error;
    *out = suite == CS_SUITE_P256 ? CS_DELIVERY_DUPLICATED : CS_DELIVERY_SEALED;
    return CS_OK;
}

typedef struct delivery_key {
    cs_delivery_key base;
    tpm_token *token;
} delivery_key;

typedef struct import {
    const uint8_t *peer;
    cs_view wrapped;
    const cs_point *y;
    const char *path;
    tpm_key *key;
} import;

static int set_public(tpm_job *job, const import *i)
{
    uint8_t bytes[CS_DUPLICATE_PUBLIC_SIZE];
    TPM2B_PUBLIC *area = &i->key->blob.public_part;
    size_t at = 0;
    int rc = cs_duplicate_public(bytes, i->y, job->error);

    *area = (TPM2B_PUBLIC){0};
    if (rc == CS_OK && (Tss2_MU_TPMT_PUBLIC_Unmarshal(
                            bytes, sizeof bytes, &at, &area->publicArea) != TSS2_RC_SUCCESS ||
                           at != sizeof bytes))
        rc = CS_FAIL(job->error, CS_E_INTERNAL, "the TSS does not read our public area");
    return rc;
}

static int not_its_private_key(tpm_job *job)
{
    return CS_FAIL(job->error, CS_E_CREDENTIAL,
        "the key delivered to the TPM (serial %s) is not the private key of Y; register again",
        job->token->serial);
}

/* What the TPM says to a blob that was altered, or is for another root or another Y. */
static bool is_bad_blob(TSS2_RC rc)
{
    switch (tpm_rc_base(rc)) {
    case TPM2_RC_INTEGRITY:
    case TPM2_RC_VALUE:
    case TPM2_RC_SIZE:
    case TPM2_RC_INSUFFICIENT:
    case TPM2_RC_ECC_POINT:
    case TPM2_RC_KEY_SIZE:
    case TPM2_RC_KEY:
    case TPM2_RC_TYPE:
    case TPM2_RC_TAG &TPM2_RC_FMT1: /* the size inside is a random one under a wrong key */
        return true;
    default:
        return false;
    }
}

static TSS2_RC import_blob(tpm_job *job, const import *i)
{
    static const TPMT_SYM_DEF_OBJECT aes = {
        .algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};
    TPM2B_DATA once = {.size = CS_DUPLICATE_KEY_SIZE};
    TPM2B_PRIVATE duplicate = {.size = CS_DUPLICATE_BLOB_SIZE - CS_DUPLICATE_KEY_SIZE};
    TPM2B_ECC_POINT point = tpm_point_put(i->peer);
    TPM2B_ENCRYPTED_SECRET seed = {0};
    TPM2B_PRIVATE *imported = NULL;
    size_t n = 0;
    TSS2_RC rc = Tss2_MU_TPMS_ECC_POINT_Marshal(&point.point, seed.secret, sizeof seed.secret, &n);

    job->call = "Tss2_MU_TPMS_ECC_POINT_Marshal";
    seed.size = (UINT16)n;
    memcpy(once.buffer, i->wrapped.p, once.size);
    memcpy(duplicate.buffer, i->wrapped.p + once.size, duplicate.size);
    if (rc == TSS2_RC_SUCCESS)
        rc = TPM(job, Import, job->root, tpm_session(job, true, true), ESYS_TR_NONE, ESYS_TR_NONE,
            &once, &i->key->blob.public_part, &duplicate, &seed, &aes, &imported);
    cs_wipe(&once, sizeof once);
    cs_wipe(&duplicate, sizeof duplicate);
    if (rc == TSS2_RC_SUCCESS)
        i->key->blob.private_part = *imported;
    tpm_free(&imported, sizeof *imported);
    return rc;
}

static TSS2_RC load(tpm_job *job, const import *i, ESYS_TR *object)
{
    TSS2_RC rc = TPM(job, Load, job->root, tpm_session(job, true, true), ESYS_TR_NONE, ESYS_TR_NONE,
        &i->key->blob.private_part, &i->key->blob.public_part, object);

    if (rc != TSS2_RC_SUCCESS)
        *object = ESYS_TR_NONE;
    return rc;
}

/* From the empty authorisation value, with which it came, to the token's. */
static TSS2_RC change_auth(tpm_job *job, const import *i)
{
    ESYS_TR *object = &job->scratch[0];
    TPM2B_AUTH auth = tpm_auth_value(job->token);
    TPM2B_PRIVATE *changed = NULL;
    TSS2_RC rc = load(job, i, object);

    if (rc == TSS2_RC_SUCCESS)
        rc = TPM(job, ObjectChangeAuth, *object, job->root, tpm_session(job, true, true),
            ESYS_TR_NONE, ESYS_TR_NONE, &auth, &changed);
    cs_wipe(&auth, sizeof auth);
    if (rc == TSS2_RC_SUCCESS) {
        i->key->blob.private_part = *changed;
        rc = TPM(job, FlushContext, *object);
        *object = ESYS_TR_NONE;
    }
    tpm_free(&changed, sizeof *changed);
    return rc;
}

/* One multiplication each side with a fresh pair (k, Q = k·P): x of S·Q in the TPM, of k·Y here. */
static TSS2_RC acts_as(tpm_job *job, const import *i)
{
    ESYS_TR *object = &job->scratch[0];
    uint8_t *k = cs_secret_new(32);
    uint8_t q[65], there[32] = {0}, here[32] = {1};
    TPM2B_AUTH auth = tpm_auth_value(job->token);
    TSS2_RC rc = load(job, i, object);

    if (rc == TSS2_RC_SUCCESS)
        rc = TPM(job, TR_SetAuth, *object, &auth);
    cs_wipe(&auth, sizeof auth);
    if (rc == TSS2_RC_SUCCESS && k == NULL)
        job->rc = CS_FAIL(job->error, CS_E_MEMORY, "no guarded memory for a check of S_X");
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        job->rc = cs_p256_generate(k, q, job->error);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        job->rc = cs_p256_ecdh(here, k, cs_point_view(i->y), job->error);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        rc = tpm_zgen(job, *object, q, there);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK && memcmp(here, there, sizeof here) != 0)
        job->rc = not_its_private_key(job);
    cs_secret_free(&k);
    cs_wipe(here, sizeof here);
    cs_wipe(there, sizeof there);
    return rc;
}

static TSS2_RC import_work(tpm_job *job, void *context)
{
    import *i = context;
    TSS2_RC rc = tpm_auth_want(job, NULL);

    if (rc != TSS2_RC_SUCCESS || job->rc != CS_OK)
        return rc;
    i->key->blob = (tpm_blob){.parent = TPM_ROOT_HANDLE};
    job->rc = set_public(job, i);
    if (job->rc == CS_OK)
        job->rc = tpm_key_adopt(i->key, i->path, false, job->error);
    if (job->rc != CS_OK)
        return rc;
    rc = import_blob(job, i);
    if (rc == TSS2_RC_SUCCESS)
        rc = change_auth(job, i);
    if (tpm_rc_base(rc) == TPM2_RC_BINDING) { /* some TPMs look themselves */
        job->rc = not_its_private_key(job);
        return TSS2_RC_SUCCESS;
    }
    if (is_bad_blob(rc)) {
        job->rc = CS_FAIL(job->error, CS_E_DECRYPT,
            "the TPM (serial %s): %s: 0x%x; the wrapped S_X does not open, register again",
            job->token->serial, job->call, rc);
        return TSS2_RC_SUCCESS;
    }
    if (rc == TSS2_RC_SUCCESS)
        rc = acts_as(job, i);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        job->rc = tpm_keep(i->key, i->path, false, job->error);
    return rc;
}

static int unwrap(cs_delivery_key *base, cs_key **out, const char *label, const uint8_t peer[65],
    cs_view wrapped, const cs_point *y, cs_error *error)
{
    delivery_key *d = (delivery_key *)base;
    uint8_t point[65];
    char path[TPM_PATH_MAX];
import i = {.peer = point, .wrapped = wrapped, .y = y, .path = path };
    int rc;

    if (wrapped.n != CS_DUPLICATE_BLOB_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "an S_X for a TPM has %d bytes, not %zu",
            CS_DUPLICATE_BLOB_SIZE, wrapped.n);
    rc = cs_p256_uncompress(point, (cs_view){peer, 65}, error);
    if (rc == CS_OK)
        rc = tpm_place_of(path, d->token->dir, label, error);
    if (rc != CS_OK)
        return rc;
    i.key = tpm_key_new(d->token, CS_USE_SCALAR, CS_SUITE_P256, error);
    if (i.key == NULL)
        return CS_E_MEMORY;
    rc = tpm_run(d->token, NULL, import_work, &i, error);
    if (rc == CS_OK)
        *out = &i.key->base;
    else
        tpm_key_ops.close(&i.key->base);
    return rc;
}

static void free_delivery(cs_delivery_key *base)
{
    free(base);
}

/* The storage root's own key: it does nothing but open what is wrapped for it. */
int tpm_delivery_key(cs_token *base, cs_delivery_key **out, uint8_t public_key[65], cs_error *error)
{
    delivery_key *d = calloc(1, sizeof *d);

    if (d == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a delivery key");
    d->base.unwrap = unwrap;
    d->base.free = free_delivery;
    d->token = (tpm_token *)base;
    memcpy(public_key, d->token->root_point, 65);
    *out = &d->base;
    return CS_OK;
}
