/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CLOUD_INDEX_H
#define SERVICE_CLOUD_INDEX_H

/*
 * PC's index: under a row key that is prf of patient and department, one sealed value for each
 * hospital that has records. PC learns who is asked for only while it answers.
 */

#include "service/server_common.h"

/* POST /v1/publish: P1 → P2. POST /v1/search: S1 → S2; hospitals whose credential is revoked or has
 * expired are left out, and CS_E_NO_DEPARTMENT if that leaves none. */
cs_step cs_cloud_publication, cs_cloud_search;

#endif
