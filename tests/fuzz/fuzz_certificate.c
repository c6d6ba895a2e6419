/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, requests, PEM and CRLs are read without harm, and none that was altered is trusted.
 */
#include "fuzz.h"

#include <chartseal/certificate.h>

#include <stdlib.h>
#include <string.h>

#define NOW 1767225600000LL
#define YEAR 31536000000LL

static uint8_t private_key[32];
static uint8_t public_key[65];
static cs_buf ca, ca_pem, certificate, request, crl;

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
    must(cs_crl_issue(&crl, cs_view_buf(&ca), &revocation, 1, 1, NOW - 1000, NOW + YEAR, sign,
        private_key, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const cs_view bytes = {data, size};
    uint8_t serial[8];
    cs_holder holder;
    cs_trust *trust = NULL;
    cs_buf der = {0};

    prepare();
    must(cs_trust_new(&trust, cs_view_buf(&ca_pem), (cs_view){0}, NULL));
    if (cs_certificate_check(trust, bytes, NOW, &holder, NULL) == CS_OK &&
        !cs_view_equal(bytes, cs_view_buf(&certificate)))
        abort();
    cs_trust_free(&trust);
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
    const cs_buf *seeds[] = {&certificate, &request, &crl, &ca_pem};

    prepare();
    if (n >= sizeof seeds / sizeof seeds[0] || seeds[n]->n > room) {
        cs_buf_free(&ca);
        cs_buf_free(&ca_pem);
        cs_buf_free(&certificate);
        cs_buf_free(&request);
        cs_buf_free(&crl);
        return 0;
    }
    memcpy(out, seeds[n]->p, seeds[n]->n);
    return seeds[n]->n;
}
