/* SPDX-License-Identifier: Apache-2.0 */
#include <chartseal/secret.h>
#include <chartseal/stream.h>

#include <stdlib.h>

#define COUNTER_AT 3u /* after the three zero bytes of the nonce */

struct cs_stream {
    uint8_t *key; /* guarded */
    cs_buf aad;
    uint64_t counter;
    bool finished;
};

int cs_stream_new(
    cs_stream **out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, cs_error *error)
{
    cs_stream *stream = calloc(1, sizeof *stream);
    int rc;

    *out = NULL;
    if (stream == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a stream");
    stream->key = cs_secret_new(CS_AEAD_KEY_SIZE);
    if (stream->key == NULL) {
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a stream's key");
    } else {
        for (size_t i = 0; i < CS_AEAD_KEY_SIZE; i++)
            stream->key[i] = key[i];
        rc = cs_buf_append(&stream->aad, aad, error);
    }
    if (rc != CS_OK)
        cs_stream_free(&stream);
    *out = stream;
    return rc;
}

void cs_stream_free(cs_stream **stream)
{
    if (stream == NULL || *stream == NULL)
        return;
    cs_secret_free(&(*stream)->key);
    cs_buf_free(&(*stream)->aad);
    free(*stream);
    *stream = NULL;
}

static void chunk_nonce(uint8_t nonce[CS_AEAD_NONCE_SIZE], uint64_t counter, bool final)
{
    for (size_t i = 0; i < COUNTER_AT; i++)
        nonce[i] = 0;
    for (size_t i = 0; i < 8; i++)
        nonce[COUNTER_AT + i] = (uint8_t)(counter >> (56 - 8 * i) & 0xff);
    nonce[CS_AEAD_NONCE_SIZE - 1] = final ? 1 : 0;
}

int cs_chunk_seal(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, uint64_t counter,
    bool final, cs_view chunk, cs_error *error)
{
    uint8_t nonce[CS_AEAD_NONCE_SIZE];

    if (chunk.n > CS_CHUNK_SIZE)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a chunk of %zu bytes is over %u; cut it", chunk.n,
            CS_CHUNK_SIZE);
    chunk_nonce(nonce, counter, final);
    return cs_aead_seal(out, key, nonce, aad, chunk, error);
}

int cs_chunk_open(cs_buf *out, const uint8_t key[CS_AEAD_KEY_SIZE], cs_view aad, uint64_t counter,
    bool final, cs_view sealed, cs_error *error)
{
    uint8_t nonce[CS_AEAD_NONCE_SIZE];

    if (sealed.n > CS_CHUNK_SEALED_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a sealed chunk of %zu bytes is over %u", sealed.n,
            CS_CHUNK_SEALED_MAX);
    chunk_nonce(nonce, counter, final);
    return cs_aead_open(out, key, nonce, aad, sealed, error);
}

/* A chunk can follow: neither finished, nor out of counters (which would repeat a nonce). */
static int may_go_on(const cs_stream *stream, cs_error *error)
{
    if (stream->finished || stream->counter == UINT64_MAX)
        return CS_FAIL(error, CS_E_ORDER, "a chunk after the final one of its stream");
    return CS_OK;
}

static void advance(cs_stream *stream, bool final)
{
    stream->counter++;
    stream->finished = final;
}

int cs_stream_seal(cs_stream *stream, cs_buf *out, cs_view chunk, bool final, cs_error *error)
{
    int rc = may_go_on(stream, error);

    if (rc == CS_OK)
        rc = cs_chunk_seal(
            out, stream->key, cs_view_buf(&stream->aad), stream->counter, final, chunk, error);
    if (rc == CS_OK)
        advance(stream, final);
    return rc;
}

int cs_stream_open(cs_stream *stream, cs_buf *out, cs_view sealed, bool final, cs_error *error)
{
    int rc = may_go_on(stream, error);

    if (rc == CS_OK)
        rc = cs_chunk_open(
            out, stream->key, cs_view_buf(&stream->aad), stream->counter, final, sealed, error);
    if (rc == CS_OK)
        advance(stream, final);
    return rc;
}

bool cs_stream_finished(const cs_stream *stream)
{
    return stream->finished;
}
