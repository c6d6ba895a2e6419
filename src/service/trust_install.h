/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_TRUST_INSTALL_H
#define CHARTSEAL_SERVICE_TRUST_INSTALL_H

/* Renewing whom a home trusts: authorities.pem and crl.pem, which every party has to do about once
 * a week. No token is needed: the authority's signature says which list is right. */

#include "service/home.h"

/* crl.pem as it is: how many lists (0: there is no file), and the dates of the one that ends first.
 */
typedef struct cs_lists {
    size_t count;
    cs_crl_dates first;
} cs_lists;
CS_MUST_CHECK int cs_home_lists(cs_lists *out, const cs_home *home, cs_error *error);

/* Take lists in, PEM, for those of the same authorities; lists of others stay. Each has to be
 * signed by an authority that is trusted, in its dates, and not older than the one it takes the
 * place of. `authorities` (PEM) are trusted from now on, instead of those before; empty: as before.
 * `crl` may be empty then. A service that runs takes the files in by itself. CS_E_CERTIFICATE,
 * CS_E_LISTS, CS_E_MALFORMED: nothing was changed. */
CS_MUST_CHECK int cs_home_install_trust(
    const cs_home *home, cs_view authorities, cs_view crl, cs_error *error);

#endif
