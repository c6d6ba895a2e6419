/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <chartseal/certificate.h>
#include <chartseal/group.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000)
#define DAY (INT64_C(86400) * SECOND)
#define NOW (INT64_C(1800000000) * SECOND)

typedef struct pair {
    uint8_t private_key[32];
    uint8_t public_key[65];
} pair;

typedef struct world {
    pair ca_key;
    pair other_ca_key;
    pair doctor_key;
    cs_buf ca; /* DER */
    cs_buf other_ca;
    cs_buf doctor;
} world;

static const cs_subject ca_subject = {
    .common_name = "Test Medical Authority", .organisation = "Ministry of Tests"};
static const cs_subject doctor_subject = {.common_name = "Dr Łucja Ångström",
    .organisation = "Test Hospital",
    .role = "doctor",
    .id = "D-4711"};
static const uint8_t serial[8] = {0x80, 0, 0, 0, 0, 0, 0, 7};
static const uint8_t other_serial[8] = {0, 0, 0, 0, 0, 0, 0, 8};

static int sign(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    const pair *key = context;

    return cs_p256_sign(signature, key->private_key, digest, error);
}

static int refuse_to_sign(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    (void)context;
    (void)digest;
    (void)signature;
    return CS_FAIL(error, CS_E_PIN_WRONG, "no");
}

static pair new_pair(void)
{
    pair key = {.private_key = {0}};

    assert_ok(cs_p256_generate(key.private_key, key.public_key, error));
    return key;
}

static cs_buf new_ca(pair *key)
{
    cs_buf der = {0};

    assert_ok(cs_ca_make(&der, &ca_subject, CS_VIEW_ARRAY(key->public_key), NOW - 100 * DAY,
        NOW + 100 * DAY, sign, key, error));
    return der;
}

static int setup(void **state)
{
    world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->ca_key = new_pair();
    w->other_ca_key = new_pair();
    w->doctor_key = new_pair();
    w->ca = new_ca(&w->ca_key);
    w->other_ca = new_ca(&w->other_ca_key);
    assert_ok(cs_certificate_issue(&w->doctor, cs_view_buf(&w->ca), &doctor_subject,
        CS_VIEW_ARRAY(w->doctor_key.public_key), serial, NOW - DAY, NOW + DAY, sign, &w->ca_key,
        error));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;

    cs_buf_free(&w->ca);
    cs_buf_free(&w->other_ca);
    cs_buf_free(&w->doctor);
    free(w);
    return 0;
}

/* A trust in one CA, and a CRL (DER) unless that is empty. */
static cs_trust *new_trust(cs_view ca, cs_view crl)
{
    cs_buf ca_pem = {0};
    cs_buf crl_pem = {0};
    cs_trust *trust = NULL;

    assert_ok(cs_pem_encode(&ca_pem, "CERTIFICATE", ca, error));
    if (crl.n > 0)
        assert_ok(cs_pem_encode(&crl_pem, "X509 CRL", crl, error));
    assert_ok(cs_trust_new(&trust, cs_view_buf(&ca_pem), cs_view_buf(&crl_pem), error));
    cs_buf_free(&ca_pem);
    cs_buf_free(&crl_pem);
    return trust;
}

static int check(const cs_trust *trust, cs_view der, int64_t now)
{
    cs_holder holder;

    return cs_certificate_check(trust, der, NULL, now, &holder, NULL);
}

static void test_issue_and_check(void **state)
{
    const world *w = *state;
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});
    uint8_t wanted[CS_PUK_SIZE];
    uint8_t read[8];
    cs_holder holder;

    assert_ok(cs_certificate_check(trust, cs_view_buf(&w->doctor), NULL, NOW, &holder, error));
    assert_string_equal(holder.name, doctor_subject.common_name);
    assert_string_equal(holder.role, "doctor");
    assert_string_equal(holder.id, doctor_subject.id);
    assert_ok(cs_p256_compress(wanted, CS_VIEW_ARRAY(w->doctor_key.public_key), error));
    assert_memory_equal(holder.puk, wanted, sizeof wanted);
    assert_ok(cs_certificate_serial(cs_view_buf(&w->doctor), read, error));
    assert_memory_equal(read, serial, sizeof read);
    cs_trust_free(&trust);
    assert_null(trust);
    cs_trust_free(&trust);
    cs_trust_free(NULL);
}

static void test_dates(void **state)
{
    const world *w = *state;
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});

    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW - DAY), CS_OK);
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW - DAY - SECOND), CS_E_EXPIRED);
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW + DAY - SECOND), CS_OK);
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW + DAY + SECOND), CS_E_EXPIRED);
    cs_trust_free(&trust);
}

static void test_other_authority(void **state)
{
    const world *w = *state;
    /* of the same name, with another key */
    cs_trust *trust = new_trust(cs_view_buf(&w->other_ca), (cs_view){NULL, 0});

    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW), CS_E_CERTIFICATE);
    cs_trust_free(&trust);
}

static void test_authority_is_no_person(void **state)
{
    const world *w = *state;
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});

    assert_int_equal(check(trust, cs_view_buf(&w->ca), NOW), CS_E_CERTIFICATE);
    cs_trust_free(&trust);
}

/* Every bit of every byte; and one byte too many or too few. */
static void test_every_altered_byte(void **state)
{
    const world *w = *state;
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});
    cs_buf copy = {0};

    assert_ok(cs_buf_append(&copy, cs_view_buf(&w->doctor), error));
    for (size_t i = 0; i < copy.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            copy.p[i] ^= (uint8_t)(1u << bit);
            if (check(trust, cs_view_buf(&copy), NOW) == CS_OK)
                fail_msg("accepted with bit %u of byte %zu flipped", bit, i);
            copy.p[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t n = 0; n < copy.n; n++)
        assert_int_equal(check(trust, (cs_view){copy.p, n}, NOW), CS_E_CERTIFICATE);
    assert_int_equal(check(trust, cs_view_buf(&copy), NOW), CS_OK);
    assert_ok(cs_buf_append(&copy, cs_view_str("x"), error));
    assert_int_equal(check(trust, cs_view_buf(&copy), NOW), CS_E_CERTIFICATE);
    cs_buf_free(&copy);
    cs_trust_free(&trust);
}

static cs_buf new_crl(const world *w, const uint8_t revoked[8], int64_t this_update)
{
    cs_revocation item = {.time_ms = NOW - DAY};
    pair key = w->ca_key;
    cs_buf der = {0};

    memcpy(item.serial, revoked, sizeof item.serial);
    assert_ok(cs_crl_issue(
        &der, cs_view_buf(&w->ca), &item, 1, 1, this_update, this_update + DAY, sign, &key, error));
    return der;
}

static void test_revocation(void **state)
{
    /* id-ce-cRLReasons, ENUMERATED 6 */
    static const uint8_t reason_hold[] = {0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, 0x06};
    const world *w = *state;
    pair key = w->ca_key;
    cs_revocation item = {.time_ms = NOW - DAY};
    cs_buf crl = new_crl(w, serial, NOW - SECOND);
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), cs_view_buf(&crl));

    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW), CS_E_REVOKED);
    cs_trust_free(&trust);
    cs_buf_free(&crl);

    /* on hold it is refused, too, and the list says why */
    item.hold = true;
    memcpy(item.serial, serial, sizeof item.serial);
    assert_ok(cs_crl_issue(
        &crl, cs_view_buf(&w->ca), &item, 1, 1, NOW - SECOND, NOW + DAY, sign, &key, error));
    trust = new_trust(cs_view_buf(&w->ca), cs_view_buf(&crl));
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW), CS_E_REVOKED);
    assert_non_null(memmem(crl.p, crl.n, reason_hold, sizeof reason_hold));
    cs_trust_free(&trust);
    cs_buf_free(&crl);

    crl = new_crl(w, other_serial, NOW - SECOND);
    trust = new_trust(cs_view_buf(&w->ca), cs_view_buf(&crl));
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW), CS_OK);
    cs_trust_free(&trust);

    /* one altered byte in the list's signature: it is worth nothing, and neither is its silence */
    crl.p[crl.n - 1] ^= 1;
    trust = new_trust(cs_view_buf(&w->ca), cs_view_buf(&crl));
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW), CS_E_CERTIFICATE);
    cs_trust_free(&trust);
    cs_buf_free(&crl);

    crl = new_crl(w, other_serial, NOW - 2 * DAY);
    trust = new_trust(cs_view_buf(&w->ca), cs_view_buf(&crl));
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW), CS_E_LISTS);
    cs_trust_free(&trust);
    cs_buf_free(&crl);
}

/* A list of an authority that issued neither this certificate nor its CA says nothing of it. */
static void test_list_of_another(void **state)
{
    static const cs_subject other = {.common_name = "Another Authority"};
    world *w = *state;
    cs_buf ca = {0};
    cs_buf crl = {0};
    cs_trust *trust;

    assert_ok(cs_ca_make(&ca, &other, CS_VIEW_ARRAY(w->other_ca_key.public_key), NOW - DAY,
        NOW + DAY, sign, &w->other_ca_key, error));
    assert_ok(cs_crl_issue(
        &crl, cs_view_buf(&ca), NULL, 0, 1, NOW - DAY, NOW + DAY, sign, &w->other_ca_key, error));
    trust = new_trust(cs_view_buf(&w->ca), cs_view_buf(&crl));
    assert_int_equal(check(trust, cs_view_buf(&w->doctor), NOW), CS_OK);
    cs_trust_free(&trust);
    cs_buf_free(&ca);
    cs_buf_free(&crl);
}

/* A list in PEM, appended. */
static void add_list(
    cs_buf *pem, const cs_buf *ca, pair key, uint64_t number, int64_t from, int64_t until)
{
    cs_buf der = {0};

    assert_ok(cs_crl_issue(&der, cs_view_buf(ca), NULL, 0, number, from, until, sign, &key, error));
    assert_ok(cs_pem_encode(pem, "X509 CRL", cs_view_buf(&der), error));
    cs_buf_free(&der);
}

typedef struct update {
    cs_buf authorities, old, new, out;
} update;

static int run_update(update *u, cs_error *error)
{
    cs_buf_clear(&u->out);
    return cs_crl_update(&u->out, cs_view_buf(&u->authorities), cs_view_buf(&u->old),
        cs_view_buf(&u->new), NOW, error);
}

/* A newer list takes the place of the one before; an older, a false or a stale one does not. */
static void test_newer_list(void **state)
{
    static const cs_subject other = {.common_name = "Another Authority"};
    world *w = *state;
    update u = {0};
    cs_buf other_ca = {0};
    cs_crl_dates dates;
    size_t count;

    assert_ok(cs_ca_make(&other_ca, &other, CS_VIEW_ARRAY(w->other_ca_key.public_key), NOW - DAY,
        NOW + DAY, sign, &w->other_ca_key, error));
    assert_ok(cs_pem_encode(&u.authorities, "CERTIFICATE", cs_view_buf(&w->ca), error));
    add_list(&u.old, &w->ca, w->ca_key, 2, NOW - DAY, NOW + DAY);
    add_list(&u.new, &w->ca, w->ca_key, 3, NOW - SECOND, NOW + 2 * DAY);
    assert_ok(run_update(&u, error));
    assert_ok(cs_crl_look(cs_view_buf(&u.out), &count, &dates, error));
    assert_int_equal(count, 1);
    assert_true(dates.this_update == NOW - SECOND && dates.next_update == NOW + 2 * DAY);
    assert_true(cs_view_equal(cs_view_buf(&u.out), cs_view_buf(&u.new)));

    /* the number says which is newer, not the date; the same list again is fine */
    cs_buf_clear(&u.new);
    add_list(&u.new, &w->ca, w->ca_key, 1, NOW - SECOND, NOW + 2 * DAY);
    assert_fails(CS_E_LISTS, run_update(&u, error));
    assert_ok(cs_buf_set(&u.new, cs_view_buf(&u.old), error));
    assert_ok(run_update(&u, error));

    cs_buf_clear(&u.new);
    add_list(&u.new, &w->ca, w->ca_key, 3, NOW - 2 * DAY, NOW - SECOND);
    assert_fails(CS_E_LISTS, run_update(&u, error));
    cs_buf_clear(&u.new);
    add_list(&u.new, &w->ca, w->ca_key, 3, NOW + DAY, NOW + 2 * DAY);
    assert_fails(CS_E_LISTS, run_update(&u, error));

    /* of an authority that is not trusted; once it is, its list goes beside ours */
    cs_buf_clear(&u.new);
    add_list(&u.new, &other_ca, w->other_ca_key, 9, NOW - SECOND, NOW + DAY);
    assert_fails(CS_E_CERTIFICATE, run_update(&u, error));
    assert_ok(cs_pem_encode(&u.authorities, "CERTIFICATE", cs_view_buf(&other_ca), error));
    assert_ok(run_update(&u, error));
    assert_ok(cs_crl_look(cs_view_buf(&u.out), &count, &dates, error));
    assert_int_equal(count, 2);
    cs_buf_free(&other_ca);
    cs_buf_free(&u.authorities);
    cs_buf_free(&u.old);
    cs_buf_free(&u.new);
    cs_buf_free(&u.out);
}

/* Our authority's name under another key; what is no list; none. */
static void test_false_list(void **state)
{
    world *w = *state;
    update u = {0};
    cs_buf forged_ca = {0};
    cs_crl_dates dates;
    size_t count;

    assert_ok(cs_ca_make(&forged_ca, &ca_subject, CS_VIEW_ARRAY(w->other_ca_key.public_key),
        NOW - DAY, NOW + DAY, sign, &w->other_ca_key, error));
    assert_ok(cs_pem_encode(&u.authorities, "CERTIFICATE", cs_view_buf(&w->ca), error));
    add_list(&u.new, &forged_ca, w->other_ca_key, 9, NOW - SECOND, NOW + DAY);
    assert_fails(CS_E_CERTIFICATE, run_update(&u, error));
    assert_ok(cs_buf_set(&u.new, cs_view_buf(&u.authorities), error));
    assert_fails(CS_E_MALFORMED, run_update(&u, error));
    assert_ok(cs_buf_set(
        &u.new, cs_view_str("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), error));
    assert_fails(CS_E_MALFORMED, run_update(&u, error));
    assert_fails(CS_E_MALFORMED, cs_crl_look(cs_view_buf(&u.new), &count, &dates, error));
    assert_ok(cs_crl_look((cs_view){0}, &count, &dates, error));
    assert_int_equal(count, 0);
    cs_buf_free(&forged_ca);
    cs_buf_free(&u.authorities);
    cs_buf_free(&u.new);
    cs_buf_free(&u.out);
}

static void test_request(void **state)
{
    world *w = *state;
    uint8_t wanted[CS_PUK_SIZE];
    cs_holder holder;
    cs_buf der = {0};
    cs_buf certificate = {0};
    cs_trust *trust;

    assert_ok(cs_p256_compress(wanted, CS_VIEW_ARRAY(w->doctor_key.public_key), error));
    assert_ok(
        cs_request_make(&der, &doctor_subject, CS_VIEW_ARRAY(wanted), sign, &w->doctor_key, error));
    assert_ok(cs_request_check(cs_view_buf(&der), &holder, error));
    assert_string_equal(holder.name, doctor_subject.common_name);
    assert_string_equal(holder.role, "doctor");
    assert_string_equal(holder.id, doctor_subject.id);
    assert_memory_equal(holder.puk, wanted, sizeof wanted);

    /* what the authority makes of it */
    assert_ok(cs_certificate_issue(&certificate, cs_view_buf(&w->ca),
        &(cs_subject){.common_name = holder.name}, CS_VIEW_ARRAY(holder.puk), other_serial,
        NOW - DAY, NOW + DAY, sign, &w->ca_key, error));
    trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});
    assert_int_equal(check(trust, cs_view_buf(&certificate), NOW), CS_OK);
    cs_trust_free(&trust);

    for (size_t i = 0; i < der.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            der.p[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(cs_request_check(cs_view_buf(&der), &holder, NULL), CS_OK);
            der.p[i] ^= (uint8_t)(1u << bit);
        }
    }
    der.p[der.n - 1] ^= 1;
    assert_fails(CS_E_SIGNATURE, cs_request_check(cs_view_buf(&der), &holder, error));
    assert_fails(CS_E_MALFORMED, cs_request_check((cs_view){der.p, der.n - 1}, &holder, error));
    cs_buf_free(&der);
    cs_buf_free(&certificate);
}

/* A request with these two units, NULL for none. */
static void role_of(cs_holder *holder, EVP_PKEY *key, const char *const units[2])
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(request);
    uint8_t *der = NULL;
    int n;

    for (int i = 0; i < 2 && units[i] != NULL; i++)
        assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_organizationalUnitName, MBSTRING_UTF8,
                             (const uint8_t *)units[i], -1, -1, 0),
            1);
    assert_int_equal(X509_NAME_add_entry_by_NID(
                         name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)"x", -1, -1, 0),
        1);
    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    assert_true(X509_REQ_sign(request, key, EVP_sha256()) > 0);
    n = i2d_X509_REQ(request, &der);
    assert_ok(cs_request_check((cs_view){der, (size_t)n}, holder, error));
    OPENSSL_free(der);
    X509_REQ_free(request);
}

/* The role is that of an organizational unit, and none where two say two. */
static void test_role(void **state)
{
    static const char *const cases[][3] = {{"hospital", NULL, "hospital"}, {"nurse", NULL, ""},
        {NULL, NULL, ""}, {"nurse", "doctor", "doctor"}, {"doctor", "hospital", ""},
        {"Doctor", NULL, ""}, {"cloud", NULL, "cloud"}, {"hospital", "cloud", ""}};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    cs_holder holder;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        role_of(&holder, key, cases[i]);
        assert_string_equal(holder.role, cases[i][2]);
        assert_string_equal(holder.id, "");
    }
    EVP_PKEY_free(key);
}

/* A signer that refuses, and one that is not the CA: nothing comes out. */
static void test_wrong_signer(void **state)
{
    world *w = *state;
    cs_buf der = {0};

    assert_fails(CS_E_PIN_WRONG, cs_ca_make(&der, &ca_subject, CS_VIEW_ARRAY(w->ca_key.public_key),
                                     NOW, NOW + DAY, refuse_to_sign, NULL, error));
    assert_fails(CS_E_SIGNATURE, cs_certificate_issue(&der, cs_view_buf(&w->ca), &doctor_subject,
                                     CS_VIEW_ARRAY(w->doctor_key.public_key), serial, NOW,
                                     NOW + DAY, sign, &w->doctor_key, error));
    assert_fails(CS_E_CERTIFICATE, cs_certificate_issue(&der, cs_view_buf(&w->doctor),
                                       &doctor_subject, CS_VIEW_ARRAY(w->doctor_key.public_key),
                                       serial, NOW, NOW + DAY, sign, &w->doctor_key, error));
    assert_fails(CS_E_CERTIFICATE, cs_crl_issue(&der, cs_view_buf(&w->doctor), NULL, 0, 1, NOW,
                                       NOW + DAY, sign, &w->doctor_key, error));
    assert_int_equal(der.n, 0);
}

static void test_bad_input(void **state)
{
    static const uint8_t zero[8] = {0};
    static const char *const names[] = {"", "two\nlines", "bell\a",
        "right\xe2\x80\xaeleft\xe2\x80\xac", "broken \xff utf-8", "line\xe2\x80\xa8separator",
        "0123456789012345678901234567890123456789012345678901234567890123x"};
    world *w = *state;
    const cs_view puk = CS_VIEW_ARRAY(w->doctor_key.public_key);
    cs_buf der = {0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_fails(CS_E_USAGE, cs_request_make(&der, &(cs_subject){.common_name = names[i]}, puk,
                                     sign, &w->doctor_key, error));
    assert_fails(CS_E_USAGE, cs_request_make(&der, &(cs_subject){.common_name = "x", .id = "D_1"},
                                 puk, sign, &w->doctor_key, error));
    assert_fails(
        CS_E_USAGE, cs_ca_make(&der, &ca_subject, puk, NOW, NOW, sign, &w->doctor_key, error));
    assert_fails(
        CS_E_USAGE, cs_ca_make(&der, &ca_subject, puk, -DAY, NOW, sign, &w->doctor_key, error));
    assert_fails(CS_E_USAGE, cs_certificate_issue(&der, cs_view_buf(&w->ca), &doctor_subject, puk,
                                 zero, NOW, NOW + DAY, sign, &w->ca_key, error));
    assert_fails(CS_E_POINT, cs_ca_make(&der, &ca_subject, (cs_view){puk.p, 64}, NOW, NOW + DAY,
                                 sign, &w->doctor_key, error));
    assert_int_equal(der.n, 0);
}

/* A key that agrees: its certificate has that usage alone, and is no Cert_D. */
static void test_agreement(void **state)
{
    world *w = *state;
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});
    const cs_view puk = CS_VIEW_ARRAY(w->doctor_key.public_key);
    uint8_t wanted[CS_PUK_SIZE], read[CS_PUK_SIZE];
    cs_buf der = {0}, key = {0};
    const uint8_t *p;
    X509 *certificate;

    assert_ok(cs_certificate_issue_agreement(&der, cs_view_buf(&w->ca), &doctor_subject, puk,
        serial, NOW - DAY, NOW + DAY, sign, &w->ca_key, error));
    p = der.p;
    certificate = d2i_X509(NULL, &p, (long)der.n);
    assert_non_null(certificate);
    assert_int_equal(X509_get_key_usage(certificate), KU_KEY_AGREEMENT);
    assert_int_equal(check(trust, cs_view_buf(&der), NOW), CS_E_CERTIFICATE);
    X509_free(certificate);

    assert_ok(cs_p256_compress(wanted, puk, error));
    assert_ok(cs_public_key_encode(&key, CS_VIEW_ARRAY(wanted), error));
    assert_ok(cs_public_key_decode(read, cs_view_buf(&key), error));
    assert_memory_equal(read, wanted, CS_PUK_SIZE);
    for (size_t n = 0; n < key.n; n++)
        assert_fails(CS_E_POINT, cs_public_key_decode(read, (cs_view){key.p, n}, error));
    key.p[key.n - 1] ^= 1; /* beside the curve */
    assert_fails(CS_E_POINT, cs_public_key_decode(read, cs_view_buf(&key), error));
    assert_ok(cs_buf_append(&key, CS_VIEW_ARRAY(serial), error));
    assert_fails(CS_E_POINT, cs_public_key_decode(read, cs_view_buf(&key), error));
    cs_buf_free(&key);
    cs_buf_free(&der);
    cs_trust_free(&trust);
}

/* One that vouches for nothing, and is taken for nothing: not by those who trust an authority, and
 * not as an authority. */
static void test_container(void **state)
{
    world *w = *state;
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});
    const cs_view puk = CS_VIEW_ARRAY(w->doctor_key.public_key);
    cs_buf der = {0}, pem = {0};
    const uint8_t *p;
    X509 *certificate;

    assert_ok(cs_certificate_container(&der, &doctor_subject, puk, NOW - DAY, NOW + DAY, error));
    p = der.p;
    certificate = d2i_X509(NULL, &p, (long)der.n);
    assert_non_null(certificate);
    assert_int_equal(X509_get_key_usage(certificate), KU_KEY_AGREEMENT);
    assert_int_equal(X509_verify(certificate, X509_get0_pubkey(certificate)), 0);
    assert_int_equal(check(trust, cs_view_buf(&der), NOW), CS_E_CERTIFICATE);
    X509_free(certificate);
    cs_trust_free(&trust);
    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_buf(&der), error));
    assert_fails(
        CS_E_CERTIFICATE, cs_trust_new(&trust, cs_view_buf(&pem), (cs_view){NULL, 0}, error));
    assert_fails(CS_E_USAGE,
        cs_certificate_container(&der, &doctor_subject, puk, NOW + DAY, NOW - DAY, error));
    cs_buf_free(&pem);
    cs_buf_free(&der);
}

/* Keys on another curve are refused, though their chain is good. */
static void test_other_curve(void **state)
{
    world *w = *state;
    const uint8_t *p = w->doctor.p;
    X509 *certificate = d2i_X509(NULL, &p, (long)w->doctor.n);
    EVP_PKEY *ca_key = EVP_EC_gen("P-384");
    EVP_PKEY *key = EVP_EC_gen("P-384");
    p = w->ca.p;
    X509 *ca = d2i_X509(NULL, &p, (long)w->ca.n);
    uint8_t *ca_der = NULL;
    uint8_t *der = NULL;
    int ca_n;
    int n;
    cs_trust *trust;

    /* an authority with a P-384 key is fine, a doctor with one is not */
    assert_int_equal(X509_set_pubkey(ca, ca_key), 1);
    assert_true(X509_sign(ca, ca_key, EVP_sha384()) > 0);
    ca_n = i2d_X509(ca, &ca_der);
    trust = new_trust((cs_view){ca_der, (size_t)ca_n}, (cs_view){NULL, 0});
    X509_EXTENSION_free(X509_delete_ext(
        certificate, X509_get_ext_by_NID(certificate, NID_authority_key_identifier, -1)));
    assert_true(X509_sign(certificate, ca_key, EVP_sha384()) > 0);
    n = i2d_X509(certificate, &der);
    assert_int_equal(check(trust, (cs_view){der, (size_t)n}, NOW), CS_OK);
    OPENSSL_free(der);
    der = NULL;
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, ca_key, EVP_sha384()) > 0);
    n = i2d_X509(certificate, &der);
    assert_int_equal(check(trust, (cs_view){der, (size_t)n}, NOW), CS_E_CERTIFICATE);
    OPENSSL_free(der);
    OPENSSL_free(ca_der);
    X509_free(ca);
    X509_free(certificate);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    cs_trust_free(&trust);
}

/* What a certificate does not say it may do, it may not. (It is refused for that before its chain
 * is looked at, so any signature will do here.) */
static void test_key_usage(void **state)
{
    const world *w = *state;
    cs_trust *trust = new_trust(cs_view_buf(&w->ca), (cs_view){NULL, 0});
    EVP_PKEY *key = EVP_EC_gen("P-256");
    const uint8_t *p = w->doctor.p;
    X509 *certificate = d2i_X509(NULL, &p, (long)w->doctor.n);
    cs_holder holder;
    cs_error refusal = {0};
    uint8_t *der = NULL;
    int n;

    X509_EXTENSION_free(
        X509_delete_ext(certificate, X509_get_ext_by_NID(certificate, NID_key_usage, -1)));
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    n = i2d_X509(certificate, &der);
    assert_int_equal(
        cs_certificate_check(trust, (cs_view){der, (size_t)n}, NULL, NOW, &holder, &refusal),
        CS_E_CERTIFICATE);
    assert_non_null(strstr(refusal.message, "key usage"));
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    cs_trust_free(&trust);
}

static void test_trust_input(void **state)
{
    const world *w = *state;
    cs_trust *trust = NULL;
    cs_buf pem = {0};
    const cs_view none = {NULL, 0};

    assert_fails(CS_E_CERTIFICATE, cs_trust_new(&trust, none, none, error));
    assert_fails(CS_E_CERTIFICATE, cs_trust_new(&trust, cs_view_str("not PEM"), none, error));
    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_buf(&w->doctor), error));
    assert_fails(CS_E_CERTIFICATE, cs_trust_new(&trust, cs_view_buf(&pem), none, error));
    cs_buf_clear(&pem);
    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_buf(&w->ca), error));
    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_str("rubbish"), error));
    assert_fails(CS_E_MALFORMED, cs_trust_new(&trust, cs_view_buf(&pem), none, error));
    assert_null(trust);
    cs_buf_free(&pem);
}

static void test_pem(void **state)
{
    const world *w = *state;
    cs_buf pem = {0};
    cs_buf der = {0};

    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_buf(&w->ca), error));
    assert_ok(cs_pem_encode(&pem, "X509 CRL", cs_view_str("list"), error));
    assert_ok(cs_pem_decode(&der, "CERTIFICATE", cs_view_buf(&pem), error));
    assert_true(cs_view_equal(cs_view_buf(&der), cs_view_buf(&w->ca)));
    cs_buf_clear(&der);
    assert_ok(cs_pem_decode(&der, "X509 CRL", cs_view_buf(&pem), error));
    assert_true(cs_view_equal(cs_view_buf(&der), cs_view_str("list")));
    assert_fails(
        CS_E_MALFORMED, cs_pem_decode(&der, "CERTIFICATE REQUEST", cs_view_buf(&pem), error));
    assert_fails(CS_E_MALFORMED, cs_pem_decode(&der, "CERTIFICATE", (cs_view){NULL, 0}, error));
    cs_buf_free(&pem);
    cs_buf_free(&der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issue_and_check),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_other_authority),
        cmocka_unit_test(test_authority_is_no_person),
        cmocka_unit_test(test_every_altered_byte),
        cmocka_unit_test(test_revocation),
        cmocka_unit_test(test_list_of_another),
        cmocka_unit_test(test_newer_list),
        cmocka_unit_test(test_false_list),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_role),
        cmocka_unit_test(test_wrong_signer),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_container),
        cmocka_unit_test(test_other_curve),
        cmocka_unit_test(test_key_usage),
        cmocka_unit_test(test_trust_input),
        cmocka_unit_test(test_pem),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
