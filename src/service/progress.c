/* SPDX-License-Identifier: Apache-2.0 */
#include "service/progress.h"

#include "service/wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 160
#define ERASE_LINE "\r\033[K"

/* What cannot be shown is not worth an error: the work goes on. */
static void show(int fd, const char *text)
{
    ssize_t n = write(fd, text, strlen(text));

    (void)n;
}

void cs_progress_start(cs_progress *progress, int fd, const char *what, uint64_t total)
{
    *progress = (cs_progress){.what = what, .total = total, .fd = -1};
    progress->started_ms = cs_monotonic_ms();
    progress->drawn_ms = progress->started_ms - CS_PROGRESS_REDRAW_MS;
    if (total > CS_PROGRESS_WORTH_BYTES && isatty(fd))
        progress->fd = fd;
}

void cs_progress_text(const cs_progress *progress, int64_t elapsed_ms, char *out, size_t size)
{
    double seconds = elapsed_ms < 1 ? 0.001 : (double)elapsed_ms / 1000;
    double rate = (double)progress->done / seconds;
    uint64_t done = progress->done < progress->total ? progress->done : progress->total;
    double percent = progress->total == 0 ? 100 : 100.0 * (double)done / (double)progress->total;
    int n = snprintf(out, size, "%s: %.1f of %.1f MB, %.0f %%, %.1f MB/s", progress->what,
        (double)done / 1e6, (double)progress->total / 1e6, percent, rate / 1e6);
    uint64_t left = done == 0 ? 0 : (uint64_t)((double)(progress->total - done) / rate);

    if (n < 0 || (size_t)n >= size || done == 0)
        return;
    (void)snprintf(
        out + n, size - (size_t)n, ", %" PRIu64 ":%02" PRIu64 " left", left / 60, left % 60);
}

void cs_progress_advance(cs_progress *progress, uint64_t bytes)
{
    char text[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES + sizeof ERASE_LINE];
    int64_t now;

    progress->done += bytes;
    if (progress->fd < 0)
        return;
    now = cs_monotonic_ms();
    if (now - progress->drawn_ms < CS_PROGRESS_REDRAW_MS)
        return;
    progress->drawn_ms = now;
    cs_progress_text(progress, now - progress->started_ms, text, sizeof text);
    (void)snprintf(line, sizeof line, "%s%s", ERASE_LINE, text);
    show(progress->fd, line);
}

void cs_progress_end(cs_progress *progress)
{
    if (progress->fd >= 0)
        show(progress->fd, ERASE_LINE);
    progress->fd = -1;
}
