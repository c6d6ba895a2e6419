/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ceremony_verb.h"

#include "cli/output.h"
#include "cli/share_files.h"
#include "cli/survivor_report.h"
#include "service/ceremony.h"
#include "token/share_terminal.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

typedef struct room {
    const cs_arguments *arguments;
    const cs_ceremony_role *role;
    cs_ceremony *ceremony;
    json_t *config;
    cs_home *home;
} room;

/* -- the plan ------------------------------------------------------------------------------------
 */

static int take_number(unsigned *out, const room *r, const char *name, int64_t otherwise,
    int64_t most, cs_error *error)
{
    int64_t number = otherwise;
    int rc = cs_arg_number(&number, r->arguments, name, otherwise, 0, most, error);

    *out = (unsigned)number;
    return rc;
}

static int open_ceremony(room *r, cs_error *error)
{
    cs_ceremony_plan plan = {
        .dir = cs_arg(r->arguments, "dir"),
        .kind = r->role->kind,
        .id = cs_arg(r->arguments, "id"),
        .module = cs_arg(r->arguments, "module"),
        .label = cs_arg(r->arguments, "label"),
        .backup = cs_arg(r->arguments, "backup"),
        .rehearse_module = cs_arg(r->arguments, "rehearse-module"),
        .rehearse_label = cs_arg(r->arguments, "rehearse-label"),
        .restore = cs_arg(r->arguments, "restore"),
    };
    int rc = take_number(&plan.count, r, "operators", 0, CS_SHARES_MAX, error);

    if (plan.backup != NULL && plan.rehearse_module == NULL)
        plan.rehearse_module = plan.module;
    if (rc == CS_OK)
        rc = take_number(&plan.needed, r, "needed", 0, CS_SHARES_MAX, error);
    if (rc == CS_OK)
        rc = take_number(&plan.pin_digits, r, "pin-digits", 0, CS_PIN_MAX, error);
    if (rc == CS_OK)
        rc = take_number(&plan.so_pin_digits, r, "so-pin-digits", 0, CS_PIN_MAX, error);
    if (rc == CS_OK)
        rc = cs_ceremony_open(&r->ceremony, &plan, cs_arg_flag(r->arguments, "start-over"), error);
    return rc;
}

/* Nobody knows the PIN, so nobody can be asked for it later. The file is not there yet, and is not
 * to be where the service is started from. */
static int make_config(room *r, cs_error *error)
{
    const char *file = cs_arg(r->arguments, "pin-file");
    const char *variable = cs_arg(r->arguments, "pin-env");

    if ((file == NULL) == (variable == NULL))
        return CS_FAIL(error, CS_E_USAGE,
            "give --pin-file or --pin-env, one of the two: where the service finds the PIN that "
            "`token combine` makes");
    if (file != NULL && file[0] != '/')
        return CS_FAIL(error, CS_E_USAGE, "--pin-file '%s' is not a path from /", file);
    r->config = json_pack("{s:s, s:{s:s}}", CS_HOME_CEREMONY, "begun", "pin",
        file != NULL ? "file" : "environment", file != NULL ? file : variable);
    if (r->config == NULL)
        return CS_FAIL(error, CS_E_USAGE, "--pin-file and --pin-env are UTF-8 text");
    return r->role->prepare(r->config, r->arguments, error);
}

/* -- shares --------------------------------------------------------------------------------------
 */

/* In guarded memory; wrapping is NULL where there is no backup. */
typedef struct all_shares {
    cs_share *user, *so, *wrapping;
} all_shares;

static int show_share(const cs_share *share, const char *label, cs_error *error)
{
    char text[160];

    (void)snprintf(text, sizeof text, "%s of token %s: share of operator %u of %u",
        cs_share_kind_name(share->kind), label, share->number, share->count);
    return cs_share_show(share, text, error);
}

static int show_shares(const all_shares *all, const char *label, cs_error *error)
{
    char text[160];
    int rc = CS_OK;

    for (unsigned i = 0; rc == CS_OK && i < all->user[0].count; i++) {
        (void)snprintf(text, sizeof text,
            "operator %u of %u: come to the screen alone, the others look away; Enter", i + 1,
            all->user[0].count);
        rc = cs_share_call(text, error);
        if (rc == CS_OK)
            rc = show_share(&all->user[i], label, error);
        if (rc == CS_OK)
            rc = show_share(&all->so[i], label, error);
        if (rc == CS_OK && all->wrapping != NULL)
            rc = show_share(&all->wrapping[i], label, error);
    }
    return rc;
}

static int write_shares(const all_shares *all, const room *r, const char *dirs, cs_error *error)
{
    const cs_ceremony *c = r->ceremony;
    const uint8_t *void_id = c->has_void ? c->void_id : NULL;
    int rc = cs_shares_write(all->user, c->plan.label, dirs, void_id, error);

    if (rc == CS_OK)
        rc = cs_shares_write(all->so, c->plan.label, dirs, void_id, error);
    if (rc == CS_OK && all->wrapping != NULL)
        rc = cs_shares_write(all->wrapping, c->plan.label, dirs, void_id, error);
    return rc;
}

static int hand_out(room *r, cs_error *error)
{
    cs_ceremony *c = r->ceremony;
    const char *dirs = cs_arg(r->arguments, "share-dirs");
    bool backup = c->plan.backup != NULL;
    size_t size = c->plan.count * sizeof(cs_share);
    all_shares all = {.user = cs_secret_new(size),
        .so = cs_secret_new(size),
        .wrapping = backup ? cs_secret_new(size) : NULL};
    int rc =
        all.user != NULL && all.so != NULL && (!backup || all.wrapping != NULL)
            ? cs_ceremony_begin(c, all.user, all.so, all.wrapping, error)
            : CS_FAIL(error, CS_E_MEMORY, "no guarded memory for shares; raise RLIMIT_MEMLOCK");

    if (rc == CS_OK)
        rc = dirs == NULL ? show_shares(&all, c->plan.label, error)
                          : write_shares(&all, r, dirs, error);
    if (rc == CS_OK)
        rc = cs_ceremony_handed_out(c, all.user, all.so, all.wrapping, error);
    cs_secret_free(&all.user);
    cs_secret_free(&all.so);
    cs_secret_free(&all.wrapping);
    return rc;
}

/* Typed: `needed` of each of these kinds. */
static int ask_shares(
    cs_share **shares, size_t *n, unsigned needed, const bool *wanted, cs_error *error)
{
    int rc = CS_OK;

    *n = 0;
    *shares = cs_secret_new(CS_SHARE_KIND_LAST * (size_t)needed * sizeof **shares);
    if (*shares == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for shares; raise RLIMIT_MEMLOCK");
    for (unsigned kind = CS_SHARE_USER_PIN; rc == CS_OK && kind <= CS_SHARE_KIND_LAST; kind++) {
        if (!wanted[kind])
            continue;
        rc = cs_shares_ask(*shares + *n, needed, (cs_share_kind)kind, error);
        *n += needed;
    }
    return rc;
}

static int gather(room *r, cs_error *error)
{
    const char *files = cs_arg(r->arguments, "shares");
    bool wanted[CS_SHARE_KIND_LAST + 1] = {false};
    cs_share *shares = NULL;
    size_t n = 0;
    int rc;

    for (unsigned kind = CS_SHARE_USER_PIN; kind <= CS_SHARE_KIND_LAST; kind++)
        wanted[kind] = cs_ceremony_wants(r->ceremony, (cs_share_kind)kind);
    rc = files != NULL ? cs_shares_read(&shares, &n, files, error)
                       : ask_shares(&shares, &n, r->ceremony->plan.needed, wanted, error);
    if (rc == CS_OK)
        rc = cs_ceremony_gather(r->ceremony, shares, n, error);
    cs_secret_free(&shares);
    return rc;
}

static const bool wrapping_alone[] = {[CS_SHARE_WRAPPING_KEY] = true};

/* Of the ceremony that the backup was made in. */
static int gather_former(room *r, cs_error *error)
{
    const char *files = cs_arg(r->arguments, "restore-shares");
    cs_share *shares = NULL;
    size_t n = 0;
    int rc = CS_OK;

    if (!cs_ceremony_wants_former(r->ceremony))
        return CS_OK;
    if (files == NULL)
        rc = cs_share_call("now the wrapping-key shares of the ceremony that the backup was made "
                           "in; Enter",
            error);
    if (rc == CS_OK)
        rc = files != NULL
                 ? cs_shares_read(&shares, &n, files, error)
                 : ask_shares(&shares, &n, r->ceremony->from->needed, wrapping_alone, error);
    if (rc == CS_OK)
        rc = cs_ceremony_gather_former(r->ceremony, shares, n, error);
    cs_secret_free(&shares);
    return rc;
}

/* The shares are given once more: what is rehearsed is their use, too. */
static int rehearse(room *r, cs_error *error)
{
    const char *files = cs_arg(r->arguments, "shares");
    cs_share *shares = NULL;
    size_t n = 0;
    int rc = CS_OK;

    if (!cs_ceremony_wants_rehearsal(r->ceremony))
        return CS_OK;
    if (files == NULL)
        rc = cs_share_call("the rehearsal: wrapping-key shares again, of other operators if there "
                           "are; Enter",
            error);
    if (rc == CS_OK)
        rc = files != NULL
                 ? cs_shares_read(&shares, &n, files, error)
                 : ask_shares(&shares, &n, r->ceremony->plan.needed, wrapping_alone, error);
    if (rc == CS_OK)
        rc = cs_ceremony_rehearse(r->ceremony, shares, n, error);
    cs_secret_free(&shares);
    return rc;
}

/* -- token and home ------------------------------------------------------------------------------
 */

static int make_home(room *r, cs_error *error)
{
    const cs_pin_source pin = cs_ceremony_pin(r->ceremony);
    const char *uri = cs_ceremony_token_uri(r->ceremony);
    int rc = CS_OK;

    if (uri == NULL || json_object_set_new(r->config, "token", json_string(uri)) != 0)
        return CS_FAIL(error, CS_E_CORRUPT, "the transcript names no token; see who wrote it");
    cs_ceremony_clear_home(r->ceremony);
    rc = cs_ceremony_note_survivor(r->ceremony, r->config, error);
    if (rc == CS_OK)
        rc = r->role->make(&r->home, r->arguments, r->config, &pin, error);
    return rc == CS_OK ? cs_ceremony_note_keys(r->ceremony, r->home, error) : rc;
}

/* From where it stands to its end; the PINs are gathered, where they are needed yet. */
static int go_on(room *r, cs_error *error)
{
    int rc = gather_former(r, error);

    if (rc == CS_OK)
        rc = cs_ceremony_try(r->ceremony, error);
    if (rc == CS_OK && cs_ceremony_done(r->ceremony) < CS_CEREMONY_TOKEN)
        rc = cs_ceremony_make_token(r->ceremony, error);
    if (rc == CS_OK)
        rc = cs_ceremony_make_survivor(r->ceremony, error);
    if (rc == CS_OK)
        rc = rehearse(r, error);
    if (rc == CS_OK && cs_ceremony_done(r->ceremony) < CS_CEREMONY_KEYS)
        rc = make_home(r, error);
    if (rc == CS_OK && r->home == NULL)
        rc = cs_home_open_begun(&r->home, cs_arg(r->arguments, "dir"), error);
    return rc == CS_OK ? cs_ceremony_finish(r->ceremony, r->home, error) : rc;
}

/* -- what is said --------------------------------------------------------------------------------
 */

static int report_shares(const room *r, cs_error *error)
{
    if (cs_arg_flag(r->arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:s}", "ok", 1, "step", "shares"), error);
    cs_say("the shares are in --share-dirs: every operator takes his or her own %s",
        r->ceremony->plan.backup != NULL ? "three" : "two");
    cs_say("then run this again, with --shares and the files of %u operators",
        r->ceremony->plan.needed);
    return CS_OK;
}

static int report_end(const room *r, cs_error *error)
{
    json_t *report;
    const json_t *keys = cs_transcript_last(r->ceremony->transcript, "keys");
    const char *fingerprint = json_string_value(json_object_get(keys, "cloud_fingerprint"));
    char hex[2 * CS_PUK_SIZE + 1];
    uint8_t puk[CS_PUK_SIZE];
    int rc = cs_transcript_signer(r->ceremony->transcript, puk, error);

    if (rc != CS_OK)
        return rc;
    cs_hex(CS_VIEW_ARRAY(puk), hex);
    if (cs_arg_flag(r->arguments, "json")) {
        report = json_pack("{s:b, s:s, s:s, s:s+, s:s, s:s, s:o}", "ok", 1, "step", "finished",
            "role", cs_home_kind_name(r->role->kind), "transcript", r->ceremony->plan.dir,
            "/" CS_TRANSCRIPT_NAME, "sign_key", hex, "fingerprint", fingerprint, "token_ops",
            cs_ops_json(cs_ops_of_thread()));
        rc = cs_survivor_report(report, r->home, error);
        if (rc == CS_OK)
            return cs_print_json(report, error);
        json_decref(report);
        return rc;
    }
    cs_say("made the token %s and %s", r->ceremony->plan.label, r->ceremony->plan.dir);
    cs_say("print `chartseal token transcript --file %s/" CS_TRANSCRIPT_NAME "`; it is signed by",
        r->ceremony->plan.dir);
    cs_say("  %s", hex);
    cs_say("the cloud's fingerprint is %s", fingerprint);
    cs_say_survivor(r->home);
    cs_say("next: %s", r->role->next);
    return CS_OK;
}

int cs_run_ceremony(const cs_arguments *arguments, const cs_ceremony_role *role, cs_error *error)
{
    room r = {.arguments = arguments, .role = role};
    bool by_files = cs_arg(arguments, "share-dirs") != NULL;
    bool ends_here = false;
    int rc = make_config(&r, error);

    if (rc == CS_OK)
        rc = open_ceremony(&r, error);
    if (rc == CS_OK && cs_ceremony_done(r.ceremony) == CS_CEREMONY_NEW) {
        rc = cs_arg(arguments, "shares") == NULL
                 ? hand_out(&r, error)
                 : CS_FAIL(error, CS_E_USAGE,
                       "no shares were handed out yet, or those were void; run this without "
                       "--shares first");
        ends_here = by_files;
    }
    if (rc == CS_OK && !ends_here && cs_ceremony_done(r.ceremony) < CS_CEREMONY_SIGNED)
        rc = gather(&r, error);
    if (rc == CS_OK && !ends_here)
        rc = go_on(&r, error);
    if (rc == CS_OK)
        rc = ends_here ? report_shares(&r, error) : report_end(&r, error);
    cs_home_free(&r.home);
    cs_ceremony_close(&r.ceremony);
    json_decref(r.config);
    return rc;
}
