/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_SESSION_H
#define CHARTSEAL_PROTOCOL_SESSION_H

#include "protocol/common.h"

#include <chartseal/session.h>

/* R = r·P with a fresh r in guarded memory; what *r was before is wiped. */
CS_MUST_CHECK int cs_ephemeral(cs_scalar **r, cs_point *point, cs_suite suite, cs_error *error);

/* One side's view of the agreement; everything but r is public. Who starts may be nobody: without a
 * name (T3), own and scalar are NULL on his side and peer on the other, B is left out of the sum,
 * and the transcript has no credential in its place. He then knows with whom he speaks, and the
 * other does not. */
typedef struct cs_handshake {
    const cs_cloud *cloud;
    bool starts;              /* this side is i */
    const cs_scalar *r;       /* own ephemeral, guarded */
    cs_key *scalar;           /* own S_X: one scalar_mul */
    const cs_credential *own; /* own.y is not needed */
    const cs_credential *peer;
    const cs_point *r_own;
    const cs_point *r_peer;
    int64_t t_own;
    int64_t t_peer;
} cs_handshake;

CS_MUST_CHECK int cs_session_agree(
    cs_session **out, const cs_handshake *handshake, cs_error *error);

/* tag_D, tag_HPC: HMAC under the confirmation key over h(request), the answerer's ID, R and time.
 */
CS_MUST_CHECK int cs_session_tag(const cs_session *session, const cs_confirmation *confirmation,
    uint8_t tag[CS_HASH_SIZE], cs_error *error);
/* The tag that came is the one. CS_E_DECRYPT: `whose` has another session key. */
CS_MUST_CHECK int cs_session_check_tag(const cs_session *session,
    const cs_confirmation *confirmation, cs_view tag, const char *whose, cs_error *error);

/* The next message: its head and first chunk, with the struct. `size` is the bulk that follows; 0
 * makes the chunk the final one and *bulk NULL. */
CS_MUST_CHECK int cs_session_put(cs_session *session, const char *label, int64_t now,
    const cs_schema *schema, const void *body, uint64_t size, cs_buf *head, cs_buf *chunk,
    bool *final, cs_bulk **bulk, cs_error *error);

/* Take a message: *body points into *plain; *time is the head's. The caller then knows the size and
 * makes the bulk from *stream with cs_bulk_take, which owns the stream from then on. */
CS_MUST_CHECK int cs_session_take(cs_session *session, const char *label, const cs_env *env,
    cs_view head, cs_view chunk, bool final, const cs_schema *schema, void *body, cs_buf *plain,
    uint64_t *time, cs_stream **stream, cs_error *error);
/* The final flag of the first chunk has to agree with the size. *bulk is NULL for size 0. */
CS_MUST_CHECK int cs_bulk_take(cs_bulk **bulk, cs_stream **stream, uint64_t size, cs_error *error);
/* The same for a stream to be sealed. */
CS_MUST_CHECK int cs_bulk_give(cs_bulk **bulk, cs_stream **stream, uint64_t size, cs_error *error);
/* h of a bulk; of no bytes when bulk is NULL. */
CS_MUST_CHECK int cs_bulk_hash_or_empty(
    const cs_bulk *bulk, uint8_t hash[CS_HASH_SIZE], cs_error *error);

#endif
