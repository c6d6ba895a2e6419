/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/common.h"

#include <string.h>

int cs_message_hash(
    uint8_t hash[CS_HASH_SIZE], const cs_schema *schema, const void *message, cs_error *error)
{
    cs_buf bytes = {0};
    int rc = cs_encode(&bytes, schema, message, error);

    if (rc == CS_OK)
        rc = cs_hash(hash, cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}

int cs_message_sign(uint8_t signature[CS_SIGNATURE_SIZE], cs_key *key, const cs_schema *schema,
    const void *message, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    int rc = cs_message_hash(digest, schema, message, error);

    return rc == CS_OK ? cs_key_sign(key, digest, signature, error) : rc;
}

static int verify_digest(const char *what, const uint8_t puk[CS_PUK_SIZE],
    const uint8_t digest[CS_HASH_SIZE], cs_view signature, cs_error *error)
{
    int rc;

    if (signature.n != CS_SIGNATURE_SIZE)
        return CS_FAIL(error, CS_E_SIGNATURE, "%s does not have 64 bytes", what);
    rc = cs_ecdsa_verify((cs_view){puk, CS_PUK_SIZE}, digest, signature.p, error);
    if (rc == CS_E_SIGNATURE)
        return CS_FAIL(error, CS_E_SIGNATURE,
            "%s does not verify: the message was altered, or is by or for somebody else", what);
    return rc;
}

int cs_message_verify(const char *what, const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema,
    const void *message, cs_view signature, uint8_t *digest, cs_error *error)
{
    uint8_t own[CS_HASH_SIZE];
    int rc = cs_message_hash(own, schema, message, error);

    if (rc == CS_OK)
        rc = verify_digest(what, puk, own, signature, error);
    if (rc == CS_OK && digest != NULL)
        memcpy(digest, own, CS_HASH_SIZE);
    return rc;
}

int cs_signed_make(
    cs_buf *out, cs_key *key, const cs_schema *schema, const void *body, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE];
    cs_buf bytes = {0};
    cs_signed whole;
    int rc = cs_encode(&bytes, schema, body, error);

    if (rc == CS_OK)
        rc = cs_hash(digest, cs_view_buf(&bytes), error);
    if (rc == CS_OK)
        rc = cs_key_sign(key, digest, signature, error);
    if (rc == CS_OK) {
        whole = (cs_signed){.body = cs_view_buf(&bytes), .signature = CS_VIEW_ARRAY(signature)};
        rc = cs_encode(out, &cs_signed_schema, &whole, error);
    }
    cs_buf_free(&bytes);
    return rc;
}

int cs_signed_verify(const char *what, const cs_signed *envelope, const uint8_t puk[CS_PUK_SIZE],
    uint8_t *digest, cs_error *error)
{
    uint8_t own[CS_HASH_SIZE];
    int rc = cs_hash(own, envelope->body, error);

    if (rc == CS_OK)
        rc = verify_digest(what, puk, own, envelope->signature, error);
    if (rc == CS_OK && digest != NULL)
        memcpy(digest, own, CS_HASH_SIZE);
    return rc;
}

int cs_check_time(const cs_env *env, uint64_t time, cs_error *error)
{
    /* both are at most CS_TIME_MAX, so the difference cannot overflow */
    int64_t difference = env->now - (int64_t)time;

    if (difference > env->delta_t || difference < -env->delta_t)
        return CS_FAIL(error, CS_E_STALE,
            "a message's time is more than %lld s from this clock; check that both clocks are set",
            (long long)(env->delta_t / 1000));
    return CS_OK;
}

int cs_check_same_time(uint64_t clear, uint64_t sealed, cs_error *error)
{
    if (clear != sealed)
        return CS_FAIL(error, CS_E_STALE, "the time in the clear is not the one that was sealed");
    return CS_OK;
}

int cs_check_fresh(const cs_env *env, const uint8_t digest[CS_HASH_SIZE], cs_error *error)
{
    bool fresh = false;
    int rc = env->seen(env->context, digest, env->now + CS_SEEN_MS(env->delta_t), &fresh, error);

    if (rc != CS_OK)
        return rc;
    if (!fresh)
        return CS_FAIL(error, CS_E_REPLAY, "this message was seen before; ask for a new one");
    return CS_OK;
}

int cs_access_hash(uint8_t hash[CS_HASH_SIZE], cs_view consent, cs_view reason, cs_error *error)
{
    const cs_access access = {.consent = consent, .reason = reason};

    return cs_message_hash(hash, &cs_access_schema, &access, error);
}

void cs_text_copy(char *out, size_t size, cs_view text)
{
    size_t n = text.n < size ? text.n : size - 1;

    if (n > 0)
        memcpy(out, text.p, n);
    out[n] = '\0';
}

int cs_text_take(char *out, size_t size, const char *what, const char *text, cs_error *error)
{
    cs_view all = cs_view_str(text);

    if (all.n >= size)
        return CS_FAIL(error, CS_E_TOO_LARGE, "the %s has %zu bytes; at most %zu go through", what,
            all.n, size - 1);
    cs_text_copy(out, size, all);
    return CS_OK;
}
