/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SESSION_H
#define CHARTSEAL_SESSION_H

/*
 * SEK1 and SEK2: the key two parties agree on, and messages under it.
 *
 *     A = S_j·R_i = r_i·Y_j     B = r_j·Y_i = S_i·R_j     C = r_j·R_i = r_i·R_j
 *     SEK = HKDF(salt = h(transcript), ikm = enc(|A| + |B|) ‖ enc(C))
 *
 * i is the party that starts (P in a consultation, D in a search), j the one that answers. A and B
 * need both parties' S_X, C needs neither: who learns every long-term key later still lacks C.
 *
 * A message under SEK has a head in the clear (label, suite, time, session, sequence) and then
 * chunks of a stream (stream.h) whose key is derived for that label and sequence, with the head as
 * aad. The first chunk holds the message's struct, the others its bulk content. Sequences run 0, 1,
 * 2 … over both directions; a message out of order, or one that does not open, ends the session.
 */

#include <chartseal/party.h>
#include <chartseal/stream.h>

typedef struct cs_session cs_session;

void cs_session_free(cs_session **session);
/* CS_SESSION_ID_SIZE bytes, the same on both sides. */
const uint8_t *cs_session_id(const cs_session *session);
/* True once a message was refused: nothing more goes through. */
bool cs_session_ended(const cs_session *session);

/* The bulk content of one message on its way: M_SD, M_EMR, M_DINF. It counts to the size that the
 * message declared, and hashes what passes. */
typedef struct cs_bulk cs_bulk;
void cs_bulk_free(cs_bulk **bulk);
uint64_t cs_bulk_remaining(const cs_bulk *bulk);
/* Seal the next at most CS_CHUNK_SIZE bytes (all but the last chunk full); *final tells the
 * transport whether it was the last. More than was declared is CS_E_TOO_LARGE. */
CS_MUST_CHECK int cs_bulk_seal(
    cs_bulk *bulk, cs_buf *out, cs_view plain, bool *final, cs_error *error);
CS_MUST_CHECK int cs_bulk_open(
    cs_bulk *bulk, cs_buf *out, cs_view sealed, bool final, cs_error *error);
/* h of the content, after the last chunk. CS_E_TRUNCATED before it. */
CS_MUST_CHECK int cs_bulk_hash(const cs_bulk *bulk, uint8_t hash[CS_HASH_SIZE], cs_error *error);

#endif
