/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HTTP_CLIENT_H
#define SERVICE_HTTP_CLIENT_H

/*
 * The HTTP client of the parties. One handle per thread; it keeps its connection between GETs, and
 * a POST has one of its own.
 *
 * An answer with any HTTP status is an answer: the call returns CS_OK, and the status and the body
 * (which may be a refusal of the protocol) are for the caller to read. A call fails only if there
 * was no complete answer: CS_E_UNREACHABLE (names host and port), CS_E_TIMEOUT, CS_E_TRUNCATED (the
 * connection ended inside the answer), CS_E_TOO_LARGE (over the reply limit), CS_E_PEER (not HTTP,
 * or TLS that does not check), CS_E_USAGE (a bad URL).
 *
 * No redirects are followed, no proxy is taken from the environment unless asked for, and only http
 * and https are spoken. A call is tried again only if no byte of it was sent, or on 503 with
 * Retry-After, which a service gives when it has not looked at the request, and not more than
 * `retries` times.
 */

#include <chartseal/bytes.h>

#include <stdatomic.h>

/* An answer held in memory; larger ones go to a sink. */
#define CS_HTTP_REPLY_MAX_DEFAULT (8u << 20)
/* A longer Retry-After is not waited for: the person is told instead. */
#define CS_HTTP_RETRY_WAIT_MAX_S 10u

/* Zero means the default everywhere. */
typedef struct cs_http_client_options {
    unsigned connect_ms;    /* 5000 */
    unsigned stall_s;       /* without a byte in either direction; 30 */
    unsigned total_s;       /* for the whole exchange; 0: no limit, as a record may be large */
    size_t reply_max;       /* CS_HTTP_REPLY_MAX_DEFAULT; not for what goes to a sink */
    unsigned retries;       /* 0: none */
    bool proxy_environment; /* heed http_proxy and the like */
    const char *ca_file;    /* PEM, for https; NULL: the system's */
    /* Once it is true, calls end with CS_E_CANCELLED, also the one in hand, within a second or so.
     * Not owned; NULL: none. */
    const atomic_bool *stop;
} cs_http_client_options;

typedef struct cs_http_reply {
    unsigned status;
    char content_type[128]; /* "" if none; cut if longer */
    unsigned retry_after_s; /* 0: none */
    cs_buf body;
} cs_http_reply;

/* Takes the next bytes of an answer; an error ends the call with it. */
typedef int cs_http_sink(void *context, cs_view bytes, cs_error *error);

typedef struct cs_http_client cs_http_client;

/* base_url is "http://host:port" or "https://host:port", with a path before or not; options may be
 * NULL. Copies both. */
CS_MUST_CHECK int cs_http_client_new(cs_http_client **out, const char *base_url,
    const cs_http_client_options *options, cs_error *error);
void cs_http_client_free(cs_http_client **client);

/* *reply is {0} or that of an earlier call, and is replaced; cs_http_reply_free wipes it. `path`
 * has its leading slash. An empty body is sent as such. */
CS_MUST_CHECK int cs_http_get(
    cs_http_client *client, cs_http_reply *reply, const char *path, cs_error *error);
CS_MUST_CHECK int cs_http_post(cs_http_client *client, cs_http_reply *reply, const char *path,
    const char *content_type, cs_view body, cs_error *error);

/* As cs_http_post, but the body of an answer 200 goes to the sink, however large. When the sink is
 * called, reply->status and content_type are set. Other statuses leave their body in *reply and do
 * not call the sink. What the sink got is worth nothing unless the call returns CS_OK. */
CS_MUST_CHECK int cs_http_post_stream(cs_http_client *client, cs_http_reply *reply,
    const char *path, const char *content_type, cs_view body, cs_http_sink *sink, void *context,
    cs_error *error);

void cs_http_reply_free(cs_http_reply *reply);

#endif
