/* SPDX-License-Identifier: Apache-2.0 */
/* What kinds of key there are: the templates they are made by, and what a key found can be. */
#include "tpm.h"

#include <string.h>
#include <tss2/tss2_mu.h>

/* Never out of this TPM, made in it, used with its authorisation value, under dictionary-attack
 * protection (no NODA). */
#define OWN                                                                                        \
    (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |            \
        TPMA_OBJECT_USERWITHAUTH)

/* The ECC SRK of the TCG's TPM v2.0 Provisioning Guidance: H-2 with zeros in `unique`. */
TPM2B_PUBLIC tpm_root_template(void)
{
    TPM2B_PUBLIC out = {.publicArea = {.type = TPM2_ALG_ECC,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes = OWN | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
                                                TPMA_OBJECT_DECRYPT}};
    TPMS_ECC_PARMS *ecc = &out.publicArea.parameters.eccDetail;

    ecc->symmetric.algorithm = TPM2_ALG_AES;
    ecc->symmetric.keyBits.aes = 128;
    ecc->symmetric.mode.aes = TPM2_ALG_CFB;
    ecc->scheme.scheme = TPM2_ALG_NULL;
    ecc->curveID = TPM2_ECC_NIST_P256;
    ecc->kdf.scheme = TPM2_ALG_NULL;
    out.publicArea.unique.ecc.x.size = 32;
    out.publicArea.unique.ecc.y.size = 32;
    return out;
}

/* The default template L-2 of the TCG's EK Credential Profile for TPM 2.0, byte for byte: with it a
 * TPM makes the very key again that its maker gave the certificate for. Its policy is
 * TPM2_PolicySecret with the endorsement hierarchy. */
TPM2B_PUBLIC tpm_endorsement_template(void)
{
    static const uint8_t policy[] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90,
        0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2,
        0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
    TPM2B_PUBLIC out = tpm_root_template();

    out.publicArea.objectAttributes &= ~(TPMA_OBJECT)(TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA);
    out.publicArea.objectAttributes |= TPMA_OBJECT_ADMINWITHPOLICY;
    out.publicArea.authPolicy.size = sizeof policy;
    memcpy(out.publicArea.authPolicy.buffer, policy, sizeof policy);
    return out;
}

/* Restricted: it signs what the TPM says itself and nothing else. Without an authorisation value:
 * it is for one registration, and its private half does not leave this process's memory. */
TPM2B_PUBLIC tpm_attestation_template(void)
{
    TPM2B_PUBLIC out = {.publicArea = {.type = TPM2_ALG_ECC,
                            .nameAlg = TPM2_ALG_SHA256,
                            .objectAttributes = OWN | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
                                                TPMA_OBJECT_SIGN_ENCRYPT}};
    TPMS_ECC_PARMS *ecc = &out.publicArea.parameters.eccDetail;

    ecc->symmetric.algorithm = TPM2_ALG_NULL;
    ecc->scheme.scheme = TPM2_ALG_ECDSA;
    ecc->scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
    ecc->curveID = TPM2_ECC_NIST_P256;
    ecc->kdf.scheme = TPM2_ALG_NULL;
    return out;
}

static TPMI_ALG_ASYM_SCHEME scheme_of(cs_use use)
{
    switch (use) {
    case CS_USE_SIGN:
        return TPM2_ALG_ECDSA;
    case CS_USE_ISSUE:
        return TPM2_ALG_ECSCHNORR;
    default:
        return TPM2_ALG_ECDH;
    }
}

int tpm_key_template(TPM2B_PUBLIC *out, cs_use use, cs_suite suite, cs_error *error)
{
    TPMS_ECC_PARMS *ecc = &out->publicArea.parameters.eccDetail;
    TPMT_KEYEDHASH_SCHEME *hmac = &out->publicArea.parameters.keyedHashDetail.scheme;

    if (use == CS_USE_ISSUE && suite != CS_SUITE_P256)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "a TPM issues in suite p256 alone; a PKCS#11 token does in ed25519");
    *out = (TPM2B_PUBLIC){
        .publicArea = {.type = TPM2_ALG_ECC, .nameAlg = TPM2_ALG_SHA256, .objectAttributes = OWN}};
    out->publicArea.objectAttributes |=
        use == CS_USE_AGREE ? TPMA_OBJECT_DECRYPT : TPMA_OBJECT_SIGN_ENCRYPT;
    if (use == CS_USE_PRF) {
        out->publicArea.type = TPM2_ALG_KEYEDHASH;
        hmac->scheme = TPM2_ALG_HMAC;
        hmac->details.hmac.hashAlg = TPM2_ALG_SHA256;
        return CS_OK;
    }
    ecc->symmetric.algorithm = TPM2_ALG_NULL;
    ecc->scheme.scheme = scheme_of(use);
    ecc->scheme.details.anySig.hashAlg = TPM2_ALG_SHA256;
    ecc->curveID = TPM2_ECC_NIST_P256;
    ecc->kdf.scheme = TPM2_ALG_NULL;
    return CS_OK;
}

bool tpm_public_is_p256(const TPMT_PUBLIC *area)
{
    return area->type == TPM2_ALG_ECC && area->parameters.eccDetail.curveID == TPM2_ECC_NIST_P256;
}

static bool has_scheme(const TPMT_PUBLIC *area, TPMI_ALG_ASYM_SCHEME scheme, bool or_any)
{
    const TPMT_ECC_SCHEME *own = &area->parameters.eccDetail.scheme;

    return (own->scheme == scheme && own->details.anySig.hashAlg == TPM2_ALG_SHA256) ||
           (or_any && own->scheme == TPM2_ALG_NULL);
}

/* A key of another's making may leave the scheme open; a master key may not, as it would sign
 * anything then. */
bool tpm_template_can(const TPMT_PUBLIC *area, cs_use use, cs_suite suite)
{
    const TPMT_KEYEDHASH_SCHEME *hmac = &area->parameters.keyedHashDetail.scheme;
    bool sign = (area->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) != 0;
    bool decrypt = (area->objectAttributes & TPMA_OBJECT_DECRYPT) != 0;

    if (area->nameAlg != TPM2_ALG_SHA256 || (area->objectAttributes & TPMA_OBJECT_RESTRICTED) != 0)
        return false;
    switch (use) {
    case CS_USE_SIGN:
        return tpm_public_is_p256(area) && sign && has_scheme(area, TPM2_ALG_ECDSA, true);
    case CS_USE_SCALAR:
    case CS_USE_AGREE:
        return (use == CS_USE_AGREE || suite == CS_SUITE_P256) && tpm_public_is_p256(area) &&
               decrypt && has_scheme(area, TPM2_ALG_ECDH, true);
    case CS_USE_ISSUE:
        return suite == CS_SUITE_P256 && tpm_public_is_p256(area) && sign && !decrypt &&
               has_scheme(area, TPM2_ALG_ECSCHNORR, false);
    case CS_USE_PRF:
        return area->type == TPM2_ALG_KEYEDHASH && sign && !decrypt &&
               hmac->scheme == TPM2_ALG_HMAC && hmac->details.hmac.hashAlg == TPM2_ALG_SHA256;
    default:
        return false;
    }
}

/* An ECDH key that was not made here is an S_X: decrypt keys are. */
cs_use tpm_template_use(const TPMT_PUBLIC *area)
{
    if (area->type == TPM2_ALG_KEYEDHASH)
        return CS_USE_PRF;
    if (tpm_template_can(area, CS_USE_ISSUE, CS_SUITE_P256))
        return CS_USE_ISSUE;
    if (tpm_template_can(area, CS_USE_AGREE, CS_SUITE_P256) &&
        (area->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) == 0)
        return (area->objectAttributes & TPMA_OBJECT_SENSITIVEDATAORIGIN) != 0 ? CS_USE_AGREE
                                                                               : CS_USE_SCALAR;
    return CS_USE_SIGN;
}

int tpm_pad(uint8_t out[32], const TPM2B_ECC_PARAMETER *value, cs_error *error)
{
    if (value->size == 0 || value->size > 32)
        return CS_FAIL(
            error, CS_E_TOKEN, "the TPM gave a number of %u bytes instead of 32", value->size);
    memset(out, 0, 32);
    memcpy(out + 32 - value->size, value->buffer, value->size);
    return CS_OK;
}

int tpm_point_get(uint8_t out[65], const TPMS_ECC_POINT *point, cs_error *error)
{
    int rc = tpm_pad(out + 1, &point->x, error);

    out[0] = 4;
    return rc == CS_OK ? tpm_pad(out + 33, &point->y, error) : rc;
}

TPM2B_ECC_POINT tpm_point_put(const uint8_t sec1[65])
{
    TPM2B_ECC_POINT out = {.point = {.x = {.size = 32}, .y = {.size = 32}}};

    memcpy(out.point.x.buffer, sec1 + 1, 32);
    memcpy(out.point.y.buffer, sec1 + 33, 32);
    return out;
}

int tpm_name_of(TPM2B_NAME *out, const TPM2B_PUBLIC *area, cs_error *error)
{
    uint8_t bytes[sizeof(TPMT_PUBLIC)];
    size_t n = 0;

    if (area->publicArea.nameAlg != TPM2_ALG_SHA256 ||
        Tss2_MU_TPMT_PUBLIC_Marshal(&area->publicArea, bytes, sizeof bytes, &n) != TSS2_RC_SUCCESS)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE, "that TPM key is not named by SHA-256");
    out->size = 2 + CS_HASH_SIZE;
    out->name[0] = TPM2_ALG_SHA256 >> 8;
    out->name[1] = TPM2_ALG_SHA256 & 0xff;
    return cs_hash(out->name + 2, (cs_view){bytes, n}, error);
}

bool tpm_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
    return cs_view_equal((cs_view){a->name, a->size}, (cs_view){b->name, b->size});
}
