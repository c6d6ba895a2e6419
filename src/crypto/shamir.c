/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/shamir.h"

#include <chartseal/secret.h>

#include <string.h>

/* a·b, in the same steps whatever they are. */
static uint8_t multiply(uint8_t a, uint8_t b)
{
    unsigned product = 0, power = a;

    for (unsigned bit = 0; bit < 8; bit++) {
        product ^= power & (0u - ((unsigned)b >> bit & 1u));
        power <<= 1;
        power ^= 0x11bu & (0u - (power >> 8));
    }
    return (uint8_t)product;
}

/* a^254, which is 1/a, and 0 for 0. */
static uint8_t invert(uint8_t a)
{
    uint8_t result = 1, power = a;

    for (unsigned bit = 1; bit < 8; bit++) { /* 254 is binary 11111110 */
        power = multiply(power, power);
        result = multiply(result, power);
    }
    return result;
}

int cs_shamir_split(uint8_t *const *shares, unsigned count, unsigned needed, const uint8_t *secret,
    size_t n, cs_error *error)
{
    uint8_t *coefficients;

    if (needed < 1 || needed > count || count > CS_SHAMIR_SHARES_MAX || n < 1 ||
        n > CS_SHAMIR_SECRET_MAX)
        return CS_FAIL(error, CS_E_USAGE,
            "%u of %u shares of %zu bytes cannot be made; take at most %d of at most %d bytes",
            needed, count, n, CS_SHAMIR_SHARES_MAX, CS_SHAMIR_SECRET_MAX);
    coefficients = cs_secret_new(needed);
    if (coefficients == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory to share a secret");
    for (size_t i = 0; i < n; i++) {
        cs_random(coefficients, needed);
        coefficients[0] = secret[i];
        for (unsigned k = 0; k < count; k++) {
            uint8_t x = (uint8_t)(k + 1), value = 0;

            for (unsigned j = needed; j > 0; j--)
                value = multiply(value, x) ^ coefficients[j - 1];
            shares[k][i] = value;
        }
    }
    cs_secret_free(&coefficients);
    return CS_OK;
}

/* Lagrange: the weight of share i at `at`. Public, as the x are. */
static uint8_t weight(const uint8_t *x, unsigned count, unsigned i, uint8_t at)
{
    uint8_t above = 1, below = 1;

    for (unsigned j = 0; j < count; j++) {
        if (j == i)
            continue;
        above = multiply(above, at ^ x[j]);
        below = multiply(below, x[i] ^ x[j]);
    }
    return multiply(above, invert(below));
}

int cs_shamir_interpolate(uint8_t *out, uint8_t at, const uint8_t *x, const uint8_t *const *shares,
    unsigned count, size_t n, cs_error *error)
{
    if (count < 1 || count > CS_SHAMIR_SHARES_MAX || n < 1 || n > CS_SHAMIR_SECRET_MAX)
        return CS_FAIL(error, CS_E_USAGE, "%u shares of %zu bytes are no polynomial", count, n);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (x[i] == x[j])
                return CS_FAIL(error, CS_E_USAGE,
                    "share %u is given twice; put different shares together", x[i]);
        }
    }
    memset(out, 0, n);
    for (unsigned i = 0; i < count; i++) {
        uint8_t factor = weight(x, count, i, at);

        for (size_t k = 0; k < n; k++)
            out[k] ^= multiply(factor, shares[i][k]);
    }
    return CS_OK;
}
