/* SPDX-License-Identifier: Apache-2.0 */
/* S_X of suite ed25519, imported as the X25519 key k = S + tL. */
#include "p11.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_RV create(p11_job *job, const uint8_t k[CS_X25519_SIZE], const char *label, cs_view id,
    bool token, unsigned form, CK_OBJECT_HANDLE *out)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC_EDWARDS; /* where SoftHSM has X25519, too */
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE, on_token = token ? CK_TRUE : CK_FALSE;
    cs_view params = p11_curve_params(P11_CURVE_X25519, form);
    uint8_t curve[16], own_id[P11_ID_MAX];
    char text[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE template[] = {{CKA_LABEL, text, strlen(label)}, {CKA_ID, own_id, id.n},
        {CKA_EC_PARAMS, curve, params.n}, {CKA_VALUE, p11_unconst(k), CS_X25519_SIZE},
        P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        P11_ATTRIBUTE(CKA_TOKEN, &on_token), P11_ATTRIBUTE(CKA_PRIVATE, &yes),
        P11_ATTRIBUTE(CKA_SENSITIVE, &yes), P11_ATTRIBUTE(CKA_EXTRACTABLE, &no),
        P11_ATTRIBUTE(CKA_DERIVE, &yes), P11_ATTRIBUTE(CKA_SIGN, &no),
        P11_ATTRIBUTE(CKA_DECRYPT, &no), P11_ATTRIBUTE(CKA_UNWRAP, &no)};

    (void)snprintf(text, sizeof text, "%s", label);
    memcpy(curve, params.p, params.n);
    if (id.n > 0)
        memcpy(own_id, id.p, id.n);
    return P11(job, C_CreateObject, template, sizeof template / sizeof template[0], out);
}

CK_RV p11_create_x25519(p11_job *job, const uint8_t k[CS_X25519_SIZE], const char *label,
    cs_view id, bool token, CK_OBJECT_HANDLE *out)
{
    CK_RV rv = create(job, k, label, id, token, 0, out);

    if (rv != CKR_OK && !p11_rv_is_lost(rv))
        rv = create(job, k, label, id, token, 1, out);
    return rv;
}

typedef struct import {
    const char *label;
    const uint8_t *k;
    const cs_point *y;
    p11_key *key;
} import;

static CK_RV import_work(p11_job *job, void *context)
{
    import *i = context;
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    uint8_t id[P11_OWN_ID_SIZE];
    CK_RV rv;

    job->rc = p11_own_id(id, cs_point_view(i->y), job->error);
    if (job->rc != CS_OK)
        return CKR_OK;
    job->committed = true; /* lost on the way, it may have been made: not done twice */
    rv = p11_create_x25519(job, i->k, i->label, CS_VIEW_ARRAY(id), true, &object);
    if (rv != CKR_OK)
        return rv;
    return p11_settle_scalar(job, object, i->label, i->y, i->key);
}

int p11_import_lifted(cs_token *base, cs_key **out, const char *label, const cs_scalar *s,
    const cs_point *y, cs_error *error)
{
    p11_token *token = (p11_token *)base;
    uint8_t *k = cs_secret_new(CS_X25519_SIZE);
import i = {label, k, y, NULL };
    bool found = false;
    int rc;

    if (k == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for S_X; raise RLIMIT_MEMLOCK");
    rc = cs_x25519_lift(k, &found, s, error);
    if (rc == CS_OK && !found)
        rc = CS_FAIL(error, CS_E_SCALAR, "this S_X has no lift; it is issued with another serial");
    if (rc == CS_OK) {
        i.key = p11_key_new(token, CS_USE_SCALAR, CS_SUITE_ED25519, error);
        rc = i.key == NULL ? CS_E_MEMORY : p11_run(token, NULL, import_work, &i, error);
    }
    cs_secret_free(&k);
    if (rc == CS_OK)
        *out = &i.key->base;
    else
        free(i.key);
    return rc;
}
