/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S_X of suite p256, unwrapped in the token: an ECDH pair made for this delivery alone, an AES key
 * derived from it that stays in the token, and C_UnwrapKey. The pair is a pair of session objects,
 * and their session is held for as long. When the token is lost in between, so is the pair: the
 * delivery fails, and the party asks again. The handles count in their own generation of sessions
 * alone; in another they may be any key's.
 */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRAPPED_MAX 512 /* a PKCS#8 of P-256 has some 140 bytes */

typedef struct delivery_key {
    cs_delivery_key base;
    p11_token *token;
    CK_OBJECT_HANDLE public_key, private_key;
    p11_hold hold;
    uint8_t *public_out;
} delivery_key;

static bool is_there(const p11_job *job, const delivery_key *d)
{
    return job->generation == d->hold.session.generation;
}

static CK_RV drop_work(p11_job *job, void *context)
{
    delivery_key *d = context;

    if (is_there(job, d)) {
        p11_destroy(job, d->private_key);
        p11_destroy(job, d->public_key);
    }
    return CKR_OK;
}

static CK_RV make_work(p11_job *job, void *context)
{
    delivery_key *d = context;
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    cs_view params = p11_curve_params(P11_CURVE_P256, 0);
    uint8_t curve[16], point[P11_EC_POINT_MAX];
    CK_ULONG n = sizeof point;
    const uint8_t *raw;
    CK_ATTRIBUTE public_template[] = {{CKA_EC_PARAMS, curve, params.n},
        P11_ATTRIBUTE(CKA_TOKEN, &no), P11_ATTRIBUTE(CKA_PRIVATE, &no),
        P11_ATTRIBUTE(CKA_VERIFY, &no)};
    CK_ATTRIBUTE private_template[] = {P11_ATTRIBUTE(CKA_TOKEN, &no),
        P11_ATTRIBUTE(CKA_PRIVATE, &yes), P11_ATTRIBUTE(CKA_SENSITIVE, &yes),
        P11_ATTRIBUTE(CKA_EXTRACTABLE, &no), P11_ATTRIBUTE(CKA_DERIVE, &yes),
        P11_ATTRIBUTE(CKA_SIGN, &no), P11_ATTRIBUTE(CKA_DECRYPT, &no),
        P11_ATTRIBUTE(CKA_UNWRAP, &no)};
    CK_RV rv;

    memcpy(curve, params.p, params.n);
    rv = P11(job, C_GenerateKeyPair, &mechanism, public_template,
        sizeof public_template / sizeof public_template[0], private_template,
        sizeof private_template / sizeof private_template[0], &d->public_key, &d->private_key);
    if (rv != CKR_OK)
        return rv;
    p11_hold_begin(job, &d->hold);
    rv = p11_read(job, d->public_key, CKA_EC_POINT, point, &n);
    if (rv == CKR_OK && p11_point_raw((cs_view){point, n}, 65, &raw)) {
        memcpy(d->public_out, raw, 65);
        return CKR_OK;
    }
    if (rv == CKR_OK)
        job->rc = CS_FAIL(job->error, CS_E_TOKEN, "token %s made a key whose public point is none",
            job->token->label);
    (void)drop_work(job, d);
    p11_hold_end(job->token, &d->hold);
    return rv;
}

static void free_delivery(cs_delivery_key *base)
{
    delivery_key *d = (delivery_key *)base;
    bool lost;

    (void)pthread_mutex_lock(&d->token->lock);
    lost = d->token->lost;
    (void)pthread_mutex_unlock(&d->token->lock);
    if (!lost) /* else the pair is gone, and nobody is asked for a PIN on its account */
        (void)p11_run(d->token, NULL, drop_work, d, NULL);
    p11_hold_end(d->token, &d->hold);
    free(d);
}

typedef struct unwrapping {
    delivery_key *delivery;
    const char *label;
    cs_view peer, wrapped;
    const cs_point *y;
    p11_key *key;
} unwrapping;

static CK_RV derive_kek(p11_job *job, const unwrapping *u, CK_OBJECT_HANDLE *kek)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG size = 32;
    CK_ATTRIBUTE template[] = {P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        P11_ATTRIBUTE(CKA_VALUE_LEN, &size), P11_ATTRIBUTE(CKA_TOKEN, &no),
        P11_ATTRIBUTE(CKA_PRIVATE, &yes), P11_ATTRIBUTE(CKA_SENSITIVE, &yes),
        P11_ATTRIBUTE(CKA_EXTRACTABLE, &no), P11_ATTRIBUTE(CKA_UNWRAP, &yes),
        P11_ATTRIBUTE(CKA_WRAP, &no), P11_ATTRIBUTE(CKA_ENCRYPT, &no),
        P11_ATTRIBUTE(CKA_DECRYPT, &no)};

    return p11_derive(job, u->delivery->private_key, u->peer, template,
        sizeof template / sizeof template[0], kek);
}

static CK_RV unwrap_with(
    p11_job *job, const unwrapping *u, CK_OBJECT_HANDLE kek, CK_OBJECT_HANDLE *out)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    uint8_t id[P11_OWN_ID_SIZE], wrapped[WRAPPED_MAX];
    char text[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE template[] = {{CKA_LABEL, text, strlen(u->label)}, {CKA_ID, id, sizeof id},
        P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        P11_ATTRIBUTE(CKA_TOKEN, &yes), P11_ATTRIBUTE(CKA_PRIVATE, &yes),
        P11_ATTRIBUTE(CKA_SENSITIVE, &yes), P11_ATTRIBUTE(CKA_EXTRACTABLE, &no),
        P11_ATTRIBUTE(CKA_DERIVE, &yes), P11_ATTRIBUTE(CKA_SIGN, &no),
        P11_ATTRIBUTE(CKA_DECRYPT, &no), P11_ATTRIBUTE(CKA_UNWRAP, &no)};
    CK_RV rv;

    (void)snprintf(text, sizeof text, "%s", u->label);
    memcpy(wrapped, u->wrapped.p, u->wrapped.n);
    job->rc = p11_own_id(id, cs_point_view(u->y), job->error);
    if (job->rc != CS_OK)
        return CKR_OK;
    rv = P11(job, C_UnwrapKey, &mechanism, kek, wrapped, u->wrapped.n, template,
        sizeof template / sizeof template[0], out);
    if (rv == CKR_OK || p11_rv_is_lost(rv))
        return rv;
    /* the session is not broken: an honest key may yet come */
    job->rc = CS_FAIL(job->error, CS_E_DECRYPT,
        "token %s: C_UnwrapKey: %s; the wrapped S_X does not open, register again",
        job->token->label, p11_rv_name(rv));
    return CKR_OK;
}

static CK_RV unwrap_work(p11_job *job, void *context)
{
    unwrapping *u = context;
    CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE, object = CK_INVALID_HANDLE;
    CK_RV rv;

    job->committed = true; /* without the delivery key a second try has nothing to work with */
    if (!is_there(job, u->delivery)) {
        job->rc = CS_FAIL(job->error, CS_E_TOKEN,
            "token %s (serial %s) was lost during the delivery of S_X; register again",
            job->token->label, job->token->serial);
        return CKR_OK;
    }
    rv = derive_kek(job, u, &kek);
    if (rv != CKR_OK)
        return rv;
    rv = unwrap_with(job, u, kek, &object);
    p11_destroy(job, kek);
    if (rv != CKR_OK || job->rc != CS_OK)
        return rv;
    return p11_settle_scalar(job, object, u->label, u->y, u->key);
}

static int unwrap(cs_delivery_key *base, cs_key **out, const char *label, const uint8_t peer[65],
    cs_view wrapped, const cs_point *y, cs_error *error)
{
    delivery_key *d = (delivery_key *)base;
    unwrapping u = {d, label, {peer, 65}, wrapped, y, NULL};
    uint8_t compressed[33];
    int rc;

    if (wrapped.n == 0 || wrapped.n > WRAPPED_MAX)
        return CS_FAIL(error, CS_E_MALFORMED, "a wrapped S_X has 1 to %d bytes", WRAPPED_MAX);
    rc = cs_p256_compress(compressed, u.peer, error); /* a point of the curve, or it goes nowhere */
    if (rc != CS_OK)
        return rc;
    u.key = p11_key_new(d->token, CS_USE_SCALAR, CS_SUITE_P256, error);
    if (u.key == NULL)
        return CS_E_MEMORY;
    rc = p11_run(d->token, NULL, unwrap_work, &u, error);
    if (rc == CS_OK)
        *out = &u.key->base;
    else
        free(u.key);
    return rc;
}

int p11_delivery_key(cs_token *base, cs_delivery_key **out, uint8_t public_key[65], cs_error *error)
{
    delivery_key *d = calloc(1, sizeof *d);
    int rc;

    if (d == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a delivery key");
    d->base.unwrap = unwrap;
    d->base.free = free_delivery;
    d->token = (p11_token *)base;
    d->public_out = public_key;
    rc = p11_run(d->token, NULL, make_work, d, error);
    if (rc != CS_OK) {
        free(d);
        return rc;
    }
    d->public_out = NULL;
    *out = &d->base;
    return CS_OK;
}
