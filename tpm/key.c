/* SPDX-License-Identifier: Apache-2.0 */
/* What a key is, from its public area; and the audit of all that there are. */
#include "tpm.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLES_MAX 64                    /* a TPM has some tens of persistent objects at most */
#define OWNER_PERSISTENT_LAST 0x817fffffu /* beyond are the platform's */

static void close_key(cs_key *base)
{
    /* what is loaded of it goes when its place is wanted, or with the link */
    cs_wipe(base, sizeof(tpm_key));
    free(base);
}

const cs_key_ops tpm_key_ops = {
    .sign = tpm_sign,
    .agree = tpm_agree,
    .scalar_mul = tpm_scalar_mul,
    .issue = tpm_issue,
    .prf = tpm_prf,
    .close = close_key,
};

tpm_key *tpm_key_new(tpm_token *token, cs_use use, cs_suite suite, cs_error *error)
{
    static _Atomic uint64_t ids;
    tpm_key *key = calloc(1, sizeof *key);

    if (key == NULL) {
        (void)CS_FAIL(error, CS_E_MEMORY, "no memory for a key");
        return NULL;
    }
    key->base.ops = &tpm_key_ops;
    key->base.suite = suite;
    key->base.info.use = use;
    key->base.info.custody = CS_CUSTODY_TOKEN;
    key->token = token;
    key->id = ++ids;
    return key;
}

static int take_public(tpm_key *key, const TPMT_PUBLIC *area, cs_error *error)
{
    cs_key_info *info = &key->base.info;
    bool compressed = info->use == CS_USE_SCALAR || info->use == CS_USE_ISSUE;
    uint8_t sec1[65];
    int rc;

    if (!tpm_public_is_p256(area))
        return CS_OK;
    rc = tpm_point_get(sec1, &area->unique.ecc, error);
    if (rc == CS_OK && compressed)
        rc = cs_p256_compress(info->public_key, CS_VIEW_ARRAY(sec1), error);
    else if (rc == CS_OK)
        rc = cs_p256_uncompress(info->public_key, CS_VIEW_ARRAY(sec1), error);
    if (rc == CS_OK)
        info->public_key_size = compressed ? 33 : 65;
    return rc;
}

/* By their names in TPM 2.0 Part 2, 8.3. */
static void name_attributes(char out[CS_ATTRIBUTES_MAX + 1], TPMA_OBJECT attributes)
{
    static const struct {
        TPMA_OBJECT bit;
        const char *name;
    } names[] = {
        {TPMA_OBJECT_FIXEDTPM, "fixedTPM"},
        {TPMA_OBJECT_STCLEAR, "stClear"},
        {TPMA_OBJECT_FIXEDPARENT, "fixedParent"},
        {TPMA_OBJECT_SENSITIVEDATAORIGIN, "sensitiveDataOrigin"},
        {TPMA_OBJECT_USERWITHAUTH, "userWithAuth"},
        {TPMA_OBJECT_ADMINWITHPOLICY, "adminWithPolicy"},
        {TPMA_OBJECT_NODA, "noDA"},
        {TPMA_OBJECT_ENCRYPTEDDUPLICATION, "encryptedDuplication"},
        {TPMA_OBJECT_RESTRICTED, "restricted"},
        {TPMA_OBJECT_DECRYPT, "decrypt"},
        {TPMA_OBJECT_SIGN_ENCRYPT, "sign"},
    };
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((attributes & names[i].bit) != 0)
            used += (size_t)snprintf(out + used, CS_ATTRIBUTES_MAX + 1 - used, "%s%s",
                used == 0 ? "" : " ", names[i].name);
    }
}

/* Duplication wants a policy: a key without one stays in this TPM, whatever its attributes are. */
static void take_facts(cs_key_info *info, const TPMT_PUBLIC *area)
{
    bool fixed = (area->objectAttributes & TPMA_OBJECT_FIXEDTPM) != 0;
    bool origin = (area->objectAttributes & TPMA_OBJECT_SENSITIVEDATAORIGIN) != 0;

    info->sensitive = true;
    info->extractable = !fixed && area->authPolicy.size > 0;
    info->local = fixed && origin;
    info->always_sensitive = origin;
    info->never_extractable = fixed;
    info->attestable = fixed && origin && tpm_public_is_p256(area) &&
                       (area->objectAttributes & TPMA_OBJECT_FIXEDPARENT) != 0 &&
                       (area->objectAttributes & TPMA_OBJECT_ENCRYPTEDDUPLICATION) == 0;
    name_attributes(info->attributes, area->objectAttributes);
}

static int take_uri(tpm_key *key, const char *path, cs_error *error)
{
    tpm_uri uri = {.kind = key->persistent ? TPM_URI_HANDLE : TPM_URI_FILE, .handle = key->handle};
    cs_key_info *info = &key->base.info;

    if (key->token->tcti_in_uri)
        (void)snprintf(uri.tcti, sizeof uri.tcti, "%s", key->token->tcti);
    if (key->persistent) {
        (void)snprintf(info->label, sizeof info->label, "0x%08x", key->handle);
    } else {
        if (path == NULL || strlen(path) >= sizeof uri.path)
            return CS_FAIL(error, CS_E_TOO_LARGE, "the path of a key file is too long for a URI");
        (void)snprintf(uri.path, sizeof uri.path, "%s", path);
        tpm_place_label(info->label, path);
    }
    return tpm_uri_format(info->uri, &uri, error);
}

static int check(const tpm_key *key, const TPMT_PUBLIC *area, cs_error *error)
{
    const cs_key_info *info = &key->base.info;

    if (!tpm_template_can(area, info->use, key->base.suite))
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "TPM key %s is of another type, scheme or curve, or not permitted this use; see `token "
            "audit`",
            info->label);
    if ((area->objectAttributes & TPMA_OBJECT_USERWITHAUTH) == 0)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "TPM key %s is used with a policy, not with an authorisation value; make another",
            info->label);
    if (info->extractable)
        return CS_FAIL(error, CS_E_KEY_EXPOSED,
            "TPM key %s can be duplicated to another TPM; generate another with fixedTPM",
            info->label);
    if (!key->persistent && key->blob.parent != TPM_ROOT_HANDLE &&
        key->blob.parent != TPM2_RH_OWNER)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "TPM key %s is under parent 0x%08x; only the storage root 0x%08x is used here",
            info->label, key->blob.parent, TPM_ROOT_HANDLE);
    return CS_OK;
}

int tpm_key_adopt(tpm_key *key, const char *path, bool audit, cs_error *error)
{
    const TPMT_PUBLIC *area = &key->blob.public_part.publicArea;
    cs_key_info *info = &key->base.info;
    int rc = take_uri(key, path, error);

    (void)snprintf(info->token_serial, sizeof info->token_serial, "%s", key->token->serial);
    take_facts(info, area);
    if (audit)
        info->use = tpm_template_use(area);
    if (rc == CS_OK && !audit)
        rc = check(key, area, error);
    if (rc == CS_OK)
        rc = take_public(key, area, error);
    return rc == CS_OK ? tpm_name_of(&key->name, &key->blob.public_part, error) : rc;
}

/* -- audit */

typedef struct listing {
    cs_key_info *infos; /* collected first: fn may take its time, or open keys itself */
    size_t count;
    TPM2_HANDLE handles[HANDLES_MAX];
    size_t handle_count;
    tpm_key *key; /* the one being looked at */
} listing;

/* A file in the directory that the TPM does not take is no key of this token. */
static TSS2_RC load_work(tpm_job *job, void *context)
{
    listing *l = context;

    return tpm_link_load(job, l->key);
}

static TSS2_RC handles_work(tpm_job *job, void *context)
{
    listing *l = context;
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more;
    TSS2_RC rc = TPM(job, GetCapability, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
        0x81000000u, HANDLES_MAX, &more, &data);

    l->handle_count = 0;
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    for (UINT32 i = 0; i < data->data.handles.count && i < HANDLES_MAX; i++) {
        TPM2_HANDLE handle = data->data.handles.handle[i];

        if (handle != TPM_ROOT_HANDLE && handle <= OWNER_PERSISTENT_LAST)
            l->handles[l->handle_count++] = handle;
    }
    Esys_Free(data);
    return rc;
}

static TSS2_RC persistent_work(tpm_job *job, void *context)
{
    listing *l = context;
    ESYS_TR object = ESYS_TR_NONE;
    TSS2_RC rc = tpm_read_persistent(job, l->key->handle, &object, &l->key->blob.public_part);

    if (rc == TSS2_RC_SUCCESS && job->rc == CS_OK)
        (void)Esys_TR_Close(job->esys, &object);
    return rc;
}

static int add_file(tpm_token *token, listing *l, const char *path, cs_error *error)
{
    int rc = tpm_read_keyfile(&l->key->blob, path, error);

    if (rc == CS_OK)
        rc = tpm_key_adopt(l->key, path, true, error);
    if (rc == CS_OK)
        rc = tpm_run(token, NULL, load_work, l, error);
    if (rc != CS_OK)
        (void)cs_error_context(error, "key file %s", path);
    else
        l->infos[l->count++] = l->key->base.info;
    return rc;
}

/* Persistent keys that could be a party's; the endorsement key and other parents could not. */
static int add_handle(tpm_token *token, listing *l, TPM2_HANDLE handle, cs_error *error)
{
    const TPMT_PUBLIC *area = &l->key->blob.public_part.publicArea;
    int rc;

    l->key->persistent = true;
    l->key->handle = handle;
    rc = tpm_run(token, NULL, persistent_work, l, error);
    if (rc != CS_OK || (area->objectAttributes & TPMA_OBJECT_RESTRICTED) != 0 ||
        (!tpm_public_is_p256(area) && area->type != TPM2_ALG_KEYEDHASH))
        return rc;
    rc = tpm_key_adopt(l->key, NULL, true, error);
    if (rc == CS_OK)
        l->infos[l->count++] = l->key->base.info;
    return rc;
}

static int with_new_key(
    tpm_token *token, listing *l, const char *path, TPM2_HANDLE handle, cs_error *error)
{
    int rc;

    l->key = tpm_key_new(token, CS_USE_SIGN, CS_SUITE_P256, error);
    if (l->key == NULL)
        return CS_E_MEMORY;
    rc = path != NULL ? add_file(token, l, path, error) : add_handle(token, l, handle, error);
    close_key(&l->key->base);
    l->key = NULL;
    return rc;
}

int tpm_key_list(cs_token *base, cs_key_visit_fn fn, void *context, cs_error *error)
{
    tpm_token *token = (tpm_token *)base;
    listing l = {0};
    char **paths = NULL;
    size_t count = 0;
    int rc = tpm_place_list(&paths, &count, token->dir, error);

    if (rc == CS_OK)
        rc = tpm_run(token, NULL, handles_work, &l, error);
    if (rc == CS_OK) {
        l.infos = calloc(count + l.handle_count + 1, sizeof *l.infos);
        if (l.infos == NULL)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a list of keys");
    }
    for (size_t i = 0; rc == CS_OK && i < count; i++)
        rc = with_new_key(token, &l, paths[i], 0, error);
    for (size_t i = 0; rc == CS_OK && i < l.handle_count; i++)
        rc = with_new_key(token, &l, NULL, l.handles[i], error);
    for (size_t i = 0; rc == CS_OK && i < l.count; i++)
        rc = fn(context, &l.infos[i]);
    tpm_place_free(&paths, count);
    free(l.infos);
    return rc;
}

int tpm_key_destroy(cs_token *base, const char *label, cs_error *error)
{
    tpm_token *token = (tpm_token *)base;
    char path[TPM_PATH_MAX];
    int rc = tpm_place_of(path, token->dir, label, error);

    return rc == CS_OK ? tpm_place_remove(path, error) : rc;
}
