/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CLOUD_ADMIN_H
#define SERVICE_CLOUD_ADMIN_H

/*
 * What whoever runs PC does by hand: found it, enrol parties, revoke credentials. Each is safe
 * beside a running service, and each but the founding leaves an audit entry in the transaction of
 * its effect.
 */

#include "service/server_common.h"

#define CS_ENROLMENT_DAYS 7 /* a code is used soon or not at all */
#define CS_ENROLMENT_DAYS_MAX 365

/* cloud.cbor from the keys of a home that has just been made. */
CS_MUST_CHECK int cs_cloud_found(const cs_home *home, const cs_actor *actor, cs_error *error);

/* The code, fresh random bytes, admits one party, once, for `days`. It is nowhere afterwards but
 * with whom it was given to, so give it out first. CS_E_TAKEN is not asked: a code for an identity
 * that is registered is how lost keys are replaced after revoking. */
CS_MUST_CHECK int cs_cloud_enrol(const cs_server *server, cs_worker *worker, cs_role role,
    const char *id, int64_t days, const uint8_t code[CS_CODE_SIZE], cs_error *error);

/* CS_E_NOT_FOUND for a serial or a party that has no credential. */
CS_MUST_CHECK int cs_cloud_revoke_serial(
    const cs_server *server, cs_worker *worker, uint64_t serial, cs_error *error);
CS_MUST_CHECK int cs_cloud_revoke_party(const cs_server *server, cs_worker *worker, cs_role role,
    const char *id, uint64_t *serial, cs_error *error);

/* A code as people copy it: 32 hex digits in groups of four with dashes; and back, with or without
 * dashes and spaces. CS_E_MALFORMED. */
#define CS_CODE_TEXT_SIZE (2 * CS_CODE_SIZE + 8)
void cs_code_print(const uint8_t code[CS_CODE_SIZE], char text[CS_CODE_TEXT_SIZE]);
CS_MUST_CHECK int cs_code_parse(uint8_t code[CS_CODE_SIZE], const char *text, cs_error *error);

#endif
