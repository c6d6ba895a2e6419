/* SPDX-License-Identifier: Apache-2.0 */
/* The duplication blob of S_X, opened again by the formulas of TPM 2.0 Part 1, written out here
 * with plain hashes. That a TPM opens it too is tested in tests/tpm. */
#include "test.h"

#include <chartseal/crypto.h>
#include <chartseal/duplicate.h>
#include <openssl/evp.h>
#include <string.h>

typedef struct blob {
    uint8_t parent_private[32], parent[65], peer[65];
    cs_scalar s;
    cs_point y;
    cs_buf bytes;
} blob;

static void seal(blob *b)
{
    assert_ok(cs_p256_generate(b->parent_private, b->parent, error));
    assert_ok(cs_scalar_random(&b->s, CS_SUITE_P256, error));
    assert_ok(cs_point_base_mul(&b->y, CS_SUITE_P256, &b->s, error));
    assert_ok(cs_duplicate_seal(&b->bytes, b->peer, b->parent, &b->s, &b->y, error));
    assert_int_equal(b->bytes.n, CS_DUPLICATE_BLOB_SIZE);
}

/* One block of KDFa: HMAC(key, 1 ‖ label ‖ 0 ‖ context ‖ bits). */
static void kdf_a(uint8_t out[32], const uint8_t key[32], const char *label, cs_view context,
    uint8_t bits_high, uint8_t bits_low)
{
    uint8_t text[128] = {0, 0, 0, 1};
    size_t n = 4;

    memcpy(text + n, label, strlen(label) + 1);
    n += strlen(label) + 1;
    if (context.n > 0)
        memcpy(text + n, context.p, context.n);
    n += context.n;
    text[n++] = 0;
    text[n++] = 0;
    text[n++] = bits_high;
    text[n++] = bits_low;
    assert_ok(cs_hmac(out, (cs_view){key, 32}, (cs_view){text, n}, error));
}

static void open_cfb(uint8_t *bytes, size_t n, const uint8_t *key)
{
    static const uint8_t iv[16];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done;

    assert_int_equal(EVP_DecryptInit_ex(context, EVP_aes_128_cfb128(), NULL, key, iv), 1);
    assert_int_equal(EVP_DecryptUpdate(context, bytes, &done, bytes, (int)n), 1);
    EVP_CIPHER_CTX_free(context);
}

static void test_opens(void **state)
{
    static const uint8_t head[10] = {0, 40, 0, 0x23, 0, 0, 0, 0, 0, 32};
    blob b = {.bytes = {.guarded = true}};
    uint8_t public_area[CS_DUPLICATE_PUBLIC_SIZE], name[34] = {0, 0x0b};
    uint8_t other[4 + 32 + 10 + 64] = {0, 0, 0, 1}, seed[32], key[32], digest[32];
    uint8_t outer[76 + 34];

    (void)state;
    seal(&b);
    assert_ok(cs_duplicate_public(public_area, &b.y, error));
    assert_ok(cs_hash(name + 2, CS_VIEW_ARRAY(public_area), error));
    assert_ok(cs_p256_ecdh(other + 4, b.parent_private, CS_VIEW_ARRAY(b.peer), error));
    memcpy(other + 36, "DUPLICATE", 10);
    memcpy(other + 46, b.peer + 1, 32);
    memcpy(other + 78, b.parent + 1, 32);
    assert_ok(cs_hash(seed, CS_VIEW_ARRAY(other), error));

    memcpy(outer, b.bytes.p + 16 + 34, 76);
    memcpy(outer + 76, name, 34);
    kdf_a(key, seed, "INTEGRITY", (cs_view){NULL, 0}, 1, 0);
    assert_ok(cs_hmac(digest, CS_VIEW_ARRAY(key), CS_VIEW_ARRAY(outer), error));
    assert_memory_equal(b.bytes.p + 16 + 2, digest, 32);
    kdf_a(key, seed, "STORAGE", CS_VIEW_ARRAY(name), 0, 128);
    open_cfb(outer, 76, key);
    open_cfb(outer, 76, b.bytes.p);
    assert_ok(cs_hash(digest, (cs_view){outer + 34, 42 + 34}, error));
    assert_memory_equal(outer + 2, digest, 32);
    assert_memory_equal(outer + 34, head, sizeof head);
    assert_memory_equal(outer + 44, b.s.b, 32);
    cs_buf_free(&b.bytes);
}

static void test_refused(void **state)
{
    blob b = {.bytes = {.guarded = true}};
    uint8_t public_area[CS_DUPLICATE_PUBLIC_SIZE];
    cs_point edwards = {.suite = CS_SUITE_ED25519};
    size_t n;

    (void)state;
    seal(&b);
    n = b.bytes.n;
    assert_fails(CS_E_USAGE, cs_duplicate_public(public_area, &edwards, error));
    b.parent[64] ^= 1; /* no point of the curve */
    assert_fails(CS_E_POINT, cs_duplicate_seal(&b.bytes, b.peer, b.parent, &b.s, &b.y, error));
    assert_int_equal(b.bytes.n, n);
    cs_buf_free(&b.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
