/* SPDX-License-Identifier: Apache-2.0 */
#include "service/transcript.h"

#include "wire/cbor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIGNATURE_STEP "signature"
#define LABEL "chartseal/1 transcript"
#define FILE_MODE 0600
#define FORM (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII)
#define HEX_SIZE (2 * CS_HASH_SIZE + 1)

struct cs_transcript {
    char *path;
    json_t *entries;
    cs_buf text;         /* the file */
    char head[HEX_SIZE]; /* what the next entry has as prev */
};

static int reset(cs_transcript *t, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    int rc = cs_hash(hash, cs_view_str(LABEL), error);

    if (rc == CS_OK)
        cs_hex(CS_VIEW_ARRAY(hash), t->head);
    cs_buf_clear(&t->text);
    (void)json_array_clear(t->entries);
    return rc;
}

int cs_transcript_restart(cs_transcript *t, cs_error *error)
{
    return reset(t, error);
}

static int corrupt(const cs_transcript *t, cs_error *error)
{
    return CS_FAIL(error, CS_E_CORRUPT,
        "%s, entry %zu: not as it was written; find out who has altered it", t->path,
        json_array_size(t->entries) + 1);
}

/* -- the signature -------------------------------------------------------------------------------
 */

static int digest_of(uint8_t digest[CS_HASH_SIZE], const char *head, cs_error *error)
{
    cs_buf hash = {0}, bytes = {0};
    int rc = cs_unhex(&hash, head, error);

    if (rc == CS_OK)
        rc = cs_cbor_put_array(&bytes, 2, error);
    if (rc == CS_OK)
        rc = cs_cbor_put_text(&bytes, cs_view_str(LABEL), error);
    if (rc == CS_OK)
        rc = cs_cbor_put_bytes(&bytes, cs_view_buf(&hash), error);
    if (rc == CS_OK)
        rc = cs_hash(digest, cs_view_buf(&bytes), error);
    cs_buf_free(&hash);
    cs_buf_free(&bytes);
    return rc;
}

static bool take_hex(uint8_t *out, size_t size, const json_t *text)
{
    cs_buf bytes = {0};
    bool fits = json_is_string(text) && cs_unhex(&bytes, json_string_value(text), NULL) == CS_OK &&
                bytes.n == size;

    if (fits)
        memcpy(out, bytes.p, size);
    cs_buf_free(&bytes);
    return fits;
}

/* What the entry "keys" says that the signing key is. */
static bool find_signer(const cs_transcript *t, uint8_t puk[CS_PUK_SIZE])
{
    const json_t *keys = json_object_get(cs_transcript_last(t, "keys"), "keys");
    const json_t *key;
    size_t i;

    json_array_foreach(keys, i, key)
    {
        const char *name = json_string_value(json_object_get(key, "name"));

        if (name != NULL && strcmp(name, "sign") == 0)
            return take_hex(puk, CS_PUK_SIZE, json_object_get(key, "public"));
    }
    return false;
}

int cs_transcript_signer(const cs_transcript *t, uint8_t puk[CS_PUK_SIZE], cs_error *error)
{
    const json_t *last = cs_transcript_last(t, SIGNATURE_STEP);
    const char *head = json_string_value(json_object_get(last, "prev"));
    uint8_t digest[CS_HASH_SIZE], signature[CS_SIGNATURE_SIZE];
    int rc;

    if (head == NULL)
        return CS_FAIL(error, CS_E_SIGNATURE,
            "%s is not signed: the ceremony has not come to its end", t->path);
    if (!find_signer(t, puk) ||
        !take_hex(signature, sizeof signature, json_object_get(last, "signature")))
        return CS_FAIL(error, CS_E_SIGNATURE, "%s is signed by nobody that it names", t->path);
    rc = digest_of(digest, head, error);
    if (rc == CS_OK)
        rc = cs_ecdsa_verify((cs_view){puk, CS_PUK_SIZE}, digest, signature, error);
    if (rc != CS_OK)
        rc = CS_FAIL(error, CS_E_SIGNATURE,
            "the signature of %s is not by the key that it names; find out who has altered it",
            t->path);
    return rc;
}

/* -- reading -------------------------------------------------------------------------------------
 */

size_t cs_transcript_count(const cs_transcript *t)
{
    return json_array_size(t->entries);
}

json_t *cs_transcript_entry(const cs_transcript *t, size_t i)
{
    return json_array_get(t->entries, i);
}

static const char *step_of(const json_t *entry)
{
    return json_string_value(json_object_get(entry, "step"));
}

json_t *cs_transcript_last(const cs_transcript *t, const char *step)
{
    for (size_t i = json_array_size(t->entries); i > 0; i--) {
        json_t *entry = json_array_get(t->entries, i - 1);

        if (strcmp(step_of(entry), step) == 0)
            return entry;
    }
    return NULL;
}

/* A line in its one form becomes the last entry. */
static int append_line(cs_transcript *t, json_t *entry, cs_view line, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    int rc = cs_hash(hash, line, error);

    if (rc == CS_OK)
        rc = cs_buf_append(&t->text, line, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&t->text, cs_view_str("\n"), error);
    if (rc == CS_OK && t->text.n > CS_TRANSCRIPT_MAX)
        rc = CS_FAIL(error, CS_E_TOO_LARGE, "%s is over %d bytes", t->path, CS_TRANSCRIPT_MAX);
    if (rc == CS_OK && json_array_append(t->entries, entry) != 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for %s", t->path);
    if (rc == CS_OK)
        cs_hex(CS_VIEW_ARRAY(hash), t->head);
    return rc;
}

static bool is_in_place(const cs_transcript *t, const json_t *entry)
{
    const char *prev = json_string_value(json_object_get(entry, "prev"));
    json_int_t n = json_integer_value(json_object_get(entry, "n"));

    return step_of(entry) != NULL && prev != NULL && strcmp(prev, t->head) == 0 &&
           n == (json_int_t)json_array_size(t->entries) + 1 &&
           cs_transcript_last(t, SIGNATURE_STEP) == NULL; /* nothing comes after that */
}

static int take_line(cs_transcript *t, cs_view line, cs_error *error)
{
    json_t *entry = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
    char *form = json_dumps(entry, FORM);
    int rc;

    if (form == NULL || !cs_view_equal(cs_view_str(form), line) || !is_in_place(t, entry))
        rc = corrupt(t, error);
    else
        rc = append_line(t, entry, line, error);
    free(form);
    json_decref(entry);
    return rc;
}

static int take_text(cs_transcript *t, cs_view text, cs_error *error)
{
    int rc = CS_OK;

    while (rc == CS_OK && text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? 0 : (size_t)(end - text.p);

        if (end == NULL)
            return corrupt(t, error);
        rc = take_line(t, (cs_view){text.p, n}, error);
        text = (cs_view){text.p + n + 1, text.n - n - 1};
    }
    return rc;
}

int cs_transcript_open(cs_transcript **out, const char *path, cs_error *error)
{
    cs_transcript *t = calloc(1, sizeof *t);
    uint8_t puk[CS_PUK_SIZE];
    cs_buf text = {0};
    int rc = CS_OK;

    *out = NULL;
    if (t == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for %s", path);
    t->path = strdup(path);
    t->entries = json_array();
    if (t->path == NULL || t->entries == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for %s", path);
    if (rc == CS_OK)
        rc = reset(t, error);
    if (rc == CS_OK) {
        rc = cs_file_read(&text, path, CS_TRANSCRIPT_MAX, error);
        if (rc == CS_E_NO_FILE)
            rc = CS_OK;
    }
    if (rc == CS_OK)
        rc = take_text(t, cs_view_buf(&text), error);
    if (rc == CS_OK && cs_transcript_last(t, SIGNATURE_STEP) != NULL)
        rc = cs_transcript_signer(t, puk, error);
    if (rc == CS_OK)
        *out = t;
    else
        cs_transcript_free(&t);
    cs_buf_free(&text);
    return rc;
}

void cs_transcript_free(cs_transcript **transcript)
{
    cs_transcript *t = *transcript;

    if (t == NULL)
        return;
    json_decref(t->entries);
    cs_buf_free(&t->text);
    free(t->path);
    free(t);
    *transcript = NULL;
}

/* -- writing -------------------------------------------------------------------------------------
 */

static void now_as_text(char out[32])
{
    struct timespec now = {0};
    struct tm parts = {0};
    char whole[24];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(out, 32, "%s.%03ldZ", whole, now.tv_nsec / 1000000);
}

/* `what` with number and prev, in the file and in memory. */
static int put(cs_transcript *t, const char *step, json_t *what, cs_error *error)
{
    char *form = NULL;
    int rc = CS_OK;

    if (what == NULL || json_object_set_new(what, "step", json_string(step)) != 0 ||
        json_object_set_new(what, "n", json_integer((json_int_t)json_array_size(t->entries) + 1)) !=
            0 ||
        json_object_set_new(what, "prev", json_string(t->head)) != 0 ||
        (form = json_dumps(what, FORM)) == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for the entry '%s' of %s", step, t->path);
    if (rc == CS_OK)
        rc = append_line(t, what, cs_view_str(form), error);
    if (rc == CS_OK)
        rc = cs_file_write(t->path, cs_view_buf(&t->text), FILE_MODE, error);
    free(form);
    json_decref(what);
    return rc;
}

int cs_transcript_add(cs_transcript *t, const char *step, json_t *what, cs_error *error)
{
    char time[32];

    if (cs_transcript_last(t, SIGNATURE_STEP) != NULL) {
        json_decref(what);
        return CS_FAIL(error, CS_E_ORDER, "%s is signed; nothing is added to it", t->path);
    }
    now_as_text(time);
    if (what != NULL && json_object_set_new(what, "time", json_string(time)) != 0) {
        json_decref(what);
        what = NULL;
    }
    return put(t, step, what, error);
}

int cs_transcript_sign(cs_transcript *t, cs_key *key, cs_error *error)
{
    const cs_key_info *info = cs_key_describe(key);
    uint8_t named[CS_PUK_SIZE], own[CS_PUK_SIZE];
    uint8_t digest[CS_HASH_SIZE], signature[CS_SIGNATURE_SIZE];
    char hex[2 * CS_SIGNATURE_SIZE + 1];
    int rc = cs_p256_compress(own, (cs_view){info->public_key, info->public_key_size}, error);

    if (rc == CS_OK && (!find_signer(t, named) || memcmp(named, own, sizeof own) != 0))
        rc = CS_FAIL(error, CS_E_KEY_MISSING,
            "the signing key in the token is not the one that %s names; the ceremony cannot end",
            t->path);
    if (rc == CS_OK)
        rc = digest_of(digest, t->head, error);
    if (rc == CS_OK)
        rc = cs_key_sign(key, digest, signature, error);
    if (rc != CS_OK)
        return rc;
    cs_hex(CS_VIEW_ARRAY(signature), hex);
    return put(t, SIGNATURE_STEP, json_pack("{s:s}", "signature", hex), error);
}
