/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: ends the process, as by kill -9, before the nth file takes its name
 * (CS_KILL_RENAME=n) or right after (CS_KILL_RENAME=n+). With CS_COUNT_RENAMES each is noted in
 * that file. Files are written whole by a rename (service/files.h), so these are all states that a
 * kill can leave on the disk.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int rename(const char *from, const char *to)
{
    static unsigned long count;
    const char *orders = getenv("CS_KILL_RENAME"), *notes = getenv("CS_COUNT_RENAMES");
    int (*real)(const char *, const char *);
    void *symbol = dlsym(RTLD_NEXT, "rename");
    char *end = NULL;
    unsigned long nth = orders == NULL ? 0 : strtoul(orders, &end, 10);
    int fd = notes == NULL ? -1 : open(notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int rc;

    if (fd >= 0 && write(fd, "r\n", 2) != 2)
        abort();
    if (fd >= 0)
        (void)close(fd);
    memcpy(&real, &symbol, sizeof real);
    count++;
    if (count == nth && *end == '\0')
        (void)raise(SIGKILL);
    rc = real(from, to);
    if (count == nth)
        (void)raise(SIGKILL);
    return rc;
}
