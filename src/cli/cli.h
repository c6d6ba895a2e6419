/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_H
#define CHARTSEAL_CLI_H

/*
 * The command: `chartseal GROUP VERB --option value …`. A group (a party, tokens, audit) is a file
 * with a table of verbs; a verb is a table of options and a function. Parsing, --help and the
 * printing of errors are the same for all and live in cli.c and options.c.
 *
 * A verb prints its result with output.h and returns CS_OK, or fails with one sentence in *error,
 * which the command prints on standard error as "chartseal: …"; the exit status is the category of
 * the code. With --json (if the verb has that option) the error is an object on standard output.
 *
 * Secrets are never arguments: they come from files, standard input or a prompt.
 */

#include "cli/options.h"

typedef struct cs_verb {
    const char *name; /* one word, or two: "telecare upload"; "" for what the group does by
                       * itself, such as demo */
    const char *summary;
    const cs_option *options; /* ended by one without a name */
    const char *example;      /* what follows "chartseal GROUP VERB" in a typical call */
    int (*run)(const cs_arguments *arguments, cs_error *error);
} cs_verb;

typedef struct cs_group {
    const char *name;
    const char *summary;
    const cs_verb *verbs; /* ended by one without a function */
} cs_group;

extern const cs_group cs_authority_group, cs_cloud_group, cs_hospital_group, cs_doctor_group,
    cs_patient_group, cs_token_group, cs_card_group, cs_audit_group, cs_demo_group;

/* Runs what the arguments say and reports how it went; the exit status. */
int cs_cli_main(int argc, char **argv);

#endif
