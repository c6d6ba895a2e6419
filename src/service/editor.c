/* SPDX-License-Identifier: Apache-2.0 */
#include "service/editor.h"

#include "service/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NAME_MAX 4096
#define TEXT_NAME "diagnosis.txt"
#define OPEN_MAX_HERE 8 /* descriptors for a walk through what an editor left */
#define DEFAULT_EDITOR "sensible-editor"

/* Our own output may be a file (--json > FILE): nothing of the editor's belongs there. */
static void take_terminal(void)
{
    int fd = isatty(STDOUT_FILENO) != 0 ? -1 : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0)
        (void)dup2(fd, STDOUT_FILENO);
}

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
    take_terminal();
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

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* With what the editor left beside it: backups and swap files hold the text too. */
static int remove_whole(const char *directory, cs_error *error)
{
    if (nftw(directory, remove_one, OPEN_MAX_HERE, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        return CS_FAIL(error, CS_E_STORAGE,
            "the editor's files in %s cannot be removed (%s); remove them", directory,
            strerror(errno));
    return CS_OK;
}

static bool has_text(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && status.st_size > 0;
}

int cs_editor_compose(cs_buf *out, const char *directory, size_t limit, cs_error *error)
{
    char own[FILE_NAME_MAX];
    char path[FILE_NAME_MAX + sizeof TEXT_NAME];
    cs_error ignored;
    int rc;

    (void)snprintf(own, sizeof own, "%s/diagnosis.XXXXXX", directory);
    if (mkdtemp(own) == NULL)
        return CS_FAIL(error, CS_E_STORAGE, "%s cannot be made: %s", own, strerror(errno));
    (void)snprintf(path, sizeof path, "%s/" TEXT_NAME, own);
    rc = cs_file_write(path, (cs_view){0}, 0600, error);
    if (rc == CS_OK)
        rc = run_editor(path, error);
    if (rc == CS_OK)
        rc = cs_file_read(out, path, limit, error);
    if (rc == CS_OK)
        return remove_whole(own, error);
    if (has_text(path))
        return cs_error_context(error, "the text is kept in %.1000s", path);
    (void)!remove_whole(own, &ignored);
    return rc;
}
