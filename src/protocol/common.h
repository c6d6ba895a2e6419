/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_COMMON_H
#define CHARTSEAL_PROTOCOL_COMMON_H

/* What every step of the protocol does: sign and verify a message, check its time, its novelty. */

#include <chartseal/party.h>
#include <chartseal/secret.h>

/* h of the message's encoding. */
CS_MUST_CHECK int cs_message_hash(
    uint8_t hash[CS_HASH_SIZE], const cs_schema *schema, const void *message, cs_error *error);
/* S_PRK over the message's encoding: one token operation. */
CS_MUST_CHECK int cs_message_sign(uint8_t signature[CS_SIGNATURE_SIZE], cs_key *key,
    const cs_schema *schema, const void *message, cs_error *error);
/* CS_E_SIGNATURE, naming `what`. On success `digest` (may be NULL) is h of the message. */
CS_MUST_CHECK int cs_message_verify(const char *what, const uint8_t puk[CS_PUK_SIZE],
    const cs_schema *schema, const void *message, cs_view signature, uint8_t *digest,
    cs_error *error);

/* A body with its signature (cs_signed), made; and taken apart after the check. */
CS_MUST_CHECK int cs_signed_make(
    cs_buf *out, cs_key *key, const cs_schema *schema, const void *body, cs_error *error);
CS_MUST_CHECK int cs_signed_verify(const char *what, const cs_signed *envelope,
    const uint8_t puk[CS_PUK_SIZE], uint8_t *digest, cs_error *error);

/* |T' − T| ≤ ΔT; the time in the clear is the one that was sealed. CS_E_STALE. */
CS_MUST_CHECK int cs_check_time(const cs_env *env, uint64_t time, cs_error *error);
CS_MUST_CHECK int cs_check_same_time(uint64_t clear, uint64_t sealed, cs_error *error);
/* Not seen before. What is remembered is h of what was signed, not of the signature: with (r, s)
 * also (r, −s) verifies, so that a signature has two forms. CS_E_REPLAY. */
CS_MUST_CHECK int cs_check_fresh(
    const cs_env *env, const uint8_t digest[CS_HASH_SIZE], cs_error *error);

/* h(["chartseal/1 access", consent, reason]): by what right, as SigD2 and SigD3 cover it. */
CS_MUST_CHECK int cs_access_hash(
    uint8_t hash[CS_HASH_SIZE], cs_view consent, cs_view reason, cs_error *error);

/* A decoded text (already within its limit) as a C string. */
void cs_text_copy(char *out, size_t size, cs_view text);
/* A caller's text, NULL for none, which names `what`. CS_E_TOO_LARGE: a part of a name would be
 * another name. */
CS_MUST_CHECK int cs_text_take(
    char *out, size_t size, const char *what, const char *text, cs_error *error);

#endif
