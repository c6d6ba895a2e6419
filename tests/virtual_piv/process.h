/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_VIRTUAL_PIV_PROCESS_H
#define CHARTSEAL_TEST_VIRTUAL_PIV_PROCESS_H

/* The process of a virtual PIV card. */

#include <sys/types.h>

/* options: as on the command line, with blanks between. It ends with the caller. */
pid_t card_start(const char *state, const char *port, const char *options);
/* Ends it, and it must end well. */
void card_end(pid_t card);

#endif
