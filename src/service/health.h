/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HEALTH_H
#define SERVICE_HEALTH_H

/*
 * What /healthz says of a service: well, or a word why not. Requests and the housekeeping note what
 * they fail of; the housekeeping tries again what has failed, and says when it works. A failure
 * shows for some seconds at least, so that who looks now and then sees it. Thread-safe.
 */

#include <chartseal/error.h>

#include <stdatomic.h>

#define CS_HEALTH_SHOW_MS 15000
/* Housekeeping that has not come round for so long hangs in a call of the token or the disk. */
#define CS_HEALTH_TICK_MAX_MS 60000

typedef enum cs_ailment {
    CS_AIL_TOKEN,
    CS_AIL_DISK_FULL,
    CS_AIL_STORAGE,
    CS_AIL_REVOCATIONS, /* no list that is in its dates */
    CS_AIL_AUDIT,       /* the log was changed behind our back */
    CS_AILMENTS
} cs_ailment;

/* Times of the monotonic clock; 0: never. */
typedef struct cs_health {
    atomic_llong failed_at[CS_AILMENTS];
    atomic_llong ticked_at;
} cs_health;

void cs_health_init(cs_health *health);
/* Something ended with that code, which may say nothing about our health. */
void cs_health_note(cs_health *health, int code);
void cs_health_failed(cs_health *health, cs_ailment ailment);
/* It works (again), as far as one try can tell. */
void cs_health_works(cs_health *health, cs_ailment ailment);
/* What can be told for certain counts at once, either way. */
void cs_health_judge(cs_health *health, cs_ailment ailment, bool works);
bool cs_health_has(cs_health *health, cs_ailment ailment);
/* The housekeeping is alive. */
void cs_health_tick(cs_health *health);

/* False: ill, and `reason` has the word. */
bool cs_health_is_well(cs_health *health, char *reason, size_t size);

#endif
