/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SIGNALS_H
#define SERVICE_SIGNALS_H

/*
 * SIGTERM and SIGINT as a file descriptor that becomes readable, so that a program stops where it
 * waits and not in the middle of something. It stays readable: everybody who waits on it sees it.
 */

#include <chartseal/error.h>

/* Call first thing in main, before any thread is made: threads inherit the mask. Also ignores
 * SIGPIPE, which a peer could cause. The descriptor is the caller's to close. */
CS_MUST_CHECK int cs_stop_fd_open(int *out, cs_error *error);

/* CS_OK when one of the signals has come, CS_E_TIMEOUT after timeout_ms (negative: never). */
CS_MUST_CHECK int cs_wait_for_stop(int stop_fd, int timeout_ms, cs_error *error);

#endif
