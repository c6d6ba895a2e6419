/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_BACKUP_FILE_H
#define SERVICE_BACKUP_FILE_H

/*
 * A key that must survive its token, wrapped under a key whose shares people hold: what a ceremony
 * writes (ceremony.h), and another one restores from. One JSON object, keys in order and no blanks,
 * so that it has one form only, and a line feed:
 *
 *   backup      "chartseal/1 backup"
 *   ceremony    id of the ceremony whose shares open it; needed, operators: how many
 *   role, id    whose key; key: "storage" or "master"; suite
 *   token, serial, time   where it was wrapped, and when
 *   check       what the key answers: prf of a fixed text, or the public key
 *   wrapped     the key, under the wrapping key (RFC 5649)
 *   mac         HMAC-SHA-256 of all the rest, under HMAC(wrapping key, "chartseal/1 backup")
 *
 * It is no secret without the shares. Whoever has it and enough of them has the key.
 */

#include "service/home.h"
#include "token/share.h"

#define CS_BACKUP_FILE_MAX 4096 /* some 700 bytes */

typedef struct cs_backup {
    uint8_t ceremony[CS_SHARE_ID_SIZE];
    cs_home_kind kind;
    cs_suite suite;
    cs_buf wrapped;
    const char *id, *token, *serial, *time, *check; /* of json */
    unsigned needed, count;
    json_t *json;
    uint8_t sha256[CS_HASH_SIZE]; /* of the file */
} cs_backup;

/* out->json and out->wrapped are empty; the rest is written, with the mac. sha256 is set. */
CS_MUST_CHECK int cs_backup_write(
    const char *path, cs_backup *backup, const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error);
/* Its form alone. CS_E_NO_FILE; CS_E_CORRUPT: no backup, or not as it was written. */
CS_MUST_CHECK int cs_backup_read(cs_backup **out, const char *path, cs_error *error);
void cs_backup_free(cs_backup **backup);
/* CS_E_SIGNATURE: it was altered, or is another key's. */
CS_MUST_CHECK int cs_backup_verify(
    const cs_backup *backup, const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error);

#endif
