/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_OUTPUT_H
#define CHARTSEAL_CLI_OUTPUT_H

/* What a verb says: text for people, one JSON object or array for machines, both on standard
 * output. What a person types or a peer sent is printed with its control characters taken out, so
 * that nobody can write to somebody's terminal with an identity. */

#include "cli/options.h"

#include <chartseal/token.h>

#include <jansson.h>
#include <sys/types.h>

/* One line: printf and a line feed. */
void cs_say(const char *format, ...) CS_PRINTF(1, 2);
/* One line on standard error, of what is wrong but does not end the command. */
void cs_warn(const char *format, ...) CS_PRINTF(1, 2);
/* Prints the value, a line feed, and gives up the reference. CS_E_MEMORY for NULL, CS_E_STORAGE. */
CS_MUST_CHECK int cs_print_json(json_t *value, cs_error *error);
/* Copy text as UTF-8 with '?' for every character that is not clean (cs_text_is_clean); cut before
 * what does not fit into size - 1 bytes. Returns out. */
const char *cs_printable(char *out, size_t size, const char *text);

/* `-` as the name of an output is standard output, where a verb has nothing else to say there. */
bool cs_is_stdout(const char *path);
/* --NAME, which names a file to write, before anything is done: could it be written? `-` only where
 * the verb takes it, and not beside --json. CS_E_USAGE, or as cs_file_may_write. */
CS_MUST_CHECK int cs_check_output(
    const cs_arguments *arguments, const char *name, bool takes_stdout, cs_error *error);
/* The bytes to standard output for `-`, else to that file. */
CS_MUST_CHECK int cs_write_output(const char *path, cs_view bytes, mode_t mode, cs_error *error);

/* Token operations and hashes as JSON; NULL when there is no memory. */
json_t *cs_ops_json(cs_op_counts ops);
json_t *cs_hex_json(cs_view bytes);

/* How a key came to where it is held: "generated" in its token, or brought into it: S_X "wrapped"
 * (P-256, unwrapped inside), "duplicated" (P-256, imported by a TPM) or "lifted" (X25519, through
 * the party's memory once), a key of somebody else's "imported"; "sealed" for an S_X that stays
 * outside, sealed to a key inside. */
const char *cs_key_delivery(const cs_key_info *info);

/* The error on standard error, or as an object on standard output; one without a message was in the
 * answer already. Returns the exit status. */
int cs_report(int rc, const cs_error *error, bool json);

#endif
