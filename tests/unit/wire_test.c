/* SPDX-License-Identifier: Apache-2.0 */
/* The encoding: round trips of every schema, strictness, limits, and that docs/protocol.md carries
 * the CDDL of the tables. */
#include "test.h"
#include "wire/cbor.h"
#include "wire/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRUCT_MAX 1024

/* A value for a field: the smallest or the largest that is allowed (strings cut at 300 bytes). */
static void fill(uint8_t *message, const cs_field *field, bool large, const uint8_t *bytes)
{
    uint64_t n = large ? field->max : field->min;
    cs_list list = {.n = large ? CS_LIST_MAX : 0};
    cs_view view;

    if (field->kind == CS_FIELD_UINT) {
        memcpy(message + field->offset, &n, sizeof n);
        return;
    }
    if (n > 300)
        n = 300;
    view = (cs_view){bytes, (size_t)n};
    if (field->kind == CS_FIELD_LIST) {
        for (size_t i = 0; i < list.n; i++)
            list.items[i] = view;
        memcpy(message + field->offset, &list, sizeof list);
        return;
    }
    memcpy(message + field->offset, &view, sizeof view);
}

static void encode_filled(cs_buf *out, const cs_schema *schema, bool large)
{
    static uint8_t text[300];
    uint8_t message[STRUCT_MAX] = {0};

    assert_true(schema->size <= sizeof message);
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < schema->count; i++)
        fill(message, &schema->fields[i], large, text);
    assert_ok(cs_encode(out, schema, message, error));
}

static void test_round_trip(void **state)
{
    size_t count = 0;

    (void)state;
    for (size_t i = 0; cs_all_schemas[i] != NULL; i++) {
        for (int large = 0; large < 2; large++) {
            uint8_t message[STRUCT_MAX];
            cs_buf first = {0};
            cs_buf second = {0};

            encode_filled(&first, cs_all_schemas[i], large);
            assert_ok(cs_decode(cs_all_schemas[i], message, cs_view_buf(&first), error));
            assert_ok(cs_encode(&second, cs_all_schemas[i], message, error));
            assert_true(cs_view_equal(cs_view_buf(&first), cs_view_buf(&second)));
            cs_buf_free(&first);
            cs_buf_free(&second);
            count++;
        }
    }
    assert_true(count > 80);
}

/* Whatever is cut off or added, nothing decodes. */
static void test_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; cs_all_schemas[i] != NULL; i++) {
        uint8_t message[STRUCT_MAX];
        cs_buf bytes = {0};

        encode_filled(&bytes, cs_all_schemas[i], false);
        for (size_t n = 0; n < bytes.n; n++)
            assert_fails(CS_E_MALFORMED,
                cs_decode(cs_all_schemas[i], message, (cs_view){bytes.p, n}, error));
        assert_ok(cs_buf_append(&bytes, (cs_view){(const uint8_t *)"", 1}, error));
        assert_fails(
            CS_E_MALFORMED, cs_decode(cs_all_schemas[i], message, cs_view_buf(&bytes), error));
        cs_buf_free(&bytes);
    }
}

/* A decoder that accepts two encodings of one meaning gives one meaning two hashes: whatever single
 * byte is changed, what still decodes encodes to just these bytes. */
static void test_one_encoding(void **state)
{
    size_t accepted = 0;

    (void)state;
    for (size_t i = 0; cs_all_schemas[i] != NULL; i++) {
        const cs_schema *schema = cs_all_schemas[i];
        uint8_t message[STRUCT_MAX];
        cs_buf bytes = {0};
        cs_buf again = {0};

        encode_filled(&bytes, schema, false);
        for (size_t at = 0; at < bytes.n * 256; at++) {
            uint8_t old = bytes.p[at / 256];

            bytes.p[at / 256] = (uint8_t)at;
            if (cs_decode(schema, message, cs_view_buf(&bytes), NULL) == CS_OK) {
                cs_buf_clear(&again);
                assert_ok(cs_encode(&again, schema, message, error));
                assert_true(cs_view_equal(cs_view_buf(&bytes), cs_view_buf(&again)));
                accepted++;
            }
            bytes.p[at / 256] = old;
        }
        cs_buf_free(&bytes);
        cs_buf_free(&again);
    }
    assert_true(accepted > 1000);
}

static void refuse_hex(const char *hex)
{
    cs_acknowledgement message;
    cs_buf bytes = {0};

    assert_ok(cs_unhex(&bytes, hex, error));
    assert_fails(CS_E_MALFORMED,
        cs_decode(&cs_acknowledgement_schema, &message, cs_view_buf(&bytes), error));
    cs_buf_free(&bytes);
}

#define LABEL_HEX                                                                                  \
    "781b"                                                                                         \
    "63686172747365616c2f312061636b6e6f776c656467656d656e74"
#define HASH_HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_not_deterministic(void **state)
{
    cs_acknowledgement message;
    cs_buf bytes = {0};

    (void)state;
    assert_ok(cs_unhex(&bytes, "82" LABEL_HEX "5820" HASH_HEX, error));
    assert_ok(cs_decode(&cs_acknowledgement_schema, &message, cs_view_buf(&bytes), error));
    cs_buf_free(&bytes);
    refuse_hex("9802" LABEL_HEX "5820" HASH_HEX);             /* longer head of the array */
    refuse_hex("82" LABEL_HEX "590020" HASH_HEX);             /* longer head of the bytes */
    refuse_hex("9f" LABEL_HEX "5820" HASH_HEX "ff");          /* indefinite array */
    refuse_hex("82" LABEL_HEX "5f5820" HASH_HEX "ff");        /* indefinite bytes */
    refuse_hex("c182" LABEL_HEX "5820" HASH_HEX);             /* a tag */
    refuse_hex("82" LABEL_HEX "7820" HASH_HEX);               /* text for bytes */
    refuse_hex("82" LABEL_HEX "f6");                          /* null */
    refuse_hex("82" LABEL_HEX "5bffffffffffffffff" HASH_HEX); /* an absurd length */
    refuse_hex("a1" LABEL_HEX "5820" HASH_HEX);               /* a map */
}

/* Neither written nor taken, here in the place of a clean text of the same length. */
static void refuse_text(const char *text, size_t n)
{
    static const char clean[] = "qqqq";
    cs_refusal refusal = {.code = {(const uint8_t *)text, n}, .message = cs_view_str("message")};
    cs_refusal decoded;
    cs_buf bytes = {0};
    uint8_t *place;

    assert_fails(CS_E_MALFORMED, cs_encode(&bytes, &cs_refusal_schema, &refusal, error));
    assert_int_equal(bytes.n, 0);
    assert_true(n < sizeof clean + 1);
    refusal.code.p = (const uint8_t *)clean;
    assert_ok(cs_encode(&bytes, &cs_refusal_schema, &refusal, error));
    assert_ok(cs_decode(&cs_refusal_schema, &decoded, cs_view_buf(&bytes), error));
    place = memmem(bytes.p, bytes.n, clean, n);
    assert_non_null(place);
    memcpy(place, text, n);
    assert_fails(
        CS_E_MALFORMED, cs_decode(&cs_refusal_schema, &decoded, cs_view_buf(&bytes), error));
    cs_buf_free(&bytes);
}

static void test_text(void **state)
{
    (void)state;
    refuse_text("a\nb", 3);
    refuse_text("a\0b", 3);
    refuse_text("\x7f", 1);
    refuse_text("\xc2\x85", 2);                 /* NEL, a control character */
    refuse_text("\xc0\xaf", 2);                 /* overlong */
    refuse_text("\xed\xa0\x80", 3);             /* a surrogate */
    refuse_text("\xf4\x90\x80\x80", 4);         /* beyond Unicode */
    refuse_text("\xe2\x82", 2);                 /* cut */
    refuse_text("\xe2\x80\xae\xe2\x80\xac", 3); /* turns the direction of what follows */
}

static void test_limits(void **state)
{
    cs_revocations list = {0};
    cs_refusal refusal = {0};
    char text[CS_ERROR_MESSAGE_MAX + 2];
    cs_buf out = {0};

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    refusal.code = cs_view_str("code");
    refusal.message = cs_view_str(text);
    assert_fails(CS_E_TOO_LARGE, cs_encode(&out, &cs_refusal_schema, &refusal, error));
    refusal.code = (cs_view){0};
    refusal.message = (cs_view){0};
    assert_fails(CS_E_MALFORMED, cs_encode(&out, &cs_refusal_schema, &refusal, error));
    list.time = CS_TIME_MAX + 1;
    assert_fails(CS_E_TOO_LARGE, cs_encode(&out, &cs_revocations_schema, &list, error));
    assert_int_equal(out.n, 0);
    cs_buf_free(&out);
}

static void test_labels_differ(void **state)
{
    (void)state;
    for (size_t i = 0; cs_all_schemas[i] != NULL; i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cs_all_schemas[i]->label, cs_all_schemas[j]->label);
    }
}

static void test_cddl(void **state)
{
    cs_buf cddl = {0};
    cs_buf document = {0};
    char line[4096];
    FILE *file = fopen(CS_TEST_DOCS "/protocol.md", "r");

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        assert_ok(cs_buf_append(&document, cs_view_str(line), error));
    (void)fclose(file);
    assert_ok(cs_schema_cddl(&cddl, error));
    assert_ok(cs_buf_append(&cddl, (cs_view){(const uint8_t *)"", 1}, error));
    assert_ok(cs_buf_append(&document, (cs_view){(const uint8_t *)"", 1}, error));
    if (strstr((char *)document.p, (char *)cddl.p) == NULL)
        fail_msg("docs/protocol.md does not carry this CDDL:\n%s", (char *)cddl.p);
    cs_buf_free(&cddl);
    cs_buf_free(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_one_encoding),
        cmocka_unit_test(test_not_deterministic),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_labels_differ),
        cmocka_unit_test(test_cddl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
