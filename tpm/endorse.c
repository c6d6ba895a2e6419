/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endorsement key: made again from its seed by the TCG's default template whenever it is
 * needed, and its certificate, which the maker has put into NV memory. It is used by a policy that
 * wants the endorsement hierarchy's authorisation, which is taken to be empty: where it is not,
 * this TPM shows no endorsement key to us, and that is no failure.
 */
#include "tpm.h"

#include <chartseal/certificate.h>

#include <string.h>
#include <tss2/tss2_mu.h>

#define CERTIFICATE_INDEX 0x01c0000au /* EK Credential Profile, 2.2.1.4: ECC NIST P256 */
#define READ_AT_ONCE 512 /* TPM2_PT_NV_BUFFER_MAX is 512 at least in every TPM of a PC */

/* The endorsement hierarchy is not ours to use. */
static bool is_closed(TSS2_RC rc)
{
    return tpm_rc_fate(rc) == TPM_REFUSED || tpm_rc_base(rc) == TPM2_RC_HIERARCHY;
}

static TSS2_RC make_key(tpm_job *job, ESYS_TR *object, TPM2B_PUBLIC **area)
{
    static const TPM2B_SENSITIVE_CREATE no_auth;
    static const TPM2B_DATA outside;
    static const TPML_PCR_SELECTION no_pcr;
    const TPM2B_PUBLIC template = tpm_endorsement_template();
    TSS2_RC rc = TPM(job, CreatePrimary, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
        ESYS_TR_NONE, &no_auth, &template, &outside, &no_pcr, object, area, NULL, NULL, NULL);

    if (rc != TSS2_RC_SUCCESS)
        *object = ESYS_TR_NONE;
    return rc;
}

/* -- finding it */

static TSS2_RC key_work(tpm_job *job, void *context)
{
    tpm_attestor *a = context;
    TPM2B_PUBLIC *area = NULL;
    TSS2_RC rc = make_key(job, &job->scratch[0], &area);

    if (rc == TSS2_RC_SUCCESS && tpm_public_is_p256(&area->publicArea)) {
        job->rc = tpm_point_get(a->base.info.endorsement, &area->publicArea.unique.ecc, job->error);
        a->base.info.has_endorsement = job->rc == CS_OK;
    }
    Esys_Free(area);
    return is_closed(rc) ? TSS2_RC_SUCCESS : rc;
}

typedef struct index_content {
    uint8_t *bytes;
    size_t size;
} index_content;

static TSS2_RC read_index(tpm_job *job, ESYS_TR index, index_content *content)
{
    TPM2B_NV_PUBLIC *about = NULL;
    size_t size;
    TSS2_RC rc =
        TPM(job, NV_ReadPublic, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &about, NULL);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    size = about->nvPublic.dataSize;
    if (size > CS_EK_CERTIFICATE_MAX || (about->nvPublic.attributes & TPMA_NV_AUTHREAD) == 0)
        size = 0; /* no certificate of the profile's */
    Esys_Free(about);
    while (rc == TSS2_RC_SUCCESS && content->size < size) {
        size_t left = size - content->size;
        TPM2B_MAX_NV_BUFFER *part = NULL;

        rc = TPM(job, NV_Read, index, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
            (UINT16)(left < READ_AT_ONCE ? left : READ_AT_ONCE), (UINT16)content->size, &part);
        if (rc == TSS2_RC_SUCCESS && (part->size == 0 || part->size > left)) {
            job->rc = CS_FAIL(job->error, CS_E_TOKEN,
                "the TPM (serial %s) gave another length of its certificate than asked for",
                job->token->serial);
            size = 0;
        } else if (rc == TSS2_RC_SUCCESS) {
            memcpy(content->bytes + content->size, part->buffer, part->size);
            content->size += part->size;
        }
        Esys_Free(part);
    }
    return rc;
}

/* Absent, not yet written, or not readable without a secret: there is none. */
static TSS2_RC certificate_work(tpm_job *job, void *context)
{
    cs_attestor_info *info = &((tpm_attestor *)context)->base.info;
    index_content content = {info->certificate, 0};
    ESYS_TR index = ESYS_TR_NONE;
    TSS2_RC rc = TPM(
        job, TR_FromTPMPublic, CERTIFICATE_INDEX, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &index);

    info->certificate_size = 0;
    if (tpm_rc_base(rc) == TPM2_RC_HANDLE)
        return TSS2_RC_SUCCESS;
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = read_index(job, index, &content);
    (void)Esys_TR_Close(job->esys, &index);
    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        info->certificate_size = content.size;
    switch (tpm_rc_base(rc)) {
    case TPM2_RC_NV_UNINITIALIZED:
    case TPM2_RC_NV_AUTHORIZATION:
    case TPM2_RC_NV_LOCKED:
        return TSS2_RC_SUCCESS;
    default:
        return is_closed(rc) ? TSS2_RC_SUCCESS : rc;
    }
}

/* An index may be longer than what is in it. One whose certificate is for a key of another template
 * tells nothing about ours. */
static void keep_own_certificate(cs_attestor_info *info)
{
    const uint8_t *der = info->certificate;
    size_t n = info->certificate_size;
    uint8_t certified[CS_PUK_SIZE], own[CS_PUK_SIZE];

    if (n >= 4 && der[0] == 0x30 && der[1] == 0x82 && (size_t)(der[2] << 8 | der[3]) + 4 <= n)
        n = (size_t)(der[2] << 8 | der[3]) + 4;
    info->certificate_size = n;
    if (n > 0 && (cs_endorsement_read((cs_view){der, n}, certified, NULL) != CS_OK ||
                     cs_p256_compress(own, CS_VIEW_ARRAY(info->endorsement), NULL) != CS_OK ||
                     memcmp(own, certified, sizeof own) != 0))
        info->certificate_size = 0;
}

int tpm_endorsement_find(tpm_attestor *a, cs_error *error)
{
    int rc = tpm_run(a->token, NULL, key_work, a, error);

    if (rc == CS_OK && a->base.info.has_endorsement)
        rc = tpm_run(a->token, NULL, certificate_work, a, error);
    if (rc == CS_OK)
        keep_own_certificate(&a->base.info);
    return rc;
}

/* -- using it */

typedef struct activation {
    const tpm_attestor *attestor;
    TPM2B_ID_OBJECT blob;
    TPM2B_ENCRYPTED_SECRET secret;
    uint8_t *key;
} activation;

/* PolicySecret with the endorsement hierarchy, as the template's policy has it. */
static TSS2_RC open_policy(tpm_job *job, ESYS_TR *session)
{
    static const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
    TSS2_RC rc = TPM(job, StartAuthSession, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
        ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none, TPM2_ALG_SHA256, session);

    if (rc != TSS2_RC_SUCCESS) {
        *session = ESYS_TR_NONE;
        return rc;
    }
    rc = Esys_TRSess_SetAttributes(job->esys, *session, TPMA_SESSION_CONTINUESESSION, 0xff);
    if (rc == TSS2_RC_SUCCESS)
        rc = TPM(job, PolicySecret, ESYS_TR_RH_ENDORSEMENT, *session, ESYS_TR_PASSWORD,
            ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
    return rc;
}

/* What a TPM says to what was sealed for another, or for another key. */
static bool is_for_others(TSS2_RC rc)
{
    switch (tpm_rc_base(rc)) {
    case TPM2_RC_INTEGRITY:
    case TPM2_RC_VALUE:
    case TPM2_RC_SIZE:
    case TPM2_RC_INSUFFICIENT:
    case TPM2_RC_ECC_POINT:
        return true;
    default:
        return false;
    }
}

/* The AK first: to load it takes a place for the storage root too, and there are three. */
static TSS2_RC activate_work(tpm_job *job, void *context)
{
    activation *a = context;
    TPM2B_DIGEST *released = NULL;
    TSS2_RC rc = tpm_attestor_load(job, a->attestor, &job->scratch[0]);

    if (rc == TSS2_RC_SUCCESS)
        rc = make_key(job, &job->scratch[1], NULL);
    if (rc == TSS2_RC_SUCCESS)
        rc = open_policy(job, &job->scratch[2]);
    if (rc == TSS2_RC_SUCCESS)
        rc = TPM(job, ActivateCredential, job->scratch[0], job->scratch[1],
            tpm_session(job, false, true), job->scratch[2], ESYS_TR_NONE, &a->blob, &a->secret,
            &released);
    if (is_for_others(rc)) {
        job->rc = CS_FAIL(job->error, CS_E_DECRYPT,
            "the TPM (serial %s): %s: 0x%x; what the public cloud sealed is not for its "
            "endorsement "
            "key and this registration, register again",
            job->token->serial, job->call, rc);
        rc = TSS2_RC_SUCCESS;
    } else if (rc == TSS2_RC_SUCCESS && released->size != CS_TPM_ACTIVATION_KEY_SIZE) {
        job->rc =
            CS_FAIL(job->error, CS_E_DECRYPT, "the public cloud sealed a key of another length");
    } else if (rc == TSS2_RC_SUCCESS) {
        memcpy(a->key, released->buffer, CS_TPM_ACTIVATION_KEY_SIZE);
    }
    tpm_free(&released, sizeof *released);
    return rc;
}

int tpm_activate(cs_attestor *base, const uint8_t bytes[CS_TPM_ACTIVATION_SIZE],
    uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE], cs_error *error)
{
    tpm_attestor *attestor = (tpm_attestor *)base;
    activation a = {.attestor = attestor, .key = key};

    a.blob.size = CS_TPM_ACTIVATION_SIZE / 2;
    memcpy(a.blob.credential, bytes, a.blob.size);
    a.secret.size = CS_TPM_ACTIVATION_SIZE / 2;
    memcpy(a.secret.secret, bytes + a.blob.size, a.secret.size);
    return tpm_run(attestor->token, NULL, activate_work, &a, error);
}
