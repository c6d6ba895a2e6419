/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <chartseal/crypto.h>
#include <chartseal/group.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <string.h>

static const uint8_t key[CS_AEAD_KEY_SIZE] = {1, 2, 3};
static const cs_view none = {NULL, 0};

static void test_hash(void **state)
{
    static const uint8_t abc[CS_HASH_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41,
        0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
        0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t whole[CS_HASH_SIZE];
    uint8_t pieces[CS_HASH_SIZE];
    cs_hasher *hasher = NULL;

    (void)state;
    assert_ok(cs_hash(whole, cs_view_str("abc"), error));
    assert_memory_equal(whole, abc, sizeof abc);
    assert_ok(cs_hasher_new(&hasher, error));
    assert_ok(cs_hasher_add(hasher, cs_view_str("a"), error));
    assert_ok(cs_hasher_add(hasher, none, error));
    assert_ok(cs_hasher_add(hasher, cs_view_str("bc"), error));
    assert_ok(cs_hasher_finish(hasher, pieces, error));
    assert_memory_equal(pieces, abc, sizeof abc);
    assert_fails(CS_E_ORDER, cs_hasher_add(hasher, cs_view_str("d"), error));
    assert_fails(CS_E_ORDER, cs_hasher_finish(hasher, pieces, error));
    cs_hasher_free(&hasher);
    assert_null(hasher);
    cs_hasher_free(&hasher);
    cs_hasher_free(NULL);
    assert_ok(cs_hash(whole, none, error));
    assert_int_equal(whole[0], 0xe3);
}

/* RFC 4231, test case 2. */
static void test_hmac(void **state)
{
    cs_buf wanted = {0};
    uint8_t out[CS_HASH_SIZE];
    uint8_t other[CS_HASH_SIZE];

    (void)state;
    assert_ok(cs_unhex(
        &wanted, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", error));
    assert_ok(
        cs_hmac(out, cs_view_str("Jefe"), cs_view_str("what do ya want for nothing?"), error));
    assert_true(cs_view_equal(CS_VIEW_ARRAY(out), cs_view_buf(&wanted)));
    assert_ok(cs_hmac(out, none, none, error));
    assert_ok(cs_hkdf_extract(other, none, none, error));
    assert_memory_equal(out, other, sizeof out);
    cs_buf_free(&wanted);
}

static void test_hkdf_limits(void **state)
{
    static uint8_t out[CS_HKDF_MAX + 1];
    static const uint8_t info[CS_HKDF_INFO_MAX + 1] = {0};
    const cs_view prk = CS_VIEW_ARRAY(key);

    (void)state;
    assert_fails(CS_E_USAGE, cs_hkdf_expand(out, 0, prk, none, error));
    assert_fails(CS_E_USAGE, cs_hkdf_expand(out, sizeof out, prk, none, error));
    assert_fails(CS_E_USAGE, cs_hkdf_expand(out, 32, (cs_view){key, 31}, none, error));
    assert_fails(CS_E_USAGE, cs_hkdf_expand(out, 32, prk, CS_VIEW_ARRAY(info), error));
    assert_ok(cs_hkdf_expand(out, CS_HKDF_MAX, prk, (cs_view){info, CS_HKDF_INFO_MAX}, error));
}

/* Against another implementation of scrypt. */
static void test_scrypt(void **state)
{
    const cs_view salt = cs_view_str("salt");
    uint8_t out[CS_HASH_SIZE];
    uint8_t wanted[CS_HASH_SIZE];

    (void)state;
    assert_ok(cs_scrypt(out, CS_VIEW_ARRAY(key), salt, error));
    assert_int_equal(crypto_pwhash_scryptsalsa208sha256_ll(
                         key, sizeof key, salt.p, salt.n, 1u << 15, 8, 3, wanted, sizeof wanted),
        0);
    assert_memory_equal(out, wanted, sizeof out);
    assert_ok(cs_scrypt(wanted, none, none, error));
    assert_memory_not_equal(out, wanted, sizeof out);
}

static void test_aead_every_bit(void **state)
{
    static const uint8_t nonce[CS_AEAD_NONCE_SIZE] = {9};
    const cs_view aad = cs_view_str("header");
    cs_buf sealed = {0};
    cs_buf opened = {0};

    (void)state;
    assert_ok(cs_buf_append(&opened, cs_view_str("kept"), error));
    assert_ok(cs_aead_seal(&sealed, key, nonce, aad, cs_view_str("plain"), error));
    assert_int_equal(sealed.n, 5 + CS_AEAD_TAG_SIZE);
    for (size_t i = 0; i < 8 * sealed.n; i++) {
        sealed.p[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_fails(
            CS_E_DECRYPT, cs_aead_open(&opened, key, nonce, aad, cs_view_buf(&sealed), error));
        sealed.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_fails(
        CS_E_DECRYPT, cs_aead_open(&opened, key, nonce, none, cs_view_buf(&sealed), error));
    assert_fails(CS_E_DECRYPT,
        cs_aead_open(&opened, key, nonce, aad, (cs_view){sealed.p, CS_AEAD_TAG_SIZE - 1}, error));
    assert_int_equal(opened.n, 4);
    assert_ok(cs_aead_open(&opened, key, nonce, aad, cs_view_buf(&sealed), error));
    assert_true(cs_view_equal(cs_view_buf(&opened), cs_view_str("keptplain")));

    cs_buf_clear(&sealed);
    cs_buf_clear(&opened);
    assert_ok(cs_aead_seal(&sealed, key, nonce, none, none, error));
    assert_int_equal(sealed.n, CS_AEAD_TAG_SIZE);
    assert_ok(cs_aead_open(&opened, key, nonce, none, cs_view_buf(&sealed), error));
    assert_int_equal(opened.n, 0);
    cs_buf_free(&sealed);
    cs_buf_free(&opened);
}

static void test_box(void **state)
{
    const cs_view aad = cs_view_str("row");
    cs_buf one = {0};
    cs_buf two = {0};
    cs_buf opened = {0};

    (void)state;
    assert_ok(cs_box_seal(&one, key, aad, cs_view_str("value"), error));
    assert_ok(cs_box_seal(&two, key, aad, cs_view_str("value"), error));
    assert_false(cs_view_equal(cs_view_buf(&one), cs_view_buf(&two)));
    assert_ok(cs_box_open(&opened, key, aad, cs_view_buf(&one), error));
    assert_true(cs_view_equal(cs_view_buf(&opened), cs_view_str("value")));
    for (size_t i = 0; i < one.n; i++) {
        one.p[i] ^= 1;
        assert_fails(CS_E_DECRYPT, cs_box_open(&opened, key, aad, cs_view_buf(&one), error));
        one.p[i] ^= 1;
    }
    for (size_t n = 0; n < one.n; n++)
        assert_fails(CS_E_DECRYPT, cs_box_open(&opened, key, aad, (cs_view){one.p, n}, error));
    assert_fails(
        CS_E_DECRYPT, cs_box_open(&opened, key, cs_view_str("cow"), cs_view_buf(&one), error));
    assert_int_equal(opened.n, 5);
    cs_buf_free(&one);
    cs_buf_free(&two);
    cs_buf_free(&opened);
}

/* Unwrapped by OpenSSL, every length of a few blocks. */
static void test_key_wrap(void **state)
{
    static const uint8_t plain[CS_KEY_WRAP_MAX + 1] = {42, 7};
    cs_buf wrapped = {0};

    (void)state;
    for (size_t n = 1; n < 40; n++) {
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        uint8_t out[64];
        int got = 0;

        cs_buf_clear(&wrapped);
        assert_ok(cs_key_wrap_pad(&wrapped, key, (cs_view){plain, n}, error));
        assert_int_equal(wrapped.n, (n + 7) / 8 * 8 + 8);
        EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        assert_int_equal(EVP_DecryptInit_ex(context, EVP_aes_256_wrap_pad(), NULL, key, NULL), 1);
        assert_int_equal(EVP_DecryptUpdate(context, out, &got, wrapped.p, (int)wrapped.n), 1);
        assert_int_equal(got, n);
        assert_memory_equal(out, plain, n);
        EVP_CIPHER_CTX_free(context);
    }
    cs_buf_clear(&wrapped);
    assert_fails(CS_E_USAGE, cs_key_wrap_pad(&wrapped, key, none, error));
    assert_fails(CS_E_USAGE, cs_key_wrap_pad(&wrapped, key, CS_VIEW_ARRAY(plain), error));
    assert_int_equal(wrapped.n, 0);
    cs_buf_free(&wrapped);
}

static void test_p256_key(void **state)
{
    uint8_t private_key[32];
    uint8_t public_key[65];
    uint8_t peer_private[32];
    uint8_t peer_public[65];
    uint8_t digest[CS_HASH_SIZE] = {5};
    uint8_t signature[CS_SIGNATURE_SIZE];
    uint8_t one[32];
    uint8_t two[32];
    uint8_t compressed[33];
    const uint8_t zero[32] = {0};

    (void)state;
    assert_ok(cs_p256_generate(private_key, public_key, error));
    assert_ok(cs_p256_generate(peer_private, peer_public, error));
    assert_ok(cs_p256_compress(compressed, CS_VIEW_ARRAY(public_key), error));
    assert_ok(cs_p256_ecdh(one, private_key, CS_VIEW_ARRAY(peer_public), error));
    assert_ok(cs_p256_ecdh(two, peer_private, CS_VIEW_ARRAY(compressed), error));
    assert_memory_equal(one, two, sizeof one);
    assert_fails(CS_E_SCALAR, cs_p256_ecdh(one, zero, CS_VIEW_ARRAY(peer_public), error));
    assert_fails(CS_E_SCALAR, cs_p256_public(public_key, zero, error));
    assert_fails(CS_E_SCALAR, cs_p256_sign(signature, zero, digest, error));

    assert_ok(cs_p256_sign(signature, private_key, digest, error));
    assert_ok(cs_ecdsa_verify(CS_VIEW_ARRAY(compressed), digest, signature, error));
    assert_ok(cs_ecdsa_verify(CS_VIEW_ARRAY(public_key), digest, signature, error));
    assert_fails(
        CS_E_SIGNATURE, cs_ecdsa_verify(CS_VIEW_ARRAY(peer_public), digest, signature, error));
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_fails(
            CS_E_SIGNATURE, cs_ecdsa_verify(CS_VIEW_ARRAY(compressed), digest, signature, error));
        signature[i] ^= 1;
    }
    digest[31] ^= 1;
    assert_fails(
        CS_E_SIGNATURE, cs_ecdsa_verify(CS_VIEW_ARRAY(compressed), digest, signature, error));
    assert_fails(CS_E_POINT, cs_ecdsa_verify((cs_view){compressed, 32}, digest, signature, error));
}

/* OpenSSL reads the PKCS#8 as the same key. */
static void test_pkcs8(void **state)
{
    uint8_t private_key[32];
    uint8_t public_key[65];
    uint8_t read[65];
    cs_buf der = {0};
    const uint8_t *p;
    size_t n = 0;
    EVP_PKEY *parsed;

    (void)state;
    assert_ok(cs_p256_generate(private_key, public_key, error));
    assert_ok(cs_p256_pkcs8(&der, private_key, error));
    p = der.p;
    parsed = d2i_AutoPrivateKey(NULL, &p, (long)der.n);
    assert_non_null(parsed);
    assert_ptr_equal(p, der.p + der.n);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(parsed, "encoded-pub-key", read, sizeof read, &n), 1);
    assert_int_equal(n, sizeof read);
    assert_memory_equal(read, public_key, sizeof read);
    EVP_PKEY_free(parsed);
    cs_buf_free(&der);
}

/* It is also to the byte what OpenSSL writes, for keys with leading zeros too. */
static void test_pkcs8_bytes(void **state)
{
    uint8_t private_key[32] = {0};

    (void)state;
    for (int i = 0; i < 16; i++) {
        cs_buf der = {0};
        const uint8_t *p;
        uint8_t *theirs = NULL;
        PKCS8_PRIV_KEY_INFO *info;
        EVP_PKEY *parsed;
        int n;

        private_key[31 - 2 * i] = (uint8_t)(i + 1);
        assert_ok(cs_p256_pkcs8(&der, private_key, error));
        p = der.p;
        parsed = d2i_AutoPrivateKey(NULL, &p, (long)der.n);
        assert_non_null(parsed);
        info = EVP_PKEY2PKCS8(parsed);
        assert_non_null(info);
        n = i2d_PKCS8_PRIV_KEY_INFO(info, &theirs);
        assert_int_equal(n, der.n);
        assert_memory_equal(theirs, der.p, der.n);
        OPENSSL_free(theirs);
        PKCS8_PRIV_KEY_INFO_free(info);
        EVP_PKEY_free(parsed);
        cs_buf_free(&der);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hkdf_limits),
        cmocka_unit_test(test_scrypt),
        cmocka_unit_test(test_aead_every_bit),
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_key_wrap),
        cmocka_unit_test(test_p256_key),
        cmocka_unit_test(test_pkcs8),
        cmocka_unit_test(test_pkcs8_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
