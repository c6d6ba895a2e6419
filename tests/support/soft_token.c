/* SPDX-License-Identifier: Apache-2.0 */
#include "soft_token.h"

#include "token/backend.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 64
#define URI_SCHEME "soft:object="
/* PKCS#8 of a P-256 key has some 140 bytes; wrapping adds 8 to 16. */
#define WRAPPED_MAX 512

typedef struct soft_entry {
    bool used;
    cs_suite suite;
    cs_key_info info;
    uint8_t secret[32];
} soft_entry;

typedef struct soft_token {
    cs_token base;
    pthread_mutex_t lock;
    soft_entry entries[KEYS_MAX];
    bool sealed;
    unsigned fail_in[CS_SOFT_ANY + 1];
    void (*meanwhile[CS_SOFT_ANY + 1])(void *context);
    void *meanwhile_context;
} soft_token;

typedef struct soft_key {
    cs_key base;
    soft_token *token;
    uint8_t secret[32];
} soft_key;

typedef struct soft_delivery {
    cs_delivery_key base;
    soft_token *token;
    uint8_t secret[32];
} soft_delivery;

static bool due(soft_token *token, cs_soft_verb verb)
{
    return token->fail_in[verb] > 0 && --token->fail_in[verb] == 0;
}

static int step(soft_token *token, cs_soft_verb verb, cs_error *error)
{
    void (*meanwhile)(void *context);
    bool fail, fail_any;

    pthread_mutex_lock(&token->lock);
    meanwhile = token->meanwhile[verb];
    token->meanwhile[verb] = NULL;
    fail = due(token, verb);
    fail_any = due(token, CS_SOFT_ANY);
    pthread_mutex_unlock(&token->lock);
    if (meanwhile != NULL)
        meanwhile(token->meanwhile_context);
    if (fail || fail_any)
        return CS_FAIL(error, CS_E_TOKEN, "the software token fails as it was told");
    return CS_OK;
}

static int soft_sign(cs_key *base, const uint8_t digest[32], uint8_t signature[64], cs_error *error)
{
    soft_key *key = (soft_key *)base;
    int rc = step(key->token, CS_SOFT_SIGN, error);

    return rc != CS_OK ? rc : cs_p256_sign(signature, key->secret, digest, error);
}

static int soft_agree(cs_key *base, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    soft_key *key = (soft_key *)base;
    int rc = step(key->token, CS_SOFT_AGREE, error);

    return rc != CS_OK ? rc : cs_p256_ecdh(x, key->secret, (cs_view){peer, 65}, error);
}

static int soft_scalar_mul(cs_key *base, const cs_point *q, cs_point *out, cs_error *error)
{
    soft_key *key = (soft_key *)base;
    cs_scalar s;
    int rc = step(key->token, CS_SOFT_SCALAR_MUL, error);

    if (rc == CS_OK)
        rc = cs_scalar_decode(&s, base->suite, CS_VIEW_ARRAY(key->secret), error);
    if (rc == CS_OK)
        rc = cs_point_mul(out, &s, q, error);
    if (rc == CS_OK)
        cs_point_canonical(out);
    cs_wipe(&s, sizeof s);
    return rc;
}

static int soft_issue(cs_key *base, cs_view m, cs_point *r, cs_scalar *s, cs_error *error)
{
    soft_key *key = (soft_key *)base;
    cs_view encoded = {base->info.public_key, base->info.public_key_size};
    cs_scalar master;
    cs_point pk;
    int rc = step(key->token, CS_SOFT_ISSUE, error);

    if (rc == CS_OK)
        rc = cs_point_decode(&pk, base->suite, encoded, error);
    if (rc == CS_OK)
        rc = cs_scalar_decode(&master, base->suite, CS_VIEW_ARRAY(key->secret), error);
    if (rc == CS_OK)
        rc = cs_issue_software(s, r, &master, &pk, m, error);
    cs_wipe(&master, sizeof master);
    return rc;
}

static int soft_prf(cs_key *base, cs_view bytes, uint8_t out[32], cs_error *error)
{
    soft_key *key = (soft_key *)base;
    int rc = step(key->token, CS_SOFT_PRF, error);

    return rc != CS_OK ? rc : cs_hmac(out, CS_VIEW_ARRAY(key->secret), bytes, error);
}

static void soft_key_close(cs_key *base)
{
    soft_key *key = (soft_key *)base;

    cs_wipe(key, sizeof *key);
    free(key);
}

static const cs_key_ops key_ops = {
    .sign = soft_sign,
    .agree = soft_agree,
    .scalar_mul = soft_scalar_mul,
    .issue = soft_issue,
    .prf = soft_prf,
    .close = soft_key_close,
};

/* The caller holds the lock. */
static soft_entry *find(soft_token *token, const char *label)
{
    for (size_t i = 0; i < KEYS_MAX; i++) {
        if (token->entries[i].used && strcmp(token->entries[i].info.label, label) == 0)
            return &token->entries[i];
    }
    return NULL;
}

static cs_key *hand_out(soft_token *token, const soft_entry *entry)
{
    soft_key *key = calloc(1, sizeof *key);

    if (key == NULL)
        return NULL;
    key->base.ops = &key_ops;
    key->base.suite = entry->suite;
    key->base.info = entry->info;
    key->token = token;
    memcpy(key->secret, entry->secret, sizeof key->secret);
    return &key->base;
}

/* Puts the entry into the token, in the place of one of the same label, and opens it. */
static int keep(soft_token *token, const soft_entry *entry, cs_key **out, cs_error *error)
{
    soft_entry *place;

    pthread_mutex_lock(&token->lock);
    place = find(token, entry->info.label);
    for (size_t i = 0; place == NULL && i < KEYS_MAX; i++) {
        if (!token->entries[i].used)
            place = &token->entries[i];
    }
    if (place != NULL)
        *place = *entry;
    pthread_mutex_unlock(&token->lock);
    *out = place == NULL ? NULL : hand_out(token, entry);
    if (*out == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "the software token has room for %d keys", KEYS_MAX);
    return CS_OK;
}

static soft_entry new_entry(const char *label, cs_use use, cs_suite suite)
{
    soft_entry entry = {.used = true, .suite = suite};

    (void)strncpy(entry.info.label, label, CS_LABEL_MAX);
    (void)snprintf(entry.info.uri, sizeof entry.info.uri, "%s", URI_SCHEME);
    (void)strncat(entry.info.uri, label, CS_LABEL_MAX);
    (void)snprintf(entry.info.token_serial, sizeof entry.info.token_serial, "%s", "soft");
    entry.info.use = use;
    entry.info.custody = CS_CUSTODY_TOKEN;
    entry.info.sensitive = true;
    entry.info.always_sensitive = true;
    entry.info.never_extractable = true;
    return entry;
}

static void set_public(soft_entry *entry, cs_view bytes)
{
    memcpy(entry->info.public_key, bytes.p, bytes.n);
    entry->info.public_key_size = bytes.n;
}

static int make_master(soft_entry *entry, cs_error *error)
{
    cs_scalar s;
    cs_point pk;
    int rc = cs_scalar_random(&s, entry->suite, error);

    if (rc == CS_OK)
        rc = cs_point_base_mul(&pk, entry->suite, &s, error);
    if (rc != CS_OK)
        return rc;
    memcpy(entry->secret, s.b, sizeof entry->secret);
    set_public(entry, cs_point_view(&pk));
    cs_wipe(&s, sizeof s);
    return CS_OK;
}

static int soft_generate(
    cs_token *base, cs_key **out, const char *label, cs_use use, cs_suite suite, cs_error *error)
{
    soft_token *token = (soft_token *)base;
    soft_entry entry = new_entry(label, use, suite);
    uint8_t public_key[65];
    bool taken;
    int rc = step(token, CS_SOFT_GENERATE, error);

    if (rc != CS_OK)
        return rc;
    pthread_mutex_lock(&token->lock);
    taken = find(token, label) != NULL;
    pthread_mutex_unlock(&token->lock);
    if (taken)
        return CS_FAIL(error, CS_E_EXISTS, "the software token has a key %s", label);
    entry.info.local = true;
    if (use == CS_USE_PRF) {
        cs_random(entry.secret, sizeof entry.secret);
    } else if (use == CS_USE_ISSUE) {
        rc = make_master(&entry, error);
    } else {
        rc = cs_p256_generate(entry.secret, public_key, error);
        if (rc == CS_OK)
            set_public(&entry, CS_VIEW_ARRAY(public_key));
    }
    if (rc == CS_OK)
        rc = keep(token, &entry, out, error);
    cs_wipe(&entry, sizeof entry);
    return rc;
}

static int soft_open_key(
    cs_token *base, cs_key **out, const char *uri, cs_use use, cs_suite suite, cs_error *error)
{
    soft_token *token = (soft_token *)base;
    size_t scheme = strlen(URI_SCHEME);
    const char *label = strncmp(uri, URI_SCHEME, scheme) == 0 ? uri + scheme : uri;
    soft_entry *entry;
    int rc = CS_OK;

    pthread_mutex_lock(&token->lock);
    entry = find(token, label);
    if (entry == NULL)
        rc = CS_FAIL(error, CS_E_KEY_MISSING, "the software token has no key %s", label);
    else if (entry->info.use != use)
        rc = CS_FAIL(error, CS_E_USAGE, "key %s is for another use", label);
    else if ((use == CS_USE_SCALAR || use == CS_USE_ISSUE) && entry->suite != suite)
        rc = CS_FAIL(error, CS_E_VERSION, "key %s is of another suite", label);
    else if ((*out = hand_out(token, entry)) == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a key");
    pthread_mutex_unlock(&token->lock);
    return rc;
}

static int soft_destroy(cs_token *base, const char *label, cs_error *error)
{
    soft_token *token = (soft_token *)base;
    soft_entry *entry;

    (void)error;
    pthread_mutex_lock(&token->lock);
    entry = find(token, label);
    if (entry != NULL)
        cs_wipe(entry, sizeof *entry);
    pthread_mutex_unlock(&token->lock);
    return CS_OK;
}

static int soft_list_keys(cs_token *base, cs_key_visit_fn fn, void *context, cs_error *error)
{
    soft_token *token = (soft_token *)base;
    int rc = CS_OK;

    (void)error;
    for (size_t i = 0; rc == CS_OK && i < KEYS_MAX; i++) {
        if (token->entries[i].used)
            rc = fn(context, &token->entries[i].info);
    }
    return rc;
}

static int soft_describe(cs_token *base, cs_token_info *out, cs_error *error)
{
    (void)base;
    (void)error;
    *out = (cs_token_info){.uri = "soft:", .label = "soft", .serial = "soft", .initialised = true};
    return CS_OK;
}

static int soft_get_delivery(cs_token *base, cs_suite suite, cs_delivery *out, cs_error *error)
{
    soft_token *token = (soft_token *)base;

    (void)error;
    if (token->sealed)
        *out = CS_DELIVERY_SEALED;
    else
        *out = suite == CS_SUITE_ED25519 ? CS_DELIVERY_LIFTED : CS_DELIVERY_WRAPPED;
    return CS_OK;
}

static int soft_import_lifted(cs_token *base, cs_key **out, const char *label, const cs_scalar *s,
    const cs_point *y, cs_error *error)
{
    soft_token *token = (soft_token *)base;
    soft_entry entry = new_entry(label, CS_USE_SCALAR, CS_SUITE_ED25519);
    uint8_t k[CS_X25519_SIZE];
    bool found = false;
    int rc = step(token, CS_SOFT_IMPORT, error);

    if (rc == CS_OK)
        rc = cs_x25519_lift(k, &found, s, error);
    cs_wipe(k, sizeof k);
    if (rc == CS_OK && !found)
        rc = CS_FAIL(error, CS_E_SCALAR, "this S_X has no lift; ask for another serial");
    if (rc != CS_OK)
        return rc;
    memcpy(entry.secret, s->b, sizeof entry.secret);
    set_public(&entry, cs_point_view(y));
    rc = keep(token, &entry, out, error);
    cs_wipe(&entry, sizeof entry);
    return rc;
}

/* AES key wrap with padding, undone; gives the private key of the PKCS#8 inside. */
static int unwrap_p256(uint8_t secret[32], const uint8_t kek[32], cs_view wrapped, cs_error *error)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL);
    uint8_t plain[WRAPPED_MAX + 16];
    const uint8_t *p = plain;
    PKCS8_PRIV_KEY_INFO *pkcs8 = NULL;
    EVP_PKEY *key = NULL;
    BIGNUM *d = NULL;
    int n = 0;
    int rc = CS_E_DECRYPT;

    if (context == NULL || cipher == NULL || wrapped.n > WRAPPED_MAX)
        goto out;
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_DecryptInit_ex2(context, cipher, kek, NULL, NULL) != 1 ||
        EVP_DecryptUpdate(context, plain, &n, wrapped.p, (int)wrapped.n) != 1)
        goto out;
    pkcs8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, n);
    key = pkcs8 == NULL ? NULL : EVP_PKCS82PKEY(pkcs8);
    if (key != NULL && EVP_PKEY_get_bn_param(key, "priv", &d) == 1 &&
        BN_bn2binpad(d, secret, 32) == 32)
        rc = CS_OK;
out:
    cs_wipe(plain, sizeof plain);
    BN_clear_free(d);
    EVP_PKEY_free(key);
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(context);
    return rc == CS_OK ? rc : CS_FAIL(error, CS_E_DECRYPT, "the wrapped key does not open");
}

static int soft_unwrap(cs_delivery_key *base, cs_key **out, const char *label,
    const uint8_t peer[65], cs_view wrapped, const cs_point *y, cs_error *error)
{
    soft_delivery *delivery = (soft_delivery *)base;
    soft_entry entry = new_entry(label, CS_USE_SCALAR, CS_SUITE_P256);
    uint8_t kek[32];
    cs_scalar s = {{0}};
    cs_point own;
    int rc = step(delivery->token, CS_SOFT_IMPORT, error);

    if (rc == CS_OK)
        rc = cs_p256_ecdh(kek, delivery->secret, (cs_view){peer, 65}, error);
    if (rc == CS_OK)
        rc = unwrap_p256(entry.secret, kek, wrapped, error);
    if (rc == CS_OK)
        rc = cs_scalar_decode(&s, CS_SUITE_P256, CS_VIEW_ARRAY(entry.secret), error);
    if (rc == CS_OK)
        rc = cs_point_base_mul(&own, CS_SUITE_P256, &s, error);
    if (rc == CS_OK && !cs_point_equal(&own, y))
        rc = CS_FAIL(error, CS_E_CREDENTIAL, "the key delivered is not the private key of Y");
    if (rc == CS_OK) {
        set_public(&entry, cs_point_view(y));
        rc = keep(delivery->token, &entry, out, error);
    }
    cs_wipe(kek, sizeof kek);
    cs_wipe(&s, sizeof s);
    cs_wipe(&entry, sizeof entry);
    return rc;
}

static void soft_delivery_free(cs_delivery_key *base)
{
    soft_delivery *delivery = (soft_delivery *)base;

    cs_wipe(delivery, sizeof *delivery);
    free(delivery);
}

static int soft_delivery_key(
    cs_token *base, cs_delivery_key **out, uint8_t public_key[65], cs_error *error)
{
    soft_delivery *delivery = calloc(1, sizeof *delivery);
    int rc;

    if (delivery == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a delivery key");
    delivery->base.unwrap = soft_unwrap;
    delivery->base.free = soft_delivery_free;
    delivery->token = (soft_token *)base;
    rc = step(delivery->token, CS_SOFT_GENERATE, error);
    if (rc == CS_OK)
        rc = cs_p256_generate(delivery->secret, public_key, error);
    if (rc != CS_OK) {
        soft_delivery_free(&delivery->base);
        return rc;
    }
    *out = &delivery->base;
    return CS_OK;
}

static void soft_close(cs_token *base)
{
    soft_token *token = (soft_token *)base;

    (void)pthread_mutex_destroy(&token->lock);
    cs_wipe(token, sizeof *token);
    free(token);
}

static const cs_token_ops token_ops = {
    .describe = soft_describe,
    .open_key = soft_open_key,
    .generate = soft_generate,
    .destroy = soft_destroy,
    .list_keys = soft_list_keys,
    .delivery = soft_get_delivery,
    .import_lifted = soft_import_lifted,
    .delivery_key = soft_delivery_key,
    .close = soft_close,
};

cs_token *cs_soft_token_new(void)
{
    soft_token *token = calloc(1, sizeof *token);

    if (token == NULL)
        abort();
    token->base.ops = &token_ops;
    if (pthread_mutex_init(&token->lock, NULL) != 0)
        abort();
    return &token->base;
}

cs_token *make_soft(const char *name)
{
    (void)name;
    return cs_soft_token_new();
}

void cs_soft_token_deliver_sealed(cs_token *base, bool sealed)
{
    ((soft_token *)base)->sealed = sealed;
}

void cs_soft_token_fail(cs_token *base, cs_soft_verb verb, unsigned nth)
{
    soft_token *token = (soft_token *)base;

    pthread_mutex_lock(&token->lock);
    token->fail_in[verb] = nth;
    pthread_mutex_unlock(&token->lock);
}

void cs_soft_token_meanwhile(
    cs_token *base, cs_soft_verb verb, void (*fn)(void *context), void *context)
{
    soft_token *token = (soft_token *)base;

    pthread_mutex_lock(&token->lock);
    token->meanwhile[verb] = fn;
    token->meanwhile_context = context;
    pthread_mutex_unlock(&token->lock);
}
