/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_VIRTUAL_PIV_DIRECT_H
#define CHARTSEAL_TEST_VIRTUAL_PIV_DIRECT_H

/* The virtual card in the only reader of this process, without pcscd. */

#include "card.h"

/* What was in the reader goes. False: the state cannot be read or written. */
bool direct_insert(const piv_options *options);
void direct_eject(void);

#endif
