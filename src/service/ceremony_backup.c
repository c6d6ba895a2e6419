/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key that survives its token, in a ceremony: made and wrapped once, rehearsed, restored. The
 * wrapping key comes of shares each time that it is needed, is in guarded memory for that long, and
 * in a token as a session object alone (token.h), so that a run that is killed leaves it nowhere.
 * A key that a killed run has left in a token is removed by the next, and made anew: nothing
 * depends on it before the entry is written.
 */
#include "service/ceremony.h"
#include "service/own_keys.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

#define TRIAL_LABEL "trial"
#define TRIAL_BACK_LABEL "trial-restored"

static const cs_survivor *survivor(const cs_ceremony *c)
{
    return cs_own_survivor(c->plan.kind);
}

static bool has(const cs_ceremony *c, const char *step)
{
    return cs_transcript_last(c->transcript, step) != NULL;
}

/* A PKCS#11 token issues in this suite alone; others have no use for it. */
static cs_suite suite_of(const cs_ceremony *c)
{
    return c->from != NULL ? c->from->suite : CS_SUITE_ED25519;
}

static void key_label(char label[CS_LABEL_MAX + 1], const cs_ceremony *c)
{
    (void)snprintf(
        label, CS_LABEL_MAX + 1, "%s-%s", cs_home_kind_name(c->plan.kind), survivor(c)->name);
}

static void operator_count(char text[32], unsigned needed, unsigned count)
{
    (void)snprintf(text, 32, "%u of %u", needed, count);
}

/* -- the plan ------------------------------------------------------------------------------------
 */

int cs_ceremony_check_survivor(const cs_ceremony_plan *plan, cs_error *error)
{
    bool backup = plan->backup != NULL;

    if ((backup || plan->restore != NULL) && cs_own_survivor(plan->kind) == NULL)
        return CS_FAIL(error, CS_E_USAGE, "a %s has no key that has to survive its token",
            cs_home_kind_name(plan->kind));
    if (backup != (plan->rehearse_label != NULL) || (!backup && plan->rehearse_module != NULL))
        return CS_FAIL(error, CS_E_USAGE,
            "--backup and --rehearse-label go together: a backup that was never restored is none");
    if (backup && strcmp(plan->label, plan->rehearse_label) == 0)
        return CS_FAIL(error, CS_E_USAGE,
            "--rehearse-label is that of the token itself; it is restored on a second one");
    if (backup && (!cs_text_is_clean(cs_view_str(plan->backup)) ||
                      !cs_text_is_clean(cs_view_str(plan->rehearse_label)) ||
                      !cs_text_is_clean(cs_view_str(plan->rehearse_module))))
        return CS_FAIL(error, CS_E_USAGE,
            "--backup, --rehearse-label and --rehearse-module go into a transcript: they are "
            "UTF-8, without control characters");
    if (plan->restore != NULL && !cs_text_is_clean(cs_view_str(plan->restore)))
        return CS_FAIL(error, CS_E_USAGE,
            "--restore goes into a transcript: it is UTF-8, without control characters");
    return CS_OK;
}

int cs_ceremony_check_file(const cs_ceremony *c, cs_error *error)
{
    cs_backup *there = NULL;
    int rc = cs_backup_read(&there, c->plan.backup, error);

    if (rc == CS_E_NO_FILE)
        rc = cs_file_may_write(c->plan.backup, error);
    else if (rc == CS_OK && memcmp(there->ceremony, c->id, sizeof c->id) != 0)
        rc = CS_E_EXISTS;
    if (rc == CS_E_EXISTS || rc == CS_E_CORRUPT || rc == CS_E_TOO_LARGE)
        rc = CS_FAIL(error, CS_E_EXISTS,
            "%s is there, and no backup of this ceremony; move it away, or mount the medium of "
            "this "
            "ceremony, and run this again",
            c->plan.backup);
    cs_backup_free(&there);
    return rc;
}

/* -- a wrapping key ------------------------------------------------------------------------------
 */

/* Of the digits that shares give. */
static int key_of(cs_buf *out, const cs_pin *digits, cs_error *error)
{
    char *text = cs_secret_new(digits->n + 1);
    int rc = CS_OK;

    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a key; raise RLIMIT_MEMLOCK");
    if (digits->n > 0)
        memcpy(text, digits->text, digits->n);
    out->guarded = true;
    rc = cs_unhex(out, text, error);
    if (rc == CS_OK && out->n != CS_WRAPPING_KEY_SIZE)
        rc = CS_FAIL(error, CS_E_MALFORMED,
            "these are shares of no wrapping key; take those of the ceremony of the backup");
    cs_secret_free(&text);
    return rc;
}

/* -- the trial -----------------------------------------------------------------------------------
 */

static int compare(cs_key *a, cs_key *b, cs_error *error)
{
    char first[CS_SURVIVOR_CHECK_SIZE], second[CS_SURVIVOR_CHECK_SIZE];
    int rc = cs_own_survivor_check(first, a, error);

    if (rc == CS_OK)
        rc = cs_own_survivor_check(second, b, error);
    if (rc == CS_OK && strcmp(first, second) != 0)
        rc = CS_FAIL(error, CS_E_TOKEN,
            "the key that was unwrapped is another than was wrapped; "
            "this token serves no backup");
    return rc;
}

static int remove_trial(cs_token *token, cs_error *error)
{
    int rc = cs_key_destroy(token, TRIAL_LABEL, error);

    return rc == CS_OK ? cs_key_destroy(token, TRIAL_BACK_LABEL, error) : rc;
}

static int try_on(const cs_ceremony *c, cs_token *token, const cs_wrapping_key *with,
    const uint8_t *key, cs_error *error)
{
    cs_use use = survivor(c)->use;
    cs_key *made = NULL, *back = NULL;
    cs_buf wrapped = {0};
    cs_unwrapping from = {.key = key};
    int rc = remove_trial(token, error);

    if (rc == CS_OK)
        rc = cs_key_generate_wrapped(
            &made, &wrapped, token, with, TRIAL_LABEL, use, suite_of(c), error);
    if (rc == CS_OK) {
        from.wrapped = cs_view_buf(&wrapped);
        if (use == CS_USE_ISSUE)
            from.public_key = (cs_view){
                cs_key_describe(made)->public_key, cs_key_describe(made)->public_key_size};
        rc = cs_key_unwrap(&back, token, &from, TRIAL_BACK_LABEL, use, suite_of(c), error);
    }
    if (rc == CS_OK)
        rc = compare(made, back, error);
    cs_key_close(&made);
    cs_key_close(&back);
    if (rc == CS_OK)
        rc = remove_trial(token, error);
    cs_buf_free(&wrapped);
    return rc;
}

/* As the user, with all that such a key needs to be taken. */
static int open_for(cs_token **out, cs_ceremony *c, const char *uri, cs_error *error)
{
    cs_token_options options = cs_ceremony_token_options(c);

    options.backed_up = options.restored = survivor(c)->use;
    return cs_token_open(out, uri, &options, error);
}

int cs_ceremony_try(cs_ceremony *c, cs_error *error)
{
    const cs_pin_source so_pin = cs_ceremony_so_pin(c);
    uint8_t *key = cs_secret_new(CS_WRAPPING_KEY_SIZE);
    cs_wrapping_key *with = NULL;
    cs_token *token = NULL;
    cs_token_info info = {0};
    int rc;

    if (c->plan.backup == NULL || has(c, "trial") || cs_ceremony_done(c) >= CS_CEREMONY_TOKEN) {
        cs_secret_free(&key);
        return CS_OK;
    }
    if (key == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a key; raise RLIMIT_MEMLOCK");
    cs_random(key, CS_WRAPPING_KEY_SIZE);
    rc = cs_ceremony_initialise(c, c->plan.rehearse_module, c->plan.rehearse_label, &info, error);
    if (rc == CS_OK)
        rc = cs_wrapping_key_new(&with, info.uri, &so_pin, key, error);
    if (rc == CS_OK)
        rc = open_for(&token, c, info.uri, error);
    if (rc == CS_OK)
        rc = try_on(c, token, with, key, error);
    cs_wrapping_key_free(&with);
    cs_token_close(&token);
    cs_secret_free(&key);
    if (rc == CS_E_TOKEN_UNSUITABLE)
        return cs_error_context(error,
            "%s can have no backup (nothing that matters was made: begin anew with --start-over "
            "and without --backup)",
            survivor(c)->what);
    if (rc != CS_OK)
        return rc;
    return cs_transcript_add(c->transcript, "trial",
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "uri", info.uri, "label", info.label, "serial",
            info.serial, "module", info.module, "says",
            "a throwaway key was wrapped and unwrapped on the second token, and removed"),
        error);
}

/* -- restoring -----------------------------------------------------------------------------------
 */

bool cs_ceremony_wants_former(const cs_ceremony *c)
{
    return c->from != NULL && cs_ceremony_done(c) < CS_CEREMONY_KEYS &&
           !has(c, c->plan.backup != NULL ? "backup" : "restore");
}

int cs_ceremony_gather_former(cs_ceremony *c, const cs_share *shares, size_t n, cs_error *error)
{
    cs_buf key = {0};
    int rc = n <= CS_SHARES_MAX
                 ? CS_OK
                 : CS_FAIL(error, CS_E_USAGE, "these are more shares than there are");

    for (size_t i = 0; rc == CS_OK && i < n; i++) {
        if (shares[i].kind != CS_SHARE_WRAPPING_KEY)
            rc = CS_FAIL(error, CS_E_USAGE,
                "a share of the %s does not open a backup; the shares of its wrapping-key do",
                cs_share_kind_name(shares[i].kind));
        else if (memcmp(shares[i].id, c->from->ceremony, sizeof c->from->ceremony) != 0)
            rc = CS_FAIL(error, CS_E_PIN_WRONG,
                "the wrapping-key share of operator %u is of another ceremony than %s; find that "
                "of %s",
                shares[i].number, c->plan.restore, c->from->time);
    }
    cs_pin_free(&c->former);
    if (rc == CS_OK)
        rc = cs_share_combine(&c->former, shares, n, error);
    if (rc == CS_OK)
        rc = key_of(&key, &c->former, error);
    if (rc == CS_OK) /* before a token is made for it */
        rc = cs_backup_verify(c->from, key.p, error);
    cs_buf_free(&key);
    return rc;
}

/* -- the key -------------------------------------------------------------------------------------
 */

/* A key from the backup that is not the one it says: removed again. */
static int check_restored(cs_key **key, cs_token *token, const char *label, const char *check,
    const cs_ceremony *c, cs_error *error)
{
    if (strcmp(check, c->from->check) == 0)
        return CS_OK;
    cs_key_close(key);
    (void)!cs_key_destroy(token, label, NULL);
    return CS_FAIL(error, CS_E_KEY_MISSING,
        "what %s holds is not %s that it names; take another copy", c->plan.restore,
        survivor(c)->what);
}

static int bring_back(cs_key **out, cs_token *token, const cs_backup *from, cs_unwrapping *how,
    const char *label, cs_use use, cs_error *error)
{
    cs_buf public_key = {0};
    int rc = cs_backup_verify(from, how->key, error);

    if (rc == CS_OK && use == CS_USE_ISSUE)
        rc = cs_unhex(&public_key, from->check, error);
    how->wrapped = cs_view_buf(&from->wrapped);
    how->public_key = cs_view_buf(&public_key);
    if (rc == CS_OK)
        rc = cs_key_unwrap(out, token, how, label, use, from->suite, error);
    cs_buf_free(&public_key);
    return rc;
}

/* check: what it answers. wrapped: with a backup. */
static int make_key(char check[CS_SURVIVOR_CHECK_SIZE], cs_buf *wrapped, cs_ceremony *c,
    cs_token *token, const cs_wrapping_key *with, cs_error *error)
{
    cs_unwrapping how = {.again = with, .rewrapped = wrapped};
    cs_use use = survivor(c)->use;
    char label[CS_LABEL_MAX + 1];
    cs_buf former = {0};
    cs_key *key = NULL;
    int rc;

    key_label(label, c);
    rc = cs_key_destroy(token, label, error);
    if (rc == CS_OK && c->from != NULL) {
        rc = key_of(&former, &c->former, error);
        how.key = former.p;
        if (rc == CS_OK)
            rc = bring_back(&key, token, c->from, &how, label, use, error);
    } else if (rc == CS_OK) {
        rc = cs_key_generate_wrapped(&key, wrapped, token, with, label, use, suite_of(c), error);
    }
    cs_buf_free(&former);
    if (rc == CS_OK)
        rc = cs_own_survivor_check(check, key, error);
    if (rc == CS_OK && c->from != NULL)
        rc = check_restored(&key, token, label, check, c, error);
    cs_key_close(&key);
    return rc;
}

static int note_restore(cs_ceremony *c, const char *check, cs_error *error)
{
    char id[2 * CS_SHARE_ID_SIZE + 1], hex[2 * CS_HASH_SIZE + 1], says[256];

    cs_hex(CS_VIEW_ARRAY(c->from->ceremony), id);
    cs_hex(CS_VIEW_ARRAY(c->from->sha256), hex);
    (void)snprintf(says, sizeof says,
        "%s was unwrapped from the backup: it was made in another token, and was outside of one",
        survivor(c)->what);
    return cs_transcript_add(c->transcript, "restore",
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "file", c->plan.restore, "sha256",
            hex, "from_ceremony", id, "from_token", c->from->token, "from_serial", c->from->serial,
            "from_time", c->from->time, "check", check, "says", says),
        error);
}

static int write_file(
    cs_ceremony *c, cs_buf *wrapped, const char *check, const cs_buf *key, cs_error *error)
{
    const json_t *token = cs_transcript_last(c->transcript, "token");
    cs_backup b = {.kind = c->plan.kind,
        .suite = suite_of(c),
        .wrapped = *wrapped,
        .id = c->plan.id,
        .token = json_string_value(json_object_get(token, "label")),
        .serial = json_string_value(json_object_get(token, "serial")),
        .time =
            json_string_value(json_object_get(cs_transcript_last(c->transcript, "begin"), "time")),
        .check = check,
        .needed = c->plan.needed,
        .count = c->plan.count};
    char hex[2 * CS_HASH_SIZE + 1], says[320], count[32];
    int rc;

    memcpy(b.ceremony, c->id, sizeof b.ceremony);
    rc = cs_ceremony_check_file(c, error);
    if (rc == CS_OK)
        rc = cs_backup_write(c->plan.backup, &b, key->p, error);
    if (rc != CS_OK)
        return rc;
    cs_hex(CS_VIEW_ARRAY(b.sha256), hex);
    operator_count(count, b.needed, b.count);
    (void)snprintf(says, sizeof says,
        "%s has left the token once, wrapped, and cannot leave it any more: whoever has this file "
        "and the wrapping-key shares of %s operators has the key",
        survivor(c)->what, count);
    return cs_transcript_add(c->transcript, "backup",
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "file", c->plan.backup, "sha256", hex, "key",
            survivor(c)->name, "check", check, "says", says),
        error);
}

static bool is_made(const cs_ceremony *c)
{
    return (c->plan.backup == NULL && c->from == NULL) || cs_ceremony_done(c) >= CS_CEREMONY_KEYS ||
           has(c, c->plan.backup != NULL ? "backup" : "restore");
}

int cs_ceremony_make_survivor(cs_ceremony *c, cs_error *error)
{
    const cs_pin_source so_pin = cs_ceremony_so_pin(c);
    const char *uri = cs_ceremony_token_uri(c);
    char check[CS_SURVIVOR_CHECK_SIZE];
    cs_wrapping_key *with = NULL;
    cs_buf key = {0}, wrapped = {0};
    cs_token *token = NULL;
    int rc = CS_OK;

    if (is_made(c))
        return CS_OK;
    if (c->plan.backup != NULL) {
        rc = key_of(&key, &c->wrapping, error);
        if (rc == CS_OK)
            rc = cs_wrapping_key_new(&with, uri, &so_pin, key.p, error);
    }
    if (rc == CS_OK)
        rc = open_for(&token, c, uri, error);
    if (rc == CS_OK)
        rc = make_key(check, &wrapped, c, token, with, error);
    cs_wrapping_key_free(&with);
    cs_token_close(&token);
    if (rc == CS_OK && c->from != NULL)
        rc = note_restore(c, check, error);
    if (rc == CS_OK && c->plan.backup != NULL)
        rc = write_file(c, &wrapped, check, &key, error);
    cs_buf_free(&key);
    cs_buf_free(&wrapped);
    cs_pin_free(&c->wrapping); /* the rehearsal has them given again */
    cs_pin_free(&c->former);
    return rc;
}

/* -- the rehearsal -------------------------------------------------------------------------------
 */

bool cs_ceremony_wants_rehearsal(const cs_ceremony *c)
{
    return c->plan.backup != NULL && !has(c, "rehearsal") && cs_ceremony_done(c) < CS_CEREMONY_KEYS;
}

static int find_key(void *context, const cs_key_info *info)
{
    (void)snprintf(context, CS_LABEL_MAX + 1, "%s", info->label);
    return 0;
}

/* The file, as it is on its disk, on the second token; and then nothing of it there. */
static int restore_there(cs_ceremony *c, const cs_backup *file, const cs_buf *key, cs_error *error)
{
    const char *uri =
        json_string_value(json_object_get(cs_transcript_last(c->transcript, "trial"), "uri"));
    char label[CS_LABEL_MAX + 1], check[CS_SURVIVOR_CHECK_SIZE], left[CS_LABEL_MAX + 1] = "";
    cs_unwrapping how = {.key = key->p};
    cs_token *token = NULL;
    cs_key *back = NULL;
    int rc = open_for(&token, c, uri, error);

    key_label(label, c);
    if (rc == CS_OK)
        rc = cs_key_destroy(token, label, error);
    if (rc == CS_OK)
        rc = bring_back(&back, token, file, &how, label, survivor(c)->use, error);
    if (rc == CS_OK)
        rc = cs_own_survivor_check(check, back, error);
    if (rc == CS_OK && strcmp(check, file->check) != 0)
        rc = CS_FAIL(error, CS_E_KEY_MISSING, "the restored key is another one: this is no backup");
    cs_key_close(&back);
    if (token != NULL && cs_key_destroy(token, label, rc == CS_OK ? error : NULL) != CS_OK &&
        rc == CS_OK)
        rc = (int)error->code;
    if (rc == CS_OK)
        rc = cs_token_list_keys(token, find_key, left, error);
    if (rc == CS_OK && left[0] != '\0')
        rc = CS_FAIL(error, CS_E_EXISTS, "the second token is not empty: it has %s; wipe it", left);
    cs_token_close(&token);
    return rc;
}

static int note_rehearsal(cs_ceremony *c, const cs_backup *file, json_t *numbers, cs_error *error)
{
    const json_t *trial = cs_transcript_last(c->transcript, "trial");
    char hex[2 * CS_HASH_SIZE + 1];

    cs_hex(CS_VIEW_ARRAY(file->sha256), hex);
    return cs_transcript_add(c->transcript, "rehearsal",
        json_pack("{s:s, s:O, s:O, s:O, s:s, s:s}", "sha256", hex, "label",
            json_object_get(trial, "label"), "serial", json_object_get(trial, "serial"),
            "wrapping_key_by", numbers, "check", file->check, "says",
            "the backup was restored on the second token from shares that were given again, found "
            "to be the same key, and removed there; that token is empty, and has the PINs of this "
            "ceremony"),
        error);
}

int cs_ceremony_rehearse(cs_ceremony *c, const cs_share *shares, size_t n, cs_error *error)
{
    const char *noted =
        json_string_value(json_object_get(cs_transcript_last(c->transcript, "backup"), "sha256"));
    char hex[2 * CS_HASH_SIZE + 1];
    json_t *numbers = json_array();
    cs_backup *file = NULL;
    cs_buf key = {0};
    int rc = cs_backup_read(&file, c->plan.backup, error);

    if (rc == CS_OK) {
        cs_hex(CS_VIEW_ARRAY(file->sha256), hex);
        if (noted == NULL || strcmp(noted, hex) != 0)
            rc = CS_FAIL(error, CS_E_CORRUPT,
                "%s is not as this ceremony has written it; put it back", c->plan.backup);
    }
    if (rc == CS_OK)
        rc = cs_ceremony_gather_kind(
            c, &c->wrapping, numbers, CS_SHARE_WRAPPING_KEY, shares, n, error);
    if (rc == CS_OK)
        rc = key_of(&key, &c->wrapping, error);
    cs_pin_free(&c->wrapping);
    if (rc == CS_OK)
        rc = restore_there(c, file, &key, error);
    cs_buf_free(&key);
    if (rc == CS_OK)
        rc = note_rehearsal(c, file, numbers, error);
    cs_backup_free(&file);
    json_decref(numbers);
    return rc;
}

/* -- what the home is told -----------------------------------------------------------------------
 */

int cs_ceremony_note_survivor(const cs_ceremony *c, json_t *config, cs_error *error)
{
    const json_t *backup = cs_transcript_last(c->transcript, "backup");
    const json_t *restored = cs_transcript_last(c->transcript, "restore");
    char shares[32];
    int failed = 0;

    operator_count(shares, c->plan.needed, c->plan.count);
    if (c->plan.backup != NULL)
        failed = json_object_set_new(config, CS_HOME_BACKUP,
            json_pack("{s:O, s:O, s:O, s:s}", "time", json_object_get(backup, "time"), "file",
                json_object_get(backup, "file"), "sha256", json_object_get(backup, "sha256"),
                "shares", shares));
    if (failed == 0 && c->from != NULL)
        failed = json_object_set_new(config, CS_HOME_RESTORED,
            json_pack("{s:O, s:O, s:O, s:O}", "time", json_object_get(restored, "time"),
                "from_time", json_object_get(restored, "from_time"), "from_serial",
                json_object_get(restored, "from_serial"), "sha256",
                json_object_get(restored, "sha256")));
    return failed == 0 ? CS_OK : CS_FAIL(error, CS_E_MEMORY, "no memory for config.json");
}
