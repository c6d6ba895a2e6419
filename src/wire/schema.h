/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_WIRE_SCHEMA_H
#define CHARTSEAL_WIRE_SCHEMA_H

/*
 * A message is an array that begins with its label. One table per message says which member of its
 * struct each further element is, of what kind and between which limits; encoding, strict decoding
 * and the CDDL of docs/protocol.md all come from that table, so they cannot disagree.
 */

#include <chartseal/wire.h>

typedef enum cs_field_kind {
    CS_FIELD_UINT,  /* uint64_t; min and max are of the number */
    CS_FIELD_TEXT,  /* cs_view; min and max are of the length in bytes */
    CS_FIELD_BYTES, /* cs_view; likewise */
    CS_FIELD_LIST,  /* cs_list of byte strings; min and max are of each one's length */
} cs_field_kind;

typedef struct cs_field {
    const char *name;
    cs_field_kind kind;
    size_t offset;
    uint64_t min;
    uint64_t max;
} cs_field;

struct cs_schema {
    const char *label;
    const char *name; /* in CDDL and errors */
    const cs_field *fields;
    size_t count;
    size_t size; /* of the struct */
};

/* All schemas, for documentation, tests and fuzzing; ends with NULL. */
extern const cs_schema *const cs_all_schemas[];

/* Append the CDDL of all messages, as docs/protocol.md carries it. */
CS_MUST_CHECK int cs_schema_cddl(cs_buf *out, cs_error *error);

#endif
