/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_REFUSALS_H
#define SERVICE_REFUSALS_H

/* How what was refused gets into the audit log: one entry for each request of somebody who signed
 * it, one a minute for each class of all the others. */

#include "service/server_common.h"

#define CS_REFUSALS_WRITE_MS 60000LL

/* A repetition of a request that was refused before, which anybody can send who has seen it, counts
 * as one of the others. */
CS_MUST_CHECK int cs_refusal_record(
    cs_server *server, const cs_worker *worker, cs_decision *decision, int code, cs_error *error);

/* Write down what was counted; what cannot be written is kept for the next time. */
CS_MUST_CHECK int cs_refusals_write(cs_server *server, const cs_worker *worker, cs_error *error);

#endif
