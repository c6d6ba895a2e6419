/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA-256: in one command where the input fits, else as a sequence. */
#include "tpm.h"

#include <string.h>

typedef struct hashing {
    cs_view bytes;
    uint8_t *out;
} hashing;

static int take_digest(tpm_job *job, const TPM2B_DIGEST *digest, uint8_t out[CS_HASH_SIZE])
{
    if (digest->size != CS_HASH_SIZE)
        return CS_FAIL(job->error, CS_E_TOKEN, "the TPM (serial %s) gave an HMAC of %u bytes",
            job->token->serial, digest->size);
    memcpy(out, digest->buffer, CS_HASH_SIZE);
    return CS_OK;
}

static TPM2B_MAX_BUFFER piece(cs_view bytes)
{
    TPM2B_MAX_BUFFER out = {.size = (UINT16)bytes.n};

    if (bytes.n > 0)
        memcpy(out.buffer, bytes.p, bytes.n);
    return out;
}

static TSS2_RC in_one(tpm_job *job, const hashing *h)
{
    TPM2B_MAX_BUFFER buffer = piece(h->bytes);
    TPM2B_DIGEST *digest = NULL;
    TSS2_RC rc = TPM(job, HMAC, job->object, tpm_session(job, true, true), ESYS_TR_NONE,
        ESYS_TR_NONE, &buffer, TPM2_ALG_SHA256, &digest);

    if (rc == TSS2_RC_SUCCESS)
        job->rc = take_digest(job, digest, h->out);
    cs_wipe(&buffer, sizeof buffer);
    tpm_free(&digest, sizeof *digest);
    return rc;
}

/* The sequence is an object of the TPM's, with an authorisation value of its own: the empty one. */
static TSS2_RC in_pieces(tpm_job *job, const hashing *h)
{
    static const TPM2B_AUTH no_auth = {0};
    ESYS_TR *sequence = &job->scratch[0];
    TPM2B_MAX_BUFFER buffer;
    TPM2B_DIGEST *digest = NULL;
    cs_view left = h->bytes;
    TSS2_RC rc = TPM(job, HMAC_Start, job->object, tpm_session(job, true, false), ESYS_TR_NONE,
        ESYS_TR_NONE, &no_auth, TPM2_ALG_SHA256, sequence);

    if (rc != TSS2_RC_SUCCESS) {
        *sequence = ESYS_TR_NONE;
        return rc;
    }
    while (rc == TSS2_RC_SUCCESS && left.n > TPM2_MAX_DIGEST_BUFFER) {
        buffer = piece((cs_view){left.p, TPM2_MAX_DIGEST_BUFFER});
        rc = TPM(job, SequenceUpdate, *sequence, tpm_session(job, true, false), ESYS_TR_NONE,
            ESYS_TR_NONE, &buffer);
        left = (cs_view){left.p + TPM2_MAX_DIGEST_BUFFER, left.n - TPM2_MAX_DIGEST_BUFFER};
    }
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    buffer = piece(left);
    rc = TPM(job, SequenceComplete, *sequence, tpm_session(job, true, true), ESYS_TR_NONE,
        ESYS_TR_NONE, &buffer, ESYS_TR_RH_NULL, &digest, NULL);
    if (rc == TSS2_RC_SUCCESS) {
        *sequence = ESYS_TR_NONE; /* the TPM has flushed it */
        job->rc = take_digest(job, digest, h->out);
    }
    cs_wipe(&buffer, sizeof buffer);
    tpm_free(&digest, sizeof *digest);
    return rc;
}

static TSS2_RC prf_work(tpm_job *job, void *context)
{
    const hashing *h = context;

    return h->bytes.n <= TPM2_MAX_DIGEST_BUFFER ? in_one(job, h) : in_pieces(job, h);
}

int tpm_prf(cs_key *base, cs_view bytes, uint8_t out[32], cs_error *error)
{
    tpm_key *key = (tpm_key *)base;
    hashing h = {bytes, out};

    return tpm_run(key->token, key, prf_work, &h, error);
}
