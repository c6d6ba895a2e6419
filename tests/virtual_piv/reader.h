/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_VIRTUAL_PIV_READER_H
#define CHARTSEAL_TEST_VIRTUAL_PIV_READER_H

/* The other side of vpcd's protocol: a reader of the test's own, with one virtual PIV card. */

#include "test.h"

#include <chartseal/bytes.h>

#include <sys/types.h>

#define READER_PULLED 0 /* instead of a status word: the card has gone */

typedef struct reader {
    char directory[64], state[128];
    int listener, fd; /* fd -1: no card */
    char port[8];
    pid_t card;
    cs_buf data; /* of the last answer, without the status word */
} reader;

/* Setup and teardown of a test: a fresh directory, no card yet. *state is the reader. */
int reader_setup(void **state);
int reader_teardown(void **state);

/* Starts the card with these options, blanks between, waits for it and powers it. It remembers what
 * the last one did. */
void reader_start(reader *r, const char *options);
/* Ends the process, which must end well. */
void reader_stop(reader *r);
void reader_signal(reader *r, int number);
/* A card that was put in again: waits for it and powers it. */
void reader_wait_for_card(reader *r);
void reader_reset(reader *r);
/* Waits for the end of the connection. */
void reader_wait_for_pull(reader *r);

/* One command, in hex with blanks: its status word, or READER_PULLED. */
uint16_t reader_send(reader *r, const char *hex);
uint16_t reader_send_bytes(reader *r, cs_view command);
/* Raw bytes of the protocol, with no answer awaited. */
void reader_write(reader *r, cs_view bytes);

/* SELECT, VERIFY 123456, the default management key. */
void reader_select(reader *r);
void reader_verify(reader *r);
void reader_authenticate(reader *r);

/* The status word, shown in hex when it is another. */
#define assert_status(wanted, got)                                                                 \
    do {                                                                                           \
        unsigned assert_got = (got);                                                               \
        if (assert_got != (unsigned)(wanted))                                                      \
            fail_msg("wanted %04x, got %04x (%s:%d)", (unsigned)(wanted), assert_got, __FILE__,    \
                __LINE__);                                                                         \
    } while (0)
/* The data of the last answer, in hex. */
#define assert_data(r, hex) reader_assert_data(r, hex, __FILE__, __LINE__)
void reader_assert_data(const reader *r, const char *hex, const char *file, int line);

#endif
