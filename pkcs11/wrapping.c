/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key that others are wrapped under. Only the security officer can mark it as trusted, and sees
 * public objects alone; only the user sees the keys to be wrapped, and the two are not logged in at
 * once. So it is a public session object: made by the officer, it outlives that login (a private
 * one would not), and ends with its session, which is held open here; the token never stores it.
 */
#include "p11.h"

#include <stdlib.h>
#include <string.h>

typedef struct wrapping_key {
    cs_wrapping_key base;
    p11_module *module;
    CK_SLOT_ID slot;
    p11_session session;
    CK_OBJECT_HANDLE object;
} wrapping_key;

/* The object ends with its session, which is closed where it is still this one: after a loss, the
 * handle may be another's. */
static void free_wrapping(cs_wrapping_key *base)
{
    wrapping_key *w = (wrapping_key *)base;

    if (w->session.handle != CK_INVALID_HANDLE)
        p11_session_close_for(w->module, w, &w->session);
    p11_module_put(w->module);
    free(w);
}

typedef struct making {
    wrapping_key *w;
    const uint8_t *key; /* CS_WRAPPING_KEY_SIZE */
    CK_RV rv;
} making;

static void create(void *context)
{
    making *m = context;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = {P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        {CKA_VALUE, p11_unconst(m->key), CS_WRAPPING_KEY_SIZE}, P11_ATTRIBUTE(CKA_TOKEN, &no),
        P11_ATTRIBUTE(CKA_PRIVATE, &no), P11_ATTRIBUTE(CKA_SENSITIVE, &yes),
        P11_ATTRIBUTE(CKA_EXTRACTABLE, &no), P11_ATTRIBUTE(CKA_TRUSTED, &yes),
        P11_ATTRIBUTE(CKA_WRAP, &yes), P11_ATTRIBUTE(CKA_UNWRAP, &no),
        P11_ATTRIBUTE(CKA_ENCRYPT, &no), P11_ATTRIBUTE(CKA_DECRYPT, &no)};

    m->rv = m->w->module->functions->C_CreateObject(
        m->w->session.handle, template, sizeof template / sizeof template[0], &m -> w -> object);
}

static int as_officer(wrapping_key *w, const p11_slot *slot, const cs_pin *pin,
    const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error)
{
    making m = {w, key, CKR_OK};
    CK_RV rv = p11_session_open_for(
        w->module, w->slot, w, CKF_SERIAL_SESSION | CKF_RW_SESSION, 0, &w->session);
    int rc = rv == CKR_OK ? p11_as_officer(slot, w->session.handle, pin, create, &m, error)
                          : p11_fail_module(w->module, "C_OpenSession", rv, error);

    if (rc == CS_OK && m.rv != CKR_OK)
        rc = CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "module %s takes no wrapping key from the security officer (C_CreateObject: %s, "
            "0x%lx); use the token's own cloning, or go without a backup",
            w->module->path, p11_rv_name(m.rv), m.rv);
    return rc;
}

int cs_pkcs11_wrapping_key(cs_wrapping_key **out, const char *uri, const cs_pin_source *so_pin,
    const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error)
{
    wrapping_key *w = calloc(1, sizeof *w);
    p11_slot slot;
    cs_pin pin = {0};
    int rc;

    if (w == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a wrapping key");
    rc = p11_token_find(&slot, uri, error);
    if (rc != CS_OK) {
        free(w);
        return rc;
    }
    w->base.free = free_wrapping;
    w->module = slot.module;
    w->slot = slot.id;
    rc = cs_pin_get(&pin, so_pin, "SO PIN", NULL, error);
    if (rc == CS_OK)
        rc = as_officer(w, &slot, &pin, key, error);
    cs_pin_free(&pin);
    if (rc == CS_OK)
        *out = &w->base;
    else
        free_wrapping(&w->base);
    return rc;
}

/* -- its one use ---------------------------------------------------------------------------------
 */

static int not_wrapped(p11_job *job, CK_RV rv)
{
    return CS_FAIL(job->error, CS_E_TOKEN_UNSUITABLE,
        "token %s does not wrap such a key (C_WrapKey: %s, 0x%lx): it can have no backup of this "
        "kind; use the token's own cloning, or go without",
        job->token->label, p11_rv_name(rv), rv);
}

CK_RV p11_wrap(p11_job *job, const cs_wrapping_key *with, CK_OBJECT_HANDLE object, cs_buf *out)
{
    const wrapping_key *w = (const wrapping_key *)with;
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    uint8_t wrapped[CS_WRAPPED_MAX];
    CK_ULONG n = sizeof wrapped;
    CK_RV rv;

    if (w->module != job->token->module || w->slot != job->token->slot) {
        job->rc = CS_FAIL(job->error, CS_E_USAGE, "the wrapping key is in another token than %s",
            job->token->label);
        return CKR_OK;
    }
    rv = P11(job, C_WrapKey, &mechanism, w->object, object, wrapped, &n);
    if (p11_rv_is_lost(rv))
        return rv;
    if (rv != CKR_OK || n == 0 || n > sizeof wrapped)
        job->rc = not_wrapped(job, rv);
    else
        job->rc = cs_buf_append(out, (cs_view){wrapped, n}, job->error);
    return CKR_OK;
}
