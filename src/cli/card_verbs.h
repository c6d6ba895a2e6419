/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CARD_VERBS_H
#define CHARTSEAL_CLI_CARD_VERBS_H

/* The verbs of `card` that change a card, or what counts of it. */

#include "cli/card_desk.h"
#include "cli/options.h"

extern const cs_option cs_card_provision_options[], cs_card_wipe_options[];
int cs_card_provision(const cs_arguments *arguments, cs_error *error);
int cs_card_wipe(const cs_arguments *arguments, cs_error *error);

extern const cs_option cs_card_change_pin_options[], cs_card_unblock_options[];
extern const cs_option cs_card_renew_options[];
int cs_card_change_pin(const cs_arguments *arguments, cs_error *error);
int cs_card_unblock(const cs_arguments *arguments, cs_error *error);
int cs_card_renew(const cs_arguments *arguments, cs_error *error);

extern const cs_option cs_card_suspend_options[], cs_card_revoke_options[];
int cs_card_suspend(const cs_arguments *arguments, cs_error *error);
int cs_card_revoke(const cs_arguments *arguments, cs_error *error);

extern const cs_option cs_card_load_options[];
int cs_card_load(const cs_arguments *arguments, cs_error *error);

#define CS_CARD_READER_OPTION                                                                      \
    {                                                                                              \
        "reader", "NAME", false, "the reader the card is in; otherwise the only PIV card there is" \
    }
#define CS_CARD_CERTIFICATE_OPTIONS                                                                \
    {"sign-certificate", "FILE", false, "for the key in 9C: the card is finished"},                \
    {                                                                                              \
        "agree-certificate", "FILE", false, "for the key in 9D, beside the other"                  \
    }
/* `provision` through a token's own module. */
CS_MUST_CHECK int cs_card_provision_token(const cs_arguments *arguments, cs_error *error);
/* `provision` of many. */
CS_MUST_CHECK int cs_card_batch(const cs_arguments *arguments, cs_error *error);
/* Both of them, or neither. */
CS_MUST_CHECK int cs_card_check_certificates(const cs_arguments *arguments, cs_error *error);
/* For machines: serial number, step and directory. */
CS_MUST_CHECK int cs_card_print_run(const cs_desk *d, cs_error *error);

#endif
