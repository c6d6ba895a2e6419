/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CMD_HOSPITAL_RECORDS_H
#define CHARTSEAL_CLI_CMD_HOSPITAL_RECORDS_H

/* The verbs of `hospital` about its records and what became of them. */

#include "cli/options.h"
#include "service/hospital.h"

typedef struct cs_opened_hospital {
    cs_home *home;
    cs_hpc *hospital;
    cs_worker *worker;
} cs_opened_hospital;
/* The hospital at --dir; to be closed also after an error. */
CS_MUST_CHECK int cs_open_hospital(
    cs_opened_hospital *out, const cs_arguments *arguments, cs_error *error);
void cs_close_hospital(cs_opened_hospital *opened);

CS_MUST_CHECK int cs_run_hospital_import(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_hospital_list(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_hospital_notices(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_hospital_status(const cs_arguments *arguments, cs_error *error);

#endif
