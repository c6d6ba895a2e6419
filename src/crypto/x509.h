/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_X509_H
#define CHARTSEAL_CRYPTO_X509_H

/* What reading and making certificates, requests and revocation lists share. */

#include <chartseal/certificate.h>

#include <openssl/x509.h>

/* One certificate in DER: at most CS_CERTIFICATE_MAX bytes, nothing after it, in its only encoding.
 * CS_E_CERTIFICATE. */
CS_MUST_CHECK int cs_x509_decode(X509 **out, cs_view der, cs_error *error);

/* A P-256 key on its named curve, compressed; any other is refused with `code`. */
CS_MUST_CHECK int cs_x509_puk(
    uint8_t puk[CS_PUK_SIZE], const X509_PUBKEY *key, cs_code code, cs_error *error);

/* The texts of a holder: the one common name, and identity and role where there are such. What is
 * there has to be a clean line of UTF-8, else `code`. */
CS_MUST_CHECK int cs_x509_holder(
    cs_holder *holder, const X509_NAME *subject, cs_code code, cs_error *error);

/* UTF-8 that a person can be shown on one line: no control, separator or direction characters. */
bool cs_x509_clean_text(const uint8_t *text, size_t n);

/* A signature is whole bytes: unused bits are a second encoding of the same signature. */
bool cs_x509_whole_bytes(const ASN1_BIT_STRING *bits);

/* The certificate's chain to an authority of the trust, its dates and the lists, at now_ms. *issuer
 * is to be freed; `issuer` may be NULL. As cs_certificate_check returns. */
CS_MUST_CHECK int cs_x509_verify(
    X509 **issuer, const cs_trust *trust, X509 *certificate, int64_t now_ms, cs_error *error);

/* Does its extended key usage name one of these (dotted numbers)? */
bool cs_x509_has_usage(X509 *certificate, const char *const *oids, size_t count);
/* That it is no authority's and its usages let the key sign, or agree and not sign. */
CS_MUST_CHECK int cs_x509_check_leaf(X509 *certificate, bool agrees, cs_error *error);

/* Milliseconds since 1970; -1 for what is no time. */
int64_t cs_x509_to_ms(const ASN1_TIME *time);

/* What is being made, in DER, with the signature of a throwaway key. */
typedef struct cs_unsigned {
    uint8_t *der; /* OPENSSL_malloc'ed */
    int n;
} cs_unsigned;

/* A key that signs what is built only so that both AlgorithmIdentifiers get set. */
CS_MUST_CHECK int cs_x509_throwaway_key(EVP_PKEY **out, cs_error *error);

/* Replace the signature by that of `sign` over the same content, check it against signer (SEC1),
 * and append the result to out. draft.der is freed. */
CS_MUST_CHECK int cs_x509_emit(cs_buf *out, cs_unsigned draft, cs_view signer, cs_sign_fn sign,
    void *context, cs_error *error);

/* Milliseconds since 1970 as an ASN.1 time: 1970 to 9999; else CS_E_USAGE. */
CS_MUST_CHECK int cs_x509_time(ASN1_TIME **out, int64_t time_ms, cs_error *error);
/* 8 bytes as a positive INTEGER; zero is CS_E_USAGE. */
CS_MUST_CHECK int cs_x509_integer(ASN1_INTEGER **out, const uint8_t bytes[8], cs_error *error);
/* The names of a subject, into `name`. CS_E_USAGE. */
CS_MUST_CHECK int cs_x509_set_name(X509_NAME *name, const cs_subject *subject, cs_error *error);
/* An authority's certificate and its key. CS_E_CERTIFICATE when it is none. */
CS_MUST_CHECK int cs_x509_authority(
    X509 **out, uint8_t puk[CS_PUK_SIZE], cs_view der, cs_error *error);

#endif
