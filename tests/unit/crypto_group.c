/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <chartseal/group.h>
#include <sodium.h>
#include <string.h>

#define ROUNDS 50

static const cs_suite suites[] = {CS_SUITE_ED25519, CS_SUITE_P256};

#define SUITE_COUNT (sizeof suites / sizeof suites[0])

static const char *const order_hex[] = {
    "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"};

static cs_scalar random_scalar(cs_suite suite)
{
    cs_scalar k;

    assert_ok(cs_scalar_random(&k, suite, error));
    return k;
}

static cs_point random_point(cs_suite suite)
{
    cs_scalar k = random_scalar(suite);
    cs_point q;

    assert_ok(cs_point_base_mul(&q, suite, &k, error));
    return q;
}

static int decode_hex(cs_suite suite, const char *hex)
{
    cs_buf bytes = {0};
    cs_point point;
    int rc;

    assert_ok(cs_unhex(&bytes, hex, error));
    rc = cs_point_decode(&point, suite, cs_view_buf(&bytes), NULL);
    cs_buf_free(&bytes);
    return rc;
}

static void test_suites(void **state)
{
    cs_suite suite;

    (void)state;
    assert_true(cs_suite_known(1) && cs_suite_known(2));
    assert_false(cs_suite_known(0) || cs_suite_known(3) || cs_suite_known(UINT64_MAX));
    assert_ok(cs_suite_from_name(&suite, "ed25519", error));
    assert_int_equal(suite, CS_SUITE_ED25519);
    assert_ok(cs_suite_from_name(&suite, "p256", error));
    assert_int_equal(suite, CS_SUITE_P256);
    assert_fails(CS_E_VERSION, cs_suite_from_name(&suite, "P256", error));
    assert_string_equal(cs_suite_name((cs_suite)3), "unknown");
    assert_int_equal(cs_point_size(CS_SUITE_ED25519), 32);
    assert_int_equal(cs_point_size(CS_SUITE_P256), 33);
    assert_int_equal(cs_point_size((cs_suite)3), 0);
}

static void test_scalar_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        size_t last = suites[i] == CS_SUITE_P256 ? CS_SCALAR_SIZE - 1 : 0;
        uint8_t zero[CS_SCALAR_SIZE] = {0};
        cs_buf order = {0};
        cs_scalar k;

        assert_ok(cs_unhex(&order, order_hex[i], error));
        assert_fails(CS_E_SCALAR, cs_scalar_decode(&k, suites[i], cs_view_buf(&order), error));
        order.p[last]--; /* order - 1; both orders are odd */
        assert_ok(cs_scalar_decode(&k, suites[i], cs_view_buf(&order), error));
        order.p[last] = (uint8_t)(order.p[last] + 2);
        assert_fails(CS_E_SCALAR, cs_scalar_decode(&k, suites[i], cs_view_buf(&order), error));
        assert_fails(CS_E_SCALAR, cs_scalar_decode(&k, suites[i], CS_VIEW_ARRAY(zero), error));
        zero[last] = 1;
        assert_ok(cs_scalar_decode(&k, suites[i], CS_VIEW_ARRAY(zero), error));
        assert_fails(CS_E_SCALAR, cs_scalar_decode(&k, suites[i], (cs_view){zero, 31}, error));
        memset(zero, 0xff, sizeof zero);
        assert_fails(CS_E_SCALAR, cs_scalar_decode(&k, suites[i], CS_VIEW_ARRAY(zero), error));
        assert_fails(CS_E_VERSION, cs_scalar_decode(&k, (cs_suite)3, CS_VIEW_ARRAY(zero), error));
        cs_buf_free(&order);
    }
}

/* a(bP) = b(aP), aP + bP = bP + aP, Q + (-Q) is refused. */
static void test_arithmetic(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        for (int round = 0; round < ROUNDS; round++) {
            cs_scalar a = random_scalar(suites[i]);
            cs_scalar b = random_scalar(suites[i]);
            cs_point left;
            cs_point right;
            cs_point sum;

            assert_ok(cs_point_base_mul(&left, suites[i], &a, error));
            assert_ok(cs_point_base_mul(&right, suites[i], &b, error));
            assert_ok(cs_point_add(&sum, &left, &right, error));
            assert_ok(cs_point_decode(&sum, suites[i], cs_point_view(&sum), error));
            assert_ok(cs_point_mul(&left, &b, &left, error));
            assert_ok(cs_point_mul(&right, &a, &right, error));
            assert_true(cs_point_equal(&left, &right));
            assert_false(cs_point_equal(&left, &sum));
        }
    }
}

/* The other one of ±Q, by its encoding. */
static cs_point negated(cs_point q)
{
    if (q.suite == CS_SUITE_P256)
        q.b[0] ^= 1;
    else
        q.b[31] ^= 0x80;
    return q;
}

static void test_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        for (int round = 0; round < ROUNDS; round++) {
            cs_point q = random_point(suites[i]);
            cs_point minus = negated(q);
            cs_point sum;

            assert_ok(cs_point_decode(&minus, suites[i], cs_point_view(&minus), error));
            assert_fails(CS_E_POINT, cs_point_add(&sum, &q, &minus, error));
            cs_point_canonical(&q);
            cs_point_canonical(&minus);
            assert_true(cs_point_equal(&q, &minus));
            assert_true(suites[i] == CS_SUITE_P256 ? q.b[0] == 2 : q.b[31] < 0x80);
        }
    }
}

static void test_two_groups_do_not_mix(void **state)
{
    cs_point a = random_point(CS_SUITE_ED25519);
    cs_point b = random_point(CS_SUITE_P256);
    cs_point sum;
    cs_scalar e;
    uint8_t u[CS_X25519_SIZE];

    (void)state;
    assert_fails(CS_E_USAGE, cs_point_add(&sum, &a, &b, error));
    assert_fails(CS_E_USAGE, cs_issue_hash(&e, &a, &b, cs_view_str("m"), error));
    assert_fails(CS_E_USAGE, cs_point_to_u(u, &b, error));
    assert_false(cs_point_equal(&a, &b));
    assert_fails(CS_E_VERSION, cs_point_decode(&sum, (cs_suite)0, cs_point_view(&a), error));
    assert_fails(CS_E_POINT, cs_point_decode(&sum, CS_SUITE_P256, cs_point_view(&a), error));
    assert_fails(CS_E_POINT, cs_point_decode(&sum, CS_SUITE_ED25519, cs_point_view(&b), error));
}

static void test_bad_edwards_points(void **state)
{
    static const char *const bad[] = {
        "0100000000000000000000000000000000000000000000000000000000000000", /* identity */
        "0100000000000000000000000000000000000000000000000000000000000080", /* … with a sign */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order 2 */
        "0000000000000000000000000000000000000000000000000000000000000000", /* order 4 */
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", /* order 8 */
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* y = p + 1 */
        "0200000000000000000000000000000000000000000000000000000000000000", /* not on the curve */
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(decode_hex(CS_SUITE_ED25519, bad[i]), CS_E_POINT);
}

/* Q + T for every T of small order: on the curve, not in the subgroup. */
static void test_mixed_order(void **state)
{
    static const char *const small[] = {
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"};

    (void)state;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        cs_point q = random_point(CS_SUITE_ED25519);
        cs_buf torsion = {0};
        uint8_t mixed[32];
        cs_point out;

        assert_ok(cs_unhex(&torsion, small[i], error));
        assert_int_equal(crypto_core_ed25519_add(mixed, q.b, torsion.p), 0);
        assert_fails(
            CS_E_POINT, cs_point_decode(&out, CS_SUITE_ED25519, CS_VIEW_ARRAY(mixed), error));
        cs_buf_free(&torsion);
    }
}

static void test_bad_p256_points(void **state)
{
    static const char *const bad[] = {
        "00",
        "000000000000000000000000000000000000000000000000000000000000000000",
        "02ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", /* x = p */
        "02ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "020000000000000000000000000000000000000000000000000000000000000001", /* not on the curve */
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "056b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    };
    cs_scalar k = random_scalar(CS_SUITE_P256);
    cs_point q;
    uint8_t long_form[65];
    uint8_t short_form[33];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(decode_hex(CS_SUITE_P256, bad[i]), CS_E_POINT);

    assert_ok(cs_point_base_mul(&q, CS_SUITE_P256, &k, error));
    assert_ok(cs_p256_uncompress(long_form, cs_point_view(&q), error));
    assert_int_equal(long_form[0], 4);
    assert_ok(cs_p256_compress(short_form, CS_VIEW_ARRAY(long_form), error));
    assert_memory_equal(short_form, q.b, sizeof short_form);
    /* in group.h a point is compressed, and nowhere hybrid */
    assert_fails(CS_E_POINT, cs_point_decode(&q, CS_SUITE_P256, CS_VIEW_ARRAY(long_form), error));
    long_form[0] = (uint8_t)(6 | (long_form[64] & 1));
    assert_fails(CS_E_POINT, cs_p256_compress(short_form, CS_VIEW_ARRAY(long_form), error));
    long_form[0] = 4;
    long_form[64] ^= 1;
    assert_fails(CS_E_POINT, cs_p256_compress(short_form, CS_VIEW_ARRAY(long_form), error));
    assert_fails(CS_E_POINT, cs_p256_compress(short_form, (cs_view){NULL, 0}, error));
}

static void test_from_x(void **state)
{
    static const uint8_t five[] = {5}; /* x = 5 is on P-256 */
    cs_point q = random_point(CS_SUITE_P256);
    cs_point out;
    uint8_t too_long[33] = {0};

    (void)state;
    assert_ok(cs_point_from_x(&out, (cs_view){q.b + 1, 32}, error));
    cs_point_canonical(&q);
    assert_true(cs_point_equal(&q, &out));
    assert_ok(cs_point_from_x(&out, CS_VIEW_ARRAY(five), error));
    assert_int_equal(out.b[32], 5);
    assert_int_equal(out.b[1], 0);
    assert_fails(CS_E_POINT, cs_point_from_x(&out, (cs_view){NULL, 0}, error));
    assert_fails(CS_E_POINT, cs_point_from_x(&out, CS_VIEW_ARRAY(too_long), error));
}

static void test_u(void **state)
{
    /* u = -1 (no inverse of u + 1), 0, 1 (order 4), p (not reduced), 2 (on the twist) */
    static const char *const bad[] = {
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0200000000000000000000000000000000000000000000000000000000000000"};
    cs_point out;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        cs_point q = random_point(CS_SUITE_ED25519);
        uint8_t u[CS_X25519_SIZE];

        assert_ok(cs_point_to_u(u, &q, error));
        assert_ok(cs_point_from_u(&out, CS_VIEW_ARRAY(u), error));
        cs_point_canonical(&q);
        assert_true(cs_point_equal(&q, &out));
        assert_fails(CS_E_POINT, cs_point_from_u(&out, (cs_view){u, 31}, error));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cs_buf u = {0};

        assert_ok(cs_unhex(&u, bad[i], error));
        assert_fails(CS_E_POINT, cs_point_from_u(&out, cs_view_buf(&u), error));
        cs_buf_free(&u);
    }
}

/* X25519 with the lifted key is |S·Q|; about half of all S have a lift. */
static void test_lift(void **state)
{
    const int rounds = 200;
    int lifted = 0;

    (void)state;
    for (int round = 0; round < rounds; round++) {
        cs_scalar s = random_scalar(CS_SUITE_ED25519);
        cs_point q = random_point(CS_SUITE_ED25519);
        uint8_t wide[64] = {0};
        uint8_t k[CS_X25519_SIZE];
        uint8_t u[CS_X25519_SIZE];
        uint8_t shared[CS_X25519_SIZE];
        cs_scalar reduced;
        cs_point seen;
        bool found;

        assert_ok(cs_x25519_lift(k, &found, &s, error));
        if (!found) {
            assert_true(sodium_is_zero(k, sizeof k));
            continue;
        }
        lifted++;
        assert_int_equal(k[0] & 7, 0);
        assert_int_equal(k[31] >> 6, 1);
        memcpy(wide, k, sizeof k);
        crypto_core_ed25519_scalar_reduce(reduced.b, wide);
        assert_memory_equal(reduced.b, s.b, sizeof s.b);
        assert_ok(cs_point_to_u(u, &q, error));
        assert_int_equal(crypto_scalarmult(shared, k, u), 0);
        assert_ok(cs_point_from_u(&seen, CS_VIEW_ARRAY(shared), error));
        assert_ok(cs_point_mul(&q, &s, &q, error));
        cs_point_canonical(&q);
        assert_true(cs_point_equal(&q, &seen));
    }
    assert_in_range(lifted, rounds / 4, 3 * rounds / 4);
}

static void test_issue(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        cs_scalar master = random_scalar(suites[i]);
        cs_scalar s;
        cs_scalar again;
        cs_point pk;
        cs_point r;
        cs_point y;
        cs_point implicit;
        cs_view m = cs_view_str("message");

        assert_ok(cs_point_base_mul(&pk, suites[i], &master, error));
        assert_ok(cs_issue_software(&s, &r, &master, &pk, m, error));
        assert_ok(cs_issue_verify(&s, &r, &pk, m, &y, error));
        assert_ok(cs_implicit_public(&implicit, &r, &pk, m, error));
        assert_true(cs_point_equal(&y, &implicit));
        assert_fails(
            CS_E_CREDENTIAL, cs_issue_verify(&s, &r, &pk, cs_view_str("other"), NULL, error));
        assert_fails(CS_E_CREDENTIAL, cs_issue_verify(&s, &r, &y, m, NULL, error));
        assert_fails(CS_E_CREDENTIAL, cs_issue_verify(&master, &r, &pk, m, NULL, error));
        /* the nonce is fresh; an empty message is a message */
        assert_ok(cs_issue_software(&again, &r, &master, &pk, m, error));
        assert_memory_not_equal(again.b, s.b, sizeof s.b);
        assert_ok(cs_issue_software(&s, &r, &master, &pk, (cs_view){NULL, 0}, error));
        assert_ok(cs_issue_verify(&s, &r, &pk, (cs_view){NULL, 0}, NULL, error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suites),
        cmocka_unit_test(test_scalar_range),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_two_groups_do_not_mix),
        cmocka_unit_test(test_bad_edwards_points),
        cmocka_unit_test(test_mixed_order),
        cmocka_unit_test(test_bad_p256_points),
        cmocka_unit_test(test_from_x),
        cmocka_unit_test(test_u),
        cmocka_unit_test(test_lift),
        cmocka_unit_test(test_issue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
