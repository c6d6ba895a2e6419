/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/schema.h"
#include "wire/cbor.h"

#include <string.h>

/* Members are reached through memcpy: a table of offsets knows no alignment. */
static cs_view get_view(const void *message, const cs_field *field)
{
    cs_view view;

    memcpy(&view, (const uint8_t *)message + field->offset, sizeof view);
    return view;
}

static uint64_t get_uint(const void *message, const cs_field *field)
{
    uint64_t value;

    memcpy(&value, (const uint8_t *)message + field->offset, sizeof value);
    return value;
}

static int check_limits(
    const cs_schema *schema, const cs_field *field, uint64_t value, cs_error *error)
{
    if (value < field->min)
        return CS_FAIL(
            error, CS_E_MALFORMED, "%s: %s is too short or too small", schema->name, field->name);
    if (value > field->max)
        return CS_FAIL(error, CS_E_TOO_LARGE, "%s: %s is over its limit of %llu", schema->name,
            field->name, (unsigned long long)field->max);
    return CS_OK;
}

static int encode_list(cs_buf *out, const cs_schema *schema, const cs_field *field,
    const cs_list *list, cs_error *error)
{
    int rc;

    if (list->n > CS_LIST_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "%s: %s has over %d items", schema->name, field->name,
            CS_LIST_MAX);
    rc = cs_cbor_put_array(out, list->n, error);
    for (size_t i = 0; rc == CS_OK && i < list->n; i++) {
        rc = check_limits(schema, field, list->items[i].n, error);
        if (rc == CS_OK)
            rc = cs_cbor_put_bytes(out, list->items[i], error);
    }
    return rc;
}

static int encode_field(cs_buf *out, const cs_schema *schema, const cs_field *field,
    const void *message, cs_error *error)
{
    cs_list list;
    cs_view view;
    int rc;

    switch (field->kind) {
    case CS_FIELD_UINT:
        rc = check_limits(schema, field, get_uint(message, field), error);
        return rc == CS_OK ? cs_cbor_put_uint(out, get_uint(message, field), error) : rc;
    case CS_FIELD_LIST:
        memcpy(&list, (const uint8_t *)message + field->offset, sizeof list);
        return encode_list(out, schema, field, &list, error);
    case CS_FIELD_TEXT:
    case CS_FIELD_BYTES:
        break;
    }
    view = get_view(message, field);
    rc = check_limits(schema, field, view.n, error);
    if (rc != CS_OK)
        return rc;
    return field->kind == CS_FIELD_TEXT ? cs_cbor_put_text(out, view, error)
                                        : cs_cbor_put_bytes(out, view, error);
}

int cs_encode_as(
    cs_buf *out, const cs_schema *schema, const char *label, const void *message, cs_error *error)
{
    size_t start = out->n;
    int rc = cs_cbor_put_array(out, schema->count + 1, error);

    if (rc == CS_OK)
        rc = cs_cbor_put_text(out, cs_view_str(label), error);
    for (size_t i = 0; rc == CS_OK && i < schema->count; i++)
        rc = encode_field(out, schema, &schema->fields[i], message, error);
    if (rc != CS_OK)
        out->n = start;
    return rc;
}

int cs_encode(cs_buf *out, const cs_schema *schema, const void *message, cs_error *error)
{
    return cs_encode_as(out, schema, schema->label, message, error);
}

static int decode_list(
    const cs_schema *schema, const cs_field *field, cs_view *in, cs_list *list, cs_error *error)
{
    uint64_t count;
    int rc = cs_cbor_take_number(in, CS_CBOR_ARRAY, &count, error);

    if (rc != CS_OK)
        return rc;
    if (count > CS_LIST_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "%s: %s has over %d items", schema->name, field->name,
            CS_LIST_MAX);
    *list = (cs_list){.n = count};
    for (size_t i = 0; rc == CS_OK && i < count; i++) {
        rc = cs_cbor_take_string(in, CS_CBOR_BYTES, &list->items[i], error);
        if (rc == CS_OK)
            rc = check_limits(schema, field, list->items[i].n, error);
    }
    return rc;
}

static int decode_field(
    const cs_schema *schema, const cs_field *field, cs_view *in, void *message, cs_error *error)
{
    uint8_t *member = (uint8_t *)message + field->offset;
    cs_list list;
    cs_view view;
    uint64_t number;
    int rc;

    switch (field->kind) {
    case CS_FIELD_UINT:
        rc = cs_cbor_take_number(in, CS_CBOR_UINT, &number, error);
        if (rc == CS_OK)
            rc = check_limits(schema, field, number, error);
        if (rc == CS_OK)
            memcpy(member, &number, sizeof number);
        return rc;
    case CS_FIELD_LIST:
        rc = decode_list(schema, field, in, &list, error);
        if (rc == CS_OK)
            memcpy(member, &list, sizeof list);
        return rc;
    case CS_FIELD_TEXT:
    case CS_FIELD_BYTES:
        break;
    }
    rc = cs_cbor_take_string(
        in, field->kind == CS_FIELD_TEXT ? CS_CBOR_TEXT : CS_CBOR_BYTES, &view, error);
    if (rc == CS_OK)
        rc = check_limits(schema, field, view.n, error);
    if (rc == CS_OK)
        memcpy(member, &view, sizeof view);
    return rc;
}

int cs_decode_as(
    const cs_schema *schema, const char *label, void *message, cs_view bytes, cs_error *error)
{
    cs_view in = bytes;
    cs_view found;
    uint64_t count;
    int rc;

    if (bytes.n > CS_MESSAGE_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "%s: over %d bytes", schema->name, CS_MESSAGE_MAX);
    memset(message, 0, schema->size);
    rc = cs_cbor_take_number(&in, CS_CBOR_ARRAY, &count, error);
    if (rc == CS_OK)
        rc = cs_cbor_take_string(&in, CS_CBOR_TEXT, &found, error);
    if (rc != CS_OK)
        return rc;
    if (!cs_view_equal(found, cs_view_str(label)) || count != schema->count + 1)
        return CS_FAIL(
            error, CS_E_MALFORMED, "this is no \"%s\"; is the peer of the same version?", label);
    for (size_t i = 0; rc == CS_OK && i < schema->count; i++)
        rc = decode_field(schema, &schema->fields[i], &in, message, error);
    if (rc == CS_OK && in.n != 0)
        rc = CS_FAIL(error, CS_E_MALFORMED, "%s: bytes follow the message", schema->name);
    if (rc != CS_OK)
        memset(message, 0, schema->size);
    return rc;
}

int cs_decode(const cs_schema *schema, void *message, cs_view bytes, cs_error *error)
{
    return cs_decode_as(schema, schema->label, message, bytes, error);
}
