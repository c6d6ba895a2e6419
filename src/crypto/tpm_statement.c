/* SPDX-License-Identifier: Apache-2.0 */

/* Public areas and statements of a TPM, read strictly: one form of each, and nothing after it. */

#include "tpm_wrap.h"

#include <chartseal/group.h>
#include <chartseal/tpm_statement.h>

#include <string.h>

#define GENERATED 0xff544347u /* TPM_GENERATED_VALUE */
#define ATTEST_CERTIFY 0x8017
#define CLOCK_INFO_SIZE 17 /* clock, resetCount, restartCount, safe */
#define FIRMWARE_SIZE 8

/* What is left to read; `good` stays false once it did not fit. */
typedef struct reader {
    cs_view rest;
    bool good;
} reader;

static cs_view take(reader *r, size_t n)
{
    cs_view out = {r->rest.p, n};

    if (!r->good || r->rest.n < n) {
        r->good = false;
        return (cs_view){0};
    }
    r->rest.p += n;
    r->rest.n -= n;
    return out;
}

static uint32_t take_number(reader *r, size_t bytes)
{
    cs_view from = take(r, bytes);
    uint32_t out = 0;

    for (size_t i = 0; i < from.n; i++)
        out = out << 8 | from.p[i];
    return out;
}

static void expect(reader *r, uint32_t value, size_t bytes)
{
    r->good = take_number(r, bytes) == value && r->good;
}

/* A TPM2B of a size between the two. */
static cs_view take_sized(reader *r, size_t least, size_t most)
{
    size_t n = take_number(r, 2);

    r->good = r->good && n >= least && n <= most;
    return take(r, r->good ? n : 0);
}

static cs_view take_name(reader *r)
{
    cs_view name = take_sized(r, CS_TPM_NAME_SIZE, CS_TPM_NAME_SIZE);

    r->good = r->good && name.p[0] == 0 && name.p[1] == CS_TPM_ALG_SHA256;
    return name;
}

/* -- public areas */

typedef struct area {
    uint32_t attributes;
    bool aes; /* AES-128-CFB: a parent */
    uint32_t scheme;
    uint8_t point[65];
} area;

/* A coordinate may come without its leading zeros; the name is of the bytes as they are. */
static void take_coordinate(reader *r, uint8_t out[CS_TPM_COORDINATE])
{
    cs_view bytes = take_sized(r, 1, CS_TPM_COORDINATE);

    memset(out, 0, CS_TPM_COORDINATE);
    if (r->good)
        memcpy(out + CS_TPM_COORDINATE - bytes.n, bytes.p, bytes.n);
}

static void take_symmetric(reader *r, area *out)
{
    uint32_t algorithm = take_number(r, 2);

    out->aes = algorithm == CS_TPM_ALG_AES;
    r->good = r->good && (out->aes || algorithm == CS_TPM_ALG_NULL);
    if (out->aes) {
        expect(r, 128, 2);
        expect(r, CS_TPM_ALG_CFB, 2);
    }
}

static void take_scheme(reader *r, area *out)
{
    out->scheme = take_number(r, 2);
    if (out->scheme != CS_TPM_ALG_NULL)
        expect(r, CS_TPM_ALG_SHA256, 2);
    r->good = r->good && (out->scheme == CS_TPM_ALG_NULL || out->scheme == CS_TPM_ALG_ECDSA ||
                             out->scheme == CS_TPM_ALG_ECDH);
}

static int read_area(area *out, cs_view bytes, cs_error *error)
{
    reader r = {bytes, true};

    expect(&r, CS_TPM_ALG_ECC, 2);
    expect(&r, CS_TPM_ALG_SHA256, 2);
    out->attributes = take_number(&r, 4);
    (void)take_sized(&r, 0, CS_HASH_SIZE); /* a policy, for the key's owner to know */
    take_symmetric(&r, out);
    take_scheme(&r, out);
    expect(&r, CS_TPM_CURVE_NIST_P256, 2);
    expect(&r, CS_TPM_ALG_NULL, 2); /* no KDF */
    out->point[0] = 4;
    take_coordinate(&r, out->point + 1);
    take_coordinate(&r, out->point + 1 + CS_TPM_COORDINATE);
    if (!r.good || r.rest.n != 0)
        return CS_FAIL(
            error, CS_E_MALFORMED, "that is no public area of a P-256 key named by SHA-256");
    return CS_OK;
}

/* A scheme that is left open is taken where the key signs or agrees for its owner, as in the
 * backend; an AK may not have one, it would sign by whatever it is asked. */
static bool is_kind(const area *a, cs_tpm_kind kind)
{
    bool restricted = (a->attributes & CS_TPM_RESTRICTED) != 0;
    bool decrypts = (a->attributes & CS_TPM_DECRYPT_BIT) != 0;
    bool signs = (a->attributes & CS_TPM_SIGN_BIT) != 0;
    bool open = a->scheme == CS_TPM_ALG_NULL;

    switch (kind) {
    case CS_TPM_SIGNING:
        return signs && !restricted && !a->aes && (open || a->scheme == CS_TPM_ALG_ECDSA);
    case CS_TPM_AGREEING:
        return decrypts && !restricted && !a->aes && (open || a->scheme == CS_TPM_ALG_ECDH);
    case CS_TPM_PARENT:
        return decrypts && !signs && restricted && a->aes && open;
    case CS_TPM_ATTESTING:
        return signs && !decrypts && restricted && !a->aes && a->scheme == CS_TPM_ALG_ECDSA;
    }
    return false;
}

int cs_tpm_public_read(cs_tpm_public *out, cs_view bytes, cs_tpm_kind kind, cs_error *error)
{
    static const char *const kinds[] = {[CS_TPM_SIGNING] = "signing",
        [CS_TPM_AGREEING] = "agreement",
        [CS_TPM_PARENT] = "storage",
        [CS_TPM_ATTESTING] = "attestation"};
    const uint32_t fixed = CS_TPM_FIXED_TPM | CS_TPM_FIXED_PARENT | CS_TPM_SENSITIVE_DATA_ORIGIN;
    area a = {0};
    int rc;

    memset(out, 0, sizeof *out);
    if (bytes.n > CS_TPM_PUBLIC_MAX)
        return CS_FAIL(error, CS_E_MALFORMED, "a public area has %d bytes at most, not %zu",
            CS_TPM_PUBLIC_MAX, bytes.n);
    rc = read_area(&a, bytes, error);
    if (rc == CS_OK && !is_kind(&a, kind))
        rc = CS_FAIL(error, CS_E_ATTESTATION, "the TPM key is no %s key", kinds[kind]);
    if (rc == CS_OK &&
        ((a.attributes & fixed) != fixed || (a.attributes & CS_TPM_ENCRYPTED_DUPLICATION) != 0))
        rc = CS_FAIL(error, CS_E_ATTESTATION,
            "the %s key was not made in the TPM, or can leave it; make another", kinds[kind]);
    if (rc == CS_OK)
        rc = cs_p256_uncompress(out->point, CS_VIEW_ARRAY(a.point), error);
    if (rc == CS_OK)
        rc = cs_hash(cs_tpm_put16(out->name, CS_TPM_ALG_SHA256), bytes, error);
    return rc;
}

/* -- statements */

int cs_tpm_statement_check(cs_view attest, cs_view signature, const cs_tpm_public *attesting,
    const cs_tpm_public *key, const uint8_t qualifying[CS_HASH_SIZE], cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    reader r = {attest, true};
    cs_view said, name;
    int rc;

    expect(&r, GENERATED, 4);
    expect(&r, ATTEST_CERTIFY, 2);
    (void)take_name(&r); /* qualified name of the signer: its signature says who it is */
    said = take_sized(&r, CS_HASH_SIZE, CS_HASH_SIZE);
    (void)take(&r, CLOCK_INFO_SIZE);
    (void)take(&r, FIRMWARE_SIZE);
    name = take_name(&r);
    (void)take_name(&r); /* qualified name of the key */
    if (!r.good || r.rest.n != 0 || signature.n != CS_SIGNATURE_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "that is no statement of a TPM about a key");
    if (!cs_view_equal(said, (cs_view){qualifying, CS_HASH_SIZE}))
        return CS_FAIL(
            error, CS_E_ATTESTATION, "the TPM made the statement for another registration");
    if (!cs_view_equal(name, CS_VIEW_ARRAY(key->name)))
        return CS_FAIL(error, CS_E_ATTESTATION, "the TPM's statement is about another key");
    rc = cs_hash(digest, attest, error);
    if (rc == CS_OK)
        rc = cs_ecdsa_verify(CS_VIEW_ARRAY(attesting->point), digest, signature.p, error);
    return rc;
}
