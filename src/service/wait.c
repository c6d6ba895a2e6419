/* SPDX-License-Identifier: Apache-2.0 */
#include "service/wait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

static _Thread_local int64_t waited_us;

int64_t cs_monotonic_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t cs_monotonic_ms(void)
{
    return cs_monotonic_us() / 1000;
}

int64_t cs_waited_us(void)
{
    return waited_us;
}

void cs_waited_since(int64_t started_us)
{
    waited_us += cs_monotonic_us() - started_us;
}

int64_t cs_deadline_in(int timeout_ms)
{
    return timeout_ms < 0 ? CS_NO_DEADLINE : cs_monotonic_ms() + timeout_ms;
}

static int poll_timeout(int64_t deadline)
{
    int64_t left;

    if (deadline == CS_NO_DEADLINE)
        return -1;
    left = deadline - cs_monotonic_ms();
    if (left < 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int cs_wait_fd(int fd, short events, int64_t deadline, int cancel_fd, cs_error *error)
{
    struct pollfd fds[2] = {{fd, events, 0}, {cancel_fd, POLLIN, 0}};

    for (;;) {
        int64_t started_us = cs_monotonic_us();
        int n = poll(fds, 2, poll_timeout(deadline));

        cs_waited_since(started_us);
        if (n < 0 && errno != EINTR)
            return CS_FAIL(error, CS_E_INTERNAL, "poll: %s", strerror(errno));
        if (n > 0 && fds[1].revents != 0)
            return CS_FAIL(error, CS_E_CANCELLED, "called off");
        if (n > 0)
            return CS_OK;
        if (n == 0 && cs_monotonic_ms() >= deadline)
            return CS_FAIL(error, CS_E_TIMEOUT, "nothing came in time");
    }
}
