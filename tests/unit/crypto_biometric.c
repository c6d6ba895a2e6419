/* SPDX-License-Identifier: Apache-2.0 */
/* Helper data: what brings H(BP) back, and everything that must not. */
#include "crypto/biometric_enrol.h"
#include "noise.h"
#include "test.h"

#include <string.h>

#define HEAD_SIZE (16 + 1 + 1 + 32)

static const uint8_t device_key[CS_DEVICE_KEY_SIZE] = {1, 2, 3, 4};
static const uint8_t zeros[CS_HASH_SIZE] = {0};

typedef struct enrolled {
    uint8_t template_bits[CS_TEMPLATE_SIZE];
    uint8_t h_bp[CS_HASH_SIZE];
    cs_buf helper;
} enrolled;

static cs_biometric eye(const uint8_t *bits)
{
    return (cs_biometric){CS_BIOMETRIC_TEMPLATE, {bits, CS_TEMPLATE_SIZE}};
}

static cs_biometric phrase(const char *text)
{
    return (cs_biometric){CS_BIOMETRIC_PASSPHRASE, cs_view_str(text)};
}

/* One enrolment for all tests: each costs an scrypt. */
static int enrol_once(void **state)
{
    static enrolled e;
    noise n = noise_of_seed(31);
    cs_biometric bp = eye(e.template_bits);

    noise_template(&n, e.template_bits);
    *state = &e;
    return cs_biometric_enrol(&e.helper, e.h_bp, &bp, device_key, NULL);
}

static int forget(void **state)
{
    cs_buf_free(&((enrolled *)*state)->helper);
    return 0;
}

static void assert_refused(
    int code, const uint8_t *reading, cs_view helper, const uint8_t key[CS_DEVICE_KEY_SIZE])
{
    uint8_t h_bp[CS_HASH_SIZE] = {9};
    cs_biometric bp = eye(reading);

    assert_fails(code, cs_biometric_recover(h_bp, &bp, helper, key, error));
    assert_memory_equal(h_bp, zeros, sizeof h_bp);
}

static void test_round_trip(void **state)
{
    const enrolled *e = *state;
    noise n = noise_of_seed(32);
    uint8_t reading[CS_TEMPLATE_SIZE];
    uint8_t h_bp[CS_HASH_SIZE];
    cs_biometric bp = eye(reading);

    assert_int_equal(e->helper.n, CS_HELPER_TEMPLATE_SIZE);
    for (unsigned percent = 0; percent <= 20; percent += 10) {
        noise_exactly(&n, reading, e->template_bits, 2048 * percent / 100);
        assert_ok(cs_biometric_recover(h_bp, &bp, cs_view_buf(&e->helper), device_key, error));
        assert_memory_equal(h_bp, e->h_bp, sizeof h_bp);
    }
}

static void test_other_readings(void **state)
{
    const enrolled *e = *state;
    noise n = noise_of_seed(33);
    uint8_t reading[CS_TEMPLATE_SIZE];

    noise_exactly(&n, reading, e->template_bits, 2048 * 35 / 100);
    assert_refused(CS_E_BIOMETRIC, reading, cs_view_buf(&e->helper), device_key);
    noise_template(&n, reading);
    assert_refused(CS_E_BIOMETRIC, reading, cs_view_buf(&e->helper), device_key);
    memset(reading, 0, sizeof reading);
    assert_refused(CS_E_BIOMETRIC, reading, cs_view_buf(&e->helper), device_key);
    for (size_t i = 0; i < sizeof reading; i++) /* the opposite of every bit */
        reading[i] = (uint8_t)~e->template_bits[i];
    assert_refused(CS_E_BIOMETRIC, reading, cs_view_buf(&e->helper), device_key);
}

/* The decoder says yes, and its secret is of another word (crypto_fuzzy.c has why). */
static void test_miscorrected_reading(void **state)
{
    const enrolled *e = *state;
    uint8_t reading[CS_TEMPLATE_SIZE];
    uint8_t light[CS_FUZZY_SYMBOLS] = {1};

    memcpy(reading, e->template_bits, sizeof reading);
    assert_ok(cs_rs_encode(light, error));
    for (size_t word = CS_FUZZY_DATA; word < CS_FUZZY_DATA + 7; word++) {
        for (size_t x = 0; x < CS_FUZZY_WORD_BITS; x++) {
            size_t at = cs_fuzzy_position(word * CS_FUZZY_WORD_BITS + x);

            if (((cs_hadamard_encode(light[word]) >> (63 - x)) & 1) != 0)
                reading[at / 8] = (uint8_t)(reading[at / 8] ^ (0x80u >> (at % 8)));
        }
    }
    assert_refused(CS_E_BIOMETRIC, reading, cs_view_buf(&e->helper), device_key);
}

static void test_tampered(void **state)
{
    enrolled *e = *state;

    for (size_t i = 0; i < e->helper.n; i++) {
        int code = i < 16 || i == 17 ? CS_E_MALFORMED : i == 16 ? CS_E_VERSION : CS_E_CORRUPT;

        for (unsigned bit = 0; bit < 8; bit += 7) {
            e->helper.p[i] = (uint8_t)(e->helper.p[i] ^ (1u << bit));
            assert_refused(code, e->template_bits, cs_view_buf(&e->helper), device_key);
            e->helper.p[i] = (uint8_t)(e->helper.p[i] ^ (1u << bit));
        }
    }
}

static void test_other_device(void **state)
{
    const enrolled *e = *state;
    uint8_t key[CS_DEVICE_KEY_SIZE];

    memcpy(key, device_key, sizeof key);
    key[31] ^= 1;
    assert_refused(CS_E_CORRUPT, e->template_bits, cs_view_buf(&e->helper), key);
}

/* The keys that the header describes, by hand. */
static void seal_key(uint8_t key[CS_AEAD_KEY_SIZE], const enrolled *e)
{
    uint8_t both[64];

    assert_ok(cs_hkdf(both, sizeof both, (cs_view){e->helper.p + 18, 32}, CS_VIEW_ARRAY(device_key),
        cs_view_str("chartseal/1 helper"), error));
    memcpy(key, both, CS_AEAD_KEY_SIZE);
}

/* Whoever has the device key can open helper data and seal it again. With one bit of the offset
 * turned the decoder would still find the secret; the tag refuses. So no bit can be tried out. */
static void test_device_key_is_not_enough(void **state)
{
    static const uint8_t nonce[CS_AEAD_NONCE_SIZE] = {0};
    static const size_t places[] = {0, 255, 256, 287};
    const enrolled *e = *state;
    uint8_t key[CS_AEAD_KEY_SIZE];
    cs_view head = {e->helper.p, HEAD_SIZE};
    cs_buf plain = {0};

    seal_key(key, e);
    assert_ok(cs_aead_open(&plain, key, nonce, head,
        (cs_view){e->helper.p + HEAD_SIZE, e->helper.n - HEAD_SIZE}, error));
    assert_int_equal(plain.n, CS_TEMPLATE_SIZE + CS_HASH_SIZE);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        cs_buf forged = {0};

        plain.p[places[i]] ^= 4;
        assert_ok(cs_buf_append(&forged, head, error));
        assert_ok(cs_aead_seal(&forged, key, nonce, head, cs_view_buf(&plain), error));
        assert_refused(CS_E_BIOMETRIC, e->template_bits, cs_view_buf(&forged), device_key);
        plain.p[places[i]] ^= 4;
        cs_buf_free(&forged);
    }
    cs_buf_free(&plain);
}

static void test_malformed(void **state)
{
    const enrolled *e = *state;
    uint8_t longer[CS_HELPER_TEMPLATE_SIZE + 1] = {0};
    uint8_t h_bp[CS_HASH_SIZE];
    cs_biometric bp = eye(e->template_bits);
    cs_biometric other = phrase("a passphrase");

    memcpy(longer, e->helper.p, e->helper.n);
    for (size_t n = 0; n <= sizeof longer; n++) {
        if (n != e->helper.n)
            assert_refused(CS_E_MALFORMED, e->template_bits, (cs_view){longer, n}, device_key);
    }
    assert_refused(CS_E_MALFORMED, e->template_bits, (cs_view){NULL, 0}, device_key);
    assert_fails(
        CS_E_USAGE, cs_biometric_recover(h_bp, &other, cs_view_buf(&e->helper), device_key, error));
    for (size_t n = 0; n <= sizeof longer; n++) {
        bp.bytes = (cs_view){longer, n};
        if (n != CS_TEMPLATE_SIZE)
            assert_fails(CS_E_MALFORMED,
                cs_biometric_recover(h_bp, &bp, cs_view_buf(&e->helper), device_key, error));
    }
    bp.kind = (cs_biometric_kind)3;
    assert_fails(
        CS_E_USAGE, cs_biometric_recover(h_bp, &bp, cs_view_buf(&e->helper), device_key, error));
}

static void test_no_eye(void **state)
{
    uint8_t bits[CS_TEMPLATE_SIZE + 1] = {0};
    uint8_t h_bp[CS_HASH_SIZE];
    cs_buf helper = {0};
    cs_biometric bp = eye(bits);

    (void)state;
    assert_fails(CS_E_MALFORMED, cs_biometric_enrol(&helper, h_bp, &bp, device_key, error));
    memset(bits, 0xff, sizeof bits);
    assert_fails(CS_E_MALFORMED, cs_biometric_enrol(&helper, h_bp, &bp, device_key, error));
    memset(bits, 0x03, sizeof bits); /* a quarter of ones: the least there can be */
    bp.bytes.n++;
    assert_fails(CS_E_MALFORMED, cs_biometric_enrol(&helper, h_bp, &bp, device_key, error));
    bp.bytes.n--;
    assert_ok(cs_biometric_enrol(&helper, h_bp, &bp, device_key, error));
    cs_buf_clear(&helper);
    bits[0] = 1;
    assert_fails(CS_E_MALFORMED, cs_biometric_enrol(&helper, h_bp, &bp, device_key, error));
    assert_int_equal(helper.n, 0);
    assert_memory_equal(h_bp, zeros, sizeof h_bp);
    cs_buf_free(&helper);
}

static void test_fresh_each_time(void **state)
{
    const enrolled *e = *state;
    uint8_t h_bp[CS_HASH_SIZE];
    cs_buf helper = {0};
    cs_biometric bp = eye(e->template_bits);

    assert_ok(cs_biometric_enrol(&helper, h_bp, &bp, device_key, error));
    assert_memory_not_equal(h_bp, e->h_bp, sizeof h_bp);
    assert_memory_not_equal(helper.p + 18, e->helper.p + 18, 32);
    assert_memory_not_equal(helper.p + HEAD_SIZE, e->helper.p + HEAD_SIZE, 64);
    cs_buf_free(&helper);
}

static void test_passphrase(void **state)
{
    static const char too_long[CS_PASSPHRASE_MAX + 1] = {0};
    uint8_t h_bp[CS_HASH_SIZE];
    uint8_t again[CS_HASH_SIZE];
    uint8_t key[CS_DEVICE_KEY_SIZE] = {0};
    cs_buf helper = {0};
    cs_biometric right = phrase("correct horse");
    cs_biometric wrong = phrase("correct horsf");
    cs_biometric empty = phrase("");
    cs_biometric lengthy = {CS_BIOMETRIC_PASSPHRASE, {(const uint8_t *)too_long, sizeof too_long}};
    cs_biometric template_ = eye((const uint8_t *)too_long);

    (void)state;
    assert_fails(CS_E_MALFORMED, cs_biometric_enrol(&helper, h_bp, &empty, device_key, error));
    assert_fails(CS_E_MALFORMED, cs_biometric_enrol(&helper, h_bp, &lengthy, device_key, error));
    assert_ok(cs_biometric_enrol(&helper, h_bp, &right, device_key, error));
    assert_int_equal(helper.n, CS_HELPER_PASSPHRASE_SIZE);
    assert_ok(cs_biometric_recover(again, &right, cs_view_buf(&helper), device_key, error));
    assert_memory_equal(h_bp, again, sizeof again);
    assert_fails(CS_E_BIOMETRIC,
        cs_biometric_recover(again, &wrong, cs_view_buf(&helper), device_key, error));
    assert_memory_equal(again, zeros, sizeof again);
    assert_fails(
        CS_E_CORRUPT, cs_biometric_recover(again, &right, cs_view_buf(&helper), key, error));
    assert_fails(CS_E_USAGE,
        cs_biometric_recover(again, &template_, cs_view_buf(&helper), device_key, error));
    for (size_t i = 0; i < helper.n; i++) {
        helper.p[i] ^= 1;
        assert_int_not_equal(
            CS_OK, cs_biometric_recover(again, &right, cs_view_buf(&helper), device_key, NULL));
        helper.p[i] ^= 1;
    }
    cs_buf_free(&helper);
}

static void assert_hex(const char *wanted, cs_view bytes)
{
    char hex[2 * CS_HELPER_MAX + 1];

    cs_hex(bytes, hex);
    assert_string_equal(hex, wanted);
}

/* What devices have stored has to open for ever: these values do not change within version 1. */
static void test_known_answer(void **state)
{
    noise n = noise_of_seed(34);
    uint8_t bits[CS_TEMPLATE_SIZE];
    uint8_t salt[CS_BIOMETRIC_SALT_SIZE];
    uint8_t secret[CS_FUZZY_SECRET_SIZE];
    uint8_t h_bp[CS_HASH_SIZE];
    uint8_t out[CS_HASH_SIZE];
    cs_buf helper = {0};
    cs_biometric bp = eye(bits);
    cs_biometric words = phrase("correct horse");

    (void)state;
    noise_template(&n, bits);
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)(0xff - i);
    assert_ok(cs_biometric_enrol_chosen(&helper, h_bp, &bp, device_key, salt, secret, error));
    assert_ok(cs_hash(out, cs_view_buf(&helper), error));
    assert_hex(
        "ffc7636ff71e56573a22d6915e449049b0d69f603747a99a1f3e8ca5d9c66995", CS_VIEW_ARRAY(out));
    assert_hex(
        "d1ba6140320630775557b4681d51b29ef93b92e5b8da9250711b20df62d5ec6a", CS_VIEW_ARRAY(h_bp));
    assert_ok(cs_biometric_bind(out, h_bp, CS_VIEW_ARRAY(salt), error));
    assert_hex(
        "93c0c561341f624ea05a82de4f606578d6a7bbf2185525d07a21d334c726ecdd", CS_VIEW_ARRAY(out));
    assert_ok(cs_biometric_authorisation(out, h_bp, error));
    assert_hex(
        "31c074e046f0dda0fe56bf42a6ee96dac825db2688a163715b9b23bd8840f6c7", CS_VIEW_ARRAY(out));
    cs_buf_clear(&helper);
    assert_ok(cs_biometric_enrol_chosen(&helper, h_bp, &words, device_key, salt, secret, error));
    assert_hex("63686172747365616c2068656c7065720102000102030405060708090a0b0c0d0e0f101112131415161"
               "718191a1b1c1d1e1f1edaf34f78f65468799ad3401a33afaeaffb34ecfe403b8de26d96fea82dcdfe15"
               "9e799381ca6224a8008e6b3a50dcf6",
        cs_view_buf(&helper));
    assert_hex(
        "2fba669db42933f84263f51dc2c46b47ca60e430b9eaee67aa83d0308a60a081", CS_VIEW_ARRAY(h_bp));
    cs_buf_free(&helper);
}

static void test_derived(void **state)
{
    uint8_t h_bp[CS_HASH_SIZE] = {0};
    uint8_t authorisation[CS_AUTHORISATION_SIZE];
    uint8_t raw[CS_AUTHORISATION_SIZE];
    uint8_t other[CS_HASH_SIZE];
    uint8_t salt[CS_BIOMETRIC_SALT_SIZE] = {7};
    unsigned mended = 0;

    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        h_bp[0] = (uint8_t)i;
        assert_ok(cs_biometric_authorisation(authorisation, h_bp, error));
        assert_ok(cs_hkdf(raw, sizeof raw, (cs_view){0}, CS_VIEW_ARRAY(h_bp),
            cs_view_str("chartseal/1 auth"), error));
        assert_int_equal(authorisation[31] & 1, 1);
        mended += (raw[31] & 1) == 0;
        raw[31] |= 1;
        assert_memory_equal(raw, authorisation, sizeof raw);
    }
    assert_true(mended > 0);
    assert_ok(cs_biometric_bind(other, h_bp, CS_VIEW_ARRAY(salt), error));
    assert_memory_not_equal(other, authorisation, sizeof other);
    assert_fails(CS_E_USAGE, cs_biometric_bind(other, h_bp, (cs_view){salt, 31}, error));
    assert_fails(CS_E_USAGE, cs_biometric_hash(other, (cs_view){0}, CS_VIEW_ARRAY(salt), error));
    assert_fails(CS_E_USAGE,
        cs_biometric_hash(other, cs_view_str("a passphrase"), (cs_view){salt, 31}, error));
    assert_ok(cs_biometric_hash(other, cs_view_str("x"), CS_VIEW_ARRAY(salt), error));
    assert_ok(cs_scrypt(raw, cs_view_str("x"), CS_VIEW_ARRAY(salt), error));
    assert_memory_equal(other, raw, sizeof raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_other_readings),
        cmocka_unit_test(test_miscorrected_reading),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_other_device),
        cmocka_unit_test(test_device_key_is_not_enough),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_no_eye),
        cmocka_unit_test(test_fresh_each_time),
        cmocka_unit_test(test_passphrase),
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_derived),
    };

    return cmocka_run_group_tests(tests, enrol_once, forget);
}
