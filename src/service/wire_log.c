/* SPDX-License-Identifier: Apache-2.0 */
#include "service/wire_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64
/* Three names and their keys. */
#define HEAD_MAX_BYTES 320
#define LINE_END "\"}\n"

struct cs_wire_log {
    pthread_mutex_t lock;
    int fd; /* -1: only counts */
    char *path;
    cs_wire_counts counts;
};

int cs_wire_log_open(cs_wire_log **out, const char *path, cs_error *error)
{
    cs_wire_log *log = calloc(1, sizeof *log);

    if (log == NULL || pthread_mutex_init(&log->lock, NULL) != 0) {
        free(log);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the wire log");
    }
    log->fd = -1;
    *out = log;
    if (path == NULL)
        return CS_OK;
    log->path = strdup(path);
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (log->path != NULL && log->fd >= 0)
        return CS_OK;
    (void)CS_FAIL(error, CS_E_STORAGE,
        "the wire log %s does not open: %s; name a file that can be "
        "written",
        path, strerror(errno));
    cs_wire_log_close(out);
    return CS_E_STORAGE;
}

void cs_wire_log_close(cs_wire_log **log)
{
    if (*log == NULL)
        return;
    if ((*log)->fd >= 0)
        (void)close((*log)->fd);
    (void)pthread_mutex_destroy(&(*log)->lock);
    free((*log)->path);
    free(*log);
    *log = NULL;
}

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  " _.:/-";
    size_t n = strlen(text);

    return n > 0 && n <= NAME_MAX_BYTES && strspn(text, allowed) == n;
}

/* One write, so that lines of several processes do not mix: O_APPEND places and writes at once. */
static int write_line(const cs_wire_log *log, const char *line, size_t n, cs_error *error)
{
    ssize_t written;

    do {
        written = write(log->fd, line, n);
    } while (written < 0 && errno == EINTR);
    if (written == (ssize_t)n)
        return CS_OK;
    if (written >= 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return CS_FAIL(error, CS_E_DISK_FULL,
            "the wire log %s has no room for a line of %zu bytes; "
            "free some space or log elsewhere",
            log->path, n);
    return CS_FAIL(
        error, CS_E_STORAGE, "the wire log %s cannot be written: %s", log->path, strerror(errno));
}

int cs_wire_log_add(cs_wire_log *log, const char *from, const char *to, const char *type,
    cs_view bytes, cs_error *error)
{
    size_t size = HEAD_MAX_BYTES + 2 * bytes.n + sizeof LINE_END;
    size_t n;
    char *line;
    int rc;

    if (log == NULL)
        return CS_OK;
    (void)pthread_mutex_lock(&log->lock);
    log->counts.messages++;
    log->counts.bytes += bytes.n;
    (void)pthread_mutex_unlock(&log->lock);
    if (log->fd < 0)
        return CS_OK;
    if (!is_name(from) || !is_name(to) || !is_name(type))
        return CS_FAIL(error, CS_E_USAGE, "a party or message type for the wire log is no name");
    if (bytes.n > CS_WIRE_LOG_MESSAGE_MAX)
        return CS_FAIL(
            error, CS_E_TOO_LARGE, "a message of %zu bytes is too large for the wire log", bytes.n);
    line = malloc(size);
    if (line == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a line of %zu bytes", size);
    n = (size_t)snprintf(line, HEAD_MAX_BYTES,
        "{\"from\":\"%s\",\"to\":\"%s\",\"type\":\"%s\",\"hex\":\"", from, to, type);
    cs_hex(bytes, line + n);
    n += 2 * bytes.n;
    memcpy(line + n, LINE_END, sizeof LINE_END);
    rc = write_line(log, line, n + sizeof LINE_END - 1, error);
    free(line);
    return rc;
}

cs_wire_counts cs_wire_log_counts(cs_wire_log *log)
{
    cs_wire_counts counts = {0};

    if (log == NULL)
        return counts;
    (void)pthread_mutex_lock(&log->lock);
    counts = log->counts;
    (void)pthread_mutex_unlock(&log->lock);
    return counts;
}
