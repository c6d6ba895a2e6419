/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_PIN_SOURCES_H
#define CHARTSEAL_TOKEN_PIN_SOURCES_H

/* The places a PIN can come from, for pin.c. Each fills pin->text (CS_PIN_MAX bytes of guarded
 * memory, there already) and sets pin->n. */

#include "token/pin.h"

int cs_pin_from_file(cs_pin *pin, const char *path, cs_error *error);

/* A person who is asked, and for how long: CS_E_CANCELLED after that. patience_s 0: for ever. */
typedef struct cs_question {
    const char *description;
    unsigned patience_s;
} cs_question;

/* A `pinentry` program over Assuan. *tried is false when none is installed. tty may be NULL. */
int cs_pin_from_pinentry(
    cs_pin *pin, bool *tried, const cs_question *question, const char *tty, cs_error *error);

/* A prompt with echo off on the terminal that the caller has open. */
int cs_pin_from_terminal(cs_pin *pin, int terminal, const cs_question *question, cs_error *error);

/* Waits until fd is readable; false at the deadline, of the monotonic clock. */
int64_t cs_question_deadline(const cs_question *question);
bool cs_question_wait(int fd, int64_t deadline_ms);

#endif
