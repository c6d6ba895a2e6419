/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_AUDIT_FHIR_H
#define SERVICE_AUDIT_FHIR_H

/*
 * The audit log for other programs: a FHIR R4 Bundle of AuditEvent resources, written entry by
 * entry so that a log of any length needs no memory. It holds identities in the clear; who gets the
 * file is the installation's to decide.
 */

#include "service/audit_log.h"

#include <stdio.h>

/* observer: the identity of the party whose log it is. CS_E_STORAGE when `out` cannot be written.
 * *count: the entries written. */
CS_MUST_CHECK int cs_audit_export(FILE *out, cs_store *store, cs_key *storage, const char *observer,
    uint64_t *count, cs_error *error);

#endif
