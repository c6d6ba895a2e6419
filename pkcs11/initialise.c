/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct making {
    unsigned char label[32]; /* blank-padded, as Cryptoki has it */
    cs_pin so_pin, pin;
    bool again;               /* a token of that label is one that was begun */
    cs_token_vacancy vacancy; /* for cs_token_find_vacancy */
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

/* What a token does not say is no limit. */
static cs_token_vacancy limits_of(const p11_slot *slot)
{
    CK_ULONG most = slot->info.ulMaxPinLen, least = slot->info.ulMinPinLen;

    return (cs_token_vacancy){
        .pin_least = least == CK_UNAVAILABLE_INFORMATION ? 0 : least,
        .pin_most = most == 0 || most > CS_PIN_MAX ? CS_PIN_MAX : most,
    };
}

static int check_length(const p11_slot *slot, const cs_pin *pin, const char *what, cs_error *error)
{
    cs_token_vacancy limits = limits_of(slot);

    if (pin->n > limits.pin_most || pin->n < limits.pin_least)
        return CS_FAIL(error, CS_E_USAGE, "the %s has %zu bytes; this token takes %zu to %zu", what,
            pin->n, limits.pin_least, limits.pin_most);
    return CS_OK;
}

/* A token whose PINs are entered at its reader takes none from a file. */
static int check_pad(const p11_slot *slot, cs_error *error)
{
    if ((slot->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the PINs of the token in slot %lu of module %s are set at its reader's own pad; make "
            "it with the maker's tool",
            slot->id, slot->module->path);
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
    if (rv == CKR_PIN_INCORRECT && m->again) {
        (void)f->C_CloseSession(session);
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "the token of that label in module %s has another SO PIN: it was made by somebody "
            "else; take another label",
            slot->module->path);
    }
    if (rv == CKR_OK) {
        call = "C_InitPIN";
        rv = f->C_InitPIN(session, (CK_UTF8CHAR *)m->pin.text, m->pin.n);
        (void)f->C_Logout(session);
    }
    (void)f->C_CloseSession(session);
    return rv == CKR_OK ? CS_OK : p11_fail_module(slot->module, call, rv, error);
}

/* The slot that C_InitToken would be for. */
static int find_place(p11_slot *empty, const making *m, p11_module *module, cs_error *error)
{
    making copy = *m;
    int rc = p11_slot_each(module, refuse_label, &copy, error);

    if (rc != CS_OK)
        return rc;
    rc = p11_slot_each(module, find_empty, empty, error);
    if (rc == 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "module %s has no slot with a token to be initialised", module->path);
    return rc == 1 ? CS_OK : rc;
}

static int look_for_place(void *context, p11_module *module, cs_error *error)
{
    making *m = context;
    p11_slot empty = {0};
    int rc = find_place(&empty, m, module, error);

    if (rc == CS_OK)
        m->vacancy = limits_of(&empty);
    return rc;
}

/* *found: C_InitToken has been done for that label; then the user's PIN is all that can lack. */
static int finish_token(const making *m, p11_module *module, bool *found, cs_error *error)
{
    relabelled begun = {.m = m};
    int rc = p11_slot_each(module, find_label, &begun, error);

    *found = rc == 1;
    if (rc == 1)
        rc = (begun.found.info.flags & CKF_USER_PIN_INITIALIZED) != 0
                 ? CS_OK
                 : set_user_pin(&begun.found, m, error);
    return rc;
}

static int make_token(void *context, p11_module *module, cs_error *error)
{
    making *m = context;
    p11_slot empty = {0};
    relabelled made = {.m = m};
    bool found = false;
    CK_RV rv;
    int rc = m->again ? finish_token(m, module, &found, error) : CS_OK;

    if (rc != CS_OK || found)
        return rc;
    rc = find_place(&empty, m, module, error);
    if (rc != CS_OK)
        return rc;
    rc = check_pad(&empty, error);
    if (rc == CS_OK)
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

static int take_label(making *m, const char *module, const char *label, cs_error *error)
{
    size_t n = label == NULL ? 0 : strlen(label);

    if (module == NULL)
        return CS_FAIL(error, CS_E_USAGE, "give the path of the PKCS#11 module of the new token");
    if (n == 0 || n > sizeof m->label)
        return CS_FAIL(error, CS_E_USAGE, "a token label has 1 to %zu bytes", sizeof m->label);
    memset(m->label, ' ', sizeof m->label);
    memcpy(m->label, label, n);
    return CS_OK;
}

int cs_pkcs11_token_find_vacancy(
    cs_token_vacancy *out, const char *module, const char *label, cs_error *error)
{
    making m = {0};
    int rc = take_label(&m, module, label, error);

    if (rc == CS_OK)
        rc = p11_module_each(module, look_for_place, &m, error);
    *out = m.vacancy;
    return rc;
}

int cs_pkcs11_token_initialise(const char *module, const char *label, const cs_pin_source *so_pin,
    const cs_pin_source *pin, bool again, cs_error *error)
{
    making m = {.again = again};
    int rc = take_label(&m, module, label, error);

    if (rc == CS_OK)
        rc = cs_pin_get(&m.so_pin, so_pin, "SO PIN", NULL, error);
    if (rc == CS_OK)
        rc = cs_pin_get(&m.pin, pin, "PIN", NULL, error);
    if (rc == CS_OK)
        rc = p11_module_each(module, make_token, &m, error);
    cs_pin_free(&m.so_pin);
    cs_pin_free(&m.pin);
    return rc;
}
