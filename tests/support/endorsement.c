/* SPDX-License-Identifier: Apache-2.0 */
#include "endorsement.h"

#include "test.h"

#include <chartseal/crypto.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAYS 36500

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *blank(long serial)
{
    X509 *certificate = X509_new();

    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial), 1);
    assert_non_null(X509_time_adj_ex(X509_getm_notBefore(certificate), -DAYS / 10, 0, NULL));
    assert_non_null(X509_time_adj_ex(X509_getm_notAfter(certificate), DAYS, 0, NULL));
    return certificate;
}

static X509 *authority(const maker *m)
{
    BIO *bio = BIO_new_mem_buf(m->ca_pem.p, (int)m->ca_pem.n);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(ca);
    BIO_free(bio);
    return ca;
}

void maker_open(maker *m, const char *name)
{
    X509 *ca = blank(1);
    X509_NAME *subject = X509_get_subject_name(ca);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n;

    *m = (maker){.key = EVP_EC_gen("P-256")};
    assert_non_null(m->key);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0),
        1);
    assert_int_equal(X509_set_issuer_name(ca, subject), 1);
    assert_int_equal(X509_set_pubkey(ca, m->key), 1);
    extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
    extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
    assert_true(X509_sign(ca, m->key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, ca), 1);
    n = BIO_get_mem_data(bio, &text);
    assert_ok(cs_buf_append(&m->ca_pem, (cs_view){(const uint8_t *)text, (size_t)n}, error));
    BIO_free(bio);
    X509_free(ca);
}

void maker_close(maker *m)
{
    EVP_PKEY_free(m->key);
    cs_buf_free(&m->ca_pem);
}

static EVP_PKEY *public_key(const uint8_t point[65])
{
    EVP_PKEY *key = EVP_EC_gen("P-256"); /* for its parameters */

    assert_non_null(key);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(key, point, 65), 1);
    return key;
}

void maker_certify(const maker *m, cs_buf *der, const uint8_t point[65], bool endorses)
{
    X509 *ca = authority(m);
    X509 *certificate = blank(2);
    EVP_PKEY *key = public_key(point);
    uint8_t *bytes = NULL;
    int n;

    assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(ca)), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    extend(certificate, ca, NID_subject_alt_name, "critical,URI:urn:tpm:id-1");
    extend(certificate, ca, NID_basic_constraints, "critical,CA:FALSE");
    extend(certificate, ca, NID_key_usage, "critical,keyAgreement");
    extend(certificate, ca, NID_ext_key_usage, endorses ? "2.23.133.8.1" : "clientAuth");
    assert_true(X509_sign(certificate, m->key, EVP_sha256()) > 0);
    n = i2d_X509(certificate, &bytes);
    assert_true(n > 0);
    assert_ok(cs_buf_append(der, (cs_view){bytes, (size_t)n}, error));
    OPENSSL_free(bytes);
    EVP_PKEY_free(key);
    X509_free(certificate);
    X509_free(ca);
}
