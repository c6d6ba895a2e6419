/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 9180: the vectors of our suite. */

#include "kat.h"

#include "crypto/hpke_schedule.h"

static int agree(void *context, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    return cs_p256_ecdh(x, context, (cs_view){peer, 65}, error);
}

static void check_schedule(const json_t *vector, cs_view enc, cs_view puk, cs_view info)
{
    const json_t *exports = json_object_get(vector, "exports");
    cs_hpke_context context;
    uint8_t private_key[32];
    uint8_t wanted[32];
    uint8_t value[32];

    kat_fixed(private_key, sizeof private_key, vector, "skRm");
    assert_ok(cs_p256_ecdh(value, private_key, enc, error));
    assert_ok(cs_hpke_schedule(&context, value, enc.p, puk.p, info, error));
    kat_fixed(wanted, sizeof wanted, vector, "key");
    assert_memory_equal(context.key, wanted, sizeof wanted);
    kat_fixed(wanted, CS_AEAD_NONCE_SIZE, vector, "base_nonce");
    assert_memory_equal(context.base_nonce, wanted, CS_AEAD_NONCE_SIZE);
    kat_fixed(wanted, sizeof wanted, vector, "exporter_secret");
    assert_memory_equal(context.exporter_secret, wanted, sizeof wanted);
    assert_int_equal(json_array_size(exports), 3);
    for (size_t i = 0; i < json_array_size(exports); i++) {
        const json_t *item = json_array_get(exports, i);
        cs_buf label = kat_hex(item, "exporter_context");

        assert_ok(cs_hpke_export(value, sizeof value, &context, cs_view_buf(&label), error));
        kat_fixed(wanted, sizeof wanted, item, "exported_value");
        assert_memory_equal(value, wanted, sizeof wanted);
        cs_buf_free(&label);
    }
}

static void check_message(const json_t *vector, cs_view enc, cs_view puk, cs_view info)
{
    const json_t *message = json_array_get(json_object_get(vector, "encryptions"), 0);
    cs_buf aad = kat_hex(message, "aad");
    cs_buf plain = kat_hex(message, "pt");
    cs_buf wanted = kat_hex(message, "ct");
    cs_buf sealed = {0};
    cs_buf opened = {0};
    uint8_t ephemeral[32];
    uint8_t private_key[32];
    uint8_t our_enc[CS_HPKE_ENC_SIZE];

    kat_fixed(ephemeral, sizeof ephemeral, vector, "skEm");
    kat_fixed(private_key, sizeof private_key, vector, "skRm");
    assert_ok(cs_hpke_seal_with(our_enc, &sealed, ephemeral, puk, info, cs_view_buf(&aad),
        cs_view_buf(&plain), NULL, error));
    assert_true(cs_view_equal(CS_VIEW_ARRAY(our_enc), enc));
    assert_true(cs_view_equal(cs_view_buf(&sealed), cs_view_buf(&wanted)));
    assert_ok(cs_hpke_open(&opened, enc, cs_view_buf(&wanted), puk, info, cs_view_buf(&aad), agree,
        private_key, NULL, error));
    assert_true(cs_view_equal(cs_view_buf(&opened), cs_view_buf(&plain)));
    cs_buf_free(&aad);
    cs_buf_free(&plain);
    cs_buf_free(&wanted);
    cs_buf_free(&sealed);
    cs_buf_free(&opened);
}

static void test_rfc9180(void **state)
{
    json_t *root = kat_load("rfc9180_p256_sha256_aes256gcm.json");
    const json_t *vectors = json_object_get(root, "vectors");

    (void)state;
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *vector = json_array_get(vectors, i);
        cs_buf info = kat_hex(vector, "info");
        cs_buf enc = kat_hex(vector, "enc");
        cs_buf puk = kat_hex(vector, "pkRm");

        check_schedule(vector, cs_view_buf(&enc), cs_view_buf(&puk), cs_view_buf(&info));
        check_message(vector, cs_view_buf(&enc), cs_view_buf(&puk), cs_view_buf(&info));
        cs_buf_free(&info);
        cs_buf_free(&enc);
        cs_buf_free(&puk);
    }
    print_message("RFC 9180: %zu vectors\n", json_array_size(vectors));
    assert_int_equal(json_array_size(vectors), 1);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc9180)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
