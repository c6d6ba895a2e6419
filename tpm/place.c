/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of key files: one file per label, whole or not there. */
#include "tpm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".pem"
#define FILE_MAX 16384 /* a key file of a P-256 key has some 700 bytes */

static bool is_plain(char c, bool first)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || (c == '.' && !first);
}

/* A label may have any byte, a name of a file not: the others are written %XX. */
int tpm_place_of(char path[TPM_PATH_MAX], const char *dir, const char *label, cs_error *error)
{
    int used = snprintf(path, TPM_PATH_MAX, "%s/", dir);

    for (const char *c = label; *c != '\0' && used < TPM_PATH_MAX - 8; c++)
        used += snprintf(path + used, (size_t)(TPM_PATH_MAX - used),
            is_plain(*c, c == label) ? "%c" : "%%%02X", (unsigned)(unsigned char)*c);
    if (used >= TPM_PATH_MAX - 8)
        return CS_FAIL(error, CS_E_USAGE, "the path of the key directory is too long");
    (void)snprintf(path + used, (size_t)(TPM_PATH_MAX - used), SUFFIX);
    return CS_OK;
}

void tpm_place_label(char label[CS_LABEL_MAX + 1], const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t n = strlen(name), used = 0;

    if (n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0)
        n -= strlen(SUFFIX);
    for (size_t i = 0; i < n && used < CS_LABEL_MAX; i++) {
        char c = name[i];

        if (c == '%' && i + 2 < n) {
            const char digits[3] = {name[i + 1], name[i + 2], '\0'};
            unsigned long value = strtoul(digits, NULL, 16);

            if (value != 0) {
                c = (char)value;
                i += 2;
            }
        }
        label[used++] = c;
    }
    label[used] = '\0';
}

int tpm_place_read(cs_buf *out, const char *path, cs_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    ssize_t got = 0;
    int rc;

    if (fd < 0)
        return CS_FAIL(error, errno == ENOENT ? CS_E_KEY_MISSING : CS_E_STORAGE,
            "%s cannot be opened: %s", path, strerror(errno));
    rc = cs_buf_resize(out, FILE_MAX, error);
    if (rc == CS_OK && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)))
        rc = CS_FAIL(error, CS_E_MALFORMED, "%s is not a file", path);
    out->n = 0;
    while (rc == CS_OK && out->n < FILE_MAX) {
        got = read(fd, out->p + out->n, FILE_MAX - out->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = CS_FAIL(error, CS_E_STORAGE, "%s cannot be read: %s", path, strerror(errno));
        if (got <= 0)
            break;
        out->n += (size_t)got;
    }
    (void)close(fd);
    if (rc == CS_OK && out->n == FILE_MAX)
        rc = CS_FAIL(error, CS_E_TOO_LARGE, "%s is too long for a key file", path);
    return rc;
}

static bool write_all(int fd, cs_view bytes)
{
    size_t done = 0;

    while (done < bytes.n) {
        ssize_t n = write(fd, bytes.p + done, bytes.n - done);

        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

static bool sync_directory(const char *path)
{
    char dir[TPM_PATH_MAX];
    char *slash;
    int fd;
    bool done;

    (void)snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    if (slash == NULL)
        return false;
    slash[slash == dir ? 1 : 0] = '\0';
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    return done;
}

int tpm_place_write(const char *path, cs_view bytes, bool fresh, cs_error *error)
{
    char temporary[TPM_PATH_MAX + 8];
    bool done;
    int fd;

    (void)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return CS_FAIL(error, errno == ENOSPC ? CS_E_DISK_FULL : CS_E_STORAGE,
            "%s cannot be made: %s", temporary, strerror(errno));
    done = write_all(fd, bytes);
    done = close(fd) == 0 && done;
    if (done && fresh) /* link refuses what is there, and rename does not */
        done = link(temporary, path) == 0;
    else if (done)
        done = rename(temporary, path) == 0;
    if (!done || fresh) {
        int saved = errno;

        (void)unlink(temporary);
        errno = saved;
    }
    if (!done && fresh && errno == EEXIST)
        return CS_FAIL(error, CS_E_EXISTS,
            "%s is there already; take another label, or remove that key first", path);
    if (!done || !sync_directory(path))
        return CS_FAIL(error, errno == ENOSPC ? CS_E_DISK_FULL : CS_E_STORAGE,
            "%s cannot be written: %s", path, strerror(errno));
    return CS_OK;
}

int tpm_place_remove(const char *path, cs_error *error)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return CS_FAIL(error, CS_E_STORAGE, "%s cannot be removed: %s", path, strerror(errno));
    (void)sync_directory(path);
    return CS_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_path(char **paths, size_t *count, const char *dir, const char *name, cs_error *error)
{
    size_t n = strlen(name);

    if (n <= strlen(SUFFIX) || strcmp(name + n - strlen(SUFFIX), SUFFIX) != 0)
        return CS_OK;
    if (*count == TPM_KEYS_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "%s has over %d key files", dir, TPM_KEYS_MAX);
    if (asprintf(&paths[*count], "%s/%s", dir, name) < 0) {
        paths[*count] = NULL;
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a list of keys");
    }
    (*count)++;
    return CS_OK;
}

int tpm_place_list(char ***paths, size_t *count, const char *dir, cs_error *error)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    int rc = CS_OK;

    *count = 0;
    *paths = NULL;
    if (stream == NULL)
        return CS_FAIL(error, CS_E_STORAGE, "%s cannot be read: %s", dir, strerror(errno));
    *paths = calloc(TPM_KEYS_MAX, sizeof **paths);
    if (*paths == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a list of keys");
    while (rc == CS_OK && (entry = readdir(stream)) != NULL)
        rc = add_path(*paths, count, dir, entry->d_name, error);
    (void)closedir(stream);
    if (rc == CS_OK)
        qsort(*paths, *count, sizeof **paths, compare);
    else
        tpm_place_free(paths, *count);
    return rc;
}

void tpm_place_free(char ***paths, size_t count)
{
    for (size_t i = 0; *paths != NULL && i < count; i++)
        free((*paths)[i]);
    free(*paths);
    *paths = NULL;
}
