/* SPDX-License-Identifier: Apache-2.0 */
/* Admission at PC: what a registration holds while its token works, and that an identity goes to
 * one owner whoever comes meanwhile. */
#include "test.h"

#include "cast.h"
#include "soft_token.h"

#include "service/attestations.h"
#include "service/cloud_register.h"

#include <chartseal/secret.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "P-same"

static cast c;
static char dir[] = "/tmp/chartseal-register.XXXXXX";
static cs_home home = {.kind = CS_HOME_CLOUD};
static cs_actor actor;
static cs_server server = {.home = &home, .actor = &actor};

static void path_of(char out[128], const char *name)
{
    (void)snprintf(out, 128, "%s/%s", dir, name);
}

static cs_worker open_worker(void)
{
    cs_worker worker = {.server = &server, .world = {.env = c.pc.env}};
    char path[128];

    path_of(path, "a.db");
    assert_ok(cs_store_open(&worker.store, path, error));
    return worker;
}

static int set_up(void **state)
{
    char mark[128];

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    strcpy(dir, "/tmp/chartseal-register.XXXXXX");
    assert_non_null(mkdtemp(dir));
    path_of(mark, "audit.seal");
    home.config = json_object();
    actor.party = c.pc.party;
    actor.party.storage = c.pc.storage;
    actor.party.issue = c.pc.issue;
    assert_ok(cs_audit_new(&server.audit, c.pc.storage, c.pc.sign, mark, error));
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    cs_audit_free(&server.audit);
    json_decref(home.config);
    cast_close(&c);
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A registration of ID with that patient's keys and a code of its own. */
typedef struct attempt {
    cs_buf r1;
    cs_worker worker;
    int rc;
} attempt;

static void prepare(attempt *a, cast_actor *who, uint8_t number)
{
    const uint8_t binding[CS_HASH_SIZE] = {number};
    const uint8_t code[CS_CODE_SIZE] = {number};
    const cs_registering_input input = {.role = CS_ROLE_PATIENT,
        .id = ID,
        .token = who->token,
        .label = "second",
        .binding = CS_VIEW_ARRAY(binding),
        .code = CS_VIEW_ARRAY(code)};
    cs_registering *registering = NULL;
    cs_row_keys *keys = cs_secret_new(sizeof *keys);

    *a = (attempt){.worker = open_worker(), .rc = -1};
    assert_non_null(keys);
    assert_ok(cs_enrolment_keys(keys, c.pc.storage, CS_ROLE_PATIENT, ID, code, error));
    assert_ok(cs_store_add_enrolment(a->worker.store, keys->row, CAST_START + CAST_HOUR, error));
    cs_secret_free(&keys);
    assert_ok(cs_registering_begin(&registering, &who->party, &who->env, &input, &a->r1, error));
    cs_registering_free(&registering);
}

static void attempt_now(void *context)
{
    attempt *a = context;
    cs_decision decision = {.action = "register"};
    cs_http_answer answer = {0};

    a->rc = cs_cloud_register(&server, &a->worker, cs_view_buf(&a->r1), &decision, &answer, NULL);
    assert_int_equal(decision.recorded, a->rc == CS_OK);
    cs_buf_free(&answer.body);
}

static void finish(attempt *a)
{
    cs_store_close(&a->worker.store);
    cs_buf_free(&a->r1);
}

/* While the token issues for one, another gets the identity: he writes all he needs, and the first,
 * who was admitted before him, is refused. */
static void test_two_at_once(void **state)
{
    attempt first;
    attempt second;
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    cs_credential_row row;
    cs_buf sealed = {0};

    (void)state;
    prepare(&first, &c.patient, 1);
    prepare(&second, &c.other_patient, 2);
    cs_soft_token_meanwhile(c.pc.token, CS_SOFT_ISSUE, attempt_now, &second);
    attempt_now(&first);
    assert_int_equal(second.rc, CS_OK);
    assert_int_equal(first.rc, CS_E_TAKEN);
    assert_non_null(keys);
    assert_ok(cs_identity_keys(keys, c.pc.storage, CS_ROLE_PATIENT, ID, error));
    assert_ok(cs_store_get_credential(first.worker.store, keys->row, &row, &sealed, error));
    attempt_now(&second); /* the same keys again, but the message was seen */
    assert_int_equal(second.rc, CS_E_REPLAY);
    cs_secret_free(&keys);
    cs_buf_free(&sealed);
    finish(&first);
    finish(&second);
}

/* A code that is none leaves nothing to hold a stranger to. */
static void test_stranger(void **state)
{
    cs_decision decision = {.action = "register"};
    cs_http_answer answer = {0};
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    const uint8_t code[CS_CODE_SIZE] = {1};
    const uint8_t other[CS_HASH_SIZE] = {9};
    attempt stranger;

    (void)state;
    assert_non_null(keys);
    prepare(&stranger, &c.patient, code[0]);
    assert_ok(cs_enrolment_keys(keys, c.pc.storage, CS_ROLE_PATIENT, ID, code, error));
    assert_ok(cs_store_use_enrolment(stranger.worker.store, keys->row, other, CAST_START, error));
    cs_secret_free(&keys);
    assert_fails(CS_E_ENROLMENT, cs_cloud_register(&server, &stranger.worker,
                                     cs_view_buf(&stranger.r1), &decision, &answer, error));
    assert_false(decision.has_evidence);
    finish(&stranger);
}

/* Who has no code, or comes for an identity that is taken, costs no operation of the master key. */
static void test_refused_before_the_token(void **state)
{
    cs_op_counts before;
    attempt first;
    attempt second;

    (void)state;
    prepare(&first, &c.patient, 1);
    prepare(&second, &c.other_patient, 2);
    attempt_now(&first);
    assert_int_equal(first.rc, CS_OK);
    before = cs_ops_of_thread();
    attempt_now(&second);
    assert_int_equal(second.rc, CS_E_TAKEN);
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).issue, 0);
    finish(&first);
    finish(&second);
}

/* Where the policy wants a TPM, who has none is refused before the token is asked, leaves nothing
 * that binds him or the code, and is admitted when the policy no longer wants it. */
static void test_attestation_required(void **state)
{
    cs_decision decision = {.action = "register"};
    cs_http_answer answer = {0};
    cs_op_counts before;
    cs_attestation_found found = {.attested = CS_ATTESTED_GENUINE};
    cs_buf said = {0};
    attempt a;

    (void)state;
    prepare(&a, &c.patient, 1);
    assert_int_equal(
        json_object_set_new(home.config, "require_attestation", json_string("janitor")), 0);
    assert_fails(CS_E_MALFORMED,
        cs_cloud_register(&server, &a.worker, cs_view_buf(&a.r1), &decision, &answer, error));
    assert_int_equal(
        json_object_set_new(home.config, "require_attestation", json_string("doctor,patient")), 0);
    c.pc.memory.seen_count = 0;
    before = cs_ops_of_thread();
    assert_fails(CS_E_ATTESTATION,
        cs_cloud_register(&server, &a.worker, cs_view_buf(&a.r1), &decision, &answer, error));
    assert_false(decision.has_evidence);
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).issue, 0);
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).prf, 0);
    assert_int_equal(
        json_object_set_new(home.config, "require_attestation", json_string("doctor")), 0);
    c.pc.memory.seen_count = 0;
    attempt_now(&a);
    assert_int_equal(a.rc, CS_OK);
    assert_ok(cs_attestation_find(&found, &said, &server, &a.worker, CS_ROLE_PATIENT, ID, error));
    assert_int_equal(found.attested, CS_ATTESTED_NOT);
    assert_int_equal(said.n, 0);
    finish(&a);
}

static void test_roles(void **state)
{
    (void)state;
    assert_ok(cs_attestation_check_roles("", error));
    assert_ok(cs_attestation_check_roles("patient", error));
    assert_ok(cs_attestation_check_roles("patient,doctor,hospital,cloud", error));
    assert_fails(CS_E_USAGE, cs_attestation_check_roles("patient doctor", error));
    assert_fails(CS_E_USAGE, cs_attestation_check_roles(",patient", error));
    assert_fails(CS_E_USAGE, cs_attestation_check_roles("patientpatientpatient", error));
}

/* What was said is kept for one credential of one identity: elsewhere it does not open. */
static void test_attestation_kept(void **state)
{
    cs_row_keys *keys = cs_secret_new(sizeof *keys);
    cs_registration who = {.attested = CS_ATTESTED_BOUND, .attestation_size = 3};
    cs_attestation_found found;
    cs_credential_row row;
    cs_buf said = {0}, sealed = {0};
    cs_decision decision = {0};
    unsigned level;
    attempt a;

    (void)state;
    memcpy(who.attestation, "sai", 3);
    assert_non_null(keys);
    prepare(&a, &c.patient, 1);
    attempt_now(&a);
    assert_int_equal(a.rc, CS_OK);
    assert_ok(cs_identity_keys(keys, c.pc.storage, CS_ROLE_PATIENT, ID, error));
    assert_ok(cs_store_get_credential(a.worker.store, keys->row, &row, &sealed, error));
    assert_ok(cs_attestation_keep(a.worker.store, keys, row.serial, &who, error));
    assert_ok(cs_attestation_find(&found, &said, &server, &a.worker, CS_ROLE_PATIENT, ID, error));
    assert_int_equal(found.attested, CS_ATTESTED_BOUND);
    assert_true(cs_view_equal(cs_view_buf(&said), cs_view_str("sai")));
    assert_ok(cs_attestation_tell(&decision, &who, error));
    assert_non_null(strstr(decision.detail, "attested bound, h(attestation) "));
    /* moved to another credential's number */
    cs_buf_clear(&sealed);
    assert_ok(cs_store_get_attestation(a.worker.store, row.serial, &level, &sealed, error));
    row.serial++;
    assert_ok(cs_store_put_credential(a.worker.store, &row, CAST_START, error));
    assert_ok(
        cs_store_put_attestation(a.worker.store, row.serial, level, cs_view_buf(&sealed), error));
    assert_fails(CS_E_DECRYPT,
        cs_attestation_find(&found, &said, &server, &a.worker, CS_ROLE_PATIENT, ID, error));
    cs_secret_free(&keys);
    cs_buf_free(&sealed);
    cs_buf_free(&said);
    finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stranger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_before_the_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attestation_required, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attestation_kept, set_up, tear_down),
        cmocka_unit_test(test_roles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
