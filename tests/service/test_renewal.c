/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registrations killed at each step, on SoftHSM: before every call that changes the token, and
 * before every change of a file. Whoever was registered is so afterwards, with an S_X that works,
 * and the next registration goes through and leaves one S_X.
 */
#include "../pkcs11/fixture.h"
#include "cast.h"
#include "soft_token.h"

#include "service/actor.h"
#include "service/own_scalar.h"
#include "service/register_client.h"
#include "service/visit_exchange.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "P-renewal"
#define STEPS_MAX 40

static cast c;
static char dir[128];

/* -- what stands between the party and PC, and the places where it is killed --------------------
 */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
static unsigned kill_at_file; /* the nth change of a file; 0: none */

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_cs_fetch_revocations(
    cs_peer *cloud, cs_world *world, const cs_actor *actor, cs_error *error);
int __wrap_cs_peer_ask(cs_peer *peer, const char *path, const char *type_sent, cs_view sent,
    const char *type_received, cs_buf *answer, cs_error *error);

static void maybe_die(void)
{
    if (kill_at_file > 0 && --kill_at_file == 0)
        (void)raise(SIGKILL);
}

int __wrap_rename(const char *from, const char *to)
{
    maybe_die();
    return __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    maybe_die();
    return __real_unlink(path);
}

int __wrap_cs_fetch_revocations(
    cs_peer *cloud, cs_world *world, const cs_actor *actor, cs_error *error)
{
    cs_buf list = {0};
    int64_t now = cs_clock_ms();
    int rc =
        cs_revocations_publish(&list, c.pc.sign, (cs_view){NULL, 0}, now, now + CAST_HOUR, error);

    (void)cloud;
    if (rc == CS_OK)
        rc = cs_world_revocations(world, actor, cs_view_buf(&list), error);
    cs_buf_free(&list);
    return rc;
}

int __wrap_cs_peer_ask(cs_peer *peer, const char *path, const char *type_sent, cs_view sent,
    const char *type_received, cs_buf *answer, cs_error *error)
{
    cs_registration registration;
    cs_credential issued;
    int rc;

    (void)peer, (void)path, (void)type_sent, (void)type_received;
    cast_at(&c, cs_clock_ms());
    c.serial = (uint64_t)cs_clock_ms(); /* the one before was used by another process */
    rc = cs_register_open(&registration, &c.pc.party, &c.pc.env, sent, error);
    if (rc == CS_OK)
        rc = cs_register_issue(&c.pc.party, &c.pc.env, &registration, c.pc.env.now - CAST_HOUR,
            c.pc.env.now + CAST_YEAR, cast_serial, &c, &issued, answer, error);
    return rc;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* -- what is done in a process of its own, as the command would ----------------------------------
 */

typedef int (*task)(cs_home *home, cs_actor *actor, cs_error *error);

/* 0, a code of ours, or -1 when it was killed. */
static int in_child(task work)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        cs_home *home = NULL;
        cs_actor *actor = NULL;
        cs_error error = {0};
        int rc = cs_home_open(&home, dir, CS_HOME_PATIENT, &error);

        if (rc == CS_OK)
            rc = cs_actor_open(&actor, home, true, &error);
        if (rc == CS_OK)
            rc = work(home, actor, &error);
        if (rc != CS_OK)
            (void)fprintf(stderr, "in the child: %s\n", error.message);
        _exit(rc == CS_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return -1;
    }
    return WEXITSTATUS(status);
}

static int do_register(cs_home *home, cs_actor *actor, cs_error *error)
{
    static const uint8_t b[CS_HASH_SIZE] = "a biometric binding of 32 bytes";
    static const uint8_t code[CS_CODE_SIZE] = "an enrolment one";

    return cs_register_client(home, actor, "http://127.0.0.1:1", CS_ROLE_PATIENT, CS_VIEW_ARRAY(b),
        CS_VIEW_ARRAY(code), NULL, error);
}

/* S_X is the private key of the credential's Y: one multiplication each side. */
static int works(cs_actor *actor, cs_error *error)
{
    cs_suite suite = actor->credential.y.suite;
    cs_scalar k;
    cs_point q, here, there;
    int rc = cs_scalar_random(&k, suite, error);

    if (rc == CS_OK)
        rc = cs_point_base_mul(&q, suite, &k, error);
    if (rc == CS_OK)
        rc = cs_point_mul(&here, &k, &actor->credential.y, error);
    if (rc == CS_OK)
        rc = cs_key_scalar_mul(actor->scalar, &q, &there, error);
    if (rc != CS_OK)
        return rc;
    cs_point_canonical(&here);
    cs_point_canonical(&there);
    return cs_point_equal(&here, &there)
               ? CS_OK
               : CS_FAIL(error, CS_E_CREDENTIAL, "S_X is not the credential's");
}

static int check_works(cs_home *home, cs_actor *actor, cs_error *error)
{
    (void)home;
    if (actor->party.credential == NULL)
        return CS_FAIL(error, CS_E_CREDENTIAL, "not registered any more");
    return works(actor, error);
}

/* Of a first registration: not registered, or wholly so. */
static int check_works_if_any(cs_home *home, cs_actor *actor, cs_error *error)
{
    return actor->party.credential == NULL ? CS_OK : check_works(home, actor, error);
}

static int count_scalar(void *context, const cs_key_info *info)
{
    *(unsigned *)context += strcmp(info->label, "patient-scalar") == 0;
    return 0;
}

static bool has_file(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* Nothing is left over, and "keys.scalar" names the one that there is. */
static int check_is_tidy(cs_home *home, cs_actor *actor, cs_error *error)
{
    bool sealed = cs_key_describe(actor->scalar)->custody == CS_CUSTODY_SEALED;
    const char *named = cs_home_text(home, "keys.scalar");
    unsigned count = 0;
    int rc = check_works(home, actor, error);

    if (rc == CS_OK)
        rc = cs_token_list_keys(actor->token, count_scalar, &count, error);
    if (rc == CS_OK && (count != (sealed ? 0 : 1) || has_file("scalar.sealed") != sealed ||
                           has_file("scalar.sealed.new")))
        rc = CS_FAIL(error, CS_E_INTERNAL, "%u keys of S_X in the token, sealed: %d and %d", count,
            has_file("scalar.sealed"), has_file("scalar.sealed.new"));
    if (rc == CS_OK &&
        strcmp(named, sealed ? "scalar.sealed" : cs_key_describe(actor->scalar)->uri) != 0)
        rc = CS_FAIL(error, CS_E_INTERNAL, "config.json names %s", named);
    return rc;
}

/* -- the world -----------------------------------------------------------------------------------
 */

static void make_home(const char *name, cs_suite suite)
{
    json_t *config = json_object();
    cs_token *token = NULL;
    cs_home *home = NULL;
    cs_buf cloud = {0};
    char uri[512];

    (void)snprintf(dir, sizeof dir, "%s/%s", fx.directory, name);
    fixture_add_token(name);
    (void)snprintf(uri, sizeof uri, "%s", fixture_uri(name, ""));
    assert_int_equal(json_object_set_new(config, "token", json_string(uri)), 0);
    assert_int_equal(
        json_object_set_new(config, "pin", json_pack("{s:s}", "file", fx.pin_file)), 0);
    assert_ok(cs_home_init(&home, &token, dir, CS_HOME_PATIENT, ID, suite, config, false, error));
    assert_ok(cs_cloud_publish(&cloud, &c.cloud, c.pc.sign, error));
    assert_ok(cs_home_write(home, "cloud.cbor", cs_view_buf(&cloud), error));
    cs_buf_free(&cloud);
    cs_token_close(&token);
    cs_home_free(&home);
    json_decref(config);
    cs_token_shutdown();
}

static void remove_registration(void)
{
    static const char *const names[] = {"credential.cbor", "scalar.sealed", "scalar.sealed.new"};
    char path[256];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
}

/* always: the rules of the shim that make the way of delivery. call: before its nth one it is
 * killed; NULL: before the nth change of a file. false: it was over before there were n. */
static bool killed_at(const char *always, const char *call, unsigned n)
{
    char script[128];
    int rc;

    (void)snprintf(script, sizeof script, "%s%s %u kill 0\n", always, call == NULL ? "-" : call, n);
    fixture_script(script);
    kill_at_file = call == NULL ? n : 0;
    rc = in_child(do_register);
    kill_at_file = 0;
    fixture_script(always);
    assert_true(rc == 0 || rc == -1);
    return rc == -1;
}

/* The registrations follow each other without one that is whole, so that each finds what those
 * before have left; the last, which is not killed, tidies up. */
static void kill_at_each(
    const char *always, const char *const *calls, size_t count, task check, unsigned at_least)
{
    unsigned kills = 0;

    for (size_t i = 0; i < count; i++) {
        for (unsigned n = 1; killed_at(always, calls[i], n); n++, kills++) {
            assert_in_range(n, 1, STEPS_MAX);
            assert_int_equal(in_child(check), 0);
            if (check == check_works_if_any)
                remove_registration(); /* what is in the token stays */
        }
        assert_int_equal(in_child(check_is_tidy), 0);
        if (check == check_works_if_any && i + 1 < count)
            remove_registration();
    }
    assert_in_range(kills, at_least, 1000);
}

static void run_way(const char *name, cs_suite suite, const char *always, unsigned at_least)
{
    static const char *const calls[] = {NULL, "C_CreateObject", "C_UnwrapKey", "C_DestroyObject"};

    cast_open(&c, suite, make_soft);
    make_home(name, suite);
    fixture_script(always);
    kill_at_each(always, calls, 2, check_works_if_any, 3);
    kill_at_each(always, calls, sizeof calls / sizeof calls[0], check_works, at_least);
    fixture_script("");
    cast_close(&c);
}

static void test_lifted(void **state)
{
    (void)state;
    run_way("lifted", CS_SUITE_ED25519, "", 10);
}

static void test_wrapped(void **state)
{
    (void)state;
    run_way("wrapped", CS_SUITE_P256, "", 10);
}

static void test_sealed(void **state)
{
    (void)state;
    run_way("sealed", CS_SUITE_ED25519, "C_CreateObject * fail 0x63\n", 5);
}

/* The token comes to take S_X, or no longer does: the other way's S_X goes as well. */
static void test_other_way(void **state)
{
    static const char sealed[] = "C_CreateObject * fail 0x63\n"; /* CKR_KEY_TYPE_INCONSISTENT */

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    make_home("ways", CS_SUITE_ED25519);
    fixture_script("");
    assert_int_equal(in_child(do_register), 0);
    for (unsigned n = 1; killed_at(sealed, NULL, n); n++)
        assert_int_equal(in_child(check_works), 0);
    assert_int_equal(in_child(check_is_tidy), 0);
    assert_true(has_file("scalar.sealed"));
    for (unsigned n = 1; killed_at("", NULL, n); n++)
        assert_int_equal(in_child(check_works), 0);
    assert_int_equal(in_child(check_is_tidy), 0);
    assert_false(has_file("scalar.sealed"));
    fixture_script("");
    cast_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifted),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_other_way),
    };

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
