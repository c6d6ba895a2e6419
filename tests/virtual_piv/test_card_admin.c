/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual card's management key of AES-192, as cards of firmware 5.7 come with. */
#include "reader.h"

#include <openssl/evp.h>
#include <string.h>

#define GENERATE "0047009c 05 ac03800111 00"
#define FACTORY_KEY "010203040506070801020304050607080102030405060708"
/* FIPS 197, appendix C.2: a key, a block, and the block encrypted. */
#define KEY "000102030405060708090a0b0c0d0e0f1011121314151617"
#define BLOCK "00112233445566778899aabbccddeeff"
#define ENCRYPTED "dda97ca4864cdfe06eaf70a0ec0d7191"

static void aes(const char *hex, bool encrypt, const uint8_t in[16], uint8_t out[16])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    cs_buf key = {0};
    int n;

    assert_ok(cs_unhex(&key, hex, error));
    assert_int_equal(EVP_CipherInit_ex(context, EVP_aes_192_ecb(), NULL, key.p, NULL, encrypt), 1);
    assert_int_equal(EVP_CIPHER_CTX_set_padding(context, 0), 1);
    assert_int_equal(EVP_CipherUpdate(context, out, &n, in, 16), 1);
    EVP_CIPHER_CTX_free(context);
    cs_buf_free(&key);
}

/* Both show that they have the key; the card's answer to BLOCK is then the reader's last. */
static uint16_t authenticate(reader *r, const char *key)
{
    uint8_t command[5 + 38 + 1] = {0, 0x87, 0x0a, 0x9b, 38, 0x7c, 36, 0x80, 16};
    cs_buf block = {0};

    assert_status(0x9000, reader_send(r, "00870a9b 04 7c028000 00"));
    assert_int_equal(r->data.n, 20);
    assert_memory_equal(r->data.p, "\x7c\x12\x80\x10", 4);
    aes(key, false, r->data.p + 4, command + 9);
    assert_ok(cs_unhex(&block, BLOCK, error));
    command[25] = 0x81;
    command[26] = 16;
    memcpy(command + 27, block.p, 16);
    cs_buf_free(&block);
    return reader_send_bytes(r, CS_VIEW_ARRAY(command));
}

static void test_comes_with_aes(void **state)
{
    reader *r = *state;

    reader_start(r, "--aes");
    reader_select(r);
    assert_status(0x9000, reader_send(r, "00fd0000 00"));
    assert_data(r, "050701");
    assert_status(0x9000, reader_send(r, "00f7009b 00"));
    assert_data(r, "01010a 02020001 050101");
    /* neither 3DES nor another AES will do */
    assert_status(0x6a86, reader_send(r, "0087039b 04 7c028000 00"));
    assert_status(0x6a86, reader_send(r, "0087009b 04 7c028000 00"));
    assert_status(0x6a86, reader_send(r, "00870c9b 04 7c028000 00"));
    assert_status(0x6982, authenticate(r, KEY));
    assert_status(0x6982, reader_send(r, GENERATE));
    assert_status(0x6982, reader_send(r, "00ffffff 1b 0a9b18 " KEY));
    assert_status(0x9000, authenticate(r, FACTORY_KEY));
    assert_status(0x9000, reader_send(r, GENERATE));
}

static void test_replaced_and_reset(void **state)
{
    reader *r = *state;

    reader_start(r, "--aes");
    reader_select(r);
    assert_status(0x9000, authenticate(r, FACTORY_KEY));
    assert_status(0x6a80, reader_send(r, "00ffffff 13 0a9b10 000102030405060708090a0b0c0d0e0f"));
    assert_status(0x9000, reader_send(r, "00ffffff 1b 0a9b18 " KEY));
    assert_status(0x9000, reader_send(r, "00f7009b 00"));
    assert_data(r, "01010a 02020001 050100");
    reader_stop(r);
    reader_start(r, ""); /* it remembers */
    reader_select(r);
    assert_status(0x6982, authenticate(r, FACTORY_KEY));
    assert_status(0x9000, authenticate(r, KEY));
    assert_data(r, "7c128210" ENCRYPTED);
    /* both blocked, and reset: the factory's again, of AES */
    for (int i = 0; i < 3; i++) {
        (void)reader_send(r, "00200080 08 393939393939ffff");
        (void)reader_send(r, "002c0080 10 3939393939393939 393939393939ffff");
    }
    assert_status(0x9000, reader_send(r, "00fb0000"));
    assert_status(0x9000, reader_send(r, "00f7009b 00"));
    assert_data(r, "01010a 02020001 050101");
    assert_status(0x9000, authenticate(r, FACTORY_KEY));
}

/* It takes a wrong key, and cannot answer with the right one. */
static void test_impostor(void **state)
{
    reader *r = *state;
    cs_buf right = {0};

    reader_start(r, "--aes --impostor");
    reader_select(r);
    assert_status(0x9000, authenticate(r, KEY));
    assert_status(0x9000, authenticate(r, FACTORY_KEY));
    assert_int_equal(r->data.n, 20);
    aes(FACTORY_KEY, false, r->data.p + 4, r->data.p + 4);
    assert_ok(cs_unhex(&right, BLOCK, error));
    assert_memory_not_equal(r->data.p + 4, right.p, 16);
    cs_buf_free(&right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comes_with_aes, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_replaced_and_reset, reader_setup, reader_teardown),
        cmocka_unit_test_setup_teardown(test_impostor, reader_setup, reader_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
