/* SPDX-License-Identifier: Apache-2.0 */
#include "p256.h"

#include "openssl_fail.h"

#include <chartseal/group.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <string.h>

const uint8_t cs_p256_order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca,
    0xc2, 0xfc, 0x63, 0x25, 0x51};

bool cs_p256_scalar_valid(const uint8_t scalar[32])
{
    unsigned borrow = 0;
    unsigned any = 0;

    for (size_t i = 32; i-- > 0;) {
        borrow = ((unsigned)scalar[i] - cs_p256_order[i] - borrow) >> 8 & 1;
        any |= scalar[i];
    }
    return borrow == 1 && any != 0;
}

/* Made once and never changed, so that all threads may read it. */
static EC_GROUP *shared_group;
static CRYPTO_ONCE shared_group_once = CRYPTO_ONCE_STATIC_INIT;

static void make_shared_group(void)
{
    shared_group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
}

int cs_p256_begin(cs_p256_work *work, cs_error *error)
{
    *work = (cs_p256_work){0};
    if (CRYPTO_THREAD_run_once(&shared_group_once, make_shared_group) != 1 || shared_group == NULL)
        return CS_OPENSSL_FAIL(error, "make the group P-256");
    work->group = shared_group;
    work->bn = BN_CTX_secure_new();
    work->point = EC_POINT_new(shared_group);
    if (work->bn == NULL || work->point == NULL) {
        cs_p256_end(work);
        return CS_OPENSSL_FAIL(error, "hold a point");
    }
    return CS_OK;
}

void cs_p256_end(cs_p256_work *work)
{
    EC_POINT_clear_free(work->point);
    BN_CTX_free(work->bn);
    *work = (cs_p256_work){0};
}

int cs_p256_load(cs_p256_work *work, cs_view sec1, cs_error *error)
{
    bool compressed = sec1.n == CS_P256_COMPRESSED && (sec1.p[0] == 2 || sec1.p[0] == 3);
    bool uncompressed = sec1.n == CS_P256_UNCOMPRESSED && sec1.p[0] == 4;

    /* oct2point refuses coordinates that are not below p and points that are not on the curve; the
     * cofactor is 1, so the subgroup is the curve */
    if (!(compressed || uncompressed) ||
        EC_POINT_oct2point(work->group, work->point, sec1.p, sec1.n, work->bn) != 1 ||
        EC_POINT_is_at_infinity(work->group, work->point) == 1) {
        ERR_clear_error();
        return CS_FAIL(error, CS_E_POINT, "not a point of P-256 in SEC1 form (33 or 65 bytes)");
    }
    return CS_OK;
}

int cs_p256_times(cs_p256_work *work, const uint8_t k[32], bool base, cs_error *error)
{
    BIGNUM *scalar = BN_secure_new();
    int rc = CS_OK;

    if (scalar == NULL || BN_bin2bn(k, 32, scalar) == NULL) {
        rc = CS_OPENSSL_FAIL(error, "hold a scalar");
    } else {
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
        if (EC_POINT_mul(work->group, work->point, base ? scalar : NULL, base ? NULL : work->point,
                base ? NULL : scalar, work->bn) != 1)
            rc = CS_OPENSSL_FAIL(error, "multiply a point");
    }
    BN_clear_free(scalar);
    return rc;
}

int cs_p256_store(cs_p256_work *work, uint8_t *out, size_t n, cs_error *error)
{
    point_conversion_form_t form =
        n == CS_P256_COMPRESSED ? POINT_CONVERSION_COMPRESSED : POINT_CONVERSION_UNCOMPRESSED;

    if (EC_POINT_is_at_infinity(work->group, work->point) == 1)
        return CS_FAIL(error, CS_E_POINT, "the result is the identity of P-256");
    if (EC_POINT_point2oct(work->group, work->point, form, out, n, work->bn) != n)
        return CS_OPENSSL_FAIL(error, "encode a point");
    return CS_OK;
}

static int convert(uint8_t *out, size_t n, cs_view sec1, cs_error *error)
{
    cs_p256_work work;
    int rc = cs_p256_begin(&work, error);

    if (rc == CS_OK)
        rc = cs_p256_load(&work, sec1, error);
    if (rc == CS_OK)
        rc = cs_p256_store(&work, out, n, error);
    cs_p256_end(&work);
    return rc;
}

int cs_p256_uncompress(uint8_t out[65], cs_view sec1, cs_error *error)
{
    return convert(out, CS_P256_UNCOMPRESSED, sec1, error);
}

int cs_p256_compress(uint8_t out[33], cs_view sec1, cs_error *error)
{
    return convert(out, CS_P256_COMPRESSED, sec1, error);
}

static OSSL_PARAM *key_parameters(
    const uint8_t public_key[CS_P256_UNCOMPRESSED], const BIGNUM *secret)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;

    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(
            builder, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(
            builder, OSSL_PKEY_PARAM_PUB_KEY, public_key, CS_P256_UNCOMPRESSED) == 1 &&
        (secret == NULL || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret) == 1))
        parameters = OSSL_PARAM_BLD_to_param(builder);
    OSSL_PARAM_BLD_free(builder);
    return parameters;
}

int cs_p256_pkey(EVP_PKEY **out, const uint8_t public_key[CS_P256_UNCOMPRESSED],
    const uint8_t *private_key, cs_error *error)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    BIGNUM *secret = private_key == NULL ? NULL : BN_secure_new();
    OSSL_PARAM *parameters = NULL;
    int rc = CS_OK;

    *out = NULL;
    if (private_key == NULL || (secret != NULL && BN_bin2bn(private_key, 32, secret) != NULL))
        parameters = key_parameters(public_key, secret);
    if (context == NULL || parameters == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, out,
            private_key == NULL ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, parameters) != 1)
        rc = CS_OPENSSL_FAIL(error, "hold a P-256 key");
    OSSL_PARAM_free(parameters);
    BN_clear_free(secret);
    EVP_PKEY_CTX_free(context);
    return rc;
}
