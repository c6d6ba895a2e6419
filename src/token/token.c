/* SPDX-License-Identifier: Apache-2.0 */
#include "token/backend.h"

#include <string.h>

#define PKCS11_SCHEME "pkcs11:"
#define TPM_SCHEME "tpm2:"

static bool has_scheme(const char *uri, const char *scheme)
{
    return strncmp(uri, scheme, strlen(scheme)) == 0;
}

bool cs_uri_is_tpm(const char *uri)
{
    return has_scheme(uri, TPM_SCHEME);
}

static int unsuitable(const char *what, cs_error *error)
{
    return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
        "this kind of token cannot %s; use a token that can, see `token audit`", what);
}

int cs_token_open(cs_token **out, const char *uri, const cs_token_options *options, cs_error *error)
{
    *out = NULL;
    if (uri == NULL || strnlen(uri, CS_URI_MAX) >= CS_URI_MAX)
        return CS_FAIL(error, CS_E_USAGE, "a token URI has 1 to %d bytes", CS_URI_MAX - 1);
    if (has_scheme(uri, PKCS11_SCHEME))
        return cs_pkcs11_token_open(out, uri, options, error);
    if (cs_uri_is_tpm(uri))
        return cs_tpm_token_open(out, uri, options, error);
    return CS_FAIL(
        error, CS_E_USAGE, "a token is named by a URI that begins with pkcs11: or tpm2:");
}

void cs_token_close(cs_token **token)
{
    if (token == NULL || *token == NULL)
        return;
    (*token)->ops->close(*token);
    *token = NULL;
}

int cs_token_describe(cs_token *token, cs_token_info *out, cs_error *error)
{
    if (token->ops->describe == NULL)
        return unsuitable("describe itself", error);
    return token->ops->describe(token, out, error);
}

unsigned cs_token_pin_prompts(const cs_token *token)
{
    return token->pin_prompts;
}

int cs_token_begin_visit(cs_token *token, cs_error *error)
{
    return token->ops->begin_visit == NULL ? CS_OK : token->ops->begin_visit(token, error);
}

void cs_token_end_visit(cs_token *token)
{
    if (token->held != NULL)
        cs_held_pin_end_visit(token->held);
    token->pin_prompts = 0;
    token->pin_uses = 0;
}

static int check_use(cs_use use, cs_suite suite, cs_error *error)
{
    if (use < CS_USE_SIGN || use > CS_USE_PRF)
        return CS_FAIL(error, CS_E_USAGE, "%d is no use of a key", (int)use);
    if ((use == CS_USE_SCALAR || use == CS_USE_ISSUE) && !cs_suite_known((uint64_t)suite))
        return CS_FAIL(error, CS_E_VERSION, "%d is no suite; take ed25519 or p256", (int)suite);
    return CS_OK;
}

/* Empty labels would make "the key of that label" mean any key. */
static int check_label(const char *label, cs_error *error)
{
    size_t n = label == NULL ? 0 : strnlen(label, CS_LABEL_MAX + 1);

    if (n == 0 || n > CS_LABEL_MAX)
        return CS_FAIL(error, CS_E_USAGE, "a key label has 1 to %d bytes", CS_LABEL_MAX);
    return CS_OK;
}

int cs_key_open(
    cs_key **out, cs_token *token, const char *uri, cs_use use, cs_suite suite, cs_error *error)
{
    int rc;

    *out = NULL;
    if (uri == NULL || strnlen(uri, CS_URI_MAX) >= CS_URI_MAX)
        return CS_FAIL(error, CS_E_USAGE, "a key URI has 1 to %d bytes", CS_URI_MAX - 1);
    rc = check_use(use, suite, error);
    if (rc != CS_OK)
        return rc;
    if (token->ops->open_key == NULL)
        return unsuitable("open keys", error);
    return token->ops->open_key(token, out, uri, use, suite, error);
}

void cs_key_close(cs_key **key)
{
    if (key == NULL || *key == NULL)
        return;
    (*key)->ops->close(*key);
    *key = NULL;
}

const cs_key_info *cs_key_describe(const cs_key *key)
{
    return &key->info;
}

int cs_key_generate(
    cs_key **out, cs_token *token, const char *label, cs_use use, cs_suite suite, cs_error *error)
{
    int rc;

    *out = NULL;
    rc = check_label(label, error);
    if (rc == CS_OK)
        rc = check_use(use, suite, error);
    if (rc != CS_OK)
        return rc;
    if (use == CS_USE_SCALAR)
        return CS_FAIL(
            error, CS_E_USAGE, "S_X is issued, not generated; register with the public cloud");
    if (token->ops->generate == NULL)
        return unsuitable("generate keys", error);
    return token->ops->generate(token, out, label, use, suite, error);
}

int cs_wrapping_key_new(cs_wrapping_key **out, const char *token, const cs_pin_source *so_pin,
    const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error)
{
    *out = NULL;
    if (token == NULL || !has_scheme(token, PKCS11_SCHEME))
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "only a PKCS#11 token lets a key be wrapped; go without a backup there");
    return cs_pkcs11_wrapping_key(out, token, so_pin, key, error);
}

void cs_wrapping_key_free(cs_wrapping_key **key)
{
    if (key == NULL || *key == NULL)
        return;
    (*key)->free(*key);
    *key = NULL;
}

/* Only what a party loses all with: other keys are made anew. */
static int check_survivor(const char *label, cs_use use, cs_suite suite, cs_error *error)
{
    int rc = check_label(label, error);

    if (rc == CS_OK)
        rc = check_use(use, suite, error);
    if (rc == CS_OK && use != CS_USE_ISSUE && use != CS_USE_PRF)
        rc = CS_FAIL(
            error, CS_E_USAGE, "a key for %s is made anew, and never wrapped", cs_use_name(use));
    return rc;
}

int cs_key_generate_wrapped(cs_key **out, cs_buf *wrapped, cs_token *token,
    const cs_wrapping_key *with, const char *label, cs_use use, cs_suite suite, cs_error *error)
{
    int rc = check_survivor(label, use, suite, error);

    *out = NULL;
    if (rc != CS_OK)
        return rc;
    if (token->ops->generate_wrapped == NULL)
        return unsuitable("let a key be wrapped", error);
    return token->ops->generate_wrapped(token, out, wrapped, with, label, use, suite, error);
}

int cs_key_unwrap(cs_key **out, cs_token *token, const cs_unwrapping *from, const char *label,
    cs_use use, cs_suite suite, cs_error *error)
{
    int rc = check_survivor(label, use, suite, error);

    *out = NULL;
    if (rc != CS_OK)
        return rc;
    if (from->wrapped.n == 0 || from->wrapped.n > CS_WRAPPED_MAX)
        return CS_FAIL(error, CS_E_MALFORMED, "a wrapped key has 1 to %d bytes", CS_WRAPPED_MAX);
    if (token->ops->unwrap_key == NULL)
        return unsuitable("unwrap keys", error);
    return token->ops->unwrap_key(token, out, from, label, use, suite, error);
}

int cs_key_destroy(cs_token *token, const char *label, cs_error *error)
{
    int rc = check_label(label, error);

    if (rc != CS_OK)
        return rc;
    if (token->ops->destroy == NULL)
        return unsuitable("remove keys", error);
    return token->ops->destroy(token, label, error);
}

int cs_token_list_keys(cs_token *token, cs_key_visit_fn fn, void *context, cs_error *error)
{
    if (token->ops->list_keys == NULL)
        return unsuitable("list its keys", error);
    return token->ops->list_keys(token, fn, context, error);
}

int cs_token_delivery(cs_token *token, cs_suite suite, cs_delivery *out, cs_error *error)
{
    int rc = check_use(CS_USE_SCALAR, suite, error);

    if (rc != CS_OK)
        return rc;
    if (token->ops->delivery == NULL) {
        *out = CS_DELIVERY_SEALED; /* needs nothing but `agree` */
        return CS_OK;
    }
    return token->ops->delivery(token, suite, out, error);
}

int cs_key_import_lifted(cs_key **out, cs_token *token, const char *label, const cs_scalar *s,
    const cs_point *y, cs_error *error)
{
    int rc;

    *out = NULL;
    rc = check_label(label, error);
    if (rc != CS_OK)
        return rc;
    if (y->suite != CS_SUITE_ED25519)
        return CS_FAIL(error, CS_E_USAGE, "only an ed25519 S_X is lifted");
    if (token->ops->import_lifted == NULL)
        return unsuitable("take a lifted S_X", error);
    return token->ops->import_lifted(token, out, label, s, y, error);
}

int cs_delivery_key_new(
    cs_delivery_key **out, cs_token *token, uint8_t public_key[65], cs_error *error)
{
    *out = NULL;
    if (token->ops->delivery_key == NULL)
        return unsuitable("unwrap keys", error);
    return token->ops->delivery_key(token, out, public_key, error);
}

int cs_delivery_key_unwrap(cs_key **out, cs_delivery_key *delivery, const char *label,
    const uint8_t peer[65], cs_view wrapped, const cs_point *y, cs_error *error)
{
    int rc;

    *out = NULL;
    rc = check_label(label, error);
    if (rc != CS_OK)
        return rc;
    if (y->suite != CS_SUITE_P256)
        return CS_FAIL(error, CS_E_USAGE, "only a p256 S_X is unwrapped");
    return delivery->unwrap(delivery, out, label, peer, wrapped, y, error);
}

void cs_delivery_key_free(cs_delivery_key **delivery)
{
    if (delivery == NULL || *delivery == NULL)
        return;
    (*delivery)->free(*delivery);
    *delivery = NULL;
}

int cs_key_remove_others(cs_key *key, cs_error *error)
{
    return key->ops->remove_others == NULL ? CS_OK : key->ops->remove_others(key, error);
}

const char *cs_use_name(cs_use use)
{
    static const char *const names[] = {[CS_USE_SIGN] = "sign",
        [CS_USE_AGREE] = "agree",
        [CS_USE_SCALAR] = "scalar_mul",
        [CS_USE_ISSUE] = "issue",
        [CS_USE_PRF] = "prf"};

    return use >= CS_USE_SIGN && use <= CS_USE_PRF ? names[use] : "other";
}

static int pin_from(cs_pin_source *source, const char *path, const char *what, cs_error *error)
{
    *source = (cs_pin_source){.kind = CS_PIN_FILE};
    if (path == NULL || strlen(path) >= sizeof source->path)
        return CS_FAIL(error, CS_E_USAGE, "the %s of a new token comes from a file", what);
    memcpy(source->path, path, strlen(path) + 1);
    return CS_OK;
}

int cs_token_initialise(const char *module, const char *label, const char *so_pin_file,
    const char *pin_file, cs_error *error)
{
    cs_pin_source so_pin, pin;
    int rc = pin_from(&so_pin, so_pin_file, "SO PIN", error);

    if (rc == CS_OK)
        rc = pin_from(&pin, pin_file, "PIN", error);
    return rc == CS_OK ? cs_pkcs11_token_initialise(module, label, &so_pin, &pin, false, error)
                       : rc;
}

int cs_token_find_vacancy(
    cs_token_vacancy *out, const char *module, const char *label, cs_error *error)
{
    return cs_pkcs11_token_find_vacancy(out, module, label, error);
}

int cs_token_initialise_again(const char *module, const char *label, const cs_pin_source *so_pin,
    const cs_pin_source *pin, cs_error *error)
{
    return cs_pkcs11_token_initialise(module, label, so_pin, pin, true, error);
}

int cs_token_list(const char *module, cs_token_visit_fn fn, void *context, cs_error *error)
{
    int rc;

    if (module != NULL && cs_uri_is_tpm(module))
        return cs_tpm_token_list(module, fn, context, error);
    rc = cs_pkcs11_token_list(module, fn, context, error);
    return rc == CS_OK && module == NULL ? cs_tpm_token_list(NULL, fn, context, error) : rc;
}

void cs_token_shutdown(void)
{
    cs_pkcs11_shutdown();
}
