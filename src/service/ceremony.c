/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ceremony.h"

#include "service/own_keys.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DIGITS_DEFAULT 32 /* 128 bits */

static const char *const step_names[] = {
    [CS_CEREMONY_SHARES] = "shares",
    [CS_CEREMONY_TOKEN] = "token",
    [CS_CEREMONY_KEYS] = "keys",
    [CS_CEREMONY_OPENED] = "opened",
    [CS_CEREMONY_AUDIT] = "audit",
    [CS_CEREMONY_SIGNED] = "signature",
};

cs_ceremony_step cs_ceremony_done(const cs_ceremony *c)
{
    for (int step = CS_CEREMONY_SIGNED; step > CS_CEREMONY_NEW; step--) {
        if (cs_transcript_last(c->transcript, step_names[step]) != NULL)
            return (cs_ceremony_step)step;
    }
    return CS_CEREMONY_NEW;
}

static void place(char path[CS_PATH_MAX], const cs_ceremony *c, const char *name)
{
    (void)snprintf(path, CS_PATH_MAX, "%s/%s", c->plan.dir, name);
}

/* -- opening -------------------------------------------------------------------------------------
 */

/* Of the directory itself, so that no file has to be there. */
static int lock_directory(cs_ceremony *c, cs_error *error)
{
    c->lock = open(c->plan.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->lock >= 0 && flock(c->lock, LOCK_EX | LOCK_NB) == 0)
        return CS_OK;
    if (c->lock >= 0 && errno == EWOULDBLOCK)
        return CS_FAIL(error, CS_E_BUSY, "a ceremony is being held in %s", c->plan.dir);
    return CS_FAIL(error, CS_E_STORAGE, "%s cannot be locked: %s", c->plan.dir, strerror(errno));
}

static bool says(const json_t *entry, const char *name, const char *value)
{
    const char *said = json_string_value(json_object_get(entry, name));

    return said != NULL && strcmp(said, value) == 0;
}

static int take_id(uint8_t out[CS_SHARE_ID_SIZE], const json_t *begin, cs_error *error)
{
    const char *hex = json_string_value(json_object_get(begin, "ceremony"));
    cs_buf bytes = {0};
    int rc = CS_OK;

    if (hex == NULL || cs_unhex(&bytes, hex, NULL) != CS_OK || bytes.n != CS_SHARE_ID_SIZE)
        rc = CS_FAIL(error, CS_E_CORRUPT,
            "the transcript's first entry names no ceremony; see who wrote it");
    else
        memcpy(out, bytes.p, CS_SHARE_ID_SIZE);
    cs_buf_free(&bytes);
    return rc;
}

/* Both have it, and alike; or neither has. */
static bool same_text(const json_t *begin, const char *name, const char *value)
{
    return value == NULL ? json_object_get(begin, name) == NULL : says(begin, name, value);
}

static void restored_from(char hex[2 * CS_HASH_SIZE + 1], const cs_ceremony *c)
{
    cs_hex(CS_VIEW_ARRAY(c->from->sha256), hex);
}

/* What begins anew may do without a backup, or have one. */
static int check_same_survivor(const cs_ceremony *c, const json_t *begin, cs_error *error)
{
    const cs_ceremony_plan *plan = &c->plan;
    char hex[2 * CS_HASH_SIZE + 1];

    if (c->from != NULL)
        restored_from(hex, c);
    if (same_text(begin, "backup_file", plan->backup) &&
        same_text(begin, "rehearse_label", plan->rehearse_label) &&
        same_text(begin, "rehearse_module", plan->rehearse_module) &&
        same_text(begin, "restore_sha256", c->from == NULL ? NULL : hex))
        return CS_OK;
    return CS_FAIL(error, CS_E_USAGE,
        "the ceremony that was begun in %s has another backup, or none, or a restoration; give the "
        "options of then, or begin anew with --start-over",
        plan->dir);
}

static int check_same(const cs_ceremony *c, const json_t *begin, cs_error *error)
{
    const cs_ceremony_plan *plan = &c->plan;

    if (says(begin, "role", cs_home_kind_name(plan->kind)) && says(begin, "id", plan->id) &&
        says(begin, "module", plan->module) && says(begin, "label", plan->label) &&
        json_integer_value(json_object_get(begin, "needed")) == (json_int_t)plan->needed &&
        json_integer_value(json_object_get(begin, "operators")) == (json_int_t)plan->count)
        return CS_OK;
    return CS_FAIL(error, CS_E_USAGE,
        "the ceremony that was begun in %s is for another role, identity, token or number of "
        "operators; give the options of then",
        plan->dir);
}

static int check_start_over(const cs_ceremony *c, cs_error *error)
{
    cs_token_vacancy vacancy;
    int rc = cs_ceremony_done(c) > CS_CEREMONY_SHARES
                 ? CS_E_EXISTS
                 : cs_token_find_vacancy(&vacancy, c->plan.module, c->plan.label, error);

    if (rc == CS_E_EXISTS)
        rc = CS_FAIL(error, CS_E_EXISTS,
            "token %s has the PINs of this ceremony already; only its shares open it, or its "
            "maker's way to wipe it and another --dir",
            c->plan.label);
    return rc;
}

/* Signed, and its home opens. */
static bool is_over(const cs_ceremony *c)
{
    cs_home *home = NULL;
    bool over = cs_ceremony_done(c) == CS_CEREMONY_SIGNED &&
                cs_home_open_any(&home, c->plan.dir, NULL) == CS_OK;

    cs_home_free(&home);
    return over;
}

/* What was begun is gone on with, or is void. */
static int take_up(cs_ceremony *c, bool start_over, cs_error *error)
{
    const json_t *begin = cs_transcript_last(c->transcript, "begin");
    char path[CS_PATH_MAX];
    int rc;

    if (begin == NULL) {
        place(path, c, "config.json");
        if (cs_transcript_count(c->transcript) > 0)
            return CS_FAIL(
                error, CS_E_CORRUPT, "the transcript in %s has no beginning", c->plan.dir);
        return access(path, F_OK) != 0 ? CS_OK
                                       : CS_FAIL(error, CS_E_EXISTS,
                                             "%s is there already; use another directory", path);
    }
    if (is_over(c))
        return CS_FAIL(error, CS_E_EXISTS,
            "the ceremony of %s is over; see `chartseal token transcript`, or use another "
            "directory",
            c->plan.dir);
    rc = take_id(c->id, begin, error);
    if (rc == CS_OK)
        rc = check_same(c, begin, error);
    if (rc == CS_OK)
        rc = start_over                              ? check_start_over(c, error)
             : cs_ceremony_done(c) > CS_CEREMONY_NEW ? check_same_survivor(c, begin, error)
                                                     : CS_OK;
    if (rc != CS_OK || (cs_ceremony_done(c) != CS_CEREMONY_NEW && !start_over))
        return rc;
    memcpy(c->void_id, c->id, sizeof c->void_id);
    c->has_void = true;
    return cs_transcript_restart(c->transcript, error);
}

static int check_plan(const cs_ceremony_plan *plan, cs_error *error)
{
    if (plan->needed < 2 || plan->needed > plan->count || plan->count > CS_SHARES_MAX)
        return CS_FAIL(error, CS_E_USAGE,
            "%u of %u operators is no ceremony; take 2 to %d operators, of whom at least 2 are "
            "needed",
            plan->needed, plan->count, CS_SHARES_MAX);
    if (strlen(plan->dir) > CS_PATH_MAX - 64)
        return CS_FAIL(error, CS_E_USAGE, "the name of the directory is too long");
    if (!cs_text_is_clean(cs_view_str(plan->id)) || !cs_text_is_clean(cs_view_str(plan->label)) ||
        !cs_text_is_clean(cs_view_str(plan->module)))
        return CS_FAIL(error, CS_E_USAGE,
            "--id, --label and --module go into a transcript: they are UTF-8, without control "
            "characters");
    return cs_ceremony_check_survivor(plan, error);
}

static int read_former(cs_ceremony *c, cs_error *error)
{
    int rc = cs_backup_read(&c->from, c->plan.restore, error);

    if (rc == CS_OK && (c->from->kind != c->plan.kind || strcmp(c->from->id, c->plan.id) != 0))
        rc = CS_FAIL(error, CS_E_USAGE, "%s is a backup of %s %s; take that of %s", c->plan.restore,
            cs_home_kind_name(c->from->kind), c->from->id, c->plan.id);
    return rc;
}

int cs_ceremony_open(
    cs_ceremony **out, const cs_ceremony_plan *plan, bool start_over, cs_error *error)
{
    cs_ceremony *c;
    char path[CS_PATH_MAX];
    int rc = check_plan(plan, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = cs_make_directories(plan->dir, error);
    if (rc == CS_OK)
        rc = cs_home_check_place(plan->dir, plan->id, plan->kind, error);
    if (rc != CS_OK)
        return rc;
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a ceremony");
    c->plan = *plan;
    place(path, c, CS_TRANSCRIPT_NAME);
    rc = lock_directory(c, error);
    if (rc == CS_OK && plan->restore != NULL)
        rc = read_former(c, error);
    if (rc == CS_OK)
        rc = cs_transcript_open(&c->transcript, path, error);
    if (rc == CS_OK)
        rc = take_up(c, start_over, error);
    if (rc == CS_OK)
        *out = c;
    else
        cs_ceremony_close(&c);
    return rc;
}

void cs_ceremony_close(cs_ceremony **ceremony)
{
    cs_ceremony *c = *ceremony;

    if (c == NULL)
        return;
    cs_pin_free(&c->pin);
    cs_pin_free(&c->so_pin);
    cs_pin_free(&c->wrapping);
    cs_pin_free(&c->former);
    cs_backup_free(&c->from);
    cs_transcript_free(&c->transcript);
    if (c->lock >= 0)
        (void)close(c->lock);
    free(c);
    *ceremony = NULL;
}

/* -- shares --------------------------------------------------------------------------------------
 */

/* How many bytes: an even number of digits that the token takes. */
static int choose_length(size_t *bytes, unsigned digits, const cs_token_vacancy *vacancy,
    const char *what, cs_error *error)
{
    size_t wanted = digits != 0                           ? digits
                    : vacancy->pin_most < DIGITS_DEFAULT  ? vacancy->pin_most & ~(size_t)1
                    : vacancy->pin_least > DIGITS_DEFAULT ? (vacancy->pin_least + 1) & ~(size_t)1
                                                          : DIGITS_DEFAULT;

    *bytes = wanted / 2;
    if (wanted % 2 == 0 && wanted >= vacancy->pin_least && wanted <= vacancy->pin_most &&
        *bytes >= CS_SHARE_PIN_BYTES_MIN && *bytes <= CS_SHARE_PIN_BYTES_MAX)
        return CS_OK;
    return CS_FAIL(error, CS_E_USAGE,
        "%s of %zu digits: the token takes %zu to %zu, and a share holds an even number from %d to "
        "%d",
        what, wanted, vacancy->pin_least, vacancy->pin_most, 2 * CS_SHARE_PIN_BYTES_MIN,
        2 * CS_SHARE_PIN_BYTES_MAX);
}

static const char *intention(const cs_ceremony_plan *plan)
{
    return plan->backup != NULL && plan->restore != NULL
               ? "by choice: one key comes from a backup, and leaves this token once, wrapped "
                 "under a key whose shares the operators hold; the others cannot leave it"
           : plan->restore != NULL
               ? "none anew: one key comes from a backup, by choice; the others are made in the "
                 "token, and none can leave it"
           : plan->backup != NULL
               ? "by choice: one key leaves the token once, wrapped under a key whose shares the "
                 "operators hold; the others cannot leave it"
               : "none: keys are made in the token and cannot leave it";
}

/* The second token has to have room, too. */
static int check_backup(const cs_ceremony *c, cs_error *error)
{
    cs_token_vacancy vacancy;
    int rc;

    if (c->plan.backup == NULL)
        return CS_OK;
    rc = cs_ceremony_check_file(c, error);
    return rc == CS_OK ? cs_token_find_vacancy(
                             &vacancy, c->plan.rehearse_module, c->plan.rehearse_label, error)
                       : rc;
}

static json_t *beginning(const cs_ceremony *c, size_t bytes, size_t so_bytes)
{
    const cs_ceremony_plan *plan = &c->plan;
    char hex[2 * CS_SHARE_ID_SIZE + 1], from[2 * CS_HASH_SIZE + 1];
    json_t *entry;

    cs_hex(CS_VIEW_ARRAY(c->id), hex);
    if (c->from != NULL)
        restored_from(from, c);
    entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:s*, s:s*, s:s*, s:s*}",
        "ceremony", hex, "role", cs_home_kind_name(plan->kind), "id", plan->id, "module",
        plan->module, "label", plan->label, "operators", (int)plan->count, "needed",
        (int)plan->needed, "pin_digits", (int)(2 * bytes), "so_pin_digits", (int)(2 * so_bytes),
        "backup", intention(plan), "backup_file", plan->backup, "rehearse_label",
        plan->rehearse_label, "rehearse_module", plan->rehearse_module, "restore_sha256",
        c->from != NULL ? from : NULL);
    return entry;
}

int cs_ceremony_begin(
    cs_ceremony *c, cs_share *user, cs_share *so, cs_share *wrapping, cs_error *error)
{
    const cs_ceremony_plan *plan = &c->plan;
    size_t bytes = 0, so_bytes = 0;
    cs_token_vacancy vacancy;
    int rc = cs_token_find_vacancy(&vacancy, plan->module, plan->label, error);

    if (rc == CS_OK)
        rc = choose_length(&bytes, plan->pin_digits, &vacancy, "a user PIN", error);
    if (rc == CS_OK)
        rc = choose_length(&so_bytes, plan->so_pin_digits, &vacancy, "an SO PIN", error);
    if (rc == CS_OK)
        rc = check_backup(c, error);
    if (rc != CS_OK)
        return rc;
    cs_random(c->id, sizeof c->id);
    rc = cs_transcript_add(c->transcript, "begin", beginning(c, bytes, so_bytes), error);
    if (rc == CS_OK)
        rc = cs_share_make(user, CS_SHARE_USER_PIN, c->id, bytes, plan->needed, plan->count, error);
    if (rc == CS_OK)
        rc = cs_share_make(so, CS_SHARE_SO_PIN, c->id, so_bytes, plan->needed, plan->count, error);
    if (rc == CS_OK && plan->backup != NULL)
        rc = cs_share_make(wrapping, CS_SHARE_WRAPPING_KEY, c->id, CS_WRAPPING_KEY_SIZE,
            plan->needed, plan->count, error);
    return rc;
}

static json_t *hashes_of(const cs_share *shares, unsigned count, cs_error *error)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++) {
        uint8_t hash[CS_HASH_SIZE];
        char hex[2 * CS_HASH_SIZE + 1];

        if (cs_share_hash(hash, &shares[i], error) != CS_OK) {
            json_decref(list);
            return NULL;
        }
        cs_hex(CS_VIEW_ARRAY(hash), hex);
        if (json_array_append_new(list, json_string(hex)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int cs_ceremony_handed_out(cs_ceremony *c, const cs_share *user, const cs_share *so,
    const cs_share *wrapping, cs_error *error)
{
    json_t *of_user = hashes_of(user, c->plan.count, error);
    json_t *of_so = hashes_of(so, c->plan.count, error);
    json_t *of_wrapping = c->plan.backup == NULL ? NULL : hashes_of(wrapping, c->plan.count, error);
    json_t *entry = json_pack("{s:o, s:o}", "user_pin", of_user, "so_pin", of_so);

    if (c->plan.backup != NULL && entry != NULL &&
        json_object_set_new(entry, "wrapping_key", of_wrapping) != 0) {
        json_decref(entry);
        entry = NULL;
    }
    return cs_transcript_add(c->transcript, "shares", entry, error);
}

/* Is it the share that its operator was given? */
static int check_share(const cs_ceremony *c, const cs_share *share, cs_error *error)
{
    static const char *const names[] = {[CS_SHARE_USER_PIN] = "user_pin",
        [CS_SHARE_SO_PIN] = "so_pin",
        [CS_SHARE_WRAPPING_KEY] = "wrapping_key"};
    const json_t *entry = cs_transcript_last(c->transcript, "shares");
    const json_t *list = json_object_get(entry, names[share->kind]);
    const char *wanted = json_string_value(json_array_get(list, share->number - 1));
    uint8_t hash[CS_HASH_SIZE];
    char hex[2 * CS_HASH_SIZE + 1];
    int rc;

    if (memcmp(share->id, c->id, sizeof c->id) != 0)
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "the %s share of operator %u is of another ceremony, or of a run that was begun anew; "
            "find the right one",
            cs_share_kind_name(share->kind), share->number);
    rc = cs_share_hash(hash, share, error);
    if (rc != CS_OK)
        return rc;
    cs_hex(CS_VIEW_ARRAY(hash), hex);
    if (wanted == NULL || strcmp(wanted, hex) != 0)
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "the %s share of operator %u is not the one that was handed out; take another "
            "operator's, and ask who has altered it",
            cs_share_kind_name(share->kind), share->number);
    return CS_OK;
}

int cs_ceremony_gather_kind(cs_ceremony *c, cs_pin *out, json_t *numbers, cs_share_kind kind,
    const cs_share *shares, size_t n, cs_error *error)
{
    cs_share *some = cs_secret_new((n + 1) * sizeof *some);
    size_t count = 0;
    int rc = some == NULL ? CS_FAIL(error, CS_E_MEMORY, "no guarded memory for shares") : CS_OK;

    for (size_t i = 0; rc == CS_OK && i < n; i++) {
        if (shares[i].kind != kind)
            continue;
        rc = check_share(c, &shares[i], error);
        some[count++] = shares[i];
        if (rc == CS_OK &&
            json_array_append_new(numbers, json_integer((json_int_t)shares[i].number)) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a list of operators");
    }
    if (rc == CS_OK && count == 0)
        rc = CS_FAIL(error, CS_E_PIN_MISSING, "there is no share of the %s; %u are needed",
            cs_share_kind_name(kind), c->plan.needed);
    if (rc == CS_OK) {
        cs_pin_free(out);
        rc = cs_share_combine(out, some, count, error);
    }
    cs_secret_free(&some);
    return rc;
}

bool cs_ceremony_wants(const cs_ceremony *c, cs_share_kind kind)
{
    bool backup = c->plan.backup != NULL && cs_transcript_last(c->transcript, "backup") == NULL &&
                  cs_ceremony_done(c) < CS_CEREMONY_KEYS;

    return kind == CS_SHARE_USER_PIN ||
           (kind == CS_SHARE_SO_PIN && cs_ceremony_done(c) < CS_CEREMONY_TOKEN) || backup;
}

int cs_ceremony_gather(cs_ceremony *c, const cs_share *shares, size_t n, cs_error *error)
{
    const struct {
        cs_share_kind kind;
        cs_pin *out;
        const char *name;
    } kinds[] = {{CS_SHARE_USER_PIN, &c->pin, "user_pin_by"},
        {CS_SHARE_SO_PIN, &c->so_pin, "so_pin_by"},
        {CS_SHARE_WRAPPING_KEY, &c->wrapping, "wrapping_key_by"}};
    json_t *entry = json_object();
    int rc = n <= CS_SHARE_KIND_LAST * (size_t)CS_SHARES_MAX
                 ? CS_OK
                 : CS_FAIL(error, CS_E_USAGE, "these are more shares than were handed out");

    for (size_t i = 0; rc == CS_OK && i < sizeof kinds / sizeof kinds[0]; i++) {
        json_t *numbers = json_array();
        bool wanted = cs_ceremony_wants(c, kinds[i].kind);

        if (wanted)
            rc = cs_ceremony_gather_kind(c, kinds[i].out, numbers, kinds[i].kind, shares, n, error);
        if (rc == CS_OK && (wanted || kinds[i].kind == CS_SHARE_SO_PIN) &&
            json_object_set(entry, kinds[i].name, numbers) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for lists of operators");
        json_decref(numbers);
    }
    if (rc == CS_OK)
        return cs_transcript_add(c->transcript, "gather", entry, error);
    json_decref(entry);
    return rc;
}

/* -- the token -----------------------------------------------------------------------------------
 */

static int give_pin(void *context, char *out, size_t *n, cs_error *error)
{
    const cs_pin *pin = context;

    (void)error;
    memcpy(out, pin->text, pin->n);
    *n = pin->n;
    return CS_OK;
}

static cs_pin_source source_of(cs_pin *pin)
{
    return (cs_pin_source){.kind = CS_PIN_CALLBACK, .callback = give_pin, .context = pin};
}

cs_pin_source cs_ceremony_pin(cs_ceremony *c)
{
    return source_of(&c->pin);
}

const char *cs_ceremony_token_uri(const cs_ceremony *c)
{
    return json_string_value(json_object_get(cs_transcript_last(c->transcript, "token"), "uri"));
}

typedef struct lookup {
    const char *label;
    cs_token_info info;
    unsigned found;
} lookup;

static int match_label(void *context, const cs_token_info *info)
{
    lookup *wanted = context;

    if (info->initialised && strcmp(info->label, wanted->label) == 0) {
        wanted->info = *info;
        wanted->found++;
    }
    return 0;
}

cs_pin_source cs_ceremony_so_pin(cs_ceremony *c)
{
    return source_of(&c->so_pin);
}

/* Who knows of a survivor is the home; before there is one, the plan. */
cs_token_options cs_ceremony_token_options(cs_ceremony *c)
{
    const cs_survivor *survivor = cs_own_survivor(c->plan.kind);
    cs_token_options options = {.pin = source_of(&c->pin)};

    if (c->plan.backup != NULL)
        options.backed_up = survivor->use;
    if (c->plan.restore != NULL)
        options.restored = survivor->use;
    return options;
}

int cs_ceremony_initialise(
    cs_ceremony *c, const char *module, const char *label, cs_token_info *out, cs_error *error)
{
    const cs_pin_source so_pin = source_of(&c->so_pin), pin = source_of(&c->pin);
    const cs_token_options options = {.pin = pin};
    lookup wanted = {.label = label};
    cs_token *token = NULL;
    int rc = cs_token_initialise_again(module, label, &so_pin, &pin, error);

    if (rc == CS_OK)
        rc = cs_token_list(module, match_label, &wanted, error);
    if (rc == CS_OK && wanted.found != 1)
        rc = CS_FAIL(error, CS_E_KEY_AMBIGUOUS, "%u tokens are called %s; it has to be one",
            wanted.found, label);
    /* also where an earlier run had set the PIN: this shows that it was that one */
    if (rc == CS_OK)
        rc = cs_token_open(&token, wanted.info.uri, &options, error);
    cs_token_close(&token);
    *out = wanted.info;
    return rc;
}

int cs_ceremony_make_token(cs_ceremony *c, cs_error *error)
{
    cs_token_info info;
    int rc = cs_ceremony_initialise(c, c->plan.module, c->plan.label, &info, error);

    if (rc != CS_OK)
        return rc;
    return cs_transcript_add(c->transcript, "token",
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "uri", info.uri, "label", info.label,
            "serial", info.serial, "manufacturer", info.manufacturer, "model", info.model,
            "hardware", info.hardware, "firmware", info.firmware, "module", info.module),
        error);
}
