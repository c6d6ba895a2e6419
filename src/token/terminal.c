/* SPDX-License-Identifier: Apache-2.0 */
#include "token/pin_sources.h"

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool say(int terminal, const char *text)
{
    size_t n = strlen(text);

    return write(terminal, text, n) == (ssize_t)n;
}

/* One byte at a time, so that no stdio buffer keeps the PIN. */
static int read_line(cs_pin *pin, int terminal, cs_error *error)
{
    for (;;) {
        char c = '\0';
        ssize_t got = read(terminal, &c, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return CS_FAIL(error, CS_E_CANCELLED, "no PIN was typed");
        if (c == '\n')
            return CS_OK;
        if (pin->n == CS_PIN_MAX)
            return CS_FAIL(
                error, CS_E_PIN_MISSING, "a PIN has at most %d bytes; try again", CS_PIN_MAX);
        pin->text[pin->n++] = c;
        cs_wipe(&c, sizeof c);
    }
}

int cs_pin_from_terminal(cs_pin *pin, int terminal, const char *description, cs_error *error)
{
    struct termios before, quiet;
    int rc;

    if (tcgetattr(terminal, &before) != 0)
        return CS_FAIL(
            error, CS_E_PIN_MISSING, "the terminal cannot be asked: %s", strerror(errno));
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    quiet.c_lflag |= ICANON;
    if (tcsetattr(terminal, TCSAFLUSH, &quiet) != 0)
        return CS_FAIL(error, CS_E_PIN_MISSING, "the terminal's echo cannot be switched off: %s",
            strerror(errno));
    if (say(terminal, description) && say(terminal, ": "))
        rc = read_line(pin, terminal, error);
    else
        rc = CS_FAIL(error, CS_E_PIN_MISSING, "the terminal cannot be written to");
    (void)tcsetattr(terminal, TCSAFLUSH, &before);
    (void)say(terminal, "\n");
    return rc;
}
