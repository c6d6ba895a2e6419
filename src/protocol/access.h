/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_ACCESS_H
#define CHARTSEAL_PROTOCOL_ACCESS_H

#include "protocol/session.h"

#include <chartseal/search.h>

/* By what right: the patient's consent for this doctor and department, or an emergency's reason,
 * and just one of them. Sets emergency, reason and h_access. */
CS_MUST_CHECK int cs_access_check(cs_query *query, const cs_cloud *cloud, const cs_env *env,
    cs_view consent, cs_view reason, cs_error *error);

/* h(["chartseal/1 hospital", ID_HPC, salt]), as SigC has it. */
CS_MUST_CHECK int cs_hospital_hash(
    uint8_t hash[CS_HASH_SIZE], cs_view id_hpc, cs_view salt, cs_error *error);

/* A referral is by PC, for this doctor, patient, department and hospital, and not old. */
CS_MUST_CHECK int cs_referral_check(const cs_query *query, const cs_party *hpc, const cs_env *env,
    cs_view referral, cs_error *error);

/* SigC over its encoded fields: decoded, and verified with PUK_PC. Gives h of the fields. */
CS_MUST_CHECK int cs_sig_c_open(cs_sig_c *out, const cs_cloud *cloud, cs_view body,
    cs_view signature, uint8_t *digest, cs_error *error);

#endif
