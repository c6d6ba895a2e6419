/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_OPTIONS_H
#define CHARTSEAL_CLI_OPTIONS_H

/*
 * The options of a verb as a table: `--name value`, `--name=value`, flags. Names are taken exactly:
 * an abbreviation that fits today would be another option tomorrow. Every verb has --help. An
 * option that is given twice, is unknown, lacks its value or is required and missing is CS_E_USAGE,
 * and so is an argument that belongs to no option.
 */

#include <chartseal/error.h>

#include <stdint.h>

#define CS_OPTIONS_MAX 32 /* of one verb */

typedef struct cs_option {
    const char *name;
    const char *argument; /* "FILE", as --help shows it; NULL: a flag */
    bool required;
    const char *help;
} cs_option;

typedef struct cs_arguments {
    const cs_option *options;
    const char *values[CS_OPTIONS_MAX]; /* NULL: not given; "" for a flag that is */
} cs_arguments;

/* argv starts after the verb. `call` ("doctor visit") is for the messages. *help: --help was given,
 * and then nothing is missing. */
CS_MUST_CHECK int cs_options_parse(cs_arguments *out, const cs_option *options, const char *call,
    int argc, char **argv, bool *help, cs_error *error);
/* The synopsis and the options, for --help, on standard output. */
void cs_options_print(const cs_option *options, const char *call);

/* The name must be one of the table's: another is a defect and ends the program. */
const char *cs_arg(const cs_arguments *arguments, const char *name); /* NULL: not given */
const char *cs_arg_or(const cs_arguments *arguments, const char *name, const char *otherwise);
bool cs_arg_flag(const cs_arguments *arguments, const char *name);
/* Text for people and for messages: at most `most` bytes, and clean (cs_text_is_clean). CS_E_USAGE.
 */
CS_MUST_CHECK int cs_arg_text(
    const cs_arguments *arguments, const char *name, size_t most, cs_error *error);
/* A whole number within [least, most]; `otherwise` when it is not given. CS_E_USAGE. */
CS_MUST_CHECK int cs_arg_number(int64_t *out, const cs_arguments *arguments, const char *name,
    int64_t otherwise, int64_t least, int64_t most, cs_error *error);
/* HOST:PORT or [HOST]:PORT into host (host_size bytes with its end) and port. CS_E_USAGE. */
CS_MUST_CHECK int cs_arg_address(const cs_arguments *arguments, const char *name, char *host,
    size_t host_size, uint16_t *port, cs_error *error);

#endif
