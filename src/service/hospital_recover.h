/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOSPITAL_RECOVER_H
#define SERVICE_HOSPITAL_RECOVER_H

/*
 * A hospital whose token was lost, and whose storage key came back from a backup (ceremony.h), has
 * new keys for signing and another home. The records of the old home's database open, but SigEMR in
 * them is by a key that is gone, and doctors check it against the credential of now. So each record
 * is read from the old database, compared with the h that its header has, and kept in the new one
 * under its old id and time, signed anew: the hospital says once more that this is its record. The
 * header was sealed under the storage key, which is what makes it the hospital's own word.
 *
 * Notices that no person has dealt with come along. The old audit log does not: it is sealed by the
 * old key, and verifies where it is; an entry in the new one names its head.
 */

#include "service/hospital.h"

typedef struct cs_recovered {
    uint64_t records; /* taken over now */
    uint64_t there;   /* by an earlier run, or new ones of the same id */
    uint64_t notices; /* taken over now */
    char old_head[CS_AUDIT_HEAD_TEXT_SIZE];
} cs_recovered;

/* For each record two prf and one sign, and one prf and sign more where its row is new; one prf for
 * each epoch of the own log. What is there already is left, so that a run that ended early is
 * repeated; of one that did not, the notices do not come again. CS_E_CORRUPT: a record that does
 * not open, or is not what its header says (those before it are kept), or a notice (none is). */
CS_MUST_CHECK int cs_hpc_recover(
    cs_hpc *hospital, cs_worker *worker, const char *database, cs_recovered *out, cs_error *error);

#endif
