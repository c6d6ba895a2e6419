/* SPDX-License-Identifier: Apache-2.0 */
/* The Assuan dialogue with a pinentry program: greeting, options, SETDESC, GETPIN, BYE. */
#include "token/pin_sources.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Assuan's own limit on a line, with room for the end. */
#define LINE_SIZE 1002
/* What any honest pinentry says before the PIN fits in far fewer lines. */
#define LINES_MAX 64

extern char **environ;

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* One line without its end into guarded memory. */
static bool read_line(int fd, char *line, size_t *n)
{
    *n = 0;
    while (*n < LINE_SIZE) {
        ssize_t got = read(fd, line + *n, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        if (line[*n] == '\n')
            return true;
        ++*n;
    }
    return false;
}

/* "D " lines carry the PIN with %XX for the bytes that Assuan cannot carry. */
static bool take_data(cs_pin *pin, const char *line, size_t n)
{
    for (size_t i = 2; i < n; i++) {
        char c = line[i];

        if (c == '%') {
            int high = i + 2 < n ? hex_value(line[i + 1]) : -1;
            int low = i + 2 < n ? hex_value(line[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (pin->n == CS_PIN_MAX)
            return false;
        pin->text[pin->n++] = c;
    }
    return true;
}

static bool starts_with(const char *line, size_t n, const char *prefix)
{
    return n >= strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0;
}

/* Reads up to OK or ERR; data lines go to pin, which may be NULL where none is due. */
static int await_ok(int fd, cs_pin *pin, char *line, cs_error *error)
{
    for (int lines = 0; lines < LINES_MAX; lines++) {
        size_t n;

        if (!read_line(fd, line, &n))
            break;
        if (starts_with(line, n, "OK"))
            return CS_OK;
        if (starts_with(line, n, "ERR"))
            return CS_FAIL(error, CS_E_CANCELLED, "no PIN was given to pinentry");
        if (starts_with(line, n, "D ") && (pin == NULL || !take_data(pin, line, n)))
            break;
    }
    return CS_FAIL(
        error, CS_E_PIN_MISSING, "pinentry does not answer as it should; use a PIN file");
}

static int ask(int fd, cs_pin *pin, char *line, cs_error *error, const char *command)
{
    size_t n = strlen(command);

    if (send(fd, command, n, MSG_NOSIGNAL) != (ssize_t)n)
        return CS_FAIL(error, CS_E_PIN_MISSING, "pinentry went away: %s", strerror(errno));
    return await_ok(fd, pin, line, error);
}

/* Percent, CR and LF are the bytes that a command line of Assuan cannot carry as they are. */
static void escape(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n + 4 < size; text++) {
        if (*text == '%' || *text == '\n' || *text == '\r') {
            (void)snprintf(out + n, size - n, "%%%02X", (unsigned)(unsigned char)*text);
            n += 3;
        } else {
            out[n++] = *text;
        }
    }
    out[n] = '\0';
}

static int converse(int fd, cs_pin *pin, const char *description, const char *tty, cs_error *error)
{
    char command[LINE_SIZE], escaped[LINE_SIZE - 32];
    char *line = cs_secret_new(LINE_SIZE);
    int rc;

    if (line == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN; raise RLIMIT_MEMLOCK");
    rc = await_ok(fd, NULL, line, error);
    if (rc == CS_OK && tty != NULL) {
        (void)snprintf(command, sizeof command, "OPTION ttyname=%s\n", tty);
        rc = ask(fd, NULL, line, error, command);
    }
    if (rc == CS_OK) {
        escape(escaped, sizeof escaped, description);
        (void)snprintf(command, sizeof command, "SETDESC %s\n", escaped);
        rc = ask(fd, NULL, line, error, command);
    }
    if (rc == CS_OK)
        rc = ask(fd, NULL, line, error, "SETPROMPT PIN:\n");
    if (rc == CS_OK)
        rc = ask(fd, pin, line, error, "GETPIN\n");
    if (rc == CS_OK)
        (void)send(fd, "BYE\n", 4, MSG_NOSIGNAL);
    cs_secret_free(&line);
    return rc;
}

static int start(pid_t *child, int theirs)
{
    char name[] = "pinentry";
    char *arguments[] = {name, NULL};
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);

    if (failed != 0)
        return failed;
    failed = posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
    if (failed == 0)
        failed = posix_spawnp(child, name, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

int cs_pin_from_pinentry(
    cs_pin *pin, bool *tried, const char *description, const char *tty, cs_error *error)
{
    int ends[2], rc;
    pid_t child;

    *tried = false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "no socket for pinentry: %s", strerror(errno));
    if (start(&child, ends[1]) != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return CS_FAIL(error, CS_E_PIN_MISSING, "pinentry is not installed");
    }
    *tried = true;
    (void)close(ends[1]);
    rc = converse(ends[0], pin, description, tty, error);
    (void)close(ends[0]); /* the end of its input makes it leave, whatever was said */
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}
