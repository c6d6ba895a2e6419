/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <chartseal/hpke.h>
#include <string.h>

typedef struct recipient {
    uint8_t private_key[32];
    uint8_t public_key[65];
    unsigned calls;
    bool absent;
} recipient;

static int agree(void *context, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    recipient *r = context;

    r->calls++;
    if (r->absent)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT, "no card");
    return cs_p256_ecdh(x, r->private_key, (cs_view){peer, 65}, error);
}

static const cs_view none = {NULL, 0};
static const char info[] = "label";
static const char header[] = "header";

typedef struct message {
    uint8_t enc[CS_HPKE_ENC_SIZE];
    uint8_t reply[CS_HASH_SIZE];
    cs_buf ct;
} message;

static recipient new_recipient(void)
{
    recipient r = {.calls = 0};

    assert_ok(cs_p256_generate(r.private_key, r.public_key, error));
    return r;
}

static message seal_to(const recipient *r)
{
    message m = {.ct = {0}};

    assert_ok(cs_hpke_seal(m.enc, &m.ct, CS_VIEW_ARRAY(r->public_key), cs_view_str(info),
        cs_view_str(header), cs_view_str("plain"), m.reply, error));
    assert_int_equal(m.ct.n, 5 + CS_AEAD_TAG_SIZE);
    return m;
}

static int open_with(recipient *r, const message *m)
{
    uint8_t reply[CS_HASH_SIZE] = {0};
    cs_buf plain = {0};
    int rc = cs_hpke_open(&plain, CS_VIEW_ARRAY(m->enc), cs_view_buf(&m->ct),
        CS_VIEW_ARRAY(r->public_key), cs_view_str(info), cs_view_str(header), agree, r, reply,
        NULL);

    if (rc == CS_OK) {
        assert_true(cs_view_equal(cs_view_buf(&plain), cs_view_str("plain")));
        assert_memory_equal(reply, m->reply, sizeof reply);
    } else {
        assert_int_equal(plain.n, 0);
        assert_int_equal(reply[0] | reply[31], 0);
    }
    cs_buf_free(&plain);
    return rc;
}

static void test_round_trip(void **state)
{
    recipient r = new_recipient();
    recipient other = new_recipient();
    message m = seal_to(&r);
    message again = seal_to(&r);

    (void)state;
    assert_int_equal(open_with(&r, &m), CS_OK);
    assert_int_equal(r.calls, 1);
    assert_int_equal(open_with(&other, &m), CS_E_DECRYPT);
    assert_memory_not_equal(m.enc, again.enc, sizeof m.enc);
    assert_memory_not_equal(m.reply, again.reply, sizeof m.reply);
    cs_buf_free(&m.ct);
    cs_buf_free(&again.ct);
}

static void test_every_altered_bit(void **state)
{
    recipient r = new_recipient();
    message m = seal_to(&r);

    (void)state;
    for (size_t i = 0; i < 8 * m.ct.n; i++) {
        m.ct.p[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(open_with(&r, &m), CS_E_DECRYPT);
        m.ct.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    /* a point off the curve is found without the token */
    r.calls = 0;
    for (size_t i = 0; i < 8 * sizeof m.enc; i++) {
        m.enc[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(open_with(&r, &m), CS_E_POINT);
        m.enc[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(r.calls, 0);
    while (m.ct.n > CS_AEAD_TAG_SIZE) {
        m.ct.n--;
        assert_int_equal(open_with(&r, &m), CS_E_DECRYPT);
    }
    r.calls = 0;
    m.ct.n--;
    assert_int_equal(open_with(&r, &m), CS_E_DECRYPT);
    assert_int_equal(r.calls, 0);
    cs_buf_free(&m.ct);
}

static void test_context_is_bound(void **state)
{
    recipient r = new_recipient();
    message m = seal_to(&r);
    cs_buf plain = {0};
    const cs_view enc = CS_VIEW_ARRAY(m.enc);
    const cs_view puk = CS_VIEW_ARRAY(r.public_key);

    (void)state;
    assert_fails(CS_E_DECRYPT, cs_hpke_open(&plain, enc, cs_view_buf(&m.ct), puk, none,
                                   cs_view_str(header), agree, &r, NULL, error));
    assert_fails(CS_E_DECRYPT, cs_hpke_open(&plain, enc, cs_view_buf(&m.ct), puk, cs_view_str(info),
                                   none, agree, &r, NULL, error));
    /* another point of the curve for enc */
    assert_fails(CS_E_DECRYPT, cs_hpke_open(&plain, puk, cs_view_buf(&m.ct), puk, cs_view_str(info),
                                   cs_view_str(header), agree, &r, NULL, error));
    assert_fails(CS_E_POINT, cs_hpke_open(&plain, (cs_view){m.enc, 64}, cs_view_buf(&m.ct), puk,
                                 cs_view_str(info), cs_view_str(header), agree, &r, NULL, error));
    assert_int_equal(plain.n, 0);
    cs_buf_free(&plain);
    cs_buf_free(&m.ct);
}

static void test_failures(void **state)
{
    static const uint8_t long_info[CS_HPKE_INFO_MAX + 1] = {0};
    recipient r = new_recipient();
    message m = seal_to(&r);
    uint8_t zero[32] = {0};
    size_t before = m.ct.n;

    (void)state;
    r.absent = true;
    assert_int_equal(open_with(&r, &m), CS_E_TOKEN_ABSENT);
    assert_fails(CS_E_TOO_LARGE, cs_hpke_seal(m.enc, &m.ct, CS_VIEW_ARRAY(r.public_key),
                                     CS_VIEW_ARRAY(long_info), none, none, NULL, error));
    assert_fails(CS_E_POINT, cs_hpke_seal(m.enc, &m.ct, none, none, none, none, NULL, error));
    assert_fails(CS_E_SCALAR, cs_hpke_seal_with(m.enc, &m.ct, zero, CS_VIEW_ARRAY(r.public_key),
                                  none, none, none, NULL, error));
    assert_int_equal(m.ct.n, before);
    cs_buf_free(&m.ct);
}

static void test_empty_message(void **state)
{
    recipient r = new_recipient();
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf ct = {0};
    cs_buf plain = {0};

    (void)state;
    assert_ok(cs_hpke_seal(enc, &ct, CS_VIEW_ARRAY(r.public_key), none, none, none, NULL, error));
    assert_int_equal(ct.n, CS_AEAD_TAG_SIZE);
    assert_ok(cs_hpke_open(&plain, CS_VIEW_ARRAY(enc), cs_view_buf(&ct),
        CS_VIEW_ARRAY(r.public_key), none, none, agree, &r, NULL, error));
    assert_int_equal(plain.n, 0);
    cs_buf_free(&ct);
    cs_buf_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_altered_bit),
        cmocka_unit_test(test_context_is_bound),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_empty_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
