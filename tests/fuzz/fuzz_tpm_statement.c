/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM says of its keys is read without harm, and none that was altered is believed. */
#include "fuzz.h"

#include <chartseal/tpm_statement.h>

#include <stdlib.h>
#include <string.h>

#define AREA_SIZE 88

static uint8_t ak_private[32];
static uint8_t ak_area[AREA_SIZE], key_area[AREA_SIZE];
static uint8_t attest[CS_TPM_ATTEST_SIZE], signature[CS_SIGNATURE_SIZE];
static const uint8_t qualifying[CS_HASH_SIZE] = {1, 2, 3};
static cs_tpm_public ak, key;
static bool ready;

static void must(int rc)
{
    if (rc != CS_OK)
        abort();
}

static void make_area(uint8_t out[AREA_SIZE], uint8_t attributes, uint8_t private_key[32])
{
    static const uint8_t head[] = {
        0, 0x23, 0, 0x0b, 0, 0, 0, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10, 0, 32};
    uint8_t point[65];

    must(cs_p256_generate(private_key, point, NULL));
    memcpy(out, head, sizeof head);
    out[5] = attributes;
    memcpy(out + sizeof head, point + 1, 32);
    out[sizeof head + 33] = 32;
    out[sizeof head + 32] = 0;
    memcpy(out + sizeof head + 34, point + 33, 32);
}

static void prepare(void)
{
    static const uint8_t head[] = {0xff, 'T', 'C', 'G', 0x80, 0x17, 0, 34, 0, 0x0b};
    uint8_t key_private[32], digest[CS_HASH_SIZE];
    uint8_t *at = attest + 42;

    if (ready)
        return;
    make_area(ak_area, 0x05, ak_private);
    make_area(key_area, 0x04, key_private);
    must(cs_tpm_public_read(&ak, CS_VIEW_ARRAY(ak_area), CS_TPM_ATTESTING, NULL));
    must(cs_tpm_public_read(&key, CS_VIEW_ARRAY(key_area), CS_TPM_SIGNING, NULL));
    memcpy(attest, head, sizeof head);
    at[1] = CS_HASH_SIZE;
    memcpy(at + 2, qualifying, sizeof qualifying);
    at += 2 + sizeof qualifying + 25;
    at[1] = CS_TPM_NAME_SIZE;
    memcpy(at + 2, key.name, sizeof key.name);
    at += 2 + sizeof key.name;
    at[1] = CS_TPM_NAME_SIZE;
    at[3] = 0x0b;
    must(cs_hash(digest, CS_VIEW_ARRAY(attest), NULL));
    must(cs_p256_sign(signature, ak_private, digest, NULL));
    must(cs_tpm_statement_check(
        CS_VIEW_ARRAY(attest), CS_VIEW_ARRAY(signature), &ak, &key, qualifying, NULL));
    ready = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const cs_view bytes = {data, size};
    uint8_t sealed[CS_TPM_ACTIVATION_SIZE];
    cs_tpm_public out;

    prepare();
    for (int kind = CS_TPM_SIGNING; kind <= CS_TPM_ATTESTING; kind++) {
        if (cs_tpm_public_read(&out, bytes, (cs_tpm_kind)kind, NULL) == CS_OK &&
            !cs_view_equal(bytes, CS_VIEW_ARRAY(key_area)) &&
            memcmp(out.name, key.name, sizeof key.name) == 0)
            abort();
    }
    if (cs_tpm_statement_check(bytes, CS_VIEW_ARRAY(signature), &ak, &key, qualifying, NULL) ==
            CS_OK &&
        !cs_view_equal(bytes, CS_VIEW_ARRAY(attest)))
        abort();
    (void)!cs_tpm_activation_make(sealed, bytes, key.name, qualifying, NULL);
    return 0;
}

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    prepare();
    const cs_view seeds[] = {
        CS_VIEW_ARRAY(ak_area), CS_VIEW_ARRAY(key_area), CS_VIEW_ARRAY(attest)};

    if (n >= sizeof seeds / sizeof seeds[0] || seeds[n].n > room)
        return 0;
    memcpy(out, seeds[n].p, seeds[n].n);
    return seeds[n].n;
}
