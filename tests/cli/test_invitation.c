/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations as text for a QR code and back, and texts that are none. */
#include "test.h"

#include "cli/invitation.h"
#include "service/files.h"

#include <chartseal/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int set_up(void **state)
{
    int fd;

    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/chartseal-invitation.XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static int read_back(cs_buf *letter, cs_view file, cs_error *why)
{
    assert_ok(cs_file_write(path, file, 0600, error));
    cs_buf_clear(letter);
    return cs_invitation_read(letter, path, why);
}

/* RFC 9285, section 4.3. */
static void test_published(void **state)
{
    cs_buf text = {0};

    (void)state;
    assert_ok(cs_invitation_text(&text, cs_view_str("Hello!!"), error));
    assert_true(cs_view_equal(cs_view_buf(&text), cs_view_str("CHARTSEAL1:%69 VD92EX0")));
    cs_buf_clear(&text);
    assert_ok(cs_invitation_text(&text, cs_view_str("base-45"), error));
    assert_true(cs_view_equal(cs_view_buf(&text), cs_view_str("CHARTSEAL1:UJCLQE7W581")));
    cs_buf_free(&text);
}

static void test_there_and_back(void **state)
{
    uint8_t bytes[300];
    cs_buf text = {0};
    cs_buf letter = {0};

    (void)state;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        cs_random(bytes, n);
        if (n > 1)
            bytes[n - 1] = bytes[0] = 0xff;
        cs_buf_clear(&text);
        assert_ok(cs_invitation_text(&text, (cs_view){bytes, n}, error));
        if (n % 2 == 0) /* a scanner's line end */
            assert_ok(cs_buf_append(&text, cs_view_str("\r\n"), error));
        assert_ok(read_back(&letter, cs_view_buf(&text), error));
        assert_true(cs_view_equal(cs_view_buf(&letter), (cs_view){bytes, n}));
    }
    /* and a letter as it is */
    assert_ok(read_back(&letter, cs_view_str("\x84letter"), error));
    assert_true(cs_view_equal(cs_view_buf(&letter), cs_view_str("\x84letter")));
    cs_buf_free(&text);
    cs_buf_free(&letter);
}

static void test_none(void **state)
{
    static const char *const texts[] = {
        "CHARTSEAL1:A",       /* half a byte */
        "CHARTSEAL1:ABCA",    /* and behind two */
        "CHARTSEAL1:GGW",     /* 65536 */
        "CHARTSEAL1:::",      /* 2024 in a byte */
        "CHARTSEAL1:abc",     /* no such characters */
        "CHARTSEAL1:AB\nCDE", /* a line end in the middle */
    };
    static const uint8_t zero[] = {
        'C', 'H', 'A', 'R', 'T', 'S', 'E', 'A', 'L', '1', ':', 'A', 0, 'C'};
    cs_buf letter = {0};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_fails(CS_E_MALFORMED, read_back(&letter, cs_view_str(texts[i]), error));
    assert_fails(CS_E_MALFORMED, read_back(&letter, CS_VIEW_ARRAY(zero), error));
    cs_buf_free(&letter);
}

/* A code, up to what one holds. */
static void test_codes(void **state)
{
    uint8_t bytes[2900];
    cs_buf text = {0};
    cs_buf svg = {0};

    (void)state;
    cs_random(bytes, sizeof bytes);
    assert_ok(cs_invitation_text(&text, (cs_view){bytes, 2200}, error));
    assert_ok(cs_qr_svg(cs_view_buf(&text), path, error));
    assert_ok(cs_file_read(&svg, path, 1u << 20, error));
    assert_int_equal(memcmp(svg.p, "<svg ", 5), 0);
    assert_int_equal(memcmp(svg.p + svg.n - 7, "</svg>\n", 7), 0);
    cs_buf_clear(&text);
    assert_ok(cs_invitation_text(&text, CS_VIEW_ARRAY(bytes), error));
    assert_fails(CS_E_TOO_LARGE, cs_qr_svg(cs_view_buf(&text), path, error));
    cs_buf_free(&text);
    cs_buf_free(&svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_codes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
