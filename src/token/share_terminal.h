/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_SHARE_TERMINAL_H
#define CHARTSEAL_TOKEN_SHARE_TERMINAL_H

/* Shares on the one screen of a room: shown to one operator at a time and taken from the screen
 * again, and typed back without an echo. All on the process's own terminal; CS_E_PIN_MISSING where
 * there is none, CS_E_CANCELLED by ^C. */

#include "token/share.h"

/* Tells who is to come to the screen; what follows is for that person's eyes. */
CS_MUST_CHECK int cs_share_call(const char *text, cs_error *error);
/* Shows the share under a heading until Enter is pressed, then clears the screen and what can be
 * scrolled back to. */
CS_MUST_CHECK int cs_share_show(const cs_share *share, const char *heading, cs_error *error);
/* Asks for one, again where a digit is wrong. */
CS_MUST_CHECK int cs_share_ask(cs_share *out, const char *what, cs_error *error);

#endif
