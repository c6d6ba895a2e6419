/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A card that counts no more, for a while or for good. Three places know it: the authority's list
 * has its certificates, the cloud's list the doctor's credential, and the card itself needs to be
 * nowhere near. Authority and cloud are seldom on the desk's machine: what is not done here is told
 * as the commands that do it. Each part may be done again; it stays as it is.
 */
#include "cli/card_verbs.h"

#include "cli/home_options.h"
#include "cli/output.h"
#include "service/authority.h"
#include "service/cloud_admin.h"

#include <stdio.h>
#include <string.h>

typedef struct withdrawal {
    const cs_arguments *arguments;
    const char *dir;
    cs_holder holder;
    cs_marking markings[2]; /* sign.pem, agree.pem, and what else those keys have */
    uint64_t credential;    /* 0: none was found */
} withdrawal;

static const char *const certificates[] = {"sign.pem", "agree.pem"};

static int read_card(withdrawal *w, cs_error *error)
{
    int rc = cs_desk_holder(&w->holder, w->dir, error);

    for (size_t i = 0; rc == CS_OK && i < 2; i++) {
        cs_buf der = {0};

        w->markings[i].whole_key = true;
        rc = cs_desk_certificate(&der, w->dir, certificates[i], error);
        if (rc == CS_OK)
            rc = cs_certificate_serial(cs_view_buf(&der), w->markings[i].serial, error);
        cs_buf_free(&der);
    }
    return rc;
}

/* -- at the authority */

typedef int (*list_fn)(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error);

static int change_list(const withdrawal *w, list_fn change, cs_error *error)
{
    cs_home *home = NULL;
    cs_actor *actor = NULL;
    int rc = cs_home_open(&home, cs_arg(w->arguments, "authority"), CS_HOME_AUTHORITY, error);

    if (rc == CS_OK)
        rc = cs_actor_open(&actor, home, false, error);
    for (size_t i = 0; rc == CS_OK && i < 2; i++)
        rc = change(home, actor, &w->markings[i], error);
    cs_actor_free(&actor);
    cs_home_free(&home);
    return rc;
}

/* -- at the cloud */

static int revoke_credential(withdrawal *w, cs_error *error)
{
    cs_home *home = NULL;
    cs_server *server = NULL;
    cs_worker *worker = NULL;
    int rc = cs_home_open(&home, cs_arg(w->arguments, "cloud"), CS_HOME_CLOUD, error);

    if (rc == CS_OK)
        rc = cs_server_open(&server, home, error);
    if (rc == CS_OK)
        rc = cs_worker_open(&worker, server, error);
    if (rc == CS_OK) {
        rc = cs_cloud_revoke_party(
            server, worker, CS_ROLE_DOCTOR, w->holder.id, &w->credential, error);
        if (rc == CS_E_NOT_FOUND) /* a card that nobody has registered */
            rc = CS_OK;
        else if (rc == CS_OK)
            cs_server_seal(server, worker);
    }
    cs_worker_close(&worker);
    cs_server_close(&server);
    cs_home_free(&home);
    return rc;
}

/* -- what is told */

static void say_commands(const withdrawal *w, const char *verb)
{
    for (size_t i = 0; i < 2; i++)
        cs_say("  chartseal authority %s --dir AUTHORITY --whole-key --certificate %s/%s", verb,
            w->dir, certificates[i]);
}

static void say_authority(const withdrawal *w, const char *done, const char *verb)
{
    const char *authority = cs_arg(w->arguments, "authority");

    if (authority != NULL) {
        cs_say("%s the certificates of both keys: %s/crl.pem. Everybody who trusts this authority "
               "needs it:",
            done, authority);
        cs_say("  chartseal cloud trust --dir CLOUD --crl %s/crl.pem   # and hospital, doctor, "
               "patient",
            authority);
    } else {
        cs_say("NOT DONE YET, where the authority is (then hand out its crl.pem):");
        say_commands(w, verb);
    }
}

static void say_cloud(const withdrawal *w)
{
    char id[CS_HOLDER_TEXT_MAX + 1];

    (void)cs_printable(id, sizeof id, w->holder.id);
    if (cs_arg(w->arguments, "cloud") == NULL) {
        cs_say("NOT DONE YET, where the cloud is:");
        cs_say("  chartseal cloud revoke --dir CLOUD --role doctor --id '%s'", id);
    } else if (w->credential == 0) {
        cs_say("the cloud has no credential of doctor %s", id);
    } else {
        cs_say("revoked credential %llu at the cloud; a running service hands out the new list in "
               "a second",
            (unsigned long long)w->credential);
    }
}

static int print_withdrawal(const withdrawal *w, cs_error *error)
{
    bool cloud = cs_arg(w->arguments, "cloud") != NULL;

    return cs_print_json(
        json_pack("{s:b, s:s, s:[o, o], s:b, s:b, s:o}", "ok", 1, "id", w->holder.id,
            "certificates", cs_hex_json(CS_VIEW_ARRAY(w->markings[0].serial)),
            cs_hex_json(CS_VIEW_ARRAY(w->markings[1].serial)), "authority",
            cs_arg(w->arguments, "authority") != NULL, "cloud", cloud, "credential",
            w->credential == 0 ? json_null() : json_integer((json_int_t)w->credential)),
        error);
}

/* -- the verbs */

int cs_card_suspend(const cs_arguments *arguments, cs_error *error)
{
    withdrawal w = {.arguments = arguments, .dir = cs_arg(arguments, "dir")};
    bool lift = cs_arg_flag(arguments, "lift");
    int rc = read_card(&w, error);

    if (rc == CS_OK && cs_arg(arguments, "authority") != NULL)
        rc = change_list(&w, lift ? cs_authority_release : cs_authority_hold, error);
    if (rc != CS_OK)
        return rc;
    if (cs_arg_flag(arguments, "json"))
        return print_withdrawal(&w, error);
    say_authority(&w, lift ? "released" : "suspended", lift ? "release" : "revoke --hold");
    return CS_OK;
}

int cs_card_revoke(const cs_arguments *arguments, cs_error *error)
{
    withdrawal w = {.arguments = arguments, .dir = cs_arg(arguments, "dir")};
    int rc = read_card(&w, error);

    if (rc == CS_OK && cs_arg(arguments, "authority") != NULL)
        rc = change_list(&w, cs_authority_revoke, error);
    if (rc == CS_OK && cs_arg(arguments, "cloud") != NULL)
        rc = revoke_credential(&w, error);
    if (rc != CS_OK)
        return rc;
    if (cs_arg_flag(arguments, "json"))
        return print_withdrawal(&w, error);
    say_authority(&w, "revoked", "revoke");
    say_cloud(&w);
    return CS_OK;
}

#define PLACE_OPTIONS                                                                              \
    {"dir", "DIR", true, "the card's directory at the desk: its certificates say what it is"},     \
    {                                                                                              \
        "authority", "DIR", false,                                                                 \
            "do it at this home of the authority; else the commands are told"                      \
    }

const cs_option cs_card_suspend_options[] = {
    PLACE_OPTIONS,
    {"lift", NULL, false, "the card was found: it counts again"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

const cs_option cs_card_revoke_options[] = {
    PLACE_OPTIONS,
    {"cloud", "DIR", false, "and at this home of the cloud; otherwise that command is told"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
