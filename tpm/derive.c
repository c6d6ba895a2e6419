/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that are TPM2_ECDH_ZGen. The point goes and comes encrypted. */
#include "tpm.h"

#include <string.h>

TSS2_RC tpm_zgen(tpm_job *job, ESYS_TR object, const uint8_t peer[65], uint8_t x[32])
{
    TPM2B_ECC_POINT in = tpm_point_put(peer);
    TPM2B_ECC_POINT *out = NULL;
    TSS2_RC rc = TPM(job, ECDH_ZGen, object, tpm_session(job, true, true), ESYS_TR_NONE,
        ESYS_TR_NONE, &in, &out);

    if (rc == TSS2_RC_SUCCESS)
        job->rc = tpm_pad(x, &out->point.x, job->error);
    tpm_free(&out, sizeof *out);
    return rc;
}

typedef struct agreement {
    const uint8_t *peer;
    uint8_t *x;
} agreement;

static TSS2_RC agree_work(tpm_job *job, void *context)
{
    agreement *a = context;

    return tpm_zgen(job, job->object, a->peer, a->x);
}

/* The point is looked at here, too: not every TPM has to be trusted to refuse one off the curve. */
static int multiply(tpm_key *key, cs_view peer, uint8_t x[32], cs_error *error)
{
    uint8_t point[65];
    agreement a = {point, x};
    int rc = cs_p256_uncompress(point, peer, error);

    return rc == CS_OK ? tpm_run(key->token, key, agree_work, &a, error) : rc;
}

int tpm_agree(cs_key *key, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    return multiply((tpm_key *)key, (cs_view){peer, 65}, x, error);
}

int tpm_scalar_mul(cs_key *key, const cs_point *q, cs_point *out, cs_error *error)
{
    uint8_t x[32];
    int rc = multiply((tpm_key *)key, cs_point_view(q), x, error);

    if (rc == CS_OK)
        rc = cs_point_from_x(out, CS_VIEW_ARRAY(x), error);
    cs_wipe(x, sizeof x);
    return rc;
}
