/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_TOKEN_SHARES_H
#define CHARTSEAL_CLI_TOKEN_SHARES_H

/* The verbs of a token that a ceremony made: its PIN put together, and its transcript. */

#include "cli/options.h"

extern const cs_option cs_combine_options[];
CS_MUST_CHECK int cs_run_combine(const cs_arguments *arguments, cs_error *error);

extern const cs_option cs_transcript_options[];
CS_MUST_CHECK int cs_run_transcript(const cs_arguments *arguments, cs_error *error);

#endif
