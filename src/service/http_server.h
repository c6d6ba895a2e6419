/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HTTP_SERVER_H
#define SERVICE_HTTP_SERVER_H

/*
 * The HTTP side of PC and HPC. It knows nothing of the protocol: it takes bytes in, gives them to a
 * handler, and sends bytes out.
 *
 * One thread of libmicrohttpd does the sockets. A request is received completely (up to the body
 * limit), then waits in a bounded queue for one of N workers; meanwhile its connection is suspended
 * and costs nothing but its memory. When the queue is full the answer is 503 with Retry-After, at
 * once: a service that is asked too much says so, and stays quick for those it has accepted.
 *
 * Each worker is a thread with a context of its own (a database handle is for one thread at a
 * time). A handler runs in a worker and may block. It answers with a body or with a stream. A
 * stream is pulled piece by piece, each pull by whichever worker is free, so that a slow reader
 * holds no worker and an answer of any size holds about 64 KiB of memory. A stream that fails in
 * the middle closes the connection without the final chunk, so that the client notices.
 *
 * Built in: GET /healthz and GET /metrics, answered without a worker, so that they answer also when
 * all workers are busy.
 *
 * Hostile clients: sizes of headers and bodies are limited, each route's by what it needs and those
 * of all connections together by one budget; connections are counted, a silent
 * connection is closed after `timeout_s`, and one that does not get its whole request across in
 * `receive_s` is closed too, however steadily it drips.
 */

#include <chartseal/bytes.h>

#include "service/metrics.h"

/* Bodies in receipt or in work, over all connections: anybody can send, so this bounds what senders
 * who are not known yet can make the service hold. With the headers of all connections (32 MiB) and
 * what the workers need it stays below 96 MiB. */
#define CS_HTTP_RECEIPT_MAX_DEFAULT ((size_t)24 << 20)
/* Larger bodies may take half of the budget, so that they leave room for short messages. */
#define CS_HTTP_SHORT_BODY_MAX ((size_t)64 << 10)
/* One pull of a stream should append about this much: one chunk of the AEAD with its tag fits. */
#define CS_HTTP_PULL_SIZE 65536u

typedef struct cs_http_request {
    const char *method;
    const char *path;      /* without the query, which is ignored */
    const char *procedure; /* of the route */
    cs_view body;          /* valid until the handler returns */
} cs_http_request;

/* Appends the next piece (about CS_HTTP_PULL_SIZE bytes) to out and sets *end after the last. Pulls
 * of one stream never overlap, but come from different threads, each with its worker context. An
 * error, or a call that neither appends nor ends, cuts the stream. */
typedef int cs_http_read(void *context, void *worker, cs_buf *out, bool *end, cs_error *error);

typedef struct cs_http_answer {
    unsigned status;          /* 200 unless set */
    const char *content_type; /* static storage; application/octet-stream unless set */
    unsigned retry_after_s;   /* 0: no Retry-After */
    cs_buf body;              /* taken by the server */
    /* A stream, if read is set; the body, if not empty, goes before it. When the stream is done,
     * cut, or the client is gone, release (may be NULL) is called once, from any thread. */
    cs_http_read *read;
    void (*release)(void *context);
    void *context;
} cs_http_answer;

/* Fills *answer, which comes zeroed. When it fails, whatever it has put there is released and the
 * client gets the name of the code as text/plain, never the message, with the status of the
 * category: 400 input, 404 not found, 403 refused, 503 busy (with Retry-After), else 500. */
typedef int cs_http_handle(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error);

typedef struct cs_http_route {
    const char *method;    /* "GET" or "POST" */
    const char *path;      /* exactly */
    const char *procedure; /* the name in metrics and logs */
    cs_http_handle *handle;
    size_t body_max; /* over it 413; 0: takes no body */
} cs_http_route;

/* Zero means the default everywhere. What pointers point to must outlive the server. */
typedef struct cs_http_server_config {
    const char *address;  /* numeric, IPv4 or IPv6; NULL: 127.0.0.1 */
    uint16_t port;        /* 0: any free one, see cs_http_server_port */
    unsigned workers;     /* 4 */
    unsigned queue;       /* requests waiting for a worker; 64 */
    size_t receipt_max;   /* CS_HTTP_RECEIPT_MAX_DEFAULT; over it 503 */
    unsigned connections; /* 512; further ones wait to be accepted */
    unsigned timeout_s;   /* of silence on a connection; 30 */
    unsigned receive_s;   /* for the whole of one request; 4 * timeout_s */
    const cs_http_route *routes;
    size_t route_count;
    void *app;
    /* The context of one worker; NULL: workers have none. Both are called from the threads that
     * start and stop the server, before the first and after the last use. */
    void *(*worker_new)(void *app, cs_error *error);
    void (*worker_free)(void *worker);
    /* false, with a word why in `reason`: /healthz says 503. NULL: healthy. Must be quick and
     * thread-safe, as it runs in the thread of the sockets. */
    bool (*healthy)(void *app, char *reason, size_t size);
    /* A handler or a stream has failed: for the log. Thread-safe. NULL: nobody is told. */
    void (*failed)(void *app, const char *procedure, const cs_error *error);
    cs_metrics *metrics; /* NULL: the server makes its own */
} cs_http_server_config;

typedef struct cs_http_server cs_http_server;

/* Starts to listen and to serve, in threads of its own. CS_E_USAGE for a bad address or routes,
 * CS_E_PORT_IN_USE naming the port, what worker_new said, CS_E_NETWORK, CS_E_MEMORY. */
CS_MUST_CHECK int cs_http_server_start(
    cs_http_server **out, const cs_http_server_config *config, cs_error *error);
uint16_t cs_http_server_port(const cs_http_server *server);
cs_metrics *cs_http_server_metrics(cs_http_server *server);

/* Stops and frees: accepts nothing new, gives what is queued, in hand or being sent up to
 * `grace_ms` to finish, cuts what is left (CS_E_TIMEOUT then), waits for handlers that are still
 * running, and sets *server to NULL. NULL is fine. */
int cs_http_server_stop(cs_http_server **server, unsigned grace_ms, cs_error *error);

#endif
