/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int p11_slot_each(p11_module *module, p11_slot_fn fn, void *context, cs_error *error)
{
    CK_FUNCTION_LIST *f = module->functions;
    CK_ULONG count = P11_SLOTS_MAX;
    CK_SLOT_ID *ids = calloc(P11_SLOTS_MAX, sizeof *ids);
    CK_RV rv;
    int rc = CS_OK;

    if (ids == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a list of slots");
    /* asked twice, as the standard has it: some modules renew the list at the first alone */
    rv = f->C_GetSlotList(CK_TRUE, NULL, &count);
    count = P11_SLOTS_MAX;
    if (rv == CKR_OK)
        rv = f->C_GetSlotList(CK_TRUE, ids, &count);
    if (rv != CKR_OK || count > P11_SLOTS_MAX) {
        count = 0;
        /* among the configured modules, one that fails must not hide the others */
        if (!module->configured)
            rc = p11_fail_module(
                module, "C_GetSlotList", rv == CKR_OK ? CKR_GENERAL_ERROR : rv, error);
    }
    for (CK_ULONG i = 0; rc == CS_OK && i < count; i++) {
        p11_slot slot = {.module = module, .id = ids[i]};

        /* a token taken out since the list was made is no reason to fail the others */
        if (f->C_GetTokenInfo(ids[i], &slot.info) == CKR_OK)
            rc = fn(context, &slot, error);
    }
    free(ids);
    return rc;
}

int p11_describe(
    const p11_module *module, const CK_TOKEN_INFO *info, cs_token_info *out, cs_error *error)
{
    *out = (cs_token_info){
        .login_required = (info->flags & CKF_LOGIN_REQUIRED) != 0,
        .initialised = (info->flags & CKF_TOKEN_INITIALIZED) != 0,
        .pin_count_low = (info->flags & CKF_USER_PIN_COUNT_LOW) != 0,
        .pin_final_try = (info->flags & CKF_USER_PIN_FINAL_TRY) != 0,
        .pin_locked = (info->flags & CKF_USER_PIN_LOCKED) != 0,
    };
    (void)p11_text(out->label, sizeof out->label, info->label, sizeof info->label);
    (void)p11_text(out->manufacturer, sizeof out->manufacturer, info->manufacturerID,
        sizeof info->manufacturerID);
    (void)p11_text(out->model, sizeof out->model, info->model, sizeof info->model);
    (void)p11_text(out->serial, sizeof out->serial, info->serialNumber, sizeof info->serialNumber);
    (void)snprintf(out->module, sizeof out->module, "%s", module->path);
    (void)snprintf(out->hardware, sizeof out->hardware, "%u.%u", info->hardwareVersion.major,
        info->hardwareVersion.minor);
    (void)snprintf(out->firmware, sizeof out->firmware, "%u.%u", info->firmwareVersion.major,
        info->firmwareVersion.minor);
    return p11_uri_format(out->uri, module->path, info, NULL, error);
}

typedef struct visit {
    cs_token_visit_fn fn;
    void *context;
} visit;

static int visit_slot(void *context, const p11_slot *slot, cs_error *error)
{
    visit *v = context;
    cs_token_info info;
    int rc = p11_describe(slot->module, &slot->info, &info, error);

    return rc == CS_OK ? v->fn(v->context, &info) : rc;
}

static int visit_module(void *context, p11_module *module, cs_error *error)
{
    return p11_slot_each(module, visit_slot, context, error);
}

int cs_pkcs11_token_list(const char *module, cs_token_visit_fn fn, void *context, cs_error *error)
{
    visit v = {fn, context};
    int rc;

    p11_scan_begin();
    rc = p11_module_each(module, visit_module, &v, error);
    p11_scan_end();
    return rc;
}

bool p11_is_token(const p11_token *token, const CK_TOKEN_INFO *info)
{
    return memcmp(info->label, token->info.label, sizeof info->label) == 0 &&
           memcmp(info->serialNumber, token->info.serialNumber, sizeof info->serialNumber) == 0;
}
