/* SPDX-License-Identifier: Apache-2.0 */
#include "service/editor.h"

#include "service/files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NAME_MAX 4096
#define DEFAULT_EDITOR "sensible-editor"

/* The variable may hold options too, so a shell reads it; the name of the file is an argument. */
static void become_editor(const char *file)
{
    const char *editor = getenv("VISUAL");
    char script[1024];
    sigset_t none;
    int n;

    if (editor == NULL)
        editor = getenv("EDITOR");
    n = snprintf(script, sizeof script, "%s \"$1\"", editor == NULL ? DEFAULT_EDITOR : editor);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (n > 0 && (size_t)n < sizeof script)
        (void)execl("/bin/sh", "sh", "-c", script, "chartseal", file, (char *)NULL);
    _exit(127);
}

static int run_editor(const char *file, cs_error *error)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        become_editor(file);
    if (child < 0)
        return CS_FAIL(error, CS_E_INTERNAL, "no process for the editor: %s", strerror(errno));
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return CS_FAIL(error, CS_E_INTERNAL, "the editor is lost: %s", strerror(errno));
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return CS_FAIL(error, CS_E_CANCELLED,
            "the editor was left with an error; set EDITOR, or give --diagnosis FILE");
    return CS_OK;
}

int cs_editor_compose(cs_buf *out, const char *directory, size_t limit, cs_error *error)
{
    char path[FILE_NAME_MAX];
    int fd;
    int rc;

    (void)snprintf(path, sizeof path, "%s/diagnosis.XXXXXX", directory);
    fd = mkstemp(path);
    if (fd < 0)
        return CS_FAIL(error, CS_E_STORAGE, "%s cannot be made: %s", path, strerror(errno));
    (void)close(fd);
    rc = run_editor(path, error);
    if (rc == CS_OK)
        rc = cs_file_read(out, path, limit, error);
    (void)unlink(path);
    return rc;
}
