/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_DUPLICATE_H
#define CHARTSEAL_DUPLICATE_H

/*
 * S_X on its way into a TPM: a duplication blob (TPM 2.0 Library, Part 1, "Protected Storage";
 * Part 3, TPM2_Import) that the issuer makes in software for the storage root of X's TPM. Only that
 * TPM can open it, and it opens it inside: S_X is never in the memory of X's host.
 *
 *   seed   = KDFe(x of ephemeral·root, "DUPLICATE", x of the ephemeral, x of the root)
 *   inner  = AES-128-CFB(one-time key, h(sensitive ‖ name) ‖ sensitive)
 *   outer  = AES-128-CFB(KDFa(seed, "STORAGE", name), inner)
 *   blob   = one-time key ‖ HMAC(KDFa(seed, "INTEGRITY"), outer ‖ name) ‖ outer
 *
 * The inner layer is there because TPM2_Import sends the blob over the bus in the clear, all but
 * the one-time key, which the session encrypts. Without it somebody who listened at the delivery
 * could import S_X again, without the authorisation value that it is given afterwards.
 *
 * What kind of key S_X becomes is fixed here, in the public area that both sides compute from Y:
 * for ECDH on P-256 alone, used with an authorisation value under dictionary-attack protection, and
 * not to be duplicated again (it has no policy, which TPM2_Duplicate would ask for).
 */

#include <chartseal/group.h>

#define CS_DUPLICATE_KEY_SIZE 16   /* the one-time key at the head of the blob: AES-128 */
#define CS_DUPLICATE_BLOB_SIZE 126 /* of a P-256 scalar */
#define CS_DUPLICATE_PUBLIC_SIZE 88

/* The marshalled TPMT_PUBLIC of S_X, Y being its public point. Suite p256 alone: CS_E_USAGE. */
CS_MUST_CHECK int cs_duplicate_public(
    uint8_t out[CS_DUPLICATE_PUBLIC_SIZE], const cs_point *y, cs_error *error);

/* The blob, appended to out (which should be guarded), for the storage root whose public point is
 * parent: a P-256 root with name algorithm SHA-256 and AES-128-CFB, as the TCG template has it.
 * ephemeral gets the point that goes beside the blob. s: guarded memory, wiped by the caller. */
CS_MUST_CHECK int cs_duplicate_seal(cs_buf *out, uint8_t ephemeral[65], const uint8_t parent[65],
    const cs_scalar *s, const cs_point *y, cs_error *error);

#endif
