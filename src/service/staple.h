/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_STAPLE_H
#define CHARTSEAL_SERVICE_STAPLE_H

/*
 * The authority's OCSP answer about a party's own certificate, which it shows with it. It comes
 * from the responder that "ocsp.url" in config.json names, or the certificate; the newest is kept
 * in the home (ocsp.der) and asked for again after ten minutes, or half of its life if that is
 * shorter. However old the answers are that a responder gives, and if it gives none, one process
 * asks no more often, unless an answer that it showed has ended. Nobody but a certificate's owner
 * asks.
 */

#include "service/home.h"

#define CS_STAPLE_RENEW_MS 600000
#define CS_STAPLE_WARNING_SIZE 512

/* Into actor->staple and its party. Also CS_OK without one: there is no responder; or it cannot be
 * reached or gives nothing that counts, and *warning ("" otherwise) names it. Whom it is shown
 * decides what it means. CS_E_REVOKED: the authority says that, in its list, in its answer, or in
 * the one that is kept, as long as there is none newer. */
CS_MUST_CHECK int cs_staple_bring(
    cs_actor *actor, char warning[CS_STAPLE_WARNING_SIZE], cs_error *error);

#endif
