/* SPDX-License-Identifier: Apache-2.0 */
/* The authority's answer about a certificate, at each who is shown one: P, PC (a search, a
 * registration), HPC and the telecare cloud. What an answer has to be: tests/unit/crypto_ocsp.c. */
#include "play.h"
#include "responder.h"
#include "soft_token.h"
#include "telecare_play.h"

#include <openssl/ocsp.h>
#include <string.h>

static cast c;
static X509 *ca;

static int sign_as_authority(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    return cs_key_sign(context, digest, signature, error);
}

/* The authority's own answer about an actor's certificate, `age` ms old. */
static cs_buf answer(const cast_actor *about, int status, int64_t age)
{
    X509 *certificate = test_x509(about->party.certificate);
    const test_answer made = {.certificate = certificate,
        .issuer = ca,
        .status = status,
        .this_update = CAST_START - age,
        .next_update = CAST_START + CAST_YEAR,
        .signer = ca,
        .sign = sign_as_authority,
        .context = c.authority.sign};
    cs_buf der = test_ocsp(&made);

    X509_free(certificate);
    return der;
}

/* Of the actors that have one of their own; the others share the cast's. */
static cs_trust *own[2];

static void set_policy(cast_actor *actor, bool required)
{
    cs_trust **place = own[0] == NULL ? &own[0] : &own[1];
    cs_buf pem = {0};

    assert_null(*place);
    assert_ok(cs_pem_encode(&pem, "CERTIFICATE", cs_view_buf(&c.ca), error));
    assert_ok(cs_trust_new(place, cs_view_buf(&pem), (cs_view){0}, error));
    assert_ok(cs_trust_set_ocsp(*place,
        (cs_ocsp_policy){.required = required, .max_age_ms = CS_OCSP_AGE_DEFAULT_MS}, error));
    actor->env.trust = *place;
    cs_buf_free(&pem);
}

static void drop_policy(cast_actor *actor)
{
    cs_trust_free(actor->env.trust == own[0] ? &own[0] : &own[1]);
    actor->env.trust = c.trust;
}

static int open_cast(void **state)
{
    (void)state;
    cast_open(&c, CS_SUITE_P256, make_soft);
    cast_open_telecare(&c, make_soft);
    ca = test_x509(cs_view_buf(&c.ca));
    return 0;
}

static int close_cast(void **state)
{
    (void)state;
    X509_free(ca);
    cast_close(&c);
    return 0;
}

/* -- what is done before each of them ------------------------------------------------------------
 */

static int visit(cs_error *error)
{
    play p;
    int rc;

    play_open(&p, &c);
    rc = play_visit(&p, error);
    play_close(&p);
    return rc;
}

/* The other one, whom nothing else is asked of: a registration that fails leaves her without S_D.
 */
static int register_doctor(cs_error *error)
{
    c.pc.memory.seen_count = 0;
    return cast_register(&c, &c.other_doctor, NULL, NULL, error);
}

static int call_telecare(cs_error *error)
{
    telecare_play p;
    telecare_line line;
    int rc;

    telecare_open(&p, &c);
    c.telecare.memory.seen_count = 0;
    rc = telecare_call(&p, &line, "call", &c.doctor, NULL, error);
    telecare_hang_up(&line);
    telecare_close(&p);
    return rc;
}

static const struct {
    const char *name;
    cast_actor *shown_by;
    cast_actor *verifier;
    int (*act)(cs_error *error);
} sites[] = {
    {"M0", &c.doctor, &c.patient, visit},
    {"S1", &c.doctor, &c.pc, visit},
    {"S3", &c.doctor, &c.hospital, visit},
    {"R1", &c.other_doctor, &c.pc, register_doctor},
    {"T1", &c.doctor, &c.telecare, call_telecare},
};

/* `about` 1 is who shows it, 2 somebody else; 0: no answer. */
static void expect_at(size_t site, bool required, int about, int64_t age, int wanted)
{
    cast_actor *who = sites[site].shown_by;
    cs_error failure = {0};
    cs_buf staple = {0};
    int rc;

    if (about != 0)
        staple = answer(about == 1 ? who : &c.hospital, V_OCSP_CERTSTATUS_GOOD, age);
    set_policy(sites[site].verifier, required);
    who->party.ocsp = cs_view_buf(&staple);
    rc = sites[site].act(&failure);
    if (rc != wanted)
        fail_msg("%s, %s, about %d: wanted %s, got %s (%s)", sites[site].name,
            required ? "required" : "preferred", about, cs_code_name(wanted), cs_code_name(rc),
            failure.message);
    who->party.ocsp = (cs_view){0};
    drop_policy(sites[site].verifier);
    cs_buf_free(&staple);
}

/* Only the one who is looked at requires an answer: the others have the default, to which none will
 * do. */
static void test_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) {
        expect_at(i, true, 1, CAST_HOUR, CS_OK);
        expect_at(i, false, 1, CAST_HOUR, CS_OK);
        expect_at(i, true, 0, 0, CS_E_OCSP);
        expect_at(i, false, 0, 0, CS_OK);
        expect_at(i, true, 1, 25 * CAST_HOUR, CS_E_OCSP);
        expect_at(i, false, 1, 25 * CAST_HOUR, CS_OK);
        expect_at(i, true, 2, CAST_HOUR, CS_E_CERTIFICATE);
        expect_at(i, false, 2, CAST_HOUR, CS_E_CERTIFICATE);
    }
}

/* A revoked doctor who shows the answer herself is refused by the first who sees it; so each is
 * asked alone, the others being shown nothing. */
typedef struct swap {
    const char *message;
    cs_view staple;
} swap;

static void staple_to_m0(void *context, const char *name, cs_buf *message, bool *final)
{
    const swap *wanted = context;
    cs_buf again = {0};
    cs_station station;

    (void) final;
    if (strcmp(name, wanted->message) != 0)
        return;
    assert_ok(cs_decode(&cs_station_schema, &station, cs_view_buf(message), error));
    station.ocsp = wanted->staple;
    assert_ok(cs_encode(&again, &cs_station_schema, &station, error));
    cs_buf_free(message);
    *message = again;
}

static void test_revoked(void **state)
{
    cs_buf revoked = answer(&c.doctor, V_OCSP_CERTSTATUS_REVOKED, CAST_HOUR);
    cs_buf registered = answer(&c.other_doctor, V_OCSP_CERTSTATUS_REVOKED, CAST_HOUR);
    cs_error failure = {0};
    play p;

    (void)state;
    c.other_doctor.party.ocsp = cs_view_buf(&registered);
    assert_fails(CS_E_REVOKED, register_doctor(error));
    c.other_doctor.party.ocsp = (cs_view){0};
    c.doctor.party.ocsp = cs_view_buf(&revoked);
    assert_fails(CS_E_REVOKED, call_telecare(error));
    play_open(&p, &c);
    assert_fails(CS_E_REVOKED, play_consultation(&p, error));
    play_close(&p);
    /* PC, past the patient; then HPC, past PC */
    play_open(&p, &c);
    c.doctor.party.ocsp = (cs_view){0};
    assert_ok(play_consultation(&p, error));
    c.doctor.party.ocsp = cs_view_buf(&revoked);
    assert_fails(CS_E_REVOKED, play_search(&p, error));
    play_close(&p);
    play_open(&p, &c);
    c.doctor.party.ocsp = (cs_view){0};
    assert_ok(play_consultation(&p, error));
    assert_ok(play_search(&p, error));
    c.doctor.party.ocsp = cs_view_buf(&revoked);
    if (play_session(&p, 0, &failure) != CS_E_REVOKED)
        fail_msg("the hospital: %s", failure.message);
    play_close(&p);
    c.doctor.party.ocsp = (cs_view){0};
    cs_buf_free(&registered);
    cs_buf_free(&revoked);
}

/* On the wire M0's answer can be taken away or another put there; nothing is signed over it. It
 * brings nobody through who would not have been, and stops the visit where one is required. */
static void test_altered_on_the_way(void **state)
{
    cs_buf good = answer(&c.doctor, V_OCSP_CERTSTATUS_GOOD, CAST_HOUR);
    cs_buf others = answer(&c.other_doctor, V_OCSP_CERTSTATUS_GOOD, CAST_HOUR);
    swap taken = {.message = "M0"};
    play p;

    (void)state;
    set_policy(&c.patient, true);
    c.doctor.party.ocsp = cs_view_buf(&good);
    play_open(&p, &c);
    assert_ok(play_visit(&p, error));
    p.tamper = staple_to_m0;
    p.tamper_context = &taken;
    assert_fails(CS_E_OCSP, play_visit(&p, error));
    taken.staple = cs_view_buf(&others);
    assert_fails(CS_E_CERTIFICATE, play_visit(&p, error));
    /* a good one put where there was none is as good as the doctor's own */
    c.doctor.party.ocsp = (cs_view){0};
    taken.staple = cs_view_buf(&good);
    assert_ok(play_visit(&p, error));
    play_close(&p);
    drop_policy(&c.patient);
    cs_buf_free(&good);
    cs_buf_free(&others);
}

/* Who asks again looks at what was shown, which gets old. */
static void test_asked_again(void **state)
{
    cs_buf good = answer(&c.doctor, V_OCSP_CERTSTATUS_GOOD, 24 * CAST_HOUR - 1000);
    telecare_play t;
    telecare_line line;
    play p;

    (void)state;
    set_policy(&c.hospital, true);
    set_policy(&c.telecare, true);
    c.doctor.party.ocsp = cs_view_buf(&good);
    play_open(&p, &c);
    assert_ok(play_visit(&p, error));
    assert_ok(cs_access_check_again(&p.query, &c.hospital.party, &c.hospital.env, error));
    c.telecare.memory.seen_count = 0;
    telecare_open(&t, &c);
    assert_ok(telecare_call(&t, &line, "call", &c.doctor, NULL, error));
    assert_ok(cs_guest_check_again(&line.guest, &c.telecare.party, &c.telecare.env, error));
    cast_at(&c, CAST_START + 2000);
    assert_fails(
        CS_E_OCSP, cs_access_check_again(&p.query, &c.hospital.party, &c.hospital.env, error));
    assert_fails(
        CS_E_OCSP, cs_guest_check_again(&line.guest, &c.telecare.party, &c.telecare.env, error));
    cast_at(&c, CAST_START);
    telecare_hang_up(&line);
    telecare_close(&t);
    play_close(&p);
    c.doctor.party.ocsp = (cs_view){0};
    drop_policy(&c.hospital);
    drop_policy(&c.telecare);
    cs_buf_free(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everywhere),
        cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_altered_on_the_way),
        cmocka_unit_test(test_asked_again),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
