/* SPDX-License-Identifier: Apache-2.0 */
#include "service/http_watch.h"

#include "service/wait.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define LOOK_EVERY_MS 250

struct cs_http_watched {
    struct cs_http_watched *next, *previous;
    int fd;
    int64_t deadline;
};

struct cs_http_watch {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool quit;
    int64_t limit_ms;
    cs_http_watched *first;
};

/* Only shut down, not closed: the descriptor is libmicrohttpd's, which sees the end and closes. */
static void shut_late_ones(cs_http_watch *watch)
{
    int64_t now = cs_monotonic_ms();

    for (cs_http_watched *w = watch->first; w != NULL; w = w->next) {
        if (now >= w->deadline) {
            (void)shutdown(w->fd, SHUT_RDWR);
            w->deadline = CS_NO_DEADLINE;
        }
    }
}

static void *run(void *context)
{
    cs_http_watch *watch = context;

    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->quit) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_EVERY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
        shut_late_ones(watch);
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int cs_http_watch_new(cs_http_watch **out, unsigned limit_s, cs_error *error)
{
    cs_http_watch *watch = calloc(1, sizeof *watch);
    pthread_condattr_t monotonic;

    *out = NULL;
    if (watch == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the HTTP service");
    watch->limit_ms = (int64_t)limit_s * 1000;
    (void)pthread_mutex_init(&watch->lock, NULL); /* none of these fails on Linux */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        free(watch);
        return CS_FAIL(error, CS_E_MEMORY, "no thread for the HTTP service; see its limits");
    }
    *out = watch;
    return CS_OK;
}

void cs_http_watch_free(cs_http_watch **watch)
{
    cs_http_watch *w = *watch;

    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->quit = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    *watch = NULL;
}

static void set_deadline(cs_http_watch *watch, cs_http_watched *watched, int64_t deadline)
{
    if (watched == NULL)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    watched->deadline = deadline;
    (void)pthread_mutex_unlock(&watch->lock);
}

cs_http_watched *cs_http_watch_add(cs_http_watch *watch, int fd)
{
    cs_http_watched *watched = calloc(1, sizeof *watched);

    if (watched == NULL)
        return NULL;
    watched->fd = fd;
    watched->deadline = cs_monotonic_ms() + watch->limit_ms;
    (void)pthread_mutex_lock(&watch->lock);
    watched->next = watch->first;
    if (watch->first != NULL)
        watch->first->previous = watched;
    watch->first = watched;
    (void)pthread_mutex_unlock(&watch->lock);
    return watched;
}

void cs_http_watch_remove(cs_http_watch *watch, cs_http_watched *watched)
{
    if (watched == NULL)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    if (watched->previous != NULL)
        watched->previous->next = watched->next;
    else
        watch->first = watched->next;
    if (watched->next != NULL)
        watched->next->previous = watched->previous;
    (void)pthread_mutex_unlock(&watch->lock);
    free(watched);
}

void cs_http_watch_pause(cs_http_watch *watch, cs_http_watched *watched)
{
    set_deadline(watch, watched, CS_NO_DEADLINE);
}

void cs_http_watch_resume(cs_http_watch *watch, cs_http_watched *watched)
{
    set_deadline(watch, watched, cs_monotonic_ms() + watch->limit_ms);
}
