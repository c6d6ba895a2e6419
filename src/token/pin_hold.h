/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_PIN_HOLD_H
#define CHARTSEAL_TOKEN_PIN_HOLD_H

/*
 * A PIN that a person gave, held between the uses of a key that wants it each time (token.h:
 * cs_pin_hold). It is held for one token, in guarded memory, and wiped when its uses or its time
 * are up, when the visit ends, and by whoever notices that the token refused it, was lost or is
 * closed. A thread looks at the time, so that the PIN goes then and not at the next use.
 */

#include "token/pin.h"

/* What tells tokens apart: label and serial number, as Cryptoki has them. */
#define CS_PIN_OWNER_MAX 64

typedef struct cs_held_pin cs_held_pin;

/* The policy is within its limits. CS_E_USAGE. */
CS_MUST_CHECK int cs_pin_hold_check(const cs_pin_hold *policy, cs_error *error);

/* "each", "visit", or "N/T": N signatures within T minutes. `where` names it for the message.
 * CS_E_USAGE. */
CS_MUST_CHECK int cs_pin_hold_parse(
    cs_pin_hold *out, const char *text, const char *where, cs_error *error);

CS_MUST_CHECK int cs_held_pin_new(cs_held_pin **out, const cs_pin_hold *policy, cs_error *error);
void cs_held_pin_free(cs_held_pin **held);

/* Hold a copy of this PIN for that token, as far as the policy goes; `used`: times that it has been
 * used already. Where it cannot be done it is not held, and a person is asked again. */
void cs_held_pin_keep(cs_held_pin *held, const cs_pin *pin, cs_view owner, unsigned used);
/* A copy of the PIN held for that token, for one use; the caller frees it. False: none is held, or
 * no more. For another token nothing is given, and what was held is wiped. */
bool cs_held_pin_take(cs_held_pin *held, cs_pin *out, cs_view owner);
/* There is one to take. */
bool cs_held_pin_is(cs_held_pin *held, cs_view owner);
void cs_held_pin_forget(cs_held_pin *held);
/* A PIN that is held for a visit goes; another stays. */
void cs_held_pin_end_visit(cs_held_pin *held);
/* Around a fork, so that nothing is half done in the child: a child holds nothing. */
void cs_held_pin_before_fork(cs_held_pin *held);
void cs_held_pin_after_fork(cs_held_pin *held, bool child);

/* What the person who is asked for it should know: "; held until this visit is over", or nothing.
 */
void cs_pin_hold_text(const cs_pin_hold *policy, char *out, size_t size);

#endif
