/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_REGISTER_CLIENT_H
#define CHARTSEAL_SERVICE_REGISTER_CLIENT_H

/*
 * Registration at PC (R1, R2) by a patient, a doctor or a hospital. On success credential.cbor is
 * written, S_X is in the token (or in scalar.sealed), "keys.scalar" names it, and *actor has both.
 *
 * After a lost answer, or a crash, it is run again with the same code: PC knows the keys, issues
 * anew and supersedes what was issued before. A party that was registered stays so until the new
 * credential is written (own_scalar.h).
 */

#include "service/home.h"
#include "service/wire_log.h"

/* binding: B' of a patient, else empty. code: CS_CODE_SIZE bytes, empty for a doctor. */
CS_MUST_CHECK int cs_register_client(cs_home *home, cs_actor *actor, const char *cloud_url,
    cs_role role, cs_view binding, cs_view code, cs_wire_log *log, cs_error *error);

#endif
