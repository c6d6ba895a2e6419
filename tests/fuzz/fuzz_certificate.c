/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, requests, PEM, CRLs and OCSP answers are read without harm, and none that was
 * altered is trusted.
 */
#include "fuzz.h"
#include "responder.h"

#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1767225600000LL
#define YEAR 31536000000LL

static uint8_t private_key[32];
static uint8_t public_key[65];
static cs_buf ca, ca_pem, certificate, request, crl, revoked;

static int sign(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    return cs_p256_sign(signature, context, digest, error);
}

static void must(int rc)
{
    if (rc != CS_OK)
        abort();
}

static cs_buf answer_revoked(void)
{
    X509 *issuer = test_x509(cs_view_buf(&ca));
    X509 *about = test_x509(cs_view_buf(&certificate));
    const test_answer answer = {.certificate = about,
        .issuer = issuer,
        .status = V_OCSP_CERTSTATUS_REVOKED,
        .this_update = NOW - 1000,
        .signer = issuer,
        .sign = sign,
        .context = private_key};
    cs_buf der = test_ocsp(&answer);

    X509_free(issuer);
    X509_free(about);
    return der;
}

static void prepare(void)
{
    const cs_subject subject = {.common_name = "Fuzz", .role = "doctor", .id = "D-1"};
    const uint8_t serial[8] = {1};
    const cs_revocation revocation = {.serial = {2}, .time_ms = NOW};
    const cs_view puk = {public_key, sizeof public_key};

    if (ca.n > 0)
        return;
    must(cs_p256_generate(private_key, public_key, NULL));
    must(cs_ca_make(&ca, &subject, puk, NOW - YEAR, NOW + YEAR, sign, private_key, NULL));
    must(cs_pem_encode(&ca_pem, "CERTIFICATE", cs_view_buf(&ca), NULL));
    must(cs_certificate_issue(&certificate, cs_view_buf(&ca), &subject, puk, serial, NOW - 1000,
        NOW + YEAR, sign, private_key, NULL));
    must(cs_request_make(&request, &subject, puk, sign, private_key, NULL));
    revoked = answer_revoked();
    must(cs_crl_issue(&crl, cs_view_buf(&ca), &revocation, 1, 1, NOW - 1000, NOW + YEAR, sign,
        private_key, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const cs_view bytes = {data, size};
    uint8_t serial[8];
    char url[CS_OCSP_URL_SIZE];
    cs_ocsp_dates dates;
    cs_holder holder;
    cs_trust *trust = NULL;
    cs_buf der = {0};

    prepare();
    must(cs_trust_new(&trust, cs_view_buf(&ca_pem), (cs_view){0}, NULL));
    if (cs_certificate_check(trust, bytes, NULL, NOW, &holder, NULL) == CS_OK &&
        !cs_view_equal(bytes, cs_view_buf(&certificate)))
        abort();
    /* nobody has signed that it is good */
    if (cs_ocsp_check(trust, cs_view_buf(&certificate), bytes, NOW, &dates, NULL) == CS_OK)
        abort();
    cs_trust_free(&trust);
    (void)!cs_ocsp_url(url, bytes, NULL);
    (void)!cs_request_check(bytes, &holder, NULL);
    (void)!cs_certificate_serial(bytes, serial, NULL);
    (void)!cs_pem_decode(&der, "CERTIFICATE", bytes, NULL);
    if (cs_trust_new(&trust, cs_view_buf(&ca_pem), bytes, NULL) == CS_OK)
        cs_trust_free(&trust);
    cs_buf_free(&der);
    return 0;
}

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    const cs_buf *seeds[] = {&certificate, &request, &crl, &ca_pem, &revoked};

    prepare();
    if (n >= sizeof seeds / sizeof seeds[0] || seeds[n]->n > room) {
        cs_buf_free(&ca);
        cs_buf_free(&ca_pem);
        cs_buf_free(&certificate);
        cs_buf_free(&request);
        cs_buf_free(&crl);
        cs_buf_free(&revoked);
        return 0;
    }
    memcpy(out, seeds[n]->p, seeds[n]->n);
    return seeds[n]->n;
}
