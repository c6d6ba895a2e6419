/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_OWN_KEYS_H
#define CHARTSEAL_SERVICE_OWN_KEYS_H

/* Are the keys in the token still those that the home was made with? */

#include "service/home.h"

/* A key that is taken up by its label has to be what an earlier init can have left: made in this
 * token, never readable; or the survivor of a home that says so. CS_E_KEY_EXPOSED. */
CS_MUST_CHECK int cs_own_key_origin(const cs_home *home, const cs_key *key, cs_error *error);

/* The one key that all is lost with: a hospital's storage key, a cloud's s. Others are made anew.
 * NULL: a home of that kind has none. */
typedef struct cs_survivor {
    const char *name; /* as in config.json */
    const char *what; /* for people */
    cs_use use;
} cs_survivor;
const cs_survivor *cs_own_survivor(cs_home_kind kind);
/* What config.json says of it, by a ceremony (ceremony.h): it left its token once, wrapped; it came
 * from a backup. NULL: it did not. */
#define CS_HOME_BACKUP "backup"
#define CS_HOME_RESTORED "restored"
const json_t *cs_own_backup(const cs_home *home);
const json_t *cs_own_restored(const cs_home *home);
/* Is it that key, and as such a home may have it? What the token let be opened anyway is not asked.
 */
bool cs_own_is_survivor(const cs_home *home, const cs_key_info *info);

/* By what a survivor is known again: prf of a fixed text, or the public key after it has issued
 * something under it. One operation. */
#define CS_SURVIVOR_CHECK_SIZE (2 * 65 + 1)
CS_MUST_CHECK int cs_own_survivor_check(
    char out[CS_SURVIVOR_CHECK_SIZE], cs_key *key, cs_error *error);

/* The storage key shows nothing of itself, and with another one no index entry or record opens: its
 * prf of a fixed text is written into config.json ("storage_check") when it is made, and compared
 * at each start. One prf. CS_E_KEY_MISSING. */
CS_MUST_CHECK int cs_own_storage_note(cs_home *home, cs_key *storage, cs_error *error);
CS_MUST_CHECK int cs_own_storage_check(const cs_home *home, cs_key *storage, cs_error *error);

/* The cloud's keys are those that cloud.cbor tells everybody. CS_E_KEY_MISSING. */
CS_MUST_CHECK int cs_own_cloud_check(const cs_actor *actor, cs_error *error);

bool cs_own_is_public(const cs_key *key, const uint8_t puk[CS_PUK_SIZE]);

#endif
