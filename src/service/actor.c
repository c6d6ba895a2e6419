/* SPDX-License-Identifier: Apache-2.0 */
#include "service/actor.h"

#include "service/biometrics.h"
#include "service/ocsp_policy.h"
#include "service/own_keys.h"
#include "service/own_scalar.h"
#include "token/pin_hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Which keys a role has; the scalar comes by registration, never by init. */
typedef struct key_plan {
    const char *name; /* "keys.NAME" in config.json, PREFIX-NAME in the token */
    cs_use use;
    unsigned kinds;      /* bits: 1 << cs_home_kind */
    const char *on_card; /* a PIV card's key for this, as OpenSC calls it; NULL: none */
} key_plan;

#define BIT(kind) (1u << (kind))
#define EVERYBODY_ELSE                                                                             \
    (BIT(CS_HOME_CLOUD) | BIT(CS_HOME_HOSPITAL) | BIT(CS_HOME_DOCTOR) | BIT(CS_HOME_PATIENT) |     \
        BIT(CS_HOME_TELECARE))

static const key_plan plans[] = {
    {"sign", CS_USE_SIGN, BIT(CS_HOME_AUTHORITY) | EVERYBODY_ELSE, "SIGN key"},
    {"decrypt", CS_USE_AGREE, EVERYBODY_ELSE, "KEY MAN key"},
    {"master", CS_USE_ISSUE, BIT(CS_HOME_CLOUD), NULL},
    {"storage", CS_USE_PRF, BIT(CS_HOME_CLOUD) | BIT(CS_HOME_HOSPITAL) | BIT(CS_HOME_TELECARE),
        NULL},
};

#define KEY_PATH_MAX 32
#define SESSIONS_MAX 256      /* what a pool takes at most */
#define TIMEOUT_MAX_MS 600000 /* ten minutes: longer is a token that does not answer */

void cs_home_key_label(const cs_home *home, const char *name, char label[CS_LABEL_MAX + 1])
{
    const char *prefix = cs_home_text(home, "key_prefix");

    (void)snprintf(label, CS_LABEL_MAX + 1, "%s-%s",
        prefix == NULL ? cs_home_kind_name(home->kind) : prefix, name);
}

/* -- making keys ---------------------------------------------------------------------------------
 */

typedef struct search {
    const char *label;
    char uri[CS_URI_MAX];
} search;

static int match_label(void *context, const cs_key_info *info)
{
    search *wanted = context;

    if (strcmp(info->label, wanted->label) == 0)
        (void)snprintf(wanted->uri, sizeof wanted->uri, "%s", info->uri);
    return 0;
}

/* The key with that label that an earlier, interrupted init has left. */
static int adopt_key(cs_key **out, const cs_home *home, cs_token *token, const char *label,
    cs_use use, cs_error *error)
{
    search wanted = {.label = label};
    int rc = cs_token_list_keys(token, match_label, &wanted, error);

    if (rc == CS_OK && wanted.uri[0] == '\0')
        rc = CS_FAIL(error, CS_E_EXISTS,
            "the token has something labelled '%s' that is no private key; remove it", label);
    if (rc == CS_OK)
        rc = cs_key_open(out, token, wanted.uri, use, home->suite, error);
    if (rc == CS_OK)
        rc = cs_own_key_origin(home, *out, error);
    if (rc != CS_OK)
        cs_key_close(out);
    return rc;
}

typedef struct foreign {
    const cs_home *home;
    char label[CS_LABEL_MAX + 1]; /* of a key that no init makes; empty: none */
} foreign;

static int find_foreign(void *context, const cs_key_info *info)
{
    foreign *state = context;

    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        char label[CS_LABEL_MAX + 1];

        cs_home_key_label(state->home, plans[i].name, label);
        if ((plans[i].kinds & BIT(state->home->kind)) != 0 && strcmp(label, info->label) == 0)
            return 0;
    }
    (void)snprintf(state->label, sizeof state->label, "%s", info->label);
    return 0;
}

/* A token that has more than an init leaves, an S_X above all, is somebody's. */
static int check_is_nobodys(const cs_home *home, cs_token *token, cs_error *error)
{
    foreign state = {.home = home};
    int rc = cs_token_list_keys(token, find_foreign, &state, error);

    if (rc == CS_OK && state.label[0] != '\0')
        rc = CS_FAIL(error, CS_E_EXISTS,
            "it is in the token already, and so is '%s': another identity may use them; name "
            "another token, or take them over with --adopt-keys",
            state.label);
    return rc;
}

/* The keys of a PIV card have the names of their slots and are made at a desk: no init makes them.
 * *key stays NULL where the token has none of that name. */
static int take_from_card(
    cs_key **key, const cs_home *home, cs_token *token, const key_plan *plan, cs_error *error)
{
    search wanted = {.label = plan->on_card};
    int rc = cs_token_list_keys(token, match_label, &wanted, error);

    return rc == CS_OK && wanted.uri[0] != '\0'
               ? adopt_key(key, home, token, plan->on_card, plan->use, error)
               : rc;
}

/* PREFIX-NAME: made, or found. */
static int make_or_find(
    cs_key **key, cs_home *home, cs_token *token, const key_plan *plan, bool adopt, cs_error *error)
{
    char label[CS_LABEL_MAX + 1];
    int rc;

    cs_home_key_label(home, plan->name, label);
    rc = cs_key_generate(key, token, label, plan->use, home->suite, error);
    if (rc == CS_E_TOKEN_UNSUITABLE && plan->on_card != NULL && !adopt)
        return cs_error_context(
            error, "it cannot be made there; --adopt-keys takes those that a card was made with");
    if (rc == CS_E_EXISTS) {
        rc = adopt ? CS_OK : check_is_nobodys(home, token, error);
        if (rc == CS_OK)
            rc = adopt_key(key, home, token, label, plan->use, error);
        home->adopted += rc == CS_OK;
    }
    return rc;
}

static int make_key(
    cs_home *home, cs_token *token, const key_plan *plan, bool adopt, cs_error *error)
{
    cs_key *key = NULL;
    char label[CS_LABEL_MAX + 1];
    char path[KEY_PATH_MAX];
    int rc = CS_OK;

    cs_home_key_label(home, plan->name, label);
    if (adopt && plan->on_card != NULL)
        rc = take_from_card(&key, home, token, plan, error);
    if (rc == CS_OK && key != NULL)
        home->adopted++;
    else if (rc == CS_OK)
        rc = make_or_find(&key, home, token, plan, adopt, error);
    if (rc != CS_OK)
        return cs_error_context(error, "the key '%s'", label);
    (void)snprintf(path, sizeof path, "keys.%s", plan->name);
    rc = cs_home_set_text(home, path, cs_key_describe(key)->uri, error);
    if (rc == CS_OK && plan->use == CS_USE_PRF)
        rc = cs_own_storage_note(home, key, error);
    cs_key_close(&key);
    return rc;
}

int cs_home_make_keys(cs_home *home, cs_token *token, bool adopt, cs_error *error)
{
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof plans / sizeof plans[0]; i++) {
        if ((plans[i].kinds & BIT(home->kind)) != 0)
            rc = make_key(home, token, &plans[i], adopt, error);
    }
    return rc == CS_OK ? cs_home_save(home, error) : rc;
}

/* -- opening -------------------------------------------------------------------------------------
 */

static cs_pin_source pin_source(cs_home *home)
{
    const char *file = cs_home_text(home, "pin.file");
    const char *variable = cs_home_text(home, "pin.environment");
    cs_pin_source source = {.kind = CS_PIN_PINENTRY};

    if (home->pin.kind != CS_PIN_NONE)
        return home->pin;
    if (cs_home_wants_biometric(home))
        return (cs_pin_source){
            .kind = CS_PIN_CALLBACK, .callback = cs_home_authorisation, .context = home};
    if (variable != NULL)
        source.kind = CS_PIN_ENVIRONMENT;
    if (file != NULL)
        source.kind = CS_PIN_FILE;
    (void)snprintf(source.path, sizeof source.path, "%s",
        file != NULL       ? file
        : variable != NULL ? variable
                           : "");
    return source;
}

static int noted_hold(cs_pin_hold *out, const cs_home *home, cs_error *error)
{
    const json_t *value = json_object_get(json_object_get(home->config, "pin"), "hold");
    const char *text = json_string_value(value);

    *out = (cs_pin_hold){home->kind == CS_HOME_DOCTOR ? CS_PIN_HOLD_VISIT : CS_PIN_HOLD_EACH, 0, 0};
    if (home->pin_hold != NULL)
        return cs_pin_hold_parse(out, home->pin_hold, "--pin-hold", error);
    if (value == NULL)
        return CS_OK;
    if (cs_pin_hold_parse(out, text == NULL ? "" : text, "pin.hold", error) != CS_OK)
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/config.json: pin.hold is \"each\", \"visit\" or \"N/T\" (N signatures within T "
            "minutes, at most %d and %d); mend it",
            home->dir, CS_PIN_HOLD_USES_MAX, CS_PIN_HOLD_SECONDS_MAX / 60);
    return CS_OK;
}

/* Where there is no visit there is no end of one, either: a PIN would be held for nothing. */
static int take_hold(cs_pin_hold *out, const cs_home *home, cs_error *error)
{
    int rc = noted_hold(out, home, error);

    if (rc == CS_OK && out->kind == CS_PIN_HOLD_VISIT && !home->visits)
        *out = (cs_pin_hold){CS_PIN_HOLD_EACH, 0, 0};
    return rc;
}

/* A number that config.json may have; 0: the default. */
static int take_number(
    unsigned *out, const cs_home *home, const char *name, unsigned most, cs_error *error)
{
    const json_t *value = json_object_get(home->config, name);
    json_int_t number = json_integer_value(value);

    *out = (unsigned)number;
    if (value != NULL && (!json_is_integer(value) || number < 1 || number > (json_int_t)most))
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/config.json: %s is a number from 1 to %u; mend it", home->dir, name, most);
    return CS_OK;
}

int cs_home_open_token_forced(cs_token **out, cs_home *home, bool force_final_try, cs_error *error)
{
    const char *uri = cs_home_text(home, "token");
    const cs_survivor *survivor = cs_own_survivor(home->kind);
    cs_token_options options = {
        .pin = pin_source(home), .tell = home->tell, .force_final_try = force_final_try};
    int rc;

    if (cs_own_backup(home) != NULL)
        options.backed_up = survivor->use;
    if (cs_own_restored(home) != NULL)
        options.restored = survivor->use;
    if (uri == NULL)
        return CS_FAIL(error, CS_E_MALFORMED, "%s/config.json names no token; mend it", home->dir);
    rc = cs_pin_refuse_in_uri(uri, "config.json", error);
    if (rc == CS_OK)
        rc = take_number(&options.sessions, home, "token_sessions", SESSIONS_MAX, error);
    if (rc == CS_OK)
        rc = take_number(&options.timeout_ms, home, "token_timeout_ms", TIMEOUT_MAX_MS, error);
    if (rc == CS_OK)
        rc = take_hold(&options.hold, home, error);
    if (rc != CS_OK)
        return rc;
    return cs_token_open(out, uri, &options, error);
}

int cs_home_open_token(cs_token **out, cs_home *home, cs_error *error)
{
    return cs_home_open_token_forced(out, home, false, error);
}

void cs_home_undo(const cs_home *home)
{
    char path[CS_PATH_MAX];

    cs_home_path(home, "config.json", path);
    (void)unlink(path);
}

int cs_home_equip(cs_token **token, cs_home *home, bool adopt, cs_error *error)
{
    int rc = cs_home_open_token(token, home, error);

    if (rc == CS_OK)
        rc = cs_home_make_keys(home, *token, adopt, error);
    if (rc != CS_OK) {
        cs_token_close(token);
        cs_home_undo(home);
    }
    return rc;
}

int cs_home_init(cs_home **out, cs_token **token, const char *dir, cs_home_kind kind,
    const char *id, cs_suite suite, const json_t *config, bool adopt, cs_error *error)
{
    int rc = cs_home_create(out, dir, kind, id, suite, config, error);

    *token = NULL;
    if (rc != CS_OK)
        return rc;
    rc = cs_home_equip(token, *out, adopt, error);
    if (rc != CS_OK)
        cs_home_free(out);
    return rc;
}

int cs_actor_open_key(
    cs_key **out, const cs_actor *actor, const char *uri, cs_use use, cs_error *error)
{
    int rc = cs_pin_refuse_in_uri(uri, "config.json", error);

    return rc == CS_OK ? cs_key_open(out, actor->token, uri, use, actor->home->suite, error) : rc;
}

static int open_keys(cs_actor *actor, cs_error *error)
{
    cs_key **const keys[] = {&actor->sign, &actor->decrypt, &actor->issue, &actor->storage};
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof plans / sizeof plans[0]; i++) {
        char path[KEY_PATH_MAX];
        const char *uri;

        (void)snprintf(path, sizeof path, "keys.%s", plans[i].name);
        uri = cs_home_text(actor->home, path);
        if (uri != NULL)
            rc = cs_actor_open_key(keys[i], actor, uri, plans[i].use, error);
    }
    if (rc == CS_OK && actor->storage != NULL)
        rc = cs_own_storage_check(actor->home, actor->storage, error);
    if (rc == CS_OK && actor->home->kind == CS_HOME_CLOUD && actor->party.cloud != NULL)
        rc = cs_own_cloud_check(actor, error);
    return rc;
}

static int read_if_there(
    const cs_home *home, const char *name, size_t limit, cs_buf *out, cs_error *error)
{
    int rc = cs_home_read(home, name, limit, out, error);

    return rc == CS_E_NO_FILE ? CS_OK : rc;
}

static int load_cloud(cs_actor *actor, bool wanted, cs_error *error)
{
    cs_buf bytes = {0};
    int rc = cs_home_read(actor->home, "cloud.cbor", CS_MESSAGE_MAX, &bytes, error);

    if (rc == CS_OK)
        rc = cs_cloud_parse(&actor->cloud, cs_view_buf(&bytes), error);
    else if (rc == CS_E_NO_FILE && !wanted)
        rc = CS_OK;
    if (rc == CS_OK && bytes.n > 0)
        actor->party.cloud = &actor->cloud;
    cs_buf_free(&bytes);
    return rc;
}

/* A file that is there and has none is one that is being written, or cut: nobody would be revoked.
 */
static int has_list(cs_view crl, const cs_home *home, cs_error *error)
{
    static const char begin[] = "-----BEGIN X509 CRL-----";

    if (memmem(crl.n == 0 ? "" : (const char *)crl.p, crl.n, begin, sizeof begin - 1) == NULL)
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/crl.pem holds no revocation list; fetch it again, or remove the file", home->dir);
    return CS_OK;
}

int cs_home_read_trust(cs_trust **out, const cs_home *home, cs_error *error)
{
    cs_buf pem = {0};
    cs_buf crl = {0};
    cs_ocsp_policy policy;
    int rc = cs_home_ocsp(&policy, home, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = read_if_there(home, "authorities.pem", CS_MESSAGE_MAX, &pem, error);
    if (rc == CS_OK) {
        rc = cs_home_read(home, "crl.pem", 2 * (size_t)CS_CRL_MAX, &crl, error);
        if (rc == CS_OK)
            rc = has_list(cs_view_buf(&crl), home, error);
        else if (rc == CS_E_NO_FILE)
            rc = CS_OK;
    }
    if (rc == CS_OK && pem.n > 0)
        rc = cs_trust_new(out, cs_view_buf(&pem), cs_view_buf(&crl), error);
    if (rc == CS_OK && pem.n > 0)
        rc = cs_trust_set_ocsp(*out, policy, error);
    if (rc != CS_OK)
        cs_trust_free(out);
    cs_buf_free(&pem);
    cs_buf_free(&crl);
    return rc;
}

static int load_certificates(cs_actor *actor, cs_error *error)
{
    cs_buf pem = {0};
    int rc = read_if_there(actor->home, "certificate.pem", CS_MESSAGE_MAX, &pem, error);

    if (rc == CS_OK && pem.n > 0)
        rc = cs_pem_decode(&actor->certificate, "CERTIFICATE", cs_view_buf(&pem), error);
    if (rc == CS_OK)
        rc = cs_home_read_trust(&actor->trust, actor->home, error);
    actor->party.certificate = cs_view_buf(&actor->certificate);
    cs_buf_free(&pem);
    return rc;
}

/* Manufacturers of TPMs, where the cloud was told of some. */
static int load_makers(cs_actor *actor, cs_error *error)
{
    cs_buf pem = {0};
    int rc = read_if_there(actor->home, CS_TPM_MAKERS_FILE, CS_TPM_MAKERS_MAX, &pem, error);

    if (rc == CS_OK && pem.n > 0)
        rc = cs_trust_new(&actor->tpm_makers, cs_view_buf(&pem), (cs_view){0}, error);
    cs_buf_free(&pem);
    return rc;
}

static int never_revoked(void *context, uint64_t serial, bool *revoked, cs_error *error)
{
    (void)context;
    (void)serial;
    (void)error;
    *revoked = false;
    return CS_OK;
}

/* Our own credential: is it PC's, for these keys? Dates and revocation are for others to judge, and
 * for a renewal they must not be in the way: it is looked at as of its first day. */
static int check_own_credential(cs_actor *actor, cs_error *error)
{
    cs_credential *credential = &actor->credential;
    const cs_env env = {.now = credential->not_before, .revoked = never_revoked};
    int rc = cs_credential_check(
        credential, &actor->cloud, &env, cs_home_role(actor->home->kind), error);

    if (rc != CS_OK)
        return rc;
    if (strcmp(credential->id, actor->home->id) != 0 ||
        !cs_own_is_public(actor->sign, credential->puk_sign) ||
        !cs_own_is_public(actor->decrypt, credential->puk_decrypt))
        return CS_FAIL(error, CS_E_CREDENTIAL,
            "%s/credential.cbor is not for the keys of this token; register again",
            actor->home->dir);
    return CS_OK;
}

static int load_credential(cs_actor *actor, cs_error *error)
{
    cs_buf bytes = {0};
    int rc = read_if_there(actor->home, "credential.cbor", CS_CREDENTIAL_MAX, &bytes, error);

    if (rc != CS_OK || bytes.n == 0)
        goto out;
    rc = cs_credential_parse(&actor->credential, &actor->cloud, cs_view_buf(&bytes), error);
    if (rc == CS_OK)
        rc = check_own_credential(actor, error);
    if (rc == CS_OK)
        rc = cs_own_scalar_open(actor, error);
    if (rc == CS_OK && actor->scalar != NULL)
        actor->party.credential = &actor->credential;
    else
        actor->credential = (cs_credential){0};
out:
    cs_buf_free(&bytes);
    return rc;
}

int cs_actor_open(cs_actor **out, cs_home *home, bool wants_cloud, cs_error *error)
{
    cs_actor *actor = calloc(1, sizeof *actor);
    int rc;

    *out = NULL;
    if (actor == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a party; free some and retry");
    actor->home = home;
    rc = cs_home_open_token(&actor->token, home, error);
    if (rc == CS_OK)
        rc = load_cloud(actor, wants_cloud, error);
    if (rc == CS_OK)
        rc = open_keys(actor, error);
    if (rc == CS_OK)
        rc = load_certificates(actor, error);
    if (rc == CS_OK && home->kind == CS_HOME_CLOUD)
        rc = load_makers(actor, error);
    if (rc == CS_OK && actor->party.cloud != NULL)
        rc = load_credential(actor, error);
    if (rc != CS_OK) {
        cs_actor_free(&actor);
        return rc;
    }
    actor->party.sign = actor->sign;
    actor->party.decrypt = actor->decrypt;
    actor->party.scalar = actor->scalar;
    actor->party.issue = actor->issue;
    actor->party.storage = actor->storage;
    *out = actor;
    return CS_OK;
}

int cs_actor_wants_registration(const cs_actor *actor, cs_error *error)
{
    const char *party = cs_home_group(actor->home->kind);

    if (actor->party.credential == NULL)
        return CS_FAIL(error, CS_E_CREDENTIAL,
            "this %s is not registered; run `chartseal %s register --dir %s` first", party, party,
            actor->home->dir);
    if (actor->credential.not_after <= cs_clock_ms())
        return CS_FAIL(error, CS_E_EXPIRED,
            "the credential of this %s has expired; run `chartseal %s register --dir %s` again",
            party, party, actor->home->dir);
    return CS_OK;
}

void cs_actor_free(cs_actor **actor)
{
    if (*actor == NULL)
        return;
    cs_key_close(&(*actor)->scalar); /* before decrypt, which a sealed one needs */
    cs_key_close(&(*actor)->sign);
    cs_key_close(&(*actor)->decrypt);
    cs_key_close(&(*actor)->issue);
    cs_key_close(&(*actor)->storage);
    cs_token_close(&(*actor)->token);
    cs_trust_free(&(*actor)->trust);
    cs_trust_free(&(*actor)->tpm_makers);
    cs_buf_free(&(*actor)->certificate);
    cs_buf_free(&(*actor)->staple);
    free(*actor);
    *actor = NULL;
}
