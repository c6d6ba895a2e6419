/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_ATTESTATION_H
#define CHARTSEAL_PROTOCOL_ATTESTATION_H

/*
 * Where X's keys are, said by a TPM in R1 and checked by PC.
 *
 * The statements are made for one registration: their qualifying data is h of the very array that
 * R1 carries, with an empty attestation, so identity, keys, delivery key, time and cloud are under
 * them. In R2 the S_X of an X with an endorsement key is sealed with a key of its own, nonce 0, aad
 * h(R1); that key is sealed to the endorsement key and the attestation key's Name.
 */

#include <chartseal/registration.h>

/* X's side: makes the attestation of a request that has none yet, and the attestor for the answer.
 * Nothing is made (*attestor NULL, CS_OK) where the token makes no statements, or a key could not
 * be attested. */
CS_MUST_CHECK int cs_attestation_make(cs_attestor **attestor, cs_buf *out, const cs_party *me,
    cs_token *token, const cs_register *request, cs_error *error);
/* The secret of R2, opened and appended to out (guarded). */
CS_MUST_CHECK int cs_attestation_open(cs_buf *out, cs_attestor *attestor, cs_view activation,
    const uint8_t h_request[CS_HASH_SIZE], cs_view sealed, cs_error *error);

/* PC's side: checks what the request carries, if it carries something. After take_request. */
CS_MUST_CHECK int cs_attestation_check(
    cs_registration *out, const cs_env *env, const cs_register *request, cs_error *error);
/* Seals *secret (guarded) in place for the endorsement key of the registration. */
CS_MUST_CHECK int cs_attestation_seal(cs_buf *secret, uint8_t activation[CS_TPM_ACTIVATION_SIZE],
    const cs_registration *r, cs_error *error);

/* Of both: h of the request without its attestation. */
CS_MUST_CHECK int cs_attestation_qualifying(
    uint8_t out[CS_HASH_SIZE], const cs_register *request, cs_error *error);

#endif
