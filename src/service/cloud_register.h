/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CLOUD_REGISTER_H
#define SERVICE_CLOUD_REGISTER_H

/*
 * Admission at PC. A doctor comes with Cert_D; a patient or a hospital with an enrolment code,
 * which admits one pair of keys for one identity: the same keys may use it again, since an answer
 * can be lost. An identity belongs to the keys that registered it first, until it is revoked or
 * expires.
 */

#include "service/server_common.h"

/* The row keys of an enrolment code and of an identity. One prf each. */
CS_MUST_CHECK int cs_enrolment_keys(cs_row_keys *out, cs_key *storage, cs_role role, const char *id,
    const uint8_t code[CS_CODE_SIZE], cs_error *error);
CS_MUST_CHECK int cs_identity_keys(
    cs_row_keys *out, cs_key *storage, cs_role role, const char *id, cs_error *error);

/* POST /v1/register: R1 → R2. */
cs_step cs_cloud_register;

#endif
