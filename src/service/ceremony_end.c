/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a ceremony: what came of it, written down, audited and signed. */
#include "service/ceremony.h"
#include "service/own_keys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void cs_ceremony_clear_home(const cs_ceremony *c)
{
    char path[CS_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/config.json", c->plan.dir);
    (void)unlink(path);
}

/* -- keys ----------------------------------------------------------------------------------------
 */

static const struct {
    const char *name; /* as in config.json */
    cs_use use;
} own_keys[] = {
    {"sign", CS_USE_SIGN},
    {"decrypt", CS_USE_AGREE},
    {"master", CS_USE_ISSUE},
    {"storage", CS_USE_PRF},
};

/* P-256 compressed, as credentials and cloud.cbor have it; others as the token does. */
static int public_hex(char hex[2 * 65 + 1], const cs_key_info *info, cs_error *error)
{
    uint8_t compressed[CS_PUK_SIZE];
    cs_view shown = {info->public_key, info->public_key_size};
    int rc = CS_OK;

    if (shown.n == 65) {
        rc = cs_p256_compress(compressed, shown, error);
        shown = CS_VIEW_ARRAY(compressed);
    }
    cs_hex(shown, hex);
    return rc;
}

static int open_own(cs_key **out, cs_token *token, const cs_home *home, size_t i, cs_error *error)
{
    char path[32];
    const char *uri;

    *out = NULL;
    (void)snprintf(path, sizeof path, "keys.%s", own_keys[i].name);
    uri = cs_home_text(home, path);
    return uri == NULL ? CS_OK : cs_key_open(out, token, uri, own_keys[i].use, home->suite, error);
}

static int list_own(json_t *list, cs_token *token, const cs_home *home, cs_error *error)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof own_keys / sizeof own_keys[0]; i++) {
        char hex[2 * 65 + 1] = "";
        cs_key *key = NULL;

        rc = open_own(&key, token, home, i, error);
        if (rc == CS_OK && key != NULL)
            rc = public_hex(hex, cs_key_describe(key), error);
        if (rc == CS_OK && key != NULL &&
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", own_keys[i].name,
                                            "label", cs_key_describe(key)->label, "use",
                                            cs_use_name(own_keys[i].use), "public", hex)) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a list of keys");
        cs_key_close(&key);
    }
    return rc;
}

static int open_token(cs_token **out, cs_ceremony *c, cs_error *error)
{
    const cs_token_options options = cs_ceremony_token_options(c);

    return cs_token_open(out, cs_ceremony_token_uri(c), &options, error);
}

/* The parameters that everybody compares. */
static int fingerprint(char hex[2 * CS_HASH_SIZE + 1], const cs_home *home, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    cs_buf bytes = {0};
    int rc = cs_home_read(home, "cloud.cbor", CS_MESSAGE_MAX, &bytes, error);

    if (rc == CS_OK)
        rc = cs_hash(hash, cs_view_buf(&bytes), error);
    if (rc == CS_OK)
        cs_hex(CS_VIEW_ARRAY(hash), hex);
    cs_buf_free(&bytes);
    return rc;
}

int cs_ceremony_note_keys(cs_ceremony *c, const cs_home *home, cs_error *error)
{
    char hex[2 * CS_HASH_SIZE + 1] = "";
    json_t *list = json_array();
    cs_token *token = NULL;
    int rc = open_token(&token, c, error);

    if (rc == CS_OK)
        rc = list_own(list, token, home, error);
    cs_token_close(&token);
    if (rc == CS_OK)
        rc = fingerprint(hex, home, error);
    if (rc == CS_OK)
        rc = cs_transcript_add(c->transcript, "keys",
            json_pack("{s:O, s:s, s:s}", "keys", list, "cloud_fingerprint", hex, "suite",
                cs_suite_name(home->suite)),
            error);
    json_decref(list);
    return rc;
}

/* -- the end -------------------------------------------------------------------------------------
 */

typedef struct page {
    json_t *keys;
    const cs_home *home;
    unsigned survivors;             /* which left once by choice, or came back */
    char exposed[CS_LABEL_MAX + 1]; /* a key that could leave, or has been elsewhere */
    bool failed;
} page;

static int audit_key(void *context, const cs_key_info *info)
{
    page *p = context;
    bool ours = info->sensitive && !info->extractable && info->local && info->always_sensitive &&
                info->never_extractable;

    if (!ours && cs_own_is_survivor(p->home, info))
        p->survivors++;
    else if (!ours)
        (void)snprintf(p->exposed, sizeof p->exposed, "%s", info->label);
    p->failed = p->failed ||
                json_array_append_new(p->keys,
                    json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b}", "label", info->label,
                        "use", cs_use_name(info->use), "sensitive", info->sensitive, "extractable",
                        info->extractable, "local", info->local, "always_sensitive",
                        info->always_sensitive, "never_extractable", info->never_extractable,
                        "wrap_with_trusted", info->wrap_with_trusted)) != 0;
    return 0;
}

static bool has_survivor(const cs_ceremony *c)
{
    return c->plan.backup != NULL || c->from != NULL;
}

/* In plain words, for the last page. */
static const char *what_of_survivors(const page *p)
{
    bool backup = cs_own_backup(p->home) != NULL, restored = cs_own_restored(p->home) != NULL;

    if (p->survivors == 0)
        return "no key can leave the token, or could";
    if (restored && backup)
        return "one key came from a backup, by choice, and has left this token once, wrapped: see "
               "restore and backup; none can leave it now";
    if (restored)
        return "one key came from a backup, by choice: see restore; none can leave the token";
    return "one key has left the token once, wrapped, by choice: see backup; none can leave it now";
}

/* The home's key is the one that the transcript says is in the backup, or came from it: a token
 * that has lost it since would otherwise have got another by its label. */
static int check_survivor(
    const cs_ceremony *c, cs_token *token, const cs_home *home, cs_error *error)
{
    static const char *const steps[] = {"backup", "restore"};
    const cs_survivor *survivor = cs_own_survivor(c->plan.kind);
    char check[CS_SURVIVOR_CHECK_SIZE] = "";
    cs_key *key = NULL;
    int rc = CS_OK;

    if (!has_survivor(c))
        return CS_OK;
    for (size_t i = 0; rc == CS_OK && i < sizeof own_keys / sizeof own_keys[0]; i++) {
        if (own_keys[i].use == survivor->use)
            rc = open_own(&key, token, home, i, error);
    }
    if (rc == CS_OK && key != NULL)
        rc = cs_own_survivor_check(check, key, error);
    cs_key_close(&key);
    for (size_t i = 0; rc == CS_OK && i < sizeof steps / sizeof steps[0]; i++) {
        const json_t *entry = cs_transcript_last(c->transcript, steps[i]);
        const char *noted = json_string_value(json_object_get(entry, "check"));

        if (entry != NULL && (noted == NULL || strcmp(noted, check) != 0))
            rc = CS_FAIL(error, CS_E_KEY_MISSING,
                "%s in token %s is not the one of the entry \"%s\": the token has lost that; hold "
                "another ceremony, in another --dir and with another token, that restores it "
                "(--restore)",
                survivor->what, c->plan.label, steps[i]);
    }
    return rc;
}

static int audit(cs_ceremony *c, cs_token *token, const cs_home *home, cs_error *error)
{
    page p = {.keys = json_array(), .home = home};
    int rc = cs_token_list_keys(token, audit_key, &p, error);

    if (rc == CS_OK && p.failed)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a list of keys");
    if (rc == CS_OK && p.exposed[0] != '\0')
        rc = CS_FAIL(error, CS_E_KEY_EXPOSED,
            "key %s can leave the token, or was not made there: this token serves no ceremony",
            p.exposed);
    if (rc == CS_OK && p.survivors != (has_survivor(c) ? 1 : 0))
        rc = CS_FAIL(error, CS_E_KEY_EXPOSED,
            "%u keys of token %s have left it once or came from a backup, and it should be %u: "
            "this token serves no ceremony",
            p.survivors, c->plan.label, has_survivor(c) ? 1 : 0);
    if (rc == CS_OK)
        rc = cs_transcript_add(c->transcript, "audit",
            json_pack("{s:O, s:i, s:i, s:s}", "keys", p.keys, "exposed", 0, "survivors",
                (int)p.survivors, "says", what_of_survivors(&p)),
            error);
    json_decref(p.keys);
    return rc;
}

static int sign(cs_ceremony *c, cs_token *token, const cs_home *home, cs_error *error)
{
    cs_key *key = NULL;
    int rc = open_own(&key, token, home, 0, error);

    if (rc == CS_OK && key == NULL)
        rc = CS_FAIL(error, CS_E_KEY_MISSING, "%s names no key for signing", home->dir);
    if (rc == CS_OK)
        rc = cs_transcript_sign(c->transcript, key, error);
    cs_key_close(&key);
    return rc;
}

/* What is there to be done with the token. */
static int conclude(cs_ceremony *c, const cs_home *home, cs_error *error)
{
    cs_ceremony_step done = cs_ceremony_done(c);
    cs_token *token = NULL;
    int rc = open_token(&token, c, error);

    if (rc == CS_OK && done < CS_CEREMONY_OPENED)
        rc = cs_transcript_add(c->transcript, "opened",
            json_pack("{s:s}", "by", "the user PIN of the shares gathered last"), error);
    if (rc == CS_OK)
        rc = check_survivor(c, token, home, error);
    if (rc == CS_OK && done < CS_CEREMONY_AUDIT)
        rc = audit(c, token, home, error);
    if (rc == CS_OK)
        rc = sign(c, token, home, error);
    cs_token_close(&token);
    return rc;
}

int cs_ceremony_finish(cs_ceremony *c, cs_home *home, cs_error *error)
{
    int rc = cs_ceremony_done(c) == CS_CEREMONY_SIGNED ? CS_OK : conclude(c, home, error);

    if (rc == CS_OK)
        rc = cs_home_set_text(home, CS_HOME_CEREMONY, CS_HOME_FINISHED, error);
    return rc == CS_OK ? cs_home_save(home, error) : rc;
}
