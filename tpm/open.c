/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tpm_read_keyfile(tpm_blob *out, const char *path, cs_error *error)
{
    cs_buf pem = {0};
    int rc = tpm_place_read(&pem, path, error);

    if (rc == CS_OK) {
        rc = tpm_keyfile_decode(out, cs_view_buf(&pem), error);
        if (rc != CS_OK)
            (void)cs_error_context(error, "%s", path);
    }
    cs_buf_free(&pem);
    return rc;
}

/* With the session, whose answer nobody in between can make up. */
TSS2_RC tpm_read_persistent(tpm_job *job, TPM2_HANDLE handle, ESYS_TR *object, TPM2B_PUBLIC *out)
{
    TPM2B_PUBLIC *area = NULL;
    TSS2_RC rc = TPM(job, TR_FromTPMPublic, handle, tpm_session(job, false, true), ESYS_TR_NONE,
        ESYS_TR_NONE, object);

    if (tpm_rc_base(rc) == TPM2_RC_HANDLE) {
        job->rc = CS_FAIL(job->error, CS_E_KEY_MISSING,
            "the TPM (serial %s) has no key at handle 0x%08x", job->token->serial, handle);
        return TSS2_RC_SUCCESS;
    }
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = TPM(job, ReadPublic, *object, tpm_session(job, false, true), ESYS_TR_NONE, ESYS_TR_NONE,
        &area, NULL, NULL);
    if (rc == TSS2_RC_SUCCESS)
        *out = *area;
    else
        (void)Esys_TR_Close(job->esys, object);
    Esys_Free(area);
    return rc;
}

static TSS2_RC open_persistent(tpm_job *job, void *context)
{
    tpm_key *key = context;
    ESYS_TR object = ESYS_TR_NONE;
    TSS2_RC rc = tpm_read_persistent(job, key->handle, &object, &key->blob.public_part);

    if (rc != TSS2_RC_SUCCESS || job->rc != CS_OK)
        return rc;
    (void)Esys_TR_Close(job->esys, &object);
    job->rc = tpm_key_adopt(key, NULL, false, job->error);
    return rc;
}

/* That it loads shows that the file is this TPM's and whole. */
static TSS2_RC open_file(tpm_job *job, void *context)
{
    return tpm_link_load(job, context);
}

static int check_uri(const tpm_token *token, const tpm_uri *uri, cs_error *error)
{
    if (uri->kind != TPM_URI_FILE && uri->kind != TPM_URI_HANDLE)
        return CS_FAIL(
            error, CS_E_USAGE, "a TPM key is named by tpm2:file=PATH or tpm2:handle=0x81XXXXXX");
    if (uri->tcti[0] != '\0' && strcmp(uri->tcti, token->tcti) != 0)
        return CS_FAIL(error, CS_E_KEY_MISSING, "the key's URI names another TPM than the token's");
    return CS_OK;
}

static int open_in(tpm_key *key, const tpm_uri *uri, cs_error *error)
{
    char *path;
    int rc;

    key->persistent = uri->kind == TPM_URI_HANDLE;
    key->handle = uri->handle;
    if (key->persistent)
        return tpm_run(key->token, NULL, open_persistent, key, error);
    rc = tpm_read_keyfile(&key->blob, uri->path, error);
    if (rc != CS_OK)
        return rc;
    path = realpath(uri->path, NULL);
    rc = tpm_key_adopt(key, path == NULL ? uri->path : path, false, error);
    free(path);
    if (rc == CS_OK) {
        rc = tpm_run(key->token, NULL, open_file, key, error);
        if (rc != CS_OK)
            (void)cs_error_context(error, "key file %s", uri->path);
    }
    return rc;
}

int tpm_key_open(
    cs_token *base, cs_key **out, const char *text, cs_use use, cs_suite suite, cs_error *error)
{
    tpm_token *token = (tpm_token *)base;
    tpm_key *key = NULL;
    tpm_uri uri;
    int rc = tpm_uri_parse(&uri, text, error);

    if (rc == CS_OK)
        rc = check_uri(token, &uri, error);
    if (rc != CS_OK)
        return rc;
    key = tpm_key_new(token, use, suite, error);
    if (key == NULL)
        return CS_E_MEMORY;
    rc = open_in(key, &uri, error);
    if (rc == CS_OK)
        *out = &key->base;
    else
        tpm_key_ops.close(&key->base);
    return rc;
}
