/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CARD_LIST_H
#define CHARTSEAL_CLI_CARD_LIST_H

/* The doctors of a batch of cards: from a file with a line "ID,NAME" for each, '#' before a remark.
 * How far each one's card is, the directories say. */

#include "piv/run.h"

#define CS_CARD_LIST_MAX 10000 /* doctors; a desk makes some hundred cards a day */

typedef enum cs_card_state {
    CS_CARD_WAITS = 0,
    CS_CARD_IN_HAND,
    CS_CARD_DONE,
} cs_card_state;

typedef struct cs_card_job {
    char *id, *name, *dir; /* into one piece of memory */
    cs_card_state state;
    bool has_card; /* one was begun: that one alone is gone on with */
    uint32_t serial;
    cs_piv_step done;
} cs_card_job;

typedef struct cs_card_list {
    cs_card_job *jobs;
    size_t count;
} cs_card_list;

/* dir/ID is each one's directory, so an identity here is a name that a file can have.
 * CS_E_MALFORMED with the line's number. */
CS_MUST_CHECK int cs_card_list_read(
    cs_card_list *out, const char *file, const char *dir, cs_error *error);
void cs_card_list_free(cs_card_list *list);
/* The one whose card this is, or else the next that has none; NULL: nobody's. `is_new` says whether
 * the card may become somebody's. */
cs_card_job *cs_card_list_find(const cs_card_list *list, uint32_t serial, bool is_new);
size_t cs_card_list_done(const cs_card_list *list);

#endif
