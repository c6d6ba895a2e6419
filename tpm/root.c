/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage root: the parent of every key file, the salt of every session, and by its Name, which
 * no other TPM has, the identity of this one. Its Name is written into the directory of key files
 * at the first use: whoever puts another TPM, or himself, in between later is found out.
 */
#include "tpm.h"

#include <stdio.h>
#include <string.h>

#define NAME_FILE "storage-root.name"

TSS2_RC tpm_root_read(tpm_job *job, bool *there)
{
    TSS2_RC rc = TPM(job, TR_FromTPMPublic, TPM_ROOT_HANDLE, ESYS_TR_NONE, ESYS_TR_NONE,
        ESYS_TR_NONE, &job->root);

    if (tpm_rc_base(rc) == TPM2_RC_INITIALIZE) { /* a simulator that nobody has started up yet */
        rc = TPM(job, Startup, TPM2_SU_CLEAR);
        if (rc == TSS2_RC_SUCCESS)
            rc = TPM(job, TR_FromTPMPublic, TPM_ROOT_HANDLE, ESYS_TR_NONE, ESYS_TR_NONE,
                ESYS_TR_NONE, &job->root);
    }
    *there = rc == TSS2_RC_SUCCESS;
    if (rc != TSS2_RC_SUCCESS)
        job->root = ESYS_TR_NONE;
    return tpm_rc_base(rc) == TPM2_RC_HANDLE ? TSS2_RC_SUCCESS : rc;
}

static TSS2_RC make_persistent(tpm_job *job, ESYS_TR object)
{
    ESYS_TR persistent = ESYS_TR_NONE;
    TSS2_RC rc = TPM(job, EvictControl, ESYS_TR_RH_OWNER, object, ESYS_TR_PASSWORD, ESYS_TR_NONE,
        ESYS_TR_NONE, TPM_ROOT_HANDLE, &persistent);

    if (rc == TSS2_RC_SUCCESS)
        (void)Esys_TR_Close(job->esys, &persistent);
    return rc;
}

/* With the owner authorisation empty, as it is where nobody took ownership. */
static TSS2_RC make_root(tpm_job *job)
{
    static const TPM2B_SENSITIVE_CREATE sensitive = {0};
    static const TPM2B_DATA outside = {0};
    static const TPML_PCR_SELECTION no_pcr = {0};
    const TPM2B_PUBLIC template = tpm_root_template();
    ESYS_TR object = ESYS_TR_NONE;
    TSS2_RC rc = TPM(job, CreatePrimary, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
        ESYS_TR_NONE, &sensitive, &template, &outside, &no_pcr, &object, NULL, NULL, NULL, NULL);

    if (rc == TSS2_RC_SUCCESS) {
        rc = make_persistent(job, object);
        (void)Esys_FlushContext(job->esys, object);
    }
    if (tpm_rc_fate(rc) == TPM_REFUSED || tpm_rc_base(rc) == TPM2_RC_HIERARCHY) {
        job->rc = CS_FAIL(job->error, CS_E_TOKEN,
            "the TPM has no storage root at 0x%08x, and making it wants the owner authorisation, "
            "which is not empty; let its owner make it (docs/deployment.md)",
            TPM_ROOT_HANDLE);
        return TSS2_RC_SUCCESS;
    }
    return rc;
}

static bool is_storage_root(const TPMT_PUBLIC *area)
{
    const TPMA_OBJECT needed = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
                               TPMA_OBJECT_USERWITHAUTH;
    const TPMT_SYM_DEF_OBJECT *symmetric = &area->parameters.eccDetail.symmetric;

    return tpm_public_is_p256(area) && area->nameAlg == TPM2_ALG_SHA256 &&
           (area->objectAttributes & needed) == needed && symmetric->algorithm == TPM2_ALG_AES &&
           symmetric->keyBits.aes == 128 && symmetric->mode.aes == TPM2_ALG_CFB;
}

static int check_remembered(const tpm_token *token, const TPM2B_NAME *name, cs_error *error)
{
    char path[TPM_PATH_MAX + sizeof NAME_FILE], hex[2 * sizeof name->name + 2];
    cs_buf kept = {0};
    cs_error why = {0};
    int rc;

    if (token->dir[0] == '\0')
        return CS_OK;
    (void)snprintf(path, sizeof path, "%s/" NAME_FILE, token->dir);
    cs_hex((cs_view){name->name, name->size}, hex);
    hex[2 * name->size] = '\n';
    hex[2 * name->size + 1] = '\0';
    rc = tpm_place_read(&kept, path, &why);
    if (rc == CS_E_KEY_MISSING) {
        rc = tpm_place_write(path, cs_view_str(hex), true, error);
        if (rc == CS_E_EXISTS) /* another process was first */
            rc = tpm_place_read(&kept, path, error);
        else
            goto out;
    } else if (rc != CS_OK) {
        rc = CS_FAIL(error, why.code, "%s", why.message);
    }
    if (rc == CS_OK && !cs_view_equal(cs_view_buf(&kept), cs_view_str(hex)))
        rc = CS_FAIL(error, CS_E_TOKEN,
            "this is not the TPM that %s is for: another storage root, or somebody in between; "
            "connect the right one, or begin with a new directory",
            token->dir);
out:
    cs_buf_free(&kept);
    return rc;
}

static int take_root(tpm_job *job, const TPM2B_PUBLIC *area, const TPM2B_NAME *told)
{
    tpm_token *token = job->token;
    TPM2B_NAME name = {0};
    char hex[2 * sizeof name.name + 1];
    int rc;

    if (!is_storage_root(&area->publicArea))
        return CS_FAIL(job->error, CS_E_TOKEN_UNSUITABLE,
            "what the TPM has at 0x%08x is no P-256 storage root; see docs/deployment.md",
            TPM_ROOT_HANDLE);
    rc = tpm_name_of(&name, area, job->error);
    if (rc == CS_OK && !tpm_name_equal(&name, told))
        rc = CS_FAIL(job->error, CS_E_TOKEN, "the TPM's storage root has not the name it says");
    if (rc == CS_OK && token->root_name.size > 0 && !tpm_name_equal(&name, &token->root_name))
        rc = CS_FAIL(job->error, CS_E_TOKEN_ABSENT,
            "the TPM (serial %s) was exchanged or cleared; connect the one of before",
            token->serial);
    if (rc == CS_OK && token->root_name.size == 0)
        rc = check_remembered(token, &name, job->error);
    if (rc == CS_OK)
        rc = tpm_point_get(token->root_point, &area->publicArea.unique.ecc, job->error);
    if (rc != CS_OK)
        return rc;
    token->root_name = name;
    cs_hex((cs_view){name.name + 2, (sizeof token->serial - 1) / 2}, hex);
    (void)snprintf(token->serial, sizeof token->serial, "%s", hex);
    return CS_OK;
}

TSS2_RC tpm_root_find(tpm_job *job)
{
    TPM2B_PUBLIC *area = NULL;
    TPM2B_NAME *name = NULL;
    bool there = false;
    TSS2_RC rc = tpm_root_read(job, &there);

    if (rc == TSS2_RC_SUCCESS && !there) {
        if (job->token->root_name.size > 0) {
            job->rc = CS_FAIL(job->error, CS_E_TOKEN_ABSENT,
                "the TPM's storage root (serial %s) is gone; was the TPM cleared?",
                job->token->serial);
            return rc;
        }
        rc = make_root(job);
        if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
            rc = tpm_root_read(job, &there);
    }
    if (rc != TSS2_RC_SUCCESS || job->rc != CS_OK)
        return rc;
    rc = TPM(
        job, ReadPublic, job->root, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area, &name, NULL);
    if (rc == TSS2_RC_SUCCESS)
        job->rc = take_root(job, area, name);
    Esys_Free(area);
    Esys_Free(name);
    return rc;
}
