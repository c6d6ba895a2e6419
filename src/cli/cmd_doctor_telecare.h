/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CMD_DOCTOR_TELECARE_H
#define CHARTSEAL_CLI_CMD_DOCTOR_TELECARE_H

#include "cli/options.h"

extern const cs_option cs_doctor_treat_options[];
CS_MUST_CHECK int cs_run_doctor_treat(const cs_arguments *arguments, cs_error *error);

#endif
