/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_SURVIVOR_REPORT_H
#define CHARTSEAL_CLI_SURVIVOR_REPORT_H

/* That the key that all is lost with has a backup, or comes from one: said by each `status`, each
 * `token audit`, and at the end of a ceremony, of homes that a ceremony made so. */

#include "service/home.h"

#include <jansson.h>

/* "backup" ({"time", "file", "sha256", "shares"}) and "restored" ({"time", "from_time",
 * "from_serial", "sha256"}), null where it is not so, added to the report; or lines for people. */
CS_MUST_CHECK int cs_survivor_report(json_t *report, const cs_home *home, cs_error *error);
void cs_say_survivor(const cs_home *home);

/* What config.json says of it, the transcript of the ceremony says too, signed by the home's
 * signing key (SEC1): anybody who writes to the home could add it to the one, but not to the other.
 * CS_E_KEY_EXPOSED; CS_E_NO_FILE: there is no transcript; CS_E_KEY_MISSING: sign_public is empty,
 * no such key is in the token. Nothing, where config.json says nothing of it. */
CS_MUST_CHECK int cs_survivor_check_transcript(
    const cs_home *home, cs_view sign_public, cs_error *error);

#endif
