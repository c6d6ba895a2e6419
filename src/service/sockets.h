/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SOCKETS_H
#define SERVICE_SOCKETS_H

/* What the HTTP server and the link have in common: names into addresses, and listening. */

#include <chartseal/error.h>

#include <netdb.h>
#include <stdint.h>

#define CS_ADDRESS_DEFAULT "127.0.0.1"

/* *out goes to freeaddrinfo. CS_E_UNREACHABLE for a name that is not known. */
CS_MUST_CHECK int cs_look_up(
    struct addrinfo **out, const char *host, uint16_t port, int flags, cs_error *error);

/* A listening, non-blocking socket. `address` NULL: CS_ADDRESS_DEFAULT; *port 0: any free one, and
 * then *port says which. CS_E_PORT_IN_USE. */
CS_MUST_CHECK int cs_listen_socket(
    int *fd, uint16_t *port, const char *address, int backlog, cs_error *error);

#endif
