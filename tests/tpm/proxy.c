/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <chartseal/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
#define COMMANDS_MAX 100000

static struct {
    pthread_mutex_t lock;
    pthread_t thread;
    bool ending;
    int failed; /* of the proxy itself */
    int listeners[2], real_port;
    proxy_script script;
    cs_buf seen;
    uint32_t commands[COMMANDS_MAX];
    size_t command_count;
} proxy = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static bool move(int fd, uint8_t *bytes, size_t n, bool out)
{
    while (n > 0) {
        ssize_t done = out ? send(fd, bytes, n, MSG_NOSIGNAL) : recv(fd, bytes, n, 0);

        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

static bool read_message(int fd, uint8_t *message, size_t *n)
{
    if (!move(fd, message, 10, false))
        return false;
    *n = get32(message + 2);
    return *n >= 10 && *n <= MESSAGE_MAX && move(fd, message + 10, *n - 10, false);
}

static void keep(const uint8_t *message, size_t n)
{
    (void)pthread_mutex_lock(&proxy.lock);
    proxy.failed |= cs_buf_append(&proxy.seen, (cs_view){message, n}, NULL);
    (void)pthread_mutex_unlock(&proxy.lock);
}

/* What is to happen to that command; counts it down. */
static proxy_script told(uint32_t command)
{
    proxy_script script = {0};

    (void)pthread_mutex_lock(&proxy.lock);
    if (proxy.command_count < COMMANDS_MAX)
        proxy.commands[proxy.command_count++] = command;
    if (proxy.script.command == command && proxy.script.times > 0) {
        proxy.script.times--;
        script = proxy.script;
    }
    (void)pthread_mutex_unlock(&proxy.lock);
    return script;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static bool ask_tpm(uint8_t *message, size_t *n)
{
    int fd = connect_to(proxy.real_port);
    bool done = fd >= 0 && move(fd, message, *n, true) && read_message(fd, message, n);

    if (fd >= 0)
        (void)close(fd);
    return done;
}

/* The answer is TPM2B_PUBLIC, TPM2B_NAME, …; an ECC public area ends with x and y. */
static void other_root(uint8_t *message)
{
    size_t public_n = (size_t)(message[10] << 8 | message[11]);
    uint8_t *area = message + 12, *name = area + public_n;
    uint8_t private_key[32], point[65];

    if (cs_p256_generate(private_key, point, NULL) != CS_OK)
        return;
    memcpy(area + public_n - 66, point + 1, 32);
    memcpy(area + public_n - 32, point + 33, 32);
    proxy.failed |= cs_hash(name + 4, (cs_view){area, public_n}, NULL);
}

static void stall(void)
{
    bool over = false;

    while (!over) {
        (void)usleep(10000);
        (void)pthread_mutex_lock(&proxy.lock);
        over = proxy.ending || proxy.script.what != PROXY_STALL;
        (void)pthread_mutex_unlock(&proxy.lock);
    }
}

static void serve_command(int fd)
{
    uint8_t message[MESSAGE_MAX];
    proxy_script script;
    size_t n;

    if (!read_message(fd, message, &n))
        return;
    keep(message, n);
    script = told(get32(message + 6));
    if (script.what == PROXY_STALL)
        stall();
    if (script.what == PROXY_DROP || script.what == PROXY_STALL)
        return;
    if (script.what == PROXY_ANSWER) {
        n = 10;
        message[0] = 0x80;
        message[1] = 0x01;
        put32(message + 2, 10);
        put32(message + 6, script.code);
    } else if (!ask_tpm(message, &n)) {
        return;
    }
    if (script.what == PROXY_FLIP)
        message[n - n / 4] ^= 1;
    if (script.what == PROXY_ROOT && get32(message + 6) == 0)
        other_root(message);
    keep(message, n);
    (void)move(fd, message, n, true);
}

/* A control command is short and comes in one piece, as its answer does. */
static void serve_control(int fd)
{
    uint8_t bytes[512];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    int real = n > 0 ? connect_to(proxy.real_port + 1) : -1;

    if (real < 0)
        return;
    if (move(real, bytes, (size_t)n, true)) {
        n = recv(real, bytes, sizeof bytes, 0);
        if (n > 0)
            (void)move(fd, bytes, (size_t)n, true);
    }
    (void)close(real);
}

static void *serve(void *context)
{
    (void)context;
    while (!proxy.ending) {
        struct pollfd polled[2] = {{.fd = proxy.listeners[0], .events = POLLIN},
            {.fd = proxy.listeners[1], .events = POLLIN}};

        if (poll(polled, 2, 50) <= 0)
            continue;
        for (int i = 0; i < 2; i++) {
            int fd = (polled[i].revents & POLLIN) != 0
                         ? accept4(proxy.listeners[i], NULL, NULL, SOCK_CLOEXEC)
                         : -1;

            if (fd < 0)
                continue;
            if (i == 0)
                serve_command(fd);
            else
                serve_control(fd);
            (void)close(fd);
        }
    }
    return NULL;
}

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

int proxy_setup(void **state)
{
    int port;

    if (fixture_setup(state) != 0)
        return -1;
    port = swtpm_free_port();
    proxy.real_port = fx.tpm.port;
    proxy.listeners[0] = listen_on(port);
    proxy.listeners[1] = listen_on(port + 1);
    (void)snprintf(fx.tcti, sizeof fx.tcti, "swtpm:host=127.0.0.1,port=%d", port);
    return pthread_create(&proxy.thread, NULL, serve, NULL);
}

int proxy_teardown(void **state)
{
    proxy.ending = true;
    (void)pthread_join(proxy.thread, NULL);
    (void)close(proxy.listeners[0]);
    (void)close(proxy.listeners[1]);
    cs_buf_free(&proxy.seen);
    assert_int_equal(proxy.failed, 0);
    return fixture_teardown(state);
}

void proxy_do(proxy_script script)
{
    (void)pthread_mutex_lock(&proxy.lock);
    proxy.script = script;
    (void)pthread_mutex_unlock(&proxy.lock);
}

bool proxy_saw(const void *bytes, size_t n)
{
    bool saw;

    (void)pthread_mutex_lock(&proxy.lock);
    saw = memmem(proxy.seen.p, proxy.seen.n, bytes, n) != NULL;
    (void)pthread_mutex_unlock(&proxy.lock);
    return saw;
}

unsigned proxy_commands(uint32_t command)
{
    unsigned count = 0;

    (void)pthread_mutex_lock(&proxy.lock);
    for (size_t i = 0; i < proxy.command_count; i++)
        count += proxy.commands[i] == command ? 1 : 0;
    (void)pthread_mutex_unlock(&proxy.lock);
    return count;
}

void proxy_forget(void)
{
    (void)pthread_mutex_lock(&proxy.lock);
    cs_buf_clear(&proxy.seen);
    proxy.command_count = 0;
    (void)pthread_mutex_unlock(&proxy.lock);
}
