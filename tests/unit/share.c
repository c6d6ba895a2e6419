/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "token/share.h"

#include <chartseal/crypto.h>
#include <chartseal/secret.h>
#include <ctype.h>
#include <string.h>

static const uint8_t id[CS_SHARE_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t other_id[CS_SHARE_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 9};

static cs_share *make(const uint8_t *of, cs_share_kind kind, unsigned needed, unsigned count)
{
    cs_share *shares = cs_secret_new(count * sizeof *shares);

    assert_non_null(shares);
    assert_ok(cs_share_make(shares, kind, of, 16, needed, count, error));
    return shares;
}

static void test_any_that_suffice(void **state)
{
    cs_share *shares = make(id, CS_SHARE_USER_PIN, 3, 5);
    cs_share choice[5];
    cs_pin first = {0}, pin = {0};

    (void)state;
    assert_ok(cs_share_combine(&first, shares, 5, error));
    assert_int_equal(first.n, 32);
    for (unsigned bits = 0; bits < 32; bits++) {
        size_t n = 0;

        for (unsigned i = 5; i > 0; i--) {
            if ((bits >> (i - 1) & 1u) != 0)
                choice[n++] = shares[i - 1];
        }
        if (n < 3) {
            assert_fails(CS_E_PIN_MISSING, cs_share_combine(&pin, choice, n, error));
            assert_null(pin.text);
            continue;
        }
        assert_ok(cs_share_combine(&pin, choice, n, error));
        assert_int_equal(pin.n, first.n);
        assert_memory_equal(pin.text, first.text, pin.n);
        cs_pin_free(&pin);
    }
    cs_pin_free(&first);
    cs_secret_free(&shares);
}

static void test_what_does_not_fit(void **state)
{
    cs_share *ours = make(id, CS_SHARE_USER_PIN, 2, 3);
    cs_share *again = make(id, CS_SHARE_USER_PIN, 2, 3); /* as if the id had been drawn twice */
    cs_share *other = make(other_id, CS_SHARE_USER_PIN, 2, 3);
    cs_share *so = make(id, CS_SHARE_SO_PIN, 2, 3);
    cs_share pair[3];
    cs_pin pin = {0};

    (void)state;
    pair[0] = ours[0];
    pair[1] = other[1];
    assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, pair, 2, error));
    pair[1] = so[1];
    assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, pair, 2, error));
    pair[1] = again[1];
    assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, pair, 2, error));
    pair[1] = ours[0];
    assert_fails(CS_E_USAGE, cs_share_combine(&pin, pair, 2, error));
    /* one who alters the share, and its checksum too: found out by what is inside */
    for (size_t i = 0; i < ours[1].size; i++) {
        pair[1] = ours[1];
        pair[1].data[i] ^= 0x40;
        assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, pair, 2, error));
        /* beside enough good ones as well */
        pair[2] = pair[1];
        pair[1] = ours[2];
        assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, pair, 3, error));
    }
    pair[1] = ours[1];
    pair[1].number = 3;
    assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, pair, 2, error));
    cs_secret_free(&ours);
    cs_secret_free(&again);
    cs_secret_free(&other);
    cs_secret_free(&so);
}

/* The text comes back as the share; with any one character altered it does not. */
static void test_text(void **state)
{
    cs_share *shares = make(id, CS_SHARE_SO_PIN, 2, 2);
    cs_buf text = {.guarded = true};
    cs_share back;
    uint8_t hash[CS_HASH_SIZE], hash_back[CS_HASH_SIZE];

    (void)state;
    assert_ok(cs_buf_append(&text, cs_view_str("# of operator 2\n"), error));
    assert_ok(cs_share_print(&text, &shares[1], error));
    assert_ok(cs_share_parse(&back, cs_view_buf(&text), error));
    assert_int_equal(back.number, 2);
    assert_int_equal(back.kind, CS_SHARE_SO_PIN);
    assert_ok(cs_share_hash(hash, &shares[1], error));
    assert_ok(cs_share_hash(hash_back, &back, error));
    assert_memory_equal(hash, hash_back, sizeof hash);
    for (size_t i = 16; i < text.n; i++) {
        uint8_t kept = text.p[i];

        if (isspace(kept))
            continue;
        text.p[i] = kept == '0' ? '1' : '0';
        assert_fails(CS_E_MALFORMED, cs_share_parse(&back, cs_view_buf(&text), error));
        text.p[i] = (uint8_t)toupper(kept);
        assert_ok(cs_share_parse(&back, cs_view_buf(&text), error));
        text.p[i] = kept;
    }
    for (size_t n = 0; n + 1 < text.n; n++) /* all but the line feed is needed */
        assert_fails(CS_E_MALFORMED, cs_share_parse(&back, (cs_view){text.p, n}, error));
    assert_ok(cs_buf_append(&text, cs_view_str("00"), error));
    assert_fails(CS_E_MALFORMED, cs_share_parse(&back, cs_view_buf(&text), error));
    cs_buf_free(&text);
    cs_secret_free(&shares);
}

/* A wrapping key is shared like a PIN, and its shares are no PIN's. */
static void test_kinds(void **state)
{
    cs_share *shares = cs_secret_new(2 * sizeof *shares);
    cs_share mixed[2], back;
    cs_pin pin = {0};

    (void)state;
    assert_ok(cs_share_make(shares, CS_SHARE_WRAPPING_KEY, id, 32, 2, 2, error));
    assert_ok(cs_share_combine(&pin, shares, 2, error));
    assert_int_equal(pin.n, 64);
    cs_pin_free(&pin);
    mixed[0] = shares[0];
    mixed[1] = shares[1];
    mixed[1].kind = CS_SHARE_USER_PIN;
    assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, mixed, 2, error));
    mixed[0].kind = CS_SHARE_USER_PIN; /* both: what is inside tells */
    assert_fails(CS_E_PIN_WRONG, cs_share_combine(&pin, mixed, 2, error));
    for (unsigned kind = 0; kind <= CS_SHARE_KIND_LAST + 1; kind++) {
        cs_buf text = {.guarded = true};

        mixed[0].kind = (cs_share_kind)kind;
        assert_ok(cs_share_print(&text, &mixed[0], error));
        assert_int_equal(cs_share_parse(&back, cs_view_buf(&text), NULL),
            kind >= CS_SHARE_USER_PIN && kind <= CS_SHARE_KIND_LAST ? CS_OK : CS_E_MALFORMED);
        cs_buf_free(&text);
    }
    assert_string_equal(cs_share_kind_name(CS_SHARE_WRAPPING_KEY), "wrapping-key");
    cs_secret_free(&shares);
}

static void test_limits(void **state)
{
    cs_share *out = cs_secret_new((CS_SHARES_MAX + 1) * sizeof *out);

    (void)state;
    assert_fails(CS_E_USAGE, cs_share_make(out, CS_SHARE_USER_PIN, id, 16, 1, 3, error));
    assert_fails(CS_E_USAGE, cs_share_make(out, CS_SHARE_USER_PIN, id, 16, 4, 3, error));
    assert_fails(CS_E_USAGE, cs_share_make(out, CS_SHARE_USER_PIN, id, 3, 2, 3, error));
    assert_fails(CS_E_USAGE, cs_share_make(out, CS_SHARE_USER_PIN, id, 33, 2, 3, error));
    assert_fails(
        CS_E_USAGE, cs_share_make(out, CS_SHARE_USER_PIN, id, 16, 2, CS_SHARES_MAX + 1, error));
    assert_ok(cs_share_make(out, CS_SHARE_USER_PIN, id, 32, CS_SHARES_MAX, CS_SHARES_MAX, error));
    cs_secret_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_that_suffice),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
