/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/diagnosis_source.h"

#include "cli/input.h"
#include "service/editor.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* An editor's output goes there (editor.h) where ours goes somewhere else, as with --json > FILE.
 */
static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

int cs_check_diagnosis_source(const cs_arguments *arguments, cs_error *error)
{
    const char *from = cs_arg(arguments, "diagnosis");

    if (from == NULL &&
        (isatty(STDIN_FILENO) == 0 || (isatty(STDOUT_FILENO) == 0 && !has_terminal())))
        return CS_FAIL(error, CS_E_USAGE,
            "give --diagnosis FILE, or - for standard input: there is no terminal for an editor");
    if (from != NULL && strcmp(from, "-") != 0 && access(from, R_OK) != 0)
        return CS_FAIL(
            error, CS_E_NO_FILE, "the diagnosis %s cannot be read: %s", from, strerror(errno));
    return CS_OK;
}

static int read_standard_input(cs_buf *out, int stop_fd, size_t limit, cs_error *error)
{
    uint8_t room[4096];
    size_t got;
    int rc;

    do {
        rc = cs_input_read(&got, room, sizeof room, stop_fd, error);
        if (rc == CS_OK)
            rc = cs_buf_append(out, (cs_view){room, got}, error);
        if (rc == CS_OK && out->n > limit)
            rc = CS_FAIL(error, CS_E_TOO_LARGE, "a diagnosis has at most %zu bytes", limit);
    } while (rc == CS_OK && got > 0);
    cs_wipe(room, sizeof room);
    return rc;
}

int cs_take_diagnosis(
    cs_buf *out, const cs_arguments *arguments, const cs_home *home, int stop_fd, cs_error *error)
{
    const char *from = cs_arg(arguments, "diagnosis");

    if (from == NULL)
        return cs_editor_compose(out, home->dir, CS_DIAGNOSIS_MAX, error);
    if (strcmp(from, "-") == 0)
        return read_standard_input(out, stop_fd, CS_DIAGNOSIS_MAX, error);
    return cs_file_read(out, from, CS_DIAGNOSIS_MAX, error);
}
