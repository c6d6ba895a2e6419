/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_PKCS11_OTHER_H
#define CHARTSEAL_TEST_PKCS11_OTHER_H

/* Somebody else who uses the token: sessions beside the backend's, through the same module. */

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <stdbool.h>

typedef struct other_user {
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
} other_user;

/* PIN or no PIN: with one, it is logged in, as all sessions of the process are then. */
other_user other_open(bool with_pin);
void other_close(other_user *o);

/* A P-256 pair labelled `label` with that id; `more` for the private half. */
void other_make_pair(const other_user *o, const char *label, CK_BYTE id, CK_ATTRIBUTE *more,
    CK_ULONG n, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key);
/* The one object of that class and label; 0 when there is none. */
CK_OBJECT_HANDLE other_find(const other_user *o, CK_OBJECT_CLASS class, const char *label);

#endif
