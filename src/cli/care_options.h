/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CARE_OPTIONS_H
#define CHARTSEAL_CLI_CARE_OPTIONS_H

/* What the verbs of telecare have in common: what they print. */

#include "cli/home_options.h"
#include "service/telecare_party.h"

#define CS_INVITATION_OPTION                                                                       \
    {                                                                                              \
        "invitation", "FILE", true, "the hospital's invitation, or the text of its QR code"        \
    }
#define CS_CLOUD_URL_OPTION                                                                        \
    {                                                                                              \
        "cloud-url", "URL", false, "where the cloud answers; otherwise as at the registration"     \
    }

/* The members that every one of them has; more may be added. NULL when there is no memory. */
json_t *cs_care_json(const cs_care_report *report, const cs_opened *opened, int64_t took_ms);
/* Lines for people: with whom, and what came and went. */
void cs_say_care(const cs_care_report *report, const char *const outputs[CS_SLOTS]);

#endif
