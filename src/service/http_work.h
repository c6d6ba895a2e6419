/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HTTP_WORK_H
#define SERVICE_HTTP_WORK_H

/*
 * Inside of the HTTP server: the requests, the queue, and the workers.
 *
 * A job belongs to the thread of the sockets, except while its connection is suspended: then it
 * waits in the queue or is in the hands of one worker, who gives it back by resuming the
 * connection. The queue, the counts and the flags are under the lock. The lock may be held while
 * libmicrohttpd is called to suspend or resume; libmicrohttpd calls us without its own locks.
 */

#include "service/http_server.h"
#include "service/http_watch.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

typedef enum cs_http_state {
    CS_HTTP_RECEIVING, /* headers are here, the body is coming */
    CS_HTTP_IN_WORK,   /* for a worker: call the handler */
    CS_HTTP_ANSWERED,  /* the handler has answered; nothing or a piece of it is sent */
    CS_HTTP_PULLING,   /* for a worker: get the next piece */
} cs_http_state;

/* One request, from its headers to the last byte of its answer. */
typedef struct cs_http_job {
    struct cs_http_job *next; /* in the queue */
    cs_http_server *server;
    struct MHD_Connection *connection;
    const cs_http_route *route; /* NULL: none, or built in */
    bool old_version;           /* HTTP/1.0: has no chunks, so that a cut stream would not show */
    bool too_large;
    bool no_room;
    bool active; /* counted in server->active */
    int64_t started_ms;
    cs_buf body;
    size_t charged; /* of the budget, for the body */
    cs_http_state state;
    cs_http_answer answer;
    cs_buf piece; /* of a stream: what is being sent */
    size_t sent;
    bool ended; /* the piece is the last */
    bool cut;   /* the stream has failed */
} cs_http_job;

typedef struct cs_http_worker {
    pthread_t thread;
    cs_http_server *server;
    void *context;
    bool has_context;
    bool running;
} cs_http_worker;

struct cs_http_server {
    cs_http_server_config config; /* with its defaults filled in */
    cs_metrics *metrics;
    cs_metrics *own_metrics;
    struct MHD_Daemon *daemon;
    int listen_fd;
    uint16_t port;
    cs_http_watch *watch;
    cs_http_worker *workers;

    atomic_size_t in_receipt; /* memory of all bodies */

    pthread_mutex_t lock;
    pthread_cond_t work;  /* the queue has something, or it is time to quit */
    pthread_cond_t quiet; /* nothing is active */
    cs_http_job *first, *last;
    size_t queued; /* new requests in the queue; pulls are bounded by the connections */
    size_t active; /* jobs accepted and not yet done */
    bool stopping; /* nothing new is accepted */
    bool cutting;  /* the time of grace is over */
    bool quit;
};

/* Contexts and threads; what was started goes with cs_http_workers_stop, also on failure. */
CS_MUST_CHECK int cs_http_workers_start(cs_http_server *server, cs_error *error);
/* Drops what is queued (its connections are resumed, and closed), waits for what is in hand. From
 * then on nothing is accepted. */
void cs_http_workers_stop(cs_http_server *server);

/* Suspends the connection and queues the job in that state; a new request is refused (false) when
 * the queue is full or the server is stopping, and its connection is as it was. */
bool cs_http_submit(cs_http_job *job, cs_http_state state);

/* Fills the answer with the name of a code as plain text, after releasing what was in it. */
void cs_http_answer_code(cs_http_job *job, unsigned status, const char *name);
/* The body, and its share of the budget. */
void cs_http_body_free(cs_http_job *job);
void cs_http_job_free(cs_http_job *job);

#endif
