/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and objects of the virtual card, against the same arithmetic in software. */
#include "reader.h"

#include <chartseal/crypto.h>

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define GENERATE "ac03800111 00"

static void ready(reader *r)
{
    reader_start(r, "");
    reader_select(r);
    reader_verify(r);
    reader_authenticate(r);
}

/* 7F49 43 86 41 point */
static void generate(reader *r, uint8_t reference, uint8_t point[65])
{
    const uint8_t command[] = {0, 0x47, 0, reference, 5, 0xac, 3, 0x80, 1, 0x11, 0};

    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(command)));
    assert_int_equal(r->data.n, 70);
    memcpy(point, r->data.p + 5, 65);
}

static uint16_t use(reader *r, uint8_t reference, uint8_t tag, cs_view input)
{
    uint8_t command[128] = {0, 0x87, 0x11, reference};

    command[4] = (uint8_t)(input.n + 6);
    command[5] = 0x7c;
    command[6] = (uint8_t)(input.n + 4);
    command[7] = 0x82;
    command[9] = tag;
    command[10] = (uint8_t)input.n;
    memcpy(command + 11, input.p, input.n);
    return reader_send_bytes(r, (cs_view){command, 12 + input.n});
}

/* 7C len 82 len DER, as r ‖ s */
static void assert_signed(reader *r, const uint8_t point[65], const uint8_t digest[32])
{
    const uint8_t *der = r->data.p + 4;
    uint8_t signature[64];
    ECDSA_SIG *parsed;

    assert_true(r->data.n > 8 && r->data.p[0] == 0x7c && r->data.p[2] == 0x82);
    parsed = d2i_ECDSA_SIG(NULL, &der, r->data.p[3]);
    assert_non_null(parsed);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + 32, 32), 32);
    ECDSA_SIG_free(parsed);
    assert_ok(cs_ecdsa_verify((cs_view){point, 65}, digest, signature, error));
}

static void test_sign(void **state)
{
    reader *r = *state;
    uint8_t point[65], digest[32];

    cs_random(digest, sizeof digest);
    ready(r);
    assert_status(0x6a88, use(r, 0x9a, 0x81, CS_VIEW_ARRAY(digest)));
    generate(r, 0x9a, point);
    assert_status(0x9000, use(r, 0x9a, 0x81, CS_VIEW_ARRAY(digest)));
    assert_signed(r, point, digest);
    assert_status(0x9000, use(r, 0x9a, 0x81, CS_VIEW_ARRAY(digest)));
    assert_status(0x6a80, use(r, 0x9a, 0x81, (cs_view){digest, 31}));
    assert_status(0x6a80, use(r, 0x9a, 0x85, CS_VIEW_ARRAY(point))); /* 9A does not agree */
    assert_status(0x9000, reader_send(r, "0020ff80"));
    assert_status(0x6982, use(r, 0x9a, 0x81, CS_VIEW_ARRAY(digest)));
    /* 9E asks nobody */
    reader_verify(r);
    generate(r, 0x9e, point);
    reader_reset(r);
    reader_select(r);
    assert_status(0x9000, use(r, 0x9e, 0x81, CS_VIEW_ARRAY(digest)));
    assert_signed(r, point, digest);
}

/* 9C: with the command just before, once. */
static void test_pin_always(void **state)
{
    reader *r = *state;
    uint8_t point[65], digest[32];

    cs_random(digest, sizeof digest);
    ready(r);
    generate(r, 0x9c, point);
    assert_status(0x6982, use(r, 0x9c, 0x81, CS_VIEW_ARRAY(digest)));
    reader_verify(r);
    assert_status(0x9000, use(r, 0x9c, 0x81, CS_VIEW_ARRAY(digest)));
    assert_signed(r, point, digest);
    assert_status(0x6982, use(r, 0x9c, 0x81, CS_VIEW_ARRAY(digest)));
    reader_verify(r);
    assert_status(0x9000, reader_send(r, "00cb3fff 03 5c017e 00"));
    assert_status(0x6982, use(r, 0x9c, 0x81, CS_VIEW_ARRAY(digest)));
    /* the policy that a key was made with comes first */
    assert_status(0x9000, reader_send(r, "0047009c 08 ac06800111 aa0102 00"));
    memcpy(point, r->data.p + 5, 65);
    reader_verify(r);
    for (int i = 0; i < 2; i++) {
        assert_status(0x9000, use(r, 0x9c, 0x81, CS_VIEW_ARRAY(digest)));
        assert_signed(r, point, digest);
    }
}

static void test_agree(void **state)
{
    static const uint8_t references[] = {0x9d, 0x82, 0x95};
    reader *r = *state;
    uint8_t point[65], private_key[32], public_key[65], x[32];

    assert_ok(cs_p256_generate(private_key, public_key, error));
    ready(r);
    for (size_t i = 0; i < sizeof references; i++) {
        generate(r, references[i], point);
        assert_ok(cs_p256_ecdh(x, private_key, CS_VIEW_ARRAY(point), error));
        assert_status(0x9000, use(r, references[i], 0x85, CS_VIEW_ARRAY(public_key)));
        assert_int_equal(r->data.n, 36);
        assert_memory_equal(r->data.p + 4, x, 32);
    }
    public_key[64] ^= 1; /* off the curve */
    assert_status(0x6a80, use(r, 0x9d, 0x85, CS_VIEW_ARRAY(public_key)));
    assert_status(0x6a80, use(r, 0x9d, 0x85, (cs_view){public_key, 33}));
    public_key[64] ^= 1;
    assert_status(0x9000, reader_send(r, "0020ff80"));
    assert_status(0x6982, use(r, 0x9d, 0x85, CS_VIEW_ARRAY(public_key)));
}

static void test_generate_refuses(void **state)
{
    reader *r = *state;

    reader_start(r, "");
    reader_select(r);
    assert_status(0x6982, reader_send(r, "0047009c 05" GENERATE));
    reader_authenticate(r);
    assert_status(0x6a86, reader_send(r, "0047009b 05" GENERATE));
    assert_status(0x6a86, reader_send(r, "0047019c 05" GENERATE));
    assert_status(0x6a80, reader_send(r, "0047009c 05 ac03800107 00")); /* RSA-2048 */
    assert_status(0x6a80, reader_send(r, "0047009c 05 ac04800111 00"));
    assert_status(0x6a80, reader_send(r, "0047009c 08 ac06800111 aa0109 00"));
    assert_status(0x6a88, reader_send(r, "0087119c 04 7c028200 00"));
    assert_status(0x9000, reader_send(r, "0047009e 05" GENERATE));
    assert_status(0x6a80, reader_send(r, "0087119e 04 7c028200 00"));
    assert_status(0x6a80, reader_send(r, "0087119e 04 7c058200 00"));
    assert_status(0x6a86, reader_send(r, "0087149e 04 7c028200 00"));
}

/* The card shows that it has the key, too. */
static void test_mutual_authentication(void **state)
{
    static const uint8_t key[24] = {
        1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    reader *r = *state;
    uint8_t command[] = {0, 0x87, 3, 0x9b, 22, 0x7c, 20, 0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 8,
        1, 2, 3, 4, 5, 6, 7, 8, 0};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t wanted[8];
    int n;

    reader_start(r, "");
    reader_select(r);
    assert_status(0x9000, reader_send(r, "0087039b 04 7c028000 00"));
    assert_int_equal(EVP_DecryptInit_ex(context, EVP_des_ede3_ecb(), NULL, key, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_set_padding(context, 0), 1);
    assert_int_equal(EVP_DecryptUpdate(context, command + 9, &n, r->data.p + 4, 8), 1);
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(command)));
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_des_ede3_ecb(), NULL, key, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_set_padding(context, 0), 1);
    assert_int_equal(EVP_EncryptUpdate(context, wanted, &n, command + 19, 8), 1);
    EVP_CIPHER_CTX_free(context);
    assert_memory_equal(r->data.p + 4, wanted, 8);
    assert_status(0x9000, reader_send(r, "0047009c 05" GENERATE));
    /* the same answer is good once, and a wrong one takes away what was */
    assert_status(0x6982, reader_send_bytes(r, CS_VIEW_ARRAY(command)));
    assert_status(0x6982, reader_send(r, "0047009c 05" GENERATE));
    /* a challenge is for the next command */
    assert_status(0x9000, reader_send(r, "0087039b 04 7c028100 00"));
    assert_status(0x63c3, reader_send(r, "00200080"));
    assert_status(0x6982, reader_send(r, "0087039b 0c 7c0a8208 0000000000000000 00"));
    assert_status(0x6a80, reader_send(r, "0087039b 02 7c00 00"));
    assert_status(0x6a86, reader_send(r, "0087089b 04 7c028100 00"));
}

static void test_objects(void **state)
{
    reader *r = *state;
    uint8_t put[5 + 5 + 4 + 200] = {
        0, 0xdb, 0x3f, 0xff, 208, 0x5c, 3, 0x5f, 0xc1, 0x0a, 0x53, 0x81, 200};

    reader_start(r, "--serial 00c0ffee");
    reader_select(r);
    assert_status(0x9000, reader_send(r, "00cb3fff 03 5c017e 00"));
    assert_data(r, "7e124f0ba0000003080000100001005f2f024000");
    assert_status(0x9000, reader_send(r, "00cb3fff 05 5c035fc102 00"));
    assert_memory_equal(r->data.p + 2 + 41, "\x00\xc0\xff\xee", 4);
    assert_status(0x9000, reader_send(r, "00cb3fff 05 5c035fc107 00"));
    assert_status(0x6a82, reader_send(r, "00cb3fff 05 5c035fc10a 00"));
    assert_status(0x6a80, reader_send(r, "00cb3fff 04 5c025fc1 00"));
    assert_status(0x6a80, reader_send(r, "00cb3fff 06 5c035fc10a00 00"));
    assert_status(0x6a86, reader_send(r, "00cb3f00 05 5c035fc10a 00"));
    assert_status(0x6982, reader_send(r, "00db3fff 09 5c035fc10a 5302abcd"));
    reader_authenticate(r);
    assert_status(0x6a86, reader_send(r, "00db3f00 09 5c035fc10a 5302abcd"));
    assert_status(0x6a80, reader_send(r, "00db3fff 09 5c035fc10a 5402abcd"));
    assert_status(0x6a80, reader_send(r, "00db3fff 0a 5c035fc10a 5302abcd00"));
    assert_status(0x6a80, reader_send(r, "00db3fff 07 5c017e 5302abcd"));
    assert_status(0x9000, reader_send(r, "00db3fff 09 5c035fc10a 5302abcd"));
    assert_status(0x9000, reader_send_bytes(r, (cs_view){put, 5 + 208}));
    reader_stop(r);
    reader_start(r, "");
    reader_select(r);
    assert_status(0x9000, reader_send(r, "00cb3fff 05 5c035fc10a 00"));
    assert_int_equal(r->data.n, 203);
    reader_authenticate(r);
    assert_status(0x9000, reader_send(r, "00db3fff 07 5c035fc10a 5300"));
    assert_status(0x6a82, reader_send(r, "00cb3fff 05 5c035fc10a 00"));
}

/* Yubico's commands, and a card without them. */
static void test_extensions(void **state)
{
    static const uint8_t scalar_one[] = {0, 0xfe, 0x11, 0x82, 34, 0x06, 32, [38] = 1};
    reader *r = *state;

    reader_start(r, "--serial 00c0ffee");
    reader_select(r);
    assert_status(0x9000, reader_send(r, "00fd0000 00"));
    assert_data(r, "050403");
    assert_status(0x9000, reader_send(r, "00f80000 00"));
    assert_data(r, "00c0ffee");
    assert_status(0x9000, reader_send(r, "00f70080 00"));
    assert_data(r, "0101ff 050101 06020303");
    assert_status(0x9000, reader_send(r, "00f7009b 00"));
    assert_data(r, "010103 02020001 050101");
    assert_status(0x6a88, reader_send(r, "00f70082 00"));
    assert_status(0x6982, reader_send_bytes(r, CS_VIEW_ARRAY(scalar_one)));
    reader_authenticate(r);
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(scalar_one)));
    assert_status(0x9000, reader_send(r, "00f70082 00"));
    /* the generator: SEC 2, secp256r1 */
    assert_data(r, "010111 02020200 030102 0443 8641"
                   "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                   "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
    assert_status(0x6a80, reader_send(r, "00fe1183 22 0620 000000000000000000000000000000000000"
                                         "0000000000000000000000000000"));
    assert_status(0x6a80, reader_send(r, "00fe1183 03 060101"));
    assert_status(0x6a86, reader_send(r, "00fe119b 03 060101"));
    /* a new management key, AES-128 */
    assert_status(0x6a80, reader_send(r, "00ffffff 05 089b0201 02"));
    assert_status(0x6a86, reader_send(r, "00ffff00 13 089b10 000102030405060708090a0b0c0d0e0f"));
    assert_status(0x9000, reader_send(r, "00ffffff 13 089b10 000102030405060708090a0b0c0d0e0f"));
    assert_status(0x9000, reader_send(r, "00f7009b 00"));
    assert_data(r, "010108 02020001 050100");
    assert_status(0x6a86, reader_send(r, "0087039b 04 7c028100 00"));
    assert_status(0x9000, reader_send(r, "0087089b 04 7c028100 00"));
    assert_int_equal(r->data.n, 20);
    reader_stop(r);
    reader_start(r, "--plain");
    reader_select(r);
    assert_status(0x6d00, reader_send(r, "00fd0000 00"));
    assert_status(0x6d00, reader_send(r, "00f80000 00"));
    assert_status(0x6d00, reader_send_bytes(r, CS_VIEW_ARRAY(scalar_one)));
    assert_status(0x6d00, reader_send(r, "00fb0000"));
    assert_status(0x9000, reader_send(r, "0087089b 04 7c028100 00"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sign, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_pin_always, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_agree, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_generate_refuses, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_mutual_authentication, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_objects, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_extensions, reader_setup, reader_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
