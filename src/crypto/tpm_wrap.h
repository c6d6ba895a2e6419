/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_TPM_WRAP_H
#define CHARTSEAL_CRYPTO_TPM_WRAP_H

/* What everything has in common that is made in software for a TPM, or read from one: numbers of
 * TPM 2.0 Library, Part 2; the key derivations and the cipher of Part 1. */

#include <chartseal/tpm_statement.h>

#define CS_TPM_ALG_NULL 0x0010
#define CS_TPM_ALG_AES 0x0006
#define CS_TPM_ALG_SHA256 0x000b
#define CS_TPM_ALG_ECDSA 0x0018
#define CS_TPM_ALG_ECDH 0x0019
#define CS_TPM_ALG_ECC 0x0023
#define CS_TPM_ALG_CFB 0x0043
#define CS_TPM_CURVE_NIST_P256 0x0003

/* TPMA_OBJECT */
#define CS_TPM_FIXED_TPM 0x00000002u
#define CS_TPM_FIXED_PARENT 0x00000010u
#define CS_TPM_SENSITIVE_DATA_ORIGIN 0x00000020u
#define CS_TPM_USER_WITH_AUTH 0x00000040u
#define CS_TPM_ENCRYPTED_DUPLICATION 0x00000800u
#define CS_TPM_RESTRICTED 0x00010000u
#define CS_TPM_DECRYPT_BIT 0x00020000u
#define CS_TPM_SIGN_BIT 0x00040000u

#define CS_TPM_COORDINATE 32
#define CS_TPM_AES_SIZE 16
#define CS_TPM_LABEL_MAX 16

/* Big-endian, and TPM2B; each gives what comes after. */
uint8_t *cs_tpm_put16(uint8_t *at, unsigned value);
uint8_t *cs_tpm_put2b(uint8_t *at, const uint8_t *bytes, size_t n);

CS_MUST_CHECK int cs_tpm_kdf_a(uint8_t *out, size_t n, const uint8_t key[CS_HASH_SIZE],
    const char *label, const uint8_t *context, size_t context_n, cs_error *error);
CS_MUST_CHECK int cs_tpm_kdf_e(uint8_t seed[CS_HASH_SIZE], uint8_t z[CS_TPM_COORDINATE],
    const char *label, const uint8_t ephemeral[65], const uint8_t parent[65], cs_error *error);
CS_MUST_CHECK int cs_tpm_cfb(
    uint8_t *bytes, size_t n, const uint8_t key[CS_TPM_AES_SIZE], cs_error *error);

#endif
