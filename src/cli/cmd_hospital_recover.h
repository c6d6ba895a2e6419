/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CMD_HOSPITAL_RECOVER_H
#define CHARTSEAL_CLI_CMD_HOSPITAL_RECOVER_H

/* `hospital recover`: service/hospital_recover.h. */

#include "cli/options.h"

extern const cs_option cs_recover_options[];
CS_MUST_CHECK int cs_run_hospital_recover(const cs_arguments *arguments, cs_error *error);

#endif
