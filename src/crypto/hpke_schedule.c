/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke_schedule.h"

#include <string.h>

/* Longest input of a labelled extract or expand: version, suite, a label of ours and the larger of
 * info and the KEM context. */
#define LABELLED_MAX (64 + CS_HPKE_INFO_MAX)

_Static_assert(CS_HPKE_INFO_MAX >= 2 * CS_HPKE_ENC_SIZE, "the KEM context fits too");

#define MODE_BASE 0

/* "KEM" ‖ DHKEM(P-256, HKDF-SHA256);  "HPKE" ‖ the same ‖ HKDF-SHA256 ‖ AES-256-GCM */
static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x10};
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0x00, 0x10, 0x00, 0x01, 0x00, 0x02};

static const cs_view kem = {kem_suite, sizeof kem_suite};
static const cs_view hpke = {hpke_suite, sizeof hpke_suite};
static const cs_view nothing = {NULL, 0};

typedef struct labelled {
    uint8_t b[LABELLED_MAX];
    size_t n;
} labelled;

static int put(labelled *text, cs_view bytes, cs_error *error)
{
    if (bytes.n > sizeof text->b - text->n)
        return CS_FAIL(error, CS_E_TOO_LARGE, "HPKE: info or context of %zu bytes is over %d",
            bytes.n, CS_HPKE_INFO_MAX);
    if (bytes.n > 0)
        memcpy(text->b + text->n, bytes.p, bytes.n);
    text->n += bytes.n;
    return CS_OK;
}

/* "HPKE-v1" ‖ suite_id ‖ label ‖ bytes */
static int put_labelled(
    labelled *text, cs_view suite, const char *label, cs_view bytes, cs_error *error)
{
    int rc = put(text, cs_view_str("HPKE-v1"), error);

    if (rc == CS_OK)
        rc = put(text, suite, error);
    if (rc == CS_OK)
        rc = put(text, cs_view_str(label), error);
    if (rc == CS_OK)
        rc = put(text, bytes, error);
    return rc;
}

static int labelled_extract(uint8_t out[CS_HASH_SIZE], cs_view suite, cs_view salt,
    const char *label, cs_view ikm, cs_error *error)
{
    labelled text = {.n = 0};
    int rc = put_labelled(&text, suite, label, ikm, error);

    if (rc == CS_OK)
        rc = cs_hkdf_extract(out, salt, (cs_view){text.b, text.n}, error);
    cs_wipe(&text, sizeof text);
    return rc;
}

static int labelled_expand(uint8_t *out, size_t n, cs_view suite, const uint8_t prk[CS_HASH_SIZE],
    const char *label, cs_view info, cs_error *error)
{
    const uint8_t length[2] = {(uint8_t)(n >> 8), (uint8_t)(n & 0xff)};
    labelled text = {.n = 0};
    int rc = put(&text, CS_VIEW_ARRAY(length), error);

    if (rc == CS_OK)
        rc = put_labelled(&text, suite, label, info, error);
    if (rc == CS_OK)
        rc = cs_hkdf_expand(out, n, (cs_view){prk, CS_HASH_SIZE}, (cs_view){text.b, text.n}, error);
    cs_wipe(&text, sizeof text);
    return rc;
}

/* ExtractAndExpand(dh, enc ‖ pkRm) */
static int shared_secret(uint8_t out[CS_HASH_SIZE], const uint8_t dh[32],
    const uint8_t enc[CS_HPKE_ENC_SIZE], const uint8_t puk[CS_HPKE_ENC_SIZE], cs_error *error)
{
    uint8_t context[2 * CS_HPKE_ENC_SIZE];
    uint8_t prk[CS_HASH_SIZE];
    int rc;

    memcpy(context, enc, CS_HPKE_ENC_SIZE);
    memcpy(context + CS_HPKE_ENC_SIZE, puk, CS_HPKE_ENC_SIZE);
    rc = labelled_extract(prk, kem, nothing, "eae_prk", (cs_view){dh, 32}, error);
    if (rc == CS_OK)
        rc = labelled_expand(
            out, CS_HASH_SIZE, kem, prk, "shared_secret", CS_VIEW_ARRAY(context), error);
    cs_wipe(prk, sizeof prk);
    return rc;
}

/* KeySchedule of base mode: no PSK, so psk and psk_id are empty. */
static int key_schedule(
    cs_hpke_context *out, const uint8_t shared[CS_HASH_SIZE], cs_view info, cs_error *error)
{
    uint8_t context[1 + 2 * CS_HASH_SIZE] = {MODE_BASE};
    const cs_view view = CS_VIEW_ARRAY(context);
    uint8_t secret[CS_HASH_SIZE];
    int rc = labelled_extract(context + 1, hpke, nothing, "psk_id_hash", nothing, error);

    if (rc == CS_OK)
        rc = labelled_extract(context + 1 + CS_HASH_SIZE, hpke, nothing, "info_hash", info, error);
    if (rc == CS_OK)
        rc = labelled_extract(
            secret, hpke, (cs_view){shared, CS_HASH_SIZE}, "secret", nothing, error);
    if (rc == CS_OK)
        rc = labelled_expand(out->key, sizeof out->key, hpke, secret, "key", view, error);
    if (rc == CS_OK)
        rc = labelled_expand(
            out->base_nonce, sizeof out->base_nonce, hpke, secret, "base_nonce", view, error);
    if (rc == CS_OK)
        rc = labelled_expand(
            out->exporter_secret, sizeof out->exporter_secret, hpke, secret, "exp", view, error);
    cs_wipe(secret, sizeof secret);
    return rc;
}

int cs_hpke_schedule(cs_hpke_context *out, const uint8_t dh[32],
    const uint8_t enc[CS_HPKE_ENC_SIZE], const uint8_t puk[CS_HPKE_ENC_SIZE], cs_view info,
    cs_error *error)
{
    uint8_t shared[CS_HASH_SIZE];
    int rc;

    if (info.n > CS_HPKE_INFO_MAX)
        return CS_FAIL(
            error, CS_E_TOO_LARGE, "HPKE: info of %zu bytes is over %d", info.n, CS_HPKE_INFO_MAX);
    rc = shared_secret(shared, dh, enc, puk, error);
    if (rc == CS_OK)
        rc = key_schedule(out, shared, info, error);
    cs_wipe(shared, sizeof shared);
    return rc;
}

int cs_hpke_export(uint8_t *out, size_t n, const cs_hpke_context *context, cs_view exporter_context,
    cs_error *error)
{
    return labelled_expand(out, n, hpke, context->exporter_secret, "sec", exporter_context, error);
}
