/* SPDX-License-Identifier: Apache-2.0 */
/* The weaknesses of C20 that docs/protocol.md says are closed, each carried out as an attack by a
 * party that has what the attacker of that weakness has. */
#include "play.h"
#include "protocol/common.h"
#include "protocol/envelope.h"
#include "protocol/session.h"
#include "soft_token.h"

#include <sodium.h>
#include <string.h>

static cast c;
static play p;

static int open_play(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    play_open(&p, &c);
    return 0;
}

static int close_play(void **state)
{
    (void)state;
    play_close(&p);
    cast_close(&c);
    return 0;
}

/* Keeps one message of a visit. */
typedef struct tap {
    const char *name;
    cs_buf kept;
} tap;

static void listen_in(void *context, const char *name, cs_buf *message, bool *final)
{
    tap *t = context;

    (void) final;
    if (strcmp(name, t->name) == 0)
        assert_ok(cs_buf_set(&t->kept, cs_view_buf(message), error));
}

static void tap_visit(tap *t)
{
    p.tamper = listen_in;
    p.tamper_context = t;
    assert_ok(play_visit(&p, error));
    p.tamper = NULL;
}

/* What the receiver of an envelope finds in it, whatever it has seen before. */
static void open_as(const char *label, const cast_actor *who, cs_view bytes,
    const cs_schema *schema, void *body, cs_buf *plain)
{
    uint64_t time;

    assert_ok(cs_envelope_open(
        label, &who->party, &who->env, bytes, schema, body, plain, &time, NULL, error));
}

/* W5: a doctor passes a patient's M1 on to another doctor, as if the patient had come to her. */
static void test_m1_passed_on(void **state)
{
    tap t = {.name = "M1"};
    cs_visit_d *visit = NULL;
    cs_buf plain = {0};
    cs_buf m0 = {0};
    cs_buf m1 = {0};
    cs_buf m2 = {0};
    cs_cp1 cp1;

    (void)state;
    tap_visit(&t);
    open_as("chartseal/1 M1", &c.doctor, cs_view_buf(&t.kept), &cs_cp1_schema, &cp1, &plain);
    assert_ok(cs_envelope_seal(&m1, "chartseal/1 M1", c.suite, (int64_t)cp1.t_p1,
        c.other_doctor.credential.puk_decrypt, &cs_cp1_schema, &cp1, NULL, error));
    assert_ok(cs_visit_d_new(&visit, &c.other_doctor.party, "", &m0, error));
    assert_fails(
        CS_E_SIGNATURE, cs_visit_d_m1(visit, &c.other_doctor.env, cs_view_buf(&m1), &m2, error));
    cs_visit_d_free(&visit);
    cs_buf_free(&t.kept);
    cs_buf_free(&plain);
    cs_buf_free(&m0);
    cs_buf_free(&m1);
    cs_buf_free(&m2);
}

/* W5: a hospital passes a doctor's S3 on to another one, to read there in her name. */
static void test_s3_passed_on(void **state)
{
    tap t = {.name = "S3"};
    cs_query query;
    cs_buf plain = {0};
    cs_buf s3 = {0};
    cs_cd3 cd3;

    (void)state;
    tap_visit(&t);
    open_as("chartseal/1 S3", &c.hospital, cs_view_buf(&t.kept), &cs_cd3_schema, &cd3, &plain);
    assert_ok(cs_envelope_seal(&s3, "chartseal/1 S3", c.suite, (int64_t)cd3.t_d3,
        c.other_hospital.credential.puk_decrypt, &cs_cd3_schema, &cd3, NULL, error));
    assert_fails(CS_E_SIGNATURE, cs_access_open(&query, &c.other_hospital.party,
                                     &c.other_hospital.env, cs_view_buf(&s3), error));
    cs_buf_free(&t.kept);
    cs_buf_free(&plain);
    cs_buf_free(&s3);
}

/* A doctor's S3 with something in it exchanged, signed by her as it should be: what a doctor can do
 * who does not keep to the protocol. */
static int lie_to_hospital(const cast_actor *doctor, cs_view referral, cs_view consent,
    const char *id_p, const char *id_de, cs_error *outer)
{
    static cs_query query;
    uint8_t h_access[CS_HASH_SIZE];
    uint8_t h_referral[CS_HASH_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE];
    const cs_credential *own = &doctor->credential;
    const cs_sig_d3 fields = {.pk = cs_point_view(&c.cloud.pk),
        .t_d3 = (uint64_t)doctor->env.now,
        .id_p = cs_view_str(id_p),
        .r_d3 = cs_point_view(&own->y), /* any point */
        .r_d1 = cs_point_view(&own->r1),
        .id_hpc = cs_view_str(c.hospital.id),
        .id_de = cs_view_str(id_de),
        .h_access = CS_VIEW_ARRAY(h_access),
        .h_referral = CS_VIEW_ARRAY(h_referral)};
    const cs_cd3 cd3 = {.credential_d = cs_credential_view(own),
        .cert_d = doctor->party.certificate,
        .t_d3 = fields.t_d3,
        .id_d = cs_view_str(own->id),
        .r_d3 = fields.r_d3,
        .r_d1 = fields.r_d1,
        .id_p = fields.id_p,
        .id_de = fields.id_de,
        .referral = referral,
        .consent = consent,
        .sig_d3 = CS_VIEW_ARRAY(signature)};
    cs_buf s3 = {0};
    int rc;

    c.hospital.memory.seen_count = 0;
    assert_ok(cs_access_hash(h_access, consent, (cs_view){0}, error));
    assert_ok(cs_hash(h_referral, referral, error));
    assert_ok(cs_message_sign(signature, doctor->sign, &cs_sig_d3_schema, &fields, error));
    assert_ok(cs_envelope_seal(&s3, "chartseal/1 S3", c.suite, doctor->env.now,
        c.hospital.credential.puk_decrypt, &cs_cd3_schema, &cd3, NULL, error));
    rc = cs_access_open(&query, &c.hospital.party, &c.hospital.env, cs_view_buf(&s3), outer);
    cs_buf_free(&s3);
    return rc;
}

/* W7: a doctor goes to the hospital without PC, or with a referral for something else; W6: without
 * the patient's consent, or with one she makes herself. */
static void test_referral_and_consent(void **state)
{
    tap t = {.name = "S3"};
    cs_buf plain = {0};
    cs_buf forged = {0};
    cs_buf signed_consent = {0};
    cs_buf forged_consent = {0};
    cs_referral referral;
    cs_cd3 cd3;

    (void)state;
    tap_visit(&t);
    open_as("chartseal/1 S3", &c.hospital, cs_view_buf(&t.kept), &cs_cd3_schema, &cd3, &plain);
    assert_ok(lie_to_hospital(
        &c.doctor, cd3.referral, cd3.consent, c.patient.id, PLAY_DEPARTMENT, error));
    /* another patient, department or doctor than the referral is for */
    assert_fails(CS_E_RECIPIENT, lie_to_hospital(&c.doctor, cd3.referral, cd3.consent,
                                     c.other_patient.id, PLAY_DEPARTMENT, error));
    assert_fails(CS_E_RECIPIENT,
        lie_to_hospital(&c.doctor, cd3.referral, cd3.consent, c.patient.id, "oncology", error));
    assert_fails(CS_E_RECIPIENT, lie_to_hospital(&c.other_doctor, cd3.referral, cd3.consent,
                                     c.patient.id, PLAY_DEPARTMENT, error));
    /* a referral that the doctor signs herself */
    assert_ok(cs_decode(&cs_referral_schema, &referral, cd3.referral, error));
    {
        uint8_t digest[CS_HASH_SIZE];
        uint8_t signature[CS_SIGNATURE_SIZE];

        assert_ok(cs_hash(digest, referral.sig_c_body, error));
        assert_ok(cs_key_sign(c.doctor.sign, digest, signature, error));
        referral.sig_c = CS_VIEW_ARRAY(signature);
        assert_ok(cs_encode(&forged, &cs_referral_schema, &referral, error));
    }
    assert_fails(CS_E_SIGNATURE, lie_to_hospital(&c.doctor, cs_view_buf(&forged), cd3.consent,
                                     c.patient.id, PLAY_DEPARTMENT, error));
    /* no consent at all; and one that the doctor signs herself, with her own credential */
    assert_fails(CS_E_CONSENT, lie_to_hospital(&c.doctor, cd3.referral, (cs_view){0}, c.patient.id,
                                   PLAY_DEPARTMENT, error));
    {
        static const uint8_t nonce[16] = {1};
        const cs_consent consent = {.id_p = cs_view_str(c.patient.id),
            .id_d = cs_view_str(c.doctor.id),
            .purpose = cs_view_str("treatment"),
            .not_after = (uint64_t)(CAST_START + CAST_HOUR),
            .nonce = CS_VIEW_ARRAY(nonce)};
        cs_consent_bundle bundle;

        assert_ok(
            cs_signed_make(&signed_consent, c.doctor.sign, &cs_consent_schema, &consent, error));
        bundle = (cs_consent_bundle){.consent = cs_view_buf(&signed_consent),
            .credential_p = cs_credential_view(&c.doctor.credential)};
        assert_ok(cs_encode(&forged_consent, &cs_consent_bundle_schema, &bundle, error));
        assert_fails(
            CS_E_CREDENTIAL, lie_to_hospital(&c.doctor, cd3.referral, cs_view_buf(&forged_consent),
                                 c.patient.id, PLAY_DEPARTMENT, error));
        cs_buf_clear(&forged_consent);
        bundle.credential_p = cs_credential_view(&c.patient.credential);
        assert_ok(cs_encode(&forged_consent, &cs_consent_bundle_schema, &bundle, error));
        assert_fails(
            CS_E_SIGNATURE, lie_to_hospital(&c.doctor, cd3.referral, cs_view_buf(&forged_consent),
                                c.patient.id, PLAY_DEPARTMENT, error));
    }
    /* a referral lasts ten minutes, a consent as long as it says */
    cast_at(&c, CAST_START + CS_REFERRAL_AGE_MAX + 1);
    assert_fails(CS_E_STALE, lie_to_hospital(&c.doctor, cd3.referral, cd3.consent, c.patient.id,
                                 PLAY_DEPARTMENT, error));
    cs_buf_free(&t.kept);
    cs_buf_free(&plain);
    cs_buf_free(&forged);
    cs_buf_free(&signed_consent);
    cs_buf_free(&forged_consent);
}

/* Whoever has PRK_X of a party but not its S_X does not get a session: the tag does not match. */
static void test_without_scalar(void **state)
{
    cs_key *right = c.doctor.party.scalar;

    (void)state;
    c.doctor.party.scalar = c.other_doctor.scalar;
    assert_fails(CS_E_DECRYPT, play_visit(&p, error));
    c.doctor.party.scalar = right;
    right = c.hospital.party.scalar;
    c.hospital.party.scalar = c.other_hospital.scalar;
    assert_fails(CS_E_DECRYPT, play_visit(&p, error));
    c.hospital.party.scalar = right;
    right = c.patient.party.scalar;
    c.patient.party.scalar = c.other_patient.scalar;
    assert_fails(CS_E_DECRYPT, play_visit(&p, error));
    c.patient.party.scalar = right;
    assert_ok(play_visit(&p, error));
}

static int note_until(
    void *context, const uint8_t hash[CS_HASH_SIZE], int64_t until, bool *fresh, cs_error *error)
{
    int64_t *noted = context;

    (void)hash, (void)error;
    *noted = until;
    *fresh = true;
    return CS_OK;
}

/* A message whose time is as far ahead as it may be, repeated in its last moment to somebody who
 * looked at the clock and then waited ten seconds for the database, while others went on and forgot
 * what was past. */
static void test_replay_at_the_edge(void **state)
{
    const uint8_t digest[CS_HASH_SIZE] = {1};
    int64_t until = 0;
    cs_env env = {
        .now = CAST_START, .delta_t = CS_DELTA_T_DEFAULT, .seen = note_until, .context = &until};
    uint64_t time = (uint64_t)(env.now + env.delta_t);

    (void)state;
    assert_ok(cs_check_time(&env, time, error));
    assert_ok(cs_check_fresh(&env, digest, error));
    env.now += 2 * env.delta_t;
    assert_ok(cs_check_time(&env, time, error));
    assert_true(until >= env.now + 10000);
}

/* Eq. 4, 7, 10: a cloud that delivers another S_X than the credential's is found out, nothing is
 * kept. */
static void deliver_wrong_scalar(const cast_actor *actor)
{
    static const uint8_t b[CS_HASH_SIZE] = "a biometric binding of 32 bytes";
    static const uint8_t code[CS_CODE_SIZE] = "an enrolment one";
    const cs_registering_input input = {.role = actor->role,
        .id = actor->id,
        .token = actor->token,
        .label = "second",
        .binding = actor->role == CS_ROLE_PATIENT ? CS_VIEW_ARRAY(b) : (cs_view){0},
        .code = {code, actor->role == CS_ROLE_DOCTOR ? 0 : sizeof code}};
    cs_registering *registering = NULL;
    cs_registration registration;
    cs_credential credential;
    cs_registered answer;
    cs_scalar wrong;
    cs_key *scalar = NULL;
    cs_buf r1 = {0};
    cs_buf r2 = {0};
    cs_buf plain = {0};
    cs_buf sealed = {0};

    assert_ok(cs_registering_begin(&registering, &actor->party, &actor->env, &input, &r1, error));
    c.pc.memory.seen_count = 0;
    assert_ok(cs_register_open(&registration, &c.pc.party, &c.pc.env, cs_view_buf(&r1), error));
    assert_ok(cs_register_issue(&c.pc.party, &c.pc.env, &registration, CAST_START,
        CAST_START + CAST_YEAR, cast_serial, &c, &credential, &r2, error));
    open_as("chartseal/1 R2", actor, cs_view_buf(&r2), &cs_registered_schema, &answer, &plain);
    assert_ok(cs_scalar_random(&wrong, c.suite, error));
    answer.secret = CS_VIEW_ARRAY(wrong.b);
    cs_buf_clear(&r2);
    assert_ok(cs_envelope_seal(&r2, "chartseal/1 R2", c.suite, CAST_START,
        actor->credential.puk_decrypt, &cs_registered_schema, &answer, NULL, error));
    assert_fails(CS_E_CREDENTIAL, cs_registering_finish(registering, &actor->env, cs_view_buf(&r2),
                                      &credential, &scalar, &sealed, error));
    assert_null(scalar);
    assert_int_equal(sealed.n, 0);
    cs_registering_free(&registering);
    cs_buf_free(&r1);
    cs_buf_free(&r2);
    cs_buf_free(&plain);
    cs_buf_free(&sealed);
}

static void test_wrong_scalar(void **state)
{
    (void)state;
    deliver_wrong_scalar(&c.patient);
    deliver_wrong_scalar(&c.hospital);
    deliver_wrong_scalar(&c.doctor);
}

/* A message of one session in another, and (W12) one sent back to its sender: each session and each
 * direction has its keys. */
static void send_back(void *context, const char *name, cs_buf *message, bool *final)
{
    tap *t = context;

    (void) final;
    if (strcmp(name, "S5") == 0)
        assert_ok(cs_buf_set(&t->kept, cs_view_buf(message), error));
    else if (strcmp(name, "S6 first") == 0)
        assert_ok(cs_buf_set(message, cs_view_buf(&t->kept), error));
}

static void test_reflection(void **state)
{
    tap head = {.name = "S5 head"};
    tap body = {.name = "S5"};
    uint8_t record_id[16];
    size_t size;

    (void)state;
    tap_visit(&head);
    tap_visit(&body);
    assert_fails(
        CS_E_NO_SESSION, cs_access_s5(p.session, &c.hospital.env, &p.query, cs_view_buf(&head.kept),
                             cs_view_buf(&body.kept), true, record_id, &size, error));
    p.tamper = send_back;
    p.tamper_context = &body;
    assert_fails(CS_E_DECRYPT, play_visit(&p, error));
    cs_buf_free(&head.kept);
    cs_buf_free(&body.kept);
}

/* A credential that its owner changes, or one for another key, does not pass. */
static void test_credential(void **state)
{
    cs_credential credential;

    (void)state;
    for (size_t i = 0; i < c.doctor.credential.raw_size; i++) {
        cs_buf bytes = {0};
        int rc;

        assert_ok(cs_buf_set(&bytes, cs_credential_view(&c.doctor.credential), error));
        bytes.p[i] ^= 1;
        rc = cs_credential_parse(&credential, &c.cloud, cs_view_buf(&bytes), NULL);
        if (rc == CS_OK)
            rc = cs_credential_check(&credential, &c.cloud, &c.pc.env, CS_ROLE_DOCTOR, NULL);
        assert_int_not_equal(rc, CS_OK);
        cs_buf_free(&bytes);
    }
    assert_ok(cs_credential_parse(
        &credential, &c.cloud, cs_credential_view(&c.doctor.credential), error));
    assert_ok(cs_credential_check(&credential, &c.cloud, &c.pc.env, CS_ROLE_DOCTOR, error));
    assert_fails(CS_E_CREDENTIAL,
        cs_credential_check(&credential, &c.cloud, &c.pc.env, CS_ROLE_PATIENT, error));
}

/* W1: with every long-term decryption key, a recorded M2 gives no key to M3: what stands there is a
 * tag, and the tag opens nothing. */
static void test_forward_secrecy(void **state)
{
    tap m2 = {.name = "M2"};
    tap head = {.name = "M3 head"};
    tap first = {.name = "M3 first"};
    cs_stream *stream = NULL;
    cs_buf plain = {0};
    cs_buf opened = {0};
    cs_cd1 cd1;

    (void)state;
    tap_visit(&m2);
    tap_visit(&head);
    tap_visit(&first);
    open_as("chartseal/1 M2", &c.patient, cs_view_buf(&m2.kept), &cs_cd1_schema, &cd1, &plain);
    assert_int_equal(cd1.tag_d.n, CS_AEAD_KEY_SIZE);
    assert_ok(cs_stream_new(&stream, cd1.tag_d.p, cs_view_buf(&head.kept), error));
    assert_fails(
        CS_E_DECRYPT, cs_stream_open(stream, &opened, cs_view_buf(&first.kept), false, error));
    cs_stream_free(&stream);
    cs_buf_free(&m2.kept);
    cs_buf_free(&head.kept);
    cs_buf_free(&first.kept);
    cs_buf_free(&plain);
    cs_buf_free(&opened);
}

/* e of section 2, by whoever watches the issuance. */
static void challenge(uint8_t e[32], const cs_point *r, cs_view m)
{
    crypto_hash_sha512_state hash;
    uint8_t wide[64];

    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, r->b, 32);
    crypto_hash_sha512_update(&hash, c.cloud.pk.b, 32);
    crypto_hash_sha512_update(&hash, m.p, m.n);
    crypto_hash_sha512_final(&hash, wide);
    crypto_core_ed25519_scalar_reduce(e, wide);
}

/* W3: PC's host sees R, S and e of all that it has issued. S = r + e·s has s in it for who knows r,
 * or has two S of one r; but r is drawn in the token, is not given out and does not come twice. */
static void test_issuing_host(void **state)
{
    const cs_view m[] = {cs_view_str("one message"), cs_view_str("another one")};
    cs_scalar solved;
    cs_scalar s[2];
    cs_point pk;
    cs_point r[2];
    uint8_t e[2][32];
    uint8_t s_difference[32];
    uint8_t e_difference[32];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(cs_key_issue(c.pc.issue, m[i], &r[i], &s[i], error));
        challenge(e[i], &r[i], m[i]);
    }
    assert_false(cs_point_equal(&r[0], &r[1]));
    /* s = (S1 − S2) / (e1 − e2), if r were the same */
    crypto_core_ed25519_scalar_sub(s_difference, s[0].b, s[1].b);
    crypto_core_ed25519_scalar_sub(e_difference, e[0], e[1]);
    assert_int_equal(crypto_core_ed25519_scalar_invert(e_difference, e_difference), 0);
    crypto_core_ed25519_scalar_mul(solved.b, s_difference, e_difference);
    assert_ok(cs_point_base_mul(&pk, c.suite, &solved, error));
    assert_false(cs_point_equal(&pk, &c.cloud.pk));
    /* the formula itself is right: with r drawn outside, as in C20, it gives s */
    {
        cs_scalar secret;
        cs_scalar drawn;
        uint8_t product[32];

        assert_ok(cs_scalar_random(&secret, c.suite, error));
        assert_ok(cs_scalar_random(&drawn, c.suite, error));
        for (size_t i = 0; i < 2; i++) {
            crypto_core_ed25519_scalar_mul(product, e[i], secret.b);
            crypto_core_ed25519_scalar_add(s[i].b, drawn.b, product);
        }
        crypto_core_ed25519_scalar_sub(s_difference, s[0].b, s[1].b);
        crypto_core_ed25519_scalar_mul(solved.b, s_difference, e_difference);
        assert_memory_equal(solved.b, secret.b, 32);
    }
}

/* The id of the session that one side comes to, from what it believes of the other. */
static void agreed_id(uint8_t id[CS_SESSION_ID_SIZE], const cs_handshake *handshake)
{
    cs_session *session = NULL;

    assert_ok(cs_session_agree(&session, handshake, error));
    memcpy(id, cs_session_id(session), CS_SESSION_ID_SIZE);
    cs_session_free(&session);
}

/* W13: both have the same points, but one of them believes another time or another credential: the
 * keys differ. */
static void test_context_of_key(void **state)
{
    cs_credential renewed = c.patient.credential;
    uint8_t ids[5][CS_SESSION_ID_SIZE];
    cs_scalar r[2];
    cs_point points[2];
    cs_handshake p_side = {.cloud = &c.cloud, .starts = true, .r = &r[0], .t_own = 5, .t_peer = 6};
    cs_handshake d_side = {.cloud = &c.cloud, .r = &r[1], .t_own = 6, .t_peer = 5};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(cs_scalar_random(&r[i], c.suite, error));
        assert_ok(cs_point_base_mul(&points[i], c.suite, &r[i], error));
    }
    p_side.r_own = d_side.r_peer = &points[0];
    p_side.r_peer = d_side.r_own = &points[1];
    p_side.own = d_side.peer = &c.patient.credential;
    p_side.peer = d_side.own = &c.doctor.credential;
    p_side.scalar = c.patient.scalar;
    d_side.scalar = c.doctor.scalar;
    agreed_id(ids[0], &p_side);
    agreed_id(ids[1], &d_side);
    assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
    d_side.t_peer = 7;
    agreed_id(ids[2], &d_side);
    d_side.t_peer = 5;
    d_side.t_own = 7;
    agreed_id(ids[3], &d_side);
    d_side.t_own = 6;
    renewed.raw[renewed.raw_size - 1] ^= 1; /* of the same Y */
    d_side.peer = &renewed;
    agreed_id(ids[4], &d_side);
    for (size_t i = 2; i < 5; i++)
        assert_memory_not_equal(ids[0], ids[i], sizeof ids[0]);
}

/* W14: what signs and checks takes no S_X, so PC need keep none to be robbed of: one that has its
 * own two keys and nothing else answers a search. */
static void test_cloud_keeps_no_scalar(void **state)
{
    const cs_party before = c.pc.party;

    (void)state;
    c.pc.party = (cs_party){.cloud = before.cloud, .sign = before.sign, .decrypt = before.decrypt};
    assert_ok(play_visit(&p, error));
    c.pc.party = before;
}

/* W17: a byte moves from one field to the next. Put one after the other they would be the same. */
static void test_shifted_boundary(void **state)
{
    tap t = {.name = "S1"};
    cs_query query;
    cs_buf plain = {0};
    cs_buf s1 = {0};
    cs_cd2 cd2;

    (void)state;
    tap_visit(&t);
    open_as("chartseal/1 S1", &c.pc, cs_view_buf(&t.kept), &cs_cd2_schema, &cd2, &plain);
    assert_true(cs_view_equal(cd2.id_p, cs_view_str("patient-4711")));
    assert_true(cs_view_equal(cd2.id_de, cs_view_str("cardiology")));
    cd2.id_p = cs_view_str("patient-4711c");
    cd2.id_de = cs_view_str("ardiology");
    assert_ok(cs_envelope_seal(&s1, "chartseal/1 S1", c.suite, (int64_t)cd2.t_d2,
        c.cloud.puk_decrypt, &cs_cd2_schema, &cd2, NULL, error));
    c.pc.memory.seen_count = 0;
    assert_fails(
        CS_E_SIGNATURE, cs_query_open(&query, &c.pc.party, &c.pc.env, cs_view_buf(&s1), error));
    cs_buf_free(&t.kept);
    cs_buf_free(&plain);
    cs_buf_free(&s1);
}

/* n − s, for an s below n. */
static void negate(uint8_t s[32])
{
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3,
        0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    int borrow = 0;

    for (int i = 31; i >= 0; i--) {
        int digit = order[i] - s[i] - borrow;

        borrow = digit < 0;
        s[i] = (uint8_t)(digit + 256 * borrow);
    }
}

/* W19: PC's own staff, say, sends a S1 a second time with the signature's other form, (r, −s). */
static void test_signature_twin(void **state)
{
    uint8_t twin[CS_SIGNATURE_SIZE];
    tap t = {.name = "S1"};
    cs_query query;
    cs_buf plain = {0};
    cs_buf s1 = {0};
    cs_cd2 cd2;

    (void)state;
    tap_visit(&t);
    open_as("chartseal/1 S1", &c.pc, cs_view_buf(&t.kept), &cs_cd2_schema, &cd2, &plain);
    memcpy(twin, cd2.sig_d2.p, sizeof twin);
    negate(twin + 32);
    cd2.sig_d2 = CS_VIEW_ARRAY(twin);
    assert_ok(cs_envelope_seal(&s1, "chartseal/1 S1", c.suite, (int64_t)cd2.t_d2,
        c.cloud.puk_decrypt, &cs_cd2_schema, &cd2, NULL, error));
    assert_fails(
        CS_E_REPLAY, cs_query_open(&query, &c.pc.party, &c.pc.env, cs_view_buf(&s1), error));
    c.pc.memory.seen_count = 0; /* it is the memory that refuses: the signature is one */
    assert_ok(cs_query_open(&query, &c.pc.party, &c.pc.env, cs_view_buf(&s1), error));
    cs_buf_free(&t.kept);
    cs_buf_free(&plain);
    cs_buf_free(&s1);
}

/* Nothing on the wire has an identity, B' or a piece of the content in the clear. */
typedef struct ear {
    cs_view secrets[8];
    size_t count;
    size_t heard;
    cs_buf all; /* what went by */
} ear;

static bool stands_in(cs_view where, cs_view what)
{
    for (size_t at = 0; at + what.n <= where.n; at++) {
        if (memcmp(where.p + at, what.p, what.n) == 0)
            return true;
    }
    return false;
}

static void search_in(void *context, const char *name, cs_buf *message, bool *final)
{
    ear *e = context;

    (void) final;
    if (strcmp(name, "M0") == 0) /* the doctor's station shows who it is */
        return;
    e->heard++;
    assert_ok(cs_buf_append(&e->all, cs_view_buf(message), error));
    for (size_t i = 0; i < e->count; i++) {
        if (stands_in(cs_view_buf(message), e->secrets[i]))
            fail_msg("secret %zu stands in %s", i, name);
    }
}

static void test_nothing_in_the_clear(void **state)
{
    ear e = {
        .secrets = {cs_view_str(c.patient.id), cs_view_str(c.doctor.id), cs_view_str(c.hospital.id),
            cs_view_str(PLAY_DEPARTMENT), CS_VIEW_ARRAY(c.patient.credential.binding),
            {p.emr.p + 1000, 16}, {p.signal.p + 300, 16}, {p.dinf.p, 12}},
        .count = 8};

    (void)state;
    p.tamper = search_in;
    p.tamper_context = &e;
    assert_ok(play_visit(&p, error));
    assert_true(e.heard > 20);
    /* W18: nor a signature, by which a guess of what it covers could be tested */
    assert_false(stands_in(cs_view_buf(&e.all), CS_VIEW_ARRAY(p.query.signature)));
    assert_false(stands_in(cs_view_buf(&e.all), CS_VIEW_ARRAY(p.diagnosis.sig_dinf)));
    cs_buf_free(&e.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_m1_passed_on, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_s3_passed_on, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_referral_and_consent, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_without_scalar, open_play, close_play),
        cmocka_unit_test(test_replay_at_the_edge),
        cmocka_unit_test_setup_teardown(test_wrong_scalar, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_reflection, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_credential, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_forward_secrecy, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_issuing_host, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_context_of_key, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_signature_twin, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_cloud_keeps_no_scalar, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_shifted_boundary, open_play, close_play),
        cmocka_unit_test_setup_teardown(test_nothing_in_the_clear, open_play, close_play),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
