/* SPDX-License-Identifier: Apache-2.0 */
#include "service/own_keys.h"

#include <chartseal/secret.h>

#include <string.h>

#define STORAGE_CHECK "storage_check"
#define MASTER_CHECK_TEXT "chartseal/1 master key check"
/* No CBOR array, so it is none of the inputs that protocol.md has for the storage key. */
#define STORAGE_CHECK_TEXT "chartseal/1 storage key check"

const cs_survivor *cs_own_survivor(cs_home_kind kind)
{
    static const cs_survivor storage = {"storage", "the storage key", CS_USE_PRF};
    static const cs_survivor master = {"master", "the master key s", CS_USE_ISSUE};

    return kind == CS_HOME_HOSPITAL ? &storage : kind == CS_HOME_CLOUD ? &master : NULL;
}

static const json_t *noted(const cs_home *home, const char *name)
{
    const json_t *object = json_object_get(home->config, name);

    return cs_own_survivor(home->kind) != NULL && json_is_object(object) ? object : NULL;
}

const json_t *cs_own_backup(const cs_home *home)
{
    return noted(home, CS_HOME_BACKUP);
}

const json_t *cs_own_restored(const cs_home *home)
{
    return noted(home, CS_HOME_RESTORED);
}

bool cs_own_is_survivor(const cs_home *home, const cs_key_info *info)
{
    const cs_survivor *survivor = cs_own_survivor(home->kind);

    return survivor != NULL && info->use == survivor->use && info->wrap_with_trusted &&
           info->sensitive && !info->extractable &&
           (info->local ? cs_own_backup(home) != NULL && info->always_sensitive
                        : cs_own_restored(home) != NULL);
}

int cs_own_key_origin(const cs_home *home, const cs_key *key, cs_error *error)
{
    const cs_key_info *info = cs_key_describe(key);

    if (info->local && info->always_sensitive && info->never_extractable)
        return CS_OK;
    if (cs_own_is_survivor(home, info))
        return CS_OK;
    return CS_FAIL(error, CS_E_KEY_EXPOSED,
        "key %s was in the token before, and was not made there or could be read out once; remove "
        "it",
        info->label);
}

static int storage_check(char out[2 * CS_HASH_SIZE + 1], cs_key *storage, cs_error *error)
{
    uint8_t value[CS_HASH_SIZE];
    int rc = cs_key_prf(storage, cs_view_str(STORAGE_CHECK_TEXT), value, error);

    if (rc == CS_OK)
        cs_hex(CS_VIEW_ARRAY(value), out);
    return rc;
}

/* Issued under no message of the protocol's, and given to nobody: that the issuance verifies shows
 * that the key is the public key's. */
static int issues(cs_key *master, cs_error *error)
{
    cs_scalar s = {0};
    cs_point r;
    int rc = cs_key_issue(master, cs_view_str(MASTER_CHECK_TEXT), &r, &s, error);

    cs_wipe(&s, sizeof s);
    return rc;
}

int cs_own_survivor_check(char out[CS_SURVIVOR_CHECK_SIZE], cs_key *key, cs_error *error)
{
    const cs_key_info *info = cs_key_describe(key);
    int rc;

    if (info->use == CS_USE_PRF)
        return storage_check(out, key, error);
    rc = issues(key, error);
    if (rc == CS_OK)
        cs_hex((cs_view){info->public_key, info->public_key_size}, out);
    return rc;
}

int cs_own_storage_note(cs_home *home, cs_key *storage, cs_error *error)
{
    char value[2 * CS_HASH_SIZE + 1];
    int rc = storage_check(value, storage, error);

    return rc == CS_OK ? cs_home_set_text(home, STORAGE_CHECK, value, error) : rc;
}

int cs_own_storage_check(const cs_home *home, cs_key *storage, cs_error *error)
{
    const char *noted = cs_home_text(home, STORAGE_CHECK);
    char value[2 * CS_HASH_SIZE + 1];
    int rc;

    if (noted == NULL)
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/config.json has no " STORAGE_CHECK "; put back the file that init wrote",
            home->dir);
    rc = storage_check(value, storage, error);
    if (rc != CS_OK)
        return rc;
    if (strcmp(value, noted) != 0)
        return CS_FAIL(error, CS_E_KEY_MISSING,
            "the storage key in the token is not the one that %s was made with; put that back, or "
            "nothing stored opens",
            home->dir);
    return CS_OK;
}

bool cs_own_is_public(const cs_key *key, const uint8_t puk[CS_PUK_SIZE])
{
    const cs_key_info *info = cs_key_describe(key);
    uint8_t compressed[CS_PUK_SIZE];

    return cs_p256_compress(compressed, (cs_view){info->public_key, info->public_key_size}, NULL) ==
               CS_OK &&
           memcmp(compressed, puk, CS_PUK_SIZE) == 0;
}

int cs_own_cloud_check(const cs_actor *actor, cs_error *error)
{
    const cs_cloud *cloud = &actor->cloud;
    const cs_key_info *master;
    bool same = false;

    if (actor->sign != NULL && actor->decrypt != NULL && actor->issue != NULL) {
        master = cs_key_describe(actor->issue);
        same = cs_view_equal((cs_view){master->public_key, master->public_key_size},
                   cs_point_view(&cloud->pk)) &&
               cs_own_is_public(actor->sign, cloud->puk_sign) &&
               cs_own_is_public(actor->decrypt, cloud->puk_decrypt);
    }
    if (!same)
        return CS_FAIL(error, CS_E_KEY_MISSING,
            "the keys in the token are not those of %s/cloud.cbor; put back the token or the file",
            actor->home->dir);
    return CS_OK;
}
