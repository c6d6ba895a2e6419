/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_AUTHORITY_H
#define CHARTSEAL_SERVICE_AUTHORITY_H

/*
 * A small medical authority, for trials: its key is in a token, its certificate is certificate.pem,
 * the certificates it issued are listed in issued.json, and crl.pem says which of them are revoked.
 * A CRL is valid for CS_CRL_DAYS and then has to be written again, also when nothing changed: who
 * relies on it refuses one that is too old.
 *
 * Whether somebody may practise is for a person to check; issuing only checks that the request is
 * signed by the key in it. Two processes may work on one home: a lock puts them in order.
 */

#include "service/home.h"

#define CS_CRL_DAYS 7
#define CS_CERTIFICATE_DAYS_DEFAULT 365
#define CS_CERTIFICATE_DAYS_MAX 1095

typedef struct cs_issued {
    cs_holder holder;
    uint8_t serial[8];
    int64_t not_after;
    bool agrees; /* for key agreement; else for signatures */
} cs_issued;

/* The self-signed certificate and an empty CRL, for a home with its key made. */
CS_MUST_CHECK int cs_authority_found(cs_home *home, const cs_actor *actor, cs_error *error);
/* Issue for a request (PEM) that names a role and an identity, as it names them: for the key in it
 * or, with agree_pem (a public key), for that one's key agreement: a key that cannot sign has no
 * request of its own. CS_E_TAKEN while another key has a certificate for them, and for that use,
 * that is neither revoked nor past its dates. The certificate (PEM) is appended to out. */
CS_MUST_CHECK int cs_authority_issue(cs_home *home, const cs_actor *actor, cs_view request_pem,
    cs_view agree_pem, int64_t days, cs_issued *issued, cs_buf *out, cs_error *error);
/* Write crl.pem again. */
CS_MUST_CHECK int cs_authority_list(cs_home *home, const cs_actor *actor, cs_error *error);

/* The same, with one more certificate revoked. A key may have several, as after a renewal: with
 * whole_key all of them, for a key that is lost. CS_E_NOT_FOUND for a serial that was never issued
 * here; one that is revoked already stays so. */
typedef struct cs_marking {
    uint8_t serial[8];
    bool whole_key;
} cs_marking;
CS_MUST_CHECK int cs_authority_revoke(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error);
/* The same until cs_authority_release (reason certificateHold): for a card that is looked for. One
 * that is revoked stays so. Until then nobody else gets a certificate for that identity. */
CS_MUST_CHECK int cs_authority_hold(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error);
/* CS_E_REVOKED: it is revoked for good. One that is neither stays as it is. */
CS_MUST_CHECK int cs_authority_release(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error);

#endif
