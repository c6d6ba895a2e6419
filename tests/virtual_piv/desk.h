/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_VIRTUAL_PIV_DESK_H
#define CHARTSEAL_TEST_VIRTUAL_PIV_DESK_H

/*
 * `chartseal card` in this process, with the card in it (direct.h); a call that is to be killed is
 * a child. All happens in a directory of the test's own, which is the current one:
 *
 *   card        what the card remembers
 *   dir         its directory at the desk
 *   old, new    files with PINs
 *   NAME.card, NAME.dir   both as they were at some time, to begin from again
 */

#include "test.h"

#include "card.h"

#define DESK_SERIAL "12648430"
#define DESK_KILLED (-1)

typedef struct desk {
    bool aes;      /* cards with management keys of AES-192 */
    bool impostor; /* the next call's */
    piv_fault_kind fault;
    unsigned long fault_at;
} desk;
extern desk the_desk;

int desk_setup(void **state);
int desk_teardown(void **state);

/* A call: words with blanks between. Its exit status, or DESK_KILLED; its output is in the files
 * out and err, the card's log in log. */
int desk_call(const char *words);
/* One that must succeed. */
void desk_must(const char *words);
/* Fails at this command, and so on; the calls after it do not fail. */
int desk_call_with_fault(const char *words, piv_fault_kind fault, unsigned long at);
/* How many commands the card had in the last call; of one instruction (two digits), if not NULL. */
unsigned long desk_commands(const char *instruction);

/* Both as they are now, under that name; and as they were. "blank": a new card, no directory. */
void desk_keep(const char *name);
void desk_begin(const char *name);

/* Has that file a line of this? Only of its beginning, where the last character is '*'. */
bool desk_has(const char *file, const char *line);
/* The value of that name in the desk's record, or nothing. */
const char *desk_record(const char *name);
void desk_write(const char *file, const char *text);
/* What the card has, in the words of its state file. */
bool desk_card_has_pin(const char *name, const char *pin); /* "pin" or "puk", with all its tries */
bool desk_card_has_admin(const char *hex);
/* Is the key in that slot, made there, the record's of that name? */
bool desk_card_has_key(uint8_t reference, const char *name);
bool desk_card_has_certificate(const char *tag, const char *file);

/* A certificate for the record's key of that name, under a CA of the test's, in PEM. */
void desk_certify(const char *name, bool signs, const char *file);

#endif
