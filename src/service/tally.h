/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TALLY_H
#define SERVICE_TALLY_H

/*
 * Refusals of requests that nobody signed, counted by action and class until they are written down
 * together. Anybody can send rubbish: an entry on the disk for each would let strangers fill it,
 * and slow down those who are known. Thread-safe.
 */

#include <chartseal/error.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CS_TALLY_MAX 256 /* pairs of an action and a class: less than half of it can occur */

typedef struct cs_tally_row {
    const char *action; /* static storage */
    int code;
    uint64_t count;
} cs_tally_row;

typedef struct cs_tally {
    pthread_mutex_t mutex;
    size_t n;
    cs_tally_row rows[CS_TALLY_MAX];
} cs_tally;

/* False if there is no place left for another pair: record it by itself. */
CS_MUST_CHECK bool cs_tally_add(cs_tally *tally, const char *action, int code, uint64_t count);
/* All rows so far, which are forgotten; how many there are. Add what could not be written again. */
CS_MUST_CHECK size_t cs_tally_take(cs_tally *tally, cs_tally_row rows[CS_TALLY_MAX]);

#endif
