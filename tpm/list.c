/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM says of itself. */
#include "tpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROPERTIES 32 /* from TPM2_PT_FAMILY_INDICATOR on: manufacturer and vendor strings */

/* Four characters in a number; what is not printable becomes '?'. */
static void add_text(char *out, size_t size, UINT32 value)
{
    size_t used = strlen(out);

    for (int shift = 24; shift >= 0 && used + 1 < size; shift -= 8) {
        unsigned c = value >> shift & 0xff;

        if (c == 0)
            break;
        out[used++] = (char)(c >= ' ' && c < 0x7f ? c : '?');
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
}

static TSS2_RC read_maker(tpm_job *job, cs_token_info *out)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc = TPM(job, GetCapability, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
        TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FAMILY_INDICATOR, PROPERTIES, &more, &data);

    out->manufacturer[0] = '\0';
    out->model[0] = '\0';
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    for (UINT32 i = 0; i < data->data.tpmProperties.count && i < TPM2_MAX_TPM_PROPERTIES; i++) {
        const TPMS_TAGGED_PROPERTY *property = &data->data.tpmProperties.tpmProperty[i];

        if (property->property == TPM2_PT_MANUFACTURER)
            add_text(out->manufacturer, sizeof out->manufacturer, property->value);
        else if (property->property >= TPM2_PT_VENDOR_STRING_1 &&
                 property->property <= TPM2_PT_VENDOR_STRING_4)
            add_text(out->model, sizeof out->model, property->value);
    }
    Esys_Free(data);
    return rc;
}

static TSS2_RC describe_work(tpm_job *job, void *context)
{
    cs_token_info *out = context;
    tpm_tries tries = {0};
    TSS2_RC rc = read_maker(job, out);

    if (rc == TSS2_RC_SUCCESS)
        rc = tpm_tries_read(job, &tries);
    out->pin_count_low = tries.failed > 0;
    out->pin_final_try = tries.most > 0 && tries.failed > 0 && tries.failed + 1 == tries.most;
    out->pin_locked = tries.locked || (tries.most > 0 && tries.failed >= tries.most);
    return rc;
}

int tpm_describe(cs_token *base, cs_token_info *out, cs_error *error)
{
    tpm_token *token = (tpm_token *)base;
    const char *slash = strrchr(token->dir, '/');
    tpm_uri uri = {.kind = TPM_URI_DIR};
    int rc;

    *out = (cs_token_info){.login_required = true, .initialised = true};
    rc = tpm_run(token, NULL, describe_work, out, error);
    if (rc != CS_OK)
        return rc;
    (void)snprintf(out->label, sizeof out->label, "%s",
        slash == NULL || slash[1] == '\0' ? "TPM 2.0" : slash + 1);
    (void)snprintf(out->serial, sizeof out->serial, "%s", token->serial);
    (void)snprintf(out->module, sizeof out->module, "%s",
        token->tcti[0] == '\0' ? "the TSS default" : token->tcti);
    if (strlen(token->dir) >= sizeof uri.path)
        return CS_FAIL(error, CS_E_TOO_LARGE, "the path %s is too long for a URI", token->dir);
    (void)snprintf(uri.path, sizeof uri.path, "%s", token->dir[0] == '\0' ? "." : token->dir);
    if (token->tcti_in_uri)
        (void)snprintf(uri.tcti, sizeof uri.tcti, "%s", token->tcti);
    return tpm_uri_format(out->uri, &uri, error);
}

/* A TPM has no list of itself: there is the one that is configured. */
int cs_tpm_token_list(const char *uri, cs_token_visit_fn fn, void *context, cs_error *error)
{
    const char *configured = secure_getenv("TPM2TOOLS_TCTI");
    cs_token *token = NULL;
    cs_token_info info;
    int rc;

    if (uri == NULL && (configured == NULL || configured[0] == '\0'))
        return CS_OK;
    rc = tpm_token_open_bare(&token, uri == NULL ? "tpm2:" : uri, error);
    if (rc == CS_OK)
        rc = tpm_describe(token, &info, error);
    cs_token_close(&token);
    return rc == CS_OK ? fn(context, &info) : rc;
}
