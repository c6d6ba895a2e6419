/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CMD_HOSPITAL_TELECARE_H
#define CHARTSEAL_CLI_CMD_HOSPITAL_TELECARE_H

#include "cli/options.h"

extern const cs_option cs_hospital_telecare_options[];
CS_MUST_CHECK int cs_run_hospital_telecare(const cs_arguments *arguments, cs_error *error);

#endif
