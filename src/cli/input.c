/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/input.h"

#include "service/wait.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int cs_input_read(size_t *got, uint8_t *room, size_t size, int stop_fd, cs_error *error)
{
    ssize_t n;

    *got = 0;
    do {
        int rc = cs_wait_fd(STDIN_FILENO, POLLIN, CS_NO_DEADLINE, stop_fd, error);

        if (rc == CS_E_CANCELLED)
            return CS_FAIL(error, CS_E_CANCELLED, "stopped while waiting for input");
        if (rc != CS_OK)
            return rc;
        n = read(STDIN_FILENO, room, size);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n < 0)
        return CS_FAIL(error, CS_E_STORAGE, "standard input cannot be read: %s", strerror(errno));
    *got = (size_t)n;
    return CS_OK;
}

/* Byte by byte: what follows the line is not ours. */
int cs_input_answer(char *out, int stop_fd, cs_error *error)
{
    uint8_t byte = 0;
    size_t got = 1;
    bool first = true;
    int rc = CS_OK;

    *out = '\0';
    while (rc == CS_OK && got > 0 && byte != '\n') {
        rc = cs_input_read(&got, &byte, 1, stop_fd, error);
        if (rc == CS_OK && got > 0 && byte != '\n' && first)
            *out = (char)byte;
        first = false;
    }
    return rc;
}
