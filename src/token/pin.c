/* SPDX-License-Identifier: Apache-2.0 */
#include "token/pin_sources.h"

#include <chartseal/secret.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int from_environment(cs_pin *pin, const char *name, const char *what, cs_error *error)
{
    const char *path = secure_getenv(name);

    if (path == NULL || path[0] == '\0')
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "%s needs a PIN; set %s to the path of the file that holds it", what, name);
    return cs_pin_from_file(pin, path, error);
}

static int from_callback(
    cs_pin *pin, const cs_pin_source *source, const char *what, cs_error *error)
{
    size_t n = 0;
    int rc;

    if (source->callback == NULL)
        return CS_FAIL(
            error, CS_E_PIN_MISSING, "%s needs a PIN, and its callback is missing", what);
    rc = source->callback(source->context, pin->text, &n, error);
    if (rc == CS_OK && n > CS_PIN_MAX)
        rc = CS_FAIL(error, CS_E_INTERNAL, "a callback gave a PIN of over %d bytes", CS_PIN_MAX);
    pin->n = rc == CS_OK ? n : 0;
    return rc;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cs_question_deadline(const cs_question *question)
{
    return question->patience_s == 0 ? INT64_MAX : now_ms() + question->patience_s * INT64_C(1000);
}

bool cs_question_wait(int fd, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int64_t left_ms = deadline_ms == INT64_MAX ? -1 : deadline_ms - now_ms();
        int ready;

        if (deadline_ms != INT64_MAX && left_ms <= 0)
            return false;
        ready = poll(&one, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (ready != 0 && (ready > 0 || errno != EINTR))
            return true; /* a failure shows at the reading */
    }
}

/* A person can be asked only where there is a display or a terminal of this process's own: a daemon
 * must fail instead of waiting for nobody. */
static int ask_person(cs_pin *pin, const cs_pin_source *source, const char *what,
    const char *warning, cs_error *error)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    bool display = getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;
    char name[64] = "";
    char description[CS_ERROR_MESSAGE_MAX];
    cs_question question = {
        description, source->patience_s == 0 ? CS_PIN_PATIENCE_S : source->patience_s};
    bool tried = false;
    int rc;

    if (terminal < 0 && !display)
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "%s needs a PIN and there is no terminal to ask on; give a PIN file", what);
    (void)snprintf(description, sizeof description, "PIN of %s%s%s", what,
        warning == NULL ? "" : "; ", warning == NULL ? "" : warning);
    if (terminal >= 0 && ttyname_r(terminal, name, sizeof name) != 0)
        name[0] = '\0';
    rc = cs_pin_from_pinentry(pin, &tried, &question, name[0] == '\0' ? NULL : name, error);
    if (!tried && terminal >= 0)
        rc = cs_pin_from_terminal(pin, terminal, &question, error);
    else if (!tried)
        rc = CS_FAIL(
            error, CS_E_PIN_MISSING, "%s needs a PIN; install pinentry, or give a PIN file", what);
    if (terminal >= 0)
        (void)close(terminal);
    return rc;
}

void cs_pin_tell(cs_token_tell_fn tell, void *context, const char *text)
{
    int terminal;

    if (tell != NULL) {
        tell(context, text);
        return;
    }
    terminal = open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (terminal >= 0) {
        (void)dprintf(terminal, "%s\n", text);
        (void)close(terminal);
    }
}

int cs_pin_get(cs_pin *out, const cs_pin_source *source, const char *what, const char *warning,
    cs_error *error)
{
    int rc;

    *out = (cs_pin){.text = cs_secret_new(CS_PIN_MAX)};
    if (out->text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN; raise RLIMIT_MEMLOCK");
    switch (source->kind) {
    case CS_PIN_FILE:
        rc = cs_pin_from_file(out, source->path, error);
        break;
    case CS_PIN_ENVIRONMENT:
        rc = from_environment(out, source->path, what, error);
        break;
    case CS_PIN_CALLBACK:
        rc = from_callback(out, source, what, error);
        break;
    case CS_PIN_PINENTRY:
        rc = ask_person(out, source, what, warning, error);
        break;
    case CS_PIN_NONE:
    default:
        rc = CS_FAIL(error, CS_E_PIN_MISSING,
            "%s needs a PIN; give a PIN file, or a pin-source in the URI", what);
        break;
    }
    if (rc == CS_OK && out->n == 0)
        rc = CS_FAIL(error, CS_E_PIN_MISSING, "the PIN given for %s is empty", what);
    if (rc != CS_OK)
        cs_pin_free(out);
    return rc;
}

void cs_pin_free(cs_pin *pin)
{
    cs_secret_free(&pin->text);
    pin->n = 0;
}

/* Blanks do not count: the parser of URIs leaves them out. */
int cs_pin_refuse_in_uri(const char *uri, const char *where, cs_error *error)
{
    static const char name[] = "pin-value";
    size_t matched = 0;

    for (; *uri != '\0' && matched < sizeof name - 1; uri++) {
        if (isspace((unsigned char)*uri))
            continue;
        if (tolower((unsigned char)*uri) == name[matched])
            matched++;
        else
            matched = tolower((unsigned char)*uri) == name[0] ? 1 : 0;
    }
    if (matched == sizeof name - 1)
        return CS_FAIL(error, CS_E_USAGE,
            "the URI in %s has a pin-value, which others can read there; give a PIN file, and "
            "change the PIN",
            where);
    return CS_OK;
}
