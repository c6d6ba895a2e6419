/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_OCSP_H
#define CHARTSEAL_OCSP_H

/*
 * Revocation by OCSP (RFC 6960), beside the lists. Whoever shows a certificate brings its
 * authority's answer along ("staples" it); whoever checks the certificate checks the answer, and
 * asks nobody. Pure functions over bytes: times are given, and the asking is the service's.
 *
 * An answer is the authority's own or that of a delegate: a certificate in the answer that the same
 * authority issued with the extended key usage OCSPSigning, in its dates and not on a list. No
 * other responder is believed. It is signed with ECDSA or RSA (PKCS#1) over SHA-256 to SHA-512, or
 * with Ed25519.
 */

#include <chartseal/certificate.h>

/* DER. With a delegate of P-256 it has some 1000 bytes, with one of RSA-4096 below 4000. */
#define CS_OCSP_MAX 8192
/* How old an answer may be that counts, unless the policy says otherwise; and what it may say. */
#define CS_OCSP_AGE_DEFAULT_MS INT64_C(86400000)
#define CS_OCSP_AGE_MAX_MS (INT64_C(366) * 86400000)
/* Where a responder is: with its end. */
#define CS_OCSP_URL_SIZE 512

/* What a trust asks of answers. In every case an answer that is there has to be good, and one that
 * is too old counts as none. Required: there has to be one. Else the lists must do, where there are
 * any. docs/protocol.md, "Certificates", has the table. */
typedef struct cs_ocsp_policy {
    bool required;
    int64_t max_age_ms; /* since thisUpdate; 1 to CS_OCSP_AGE_MAX_MS */
} cs_ocsp_policy;
/* Of a trust that no other thread has yet; a new trust has {false, CS_OCSP_AGE_DEFAULT_MS}. */
CS_MUST_CHECK int cs_trust_set_ocsp(cs_trust *trust, cs_ocsp_policy policy, cs_error *error);

/* http or https, printable, without spaces, shorter than CS_OCSP_URL_SIZE. */
bool cs_ocsp_is_url(const char *text);

/* Where the certificate says that its responder is (authority information access), http or https;
 * "" if it does not. CS_E_CERTIFICATE: it is none. */
CS_MUST_CHECK int cs_ocsp_url(char url[CS_OCSP_URL_SIZE], cs_view certificate, cs_error *error);

/* A request (DER, appended to out) about a certificate that the trust has the issuer of. Its CertID
 * is made with SHA-1, as RFC 5019 has it, which every responder knows: a name for the certificate,
 * on which nothing rests, for the answer is compared and signed. It has no nonce, so that
 * responders may answer from what they have. What cs_certificate_check returns, without the policy.
 */
CS_MUST_CHECK int cs_ocsp_request(
    cs_buf *out, const cs_trust *trust, cs_view certificate, int64_t now_ms, cs_error *error);

typedef struct cs_ocsp_dates {
    int64_t this_update;
    int64_t next_update; /* milliseconds since 1970; 0: the answer says none */
} cs_ocsp_dates;

/* CS_OK: the certificate is good, says an answer that is in its dates and not older than the
 * policy's maximum. CS_E_REVOKED; CS_E_OCSP: it is too old; CS_E_CERTIFICATE: it is no answer, not
 * about this certificate, not by who may answer, from the future, or "unknown". */
CS_MUST_CHECK int cs_ocsp_check(const cs_trust *trust, cs_view certificate, cs_view answer,
    int64_t now_ms, cs_ocsp_dates *dates, cs_error *error);

#endif
