/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Who still writes. Each writing handle holds a lock on one byte, at a random place, of the file
 * "<store>-writers". The kernel drops the lock when its holder dies, however it dies: unlike a pid
 * it is never taken over by another, and unlike a heartbeat it needs no clock and does not take a
 * slow writer for a dead one. The locks belong to the open file, so that two handles of one
 * process see each other too.
 */

static struct flock byte_at(int64_t place)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)place, .l_len = 1};
}

static int fail(cs_store *store, cs_error *error)
{
    return CS_FAIL(error, errno == ENOSPC ? CS_E_DISK_FULL : CS_E_STORAGE,
        "%s-writers cannot be locked: %s; check the directory", store->path, strerror(errno));
}

int cs_writer_hold(cs_store *store, cs_error *error)
{
    struct flock lock;
    char *path = NULL;
    uint64_t place;
    int rc;

    if (store->writers >= 0)
        return CS_OK;
    if (asprintf(&path, "%s-writers", store->path) < 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a path");
    store->writers = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    if (store->writers < 0)
        return fail(store, error);
    cs_random(&place, sizeof place);
    store->writer = (int64_t)(place >> 2); /* well within off_t */
    lock = byte_at(store->writer);
    if (fchmod(store->writers, 0600) == 0 && fcntl(store->writers, F_OFD_SETLK, &lock) == 0)
        return CS_OK;
    rc = fail(store, error);
    cs_writer_release(store);
    return rc;
}

int cs_writer_lives(cs_store *store, int64_t writer, bool *lives, cs_error *error)
{
    struct flock lock = byte_at(writer);

    *lives = true;
    if (writer == store->writer)
        return CS_OK;
    if (writer < 0)
        return cs_sql_fail(store, SQLITE_CORRUPT, error);
    if (fcntl(store->writers, F_OFD_GETLK, &lock) != 0)
        return fail(store, error);
    *lives = lock.l_type != F_UNLCK;
    return CS_OK;
}

void cs_writer_release(cs_store *store)
{
    if (store->writers >= 0)
        (void)close(store->writers);
    store->writers = -1;
}
