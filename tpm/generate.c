/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <string.h>
#include <unistd.h>

int tpm_keep(const tpm_key *key, const char *path, bool fresh, cs_error *error)
{
    cs_buf pem = {0};
    int rc = tpm_keyfile_encode(&pem, &key->blob, error);

    if (rc == CS_OK)
        rc = tpm_place_write(path, cs_view_buf(&pem), fresh, error);
    cs_buf_free(&pem);
    return rc;
}

typedef struct generation {
    const char *path;
    TPM2B_PUBLIC template;
    tpm_key *key;
} generation;

static TSS2_RC create(tpm_job *job, generation *g)
{
    static const TPM2B_DATA outside = {0};
    static const TPML_PCR_SELECTION no_pcr = {0};
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    TPM2B_PRIVATE *private_part = NULL;
    TPM2B_PUBLIC *public_part = NULL;
    TSS2_RC rc;

    sensitive.sensitive.userAuth = tpm_auth_value(job->token);
    rc = TPM(job, Create, job->root, tpm_session(job, true, true), ESYS_TR_NONE, ESYS_TR_NONE,
        &sensitive, &g->template, &outside, &no_pcr, &private_part, &public_part, NULL, NULL, NULL);

    cs_wipe(&sensitive, sizeof sensitive);
    if (rc == TSS2_RC_SUCCESS)
        g->key->blob = (tpm_blob){
            .parent = TPM_ROOT_HANDLE, .public_part = *public_part, .private_part = *private_part};
    Esys_Free(public_part);
    Esys_Free(private_part);
    return rc;
}

static TSS2_RC generate_work(tpm_job *job, void *context)
{
    generation *g = context;
    TSS2_RC rc = tpm_auth_want(job, NULL);

    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        rc = create(job, g);
    if (rc != TSS2_RC_SUCCESS || job->rc != CS_OK)
        return rc;
    if (g->key->blob.public_part.publicArea.objectAttributes !=
        g->template.publicArea.objectAttributes)
        job->rc = CS_FAIL(job->error, CS_E_TOKEN,
            "the TPM (serial %s) made a key with other attributes than asked for",
            job->token->serial);
    if (job->rc == CS_OK)
        job->rc = tpm_key_adopt(g->key, g->path, false, job->error);
    if (job->rc == CS_OK)
        rc = tpm_link_load(job, g->key);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        job->rc = tpm_keep(g->key, g->path, true, job->error);
    return rc;
}

int tpm_generate(
    cs_token *base, cs_key **out, const char *label, cs_use use, cs_suite suite, cs_error *error)
{
    tpm_token *token = (tpm_token *)base;
    char path[TPM_PATH_MAX];
    generation g = {.path = path};
    int rc = tpm_key_template(&g.template, use, suite, error);

    if (rc == CS_OK)
        rc = tpm_place_of(path, token->dir, label, error);
    if (rc == CS_OK && access(path, F_OK) == 0)
        rc = CS_FAIL(error, CS_E_EXISTS,
            "%s is there already; take another label, or remove that key first", path);
    if (rc != CS_OK)
        return rc;
    g.key = tpm_key_new(token, use, suite, error);
    if (g.key == NULL)
        return CS_E_MEMORY;
    rc = tpm_run(token, NULL, generate_work, &g, error);
    if (rc == CS_OK)
        *out = &g.key->base;
    else
        tpm_key_ops.close(&g.key->base);
    return rc;
}
