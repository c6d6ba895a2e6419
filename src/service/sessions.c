/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sessions.h"

#include <chartseal/secret.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cs_sessions {
    pthread_mutex_t mutex;
    size_t capacity;
    int64_t life_ms;
    size_t count;
    cs_held_session *slots[]; /* NULL: free */
};

int cs_sessions_new(cs_sessions **out, size_t capacity, int64_t life_ms, cs_error *error)
{
    size_t n = capacity == 0 ? CS_SESSIONS_MAX : capacity;
    cs_sessions *sessions = calloc(1, sizeof *sessions + n * sizeof(cs_held_session *));

    *out = NULL;
    if (sessions == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the table of sessions");
    sessions->capacity = n;
    sessions->life_ms = life_ms;
    if (pthread_mutex_init(&sessions->mutex, NULL) != 0) {
        free(sessions);
        return CS_FAIL(error, CS_E_INTERNAL, "no mutex for the table of sessions");
    }
    *out = sessions;
    return CS_OK;
}

static void drop(cs_sessions *sessions, size_t i)
{
    cs_session_free(&sessions->slots[i]->session);
    sessions->slots[i]->release(sessions->slots[i]->about);
    cs_wipe(sessions->slots[i], sizeof *sessions->slots[i]);
    free(sessions->slots[i]);
    sessions->slots[i] = NULL;
    sessions->count--;
}

void cs_sessions_free(cs_sessions **sessions)
{
    if (*sessions == NULL)
        return;
    for (size_t i = 0; i < (*sessions)->capacity; i++) {
        if ((*sessions)->slots[i] != NULL)
            drop(*sessions, i);
    }
    (void)pthread_mutex_destroy(&(*sessions)->mutex);
    free(*sessions);
    *sessions = NULL;
}

static void sweep(cs_sessions *sessions, int64_t now, int64_t idle_ms)
{
    for (size_t i = 0; i < sessions->capacity; i++) {
        const cs_held_session *slot = sessions->slots[i];

        if (slot != NULL && !slot->held &&
            (now - slot->opened_at >= sessions->life_ms || now - slot->used_at >= idle_ms))
            drop(sessions, i);
    }
}

/* The free session that was idle for longest, at least for `idle`; of this owner, NULL: of any.
 * capacity if there is none. *count: how many he has. */
static size_t find_idle(
    const cs_sessions *sessions, const char *owner, int64_t now, int64_t idle, size_t *count)
{
    size_t oldest = sessions->capacity;

    *count = 0;
    for (size_t i = 0; i < sessions->capacity; i++) {
        const cs_held_session *slot = sessions->slots[i];

        if (slot == NULL || (owner != NULL && strcmp(slot->owner, owner) != 0))
            continue;
        ++*count;
        if (!slot->held && now - slot->used_at >= idle &&
            (oldest == sessions->capacity || slot->used_at < sessions->slots[oldest]->used_at))
            oldest = i;
    }
    return oldest;
}

/* A free slot, if need be the one that was idle for longest; capacity if there is none. */
static size_t find_room(cs_sessions *sessions, const char *owner, int64_t now)
{
    size_t count;
    size_t i;

    sweep(sessions, now, sessions->life_ms);
    i = find_idle(sessions, owner, now, INT64_MIN, &count);
    if (count < CS_SESSIONS_OWNER_MAX) {
        for (i = 0; i < sessions->capacity && sessions->slots[i] != NULL; i++)
            continue;
        if (i < sessions->capacity)
            return i;
        i = find_idle(sessions, NULL, now, CS_SESSION_IDLE_MS, &count);
    }
    if (i < sessions->capacity)
        drop(sessions, i);
    return i;
}

void cs_sessions_sweep(cs_sessions *sessions, int64_t now, int64_t idle_ms)
{
    (void)pthread_mutex_lock(&sessions->mutex);
    sweep(sessions, now, idle_ms);
    (void)pthread_mutex_unlock(&sessions->mutex);
}

static int full(const cs_sessions *sessions, cs_error *error)
{
    return CS_FAIL(error, CS_E_BUSY, "all %zu sessions are in use; try again in a few minutes",
        sessions->capacity);
}

int cs_sessions_have_room(cs_sessions *sessions, const char *owner, int64_t now, cs_error *error)
{
    bool room;

    (void)pthread_mutex_lock(&sessions->mutex);
    room = find_room(sessions, owner, now) < sessions->capacity;
    (void)pthread_mutex_unlock(&sessions->mutex);
    return room ? CS_OK : full(sessions, error);
}

int cs_sessions_put(cs_sessions *sessions, cs_session **session, const char *owner, void **about,
    void (*release)(void *about), int64_t now, cs_error *error)
{
    cs_held_session *slot = calloc(1, sizeof *slot);
    size_t i;

    if (slot == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a session");
    *slot = (cs_held_session){
        .session = *session, .about = *about, .release = release, .opened_at = now, .used_at = now};
    (void)snprintf(slot->owner, sizeof slot->owner, "%s", owner);
    (void)pthread_mutex_lock(&sessions->mutex);
    i = find_room(sessions, owner, now);
    if (i < sessions->capacity) {
        sessions->slots[i] = slot;
        sessions->count++;
        slot = NULL;
    }
    (void)pthread_mutex_unlock(&sessions->mutex);
    if (slot != NULL) {
        cs_wipe(slot, sizeof *slot);
        free(slot);
        return full(sessions, error);
    }
    *session = NULL;
    *about = NULL;
    return CS_OK;
}

int cs_sessions_take(cs_sessions *sessions, const uint8_t id[CS_SESSION_ID_SIZE], int64_t now,
    cs_held_session **out, cs_error *error)
{
    cs_held_session *found = NULL;

    *out = NULL;
    (void)pthread_mutex_lock(&sessions->mutex);
    sweep(sessions, now, sessions->life_ms);
    for (size_t i = 0; i < sessions->capacity && found == NULL; i++) {
        cs_held_session *slot = sessions->slots[i];

        if (slot != NULL && memcmp(cs_session_id(slot->session), id, CS_SESSION_ID_SIZE) == 0)
            found = slot;
    }
    if (found != NULL && !found->held) {
        found->held = true;
        found->used_at = now;
        *out = found;
    }
    (void)pthread_mutex_unlock(&sessions->mutex);
    if (found == NULL)
        return CS_FAIL(error, CS_E_NO_SESSION,
            "no such session; it may have ended by its time or with a restart: open a new one");
    if (*out == NULL)
        return CS_FAIL(error, CS_E_BUSY, "the session is busy with another request; wait for it");
    return CS_OK;
}

void cs_sessions_give_back(cs_sessions *sessions, cs_held_session **held, int64_t now)
{
    if (*held == NULL)
        return;
    (void)pthread_mutex_lock(&sessions->mutex);
    (*held)->held = false;
    (*held)->used_at = now;
    for (size_t i = 0; i < sessions->capacity; i++) {
        if (sessions->slots[i] == *held && ((*held)->over || cs_session_ended((*held)->session))) {
            drop(sessions, i);
            break;
        }
    }
    (void)pthread_mutex_unlock(&sessions->mutex);
    *held = NULL;
}

size_t cs_sessions_count(cs_sessions *sessions)
{
    size_t count;

    (void)pthread_mutex_lock(&sessions->mutex);
    count = sessions->count;
    (void)pthread_mutex_unlock(&sessions->mutex);
    return count;
}
