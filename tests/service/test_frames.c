/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "service/frames.h"

#include <string.h>

typedef struct received {
    cs_buf text; /* every frame, with '|' between and '!' after the final one */
    uint64_t frames;
} received;

static int collect(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    received *all = context;

    assert_int_equal(index, all->frames);
    all->frames++;
    if (cs_buf_append(&all->text, content, error) != CS_OK)
        return CS_E_MEMORY;
    return cs_buf_append(&all->text, cs_view_str(final ? "!" : "|"), error);
}

static int refuse(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    (void)context;
    (void)index;
    (void)content;
    (void) final;
    return CS_FAIL(error, CS_E_DECRYPT, "no");
}

static void put_three(cs_buf *out)
{
    assert_ok(cs_frame_put(out, cs_view_str("head"), false, error));
    assert_ok(cs_frame_put(out, cs_view_str("first"), false, error));
    assert_ok(cs_frame_put(out, (cs_view){0}, true, error));
}

static void test_any_cut(void **state)
{
    cs_buf bytes = {0};
    size_t step;

    (void)state;
    put_three(&bytes);
    for (step = 1; step <= bytes.n; step++) {
        cs_frames frames = {0};
        received all = {0};
        size_t at;

        for (at = 0; at < bytes.n; at += step) {
            size_t n = bytes.n - at < step ? bytes.n - at : step;

            assert_ok(cs_frames_feed(&frames, (cs_view){bytes.p + at, n}, collect, &all, error));
        }
        assert_ok(cs_frames_end(&frames, error));
        assert_int_equal(all.text.n, strlen("head|first|!"));
        assert_memory_equal(all.text.p, "head|first|!", all.text.n);
        cs_buf_free(&all.text);
        cs_frames_free(&frames);
    }
    cs_buf_free(&bytes);
}

static void test_truncated_at_every_byte(void **state)
{
    cs_buf bytes = {0};
    size_t n;

    (void)state;
    put_three(&bytes);
    for (n = 0; n < bytes.n; n++) {
        cs_frames frames = {0};
        received all = {0};

        assert_ok(cs_frames_feed(&frames, (cs_view){bytes.p, n}, collect, &all, error));
        assert_fails(CS_E_TRUNCATED, cs_frames_end(&frames, error));
        cs_buf_free(&all.text);
        cs_frames_free(&frames);
    }
    cs_buf_free(&bytes);
}

static int feed_once(cs_view bytes, cs_error *error)
{
    cs_frames frames = {0};
    received all = {0};
    int rc = cs_frames_feed(&frames, bytes, collect, &all, error);

    cs_buf_free(&all.text);
    cs_frames_free(&frames);
    return rc;
}

static void test_limits(void **state)
{
    static const uint8_t final_head[] = {0x80, 0, 0, 1, 'x'};
    static const uint8_t large_head[] = {0, 0, 0x04, 0x01};
    static const uint8_t largest_head[] = {0, 0, 0x04, 0x00};
    static const uint8_t large_chunk[] = {0, 0, 0, 0, 0, 1, 0, 17};
    static const uint8_t largest_chunk[] = {0, 0, 0, 0, 0, 1, 0, 16};
    static const uint8_t huge_chunk[] = {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t after_end[] = {0, 0, 0, 0, 0x80, 0, 0, 0, 0};
    static uint8_t over[CS_CHUNK_SEALED_MAX + 1];
    cs_buf out = {0};

    (void)state;
    assert_fails(CS_E_MALFORMED, feed_once(CS_VIEW_ARRAY(final_head), error));
    assert_fails(CS_E_TOO_LARGE, feed_once(CS_VIEW_ARRAY(large_head), error));
    assert_ok(feed_once(CS_VIEW_ARRAY(largest_head), error));
    assert_fails(CS_E_TOO_LARGE, feed_once(CS_VIEW_ARRAY(large_chunk), error));
    assert_ok(feed_once(CS_VIEW_ARRAY(largest_chunk), error));
    assert_fails(CS_E_TOO_LARGE, feed_once(CS_VIEW_ARRAY(huge_chunk), error));
    assert_fails(CS_E_MALFORMED, feed_once(CS_VIEW_ARRAY(after_end), error));
    assert_fails(CS_E_TOO_LARGE, cs_frame_put(&out, CS_VIEW_ARRAY(over), true, error));
    assert_int_equal(out.n, 0);
}

static void test_a_refusing_reader_ends_it(void **state)
{
    cs_frames frames = {0};
    cs_buf bytes = {0};

    (void)state;
    put_three(&bytes);
    assert_fails(CS_E_DECRYPT, cs_frames_feed(&frames, cs_view_buf(&bytes), refuse, NULL, error));
    cs_frames_free(&frames);
    cs_buf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_refusing_reader_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
