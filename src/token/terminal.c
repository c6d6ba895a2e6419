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

/* What a typed byte asks for. The terminal raises no signals meanwhile: one would end the process
 * with the echo still off, and a library installs no handlers of its own. */
typedef enum typed { TYPED_TEXT, TYPED_END, TYPED_ERASE, TYPED_KILL, TYPED_CANCEL } typed;

static typed meaning_of(const struct termios *terminal, char c, bool empty)
{
    cc_t code = (cc_t)c;

    if (c == '\n' || c == '\r')
        return TYPED_END;
    if (code == _POSIX_VDISABLE)
        return TYPED_TEXT;
    if (code == terminal->c_cc[VINTR] || code == terminal->c_cc[VQUIT] ||
        code == terminal->c_cc[VSUSP])
        return TYPED_CANCEL;
    if (code == terminal->c_cc[VEOF])
        return empty ? TYPED_CANCEL : TYPED_END;
    if (code == terminal->c_cc[VKILL])
        return TYPED_KILL;
    return code == terminal->c_cc[VERASE] || c == '\b' || c == 0x7f ? TYPED_ERASE : TYPED_TEXT;
}

static void erase(cs_pin *pin, size_t keep)
{
    cs_wipe(pin->text + keep, pin->n - keep);
    pin->n = keep;
}

/* One byte at a time, so that no stdio buffer keeps the PIN. */
static int read_line(
    cs_pin *pin, int terminal, const struct termios *keys, int64_t deadline_ms, cs_error *error)
{
    for (;;) {
        char c = '\0';
        ssize_t got;

        if (!cs_question_wait(terminal, deadline_ms))
            return CS_FAIL(error, CS_E_CANCELLED, "no PIN was typed in time; do this again");
        got = read(terminal, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return CS_FAIL(error, CS_E_CANCELLED, "no PIN was typed");
        switch (meaning_of(keys, c, pin->n == 0)) {
        case TYPED_END:
            return CS_OK;
        case TYPED_CANCEL:
            return CS_FAIL(error, CS_E_CANCELLED, "no PIN was typed");
        case TYPED_KILL:
            erase(pin, 0);
            break;
        case TYPED_ERASE:
            erase(pin, pin->n == 0 ? 0 : pin->n - 1);
            break;
        case TYPED_TEXT:
        default:
            if (pin->n == CS_PIN_MAX)
                return CS_FAIL(
                    error, CS_E_PIN_MISSING, "a PIN has at most %d bytes; try again", CS_PIN_MAX);
            pin->text[pin->n++] = c;
        }
        cs_wipe(&c, sizeof c);
    }
}

int cs_pin_from_terminal(cs_pin *pin, int terminal, const cs_question *question, cs_error *error)
{
    struct termios before, quiet;
    int rc;

    if (tcgetattr(terminal, &before) != 0)
        return CS_FAIL(
            error, CS_E_PIN_MISSING, "the terminal cannot be asked: %s", strerror(errno));
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL | ICANON | ISIG);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr(terminal, TCSAFLUSH, &quiet) != 0)
        return CS_FAIL(error, CS_E_PIN_MISSING, "the terminal's echo cannot be switched off: %s",
            strerror(errno));
    if (say(terminal, question->description) && say(terminal, ": "))
        rc = read_line(pin, terminal, &before, cs_question_deadline(question), error);
    else
        rc = CS_FAIL(error, CS_E_PIN_MISSING, "the terminal cannot be written to");
    (void)tcsetattr(terminal, TCSAFLUSH, &before);
    (void)say(terminal, "\n");
    return rc;
}
