/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "service/link.h"
#include "service/signals.h"
#include "service/wait.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

static cs_link_listener *listener;

static int set_up(void **state)
{
    (void)state;
    return cs_link_listen(&listener, NULL, 0, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    cs_link_listener_free(&listener);
    return 0;
}

static void make_pair(cs_link **here, cs_link **there)
{
    assert_ok(
        cs_link_connect(there, "127.0.0.1", cs_link_listener_port(listener), 2000, -1, error));
    assert_ok(cs_link_accept(here, listener, 2000, -1, error));
}

/* One end of ours, the other a bare socket that says what it likes. */
static int make_raw_pair(cs_link **here)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(cs_link_listener_port(listener)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_ok(cs_link_accept(here, listener, 2000, -1, error));
    return fd;
}

static void raw_send(int fd, const char *bytes, size_t n)
{
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

static void test_frames(void **state)
{
    cs_link *here = NULL, *there = NULL;
    cs_buf got = {0};
    uint8_t kind = 0;

    (void)state;
    make_pair(&here, &there);
    assert_non_null(strstr(cs_link_peer(here), "127.0.0.1:"));
    assert_ok(cs_link_send(here, 7, cs_view_str("first"), 1000, error));
    assert_ok(cs_link_send(here, 8, (cs_view){0}, 1000, error));
    assert_ok(cs_link_receive(there, &kind, &got, 1000, error));
    assert_int_equal(kind, 7);
    assert_true(cs_view_equal(cs_view_buf(&got), cs_view_str("first")));
    assert_ok(cs_link_receive(there, &kind, &got, 1000, error));
    assert_int_equal(kind, 8);
    assert_int_equal(got.n, 0);
    /* to have waited in vain before a frame harms nothing */
    assert_fails(CS_E_TIMEOUT, cs_link_receive(there, &kind, &got, 50, error));
    assert_ok(cs_link_send(here, 9, cs_view_str("late"), 1000, error));
    assert_ok(cs_link_receive(there, &kind, &got, 1000, error));
    assert_int_equal(kind, 9);
    cs_link_free(&here);
    assert_fails(CS_E_NETWORK, cs_link_receive(there, &kind, &got, 1000, error));
    cs_link_free(&there);
    cs_buf_free(&got);
}

typedef struct sender {
    cs_link *link;
    cs_view content;
    int rc;
} sender;

static void *send_content(void *context)
{
    sender *s = context;

    s->rc = cs_link_send(s->link, 1, s->content, 5000, NULL);
    return NULL;
}

static void test_largest(void **state)
{
    cs_link *here = NULL, *there = NULL;
    cs_buf got = {0};
    uint8_t kind = 0;
    uint8_t *large = malloc(CS_LINK_FRAME_MAX + 1);
    sender s;
    pthread_t thread;

    (void)state;
    assert_non_null(large);
    cs_random(large, CS_LINK_FRAME_MAX + 1);
    make_pair(&here, &there);
    s = (sender){.link = here, .content = {large, CS_LINK_FRAME_MAX}};
    assert_fails(CS_E_TOO_LARGE,
        cs_link_send(here, 1, (cs_view){large, CS_LINK_FRAME_MAX + 1}, 1000, error));
    assert_int_equal(pthread_create(&thread, NULL, send_content, &s), 0);
    assert_ok(cs_link_receive(there, &kind, &got, 5000, error));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(s.rc, CS_OK);
    assert_true(cs_view_equal(cs_view_buf(&got), s.content));
    free(large);
    cs_buf_free(&got);
    cs_link_free(&here);
    cs_link_free(&there);
}

static void test_reader_who_does_not_read(void **state)
{
    cs_link *here = NULL;
    int fd = make_raw_pair(&here);
    uint8_t *large = calloc(1, CS_LINK_FRAME_MAX);
    int rc = CS_OK;

    (void)state;
    assert_non_null(large);
    for (unsigned i = 0; i < 20 && rc == CS_OK; i++)
        rc = cs_link_send(here, 1, (cs_view){large, CS_LINK_FRAME_MAX}, 200, NULL);
    assert_int_equal(rc, CS_E_TIMEOUT);
    assert_fails(CS_E_NETWORK, cs_link_send(here, 1, (cs_view){0}, 200, error));
    free(large);
    (void)close(fd);
    cs_link_free(&here);
}

static void test_too_long(void **state)
{
    cs_link *here = NULL;
    int fd = make_raw_pair(&here);
    cs_buf got = {0};
    uint8_t kind = 0;

    (void)state;
    raw_send(fd, "\x00\x20\x00\x01\x01", 5);
    assert_fails(CS_E_PEER, cs_link_receive(here, &kind, &got, 1000, error));
    assert_int_equal(got.n, 0);
    assert_fails(CS_E_NETWORK, cs_link_receive(here, &kind, &got, 1000, error));
    (void)close(fd);
    cs_link_free(&here);
    cs_buf_free(&got);
}

static void test_closed_inside(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cut[] = {{"\0", 1}, {"\0\0\0\5\1", 5}, {"\0\0\0\5\1four", 9}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        cs_link *here = NULL;
        int fd = make_raw_pair(&here);
        cs_buf got = {0};
        uint8_t kind = 0;

        raw_send(fd, cut[i].bytes, cut[i].n);
        (void)close(fd);
        assert_fails(CS_E_TRUNCATED, cs_link_receive(here, &kind, &got, 1000, error));
        assert_int_equal(got.n, 0);
        cs_link_free(&here);
        cs_buf_free(&got);
    }
}

static void *drip(void *context)
{
    const struct timespec moment = {0, 50000000};
    const int *fd = context;

    for (int i = 0; i < 60 && send(*fd, "x", 1, MSG_NOSIGNAL) == 1; i++)
        (void)nanosleep(&moment, NULL);
    return NULL;
}

static void test_slow_sender(void **state)
{
    cs_link *here = NULL;
    int fd = make_raw_pair(&here);
    cs_buf got = {0};
    uint8_t kind = 0;
    pthread_t thread;
    int64_t start;

    (void)state;
    raw_send(fd, "\0\0\0\x64\1", 5);
    assert_int_equal(pthread_create(&thread, NULL, drip, &fd), 0);
    start = cs_monotonic_ms();
    assert_fails(CS_E_TIMEOUT, cs_link_receive(here, &kind, &got, 400, error));
    assert_in_range(cs_monotonic_ms() - start, 390, 1500);
    cs_link_free(&here);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(fd);
    cs_buf_free(&got);
}

static void test_listening(void **state)
{
    cs_link_listener *second = NULL;
    cs_link *link = NULL;
    uint16_t port = cs_link_listener_port(listener);
    cs_error why = {0};

    (void)state;
    assert_int_equal(cs_link_listen(&second, NULL, port, &why), CS_E_PORT_IN_USE);
    assert_non_null(strstr(why.message, "in use"));
    assert_fails(CS_E_TIMEOUT, cs_link_accept(&link, listener, 50, -1, error));
    assert_ok(cs_link_listen(&second, NULL, 0, error));
    port = cs_link_listener_port(second);
    cs_link_listener_free(&second);
    assert_int_equal(cs_link_connect(&link, "127.0.0.1", port, 500, -1, &why), CS_E_UNREACHABLE);
    assert_non_null(strstr(why.message, "127.0.0.1 port"));
    assert_null(link);
    assert_fails(CS_E_UNREACHABLE, cs_link_connect(&link, "no such host", port, 500, -1, error));
}

/* Last, as it leaves the signal pending for the rest of the program. */
static void test_called_off(void **state)
{
    cs_link *here = NULL, *there = NULL;
    cs_link *link = NULL;
    cs_buf got = {0};
    uint8_t kind = 0;
    int stop = -1;

    (void)state;
    make_pair(&here, &there);
    assert_ok(cs_stop_fd_open(&stop, error));
    assert_fails(CS_E_TIMEOUT, cs_wait_for_stop(stop, 20, error));
    cs_link_cancel_on(here, stop);
    assert_fails(CS_E_TIMEOUT, cs_link_receive(here, &kind, &got, 20, error));
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_ok(cs_wait_for_stop(stop, 1000, error));
    assert_fails(CS_E_CANCELLED, cs_link_accept(&link, listener, 1000, stop, error));
    assert_fails(CS_E_CANCELLED, cs_link_receive(here, &kind, &got, 1000, error));
    assert_ok(cs_wait_for_stop(stop, 1000, error));
    (void)close(stop);
    cs_link_free(&here);
    cs_link_free(&there);
    cs_buf_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_reader_who_does_not_read),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_closed_inside),
        cmocka_unit_test(test_slow_sender),
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_called_off),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
