/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include "process.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000
#define POWER_ON 1
#define RESET 2
#define ASK_ATR 4

static void listen_anywhere(reader *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(r->listener >= 0);
    assert_int_equal(bind(r->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(r->listener, 1), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(r->port, sizeof r->port, "%u", ntohs(address.sin_port));
}

int reader_setup(void **state)
{
    reader *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->fd = -1;
    (void)snprintf(r->directory, sizeof r->directory, "%s", "/tmp/chartseal-test-XXXXXX");
    assert_non_null(mkdtemp(r->directory));
    (void)snprintf(r->state, sizeof r->state, "%s/card", r->directory);
    listen_anywhere(r);
    *state = r;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

int reader_teardown(void **state)
{
    reader *r = *state;

    if (r->card > 0)
        reader_stop(r);
    (void)close(r->listener);
    cs_buf_free(&r->data);
    (void)nftw(r->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(r);
    return 0;
}

static void wait_readable(int fd)
{
    struct pollfd one = {fd, POLLIN, 0};

    assert_int_equal(poll(&one, 1, WAIT_MS), 1);
}

/* False at the end of the connection. */
static bool read_all(reader *r, uint8_t *out, size_t n)
{
    while (n > 0) {
        ssize_t got;

        wait_readable(r->fd);
        got = recv(r->fd, out, n, 0);
        if (got <= 0)
            return false;
        out += got;
        n -= (size_t)got;
    }
    return true;
}

void reader_write(reader *r, cs_view bytes)
{
    assert_int_equal(send(r->fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
}

static void control(reader *r, uint8_t byte)
{
    const uint8_t message[] = {0, 1, byte};

    reader_write(r, CS_VIEW_ARRAY(message));
}

static bool read_message(reader *r)
{
    uint8_t header[2];

    if (!read_all(r, header, sizeof header))
        return false;
    assert_ok(cs_buf_resize(&r->data, (size_t)header[0] << 8 | header[1], error));
    return read_all(r, r->data.p, r->data.n);
}

void reader_reset(reader *r)
{
    control(r, RESET);
}

void reader_wait_for_card(reader *r)
{
    wait_readable(r->listener);
    r->fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(r->fd >= 0);
    control(r, POWER_ON);
    control(r, ASK_ATR);
    assert_true(read_message(r));
    assert_data(r, "3b8b0180f9a00000030800001000 48");
}

void reader_wait_for_pull(reader *r)
{
    uint8_t byte;

    assert_false(read_all(r, &byte, 1));
    (void)close(r->fd);
    r->fd = -1;
}

void reader_start(reader *r, const char *options)
{
    r->card = card_start(r->state, r->port, options);
    reader_wait_for_card(r);
}

void reader_signal(reader *r, int number)
{
    assert_int_equal(kill(r->card, number), 0);
}

void reader_stop(reader *r)
{
    card_end(r->card);
    r->card = 0;
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = -1;
}

uint16_t reader_send_bytes(reader *r, cs_view command)
{
    const uint8_t header[] = {(uint8_t)(command.n >> 8), (uint8_t)command.n};
    cs_buf message = {0};
    uint16_t status;

    assert_ok(cs_buf_append(&message, CS_VIEW_ARRAY(header), error));
    assert_ok(cs_buf_append(&message, command, error));
    reader_write(r, cs_view_buf(&message));
    cs_buf_free(&message);
    if (!read_message(r)) {
        (void)close(r->fd);
        r->fd = -1;
        return READER_PULLED;
    }
    assert_true(r->data.n >= 2);
    status = (uint16_t)(r->data.p[r->data.n - 2] << 8 | r->data.p[r->data.n - 1]);
    assert_ok(cs_buf_resize(&r->data, r->data.n - 2, error));
    return status;
}

/* Blanks are for people. */
static void unhex(cs_buf *out, const char *hex)
{
    char *text = strdup(hex);
    size_t n = 0;

    assert_non_null(text);
    for (const char *p = hex; *p != '\0'; p++) {
        if (*p != ' ')
            text[n++] = *p;
    }
    text[n] = '\0';
    assert_ok(cs_unhex(out, text, error));
    free(text);
}

uint16_t reader_send(reader *r, const char *hex)
{
    cs_buf command = {0};
    uint16_t status;

    unhex(&command, hex);
    status = reader_send_bytes(r, cs_view_buf(&command));
    cs_buf_free(&command);
    return status;
}

void reader_assert_data(const reader *r, const char *hex, const char *file, int line)
{
    cs_buf wanted = {0};
    char *got = malloc(2 * r->data.n + 1);

    assert_non_null(got);
    unhex(&wanted, hex);
    cs_hex(cs_view_buf(&r->data), got);
    if (!cs_view_equal(cs_view_buf(&wanted), cs_view_buf(&r->data)))
        fail_msg("wanted %s, got %s (%s:%d)", hex, got, file, line);
    free(got);
    cs_buf_free(&wanted);
}

void reader_select(reader *r)
{
    assert_status(0x9000, reader_send(r, "00a40400 05 a000000308 00"));
}

void reader_verify(reader *r)
{
    assert_status(0x9000, reader_send(r, "00200080 08 313233343536ffff"));
}

/* External authentication with the default key: the challenge, encrypted. */
void reader_authenticate(reader *r)
{
    static const uint8_t key[24] = {
        1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t command[] = {0, 0x87, 3, 0x9b, 12, 0x7c, 10, 0x82, 8, 0, 0, 0, 0, 0, 0, 0, 0};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int n;

    assert_status(0x9000, reader_send(r, "0087039b 04 7c028100 00"));
    assert_int_equal(r->data.n, 12);
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_des_ede3_ecb(), NULL, key, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_set_padding(context, 0), 1);
    assert_int_equal(EVP_EncryptUpdate(context, command + 9, &n, r->data.p + 4, 8), 1);
    EVP_CIPHER_CTX_free(context);
    assert_status(0x9000, reader_send_bytes(r, CS_VIEW_ARRAY(command)));
}
