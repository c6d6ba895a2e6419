/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_TEXT_MAX 8

int cs_look_up(struct addrinfo **out, const char *host, uint16_t port, int flags, cs_error *error)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    char service[PORT_TEXT_MAX];
    int rc;

    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    rc = getaddrinfo(host, service, &hints, out);
    if (rc != 0)
        return CS_FAIL(error, CS_E_UNREACHABLE,
            "the address %s is not known: %s; check its spelling", host, gai_strerror(rc));
    return CS_OK;
}

static int find_port(uint16_t *port, int fd, cs_error *error)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char text[PORT_TEXT_MAX];

    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0 ||
        getnameinfo((struct sockaddr *)&bound, size, NULL, 0, text, sizeof text, NI_NUMERICSERV) !=
            0)
        return CS_FAIL(error, CS_E_NETWORK, "the port listened on cannot be found out");
    *port = (uint16_t)strtoul(text, NULL, 10);
    return CS_OK;
}

int cs_listen_socket(int *fd, uint16_t *port, const char *address, int backlog, cs_error *error)
{
    const int on = 1;
    struct addrinfo *found = NULL;
    const char *name = address == NULL ? CS_ADDRESS_DEFAULT : address;
    int rc = cs_look_up(&found, name, *port, AI_PASSIVE, error);

    *fd = -1;
    if (rc != CS_OK)
        return rc;
    *fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* a service that is started again must not wait for its old connections to be forgotten */
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        rc = CS_FAIL(error, CS_E_NETWORK, "no socket to listen on: %s", strerror(errno));
    else if (bind(*fd, found->ai_addr, found->ai_addrlen) == 0 && listen(*fd, backlog) == 0)
        rc = find_port(port, *fd, error);
    else if (errno == EADDRINUSE)
        rc = CS_FAIL(error, CS_E_PORT_IN_USE,
            "port %u on %s is in use; stop what uses it or choose another port", (unsigned)*port,
            name);
    else
        rc = CS_FAIL(error, CS_E_NETWORK, "cannot listen on %s port %u: %s", name, (unsigned)*port,
            strerror(errno));
    freeaddrinfo(found);
    if (rc != CS_OK && *fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return rc;
}
