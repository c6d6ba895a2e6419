/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_STREAM_H
#define CHARTSEAL_STREAM_H

/*
 * Chunked AEAD, so that the size of a record costs no memory and truncation shows: AES-256-GCM over
 * chunks of at most 64 KiB, each with the nonce
 *     000000 ‖ counter (8 bytes, big-endian) ‖ final (1 byte: 0 or 1)
 * as in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015). A key serves one stream. `aad` goes into
 * every chunk. The final chunk may be empty, any other may not be read as final; after the final
 * chunk nothing follows. A reader that has not seen the final chunk has not got the message.
 */

#include <chartseal/crypto.h>

#define CS_CHUNK_SIZE 65536u
#define CS_CHUNK_SEALED_MAX (CS_CHUNK_SIZE + CS_AEAD_TAG_SIZE)

typedef struct cs_stream cs_stream;

/* The key is copied into guarded memory and the aad is copied. */
CS_MUST_CHECK int cs_stream_new(
    cs_stream **out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, cs_error *error);
void cs_stream_free(cs_stream **stream);

/* Seal one chunk (0 to CS_CHUNK_SIZE bytes) and append it to out. CS_E_ORDER after the final one.
 */
CS_MUST_CHECK int cs_stream_seal(
    cs_stream *stream, cs_buf *out, cs_view chunk, bool final, cs_error *error);
/* Open one chunk and append it to out. `final` is what the transport says of this chunk; a wrong
 * word is CS_E_DECRYPT. CS_E_ORDER after the final one, CS_E_TOO_LARGE, CS_E_DECRYPT. */
CS_MUST_CHECK int cs_stream_open(
    cs_stream *stream, cs_buf *out, cs_view sealed, bool final, cs_error *error);
bool cs_stream_finished(const cs_stream *stream);

/* Where chunks are stored as rows of their own, one can be sealed or opened by its number. */
CS_MUST_CHECK int cs_chunk_seal(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad,
    uint64_t counter, bool final, cs_view chunk, cs_error *error);
CS_MUST_CHECK int cs_chunk_open(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad,
    uint64_t counter, bool final, cs_view sealed, cs_error *error);

#endif
