/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_TRUST_VERB_H
#define CHARTSEAL_CLI_TRUST_VERB_H

/* `trust`, a verb of every party that checks certificates: renew revocation lists and authorities;
 * and what `init`, `status`, `serve` and `visit` say of the lists. */

#include "cli/options.h"
#include "service/home.h"

#include <jansson.h>

extern const cs_option cs_trust_options[];
#define CS_TRUST_SUMMARY "take in the authority's newest revocation list, or other authorities"

CS_MUST_CHECK int cs_run_trust(const cs_arguments *arguments, cs_home_kind kind, cs_error *error);

/* Warn, on standard error, where a revoked certificate goes unnoticed for want of a list, or soon
 * will. */
void cs_warn_lists(const cs_home *home);

/* What a `status` says of whom the home trusts: "crl" ({"lists", "this_update", "next_update"},
 * null where there is none), "certificate_not_after" and the cloud's fingerprint, where there are
 * such, added to the report; or lines for people. */
CS_MUST_CHECK int cs_trust_report(json_t *report, const cs_home *home, cs_error *error);
void cs_say_trust(const cs_home *home);

/* h of the cloud's parameters that the home has, in hex: what is compared over another way. */
CS_MUST_CHECK int cs_home_fingerprint(
    char fingerprint[2 * CS_HASH_SIZE + 1], const cs_home *home, cs_error *error);

#endif
