/* SPDX-License-Identifier: Apache-2.0 */
/* The Assuan dialogue with a pinentry program: greeting, options, SETTIMEOUT, SETDESC, GETPIN, BYE.
 * A pinentry that does not keep to the time is ended when it is up. */
#include "token/pin_sources.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Assuan's own limit on a line, with room for the end. */
#define LINE_SIZE 1002
/* What any honest pinentry says before the PIN fits in far fewer lines. */
#define LINES_MAX 64
/* Longer than its own time: so it can say itself that it is up. */
#define GRACE_S 2
/* After its input has ended it has nothing to do. */
#define LEAVING_MS 2000
#define LOOK_MS 20

/* One dialogue. */
typedef struct dialogue {
    int fd;
    int64_t deadline_ms;
    char *line; /* guarded, LINE_SIZE bytes */
    bool late;
} dialogue;

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

/* One line without its end. */
static bool read_line(dialogue *d, size_t *n)
{
    *n = 0;
    while (*n < LINE_SIZE) {
        ssize_t got;

        d->late = !cs_question_wait(d->fd, d->deadline_ms);
        if (d->late)
            return false;
        got = read(d->fd, d->line + *n, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        if (d->line[*n] == '\n')
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
static int await_ok(dialogue *d, cs_pin *pin, cs_error *error)
{
    for (int lines = 0; lines < LINES_MAX; lines++) {
        size_t n;

        if (!read_line(d, &n))
            break;
        if (starts_with(d->line, n, "OK"))
            return CS_OK;
        if (starts_with(d->line, n, "ERR"))
            return CS_FAIL(error, CS_E_CANCELLED, "no PIN was given to pinentry; do this again");
        if (starts_with(d->line, n, "D ") && (pin == NULL || !take_data(pin, d->line, n)))
            break;
    }
    if (d->late)
        return CS_FAIL(
            error, CS_E_CANCELLED, "no PIN was given to pinentry in time; do this again");
    return CS_FAIL(
        error, CS_E_PIN_MISSING, "pinentry does not answer as it should; use a PIN file");
}

static int ask(dialogue *d, cs_pin *pin, cs_error *error, const char *command)
{
    size_t n = strlen(command);

    if (send(d->fd, command, n, MSG_NOSIGNAL) != (ssize_t)n)
        return CS_FAIL(error, CS_E_PIN_MISSING, "pinentry went away: %s", strerror(errno));
    return await_ok(d, pin, error);
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

/* One that knows no SETTIMEOUT is as good: there is a time here, too. */
static int set_timeout(dialogue *d, unsigned seconds, cs_error *error)
{
    char command[64];
    int rc;

    if (seconds == 0)
        return CS_OK;
    (void)snprintf(command, sizeof command, "SETTIMEOUT %u\n", seconds);
    rc = ask(d, NULL, error, command);
    return rc == CS_E_CANCELLED && !d->late ? CS_OK : rc;
}

static int converse(
    int fd, cs_pin *pin, const cs_question *question, const char *tty, cs_error *error)
{
    char command[LINE_SIZE], escaped[LINE_SIZE - 32];
    dialogue d = {.fd = fd, .line = cs_secret_new(LINE_SIZE)};
    int rc;

    if (d.line == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN; raise RLIMIT_MEMLOCK");
    d.deadline_ms = cs_question_deadline(question);
    if (d.deadline_ms != INT64_MAX)
        d.deadline_ms += GRACE_S * INT64_C(1000);
    rc = await_ok(&d, NULL, error);
    if (rc == CS_OK && tty != NULL) {
        (void)snprintf(command, sizeof command, "OPTION ttyname=%s\n", tty);
        rc = ask(&d, NULL, error, command);
    }
    if (rc == CS_OK)
        rc = set_timeout(&d, question->patience_s, error);
    if (rc == CS_OK) {
        escape(escaped, sizeof escaped, question->description);
        (void)snprintf(command, sizeof command, "SETDESC %s\n", escaped);
        rc = ask(&d, NULL, error, command);
    }
    if (rc == CS_OK)
        rc = ask(&d, NULL, error, "SETPROMPT PIN:\n");
    if (rc == CS_OK)
        rc = ask(&d, pin, error, "GETPIN\n");
    if (rc == CS_OK)
        (void)send(d.fd, "BYE\n", 4, MSG_NOSIGNAL);
    cs_secret_free(&d.line);
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

/* The end of its input makes it leave, whatever was said; or it is ended. */
static void end(pid_t child)
{
    const struct timespec look = {0, LOOK_MS * 1000000L};

    for (int waited = 0; waited < LEAVING_MS; waited += LOOK_MS) {
        if (waitpid(child, NULL, WNOHANG) != 0)
            return;
        (void)nanosleep(&look, NULL);
    }
    (void)kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

int cs_pin_from_pinentry(
    cs_pin *pin, bool *tried, const cs_question *question, const char *tty, cs_error *error)
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
    rc = converse(ends[0], pin, question, tty, error);
    (void)close(ends[0]);
    end(child);
    return rc;
}
