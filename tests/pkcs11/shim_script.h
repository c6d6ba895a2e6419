/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_SHIM_SCRIPT_H
#define CHARTSEAL_TEST_SHIM_SCRIPT_H

/*
 * What the shim is to do, one line per rule:
 *
 *     CALL WHICH ACTION VALUE
 *
 * CALL is a Cryptoki name. WHICH is a number (the nth call of that name since the script was
 * written), a number with "+" (that one and all after it) or "*" (all). ACTION is
 *     fail      return VALUE (a CKR) and do nothing
 *     kill      the process ends here, as by kill -9
 *     delay     wait VALUE milliseconds first
 *     drop      close all sessions of the slot first, as a card that was pulled and put back does
 *     short     tell VALUE as the length of the answer
 *     alter     change the last byte of the answer
 *     hide      say nothing of the attribute VALUE, as if the token did not know it
 *     loose     search without the attribute VALUE, as tokens do that do not know it
 *     flags     add VALUE to the flags of a token's info
 *     fake      wrap and unwrap by making a copy, for keys that SoftHSM does not wrap
 *     sessions  tell VALUE as both session maxima of a token
 *     serial    tell VALUE as a token's serial number
 *     pad       take a login without a PIN, as if that of CS_SHIM_PAD_PIN was entered at the reader
 * The file is named by CS_SHIM_SCRIPT; every call's name is added to the file CS_SHIM_COUNTS; and
 * "C_Login with a PIN", where a pad is given one all the same.
 */

#include <stdbool.h>

typedef struct shim_orders {
    bool fail, drop, shorten, alter, hide, loose, fake, set_sessions, set_serial, pad;
    unsigned long rv, length, hidden, flags, sessions, serial;
} shim_orders;

/* Counts the call, waits if it is told to, and says what else is to be done. */
shim_orders shim_enter(const char *call);
/* Adds a line to CS_SHIM_COUNTS. */
void shim_note(const char *text);

#endif
