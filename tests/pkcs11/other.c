/* SPDX-License-Identifier: Apache-2.0 */
#include "other.h"

#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define MORE_MAX 8

other_user other_open(bool with_pin)
{
    other_user o = {.f = p11_kit_module_load(fixture_module(), 0)};
    CK_SLOT_ID slots[8];
    CK_ULONG count = 8;
    CK_UTF8CHAR pin[] = PIN;
    CK_RV rv;

    assert_non_null(o.f);
    assert_int_equal(p11_kit_module_initialize(o.f), CKR_OK);
    assert_int_equal(o.f->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    assert_int_equal(
        o.f->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &o.session),
        CKR_OK);
    if (with_pin) {
        rv = o.f->C_Login(o.session, CKU_USER, pin, sizeof pin - 1);
        assert_true(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
    }
    return o;
}

void other_close(other_user *o)
{
    assert_int_equal(o->f->C_CloseSession(o->session), CKR_OK);
    assert_int_equal(p11_kit_module_finalize(o->f), CKR_OK);
    p11_kit_module_release(o->f);
    *o = (other_user){0};
}

void other_make_pair(const other_user *o, const char *name, CK_BYTE id, CK_ATTRIBUTE *more,
    CK_ULONG n, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    char label[32];
    CK_ATTRIBUTE public_template[] = {{CKA_EC_PARAMS, p256, sizeof p256}, {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &no, 1}, {CKA_ID, &id, 1}, {CKA_LABEL, label, strlen(name)}};
    CK_ATTRIBUTE private_template[4 + MORE_MAX] = {{CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1},
        {CKA_ID, &id, 1}, {CKA_LABEL, label, strlen(name)}};

    (void)snprintf(label, sizeof label, "%s", name);
    assert_true(n <= MORE_MAX);
    for (CK_ULONG i = 0; i < n; i++)
        private_template[4 + i] = more[i];
    assert_int_equal(o->f->C_GenerateKeyPair(o->session, &mechanism, public_template, 5,
                         private_template, 4 + n, public_key, private_key),
        CKR_OK);
}

CK_OBJECT_HANDLE other_find(const other_user *o, CK_OBJECT_CLASS class, const char *name)
{
    char label[32];
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, label, strlen(name)}};
    CK_OBJECT_HANDLE found[2] = {0};
    CK_ULONG count = 0;

    (void)snprintf(label, sizeof label, "%s", name);
    assert_int_equal(o->f->C_FindObjectsInit(o->session, template, 2), CKR_OK);
    assert_int_equal(o->f->C_FindObjects(o->session, found, 2, &count), CKR_OK);
    assert_int_equal(o->f->C_FindObjectsFinal(o->session), CKR_OK);
    assert_true(count <= 1);
    return found[0];
}
