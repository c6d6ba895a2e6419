/* SPDX-License-Identifier: Apache-2.0 */
#include "group_ops.h"

#include <string.h>

static const cs_group_ops *ops_of(cs_suite suite)
{
    switch (suite) {
    case CS_SUITE_ED25519:
        return &cs_group_ed25519;
    case CS_SUITE_P256:
        return &cs_group_p256;
    default:
        return NULL;
    }
}

static int unknown_suite(cs_suite suite, cs_error *error)
{
    return CS_FAIL(
        error, CS_E_VERSION, "suite %d is not known; this program speaks 1 and 2", (int)suite);
}

bool cs_suite_known(uint64_t suite)
{
    return suite == CS_SUITE_ED25519 || suite == CS_SUITE_P256;
}

const char *cs_suite_name(cs_suite suite)
{
    const cs_group_ops *ops = ops_of(suite);

    return ops == NULL ? "unknown" : ops->name;
}

int cs_suite_from_name(cs_suite *out, const char *name, cs_error *error)
{
    if (strcmp(name, cs_group_ed25519.name) == 0)
        *out = CS_SUITE_ED25519;
    else if (strcmp(name, cs_group_p256.name) == 0)
        *out = CS_SUITE_P256;
    else
        return CS_FAIL(error, CS_E_VERSION, "no suite \"%s\"; say ed25519 or p256", name);
    return CS_OK;
}

size_t cs_point_size(cs_suite suite)
{
    const cs_group_ops *ops = ops_of(suite);

    return ops == NULL ? 0 : ops->point_size;
}

cs_view cs_point_view(const cs_point *point)
{
    return (cs_view){point->b, cs_point_size(point->suite)};
}

bool cs_point_equal(const cs_point *a, const cs_point *b)
{
    return a->suite == b->suite && cs_view_equal_secret(cs_point_view(a), cs_point_view(b));
}

int cs_point_decode(cs_point *out, cs_suite suite, cs_view bytes, cs_error *error)
{
    const cs_group_ops *ops = ops_of(suite);
    cs_point point = {.suite = suite}; /* not *out yet, which bytes may look into */
    int rc;

    if (ops == NULL)
        return unknown_suite(suite, error);
    if (bytes.n != ops->point_size)
        return CS_FAIL(error, CS_E_POINT, "a %s point has %zu bytes, not %zu", ops->name,
            ops->point_size, bytes.n);
    rc = ops->check(bytes.p, error);
    if (rc != CS_OK)
        return rc;
    memcpy(point.b, bytes.p, bytes.n);
    *out = point;
    return CS_OK;
}

int cs_scalar_decode(cs_scalar *out, cs_suite suite, cs_view bytes, cs_error *error)
{
    const cs_group_ops *ops = ops_of(suite);

    if (ops == NULL)
        return unknown_suite(suite, error);
    if (bytes.n != CS_SCALAR_SIZE || !ops->scalar_valid(bytes.p))
        return CS_FAIL(error, CS_E_SCALAR,
            "not a scalar of %s: 32 bytes, not zero, below the order", ops->name);
    memmove(out->b, bytes.p, CS_SCALAR_SIZE);
    return CS_OK;
}

/* Draws until one is in range: at most a few times, as both orders fill their bits well. */
int cs_scalar_random(cs_scalar *out, cs_suite suite, cs_error *error)
{
    const cs_group_ops *ops = ops_of(suite);

    if (ops == NULL)
        return unknown_suite(suite, error);
    do {
        cs_random(out->b, CS_SCALAR_SIZE);
        if (suite == CS_SUITE_ED25519)
            out->b[CS_SCALAR_SIZE - 1] &= 0x1f; /* L < 2^253 */
    } while (!ops->scalar_valid(out->b));
    return CS_OK;
}

int cs_point_base_mul(cs_point *out, cs_suite suite, const cs_scalar *k, cs_error *error)
{
    const cs_group_ops *ops = ops_of(suite);
    cs_point result = {.suite = suite};
    int rc;

    if (ops == NULL)
        return unknown_suite(suite, error);
    rc = ops->base_mul(result.b, k->b, error);
    if (rc == CS_OK)
        *out = result;
    cs_wipe(&result, sizeof result);
    return rc;
}

int cs_point_mul(cs_point *out, const cs_scalar *k, const cs_point *q, cs_error *error)
{
    const cs_group_ops *ops = ops_of(q->suite);
    cs_point result = {.suite = q->suite};
    int rc;

    if (ops == NULL)
        return unknown_suite(q->suite, error);
    rc = ops->mul(result.b, k->b, q->b, error);
    if (rc == CS_OK)
        *out = result;
    cs_wipe(&result, sizeof result);
    return rc;
}

int cs_point_add(cs_point *out, const cs_point *a, const cs_point *b, cs_error *error)
{
    const cs_group_ops *ops = ops_of(a->suite);
    cs_point result = {.suite = a->suite};
    int rc;

    if (ops == NULL)
        return unknown_suite(a->suite, error);
    if (a->suite != b->suite)
        return CS_FAIL(error, CS_E_USAGE, "points of two groups cannot be added");
    rc = ops->add(result.b, a->b, b->b, error);
    if (rc == CS_OK)
        *out = result;
    cs_wipe(&result, sizeof result);
    return rc;
}

void cs_point_canonical(cs_point *point)
{
    const cs_group_ops *ops = ops_of(point->suite);

    if (ops != NULL)
        ops->canonical(point->b);
}
