/* SPDX-License-Identifier: Apache-2.0 */
/* What PC believes of a TPM's word in R1. The TPM is one of software here, which lies as it is told
 * to; that a real one's statements pass is in the visits over TPMs. */
#include "cast.h"
#include "endorsement.h"
#include "protocol/attestation.h"
#include "protocol/envelope.h"
#include "soft_token.h"

#include <string.h>

#define FIXED 0x00000032u /* fixedTPM, fixedParent, sensitiveDataOrigin */
#define USER_WITH_AUTH 0x40u
#define ENCRYPTED_DUPLICATION 0x800u
#define RESTRICTED 0x10000u
#define DECRYPT 0x20000u
#define SIGN 0x40000u
#define SIGNING (FIXED | USER_WITH_AUTH | SIGN)
#define AGREEING (FIXED | USER_WITH_AUTH | DECRYPT)
#define PARENT (FIXED | USER_WITH_AUTH | RESTRICTED | DECRYPT)
#define ATTESTING (FIXED | USER_WITH_AUTH | RESTRICTED | SIGN)

typedef struct pair {
    uint8_t d[32];
    uint8_t point[65];
} pair;

/* A key as the TPM has it, and what it says of it. */
typedef struct said {
    uint32_t attributes;
    uint8_t point[65];
    uint8_t area[CS_TPM_PUBLIC_MAX];
    size_t area_size;
    uint8_t attest[CS_TPM_ATTEST_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE];
    cs_buf bytes;
} said;

typedef struct story {
    pair ak, root, ek;
    said ak_said, keys[3];
    uint8_t sign[CS_PUK_SIZE], decrypt[CS_PUK_SIZE], endorsement[CS_PUK_SIZE];
    cs_register request;
    cs_buf certificate, attestation, body, r1;
    /* lies */
    size_t count;                  /* of statements */
    int order[3];                  /* which keys they are about */
    void (*spoil)(struct story *); /* before the statements are made */
    void (*falsify)(said *);       /* each statement, before it is signed */
} story;

static cast c;
static maker known, unknown;

/* -- the TPM of software */

static uint8_t *put(uint8_t *at, uint32_t value, int bytes)
{
    while (bytes-- > 0)
        *at++ = (uint8_t)(value >> (8 * bytes));
    return at;
}

static uint8_t *put_bytes(uint8_t *at, const uint8_t *bytes, size_t n)
{
    at = put(at, (uint32_t)n, 2);
    memcpy(at, bytes, n);
    return at + n;
}

static void make_area(said *s)
{
    bool parent = (s->attributes & (RESTRICTED | DECRYPT)) == (RESTRICTED | DECRYPT);
    uint8_t *at = put(s->area, 0x0023000b, 4);

    at = put(at, s->attributes, 4);
    at = put(at, 0, 2);
    if (parent)
        at = put(put(put(at, 0x0006, 2), 128, 2), 0x0043, 2);
    else
        at = put(at, 0x0010, 2);
    if (parent)
        at = put(at, 0x0010, 2);
    else
        at = put(put(at, (s->attributes & SIGN) != 0 ? 0x0018 : 0x0019, 2), 0x000b, 2);
    at = put(put(at, 0x0003, 2), 0x0010, 2);
    at = put_bytes(at, s->point + 1, 32);
    at = put_bytes(at, s->point + 33, 32);
    s->area_size = (size_t)(at - s->area);
}

static void name_of(const said *s, uint8_t name[CS_TPM_NAME_SIZE])
{
    (void)put(name, 0x000b, 2);
    assert_ok(cs_hash(name + 2, (cs_view){s->area, s->area_size}, error));
}

static void certify(const story *t, said *s, const uint8_t qualifying[CS_HASH_SIZE])
{
    uint8_t name[CS_TPM_NAME_SIZE], digest[CS_HASH_SIZE];
    cs_tpm_statement statement;
    uint8_t *at = put(put(s->attest, 0xff544347u, 4), 0x8017, 2);

    name_of(s, name);
    at = put_bytes(at, name, sizeof name);
    at = put_bytes(at, qualifying, CS_HASH_SIZE);
    memset(at, 7, 25);
    at = put_bytes(at + 25, name, sizeof name);
    at = put_bytes(at, name, sizeof name);
    assert_ptr_equal(at, s->attest + sizeof s->attest);
    if (t->falsify != NULL)
        t->falsify(s);
    assert_ok(cs_hash(digest, CS_VIEW_ARRAY(s->attest), error));
    assert_ok(cs_p256_sign(s->signature, t->ak.d, digest, error));
    statement = (cs_tpm_statement){.area = {s->area, s->area_size},
        .attest = CS_VIEW_ARRAY(s->attest),
        .signature = CS_VIEW_ARRAY(s->signature)};
    cs_buf_clear(&s->bytes);
    assert_ok(cs_encode(&s->bytes, &cs_tpm_statement_schema, &statement, error));
}

/* -- the registration */

static void story_open(story *t)
{
    const cast_actor *x = &c.patient;
    static const uint8_t binding[CS_HASH_SIZE] = "a biometric binding of 32 bytes";
    static const uint8_t code[CS_CODE_SIZE] = "an enrolment one";
    pair *pairs[] = {&t->ak, &t->root, &t->ek};

    memset(t, 0, sizeof *t);
    for (size_t i = 0; i < 3; i++)
        assert_ok(cs_p256_generate(pairs[i]->d, pairs[i]->point, error));
    memcpy(t->sign, x->credential.puk_sign, CS_PUK_SIZE);
    memcpy(t->decrypt, x->credential.puk_decrypt, CS_PUK_SIZE);
    assert_ok(cs_p256_compress(t->endorsement, CS_VIEW_ARRAY(t->ek.point), error));
    assert_ok(cs_p256_uncompress(t->keys[0].point, CS_VIEW_ARRAY(t->sign), error));
    assert_ok(cs_p256_uncompress(t->keys[1].point, CS_VIEW_ARRAY(t->decrypt), error));
    memcpy(t->keys[2].point, t->root.point, 65);
    memcpy(t->ak_said.point, t->ak.point, 65);
    t->ak_said.attributes = ATTESTING;
    t->keys[0].attributes = SIGNING;
    t->keys[1].attributes = AGREEING;
    t->keys[2].attributes = PARENT;
    t->count = 3;
    for (int i = 0; i < 3; i++)
        t->order[i] = i;
    maker_certify(&known, &t->certificate, t->ek.point, true);
    t->request = (cs_register){.role = x->role,
        .id = cs_view_str(x->id),
        .puk_sign = CS_VIEW_ARRAY(t->sign),
        .puk_decrypt = CS_VIEW_ARRAY(t->decrypt),
        .binding = CS_VIEW_ARRAY(binding),
        .code = CS_VIEW_ARRAY(code),
        .delivery = CS_DELIVERY_DUPLICATED,
        .delivery_key = CS_VIEW_ARRAY(t->root.point),
        .time = (uint64_t)x->env.now,
        .id_pc = cs_view_str(c.cloud.id),
        .pk = cs_point_view(&c.cloud.pk)};
}

static void story_close(story *t)
{
    for (size_t i = 0; i < 3; i++)
        cs_buf_free(&t->keys[i].bytes);
    cs_buf_free(&t->certificate);
    cs_buf_free(&t->attestation);
    cs_buf_free(&t->body);
    cs_buf_free(&t->r1);
}

static void attest(story *t, cs_view endorsement, cs_view certificate)
{
    uint8_t qualifying[CS_HASH_SIZE];
    cs_attestation attestation = {.endorsement = endorsement, .certificate = certificate};

    make_area(&t->ak_said);
    assert_ok(cs_attestation_qualifying(qualifying, &t->request, error));
    for (size_t i = 0; i < 3; i++) {
        make_area(&t->keys[i]);
        certify(t, &t->keys[i], qualifying);
    }
    for (size_t i = 0; i < t->count; i++)
        attestation.statements.items[i] = cs_view_buf(&t->keys[t->order[i % 3]].bytes);
    attestation.statements.n = t->count;
    attestation.attesting = (cs_view){t->ak_said.area, t->ak_said.area_size};
    cs_buf_clear(&t->attestation);
    assert_ok(cs_encode(&t->attestation, &cs_attestation_schema, &attestation, error));
}

/* R1 with that attestation, signed by the patient; and what PC says. */
static int send(story *t, cs_view attestation, cs_registration *out, cs_error *why)
{
    cs_signed whole;

    t->request.attestation = attestation;
    cs_buf_clear(&t->body);
    cs_buf_clear(&t->r1);
    assert_ok(cs_signed_make(&t->body, c.patient.sign, &cs_register_schema, &t->request, error));
    assert_ok(cs_decode(&cs_signed_schema, &whole, cs_view_buf(&t->body), error));
    assert_ok(cs_envelope_seal(&t->r1, "chartseal/1 R1", c.suite, (int64_t)t->request.time,
        c.cloud.puk_decrypt, &cs_signed_schema, &whole, NULL, error));
    c.pc.memory.seen_count = 0;
    return cs_register_open(out, &c.pc.party, &c.pc.env, cs_view_buf(&t->r1), why);
}

static int tell(story *t, cs_registration *out, cs_error *error)
{
    if (t->spoil != NULL)
        t->spoil(t);
    attest(t, CS_VIEW_ARRAY(t->endorsement), cs_view_buf(&t->certificate));
    return send(t, cs_view_buf(&t->attestation), out, error);
}

static void refused(int code, void (*spoil)(story *), void (*falsify)(said *))
{
    cs_registration out;
    story t;

    story_open(&t);
    t.spoil = spoil;
    t.falsify = falsify;
    assert_fails(code, tell(&t, &out, error));
    story_close(&t);
}

/* -- believed */

static void test_levels(void **state)
{
    cs_registration out;
    cs_trust *makers;
    story t;

    (void)state;
    story_open(&t);
    assert_ok(send(&t, (cs_view){0}, &out, error));
    assert_int_equal(out.attested, CS_ATTESTED_NOT);
    assert_int_equal(out.attestation_size, 0);
    attest(&t, (cs_view){0}, (cs_view){0});
    assert_ok(send(&t, cs_view_buf(&t.attestation), &out, error));
    assert_int_equal(out.attested, CS_ATTESTED_STATED);
    attest(&t, CS_VIEW_ARRAY(t.endorsement), (cs_view){0});
    assert_ok(send(&t, cs_view_buf(&t.attestation), &out, error));
    assert_int_equal(out.attested, CS_ATTESTED_BOUND);
    assert_ok(tell(&t, &out, error));
    assert_int_equal(out.attested, CS_ATTESTED_GENUINE);
    assert_memory_equal(out.endorsement, t.endorsement, sizeof t.endorsement);
    assert_true(cs_view_equal(
        (cs_view){out.attestation, out.attestation_size}, cs_view_buf(&t.attestation)));
    /* a maker that PC was not told of, or no maker at all */
    assert_ok(cs_trust_new(&makers, cs_view_buf(&unknown.ca_pem), (cs_view){0}, error));
    c.pc.env.tpm_makers = makers;
    assert_ok(tell(&t, &out, error));
    assert_int_equal(out.attested, CS_ATTESTED_BOUND);
    c.pc.env.tpm_makers = NULL;
    assert_ok(tell(&t, &out, error));
    assert_int_equal(out.attested, CS_ATTESTED_BOUND);
    cs_trust_free(&makers);
    story_close(&t);
}

/* -- not believed */

static void sign_can_leave(story *t)
{
    t->keys[0].attributes &= ~2u;
}
static void decrypt_can_move(story *t)
{
    t->keys[1].attributes &= ~0x10u;
}
static void root_came_from_outside(story *t)
{
    t->keys[2].attributes &= ~0x20u;
}
static void sign_is_duplicable(story *t)
{
    t->keys[0].attributes |= ENCRYPTED_DUPLICATION;
}
static void root_is_no_parent(story *t)
{
    t->keys[2].attributes = AGREEING;
}
static void ak_signs_anything(story *t)
{
    t->ak_said.attributes &= ~RESTRICTED;
}
static void ak_can_leave(story *t)
{
    t->ak_said.attributes &= ~2u;
}
static void ak_decrypts(story *t)
{
    t->ak_said.attributes |= DECRYPT;
}
static void other_sign_key(story *t)
{
    memcpy(t->keys[0].point, t->ek.point, 65);
}
static void other_decrypt_key(story *t)
{
    memcpy(t->keys[1].point, t->ek.point, 65);
}
static void other_root(story *t)
{
    memcpy(t->keys[2].point, t->ek.point, 65);
}
static void other_ak(story *t)
{
    memcpy(t->ak_said.point, t->ek.point, 65);
}
static void two_keys(story *t)
{
    t->count = 2;
}
static void four_keys(story *t)
{
    t->count = 4;
}
static void exchanged_keys(story *t)
{
    t->order[0] = 1;
    t->order[1] = 0;
}
static void wrapped(story *t)
{
    t->count = 2;
    t->request.delivery = CS_DELIVERY_WRAPPED;
}
static void certificate_of_another(story *t)
{
    cs_buf_clear(&t->certificate);
    maker_certify(&known, &t->certificate, t->ak.point, true);
}
static void broken_certificate(story *t)
{
    t->certificate.n--;
}
static void bad_endorsement(story *t)
{
    memset(t->endorsement + 1, 0xff, CS_PUK_SIZE - 1);
}

static void not_generated(said *s)
{
    s->attest[0] = 0;
}
static void quote(said *s)
{
    s->attest[5] = 0x18;
}
static void other_name(said *s)
{
    s->attest[CS_TPM_ATTEST_SIZE - CS_TPM_NAME_SIZE - 3] ^= 1;
}

static void test_lies(void **state)
{
    static const struct {
        int code;
        void (*spoil)(story *);
        void (*falsify)(said *);
    } table[] = {
        {CS_E_ATTESTATION, sign_can_leave, NULL},
        {CS_E_ATTESTATION, decrypt_can_move, NULL},
        {CS_E_ATTESTATION, root_came_from_outside, NULL},
        {CS_E_ATTESTATION, sign_is_duplicable, NULL},
        {CS_E_ATTESTATION, root_is_no_parent, NULL},
        {CS_E_ATTESTATION, ak_signs_anything, NULL},
        {CS_E_ATTESTATION, ak_can_leave, NULL},
        {CS_E_ATTESTATION, ak_decrypts, NULL},
        {CS_E_ATTESTATION, other_sign_key, NULL},
        {CS_E_ATTESTATION, other_decrypt_key, NULL},
        {CS_E_ATTESTATION, other_root, NULL},
        {CS_E_SIGNATURE, other_ak, NULL},
        {CS_E_MALFORMED, two_keys, NULL},
        {CS_E_MALFORMED, four_keys, NULL},
        {CS_E_ATTESTATION, exchanged_keys, NULL},
        {CS_E_MALFORMED, wrapped, NULL},
        {CS_E_ATTESTATION, certificate_of_another, NULL},
        {CS_E_CERTIFICATE, broken_certificate, NULL},
        {CS_E_POINT, bad_endorsement, NULL},
        {CS_E_MALFORMED, NULL, not_generated},
        {CS_E_MALFORMED, NULL, quote},
        {CS_E_ATTESTATION, NULL, other_name},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        refused(table[i].code, table[i].spoil, table[i].falsify);
}

/* Statements of an earlier registration of the same keys, in one of another time, role or cloud. */
static void test_replayed_statements(void **state)
{
    cs_registration out;
    story t;

    (void)state;
    story_open(&t);
    attest(&t, CS_VIEW_ARRAY(t.endorsement), cs_view_buf(&t.certificate));
    assert_ok(send(&t, cs_view_buf(&t.attestation), &out, error));
    t.request.time++;
    assert_fails(CS_E_ATTESTATION, send(&t, cs_view_buf(&t.attestation), &out, error));
    t.request.time--;
    t.request.id = cs_view_str("another-patient");
    assert_fails(CS_E_ATTESTATION, send(&t, cs_view_buf(&t.attestation), &out, error));
    t.request.id = cs_view_str(c.patient.id);
    t.request.delivery_key = CS_VIEW_ARRAY(t.ek.point);
    assert_fails(CS_E_ATTESTATION, send(&t, cs_view_buf(&t.attestation), &out, error));
    story_close(&t);
}

/* Every byte of the attestation, and every length of it. */
static void test_altered(void **state)
{
    cs_registration out, honest;
    story t;

    (void)state;
    story_open(&t);
    attest(&t, CS_VIEW_ARRAY(t.endorsement), (cs_view){0});
    assert_ok(send(&t, cs_view_buf(&t.attestation), &honest, error));
    for (size_t i = 0; i < t.attestation.n; i += 3) {
        int rc;

        t.attestation.p[i] ^= 1;
        rc = send(&t, cs_view_buf(&t.attestation), &out, NULL);
        /* EK and the rest of AK's area are bound by what PC seals to them: it opens nowhere */
        assert_true(rc != CS_OK || memcmp(out.endorsement, honest.endorsement, CS_PUK_SIZE) != 0 ||
                    memcmp(out.attesting_name, honest.attesting_name, CS_TPM_NAME_SIZE) != 0);
        t.attestation.p[i] ^= 1;
    }
    for (size_t n = 1; n < t.attestation.n; n += 17)
        assert_fails(CS_E_MALFORMED, send(&t, (cs_view){t.attestation.p, n}, &out, error));
    story_close(&t);
}

/* -- what PC does with it */

/* S_X is not in R2 but under the key that the endorsement key alone opens; each answer has another.
 */
static void test_sealed_for_endorsement(void **state)
{
    uint8_t first[CS_TPM_ACTIVATION_SIZE], second[CS_TPM_ACTIVATION_SIZE];
    static const uint8_t plain[] = "S_X as its delivery has it";
    cs_buf secret = {.guarded = true}, again = {.guarded = true};
    cs_registration out;
    story t;

    (void)state;
    story_open(&t);
    assert_ok(tell(&t, &out, error));
    assert_ok(cs_buf_append(&secret, CS_VIEW_ARRAY(plain), error));
    assert_ok(cs_buf_append(&again, CS_VIEW_ARRAY(plain), error));
    assert_ok(cs_attestation_seal(&secret, first, &out, error));
    assert_ok(cs_attestation_seal(&again, second, &out, error));
    assert_int_equal(secret.n, sizeof plain + CS_AEAD_TAG_SIZE);
    assert_memory_not_equal(first, second, sizeof first);
    assert_memory_not_equal(secret.p, again.p, secret.n);
    assert_memory_not_equal(secret.p, plain, sizeof plain);
    cs_buf_free(&again);
    cs_buf_free(&secret);
    story_close(&t);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(cs_attested_name(CS_ATTESTED_NOT), "none");
    assert_string_equal(cs_attested_name(CS_ATTESTED_STATED), "stated");
    assert_string_equal(cs_attested_name(CS_ATTESTED_BOUND), "bound");
    assert_string_equal(cs_attested_name(CS_ATTESTED_GENUINE), "genuine");
    assert_string_equal(cs_attested_name((cs_attested)9), "?");
}

static cs_trust *makers_known;

static int open_cast(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    maker_open(&known, "Maker of TPMs");
    maker_open(&unknown, "Maker of other TPMs");
    assert_ok(cs_trust_new(&makers_known, cs_view_buf(&known.ca_pem), (cs_view){0}, error));
    return 0;
}

static int believe_known(void **state)
{
    (void)state;
    c.pc.env.tpm_makers = makers_known;
    return 0;
}

static int close_cast(void **state)
{
    (void)state;
    cs_trust_free(&makers_known);
    maker_close(&unknown);
    maker_close(&known);
    cast_close(&c);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_levels, believe_known),
        cmocka_unit_test_setup(test_lies, believe_known),
        cmocka_unit_test_setup(test_replayed_statements, believe_known),
        cmocka_unit_test_setup(test_altered, believe_known),
        cmocka_unit_test_setup(test_sealed_for_endorsement, believe_known),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
