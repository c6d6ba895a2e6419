/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol of vpcd: the card is the client. Each message is two bytes of length, big-endian,
 * and so many bytes: one byte is the reader's own (power off, on, reset, ask for the ATR), all else
 * a command. Commands and the question for the ATR are answered likewise.
 */
#include "card.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CTRL_ATR 4
#define CONNECT_PAUSE_MS 20

static volatile sig_atomic_t ended, pull, insert;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        pull = 1;
    else if (number == SIGUSR2)
        insert = 1;
    else
        ended = 1;
}

/* The signals are blocked but where we wait, so that none falls between a look and a wait. */
static int catch_signals(sigset_t *waiting, cs_error *error)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    (void)sigemptyset(&blocked);
    if (sigprocmask(SIG_SETMASK, NULL, waiting) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "the mask of signals cannot be read");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaddset(&blocked, numbers[i]);
        (void)sigdelset(waiting, numbers[i]);
        if (sigaction(numbers[i], &action, NULL) != 0)
            return CS_FAIL(error, CS_E_INTERNAL, "signal %d cannot be caught", numbers[i]);
    }
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "signals cannot be blocked");
    return CS_OK;
}

static void take_signals(piv_card *card)
{
    if (pull)
        card->pulled = true;
    if (insert)
        card->pulled = false;
    pull = 0;
    insert = 0;
}

/* False when the card is to leave the reader. fd -1: just waits; timeout_ms -1: for ever. */
static bool wait_for(piv_card *card, int fd, int timeout_ms, const sigset_t *waiting)
{
    struct pollfd reader = {fd, POLLIN, 0};
    struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    int n;

    do {
        n = ppoll(&reader, fd < 0 ? 0 : 1, timeout_ms < 0 ? NULL : &time, waiting);
        take_signals(card);
    } while (n < 0 && errno == EINTR && !ended && !card->pulled);
    return !ended && !card->pulled;
}

/* vpcd writes the length and the rest separately, under Nagle: unless each is acknowledged at once,
 * every command takes 40 ms. The kernel forgets this with each read. */
static void acknowledge_at_once(int fd)
{
    const int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

static bool read_all(piv_card *card, int fd, uint8_t *out, size_t n, const sigset_t *waiting)
{
    while (n > 0) {
        ssize_t got;

        if (!wait_for(card, fd, -1, waiting))
            return false;
        got = recv(fd, out, n, 0);
        if (got <= 0)
            return false;
        acknowledge_at_once(fd);
        out += got;
        n -= (size_t)got;
    }
    return true;
}

static bool write_message(int fd, cs_view bytes)
{
    uint8_t header[2] = {(uint8_t)(bytes.n >> 8), (uint8_t)bytes.n};
    cs_buf message = {0};
    bool sent = bytes.n <= 0xffff &&
                cs_buf_append(&message, CS_VIEW_ARRAY(header), NULL) == CS_OK &&
                cs_buf_append(&message, bytes, NULL) == CS_OK;

    for (size_t done = 0; sent && done < message.n;) {
        ssize_t n = send(fd, message.p + done, message.n - done, MSG_NOSIGNAL);

        sent = n > 0;
        done += n > 0 ? (size_t)n : 0;
    }
    cs_buf_free(&message);
    return sent;
}

/* -1 for as long as there is no reader. */
static int connect_to_reader(uint16_t port)
{
    const int yes = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    acknowledge_at_once(fd);
    return fd;
}

/* In the reader, until it or the card goes. */
static void in_reader(piv_card *card, int fd, const sigset_t *waiting)
{
    static uint8_t message[PIV_APDU_MAX];
    cs_buf response = {0};
    uint8_t header[2];
    bool stays = true;

    while (stays && read_all(card, fd, header, sizeof header, waiting)) {
        size_t n = (size_t)header[0] << 8 | header[1];

        if (!read_all(card, fd, message, n, waiting))
            break;
        if (n > 1)
            stays = piv_transact(card, (cs_view){message, n}, &response) &&
                    write_message(fd, cs_view_buf(&response));
        else if (n == 1 && message[0] == CTRL_ATR)
            stays = write_message(fd, CS_VIEW_ARRAY(piv_atr));
        else
            piv_power_down(card);
    }
    cs_wipe(message, sizeof message);
    cs_buf_free(&response);
    piv_power_down(card);
}

int piv_serve(piv_card *card, cs_error *error)
{
    sigset_t waiting;
    int rc = catch_signals(&waiting, error);

    if (rc != CS_OK)
        return rc;
    while (!ended) {
        int fd = -1;

        if (!card->pulled)
            fd = connect_to_reader(card->options.port);
        if (fd >= 0) {
            in_reader(card, fd, &waiting);
            (void)close(fd);
        }
        if (!ended)
            (void)wait_for(card, -1, CONNECT_PAUSE_MS, &waiting);
    }
    return CS_OK;
}
