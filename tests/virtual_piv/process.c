/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32

static _Noreturn void become_card(char **arguments)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execv(CS_VIRTUAL_PIV, arguments);
    _exit(127);
}

pid_t card_start(const char *state, const char *port, const char *options)
{
    char line[1024], *arguments[ARGUMENTS_MAX], *rest;
    size_t n = 0;
    pid_t card;

    assert_true(snprintf(line, sizeof line, "%s --state %s --port %s %s", CS_VIRTUAL_PIV, state,
                    port, options) < (int)sizeof line);
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(n + 1 < ARGUMENTS_MAX);
        arguments[n++] = word;
    }
    arguments[n] = NULL;
    card = fork();
    if (card == 0)
        become_card(arguments);
    assert_true(card > 0);
    return card;
}

void card_end(pid_t card)
{
    int status;

    assert_int_equal(kill(card, SIGTERM), 0);
    assert_int_equal(waitpid(card, &status, 0), card);
    assert_int_equal(status, 0);
}
