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
 * The file of a store. It comes into being whole: the schema is made in a file of another name,
 * which then gets the store's name by link(2). So an empty or unmarked file of that name is never
 * a store about to be made by another process: it is damage, and must not pass for a new store.
 */

static int fail_file(const char *path, int number, cs_error *error)
{
    if (number == ENOSPC || number == EDQUOT)
        return CS_FAIL(error, CS_E_DISK_FULL, "%s: the disk is full; make room", path);
    return CS_FAIL(error, CS_E_STORAGE, "%s cannot be opened: %s; check the path and its rights",
        path, strerror(number));
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int cs_file_resolve(char **out, const char *path, cs_error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *directory = directory_of(path);
    char *real = directory == NULL ? NULL : realpath(directory, NULL);
    int rc = CS_OK;

    *out = NULL;
    if (directory == NULL || (real == NULL && errno == ENOMEM))
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a path");
    else if (real == NULL)
        rc = fail_file(path, errno, error);
    else if (*name == '\0')
        rc = CS_FAIL(error, CS_E_STORAGE, "'%s' names no file; name the store's file", path);
    else if (asprintf(out, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) < 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a path");
    if (rc != CS_OK)
        *out = NULL;
    free(real);
    free(directory);
    return rc;
}

/* The name is as durable as what is under it. */
static int sync_directory(const char *path, cs_error *error)
{
    char *directory = directory_of(path);
    int rc = CS_OK;
    int fd;

    if (directory == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a path");
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        rc = fail_file(directory, errno, error);
    if (fd >= 0)
        (void)close(fd);
    free(directory);
    return rc;
}

/* The database is gone and its log is not: what the log holds would be lost, or replayed into a
 * store that it does not belong to. */
static int check_orphan(const char *path, const char *end, cs_error *error)
{
    struct stat about;
    char *log = NULL;
    int rc = CS_OK;

    if (asprintf(&log, "%s%s", path, end) < 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a path");
    /* Seen once more: another process may just have made both. */
    if (lstat(log, &about) == 0 && about.st_size > 0 && lstat(path, &about) != 0)
        rc = CS_FAIL(error, CS_E_CORRUPT,
            "%s is missing but its log %s is there; restore it from a backup", path, end);
    free(log);
    return rc;
}

static int fill(cs_store *fresh, int fd, cs_error *error)
{
    int number = fchmod(fd, 0600) == 0 ? 0 : errno;
    int rc;

    /* Closed before SQLite opens it: closing a descriptor drops the process's locks on the file. */
    (void)close(fd);
    rc = number == 0 ? CS_OK : fail_file(fresh->path, number, error);
    if (rc == CS_OK)
        rc = cs_sql_open(fresh, error);
    if (rc == CS_OK)
        rc = cs_store_create(fresh, error);
    cs_sql_close(fresh);
    return rc;
}

static int make(const char *path, cs_error *error)
{
    cs_store fresh = {.writers = -1};
    int rc = check_orphan(path, "-wal", error);
    int fd;

    if (rc == CS_OK)
        rc = check_orphan(path, "-journal", error);
    if (rc != CS_OK)
        return rc;
    if (asprintf(&fresh.path, "%s-new-XXXXXX", path) < 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a path");
    fd = mkostemp(fresh.path, O_CLOEXEC);
    if (fd < 0) {
        rc = fail_file(path, errno, error);
        goto out;
    }
    rc = fill(&fresh, fd, error);
    /* When another process was faster, its store is as good. */
    if (rc == CS_OK && link(fresh.path, path) != 0 && errno != EEXIST)
        rc = fail_file(path, errno, error);
    (void)unlink(fresh.path);
    if (rc == CS_OK)
        rc = sync_directory(path, error);
out:
    free(fresh.path);
    return rc;
}

int cs_file_ready(const char *path, cs_error *error)
{
    struct stat about;
    int rc = CS_OK;

    if (lstat(path, &about) != 0 && errno == ENOENT)
        rc = make(path, error);
    if (rc != CS_OK)
        return rc;
    if (lstat(path, &about) != 0)
        return fail_file(path, errno, error);
    if (!S_ISREG(about.st_mode))
        return CS_FAIL(error, CS_E_STORAGE, "%s is not a plain file; name another", path);
    if (about.st_size == 0)
        return CS_FAIL(error, CS_E_CORRUPT,
            "%s is empty, as no store ever is; restore it from a backup", path);
    /* SQLite gives its -wal and -shm the mode of the file itself. */
    if ((about.st_mode & 0777) != 0600 && chmod(path, 0600) != 0)
        return fail_file(path, errno, error);
    return CS_OK;
}
