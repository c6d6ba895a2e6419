/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_RESPONDER_H
#define CHARTSEAL_TEST_RESPONDER_H

/* An OCSP responder, and certificates with any extensions, made by OpenSSL, not by what is tested.
 */

#include "test.h"

#include <chartseal/ocsp.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

/* Issued by `issuer`, whose key is issuer_key; NULL: self-signed. Extensions: "NAME=VALUE" of
 * OpenSSL's configuration, up to a NULL. */
X509 *test_certificate(X509 *issuer, EVP_PKEY *issuer_key, EVP_PKEY *key, const char *name,
    long serial, int64_t not_before, int64_t not_after, const char *const *extensions);
cs_buf test_der(X509 *certificate);
X509 *test_x509(cs_view der);
EVP_PKEY *test_key(void);

/* What an answer says, and who signs it. */
typedef struct test_answer {
    X509 *certificate, *issuer; /* what it is about */
    int status;                 /* V_OCSP_CERTSTATUS_GOOD … */
    int64_t this_update;
    int64_t next_update; /* 0: none */
    X509 *signer;        /* in the answer, unless it is the issuer */
    EVP_PKEY *key;       /* its key; NULL: `sign` is asked */
    cs_sign_fn sign;
    void *context;
    const EVP_MD *id_hash;   /* of the CertID; NULL: SHA-1 */
    const EVP_MD *signature; /* NULL: SHA-256 */
    X509 *also;              /* a second certificate that it answers for as good; NULL: none */
    size_t times;            /* and how often, beyond once */
} test_answer;
cs_buf test_ocsp(const test_answer *answer);

#endif
