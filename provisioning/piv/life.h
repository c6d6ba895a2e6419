/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PIV_LIFE_H
#define CHARTSEAL_PIV_LIFE_H

/*
 * A doctor's card in use: another PIN, a PIN that was blocked, other keys. Each is made again after
 * a run that ended early, and comes to the same end.
 *
 * A PIN or PUK that is wrong costs a try, and the last one the card. Nothing is sent twice; a
 * record's is not sent to a card that has refused one, for somebody may have changed it; and the
 * last try is used by force alone.
 */

#include "piv/run.h"

#define CS_PIV_PIN_LEAST 6 /* digits */

typedef struct cs_piv_pin_change {
    uint32_t serial; /* of the card that is meant */
    const char *before, *after;
    bool again; /* a run was cut off: the card may have the new PIN, which is tried first */
    bool force; /* use the last try if it comes to that */
} cs_piv_pin_change;
/* CS_E_PIN_WRONG, CS_E_PIN_LOCKED, CS_E_PIN_FINAL_TRY, CS_E_USAGE: no PIN; CS_E_KEY_MISSING:
 * another card. */
CS_MUST_CHECK int cs_piv_change_pin(cs_piv *card, const cs_piv_pin_change *change, cs_error *error);

/* A fresh PIN, run->pin, by the record's PUK, whatever has become of the PIN. */
CS_MUST_CHECK int cs_piv_unblock(
    cs_piv *card, cs_piv_run *run, bool force, cs_piv_save_fn save, void *context, cs_error *error);

/* New keys in 9C and 9D, made on the card; the old ones are gone, and what was sealed to them, and
 * an S_D that was loaded.
 * Goes on as a run does from `objects`: cs_piv_make finishes one that ended early. */
CS_MUST_CHECK int cs_piv_renew_keys(
    cs_piv *card, cs_piv_run *run, cs_piv_save_fn save, void *context, cs_error *error);

#endif
