/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_LINK_H
#define SERVICE_LINK_H

/*
 * The link between the doctor's station and the patient's device: frames over TCP. A frame is
 *     length of the content (4 bytes, big-endian) ‖ kind (1 byte) ‖ content
 * The link neither hides nor authenticates: the protocol does.
 *
 * Every wait has a deadline for the whole of it, so that a peer that drips bytes holds nobody, and
 * can be cancelled: give cs_link_accept, cs_link_connect or cs_link_cancel_on a file descriptor
 * that becomes readable when it is time to go (see signals.h), or -1. Timeouts are in milliseconds;
 * negative means no deadline. A link is for one thread at a time.
 *
 * Errors: CS_E_TIMEOUT; CS_E_CANCELLED; CS_E_TRUNCATED, the peer closed inside a frame; CS_E_PEER,
 * a frame over the limit; CS_E_NETWORK, anything else, also a peer that closed between frames.
 * After any of them but a timeout before the first byte of a frame, the two sides no longer agree
 * where a frame begins, and every further call says CS_E_NETWORK.
 */

#include <chartseal/bytes.h>

/* The largest message between the two is a diagnosis: text and a few images. */
#define CS_LINK_FRAME_MAX (2u << 20)

typedef struct cs_link_listener cs_link_listener;
typedef struct cs_link cs_link;

/* `address` is numeric or a name, NULL: 127.0.0.1; port 0: any free one. CS_E_PORT_IN_USE. */
CS_MUST_CHECK int cs_link_listen(
    cs_link_listener **out, const char *address, uint16_t port, cs_error *error);
uint16_t cs_link_listener_port(const cs_link_listener *listener);
void cs_link_listener_free(cs_link_listener **listener);

CS_MUST_CHECK int cs_link_accept(
    cs_link **out, cs_link_listener *listener, int timeout_ms, int cancel_fd, cs_error *error);
/* CS_E_UNREACHABLE names host and port. The deadline does not cover the look-up of a name. */
CS_MUST_CHECK int cs_link_connect(
    cs_link **out, const char *host, uint16_t port, int timeout_ms, int cancel_fd, cs_error *error);
/* Closes. NULL is fine. */
void cs_link_free(cs_link **link);

/* From now on waits of this link end with CS_E_CANCELLED when fd is readable; -1: no longer. */
void cs_link_cancel_on(cs_link *link, int fd);
/* "address:port" of the other end, for people and logs; never for trust. */
const char *cs_link_peer(const cs_link *link);

/* CS_E_TOO_LARGE if the content is over the limit: nothing was sent and the link is good still. */
CS_MUST_CHECK int cs_link_send(
    cs_link *link, uint8_t kind, cs_view content, int timeout_ms, cs_error *error);
/* Replaces the content of *content. On failure it is empty. */
CS_MUST_CHECK int cs_link_receive(
    cs_link *link, uint8_t *kind, cs_buf *content, int timeout_ms, cs_error *error);

#endif
