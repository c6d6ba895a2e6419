/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_WIRE_CBOR_H
#define CHARTSEAL_WIRE_CBOR_H

/*
 * Deterministic CBOR (RFC 8949, 4.2.1), the part of it that the messages need: unsigned numbers,
 * byte strings, text and arrays of known length. Heads are the shortest possible; anything else in
 * the input (longer heads, indefinite lengths, tags, maps, floats, unclean text) is CS_E_MALFORMED,
 * and so is unclean text that is to be put.
 */

#include <chartseal/bytes.h>

typedef enum cs_cbor_kind {
    CS_CBOR_UINT,
    CS_CBOR_BYTES,
    CS_CBOR_TEXT,
    CS_CBOR_ARRAY,
} cs_cbor_kind;

/* Append one item, or the head of an array whose `count` items follow. */
CS_MUST_CHECK int cs_cbor_put_uint(cs_buf *out, uint64_t value, cs_error *error);
CS_MUST_CHECK int cs_cbor_put_bytes(cs_buf *out, cs_view bytes, cs_error *error);
CS_MUST_CHECK int cs_cbor_put_text(cs_buf *out, cs_view text, cs_error *error);
CS_MUST_CHECK int cs_cbor_put_array(cs_buf *out, size_t count, cs_error *error);

/* Take one item from the front of *in. A number or a count comes in *value; the content of a string
 * is a view into *in. */
CS_MUST_CHECK int cs_cbor_take_number(
    cs_view *in, cs_cbor_kind kind, uint64_t *value, cs_error *error);
CS_MUST_CHECK int cs_cbor_take_string(
    cs_view *in, cs_cbor_kind kind, cs_view *string, cs_error *error);

#endif
