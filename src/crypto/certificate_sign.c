/* SPDX-License-Identifier: Apache-2.0 */

/*
 * X.509 signed by a token. OpenSSL signs with keys of its own, so what is built is signed with a
 * throwaway key first, which sets the algorithm in both places; then the content, whose bytes no
 * longer change, is signed by the caller and the signature replaced.
 */

#include "openssl_fail.h"
#include "p256.h"
#include "x509.h"

#include <openssl/bn.h>

#define MS_MAX INT64_C(253402300799000) /* the end of 9999 */

int cs_x509_throwaway_key(EVP_PKEY **out, cs_error *error)
{
    uint8_t private_key[32];
    uint8_t public_key[CS_P256_UNCOMPRESSED];
    int rc = cs_p256_generate(private_key, public_key, error);

    if (rc == CS_OK)
        rc = cs_p256_pkey(out, public_key, private_key, error);
    cs_wipe(private_key, sizeof private_key);
    return rc;
}

/* The signature over the content, in DER, checked against the key it should be of. */
static int sign_content(cs_buf *der, const ASN1_STRING *content, cs_view signer, cs_sign_fn sign,
    void *context, cs_error *error)
{
    const cs_view bytes = {ASN1_STRING_get0_data(content), (size_t)ASN1_STRING_length(content)};
    uint8_t digest[CS_HASH_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE];
    int rc = cs_hash(digest, bytes, error);

    if (rc == CS_OK)
        rc = sign(context, digest, signature, error);
    if (rc == CS_OK)
        rc = cs_ecdsa_verify(signer, digest, signature, error);
    if (rc == CS_OK)
        rc = cs_ecdsa_to_der(der, signature, error);
    return rc;
}

/* Bits of whole bytes; without this flag OpenSSL drops zero bits at the end. */
static ASN1_TYPE *bit_string(cs_view bytes)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    ASN1_TYPE *type = ASN1_TYPE_new();

    if (bits == NULL || type == NULL || ASN1_STRING_set(bits, bytes.p, (int)bytes.n) != 1) {
        ASN1_BIT_STRING_free(bits);
        ASN1_TYPE_free(type);
        return NULL;
    }
    bits->flags = (bits->flags & ~0x07L) | ASN1_STRING_FLAG_BITS_LEFT;
    ASN1_TYPE_set(type, V_ASN1_BIT_STRING, bits);
    return type;
}

static int append_sequence(cs_buf *out, const ASN1_SEQUENCE_ANY *parts, cs_error *error)
{
    uint8_t *der = NULL;
    int n = i2d_ASN1_SEQUENCE_ANY(parts, &der);
    int rc;

    if (n <= 0)
        return CS_OPENSSL_FAIL(error, "encode what was signed");
    rc = cs_buf_append(out, (cs_view){der, (size_t)n}, error);
    OPENSSL_free(der);
    return rc;
}

int cs_x509_emit(
    cs_buf *out, cs_unsigned draft, cs_view signer, cs_sign_fn sign, void *context, cs_error *error)
{
    const uint8_t *p = draft.der;
    ASN1_SEQUENCE_ANY *parts = NULL;
    const ASN1_TYPE *content;
    ASN1_TYPE *signature = NULL;
    cs_buf der = {0};
    int rc = CS_OK;

    if (draft.der != NULL && draft.n > 0)
        parts = d2i_ASN1_SEQUENCE_ANY(NULL, &p, draft.n);
    if (parts == NULL || sk_ASN1_TYPE_num(parts) != 3) {
        rc = CS_OPENSSL_FAIL(error, "encode what is to be signed");
        goto out;
    }
    content = sk_ASN1_TYPE_value(parts, 0);
    rc = sign_content(&der, content->value.sequence, signer, sign, context, error);
    if (rc != CS_OK)
        goto out;
    signature = bit_string(cs_view_buf(&der));
    if (signature == NULL) {
        rc = CS_OPENSSL_FAIL(error, "hold a signature");
        goto out;
    }
    ASN1_TYPE_free(sk_ASN1_TYPE_value(parts, 2));
    (void)sk_ASN1_TYPE_set(parts, 2, signature);
    rc = append_sequence(out, parts, error);
out:
    sk_ASN1_TYPE_pop_free(parts, ASN1_TYPE_free);
    OPENSSL_free(draft.der);
    cs_buf_free(&der);
    return rc;
}

int cs_x509_time(ASN1_TIME **out, int64_t time_ms, cs_error *error)
{
    if (time_ms < 0 || time_ms > MS_MAX)
        return CS_FAIL(error, CS_E_USAGE, "a time before 1970 or after 9999");
    *out = ASN1_TIME_set(NULL, (time_t)(time_ms / 1000));
    if (*out == NULL)
        return CS_OPENSSL_FAIL(error, "hold a time");
    return CS_OK;
}

int cs_x509_integer(ASN1_INTEGER **out, const uint8_t bytes[8], cs_error *error)
{
    BIGNUM *number = BN_bin2bn(bytes, 8, NULL);
    int rc = CS_OK;

    *out = NULL;
    if (number == NULL)
        rc = CS_OPENSSL_FAIL(error, "hold a number");
    else if (BN_is_zero(number))
        rc = CS_FAIL(error, CS_E_USAGE, "a serial number is not 0");
    else if ((*out = BN_to_ASN1_INTEGER(number, NULL)) == NULL)
        rc = CS_OPENSSL_FAIL(error, "hold a number");
    BN_free(number);
    return rc;
}
