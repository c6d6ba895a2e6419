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

typedef struct cs_audit_exported {
    uint64_t entries;
    uint64_t unreadable; /* of them: only that they are there could be written */
} cs_audit_exported;

/* observer: the identity of the party whose log it is. CS_E_STORAGE when `out` cannot be written.
 */
CS_MUST_CHECK int cs_audit_export(FILE *out, cs_store *store, cs_key *storage, const char *observer,
    cs_audit_exported *exported, cs_error *error);

#endif
