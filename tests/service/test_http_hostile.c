/* SPDX-License-Identifier: Apache-2.0 */
/* What no client of ours sends: after each of these the server still serves, and the connection of
 * the offender is gone. And a server that is none. */
#include "test.h"

#include "service/http_client.h"
#include "service/http_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#define ANSWER_MAX 4096
#define RECEIPT_MAX 400000

static cs_http_server *server;

static int echo(void *app, void *worker, const cs_http_request *request, cs_http_answer *answer,
    cs_error *error)
{
    (void)app, (void)worker;
    return cs_buf_set(&answer->body, request->body, error);
}

static int endless(void *context, void *worker, cs_buf *out, bool *end, cs_error *error)
{
    (void)context, (void)worker;
    *end = false;
    return cs_buf_resize(out, out->n + CS_HTTP_PULL_SIZE, error);
}

static int stream(void *app, void *worker, const cs_http_request *request, cs_http_answer *answer,
    cs_error *error)
{
    (void)app, (void)worker, (void)request, (void)error;
    answer->read = endless;
    return CS_OK;
}

static const cs_http_route routes[] = {
    {"POST", "/echo", "echo", echo, 10000},
    {"POST", "/large", "large", echo, 100000},
    {"GET", "/stream", "stream", stream, 0},
};

static int start_server(void **state)
{
    const cs_http_server_config config = {
        .workers = 2,
        .receipt_max = RECEIPT_MAX,
        .connections = 16,
        .timeout_s = 1,
        .receive_s = 2,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
    };

    (void)state;
    return cs_http_server_start(&server, &config, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    return cs_http_server_stop(&server, 100, NULL);
}

static int raw_connection(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(cs_http_server_port(server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 8};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

/* The other side may close while we send: that is what is tested. */
static bool say(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* Everything until the other side closes; its closing in time is asserted. */
static void listen_to_end(int fd, char answer[ANSWER_MAX])
{
    size_t n = 0;
    ssize_t got;

    while ((got = recv(fd, answer + n, ANSWER_MAX - 1 - n, 0)) > 0)
        n += (size_t)got;
    assert_true(got == 0 || errno == ECONNRESET);
    answer[n] = '\0';
    (void)close(fd);
}

static void assert_still_serving(void)
{
    cs_http_client *client = NULL;
    cs_http_reply reply = {0};
    char url[64];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", cs_http_server_port(server));
    assert_ok(cs_http_client_new(&client, url, NULL, error));
    assert_ok(cs_http_post(client, &reply, "/echo", "text/plain", cs_view_str("alive"), error));
    assert_int_equal(reply.status, 200);
    assert_true(cs_view_equal(cs_view_buf(&reply.body), cs_view_str("alive")));
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
}

static void test_garbage(void **state)
{
    static const char *const all[] = {
        "\x16\x03\x01\x02\x01\x01 not TLS here\r\n\r\n",
        "GET\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\nhello\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
        ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
         "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "GET /../../etc/passwd%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "BREW /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /stream HTTP/1.0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10001\r\n\r\n",
    };
    char answer[ANSWER_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int fd = raw_connection();

        assert_true(say(fd, all[i]));
        listen_to_end(fd, answer);
        if (strstr(answer, " 200 ") != NULL)
            fail_msg("number %zu is answered: %s", i, all[i]);
    }
    assert_still_serving();
}

/* A body of unknown length is counted as it comes, and the answer says that it was too much. */
static void test_endless_body(void **state)
{
    int fd = raw_connection();
    char answer[ANSWER_MAX];
    char chunk[1024 + 1];

    (void)state;
    memset(chunk, 'x', sizeof chunk - 1);
    chunk[sizeof chunk - 1] = '\0';
    assert_true(say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n"));
    for (unsigned i = 0; i < 100; i++)
        assert_true(say(fd, "400\r\n") && say(fd, chunk) && say(fd, "\r\n"));
    assert_true(say(fd, "0\r\n\r\n"));
    listen_to_end(fd, answer);
    assert_non_null(strstr(answer, "HTTP/1.1 413"));
    assert_non_null(strstr(answer, "too-large"));
    assert_still_serving();
}

static void test_header_flood(void **state)
{
    int fd = raw_connection();
    char answer[ANSWER_MAX];
    char line[128];

    (void)state;
    assert_true(say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\n"));
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(line, sizeof line, "X-Flood-%u: %064u\r\n", i, i);
        if (!say(fd, line))
            break;
    }
    listen_to_end(fd, answer);
    assert_null(strstr(answer, "200 OK"));
    assert_still_serving();
}

static void test_half_requests(void **state)
{
    static const char *const all[] = {
        "",
        "POST /ec",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this",
    };

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        int fd = raw_connection();

        (void)say(fd, all[i % 3]);
        (void)close(fd);
    }
    /* asks and does not stay for the answer */
    for (unsigned i = 0; i < 50; i++) {
        int fd = raw_connection();

        (void)say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        (void)close(fd);
    }
    assert_still_serving();
}

/* ---- memory for bodies */

/* All of a body of zeros but its last byte. */
static int begin_body(const char *path, unsigned length)
{
    static char zeros[100000];
    char head[128];
    int fd = raw_connection();

    (void)snprintf(head, sizeof head,
        "POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %u\r\n\r\n", path,
        length);
    assert_true(say(fd, head));
    memset(zeros, '0', sizeof zeros);
    assert_int_equal(send(fd, zeros, length - 1, MSG_NOSIGNAL), length - 1);
    return fd;
}

static void end_body(int fd, const char *status)
{
    char answer[ANSWER_MAX];

    assert_true(say(fd, "0"));
    listen_to_end(fd, answer);
    if (strstr(answer, status) == NULL)
        fail_msg("not %s: %s", status, answer);
    if (strstr(status, "503") != NULL)
        assert_non_null(strstr(answer, "Retry-After: 1"));
}

/* Everybody together has a budget: who is over it is told to come back, large bodies first. */
static void test_budget(void **state)
{
    int large[3];
    int fds[12];

    (void)state;
    for (size_t i = 0; i < 3; i++)
        large[i] = begin_body("/large", 90000);
    (void)usleep(200000);
    end_body(large[2], "HTTP/1.1 503");
    end_body(large[1], "HTTP/1.1 503");
    for (size_t i = 0; i < 2; i++)
        fds[i] = begin_body("/echo", 5000);
    end_body(fds[0], "HTTP/1.1 200");
    end_body(fds[1], "HTTP/1.1 200");
    (void)close(large[0]);
    (void)usleep(200000);
    for (size_t i = 0; i < 12; i++)
        fds[i] = begin_body("/echo", 10000);
    (void)usleep(200000);
    for (size_t i = 0; i < 12; i++)
        end_body(fds[i], "HTTP/1.1 200");
    end_body(begin_body("/large", 80000), "HTTP/1.1 200"); /* all of it was given back */
    assert_still_serving();
}

/* A route takes what it needs and no more. */
static void test_body_of_a_route(void **state)
{
    (void)state;
    end_body(begin_body("/echo", 10001), "HTTP/1.1 413");
    end_body(begin_body("/large", 10001), "HTTP/1.1 200");
    assert_still_serving();
}

static void test_silence(void **state)
{
    int fd = raw_connection();
    char answer[ANSWER_MAX];

    (void)state;
    assert_true(say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nslow"));
    listen_to_end(fd, answer);
    assert_null(strstr(answer, "200 OK"));
    assert_still_serving();
}

/* Never silent for as long as the timeout, and even so not for ever. */
static void drip(const char *start)
{
    const struct timespec moment = {0, 100000000};
    int fd = raw_connection();
    struct pollfd closed = {fd, POLLIN, 0};
    unsigned i;

    assert_true(say(fd, start));
    for (i = 0; i < 60 && poll(&closed, 1, 0) == 0 && say(fd, "x"); i++)
        (void)nanosleep(&moment, NULL);
    assert_in_range(i, 12, 40); /* 2 s, and not the 1 s of silence */
    (void)close(fd);
}

static void test_dripping(void **state)
{
    (void)state;
    drip("POST /echo HTTP/1.1\r\nHost: a\r\nX-Header: ");
    drip("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n");
    assert_still_serving();
}

static void test_many_connections(void **state)
{
    int fds[40];

    (void)state;
    for (size_t i = 0; i < 40; i++)
        fds[i] = raw_connection();
    for (size_t i = 0; i < 40; i++)
        (void)close(fds[i]);
    (void)usleep(200000);
    assert_still_serving();
}

/* More than one request in one go, and a reader who reads nothing holds no worker. */
static void test_lazy_readers(void **state)
{
    int fds[6];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        fds[i] = raw_connection();
        assert_true(say(fds[i], "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_true(say(fds[i], "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    (void)usleep(200000);
    assert_still_serving();
    for (size_t i = 0; i < 6; i++)
        (void)close(fds[i]);
}

/* ---- a hostile server: one answer, then the end */

typedef struct impostor {
    int fd;
    const char *answer;
} impostor;

static void *impersonate(void *context)
{
    const impostor *me = context;
    char request[ANSWER_MAX];
    int fd = accept(me->fd, NULL, NULL);

    if (fd >= 0 && recv(fd, request, sizeof request, 0) > 0)
        (void)say(fd, me->answer);
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_WR);
        (void)recv(fd, request, sizeof request, 0);
        (void)close(fd);
    }
    return NULL;
}

static int ask_impostor(const char *answer, cs_http_reply *reply)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    impostor other = {.fd = socket(AF_INET, SOCK_STREAM, 0), .answer = answer};
    const cs_http_client_options options = {.stall_s = 3, .reply_max = 1000};
    cs_http_client *client = NULL;
    pthread_t thread;
    char url[64];
    int rc;

    assert_int_equal(bind(other.fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(other.fd, 1), 0);
    assert_int_equal(getsockname(other.fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, impersonate, &other), 0);
    assert_ok(cs_http_client_new(&client, url, &options, error));
    rc = cs_http_get(client, reply, "/", NULL);
    cs_http_client_free(&client);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(other.fd);
    return rc;
}

static void test_impostors(void **state)
{
    cs_http_reply reply = {0};

    (void)state;
    assert_int_equal(ask_impostor("SSH-2.0-OpenSSH\r\n", &reply), CS_E_PEER);
    assert_int_not_equal(ask_impostor("", &reply), CS_OK);
    assert_int_equal(
        ask_impostor("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", &reply), CS_E_TRUNCATED);
    assert_int_equal(
        ask_impostor("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", &reply),
        CS_E_TRUNCATED);
    assert_int_equal(reply.body.n, 0);
    /* a redirect is an answer as any other, and is not followed */
    assert_int_equal(ask_impostor("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                                  "Content-Length: 0\r\nConnection: close\r\n\r\n",
                         &reply),
        CS_OK);
    assert_int_equal(reply.status, 302);
    cs_http_reply_free(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_endless_body),
        cmocka_unit_test(test_header_flood),
        cmocka_unit_test(test_half_requests),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_body_of_a_route),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_dripping),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_lazy_readers),
        cmocka_unit_test(test_impostors),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
