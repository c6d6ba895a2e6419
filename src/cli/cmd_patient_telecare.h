/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CMD_PATIENT_TELECARE_H
#define CHARTSEAL_CLI_CMD_PATIENT_TELECARE_H

#include "cli/options.h"

extern const cs_option cs_patient_upload_options[], cs_patient_read_options[];
CS_MUST_CHECK int cs_run_patient_upload(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_patient_read(const cs_arguments *arguments, cs_error *error);

#endif
