/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_HAND_H
#define CHARTSEAL_TEST_HAND_H

/* A hand that a play lets be laid on one message on its way. */

#include "test.h"

#include <chartseal/bytes.h>

/* What is done to which message, the first time that it passes. */
typedef struct hand {
    const char *name;
    enum { LOOK, FLIP, CUT, APPEND, FINAL, REPLACE, KEEP } what;
    size_t at;
    cs_buf *with;
    size_t size; /* of the message when it passed */
    bool done;
} hand;

/* A tamper function of plays; the context is a hand. */
void lay_hand(void *context, const char *name, cs_buf *message, bool *final);

#endif
