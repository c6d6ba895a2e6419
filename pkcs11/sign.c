/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that are C_Sign: ECDSA, pure Ed25519 (which is issuance), HMAC-SHA-256. */
#include "p11.h"

#include <string.h>

typedef struct signing {
    const p11_key *key;
    CK_MECHANISM_TYPE mechanism;
    cs_view input;
    uint8_t *out;
    CK_ULONG out_size;
} signing;

/* Init, the login that some keys want for every use, and Sign: one session, nothing in between. */
static CK_RV sign_work(p11_job *job, void *context)
{
    signing *s = context;
    CK_MECHANISM mechanism = {s->mechanism, NULL, 0};
    CK_ULONG n = s->out_size;
    CK_RV rv = P11(job, C_SignInit, &mechanism, job->key);

    if (rv != CKR_OK)
        return rv;
    if (s->key->base.info.always_authenticate) {
        rv = p11_login_context(job, s->key);
        if (rv != CKR_OK)
            return rv;
    }
    rv = P11(job, C_Sign, p11_unconst(s->input.p), s->input.n, s->out, &n);
    if (rv == CKR_OK && n != s->out_size)
        job->rc = CS_FAIL(job->error, CS_E_TOKEN, "token %s: C_Sign gave %lu bytes instead of %lu",
            job->token->label, n, s->out_size);
    return rv;
}

static int sign_with(cs_key *base, CK_MECHANISM_TYPE mechanism, cs_view input, uint8_t *out,
    size_t out_size, cs_error *error)
{
    p11_key *key = (p11_key *)base;
    signing s = {key, mechanism, input, out, out_size};

    return p11_run(key->token, key, sign_work, &s, error);
}

int p11_sign(cs_key *key, const uint8_t digest[32], uint8_t signature[64], cs_error *error)
{
    return sign_with(key, CKM_ECDSA, (cs_view){digest, 32}, signature, 64, error);
}

int p11_prf(cs_key *key, cs_view bytes, uint8_t out[32], cs_error *error)
{
    return sign_with(key, CKM_SHA256_HMAC, bytes, out, 32, error);
}

CK_RV p11_signs_as(p11_job *job, CK_OBJECT_HANDLE object, const uint8_t public_key[65])
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    uint8_t digest[32], signature[64]; /* random: the hash of no message */
    CK_ULONG n = sizeof signature;
    CK_RV rv = P11(job, C_SignInit, &mechanism, object);

    cs_random(digest, sizeof digest);
    if (rv == CKR_OK)
        rv = P11(job, C_Sign, digest, sizeof digest, signature, &n);
    if (rv == CKR_OK && (n != sizeof signature || cs_ecdsa_verify((cs_view){public_key, 65}, digest,
                                                      signature, NULL) != CS_OK))
        job->rc = CS_FAIL(job->error, CS_E_CREDENTIAL,
            "a key in token %s is not the private key of its public half", job->token->label);
    return rv;
}

/* The signature R ‖ S of RFC 8032 is R_X1 and S_X. */
int p11_issue(cs_key *key, cs_view m, cs_point *r, cs_scalar *s, cs_error *error)
{
    uint8_t signature[64];
    int rc = sign_with(key, CKM_EDDSA, m, signature, sizeof signature, error);

    if (rc == CS_OK)
        rc = cs_point_decode(r, CS_SUITE_ED25519, (cs_view){signature, 32}, error);
    if (rc == CS_OK)
        rc = cs_scalar_decode(s, CS_SUITE_ED25519, (cs_view){signature + 32, 32}, error);
    cs_wipe(signature, sizeof signature);
    return rc;
}
