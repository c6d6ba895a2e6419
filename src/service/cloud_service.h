/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CLOUD_SERVICE_H
#define SERVICE_CLOUD_SERVICE_H

/*
 * PC, the public cloud: key generation centre and index, over HTTP.
 *
 *     POST /v1/register      R1 → R2
 *     POST /v1/publish       P1 → P2
 *     POST /v1/search        S1 → S2
 *     GET  /v1/parameters    cloud.cbor
 *     GET  /v1/revocations   the list of revoked credentials, signed
 *
 * The list is for 24 hours, and is made anew every hour and within a second or two of a revocation,
 * also one by `cloud revoke` in another process: the database tells.
 */

#include "service/server_common.h"

/* An identity's credentials in force at once, each from a registration with the same keys: answers
 * that were lost, renewed certificates. Revoking the party puts all of them on the list, so that
 * without this bound one party could fill it. */
#define CS_CREDENTIALS_LIVE_MAX 16
#define CS_REVOCATIONS_LIFETIME_MS (24 * 3600000LL)
#define CS_REVOCATIONS_RENEW_MS 3600000LL
#define CS_CREDENTIAL_DAYS 365 /* unless config.json has another "credential_days" */

/* Serve until options->stop_fd says stop. */
CS_MUST_CHECK int cs_cloud_serve(cs_home *home, const cs_server_options *options, cs_error *error);

#endif
