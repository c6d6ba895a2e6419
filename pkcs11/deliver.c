/* SPDX-License-Identifier: Apache-2.0 */
/* How S_X can come to this token, and what every S_X that came has to pass. */
#include "p11.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

enum { LIFTED_UNKNOWN = 0, LIFTED_YES, LIFTED_NO };

static CK_RV has_mechanism(p11_job *job, CK_MECHANISM_TYPE type, CK_FLAGS flags, bool *has)
{
    CK_MECHANISM_INFO info;
    CK_RV rv = job->f->C_GetMechanismInfo(job->token->slot, type, &info);

    job->call = "C_GetMechanismInfo";
    *has = *has && rv == CKR_OK && (info.flags & flags) == flags;
    return p11_rv_is_lost(rv) ? rv : CKR_OK;
}

/* X25519 has no mechanism of its own to look for: a throw-away session key shows it. */
static CK_RV try_x25519(p11_job *job, bool *able)
{
    uint8_t k[CS_X25519_SIZE], u[CS_X25519_SIZE];
    uint8_t peer[CS_X25519_SIZE] = {9};
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_RV rv;

    cs_random(k, sizeof k);
    k[0] &= 0xf8;
    k[31] = (uint8_t)((k[31] & 0x7f) | 0x40);
    rv = p11_create_x25519(job, k, "chartseal probe", (cs_view){NULL, 0}, false, &object);
    if (rv == CKR_OK) {
        rv = p11_derive_x(job, object, P11_CURVE_X25519, CS_VIEW_ARRAY(peer), u);
        p11_destroy(job, object);
    }
    *able = rv == CKR_OK && job->rc == CS_OK;
    job->rc = CS_OK;
    cs_wipe(k, sizeof k);
    cs_wipe(u, sizeof u);
    return p11_rv_is_lost(rv) ? rv : CKR_OK;
}

static CK_RV lift_work(p11_job *job, void *context)
{
    bool *able = context;
    CK_RV rv;

    *able = true;
    rv = has_mechanism(job, CKM_ECDH1_DERIVE, CKF_DERIVE, able);
    return rv == CKR_OK && *able ? try_x25519(job, able) : rv;
}

static CK_RV unwrap_work(p11_job *job, void *context)
{
    bool *able = context;
    CK_RV rv;

    *able = true;
    rv = has_mechanism(job, CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, able);
    if (rv == CKR_OK)
        rv = has_mechanism(job, CKM_ECDH1_DERIVE, CKF_DERIVE, able);
    if (rv == CKR_OK)
        rv = has_mechanism(job, CKM_AES_KEY_WRAP_PAD, CKF_UNWRAP, able);
    return rv;
}

static int can_lift(p11_token *token, bool *able, cs_error *error)
{
    int rc = CS_OK;

    if (token->lifted == LIFTED_UNKNOWN) {
        rc = p11_run(token, NULL, lift_work, able, error);
        if (rc == CS_OK)
            token->lifted = *able ? LIFTED_YES : LIFTED_NO;
    }
    *able = token->lifted == LIFTED_YES;
    return rc;
}

int p11_delivery(cs_token *base, cs_suite suite, cs_delivery *out, cs_error *error)
{
    p11_token *token = (p11_token *)base;
    bool able = false;
    int rc;

    *out = CS_DELIVERY_SEALED;
    if ((token->info.flags & CKF_WRITE_PROTECTED) != 0)
        return CS_OK;
    if (suite == CS_SUITE_ED25519)
        rc = can_lift(token, &able, error);
    else
        rc = p11_run(token, NULL, unwrap_work, &able, error);
    if (rc == CS_OK && able)
        *out = suite == CS_SUITE_ED25519 ? CS_DELIVERY_LIFTED : CS_DELIVERY_WRAPPED;
    return rc;
}

/* A fresh pair (k, Q = k·P): |S·Q| in the token, |k·Y| here. */
CK_RV p11_acts_as(p11_job *job, CK_OBJECT_HANDLE object, const cs_point *y)
{
    cs_scalar *k = cs_secret_new(sizeof *k);
    cs_point q, token_side, own_side;
    CK_RV rv = CKR_OK;

    if (k == NULL)
        return CKR_HOST_MEMORY;
    job->rc = cs_scalar_random(k, y->suite, job->error);
    if (job->rc == CS_OK)
        job->rc = cs_point_base_mul(&q, y->suite, k, job->error);
    if (job->rc == CS_OK)
        job->rc = cs_point_mul(&own_side, k, y, job->error);
    cs_secret_free(&k);
    if (job->rc == CS_OK)
        rv = p11_scalar_mul_with(job, object, &q, &token_side);
    if (rv != CKR_OK || job->rc != CS_OK)
        return rv;
    cs_point_canonical(&own_side);
    if (!cs_point_equal(&own_side, &token_side))
        job->rc = CS_FAIL(job->error, CS_E_CREDENTIAL,
            "a key in token %s is not the private key of its public half; register again",
            job->token->label);
    return CKR_OK;
}

/* Y stands beside S_X as a public key object, in the group's own encoding on edwards25519. */
static CK_RV store_public(p11_job *job, const char *label, const cs_point *y, CK_OBJECT_HANDLE *out)
{
    bool p256 = y->suite == CS_SUITE_P256;
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = p256 ? CKK_EC : CKK_EC_EDWARDS;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    uint8_t raw[65], id[P11_OWN_ID_SIZE], point[P11_EC_POINT_MAX], curve[16];
    char text[CS_LABEL_MAX + 1];
    cs_view params = p11_curve_params(p256 ? P11_CURVE_P256 : P11_CURVE_ED25519, 0);
    CK_ATTRIBUTE template[] = {{CKA_LABEL, text, strlen(label)}, {CKA_ID, id, sizeof id},
        {CKA_EC_PARAMS, curve, params.n}, {CKA_EC_POINT, point, 0},
        P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        P11_ATTRIBUTE(CKA_TOKEN, &yes), P11_ATTRIBUTE(CKA_PRIVATE, &no),
        P11_ATTRIBUTE(CKA_VERIFY, &no), P11_ATTRIBUTE(CKA_ENCRYPT, &no),
        P11_ATTRIBUTE(CKA_WRAP, &no)};

    if (p256)
        job->rc = cs_p256_uncompress(raw, cs_point_view(y), job->error);
    else
        memcpy(raw, y->b, 32);
    if (job->rc == CS_OK)
        job->rc = p11_own_id(id, cs_point_view(y), job->error);
    if (job->rc != CS_OK)
        return CKR_OK;
    (void)snprintf(text, sizeof text, "%s", label);
    memcpy(curve, params.p, params.n);
    template[3].ulValueLen = p11_point_der(point, (cs_view){raw, p256 ? 65 : 32});
    return P11(job, C_CreateObject, template, sizeof template / sizeof template[0], out);
}

/* A key of that label from before stays beside it: whoever uses that one says when it may go. */
CK_RV p11_settle_scalar(
    p11_job *job, CK_OBJECT_HANDLE object, const char *label, const cs_point *y, p11_key *key)
{
    CK_OBJECT_HANDLE public_key = CK_INVALID_HANDLE;
    CK_RV rv = p11_acts_as(job, object, y);

    if (rv == CKR_OK && job->rc == CS_OK)
        rv = store_public(job, label, y, &public_key);
    if (rv == CKR_OK && job->rc == CS_OK)
        rv = p11_key_adopt(job, key, object);
    if (rv != CKR_OK || job->rc != CS_OK) {
        p11_destroy(job, object);
        p11_destroy(job, public_key);
    }
    return rv;
}
