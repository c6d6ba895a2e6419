/* SPDX-License-Identifier: Apache-2.0 */

/* Issuance, implicit public keys, the lift and the session key input, against an independent
 * implementation in plain integers. */

#include "kat.h"

#include <chartseal/group.h>
#include <sodium.h>
#include <string.h>

typedef struct party {
    cs_point r;
    cs_point y;
    cs_scalar s;
    cs_buf message;
} party;

static cs_point point_of(const json_t *object, const char *name, cs_suite suite)
{
    cs_buf bytes = kat_hex(object, name);
    cs_point point;

    assert_ok(cs_point_decode(&point, suite, cs_view_buf(&bytes), error));
    cs_buf_free(&bytes);
    return point;
}

static cs_scalar scalar_of(const json_t *object, const char *name, cs_suite suite)
{
    cs_buf bytes = kat_hex(object, name);
    cs_scalar scalar;

    assert_ok(cs_scalar_decode(&scalar, suite, cs_view_buf(&bytes), error));
    cs_buf_free(&bytes);
    return scalar;
}

/* On ed25519 the master key is given as RFC 8032's seed, as a token holds it: s is the clamped
 * first half of SHA-512(seed). */
static cs_scalar master_of(const json_t *vector, cs_suite suite)
{
    uint8_t seed[32];
    uint8_t wide[64];
    cs_scalar master;

    if (suite == CS_SUITE_P256)
        return scalar_of(vector, "master", suite);
    kat_fixed(seed, sizeof seed, vector, "master");
    crypto_hash_sha512(wide, seed, sizeof seed);
    wide[0] &= 248;
    wide[31] = (uint8_t)((wide[31] & 127) | 64);
    memset(wide + 32, 0, 32);
    crypto_core_ed25519_scalar_reduce(master.b, wide);
    return master;
}

static void assert_same_point(const cs_point *a, const cs_point *b)
{
    assert_true(cs_point_equal(a, b));
}

static void check_lift(const json_t *object, const party *p, const cs_point *peer)
{
    uint8_t wanted[CS_X25519_SIZE];
    uint8_t k[CS_X25519_SIZE];
    uint8_t u[CS_X25519_SIZE];
    uint8_t shared[CS_X25519_SIZE];
    cs_point product;
    cs_point seen;
    bool found;

    kat_fixed(wanted, sizeof wanted, object, "lift");
    assert_ok(cs_x25519_lift(k, &found, &p->s, error));
    assert_true(found);
    assert_memory_equal(k, wanted, sizeof k);

    /* what a token with X25519 alone does with k is |S·Q| */
    assert_ok(cs_point_to_u(u, peer, error));
    assert_int_equal(crypto_scalarmult(shared, k, u), 0);
    assert_ok(cs_point_from_u(&seen, CS_VIEW_ARRAY(shared), error));
    assert_ok(cs_point_mul(&product, &p->s, peer, error));
    cs_point_canonical(&product);
    assert_same_point(&seen, &product);
}

static party check_party(const json_t *vector, const char *name, cs_suite suite)
{
    const json_t *object = json_object_get(vector, name);
    cs_point pk = point_of(vector, "PK", suite);
    cs_scalar e = scalar_of(object, "e", suite);
    party p = {.r = point_of(object, "R", suite),
        .y = point_of(object, "Y", suite),
        .s = scalar_of(object, "S", suite),
        .message = kat_hex(object, "message")};
    cs_view m = cs_view_buf(&p.message);
    cs_scalar computed;
    cs_point y;

    assert_ok(cs_issue_hash(&computed, &p.r, &pk, m, error));
    assert_memory_equal(computed.b, e.b, sizeof e.b);
    assert_ok(cs_implicit_public(&y, &p.r, &pk, m, error));
    assert_same_point(&y, &p.y);
    assert_ok(cs_point_base_mul(&y, suite, &p.s, error));
    assert_same_point(&y, &p.y);
    memset(&y, 0, sizeof y);
    assert_ok(cs_issue_verify(&p.s, &p.r, &pk, m, &y, error));
    assert_same_point(&y, &p.y);

    p.message.p[0] ^= 1;
    assert_fails(CS_E_CREDENTIAL, cs_issue_verify(&p.s, &p.r, &pk, m, NULL, error));
    p.message.p[0] ^= 1;
    assert_fails(CS_E_CREDENTIAL, cs_issue_verify(&e, &p.r, &pk, m, NULL, error));
    return p;
}

/* enc(|A| + |B|) ‖ enc(C), A = k_a·q_a and so on */
static void check_input(const cs_view wanted, const cs_scalar *ka, const cs_point *qa,
    const cs_scalar *kb, const cs_point *qb, const cs_scalar *kc, const cs_point *qc)
{
    cs_buf input = {0};
    cs_point a;
    cs_point b;
    cs_point c;

    assert_ok(cs_point_mul(&a, ka, qa, error));
    assert_ok(cs_point_mul(&b, kb, qb, error));
    assert_ok(cs_point_mul(&c, kc, qc, error));
    cs_point_canonical(&a);
    cs_point_canonical(&b);
    assert_ok(cs_point_add(&a, &a, &b, error));
    assert_ok(cs_buf_append(&input, cs_point_view(&a), error));
    assert_ok(cs_buf_append(&input, cs_point_view(&c), error));
    assert_true(cs_view_equal(cs_view_buf(&input), wanted));
    cs_buf_free(&input);
}

static void check_vector(const json_t *vector, cs_suite suite)
{
    party patient = check_party(vector, "patient", suite);
    party doctor = check_party(vector, "doctor", suite);
    cs_scalar r5 = scalar_of(vector, "r5", suite);
    cs_scalar r6 = scalar_of(vector, "r6", suite);
    cs_point rp2 = point_of(vector, "RP2", suite);
    cs_point rd2 = point_of(vector, "RD2", suite);
    cs_scalar master = master_of(vector, suite);
    cs_point pk = point_of(vector, "PK", suite);
    cs_buf wanted = kat_hex(vector, "session_input");
    cs_point product;

    assert_ok(cs_point_base_mul(&product, suite, &master, error));
    assert_same_point(&product, &pk);
    assert_ok(cs_point_base_mul(&product, suite, &r5, error));
    assert_same_point(&product, &rp2);
    assert_ok(cs_point_base_mul(&product, suite, &r6, error));
    assert_same_point(&product, &rd2);

    /* the patient's side, A = r5·Y_D, B = S_P·R_D2, C = r5·R_D2; then the doctor's */
    check_input(cs_view_buf(&wanted), &r5, &doctor.y, &patient.s, &rd2, &r5, &rd2);
    check_input(cs_view_buf(&wanted), &doctor.s, &rp2, &r6, &patient.y, &r6, &rp2);
    if (suite == CS_SUITE_ED25519) {
        check_lift(json_object_get(vector, "patient"), &patient, &rd2);
        check_lift(json_object_get(vector, "doctor"), &doctor, &rp2);
    }
    cs_buf_free(&wanted);
    cs_buf_free(&patient.message);
    cs_buf_free(&doctor.message);
}

static void run(const char *name, cs_suite suite)
{
    json_t *root = kat_load("chartseal-kat.json");
    const json_t *vectors = json_object_get(root, name);

    for (size_t i = 0; i < json_array_size(vectors); i++)
        check_vector(json_array_get(vectors, i), suite);
    print_message("%s: %zu vectors\n", name, json_array_size(vectors));
    assert_int_equal(json_array_size(vectors), 8);
    json_decref(root);
}

static void test_ed25519(void **state)
{
    (void)state;
    run("ed25519", CS_SUITE_ED25519);
}

static void test_p256(void **state)
{
    (void)state;
    run("p256", CS_SUITE_P256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ed25519),
        cmocka_unit_test(test_p256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
