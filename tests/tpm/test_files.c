/* SPDX-License-Identifier: Apache-2.0 */
/* URIs and key files, as this program, the tools and an enemy write them. No TPM is needed. */
#include "test.h"

#include "tpm.h"

#include <chartseal/certificate.h>

#include <stdio.h>
#include <string.h>

static void parses(const char *text, tpm_uri_kind kind, const char *path, const char *tcti)
{
    tpm_uri uri;
    char again[CS_URI_MAX];

    assert_ok(tpm_uri_parse(&uri, text, error));
    assert_int_equal(uri.kind, kind);
    if (path != NULL)
        assert_string_equal(uri.path, path);
    assert_string_equal(uri.tcti, tcti);
    assert_ok(tpm_uri_format(again, &uri, error));
    assert_ok(tpm_uri_parse(&uri, again, error));
    assert_int_equal(uri.kind, kind);
    assert_string_equal(uri.tcti, tcti);
}

static void test_uri(void **state)
{
    static const char *const bad[] = {"tpm2:dir=", "tpm2:dir", "tpm2:file=a?tcti=", "tpm2:x=a",
        "tpm2:dir=a?", "tpm2:dir=a?pin=1", "tpm2:dir=a?tcti=b&tcti=c", "tpm2:dir=a?tcti=b?c",
        "tpm2:dir=%", "tpm2:dir=%4", "tpm2:dir=%zz", "tpm2:dir=a%00b", "tpm2:dir=a%0ab",
        "tpm2:dir=a\nb", "tpm2:dir=a;file=b", "tpm2:dir=a#b", "tpm2:handle=0x8100000",
        "tpm2:handle=0x80000001", "tpm2:handle=0x40000001", "tpm2:handle=0x8100000g",
        "tpm2:handle=81000002", "tpm2:handle=0x810000020", "TPM2:dir=a", "pkcs11:token=a", "tpm2"};
    char text[CS_URI_MAX + 64];
    tpm_uri uri;

    (void)state;
    parses("tpm2:dir=/var/lib/keys", TPM_URI_DIR, "/var/lib/keys", "");
    parses("tpm2:file=a%20b.pem?tcti=device:/dev/tpmrm0", TPM_URI_FILE, "a b.pem",
        "device:/dev/tpmrm0");
    parses("tpm2:handle=0x81000102?tcti=swtpm:host=127.0.0.1,port=2321", TPM_URI_HANDLE, NULL,
        "swtpm:host=127.0.0.1,port=2321");
    parses("tpm2:dir=100%25%3F?tcti=cmd:a%20b%26c", TPM_URI_DIR, "100%?", "cmd:a b&c");
    parses("tpm2:?tcti=tabrmd:", TPM_URI_ANY, NULL, "tabrmd:");
    assert_ok(tpm_uri_parse(&uri, "tpm2:handle=0x81ABcdef", error));
    assert_int_equal(uri.handle, 0x81abcdefu);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_fails(CS_E_USAGE, tpm_uri_parse(&uri, bad[i], error));
    memset(text, 'a', sizeof text);
    memcpy(text, "tpm2:dir=", 9);
    text[sizeof text - 1] = '\0';
    assert_fails(CS_E_USAGE, tpm_uri_parse(&uri, text, error));
    uri = (tpm_uri){.kind = TPM_URI_DIR};
    memset(uri.path, ' ', sizeof uri.path - 1);
    assert_fails(CS_E_TOO_LARGE, tpm_uri_format(text, &uri, error));
}

static tpm_blob sample(void)
{
    tpm_blob blob = {.parent = TPM_ROOT_HANDLE, .private_part = {.size = 100}};

    assert_ok(tpm_key_template(&blob.public_part, CS_USE_SIGN, CS_SUITE_P256, error));
    blob.public_part.publicArea.unique.ecc.x.size = 32;
    blob.public_part.publicArea.unique.ecc.y.size = 32;
    memset(blob.private_part.buffer, 7, 100);
    return blob;
}

static void test_round_trip(void **state)
{
    tpm_blob blob = sample(), again;
    TPM2B_NAME a, b;
    cs_buf pem = {0};

    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        blob.empty_auth = empty == 1;
        cs_buf_clear(&pem);
        assert_ok(tpm_keyfile_encode(&pem, &blob, error));
        assert_memory_equal(pem.p, "-----BEGIN TSS2 PRIVATE KEY-----", 32);
        assert_ok(tpm_keyfile_decode(&again, cs_view_buf(&pem), error));
        assert_int_equal(again.empty_auth, blob.empty_auth);
        assert_int_equal(again.parent, blob.parent);
        assert_memory_equal(again.private_part.buffer, blob.private_part.buffer, 100);
        assert_ok(tpm_name_of(&a, &blob.public_part, error));
        assert_ok(tpm_name_of(&b, &again.public_part, error));
        assert_true(tpm_name_equal(&a, &b));
    }
    cs_buf_free(&pem);
}

static int decode_der(const uint8_t *der, size_t n)
{
    cs_buf pem = {0};
    tpm_blob blob;
    int rc;

    assert_ok(cs_pem_encode(&pem, "TSS2 PRIVATE KEY", (cs_view){der, n}, error));
    rc = tpm_keyfile_decode(&blob, cs_view_buf(&pem), NULL);
    cs_buf_free(&pem);
    return rc;
}

/* Whatever bytes there are: refused, or read into a blob, and never more. */
static void test_hostile(void **state)
{
    tpm_blob blob = sample();
    cs_buf pem = {0}, der = {0};
    int rc;

    (void)state;
    assert_ok(tpm_keyfile_encode(&pem, &blob, error));
    assert_ok(cs_pem_decode(&der, "TSS2 PRIVATE KEY", cs_view_buf(&pem), error));
    assert_int_equal(decode_der(der.p, der.n), CS_OK);
    for (size_t n = 1; n < der.n; n++)
        assert_int_not_equal(decode_der(der.p, n), CS_OK);
    for (size_t i = 0; i < der.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            der.p[i] ^= (uint8_t)(1 << bit);
            rc = decode_der(der.p, der.n);
            assert_true(rc == CS_OK || rc == CS_E_MALFORMED);
            der.p[i] ^= (uint8_t)(1 << bit);
        }
    }
    /* something behind, and other labels */
    assert_ok(cs_buf_append(&der, cs_view_str("\x05"), error));
    assert_int_equal(decode_der(der.p, der.n), CS_E_MALFORMED);
    assert_fails(CS_E_MALFORMED, tpm_keyfile_decode(&blob, cs_view_str("no PEM at all"), error));
    assert_fails(CS_E_MALFORMED, tpm_keyfile_decode(&blob, (cs_view){NULL, 0}, error));
    pem.p[12] = 'X';
    assert_fails(CS_E_MALFORMED, tpm_keyfile_decode(&blob, cs_view_buf(&pem), error));
    cs_buf_free(&der);
    cs_buf_free(&pem);
}

static void test_names(void **state)
{
    static const char *const labels[] = {
        "sign", "a b", "../../etc/passwd", ".hidden", "a%b", "ä/é"};
    char path[TPM_PATH_MAX], label[CS_LABEL_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        assert_ok(tpm_place_of(path, "/d", labels[i], error));
        assert_memory_equal(path, "/d/", 3);
        assert_null(strchr(path + 3, '/'));
        assert_int_not_equal(path[3], '.');
        tpm_place_label(label, path);
        assert_string_equal(label, labels[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uri),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
