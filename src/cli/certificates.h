/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CERTIFICATES_H
#define CHARTSEAL_CLI_CERTIFICATES_H

/* The certificate of a doctor or a hospital: asked for with request.pem, taken in checked. */

#include "service/home.h"

/* request.pem in the home (PKCS#10, signed in the token), and a copy at `path` unless it is NULL.
 */
CS_MUST_CHECK int cs_request_write(const cs_home *home, const cs_actor *actor,
    const char *common_name, const char *path, cs_error *error);

/* certificate.pem from `path`, checked before it replaces what is there: of a trusted authority, in
 * its dates, for this party's signing key. CS_E_CERTIFICATE, CS_E_EXPIRED, CS_E_REVOKED. */
CS_MUST_CHECK int cs_certificate_install(
    const cs_home *home, cs_actor *actor, const char *path, cs_error *error);

/* The authority's answer about it (staple.h), to be shown with it; a warning where there is none
 * though the certificate names a responder. CS_E_REVOKED. */
CS_MUST_CHECK int cs_certificate_staple(cs_actor *actor, cs_error *error);

#endif
