/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CEREMONY_VERB_H
#define CHARTSEAL_CLI_CEREMONY_VERB_H

/* `ceremony` of the parties that have it: service/ceremony.h with people, or files, around it. What
 * differs between the parties is what their `init` does, too. */

#include "cli/home_options.h"

#define CS_CEREMONY_SUMMARY "make token and home by several people, who share its PINs"

#define CS_CEREMONY_OPTIONS                                                                        \
    {"module", "FILE", true, "the PKCS#11 module of the new token"},                               \
        {"label", "LABEL", true, "what the token is to be called; at most 32 bytes"},              \
        {"operators", "N", true, "how many people get shares of the PINs"},                        \
        {"needed", "M", true, "how many of them open the token; at least 2"},                      \
        {"share-dirs", "DIR,...", false,                                                           \
            "where the shares go, one DIR or one for each; else they are shown, one at a time"},   \
        {"shares", "FILE,...", false, "the shares of enough operators; else they are typed"},      \
        {"pin-file", "FILE", false, "where the service will find the PIN (`token combine`)"},      \
        {"pin-env", "NAME", false, "or the environment variable that will name such a file"},      \
        {"pin-digits", "N", false, "of the PIN, in hex; 32, or as many as the token takes"},       \
        {"so-pin-digits", "N", false, "of the SO PIN"},                                            \
        {"backup", "FILE", false,                                                                  \
            "the key that all is lost with leaves the token once, wrapped, into FILE"},            \
        {"rehearse-label", "LABEL", false,                                                         \
            "with --backup: a second token, on which it is restored to see that it can be"},       \
        {"rehearse-module", "FILE", false, "the PKCS#11 module of that token; --module"},          \
        {"restore", "FILE", false, "a backup that the key is taken from, instead of a new one"},   \
        {"restore-shares", "FILE,...", false,                                                      \
            "its wrapping-key shares, of the ceremony of then; else they are typed"},              \
    {                                                                                              \
        "start-over", NULL, false, "the shares that were handed out are void; before the token is" \
    }

typedef struct cs_ceremony_role {
    cs_home_kind kind;
    /* What can be refused before anything is begun; adds the party's own to config. */
    int (*prepare)(json_t *config, const cs_arguments *arguments, cs_error *error);
    /* Home and keys; the PIN from there. If it fails, config.json is gone. */
    int (*make)(cs_home **out, const cs_arguments *arguments, const json_t *config,
        const cs_pin_source *pin, cs_error *error);
    const char *next; /* what to do with it */
} cs_ceremony_role;

CS_MUST_CHECK int cs_run_ceremony(
    const cs_arguments *arguments, const cs_ceremony_role *role, cs_error *error);

#endif
