/* SPDX-License-Identifier: Apache-2.0 */
#include "service/link.h"

#include "service/sockets.h"
#include "service/wait.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_SIZE 5u
/* Memory grows with what has come, not with what a length promises. */
#define RECEIVE_STEP 65536u
#define BACKLOG 8
#define PEER_MAX (INET6_ADDRSTRLEN + 16)

struct cs_link_listener {
    int fd;
    uint16_t port;
};

struct cs_link {
    int fd;
    int cancel_fd;
    bool broken;
    char peer[PEER_MAX];
};

/* ---- a link */

static void name_peer(cs_link *link)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN + 1];
    char port[8];

    if (getpeername(link->fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
            NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        (void)snprintf(link->peer, sizeof link->peer, "unknown");
        return;
    }
    (void)snprintf(link->peer, sizeof link->peer, "%s:%s", host, port);
}

static cs_link *new_link(int fd)
{
    const int on = 1;
    cs_link *link = calloc(1, sizeof *link);

    if (link == NULL)
        return NULL;
    *link = (cs_link){.fd = fd, .cancel_fd = -1};
    /* frames are answers to each other: nothing is won by waiting for more */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    name_peer(link);
    return link;
}

/* ---- listening */

int cs_link_listen(cs_link_listener **out, const char *address, uint16_t port, cs_error *error)
{
    cs_link_listener *listener = calloc(1, sizeof *listener);
    int rc;

    *out = NULL;
    if (listener == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory to listen");
    listener->port = port;
    rc = cs_listen_socket(&listener->fd, &listener->port, address, BACKLOG, error);
    if (rc != CS_OK) {
        free(listener);
        return rc;
    }
    *out = listener;
    return CS_OK;
}

uint16_t cs_link_listener_port(const cs_link_listener *listener)
{
    return listener->port;
}

void cs_link_listener_free(cs_link_listener **listener)
{
    if (*listener == NULL)
        return;
    (void)close((*listener)->fd);
    free(*listener);
    *listener = NULL;
}

/* What accept says when the connection in the queue was no good, or is gone: wait for the next. */
static bool next_may_be_better(int why)
{
    return why == EAGAIN || why == EINTR || why == ECONNABORTED || why == EPROTO ||
           why == ENETDOWN || why == EHOSTUNREACH || why == ENETUNREACH;
}

int cs_link_accept(
    cs_link **out, cs_link_listener *listener, int timeout_ms, int cancel_fd, cs_error *error)
{
    int64_t deadline = cs_deadline_in(timeout_ms);
    int fd;

    *out = NULL;
    do {
        int rc = cs_wait_fd(listener->fd, POLLIN, deadline, cancel_fd, error);

        if (rc != CS_OK)
            return rc;
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0 && next_may_be_better(errno));
    if (fd < 0)
        return CS_FAIL(error, CS_E_NETWORK, "cannot accept a connection: %s", strerror(errno));
    *out = new_link(fd);
    if (*out == NULL) {
        (void)close(fd);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a connection");
    }
    return CS_OK;
}

/* ---- connecting */

/* *fd is the connected socket, or -1. */
static int connect_to(
    int *fd, const struct addrinfo *address, int64_t deadline, int cancel_fd, cs_error *error)
{
    int why = 0;
    socklen_t size = sizeof why;
    int rc = CS_OK;

    *fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return CS_FAIL(error, CS_E_UNREACHABLE, "no socket: %s", strerror(errno));
    if (connect(*fd, address->ai_addr, address->ai_addrlen) != 0) {
        /* an interrupted connect goes on by itself, as one in progress */
        if (errno != EINPROGRESS && errno != EINTR)
            rc = CS_FAIL(error, CS_E_UNREACHABLE, "%s", strerror(errno));
        else
            rc = cs_wait_fd(*fd, POLLOUT, deadline, cancel_fd, error);
        if (rc == CS_OK && (getsockopt(*fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0 || why != 0))
            rc = CS_FAIL(error, CS_E_UNREACHABLE, "%s", strerror(why));
    }
    if (rc != CS_OK) {
        (void)close(*fd);
        *fd = -1;
    }
    return rc;
}

int cs_link_connect(
    cs_link **out, const char *host, uint16_t port, int timeout_ms, int cancel_fd, cs_error *error)
{
    int64_t deadline = cs_deadline_in(timeout_ms);
    cs_error reason = {0};
    struct addrinfo *found = NULL;
    int fd = -1;
    int rc;

    *out = NULL;
    rc = cs_look_up(&found, host, port, 0, error);
    if (rc != CS_OK)
        return rc;
    rc = CS_E_UNREACHABLE;
    for (const struct addrinfo *a = found; a != NULL && rc == CS_E_UNREACHABLE; a = a->ai_next)
        rc = connect_to(&fd, a, deadline, cancel_fd, &reason);
    freeaddrinfo(found);
    if (rc != CS_OK)
        return CS_FAIL(error, (cs_code)rc,
            "%s port %u does not answer: %s; see that the other side is listening there", host,
            (unsigned)port, reason.message);
    *out = new_link(fd);
    if (*out == NULL) {
        (void)close(fd);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a connection");
    }
    return CS_OK;
}

void cs_link_free(cs_link **link)
{
    if (*link == NULL)
        return;
    (void)close((*link)->fd);
    free(*link);
    *link = NULL;
}

void cs_link_cancel_on(cs_link *link, int fd)
{
    link->cancel_fd = fd;
}

const char *cs_link_peer(const cs_link *link)
{
    return link->peer;
}

/* ---- frames */

static int check_usable(const cs_link *link, cs_error *error)
{
    if (link->broken)
        return CS_FAIL(
            error, CS_E_NETWORK, "the connection to %s is broken; connect again", link->peer);
    return CS_OK;
}

/* EAGAIN only says that poll was too hopeful. */
static bool try_again(ssize_t n)
{
    return n < 0 && (errno == EINTR || errno == EAGAIN);
}

static int send_all(cs_link *link, cs_view bytes, bool more, int64_t deadline, cs_error *error)
{
    while (bytes.n > 0) {
        ssize_t n;
        int rc = cs_wait_fd(link->fd, POLLOUT, deadline, link->cancel_fd, error);

        if (rc != CS_OK)
            return rc;
        n = send(link->fd, bytes.p, bytes.n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (try_again(n))
            continue;
        if (n < 0)
            return CS_FAIL(error, CS_E_NETWORK, "sending to %s: %s", link->peer, strerror(errno));
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return CS_OK;
}

int cs_link_send(cs_link *link, uint8_t kind, cs_view content, int timeout_ms, cs_error *error)
{
    int64_t deadline = cs_deadline_in(timeout_ms);
    uint8_t head[HEAD_SIZE];
    int rc = check_usable(link, error);

    if (rc != CS_OK)
        return rc;
    if (content.n > CS_LINK_FRAME_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a message of %zu bytes; the link takes %u at most",
            content.n, CS_LINK_FRAME_MAX);
    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(content.n >> (24 - 8 * i));
    head[4] = kind;
    rc = send_all(link, CS_VIEW_ARRAY(head), content.n > 0, deadline, error);
    if (rc == CS_OK)
        rc = send_all(link, content, false, deadline, error);
    if (rc != CS_OK)
        link->broken = true;
    return rc;
}

/* Fills p with n bytes; *got counts those that came, also when it fails. */
static int receive_all(
    cs_link *link, uint8_t *p, size_t n, size_t *got, int64_t deadline, cs_error *error)
{
    *got = 0;
    while (*got < n) {
        ssize_t came;
        int rc = cs_wait_fd(link->fd, POLLIN, deadline, link->cancel_fd, error);

        if (rc != CS_OK)
            return rc;
        came = recv(link->fd, p + *got, n - *got, 0);
        if (try_again(came))
            continue;
        if (came < 0)
            return CS_FAIL(
                error, CS_E_NETWORK, "receiving from %s: %s", link->peer, strerror(errno));
        if (came == 0)
            return CS_FAIL(error, CS_E_TRUNCATED, "%s hung up within a message", link->peer);
        *got += (size_t)came;
    }
    return CS_OK;
}

static int receive_content(
    cs_link *link, cs_buf *content, size_t size, int64_t deadline, cs_error *error)
{
    while (content->n < size) {
        size_t at = content->n;
        size_t step = size - at < RECEIVE_STEP ? size - at : RECEIVE_STEP;
        size_t got;
        int rc = cs_buf_resize(content, at + step, error);

        if (rc == CS_OK)
            rc = receive_all(link, content->p + at, step, &got, deadline, error);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

int cs_link_receive(cs_link *link, uint8_t *kind, cs_buf *content, int timeout_ms, cs_error *error)
{
    int64_t deadline = cs_deadline_in(timeout_ms);
    uint8_t head[HEAD_SIZE];
    size_t got;
    size_t size;
    int rc = check_usable(link, error);

    cs_buf_clear(content);
    if (rc != CS_OK)
        return rc;
    rc = receive_all(link, head, sizeof head, &got, deadline, error);
    if (rc == CS_E_TRUNCATED && got == 0)
        rc = CS_FAIL(error, CS_E_NETWORK, "%s has hung up", link->peer);
    if (rc != CS_OK) {
        link->broken = !(rc == CS_E_TIMEOUT && got == 0);
        return rc;
    }
    size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (size > CS_LINK_FRAME_MAX)
        rc = CS_FAIL(error, CS_E_PEER, "%s announces a message of %zu bytes; %u is the most",
            link->peer, size, CS_LINK_FRAME_MAX);
    else
        rc = receive_content(link, content, size, deadline, error);
    if (rc != CS_OK) {
        link->broken = true;
        cs_buf_clear(content);
        return rc;
    }
    *kind = head[4];
    return CS_OK;
}
