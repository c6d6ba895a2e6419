/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_VIRTUAL_PIV_SLOT_H
#define CHARTSEAL_TEST_VIRTUAL_PIV_SLOT_H

/* Cards that token.sh has made, in the first reader of with_readers.sh, as tokens. */

#include "test.h"

#include <chartseal/token.h>

#include <sys/types.h>

#define SLOT_PIN "123456"

/* Of "Dr. Ada": names and slots of the card. */
#define SLOT_SIGN "id=%02"    /* 9C */
#define SLOT_AGREE "id=%03"   /* 9D */
#define SLOT_AUTH "id=%01"    /* 9A */
#define SLOT_RETIRED "id=%05" /* 82 */

typedef struct slot {
    char directory[128], log[160], pin_file[160], wrong_pin_file[160];
    char state[160];
    pid_t card;
} slot;
extern slot card_slot;

int slot_group_setup(void **state);
int slot_group_teardown(void **state);
/* Setup of a test: the cards are again as token.sh made them. Teardown: no card, no module. */
int slot_setup(void **state);
int slot_teardown(void **state);

/* The card "ada" or "bob" into the reader, with those options; waits until pcscd has seen it. */
void slot_insert(const char *name, const char *options);
/* Ends the card's process, and waits until pcscd has seen it go. */
void slot_eject(void);
/* SIGUSR1 or SIGUSR2 for the card, and waits for pcscd. */
void slot_pull(void);
void slot_put_back(void);
/* Waits until a pull by the card itself has been seen. */
void slot_wait_until_empty(void);

const char *slot_token_uri(const char *label);
const char *slot_key_uri(const char *id);
cs_token_options slot_options(const char *pin_file);
cs_token *slot_open(void);
cs_key *slot_key(cs_token *token, const char *id, cs_use use);

/* One signature, one agreement, checked in software. */
void slot_assert_signs(cs_key *key);
void slot_assert_agrees(cs_key *key);

/* How many commands of that INS (hex, "87") and reference ("9c", or "" for any) have been answered
 * since the log began, and how many in all ("" and ""). */
unsigned slot_commands(const char *ins, const char *reference);
void slot_forget_commands(void);
/* VERIFY with a PIN in it. */
unsigned slot_pins_sent(void);
/* PIN tries that the card has left, from its state; and another number of them for a card that is
 * not in the reader. */
unsigned slot_tries(void);
void slot_set_tries(const char *name, unsigned tries);
/* A token that was found to be lost is not looked for again at once. */
void slot_after_backoff(void);

#endif
