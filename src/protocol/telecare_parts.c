/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a record as it passes: its parts have the hashes that were signed; and how many
 * blocks it takes. */
#include "protocol/telecare.h"

#include <string.h>

/* Eight sizes for each doubling: a content shows its size to an eighth. */
#define STEPS 8

uint64_t cs_blocks_padded(uint64_t n)
{
    uint64_t step = 1;

    if (n == 0 || n > CS_BLOCKS_MAX)
        return CS_BLOCKS_MAX;
    while (n / step >= 2 * (uint64_t)STEPS)
        step *= 2;
    return (n + step - 1) / step * step;
}

uint64_t cs_record_blocks(size_t front_size, uint64_t content_size)
{
    uint64_t total = CS_FRONT_LENGTH_SIZE + front_size + content_size;

    return cs_blocks_padded((total + CS_BLOCK_PLAIN - 1) / CS_BLOCK_PLAIN);
}

uint64_t cs_parts_size(const cs_parts *parts)
{
    uint64_t size = 0;

    for (size_t i = 0; i < parts->n; i++)
        size += parts->part[i].size;
    return size;
}

/* The part at hand is whole: compare, and go on to the next, which may be empty too. */
static int close_parts(cs_parts *parts, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    int rc = CS_OK;

    while (rc == CS_OK && parts->at < parts->n && parts->left == 0) {
        const cs_part *part = &parts->part[parts->at];

        rc = cs_hasher_finish(parts->hasher, hash, error);
        if (rc == CS_OK && memcmp(hash, part->hash, CS_HASH_SIZE) != 0)
            return CS_FAIL(error, CS_E_SIGNATURE,
                "the content is not the one that was signed; has the file changed meanwhile?");
        cs_hasher_free(&parts->hasher);
        parts->at++;
        if (rc == CS_OK && parts->at < parts->n) {
            parts->left = parts->part[parts->at].size;
            rc = cs_hasher_new(&parts->hasher, error);
        }
    }
    return rc;
}

int cs_parts_begin(cs_parts *parts, cs_error *error)
{
    int rc;

    cs_parts_end(parts);
    parts->at = 0;
    parts->left = parts->part[0].size;
    rc = cs_hasher_new(&parts->hasher, error);
    return rc == CS_OK ? close_parts(parts, error) : rc;
}

int cs_parts_pass(cs_parts *parts, cs_view bytes, cs_error *error)
{
    int rc = CS_OK;

    /* nobody passes more than is left of all parts: both ends count */
    while (rc == CS_OK && bytes.n > 0 && parts->at < parts->n) {
        cs_view now = {bytes.p, bytes.n < parts->left ? bytes.n : (size_t)parts->left};

        rc = cs_hasher_add(parts->hasher, now, error);
        parts->left -= now.n;
        bytes.p += now.n;
        bytes.n -= now.n;
        if (rc == CS_OK)
            rc = close_parts(parts, error);
    }
    return rc;
}

void cs_parts_end(cs_parts *parts)
{
    cs_hasher_free(&parts->hasher);
}
