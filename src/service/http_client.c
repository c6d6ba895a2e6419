/* SPDX-License-Identifier: Apache-2.0 */
#include "service/http_client.h"

#include "service/wait.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_MS_DEFAULT 5000u
#define STALL_S_DEFAULT 30u
/* Between tries to connect: enough for a service that is being started again. */
#define RETRY_WAIT_S 1u
#define URL_MAX 2048
#define HEADER_MAX 256
#define STATUS_OK 200
#define STATUS_BUSY 503

struct cs_http_client {
    CURL *curl;
    char *base;
    cs_http_client_options options;
    char *ca_file;
};

/* One call. */
typedef struct exchange {
    cs_http_client *client;
    cs_http_reply *reply;
    cs_http_sink *sink;
    void *context;
    cs_error *error;
    int rc;    /* why a callback ended the transfer */
    bool sunk; /* the sink has got something: it cannot be asked to start again */
    char url[URL_MAX];
    char why[CURL_ERROR_SIZE];
} exchange;

/* ---- the handle */

static CURLcode global_result;

static void start_curl(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value == 0 ? otherwise : value;
}

int cs_http_client_new(cs_http_client **out, const char *base_url,
    const cs_http_client_options *options, cs_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    cs_http_client *client;
    size_t n = strlen(base_url);

    *out = NULL;
    if (strncmp(base_url, "http://", 7) != 0 && strncmp(base_url, "https://", 8) != 0)
        return CS_FAIL(error, CS_E_USAGE,
            "'%s' is no address of a service; it begins with http:// "
            "or https://",
            base_url);
    (void)pthread_once(&once, start_curl);
    client = calloc(1, sizeof *client);
    if (client == NULL || global_result != CURLE_OK) {
        free(client);
        return CS_FAIL(error, CS_E_MEMORY, "the HTTP client does not start");
    }
    if (options != NULL)
        client->options = *options;
    client->options.connect_ms = or_default(client->options.connect_ms, CONNECT_MS_DEFAULT);
    client->options.stall_s = or_default(client->options.stall_s, STALL_S_DEFAULT);
    if (client->options.reply_max == 0)
        client->options.reply_max = CS_HTTP_REPLY_MAX_DEFAULT;
    if (client->options.ca_file != NULL)
        client->ca_file = strdup(client->options.ca_file);
    while (n > 0 && base_url[n - 1] == '/')
        n--;
    client->base = strndup(base_url, n);
    client->curl = curl_easy_init();
    *out = client;
    if (client->base == NULL || client->curl == NULL ||
        (client->options.ca_file != NULL && client->ca_file == NULL)) {
        cs_http_client_free(out);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the HTTP client");
    }
    return CS_OK;
}

void cs_http_client_free(cs_http_client **client)
{
    if (*client == NULL)
        return;
    curl_easy_cleanup((*client)->curl);
    free((*client)->base);
    free((*client)->ca_file);
    free(*client);
    *client = NULL;
}

void cs_http_reply_free(cs_http_reply *reply)
{
    cs_buf_free(&reply->body);
    *reply = (cs_http_reply){0};
}

/* ---- receiving */

/* Reads what is known of the answer once its headers are in. */
static void note_status(exchange *x)
{
    char *type = NULL;
    long status = 0;
    curl_off_t wait = 0;

    (void)curl_easy_getinfo(x->client->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(x->client->curl, CURLINFO_CONTENT_TYPE, &type);
    (void)curl_easy_getinfo(x->client->curl, CURLINFO_RETRY_AFTER, &wait);
    x->reply->status = (unsigned)status;
    x->reply->retry_after_s = wait < 0 || wait > 86400 ? 86400 : (unsigned)wait;
    (void)snprintf(
        x->reply->content_type, sizeof x->reply->content_type, "%s", type == NULL ? "" : type);
}

/* libcurl's write callback: fewer bytes than it was given ends the transfer. */
static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    exchange *x = context;
    cs_buf *body = &x->reply->body;
    cs_view view = {(const uint8_t *)bytes, size * count};

    note_status(x);
    if (x->sink != NULL && x->reply->status == STATUS_OK) {
        x->sunk = true;
        x->rc = x->sink(x->context, view, x->error);
    } else if (view.n > x->client->options.reply_max - body->n) {
        x->rc = CS_FAIL(x->error, CS_E_TOO_LARGE, "the answer of %s is larger than %zu bytes",
            x->url, x->client->options.reply_max);
    } else {
        x->rc = cs_buf_append(body, view, x->error);
    }
    return x->rc == CS_OK ? view.n : 0;
}

/* ---- the exchange */

static int explain(const exchange *x, CURLcode code)
{
    const char *why = x->why[0] != '\0' ? x->why : curl_easy_strerror(code);
    long sent = 0;

    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return CS_FAIL(x->error, CS_E_UNREACHABLE,
            "%s does not answer: %s; see that the service runs and the address is right", x->url,
            why);
    case CURLE_OPERATION_TIMEDOUT:
        /* CS_E_UNREACHABLE is tried again, so it is for what never left */
        (void)curl_easy_getinfo(x->client->curl, CURLINFO_REQUEST_SIZE, &sent);
        if (sent == 0)
            return CS_FAIL(x->error, CS_E_UNREACHABLE,
                "%s cannot be connected to in time; see that the address is right", x->url);
        return CS_FAIL(x->error, CS_E_TIMEOUT, "%s is too slow: %s; try again later", x->url, why);
    case CURLE_PARTIAL_FILE:
        return CS_FAIL(
            x->error, CS_E_TRUNCATED, "the answer of %s was cut: %s; try again", x->url, why);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return CS_FAIL(x->error, x->reply->status != 0 ? CS_E_TRUNCATED : CS_E_NETWORK,
            "the connection to %s ended: %s; try again", x->url, why);
    case CURLE_ABORTED_BY_CALLBACK:
        return CS_FAIL(x->error, CS_E_CANCELLED, "the call to %s was called off", x->url);
    case CURLE_URL_MALFORMAT:
        return CS_FAIL(x->error, CS_E_USAGE, "%s is no address of a service: %s", x->url, why);
    case CURLE_OUT_OF_MEMORY:
        return CS_FAIL(x->error, CS_E_MEMORY, "no memory to ask %s", x->url);
    default:
        return CS_FAIL(x->error, CS_E_PEER, "%s does not speak HTTP as expected: %s", x->url, why);
    }
}

/* libcurl asks at least once a second, also while it waits. */
static int is_called_off(
    void *context, curl_off_t total, curl_off_t now, curl_off_t total_up, curl_off_t now_up)
{
    const exchange *x = context;

    (void)total, (void)now, (void)total_up, (void)now_up;
    return atomic_load(x->client->options.stop) ? 1 : 0;
}

static CURLcode set_up(CURL *curl, exchange *x)
{
    const cs_http_client_options *o = &x->client->options;
    CURLcode rc = CURLE_OK;

    curl_easy_reset(curl); /* keeps the connections */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = curl_easy_setopt(curl, option, value);                                            \
    } while (0)
    SET(CURLOPT_URL, x->url);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "chartseal");
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)o->stall_s);
    SET(CURLOPT_TIMEOUT, (long)o->total_s);
    SET(CURLOPT_ERRORBUFFER, x->why);
    SET(CURLOPT_WRITEFUNCTION, receive);
    SET(CURLOPT_WRITEDATA, x);
    if (o->stop != NULL) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, is_called_off);
        SET(CURLOPT_XFERINFODATA, x);
    }
    if (!o->proxy_environment)
        SET(CURLOPT_PROXY, "");
    if (x->client->ca_file != NULL)
        SET(CURLOPT_CAINFO, x->client->ca_file);
    return rc;
}

static CURLcode set_body(
    CURL *curl, struct curl_slist **headers, const char *content_type, cs_view body)
{
    char line[HEADER_MAX];
    CURLcode rc = CURLE_OK;

    (void)snprintf(line, sizeof line, "Content-Type: %s", content_type);
    *headers = curl_slist_append(NULL, line);
    if (*headers == NULL)
        return CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_HTTPHEADER, *headers);
    SET(CURLOPT_POST, 1L);
    /* libcurl sends again what got no answer on a connection of before: on one of its own it is
     * sent once */
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    SET(CURLOPT_POSTFIELDS, body.n == 0 ? "" : (const char *)body.p); /* not copied */
#undef SET
    return rc;
}

/* Sleeps and says true if the call may be made once more. */
static bool wait_for_retry(const exchange *x, int rc, unsigned tries)
{
    struct timespec wait = {.tv_sec = RETRY_WAIT_S};
    int64_t started_us = cs_monotonic_us();
    bool busy = rc == CS_OK && x->reply->status == STATUS_BUSY && x->reply->retry_after_s > 0;

    if (tries >= x->client->options.retries || x->sunk)
        return false;
    if (busy && x->reply->retry_after_s <= CS_HTTP_RETRY_WAIT_MAX_S)
        wait.tv_sec = (time_t)x->reply->retry_after_s;
    else if (busy || rc != CS_E_UNREACHABLE)
        return false;
    (void)nanosleep(&wait, NULL);
    cs_waited_since(started_us);
    return true;
}

static int try_once(exchange *x)
{
    int64_t started_us = cs_monotonic_us();
    CURLcode code;

    cs_http_reply_free(x->reply);
    x->why[0] = '\0';
    x->rc = CS_OK;
    code = curl_easy_perform(x->client->curl);
    cs_waited_since(started_us);
    note_status(x);
    if (x->rc != CS_OK)
        return x->rc;
    return code == CURLE_OK ? CS_OK : explain(x, code);
}

/* content_type == NULL: a GET. */
static int run(exchange *x, const char *path, const char *content_type, cs_view body)
{
    CURL *curl = x->client->curl;
    struct curl_slist *headers = NULL;
    CURLcode code;
    int n = snprintf(x->url, sizeof x->url, "%s%s", x->client->base, path);
    int rc;

    cs_http_reply_free(x->reply);
    if (n < 0 || (size_t)n >= sizeof x->url || path[0] != '/')
        return CS_FAIL(x->error, CS_E_USAGE, "'%s' is no path on %s", path, x->client->base);
    code = set_up(curl, x);
    if (code == CURLE_OK && content_type != NULL)
        code = set_body(curl, &headers, content_type, body);
    if (code != CURLE_OK) {
        rc = explain(x, code);
        goto out;
    }
    rc = try_once(x);
    for (unsigned tries = 0; wait_for_retry(x, rc, tries); tries++)
        rc = try_once(x);
out:
    curl_easy_reset(curl); /* forgets what points into this call */
    curl_slist_free_all(headers);
    if (rc != CS_OK)
        cs_buf_free(&x->reply->body);
    return rc;
}

int cs_http_get(cs_http_client *client, cs_http_reply *reply, const char *path, cs_error *error)
{
    exchange x = {.client = client, .reply = reply, .error = error};

    return run(&x, path, NULL, (cs_view){0});
}

int cs_http_post(cs_http_client *client, cs_http_reply *reply, const char *path,
    const char *content_type, cs_view body, cs_error *error)
{
    return cs_http_post_stream(client, reply, path, content_type, body, NULL, NULL, error);
}

int cs_http_post_stream(cs_http_client *client, cs_http_reply *reply, const char *path,
    const char *content_type, cs_view body, cs_http_sink *sink, void *context, cs_error *error)
{
    exchange x = {
        .client = client, .reply = reply, .sink = sink, .context = context, .error = error};

    return run(&x, path, content_type, body);
}
