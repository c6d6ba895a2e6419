/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "crypto/shamir.h"

#include <chartseal/crypto.h>
#include <string.h>

#define SIZE_MAX_HERE 32

typedef struct published {
    const char *what;
    unsigned count;
    uint8_t x[3];
    const char *shares[3];
    const char *secret; /* f(0), or NULL: SLIP-39, whose secret is f(255), its check f(254) */
} published;

static const published vectors[] = {
    {"draft-mcgrew-tss-03, section 9", 2, {1, 2}, {"B9FA07E185", "F5409B4511"}, "7465737400"},
    {"SLIP-39, vector 4", 2, {2, 0},
        {"08fb14b66e692e25dfe2edf53289ed62", "06ab48fef4bedc8ce58baeef0a73f76e"}, NULL},
    {"SLIP-39, vector 23", 2, {2, 1},
        {"81e5473f4b7f66094f888d2f98fe0ded6a692dc72c65dc498d6e28bee6ebdfcc",
            "19e366e9b2e34851e52132c31c2b2c957321bf5ce6c9c1410ea1ddf5fef92c27"},
        NULL},
    {"SLIP-39, vector 41", 3, {7, 9, 0},
        {"3ed2fa64acf769131509ca05437606b1", "58ccc8f63e2232eb372d91241e61506b",
            "0d5f0655e0645fad705c1e128887678f"},
        NULL},
    {"SLIP-39, vector 45", 2, {2, 0},
        {"daef18f6bfd2792749905e41a402dae0365bc2434e455226096a99f941d203bf",
            "b4290e56271e919a44596794aef75071b07536ee113e1529299a08b19190ed81"},
        NULL},
};

/* SLIP-39: f(254) is HMAC-SHA-256(key R, secret)[0:4] ‖ R. */
static void check_slip39(const uint8_t *secret, const uint8_t *check, size_t n)
{
    uint8_t mac[CS_HASH_SIZE];

    assert_ok(cs_hmac(mac, (cs_view){check + 4, n - 4}, (cs_view){secret, n}, error));
    assert_memory_equal(mac, check, 4);
}

static void test_published(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        const published *p = &vectors[v];
        cs_buf bytes[3] = {{0}, {0}, {0}}, wanted = {0};
        const uint8_t *shares[3] = {NULL};
        uint8_t secret[SIZE_MAX_HERE], check[SIZE_MAX_HERE];
        uint8_t altered[SIZE_MAX_HERE] = {0};
        size_t n;

        for (unsigned i = 0; i < p->count; i++) {
            assert_ok(cs_unhex(&bytes[i], p->shares[i], error));
            shares[i] = bytes[i].p;
        }
        n = bytes[0].n;
        assert_ok(cs_shamir_interpolate(
            secret, p->secret == NULL ? 255 : 0, p->x, shares, p->count, n, error));
        if (p->secret != NULL) {
            assert_ok(cs_unhex(&wanted, p->secret, error));
            assert_true(cs_view_equal((cs_view){secret, n}, cs_view_buf(&wanted)));
        } else {
            assert_ok(cs_shamir_interpolate(check, 254, p->x, shares, p->count, n, error));
            check_slip39(secret, check, n);
            memcpy(altered, shares[1], n);
            altered[3] ^= 1;
            shares[1] = altered;
            assert_ok(cs_shamir_interpolate(check, 255, p->x, shares, p->count, n, error));
            assert_memory_not_equal(check, secret, n);
        }
        cs_buf_free(&wanted);
        for (unsigned i = 0; i < 3; i++)
            cs_buf_free(&bytes[i]);
    }
}

enum { N = 5, LENGTH = 24 };

typedef struct pile {
    uint8_t bytes[N][LENGTH];
    uint8_t *out[N];
} pile;

static void split(pile *p, unsigned count, unsigned needed, const uint8_t *secret)
{
    for (unsigned i = 0; i < N; i++)
        p->out[i] = p->bytes[i];
    assert_ok(cs_shamir_split(p->out, count, needed, secret, LENGTH, error));
}

/* Every choice of shares: enough of them give the secret, and fewer another value. */
static void test_every_choice(void **state)
{
    uint8_t secret[LENGTH], got[LENGTH];
    pile p = {0};

    (void)state;
    cs_random(secret, sizeof secret);
    for (unsigned needed = 2; needed <= N; needed++) {
        split(&p, N, needed, secret);
        for (unsigned choice = 1; choice < 1u << N; choice++) {
            const uint8_t *shares[N];
            uint8_t x[N];
            unsigned count = 0;

            for (unsigned i = 0; i < N; i++) {
                if ((choice >> i & 1u) != 0) {
                    x[count] = (uint8_t)(i + 1);
                    shares[count++] = p.bytes[i];
                }
            }
            assert_ok(cs_shamir_interpolate(got, 0, x, shares, count, LENGTH, error));
            assert_int_equal(memcmp(got, secret, LENGTH) == 0, count >= needed);
        }
    }
}

/* With one share too few, any secret whatever fits: the missing share can be made for it. */
static void test_fewer_say_nothing(void **state)
{
    uint8_t secret[LENGTH] = {1, 2, 3}, other[LENGTH], missing[LENGTH], got[LENGTH];
    const uint8_t x_known[] = {0, 1, 2}, x_all[] = {1, 2, 3};
    pile p = {0};

    (void)state;
    split(&p, 3, 3, secret);
    for (unsigned round = 0; round < 20; round++) {
        const uint8_t *known[] = {other, p.bytes[0], p.bytes[1]};
        const uint8_t *all[] = {p.bytes[0], p.bytes[1], missing};

        cs_random(other, sizeof other);
        assert_ok(cs_shamir_interpolate(missing, 3, x_known, known, 3, LENGTH, error));
        assert_ok(cs_shamir_interpolate(got, 0, x_all, all, 3, LENGTH, error));
        assert_memory_equal(got, other, LENGTH);
    }
}

/* The other coefficients are drawn anew for each byte and each time. */
static void test_fresh(void **state)
{
    uint8_t secret[LENGTH] = {0};
    bool seen[256] = {false};
    unsigned different = 0;
    pile p = {0};

    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        split(&p, 2, 2, secret);
        for (unsigned i = 0; i < LENGTH; i++) {
            different += !seen[p.bytes[0][i]];
            seen[p.bytes[0][i]] = true;
        }
    }
    assert_int_equal(different, 256); /* of 12000 draws: one value is missing once in 10^18 */
}

static void test_limits(void **state)
{
    uint8_t secret[LENGTH] = {0}, out[LENGTH];
    const uint8_t twice[] = {2, 2};
    const uint8_t *shares[] = {secret, secret};
    pile p = {0};

    (void)state;
    split(&p, 2, 1, secret);
    assert_memory_equal(p.bytes[0], secret, LENGTH);
    assert_fails(CS_E_USAGE, cs_shamir_split(p.out, 2, 3, secret, LENGTH, error));
    assert_fails(CS_E_USAGE, cs_shamir_split(p.out, 2, 0, secret, LENGTH, error));
    assert_fails(CS_E_USAGE, cs_shamir_split(p.out, 256, 2, secret, LENGTH, error));
    assert_fails(CS_E_USAGE, cs_shamir_split(p.out, 2, 2, secret, 0, error));
    assert_fails(CS_E_USAGE, cs_shamir_split(p.out, 2, 2, secret, CS_SHAMIR_SECRET_MAX + 1, error));
    assert_fails(CS_E_USAGE, cs_shamir_interpolate(out, 0, twice, shares, 2, LENGTH, error));
    assert_fails(CS_E_USAGE, cs_shamir_interpolate(out, 0, twice, shares, 0, LENGTH, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_every_choice),
        cmocka_unit_test(test_fewer_say_nothing),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
