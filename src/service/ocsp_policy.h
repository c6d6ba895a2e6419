/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_OCSP_POLICY_H
#define CHARTSEAL_SERVICE_OCSP_POLICY_H

/* "ocsp" in config.json: what a home asks of the answers that come with certificates ("required",
 * "max_age_s"), and where it gets those about its own ("url", staple.h). All may be missing. */

#include "service/home.h"

#include <chartseal/ocsp.h>

/* As config.json is on the disk now, not as it was when the home was opened. CS_E_MALFORMED. */
CS_MUST_CHECK int cs_home_ocsp(cs_ocsp_policy *out, const cs_home *home, cs_error *error);
/* Into config.json; the url is not touched. */
CS_MUST_CHECK int cs_home_set_ocsp(cs_home *home, cs_ocsp_policy policy, cs_error *error);

#endif
