/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The link itself is made on the way to any work. */
static TSS2_RC nothing(tpm_job *job, void *context)
{
    (void)job;
    (void)context;
    return TSS2_RC_SUCCESS;
}

static void close_token(cs_token *base)
{
    tpm_token *token = (tpm_token *)base;

    tpm_registry_remove(token);
    tpm_hold_end(token);
    tpm_auth_forget(token);
    cs_wipe(token, sizeof *token);
    free(token);
}

static const cs_token_ops token_ops = {
    .describe = tpm_describe,
    .open_key = tpm_key_open,
    .generate = tpm_generate,
    .destroy = tpm_key_destroy,
    .list_keys = tpm_key_list,
    .delivery = tpm_delivery,
    .delivery_key = tpm_delivery_key,
    .attestor = tpm_attestor_new,
    .close = close_token,
};

/* Key files are worth nothing without the TPM, but whoever could write there could put others in
 * their place. */
static int take_directory(tpm_token *token, const char *path, cs_error *error)
{
    struct stat status;
    char *absolute = realpath(path, NULL);
    int rc = CS_OK;

    if (absolute == NULL || stat(absolute, &status) != 0 || !S_ISDIR(status.st_mode))
        rc = CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "%s is no directory for TPM keys (%s); make one of mode 0700", path,
            absolute == NULL ? strerror(errno) : "not a directory");
    else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        rc = CS_FAIL(error, CS_E_USAGE, "%s can be written by others; run chmod 700 on it", path);
    else if (strlen(absolute) >= sizeof token->dir - CS_LABEL_MAX * 3 - 16)
        rc = CS_FAIL(error, CS_E_USAGE, "the path of %s is too long", path);
    else
        (void)snprintf(token->dir, sizeof token->dir, "%s", absolute);
    free(absolute);
    return rc;
}

/* The URI's, else that of the tools, else what the TSS takes by itself. */
static void take_tcti(tpm_token *token, const tpm_uri *uri)
{
    const char *configured = secure_getenv("TPM2TOOLS_TCTI");

    token->tcti_in_uri = uri->tcti[0] != '\0';
    (void)snprintf(token->tcti, sizeof token->tcti, "%s",
        token->tcti_in_uri   ? uri->tcti
        : configured == NULL ? ""
                             : configured);
    token->shared = strncmp(token->tcti, "tabrmd", 6) == 0 || strstr(token->tcti, "tpmrm") != NULL;
}

static tpm_token *new_token(const cs_token_options *options)
{
    tpm_token *token = calloc(1, sizeof *token);

    if (token == NULL)
        return NULL;
    token->base.ops = &token_ops;
    token->pin_source = options->pin;
    token->force_final_try = options->force_final_try;
    token->timeout_ms = options->timeout_ms == 0 ? TPM_TIMEOUT_MS : options->timeout_ms;
    token->link = (tpm_link){.root = ESYS_TR_NONE, .session = ESYS_TR_NONE};
    tpm_hold_init(token);
    return token;
}

static int open_uri(
    cs_token **out, const tpm_uri *uri, const cs_token_options *options, cs_error *error)
{
    static const cs_token_options defaults;
    tpm_token *token = new_token(options == NULL ? &defaults : options);
    int rc = CS_OK;

    if (token == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a token");
    take_tcti(token, uri);
    if (uri->kind == TPM_URI_DIR)
        rc = take_directory(token, uri->path, error);
    tpm_registry_add(token);
    if (rc == CS_OK)
        rc = tpm_run(token, NULL, nothing, NULL, error);
    if (rc == CS_OK)
        *out = &token->base;
    else
        close_token(&token->base);
    return rc;
}

int cs_tpm_token_open(
    cs_token **out, const char *text, const cs_token_options *options, cs_error *error)
{
    tpm_uri uri;
    int rc = tpm_uri_parse(&uri, text, error);

    *out = NULL;
    if (rc == CS_OK && uri.kind != TPM_URI_DIR)
        rc = CS_FAIL(
            error, CS_E_USAGE, "a TPM's URI names the directory of its key files: tpm2:dir=PATH");
    return rc == CS_OK ? open_uri(out, &uri, options, error) : rc;
}

int tpm_token_open_bare(cs_token **out, const char *text, cs_error *error)
{
    tpm_uri uri;
    int rc = tpm_uri_parse(&uri, text, error);

    *out = NULL;
    if (rc == CS_OK && uri.kind != TPM_URI_DIR && uri.kind != TPM_URI_ANY)
        rc = CS_FAIL(error, CS_E_USAGE, "tokens are listed by tpm2:?tcti=CONF");
    return rc == CS_OK ? open_uri(out, &uri, NULL, error) : rc;
}
