/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_FRAMES_H
#define SERVICE_FRAMES_H

/*
 * A session message (S5, S6, F1, F2) as the body of an HTTP request or answer: a sequence of frames
 *     final (1 bit) ‖ length of the content (31 bits), 4 bytes big-endian ‖ content
 * The first frame is the head, whose final bit is clear; the others are the chunks of the stream,
 * the last of them with its final bit set. After it nothing follows.
 *
 * The framing neither hides nor authenticates: the head and the final flag are bound by the AEAD of
 * the chunks. It only keeps a hostile length from costing memory.
 */

#include <chartseal/stream.h>

#define CS_STREAM_CONTENT_TYPE "application/vnd.chartseal.stream"
#define CS_FRAME_HEAD_MAX 1024u /* a session head has about 60 bytes */

/* Append one frame. CS_E_TOO_LARGE over CS_CHUNK_SEALED_MAX. */
CS_MUST_CHECK int cs_frame_put(cs_buf *out, cs_view content, bool final, cs_error *error);

/* One whole frame: index 0 is the head. The content is valid during the call. */
typedef int cs_frame_fn(
    void *context, uint64_t index, cs_view content, bool final, cs_error *error);

/* Takes frames apart, however the bytes come in. Zero-initialise; holds at most one frame. */
typedef struct cs_frames {
    uint64_t index;
    uint8_t prefix[4];
    size_t prefix_size;
    size_t missing; /* of the frame whose prefix is complete */
    bool final;
    bool finished;
    cs_buf content;
} cs_frames;

/* CS_E_TOO_LARGE for a frame over its limit, CS_E_MALFORMED for a final head or bytes after the
 * end; or what fn says. */
CS_MUST_CHECK int cs_frames_feed(
    cs_frames *frames, cs_view bytes, cs_frame_fn *fn, void *context, cs_error *error);
/* CS_E_TRUNCATED unless the final frame is through. */
CS_MUST_CHECK int cs_frames_end(const cs_frames *frames, cs_error *error);
void cs_frames_free(cs_frames *frames);

/* A message without content: a head and one chunk. CS_E_MALFORMED if there are more of them. */
typedef struct cs_frame_pair {
    cs_buf head;
    cs_buf chunk;
    bool final;
} cs_frame_pair;
CS_MUST_CHECK int cs_frame_pair_read(cs_frame_pair *pair, cs_view body, cs_error *error);
CS_MUST_CHECK int cs_frame_pair_put(cs_buf *out, const cs_frame_pair *pair, cs_error *error);
void cs_frame_pair_free(cs_frame_pair *pair);

#endif
