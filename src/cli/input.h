/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_INPUT_H
#define CHARTSEAL_CLI_INPUT_H

/* What a person types, or a program sends, on standard input. A visit takes SIGINT and SIGTERM as a
 * descriptor (signals.h), so whoever waits for input has to look at that one too. */

#include <chartseal/bytes.h>

/* What there is, at least one byte unless the input has ended (*got 0). CS_E_CANCELLED when stop_fd
 * (-1: none) becomes readable first. */
CS_MUST_CHECK int cs_input_read(
    size_t *got, uint8_t *room, size_t size, int stop_fd, cs_error *error);

/* The first character of the line that is typed next; '\0' when there is none. Errors as above. */
CS_MUST_CHECK int cs_input_answer(char *out, int stop_fd, cs_error *error);

#endif
