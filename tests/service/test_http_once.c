/* SPDX-License-Identifier: Apache-2.0 */
/* A POST is sent once: whoever has got it may have done it, also when no answer comes back. */
#include "test.h"

#include "service/http_client.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16

static int listener = -1;
static uint16_t port;
static atomic_uint taken;
static pthread_t threads[CONNECTIONS_MAX];
static int connections[CONNECTIONS_MAX];
static atomic_uint count;

static void answer(int connection)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    (void)!write(connection, ok, sizeof ok - 1);
}

/* /ok is answered and the connection kept, /stall is never answered, /drop ends the connection. */
static void *talk(void *context)
{
    const int *connection = context;
    char request[4096];
    ssize_t n;

    while ((n = read(*connection, request, sizeof request - 1)) > 0) {
        request[n] = '\0';
        if (strstr(request, "POST /ok ") != NULL) {
            answer(*connection);
            continue;
        }
        if (strstr(request, "POST ") != NULL)
            atomic_fetch_add(&taken, 1);
        if (strstr(request, "POST /drop ") != NULL)
            (void)shutdown(*connection, SHUT_RDWR);
    }
    return NULL;
}

static void *accept_all(void *context)
{
    (void)context;
    for (;;) {
        unsigned i = atomic_load(&count);
        int connection = accept(listener, NULL, NULL);

        if (connection < 0 || i == CONNECTIONS_MAX)
            return NULL;
        connections[i] = connection;
        if (pthread_create(&threads[i], NULL, talk, &connections[i]) != 0)
            return NULL;
        atomic_fetch_add(&count, 1);
    }
}

static void test_post_once(void **state)
{
    static const struct {
        const char *path;
        int code;
    } cases[] = {{"/stall", CS_E_TIMEOUT}, {"/drop", CS_E_NETWORK}};
    const cs_http_client_options options = {.stall_s = 1, .retries = 2};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t accepting;
    char url[64];

    (void)state;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    assert_int_equal(pthread_create(&accepting, NULL, accept_all, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cs_http_client *client = NULL;
        cs_http_reply reply = {0};

        atomic_store(&taken, 0);
        assert_ok(cs_http_client_new(&client, url, &options, error));
        assert_ok(cs_http_post(client, &reply, "/ok", "x/y", cs_view_str("x"), error));
        assert_fails((cs_code)cases[i].code,
            cs_http_post(client, &reply, cases[i].path, "x/y", cs_view_str("x"), error));
        assert_int_equal(atomic_load(&taken), 1);
        cs_http_reply_free(&reply);
        cs_http_client_free(&client);
    }
    (void)shutdown(listener, SHUT_RDWR);
    (void)pthread_join(accepting, NULL);
    for (unsigned i = 0; i < atomic_load(&count); i++) {
        (void)pthread_join(threads[i], NULL);
        (void)close(connections[i]);
    }
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_post_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
