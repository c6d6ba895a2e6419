/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_PROGRESS_H
#define SERVICE_PROGRESS_H

/*
 * A progress line for a person: bytes, percent, rate and the time left, on a terminal only and only
 * for what is large enough to wait for.
 */

#include <chartseal/error.h>

#include <stdint.h>

/* Less is done before anybody has read the line. */
#define CS_PROGRESS_WORTH_BYTES 1000000u
#define CS_PROGRESS_REDRAW_MS 100

typedef struct cs_progress {
    const char *what;
    uint64_t total;
    uint64_t done;
    int64_t started_ms;
    int64_t drawn_ms;
    int fd; /* -1: nothing is shown */
} cs_progress;

/* fd is usually STDERR_FILENO. `total` is 0 if it is not known: nothing is shown then. */
void cs_progress_start(cs_progress *progress, int fd, const char *what, uint64_t total);
void cs_progress_advance(cs_progress *progress, uint64_t bytes);
/* Takes the line away, so that what is printed next has the place. */
void cs_progress_end(cs_progress *progress);

/* The line itself, without its carriage return. */
void cs_progress_text(const cs_progress *progress, int64_t elapsed_ms, char *out, size_t size);

#endif
