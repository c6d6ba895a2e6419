/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_ENVELOPE_H
#define CHARTSEAL_PROTOCOL_ENVELOPE_H

/*
 * E_PUK: a struct sealed to a party's decrypt key under a clear header of label, suite and time.
 * The signature of a message is one of the struct's members, inside the seal: outside, somebody who
 * listens and can guess the signed fields could tell whose message it is.
 */

#include "protocol/common.h"

#include <chartseal/hpke.h>

/* export_secret: 32 bytes for an answer that needs no signature, or NULL. */
CS_MUST_CHECK int cs_envelope_seal(cs_buf *out, const char *label, cs_suite suite, int64_t time,
    const uint8_t puk[CS_PUK_SIZE], const cs_schema *schema, const void *body,
    uint8_t *export_secret, cs_error *error);

/* Checks form, suite and time before it asks the token to agree. *body points into *plain; *time is
 * the header's. */
CS_MUST_CHECK int cs_envelope_open(const char *label, const cs_party *me, const cs_env *env,
    cs_view bytes, const cs_schema *schema, void *body, cs_buf *plain, uint64_t *time,
    uint8_t *export_secret, cs_error *error);

/* An answer under the 32 bytes that both sides exported from the request's envelope (cs_reply): no
 * signature, no token operation. Its key serves this one message. */
CS_MUST_CHECK int cs_reply_seal(cs_buf *out, const char *label, const uint8_t *secret,
    cs_suite suite, int64_t time, const cs_schema *schema, const void *body, cs_error *error);
CS_MUST_CHECK int cs_reply_open(const char *label, const uint8_t *secret, cs_suite suite,
    const cs_env *env, cs_view bytes, const cs_schema *schema, void *body, cs_buf *plain,
    uint64_t *time, cs_error *error);

/* A cs_key's agree, as HPKE wants it; context is the cs_key. */
int cs_agree_with_key(void *context, const uint8_t peer[65], uint8_t x[32], cs_error *error);
/* The public half of an open key of kind sign or agree, compressed. */
CS_MUST_CHECK int cs_key_puk(uint8_t puk[CS_PUK_SIZE], const cs_key *key, cs_error *error);

#endif
