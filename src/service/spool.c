/* SPDX-License-Identifier: Apache-2.0 */
#include "service/spool.h"

#include "service/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536u
#define NAME_MAX_BYTES 4200

static int hash_all(cs_spool *spool, cs_error *error)
{
    cs_hasher *hasher = NULL;
    cs_buf room = {0};
    size_t got = 1;
    int rc = cs_hasher_new(&hasher, error);

    if (rc == CS_OK)
        rc = cs_buf_resize(&room, PIECE, error);
    spool->size = 0;
    while (rc == CS_OK && got > 0) {
        rc = cs_spool_read(spool, room.p, room.n, &got, error);
        if (rc == CS_OK)
            rc = cs_hasher_add(hasher, (cs_view){room.p, got}, error);
        spool->size += got;
    }
    if (rc == CS_OK)
        rc = cs_hasher_finish(hasher, spool->hash, error);
    if (rc == CS_OK)
        rc = cs_spool_rewind(spool, error);
    cs_hasher_free(&hasher);
    cs_buf_free(&room);
    return rc;
}

int cs_spool_open(cs_spool *out, const char *path, const char *what, cs_error *error)
{
    struct stat about;
    int rc = CS_OK;

    /* without O_NONBLOCK a pipe that nobody writes to would be waited for */
    *out = (cs_spool){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (out->fd < 0)
        return CS_FAIL(error, errno == ENOENT ? CS_E_NO_FILE : CS_E_STORAGE,
            "the %s %s cannot be opened: %s", what, path, strerror(errno));
    if (fstat(out->fd, &about) != 0 || !S_ISREG(about.st_mode))
        rc = CS_FAIL(error, CS_E_USAGE, "the %s %s is not a regular file", what, path);
    if (rc == CS_OK)
        rc = hash_all(out, error);
    if (rc != CS_OK)
        cs_spool_close(out);
    return rc;
}

int cs_spool_make(cs_spool *out, const char *directory, cs_error *error)
{
    char name[NAME_MAX_BYTES];

    *out = (cs_spool){.fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (out->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* an old file system */
        (void)snprintf(name, sizeof name, "%s/spool.XXXXXX", directory);
        out->fd = mkostemp(name, O_CLOEXEC);
        if (out->fd >= 0)
            (void)unlink(name);
    }
    if (out->fd < 0)
        return CS_FAIL(error, errno == ENOSPC ? CS_E_DISK_FULL : CS_E_STORAGE,
            "no file can be made in %s: %s", directory, strerror(errno));
    return CS_OK;
}

void cs_spool_close(cs_spool *spool)
{
    if (spool->fd >= 0)
        (void)close(spool->fd);
    spool->fd = -1;
}

int cs_spool_write(cs_spool *spool, cs_view bytes, cs_error *error)
{
    while (bytes.n > 0) {
        ssize_t n = write(spool->fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return CS_FAIL(error,
                errno == ENOSPC || errno == EDQUOT ? CS_E_DISK_FULL : CS_E_STORAGE,
                "what comes cannot be kept: %s", strerror(errno));
        bytes.p += n;
        bytes.n -= (size_t)n;
        spool->size += (uint64_t)n;
    }
    return CS_OK;
}

int cs_spool_rewind(cs_spool *spool, cs_error *error)
{
    if (lseek(spool->fd, 0, SEEK_SET) != 0)
        return CS_FAIL(error, CS_E_STORAGE, "a file cannot be read again: %s", strerror(errno));
    return CS_OK;
}

int cs_spool_read(cs_spool *spool, uint8_t *out, size_t n, size_t *got, cs_error *error)
{
    *got = 0;
    while (*got < n) {
        ssize_t part = read(spool->fd, out + *got, n - *got);

        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return CS_FAIL(error, CS_E_STORAGE, "a file cannot be read: %s", strerror(errno));
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return CS_OK;
}

int cs_spool_save(cs_spool *spool, uint64_t size, const char *path, cs_error *error)
{
    cs_file_sink *sink = NULL;
    cs_buf room = {0};
    int rc;

    if (path == NULL)
        return lseek(spool->fd, (off_t)size, SEEK_CUR) >= 0
                   ? CS_OK
                   : CS_FAIL(error, CS_E_STORAGE, "a file cannot be read: %s", strerror(errno));
    rc = cs_buf_resize(&room, PIECE, error);
    if (rc == CS_OK)
        rc = cs_file_sink_open(&sink, path, 0600, error);
    while (rc == CS_OK && size > 0) {
        size_t got;

        rc = cs_spool_read(spool, room.p, size < PIECE ? (size_t)size : PIECE, &got, error);
        if (rc == CS_OK && got == 0)
            rc = CS_FAIL(error, CS_E_STORAGE, "a file has become shorter; try again");
        if (rc == CS_OK)
            rc = cs_file_sink_write(sink, (cs_view){room.p, got}, error);
        size -= rc == CS_OK ? got : 0;
    }
    if (rc == CS_OK)
        rc = cs_file_sink_commit(&sink, error);
    cs_file_sink_abandon(&sink);
    cs_buf_free(&room);
    return rc;
}
