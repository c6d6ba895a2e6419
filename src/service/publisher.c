/* SPDX-License-Identifier: Apache-2.0 */
#include "service/publisher.h"

#include "service/http_client.h"

#include <chartseal/search.h>
#include <chartseal/secret.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 64u    /* items held in memory at once */
#define LOOK_MS 2000 /* an import in another process wakes nobody */
#define BACK_OFF_MIN_MS 1000
#define BACK_OFF_MAX_MS 60000
#define LISTS_MS 60000 /* between two revocation lists */
#define EXCHANGE_MAX_S 20u

struct cs_publisher {
    cs_server *server;       /* not owned */
    const cs_outbox *outbox; /* not owned */
    const char *url;
    cs_http_client *client;
    int64_t lists_at; /* when the revocation list was fetched last */
    pthread_t thread;
    bool running;
    atomic_bool stop;      /* also looked at within a round, and by the exchange in hand */
    pthread_mutex_t mutex; /* so that no change of `stop` or `woken` is slept over */
    pthread_cond_t changed;
    bool woken;
};

int cs_publisher_new(
    cs_publisher **out, cs_server *server, const cs_outbox *outbox, cs_error *error)
{
    cs_http_client_options options = {.stall_s = EXCHANGE_MAX_S, .total_s = EXCHANGE_MAX_S};
    const char *cloud_url = cs_home_text(server->home, "cloud_url");
    const char *url = cs_home_text(server->home, "url");
    cs_publisher *publisher;
    int rc;

    *out = NULL;
    if (cloud_url == NULL || url == NULL)
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/config.json lacks \"%s\"; run `chartseal %s %s` again", server->home->dir,
            url == NULL ? "url" : "cloud_url", cs_home_group(server->home->kind),
            url == NULL ? "init" : "register");
    publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the publisher");
    *publisher = (cs_publisher){.server = server,
        .outbox = outbox,
        .url = url,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER};
    atomic_init(&publisher->stop, false);
    options.stop = &publisher->stop;
    rc = cs_http_client_new(&publisher->client, cloud_url, &options, error);
    if (rc != CS_OK)
        cs_publisher_free(&publisher);
    *out = publisher;
    return rc;
}

/* -- one item ------------------------------------------------------------------------------------
 */

static int log_message(
    const cs_publisher *publisher, bool sent, const char *type, cs_view bytes, cs_error *error)
{
    const char *me = cs_home_kind_name(publisher->server->home->kind);
    cs_wire_log *log = publisher->server->wire_log;

    if (log == NULL)
        return CS_OK;
    return cs_wire_log_add(log, sent ? me : "cloud", sent ? "cloud" : me, type, bytes, error);
}

static int exchange(cs_publisher *publisher, const cs_worker *worker,
    const cs_publishing *publishing, cs_view p1, cs_error *error)
{
    cs_http_reply reply = {0};
    int rc = log_message(publisher, true, "P1", p1, error);

    if (rc == CS_OK)
        rc = cs_http_post(publisher->client, &reply, "/v1/publish", CS_CONTENT_TYPE, p1, error);
    if (rc == CS_OK)
        rc = log_message(publisher, false, reply.status == 200 ? "P2" : "refusal",
            cs_view_buf(&reply.body), error);
    if (rc == CS_OK && reply.status != 200)
        rc = cs_refusal_raise(cs_view_buf(&reply.body), "the cloud", error);
    else if (rc == CS_OK)
        rc = cs_publishing_finish(publishing, &publisher->server->actor->party, &worker->world.env,
            cs_view_buf(&reply.body), error);
    cs_http_reply_free(&reply);
    return rc;
}

static int publish(
    cs_publisher *publisher, cs_worker *worker, const cs_outbox_item *item, cs_error *error)
{
    cs_op_counts before = cs_ops_of_thread();
    cs_publishing *publishing = cs_secret_new(sizeof *publishing);
    cs_buf p1 = {0};
    int rc;

    if (publishing == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for publishing");
    rc = cs_worker_refresh(worker, error);
    if (rc == CS_OK)
        rc = cs_publishing_begin(publishing, &publisher->server->actor->party, &worker->world.env,
            item->id_p, item->id_de, publisher->url, &p1, error);
    if (rc == CS_OK)
        rc = exchange(publisher, worker, publishing, cs_view_buf(&p1), error);
    if (rc == CS_OK) {
        cs_decision decision = {.action = "publish"};

        cs_decision_party(&decision, publisher->server->home->id, CS_ROLE_HOSPITAL);
        cs_decision_about(&decision, item->id_p, item->id_de);
        rc = cs_decision_record(&decision, worker, CS_OK, error);
    }
    if (rc == CS_OK)
        rc = cs_store_drop_outbox(worker->store, item->key, item->number, error);
    cs_server_count_ops(publisher->server, "publish", before);
    cs_buf_free(&p1);
    cs_secret_free(&publishing);
    return rc;
}

/* Items as they were read: the store is not written to while it is being read. */
typedef struct batch {
    cs_outbox_item items[BATCH];
    size_t n;
} batch;

static int take_item(void *context, const cs_outbox_item *item, cs_error *error)
{
    batch *b = context;

    if (b->n == BATCH)
        return CS_FAIL(error, CS_E_INTERNAL, "the store gave more items than it was asked for");
    b->items[b->n++] = *item;
    return CS_OK;
}

/* A refusal is about the one item. With anything else (PC is away or busy, the token or the disk
 * fails, we are to stop) the next would fare no better. */
static bool ends_round(int rc)
{
    int category = (int)cs_category_of(rc);

    return category != CS_CATEGORY_OK && category != CS_CATEGORY_REFUSED &&
           category != CS_CATEGORY_INPUT;
}

/* One batch; *after is its last item's number. The error is the first. */
static int flush_batch(cs_publisher *publisher, cs_worker *worker, const batch *b, uint64_t *after,
    size_t *left, cs_error *error)
{
    int first = CS_OK;

    for (size_t i = 0; i < b->n; i++) {
        cs_error later = {0};
        cs_error *why = first == CS_OK ? error : &later;
        int rc = CS_OK;

        if (atomic_load(&publisher->stop))
            rc = CS_FAIL(why, CS_E_CANCELLED, "publishing was called off");
        else if (!b->items[i].unreadable) /* those stay where they are, for a person to look at */
            rc = publish(publisher, worker, &b->items[i], why);
        *after = b->items[i].number;
        *left += rc != CS_OK;
        first = first == CS_OK ? rc : first;
        if (ends_round(rc))
            return rc;
    }
    return first;
}

int cs_publisher_flush(cs_publisher *publisher, cs_worker *worker, size_t *left, cs_error *error)
{
    batch *b = malloc(sizeof *b);
    uint64_t after = 0;
    int rc = CS_OK;

    *left = 0;
    if (b == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for publishing");
    do {
        cs_error later = {0};
        cs_error *why = rc == CS_OK ? error : &later;
        int next;

        b->n = 0;
        next = cs_outbox_read(publisher->outbox, worker->store, CS_OUTBOX_PUBLICATION, after, BATCH,
            take_item, b, why);
        if (next == CS_OK)
            next = flush_batch(publisher, worker, b, &after, left, why);
        rc = rc == CS_OK ? next : rc;
        if (ends_round(next))
            break;
    } while (b->n == BATCH);
    free(b);
    return rc;
}

/* -- revocations ---------------------------------------------------------------------------------
 */

static int fetch_lists(cs_publisher *publisher, cs_worker *worker, cs_error *error)
{
    cs_http_reply reply = {0};
    int rc = cs_http_get(publisher->client, &reply, "/v1/revocations", error);

    if (rc == CS_OK)
        rc = log_message(publisher, false, reply.status == 200 ? "revocations" : "refusal",
            cs_view_buf(&reply.body), error);
    if (rc == CS_OK && reply.status != 200)
        rc = cs_refusal_raise(cs_view_buf(&reply.body), "the cloud", error);
    if (rc == CS_OK)
        rc = cs_world_revocations(
            &worker->world, publisher->server->actor, cs_view_buf(&reply.body), error);
    if (rc == CS_OK) {
        worker->lists = atomic_fetch_add(&publisher->server->lists, 1) + 1;
        publisher->lists_at = worker->world.env.now;
    }
    cs_http_reply_free(&reply);
    return rc;
}

/* -- the thread ----------------------------------------------------------------------------------
 */

static int one_round(cs_publisher *publisher, cs_worker *worker, cs_error *error)
{
    size_t left;
    int rc = cs_worker_refresh(worker, error);
    int64_t age = worker->world.env.now - publisher->lists_at;

    if (rc == CS_OK && (age >= LISTS_MS || age < 0))
        rc = fetch_lists(publisher, worker, error);
    if (rc == CS_OK && publisher->outbox != NULL)
        rc = cs_publisher_flush(publisher, worker, &left, error);
    return rc;
}

/* True when it is time to stop. */
static bool wait_for_work(cs_publisher *publisher, int ms)
{
    struct timespec until;
    bool stop;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&publisher->mutex);
    while (!atomic_load(&publisher->stop) && !publisher->woken &&
           pthread_cond_timedwait(&publisher->changed, &publisher->mutex, &until) != ETIMEDOUT) {
    }
    publisher->woken = false;
    stop = atomic_load(&publisher->stop);
    (void)pthread_mutex_unlock(&publisher->mutex);
    return stop;
}

static void tell_unreadable(const cs_publisher *publisher, const cs_worker *worker)
{
    cs_outbox_counts counts;
    cs_error error;

    if (publisher->outbox != NULL &&
        cs_outbox_count(publisher->outbox, worker->store, &counts, &error) == CS_OK &&
        counts.unreadable > 0)
        cs_server_log(publisher->server,
            "%llu items of the outbox cannot be read and are left out; restore a backup",
            (unsigned long long)counts.unreadable);
}

static void *run(void *context)
{
    cs_publisher *publisher = context;
    cs_error error = {0};
    cs_worker *worker = NULL;
    int back_off = 0;
    int wait = 0;

    if (cs_worker_open(&worker, publisher->server, &error) != CS_OK) {
        cs_server_log_error(publisher->server, "the publisher cannot start", &error);
        return NULL;
    }
    tell_unreadable(publisher, worker);
    while (!wait_for_work(publisher, wait)) {
        if (one_round(publisher, worker, &error) == CS_OK) {
            if (back_off > 0)
                cs_server_log(publisher->server, "the cloud answers again");
            back_off = 0;
            wait = LOOK_MS;
            continue;
        }
        if (back_off == 0 && !atomic_load(&publisher->stop))
            cs_server_log_error(publisher->server, "publishing fails, will be tried again", &error);
        back_off = back_off == 0 ? BACK_OFF_MIN_MS : 2 * back_off;
        back_off = back_off > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : back_off;
        wait = back_off;
    }
    cs_worker_close(&worker);
    return NULL;
}

int cs_publisher_start(cs_publisher *publisher, cs_error *error)
{
    if (pthread_create(&publisher->thread, NULL, run, publisher) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "no thread for the publisher");
    publisher->running = true;
    return CS_OK;
}

void cs_publisher_wake(cs_publisher *publisher)
{
    if (publisher == NULL)
        return;
    (void)pthread_mutex_lock(&publisher->mutex);
    publisher->woken = true;
    (void)pthread_cond_signal(&publisher->changed);
    (void)pthread_mutex_unlock(&publisher->mutex);
}

void cs_publisher_free(cs_publisher **publisher)
{
    if (*publisher == NULL)
        return;
    if ((*publisher)->running) {
        (void)pthread_mutex_lock(&(*publisher)->mutex);
        atomic_store(&(*publisher)->stop, true);
        (void)pthread_cond_signal(&(*publisher)->changed);
        (void)pthread_mutex_unlock(&(*publisher)->mutex);
        (void)pthread_join((*publisher)->thread, NULL);
    }
    cs_http_client_free(&(*publisher)->client);
    free(*publisher);
    *publisher = NULL;
}
