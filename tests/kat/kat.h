/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_KAT_H
#define CHARTSEAL_KAT_H

/* Vectors out of JSON files. A file that is missing or has no vectors fails the test. */

#include "test.h"

#include <jansson.h>

/* The file of that name in tests/vectors; json_decref it. */
json_t *kat_load(const char *name);

/* The hex text at that name, decoded into a buffer; cs_buf_free it. */
cs_buf kat_hex(const json_t *object, const char *name);
/* The same, of n bytes exactly, into out. */
void kat_fixed(uint8_t *out, size_t n, const json_t *object, const char *name);

const char *kat_text(const json_t *object, const char *name);
/* Is `flag` among the vector's flags? */
bool kat_flag(const json_t *vector, const char *flag);
/* "valid"? */
bool kat_valid(const json_t *vector);

/* Run fn over every vector of a Wycheproof file and give their number. */
typedef void (*kat_fn)(const json_t *group, const json_t *vector, void *context);
size_t kat_each(const char *name, kat_fn fn, void *context);

#endif
