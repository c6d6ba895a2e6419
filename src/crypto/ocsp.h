/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_OCSP_H
#define CHARTSEAL_CRYPTO_OCSP_H

/* What checking a certificate asks of OCSP. */

#include "x509.h"

#include <chartseal/ocsp.h>

/* A certificate whose chain was verified at now_ms, and who issued it. */
typedef struct cs_asked {
    X509 *certificate;
    X509 *issuer;
    int64_t now_ms;
} cs_asked;

cs_ocsp_policy cs_trust_ocsp(const cs_trust *trust);

/* The verdict of the trust's policy; an empty answer is none. */
CS_MUST_CHECK int cs_x509_ocsp_policy(
    const cs_trust *trust, const cs_asked *asked, cs_view answer, cs_error *error);

#endif
