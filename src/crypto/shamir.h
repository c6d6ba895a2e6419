/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_SHAMIR_H
#define CHARTSEAL_CRYPTO_SHAMIR_H

/*
 * Shamir's secret sharing over GF(2^8) = GF(2)[x]/(x^8 + x^4 + x^3 + x + 1), each byte by itself.
 *
 * For each byte of the secret a polynomial f of degree `needed` - 1 is drawn: f(0) is the byte, all
 * other coefficients are uniform. The share of x (1 to 255) is f(x). Any `needed` shares determine
 * f. With fewer, every value of the secret has the same number of polynomials that fit, so they
 * say nothing of it, to whatever computer. What they do not say either is whether they are right:
 * a share that was altered gives another secret, and whoever calls this puts a check into it.
 *
 * Own code, because it is small and because libgfshare (the Debian package) multiplies by tables
 * that are indexed by the secret, which a cache tells of, and keeps its buffers in plain memory.
 * Here nothing branches on or looks up by a secret.
 */

#include <chartseal/bytes.h>

#define CS_SHAMIR_SHARES_MAX 255
#define CS_SHAMIR_SECRET_MAX 256

/* shares[i] gets n bytes, for x = i + 1. All of them and the secret are n bytes of guarded memory
 * of the caller. 1 <= needed <= count <= CS_SHAMIR_SHARES_MAX, 1 <= n <= CS_SHAMIR_SECRET_MAX; else
 * CS_E_USAGE. */
CS_MUST_CHECK int cs_shamir_split(uint8_t *const *shares, unsigned count, unsigned needed,
    const uint8_t *secret, size_t n, cs_error *error);

/* f(at) of the one polynomial of degree count - 1 through (x[i], shares[i]); the secret is at 0.
 * x are distinct, else CS_E_USAGE. out: n bytes of guarded memory. */
CS_MUST_CHECK int cs_shamir_interpolate(uint8_t *out, uint8_t at, const uint8_t *x,
    const uint8_t *const *shares, unsigned count, size_t n, cs_error *error);

#endif
