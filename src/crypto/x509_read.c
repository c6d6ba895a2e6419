/* SPDX-License-Identifier: Apache-2.0 */
#include "openssl_fail.h"
#include "p256.h"
#include "x509.h"

#include <chartseal/group.h>

#include <openssl/bn.h>
#include <openssl/x509v3.h>
#include <stdio.h>
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

bool cs_x509_clean_text(const uint8_t *text, size_t n)
{
    return n > 0 && cs_text_is_clean((cs_view){text, n});
}

/* The text of the entry at `at`; false if it is empty, too long or not clean. */
static bool entry_text(char text[CS_HOLDER_TEXT_MAX + 1], const X509_NAME *subject, int at)
{
    uint8_t *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool good = n > 0 && n <= CS_HOLDER_TEXT_MAX && cs_x509_clean_text(utf8, (size_t)n);

    if (good) {
        memcpy(text, utf8, (size_t)n);
        text[n] = '\0';
    }
    if (n >= 0)
        OPENSSL_free(utf8);
    ERR_clear_error();
    return good;
}

/* An attribute that may be there once. *there: whether it is. */
static int single(char text[CS_HOLDER_TEXT_MAX + 1], bool *there, const X509_NAME *subject, int nid,
    const char *what, cs_code code, cs_error *error)
{
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);

    text[0] = '\0';
    *there = at >= 0;
    if (*there && X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
        return CS_FAIL(error, code, "its subject has more than one %s", what);
    if (*there && !entry_text(text, subject, at))
        return CS_FAIL(error, code, "its %s is empty, too long or not clean text", what);
    return CS_OK;
}

/* Other units may stand beside it; one that says both is neither's. */
static void read_role(cs_holder *holder, const X509_NAME *subject)
{
    static const char *const roles[] = {"doctor", "hospital", "cloud"};
    char text[CS_HOLDER_TEXT_MAX + 1];
    bool clash = false;
    int at = -1;

    holder->role[0] = '\0';
    while ((at = X509_NAME_get_index_by_NID(subject, NID_organizationalUnitName, at)) >= 0) {
        if (!entry_text(text, subject, at))
            continue;
        for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
            if (strcmp(text, roles[i]) != 0)
                continue;
            clash = clash || (holder->role[0] != '\0' && strcmp(holder->role, roles[i]) != 0);
            (void)snprintf(holder->role, sizeof holder->role, "%s", roles[i]);
        }
    }
    if (clash)
        holder->role[0] = '\0';
}

int cs_x509_holder(cs_holder *holder, const X509_NAME *subject, cs_code code, cs_error *error)
{
    bool there = false;
    int rc = single(holder->name, &there, subject, NID_commonName, "common name", code, error);

    if (rc == CS_OK && !there)
        rc = CS_FAIL(error, code, "its subject has no common name");
    if (rc == CS_OK)
        rc = single(holder->id, &there, subject, NID_serialNumber, "serialNumber", code, error);
    if (rc == CS_OK)
        read_role(holder, subject);
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

int cs_public_key_encode(cs_buf *out, cs_view puk, cs_error *error)
{
    /* AlgorithmIdentifier (id-ecPublicKey, prime256v1), and the frame of the point's 65 bytes */
    uint8_t der[26 + CS_P256_UNCOMPRESSED] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03,
        0x42, 0x00};
    int rc = cs_p256_uncompress(der + 26, puk, error);

    return rc == CS_OK ? cs_buf_append(out, CS_VIEW_ARRAY(der), error) : rc;
}

int cs_public_key_decode(uint8_t puk[CS_PUK_SIZE], cs_view der, cs_error *error)
{
    const uint8_t *p = der.p;
    X509_PUBKEY *key = der.n > CS_CERTIFICATE_MAX ? NULL : d2i_X509_PUBKEY(NULL, &p, (long)der.n);
    int rc;

    if (key == NULL || p != der.p + der.n) {
        X509_PUBKEY_free(key);
        ERR_clear_error();
        return CS_FAIL(error, CS_E_POINT, "a public key that does not decode");
    }
    rc = cs_x509_puk(puk, key, CS_E_POINT, error);
    X509_PUBKEY_free(key);
    return rc;
}
