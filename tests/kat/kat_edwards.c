/* SPDX-License-Identifier: Apache-2.0 */

/* An issuance is an Ed25519 signature R ‖ S by PK on m, so the vectors of RFC 8032 and Wycheproof
 * for Ed25519 test cs_issue_verify; those for X25519 test u(Q) and the arithmetic. */

#include "kat.h"

#include <chartseal/group.h>
#include <sodium.h>
#include <string.h>

static bool accepts(cs_view pk_bytes, cs_view message, cs_view signature)
{
    cs_point pk;
    cs_point r;
    cs_scalar s;

    return signature.n == 64 && cs_point_decode(&pk, CS_SUITE_ED25519, pk_bytes, NULL) == CS_OK &&
           cs_point_decode(&r, CS_SUITE_ED25519, (cs_view){signature.p, 32}, NULL) == CS_OK &&
           cs_scalar_decode(&s, CS_SUITE_ED25519, (cs_view){signature.p + 32, 32}, NULL) == CS_OK &&
           cs_issue_verify(&s, &r, &pk, message, NULL, NULL) == CS_OK;
}

static void one_rfc8032(const json_t *vector)
{
    cs_buf pk = kat_hex(vector, "pk");
    cs_buf message = kat_hex(vector, "msg");
    cs_buf signature = kat_hex(vector, "sig");

    assert_true(accepts(cs_view_buf(&pk), cs_view_buf(&message), cs_view_buf(&signature)));
    for (size_t i = 0; i < signature.n * 8; i++) {
        signature.p[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(accepts(cs_view_buf(&pk), cs_view_buf(&message), cs_view_buf(&signature)));
        signature.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    pk.p[0] ^= 1;
    assert_false(accepts(cs_view_buf(&pk), cs_view_buf(&message), cs_view_buf(&signature)));
    pk.p[0] ^= 1;
    assert_ok(cs_buf_append(&message, cs_view_str("x"), error));
    assert_false(accepts(cs_view_buf(&pk), cs_view_buf(&message), cs_view_buf(&signature)));
    cs_buf_free(&pk);
    cs_buf_free(&message);
    cs_buf_free(&signature);
}

static void test_rfc8032(void **state)
{
    json_t *root = kat_load("rfc8032_ed25519.json");
    const json_t *vectors = json_object_get(root, "vectors");

    (void)state;
    for (size_t i = 0; i < json_array_size(vectors); i++)
        one_rfc8032(json_array_get(vectors, i));
    print_message("RFC 8032: %zu vectors\n", json_array_size(vectors));
    assert_int_equal(json_array_size(vectors), 4);
    json_decref(root);
}

static void one_ed25519(const json_t *group, const json_t *vector, void *context)
{
    cs_buf pk = kat_hex(json_object_get(group, "publicKey"), "pk");
    cs_buf message = kat_hex(vector, "msg");
    cs_buf signature = kat_hex(vector, "sig");
    size_t *accepted = context;
    bool ours = accepts(cs_view_buf(&pk), cs_view_buf(&message), cs_view_buf(&signature));

    if (ours != kat_valid(vector))
        fail_msg("vector %lld: accepted %d",
            (long long)json_integer_value(json_object_get(vector, "tcId")), ours);
    *accepted += ours;
    cs_buf_free(&pk);
    cs_buf_free(&message);
    cs_buf_free(&signature);
}

static void test_wycheproof_ed25519(void **state)
{
    size_t accepted = 0;
    size_t all = kat_each("wycheproof_ed25519_test.json", one_ed25519, &accepted);

    (void)state;
    print_message("Ed25519: %zu vectors, %zu of them accepted\n", all, accepted);
    assert_int_equal(all, 151);
    assert_int_equal(accepted, 88);
}

/* X25519's clamped key, mod L. */
static cs_scalar clamped(const json_t *vector)
{
    uint8_t wide[64] = {0};
    cs_scalar scalar;

    kat_fixed(wide, 32, vector, "private");
    wide[0] &= 248;
    wide[31] = (uint8_t)((wide[31] & 127) | 64);
    crypto_core_ed25519_scalar_reduce(scalar.b, wide);
    return scalar;
}

/*
 * u is accepted as a point of the prime-order subgroup alone; then k·Q is X25519's answer. The rest
 * (the twist, low order, points with a component of low order, u not below p) must be refused.
 */
static void one_x25519(const json_t *group, const json_t *vector, void *context)
{
    cs_buf u = kat_hex(vector, "public");
    uint8_t shared[CS_X25519_SIZE];
    uint8_t ours[CS_X25519_SIZE];
    size_t *applied = context;
    cs_scalar k = clamped(vector);
    cs_point q;
    int rc = cs_point_from_u(&q, cs_view_buf(&u), NULL);

    (void)group;
    if (rc == CS_OK) {
        assert_false(kat_flag(vector, "Twist"));
        assert_false(kat_flag(vector, "LowOrderPublic"));
        assert_false(kat_flag(vector, "NonCanonicalPublic"));
        kat_fixed(shared, sizeof shared, vector, "shared");
        assert_ok(cs_point_mul(&q, &k, &q, error));
        assert_ok(cs_point_to_u(ours, &q, error));
        assert_memory_equal(ours, shared, sizeof shared);
        (*applied)++;
    } else {
        assert_int_equal(rc, CS_E_POINT);
    }
    cs_buf_free(&u);
}

static void test_wycheproof_x25519(void **state)
{
    size_t applied = 0;
    size_t all = kat_each("wycheproof_x25519_test.json", one_x25519, &applied);

    (void)state;
    print_message("X25519: %zu vectors, %zu of them in the subgroup\n", all, applied);
    assert_int_equal(all, 518);
    assert_int_equal(applied, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8032),
        cmocka_unit_test(test_wycheproof_ed25519),
        cmocka_unit_test(test_wycheproof_x25519),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
