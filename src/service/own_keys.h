/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_OWN_KEYS_H
#define CHARTSEAL_SERVICE_OWN_KEYS_H

/* Are the keys in the token still those that the home was made with? */

#include "service/home.h"

/* A key that is taken up by its label has to be what an earlier init can have left: made in this
 * token, never readable. CS_E_KEY_EXPOSED. */
CS_MUST_CHECK int cs_own_key_origin(const cs_key *key, cs_error *error);

/* The storage key shows nothing of itself, and with another one no index entry or record opens: its
 * prf of a fixed text is written into config.json ("storage_check") when it is made, and compared
 * at each start. One prf. CS_E_KEY_MISSING. */
CS_MUST_CHECK int cs_own_storage_note(cs_home *home, cs_key *storage, cs_error *error);
CS_MUST_CHECK int cs_own_storage_check(const cs_home *home, cs_key *storage, cs_error *error);

/* The cloud's keys are those that cloud.cbor tells everybody. CS_E_KEY_MISSING. */
CS_MUST_CHECK int cs_own_cloud_check(const cs_actor *actor, cs_error *error);

bool cs_own_is_public(const cs_key *key, const uint8_t puk[CS_PUK_SIZE]);

#endif
