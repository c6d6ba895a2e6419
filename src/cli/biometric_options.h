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

/* The same where it has to be given. */
CS_MUST_CHECK int cs_need_biometric(
    cs_biometric *out, cs_buf *bytes, const cs_arguments *arguments, cs_error *error);

/* H(BP) lives in guarded memory for as long as a verb needs it; NULL: none, and *error is set. */
uint8_t *cs_new_h_bp(cs_error *error);

/* Makes a home ready for its keys to be used, before the token is opened: BP is wanted where their
 * authorisation value comes from it, and is checked where it is given. The errors of
 * cs_home_recover; CS_E_USAGE if it is missing, or if none was enrolled. */
CS_MUST_CHECK int cs_give_biometric(cs_home *home, const cs_arguments *arguments, cs_error *error);

#endif
