/* SPDX-License-Identifier: Apache-2.0 */
#include "service/signals.h"

#include "service/wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

int cs_stop_fd_open(int *out, cs_error *error)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return CS_FAIL(error, CS_E_INTERNAL, "signals cannot be set up: %s", strerror(errno));
    *out = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*out < 0)
        return CS_FAIL(error, CS_E_INTERNAL, "no descriptor for signals: %s", strerror(errno));
    return CS_OK;
}

int cs_wait_for_stop(int stop_fd, int timeout_ms, cs_error *error)
{
    return cs_wait_fd(stop_fd, POLLIN, cs_deadline_in(timeout_ms), -1, error);
}
