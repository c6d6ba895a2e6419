/* SPDX-License-Identifier: Apache-2.0 */
/* S_X comes into a TPM as a duplication blob, and multiplies as the software does. */
#include "fixture.h"

#include <chartseal/duplicate.h>
#include <chartseal/hpke.h>

#include <stdio.h>
#include <string.h>

#define ROUNDS 10

static void new_scalar(cs_suite suite, cs_scalar *s, cs_point *y)
{
    assert_ok(cs_scalar_random(s, suite, error));
    assert_ok(cs_point_base_mul(y, suite, s, error));
}

static void multiplies_as(cs_key *key, const cs_scalar *s, cs_suite suite)
{
    cs_scalar k;
    cs_point q, here, there;

    for (int i = 0; i < ROUNDS; i++) {
        assert_ok(cs_scalar_random(&k, suite, error));
        assert_ok(cs_point_base_mul(&q, suite, &k, error));
        assert_ok(cs_point_mul(&here, s, &q, error));
        cs_point_canonical(&here);
        assert_ok(cs_key_scalar_mul(key, &q, &there, error));
        assert_true(cs_point_equal(&here, &there));
    }
}

static void shows(const cs_key *key, const cs_point *y)
{
    const cs_key_info *info = cs_key_describe(key);
    cs_view shown = {info->public_key, info->public_key_size};

    assert_true(cs_view_equal(shown, cs_point_view(y)));
    assert_true(info->sensitive && !info->extractable && !info->local);
    assert_int_equal(info->use, CS_USE_SCALAR);
    assert_int_equal(info->custody, CS_CUSTODY_TOKEN);
}

static void reopens(const cs_scalar *s, const cs_point *y)
{
    cs_token *token = fixture_open();
    cs_key *key;

    assert_ok(cs_key_open(&key, token, fixture_key_uri("S"), CS_USE_SCALAR, y->suite, error));
    shows(key, y);
    multiplies_as(key, s, y->suite);
    cs_key_close(&key);
    cs_token_close(&token);
}

typedef struct parcel {
    uint8_t root[65], peer[65];
    cs_buf blob;
    cs_scalar s;
    cs_point y;
} parcel;

static void pack(parcel *p, cs_token *token, cs_delivery_key **delivery)
{
    assert_ok(cs_delivery_key_new(delivery, token, p->root, error));
    new_scalar(CS_SUITE_P256, &p->s, &p->y);
    cs_buf_clear(&p->blob);
    assert_ok(cs_duplicate_seal(&p->blob, p->peer, p->root, &p->s, &p->y, error));
}

static void test_duplicated(void **state)
{
    cs_token *token = fixture_open();
    cs_delivery_key *delivery;
    cs_delivery way;
    parcel p = {.blob = {.guarded = true}};
    cs_key *key;

    (void)state;
    assert_ok(cs_token_delivery(token, CS_SUITE_P256, &way, error));
    assert_int_equal(way, CS_DELIVERY_DUPLICATED);
    for (int i = 0; i < 2; i++) { /* the second takes the place of the first */
        pack(&p, token, &delivery);
        assert_ok(
            cs_delivery_key_unwrap(&key, delivery, "S", p.peer, cs_view_buf(&p.blob), &p.y, error));
        shows(key, &p.y);
        multiplies_as(key, &p.s, CS_SUITE_P256);
        cs_key_close(&key);
        cs_delivery_key_free(&delivery);
        reopens(&p.s, &p.y);
    }
    cs_buf_free(&p.blob);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

/* Every byte counts: of the one-time key, of the integrity value, of both layers, of the point. */
static void test_corrupted(void **state)
{
    cs_token *token = fixture_open();
    cs_delivery_key *delivery;
    parcel p = {.blob = {.guarded = true}}, other = {.blob = {.guarded = true}};
    cs_scalar kept;
    cs_point kept_y;
    cs_key *key;

    (void)state;
    pack(&p, token, &delivery);
    kept = p.s;
    kept_y = p.y;
    assert_ok(
        cs_delivery_key_unwrap(&key, delivery, "S", p.peer, cs_view_buf(&p.blob), &p.y, error));
    cs_key_close(&key);
    cs_delivery_key_free(&delivery);
    pack(&p, token, &delivery);
    for (size_t i = 0; i < p.blob.n; i += 7) {
        p.blob.p[i] ^= 1;
        assert_fails(CS_E_DECRYPT,
            cs_delivery_key_unwrap(&key, delivery, "S", p.peer, cs_view_buf(&p.blob), &p.y, error));
        p.blob.p[i] ^= 1;
    }
    assert_fails(CS_E_MALFORMED, cs_delivery_key_unwrap(&key, delivery, "S", p.peer,
                                     (cs_view){p.blob.p, p.blob.n - 1}, &p.y, error));
    p.peer[64] ^= 1;
    assert_fails(CS_E_POINT,
        cs_delivery_key_unwrap(&key, delivery, "S", p.peer, cs_view_buf(&p.blob), &p.y, error));
    p.peer[64] ^= 1;
    /* a sound blob with another Y, and one whose scalar is not Y's */
    cs_delivery_key_free(&delivery);
    pack(&other, token, &delivery);
    assert_fails(CS_E_DECRYPT,
        cs_delivery_key_unwrap(&key, delivery, "S", p.peer, cs_view_buf(&p.blob), &other.y, error));
    cs_buf_clear(&p.blob);
    assert_ok(cs_duplicate_seal(&p.blob, p.peer, p.root, &p.s, &other.y, error));
    assert_fails(CS_E_CREDENTIAL,
        cs_delivery_key_unwrap(&key, delivery, "S", p.peer, cs_view_buf(&p.blob), &other.y, error));
    assert_null(key);
    cs_delivery_key_free(&delivery);
    cs_buf_free(&other.blob);
    cs_buf_free(&p.blob);
    cs_token_close(&token);
    reopens(&kept, &kept_y); /* what was there before is still there */
    assert_int_equal(fixture_loaded(), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

/* It has the token's authorisation value, not the empty one that it came with. */
static void test_auth_changed(void **state)
{
    (void)state;
    assert_int_not_equal(fixture_shell("cd %s && tpm2_load -Q -r keys/S.pem -c ctx && "
                                       "tpm2_flushcontext -t && tpm2_ecdhkeygen -u eph.pub "
                                       "-o z1 -c ctx && tpm2_flushcontext -t && tpm2_ecdhzgen -u "
                                       "eph.pub -o z2 -c ctx 2>/dev/null",
                             fx.directory),
        0);
    assert_int_equal(
        fixture_shell(
            "cd %s && tpm2_flushcontext -t && tpm2_ecdhzgen -u eph.pub -o z2 -c ctx -p " PIN
            " && cmp z1 z2",
            fx.directory),
        0);
    (void)fixture_shell("tpm2_flushcontext -t");
    fixture_forgive();
}

static void test_sealed(void **state)
{
    cs_token *token = fixture_open();
    cs_delivery way;
    cs_key *agree, *key;
    cs_scalar s;
    cs_point y;
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf sealed = {0};
    cs_view puk;

    (void)state;
    assert_ok(cs_token_delivery(token, CS_SUITE_ED25519, &way, error));
    assert_int_equal(way, CS_DELIVERY_SEALED);
    assert_ok(cs_key_generate(&agree, token, "opens", CS_USE_AGREE, CS_SUITE_P256, error));
    puk = (cs_view){cs_key_describe(agree)->public_key, 65};
    new_scalar(CS_SUITE_ED25519, &s, &y);
    assert_ok(cs_hpke_seal(enc, &sealed, puk, cs_view_str("chartseal/1 S_X"), cs_point_view(&y),
        CS_VIEW_ARRAY(s.b), NULL, error));
    assert_ok(cs_key_open_sealed(
        &key, agree, CS_VIEW_ARRAY(enc), cs_view_buf(&sealed), CS_SUITE_ED25519, &y, error));
    multiplies_as(key, &s, CS_SUITE_ED25519);
    cs_key_close(&key);
    assert_fails(CS_E_TOKEN_UNSUITABLE, cs_key_import_lifted(&key, token, "S", &s, &y, error));
    cs_key_close(&agree);
    cs_buf_free(&sealed);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duplicated),
        cmocka_unit_test(test_corrupted),
        cmocka_unit_test(test_auth_changed),
        cmocka_unit_test(test_sealed),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
