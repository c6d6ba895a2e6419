/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: ends the process, as by kill -9, before the nth file takes its name
 * (CS_KILL_RENAME=n) or right after (CS_KILL_RENAME=n+). With CS_COUNT_RENAMES each is noted in
 * that file. Files are written whole by a rename (service/files.h), so these are all states that a
 * kill can leave on the disk; but for databases: with CS_KILL_CALL=pwrite it is SQLite's writes
 * that count.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned long count;

static bool counts(const char *call)
{
    const char *wanted = getenv("CS_KILL_CALL");

    return strcmp(wanted == NULL ? "rename" : wanted, call) == 0;
}

/* Is it the call to be killed at, before it or after? */
static void strike(bool after)
{
    const char *orders = getenv("CS_KILL_RENAME");
    char *end = NULL;
    unsigned long nth = orders == NULL ? 0 : strtoul(orders, &end, 10);

    if (nth != 0 && count == nth && (*end == '+') == after)
        (void)raise(SIGKILL);
}

static void before(const char *call)
{
    const char *notes = getenv("CS_COUNT_RENAMES");
    int fd;

    if (!counts(call))
        return;
    fd = notes == NULL ? -1 : open(notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, "r\n", 2) != 2)
        abort();
    if (fd >= 0)
        (void)close(fd);
    count++;
    strike(false);
}

static void after(const char *call)
{
    if (counts(call))
        strike(true);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *);
    void *symbol = dlsym(RTLD_NEXT, "rename");
    int rc;

    memcpy(&real, &symbol, sizeof real);
    before("rename");
    rc = real(from, to);
    after("rename");
    return rc;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t);
    void *symbol = dlsym(RTLD_NEXT, "pwrite64");
    ssize_t written;

    memcpy(&real, &symbol, sizeof real);
    before("pwrite");
    written = real(fd, bytes, n, offset);
    after("pwrite");
    return written;
}
