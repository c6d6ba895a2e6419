/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trust_watch.h"

#include "service/actor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

typedef struct mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
} mark;

struct cs_trust_watch {
    const cs_home *home;
    pthread_mutex_t mutex; /* over `trust` */
    cs_trust *trust;
    atomic_uint changes; /* of `trust`, since the start */
    mark marks[3];       /* of the files as last looked at; these two are the looking thread's */
    bool failed;         /* they could not be taken in */
};

int cs_trust_watch_new(cs_trust_watch **out, const cs_home *home, cs_trust *trust, cs_error *error)
{
    cs_trust_watch *watch = calloc(1, sizeof *watch);

    *out = watch;
    if (watch == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the trusted authorities");
    watch->home = home;
    watch->trust = cs_trust_share(trust);
    (void)pthread_mutex_init(&watch->mutex, NULL);
    atomic_init(&watch->changes, 0);
    return CS_OK;
}

void cs_trust_watch_free(cs_trust_watch **watch)
{
    if (*watch == NULL)
        return;
    cs_trust_free(&(*watch)->trust);
    (void)pthread_mutex_destroy(&(*watch)->mutex);
    free(*watch);
    *watch = NULL;
}

/* All zero for a file that is not there. */
static mark mark_of(const cs_home *home, const char *name)
{
    char path[CS_PATH_MAX];
    struct stat there;

    cs_home_path(home, name, path);
    if (stat(path, &there) != 0)
        return (mark){0};
    return (mark){.device = there.st_dev,
        .inode = there.st_ino,
        .size = there.st_size,
        .changed = there.st_mtim};
}

static bool same(const mark *a, const mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int take_in(cs_trust_watch *watch, cs_error *error)
{
    cs_trust *old = NULL;
    cs_trust *trust = NULL;
    int rc = cs_home_read_trust(&trust, watch->home, error);

    if (rc != CS_OK)
        return rc;
    (void)pthread_mutex_lock(&watch->mutex);
    old = watch->trust;
    watch->trust = trust;
    atomic_fetch_add(&watch->changes, 1);
    (void)pthread_mutex_unlock(&watch->mutex);
    cs_trust_free(&old);
    return CS_OK;
}

/* The marks are taken before the files are read: what is written in between shows at the next look.
 */
int cs_trust_watch_look(cs_trust_watch *watch, bool *news, cs_error *error)
{
    static const char *const names[] = {"authorities.pem", "crl.pem", "config.json"};
    bool changed = false;
    int rc = CS_OK;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        mark now = mark_of(watch->home, names[i]);
        bool gone = now.inode == 0 && watch->marks[i].inode != 0;

        if (gone) /* the mark stays, so that it is gone at the next look too */
            rc = CS_FAIL(error, CS_E_NO_FILE, "%s/%s is gone; put it back, or a newer one",
                watch->home->dir, names[i]);
        if (gone || same(&now, &watch->marks[i]))
            continue;
        watch->marks[i] = now;
        changed = true;
    }
    *news = changed || (rc != CS_OK && !watch->failed);
    if (rc == CS_OK && (changed || watch->failed))
        rc = take_in(watch, error);
    watch->failed = rc != CS_OK;
    return rc;
}

void cs_trust_watch_follow(cs_trust_watch *watch, cs_trust **trust, unsigned *changes)
{
    if (*trust != NULL && atomic_load(&watch->changes) == *changes)
        return;
    cs_trust_free(trust);
    (void)pthread_mutex_lock(&watch->mutex);
    *trust = cs_trust_share(watch->trust);
    *changes = atomic_load(&watch->changes);
    (void)pthread_mutex_unlock(&watch->mutex);
}
