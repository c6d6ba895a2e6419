/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_DIAGNOSIS_H
#define CHARTSEAL_PROTOCOL_DIAGNOSIS_H

#include "protocol/session.h"

#include <chartseal/consultation.h>

/* A signed diagnosis as message `label` of a session: M4 to P, F1 to HPC. */
CS_MUST_CHECK int cs_diagnosis_put(cs_session *session, const char *label, const cs_party *doctor,
    const cs_env *env, const cs_signed_diagnosis *diagnosis, cs_buf *head, cs_buf *chunk,
    bool *final, cs_bulk **bulk, cs_error *error);

#endif
