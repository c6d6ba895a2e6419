/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TPM_STATEMENT_H
#define CHARTSEAL_TPM_STATEMENT_H

/*
 * What a TPM says about its keys, for somebody who has no TPM at hand: read and checked as bytes.
 *
 * An attestation key (AK) is a signing key that is `restricted`: a TPM signs with it nothing but
 * what it says itself, and that begins with a magic number that nothing else may begin with. By
 * TPM2_Certify the TPM says "the key of this Name is in me"; a Name is the hash of a key's public
 * area, and a public area says what kind of key it is and whether it can leave (fixedTPM). So who
 * believes the AK knows of each key that the statement names that it was made in that TPM and stays
 * there (TPM 2.0 Library, Part 1, "Attestation"; Part 3, TPM2_Certify; structures in Part 2).
 *
 * Why believe the AK? Because of the endorsement key (EK), for which the TPM's maker gives a
 * certificate. It signs nothing; but what is sealed to it by TPM2_MakeCredential, which is made
 * here in software, comes out of TPM2_ActivateCredential only if the same TPM holds the AK that was
 * named. Whoever then has what was sealed, has both.
 *
 * One kind of each is taken: P-256, SHA-256, ECDSA; and the EK of the TCG's default template L-2
 * (EK Credential Profile for TPM 2.0, ECC NIST P-256), whose certificate is at NV index 0x01C0000A.
 */

#include <chartseal/crypto.h>

#define CS_TPM_NAME_SIZE 34    /* SHA-256's number ‖ SHA-256 of the public area */
#define CS_TPM_PUBLIC_MAX 128  /* TPMT_PUBLIC: of P-256 122 to 124 bytes with a policy */
#define CS_TPM_ATTEST_SIZE 173 /* TPMS_ATTEST of TPM2_Certify where all names are of SHA-256 */
#define CS_TPM_ACTIVATION_SIZE 136
#define CS_TPM_ACTIVATION_KEY_SIZE 32 /* what an EK of SHA-256 releases at most */
#define CS_EK_CERTIFICATE_MAX 2048    /* what an NV index of a TPM holds */

typedef enum cs_tpm_kind {
    CS_TPM_SIGNING = 1, /* sign: signs digests */
    CS_TPM_AGREEING,    /* decrypt: ECDH */
    CS_TPM_PARENT,      /* the storage root: restricted, decrypt, AES-128-CFB */
    CS_TPM_ATTESTING,   /* AK: restricted, sign, ECDSA with SHA-256 */
} cs_tpm_kind;

typedef struct cs_tpm_public {
    uint8_t name[CS_TPM_NAME_SIZE];
    uint8_t point[65]; /* SEC1 */
} cs_tpm_public;

/* Read a marshalled TPMT_PUBLIC, all of it, and check that it is a key of that kind which was made
 * in its TPM and cannot leave: fixedTPM, fixedParent, sensitiveDataOrigin, no encryptedDuplication.
 * CS_E_MALFORMED: no P-256 public area; CS_E_POINT; CS_E_ATTESTATION: another kind of key, or one
 * that can leave. */
CS_MUST_CHECK int cs_tpm_public_read(
    cs_tpm_public *out, cs_view area, cs_tpm_kind kind, cs_error *error);

/* That `attest` is what TPM2_Certify says of the key with that Name, with this qualifying data, and
 * that `signature` over it is the AK's. CS_E_MALFORMED, CS_E_ATTESTATION, CS_E_SIGNATURE. */
CS_MUST_CHECK int cs_tpm_statement_check(cs_view attest, cs_view signature,
    const cs_tpm_public *attesting, const cs_tpm_public *key,
    const uint8_t qualifying[CS_HASH_SIZE], cs_error *error);

/* TPM2_MakeCredential: `key` (guarded) for the TPM that has the EK of that point (SEC1, 33 or 65
 * bytes) and an object of that Name. TPMS_ID_OBJECT ‖ TPMS_ECC_POINT. CS_E_POINT. */
CS_MUST_CHECK int cs_tpm_activation_make(uint8_t out[CS_TPM_ACTIVATION_SIZE], cs_view endorsement,
    const uint8_t name[CS_TPM_NAME_SIZE], const uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE],
    cs_error *error);

#endif
