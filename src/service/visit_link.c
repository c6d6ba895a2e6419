/* SPDX-License-Identifier: Apache-2.0 */
#include "service/visit_link.h"

#include <chartseal/hpke.h>
#include <chartseal/party.h>
#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

#define REFUSAL_MS 1000 /* a courtesy: nobody waits long for it */

static int log_to(const cs_talk *talk, const char *type, cs_view bytes, cs_error *error)
{
    return cs_wire_log_add(talk->log, talk->me, talk->other, type, bytes, error);
}

static int log_from(const cs_talk *talk, const char *type, cs_view bytes, cs_error *error)
{
    return cs_wire_log_add(talk->log, talk->other, talk->me, type, bytes, error);
}

int cs_talk_send(cs_talk *talk, const char *type, cs_view message, cs_error *error)
{
    int rc = cs_link_send(talk->link, CS_FRAME_MESSAGE, message, CS_ANSWER_MS, error);

    return rc == CS_OK ? log_to(talk, type, message, error) : rc;
}

int cs_talk_send_chunk(cs_talk *talk, const char *type, cs_view chunk, bool final, cs_error *error)
{
    uint8_t kind = final ? CS_FRAME_FINAL : CS_FRAME_CHUNK;
    int rc = cs_link_send(talk->link, kind, chunk, CS_ANSWER_MS, error);

    return rc == CS_OK ? log_to(talk, type, chunk, error) : rc;
}

static int take_refusal(cs_talk *talk, cs_view refusal, cs_error *error)
{
    char who[64];
    int rc = log_from(talk, "refusal", refusal, error);

    if (rc != CS_OK)
        return rc;
    talk->refused = true;
    (void)snprintf(who, sizeof who, "the %s's side", talk->other);
    return cs_refusal_raise(refusal, who, error);
}

static int receive(cs_talk *talk, const char *type, cs_buf *content, int timeout_ms, uint8_t *kind,
    cs_error *error)
{
    int rc = cs_link_receive(talk->link, kind, content, timeout_ms, error);

    if (rc != CS_OK)
        return cs_error_context(error, "waiting for %s of the %s", type, talk->other);
    if (*kind == CS_FRAME_REFUSAL)
        return take_refusal(talk, cs_view_buf(content), error);
    return log_from(talk, type, cs_view_buf(content), error);
}

int cs_talk_receive(
    cs_talk *talk, const char *type, cs_buf *message, int timeout_ms, cs_error *error)
{
    uint8_t kind = 0;
    int rc = receive(talk, type, message, timeout_ms, &kind, error);

    if (rc == CS_OK && kind != CS_FRAME_MESSAGE)
        rc = CS_FAIL(error, CS_E_PEER, "the %s sent something else than %s", talk->other, type);
    return rc;
}

int cs_talk_receive_chunk(
    cs_talk *talk, const char *type, cs_buf *chunk, bool *final, cs_error *error)
{
    uint8_t kind = 0;
    int rc = receive(talk, type, chunk, CS_ANSWER_MS, &kind, error);

    if (rc == CS_OK && kind != CS_FRAME_CHUNK && kind != CS_FRAME_FINAL)
        rc = CS_FAIL(error, CS_E_PEER, "the %s sent something else than %s", talk->other, type);
    *final = kind == CS_FRAME_FINAL;
    return rc;
}

int cs_talk_send_bulk(cs_talk *talk, const char *type, cs_bulk *bulk, cs_content_read *fn,
    void *context, cs_error *error)
{
    cs_buf plain = {0};
    cs_buf sealed = {0};
    int rc = cs_buf_resize(&plain, CS_CHUNK_SIZE, error);

    while (rc == CS_OK && bulk != NULL && cs_bulk_remaining(bulk) > 0) {
        uint64_t left = cs_bulk_remaining(bulk);
        size_t want = left < CS_CHUNK_SIZE ? (size_t)left : CS_CHUNK_SIZE;
        bool final = false;
        size_t got = 0;

        cs_buf_clear(&sealed);
        rc = fn(context, plain.p, want, &got, error);
        if (rc == CS_OK)
            rc = cs_bulk_seal(bulk, &sealed, (cs_view){plain.p, got}, &final, error);
        if (rc == CS_OK)
            rc = cs_talk_send_chunk(talk, type, cs_view_buf(&sealed), final, error);
    }
    cs_buf_free(&plain);
    cs_buf_free(&sealed);
    return rc;
}

int cs_talk_receive_bulk(cs_talk *talk, const char *type, cs_bulk *bulk, cs_content_write *fn,
    void *context, cs_error *error)
{
    cs_buf plain = {0};
    cs_buf sealed = {0};
    int rc = CS_OK;

    while (rc == CS_OK && bulk != NULL && cs_bulk_remaining(bulk) > 0) {
        bool final = false;

        cs_buf_clear(&plain);
        rc = cs_talk_receive_chunk(talk, type, &sealed, &final, error);
        if (rc == CS_OK)
            rc = cs_bulk_open(bulk, &plain, cs_view_buf(&sealed), final, error);
        if (rc == CS_OK)
            rc = fn(context, cs_view_buf(&plain), error);
    }
    cs_buf_free(&plain);
    cs_buf_free(&sealed);
    return rc;
}

#define M0_INFO "chartseal/1 M0"

int cs_talk_send_m0(cs_talk *talk, cs_view m0, cs_error *error)
{
    uint8_t enc[CS_HPKE_ENC_SIZE];
    cs_buf hello = {0};
    cs_buf sealed = {0};
    cs_buf message = {0};
    int rc = cs_talk_receive(talk, "hello", &hello, CS_HELLO_MS, error);

    if (rc == CS_OK)
        rc = cs_hpke_seal(
            enc, &sealed, cs_view_buf(&hello), cs_view_str(M0_INFO), (cs_view){0}, m0, NULL, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&message, CS_VIEW_ARRAY(enc), error);
    if (rc == CS_OK)
        rc = cs_buf_append(&message, cs_view_buf(&sealed), error);
    if (rc == CS_OK)
        rc = cs_talk_send(talk, "M0", cs_view_buf(&message), error);
    cs_buf_free(&hello);
    cs_buf_free(&sealed);
    cs_buf_free(&message);
    return rc;
}

static int agree_with(void *context, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    return cs_p256_ecdh(x, context, (cs_view){peer, 65}, error);
}

int cs_talk_receive_m0(cs_talk *talk, cs_buf *m0, cs_error *error)
{
    uint8_t *ephemeral = cs_secret_new(32);
    uint8_t hello[65];
    cs_buf message = {0};
    int rc;

    if (ephemeral == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory; raise RLIMIT_MEMLOCK");
    rc = cs_p256_generate(ephemeral, hello, error);
    if (rc == CS_OK)
        rc = cs_talk_send(talk, "hello", CS_VIEW_ARRAY(hello), error);
    if (rc == CS_OK)
        rc = cs_talk_receive(talk, "M0", &message, CS_ANSWER_MS, error);
    if (rc == CS_OK && message.n < CS_HPKE_ENC_SIZE)
        rc = CS_FAIL(error, CS_E_MALFORMED, "M0 is too short; is that a doctor's station?");
    if (rc == CS_OK)
        rc = cs_hpke_open(m0, (cs_view){message.p, CS_HPKE_ENC_SIZE},
            (cs_view){message.p + CS_HPKE_ENC_SIZE, message.n - CS_HPKE_ENC_SIZE},
            CS_VIEW_ARRAY(hello), cs_view_str(M0_INFO), (cs_view){0}, agree_with, ephemeral, NULL,
            error);
    cs_secret_free(&ephemeral);
    cs_buf_free(&message);
    return rc;
}

int cs_content_from_memory(void *context, uint8_t *out, size_t n, size_t *got, cs_error *error)
{
    cs_held_content *content = context;

    (void)error;
    *got = n < content->rest.n ? n : content->rest.n;
    if (*got > 0)
        memcpy(out, content->rest.p, *got);
    content->rest.p += *got;
    content->rest.n -= *got;
    return CS_OK;
}

int cs_content_to_buf(void *buf, cs_view bytes, cs_error *error)
{
    return cs_buf_append(buf, bytes, error);
}

void cs_talk_refuse(cs_talk *talk, int code)
{
    cs_buf refusal = {0};

    if (talk->link != NULL)
        cs_link_cancel_on(talk->link, -1); /* who was stopped says so too */
    if (talk->link != NULL && cs_refusal_make(&refusal, code, NULL) == CS_OK &&
        cs_link_send(talk->link, CS_FRAME_REFUSAL, cs_view_buf(&refusal), REFUSAL_MS, NULL) ==
            CS_OK &&
        log_to(talk, "refusal", cs_view_buf(&refusal), NULL) != CS_OK)
        talk->log = NULL; /* the disk with the log is full: nobody is left to tell */
    cs_buf_free(&refusal);
}
