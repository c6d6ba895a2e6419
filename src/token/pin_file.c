/* SPDX-License-Identifier: Apache-2.0 */
#include "token/pin_sources.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest PIN and its line end, "\r\n". */
#define LINE_MAX_BYTES (CS_PIN_MAX + 2)

/* systemd gives a service its credentials by an ACL, whose mask shows as group bits; the directory
 * itself is closed to others. */
static bool is_credential(const char *path)
{
    const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
    size_t n = directory == NULL ? 0 : strlen(directory);

    return n > 0 && strncmp(path, directory, n) == 0 && path[n] == '/' &&
           strstr(path, "/../") == NULL;
}

static int check_mode(int fd, const char *path, cs_error *error)
{
    mode_t refused = is_credential(path) ? S_IRWXO : S_IRWXG | S_IRWXO;
    struct stat status;

    if (fstat(fd, &status) != 0)
        return CS_FAIL(
            error, CS_E_PIN_MISSING, "PIN file %s cannot be examined: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return CS_FAIL(error, CS_E_PIN_MISSING, "PIN file %s is a directory", path);
    if ((status.st_mode & refused) != 0)
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "PIN file %s is open to others (mode %03o); run chmod 600 on it, change the PIN", path,
            (unsigned)(status.st_mode & 0777));
    return CS_OK;
}

/* Reads up to the end, or until the room is full. */
static int read_all(int fd, const char *path, char *room, size_t size, size_t *n, cs_error *error)
{
    *n = 0;
    while (*n < size) {
        ssize_t got = read(fd, room + *n, size - *n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return CS_FAIL(
                error, CS_E_PIN_MISSING, "PIN file %s cannot be read: %s", path, strerror(errno));
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return CS_OK;
}

static int take_first_line(
    cs_pin *pin, const char *path, const char *text, size_t n, cs_error *error)
{
    const char *end = memchr(text, '\n', n);
    size_t line = end == NULL ? n : (size_t)(end - text);

    if (line > 0 && text[line - 1] == '\r')
        line--;
    if (line > CS_PIN_MAX)
        return CS_FAIL(
            error, CS_E_PIN_MISSING, "the PIN in %s is longer than %d bytes", path, CS_PIN_MAX);
    memcpy(pin->text, text, line);
    pin->n = line;
    return CS_OK;
}

int cs_pin_from_file(cs_pin *pin, const char *path, cs_error *error)
{
    char *room = cs_secret_new(LINE_MAX_BYTES);
    size_t n;
    int fd, rc;

    if (room == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN; raise RLIMIT_MEMLOCK");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        rc = CS_FAIL(
            error, CS_E_PIN_MISSING, "PIN file %s cannot be opened: %s", path, strerror(errno));
        goto out;
    }
    rc = check_mode(fd, path, error);
    if (rc == CS_OK)
        rc = read_all(fd, path, room, LINE_MAX_BYTES, &n, error);
    if (rc == CS_OK)
        rc = take_first_line(pin, path, room, n, error);
    (void)close(fd);
out:
    cs_secret_free(&room);
    return rc;
}
