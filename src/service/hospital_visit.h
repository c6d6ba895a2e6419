/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOSPITAL_VISIT_H
#define SERVICE_HOSPITAL_VISIT_H

/*
 * What a doctor asks of HPC: a session by PC's referral and the patient's consent (or, where the
 * policy allows it, in an emergency), a record of that patient and department, and to file a
 * diagnosis.
 */

#include "service/hospital.h"

/* POST /v1/session: S3 → S4. POST /v1/record: S5 → S6, streamed. */
cs_step cs_hpc_session, cs_hpc_record;

/* POST /v1/file: F1 → F2. A diagnosis that is filed again, after a lost answer, is stored once: its
 * id is derived from SigDINF. */
cs_step cs_hpc_filing;

/* The session that a request's head names, held; *label is the head's. */
CS_MUST_CHECK int cs_hpc_hold(cs_hpc *hospital, const cs_worker *worker, cs_view head,
    cs_held_session **out, cs_decision *decision, cs_error *error);

#endif
