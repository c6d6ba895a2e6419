/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_DIAGNOSIS_SOURCE_H
#define CHARTSEAL_CLI_DIAGNOSIS_SOURCE_H

/* Where a diagnosis comes from: --diagnosis FILE, `-` for standard input, otherwise an editor. */

#include "cli/options.h"
#include "service/home.h"

/* Whatever can be known to be wrong is said before anything is done. */
CS_MUST_CHECK int cs_check_diagnosis_source(const cs_arguments *arguments, cs_error *error);
/* At most CS_DIAGNOSIS_MAX bytes, appended. */
CS_MUST_CHECK int cs_take_diagnosis(
    cs_buf *out, const cs_arguments *arguments, const cs_home *home, int stop_fd, cs_error *error);

#endif
