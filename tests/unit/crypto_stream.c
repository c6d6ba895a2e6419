/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <chartseal/stream.h>
#include <string.h>

static const uint8_t key[CS_AEAD_KEY_SIZE] = {7};
static const char aad[] = "record 1";
static uint8_t chunk[CS_CHUNK_SIZE + 1];

static cs_stream *new_stream(const char *header)
{
    cs_stream *stream = NULL;

    assert_ok(cs_stream_new(&stream, key, cs_view_str(header), error));
    return stream;
}

static cs_buf seal_one(cs_stream *stream, size_t n, bool final)
{
    cs_buf sealed = {0};

    assert_ok(cs_stream_seal(stream, &sealed, (cs_view){chunk, n}, final, error));
    assert_int_equal(sealed.n, n + CS_AEAD_TAG_SIZE);
    return sealed;
}

static int open_one(cs_stream *stream, const cs_buf *sealed, bool final)
{
    cs_buf plain = {0};
    int rc = cs_stream_open(stream, &plain, cs_view_buf(sealed), final, NULL);

    assert_int_equal(plain.n, rc == CS_OK ? sealed->n - CS_AEAD_TAG_SIZE : 0);
    cs_buf_free(&plain);
    return rc;
}

/* Three chunks of a stream: full, full, and a final one of n bytes. */
typedef struct three {
    cs_buf c[3];
} three;

static three seal_three(size_t n)
{
    cs_stream *stream = new_stream(aad);
    three t;

    t.c[0] = seal_one(stream, CS_CHUNK_SIZE, false);
    t.c[1] = seal_one(stream, CS_CHUNK_SIZE, false);
    assert_false(cs_stream_finished(stream));
    t.c[2] = seal_one(stream, n, true);
    assert_true(cs_stream_finished(stream));
    cs_stream_free(&stream);
    assert_null(stream);
    return t;
}

static void free_three(three *t)
{
    for (size_t i = 0; i < 3; i++)
        cs_buf_free(&t->c[i]);
}

static void test_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, CS_CHUNK_SIZE};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        three t = seal_three(sizes[i]);
        cs_stream *stream = new_stream(aad);

        assert_int_equal(open_one(stream, &t.c[0], false), CS_OK);
        assert_int_equal(open_one(stream, &t.c[1], false), CS_OK);
        assert_false(cs_stream_finished(stream));
        assert_int_equal(open_one(stream, &t.c[2], true), CS_OK);
        assert_true(cs_stream_finished(stream));
        cs_stream_free(&stream);
        free_three(&t);
    }
}

/* What is cut off ends in a chunk that is not final, whatever the transport says of it. */
static void test_truncation(void **state)
{
    three t = seal_three(10);
    cs_stream *stream = new_stream(aad);

    (void)state;
    assert_int_equal(open_one(stream, &t.c[0], false), CS_OK);
    assert_int_equal(open_one(stream, &t.c[1], true), CS_E_DECRYPT);
    assert_false(cs_stream_finished(stream));
    assert_int_equal(open_one(stream, &t.c[1], false), CS_OK);
    assert_int_equal(open_one(stream, &t.c[2], false), CS_E_DECRYPT);
    assert_false(cs_stream_finished(stream));
    cs_stream_free(&stream);
    free_three(&t);
}

static void test_order(void **state)
{
    three t = seal_three(CS_CHUNK_SIZE);
    cs_stream *stream = new_stream(aad);
    cs_stream *other = new_stream("record 2");

    (void)state;
    assert_int_equal(open_one(stream, &t.c[1], false), CS_E_DECRYPT); /* dropped */
    assert_int_equal(open_one(stream, &t.c[0], false), CS_OK);
    assert_int_equal(open_one(stream, &t.c[0], false), CS_E_DECRYPT); /* repeated */
    assert_int_equal(open_one(stream, &t.c[2], true), CS_E_DECRYPT);  /* too early */
    assert_int_equal(open_one(other, &t.c[0], false), CS_E_DECRYPT);  /* of another record */
    cs_stream_free(&stream);
    cs_stream_free(&other);
    cs_stream_free(&other);
    cs_stream_free(NULL);
    free_three(&t);
}

static void test_nothing_after_the_final_one(void **state)
{
    cs_stream *stream = new_stream(aad);
    cs_buf sealed = seal_one(stream, 0, true);
    cs_buf more = {0};

    (void)state;
    assert_fails(CS_E_ORDER, cs_stream_seal(stream, &more, cs_view_str("more"), false, error));
    assert_fails(CS_E_ORDER, cs_stream_seal(stream, &more, cs_view_str("more"), true, error));
    assert_int_equal(more.n, 0);
    cs_stream_free(&stream);

    stream = new_stream(aad);
    assert_int_equal(open_one(stream, &sealed, true), CS_OK);
    assert_int_equal(open_one(stream, &sealed, true), CS_E_ORDER);
    cs_stream_free(&stream);
    cs_buf_free(&sealed);
}

static void test_sizes(void **state)
{
    static const uint8_t too_long[CS_CHUNK_SEALED_MAX + 1] = {0};
    cs_stream *stream = new_stream(aad);
    cs_buf out = {0};

    (void)state;
    assert_fails(
        CS_E_TOO_LARGE, cs_stream_seal(stream, &out, (cs_view){chunk, sizeof chunk}, true, error));
    assert_fails(
        CS_E_TOO_LARGE, cs_stream_open(stream, &out, CS_VIEW_ARRAY(too_long), true, error));
    assert_fails(CS_E_DECRYPT, cs_stream_open(stream, &out, (cs_view){NULL, 0}, true, error));
    assert_int_equal(out.n, 0);
    assert_false(cs_stream_finished(stream));
    cs_stream_free(&stream);
}

/* Chunks by number are those of a stream. */
static void test_single_chunks(void **state)
{
    three t = seal_three(5);
    cs_buf out = {0};

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        cs_buf_clear(&out);
        assert_ok(cs_chunk_seal(&out, key, cs_view_str(aad), i, i == 2,
            (cs_view){chunk, i == 2 ? 5 : CS_CHUNK_SIZE}, error));
        assert_true(cs_view_equal(cs_view_buf(&out), cs_view_buf(&t.c[i])));
        cs_buf_clear(&out);
        assert_ok(
            cs_chunk_open(&out, key, cs_view_str(aad), i, i == 2, cs_view_buf(&t.c[i]), error));
        cs_buf_clear(&out);
        assert_fails(CS_E_DECRYPT,
            cs_chunk_open(&out, key, cs_view_str(aad), i + 1, i == 2, cs_view_buf(&t.c[i]), error));
        assert_fails(CS_E_DECRYPT,
            cs_chunk_open(&out, key, cs_view_str(aad), i, i != 2, cs_view_buf(&t.c[i]), error));
        /* the counter's upper half counts as well */
        assert_fails(CS_E_DECRYPT, cs_chunk_open(&out, key, cs_view_str(aad), i | UINT64_C(1) << 63,
                                       i == 2, cs_view_buf(&t.c[i]), error));
    }
    cs_buf_free(&out);
    free_three(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_nothing_after_the_final_one),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_single_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
