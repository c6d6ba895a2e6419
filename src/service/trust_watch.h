/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_TRUST_WATCH_H
#define CHARTSEAL_SERVICE_TRUST_WATCH_H

/*
 * The authorities of a home, their revocation lists (authorities.pem, crl.pem) and what is asked of
 * OCSP answers ("ocsp" in config.json), while a service runs: an operator replaces the files, and
 * the service takes them in at the next look. Whoever is in the middle of a request keeps the trust
 * that it began with.
 *
 * What does not parse, or is gone, is not taken in: the earlier trust stays, and its lists are
 * refused when they are past their dates.
 */

#include "service/home.h"

typedef struct cs_trust_watch cs_trust_watch;

/* `trust` is what the home had when it was opened, NULL for none. */
CS_MUST_CHECK int cs_trust_watch_new(
    cs_trust_watch **out, const cs_home *home, cs_trust *trust, cs_error *error);
void cs_trust_watch_free(cs_trust_watch **watch);

/* Take the files in if they have changed. *news: there is something to say, which is a new trust or
 * a failure that was not told before. */
CS_MUST_CHECK int cs_trust_watch_look(cs_trust_watch *watch, bool *news, cs_error *error);

/* Exchange a trust that was got here before, as of *changes, for the present one if that is newer;
 * cs_trust_free is the caller's. */
void cs_trust_watch_follow(cs_trust_watch *watch, cs_trust **trust, unsigned *changes);

#endif
