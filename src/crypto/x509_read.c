/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"
#include "x509.h"

#include <chartseal/group.h>

#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include <string.h>

bool cs_x509_whole_bytes(const ASN1_BIT_STRING *bits)
{
    return bits != NULL && (bits->flags & 0x07) == 0;
}

static bool encodes_to(X509 *certificate, cs_view der)
{
    uint8_t *again = NULL;
    int n = i2d_X509(certificate, &again);
    bool same = n > 0 && cs_view_equal((cs_view){again, (size_t)n}, der);

    OPENSSL_free(again);
    return same;
}

int cs_x509_decode(X509 **out, cs_view der, cs_error *error)
{
    const uint8_t *p = der.p;
    const ASN1_BIT_STRING *signature = NULL;
    X509 *certificate;

    *out = NULL;
    if (der.n == 0 || der.n > CS_CERTIFICATE_MAX)
        return CS_FAIL(error, CS_E_CERTIFICATE, "a certificate has 1 to %d bytes, not %zu",
            CS_CERTIFICATE_MAX, der.n);
    certificate = d2i_X509(NULL, &p, (long)der.n);
    if (certificate != NULL)
        X509_get0_signature(&signature, NULL, certificate);
    if (certificate == NULL || p != der.p + der.n || !cs_x509_whole_bytes(signature) ||
        !encodes_to(certificate, der)) {
        ERR_clear_error();
        X509_free(certificate);
        return CS_FAIL(error, CS_E_CERTIFICATE, "not one X.509 certificate in DER");
    }
    *out = certificate;
    return CS_OK;
}

int cs_x509_puk(uint8_t puk[CS_PUK_SIZE], const X509_PUBKEY *key, cs_code code, cs_error *error)
{
    ASN1_OBJECT *algorithm = NULL;
    const ASN1_OBJECT *curve = NULL;
    const void *parameter = NULL;
    const uint8_t *bytes = NULL;
    X509_ALGOR *identifier = NULL;
    int parameter_type = 0;
    int n = 0;

    if (key == NULL || X509_PUBKEY_get0_param(&algorithm, &bytes, &n, &identifier, key) != 1)
        return CS_FAIL(error, code, "its public key does not decode");
    X509_ALGOR_get0(NULL, &parameter_type, &parameter, identifier);
    if (parameter_type == V_ASN1_OBJECT)
        curve = parameter;
    if (OBJ_obj2nid(algorithm) != NID_X9_62_id_ecPublicKey || curve == NULL ||
        OBJ_obj2nid(curve) != NID_X9_62_prime256v1 || n < 0 ||
        cs_p256_compress(puk, (cs_view){bytes, (size_t)n}, NULL) != CS_OK)
        return CS_FAIL(error, code, "its public key is not a P-256 key; have one made for P-256");
    return CS_OK;
}

/* Line and paragraph separators, and the marks that turn the direction of what follows: with these
 * a name can be made to look like another. */
static bool misleading(unsigned long c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

bool cs_x509_clean_text(const uint8_t *text, size_t n)
{
    size_t at = 0;

    while (at < n) {
        unsigned long c = 0;
        int used = UTF8_getc(text + at, (int)(n - at), &c);

        if (used <= 0 || misleading(c))
            return false;
        at += (size_t)used;
    }
    return n > 0;
}

int cs_x509_common_name(
    char *name, size_t name_size, const X509_NAME *subject, cs_code code, cs_error *error)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    uint8_t *text = NULL;
    int n;
    int rc = CS_OK;

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return CS_FAIL(error, code, "its subject has no common name, or more than one");
    n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (n <= 0 || (size_t)n >= name_size || !cs_x509_clean_text(text, (size_t)n)) {
        ERR_clear_error();
        rc = CS_FAIL(error, code, "its common name is empty, too long or not clean text");
    } else {
        memcpy(name, text, (size_t)n);
        name[n] = '\0';
    }
    if (n >= 0)
        OPENSSL_free(text);
    return rc;
}

int cs_certificate_serial(cs_view der, uint8_t serial[8], cs_error *error)
{
    X509 *certificate = NULL;
    const ASN1_INTEGER *integer;
    BIGNUM *number = NULL;
    int rc = cs_x509_decode(&certificate, der, error);

    if (rc != CS_OK)
        return rc;
    integer = X509_get0_serialNumber(certificate);
    number = ASN1_INTEGER_to_BN(integer, NULL);
    if (number == NULL || BN_is_negative(number) || BN_bn2binpad(number, serial, 8) != 8) {
        ERR_clear_error();
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "its serial number is negative or over 8 bytes");
    }
    BN_free(number);
    X509_free(certificate);
    return rc;
}

int cs_x509_authority(X509 **out, uint8_t puk[CS_PUK_SIZE], cs_view der, cs_error *error)
{
    int rc = cs_x509_decode(out, der, error);

    if (rc == CS_OK && X509_check_ca(*out) != 1)
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "not the certificate of an authority");
    if (rc == CS_OK)
        rc = cs_x509_puk(puk, X509_get_X509_PUBKEY(*out), CS_E_CERTIFICATE, error);
    if (rc != CS_OK) {
        X509_free(*out);
        *out = NULL;
    }
    return rc;
}
