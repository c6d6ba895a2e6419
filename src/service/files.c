/* SPDX-License-Identifier: Apache-2.0 */
#include "service/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536u
#define TEMPORARY_SUFFIX ".XXXXXX"
/* For directories that hold keys, stores and records. */
#define DIRECTORY_MODE 0700

struct cs_file_sink {
    int fd;
    char *path;
    char *temporary; /* NULL: there is none, bytes go to the place itself */
};

static int storage_failed(cs_error *error, const char *doing, const char *path, int why)
{
    if (why == ENOSPC || why == EDQUOT || why == EFBIG)
        return CS_FAIL(error, CS_E_DISK_FULL, "%s %s: %s; free some space and repeat", doing, path,
            strerror(why));
    return CS_FAIL(error, CS_E_STORAGE, "%s %s: %s", doing, path, strerror(why));
}

/* ---- reading */

static int read_all(cs_buf *out, int fd, const char *path, size_t limit, cs_error *error)
{
    size_t start = out->n;
    ssize_t n;
    int rc = CS_OK;

    do {
        rc = cs_buf_reserve(out, READ_STEP, error);
        if (rc != CS_OK)
            break;
        n = read(fd, out->p + out->n, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = storage_failed(error, "reading", path, errno);
        else if ((size_t)n > limit - (out->n - start))
            rc = CS_FAIL(
                error, CS_E_TOO_LARGE, "%s is larger than the %zu bytes allowed", path, limit);
        else
            out->n += (size_t)n;
    } while (rc == CS_OK && n != 0);
    if (rc != CS_OK && out->p != NULL) {
        cs_wipe(out->p + start, out->capacity - start);
        out->n = start;
    }
    return rc;
}

int cs_file_read(cs_buf *out, const char *path, size_t limit, cs_error *error)
{
    struct stat info;
    int rc;
    /* not blocking: a pipe in the place of the file must not hold us */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return CS_FAIL(error, CS_E_NO_FILE, "there is no file %s: %s", path, strerror(errno));
    if (fd < 0)
        return storage_failed(error, "opening", path, errno);
    if (fstat(fd, &info) != 0)
        rc = storage_failed(error, "looking at", path, errno);
    else if (!S_ISREG(info.st_mode))
        rc = CS_FAIL(error, CS_E_USAGE, "%s is not a regular file", path);
    else
        rc = read_all(out, fd, path, limit, error);
    (void)close(fd);
    return rc;
}

/* ---- writing */

static void give_up(cs_file_sink *sink)
{
    if (sink->fd >= 0)
        (void)close(sink->fd);
    if (sink->temporary != NULL)
        (void)unlink(sink->temporary);
    free(sink->temporary);
    free(sink->path);
}

/* Where the bytes go: `path`, or what it leads to if it is a link, so that the link stays one.
 * *direct: no file but a device or a pipe, which must not be replaced by a file. The caller frees
 * *target. */
static int find_target(char **target, bool *direct, const char *path, cs_error *error)
{
    struct stat info;
    bool is_there = stat(path, &info) == 0;
    int rc = CS_OK;

    *target = NULL;
    *direct = false;
    if (!is_there && errno != ENOENT)
        return storage_failed(error, "looking at", path, errno);
    if (!is_there && lstat(path, &info) == 0)
        return CS_FAIL(error, CS_E_USAGE,
            "%s is a link to something that is not there; remove it or name another file", path);
    if (is_there && !S_ISREG(info.st_mode) && !S_ISCHR(info.st_mode) && !S_ISFIFO(info.st_mode))
        return CS_FAIL(error, CS_E_USAGE, "%s is %s; name a file", path,
            S_ISDIR(info.st_mode) ? "a directory" : "neither a file nor a pipe");
    *direct = is_there && !S_ISREG(info.st_mode);
    *target = is_there && !*direct ? realpath(path, NULL) : strdup(path);
    if (*target == NULL)
        rc = storage_failed(error, "finding", path, errno);
    return rc;
}

/* Not waiting for a reader, who may never come; but for one who is slow. */
static int open_direct(cs_file_sink *sink, cs_error *error)
{
    sink->fd = open(sink->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (sink->fd < 0 && errno == ENXIO)
        return CS_FAIL(
            error, CS_E_STORAGE, "nobody reads from %s; start the reader first", sink->path);
    if (sink->fd < 0 || fcntl(sink->fd, F_SETFL, 0) != 0)
        return storage_failed(error, "opening", sink->path, errno);
    return CS_OK;
}

static int open_temporary(cs_file_sink *sink, mode_t mode, cs_error *error)
{
    size_t size = strlen(sink->path) + sizeof TEMPORARY_SUFFIX;
    char *name = malloc(size);

    if (name == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory to write %s", sink->path);
    (void)snprintf(name, size, "%s%s", sink->path, TEMPORARY_SUFFIX);
    sink->fd = mkostemp(name, O_CLOEXEC);
    if (sink->fd < 0) {
        free(name);
        return storage_failed(error, "making a file beside", sink->path, errno);
    }
    sink->temporary = name;
    if (fchmod(sink->fd, mode) != 0)
        return storage_failed(error, "setting the mode of", sink->path, errno);
    return CS_OK;
}

int cs_file_sink_open(cs_file_sink **out, const char *path, mode_t mode, cs_error *error)
{
    cs_file_sink *sink = calloc(1, sizeof *sink);
    bool direct = false;
    int rc;

    *out = NULL;
    if (sink == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory to write %s", path);
    sink->fd = -1;
    rc = find_target(&sink->path, &direct, path, error);
    if (rc == CS_OK)
        rc = direct ? open_direct(sink, error) : open_temporary(sink, mode, error);
    if (rc == CS_OK)
        *out = sink;
    else
        cs_file_sink_abandon(&sink);
    return rc;
}

int cs_file_may_write(const char *path, cs_error *error)
{
    cs_file_sink sink = {.fd = -1};
    bool direct = false;
    int rc = find_target(&sink.path, &direct, path, error);

    if (rc == CS_OK && !direct) {
        rc = open_temporary(&sink, 0600, error);
    } else if (rc == CS_OK && access(path, W_OK) != 0) {
        /* not opened: the reader of a pipe would see it end */
        rc = storage_failed(error, "opening", path, errno);
    }
    give_up(&sink);
    return rc;
}

int cs_file_sink_write(void *context, cs_view bytes, cs_error *error)
{
    const cs_file_sink *sink = context;

    while (bytes.n > 0) {
        ssize_t n = write(sink->fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return storage_failed(error, "writing", sink->path, errno);
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return CS_OK;
}

/* The rename is durable only when the directory is on the disk. */
static int sync_directory_of(const char *path, cs_error *error)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    int rc = CS_OK;
    int fd;

    if (directory == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory to write %s", path);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        rc = storage_failed(error, "bringing to the disk the directory", directory, errno);
    if (fd >= 0)
        (void)close(fd);
    free(directory);
    return rc;
}

int cs_file_sink_commit(cs_file_sink **sink, cs_error *error)
{
    cs_file_sink *s = *sink;
    int fd = s->fd;
    int rc = CS_OK;

    if (s->temporary != NULL && fsync(fd) != 0)
        rc = storage_failed(error, "bringing to the disk", s->path, errno);
    s->fd = -1;
    if (close(fd) != 0 && rc == CS_OK) /* some file systems tell of a full disk only now */
        rc = storage_failed(error, "closing", s->path, errno);
    if (rc == CS_OK && s->temporary != NULL && rename(s->temporary, s->path) != 0)
        rc = storage_failed(error, "naming", s->path, errno);
    if (rc == CS_OK && s->temporary != NULL) {
        free(s->temporary);
        s->temporary = NULL;
        rc = sync_directory_of(s->path, error);
    }
    cs_file_sink_abandon(sink);
    return rc;
}

void cs_file_sink_abandon(cs_file_sink **sink)
{
    if (*sink == NULL)
        return;
    give_up(*sink);
    free(*sink);
    *sink = NULL;
}

int cs_file_write(const char *path, cs_view bytes, mode_t mode, cs_error *error)
{
    cs_file_sink *sink = NULL;
    int rc = cs_file_sink_open(&sink, path, mode, error);

    if (rc == CS_OK)
        rc = cs_file_sink_write(sink, bytes, error);
    if (rc == CS_OK)
        rc = cs_file_sink_commit(&sink, error);
    cs_file_sink_abandon(&sink);
    return rc;
}

/* ---- directories */

static int make_directory(const char *path, cs_error *error)
{
    struct stat info;

    if (mkdir(path, DIRECTORY_MODE) == 0)
        return CS_OK;
    if (errno != EEXIST)
        return storage_failed(error, "making the directory", path, errno);
    if (stat(path, &info) != 0)
        return storage_failed(error, "looking at", path, errno);
    if (!S_ISDIR(info.st_mode))
        return storage_failed(error, "making the directory", path, ENOTDIR);
    return CS_OK;
}

int cs_make_directories(const char *path, cs_error *error)
{
    char prefix[PATH_MAX];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof prefix)
        return CS_FAIL(error, CS_E_USAGE, "a path of %zu bytes names no directory", n);
    memcpy(prefix, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        int rc;

        if (prefix[i] != '/')
            continue;
        prefix[i] = '\0';
        rc = make_directory(prefix, error);
        if (rc != CS_OK)
            return rc;
        prefix[i] = '/';
    }
    return make_directory(prefix, error);
}
