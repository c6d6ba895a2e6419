/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_GROUP_OPS_H
#define CHARTSEAL_CRYPTO_GROUP_OPS_H

/*
 * One table per group. group.c checks what is general (sizes, suites, identity of suites) and
 * dispatches; a group knows its own encoding and arithmetic. Outputs may be the inputs.
 */

#include <chartseal/group.h>

typedef struct cs_group_ops {
    const char *name;
    size_t point_size;
    /* Is it a point of the group, in its only encoding? point_size bytes. */
    int (*check)(const uint8_t *point, cs_error *error);
    /* In [1, order - 1]? Constant time. */
    bool (*scalar_valid)(const uint8_t scalar[CS_SCALAR_SIZE]);
    int (*base_mul)(uint8_t *out, const uint8_t *k, cs_error *error);
    int (*mul)(uint8_t *out, const uint8_t *k, const uint8_t *q, cs_error *error);
    int (*add)(uint8_t *out, const uint8_t *a, const uint8_t *b, cs_error *error);
    void (*canonical)(uint8_t *point);
    /* e of cs_issue_hash, reduced; may be 0. */
    int (*issue_hash)(uint8_t *e, const uint8_t *r, const uint8_t *pk, cs_view m, cs_error *error);
    /* r + e·s mod order; may be 0. */
    int (*issue_scalar)(
        uint8_t *out, const uint8_t *r, const uint8_t *e, const uint8_t *s, cs_error *error);
} cs_group_ops;

/* L, little-endian. */
extern const uint8_t cs_ed25519_order[CS_SCALAR_SIZE];

extern const cs_group_ops cs_group_ed25519;
extern const cs_group_ops cs_group_p256;

#endif
