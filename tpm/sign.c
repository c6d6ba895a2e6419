/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that are TPM2_Sign: ECDSA, and EC-Schnorr (which is issuance). */
#include "tpm.h"

#include <string.h>

typedef struct signing {
    TPMI_ALG_SIG_SCHEME scheme;
    const uint8_t *digest;
    uint8_t *signature; /* two numbers of 32 bytes */
} signing;

/* The two numbers are in one place of the union for both schemes. */
static int take_signature(tpm_job *job, const signing *s, const TPMT_SIGNATURE *signature)
{
    const TPMS_SIGNATURE_ECC *ecc =
        s->scheme == TPM2_ALG_ECDSA ? &signature->signature.ecdsa : &signature->signature.ecschnorr;
    int rc;

    if (signature->sigAlg != s->scheme || ecc->hash != TPM2_ALG_SHA256)
        return CS_FAIL(job->error, CS_E_TOKEN,
            "the TPM (serial %s) signed with another scheme than asked for", job->token->serial);
    rc = tpm_pad(s->signature, &ecc->signatureR, job->error);
    return rc == CS_OK ? tpm_pad(s->signature + 32, &ecc->signatureS, job->error) : rc;
}

static TSS2_RC sign_work(tpm_job *job, void *context)
{
    static const TPMT_TK_HASHCHECK no_ticket = {
        .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL};
    signing *s = context;
    TPM2B_DIGEST digest = {.size = CS_HASH_SIZE};
    TPMT_SIG_SCHEME scheme = {0};
    TPMT_SIGNATURE *signature = NULL;
    TSS2_RC rc;

    memcpy(digest.buffer, s->digest, CS_HASH_SIZE);
    scheme.scheme = s->scheme;
    scheme.details.any.hashAlg = TPM2_ALG_SHA256;
    /* a signature is no sized parameter, so the TPM cannot encrypt it */
    rc = TPM(job, Sign, job->object, tpm_session(job, true, false), ESYS_TR_NONE, ESYS_TR_NONE,
        &digest, &scheme, &no_ticket, &signature);
    if (rc == TSS2_RC_SUCCESS)
        job->rc = take_signature(job, s, signature);
    tpm_free(&signature, sizeof *signature);
    return rc;
}

int tpm_sign(cs_key *base, const uint8_t digest[32], uint8_t signature[64], cs_error *error)
{
    tpm_key *key = (tpm_key *)base;
    signing s = {TPM2_ALG_ECDSA, digest, signature};

    return tpm_run(key->token, key, sign_work, &s, error);
}

/* −Q on P-256, compressed. */
static void negate(cs_point *q)
{
    q->b[0] ^= 1;
}

/* R = S·P − e·PK, and e has to be its hash: TPMs of before revision 1.38 hashed otherwise. */
static int recover_r(cs_point *r, const cs_scalar *e, const cs_scalar *s, const cs_point *pk,
    cs_view m, cs_error *error)
{
    cs_point s_p, e_pk;
    cs_scalar again;
    int rc = cs_point_base_mul(&s_p, CS_SUITE_P256, s, error);

    if (rc == CS_OK)
        rc = cs_point_mul(&e_pk, e, pk, error);
    if (rc != CS_OK)
        return rc;
    negate(&e_pk);
    rc = cs_point_add(r, &s_p, &e_pk, error);
    if (rc == CS_OK)
        rc = cs_issue_hash(&again, r, pk, m, error);
    if (rc == CS_OK && memcmp(again.b, e->b, sizeof e->b) != 0)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "this TPM's EC-Schnorr hashes otherwise than TPM 2.0 says; keep the master key in "
            "another token");
    return rc;
}

/* The signature of TPM 2.0 Part 1, C.4.3 is (e, S), and S is S_X. */
int tpm_issue(cs_key *base, cs_view m, cs_point *r, cs_scalar *s, cs_error *error)
{
    tpm_key *key = (tpm_key *)base;
    uint8_t digest[CS_HASH_SIZE], signature[64];
    signing work = {TPM2_ALG_ECSCHNORR, digest, signature};
    cs_view pk_bytes = {key->base.info.public_key, key->base.info.public_key_size};
    cs_scalar e;
    cs_point pk;
    int rc = cs_hash(digest, m, error);

    if (rc == CS_OK)
        rc = cs_point_decode(&pk, CS_SUITE_P256, pk_bytes, error);
    if (rc == CS_OK)
        rc = tpm_run(key->token, key, sign_work, &work, error);
    if (rc == CS_OK)
        rc = cs_scalar_decode(&e, CS_SUITE_P256, (cs_view){signature, 32}, error);
    if (rc == CS_OK)
        rc = cs_scalar_decode(s, CS_SUITE_P256, (cs_view){signature + 32, 32}, error);
    cs_wipe(signature, sizeof signature);
    return rc == CS_OK ? recover_r(r, &e, s, &pk, m, error) : rc;
}
