/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/cbor.h"

#include <cbor.h>

#define HEAD_MAX 9 /* one byte and a 64-bit number */

typedef size_t (*put_head_fn)(uint64_t value, unsigned char *out, size_t size);

static size_t put_uint(uint64_t value, unsigned char *out, size_t size)
{
    return cbor_encode_uint(value, out, size);
}

static size_t put_bytes(uint64_t value, unsigned char *out, size_t size)
{
    return cbor_encode_bytestring_start(value, out, size);
}

static size_t put_text(uint64_t value, unsigned char *out, size_t size)
{
    return cbor_encode_string_start(value, out, size);
}

static size_t put_array(uint64_t value, unsigned char *out, size_t size)
{
    return cbor_encode_array_start(value, out, size);
}

static int put_head(cs_buf *out, put_head_fn put, uint64_t value, cs_error *error)
{
    uint8_t head[HEAD_MAX];
    size_t n = put(value, head, sizeof head);

    if (n == 0)
        return CS_FAIL(error, CS_E_INTERNAL, "CBOR head not encoded; report this as a defect");
    return cs_buf_append(out, (cs_view){head, n}, error);
}

static int put_string(cs_buf *out, put_head_fn put, cs_view string, cs_error *error)
{
    int rc = put_head(out, put, string.n, error);

    return rc == CS_OK ? cs_buf_append(out, string, error) : rc;
}

int cs_cbor_put_uint(cs_buf *out, uint64_t value, cs_error *error)
{
    return put_head(out, put_uint, value, error);
}

int cs_cbor_put_bytes(cs_buf *out, cs_view bytes, cs_error *error)
{
    return put_string(out, put_bytes, bytes, error);
}

int cs_cbor_put_text(cs_buf *out, cs_view text, cs_error *error)
{
    /* what no decoder takes, ours among them, is not written: it would stay in a store for good */
    if (!cs_text_is_clean(text))
        return CS_FAIL(error, CS_E_MALFORMED,
            "a text has control characters, marks of direction, or is no UTF-8; leave those out");
    return put_string(out, put_text, text, error);
}

int cs_cbor_put_array(cs_buf *out, size_t count, cs_error *error)
{
    return put_head(out, put_array, count, error);
}

/* What libcbor's decoder reported of one item. */
typedef struct item {
    bool seen;
    cs_cbor_kind kind;
    uint64_t value;
    cs_view string;
} item;

static void set(void *context, cs_cbor_kind kind, uint64_t value, cs_view string)
{
    item *it = context;

    *it = (item){.seen = true, .kind = kind, .value = value, .string = string};
}

static void on_uint8(void *context, uint8_t value)
{
    set(context, CS_CBOR_UINT, value, (cs_view){0});
}

static void on_uint16(void *context, uint16_t value)
{
    set(context, CS_CBOR_UINT, value, (cs_view){0});
}

static void on_uint32(void *context, uint32_t value)
{
    set(context, CS_CBOR_UINT, value, (cs_view){0});
}

static void on_uint64(void *context, uint64_t value)
{
    set(context, CS_CBOR_UINT, value, (cs_view){0});
}

static void on_bytes(void *context, cbor_data data, size_t n)
{
    set(context, CS_CBOR_BYTES, n, (cs_view){data, n});
}

static void on_text(void *context, cbor_data data, size_t n)
{
    set(context, CS_CBOR_TEXT, n, (cs_view){data, n});
}

static void on_array(void *context, size_t count)
{
    set(context, CS_CBOR_ARRAY, count, (cs_view){0});
}

static size_t head_size(uint64_t value)
{
    if (value < 24)
        return 1;
    if (value <= UINT8_MAX)
        return 2;
    if (value <= UINT16_MAX)
        return 3;
    return value <= UINT32_MAX ? 5 : HEAD_MAX;
}

static int take(cs_view *in, cs_cbor_kind kind, item *it, cs_error *error)
{
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    struct cbor_decoder_result result;

    callbacks.uint8 = on_uint8;
    callbacks.uint16 = on_uint16;
    callbacks.uint32 = on_uint32;
    callbacks.uint64 = on_uint64;
    callbacks.byte_string = on_bytes;
    callbacks.string = on_text;
    callbacks.array_start = on_array;
    *it = (item){0};
    if (in->n == 0)
        return CS_FAIL(error, CS_E_MALFORMED, "the message ends too early");
    result = cbor_stream_decode(in->p, in->n, &callbacks, it);
    if (result.status != CBOR_DECODER_FINISHED || !it->seen || it->kind != kind)
        return CS_FAIL(error, CS_E_MALFORMED, "the message is cut short or not of its form");
    /* a longer head than needed would give one meaning two encodings, and two hashes */
    if (result.read != head_size(it->value) + it->string.n)
        return CS_FAIL(error, CS_E_MALFORMED, "the message is not deterministic CBOR");
    in->p += result.read;
    in->n -= result.read;
    return CS_OK;
}

int cs_cbor_take_number(cs_view *in, cs_cbor_kind kind, uint64_t *value, cs_error *error)
{
    item it;
    int rc = take(in, kind, &it, error);

    if (rc == CS_OK)
        *value = it.value;
    return rc;
}

int cs_cbor_take_string(cs_view *in, cs_cbor_kind kind, cs_view *string, cs_error *error)
{
    item it;
    int rc = take(in, kind, &it, error);

    if (rc != CS_OK)
        return rc;
    if (kind == CS_CBOR_TEXT && !cs_text_is_clean(it.string))
        return CS_FAIL(error, CS_E_MALFORMED, "a text is not clean UTF-8");
    *string = it.string;
    return CS_OK;
}
