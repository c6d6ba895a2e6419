/* SPDX-License-Identifier: Apache-2.0 */
/* Telecare: every message altered, cut short and swapped on its way; every check of who, when and
 * in which order made to fail. */
#include "hand.h"
#include "soft_token.h"
#include "telecare_stage.h"

#include <string.h>

/* -- on the way ----------------------------------------------------------------------------------
 */

static const char *const messages[] = {"HUP T1", "HUP T2", "HUP U1 head", "HUP U1 first",
    "HUP U1 block", "HUP U2 head", "HUP U2", "letter P", "letter D", "PUP T3", "PUP T4",
    "PUP G1 head", "PUP G1", "PUP G2 head", "PUP G2 first", "PUP G2 block", "PUP U1 head",
    "PUP U1 first", "PUP U1 block", "PUP U2 head", "PUP U2", "TP T1", "TP T2", "TP G1 head",
    "TP G1", "TP G2 head", "TP G2 first", "TP G2 block", "TP U1 head", "TP U1 first", "TP U1 block",
    "TP U2 head", "TP U2", "CP T3", "CP T4", "CP G1 head", "CP G1", "CP G2 head", "CP G2 first",
    "CP G2 block", "CP U1 head", "CP U1 first", "CP U1 block", "CP U2 head", "CP U2"};
#define MESSAGE_COUNT (sizeof messages / sizeof messages[0])

static void lay(hand *h)
{
    h->done = false;
    p.tamper = lay_hand;
    p.tamper_context = h;
}

/* An altered message is answered as bad input or refused, by nobody taken for an inner error. */
static void must_refuse(hand *h)
{
    cs_error error = {0};
    cs_category category;
    int rc;

    lay(h);
    rc = telecare_run(&p, &error);
    category = cs_category_of(rc);
    if (!h->done)
        fail_msg("%s never came by", h->name);
    if (category != CS_CATEGORY_INPUT && category != CS_CATEGORY_REFUSED &&
        category != CS_CATEGORY_NOT_FOUND)
        fail_msg(
            "%s, %d at %zu: %s (%s)", h->name, h->what, h->at, cs_code_name(rc), error.message);
    assert_int_not_equal(error.message[0], '\0');
}

static size_t size_of(const char *name)
{
    hand h = {.name = name, .what = LOOK};

    lay(&h);
    assert_ok(telecare_run(&p, error));
    if (!h.done)
        fail_msg("%s never came by", name);
    return h.size;
}

static void test_altered(void **state)
{
    size_t runs = 0;

    (void)state;
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        size_t size = size_of(messages[i]);
        size_t step = size > 4096 ? size / 4 : 1 + size / 12;

        for (size_t at = 0; at < size; at += step, runs++) {
            hand h = {.name = messages[i], .what = FLIP, .at = at};

            must_refuse(&h);
        }
    }
    assert_true(runs > 350);
}

static void test_cut_and_appended(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        size_t size = size_of(messages[i]);
        const size_t lengths[] = {0, 1, size / 2, size - 1};
        hand appended = {.name = messages[i], .what = APPEND};

        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            hand h = {.name = messages[i], .what = CUT, .at = lengths[j]};

            must_refuse(&h);
        }
        must_refuse(&appended);
    }
}

static void test_final_flag(void **state)
{
    static const char *const chunks[] = {"HUP U1 first", "HUP U1 block", "HUP U2", "PUP G1",
        "PUP G2 first", "PUP G2 block", "PUP U1 block", "TP G2 block", "TP U2", "CP U1 block"};

    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        hand h = {.name = chunks[i], .what = FINAL};

        must_refuse(&h);
    }
}

/* A message of an earlier run in the place of today's: no message can be swapped. */
static void test_swapped(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        cs_buf kept = {0};
        hand keep = {.name = messages[i], .what = KEEP, .with = &kept};
        hand h = {.name = messages[i], .what = REPLACE, .with = &kept};

        cast_at(&c, CAST_START);
        lay(&keep);
        assert_ok(telecare_run(&p, error));
        cast_at(&c, CAST_START + 10);
        must_refuse(&h);
        cs_buf_free(&kept);
    }
}

static void expect(cs_code code)
{
    assert_fails(code, telecare_run(&p, error));
}

/* -- who and when --------------------------------------------------------------------------------
 */

/* A clock that is off by more than ΔT, at each side and in both directions. */
static void test_time(void **state)
{
    cast_actor *who[] = {&c.telecare, &c.hospital, &c.doctor, &c.patient};

    (void)state;
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        cast_at(&c, CAST_START);
        who[i]->env.now = CAST_START + CS_DELTA_T_DEFAULT + 1;
        expect(CS_E_STALE);
        who[i]->env.now = CAST_START - CS_DELTA_T_DEFAULT - 1;
        expect(CS_E_STALE);
        who[i]->env.now = CAST_START + CS_DELTA_T_DEFAULT;
        assert_ok(telecare_run(&p, error));
    }
}

/* Puts its receiver's clock forward when a message comes by: it was held back. */
typedef struct delay {
    const char *name;
    cast_actor *receiver;
} delay;

static void hold_back(void *context, const char *name, cs_buf *message, bool *final)
{
    const delay *d = context;

    (void)message;
    (void) final;
    if (strcmp(name, d->name) == 0)
        d->receiver->env.now = CAST_START + CS_DELTA_T_DEFAULT + 1;
}

static void test_time_in_session(void **state)
{
    delay delays[] = {{"HUP U1 head", &c.telecare}, {"HUP U2 head", &c.hospital},
        {"PUP T3", &c.telecare}, {"PUP T4", &c.patient}, {"PUP G1 head", &c.telecare},
        {"PUP G2 head", &c.patient}, {"TP T2", &c.doctor}};

    (void)state;
    p.tamper = hold_back;
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        cast_at(&c, CAST_START);
        p.tamper_context = &delays[i];
        expect(CS_E_STALE);
    }
}

/* Credentials: out of their dates and revoked, at each who looks. */
static void revoke_at(cast_actor *where, const cast_actor *whom)
{
    where->memory.revoked[0] = whom->credential.serial;
    where->memory.revoked_count = 1;
    expect(CS_E_REVOKED);
    where->memory.revoked_count = 0;
}

static void test_revoked(void **state)
{
    (void)state;
    revoke_at(&c.hospital, &c.patient);
    revoke_at(&c.hospital, &c.doctor);
    revoke_at(&c.hospital, &c.telecare);
    revoke_at(&c.patient, &c.hospital);
    revoke_at(&c.patient, &c.doctor);
    revoke_at(&c.patient, &c.telecare);
    revoke_at(&c.doctor, &c.hospital);
    revoke_at(&c.doctor, &c.patient);
    revoke_at(&c.doctor, &c.telecare);
    revoke_at(&c.telecare, &c.hospital);
    revoke_at(&c.telecare, &c.doctor);
    /* the cloud cannot know the patient, and does not ask for him */
    c.telecare.memory.revoked[0] = c.patient.credential.serial;
    c.telecare.memory.revoked_count = 1;
    assert_ok(telecare_run(&p, error));
}

static void revoke_in_session(void *context, const char *name, cs_buf *message, bool *final)
{
    (void)message;
    (void) final;
    if (strcmp(name, context) == 0) {
        c.telecare.memory.revoked[0] = c.hospital.credential.serial;
        c.telecare.memory.revoked[1] = c.doctor.credential.serial;
        c.telecare.memory.revoked_count = 2;
    }
}

/* In a session that is open, and of a statement that lies there already. */
static void test_revoked_meanwhile(void **state)
{
    static char u1[] = "HUP U1 head";
    static char g1[] = "TP G1 head";

    (void)state;
    p.tamper = revoke_in_session;
    p.tamper_context = u1;
    expect(CS_E_REVOKED);
    forget_revocations();
    p.tamper_context = g1;
    expect(CS_E_REVOKED);
    forget_revocations();
    p.tamper = NULL;
    telecare_forget(&p);
    telecare_empty_cloud(&p);
    assert_ok(telecare_hup(&p, error)); /* letters are opened by now */
    c.patient.memory.revoked[0] = c.hospital.credential.serial;
    c.patient.memory.revoked_count = 1;
    assert_fails(CS_E_REVOKED, telecare_pup(&p, error));
    forget_revocations();
    cast_at(&c, CAST_START + 1);
    assert_ok(telecare_pup(&p, error));
    c.doctor.memory.revoked[0] = c.patient.credential.serial;
    c.doctor.memory.revoked_count = 1;
    assert_fails(CS_E_REVOKED, telecare_tp(&p, error));
}

static void test_expired_credentials(void **state)
{
    (void)state;
    cast_at(&c, CAST_START + CAST_YEAR + 1);
    p.ends = CAST_START + CAST_YEAR + CAST_HOUR;
    expect(CS_E_EXPIRED);
    cast_at(&c, CAST_START - CAST_HOUR - 1);
    p.ends = CAST_START;
    expect(CS_E_EXPIRED);
}

static void test_certificates(void **state)
{
    const cs_view right = c.doctor.party.certificate;
    const cs_view right_h = c.hospital.party.certificate;

    (void)state;
    c.doctor.party.certificate = c.other_doctor.party.certificate;
    expect(CS_E_CERTIFICATE);
    c.doctor.party.certificate = right;
    c.hospital.party.certificate = c.other_hospital.party.certificate;
    expect(CS_E_CERTIFICATE);
    c.hospital.party.certificate = right_h;
    assert_ok(telecare_run(&p, error));
}

/* A certificate that its authority revokes after the letters were read. */
static void test_revoked_certificate(void **state)
{
    telecare_line line;
    cast other;
    telecare_play there;

    (void)state;
    cast_open(&other, CS_SUITE_P256, make_soft);
    cast_open_telecare(&other, make_soft);
    telecare_open(&there, &other);
    assert_ok(telecare_hup(&there, error));
    assert_ok(telecare_pup(&there, error));
    assert_ok(telecare_tp(&there, error));
    cast_at(&other, CAST_START + 1);
    assert_ok(telecare_call(&there, &line, "call", &other.doctor, NULL, error));
    assert_ok(cs_guest_check_again(&line.guest, &other.telecare.party, &other.telecare.env, error));
    cast_revoke_certificate(&other, &other.doctor);
    assert_fails(CS_E_REVOKED,
        cs_guest_check_again(&line.guest, &other.telecare.party, &other.telecare.env, error));
    telecare_hang_up(&line);
    cast_at(&other, CAST_START + 1);
    assert_fails(CS_E_REVOKED, telecare_cp(&there, error));
    telecare_forget(&there);
    assert_fails(CS_E_REVOKED, telecare_hup(&there, error));
    telecare_close(&there);
    cast_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_altered, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_cut_and_appended, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_final_flag, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_swapped, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_time, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_time_in_session, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_revoked, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_revoked_meanwhile, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_expired_credentials, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_certificates, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_revoked_certificate, open_plays, close_plays),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
