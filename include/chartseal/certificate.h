/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CERTIFICATE_H
#define CHARTSEAL_CERTIFICATE_H

/*
 * X.509: Cert_D and the hospital's certificate, the authorities that issue them, requests (PKCS#10)
 * and revocation lists. Pure functions over bytes: times are given, files are read elsewhere.
 * Whatever has to be signed is signed through a function of the caller's, a token's `sign`.
 */

#include <chartseal/crypto.h>

#define CS_CERTIFICATE_MAX 8192 /* DER; a real one has 600-2000 bytes */
#define CS_CRL_MAX 4194304      /* DER */

/* The authorities one trusts, with their revocation lists. */
typedef struct cs_trust cs_trust;

/* PEM: one or more CA certificates, each of which is an anchor; none or more CRLs (crl_pem may be
 * empty). CS_E_CERTIFICATE, CS_E_MALFORMED, CS_E_TOO_LARGE. A trust may be shared by threads. */
CS_MUST_CHECK int cs_trust_new(cs_trust **out, cs_view ca_pem, cs_view crl_pem, cs_error *error);
/* The same trust for one more owner; the last cs_trust_free frees it. NULL stays NULL. */
cs_trust *cs_trust_share(cs_trust *trust);
void cs_trust_free(cs_trust **trust);

/* The longest common name and serialNumber attribute of RFC 5280, in bytes of UTF-8 that we take.
 */
#define CS_HOLDER_TEXT_MAX 64

/* Whom a certificate, or a request, is for. */
typedef struct cs_holder {
    uint8_t puk[CS_PUK_SIZE];          /* P-256, compressed */
    char name[CS_HOLDER_TEXT_MAX + 1]; /* the common name: one clean line of UTF-8 */
    char id[CS_HOLDER_TEXT_MAX + 1];   /* the subject's serialNumber (2.5.4.5); empty: none */
    char role[9]; /* "doctor", "hospital" or "cloud", as an organizational unit says; empty: none of
                     these, or two */
} cs_holder;

/* Check a certificate (DER) at time now_ms: chain to a trusted authority, dates, that it is not a
 * CA and allows digital signatures, the CRL (when the trust has one for its issuer: revoked and too
 * old are both refused), and the answer of its authority's responder that came with it (ocsp.h), as
 * the trust's policy says. `ocsp` is NULL where no answer can come along, so that the lists alone
 * are asked; empty where one could have. Who the holder has to be is for the caller to compare.
 * A certificate without keyUsage, or in any encoding but DER, is refused, and so is one whose
 * extended key usage is for something else than signing as a person or a party.
 * CS_E_CERTIFICATE, CS_E_EXPIRED, CS_E_REVOKED; CS_E_LISTS: the CRL given is not in its dates;
 * CS_E_OCSP: an answer is required, and there is none that is fresh. */
CS_MUST_CHECK int cs_certificate_check(const cs_trust *trust, cs_view der, const cs_view *ocsp,
    int64_t now_ms, cs_holder *holder, cs_error *error);
/* The same, without an answer, for the certificate of a key that agrees: its key usage says key
 * agreement and not digital signature. */
CS_MUST_CHECK int cs_certificate_check_agreement(
    const cs_trust *trust, cs_view der, int64_t now_ms, cs_holder *holder, cs_error *error);

/* The certificate (DER) of a TPM's endorsement key: its key alone, which has to be of P-256; and
 * checked at time now_ms, against the manufacturers' authorities: chain, dates, revocation lists if
 * the trust has any, not a CA, and that its extended key usage is tcg-kp-EKCertificate: a maker
 * certifies other things too. CS_E_CERTIFICATE, CS_E_EXPIRED, CS_E_REVOKED, CS_E_LISTS. */
CS_MUST_CHECK int cs_endorsement_read(cs_view der, uint8_t puk[CS_PUK_SIZE], cs_error *error);
CS_MUST_CHECK int cs_endorsement_check(
    const cs_trust *trust, cs_view der, int64_t now_ms, cs_error *error);

/* Signs a SHA-256 digest: r ‖ s. What it gives is verified before it is used, so a signer with
 * another key is CS_E_SIGNATURE. */
typedef int (*cs_sign_fn)(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error);

/* What goes into a certificate or a request. */
typedef struct cs_subject {
    const char *common_name;  /* 1 to 64 bytes of UTF-8 */
    const char *organisation; /* NULL: none */
    const char *role;         /* an organizational unit; NULL: none */
    const char *id;           /* serialNumber, 1 to 64 of CS_ID_PRINTABLE; NULL: none */
} cs_subject;

/* What an identity that a certificate carries is made of: serialNumber is a PrintableString. */
#define CS_ID_PRINTABLE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"

/* PKCS#10 for the key puk (SEC1), signed by it. DER appended to out. */
CS_MUST_CHECK int cs_request_make(cs_buf *out, const cs_subject *subject, cs_view puk,
    cs_sign_fn sign, void *context, cs_error *error);
/* Checks the request's own signature; gives whom it is for. CS_E_SIGNATURE, CS_E_MALFORMED. */
CS_MUST_CHECK int cs_request_check(cs_view der, cs_holder *holder, cs_error *error);

/* A self-signed CA certificate (pathlen 0); an end-entity certificate for digital signatures, by
 * that CA; a CRL. Serial: 8 bytes big-endian, not 0. Times: milliseconds since 1970, up to 9999.
 * DER appended to out. CS_E_USAGE, CS_E_CERTIFICATE (ca_der is no CA), CS_E_POINT, or what sign
 * returned. */
CS_MUST_CHECK int cs_ca_make(cs_buf *out, const cs_subject *subject, cs_view puk,
    int64_t not_before, int64_t not_after, cs_sign_fn sign, void *context, cs_error *error);
CS_MUST_CHECK int cs_certificate_issue(cs_buf *out, cs_view ca_der, const cs_subject *subject,
    cs_view puk, const uint8_t serial[8], int64_t not_before, int64_t not_after, cs_sign_fn sign,
    void *context, cs_error *error);
/* The same for a key that agrees and cannot sign (keyAgreement alone): cs_certificate_check refuses
 * it. No request proves the possession of such a key. */
CS_MUST_CHECK int cs_certificate_issue_agreement(cs_buf *out, cs_view ca_der,
    const cs_subject *subject, cs_view puk, const uint8_t serial[8], int64_t not_before,
    int64_t not_after, cs_sign_fn sign, void *context, cs_error *error);

/* A certificate that vouches for nothing, signed by a key that nobody has: for software that sees a
 * key by its certificate alone, as OpenSC does one in a retired slot. keyAgreement, as above. */
CS_MUST_CHECK int cs_certificate_container(cs_buf *out, const cs_subject *subject, cs_view puk,
    int64_t not_before, int64_t not_after, cs_error *error);

/* SubjectPublicKeyInfo (DER) of a P-256 key, appended to out; and back, compressed. CS_E_POINT. */
CS_MUST_CHECK int cs_public_key_encode(cs_buf *out, cs_view puk, cs_error *error);
CS_MUST_CHECK int cs_public_key_decode(uint8_t puk[CS_PUK_SIZE], cs_view der, cs_error *error);

typedef struct cs_revocation {
    uint8_t serial[8];
    int64_t time_ms;
    bool hold; /* certificateHold: it may be off the next list; else no reason is given */
} cs_revocation;
CS_MUST_CHECK int cs_crl_issue(cs_buf *out, cs_view ca_der, const cs_revocation *revoked,
    size_t count, uint64_t number, int64_t this_update, int64_t next_update, cs_sign_fn sign,
    void *context, cs_error *error);

/* Of the lists in PEM (none or more): how many, and the dates of the one that ends first. */
typedef struct cs_crl_dates {
    int64_t this_update, next_update; /* milliseconds since 1970 */
} cs_crl_dates;
CS_MUST_CHECK int cs_crl_look(cs_view crl_pem, size_t *count, cs_crl_dates *first, cs_error *error);

/* Lists in PEM that are to replace those before: appended to out are the new ones, and the old ones
 * of authorities that have no new one. A new one has to be signed by one of the authorities
 * (CS_E_CERTIFICATE), in its dates, and not older than the old one of the same (CS_E_LISTS). */
#define CS_CRL_CLOCK_MS 60000 /* how far the authority's clock may be ahead: as ΔT */
CS_MUST_CHECK int cs_crl_update(
    cs_buf *out, cs_view ca_pem, cs_view old_pem, cs_view new_pem, int64_t now_ms, cs_error *error);

/* The end of a certificate, milliseconds since 1970. */
CS_MUST_CHECK int cs_certificate_not_after(cs_view der, int64_t *not_after, cs_error *error);

/* Serial (right-aligned in 8 bytes; CS_E_CERTIFICATE if longer) of a certificate. */
CS_MUST_CHECK int cs_certificate_serial(cs_view der, uint8_t serial[8], cs_error *error);

/* PEM in and out (appended; decode takes the first block of that label, else CS_E_MALFORMED); label
 * such as "CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL". */
CS_MUST_CHECK int cs_pem_encode(cs_buf *out, const char *label, cs_view der, cs_error *error);
CS_MUST_CHECK int cs_pem_decode(cs_buf *der, const char *label, cs_view pem, cs_error *error);

#endif
