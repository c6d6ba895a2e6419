/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/schema.h"

#include <stdio.h>

#define LINE_MAX_SIZE 256

static int put_line(cs_buf *out, const char *line, cs_error *error)
{
    return cs_buf_append(out, cs_view_str(line), error);
}

static void field_cddl(char *line, size_t size, const cs_field *field)
{
    unsigned long long min = field->min;
    unsigned long long max = field->max;
    const char *kind = field->kind == CS_FIELD_TEXT ? "tstr" : "bstr";

    switch (field->kind) {
    case CS_FIELD_UINT:
        (void)snprintf(line, size, "    %s: %llu..%llu,\n", field->name, min, max);
        break;
    case CS_FIELD_LIST:
        (void)snprintf(line, size, "    %s: [0*%d bstr .size (%llu..%llu)],\n", field->name,
            CS_LIST_MAX, min, max);
        break;
    case CS_FIELD_TEXT:
    case CS_FIELD_BYTES:
        if (min == max)
            (void)snprintf(line, size, "    %s: %s .size %llu,\n", field->name, kind, max);
        else
            (void)snprintf(
                line, size, "    %s: %s .size (%llu..%llu),\n", field->name, kind, min, max);
        break;
    }
}

int cs_schema_cddl(cs_buf *out, cs_error *error)
{
    char line[LINE_MAX_SIZE];
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && cs_all_schemas[i] != NULL; i++) {
        const cs_schema *schema = cs_all_schemas[i];

        (void)snprintf(line, sizeof line, "%s%s = [\n    \"%s\",\n", i == 0 ? "" : "\n",
            schema->name, schema->label);
        rc = put_line(out, line, error);
        for (size_t j = 0; rc == CS_OK && j < schema->count; j++) {
            field_cddl(line, sizeof line, &schema->fields[j]);
            rc = put_line(out, line, error);
        }
        if (rc == CS_OK)
            rc = put_line(out, "]\n", error);
    }
    return rc;
}
