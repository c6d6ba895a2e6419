/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/survivor_report.h"
#include "cli/token_shares.h"
#include "service/own_keys.h"
#include "service/own_scalar.h"
#include "token/pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIV_MANUFACTURER "piv_II" /* OpenSC's, of every PIV card */
#define PIV_RETIRED 20
#define PIV_RETIRED_FIRST 0x82u

/* -- list ----------------------------------------------------------------------------------------
 */

static const char *pin_state(const cs_token_info *info)
{
    if (info->pin_locked)
        return "locked";
    if (info->pin_final_try)
        return "one try left";
    return info->pin_count_low ? "tries used" : "fine";
}

typedef struct collection {
    json_t *tokens;
    cs_error *error;
} collection;

static int collect_token(void *context, const cs_token_info *info)
{
    collection *found = context;
    json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:s}", "uri", info->uri,
        "label", info->label, "serial", info->serial, "manufacturer", info->manufacturer, "model",
        info->model, "module", info->module, "initialised", info->initialised, "login_required",
        info->login_required, "pin", pin_state(info));

    if (json_array_append_new(found->tokens, entry) != 0)
        return CS_FAIL(found->error, CS_E_MEMORY, "token %s cannot be put into JSON; free memory",
            info->label);
    return CS_OK;
}

static int print_token(void *context, const cs_token_info *info)
{
    size_t *count = context;
    char label[sizeof info->label], serial[sizeof info->serial];
    char manufacturer[sizeof info->manufacturer], model[sizeof info->model];

    (*count)++;
    cs_say("%s", cs_printable(label, sizeof label, info->label));
    cs_say("  %s", info->uri);
    cs_say("  %s %s, serial %s, PIN %s%s",
        cs_printable(manufacturer, sizeof manufacturer, info->manufacturer),
        cs_printable(model, sizeof model, info->model),
        cs_printable(serial, sizeof serial, info->serial), pin_state(info),
        info->initialised ? "" : ", not initialised");
    return CS_OK;
}

static int run_list(const cs_arguments *arguments, cs_error *error)
{
    const char *module = cs_arg(arguments, "module");
    collection found = {.error = error};
    size_t count = 0;
    int rc;

    if (!cs_arg_flag(arguments, "json")) {
        rc = cs_token_list(module, print_token, &count, error);
        if (rc == CS_OK && count == 0)
            cs_say("there are no tokens; is the reader plugged in, and the module configured?");
        return rc;
    }
    found.tokens = json_array();
    if (found.tokens == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a list of tokens");
    rc = cs_token_list(module, collect_token, &found, error);
    if (rc == CS_OK)
        return cs_print_json(found.tokens, error);
    json_decref(found.tokens);
    return rc;
}

/* -- audit ---------------------------------------------------------------------------------------
 */

typedef struct findings {
    json_t *keys;
    cs_token_info token;
    size_t exposed;
    const char *sealed_label;             /* NULL: S_X is not sealed */
    const char *decrypt_uri, *scalar_uri; /* NULL: the home names none */
    const char *endorsement;              /* what others can know of this TPM; empty: no TPM */
    const cs_home *home;     /* NULL: of no home; what a home says of its keys is not known */
    uint8_t sign_public[65]; /* of the home's signing key */
    bool has_sign_public, disputed; /* its transcript does not say the same of its keys */
    cs_error *error;
} findings;

/* One attestation key is made, as for a registration, and forgotten. */
static int examine_endorsement(findings *found, cs_token *token)
{
    const cs_attestor_info *info;
    cs_attestor *attestor = NULL;
    int rc = cs_attestor_new(&attestor, token, found->error);

    found->endorsement = "";
    if (rc == CS_E_TOKEN_UNSUITABLE)
        return CS_OK;
    if (rc != CS_OK)
        return rc;
    info = cs_attestor_describe(attestor);
    found->endorsement = !info->has_endorsement        ? "none"
                         : info->certificate_size == 0 ? "key"
                                                       : "certificate";
    cs_attestor_free(&attestor);
    return CS_OK;
}

/* With a home that is known, an s or a storage key that could leave once, too: but one that did by
 * choice. */
static bool is_exposed(const findings *found, const cs_key_info *info)
{
    bool survives = info->use == CS_USE_ISSUE || info->use == CS_USE_PRF;

    if (!info->sensitive || info->extractable)
        return true;
    return found->home != NULL && survives &&
           !(info->local && info->always_sensitive && info->never_extractable) &&
           !cs_own_is_survivor(found->home, info);
}

/* "backup", "restored"; "could" leave once, by nobody's choice that is known here; or "never". */
static const char *left_how(const findings *found, const cs_key_info *info)
{
    if (info->never_extractable || !info->wrap_with_trusted)
        return info->never_extractable ? "never" : "could";
    if (found->home == NULL || !cs_own_is_survivor(found->home, info))
        return "could";
    return info->local ? "backup" : "restored";
}

/* The slot of a PIV card, by the name that OpenSC has for its key; NULL: it is none. */
static const char *slot_of(const findings *found, const char *name, char room[3])
{
    static const struct {
        const char *name, *slot;
    } slots[] = {
        {"PIV AUTH key", "9A"}, {"SIGN key", "9C"}, {"KEY MAN key", "9D"}, {"CARD AUTH key", "9E"}};
    static const char retired_name[] = "Retired KEY MAN ";
    unsigned long retired;

    if (strcmp(found->token.manufacturer, PIV_MANUFACTURER) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        if (strcmp(slots[i].name, name) == 0)
            return slots[i].slot;
    }
    if (strncmp(name, retired_name, sizeof retired_name - 1) != 0)
        return NULL;
    retired = strtoul(name + sizeof retired_name - 1, NULL, 10);
    if (retired < 1 || retired > PIV_RETIRED)
        return NULL;
    (void)snprintf(room, 3, "%02lX", (PIV_RETIRED_FIRST + retired - 1) & 0xff);
    return room;
}

static int add_key(findings *found, const cs_key_info *info, const char *name, const char *custody)
{
    char room[3];
    const char *slot = slot_of(found, name, room);
    bool retired = slot != NULL && slot == room;
    /* a desk brings S_D there over PC/SC, and OpenSC's word is no word about the others */
    const char *delivery = !retired                     ? cs_key_delivery(info)
                           : info->use == CS_USE_SCALAR ? "imported"
                                                        : "unknown";
    json_t *entry = json_pack(
        "{s:s, s:s?, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:s, s:s, s:b}", "name",
        name, "slot", slot, "uri", info->uri, "use", cs_use_name(info->use), "custody", custody,
        "delivery", delivery, "sensitive", info->sensitive, "extractable", info->extractable,
        "local", info->local, "always_sensitive", info->always_sensitive, "never_extractable",
        info->never_extractable, "wrap_with_trusted", info->wrap_with_trusted, "left",
        left_how(found, info), "attributes", info->attributes, "attestable", info->attestable);

    if (json_array_append_new(found->keys, entry) != 0)
        return CS_FAIL(
            found->error, CS_E_MEMORY, "key %s cannot be put into JSON; free memory", name);
    return CS_OK;
}

/* The cloud issued it, whatever the module says: OpenSC has every key of a PIV card generated
 * there.
 */
static cs_key_info as_issued(const cs_key_info *info)
{
    cs_key_info issued = *info;

    issued.use = CS_USE_SCALAR;
    issued.local = false;
    issued.always_sensitive = false;
    issued.never_extractable = false;
    return issued;
}

/* A sealed S_X is as safe as the key it is sealed to, so it is shown beside that one. */
static int examine_key(void *context, const cs_key_info *info)
{
    findings *found = context;
    bool is_scalar = found->scalar_uri != NULL && strcmp(found->scalar_uri, info->uri) == 0;
    const cs_key_info issued = as_issued(info);
    int rc = add_key(found, is_scalar && info->local ? &issued : info, info->label, "token");

    if (found->home != NULL && cs_home_text(found->home, "keys.sign") != NULL &&
        strcmp(cs_home_text(found->home, "keys.sign"), info->uri) == 0 &&
        info->public_key_size == sizeof found->sign_public) {
        memcpy(found->sign_public, info->public_key, sizeof found->sign_public);
        found->has_sign_public = true;
    }
    if (is_exposed(found, info))
        found->exposed++;
    if (rc == CS_OK && found->sealed_label != NULL && found->decrypt_uri != NULL &&
        strcmp(found->decrypt_uri, info->uri) == 0) {
        cs_key_info sealed = issued;

        sealed.custody = CS_CUSTODY_SEALED;
        sealed.attestable = false;
        sealed.attributes[0] = '\0';
        rc = add_key(found, &sealed, found->sealed_label, "sealed");
    }
    return rc;
}

static void print_keys(const findings *found)
{
    size_t i;
    json_t *key;

    json_array_foreach(found->keys, i, key)
    {
        bool sensitive = json_is_true(json_object_get(key, "sensitive"));
        bool extractable = json_is_true(json_object_get(key, "extractable"));
        const char *slot = json_string_value(json_object_get(key, "slot"));
        char name[CS_LABEL_MAX + 1], named[CS_LABEL_MAX + 8];

        (void)snprintf(named, sizeof named, "%s%s%s",
            cs_printable(name, sizeof name, json_string_value(json_object_get(key, "name"))),
            slot == NULL ? "" : ", slot ", slot == NULL ? "" : slot);
        cs_say("%-24s %-10s custody %s, %s, %s, %s", named,
            json_string_value(json_object_get(key, "use")),
            json_string_value(json_object_get(key, "custody")),
            sensitive ? "sensitive" : "NOT SENSITIVE",
            extractable ? "EXTRACTABLE" : "not extractable",
            json_string_value(json_object_get(key, "delivery")));
        if (strcmp(json_string_value(json_object_get(key, "left")), "could") == 0 &&
            json_is_true(json_object_get(key, "wrap_with_trusted")))
            cs_say("%-24s could leave its token once, wrapped under a trusted key", "");
        if (json_string_value(json_object_get(key, "attributes"))[0] != '\0')
            cs_say("%-24s %s; %s", "", json_string_value(json_object_get(key, "attributes")),
                json_is_true(json_object_get(key, "attestable"))
                    ? "the TPM attests it"
                    : "NOT a key that the TPM could attest to others");
    }
    if (found->endorsement[0] != '\0')
        cs_say("endorsement: %s", found->endorsement);
    if (strcmp(found->token.manufacturer, PIV_MANUFACTURER) == 0)
        cs_say(
            "'generated' is what the module says of any key of a PIV card; `chartseal card show` "
            "asks the card");
    if (found->home != NULL)
        cs_say_survivor(found->home);
}

static int print_findings(const findings *found, cs_error *error)
{
    const cs_token_info *token = &found->token;
    json_t *report = json_pack("{s:b, s:{s:s, s:s, s:s, s:s}, s:I, s:O}", "ok",
        found->exposed == 0 && !found->disputed, "token", "label", token->label, "serial",
        token->serial, "uri", token->uri, "endorsement", found->endorsement, "exposed",
        (json_int_t)found->exposed, "keys", found->keys);
    int rc = found->home == NULL ? CS_OK : cs_survivor_report(report, found->home, error);

    if (rc == CS_OK)
        return cs_print_json(report, error);
    json_decref(report);
    return rc;
}

static int report_keys(const findings *found, bool json, cs_error *error)
{
    int rc = CS_OK;

    if (json)
        rc = print_findings(found, error);
    else
        print_keys(found);
    if (rc != CS_OK || found->exposed == 0)
        return rc;
    rc = CS_FAIL(error, CS_E_KEY_EXPOSED,
        "%zu private or secret key(s) can leave token %s, or could; make new ones in it and "
        "register again",
        found->exposed, found->token.label);
    if (json)
        error->message[0] = '\0'; /* the object has said it */
    return rc;
}

/* The token of --dir, whose home is then the caller's too, or of --uri. */
static int open_token(
    cs_token **token, cs_home **home, const cs_arguments *arguments, bool force, cs_error *error)
{
    const char *dir = cs_arg(arguments, "dir");
    const char *uri = cs_arg(arguments, "uri");
    const char *file = cs_arg(arguments, "pin-file");
    cs_token_options options = {.pin = {.kind = CS_PIN_PINENTRY}, .force_final_try = force};
    int rc;

    if ((dir == NULL) == (uri == NULL))
        return CS_FAIL(error, CS_E_USAGE, "give --dir or --uri, one of the two");
    if (dir != NULL) {
        rc = cs_home_open_any(home, dir, error);
        return rc == CS_OK ? cs_home_open_token_forced(token, *home, force, error) : rc;
    }
    if (file != NULL) {
        options.pin.kind = CS_PIN_FILE;
        (void)snprintf(options.pin.path, sizeof options.pin.path, "%s", file);
    }
    rc = cs_pin_refuse_in_uri(uri, "--uri", error);
    return rc == CS_OK ? cs_token_open(token, uri, &options, error) : rc;
}

static int run_audit(const cs_arguments *arguments, cs_error *error)
{
    findings found = {.keys = json_array(), .error = error};
    cs_token *token = NULL;
    cs_home *home = NULL;
    char sealed[CS_LABEL_MAX + 1];
    cs_error why = {0};
    int told = CS_OK;
    int rc = open_token(&token, &home, arguments, false, error);

    if (rc == CS_OK)
        rc = cs_token_describe(token, &found.token, error);
    if (rc == CS_OK && home != NULL) {
        const char *scalar = cs_home_text(home, "keys.scalar");

        cs_home_key_label(home, "scalar", sealed);
        if (scalar != NULL && strcmp(scalar, CS_SCALAR_SEALED) == 0)
            found.sealed_label = sealed;
        found.scalar_uri = scalar;
        found.decrypt_uri = cs_home_text(home, "keys.decrypt");
        found.home = home;
    }
    if (rc == CS_OK)
        rc = cs_token_list_keys(token, examine_key, &found, error);
    if (rc == CS_OK)
        rc = examine_endorsement(&found, token);
    if (rc == CS_OK && home != NULL)
        told = cs_survivor_check_transcript(home,
            (cs_view){found.sign_public, found.has_sign_public ? sizeof found.sign_public : 0},
            &why);
    found.disputed = told != CS_OK;
    if (rc == CS_OK)
        rc = report_keys(&found, cs_arg_flag(arguments, "json"), error);
    if (rc == CS_OK && told != CS_OK) {
        *error = why;
        rc = told;
    }
    cs_token_close(&token);
    cs_home_free(&home);
    json_decref(found.keys);
    return rc;
}

/* -- login ---------------------------------------------------------------------------------------
 */

/* A right PIN sets the token's count back, so that it is the way out when one try is left. */
static int run_login(const cs_arguments *arguments, cs_error *error)
{
    cs_token *token = NULL;
    cs_home *home = NULL;
    cs_token_info info;
    char label[sizeof info.label];
    int rc = open_token(&token, &home, arguments, cs_arg_flag(arguments, "force-final-try"), error);

    if (rc == CS_OK)
        rc = cs_token_describe(token, &info, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = cs_print_json(json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "label", info.label, "serial",
                               info.serial, "pin", pin_state(&info)),
            error);
    else if (rc == CS_OK)
        cs_say("token %s takes the PIN, which is %s now",
            cs_printable(label, sizeof label, info.label), pin_state(&info));
    cs_token_close(&token);
    cs_home_free(&home);
    return rc;
}

/* -- init ----------------------------------------------------------------------------------------
 */

static int run_init(const cs_arguments *arguments, cs_error *error)
{
    const char *label = cs_arg(arguments, "label");
    int rc = cs_token_initialise(cs_arg(arguments, "module"), label,
        cs_arg(arguments, "so-pin-file"), cs_arg(arguments, "pin-file"), error);

    if (rc != CS_OK)
        return rc;
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:s}", "ok", 1, "label", label), error);
    cs_say("initialised the token %s", label);
    return CS_OK;
}

static const cs_option list_options[] = {
    {"module", "FILE", false,
        "this PKCS#11 module, or tpm2:?tcti=CONF; otherwise all that are configured"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option audit_options[] = {
    {"dir", "DIR", false, "the token of this home"},
    {"uri", "URI", false, "or the token with this URI"},
    {"pin-file", "FILE", false, "with --uri: the PIN is the first line; else a person is asked"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option login_options[] = {
    {"dir", "DIR", false, "the token of this home"},
    {"uri", "URI", false, "or the token with this URI"},
    {"pin-file", "FILE", false, "with --uri: the PIN is the first line; else a person is asked"},
    {"force-final-try", NULL, false, "use the last try: if it is wrong, the PIN is locked"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_option init_options[] = {
    {"module", "FILE", true, "the PKCS#11 module"},
    {"label", "LABEL", true, "what the token is to be called; at most 32 bytes"},
    {"so-pin-file", "FILE", true, "the security officer's PIN is the first line"},
    {"pin-file", "FILE", true, "the user's PIN is the first line"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_verb verbs[] = {
    {"list", "the tokens that are there, and the state of their PINs", list_options,
        "--module /usr/lib/softhsm/libsofthsm2.so", run_list},
    {"audit", "every private and secret key: its use, and whether it could leave the token",
        audit_options, "--dir hospital --json", run_audit},
    {"login", "whether the PIN is right; also the one way to use the last try", login_options,
        "--dir ek --force-final-try", run_login},
    {"init", "make a fresh token in the module's first free slot", init_options,
        "--module /usr/lib/softhsm/libsofthsm2.so --label dr-ek --so-pin-file so --pin-file pin",
        run_init},
    {"combine", "put the PIN of a ceremony together from its shares", cs_combine_options,
        "--shares ada/operator-1.user-pin,bea/operator-2.user-pin --out /run/chartseal/cloud.pin",
        cs_run_combine},
    {"transcript", "check the transcript of a ceremony, and print it", cs_transcript_options,
        "--file cloud/ceremony.transcript --key 02a1...", cs_run_transcript},
    {0},
};

const cs_group cs_token_group = {"token", "tokens, and what their keys are", verbs};
