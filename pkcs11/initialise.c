/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct making {
    unsigned char label[32]; /* blank-padded, as Cryptoki has it */
    cs_pin so_pin, pin;
} making;

static int refuse_label(void *context, const p11_slot *slot, cs_error *error)
{
    const making *m = context;

    if ((slot->info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
        memcmp(slot->info.label, m->label, sizeof m->label) == 0)
        return CS_FAIL(error, CS_E_EXISTS, "module %s has a token of that label; take another",
            slot->module->path);
    return CS_OK;
}

static int find_empty(void *context, const p11_slot *slot, cs_error *error)
{
    p11_slot *found = context;

    (void)error;
    if ((slot->info.flags & CKF_TOKEN_INITIALIZED) != 0)
        return 0;
    *found = *slot;
    return 1;
}

typedef struct relabelled {
    const making *m;
    p11_slot found;
} relabelled;

/* The slot's number may be another after C_InitToken. */
static int find_label(void *context, const p11_slot *slot, cs_error *error)
{
    relabelled *r = context;

    (void)error;
    if (memcmp(slot->info.label, r->m->label, sizeof r->m->label) != 0)
        return 0;
    r->found = *slot;
    return 1;
}

static int check_length(const p11_slot *slot, const cs_pin *pin, const char *what, cs_error *error)
{
    CK_ULONG most = slot->info.ulMaxPinLen, least = slot->info.ulMinPinLen;

    if ((most != 0 && most != CK_UNAVAILABLE_INFORMATION && pin->n > most) ||
        (least != CK_UNAVAILABLE_INFORMATION && pin->n < least))
        return CS_FAIL(error, CS_E_USAGE, "the %s has %zu bytes; this token takes %lu to %lu", what,
            pin->n, least, most);
    return CS_OK;
}

static int set_user_pin(const p11_slot *slot, const making *m, cs_error *error)
{
    CK_FUNCTION_LIST *f = slot->module->functions;
    CK_SESSION_HANDLE session;
    const char *call = "C_OpenSession";
    CK_RV rv =
        f->C_OpenSession(slot->id, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);

    if (rv != CKR_OK)
        return p11_fail_module(slot->module, call, rv, error);
    call = "C_Login (SO)";
    rv = f->C_Login(session, CKU_SO, (CK_UTF8CHAR *)m->so_pin.text, m->so_pin.n);
    if (rv == CKR_OK) {
        call = "C_InitPIN";
        rv = f->C_InitPIN(session, (CK_UTF8CHAR *)m->pin.text, m->pin.n);
        (void)f->C_Logout(session);
    }
    (void)f->C_CloseSession(session);
    return rv == CKR_OK ? CS_OK : p11_fail_module(slot->module, call, rv, error);
}

static int make_token(void *context, p11_module *module, cs_error *error)
{
    making *m = context;
    p11_slot empty = {0};
    relabelled made = {.m = m};
    CK_RV rv;
    int rc = p11_slot_each(module, refuse_label, m, error);

    if (rc != CS_OK)
        return rc;
    rc = p11_slot_each(module, find_empty, &empty, error);
    if (rc == 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "module %s has no slot with a token to be initialised", module->path);
    if (rc != 1)
        return rc;
    rc = check_length(&empty, &m->so_pin, "SO PIN", error);
    if (rc == CS_OK)
        rc = check_length(&empty, &m->pin, "PIN", error);
    if (rc != CS_OK)
        return rc;
    rv = module->functions->C_InitToken(
        empty.id, (CK_UTF8CHAR *)m->so_pin.text, m->so_pin.n, m->label);
    if (rv != CKR_OK)
        return p11_fail_module(module, "C_InitToken", rv, error);
    rc = p11_slot_each(module, find_label, &made, error);
    if (rc == 0)
        return CS_FAIL(
            error, CS_E_TOKEN, "module %s does not show the token it initialised", module->path);
    return rc == 1 ? set_user_pin(&made.found, m, error) : rc;
}

static int get_pin(cs_pin *out, const char *path, const char *what, cs_error *error)
{
    cs_pin_source source = {.kind = CS_PIN_FILE};

    if (path == NULL || strlen(path) >= sizeof source.path)
        return CS_FAIL(error, CS_E_USAGE, "the %s of a new token comes from a file", what);
    (void)snprintf(source.path, sizeof source.path, "%s", path);
    return cs_pin_get(out, &source, what, NULL, error);
}

int cs_pkcs11_token_initialise(const char *module, const char *label, const char *so_pin_file,
    const char *pin_file, cs_error *error)
{
    making m = {0};
    size_t n = label == NULL ? 0 : strlen(label);
    int rc;

    if (module == NULL)
        return CS_FAIL(error, CS_E_USAGE, "give the path of the PKCS#11 module of the new token");
    if (n == 0 || n > sizeof m.label)
        return CS_FAIL(error, CS_E_USAGE, "a token label has 1 to %zu bytes", sizeof m.label);
    memset(m.label, ' ', sizeof m.label);
    memcpy(m.label, label, n);
    rc = get_pin(&m.so_pin, so_pin_file, "SO PIN", error);
    if (rc == CS_OK)
        rc = get_pin(&m.pin, pin_file, "PIN", error);
    if (rc == CS_OK)
        rc = p11_module_each(module, make_token, &m, error);
    cs_pin_free(&m.so_pin);
    cs_pin_free(&m.pin);
    return rc;
}
