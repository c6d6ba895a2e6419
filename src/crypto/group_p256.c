/* SPDX-License-Identifier: Apache-2.0 */

/* NIST P-256 over OpenSSL. */

#include "group_ops.h"
#include "openssl_fail.h"
#include "p256.h"

#include <openssl/bn.h>
#include <string.h>

#define SIZE CS_P256_COMPRESSED
#define EVEN_Y 2

static int check(const uint8_t *point, cs_error *error)
{
    cs_p256_work work;
    int rc = cs_p256_begin(&work, error);

    if (rc == CS_OK)
        rc = cs_p256_load(&work, (cs_view){point, SIZE}, error);
    cs_p256_end(&work);
    return rc;
}

static int base_mul(uint8_t *out, const uint8_t *k, cs_error *error)
{
    cs_p256_work work;
    int rc = cs_p256_begin(&work, error);

    if (rc == CS_OK)
        rc = cs_p256_times(&work, k, true, error);
    if (rc == CS_OK)
        rc = cs_p256_store(&work, out, SIZE, error);
    cs_p256_end(&work);
    return rc;
}

static int mul(uint8_t *out, const uint8_t *k, const uint8_t *q, cs_error *error)
{
    cs_p256_work work;
    int rc = cs_p256_begin(&work, error);

    if (rc == CS_OK)
        rc = cs_p256_load(&work, (cs_view){q, SIZE}, error);
    if (rc == CS_OK)
        rc = cs_p256_times(&work, k, false, error);
    if (rc == CS_OK)
        rc = cs_p256_store(&work, out, SIZE, error);
    cs_p256_end(&work);
    return rc;
}

static int add(uint8_t *out, const uint8_t *a, const uint8_t *b, cs_error *error)
{
    cs_p256_work left = {0};
    cs_p256_work right = {0};
    int rc = cs_p256_begin(&left, error);

    if (rc == CS_OK)
        rc = cs_p256_begin(&right, error);
    if (rc == CS_OK)
        rc = cs_p256_load(&left, (cs_view){a, SIZE}, error);
    if (rc == CS_OK)
        rc = cs_p256_load(&right, (cs_view){b, SIZE}, error);
    if (rc == CS_OK && EC_POINT_add(left.group, left.point, left.point, right.point, left.bn) != 1)
        rc = CS_OPENSSL_FAIL(error, "add two points");
    if (rc == CS_OK)
        rc = cs_p256_store(&left, out, SIZE, error);
    cs_p256_end(&left);
    cs_p256_end(&right);
    return rc;
}

static void canonical(uint8_t *point)
{
    point[0] = EVEN_Y;
}

/* SHA-256(x(R) ‖ SHA-256(m)) mod n, as TPM2_Sign does for ECSCHNORR. All of it is public. */
static int issue_hash(uint8_t *e, const uint8_t *r, const uint8_t *pk, cs_view m, cs_error *error)
{
    uint8_t input[2 * CS_HASH_SIZE];
    uint8_t digest[CS_HASH_SIZE];
    cs_p256_work work;
    BIGNUM *value = NULL;
    int rc;

    (void)pk;
    memcpy(input, r + 1, CS_HASH_SIZE);
    rc = cs_hash(input + CS_HASH_SIZE, m, error);
    if (rc == CS_OK)
        rc = cs_hash(digest, CS_VIEW_ARRAY(input), error);
    if (rc != CS_OK)
        return rc;
    rc = cs_p256_begin(&work, error);
    if (rc != CS_OK)
        return rc;
    value = BN_bin2bn(digest, sizeof digest, NULL);
    if (value == NULL || BN_nnmod(value, value, EC_GROUP_get0_order(work.group), work.bn) != 1 ||
        BN_bn2binpad(value, e, CS_SCALAR_SIZE) != CS_SCALAR_SIZE)
        rc = CS_OPENSSL_FAIL(error, "reduce the issuance hash");
    BN_free(value);
    cs_p256_end(&work);
    return rc;
}

static BIGNUM *secret_number(BN_CTX *bn, const uint8_t *bytes)
{
    BIGNUM *number = BN_CTX_get(bn);

    if (number == NULL || BN_bin2bn(bytes, CS_SCALAR_SIZE, number) == NULL)
        return NULL;
    BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

/* The numbers come from a BN_CTX of the secure heap, which clears them when it is freed. */
static int issue_scalar(
    uint8_t *out, const uint8_t *r, const uint8_t *e, const uint8_t *s, cs_error *error)
{
    const BIGNUM *order;
    const BIGNUM *nonce;
    const BIGNUM *hash;
    BIGNUM *sum;
    cs_p256_work work;
    int rc = cs_p256_begin(&work, error);

    if (rc != CS_OK)
        return rc;
    order = EC_GROUP_get0_order(work.group);
    BN_CTX_start(work.bn);
    nonce = secret_number(work.bn, r);
    hash = secret_number(work.bn, e);
    sum = secret_number(work.bn, s);
    if (nonce == NULL || hash == NULL || sum == NULL ||
        BN_mod_mul(sum, sum, hash, order, work.bn) != 1 ||
        BN_mod_add_quick(sum, sum, nonce, order) != 1 ||
        BN_bn2binpad(sum, out, CS_SCALAR_SIZE) != CS_SCALAR_SIZE)
        rc = CS_OPENSSL_FAIL(error, "compute the issued key");
    BN_CTX_end(work.bn);
    cs_p256_end(&work);
    return rc;
}

const cs_group_ops cs_group_p256 = {
    .name = "p256",
    .point_size = SIZE,
    .check = check,
    .scalar_valid = cs_p256_scalar_valid,
    .base_mul = base_mul,
    .mul = mul,
    .add = add,
    .canonical = canonical,
    .issue_hash = issue_hash,
    .issue_scalar = issue_scalar,
};

int cs_point_from_x(cs_point *out, cs_view x, cs_error *error)
{
    uint8_t encoded[SIZE] = {EVEN_Y};
    int rc;

    if (x.n == 0 || x.n >= SIZE)
        return CS_FAIL(
            error, CS_E_POINT, "an x coordinate of P-256 has 1 to 32 bytes, not %zu", x.n);
    memcpy(encoded + SIZE - x.n, x.p, x.n);
    rc = cs_point_decode(out, CS_SUITE_P256, CS_VIEW_ARRAY(encoded), error);
    cs_wipe(encoded, sizeof encoded);
    return rc;
}
