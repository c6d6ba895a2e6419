/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_WAIT_H
#define SERVICE_WAIT_H

/* Waiting for a descriptor, with a deadline for the whole of what is done and a way to be called
 * off. Deadlines are times of the monotonic clock, so that setting the clock moves none. */

#include <chartseal/error.h>

#include <stdint.h>

#define CS_NO_DEADLINE INT64_MAX

/* Milliseconds of the monotonic clock. */
int64_t cs_monotonic_ms(void);
/* The deadline in timeout_ms from now; negative: none. */
int64_t cs_deadline_in(int timeout_ms);

/* CS_OK when fd is ready for `events` (of poll), CS_E_TIMEOUT at the deadline, CS_E_CANCELLED when
 * cancel_fd (-1: none) is readable. Interrupting signals do not end the wait. */
CS_MUST_CHECK int cs_wait_fd(
    int fd, short events, int64_t deadline, int cancel_fd, cs_error *error);

/* How long the calling thread has waited for others, in microseconds: in cs_wait_fd, and as those
 * say who wait in another way. Monotonic; subtract two readings. What is left of a procedure's time
 * is its party's own: its token, mostly. */
int64_t cs_waited_us(void);
void cs_waited_since(int64_t started_us);
int64_t cs_monotonic_us(void);

#endif
