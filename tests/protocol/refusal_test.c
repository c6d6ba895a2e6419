/* SPDX-License-Identifier: Apache-2.0 */
/* Every check of section 7, made to fail; every message altered, cut short and swapped on its way.
 */
#include "hand.h"
#include "play.h"
#include "soft_token.h"

#include <stdio.h>
#include <string.h>

static cast shared; /* made once: registration is not what these tests are about */

static int open_cast(void **state)
{
    (void)state;
    cast_open(&shared, CS_SUITE_ED25519, make_soft);
    return 0;
}

static int close_cast(void **state)
{
    (void)state;
    cast_close(&shared);
    return 0;
}

/* The cast as it was after registration, for the next test. */
static int reset_cast(void **state)
{
    (void)state;
    cast_at(&shared, CAST_START);
    shared.pc.memory.revoked_count = 0;
    shared.hospital.memory.revoked_count = 0;
    shared.doctor.memory.revoked_count = 0;
    shared.patient.memory.revoked_count = 0;
    return 0;
}

static const char *const messages[] = {"M0", "M1", "M2", "M3 head", "M3 first", "M3 chunk", "S1",
    "S2", "S3", "S4", "S5 head", "S5", "S6 head", "S6 first", "S6 chunk", "M4 head", "M4 first",
    "M4 chunk", "F1 head", "F1 first", "F1 chunk", "F2 head", "F2"};
#define MESSAGE_COUNT (sizeof messages / sizeof messages[0])

/* An altered message is answered as bad input or refused, by nobody taken for an inner error. */
static void must_refuse(play *p, const hand *h)
{
    cs_error error = {0};
    int rc = play_visit(p, &error);
    cs_category category = cs_category_of(rc);

    if (!h->done)
        fail_msg("%s never came by", h->name);
    if (category != CS_CATEGORY_INPUT && category != CS_CATEGORY_REFUSED &&
        category != CS_CATEGORY_NOT_FOUND)
        fail_msg(
            "%s, %d at %zu: %s (%s)", h->name, h->what, h->at, cs_code_name(rc), error.message);
    assert_int_not_equal(error.message[0], '\0');
}

static size_t size_of(play *p, const char *name)
{
    hand h = {.name = name, .what = LOOK};

    p->tamper = lay_hand;
    p->tamper_context = &h;
    assert_ok(play_visit(p, error));
    p->tamper_context = NULL;
    assert_true(h.done);
    return h.size;
}

static void test_altered(void **state)
{
    play p;
    size_t runs = 0;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        size_t size = size_of(&p, messages[i]);
        size_t step = size > 4096 ? size / 8 : 1 + size / 24;

        for (size_t at = 0; at < size; at += step, runs++) {
            hand h = {.name = messages[i], .what = FLIP, .at = at};

            p.tamper_context = &h;
            must_refuse(&p, &h);
        }
    }
    assert_true(runs > 300);
    play_close(&p);
}

static void test_cut_and_appended(void **state)
{
    play p;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        size_t size = size_of(&p, messages[i]);
        const size_t lengths[] = {0, 1, size / 2, size - 1};
        hand appended = {.name = messages[i], .what = APPEND};

        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            hand h = {.name = messages[i], .what = CUT, .at = lengths[j]};

            p.tamper_context = &h;
            must_refuse(&p, &h);
        }
        p.tamper_context = &appended;
        must_refuse(&p, &appended);
    }
    play_close(&p);
}

static void test_final_flag(void **state)
{
    static const char *const chunks[] = {"M3 first", "M3 chunk", "S5", "S6 first", "S6 chunk",
        "M4 first", "M4 chunk", "F1 first", "F2"};
    play p;

    (void)state;
    play_open(&p, &shared);
    p.tamper = lay_hand;
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        hand h = {.name = chunks[i], .what = FINAL};

        p.tamper_context = &h;
        must_refuse(&p, &h);
    }
    play_close(&p);
}

/* Keeps a message of one visit. */
static void keep(void *context, const char *name, cs_buf *message, bool *final)
{
    hand *h = context;
    cs_buf *kept = h->with;

    (void) final;
    if (strcmp(name, h->name) == 0 && kept->n == 0)
        assert_ok(cs_buf_set(kept, cs_view_buf(message), error));
}

/* A message of an earlier visit in the place of today's: no message can be swapped. */
static void test_swapped(void **state)
{
    play p;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 1; i < MESSAGE_COUNT; i++) { /* M0 is the same in every visit, and public */
        cs_buf kept = {0};
        hand h = {.name = messages[i], .what = REPLACE, .with = &kept};

        cast_at(&shared, CAST_START);
        p.tamper = keep;
        p.tamper_context = &h;
        assert_ok(play_visit(&p, error));
        cast_at(&shared, CAST_START + 10);
        p.tamper = lay_hand;
        /* to its receiver a request alone is like new, but the answer fits no other request */
        must_refuse(&p, &h);
        cs_buf_free(&kept);
    }
    play_close(&p);
}

static void expect(play *p, cs_code code)
{
    assert_fails(code, play_visit(p, error));
}

/* The receiver's clock is off by more than ΔT: stale, at each side and in both directions. */
static void test_time(void **state)
{
    cast_actor *receivers[] = {&shared.doctor, &shared.pc, &shared.hospital, &shared.patient};
    const int64_t delta = CS_DELTA_T_DEFAULT;
    play p;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 0; i < sizeof receivers / sizeof receivers[0]; i++) {
        cast_at(&shared, CAST_START);
        receivers[i]->env.now = CAST_START + delta + 1;
        expect(&p, CS_E_STALE);
        receivers[i]->env.now = CAST_START - delta - 1;
        expect(&p, CS_E_STALE);
        receivers[i]->env.now = CAST_START + delta; /* the limit itself is allowed */
        assert_ok(play_visit(&p, error));
    }
    play_close(&p);
}

/* Credentials: out of their dates and revoked, at each receiver. */
static void test_expired(void **state)
{
    play p;

    (void)state;
    play_open(&p, &shared);
    cast_at(&shared, CAST_START + CAST_YEAR + 1);
    expect(&p, CS_E_EXPIRED);
    cast_at(&shared, CAST_START - CAST_HOUR - 1);
    expect(&p, CS_E_EXPIRED);
    play_close(&p);
}

static void revoke_at(cast_actor *where, uint64_t serial, play *p)
{
    where->memory.revoked[0] = serial;
    where->memory.revoked_count = 1;
    expect(p, CS_E_REVOKED);
    where->memory.revoked_count = 0;
}

static void test_revoked(void **state)
{
    play p;

    (void)state;
    play_open(&p, &shared);
    revoke_at(&shared.patient, shared.doctor.credential.serial, &p);
    revoke_at(&shared.doctor, shared.patient.credential.serial, &p);
    revoke_at(&shared.pc, shared.doctor.credential.serial, &p);
    assert_true(p.query.known);
    revoke_at(&shared.pc, shared.patient.credential.serial, &p); /* who signed the consent */
    revoke_at(&shared.hospital, shared.doctor.credential.serial, &p);
    revoke_at(&shared.hospital, shared.patient.credential.serial, &p);
    assert_ok(play_visit(&p, error));
    /* one of two hospitals is left out of the answer, the other serves */
    shared.doctor.memory.revoked[0] = shared.other_hospital.credential.serial;
    shared.doctor.memory.revoked_count = 1;
    assert_ok(play_visit(&p, error));
    assert_int_equal(cs_search_count(p.search), 1);
    play_close(&p);
}

static int no_list(void *context, uint64_t serial, bool *is_revoked, cs_error *error)
{
    (void)context;
    (void)serial;
    *is_revoked = true;
    return CS_FAIL(error, CS_E_LISTS, "the list is too old");
}

static int no_list_for_hospitals(void *context, uint64_t serial, bool *is_revoked, cs_error *error)
{
    if (serial == shared.hospital.credential.serial ||
        serial == shared.other_hospital.credential.serial)
        return no_list(context, serial, is_revoked, error);
    *is_revoked = false;
    return CS_OK;
}

/* Who has no list of revocations that is in its dates says so, and does not call the other side
 * expired: nor does a doctor leave out the hospitals that she cannot tell about. */
static void test_own_list_too_old(void **state)
{
    cast_actor *checkers[] = {&shared.patient, &shared.doctor, &shared.pc, &shared.hospital};
    play p;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 0; i < sizeof checkers / sizeof checkers[0]; i++) {
        int (*before)(void *, uint64_t, bool *, cs_error *) = checkers[i]->env.revoked;

        checkers[i]->env.revoked = no_list;
        expect(&p, CS_E_LISTS);
        if (checkers[i] == &shared.doctor) {
            checkers[i]->env.revoked = no_list_for_hospitals;
            expect(&p, CS_E_LISTS);
        }
        checkers[i]->env.revoked = before;
    }
    assert_ok(play_visit(&p, error));
    play_close(&p);
}

static void test_certificates(void **state)
{
    cast c;
    play p;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    play_open(&p, &c);
    assert_ok(play_visit(&p, error));
    /* another certificate for the same key than the credential binds */
    cast_certify(&c, &c.doctor, CAST_START - 1000, CAST_START + CAST_YEAR);
    expect(&p, CS_E_CERTIFICATE);
    /* registered with it: good until it ends */
    cast_at(&c, CAST_START + 1);
    assert_ok(cast_register(&c, &c.doctor, NULL, NULL, error));
    assert_ok(play_visit(&p, error));
    cast_certify(&c, &c.doctor, CAST_START - 1000, CAST_START + 5000);
    cast_at(&c, CAST_START + 2);
    assert_ok(cast_register(&c, &c.doctor, NULL, NULL, error));
    cast_at(&c, CAST_START + 6000);
    expect(&p, CS_E_EXPIRED);
    /* a certificate of another key */
    c.doctor.party.certificate = cs_view_buf(&c.other_doctor.certificate);
    assert_fails(CS_E_CERTIFICATE, cast_register(&c, &c.doctor, NULL, NULL, error));
    play_close(&p);
    cast_close(&c);
}

static int again(const play *p, cs_error *error)
{
    return cs_access_check_again(&p->query, &shared.hospital.party, &shared.hospital.env, error);
}

/* In a session that is open: what was good when it was opened is asked again. */
static void test_revoked_in_session(void **state)
{
    cast_memory *memory = &shared.hospital.memory;
    play p;

    (void)state;
    play_open(&p, &shared);
    assert_ok(play_visit(&p, error));
    assert_ok(again(&p, error));
    memory->revoked_count = 1;
    memory->revoked[0] = shared.doctor.credential.serial;
    assert_fails(CS_E_REVOKED, again(&p, error));
    memory->revoked[0] = shared.patient.credential.serial; /* who signed the consent */
    assert_fails(CS_E_REVOKED, again(&p, error));
    memory->revoked_count = 0;
    cast_at(&shared, CAST_START + 3600001);
    assert_fails(CS_E_EXPIRED, again(&p, error));
    cast_at(&shared, CAST_START + CAST_YEAR + 1);
    assert_fails(CS_E_EXPIRED, again(&p, error));
    play_close(&p);
}

/* Whoever has some certificate does not register as anybody. */
static void test_identities(void **state)
{
    cs_registration registration;
    cs_credential issued;
    cs_buf r1 = {0};
    cs_buf r2 = {0};
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    cast_open_telecare(&c, make_soft);
    /* as another doctor, whose certificate is another */
    c.doctor.id = c.other_doctor.id;
    assert_fails(CS_E_CERTIFICATE, cast_register(&c, &c.doctor, NULL, NULL, error));
    /* a hospital as a doctor, and a doctor as a hospital, of the same identity */
    c.hospital.role = CS_ROLE_DOCTOR;
    assert_fails(CS_E_CERTIFICATE, cast_register(&c, &c.hospital, NULL, NULL, error));
    c.other_doctor.role = CS_ROLE_HOSPITAL;
    assert_fails(CS_E_CERTIFICATE, cast_register(&c, &c.other_doctor, NULL, NULL, error));
    /* a hospital as a telecare cloud, and a cloud as a hospital */
    c.other_hospital.role = CS_ROLE_CLOUD;
    assert_fails(CS_E_CERTIFICATE, cast_register(&c, &c.other_hospital, NULL, NULL, error));
    c.telecare.role = CS_ROLE_HOSPITAL;
    assert_fails(CS_E_CERTIFICATE, cast_register(&c, &c.telecare, NULL, NULL, error));
    /* a cloud that does not look: who is shown certificate and credential does */
    c.doctor.id = "dr-lindqvist";
    cast_at(&c, CAST_START + 1);
    assert_ok(cast_register(&c, &c.doctor, &r1, NULL, error));
    c.pc.memory.seen_count = 0;
    assert_ok(cs_register_open(&registration, &c.pc.party, &c.pc.env, cs_view_buf(&r1), error));
    (void)snprintf(registration.id, sizeof registration.id, "%s", c.other_doctor.id);
    assert_ok(cs_register_issue(&c.pc.party, &c.pc.env, &registration, CAST_START,
        CAST_START + CAST_YEAR, cast_serial, &c, &issued, &r2, error));
    assert_fails(CS_E_CERTIFICATE, cs_credential_check_certificate(&issued, &c.hospital.env,
                                       c.doctor.party.certificate, NULL, error));
    assert_ok(cs_credential_check_certificate(
        &c.doctor.credential, &c.hospital.env, c.doctor.party.certificate, NULL, error));
    cs_buf_free(&r1);
    cs_buf_free(&r2);
    cast_close(&c);
}

static void test_revoked_certificate(void **state)
{
    cast c;
    play p;

    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    play_open(&p, &c);
    assert_ok(play_visit(&p, error));
    cast_revoke_certificate(&c, &c.doctor);
    assert_fails(
        CS_E_REVOKED, cs_access_check_again(&p.query, &c.hospital.party, &c.hospital.env, error));
    expect(&p, CS_E_REVOKED);
    play_close(&p);
    cast_close(&c);
}

static void test_consent(void **state)
{
    play p;

    (void)state;
    play_open(&p, &shared);
    p.no_consent = true;
    expect(&p, CS_E_CONSENT);
    assert_true(p.query.known); /* the audit log can name her */
    assert_string_equal(p.query.doctor.id, shared.doctor.id);
    assert_fails(CS_E_MALFORMED,
        cs_query_open(&p.query, &shared.pc.party, &shared.pc.env, cs_view_str("rubbish"), error));
    assert_false(p.query.known);
    p.no_consent = false;
    p.consent_department = "dermatology";
    expect(&p, CS_E_CONSENT);
    p.consent_department = ""; /* any */
    assert_ok(play_visit(&p, error));
    play_close(&p);
}

/* The person's device looks at the certificate itself, before it shows a doctor. */
static void test_station_certificate(void **state)
{
    cs_party station = shared.doctor.party;
    cs_visit_d *doctor = NULL;
    cs_visit_p *patient = NULL;
    cs_buf m0 = {0};

    (void)state;
    station.certificate = cs_view_buf(&shared.other_doctor.certificate);
    assert_ok(cs_visit_d_new(&doctor, &station, PLAY_DEPARTMENT, &m0, error));
    assert_fails(CS_E_CERTIFICATE, cs_visit_p_new(&patient, &shared.patient.party,
                                       &shared.patient.env, cs_view_buf(&m0), error));
    assert_null(patient);
    cs_visit_d_free(&doctor);
    cs_buf_free(&m0);
}

static int publish(const cs_party *publisher, cs_error *error)
{
    cs_publishing publishing;
    cs_publication publication;
    cs_buf p1 = {0};
    int rc;

    shared.pc.memory.seen_count = 0;
    rc = cs_publishing_begin(&publishing, publisher, &shared.hospital.env, shared.patient.id,
        PLAY_DEPARTMENT, "http://127.0.0.1:1", &p1, error);
    if (rc == CS_OK)
        rc = cs_publication_open(
            &publication, &shared.pc.party, &shared.pc.env, cs_view_buf(&p1), error);
    cs_buf_free(&p1);
    return rc;
}

/* Who publishes is a hospital, in its dates and not revoked. */
static void test_publisher(void **state)
{
    (void)state;
    assert_ok(publish(&shared.hospital.party, error));
    assert_fails(CS_E_CREDENTIAL, publish(&shared.doctor.party, error));
    shared.pc.memory.revoked[0] = shared.hospital.credential.serial;
    shared.pc.memory.revoked_count = 1;
    assert_fails(CS_E_REVOKED, publish(&shared.hospital.party, error));
    shared.pc.memory.revoked_count = 0;
    cast_at(&shared, CAST_START + CAST_YEAR + 1);
    assert_fails(CS_E_EXPIRED, publish(&shared.hospital.party, error));
}

/* A request is accepted once by each receiver. */
static void test_replay(void **state)
{
    cs_query query;
    cs_visit_d *visit = NULL;
    cs_buf m0 = {0};
    cs_buf m2 = {0};
    play p;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"M1", "S1", "S3"};
        cs_buf kept = {0};
        hand h = {.name = names[i], .with = &kept};

        p.tamper = keep;
        p.tamper_context = &h;
        assert_ok(play_visit(&p, error));
        if (i == 0) {
            assert_ok(cs_visit_d_new(&visit, &shared.doctor.party, "", &m0, error));
            assert_fails(CS_E_REPLAY,
                cs_visit_d_m1(visit, &shared.doctor.env, cs_view_buf(&kept), &m2, error));
            cs_visit_d_free(&visit);
        } else if (i == 1) {
            assert_fails(CS_E_REPLAY,
                cs_query_open(&query, &shared.pc.party, &shared.pc.env, cs_view_buf(&kept), error));
        } else {
            assert_fails(CS_E_REPLAY, cs_access_open(&query, &shared.hospital.party,
                                          &shared.hospital.env, cs_view_buf(&kept), error));
        }
        cs_buf_free(&kept);
    }
    cs_buf_free(&m0);
    cs_buf_free(&m2);
    play_close(&p);
}

/* What a receiver's memory says of its nth question: that it has seen this. */
static unsigned seen_countdown;

static int seen_nth(
    void *context, const uint8_t hash[CS_HASH_SIZE], int64_t until, bool *fresh, cs_error *error)
{
    (void)context;
    (void)hash;
    (void)until;
    (void)error;
    *fresh = --seen_countdown != 0;
    return CS_OK;
}

/* Each receiver asks its memory about each message, answers too: those bind their request, so that
 * none comes twice by itself. */
static void test_memory_is_asked(void **state)
{
    const struct {
        cast_actor *who;
        unsigned messages;
    } receivers[] = {
        {&shared.patient, 1}, {&shared.doctor, 3}, {&shared.pc, 1}, {&shared.hospital, 1}};
    play p;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 0; i < sizeof receivers / sizeof receivers[0]; i++) {
        cs_env *env = &receivers[i].who->env;
        int (*before)(void *, const uint8_t *, int64_t, bool *, cs_error *) = env->seen;

        env->seen = seen_nth;
        for (unsigned nth = 1; nth <= receivers[i].messages; nth++) {
            seen_countdown = nth;
            expect(&p, CS_E_REPLAY);
        }
        seen_countdown = receivers[i].messages + 1;
        assert_ok(play_visit(&p, error));
        assert_int_equal(seen_countdown, 1); /* and about nothing else */
        env->seen = before;
    }
    play_close(&p);
}

/* A registration is taken once: who repeats it gets no second credential. */
static void test_registration_repeated(void **state)
{
    cs_registration registration;
    cs_buf r1 = {0};
    cast c;

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    cast_at(&c, CAST_START + 1);
    assert_ok(cast_register(&c, &c.doctor, &r1, NULL, error));
    assert_fails(CS_E_REPLAY,
        cs_register_open(&registration, &c.pc.party, &c.pc.env, cs_view_buf(&r1), error));
    cs_buf_free(&r1);
    cast_close(&c);
}

/* Steps of a state machine out of their order. */
static void test_order(void **state)
{
    cs_visit_p *patient = NULL;
    cs_visit_d *doctor = NULL;
    cs_bulk *bulk = NULL;
    cs_buf out = {0};
    cs_buf m0 = {0};
    bool final;
    play p;

    (void)state;
    play_open(&p, &shared);
    assert_ok(cs_visit_d_new(&doctor, &shared.doctor.party, "", &m0, error));
    assert_ok(cs_visit_p_new(
        &patient, &shared.patient.party, &shared.patient.env, cs_view_buf(&m0), error));
    assert_fails(CS_E_ORDER, cs_visit_p_m2(patient, &shared.patient.env, cs_view_buf(&m0), error));
    assert_fails(CS_E_ORDER,
        cs_visit_p_m3(patient, &shared.patient.env, NULL, "", 0, &out, &out, &final, &bulk, error));
    assert_fails(CS_E_ORDER,
        cs_visit_d_m4(doctor, &shared.doctor.env, &p.diagnosis, &out, &out, &final, &bulk, error));
    cs_visit_p_free(&patient);
    cs_visit_d_free(&doctor);
    /* a session ends with the first refused message */
    assert_ok(play_visit(&p, error));
    assert_fails(
        CS_E_MALFORMED, cs_access_s5(p.session, &shared.hospital.env, &p.query, cs_view_buf(&m0),
                            (cs_view){0}, true, (uint8_t[16]){0}, &(size_t){0}, error));
    assert_true(cs_session_ended(p.session));
    cs_buf_free(&m0);
    cs_buf_free(&out);
    play_close(&p);
}

/* When a token fails in the middle of a visit, that error comes out and nothing else happens. */
static void test_token_failures(void **state)
{
    cast_actor *actors[] = {&shared.patient, &shared.doctor, &shared.pc, &shared.hospital};
    play p;

    (void)state;
    play_open(&p, &shared);
    for (size_t i = 0; i < sizeof actors / sizeof actors[0]; i++) {
        unsigned failures = 0;

        for (unsigned nth = 1; nth < 16; nth++) {
            int rc;

            cs_soft_token_fail(actors[i]->token, CS_SOFT_ANY, nth);
            rc = play_visit(&p, NULL);
            if (rc == CS_OK)
                break;
            assert_int_equal(rc, CS_E_TOKEN);
            failures++;
        }
        assert_in_range(failures, 2, 14); /* every operation of that party was walked */
        cs_soft_token_fail(actors[i]->token, CS_SOFT_ANY, 0);
    }
    assert_ok(play_visit(&p, error));
    play_close(&p);
}

/* What is too long to be named is refused, not cut: the first 64 bytes may be somebody else's. */
static void test_too_long(void **state)
{
    char name[CS_TEXT_MAX + 2];
    const cs_party *doctor = &shared.doctor.party;
    const cs_registering_input input = {
        .role = CS_ROLE_DOCTOR, .id = name, .token = shared.doctor.token, .label = "S_X"};
    const cs_registering_input labelled = {
        .role = CS_ROLE_DOCTOR, .id = "dr", .token = shared.doctor.token, .label = name};
    cs_registering *registering = NULL;
    cs_signed_diagnosis diagnosis;
    cs_search *search = NULL;
    cs_buf r1 = {0};

    (void)state;
    memset(name, 'p', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_fails(CS_E_TOO_LARGE,
        cs_search_new(&search, doctor, name, "cardiology", (cs_view){0}, "a reason", error));
    assert_fails(
        CS_E_TOO_LARGE, cs_search_new(&search, doctor, "p", name, (cs_view){0}, "a reason", error));
    assert_fails(CS_E_TOO_LARGE,
        cs_search_new(&search, doctor, "p", "cardiology", (cs_view){0}, name, error));
    assert_null(search);
    name[CS_TEXT_MAX] = '\0'; /* the longest reason */
    assert_ok(cs_search_new(&search, doctor, "p", "cardiology", (cs_view){0}, name, error));
    cs_search_free(&search);
    assert_fails(CS_E_TOO_LARGE,
        cs_registering_begin(&registering, doctor, &shared.doctor.env, &input, &r1, error));
    assert_fails(CS_E_TOO_LARGE,
        cs_registering_begin(&registering, doctor, &shared.doctor.env, &labelled, &r1, error));
    assert_null(registering);
    assert_fails(CS_E_TOO_LARGE, cs_diagnosis_sign(&diagnosis, doctor, &shared.doctor.env, "p",
                                     name, "text/plain", (cs_view){0}, error));
    assert_fails(CS_E_TOO_LARGE, cs_diagnosis_sign(&diagnosis, doctor, &shared.doctor.env, "p",
                                     "cardiology", name, (cs_view){0}, error));
    cs_buf_free(&r1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_altered, reset_cast),
        cmocka_unit_test_setup(test_cut_and_appended, reset_cast),
        cmocka_unit_test_setup(test_final_flag, reset_cast),
        cmocka_unit_test_setup(test_swapped, reset_cast),
        cmocka_unit_test_setup(test_time, reset_cast),
        cmocka_unit_test_setup(test_station_certificate, reset_cast),
        cmocka_unit_test_setup(test_publisher, reset_cast),
        cmocka_unit_test_setup(test_expired, reset_cast),
        cmocka_unit_test_setup(test_revoked, reset_cast),
        cmocka_unit_test_setup(test_own_list_too_old, reset_cast),
        cmocka_unit_test_setup(test_certificates, reset_cast),
        cmocka_unit_test_setup(test_revoked_in_session, reset_cast),
        cmocka_unit_test_setup(test_identities, reset_cast),
        cmocka_unit_test_setup(test_revoked_certificate, reset_cast),
        cmocka_unit_test_setup(test_consent, reset_cast),
        cmocka_unit_test_setup(test_replay, reset_cast),
        cmocka_unit_test_setup(test_memory_is_asked, reset_cast),
        cmocka_unit_test_setup(test_registration_repeated, reset_cast),
        cmocka_unit_test_setup(test_order, reset_cast),
        cmocka_unit_test_setup(test_too_long, reset_cast),
        cmocka_unit_test_setup(test_token_failures, reset_cast),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
