/* SPDX-License-Identifier: Apache-2.0 */
#include "service/backup_file.h"

#include "service/own_keys.h"

#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

#define LABEL "chartseal/1 backup"
#define FORM (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII)
#define FILE_MODE 0600

/* -- the mac -------------------------------------------------------------------------------------
 */

/* Of all members but the mac. */
static int mac_of(char hex[2 * CS_HASH_SIZE + 1], json_t *json, const uint8_t *key, cs_error *error)
{
    json_t *rest = json_copy(json);
    uint8_t *mac_key = cs_secret_new(CS_HASH_SIZE);
    uint8_t mac[CS_HASH_SIZE];
    char *text;
    int rc;

    (void)json_object_del(rest, "mac");
    text = json_dumps(rest, FORM);
    if (text == NULL || mac_key == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a backup");
    else
        rc = cs_hmac(mac_key, (cs_view){key, CS_WRAPPING_KEY_SIZE}, cs_view_str(LABEL), error);
    if (rc == CS_OK)
        rc = cs_hmac(mac, (cs_view){mac_key, CS_HASH_SIZE}, cs_view_str(text), error);
    if (rc == CS_OK)
        cs_hex(CS_VIEW_ARRAY(mac), hex);
    cs_secret_free(&mac_key);
    free(text);
    json_decref(rest);
    return rc;
}

int cs_backup_verify(
    const cs_backup *backup, const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error)
{
    const char *noted = json_string_value(json_object_get(backup->json, "mac"));
    char mac[2 * CS_HASH_SIZE + 1];
    int rc = mac_of(mac, backup->json, key, error);

    if (rc == CS_OK && !cs_view_equal_secret(cs_view_str(noted), cs_view_str(mac)))
        rc = CS_FAIL(error, CS_E_SIGNATURE,
            "the backup is not as it was written at its ceremony; take another copy, and find out "
            "who has altered this one");
    return rc;
}

/* -- writing -------------------------------------------------------------------------------------
 */

static json_t *describe(const cs_backup *b)
{
    char id[2 * CS_SHARE_ID_SIZE + 1], wrapped[2 * CS_WRAPPED_MAX + 1];

    cs_hex(CS_VIEW_ARRAY(b->ceremony), id);
    cs_hex(cs_view_buf(&b->wrapped), wrapped);
    return json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "backup",
        LABEL, "ceremony", id, "needed", (int)b->needed, "operators", (int)b->count, "role",
        cs_home_kind_name(b->kind), "id", b->id, "key", cs_own_survivor(b->kind)->name, "suite",
        cs_suite_name(b->suite), "token", b->token, "serial", b->serial, "time", b->time, "check",
        b->check, "wrapped", wrapped);
}

int cs_backup_write(
    const char *path, cs_backup *backup, const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error)
{
    json_t *json = describe(backup);
    char mac[2 * CS_HASH_SIZE + 1];
    cs_buf line = {0};
    char *text = NULL;
    int rc = json == NULL ? CS_FAIL(error, CS_E_MEMORY, "no memory for a backup")
                          : mac_of(mac, json, key, error);

    if (rc == CS_OK && (json_object_set_new(json, "mac", json_string(mac)) != 0 ||
                           (text = json_dumps(json, FORM)) == NULL))
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a backup");
    if (rc == CS_OK)
        rc = cs_buf_append(&line, cs_view_str(text), error);
    if (rc == CS_OK)
        rc = cs_buf_append(&line, cs_view_str("\n"), error);
    if (rc == CS_OK)
        rc = cs_hash(backup->sha256, cs_view_buf(&line), error);
    if (rc == CS_OK)
        rc = cs_file_write(path, cs_view_buf(&line), FILE_MODE, error);
    cs_buf_free(&line);
    free(text);
    json_decref(json);
    return rc;
}

/* -- reading -------------------------------------------------------------------------------------
 */

static const char *text_of(const cs_backup *b, const char *name)
{
    return json_string_value(json_object_get(b->json, name));
}

static bool take_number(unsigned *out, const cs_backup *b, const char *name)
{
    const json_t *value = json_object_get(b->json, name);
    json_int_t number = json_integer_value(value);

    *out = (unsigned)number;
    return json_is_integer(value) && number >= 2 && number <= CS_SHARES_MAX;
}

static bool take_kind(cs_backup *b)
{
    static const cs_home_kind kinds[] = {CS_HOME_CLOUD, CS_HOME_HOSPITAL};
    const char *role = text_of(b, "role"), *key = text_of(b, "key"), *suite = text_of(b, "suite");

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (role != NULL && strcmp(role, cs_home_kind_name(kinds[i])) == 0)
            b->kind = kinds[i];
    }
    return b->kind != 0 && key != NULL && suite != NULL &&
           strcmp(key, cs_own_survivor(b->kind)->name) == 0 &&
           cs_suite_from_name(&b->suite, suite, NULL) == CS_OK;
}

static bool take_bytes(cs_backup *b)
{
    const char *id = text_of(b, "ceremony"), *wrapped = text_of(b, "wrapped");
    cs_buf bytes = {0};
    bool good = id != NULL && wrapped != NULL && cs_unhex(&bytes, id, NULL) == CS_OK &&
                bytes.n == CS_SHARE_ID_SIZE && cs_unhex(&b->wrapped, wrapped, NULL) == CS_OK &&
                b->wrapped.n > 0 && b->wrapped.n <= CS_WRAPPED_MAX;

    if (good)
        memcpy(b->ceremony, bytes.p, CS_SHARE_ID_SIZE);
    cs_buf_free(&bytes);
    return good;
}

/* They go into a transcript, and before people. */
static bool has_clean(const cs_backup *b)
{
    const char *const texts[] = {b->id, b->token, b->serial, b->time, b->check};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i] == NULL || !cs_text_is_clean(cs_view_str(texts[i])))
            return false;
    }
    return true;
}

static bool take_members(cs_backup *b)
{
    const char *label = text_of(b, "backup");

    b->id = text_of(b, "id");
    b->token = text_of(b, "token");
    b->serial = text_of(b, "serial");
    b->time = text_of(b, "time");
    b->check = text_of(b, "check");
    return label != NULL && strcmp(label, LABEL) == 0 && has_clean(b) &&
           text_of(b, "mac") != NULL && take_number(&b->needed, b, "needed") &&
           take_number(&b->count, b, "operators") && b->needed <= b->count && take_kind(b) &&
           take_bytes(b);
}

/* In its one form, with its line feed. */
static bool take_text(cs_backup *b, cs_view text)
{
    char *form;
    bool good;

    if (text.n < 2 || text.p[text.n - 1] != '\n')
        return false;
    text.n--;
    b->json = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    form = json_dumps(b->json, FORM);
    good = form != NULL && cs_view_equal(cs_view_str(form), text) && take_members(b);
    free(form);
    return good;
}

int cs_backup_read(cs_backup **out, const char *path, cs_error *error)
{
    cs_backup *b = calloc(1, sizeof *b);
    cs_buf text = {0};
    int rc = b == NULL ? CS_FAIL(error, CS_E_MEMORY, "no memory for a backup")
                       : cs_file_read(&text, path, CS_BACKUP_FILE_MAX, error);

    if (rc == CS_OK)
        rc = cs_hash(b->sha256, cs_view_buf(&text), error);
    if (rc == CS_OK && !take_text(b, cs_view_buf(&text)))
        rc = CS_FAIL(error, CS_E_CORRUPT,
            "%s is no backup, or not as it was written; take another copy of it", path);
    cs_buf_free(&text);
    if (rc != CS_OK)
        cs_backup_free(&b);
    *out = b;
    return rc;
}

void cs_backup_free(cs_backup **backup)
{
    if (*backup == NULL)
        return;
    json_decref((*backup)->json);
    cs_buf_free(&(*backup)->wrapped);
    free(*backup);
    *backup = NULL;
}
