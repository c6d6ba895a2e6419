/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CARD_TRUST_H
#define CHARTSEAL_CLI_CARD_TRUST_H

/* Certificates before they go onto a card: would those who are shown them take them? That they are
 * of the card's keys is provisioning/piv's to check. */

#include "cli/card_desk.h"
#include "cli/options.h"
#include "service/home.h"

#define CS_CARD_TRUST_OPTIONS                                                                      \
    {"trust", "PEM", false, "the authorities that may have issued certificates for this desk"},    \
    {                                                                                              \
        "crl", "PEM", false, "their revocation lists"                                              \
    }

/* Whom the desk trusts: --trust and --crl; NULL without. Or the authority of that home. A list that
 * is none, too old, or of another authority is refused at once; none is warned of. CS_E_MALFORMED,
 * CS_E_LISTS, CS_E_CERTIFICATE. */
CS_MUST_CHECK int cs_card_trust(cs_trust **out, const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_card_trust_home(cs_trust **out, const cs_home *authority, cs_error *error);

/* Both of d->trust: chain, dates, lists, usages; and for d's doctor: role, identity, name. Where
 * d->trust is NULL a warning says what is not checked. CS_E_CERTIFICATE, CS_E_EXPIRED,
 * CS_E_REVOKED, CS_E_LISTS. */
CS_MUST_CHECK int cs_card_check_trusted(
    const cs_desk *d, cs_view sign, cs_view agree, cs_error *error);

#endif
