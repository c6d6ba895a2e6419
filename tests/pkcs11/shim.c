/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module that passes calls on to SoftHSM, and fails where its script says. */
#include "shim_script.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_FUNCTION_LIST list;
static CK_FUNCTION_LIST *real;
static CK_SLOT_ID last_slot;

/* The rules that hold for every call; true when the call is not to be made. */
static bool stopped(const char *call, shim_orders *orders)
{
    *orders = shim_enter(call);
    if (orders->drop)
        (void)real->C_CloseAllSessions(last_slot);
    return orders->fail;
}

#define PASS(name, ...)                                                                            \
    do {                                                                                           \
        shim_orders orders;                                                                        \
        return stopped(#name, &orders) ? orders.rv : real->name(__VA_ARGS__);                      \
    } while (0)

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    shim_orders orders;
    CK_RV rv;

    if (stopped("C_GetTokenInfo", &orders))
        return orders.rv;
    rv = real->C_GetTokenInfo(slot, info);
    if (rv != CKR_OK)
        return rv;
    info->flags |= orders.flags;
    if (orders.set_sessions) {
        info->ulMaxSessionCount = orders.sessions;
        info->ulMaxRwSessionCount = orders.sessions;
    }
    if (orders.set_serial) {
        char text[sizeof info->serialNumber + 1];

        (void)snprintf(text, sizeof text, "%-16lu", orders.serial);
        memcpy(info->serialNumber, text, sizeof info->serialNumber);
    }
    return rv;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
    PASS(C_GetSlotList, present, slots, count);
}

static CK_RV init_token(CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG n, CK_UTF8CHAR *label)
{
    PASS(C_InitToken, slot, pin, n, label);
}

static CK_RV init_pin(CK_SESSION_HANDLE session, CK_UTF8CHAR *pin, CK_ULONG n)
{
    PASS(C_InitPIN, session, pin, n);
}

static CK_RV open_session(
    CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *out)
{
    last_slot = slot;
    PASS(C_OpenSession, slot, flags, application, notify, out);
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    PASS(C_CloseSession, session);
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG n)
{
    char *entered = getenv("CS_SHIM_PAD_PIN");
    shim_orders orders;

    if (stopped("C_Login", &orders))
        return orders.rv;
    if (!orders.pad)
        return real->C_Login(session, user, pin, n);
    if (pin != NULL)
        shim_note("C_Login with a PIN");
    if (entered == NULL)
        return CKR_FUNCTION_CANCELED;
    return real->C_Login(session, user, (CK_UTF8CHAR *)entered, strlen(entered));
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    PASS(C_SignInit, session, mechanism, key);
}

static CK_RV sign(
    CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG n, CK_BYTE *out, CK_ULONG *out_n)
{
    shim_orders orders;
    CK_RV rv;

    if (stopped("C_Sign", &orders))
        return orders.rv;
    rv = real->C_Sign(session, data, n, out, out_n);
    if (rv == CKR_OK && orders.shorten)
        *out_n = orders.length;
    if (rv == CKR_OK && orders.alter)
        out[*out_n - 1] ^= 1;
    return rv;
}

static CK_RV derive_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
    CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    PASS(C_DeriveKey, session, mechanism, base, template, n, out);
}

static CK_RV get_attribute_value(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG n)
{
    shim_orders orders;
    CK_RV rv;

    if (stopped("C_GetAttributeValue", &orders))
        return orders.rv;
    if (orders.hide && n == 1 && template[0].type == orders.hidden) {
        template[0].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    rv = real->C_GetAttributeValue(session, object, template, n);
    if (rv == CKR_OK && orders.shorten)
        template[0].ulValueLen = orders.length;
    return rv;
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    PASS(C_DestroyObject, session, object);
}

static CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n)
{
    CK_ATTRIBUTE fewer[16];
    CK_ULONG left = 0;
    shim_orders orders;

    if (stopped("C_FindObjectsInit", &orders))
        return orders.rv;
    for (CK_ULONG i = 0; i < n && i < sizeof fewer / sizeof fewer[0]; i++) {
        if (!orders.loose || template[i].type != orders.hidden)
            fewer[left++] = template[i];
    }
    return real->C_FindObjectsInit(session, fewer, left);
}

static CK_RV find_objects(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *out, CK_ULONG most, CK_ULONG *count)
{
    PASS(C_FindObjects, session, out, most, count);
}

static CK_RV get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    PASS(C_GetSessionInfo, session, info);
}

static CK_RV logout(CK_SESSION_HANDLE session)
{
    PASS(C_Logout, session);
}

static CK_RV set_attribute_value(
    CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG n)
{
    PASS(C_SetAttributeValue, session, object, template, n);
}

/* The object's handle, and nothing of its key. */
static CK_RV wrap_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
    CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_n)
{
    shim_orders orders;

    if (stopped("C_WrapKey", &orders))
        return orders.rv;
    if (!orders.fake)
        return real->C_WrapKey(session, mechanism, with, key, out, out_n);
    if (*out_n < sizeof key)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(out, &key, sizeof key);
    *out_n = sizeof key;
    return CKR_OK;
}

/* A copy takes the name and the id alone: of the rest, SoftHSM lets nothing be said again. */
static CK_RV unwrap_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
    CK_BYTE *wrapped, CK_ULONG wrapped_n, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    CK_ATTRIBUTE few[2];
    CK_OBJECT_HANDLE from;
    CK_ULONG count = 0;
    shim_orders orders;

    if (stopped("C_UnwrapKey", &orders))
        return orders.rv;
    if (!orders.fake)
        return real->C_UnwrapKey(session, mechanism, key, wrapped, wrapped_n, template, n, out);
    if (wrapped_n != sizeof from)
        return CKR_WRAPPED_KEY_LEN_RANGE;
    memcpy(&from, wrapped, sizeof from);
    for (CK_ULONG i = 0; i < n && count < 2; i++) {
        if (template[i].type == CKA_LABEL || template[i].type == CKA_ID)
            few[count++] = template[i];
    }
    return real->C_CopyObject(session, from, few, count, out);
}

static CK_RV generate_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
    CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    PASS(C_GenerateKey, session, mechanism, template, n, out);
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
    CK_ATTRIBUTE *public_template, CK_ULONG public_n, CK_ATTRIBUTE *private_template,
    CK_ULONG private_n, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    PASS(C_GenerateKeyPair, session, mechanism, public_template, public_n, private_template,
        private_n, public_key, private_key);
}

static CK_RV create_object(
    CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    PASS(C_CreateObject, session, template, n, out);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    static void *library; /* for as long as the process lives */
    void *symbol;
    CK_C_GetFunctionList get;

    if (library == NULL)
        library = dlopen(CS_SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
    symbol = library == NULL ? NULL : dlsym(library, "C_GetFunctionList");
    if (symbol == NULL)
        return CKR_GENERAL_ERROR;
    *(void **)&get = symbol;
    if (get(&real) != CKR_OK)
        return CKR_GENERAL_ERROR;
    list = *real;
    list.C_GetFunctionList = C_GetFunctionList;
    list.C_GetTokenInfo = get_token_info;
    list.C_GetSlotList = get_slot_list;
    list.C_InitToken = init_token;
    list.C_InitPIN = init_pin;
    list.C_OpenSession = open_session;
    list.C_CloseSession = close_session;
    list.C_Login = login;
    list.C_SignInit = sign_init;
    list.C_Sign = sign;
    list.C_DeriveKey = derive_key;
    list.C_GetAttributeValue = get_attribute_value;
    list.C_DestroyObject = destroy_object;
    list.C_FindObjectsInit = find_objects_init;
    list.C_FindObjects = find_objects;
    list.C_GetSessionInfo = get_session_info;
    list.C_Logout = logout;
    list.C_SetAttributeValue = set_attribute_value;
    list.C_UnwrapKey = unwrap_key;
    list.C_WrapKey = wrap_key;
    list.C_GenerateKey = generate_key;
    list.C_GenerateKeyPair = generate_key_pair;
    list.C_CreateObject = create_object;
    *out = &list;
    return CKR_OK;
}
