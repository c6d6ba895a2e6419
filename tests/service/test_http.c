/* SPDX-License-Identifier: Apache-2.0 */
/* Server and client against each other: what a well-behaved pair sees, and what it does under load,
 * when a stream is cut, and when the service stops. */
#include "test.h"

#include "service/http_client.h"
#include "service/http_server.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BINARY "application/octet-stream"
#define STREAM_BYTES ((size_t)256 << 20)
#define GROWTH_MAX_KB (48L << 10)

/* ---- the service under test */

static sem_t entered; /* a handler has been called and waits */
static sem_t gate;    /* and goes on */
static atomic_int failures_told;
static atomic_int streams_released;
static atomic_bool is_healthy = true;

typedef struct source {
    size_t left;
    bool breaks; /* fails at the end instead of ending */
    bool waits;  /* slow: a moment for each pull */
} source;

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

static int echo(void *app, void *worker, const cs_http_request *request, cs_http_answer *answer,
    cs_error *error)
{
    unsigned *calls = worker;

    (void)app;
    (*calls)++;
    answer->content_type = "text/plain";
    return cs_buf_set(&answer->body, request->body, error);
}

static int wait_at_gate(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    (void)sem_post(&entered);
    while (sem_wait(&gate) != 0)
        ;
    return echo(app, worker, request, answer, error);
}

static int fail_with_secret(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    (void)app, (void)worker, (void)request;
    if (cs_buf_set(&answer->body, cs_view_str("half an answer"), error) != CS_OK)
        return CS_E_MEMORY;
    return CS_FAIL(error, CS_E_NO_RECORD, "do not tell");
}

static int read_source(void *context, void *worker, cs_buf *out, bool *end, cs_error *error)
{
    source *s = context;
    size_t n = s->left < CS_HTTP_PULL_SIZE ? s->left : CS_HTTP_PULL_SIZE;
    size_t at = out->n;
    int rc = cs_buf_resize(out, at + n, error);

    assert_non_null(worker);
    if (rc != CS_OK)
        return rc;
    if (n == 0)
        return CS_FAIL(error, CS_E_CORRUPT, "the source is broken");
    if (s->waits)
        pause_ms(20);
    memset(out->p + at, 0x5a, n);
    s->left -= n;
    *end = s->left == 0 && !s->breaks;
    return CS_OK;
}

static void release_source(void *context)
{
    free(context);
    atomic_fetch_add(&streams_released, 1);
}

/* The body of the request: kind of the source, and number of bytes. */
static int stream(void *app, void *worker, const cs_http_request *request, cs_http_answer *answer,
    cs_error *error)
{
    source *s = calloc(1, sizeof *s);
    char text[32] = {0};

    (void)app, (void)worker, (void)error;
    assert_non_null(s);
    assert_in_range(request->body.n, 2, sizeof text - 1);
    memcpy(text, request->body.p, request->body.n);
    s->breaks = text[0] == 'b';
    s->waits = text[0] == 'w';
    s->left = strtoul(text + 1, NULL, 10);
    answer->read = read_source;
    answer->release = release_source;
    answer->context = s;
    return CS_OK;
}

static const cs_http_route routes[] = {
    {"POST", "/echo", "echo", echo, 100000},
    {"POST", "/gate", "gate", wait_at_gate, 100},
    {"POST", "/fail", "fail", fail_with_secret, 100},
    {"POST", "/stream", "stream", stream, 100},
};

static void *new_worker(void *app, cs_error *error)
{
    (void)app, (void)error;
    return calloc(1, sizeof(unsigned));
}

static void *no_worker(void *app, cs_error *error)
{
    (void)app;
    (void)CS_FAIL(error, CS_E_SCHEMA, "made by a newer version");
    return NULL;
}

static bool healthy(void *app, char *reason, size_t size)
{
    (void)app;
    (void)snprintf(reason, size, "the token is gone");
    return atomic_load(&is_healthy);
}

static void failed(void *app, const char *procedure, const cs_error *error)
{
    (void)app, (void)procedure;
    assert_int_not_equal(error->code, CS_OK);
    atomic_fetch_add(&failures_told, 1);
}

static cs_http_server_config configuration(void)
{
    return (cs_http_server_config){
        .queue = 32,
        .timeout_s = 5,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .worker_new = new_worker,
        .worker_free = free,
        .healthy = healthy,
        .failed = failed,
    };
}

static cs_http_server *start(const cs_http_server_config *config)
{
    cs_http_server *server = NULL;

    assert_ok(cs_http_server_start(&server, config, error));
    assert_int_not_equal(cs_http_server_port(server), 0);
    return server;
}

static cs_http_client *client_of(const cs_http_server *server, unsigned retries)
{
    const cs_http_client_options options = {.stall_s = 5, .retries = retries};
    cs_http_client *client = NULL;
    char url[64];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", cs_http_server_port(server));
    assert_ok(cs_http_client_new(&client, url, &options, error));
    return client;
}

static void assert_body(const cs_http_reply *reply, const char *text)
{
    assert_true(cs_view_equal(cs_view_buf(&reply->body), cs_view_str(text)));
}

/* ---- one at a time */

static void test_statuses(void **state)
{
    const cs_http_server_config config = configuration();
    cs_http_server *server = start(&config);
    cs_http_client *client = client_of(server, 0);
    cs_http_reply reply = {0};
    uint8_t *large = calloc(1, 3000000);

    (void)state;
    assert_non_null(large);
    assert_ok(cs_http_post(client, &reply, "/echo", BINARY, cs_view_str("hello"), error));
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content_type, "text/plain");
    assert_body(&reply, "hello");
    assert_ok(cs_http_post(client, &reply, "/echo", BINARY, (cs_view){0}, error));
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.n, 0);
    assert_ok(cs_http_post(client, &reply, "/nowhere", BINARY, cs_view_str("hello"), error));
    assert_int_equal(reply.status, 404);
    assert_ok(cs_http_get(client, &reply, "/echo", error));
    assert_int_equal(reply.status, 405);
    assert_ok(cs_http_post(client, &reply, "/healthz", BINARY, cs_view_str("x"), error));
    assert_int_equal(reply.status, 405);
    assert_ok(cs_http_post(client, &reply, "/fail", BINARY, cs_view_str("x"), error));
    assert_int_equal(reply.status, 404);
    assert_body(&reply, "no-record\n");
    assert_int_equal(atomic_load(&failures_told), 1);
    assert_ok(cs_http_post(client, &reply, "/echo", BINARY, (cs_view){large, 100000}, error));
    assert_int_equal(reply.status, 200);
    assert_ok(cs_http_post(client, &reply, "/echo", BINARY, (cs_view){large, 100001}, error));
    assert_int_equal(reply.status, 413);
    /* large enough for libcurl to ask first */
    assert_ok(cs_http_post(client, &reply, "/echo", BINARY, (cs_view){large, 3000000}, error));
    assert_int_equal(reply.status, 413);
    free(large);
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
    assert_ok(cs_http_server_stop(&server, 1000, error));
}

static void test_health_and_metrics(void **state)
{
    const cs_http_server_config config = configuration();
    cs_http_server *server = start(&config);
    cs_http_client *client = client_of(server, 0);
    cs_http_reply reply = {0};
    bool timed = false;

    (void)state;
    assert_ok(cs_http_get(client, &reply, "/healthz", error));
    assert_int_equal(reply.status, 200);
    assert_body(&reply, "ok\n");
    atomic_store(&is_healthy, false);
    assert_ok(cs_http_get(client, &reply, "/healthz", error));
    assert_int_equal(reply.status, 503);
    assert_body(&reply, "the token is gone\n");
    atomic_store(&is_healthy, true);
    assert_ok(cs_http_post(client, &reply, "/echo", BINARY, cs_view_str("x"), error));
    /* a request is timed when its answer has left, which the client may see first */
    for (int i = 0; i < 200 && !timed; i++) {
        assert_ok(cs_http_get(client, &reply, "/metrics", error));
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.content_type, CS_METRICS_CONTENT_TYPE);
        assert_ok(cs_buf_append(&reply.body, (cs_view){(const uint8_t *)"", 1}, error));
        timed = strstr((const char *)reply.body.p,
                    "\nchartseal_request_seconds_count{route=\"echo\"} 1\n") != NULL;
        if (!timed)
            (void)usleep(10000);
    }
    assert_true(timed);
    assert_non_null(strstr((const char *)reply.body.p,
        "\nchartseal_requests_total{route=\"echo\",status=\"200\"} 1\n"));
    assert_non_null(strstr((const char *)reply.body.p, "\nchartseal_queue_length 0\n"));
    assert_non_null(strstr((const char *)reply.body.p, "\n# EOF\n"));
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
    assert_ok(cs_http_server_stop(&server, 1000, error));
}

static void test_bad_starts(void **state)
{
    cs_http_server_config config = configuration();
    cs_http_server *server = start(&config);
    cs_http_server *second = NULL;
    cs_http_client *client = NULL;
    cs_http_reply reply = {0};
    cs_error why = {0};

    (void)state;
    client = client_of(server, 0);
    config.port = cs_http_server_port(server);
    assert_int_equal(cs_http_server_start(&second, &config, &why), CS_E_PORT_IN_USE);
    assert_null(second);
    assert_non_null(strstr(why.message, "choose another port"));
    config.port = 0;
    config.worker_new = no_worker;
    assert_fails(CS_E_SCHEMA, cs_http_server_start(&second, &config, error));
    config.worker_new = new_worker;
    config.address = "::1";
    if (cs_http_server_start(&second, &config, NULL) == CS_OK) /* not every host has IPv6 */
        assert_ok(cs_http_server_stop(&second, 0, error));
    assert_ok(cs_http_server_stop(&server, 0, error));
    assert_ok(cs_http_server_stop(&server, 0, error));
    assert_fails(CS_E_UNREACHABLE, cs_http_get(client, &reply, "/healthz", error));
    cs_http_client_free(&client);
    assert_fails(CS_E_USAGE, cs_http_client_new(&client, "file:///etc/passwd", NULL, error));
}

/* ---- many at once */

typedef struct caller {
    pthread_t thread;
    cs_http_server *server;
    const char *path;
    const char *body;
    int rc;
    unsigned status;
    unsigned rounds;
} caller;

static void *call(void *context)
{
    caller *c = context;
    cs_http_client *client = client_of(c->server, 0);
    cs_http_reply reply = {0};

    for (unsigned i = 0; i < c->rounds; i++) {
        c->rc = cs_http_post(client, &reply, c->path, BINARY, cs_view_str(c->body), NULL);
        c->status = reply.status;
        if (c->rc != CS_OK || c->status != 200)
            break;
    }
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
    return NULL;
}

static void start_call(
    caller *c, cs_http_server *server, const char *path, const char *body, unsigned rounds)
{
    *c = (caller){.server = server, .path = path, .body = body, .rounds = rounds};
    assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
}

static void test_twenty_clients(void **state)
{
    const cs_http_server_config config = configuration();
    cs_http_server *server = start(&config);
    caller callers[20];

    (void)state;
    for (size_t i = 0; i < 20; i++)
        start_call(&callers[i], server, i % 2 == 0 ? "/echo" : "/stream", "s200000", 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].rc, CS_OK);
        assert_int_equal(callers[i].status, 200);
    }
    assert_ok(cs_http_server_stop(&server, 1000, error));
}

static void test_queue_full(void **state)
{
    cs_http_server_config config = configuration();
    cs_http_server *server;
    cs_http_client *client;
    cs_http_client *patient;
    cs_http_reply reply = {0};
    caller callers[3];

    (void)state;
    config.workers = 1;
    config.queue = 2;
    server = start(&config);
    client = client_of(server, 0);
    patient = client_of(server, 1);
    start_call(&callers[0], server, "/gate", "x", 1);
    assert_int_equal(sem_wait(&entered), 0);
    start_call(&callers[1], server, "/echo", "x", 1);
    start_call(&callers[2], server, "/echo", "x", 1);
    pause_ms(300); /* the two are in the queue now */
    assert_ok(cs_http_post(client, &reply, "/echo", BINARY, cs_view_str("x"), error));
    assert_int_equal(reply.status, 503);
    assert_int_equal(reply.retry_after_s, 1);
    assert_body(&reply, "busy\n");
    assert_ok(cs_http_get(client, &reply, "/healthz", error)); /* needs no worker */
    assert_int_equal(reply.status, 200);
    assert_int_equal(sem_post(&gate), 0);
    assert_ok(cs_http_post(patient, &reply, "/echo", BINARY, cs_view_str("x"), error));
    assert_int_equal(reply.status, 200);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].status, 200);
    }
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
    cs_http_client_free(&patient);
    assert_ok(cs_http_server_stop(&server, 1000, error));
}

/* ---- streams */

static int count_bytes(void *context, cs_view bytes, cs_error *error)
{
    size_t *total = context;

    for (size_t i = 0; i < bytes.n; i += 4096) {
        if (bytes.p[i] != 0x5a)
            return CS_FAIL(error, CS_E_CORRUPT, "not what was sent");
    }
    *total += bytes.n;
    return CS_OK;
}

static int refuse_bytes(void *context, cs_view bytes, cs_error *error)
{
    (void)context, (void)bytes;
    return CS_FAIL(error, CS_E_DISK_FULL, "no room");
}

static void test_streams(void **state)
{
    const cs_http_server_config config = configuration();
    cs_http_server *server = start(&config);
    cs_http_client *client = client_of(server, 0);
    cs_http_reply reply = {0};
    struct rusage before, after;
    char request[32];
    size_t total = 0;

    (void)state;
    (void)snprintf(request, sizeof request, "s%zu", STREAM_BYTES);
    atomic_store(&streams_released, 0);
    assert_ok(cs_http_post_stream(
        client, &reply, "/stream", BINARY, cs_view_str("s100000"), count_bytes, &total, error));
    assert_int_equal(total, 100000);
    total = 0;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    assert_ok(cs_http_post_stream(
        client, &reply, "/stream", BINARY, cs_view_str(request), count_bytes, &total, error));
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_int_equal(total, STREAM_BYTES);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.n, 0);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, GROWTH_MAX_KB);
    /* an answer that is no 200 does not go to the sink */
    total = 0;
    assert_ok(cs_http_post_stream(
        client, &reply, "/fail", BINARY, cs_view_str("x"), count_bytes, &total, error));
    assert_int_equal(total, 0);
    assert_body(&reply, "no-record\n");
    assert_fails(CS_E_TRUNCATED, cs_http_post_stream(client, &reply, "/stream", BINARY,
                                     cs_view_str("b200000"), count_bytes, &total, error));
    assert_fails(CS_E_TRUNCATED,
        cs_http_post(client, &reply, "/stream", BINARY, cs_view_str("b200000"), error));
    assert_int_equal(reply.body.n, 0);
    assert_fails(CS_E_DISK_FULL, cs_http_post_stream(client, &reply, "/stream", BINARY,
                                     cs_view_str("s200000"), refuse_bytes, NULL, error));
    assert_fails(CS_E_TOO_LARGE,
        cs_http_post(client, &reply, "/stream", BINARY, cs_view_str("s9000000"), error));
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
    assert_ok(cs_http_server_stop(&server, 1000, error));
    assert_int_equal(atomic_load(&streams_released), 6);
}

static void test_stall(void **state)
{
    const cs_http_client_options options = {.stall_s = 1};
    const cs_http_server_config config = configuration();
    cs_http_server *server = start(&config);
    cs_http_client *client = NULL;
    cs_http_reply reply = {0};
    char url[64];

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", cs_http_server_port(server));
    assert_ok(cs_http_client_new(&client, url, &options, error));
    assert_fails(
        CS_E_TIMEOUT, cs_http_post(client, &reply, "/gate", BINARY, cs_view_str("x"), error));
    assert_int_equal(sem_wait(&entered), 0);
    assert_int_equal(sem_post(&gate), 0);
    cs_http_client_free(&client);
    assert_ok(cs_http_server_stop(&server, 1000, error));
}

/* ---- stopping */

static void test_stop_finishes(void **state)
{
    cs_http_server_config config = configuration();
    cs_http_server *server;
    caller callers[3];

    (void)state;
    config.workers = 1;
    server = start(&config);
    start_call(&callers[0], server, "/gate", "x", 1);
    assert_int_equal(sem_wait(&entered), 0);
    start_call(&callers[1], server, "/echo", "x", 1);
    start_call(&callers[2], server, "/stream", "w1000000", 1);
    pause_ms(300);
    assert_int_equal(sem_post(&gate), 0);
    assert_ok(cs_http_server_stop(&server, 10000, error));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].rc, CS_OK);
        assert_int_equal(callers[i].status, 200);
    }
}

static void test_stop_cuts(void **state)
{
    cs_http_server_config config = configuration();
    cs_http_server *server;
    caller callers[2];

    (void)state;
    config.workers = 2;
    server = start(&config);
    atomic_store(&streams_released, 0);
    start_call(&callers[0], server, "/stream", "w900000000", 1);
    start_call(&callers[1], server, "/stream", "w900000000", 1);
    pause_ms(300);
    assert_fails(CS_E_TIMEOUT, cs_http_server_stop(&server, 200, error));
    assert_null(server);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_not_equal(callers[i].rc, CS_OK);
    }
    assert_int_equal(atomic_load(&streams_released), 2);
}

static void *call_off_soon(void *context)
{
    atomic_bool *stop = context;

    pause_ms(200);
    atomic_store(stop, true);
    return NULL;
}

/* A service that is told to stop does not wait for the other side's answer. */
static void test_called_off(void **state)
{
    atomic_bool stop = false;
    const cs_http_client_options options = {.stop = &stop};
    const cs_http_server_config config = configuration();
    cs_http_server *server = start(&config);
    cs_http_client *client = NULL;
    cs_http_reply reply = {0};
    pthread_t other;
    struct timespec before;
    struct timespec after;
    char url[64];

    (void)state;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", cs_http_server_port(server));
    assert_ok(cs_http_client_new(&client, url, &options, error));
    assert_int_equal(pthread_create(&other, NULL, call_off_soon, &stop), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    assert_fails(CS_E_CANCELLED,
        cs_http_post(client, &reply, "/gate", "text/plain", cs_view_str("x"), error));
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 5);
    assert_int_equal(sem_post(&gate), 0);
    assert_int_equal(pthread_join(other, NULL), 0);
    cs_http_reply_free(&reply);
    cs_http_client_free(&client);
    assert_ok(cs_http_server_stop(&server, 1000, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_health_and_metrics),
        cmocka_unit_test(test_bad_starts),
        cmocka_unit_test(test_twenty_clients),
        cmocka_unit_test(test_queue_full),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_called_off),
        cmocka_unit_test(test_stop_finishes),
        cmocka_unit_test(test_stop_cuts),
    };

    if (sem_init(&entered, 0, 0) != 0 || sem_init(&gate, 0, 0) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
