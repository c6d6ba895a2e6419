/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/biometric_enrol.h"

#include <chartseal/secret.h>

#include <string.h>

#define LABEL_HELPER "chartseal/1 helper"
#define LABEL_TAG "chartseal/1 helper tag"
#define LABEL_AUTH "chartseal/1 auth"

#define MAGIC "chartseal helper"
#define MAGIC_SIZE (sizeof MAGIC - 1)
#define VERSION 1
#define HEAD_SIZE (MAGIC_SIZE + 2 + CS_BIOMETRIC_SALT_SIZE)

_Static_assert(HEAD_SIZE + CS_HASH_SIZE + CS_AEAD_TAG_SIZE == CS_HELPER_PASSPHRASE_SIZE,
    "helper data of a passphrase");
_Static_assert(
    HEAD_SIZE + CS_TEMPLATE_SIZE + CS_HASH_SIZE + CS_AEAD_TAG_SIZE == CS_HELPER_TEMPLATE_SIZE,
    "helper data of a template");

/* Everything secret that is there for the length of a call, in guarded memory. */
typedef struct working {
    uint8_t device[CS_AEAD_KEY_SIZE + CS_BIOMETRIC_SALT_SIZE]; /* seal key, salt of scrypt */
    uint8_t secret[CS_FUZZY_SECRET_SIZE];
    uint8_t tag_key[CS_HASH_SIZE];
    uint8_t tag[CS_HASH_SIZE];
} working;

static const uint8_t zero_nonce[CS_AEAD_NONCE_SIZE] = {0}; /* a seal key seals once */

int cs_biometric_hash(uint8_t h_bp[CS_HASH_SIZE], cs_view secret, cs_view salt, cs_error *error)
{
    if (secret.n == 0 || salt.n != CS_BIOMETRIC_SALT_SIZE)
        return CS_FAIL(error, CS_E_USAGE, "H(BP) wants a secret, and a salt of %d bytes",
            CS_BIOMETRIC_SALT_SIZE);
    return cs_scrypt(h_bp, secret, salt, error);
}

int cs_biometric_bind(
    uint8_t b[CS_HASH_SIZE], const uint8_t h_bp[CS_HASH_SIZE], cs_view salt, cs_error *error)
{
    if (salt.n != CS_BIOMETRIC_SALT_SIZE)
        return CS_FAIL(error, CS_E_USAGE, "B' wants a salt of %d bytes", CS_BIOMETRIC_SALT_SIZE);
    return cs_hmac(b, salt, (cs_view){h_bp, CS_HASH_SIZE}, error);
}

int cs_biometric_authorisation(
    uint8_t authorisation[CS_AUTHORISATION_SIZE], const uint8_t h_bp[CS_HASH_SIZE], cs_error *error)
{
    int rc = cs_hkdf(authorisation, CS_AUTHORISATION_SIZE, (cs_view){0},
        (cs_view){h_bp, CS_HASH_SIZE}, cs_view_str(LABEL_AUTH), error);

    if (rc == CS_OK)
        authorisation[CS_AUTHORISATION_SIZE - 1] |= 1;
    return rc;
}

static int check_reading(const cs_biometric *bp, cs_error *error)
{
    switch (bp->kind) {
    case CS_BIOMETRIC_TEMPLATE:
        if (bp->bytes.n != CS_TEMPLATE_SIZE)
            return CS_FAIL(error, CS_E_MALFORMED,
                "a template has %d bytes, this one %zu; is it an iris code of 2048 bits?",
                CS_TEMPLATE_SIZE, bp->bytes.n);
        return CS_OK;
    case CS_BIOMETRIC_PASSPHRASE:
        if (bp->bytes.n == 0 || bp->bytes.n > CS_PASSPHRASE_MAX)
            return CS_FAIL(error, CS_E_MALFORMED, "a passphrase has 1 to %d bytes, this one %zu",
                CS_PASSPHRASE_MAX, bp->bytes.n);
        return CS_OK;
    }
    return CS_FAIL(error, CS_E_USAGE, "a biometric password is a template or a passphrase");
}

static int check_template(const cs_biometric *bp, cs_error *error)
{
    unsigned ones = 0;

    for (size_t i = 0; i < 8 * bp->bytes.n; i++)
        ones += ((unsigned)bp->bytes.p[i / 8] >> (i % 8)) & 1u;
    if (ones < CS_TEMPLATE_ONES_LEAST || ones > CS_TEMPLATE_ONES_MOST)
        return CS_FAIL(error, CS_E_MALFORMED,
            "the template is nearly all zeros or ones, so the sensor saw no eye; scan again");
    return CS_OK;
}

static int new_working(working **out, cs_error *error)
{
    *out = cs_secret_new(sizeof **out);
    if (*out == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a biometric secret; free some");
    return CS_OK;
}

/* The key of the sealed part, and the salt of scrypt: both need the device. */
static int derive_from_device(working *w, const uint8_t device_key[CS_DEVICE_KEY_SIZE],
    const uint8_t salt[CS_BIOMETRIC_SALT_SIZE], cs_error *error)
{
    return cs_hkdf(w->device, sizeof w->device, (cs_view){salt, CS_BIOMETRIC_SALT_SIZE},
        (cs_view){device_key, CS_DEVICE_KEY_SIZE}, cs_view_str(LABEL_HELPER), error);
}

/* The tag over what stands before it, under a key from H(BP). */
static int make_tag(
    working *w, const uint8_t h_bp[CS_HASH_SIZE], cs_view head, cs_view offset, cs_error *error)
{
    cs_buf bytes = {.guarded = true};
    int rc = cs_hkdf(w->tag_key, sizeof w->tag_key, (cs_view){0}, (cs_view){h_bp, CS_HASH_SIZE},
        cs_view_str(LABEL_TAG), error);

    if (rc == CS_OK)
        rc = cs_buf_append(&bytes, head, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&bytes, offset, error);
    if (rc == CS_OK)
        rc = cs_hmac(w->tag, CS_VIEW_ARRAY(w->tag_key), cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}

/* H(BP) from K or from the passphrase. */
static int stretch(
    uint8_t h_bp[CS_HASH_SIZE], const working *w, const cs_biometric *bp, cs_error *error)
{
    cs_view secret = bp->kind == CS_BIOMETRIC_TEMPLATE ? CS_VIEW_ARRAY(w->secret) : bp->bytes;

    return cs_biometric_hash(
        h_bp, secret, (cs_view){w->device + CS_AEAD_KEY_SIZE, CS_BIOMETRIC_SALT_SIZE}, error);
}

static void write_head(
    uint8_t head[HEAD_SIZE], cs_biometric_kind kind, const uint8_t salt[CS_BIOMETRIC_SALT_SIZE])
{
    memcpy(head, MAGIC, MAGIC_SIZE);
    head[MAGIC_SIZE] = VERSION;
    head[MAGIC_SIZE + 1] = (uint8_t)kind;
    memcpy(head + MAGIC_SIZE + 2, salt, CS_BIOMETRIC_SALT_SIZE);
}

/* `plain` becomes the offset, if there is one, and the tag. */
static int make_plain(cs_buf *plain, working *w, uint8_t h_bp[CS_HASH_SIZE], const cs_biometric *bp,
    cs_view head, cs_error *error)
{
    int rc = CS_OK;

    if (bp->kind == CS_BIOMETRIC_TEMPLATE) {
        rc = cs_buf_resize(plain, CS_TEMPLATE_SIZE, error);
        if (rc == CS_OK)
            rc = cs_fuzzy_commit(plain->p, bp->bytes.p, w->secret, error);
    }
    if (rc == CS_OK)
        rc = stretch(h_bp, w, bp, error);
    if (rc == CS_OK)
        rc = make_tag(w, h_bp, head, cs_view_buf(plain), error);
    if (rc == CS_OK)
        rc = cs_buf_append(plain, CS_VIEW_ARRAY(w->tag), error);
    return rc;
}

int cs_biometric_enrol_chosen(cs_buf *helper, uint8_t h_bp[CS_HASH_SIZE], const cs_biometric *bp,
    const uint8_t device_key[CS_DEVICE_KEY_SIZE], const uint8_t salt[CS_BIOMETRIC_SALT_SIZE],
    const uint8_t secret[CS_FUZZY_SECRET_SIZE], cs_error *error)
{
    working *w = NULL;
    cs_buf plain = {.guarded = true};
    cs_buf bytes = {0};
    uint8_t head[HEAD_SIZE];
    int rc = check_reading(bp, error);

    if (rc == CS_OK && bp->kind == CS_BIOMETRIC_TEMPLATE)
        rc = check_template(bp, error);
    if (rc == CS_OK)
        rc = new_working(&w, error);
    if (rc != CS_OK)
        goto out;
    write_head(head, bp->kind, salt);
    memcpy(w->secret, secret, CS_FUZZY_SECRET_SIZE);
    w->secret[CS_FUZZY_SECRET_SIZE - 1] &= 0xf0; /* 140 bits, as they come back */
    rc = derive_from_device(w, device_key, salt, error);
    if (rc == CS_OK)
        rc = make_plain(&plain, w, h_bp, bp, CS_VIEW_ARRAY(head), error);
    if (rc == CS_OK)
        rc = cs_buf_append(&bytes, CS_VIEW_ARRAY(head), error);
    if (rc == CS_OK)
        rc = cs_aead_seal(
            &bytes, w->device, zero_nonce, CS_VIEW_ARRAY(head), cs_view_buf(&plain), error);
    if (rc == CS_OK)
        rc = cs_buf_append(helper, cs_view_buf(&bytes), error);
out:
    if (rc != CS_OK)
        cs_wipe(h_bp, CS_HASH_SIZE);
    cs_buf_free(&bytes);
    cs_buf_free(&plain);
    cs_secret_free(&w);
    return rc;
}

int cs_biometric_enrol(cs_buf *helper, uint8_t h_bp[CS_HASH_SIZE], const cs_biometric *bp,
    const uint8_t device_key[CS_DEVICE_KEY_SIZE], cs_error *error)
{
    uint8_t salt[CS_BIOMETRIC_SALT_SIZE];
    uint8_t *secret = cs_secret_new(CS_FUZZY_SECRET_SIZE);
    int rc;

    if (secret == NULL) {
        cs_wipe(h_bp, CS_HASH_SIZE);
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a biometric secret; free some");
    }
    cs_random(salt, sizeof salt);
    cs_random(secret, CS_FUZZY_SECRET_SIZE);
    rc = cs_biometric_enrol_chosen(helper, h_bp, bp, device_key, salt, secret, error);
    cs_secret_free(&secret);
    return rc;
}

/* The head of helper data for this kind of reading, and nothing cut or added. */
static int check_helper(cs_view helper, const cs_biometric *bp, cs_error *error)
{
    unsigned kind;

    if (helper.n < HEAD_SIZE || memcmp(helper.p, MAGIC, MAGIC_SIZE) != 0)
        return CS_FAIL(error, CS_E_MALFORMED, "this is no biometric helper data; enrol again");
    if (helper.p[MAGIC_SIZE] != VERSION)
        return CS_FAIL(error, CS_E_VERSION,
            "biometric helper data of version %u is not known here; use a newer program",
            helper.p[MAGIC_SIZE]);
    kind = helper.p[MAGIC_SIZE + 1];
    if (!(kind == CS_BIOMETRIC_TEMPLATE && helper.n == CS_HELPER_TEMPLATE_SIZE) &&
        !(kind == CS_BIOMETRIC_PASSPHRASE && helper.n == CS_HELPER_PASSPHRASE_SIZE))
        return CS_FAIL(error, CS_E_MALFORMED,
            "the biometric helper data is cut short or too long; restore it, or enrol again");
    if (kind != (unsigned)bp->kind)
        return CS_FAIL(error, CS_E_USAGE, "a %s was enrolled on this device; give it",
            kind == CS_BIOMETRIC_TEMPLATE ? "template" : "passphrase");
    return CS_OK;
}

/* *decoded is false when no word of the code was near; the rest is done all the same. */
static int recover(working *w, uint8_t h_bp[CS_HASH_SIZE], bool *decoded, const cs_biometric *bp,
    cs_view head, cs_view plain, cs_error *error)
{
    cs_view offset = {plain.p, plain.n - CS_HASH_SIZE};
    int rc = CS_OK;

    *decoded = true;
    if (bp->kind == CS_BIOMETRIC_TEMPLATE)
        rc = cs_fuzzy_open(w->secret, decoded, bp->bytes.p, offset.p, error);
    if (rc == CS_OK)
        rc = stretch(h_bp, w, bp, error);
    if (rc == CS_OK)
        rc = make_tag(w, h_bp, head, offset, error);
    return rc;
}

static int refuse_reading(const cs_biometric *bp, cs_error *error)
{
    if (bp->kind == CS_BIOMETRIC_TEMPLATE)
        return CS_FAIL(
            error, CS_E_BIOMETRIC, "the reading does not match the enrolled eye; scan again");
    return CS_FAIL(
        error, CS_E_BIOMETRIC, "the passphrase is not the one that was enrolled; type it again");
}

int cs_biometric_recover(uint8_t h_bp[CS_HASH_SIZE], const cs_biometric *bp, cs_view helper,
    const uint8_t device_key[CS_DEVICE_KEY_SIZE], cs_error *error)
{
    working *w = NULL;
    cs_buf plain = {.guarded = true};
    cs_view head = {helper.p, HEAD_SIZE};
    bool decoded = false;
    int rc = check_reading(bp, error);

    if (rc == CS_OK)
        rc = check_helper(helper, bp, error);
    if (rc == CS_OK)
        rc = new_working(&w, error);
    if (rc == CS_OK)
        rc = derive_from_device(w, device_key, helper.p + MAGIC_SIZE + 2, error);
    if (rc == CS_OK)
        rc = cs_aead_open(&plain, w->device, zero_nonce, head,
            (cs_view){helper.p + HEAD_SIZE, helper.n - HEAD_SIZE}, error);
    if (rc == CS_E_DECRYPT)
        rc = CS_FAIL(error, CS_E_CORRUPT,
            "the biometric helper data was altered, or is another device's; restore it");
    if (rc == CS_OK)
        rc = recover(w, h_bp, &decoded, bp, head, cs_view_buf(&plain), error);
    if (rc == CS_OK) {
        cs_view tag = {plain.p + plain.n - CS_HASH_SIZE, CS_HASH_SIZE};
        bool equal = cs_view_equal_secret(tag, CS_VIEW_ARRAY(w->tag));

        if (!(equal & decoded))
            rc = refuse_reading(bp, error);
    }
    if (rc != CS_OK)
        cs_wipe(h_bp, CS_HASH_SIZE);
    cs_buf_free(&plain);
    cs_secret_free(&w);
    return rc;
}
