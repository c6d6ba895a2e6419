/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

typedef struct search {
    P11KitUri *uri;
    p11_slot found;
    unsigned matches;
} search;

static int match_slot(void *context, const p11_slot *slot, cs_error *error)
{
    search *s = context;

    (void)error;
    if ((slot->info.flags & CKF_TOKEN_INITIALIZED) == 0 ||
        !p11_kit_uri_match_token_info(s->uri, &slot->info))
        return 0;
    if (s->matches == 0)
        s->found = *slot;
    s->matches++;
    return 0;
}

static int match_module(void *context, p11_module *module, cs_error *error)
{
    search *s = context;
    CK_INFO info;

    if (module->functions->C_GetInfo(&info) != CKR_OK ||
        !p11_kit_uri_match_module_info(s->uri, &info))
        return 0;
    return p11_slot_each(module, match_slot, s, error);
}

static int look(search *s, cs_error *error)
{
    s->matches = 0;
    return p11_module_each(p11_kit_uri_get_module_path(s->uri), match_module, s, error);
}

/* Some modules take in their tokens when they are initialised, and then alone. SoftHSM is one, and
 * it rewrites a token's file at each login of any process: who comes in that moment sees no token
 * for as long as the module stays initialised. So an absent token is looked for again, by modules
 * begun anew where nothing holds them. */
static int find_token(search *s, cs_error *error)
{
    int rc = look(s, error);

    for (unsigned i = 0; rc == CS_OK && s->matches == 0 && i < P11_LOOKS_AGAIN; i++) {
        p11_pause_ms(P11_BACKOFF_FIRST_MS << i);
        cs_pkcs11_shutdown();
        rc = look(s, error);
    }
    if (rc != CS_OK)
        return rc;
    if (s->matches == 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "no token matches the URI; insert it, or compare with `token list`");
    if (s->matches > 1)
        return CS_FAIL(error, CS_E_KEY_AMBIGUOUS,
            "%u tokens match the URI; add serial= (see `token list`)", s->matches);
    return CS_OK;
}

static CK_RV describe_work(p11_job *job, void *context)
{
    CK_TOKEN_INFO *info = context;

    job->call = "C_GetTokenInfo";
    return job->f->C_GetTokenInfo(job->token->slot, info);
}

static int describe(cs_token *base, cs_token_info *out, cs_error *error)
{
    p11_token *token = (p11_token *)base;
    CK_TOKEN_INFO info;
    int rc = p11_run(token, NULL, describe_work, &info, error);

    return rc == CS_OK ? p11_describe(token->module, &info, out, error) : rc;
}

static void free_token(p11_token *token)
{
    cs_secret_free(&token->pin_value.text);
    cs_held_pin_free(&token->base.held);
    if (token->module != NULL)
        p11_module_put(token->module);
    cs_wipe(token, sizeof *token);
    free(token);
}

static void close_token(cs_token *base)
{
    p11_token *token = (p11_token *)base;

    p11_registry_remove(token);
    p11_pool_free(token);
    free_token(token);
}

static const cs_token_ops token_ops = {
    .describe = describe,
    .open_key = p11_key_open,
    .generate = p11_generate,
    .generate_wrapped = p11_generate_wrapped,
    .unwrap_key = p11_unwrap_key,
    .destroy = p11_key_destroy,
    .list_keys = p11_key_list,
    .delivery = p11_delivery,
    .import_lifted = p11_import_lifted,
    .delivery_key = p11_delivery_key,
    .begin_visit = p11_begin_visit,
    .close = close_token,
};

static int set_up(
    p11_token *token, const search *s, const cs_token_options *options, cs_error *error)
{
    int rc;

    token->base.ops = &token_ops;
    token->slot = s->found.id;
    token->info = s->found.info;
    (void)p11_text(token->label, sizeof token->label, token->info.label, sizeof token->info.label);
    (void)p11_text(token->serial, sizeof token->serial, token->info.serialNumber,
        sizeof token->info.serialNumber);
    token->pin_source = options->pin;
    token->force_final_try = options->force_final_try;
    token->backed_up = options->backed_up;
    token->restored = options->restored;
    token->timeout_ms = options->timeout_ms == 0 ? P11_TIMEOUT_MS : options->timeout_ms;
    token->hold = options->hold;
    token->tell = options->tell;
    token->tell_context = options->tell_context;
    rc = p11_uri_pin(s->uri, &token->pin_source, &token->pin_value, error);
    if (rc == CS_OK)
        rc = cs_held_pin_new(&token->base.held, &token->hold, error);
    if (rc == CS_OK)
        rc = p11_pool_new(token, options->sessions, error);
    return rc;
}

/* anew: by modules begun anew, where nothing holds them. */
static int find_and_hold(search *s, bool anew, cs_error *error)
{
    int rc;

    p11_scan_begin();
    if (anew)
        cs_pkcs11_shutdown();
    rc = find_token(s, error);
    if (rc == CS_OK)
        p11_module_hold(s->found.module);
    p11_scan_end();
    return rc;
}

int p11_token_find(p11_slot *out, const char *uri, cs_error *error)
{
    search s = {0};
    int rc = p11_uri_parse(&s.uri, uri, error);

    if (rc == CS_OK)
        rc = find_and_hold(&s, false, error);
    *out = s.found;
    p11_kit_uri_free(s.uri);
    return rc;
}

/* The found token's module is held for it, and given back if this fails. */
static int open_found(
    p11_token **out, const search *s, const cs_token_options *options, cs_error *error)
{
    static const cs_token_options defaults;
    p11_token *token = calloc(1, sizeof *token);
    int rc;

    if (token == NULL) {
        p11_module_put(s->found.module);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a token");
    }
    token->module = s->found.module;
    rc = set_up(token, s, options == NULL ? &defaults : options, error);
    if (rc == CS_OK)
        *out = token;
    else
        free_token(token);
    return rc;
}

/* The token says that no PIN try has been used, so a login that failed for another reason cost
 * none. At a reader's pad it would cost the person, who was there and knows more than we do.
 */
static bool may_try_again(const search *s)
{
    return (s->found.info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY |
                                      CKF_USER_PIN_LOCKED | CKF_PROTECTED_AUTHENTICATION_PATH)) ==
           0;
}

int cs_pkcs11_token_open(
    cs_token **out, const char *uri, const cs_token_options *options, cs_error *error)
{
    search s = {0};
    p11_token *token = NULL;
    int rc;

    *out = NULL;
    rc = p11_uri_parse(&s.uri, uri, error);
    if (rc != CS_OK)
        return rc;
    rc = find_and_hold(&s, false, error);
    if (rc == CS_OK)
        rc = open_found(&token, &s, options, error);
    /* The moment that hides a token (find_token) can also make its login fail in no particular way:
     * once more, with what the token then is, if that has cost no try. */
    if (rc == CS_E_TOKEN) {
        cs_error later;

        p11_pause_ms(P11_BACKOFF_FIRST_MS);
        if (find_and_hold(&s, true, &later) == CS_OK) {
            if (may_try_again(&s))
                rc = open_found(&token, &s, options, error);
            else
                p11_module_put(s.found.module);
        }
    }
    if (rc == CS_OK) {
        p11_registry_add(token);
        *out = &token->base;
    }
    p11_kit_uri_free(s.uri);
    return rc;
}
