/* SPDX-License-Identifier: Apache-2.0 */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void close_key(cs_key *base)
{
    free(base);
}

const cs_key_ops p11_key_ops = {
    .sign = p11_sign,
    .agree = p11_agree,
    .scalar_mul = p11_scalar_mul,
    .issue = p11_issue,
    .prf = p11_prf,
    .remove_others = p11_key_remove_others,
    .close = close_key,
};

p11_key *p11_key_new(p11_token *token, cs_use use, cs_suite suite, cs_error *error)
{
    p11_key *key = calloc(1, sizeof *key);

    if (key == NULL) {
        (void)CS_FAIL(error, CS_E_MEMORY, "no memory for a key");
        return NULL;
    }
    key->base.ops = &p11_key_ops;
    key->base.suite = suite;
    key->base.info.use = use;
    key->base.info.custody = CS_CUSTODY_TOKEN;
    key->token = token;
    return key;
}

/* -- what a key can be used for */

static bool is_prf(const p11_facts *facts)
{
    return facts->class == CKO_SECRET_KEY && facts->sign &&
           (facts->key_type == CKK_GENERIC_SECRET || facts->key_type == CKK_SHA256_HMAC);
}

static bool can(const p11_facts *facts, cs_use use, cs_suite suite)
{
    switch (use) {
    case CS_USE_SIGN:
        return facts->curve == P11_CURVE_P256 && facts->sign;
    case CS_USE_AGREE:
        return facts->curve == P11_CURVE_P256 && facts->derive;
    case CS_USE_SCALAR:
        return facts->curve == (suite == CS_SUITE_P256 ? P11_CURVE_P256 : P11_CURVE_X25519) &&
               facts->derive;
    case CS_USE_ISSUE:
        return suite == CS_SUITE_ED25519 && facts->curve == P11_CURVE_ED25519 && facts->sign;
    case CS_USE_PRF:
        return is_prf(facts);
    default:
        return false;
    }
}

/* For an audit, which is not told. An ECDH key that was not made here is an S_X: decrypt keys are.
 */
static cs_use guess_use(const p11_facts *facts)
{
    if (is_prf(facts))
        return CS_USE_PRF;
    if (facts->curve == P11_CURVE_ED25519 && facts->sign)
        return CS_USE_ISSUE;
    if (facts->curve == P11_CURVE_X25519 && facts->derive)
        return CS_USE_SCALAR;
    if (facts->curve == P11_CURVE_P256 && facts->derive && !facts->sign)
        return facts->local ? CS_USE_AGREE : CS_USE_SCALAR;
    return CS_USE_SIGN;
}

/* -- filling a key */

static void set_public(p11_key *key, cs_view raw)
{
    memcpy(key->base.info.public_key, raw.p, raw.n);
    key->base.info.public_key_size = raw.n;
}

/* The public half in the form that token.h promises for the use, after it is found to be valid. */
static CK_RV take_public(
    p11_job *job, CK_OBJECT_HANDLE object, const p11_facts *facts, p11_key *key, bool *bound)
{
    bool scalar_p256 = key->base.info.use == CS_USE_SCALAR && facts->curve == P11_CURVE_P256;
    cs_point point;
    uint8_t raw[65], compressed[33];
    size_t n;
    CK_RV rv = p11_read_public(job, object, facts, raw, &n, bound);

    if (rv != CKR_OK || n == 0)
        return rv;
    if (facts->curve == P11_CURVE_P256)
        job->rc = cs_p256_compress(compressed, (cs_view){raw, n}, job->error);
    else
        job->rc = cs_point_decode(&point, CS_SUITE_ED25519, (cs_view){raw, n}, job->error);
    if (job->rc != CS_OK)
        return CKR_OK;
    set_public(key, scalar_p256 ? CS_VIEW_ARRAY(compressed) : (cs_view){raw, n});
    return CKR_OK;
}

static int take_facts(p11_job *job, const p11_facts *facts, p11_key *key)
{
    cs_key_info *info = &key->base.info;

    (void)snprintf(info->label, sizeof info->label, "%s", facts->label);
    (void)snprintf(info->token_serial, sizeof info->token_serial, "%s", job->token->serial);
    info->sensitive = facts->sensitive;
    info->extractable = facts->extractable;
    /* S_X is issued, never generated; OpenSC says so of every key on a PIV card all the same */
    info->local = facts->local && info->use != CS_USE_SCALAR;
    info->always_sensitive = facts->always_sensitive;
    info->never_extractable = facts->never_extractable;
    info->wrap_with_trusted = facts->wrap_with_trusted;
    info->always_authenticate = facts->always_authenticate;
    key->class = facts->class;
    memcpy(key->id, facts->id, facts->id_size);
    key->id_size = facts->id_size;
    return p11_uri_format(
        info->uri, job->token->module->path, &job->token->info, facts, job->error);
}

/* What the key is permitted besides its use, NULL for nothing. A key that is S_X, s or the storage
 * key does one thing; of the others, one that decrypts must not sign (docs/threat-model.md). */
static const char *other_use(const p11_facts *facts, cs_use use)
{
    if (use == CS_USE_SIGN)
        return NULL;
    if (facts->sign && (use == CS_USE_AGREE || use == CS_USE_SCALAR))
        return "sign";
    if (use == CS_USE_AGREE)
        return NULL;
    if (facts->decrypt || facts->unwrap)
        return facts->decrypt ? "decrypt" : "unwrap other keys";
    if (facts->encrypt || facts->wrap)
        return facts->encrypt ? "encrypt" : "wrap other keys";
    if (facts->derive && use != CS_USE_SCALAR)
        return "derive other keys";
    return facts->private ? NULL : "be used without a login";
}

/* Of an s or a storage key. Where its owner says that it left once, or came back, by choice: while
 * it could leave, it was only under a key that the security officer trusted. */
static bool is_of_its_token(const p11_facts *facts, cs_use use, const p11_token *token)
{
    if (facts->local && facts->always_sensitive && facts->never_extractable)
        return true;
    if (!facts->wrap_with_trusted)
        return false;
    return facts->local ? token->backed_up == use && facts->always_sensitive
                        : token->restored == use;
}

static int check_facts(p11_job *job, const p11_facts *facts, const p11_key *key)
{
    const char *other = other_use(facts, key->base.info.use);

    if (!can(facts, key->base.info.use, key->base.suite))
        return CS_FAIL(job->error, CS_E_TOKEN_UNSUITABLE,
            "key %s of token %s is of another type or curve, or not permitted this use; see "
            "`token audit`",
            facts->label, job->token->label);
    if (facts->extractable || !facts->sensitive)
        return CS_FAIL(job->error, CS_E_KEY_EXPOSED,
            "key %s of token %s can be read out (%s); generate another in the token", facts->label,
            job->token->label, facts->extractable ? "extractable" : "not sensitive");
    if ((key->base.info.use == CS_USE_ISSUE || key->base.info.use == CS_USE_PRF) &&
        !is_of_its_token(facts, key->base.info.use, job->token))
        return CS_FAIL(job->error, CS_E_KEY_EXPOSED,
            "key %s was not made in token %s, or could be read out once; generate another there",
            facts->label, job->token->label);
    /* PKCS#11 has no login within a derivation; no PIV card asks for one outside of 9C */
    if (facts->always_authenticate &&
        (key->base.info.use == CS_USE_AGREE || key->base.info.use == CS_USE_SCALAR))
        return CS_FAIL(job->error, CS_E_TOKEN_UNSUITABLE,
            "key %s of token %s wants its PIN for every use, which ECDH has no way to give; take "
            "a key without CKA_ALWAYS_AUTHENTICATE",
            facts->label, job->token->label);
    if (other != NULL)
        return CS_FAIL(job->error, CS_E_TOKEN_UNSUITABLE,
            "key %s of token %s may %s, too; take a key that is for one use alone", facts->label,
            job->token->label, other);
    return CS_OK;
}

/* Public halves can be put into a token without its PIN. Those of our own making are bound to their
 * private key by its CKA_ID; for others, the private key has to show that it is theirs: now where
 * the key agrees, at its first signature where it signs or issues (verbs.c). A CKA_ID of our size
 * that is not the hash is a swapped half of ours, or other software's: a signature tells. */
static CK_RV check_public(
    p11_job *job, CK_OBJECT_HANDLE object, const p11_facts *facts, const p11_key *key)
{
    const cs_key_info *info = &key->base.info;
    cs_view shown = {info->public_key, info->public_key_size};
    bool looks_ours = facts->id_size == P11_OWN_ID_SIZE;
    CK_RV rv = CKR_OK;
    cs_point y;

    if (info->use == CS_USE_AGREE || info->use == CS_USE_SCALAR) {
        uint8_t compressed[33];
        cs_suite suite = info->use == CS_USE_AGREE ? CS_SUITE_P256 : key->base.suite;

        if (info->use == CS_USE_AGREE) {
            job->rc = cs_p256_compress(compressed, shown, job->error);
            shown = CS_VIEW_ARRAY(compressed);
        }
        if (job->rc == CS_OK)
            job->rc = cs_point_decode(&y, suite, shown, job->error);
        if (job->rc == CS_OK)
            rv = p11_acts_as(job, object, &y);
    } else if (looks_ours && info->use == CS_USE_SIGN && !info->always_authenticate) {
        rv = p11_signs_as(job, object, info->public_key);
    } else if (looks_ours && info->use == CS_USE_ISSUE) {
        job->rc = CS_E_CREDENTIAL;
    }
    if (job->rc == CS_E_CREDENTIAL)
        job->rc = CS_FAIL(job->error, CS_E_KEY_MISSING,
            "the public key beside key %s of token %s is another key's; put its own there",
            facts->label, job->token->label);
    return rv;
}

CK_RV p11_key_adopt(p11_job *job, p11_key *key, CK_OBJECT_HANDLE object)
{
    p11_facts facts;
    bool bound = false;
    CK_RV rv = p11_read_facts(job, object, &facts);

    if (rv != CKR_OK)
        return rv;
    job->rc = check_facts(job, &facts, key);
    if (job->rc == CS_OK)
        job->rc = take_facts(job, &facts, key);
    if (job->rc != CS_OK)
        return CKR_OK;
    key->handle = object;
    key->generation = job->generation;
    if (facts.always_authenticate)
        job->token->wants_pin = true;
    if (key->base.info.use == CS_USE_PRF)
        return CKR_OK;
    rv = take_public(job, object, &facts, key, &bound);
    if (rv != CKR_OK || job->rc != CS_OK)
        return rv;
    if (key->base.info.public_key_size == 0) {
        job->rc = CS_FAIL(job->error, CS_E_KEY_MISSING,
            "the public half of key %s is not in token %s; put its public key beside it",
            facts.label, job->token->label);
        return CKR_OK;
    }
    return bound ? CKR_OK : check_public(job, object, &facts, key);
}

/* -- finding */

typedef struct opening {
    P11KitUri *uri;
    p11_key *key;
} opening;

/* The URI's own attributes; its type is checked against the use. */
static CK_RV open_work(p11_job *job, void *context)
{
    opening *o = context;
    CK_OBJECT_CLASS class = o->key->base.info.use == CS_USE_PRF ? CKO_SECRET_KEY : CKO_PRIVATE_KEY;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE template[4] = {P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_TOKEN, &yes)};
    CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(o->uri, CKA_LABEL);
    CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(o->uri, CKA_ID);
    CK_OBJECT_HANDLE handles[2];
    CK_ULONG n = 2, count;
    CK_RV rv;

    if (label != NULL)
        template[n++] = *label;
    if (id != NULL)
        template[n++] = *id;
    rv = p11_find(job, template, n, handles, 2, &count);
    if (rv != CKR_OK)
        return rv;
    if (count == 0)
        job->rc = CS_FAIL(job->error, CS_E_KEY_MISSING,
            "no key of token %s (serial %s) matches the URI; compare with `token audit`",
            job->token->label, job->token->serial);
    else if (count > 1)
        job->rc = CS_FAIL(job->error, CS_E_KEY_AMBIGUOUS,
            "more than one key of token %s (serial %s) matches the URI; add object= or id=",
            job->token->label, job->token->serial);
    if (job->rc != CS_OK)
        return CKR_OK;
    return p11_key_adopt(job, o->key, handles[0]);
}

static int check_uri(const p11_token *token, P11KitUri *uri, cs_use use, cs_error *error)
{
    CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
    CK_OBJECT_CLASS wanted = use == CS_USE_PRF ? CKO_SECRET_KEY : CKO_PRIVATE_KEY;

    if (!p11_kit_uri_match_token_info(uri, &token->info))
        return CS_FAIL(
            error, CS_E_KEY_MISSING, "the key's URI names another token than %s", token->label);
    if (class != NULL &&
        (class->ulValueLen != sizeof wanted || memcmp(class->pValue, &wanted, sizeof wanted) != 0))
        return CS_FAIL(error, CS_E_USAGE, "the key's URI has another type than %s",
            use == CS_USE_PRF ? "secret-key" : "private");
    return CS_OK;
}

int p11_key_open(
    cs_token *base, cs_key **out, const char *uri, cs_use use, cs_suite suite, cs_error *error)
{
    p11_token *token = (p11_token *)base;
    opening o = {0};
    int rc = p11_uri_parse(&o.uri, uri, error);

    if (rc != CS_OK)
        return rc;
    rc = check_uri(token, o.uri, use, error);
    if (rc == CS_OK) {
        o.key = p11_key_new(token, use, suite, error);
        rc = o.key == NULL ? CS_E_MEMORY : p11_run(token, NULL, open_work, &o, error);
    }
    if (rc == CS_OK)
        *out = &o.key->base;
    else
        free(o.key);
    p11_kit_uri_free(o.uri);
    return rc;
}

static CK_RV same_public(p11_job *job, const p11_key *key, CK_OBJECT_HANDLE object, bool *same)
{
    p11_key fresh = {.base = {.suite = key->base.suite, .info = {.use = key->base.info.use}}};
    p11_facts facts;
    bool bound;
    CK_RV rv = p11_read_facts(job, object, &facts);

    *same = false;
    if (rv != CKR_OK)
        return rv;
    job->rc = check_facts(job, &facts, key);
    if (job->rc != CS_OK)
        return CKR_OK;
    if (key->base.info.public_key_size > 0) {
        rv = take_public(job, object, &facts, &fresh, &bound);
        if (rv != CKR_OK || job->rc != CS_OK)
            return rv;
    }
    *same = cs_view_equal((cs_view){fresh.base.info.public_key, fresh.base.info.public_key_size},
        (cs_view){key->base.info.public_key, key->base.info.public_key_size});
    return CKR_OK;
}

/* A handle of before may be another key by now, or a key of the same name another key: what counts
 * is the public half. */
CK_RV p11_key_find_again(p11_job *job, p11_key *key, CK_OBJECT_HANDLE *out)
{
    CK_OBJECT_CLASS class = key->class;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE template[] = {P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_TOKEN, &yes),
        {CKA_ID, key->id, key->id_size}};
    CK_OBJECT_HANDLE handles[2];
    CK_ULONG count;
    bool same = false;
    CK_RV rv;

    if (key->id_size == 0)
        template[2] = (CK_ATTRIBUTE){CKA_LABEL, key->base.info.label, strlen(key->base.info.label)};
    rv = p11_find(job, template, 3, handles, 2, &count);

    if (rv == CKR_OK && count == 1)
        rv = same_public(job, key, handles[0], &same);
    if (rv == CKR_OK && job->rc == CS_OK && !same)
        job->rc = CS_FAIL(job->error, count > 1 ? CS_E_KEY_AMBIGUOUS : CS_E_KEY_MISSING,
            "key %s is no longer in token %s (serial %s) as it was", key->base.info.label,
            job->token->label, job->token->serial);
    *out = same ? handles[0] : CK_INVALID_HANDLE;
    return rv;
}

/* -- audit */

typedef struct listing {
    CK_OBJECT_HANDLE *handles;
    CK_ULONG count, done;
    p11_key *keys; /* descriptions, collected first: fn may take its time, or open keys itself */
} listing;

static CK_RV describe_one(p11_job *job, CK_OBJECT_HANDLE object, p11_key *key)
{
    p11_facts facts;
    bool bound;
    CK_RV rv = p11_read_facts(job, object, &facts);

    if (rv != CKR_OK)
        return rv;
    key->base.info.custody = CS_CUSTODY_TOKEN;
    key->base.info.use = guess_use(&facts);
    job->rc = take_facts(job, &facts, key);
    if (job->rc != CS_OK || facts.curve == P11_CURVE_NONE)
        return CKR_OK;
    rv = take_public(job, object, &facts, key, &bound);
    job->rc = CS_OK; /* an audit shows a key with a bad public half, too: without it */
    return rv;
}

static CK_RV list_work(p11_job *job, void *context)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY};
    listing *l = context;
    CK_BBOOL yes = CK_TRUE;
    CK_RV rv = CKR_OK;

    l->count = 0;
    for (size_t i = 0; rv == CKR_OK && i < 2; i++) {
        CK_OBJECT_CLASS class = classes[i];
        CK_ATTRIBUTE template[] = {
            P11_ATTRIBUTE(CKA_CLASS, &class), P11_ATTRIBUTE(CKA_TOKEN, &yes)};
        CK_ULONG got;

        rv = p11_find(job, template, 2, l->handles + l->count, P11_OBJECTS_MAX - l->count, &got);
        l->count += got;
    }
    if (rv != CKR_OK)
        return rv;
    free(l->keys);
    l->keys = calloc(l->count + 1, sizeof *l->keys);
    if (l->keys == NULL)
        return CKR_HOST_MEMORY;
    for (CK_ULONG i = 0; rv == CKR_OK && job->rc == CS_OK && i < l->count; i++)
        rv = describe_one(job, l->handles[i], &l->keys[i]);
    return rv;
}

int p11_key_list(cs_token *base, cs_key_visit_fn fn, void *context, cs_error *error)
{
    p11_token *token = (p11_token *)base;
    listing l = {.handles = calloc(P11_OBJECTS_MAX, sizeof *l.handles)};
    int rc;

    if (l.handles == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a list of keys");
    rc = p11_run(token, NULL, list_work, &l, error);
    if (rc == CS_OK && l.count == P11_OBJECTS_MAX)
        rc = CS_FAIL(error, CS_E_TOO_LARGE, "token %s has %d keys or more: too many to audit",
            token->label, P11_OBJECTS_MAX);
    for (CK_ULONG i = 0; rc == CS_OK && i < l.count; i++)
        rc = fn(context, &l.keys[i].base.info);
    free(l.keys);
    free(l.handles);
    return rc;
}

static CK_RV destroy_work(p11_job *job, void *context)
{
    const char *label = context;

    return p11_remove_label(job, label, (cs_view){NULL, 0});
}

int p11_key_destroy(cs_token *base, const char *label, cs_error *error)
{
    char text[CS_LABEL_MAX + 1];

    (void)snprintf(text, sizeof text, "%s", label);
    text[CS_LABEL_MAX] = '\0';
    return p11_run((p11_token *)base, NULL, destroy_work, text, error);
}

static CK_RV remove_others_work(p11_job *job, void *context)
{
    const p11_key *key = context;

    return p11_remove_label(job, key->base.info.label, (cs_view){key->id, key->id_size});
}

/* By its CKA_ID; without one there is no telling which is which. */
int p11_key_remove_others(cs_key *base, cs_error *error)
{
    p11_key *key = (p11_key *)base;

    if (key->id_size == 0 || key->base.info.label[0] == '\0')
        return CS_OK;
    return p11_run(key->token, key, remove_others_work, key, error);
}
