/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_PIN_SOURCES_H
#define CHARTSEAL_TOKEN_PIN_SOURCES_H

/* The places a PIN can come from, for pin.c. Each fills pin->text (CS_PIN_MAX bytes of guarded
 * memory, there already) and sets pin->n. */

#include "token/pin.h"

int cs_pin_from_file(cs_pin *pin, const char *path, cs_error *error);

/* A `pinentry` program over Assuan. *tried is false when none is installed. tty may be NULL. */
int cs_pin_from_pinentry(
    cs_pin *pin, bool *tried, const char *description, const char *tty, cs_error *error);

/* A prompt with echo off on the terminal that the caller has open. */
int cs_pin_from_terminal(cs_pin *pin, int terminal, const char *description, cs_error *error);

#endif
