/* SPDX-License-Identifier: Apache-2.0 */
#include "responder.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <string.h>

EVP_PKEY *test_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_non_null(key);
    return key;
}

cs_buf test_der(X509 *certificate)
{
    uint8_t *der = NULL;
    cs_buf out = {0};
    int n = i2d_X509(certificate, &der);

    assert_true(n > 0);
    assert_ok(cs_buf_set(&out, (cs_view){der, (size_t)n}, error));
    OPENSSL_free(der);
    return out;
}

X509 *test_x509(cs_view der)
{
    const uint8_t *p = der.p;
    X509 *certificate = d2i_X509(NULL, &p, (long)der.n);

    assert_non_null(certificate);
    return certificate;
}

static void add_extension(X509 *certificate, X509 *issuer, const char *text)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    char name[64];
    size_t n = strcspn(text, "=");

    assert_true(n < sizeof name);
    memcpy(name, text, n);
    name[n] = '\0';
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_nconf(NULL, &context, name, text + n + 1);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

X509 *test_certificate(X509 *issuer, EVP_PKEY *issuer_key, EVP_PKEY *key, const char *name,
    long serial, int64_t not_before, int64_t not_after, const char *const *extensions)
{
    X509 *certificate = X509_new();
    X509 *above = issuer == NULL ? certificate : issuer;
    X509_NAME *subject;

    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(not_before / 1000)));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(not_after / 1000)));
    subject = X509_get_subject_name(certificate);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0),
        1);
    assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(above)), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    for (size_t i = 0; extensions[i] != NULL; i++)
        add_extension(certificate, above, extensions[i]);
    assert_true(X509_sign(certificate, issuer == NULL ? key : issuer_key, EVP_sha256()) > 0);
    return certificate;
}

static ASN1_TIME *at(int64_t ms)
{
    return ms == 0 ? NULL : ASN1_GENERALIZEDTIME_set(NULL, (time_t)(ms / 1000));
}

static void add_status(OCSP_BASICRESP *basic, const test_answer *a, X509 *about, int status)
{
    OCSP_CERTID *id =
        OCSP_cert_to_id(a->id_hash == NULL ? EVP_sha1() : a->id_hash, about, a->issuer);
    ASN1_TIME *this_update = at(a->this_update);
    ASN1_TIME *next_update = at(a->next_update);
    ASN1_TIME *revoked = status == V_OCSP_CERTSTATUS_REVOKED ? at(a->this_update - 1000) : NULL;

    assert_non_null(id);
    assert_non_null(OCSP_basic_add1_status(
        basic, id, status, OCSP_REVOKED_STATUS_NOSTATUS, revoked, this_update, next_update));
    OCSP_CERTID_free(id);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    ASN1_TIME_free(revoked);
}

/* The signature of a key that OpenSSL has not got, in the place of another's. */
static void sign_again(OCSP_BASICRESP *basic, const test_answer *a)
{
    const OCSP_RESPDATA *data = OCSP_resp_get0_respdata(basic);
    uint8_t *der = NULL;
    int n = ASN1_item_i2d((const ASN1_VALUE *)data, &der, ASN1_ITEM_rptr(OCSP_RESPDATA));
    uint8_t digest[CS_HASH_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE];
    /* no more const than `basic`, which it is in */
    const union {
        const ASN1_STRING *in;
        ASN1_STRING *place;
    } own = {.in = OCSP_resp_get0_signature(basic)};
    cs_buf encoded = {0};

    assert_true(n > 0);
    assert_ok(cs_hash(digest, (cs_view){der, (size_t)n}, error));
    assert_ok(a->sign(a->context, digest, signature, error));
    assert_ok(cs_ecdsa_to_der(&encoded, signature, error));
    assert_int_equal(ASN1_STRING_set(own.place, encoded.p, (int)encoded.n), 1);
    cs_buf_free(&encoded);
    OPENSSL_free(der);
}

cs_buf test_ocsp(const test_answer *a)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    EVP_PKEY *key = a->key == NULL ? test_key() : a->key;
    const EVP_MD *md = a->signature == NULL ? EVP_sha256() : a->signature;
    unsigned long flags = X509_cmp(a->signer, a->issuer) == 0 ? OCSP_NOCERTS : 0;
    OCSP_RESPONSE *response;
    uint8_t *der = NULL;
    cs_buf out = {0};
    int n;

    assert_non_null(basic);
    add_status(basic, a, a->certificate, a->status);
    for (size_t i = 0; a->also != NULL && i <= a->times; i++)
        add_status(basic, a, a->also, V_OCSP_CERTSTATUS_GOOD);
    if (a->key == NULL) {
        /* OpenSSL wants the signer's key: what carries a throwaway one passes for the signer */
        X509 *stand_in = X509_dup(a->signer);

        assert_int_equal(X509_set_pubkey(stand_in, key), 1);
        assert_int_equal(OCSP_basic_sign(basic, stand_in, key, md, NULL, OCSP_NOCERTS), 1);
        sign_again(basic, a);
        X509_free(stand_in);
    } else {
        assert_int_equal(OCSP_basic_sign(basic, a->signer, key, md, NULL, flags), 1);
    }
    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    n = i2d_OCSP_RESPONSE(response, &der);
    assert_true(n > 0);
    assert_ok(cs_buf_set(&out, (cs_view){der, (size_t)n}, error));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    if (a->key == NULL)
        EVP_PKEY_free(key);
    return out;
}
