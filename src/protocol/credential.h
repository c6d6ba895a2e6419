/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_CREDENTIAL_H
#define CHARTSEAL_PROTOCOL_CREDENTIAL_H

#include "protocol/common.h"

/* Signs m ‖ R with PRK_PC, and sets *credential to what results. */
CS_MUST_CHECK int cs_credential_make(
    cs_credential *credential, const cs_party *pc, cs_view m, const cs_point *r, cs_error *error);

/* By what cs_credential_check said: PC has issued it, be it out of its dates or revoked by now. */
static inline bool cs_credential_is_authentic(int rc)
{
    return rc == CS_OK || rc == CS_E_EXPIRED || rc == CS_E_REVOKED;
}

#endif
