/* SPDX-License-Identifier: Apache-2.0 */
#include "token/share_terminal.h"

#include "token/pin_sources.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIES 3
/* Cursor home, erase the screen, erase the lines above it (xterm and its like). */
#define CLEAR "\033[H\033[2J\033[3J"

static int open_terminal(int *terminal, cs_error *error)
{
    *terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (*terminal < 0)
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "there is no terminal to show shares on or take them from; name files");
    return CS_OK;
}

static int say(int terminal, cs_view text, cs_error *error)
{
    while (text.n > 0) {
        ssize_t n = write(terminal, text.p, text.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return CS_FAIL(error, CS_E_PIN_MISSING, "the terminal cannot be written to");
        text = (cs_view){text.p + n, text.n - (size_t)n};
    }
    return CS_OK;
}

/* A line without an echo; what it says is dropped. Nobody is hurried in a ceremony. */
static int wait_for_enter(int terminal, const char *text, cs_error *error)
{
    cs_pin pin = {.text = cs_secret_new(CS_PIN_MAX)};
    cs_question question = {text, 0};
    int rc = pin.text == NULL ? CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a line")
                              : cs_pin_from_terminal(&pin, terminal, &question, error);

    cs_pin_free(&pin);
    return rc;
}

int cs_share_call(const char *text, cs_error *error)
{
    int terminal;
    int rc = open_terminal(&terminal, error);

    if (rc != CS_OK)
        return rc;
    rc = wait_for_enter(terminal, text, error);
    (void)close(terminal);
    return rc;
}

int cs_share_show(const cs_share *share, const char *heading, cs_error *error)
{
    cs_buf text = {.guarded = true};
    int terminal;
    int rc = open_terminal(&terminal, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_buf_append(&text, cs_view_str(CLEAR), error);
    if (rc == CS_OK)
        rc = cs_buf_append(&text, cs_view_str(heading), error);
    if (rc == CS_OK)
        rc = cs_buf_append(&text, cs_view_str("\n\n"), error);
    if (rc == CS_OK)
        rc = cs_share_print(&text, share, error);
    if (rc == CS_OK)
        rc = say(terminal, cs_view_buf(&text), error);
    if (rc == CS_OK)
        rc = wait_for_enter(
            terminal, "\ncopy it and compare the copy; Enter clears the screen", error);
    if (say(terminal, cs_view_str(CLEAR), NULL) != CS_OK && rc == CS_OK)
        rc = CS_FAIL(error, CS_E_PIN_MISSING, "the terminal cannot be cleared; do it by hand");
    (void)close(terminal);
    cs_buf_free(&text);
    return rc;
}

static int ask_once(cs_share *out, int terminal, const char *what, cs_error *error)
{
    cs_pin line = {.text = cs_secret_new(CS_PIN_MAX)};
    cs_question question = {what, 0};
    int rc = line.text == NULL ? CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a share")
                               : cs_pin_from_terminal(&line, terminal, &question, error);

    if (rc == CS_OK)
        rc = cs_share_parse(out, (cs_view){(const uint8_t *)line.text, line.n}, error);
    cs_pin_free(&line);
    return rc;
}

int cs_share_ask(cs_share *out, const char *what, cs_error *error)
{
    int terminal;
    int rc = open_terminal(&terminal, error);

    if (rc != CS_OK)
        return rc;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        rc = ask_once(out, terminal, what, error);
        if (rc != CS_E_MALFORMED)
            break;
        if (tries + 1 < TRIES)
            rc = say(terminal, cs_view_str("a digit is wrong; once more\n"), error);
        if (rc != CS_OK)
            break;
    }
    (void)close(terminal);
    return rc;
}
