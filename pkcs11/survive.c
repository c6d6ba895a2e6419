/* SPDX-License-Identifier: Apache-2.0 */
/* A key that is wrapped once and then stays, and its coming back into another token. */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CKA_EXTRACTABLE goes from true to false, and never back. */
static CK_RV make_it_stay(p11_job *job, CK_OBJECT_HANDLE object)
{
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE attribute = P11_ATTRIBUTE(CKA_EXTRACTABLE, &no);

    return P11(job, C_SetAttributeValue, object, &attribute, 1);
}

CK_RV p11_settle(p11_job *job, const p11_generation *g, CK_OBJECT_HANDLE object)
{
    CK_RV rv = CKR_OK;

    if (g->with != NULL) {
        rv = p11_wrap(job, g->with, object, g->wrapped);
        if (rv == CKR_OK && job->rc == CS_OK)
            rv = make_it_stay(job, object);
    }
    return rv == CKR_OK && job->rc == CS_OK ? p11_key_adopt(job, g->key, object) : rv;
}

int p11_run_for_key(p11_token *token, cs_key **out, p11_work work, void *context,
    const p11_generation *g, cs_error *error)
{
    int rc = p11_run(token, NULL, work, context, error);

    if (rc == CS_OK) {
        *out = &g->key->base;
        return CS_OK;
    }
    free(g->key);
    if (g->wrapped != NULL)
        cs_buf_clear(g->wrapped);
    return rc;
}

/* -- unwrapping ----------------------------------------------------------------------------------
 */

typedef struct coming_back {
    p11_generation as; /* `with`: to be wrapped again */
    const cs_unwrapping *from;
} coming_back;

/* A session object of the user's own: nobody need trust it, what it unwraps shows whose it is. */
static CK_RV create_kek(p11_job *job, const uint8_t *key, CK_OBJECT_HANDLE *out)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = {P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        {CKA_VALUE, p11_unconst(key), CS_WRAPPING_KEY_SIZE}, P11_ATTRIBUTE(CKA_TOKEN, &no),
        P11_ATTRIBUTE(CKA_PRIVATE, &yes), P11_ATTRIBUTE(CKA_SENSITIVE, &yes),
        P11_ATTRIBUTE(CKA_EXTRACTABLE, &no), P11_ATTRIBUTE(CKA_UNWRAP, &yes),
        P11_ATTRIBUTE(CKA_WRAP, &no), P11_ATTRIBUTE(CKA_ENCRYPT, &no),
        P11_ATTRIBUTE(CKA_DECRYPT, &no)};

    return P11(job, C_CreateObject, template, sizeof template / sizeof template[0], out);
}

static CK_RV unwrap(p11_job *job, const coming_back *c, CK_OBJECT_HANDLE kek,
    uint8_t id[P11_OWN_ID_SIZE], CK_OBJECT_HANDLE *out)
{
    bool secret = c->as.use == CS_USE_PRF;
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_OBJECT_CLASS class = secret ? CKO_SECRET_KEY : CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = secret ? CKK_GENERIC_SECRET : CKK_EC_EDWARDS;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE, leaves = c->as.with != NULL ? CK_TRUE : CK_FALSE;
    uint8_t wrapped[CS_WRAPPED_MAX];
    char label[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE template[] = {{CKA_LABEL, label, strlen(c->as.label)},
        {CKA_ID, id, P11_OWN_ID_SIZE}, P11_ATTRIBUTE(CKA_CLASS, &class),
        P11_ATTRIBUTE(CKA_KEY_TYPE, &type), P11_ATTRIBUTE(CKA_TOKEN, &yes),
        P11_ATTRIBUTE(CKA_PRIVATE, &yes), P11_ATTRIBUTE(CKA_SENSITIVE, &yes),
        P11_ATTRIBUTE(CKA_EXTRACTABLE, &leaves), P11_ATTRIBUTE(CKA_WRAP_WITH_TRUSTED, &yes),
        P11_ATTRIBUTE(CKA_SIGN, &yes), P11_ATTRIBUTE(CKA_DERIVE, &no),
        P11_ATTRIBUTE(CKA_DECRYPT, &no), P11_ATTRIBUTE(CKA_UNWRAP, &no),
        /* of a secret key alone */
        P11_ATTRIBUTE(CKA_VERIFY, &no), P11_ATTRIBUTE(CKA_ENCRYPT, &no),
        P11_ATTRIBUTE(CKA_WRAP, &no)};
    CK_ULONG n = sizeof template / sizeof template[0] - (secret ? 0 : 3);
    CK_RV rv;

    (void)snprintf(label, sizeof label, "%s", c->as.label);
    memcpy(wrapped, c->from->wrapped.p, c->from->wrapped.n);
    rv = P11(job, C_UnwrapKey, &mechanism, kek, wrapped, c->from->wrapped.n, template, n, out);
    if (rv == CKR_OK || p11_rv_is_lost(rv))
        return rv;
    job->rc = CS_FAIL(job->error, CS_E_DECRYPT,
        "token %s: C_UnwrapKey: %s, 0x%lx; what was wrapped does not open with this key",
        job->token->label, p11_rv_name(rv), rv);
    return CKR_OK;
}

/* The public half goes beside s: it is what tells a key from another. */
static CK_RV create_public(
    p11_job *job, const coming_back *c, uint8_t id[P11_OWN_ID_SIZE], CK_OBJECT_HANDLE *out)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = CKK_EC_EDWARDS;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    cs_view params = p11_curve_params(P11_CURVE_ED25519, 0);
    uint8_t curve[16], point[P11_EC_POINT_MAX];
    char label[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE template[] = {{CKA_LABEL, label, strlen(c->as.label)},
        {CKA_ID, id, P11_OWN_ID_SIZE}, {CKA_EC_PARAMS, curve, params.n},
        {CKA_EC_POINT, point, p11_point_der(point, c->from->public_key)},
        P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        P11_ATTRIBUTE(CKA_TOKEN, &yes), P11_ATTRIBUTE(CKA_PRIVATE, &no),
        P11_ATTRIBUTE(CKA_VERIFY, &yes)};

    (void)snprintf(label, sizeof label, "%s", c->as.label);
    memcpy(curve, params.p, params.n);
    return P11(job, C_CreateObject, template, sizeof template / sizeof template[0], out);
}

static CK_RV unwrap_work(p11_job *job, void *context)
{
    coming_back *c = context;
    CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE, key = CK_INVALID_HANDLE, other = CK_INVALID_HANDLE;
    uint8_t id[P11_OWN_ID_SIZE];
    CK_RV rv = p11_check_label_free(job, c->as.label);

    if (rv != CKR_OK || job->rc != CS_OK)
        return rv;
    job->committed = true;
    cs_random(id, sizeof id);
    if (c->as.use == CS_USE_ISSUE)
        job->rc = p11_own_id(id, c->from->public_key, job->error);
    if (job->rc == CS_OK)
        rv = create_kek(job, c->from->key, &kek);
    if (rv == CKR_OK && job->rc == CS_OK)
        rv = unwrap(job, c, kek, id, &key);
    p11_destroy(job, kek);
    if (rv == CKR_OK && job->rc == CS_OK && c->as.use == CS_USE_ISSUE)
        rv = create_public(job, c, id, &other);
    if (rv == CKR_OK && job->rc == CS_OK)
        rv = p11_settle(job, &c->as, key);
    if (rv != CKR_OK || job->rc != CS_OK) {
        p11_destroy(job, key);
        p11_destroy(job, other);
    }
    return rv;
}

int p11_unwrap_key(cs_token *base, cs_key **out, const cs_unwrapping *from, const char *label,
    cs_use use, cs_suite suite, cs_error *error)
{
    p11_token *token = (p11_token *)base;
    coming_back c = {
        .as = {.label = label, .use = use, .with = from->again, .wrapped = from->rewrapped},
        .from = from};
    cs_point point;
    int rc = CS_OK;

    if (use == CS_USE_ISSUE) /* also its size */
        rc = suite == CS_SUITE_ED25519 ? cs_point_decode(&point, suite, from->public_key, error)
                                       : CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
                                             "a PKCS#11 token issues in suite ed25519 alone");
    if (rc != CS_OK)
        return rc;
    c.as.key = p11_key_new(token, use, suite, error);
    if (c.as.key == NULL)
        return CS_E_MEMORY;
    return p11_run_for_key(token, out, unwrap_work, &c, &c.as, error);
}
