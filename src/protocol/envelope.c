/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/envelope.h"

int cs_agree_with_key(void *context, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    return cs_key_agree(context, peer, x, error);
}

int cs_key_puk(uint8_t puk[CS_PUK_SIZE], const cs_key *key, cs_error *error)
{
    const cs_key_info *info = cs_key_describe(key);

    return cs_p256_compress(puk, (cs_view){info->public_key, info->public_key_size}, error);
}

static int encode_header(
    cs_buf *out, const char *label, uint64_t suite, uint64_t time, cs_error *error)
{
    const cs_envelope_header header = {.suite = suite, .time = time};

    return cs_encode_as(out, &cs_envelope_header_schema, label, &header, error);
}

int cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error)
{
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf header = {0};
    cs_buf plain = {.guarded = true}; /* R2 carries S_X */
    cs_buf ct = {0};
    cs_envelope envelope;
    int rc = encode_header(&header, label, suite, (uint64_t)time, error);

    if (rc == CS_OK)
        rc = cs_encode(&plain, schema, body, error);
    if (rc == CS_OK)
        rc = cs_hpke_seal(enc, &ct, (cs_view){puk, CS_PUK_SIZE}, cs_view_str(label),
            cs_view_buf(&header), cs_view_buf(&plain), export_secret, error);
    if (rc == CS_OK) {
        envelope = (cs_envelope){.suite = suite,
            .time = (uint64_t)time,
            .enc = CS_VIEW_ARRAY(enc),
            .ct = cs_view_buf(&ct)};
        rc = cs_encode_as(out, &cs_envelope_schema, label, &envelope, error);
    }
    cs_buf_free(&ct);
    cs_buf_free(&plain);
    cs_buf_free(&header);
    return rc;
}

int cs_envelope_open(const char *label, const cs_party *me, const cs_env *env, cs_view bytes,
    const cs_schema *schema, void *body, cs_buf *plain, uint64_t *time, uint8_t *export_secret,
    cs_error *error)
{
    uint8_t puk[CS_PUK_SIZE];
    cs_envelope envelope;
    cs_buf header = {0};
    int rc = cs_decode_as(&cs_envelope_schema, label, &envelope, bytes, error);

    if (rc == CS_OK)
        rc = cs_check_time(env, envelope.time, error);
    if (rc == CS_OK && envelope.suite != (uint64_t)me->cloud->suite)
        rc = CS_FAIL(error, CS_E_VERSION, "a message of another suite than %s",
            cs_suite_name(me->cloud->suite));
    if (rc == CS_OK)
        rc = cs_key_puk(puk, me->decrypt, error);
    if (rc == CS_OK)
        rc = encode_header(&header, label, envelope.suite, envelope.time, error);
    if (rc == CS_OK)
        rc = cs_hpke_open(plain, envelope.enc, envelope.ct, CS_VIEW_ARRAY(puk), cs_view_str(label),
            cs_view_buf(&header), cs_agree_with_key, me->decrypt, export_secret, error);
    if (rc == CS_OK)
        rc = cs_decode(schema, body, cs_view_buf(plain), error);
    if (rc == CS_OK)
        *time = envelope.time;
    cs_buf_free(&header);
    return rc;
}

/* A reply's key serves one message, so its nonce can be zero. */
static const uint8_t reply_nonce[CS_AEAD_NONCE_SIZE];

int cs_reply_seal(cs_buf *out, const char *label, const uint8_t *secret, cs_suite suite,
    int64_t time, const cs_schema *schema, const void *body, cs_error *error)
{
    cs_buf header = {0};
    cs_buf plain = {0};
    cs_buf ct = {0};
    int rc = encode_header(&header, label, suite, (uint64_t)time, error);

    if (rc == CS_OK)
        rc = cs_encode(&plain, schema, body, error);
    if (rc == CS_OK)
        rc = cs_aead_seal(
            &ct, secret, reply_nonce, cs_view_buf(&header), cs_view_buf(&plain), error);
    if (rc == CS_OK) {
        const cs_reply reply = {.suite = suite, .time = (uint64_t)time, .ct = cs_view_buf(&ct)};

        rc = cs_encode_as(out, &cs_reply_schema, label, &reply, error);
    }
    cs_buf_free(&ct);
    cs_buf_free(&plain);
    cs_buf_free(&header);
    return rc;
}

int cs_reply_open(const char *label, const uint8_t *secret, cs_suite suite, const cs_env *env,
    cs_view bytes, const cs_schema *schema, void *body, cs_buf *plain, uint64_t *time,
    cs_error *error)
{
    cs_buf header = {0};
    cs_reply reply;
    int rc = cs_decode_as(&cs_reply_schema, label, &reply, bytes, error);

    if (rc == CS_OK)
        rc = cs_check_time(env, reply.time, error);
    if (rc == CS_OK && reply.suite != (uint64_t)suite)
        rc = CS_FAIL(
            error, CS_E_VERSION, "an answer of another suite than %s", cs_suite_name(suite));
    if (rc == CS_OK)
        rc = encode_header(&header, label, reply.suite, reply.time, error);
    if (rc == CS_OK)
        rc = cs_aead_open(plain, secret, reply_nonce, cs_view_buf(&header), reply.ct, error);
    if (rc == CS_OK)
        rc = cs_decode(schema, body, cs_view_buf(plain), error);
    if (rc == CS_OK)
        *time = reply.time;
    cs_buf_free(&header);
    return rc;
}
