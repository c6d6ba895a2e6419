/* SPDX-License-Identifier: Apache-2.0 */

/* edwards25519 seen as curve25519: the lift of S_X to an X25519 key, and u of a point and back. */

#include "group_ops.h"
#include "openssl_fail.h"

#include <openssl/bn.h>
#include <sodium.h>

/*
 * k = S + tL ≡ 0 mod 8 fixes t mod 8: L ≡ 5, whose inverse mod 8 is 5, so t ≡ -5·S ≡ 3·S. As
 * 8L > 2^255, t is that one of 0..7, and k is the lift if bit 255 is 0 and bit 254 is 1.
 */
int cs_x25519_lift(uint8_t *k, bool *found, const cs_scalar *s, cs_error *error)
{
    unsigned t = 3u * s->b[0] & 7u;
    unsigned carry = 0;

    (void)error;
    for (size_t i = 0; i < CS_X25519_SIZE; i++) {
        carry += s->b[i] + t * cs_ed25519_order[i];
        k[i] = (uint8_t)(carry & 0xff);
        carry >>= 8;
    }
    *found = k[CS_X25519_SIZE - 1] >> 6 == 1;
    if (!*found)
        cs_wipe(k, CS_X25519_SIZE);
    return CS_OK;
}

int cs_point_to_u(uint8_t *u, const cs_point *q, cs_error *error)
{
    if (q->suite != CS_SUITE_ED25519)
        return CS_FAIL(error, CS_E_USAGE, "only a point of ed25519 has a u coordinate");
    if (crypto_sign_ed25519_pk_to_curve25519(u, q->b) != 0)
        return CS_FAIL(error, CS_E_POINT, "the point has no u coordinate");
    return CS_OK;
}

/* y = (u - 1) / (u + 1). The inverse is a power, (u + 1)^(p - 2), as u may be secret. 0 has 0 for
 * an inverse here, and gives y = 0, a point of order 4, which is refused later. */
static int y_of_u(BIGNUM *y, const BIGNUM *u, const BIGNUM *p, BN_CTX *bn)
{
    BIGNUM *inverse = BN_CTX_get(bn);
    BIGNUM *exponent = BN_CTX_get(bn);

    return exponent != NULL && BN_copy(exponent, p) != NULL && BN_sub_word(exponent, 2) == 1 &&
           BN_copy(inverse, u) != NULL && BN_copy(y, u) != NULL && BN_add_word(inverse, 1) == 1 &&
           BN_mod_exp_mont_consttime(inverse, inverse, exponent, p, bn, NULL) == 1 &&
           BN_add(y, y, p) == 1 && BN_sub_word(y, 1) == 1 && BN_mod_mul(y, y, inverse, p, bn) == 1;
}

static int encode_y(uint8_t encoded[CS_X25519_SIZE], cs_view u, cs_error *error)
{
    BN_CTX *bn = BN_CTX_secure_new();
    BIGNUM *number;
    BIGNUM *p;
    BIGNUM *y;
    int rc = CS_OK;

    if (bn == NULL)
        return CS_OPENSSL_FAIL(error, "hold a coordinate");
    BN_CTX_start(bn);
    number = BN_CTX_get(bn);
    p = BN_CTX_get(bn);
    y = BN_CTX_get(bn);
    if (y == NULL || BN_set_bit(p, 255) != 1 || BN_sub_word(p, 19) != 1 ||
        BN_lebin2bn(u.p, CS_X25519_SIZE, number) == NULL) {
        rc = CS_OPENSSL_FAIL(error, "hold a coordinate");
    } else if (BN_cmp(number, p) >= 0) {
        rc = CS_FAIL(error, CS_E_POINT, "a u coordinate is not below 2^255 - 19");
    } else {
        BN_set_flags(number, BN_FLG_CONSTTIME);
        if (y_of_u(y, number, p, bn) != 1 ||
            BN_bn2lebinpad(y, encoded, CS_X25519_SIZE) != CS_X25519_SIZE)
            rc = CS_OPENSSL_FAIL(error, "convert a coordinate");
    }
    BN_CTX_end(bn);
    BN_CTX_free(bn);
    return rc;
}

int cs_point_from_u(cs_point *out, cs_view u, cs_error *error)
{
    uint8_t encoded[CS_X25519_SIZE];
    int rc;

    if (u.n != CS_X25519_SIZE)
        return CS_FAIL(error, CS_E_POINT, "a u coordinate has 32 bytes, not %zu", u.n);
    rc = encode_y(encoded, u, error);
    if (rc == CS_OK)
        rc = cs_point_decode(out, CS_SUITE_ED25519, CS_VIEW_ARRAY(encoded), error);
    cs_wipe(encoded, sizeof encoded);
    return rc;
}
