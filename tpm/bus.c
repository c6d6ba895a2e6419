/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the TPM with a time limit. A TCTI may wait for ever, in opening as in receiving, so it
 * lives in a thread of its own, with a letter box between: one command in, one answer out. Whoever
 * gives up leaves the bus to its thread, which closes the TCTI when it comes back from it.
 */
#include "tpm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_tctildr.h>

#define BUS_MAGIC 0x6368617274736561ULL
#define MESSAGE_MAX TPM2_MAX_COMMAND_SIZE /* also of a response */
#define BUS_SOON_MS 1000 /* for flushing what is loaded after a deadline has passed */

typedef enum bus_state { BUS_OPENING, BUS_IDLE, BUS_COMMAND, BUS_ANSWER, BUS_BROKEN } bus_state;

struct tpm_bus {
    TSS2_TCTI_CONTEXT_COMMON_V2 tcti; /* first: what ESYS is given */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bus_state state;
    unsigned holders; /* who opened it, and its thread; the last one frees it */
    bool left;        /* by whoever opened it */
    bool ended;       /* the TCTI is closed */
    int64_t deadline_ms;
    TSS2_RC rc;
    size_t size;
    uint8_t message[MESSAGE_MAX];
    char conf[CS_URI_MAX];
};

int64_t tpm_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct timespec tpm_timespec(int64_t at_ms)
{
    return (struct timespec){.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
}

void tpm_sleep_ms(int64_t ms)
{
    struct timespec t = tpm_timespec(ms);

    (void)nanosleep(&t, NULL);
}

void tpm_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void free_bus(tpm_bus *bus)
{
    (void)pthread_cond_destroy(&bus->changed);
    (void)pthread_mutex_destroy(&bus->lock);
    cs_wipe(bus, sizeof *bus);
    free(bus);
}

/* Called with the lock. */
static void leave(tpm_bus *bus)
{
    bool last = --bus->holders == 0;

    (void)pthread_cond_broadcast(&bus->changed);
    (void)pthread_mutex_unlock(&bus->lock);
    if (last)
        free_bus(bus);
}

/* -- in the thread */

static TSS2_RC exchange(TSS2_TCTI_CONTEXT *tcti, uint8_t *message, size_t *size)
{
    TSS2_RC rc = Tss2_Tcti_Transmit(tcti, *size, message);

    *size = MESSAGE_MAX;
    return rc == TSS2_RC_SUCCESS ? Tss2_Tcti_Receive(tcti, size, message, TSS2_TCTI_TIMEOUT_BLOCK)
                                 : rc;
}

/* Called with the lock, which is given up for the exchange. The message is copied, because whoever
 * sent it may be gone before the answer comes. */
static void serve_one(tpm_bus *bus, TSS2_TCTI_CONTEXT *tcti, uint8_t message[MESSAGE_MAX])
{
    size_t size = bus->size;
    TSS2_RC rc;

    memcpy(message, bus->message, size);
    cs_wipe(bus->message, size);
    (void)pthread_mutex_unlock(&bus->lock);
    rc = exchange(tcti, message, &size);
    (void)pthread_mutex_lock(&bus->lock);
    if (bus->state == BUS_COMMAND) { /* else nobody waits any more */
        bus->rc = rc;
        bus->size = rc == TSS2_RC_SUCCESS && size <= MESSAGE_MAX ? size : 0;
        memcpy(bus->message, message, bus->size);
        bus->state = BUS_ANSWER;
    }
    cs_wipe(message, MESSAGE_MAX);
    (void)pthread_cond_broadcast(&bus->changed);
}

static void *serve(void *context)
{
    tpm_bus *bus = context;
    TSS2_TCTI_CONTEXT *tcti = NULL;
    uint8_t message[MESSAGE_MAX];
    TSS2_RC rc = Tss2_TctiLdr_Initialize(bus->conf[0] == '\0' ? NULL : bus->conf, &tcti);

    (void)pthread_mutex_lock(&bus->lock);
    bus->rc = rc;
    if (bus->state == BUS_OPENING)
        bus->state = rc == TSS2_RC_SUCCESS ? BUS_IDLE : BUS_BROKEN;
    (void)pthread_cond_broadcast(&bus->changed);
    while (!bus->left) {
        if (bus->state == BUS_COMMAND)
            serve_one(bus, tcti, message);
        else
            (void)pthread_cond_wait(&bus->changed, &bus->lock);
    }
    (void)pthread_mutex_unlock(&bus->lock);
    if (tcti != NULL)
        Tss2_TctiLdr_Finalize(&tcti);
    (void)pthread_mutex_lock(&bus->lock);
    bus->ended = true;
    leave(bus);
    return NULL;
}

/* -- as ESYS sees it */

/* False at the deadline: the bus is broken then. Called with the lock. */
static bool await(tpm_bus *bus, bus_state past)
{
    struct timespec until = tpm_timespec(bus->deadline_ms);

    while (bus->state == past) {
        if (pthread_cond_timedwait(&bus->changed, &bus->lock, &until) != 0 && bus->state == past) {
            bus->state = BUS_BROKEN;
            return false;
        }
    }
    return true;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *context, size_t size, const uint8_t *command)
{
    tpm_bus *bus = (tpm_bus *)(void *)context;
    TSS2_RC rc = TSS2_RC_SUCCESS;

    if (size > MESSAGE_MAX)
        return TSS2_TCTI_RC_BAD_VALUE;
    (void)pthread_mutex_lock(&bus->lock);
    if (bus->state == BUS_IDLE) {
        memcpy(bus->message, command, size);
        bus->size = size;
        bus->state = BUS_COMMAND;
        (void)pthread_cond_broadcast(&bus->changed);
    } else {
        rc = TSS2_TCTI_RC_IO_ERROR;
    }
    (void)pthread_mutex_unlock(&bus->lock);
    return rc;
}

static TSS2_RC take_answer(tpm_bus *bus, size_t *size, uint8_t *response)
{
    TSS2_RC rc = bus->rc;

    if (rc == TSS2_RC_SUCCESS && response == NULL) {
        *size = bus->size;
        return rc;
    }
    if (rc == TSS2_RC_SUCCESS && *size < bus->size)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    if (rc == TSS2_RC_SUCCESS) {
        memcpy(response, bus->message, bus->size);
        *size = bus->size;
    }
    cs_wipe(bus->message, bus->size);
    bus->state = rc == TSS2_RC_SUCCESS ? BUS_IDLE : BUS_BROKEN;
    return rc;
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *response, int32_t timeout)
{
    tpm_bus *bus = (tpm_bus *)(void *)context;
    TSS2_RC rc = TSS2_TCTI_RC_IO_ERROR;

    (void)timeout; /* the deadline counts */
    (void)pthread_mutex_lock(&bus->lock);
    if (await(bus, BUS_COMMAND) && bus->state == BUS_ANSWER)
        rc = take_answer(bus, size, response);
    (void)pthread_mutex_unlock(&bus->lock);
    return rc;
}

/* -- for link.c */

static tpm_bus *new_bus(const char *conf, int64_t deadline_ms)
{
    tpm_bus *bus = calloc(1, sizeof *bus);

    if (bus == NULL)
        return NULL;
    bus->tcti.v1.magic = BUS_MAGIC;
    bus->tcti.v1.version = 2;
    bus->tcti.v1.transmit = transmit;
    bus->tcti.v1.receive = receive;
    (void)pthread_mutex_init(&bus->lock, NULL);
    tpm_condition_init(&bus->changed);
    bus->holders = 2;
    bus->deadline_ms = deadline_ms;
    (void)snprintf(bus->conf, sizeof bus->conf, "%s", conf);
    return bus;
}

/* The thread takes no signal: they are for the program's own, and SIGPIPE would end it. */
static int start(tpm_bus *bus)
{
    pthread_t thread;
    sigset_t all, before;
    int failed;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, NULL, serve, bus);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        (void)pthread_detach(thread);
    return failed;
}

TSS2_RC tpm_bus_open(tpm_bus **out, const char *conf, int64_t deadline_ms)
{
    tpm_bus *bus = new_bus(conf, deadline_ms);
    TSS2_RC rc = TSS2_TCTI_RC_IO_ERROR;

    *out = NULL;
    if (bus == NULL)
        return TSS2_TCTI_RC_MEMORY;
    if (start(bus) != 0) {
        free_bus(bus);
        return TSS2_TCTI_RC_GENERAL_FAILURE;
    }
    (void)pthread_mutex_lock(&bus->lock);
    if (await(bus, BUS_OPENING))
        rc = bus->rc;
    (void)pthread_mutex_unlock(&bus->lock);
    if (rc == TSS2_RC_SUCCESS)
        *out = bus;
    else
        tpm_bus_close(&bus);
    return rc;
}

TSS2_TCTI_CONTEXT *tpm_bus_tcti(tpm_bus *bus)
{
    return (TSS2_TCTI_CONTEXT *)(void *)bus;
}

void tpm_bus_deadline(tpm_bus *bus, int64_t deadline_ms)
{
    (void)pthread_mutex_lock(&bus->lock);
    bus->deadline_ms = deadline_ms;
    (void)pthread_mutex_unlock(&bus->lock);
}

/* A sound bus is closed when this returns, so that another process finds the TPM free. */
void tpm_bus_close(tpm_bus **address)
{
    tpm_bus *bus = *address;
    struct timespec until = tpm_timespec(tpm_now_ms() + BUS_SOON_MS);

    *address = NULL;
    (void)pthread_mutex_lock(&bus->lock);
    bus->left = true;
    (void)pthread_cond_broadcast(&bus->changed);
    if (bus->state == BUS_IDLE) {
        while (!bus->ended && pthread_cond_timedwait(&bus->changed, &bus->lock, &until) == 0)
            ;
    }
    leave(bus);
}
