/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_AUDIT_MARK_H
#define SERVICE_AUDIT_MARK_H

/*
 * How far an audit log was sealed, kept beside the database: a head of the chain, signed by the
 * token, in a small file. Whoever can write the database alone can rewrite the chain and drop the
 * seals in it, and cannot make the chain lead up to this head again.
 *
 * The first mark is made before the first entry, for number 0: a log that has entries and no mark
 * has lost it.
 */

#include <chartseal/token.h>

#define CS_AUDIT_MARK_NAME "audit.seal" /* in the home */

/* An entry of the chain; number 0 and zeros: in front of the first. */
typedef struct cs_audit_head {
    uint64_t number;
    uint8_t hash[CS_HASH_SIZE];
} cs_audit_head;

/* "NUMBER:HASH", as it is printed and given back. */
#define CS_AUDIT_HEAD_TEXT_SIZE (20 + 1 + 2 * CS_HASH_SIZE + 1)
void cs_audit_head_print(const cs_audit_head *head, char text[CS_AUDIT_HEAD_TEXT_SIZE]);
/* CS_E_USAGE. */
CS_MUST_CHECK int cs_audit_head_parse(cs_audit_head *out, const char *text, cs_error *error);

/* CS_E_NO_FILE; CS_E_CORRUPT when it is damaged or not signed with puk (PUK sign of the owner). */
CS_MUST_CHECK int cs_audit_mark_read(
    cs_audit_head *out, const char *path, cs_view puk, cs_error *error);
CS_MUST_CHECK int cs_audit_mark_write(const char *path, const cs_audit_head *head,
    const uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error);

#endif
