/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CMD_CLOUD_TELECARE_H
#define CHARTSEAL_CLI_CMD_CLOUD_TELECARE_H

/* The verbs `cloud telecare …`: the storage cloud of telecare, a party with a home of its own that
 * is registered with the public cloud as a hospital is. */

#include "cli/options.h"

extern const cs_option cs_telecare_init_options[], cs_telecare_register_options[],
    cs_telecare_serve_options[], cs_telecare_list_options[], cs_telecare_status_options[];
CS_MUST_CHECK int cs_run_telecare_init(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_telecare_register(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_telecare_serve(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_telecare_list(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_telecare_status(const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_run_telecare_trust(const cs_arguments *arguments, cs_error *error);

#endif
