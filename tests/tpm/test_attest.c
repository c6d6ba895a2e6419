/* SPDX-License-Identifier: Apache-2.0 */
/* What the TPM says of its keys, and what only the TPM with both keys can open; with tpm2-tools in
 * the place of either side. */
#include "endorsement.h"
#include "fixture.h"

#include <chartseal/certificate.h>
#include <chartseal/group.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1767225600000LL
#define CERTIFICATE_INDEX "0x01c0000a"
#define PADDING 40 /* behind the certificate in its index */

static const uint8_t qualifying[CS_HASH_SIZE] = {1, 2, 3, 4};
static const uint8_t released[CS_TPM_ACTIVATION_KEY_SIZE] = {9, 8, 7, 6};

static cs_tpm_public attesting_of(const cs_attestor *attestor)
{
    const cs_attestor_info *info = cs_attestor_describe(attestor);
    cs_tpm_public out;

    assert_ok(
        cs_tpm_public_read(&out, (cs_view){info->area, info->area_size}, CS_TPM_ATTESTING, error));
    return out;
}

static int check(const cs_statement_of_key *s, const cs_tpm_public *ak, cs_tpm_kind kind,
    const uint8_t *point, cs_error *error)
{
    cs_tpm_public key;
    int rc = cs_tpm_public_read(&key, (cs_view){s->area, s->area_size}, kind, error);

    if (rc == CS_OK)
        rc = cs_tpm_statement_check(
            CS_VIEW_ARRAY(s->attest), CS_VIEW_ARRAY(s->signature), ak, &key, qualifying, error);
    if (rc == CS_OK)
        assert_memory_equal(key.point, point, sizeof key.point);
    return rc;
}

static void test_statements(void **state)
{
    cs_token *token = fixture_open();
    cs_op_counts before = cs_ops_of_thread(), spent;
    cs_attestor *attestor, *other;
    cs_delivery_key *delivery;
    cs_statement_of_key s;
    cs_key *sign, *agree;
    cs_tpm_public ak, other_ak;
    uint8_t root[65];

    (void)state;
    assert_ok(cs_key_generate(&sign, token, "sign", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(cs_key_generate(&agree, token, "decrypt", CS_USE_AGREE, CS_SUITE_P256, error));
    assert_ok(cs_delivery_key_new(&delivery, token, root, error));
    assert_ok(cs_attestor_new(&attestor, token, error));
    assert_ok(cs_attestor_new(&other, token, error));
    ak = attesting_of(attestor);
    other_ak = attesting_of(other);
    assert_memory_not_equal(ak.name, other_ak.name, sizeof ak.name);
    assert_ok(cs_attestor_certify(attestor, sign, qualifying, &s, error));
    assert_ok(check(&s, &ak, CS_TPM_SIGNING, cs_key_describe(sign)->public_key, error));
    assert_fails(CS_E_SIGNATURE,
        check(&s, &other_ak, CS_TPM_SIGNING, cs_key_describe(sign)->public_key, error));
    assert_ok(cs_attestor_certify(attestor, agree, qualifying, &s, error));
    assert_ok(check(&s, &ak, CS_TPM_AGREEING, cs_key_describe(agree)->public_key, error));
    assert_ok(cs_attestor_certify(attestor, NULL, qualifying, &s, error));
    assert_ok(check(&s, &ak, CS_TPM_PARENT, root, error));
    spent = cs_ops_between(before, cs_ops_of_thread());
    assert_int_equal(spent.attest, 3);
    assert_int_equal(spent.sign + spent.agree, 0);
    cs_attestor_free(&other);
    cs_attestor_free(&attestor);
    cs_delivery_key_free(&delivery);
    cs_key_close(&agree);
    cs_key_close(&sign);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

/* The TPM says of it what is true, and that is not enough. */
static void test_key_that_can_leave(void **state)
{
    cs_token *token = fixture_open();
    cs_attestor *attestor;
    cs_statement_of_key s;
    cs_tpm_public ak;
    cs_key *key;

    (void)state;
    assert_int_equal(
        fixture_shell("cd %s && tpm2_create -Q -C 0x81000001 -G ecc256:ecdsa-sha256:null -p " PIN
                      " -a 'sensitivedataorigin|userwithauth|sign' -u l.pub -r l.priv && "
                      "tpm2_encodeobject -Q -C 0x81000001 -u l.pub -r l.priv -o keys/loose.pem && "
                      "tpm2_flushcontext -t && tpm2_flushcontext -l",
            fx.directory),
        0);
    assert_int_equal(fixture_loaded(), 0);
    assert_ok(
        cs_key_open(&key, token, fixture_key_uri("loose"), CS_USE_SIGN, CS_SUITE_P256, error));
    assert_false(cs_key_describe(key)->attestable);
    assert_string_equal(cs_key_describe(key)->attributes, "sensitiveDataOrigin userWithAuth sign");
    assert_ok(cs_attestor_new(&attestor, token, error));
    ak = attesting_of(attestor);
    assert_ok(cs_attestor_certify(attestor, key, qualifying, &s, error));
    assert_fails(
        CS_E_ATTESTATION, check(&s, &ak, CS_TPM_SIGNING, cs_key_describe(key)->public_key, error));
    cs_attestor_free(&attestor);
    cs_key_close(&key);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
}

static void test_key_of_another_token(void **state)
{
    cs_token *token = fixture_open(), *second = fixture_open();
    cs_attestor *attestor;
    cs_statement_of_key s;
    cs_key *key;

    (void)state;
    assert_ok(
        cs_key_open(&key, second, fixture_key_uri("sign"), CS_USE_SIGN, CS_SUITE_P256, error));
    assert_true(cs_key_describe(key)->attestable);
    assert_string_equal(cs_key_describe(key)->attributes,
        "fixedTPM fixedParent sensitiveDataOrigin userWithAuth sign");
    assert_ok(cs_attestor_new(&attestor, token, error));
    assert_fails(CS_E_USAGE, cs_attestor_certify(attestor, key, qualifying, &s, error));
    cs_attestor_free(&attestor);
    cs_key_close(&key);
    cs_token_close(&second);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
}

/* -- activation */

static void test_activation(void **state)
{
    cs_token *token = fixture_open();
    uint8_t sealed[CS_TPM_ACTIVATION_SIZE], key[CS_TPM_ACTIVATION_KEY_SIZE], wrong[65], d[32];
    cs_attestor *attestor, *other;
    const cs_attestor_info *info;
    cs_tpm_public ak, other_ak;

    (void)state;
    assert_ok(cs_attestor_new(&attestor, token, error));
    assert_ok(cs_attestor_new(&other, token, error));
    ak = attesting_of(attestor);
    other_ak = attesting_of(other);
    info = cs_attestor_describe(attestor);
    assert_true(info->has_endorsement);
    assert_int_equal(info->certificate_size, 0);
    assert_memory_equal(
        info->endorsement, cs_attestor_describe(other)->endorsement, sizeof info->endorsement);
    assert_ok(
        cs_tpm_activation_make(sealed, CS_VIEW_ARRAY(info->endorsement), ak.name, released, error));
    assert_ok(cs_attestor_activate(attestor, sealed, key, error));
    assert_memory_equal(key, released, sizeof key);
    assert_fails(CS_E_DECRYPT, cs_attestor_activate(other, sealed, key, error));
    for (size_t i = 0; i < sizeof sealed; i += 5) {
        sealed[i] ^= 1;
        assert_fails(CS_E_DECRYPT, cs_attestor_activate(attestor, sealed, key, error));
        sealed[i] ^= 1;
    }
    assert_ok(cs_tpm_activation_make(
        sealed, CS_VIEW_ARRAY(info->endorsement), other_ak.name, released, error));
    assert_fails(CS_E_DECRYPT, cs_attestor_activate(attestor, sealed, key, error));
    assert_ok(cs_p256_generate(d, wrong, error));
    assert_ok(cs_tpm_activation_make(sealed, CS_VIEW_ARRAY(wrong), ak.name, released, error));
    assert_fails(CS_E_DECRYPT, cs_attestor_activate(attestor, sealed, key, error));
    cs_attestor_free(&other);
    cs_attestor_free(&attestor);
    cs_token_close(&token);
    assert_int_equal(fixture_loaded(), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

static void write_bytes(const char *name, const void *bytes, size_t n)
{
    char path[160];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", fx.directory, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static size_t read_bytes(const char *name, uint8_t *out, size_t room)
{
    char path[160];
    FILE *file;
    size_t n;

    (void)snprintf(path, sizeof path, "%s/%s", fx.directory, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    n = fread(out, 1, room, file);
    assert_int_equal(fclose(file), 0);
    return n;
}

/* The file of tpm2_makecredential: a magic number, a version, TPM2B_ID_OBJECT,
 * TPM2B_ENCRYPTED_SECRET. */
#define TOOLS_HEAD "\xba\xdc\xc0\xde\x00\x00\x00\x01\x00\x44"
#define TOOLS_HEAD_SIZE 10
#define TOOLS_HALF (CS_TPM_ACTIVATION_SIZE / 2)
#define TOOLS_FILE_SIZE (TOOLS_HEAD_SIZE + TOOLS_HALF + 2 + TOOLS_HALF)

/* tpm2-tools seal, we open. */
static void test_sealed_by_tools(void **state)
{
    cs_token *token = fixture_open();
    uint8_t file[TOOLS_FILE_SIZE + 1], sealed[CS_TPM_ACTIVATION_SIZE];
    uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE];
    char hex[2 * CS_TPM_NAME_SIZE + 1];
    cs_attestor *attestor;
    cs_tpm_public ak;

    (void)state;
    assert_ok(cs_attestor_new(&attestor, token, error));
    ak = attesting_of(attestor);
    cs_hex(CS_VIEW_ARRAY(ak.name), hex);
    write_bytes("secret", released, sizeof released);
    assert_int_equal(
        fixture_shell("cd %s && tpm2_createek -Q -G ecc256 -c ek.ctx -u ek.pub && "
                      "tpm2_makecredential -Q -T none -u ek.pub -s secret -n %s -o credential",
            fx.directory, hex),
        0);
    assert_int_equal(read_bytes("credential", file, sizeof file), TOOLS_FILE_SIZE);
    assert_memory_equal(file, TOOLS_HEAD, TOOLS_HEAD_SIZE);
    memcpy(sealed, file + TOOLS_HEAD_SIZE, TOOLS_HALF);
    memcpy(sealed + TOOLS_HALF, file + TOOLS_HEAD_SIZE + TOOLS_HALF + 2, TOOLS_HALF);
    (void)fixture_shell("tpm2_flushcontext -t");
    assert_ok(cs_attestor_activate(attestor, sealed, key, error));
    assert_memory_equal(key, released, sizeof key);
    cs_attestor_free(&attestor);
    cs_token_close(&token);
}

/* We seal, tpm2-tools open. */
static void test_opened_by_tools(void **state)
{
    uint8_t file[TOOLS_FILE_SIZE], sealed[CS_TPM_ACTIVATION_SIZE], name[CS_TPM_NAME_SIZE];
    uint8_t opened[CS_TPM_ACTIVATION_KEY_SIZE + 1], endorsement[65];
    cs_token *token = fixture_open();
    cs_attestor *attestor;

    (void)state;
    assert_ok(cs_attestor_new(&attestor, token, error));
    memcpy(endorsement, cs_attestor_describe(attestor)->endorsement, sizeof endorsement);
    cs_attestor_free(&attestor);
    cs_token_close(&token);
    assert_int_equal(fixture_shell("cd %s && tpm2_createek -Q -G ecc256 -c ek.ctx -u ek.pub && "
                                   "tpm2_createak -Q -C ek.ctx -G ecc -g sha256 -s ecdsa -c ak.ctx "
                                   "-n ak.name && tpm2_flushcontext -t",
                         fx.directory),
        0);
    assert_int_equal(read_bytes("ak.name", name, sizeof name), sizeof name);
    assert_ok(cs_tpm_activation_make(sealed, CS_VIEW_ARRAY(endorsement), name, released, error));
    memcpy(file, TOOLS_HEAD, TOOLS_HEAD_SIZE);
    memcpy(file + TOOLS_HEAD_SIZE, sealed, TOOLS_HALF);
    file[TOOLS_HEAD_SIZE + TOOLS_HALF] = 0;
    file[TOOLS_HEAD_SIZE + TOOLS_HALF + 1] = TOOLS_HALF;
    memcpy(file + TOOLS_HEAD_SIZE + TOOLS_HALF + 2, sealed + TOOLS_HALF, TOOLS_HALF);
    write_bytes("ours", file, sizeof file);
    assert_int_equal(
        fixture_shell("cd %s && tpm2_startauthsession -Q --policy-session -S s.ctx && "
                      "tpm2_policysecret -Q -S s.ctx -c e && tpm2_activatecredential -Q -c ak.ctx "
                      "-C ek.ctx -i ours -o opened -P session:s.ctx && tpm2_flushcontext s.ctx",
            fx.directory),
        0);
    assert_int_equal(read_bytes("opened", opened, sizeof opened), sizeof released);
    assert_memory_equal(opened, released, sizeof released);
    (void)fixture_shell("tpm2_flushcontext -t");
}

/* -- the certificate */

static void put_certificate(const cs_buf *der)
{
    uint8_t padded[CS_EK_CERTIFICATE_MAX];

    assert_true(der->n + PADDING <= sizeof padded);
    memset(padded, 0xff, sizeof padded);
    memcpy(padded, der->p, der->n);
    write_bytes("ek.der", padded, der->n + PADDING);
    assert_int_equal(fixture_shell("cd %s; tpm2_nvundefine -Q -C o " CERTIFICATE_INDEX "; "
                                   "tpm2_nvdefine -Q -C o -s %zu -a "
                                   "'ownerwrite|ownerread|authread|no_da' " CERTIFICATE_INDEX
                                   " && tpm2_nvwrite -Q -C o -i ek.der " CERTIFICATE_INDEX,
                         fx.directory, der->n + PADDING),
        0);
}

static cs_buf shown_certificate(void)
{
    cs_token *token = fixture_open();
    const cs_attestor_info *info;
    cs_attestor *attestor;
    cs_buf out = {0};

    assert_ok(cs_attestor_new(&attestor, token, error));
    info = cs_attestor_describe(attestor);
    assert_ok(cs_buf_append(&out, (cs_view){info->certificate, info->certificate_size}, error));
    cs_attestor_free(&attestor);
    cs_token_close(&token);
    return out;
}

static void test_certificate(void **state)
{
    cs_token *token = fixture_open();
    uint8_t endorsement[65], puk[CS_PUK_SIZE], own[CS_PUK_SIZE], d[32], wrong[65];
    cs_buf der = {0}, other = {0}, shown;
    cs_trust *trust, *strangers;
    cs_attestor *attestor;
    maker m, stranger;

    (void)state;
    assert_ok(cs_attestor_new(&attestor, token, error));
    memcpy(endorsement, cs_attestor_describe(attestor)->endorsement, sizeof endorsement);
    cs_attestor_free(&attestor);
    cs_token_close(&token);
    maker_open(&m, "Maker of TPMs");
    maker_open(&stranger, "Maker of other TPMs");
    assert_ok(cs_trust_new(&trust, cs_view_buf(&m.ca_pem), (cs_view){0}, error));
    assert_ok(cs_trust_new(&strangers, cs_view_buf(&stranger.ca_pem), (cs_view){0}, error));
    maker_certify(&m, &der, endorsement, true);
    put_certificate(&der);
    shown = shown_certificate();
    assert_true(cs_view_equal(cs_view_buf(&shown), cs_view_buf(&der)));
    assert_ok(cs_endorsement_read(cs_view_buf(&shown), puk, error));
    assert_ok(cs_p256_compress(own, CS_VIEW_ARRAY(endorsement), error));
    assert_memory_equal(puk, own, sizeof own);
    assert_ok(cs_endorsement_check(trust, cs_view_buf(&shown), NOW, error));
    assert_fails(
        CS_E_CERTIFICATE, cs_endorsement_check(strangers, cs_view_buf(&shown), NOW, error));
    cs_buf_free(&shown);
    /* what a maker certifies for another purpose */
    maker_certify(&m, &other, endorsement, false);
    assert_fails(CS_E_CERTIFICATE, cs_endorsement_check(trust, cs_view_buf(&other), NOW, error));
    cs_buf_clear(&other);
    /* a certificate of another key says nothing of ours, and is not shown */
    assert_ok(cs_p256_generate(d, wrong, error));
    maker_certify(&m, &other, wrong, true);
    put_certificate(&other);
    shown = shown_certificate();
    assert_int_equal(shown.n, 0);
    cs_buf_free(&shown);
    cs_buf_free(&other);
    cs_buf_free(&der);
    cs_trust_free(&strangers);
    cs_trust_free(&trust);
    maker_close(&stranger);
    maker_close(&m);
    assert_int_equal(fixture_loaded(), 0);
}

/* Then there are statements, and no endorsement. */
static void test_closed_hierarchy(void **state)
{
    cs_token *token = fixture_open();
    uint8_t sealed[CS_TPM_ACTIVATION_SIZE] = {0}, key[CS_TPM_ACTIVATION_KEY_SIZE];
    cs_attestor *attestor;
    cs_statement_of_key s;
    cs_tpm_public ak;
    uint8_t root[65];
    cs_delivery_key *delivery;

    (void)state;
    assert_int_equal(fixture_shell("tpm2_changeauth -Q -c e secret"), 0);
    assert_ok(cs_delivery_key_new(&delivery, token, root, error));
    assert_ok(cs_attestor_new(&attestor, token, error));
    assert_false(cs_attestor_describe(attestor)->has_endorsement);
    ak = attesting_of(attestor);
    assert_ok(cs_attestor_certify(attestor, NULL, qualifying, &s, error));
    assert_ok(check(&s, &ak, CS_TPM_PARENT, root, error));
    assert_fails(CS_E_DECRYPT, cs_attestor_activate(attestor, sealed, key, error));
    cs_attestor_free(&attestor);
    cs_delivery_key_free(&delivery);
    cs_token_close(&token);
    assert_int_equal(fixture_shell("tpm2_changeauth -Q -c e -p secret"), 0);
    assert_int_equal(fixture_failed_tries(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_key_that_can_leave),
        cmocka_unit_test(test_key_of_another_token),
        cmocka_unit_test(test_activation),
        cmocka_unit_test(test_sealed_by_tools),
        cmocka_unit_test(test_opened_by_tools),
        cmocka_unit_test(test_certificate),
        cmocka_unit_test(test_closed_hierarchy),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
