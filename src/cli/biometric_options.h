/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_BIOMETRIC_OPTIONS_H
#define CHARTSEAL_CLI_BIOMETRIC_OPTIONS_H

/* --template and --passphrase-file: the two ways to give the biometric password. */

#include "cli/home_options.h"

#include <chartseal/biometric.h>

#define CS_BIOMETRIC_OPTIONS                                                                       \
    {"template", "FILE", false, "the biometric password (BP): an iris code of 256 bytes"},         \
    {                                                                                              \
        "passphrase-file", "FILE", false, "or a passphrase, the first line; it stays here"         \
    }

/* BP from the one that is given; *out looks into `bytes`, which is guarded and the caller's.
 * *given: false when there is neither. CS_E_USAGE for both, CS_E_MALFORMED for no template. */
CS_MUST_CHECK int cs_read_biometric(
    cs_biometric *out, bool *given, cs_buf *bytes, const cs_arguments *arguments, cs_error *error);

#endif
