/* SPDX-License-Identifier: Apache-2.0 */
#include "service/frames.h"

#include <string.h>

#define FINAL_BIT 0x80u

int cs_frame_put(cs_buf *out, cs_view content, bool final, cs_error *error)
{
    uint8_t prefix[4];

    if (content.n > CS_CHUNK_SEALED_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a frame of %zu bytes is over the limit of %u",
            content.n, CS_CHUNK_SEALED_MAX);
    prefix[0] = (uint8_t)((content.n >> 24) | (final ? FINAL_BIT : 0u));
    prefix[1] = (uint8_t)(content.n >> 16);
    prefix[2] = (uint8_t)(content.n >> 8);
    prefix[3] = (uint8_t)content.n;
    if (cs_buf_reserve(out, sizeof prefix + content.n, error) != CS_OK ||
        cs_buf_append(out, CS_VIEW_ARRAY(prefix), error) != CS_OK)
        return CS_E_MEMORY;
    return cs_buf_append(out, content, error);
}

static int read_prefix(cs_frames *frames, cs_error *error)
{
    const uint8_t *prefix = frames->prefix;
    size_t limit = frames->index == 0 ? CS_FRAME_HEAD_MAX : CS_CHUNK_SEALED_MAX;

    frames->final = (prefix[0] & FINAL_BIT) != 0;
    frames->missing = (size_t)(prefix[0] & ~FINAL_BIT) << 24 | (size_t)prefix[1] << 16 |
                      (size_t)prefix[2] << 8 | prefix[3];
    if (frames->missing > limit)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a frame of %zu bytes is over the limit of %zu",
            frames->missing, limit);
    if (frames->index == 0 && frames->final)
        return CS_FAIL(error, CS_E_MALFORMED, "the stream ends with its head");
    cs_buf_clear(&frames->content);
    return cs_buf_reserve(&frames->content, frames->missing, error);
}

static cs_view take(cs_view *bytes, size_t most)
{
    cs_view taken = {bytes->p, bytes->n < most ? bytes->n : most};

    if (taken.n > 0) {
        bytes->p += taken.n;
        bytes->n -= taken.n;
    }
    return taken;
}

int cs_frames_feed(
    cs_frames *frames, cs_view bytes, cs_frame_fn *fn, void *context, cs_error *error)
{
    int rc = CS_OK;

    while (rc == CS_OK && bytes.n > 0) {
        cs_view taken;

        if (frames->finished)
            return CS_FAIL(error, CS_E_MALFORMED, "the stream goes on after its final frame");
        if (frames->prefix_size < sizeof frames->prefix) {
            taken = take(&bytes, sizeof frames->prefix - frames->prefix_size);
            memcpy(frames->prefix + frames->prefix_size, taken.p, taken.n);
            frames->prefix_size += taken.n;
            if (frames->prefix_size < sizeof frames->prefix)
                break;
            rc = read_prefix(frames, error);
            if (rc != CS_OK)
                break;
        }
        taken = take(&bytes, frames->missing);
        rc = cs_buf_append(&frames->content, taken, error);
        frames->missing -= taken.n;
        if (rc == CS_OK && frames->missing == 0) {
            frames->prefix_size = 0;
            frames->finished = frames->final;
            rc = fn(context, frames->index++, cs_view_buf(&frames->content), frames->final, error);
        }
    }
    return rc;
}

int cs_frames_end(const cs_frames *frames, cs_error *error)
{
    if (!frames->finished)
        return CS_FAIL(error, CS_E_TRUNCATED,
            "the stream ended after %llu frames without its final one; ask again",
            (unsigned long long)frames->index);
    return CS_OK;
}

void cs_frames_free(cs_frames *frames)
{
    cs_buf_free(&frames->content);
    *frames = (cs_frames){0};
}

static int take_part(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    cs_frame_pair *pair = context;

    if (index > 1)
        return CS_FAIL(error, CS_E_MALFORMED, "a message goes on after its one chunk");
    pair->final = final;
    return cs_buf_set(index == 0 ? &pair->head : &pair->chunk, content, error);
}

/* What follows the first chunk comes in other bodies: then that is not final, and it is the end. */
int cs_frame_pair_read(cs_frame_pair *pair, cs_view body, cs_error *error)
{
    cs_frames frames = {0};
    int rc = cs_frames_feed(&frames, body, take_part, pair, error);

    if (rc == CS_OK && (frames.index != 2 || frames.prefix_size != 0))
        rc = CS_FAIL(error, CS_E_TRUNCATED, "a message ended before its chunk did");
    cs_frames_free(&frames);
    return rc;
}

int cs_frame_pair_put(cs_buf *out, const cs_frame_pair *pair, cs_error *error)
{
    int rc = cs_frame_put(out, cs_view_buf(&pair->head), false, error);

    return rc == CS_OK ? cs_frame_put(out, cs_view_buf(&pair->chunk), pair->final, error) : rc;
}

void cs_frame_pair_free(cs_frame_pair *pair)
{
    cs_buf_free(&pair->head);
    cs_buf_free(&pair->chunk);
    *pair = (cs_frame_pair){0};
}
