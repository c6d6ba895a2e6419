/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_ATTESTATIONS_H
#define SERVICE_ATTESTATIONS_H

/*
 * What PC does with a TPM's word: it may want one of a role, it keeps what was said with the
 * credential, and it shows it again. (What it believes is the protocol's: registration.h.)
 *
 * "require_attestation" of the cloud's config.json names roles, with commas between; a registration
 * of these is refused unless a manufacturer in tpm-makers.pem certified the TPM's endorsement key.
 */

#include "service/server_common.h"

#include <chartseal/registration.h>

/* Roles as the configuration has them. CS_E_USAGE: a name that is no role's. */
CS_MUST_CHECK int cs_attestation_check_roles(const char *roles, cs_error *error);

/* CS_E_ATTESTATION where the policy wants more than who shows. */
CS_MUST_CHECK int cs_attestation_admit(
    const cs_home *home, const cs_registration *who, cs_error *error);

/* Beside the credential, in the caller's transaction; nothing where nothing was said. `identity`
 * are the keys of the credential's row. */
CS_MUST_CHECK int cs_attestation_keep(cs_store *store, const cs_row_keys *identity, uint64_t serial,
    const cs_registration *who, cs_error *error);
/* What the audit log says of it: the level, and h of what was said. */
CS_MUST_CHECK int cs_attestation_tell(
    cs_decision *decision, const cs_registration *who, cs_error *error);

/* Of a party's present credential. said: the attestation of R1, appended. CS_E_NOT_FOUND. */
typedef struct cs_attestation_found {
    uint64_t serial;
    cs_attested attested;
} cs_attestation_found;
CS_MUST_CHECK int cs_attestation_find(cs_attestation_found *out, cs_buf *said,
    const cs_server *server, cs_worker *worker, cs_role role, const char *id, cs_error *error);

/* {"none": n, "stated": n, "bound": n, "genuine": n}: credentials in force. */
CS_MUST_CHECK int cs_attestation_report(
    json_t **out, cs_store *store, int64_t now, cs_error *error);

#endif
