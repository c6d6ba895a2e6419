/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "soft_token.h"

#include "service/audit_fhir.h"
#include "service/audit_log.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#define ENTRIES 7
#define NOW 1700000000000LL

typedef struct fixture {
    char dir[64];
    char path[128];
    char mark[128];
    cs_token *token;
    cs_key *sign;
    cs_key *storage;
    cs_store *store;
    cs_audit *audit;
} fixture;

static void append(const fixture *me, const char *action, int outcome)
{
    const cs_audit_entry entry = {
        .time = NOW,
        .action = cs_view_str(action),
        .outcome = cs_view_str(cs_code_name(outcome)),
        .who = cs_view_str("D-Who"),
        .role = cs_view_str("doctor"),
        .patient = cs_view_str("P-Whom"),
        .detail = cs_view_str("cardiology"),
        .evidence = cs_view_str("evidence"),
    };

    assert_ok(cs_audit_append(me->audit, me->store, &entry, error));
}

/* Seven entries, a seal after the fifth. */
static int set_up(void **state)
{
    fixture *me = calloc(1, sizeof *me);

    assert_non_null(me);
    strcpy(me->dir, "/tmp/chartseal-audit.XXXXXX");
    assert_non_null(mkdtemp(me->dir));
    (void)snprintf(me->path, sizeof me->path, "%s/a.db", me->dir);
    (void)snprintf(me->mark, sizeof me->mark, "%s/audit.seal", me->dir);
    me->token = cs_soft_token_new();
    assert_non_null(me->token);
    assert_ok(cs_key_generate(&me->sign, me->token, "sign", CS_USE_SIGN, CS_SUITE_ED25519, error));
    assert_ok(
        cs_key_generate(&me->storage, me->token, "storage", CS_USE_PRF, CS_SUITE_ED25519, error));
    assert_ok(cs_store_open(&me->store, me->path, error));
    assert_ok(cs_audit_new(&me->audit, me->storage, me->sign, me->mark, error));
    assert_ok(cs_audit_begin(me->audit, me->store, error));
    for (int i = 1; i <= ENTRIES; i++) {
        append(me, i == 2 ? "search" : "read", i == 3 ? CS_E_CONSENT : CS_OK);
        if (i == 5)
            assert_ok(cs_audit_seal_when_due(me->audit, me->store, NOW, true, error));
    }
    *state = me;
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    fixture *me = *state;

    cs_audit_free(&me->audit);
    cs_store_close(&me->store);
    cs_key_close(&me->sign);
    cs_key_close(&me->storage);
    cs_token_close(&me->token);
    assert_int_equal(nftw(me->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(me);
    return 0;
}

static cs_view puk(const fixture *me)
{
    const cs_key_info *info = cs_key_describe(me->sign);

    return (cs_view){info->public_key, info->public_key_size};
}

static void alter(const fixture *me, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(me->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(db) > 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_whole(void **state)
{
    const fixture *me = *state;
    cs_audit_head mark;
    cs_audit_report report;

    assert_ok(cs_audit_mark_read(&mark, me->mark, puk(me), error));
    assert_int_equal(mark.number, 5);
    assert_ok(cs_audit_verify(&report, me->store, puk(me), &mark, NULL, error));
    assert_int_equal(report.entries, ENTRIES);
    assert_int_equal(report.seals, 1);
    assert_int_equal(report.sealed, 5);
    assert_int_equal(report.first_bad, 0);
}

static void assert_bad(const fixture *me, uint64_t number)
{
    cs_audit_report report;
    cs_audit_head mark;

    assert_ok(cs_audit_mark_read(&mark, me->mark, puk(me), error));
    assert_fails(CS_E_CORRUPT, cs_audit_verify(&report, me->store, puk(me), &mark, NULL, error));
    assert_int_equal(report.first_bad, number);
}

/* The log verifies and has that many entries; 0: it does not verify. */
static void assert_verifies(const fixture *me, const cs_audit_head *expected, uint64_t entries)
{
    cs_audit_report report;
    cs_audit_head mark;
    int rc;

    assert_ok(cs_audit_mark_read(&mark, me->mark, puk(me), error));
    rc = cs_audit_verify(&report, me->store, puk(me), &mark, expected, NULL);
    assert_int_equal(rc, entries == 0 ? CS_E_CORRUPT : CS_OK);
    if (entries > 0)
        assert_int_equal(report.entries, entries);
}

static void test_changed(void **state)
{
    alter(*state, "UPDATE audit SET sealed = zeroblob(length(sealed)) WHERE number = 4");
    assert_bad(*state, 4);
}

static void test_changed_time(void **state)
{
    alter(*state, "UPDATE audit SET time = time + 1 WHERE number = 6");
    assert_bad(*state, 6);
}

static void test_dropped(void **state)
{
    alter(*state, "DELETE FROM audit WHERE number = 3");
    assert_bad(*state, 3);
}

static void test_dropped_and_renumbered(void **state)
{
    alter(*state, "DELETE FROM audit WHERE number = 3");
    alter(*state, "UPDATE audit SET number = number - 1 WHERE number > 3");
    assert_bad(*state, 3);
}

static void test_first_dropped(void **state)
{
    alter(*state, "DELETE FROM audit WHERE number = 1");
    assert_bad(*state, 1);
}

static void test_reordered(void **state)
{
    alter(*state, "UPDATE audit SET number = 99 WHERE number = 2");
    alter(*state, "UPDATE audit SET number = 2 WHERE number = 3");
    alter(*state, "UPDATE audit SET number = 3 WHERE number = 99");
    assert_bad(*state, 2);
}

/* What a person can do who writes the database and has no token: entries go or change, and the
 * chain is computed anew, without its seals. */
static void mend_chain(const fixture *me, const char *sql)
{
    static const char rows[] = "SELECT rowid, time, sealed FROM audit ORDER BY number";
    static const char change[] = "UPDATE audit SET number = ?, previous = ?, hash = ?,"
                                 " signature = x'' WHERE rowid = ?";
    cs_audit_row row = {0};
    sqlite3_stmt *read = NULL;
    sqlite3_stmt *write = NULL;
    sqlite3 *db = NULL;

    alter(me, sql);
    assert_int_equal(sqlite3_open(me->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, rows, -1, &read, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, change, -1, &write, NULL), SQLITE_OK);
    while (sqlite3_step(read) == SQLITE_ROW) {
        row.number++;
        memcpy(row.previous, row.hash, sizeof row.hash);
        row.time = sqlite3_column_int64(read, 1);
        row.sealed = (cs_view){sqlite3_column_blob(read, 2), (size_t)sqlite3_column_bytes(read, 2)};
        assert_ok(cs_audit_hash(&row, row.hash, error));
        (void)sqlite3_bind_int64(write, 1, (sqlite3_int64)row.number);
        (void)sqlite3_bind_blob(write, 2, row.previous, 32, SQLITE_TRANSIENT);
        (void)sqlite3_bind_blob(write, 3, row.hash, 32, SQLITE_TRANSIENT);
        (void)sqlite3_bind_int64(write, 4, sqlite3_column_int64(read, 0));
        assert_int_equal(sqlite3_step(write), SQLITE_DONE);
        (void)sqlite3_reset(write);
    }
    (void)sqlite3_finalize(read);
    (void)sqlite3_finalize(write);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void restart(fixture *me)
{
    cs_audit_free(&me->audit);
    assert_ok(cs_audit_new(&me->audit, me->storage, me->sign, me->mark, error));
}

/* The token signs nothing, neither in the process that saw the log before nor in a new one. */
static void assert_never_sealed(fixture *me)
{
    cs_op_counts before = cs_ops_of_thread();

    assert_fails(CS_E_CORRUPT, cs_audit_seal_when_due(me->audit, me->store, NOW, true, error));
    restart(me);
    assert_fails(CS_E_CORRUPT, cs_audit_seal_when_due(me->audit, me->store, NOW, true, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).sign, 0);
}

static void test_mended_chain(void **state)
{
    mend_chain(*state, "DELETE FROM audit WHERE number = 3");
    assert_bad(*state, 5); /* not the one that was sealed */
    assert_never_sealed(*state);
    alter(*state, "UPDATE audit SET signature = randomblob(64) WHERE number = 4");
    assert_bad(*state, 4);
}

/* Not sealed yet: the chain says nothing, but an entry opens in its own place only. */
static void test_mended_after_the_seal(void **state)
{
    mend_chain(*state, "DELETE FROM audit WHERE number = 6");
    assert_never_sealed(*state);
}

static void test_cut_off_before_the_seal(void **state)
{
    alter(*state, "DELETE FROM audit WHERE number > 4");
    assert_bad(*state, 5);
    assert_never_sealed(*state);
}

/* The end may be cut off while nobody looks; a service has looked. */
static void test_cut_off_after_it_was_seen(void **state)
{
    fixture *me = *state;

    assert_ok(cs_audit_follow(me->audit, me->store, error));
    alter(me, "DELETE FROM audit WHERE number = 7");
    assert_fails(CS_E_CORRUPT, cs_audit_follow(me->audit, me->store, error));
    append(me, "read", CS_OK);
    assert_fails(CS_E_CORRUPT, cs_audit_seal_when_due(me->audit, me->store, NOW, true, error));
}

static void test_a_lost_mark(void **state)
{
    fixture *me = *state;
    const cs_audit_entry entry = {
        .time = NOW, .action = cs_view_str("audit-adopt"), .outcome = cs_view_str("ok")};

    assert_int_equal(unlink(me->mark), 0);
    restart(me);
    assert_fails(CS_E_CORRUPT, cs_audit_begin(me->audit, me->store, error));
    assert_never_sealed(me);
    assert_ok(cs_audit_adopt(me->audit, me->store, &entry, error));
    assert_verifies(me, NULL, ENTRIES + 1);
}

static void test_a_forged_mark(void **state)
{
    fixture *me = *state;
    uint8_t signature[CS_SIGNATURE_SIZE] = {1};
    cs_audit_head head = {.number = 7};

    mend_chain(me, "DELETE FROM audit WHERE number = 3");
    assert_ok(cs_audit_mark_write(me->mark, &head, signature, error));
    restart(me);
    assert_fails(CS_E_CORRUPT, cs_audit_begin(me->audit, me->store, error));
    assert_fails(CS_E_CORRUPT, cs_audit_mark_read(&head, me->mark, puk(me), error));
    assert_never_sealed(me);
}

/* Killed after entries and in front of their seal; another process has appended, too. */
static void test_a_crash(void **state)
{
    fixture *me = *state;
    cs_audit *other = NULL;
    cs_audit *mine = me->audit;
    cs_op_counts before;

    assert_ok(cs_audit_new(&other, me->storage, me->sign, me->mark, error));
    me->audit = other;
    append(me, "import", CS_OK);
    append(me, "import", CS_OK);
    me->audit = mine;
    restart(me);
    before = cs_ops_of_thread();
    append(me, "read", CS_OK);
    assert_ok(cs_audit_seal_when_due(me->audit, me->store, NOW, true, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).sign, 1);
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).prf, 2); /* two other epochs */
    assert_verifies(me, NULL, ENTRIES + 3);
    cs_audit_free(&other);
}

static void test_expected_head(void **state)
{
    fixture *me = *state;
    char text[CS_AUDIT_HEAD_TEXT_SIZE];
    cs_audit_report report;
    cs_audit_head head;
    cs_audit_head mark;

    assert_ok(cs_audit_mark_read(&mark, me->mark, puk(me), error));
    assert_ok(cs_audit_verify(&report, me->store, puk(me), &mark, NULL, error));
    cs_audit_head_print(&report.head, text);
    assert_ok(cs_audit_head_parse(&head, text, error));
    assert_memory_equal(&head, &report.head, sizeof head);
    append(me, "read", CS_OK);
    assert_ok(cs_audit_verify(&report, me->store, puk(me), &mark, &head, error));
    head.hash[0] ^= 1;
    assert_verifies(me, &head, 0);
    head.hash[0] ^= 1;
    head.number = 9;
    assert_verifies(me, &head, 0);
    assert_fails(CS_E_USAGE, cs_audit_head_parse(&head, "7", error));
    assert_fails(CS_E_USAGE, cs_audit_head_parse(&head, "7:00", error));
    text[0] = '-';
    assert_fails(CS_E_USAGE, cs_audit_head_parse(&head, text, error));
}

/* Without its seals a long log is not taken at its word. */
static void test_too_many_without_a_seal(void **state)
{
    fixture *me = *state;

    assert_ok(cs_store_begin(me->store, error));
    for (unsigned i = 0; i < 5 + CS_AUDIT_UNSEALED_MAX - ENTRIES; i++)
        append(me, "read", CS_OK);
    assert_ok(cs_store_commit(me->store, error));
    assert_verifies(me, NULL, 5 + CS_AUDIT_UNSEALED_MAX);
    append(me, "read", CS_OK);
    assert_bad(me, 6);
}

static void test_foreign_seal(void **state)
{
    fixture *me = *state;
    cs_audit_report report;
    cs_audit_head mark;
    cs_key *other = NULL;
    const cs_key_info *info;

    assert_ok(cs_key_generate(&other, me->token, "other", CS_USE_SIGN, CS_SUITE_ED25519, error));
    info = cs_key_describe(other);
    assert_ok(cs_audit_mark_read(&mark, me->mark, puk(me), error));
    assert_fails(
        CS_E_CORRUPT, cs_audit_verify(&report, me->store,
                          (cs_view){info->public_key, info->public_key_size}, &mark, NULL, error));
    assert_int_equal(report.first_bad, 5);
    cs_key_close(&other);
}

static void test_when_a_seal_is_due(void **state)
{
    fixture *me = *state;
    cs_op_counts before = cs_ops_of_thread();
    uint64_t number;
    uint64_t sealed;
    uint8_t hash[CS_HASH_SIZE];

    assert_ok(cs_audit_seal_when_due(me->audit, me->store, NOW + 1000, false, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).sign, 0);
    assert_ok(cs_audit_seal_when_due(me->audit, me->store, NOW + CS_AUDIT_SEAL_MS, false, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).sign, 1);
    assert_ok(cs_store_audit_head(me->store, &number, hash, &sealed, error));
    assert_int_equal(sealed, ENTRIES);
    /* nothing new: nothing to sign, however late it gets */
    assert_ok(
        cs_audit_seal_when_due(me->audit, me->store, NOW + 9 * CS_AUDIT_SEAL_MS, true, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).sign, 1);
    for (unsigned i = 0; i < CS_AUDIT_SEAL_ENTRIES; i++)
        append(me, "read", CS_OK);
    assert_ok(
        cs_audit_seal_when_due(me->audit, me->store, NOW + 9 * CS_AUDIT_SEAL_MS + 1, false, error));
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).sign, 2);
}

static void test_a_token_that_fails(void **state)
{
    fixture *me = *state;
    cs_audit_report report;
    cs_audit_head mark;

    cs_soft_token_fail(me->token, CS_SOFT_SIGN, 1);
    assert_fails(CS_E_TOKEN, cs_audit_seal_when_due(me->audit, me->store, NOW, true, error));
    assert_ok(cs_audit_seal_when_due(me->audit, me->store, NOW, true, error));
    assert_ok(cs_audit_mark_read(&mark, me->mark, puk(me), error));
    assert_ok(cs_audit_verify(&report, me->store, puk(me), &mark, NULL, error));
    assert_int_equal(report.sealed, ENTRIES);
}

static json_t *export_json(const fixture *me)
{
    char *text = NULL;
    size_t size = 0;
    cs_audit_exported exported;
    FILE *out = open_memstream(&text, &size);
    json_t *bundle;

    assert_non_null(out);
    assert_ok(cs_audit_export(out, me->store, me->storage, "H-Observer", &exported, error));
    assert_int_equal(fclose(out), 0);
    bundle = json_loadb(text, size, 0, NULL);
    free(text);
    assert_non_null(bundle);
    assert_int_equal(exported.entries, json_array_size(json_object_get(bundle, "entry")));
    return bundle;
}

/* Entries of two starts, each with its epoch. */
static void test_export(void **state)
{
    fixture *me = *state;
    cs_op_counts before;
    json_t *bundle;
    const json_t *event;
    const char *text;

    cs_audit_free(&me->audit);
    assert_ok(cs_audit_new(&me->audit, me->storage, me->sign, me->mark, error));
    append(me, "revoke", CS_OK);
    before = cs_ops_of_thread();
    bundle = export_json(me);
    assert_int_equal(cs_ops_between(before, cs_ops_of_thread()).prf, 2);
    assert_string_equal(json_string_value(json_object_get(bundle, "resourceType")), "Bundle");
    assert_int_equal(json_array_size(json_object_get(bundle, "entry")), ENTRIES + 1);
    event = json_object_get(json_array_get(json_object_get(bundle, "entry"), 2), "resource");
    assert_string_equal(json_string_value(json_object_get(event, "outcome")), "4");
    assert_string_equal(json_string_value(json_object_get(event, "outcomeDesc")), "consent");
    assert_string_equal(
        json_string_value(json_object_get(event, "recorded")), "2023-11-14T22:13:20.000Z");
    text = json_string_value(json_object_get(
        json_object_get(json_object_get(json_array_get(json_object_get(event, "agent"), 0), "who"),
            "identifier"),
        "value"));
    assert_string_equal(text, "D-Who");
    json_decref(bundle);
}

/* An emergency is marked as such, and its reason does not hide the department. */
static void test_export_of_an_emergency(void **state)
{
    fixture *me = *state;
    const cs_audit_entry entry = {.time = NOW,
        .action = cs_view_str("session"),
        .outcome = cs_view_str("ok"),
        .detail = cs_view_str("cardiology"),
        .reason = cs_view_str("unconscious")};
    json_t *bundle;
    json_t *last;
    char *text;

    assert_ok(cs_audit_append(me->audit, me->store, &entry, error));
    bundle = export_json(me);
    last = json_array_get(json_object_get(bundle, "entry"), ENTRIES);
    text = json_dumps(last, JSON_COMPACT);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"purposeOfUse\":[{\"coding\":[{"));
    assert_non_null(strstr(text, "\"BTG\""));
    assert_non_null(strstr(text, "\"unconscious\""));
    assert_non_null(strstr(text, "\"cardiology\""));
    free(text);
    text = json_dumps(json_array_get(json_object_get(bundle, "entry"), 0), JSON_COMPACT);
    assert_null(strstr(text, "BTG"));
    free(text);
    json_decref(bundle);
}

static const char *outcome_of(const json_t *bundle, size_t index)
{
    const json_t *entry = json_array_get(json_object_get(bundle, "entry"), index);

    return json_string_value(json_object_get(json_object_get(entry, "resource"), "outcomeDesc"));
}

/* One bad entry must not take the readable ones from an auditor. */
static void test_export_of_a_damaged_entry(void **state)
{
    fixture *me = *state;
    cs_audit_exported exported;
    json_t *bundle;
    FILE *out = fopen("/dev/null", "w");

    assert_non_null(out);
    alter(me, "UPDATE audit SET sealed = zeroblob(length(sealed)) WHERE number = 4");
    alter(me, "UPDATE audit SET sealed = x'00' WHERE number = 6");
    assert_ok(cs_audit_export(out, me->store, me->storage, "H-Observer", &exported, error));
    assert_int_equal(exported.entries, ENTRIES);
    assert_int_equal(exported.unreadable, 2);
    assert_int_equal(fclose(out), 0);
    bundle = export_json(me);
    assert_string_equal(outcome_of(bundle, 3), "decrypt");
    assert_string_equal(outcome_of(bundle, 4), "ok");
    assert_string_equal(outcome_of(bundle, 5), "corrupt");
    json_decref(bundle);
    /* a token that fails is no damaged entry: what could be read must not be missing */
    cs_soft_token_fail(me->token, CS_SOFT_PRF, 1);
    out = fopen("/dev/null", "w");
    assert_non_null(out);
    assert_fails(
        CS_E_TOKEN, cs_audit_export(out, me->store, me->storage, "H-Observer", &exported, error));
    assert_int_equal(fclose(out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropped_and_renumbered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reordered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mended_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mended_after_the_seal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_off_before_the_seal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_off_after_it_was_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_forged_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_crash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expected_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_without_a_seal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_seal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_when_a_seal_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_token_that_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_of_an_emergency, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_of_a_damaged_entry, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
