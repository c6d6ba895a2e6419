/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CARD_PROVISION_H
#define CHARTSEAL_CLI_CARD_PROVISION_H

/* The verbs of `card` that change a card. */

#include "cli/options.h"

extern const cs_option cs_card_provision_options[], cs_card_wipe_options[];
int cs_card_provision(const cs_arguments *arguments, cs_error *error);
int cs_card_wipe(const cs_arguments *arguments, cs_error *error);

#endif
