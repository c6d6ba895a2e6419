/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever decodes encodes to the same bytes, for every schema. First byte: which schema. */
#include "fuzz.h"
#include "wire/schema.h"

#include <stdlib.h>
#include <string.h>

#define STRUCT_MAX 1024

static size_t schema_count(void)
{
    size_t n = 0;

    while (cs_all_schemas[n] != NULL)
        n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t message[STRUCT_MAX];
    const cs_schema *schema;
    cs_buf again = {0};

    if (size < 1)
        return 0;
    schema = cs_all_schemas[data[0] % schema_count()];
    if (cs_decode(schema, message, (cs_view){data + 1, size - 1}, NULL) == CS_OK &&
        (cs_encode(&again, schema, message, NULL) != CS_OK ||
            !cs_view_equal(cs_view_buf(&again), (cs_view){data + 1, size - 1})))
        abort();
    cs_buf_free(&again);
    return 0;
}

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    uint8_t message[STRUCT_MAX] = {0};
    static const uint8_t text[CS_MESSAGE_MAX > 4096 ? 4096 : 1] = {'a'};
    const cs_schema *schema = n < schema_count() ? cs_all_schemas[n] : NULL;
    cs_buf bytes = {0};
    size_t size = 0;

    if (schema == NULL)
        return 0;
    for (size_t i = 0; i < schema->count; i++) {
        const cs_field *field = &schema->fields[i];
        cs_view view = {text, (size_t)field->min};

        if (field->kind == CS_FIELD_UINT)
            memcpy(message + field->offset, &field->min, sizeof field->min);
        else if (field->kind == CS_FIELD_BYTES)
            memcpy(message + field->offset, &view, sizeof view);
        else if (field->kind == CS_FIELD_TEXT && field->min > 0) {
            view.n = 1;
            memcpy(message + field->offset, &view, sizeof view);
        }
    }
    if (cs_encode(&bytes, schema, message, NULL) == CS_OK && bytes.n < room) {
        out[0] = (uint8_t)n;
        memcpy(out + 1, bytes.p, bytes.n);
        size = bytes.n + 1;
    }
    cs_buf_free(&bytes);
    if (size == 0)
        abort();
    return size;
}
