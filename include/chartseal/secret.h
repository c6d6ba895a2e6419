/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SECRET_H
#define CHARTSEAL_SECRET_H

/*
 * Guarded memory for the few secrets that must be in the host for a moment: ephemeral scalars,
 * session keys, a sealed S_X while it is used. Pages of their own, locked where the limits allow,
 * left out of core dumps, between guard pages, wiped on release (libsodium's sodium_malloc).
 *
 * cs_harden_process switches core dumps and tracing off for the whole process. The command calls it
 * first thing in main; a program that links the library should do so too.
 */

#include <chartseal/bytes.h>

/* n bytes of guarded memory, zeroed; NULL when there is none. n of 0 gives NULL. */
CS_MUST_CHECK void *cs_secret_new(size_t n);
/* Wipes and frees *p and sets it to NULL; NULL inside is fine. Pass the address of the pointer. */
void cs_secret_free(void *address_of_pointer);

/* RLIMIT_CORE 0 and PR_SET_DUMPABLE 0, and the libraries' one-time initialisation. */
CS_MUST_CHECK int cs_harden_process(cs_error *error);

#endif
