/* SPDX-License-Identifier: Apache-2.0 */

/* Project Wycheproof: the symmetric parts, ECDSA and ECDH. Each test says how many vectors apply.
 */

#include "kat.h"

#include <chartseal/crypto.h>
#include <string.h>

static void one_ecdsa(const json_t *group, const json_t *vector, void *context)
{
    cs_buf puk = kat_hex(json_object_get(group, "publicKey"), "uncompressed");
    cs_buf message = kat_hex(vector, "msg");
    cs_buf signature = kat_hex(vector, "sig");
    uint8_t digest[CS_HASH_SIZE];
    size_t *applied = context;

    /* our signatures are arrays of 64 bytes: another length does not come to the verifier */
    if (signature.n == CS_SIGNATURE_SIZE) {
        int wanted = kat_valid(vector) ? CS_OK : CS_E_SIGNATURE;

        assert_ok(cs_hash(digest, cs_view_buf(&message), error));
        assert_int_equal(cs_ecdsa_verify(cs_view_buf(&puk), digest, signature.p, NULL), wanted);
        (*applied)++;
    } else {
        assert_false(kat_valid(vector));
    }
    cs_buf_free(&puk);
    cs_buf_free(&message);
    cs_buf_free(&signature);
}

static void test_ecdsa(void **state)
{
    size_t applied = 0;
    size_t all = kat_each("wycheproof_ecdsa_secp256r1_sha256_p1363_test.json", one_ecdsa, &applied);

    (void)state;
    print_message("ECDSA: %zu of %zu vectors\n", applied, all);
    assert_int_equal(all, 262);
    assert_int_equal(applied, 241);
}

/* Wycheproof's private keys may have a leading zero or lack one: right-align them. */
static void private_of(uint8_t out[32], const json_t *vector)
{
    cs_buf bytes = kat_hex(vector, "private");
    size_t skip = bytes.n > 32 ? bytes.n - 32 : 0;

    memset(out, 0, 32);
    memcpy(out + 32 - (bytes.n - skip), bytes.p + skip, bytes.n - skip);
    cs_buf_free(&bytes);
}

/* A compressed key is "acceptable" there and wanted here, as all of ours are compressed. */
static void one_ecdh(const json_t *group, const json_t *vector, void *context)
{
    bool wanted = kat_valid(vector) || kat_flag(vector, "CompressedPublic");
    cs_buf peer = kat_hex(vector, "public");
    cs_buf shared = kat_hex(vector, "shared");
    uint8_t private_key[32];
    uint8_t x[32];
    size_t *agreed = context;
    int rc;

    (void)group;
    private_of(private_key, vector);
    rc = cs_p256_ecdh(x, private_key, cs_view_buf(&peer), NULL);
    assert_int_equal(rc, wanted ? CS_OK : CS_E_POINT);
    if (rc == CS_OK) {
        assert_true(cs_view_equal(cs_view_buf(&shared), CS_VIEW_ARRAY(x)));
        (*agreed)++;
    }
    cs_buf_free(&peer);
    cs_buf_free(&shared);
}

static void test_ecdh(void **state)
{
    size_t agreed = 0;
    size_t all = kat_each("wycheproof_ecdh_secp256r1_ecpoint_test.json", one_ecdh, &agreed);

    (void)state;
    print_message("ECDH: %zu vectors, %zu of them agree\n", all, agreed);
    assert_int_equal(all, 355);
    assert_int_equal(agreed, 331);
}

static void one_aead(const json_t *group, const json_t *vector, void *context)
{
    cs_buf key = kat_hex(vector, "key");
    cs_buf nonce = kat_hex(vector, "iv");
    cs_buf aad = kat_hex(vector, "aad");
    cs_buf plain = kat_hex(vector, "msg");
    cs_buf sealed = kat_hex(vector, "ct");
    cs_buf tag = kat_hex(vector, "tag");
    cs_buf out = {0};
    size_t *applied = context;

    (void)group;
    if (key.n == CS_AEAD_KEY_SIZE && nonce.n == CS_AEAD_NONCE_SIZE && tag.n == CS_AEAD_TAG_SIZE) {
        assert_ok(cs_buf_append(&sealed, cs_view_buf(&tag), error));
        if (kat_valid(vector)) {
            assert_ok(
                cs_aead_seal(&out, key.p, nonce.p, cs_view_buf(&aad), cs_view_buf(&plain), error));
            assert_true(cs_view_equal(cs_view_buf(&out), cs_view_buf(&sealed)));
            cs_buf_clear(&out);
            assert_ok(
                cs_aead_open(&out, key.p, nonce.p, cs_view_buf(&aad), cs_view_buf(&sealed), error));
            assert_true(cs_view_equal(cs_view_buf(&out), cs_view_buf(&plain)));
        } else {
            assert_fails(CS_E_DECRYPT,
                cs_aead_open(&out, key.p, nonce.p, cs_view_buf(&aad), cs_view_buf(&sealed), error));
            assert_int_equal(out.n, 0);
        }
        (*applied)++;
    }
    cs_buf_free(&key);
    cs_buf_free(&nonce);
    cs_buf_free(&aad);
    cs_buf_free(&plain);
    cs_buf_free(&sealed);
    cs_buf_free(&tag);
    cs_buf_free(&out);
}

static void test_aead(void **state)
{
    size_t applied = 0;
    size_t all = kat_each("wycheproof_aes_gcm_test.json", one_aead, &applied);

    (void)state;
    print_message("AES-GCM: %zu of %zu vectors have our sizes\n", applied, all);
    assert_int_equal(all, 316);
    assert_int_equal(applied, 66);
}

static void one_hkdf(const json_t *group, const json_t *vector, void *context)
{
    cs_buf ikm = kat_hex(vector, "ikm");
    cs_buf salt = kat_hex(vector, "salt");
    cs_buf info = kat_hex(vector, "info");
    cs_buf okm = kat_hex(vector, "okm");
    size_t n = (size_t)json_integer_value(json_object_get(vector, "size"));
    static uint8_t out[CS_HKDF_MAX + 256];

    (void)group;
    (void)context;
    assert_true(n <= sizeof out);
    if (kat_valid(vector)) {
        assert_ok(
            cs_hkdf(out, n, cs_view_buf(&salt), cs_view_buf(&ikm), cs_view_buf(&info), error));
        assert_true(cs_view_equal((cs_view){out, n}, cs_view_buf(&okm)));
    } else {
        assert_fails(CS_E_USAGE,
            cs_hkdf(out, n, cs_view_buf(&salt), cs_view_buf(&ikm), cs_view_buf(&info), error));
    }
    cs_buf_free(&ikm);
    cs_buf_free(&salt);
    cs_buf_free(&info);
    cs_buf_free(&okm);
}

static void test_hkdf(void **state)
{
    size_t all = kat_each("wycheproof_hkdf_sha256_test.json", one_hkdf, NULL);

    (void)state;
    print_message("HKDF: %zu vectors\n", all);
    assert_int_equal(all, 86);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ecdsa),
        cmocka_unit_test(test_ecdh),
        cmocka_unit_test(test_aead),
        cmocka_unit_test(test_hkdf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
