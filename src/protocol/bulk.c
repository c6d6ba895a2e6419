/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/session.h"

#include <stdlib.h>
#include <string.h>

struct cs_bulk {
    cs_stream *stream;
    cs_hasher *hasher;
    uint64_t remaining;
    uint8_t hash[CS_HASH_SIZE]; /* once nothing remains */
};

static int bulk_new(cs_bulk **out, cs_stream **stream, uint64_t size, cs_error *error)
{
    cs_bulk *bulk;
    int rc;

    *out = NULL;
    if (size == 0)
        return CS_OK;
    bulk = calloc(1, sizeof *bulk);
    if (bulk == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a message's content");
    rc = cs_hasher_new(&bulk->hasher, error);
    if (rc != CS_OK) {
        free(bulk);
        return rc;
    }
    bulk->stream = *stream;
    bulk->remaining = size;
    *stream = NULL;
    *out = bulk;
    return CS_OK;
}

int cs_bulk_give(cs_bulk **bulk, cs_stream **stream, uint64_t size, cs_error *error)
{
    return bulk_new(bulk, stream, size, error);
}

int cs_bulk_take(cs_bulk **bulk, cs_stream **stream, uint64_t size, cs_error *error)
{
    *bulk = NULL;
    if ((size == 0) != cs_stream_finished(*stream))
        return CS_FAIL(error, CS_E_MALFORMED,
            "a message's content is not there, or is there against its word");
    return bulk_new(bulk, stream, size, error);
}

void cs_bulk_free(cs_bulk **bulk)
{
    if (bulk == NULL || *bulk == NULL)
        return;
    cs_stream_free(&(*bulk)->stream);
    cs_hasher_free(&(*bulk)->hasher);
    free(*bulk);
    *bulk = NULL;
}

uint64_t cs_bulk_remaining(const cs_bulk *bulk)
{
    return bulk->remaining;
}

/* The length of the next chunk is fixed by what remains, so there is one way to cut a content. */
static size_t next_length(const cs_bulk *bulk)
{
    return bulk->remaining < CS_CHUNK_SIZE ? (size_t)bulk->remaining : CS_CHUNK_SIZE;
}

static int passed(cs_bulk *bulk, cs_view plain, cs_error *error)
{
    int rc = cs_hasher_add(bulk->hasher, plain, error);

    bulk->remaining -= plain.n;
    if (rc == CS_OK && bulk->remaining == 0)
        rc = cs_hasher_finish(bulk->hasher, bulk->hash, error);
    return rc;
}

int cs_bulk_seal(cs_bulk *bulk, cs_buf *out, cs_view plain, bool *final, cs_error *error)
{
    int rc;

    if (bulk->remaining == 0 || plain.n > next_length(bulk))
        return CS_FAIL(error, CS_E_TOO_LARGE,
            "the content is longer than was announced; "
            "has the file changed meanwhile?");
    if (plain.n != next_length(bulk))
        return CS_FAIL(error, CS_E_TRUNCATED,
            "the content is shorter than was announced; "
            "has the file changed meanwhile?");
    *final = plain.n == bulk->remaining;
    rc = cs_stream_seal(bulk->stream, out, plain, *final, error);
    return rc == CS_OK ? passed(bulk, plain, error) : rc;
}

int cs_bulk_open(cs_bulk *bulk, cs_buf *out, cs_view sealed, bool final, cs_error *error)
{
    size_t start = out->n;
    size_t n;
    int rc;

    if (bulk->remaining == 0)
        return CS_FAIL(error, CS_E_TOO_LARGE, "more content arrives than was announced");
    rc = cs_stream_open(bulk->stream, out, sealed, final, error);
    if (rc != CS_OK)
        return rc;
    n = out->n - start;
    if (n != next_length(bulk) || final != (n == bulk->remaining)) {
        cs_wipe(out->p + start, n);
        out->n = start;
        return CS_FAIL(error, CS_E_TRUNCATED, "the content is not as long as was announced");
    }
    return passed(bulk, (cs_view){out->p + start, n}, error);
}

int cs_bulk_hash(const cs_bulk *bulk, uint8_t hash[CS_HASH_SIZE], cs_error *error)
{
    if (bulk->remaining != 0)
        return CS_FAIL(error, CS_E_TRUNCATED, "the content ended %llu bytes too early",
            (unsigned long long)bulk->remaining);
    memcpy(hash, bulk->hash, CS_HASH_SIZE);
    return CS_OK;
}

int cs_bulk_hash_or_empty(const cs_bulk *bulk, uint8_t hash[CS_HASH_SIZE], cs_error *error)
{
    return bulk == NULL ? cs_hash(hash, (cs_view){0}, error) : cs_bulk_hash(bulk, hash, error);
}
