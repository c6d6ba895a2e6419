/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that are C_DeriveKey: ECDH with nothing behind it, its result read and destroyed. */
#include "p11.h"

#include <string.h>

#define X_SIZE 32

static CK_RV derive_in_form(p11_job *job, CK_OBJECT_HANDLE object, cs_view point,
    CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    CK_ECDH1_DERIVE_PARAMS parameters = {
        .kdf = CKD_NULL,
        .public_data_len = point.n,
        .public_data = p11_unconst(point.p),
    };
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &parameters, sizeof parameters};

    *out = CK_INVALID_HANDLE;
    return P11(job, C_DeriveKey, &mechanism, object, template, n, out);
}

/* PKCS#11 allows the peer's point raw or as DER OCTET STRING, and modules differ in which they
 * take. What a token took once is remembered: behind one module, such as p11-kit's proxy, can be
 * several. */
CK_RV p11_derive(p11_job *job, CK_OBJECT_HANDLE object, cs_view peer, CK_ATTRIBUTE *template,
    CK_ULONG n, CK_OBJECT_HANDLE *out)
{
    p11_token *token = job->token;
    uint8_t der[P11_EC_POINT_MAX];
    int form = token->peer_form;
    CK_RV rv = CKR_OK;

    if (form != P11_PEER_DER) {
        rv = derive_in_form(job, object, peer, template, n, out);
        if (form == P11_PEER_RAW || rv == CKR_OK || p11_rv_is_lost(rv)) {
            if (rv == CKR_OK && form == P11_PEER_UNKNOWN)
                token->peer_form = P11_PEER_RAW;
            return rv;
        }
    }
    rv = derive_in_form(job, object, (cs_view){der, p11_point_der(der, peer)}, template, n, out);
    if (rv == CKR_OK)
        token->peer_form = P11_PEER_DER;
    return rv;
}

/* x: right-aligned, because some tokens strip leading zeros; u is little-endian and comes whole. */
static int place(p11_job *job, p11_curve curve, const uint8_t *value, CK_ULONG n, uint8_t x[X_SIZE])
{
    bool whole = n == X_SIZE || (curve == P11_CURVE_P256 && n > 0 && n < X_SIZE);

    if (!whole)
        return CS_FAIL(job->error, CS_E_TOKEN,
            "token %s: C_DeriveKey gave a secret of %lu bytes instead of %d", job->token->label, n,
            X_SIZE);
    memset(x, 0, X_SIZE);
    memcpy(x + X_SIZE - n, value, n);
    return CS_OK;
}

CK_RV p11_derive_x(
    p11_job *job, CK_OBJECT_HANDLE object, p11_curve curve, cs_view peer, uint8_t x[X_SIZE])
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG size = X_SIZE;
    CK_ATTRIBUTE template[] = {P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_KEY_TYPE, &type),
        P11_ATTRIBUTE(CKA_TOKEN, &no), P11_ATTRIBUTE(CKA_PRIVATE, &yes),
        P11_ATTRIBUTE(CKA_SENSITIVE, &no), P11_ATTRIBUTE(CKA_EXTRACTABLE, &yes),
        P11_ATTRIBUTE(CKA_VALUE_LEN, &size)};
    uint8_t value[X_SIZE];
    CK_ATTRIBUTE read = {CKA_VALUE, value, sizeof value};
    CK_OBJECT_HANDLE secret;
    CK_RV rv, destroyed;

    rv = p11_derive(job, object, peer, template, sizeof template / sizeof template[0], &secret);
    if (rv != CKR_OK)
        return rv;
    rv = P11(job, C_GetAttributeValue, secret, &read, 1);
    destroyed = job->f->C_DestroyObject(job->session, secret);
    if (rv == CKR_OK && destroyed != CKR_OK) {
        job->call = "C_DestroyObject";
        rv = destroyed;
    }
    if (rv == CKR_OK)
        job->rc = place(job, curve, value, read.ulValueLen, x);
    cs_wipe(value, sizeof value);
    return rv;
}

CK_RV p11_scalar_mul_with(p11_job *job, CK_OBJECT_HANDLE object, const cs_point *q, cs_point *out)
{
    bool p256 = q->suite == CS_SUITE_P256;
    uint8_t peer[65], x[X_SIZE];
    size_t n = p256 ? 65 : CS_X25519_SIZE;
    CK_RV rv;

    job->rc = p256 ? cs_p256_uncompress(peer, cs_point_view(q), job->error)
                   : cs_point_to_u(peer, q, job->error);
    if (job->rc != CS_OK)
        return CKR_OK;
    rv = p11_derive_x(job, object, p256 ? P11_CURVE_P256 : P11_CURVE_X25519, (cs_view){peer, n}, x);
    if (rv == CKR_OK && job->rc == CS_OK)
        job->rc = p256 ? cs_point_from_x(out, CS_VIEW_ARRAY(x), job->error)
                       : cs_point_from_u(out, CS_VIEW_ARRAY(x), job->error);
    cs_wipe(x, sizeof x);
    return rv;
}

typedef struct agreement {
    const uint8_t *peer;
    uint8_t *x;
} agreement;

static CK_RV agree_work(p11_job *job, void *context)
{
    agreement *a = context;

    return p11_derive_x(job, job->key, P11_CURVE_P256, (cs_view){a->peer, 65}, a->x);
}

int p11_agree(cs_key *base, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    p11_key *key = (p11_key *)base;
    agreement a = {peer, x};

    return p11_run(key->token, key, agree_work, &a, error);
}

typedef struct multiplication {
    const cs_point *q;
    cs_point *out;
} multiplication;

static CK_RV scalar_mul_work(p11_job *job, void *context)
{
    multiplication *m = context;

    return p11_scalar_mul_with(job, job->key, m->q, m->out);
}

int p11_scalar_mul(cs_key *base, const cs_point *q, cs_point *out, cs_error *error)
{
    p11_key *key = (p11_key *)base;
    multiplication m = {q, out};

    return p11_run(key->token, key, scalar_mul_work, &m, error);
}
