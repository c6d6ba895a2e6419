/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_CREDENTIAL_H
#define CHARTSEAL_PROTOCOL_CREDENTIAL_H

#include "protocol/common.h"

/* Signs m ‖ R with PRK_PC, and sets *credential to what results. */
CS_MUST_CHECK int cs_credential_make(
    cs_credential *credential, const cs_party *pc, cs_view m, const cs_point *r, cs_error *error);

#endif
