/* SPDX-License-Identifier: Apache-2.0 */
/* Key files and handles: ours in other programs, theirs here, and those that must not be used. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sign(cs_key *key, cs_error *error)
{
    uint8_t digest[32] = {1}, signature[64];
    int rc = cs_key_sign(key, digest, signature, error);

    return rc == CS_OK ? cs_ecdsa_verify((cs_view){cs_key_describe(key)->public_key, 65}, digest,
                             signature, error)
                       : rc;
}

/* OpenSSL with tpm2-openssl signs with our file; without, it verifies. */
static void test_openssl_loads_ours(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key;
    char path[160];
    struct stat status;

    (void)state;
    assert_ok(cs_key_generate(&key, token, "ours", CS_USE_SIGN, CS_SUITE_P256, error));
    (void)snprintf(path, sizeof path, "%s/ours.pem", fx.keys);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    cs_key_close(&key);
    cs_token_close(&token);
    assert_int_equal(
        fixture_shell("cd %s && P='-provider tpm2 -provider default -propquery ?provider=tpm2' && "
                      "openssl pkey $P -in keys/ours.pem -passin pass:" PIN
                      " -pubout -out ours.pub "
                      "&& openssl dgst $P -sha256 -sign keys/ours.pem -passin pass:" PIN
                      " -out ours.sig pin && openssl dgst -sha256 -verify ours.pub -signature "
                      "ours.sig pin >/dev/null",
            fx.directory),
        0);
}

static void test_theirs_load_here(void **state)
{
    cs_token *token;
    cs_key *key;

    (void)state;
    assert_int_equal(
        fixture_shell(
            "cd %s && tpm2_create -Q -C 0x81000001 -G ecc:ecdsa-sha256 -p " PIN
            " -u k.pub -r k.priv && tpm2_encodeobject -Q -C 0x81000001 -u k.pub -r k.priv "
            "-o keys/tools.pem && tpm2_flushcontext -t",
            fx.directory),
        0);
    assert_int_equal(fixture_shell("cd %s && openssl genpkey -provider tpm2 -provider default "
                                   "-propquery '?provider=tpm2' -algorithm EC -pkeyopt group:P-256 "
                                   "-pkeyopt parent:0x81000001 -pkeyopt user-auth:" PIN
                                   " -out keys/provider.pem && tpm2_flushcontext -t",
                         fx.directory),
        0);
    assert_int_equal(fixture_shell("cd %s && openssl genpkey -provider tpm2 -provider default "
                                   "-propquery '?provider=tpm2' -algorithm EC -pkeyopt group:P-256 "
                                   "-pkeyopt parent:0x81000001 -out keys/open.pem",
                         fx.directory),
        0);
    token = fixture_open();
    assert_ok(cs_key_open(&key, token, fixture_key_uri("tools"), CS_USE_SIGN, 0, error));
    assert_ok(sign(key, error));
    cs_key_close(&key);
    assert_ok(cs_key_open(&key, token, fixture_key_uri("provider"), CS_USE_SIGN, 0, error));
    assert_ok(sign(key, error));
    cs_key_close(&key);
    /* without an authorisation value, as the file says: the PIN is not asked for */
    assert_ok(cs_key_open(&key, token, fixture_key_uri("open"), CS_USE_SIGN, 0, error));
    assert_ok(sign(key, error));
    cs_key_close(&key);
    cs_token_close(&token);
    assert_int_equal(fixture_failed_tries(), 0);
}

static void test_handle(void **state)
{
    cs_token *token;
    cs_key *key;
    char uri[CS_URI_MAX];

    (void)state;
    assert_int_equal(
        fixture_shell("cd %s && tpm2_load -Q -C 0x81000001 -u k.pub -r k.priv -c k.ctx && "
                      "tpm2_evictcontrol -Q -c k.ctx 0x81000123 && tpm2_flushcontext -t",
            fx.directory),
        0);
    token = fixture_open();
    (void)snprintf(uri, sizeof uri, "tpm2:handle=0x81000123?tcti=%s", fx.tcti);
    assert_ok(cs_key_open(&key, token, uri, CS_USE_SIGN, 0, error));
    assert_ok(sign(key, error));
    assert_string_equal(cs_key_describe(key)->uri, uri);
    assert_string_equal(cs_key_describe(key)->label, "0x81000123");
    /* another key in its place */
    assert_int_equal(
        fixture_shell("cd %s && tpm2_evictcontrol -Q -c 0x81000123 && tpm2_create -Q -C 0x81000001 "
                      "-G ecc:ecdsa-sha256 -p " PIN
                      " -u j.pub -r j.priv && tpm2_flushcontext -t && "
                      "tpm2_load -Q -C 0x81000001 -u j.pub -r j.priv -c j.ctx && "
                      "tpm2_evictcontrol -Q -c j.ctx 0x81000123 && tpm2_flushcontext -t",
            fx.directory),
        0);
    assert_fails(CS_E_KEY_MISSING, sign(key, error));
    cs_key_close(&key);
    assert_int_equal(fixture_shell("tpm2_evictcontrol -Q -c 0x81000123"), 0);
    assert_fails(CS_E_KEY_MISSING, cs_key_open(&key, token, uri, CS_USE_SIGN, 0, error));
    cs_token_close(&token);
    assert_int_equal(fixture_failed_tries(), 0);
}

typedef struct audit {
    unsigned keys, exposed;
    unsigned uses[CS_USE_PRF + 1];
} audit;

static int count(void *context, const cs_key_info *info)
{
    audit *a = context;

    a->keys++;
    a->exposed += info->extractable || !info->sensitive ? 1 : 0;
    a->uses[info->use]++;
    return 0;
}

static void test_audit(void **state)
{
    static const char *const labels[] = {"", "au-sign", "au-agree", "", "au-master", "au-prf"};
    cs_token *token = fixture_open();
    cs_token_info info;
    audit before = {0}, after = {0};

    (void)state;
    assert_ok(cs_token_list_keys(token, count, &before, error));
    for (cs_use use = CS_USE_SIGN; use <= CS_USE_PRF; use++) {
        cs_key *key;

        if (use == CS_USE_SCALAR)
            continue;
        assert_ok(cs_key_generate(&key, token, labels[use], use, CS_SUITE_P256, error));
        assert_true(cs_key_describe(key)->local && cs_key_describe(key)->never_extractable);
        cs_key_close(&key);
    }
    assert_ok(cs_token_list_keys(token, count, &after, error));
    assert_int_equal(after.keys, before.keys + 4);
    assert_int_equal(after.exposed, 0);
    for (cs_use use = CS_USE_SIGN; use <= CS_USE_PRF; use++)
        assert_int_equal(after.uses[use], before.uses[use] + (use == CS_USE_SCALAR ? 0 : 1));
    assert_ok(cs_token_describe(token, &info, error));
    assert_int_equal(strlen(info.serial), 16);
    assert_string_equal(info.manufacturer, "IBM");
    assert_true(info.login_required && info.initialised && !info.pin_locked);
    cs_token_close(&token);

    /* the URI that the token tells opens it again */
    {
        cs_token_options options = fixture_options();

        assert_ok(cs_token_open(&token, info.uri, &options, error));
        cs_token_close(&token);
    }
}

static int see(void *context, const cs_token_info *info)
{
    (void)snprintf(context, 17, "%s", info->serial);
    return 0;
}

static void test_list(void **state)
{
    char uri[128], serial[17] = "";

    (void)state;
    (void)snprintf(uri, sizeof uri, "tpm2:?tcti=%s", fx.tcti);
    assert_ok(cs_token_list(uri, see, serial, error));
    assert_int_equal(strlen(serial), 16);
    assert_fails(CS_E_TOKEN_ABSENT,
        cs_token_list("tpm2:?tcti=swtpm:host=127.0.0.1,port=1", see, serial, error));
}

/* What generation asked for, as the TPM itself tells it. */
static void test_attributes(void **state)
{
    (void)state;
    assert_int_equal(
        fixture_shell(
            "cd %s && for k in sign agree master prf; do tpm2_load -Q -r keys/au-$k.pem -c "
            "c && tpm2_flushcontext -t && tpm2_readpublic -c c > $k.txt && "
            "tpm2_flushcontext -t && grep -q 'fixedtpm|fixedparent|sensitivedataorigin|"
            "userwithauth|' $k.txt && ! grep -q noda $k.txt || exit 1; done",
            fx.directory),
        0);
    assert_int_equal(fixture_shell("cd %s && grep -q 'value: ecschnorr' master.txt && grep -q "
                                   "'value: ecdsa' sign.txt && grep -q 'value: ecdh' agree.txt && "
                                   "grep -q 'value: hmac' prf.txt",
                         fx.directory),
        0);
    /* a master key signs with nothing but EC-Schnorr */
    assert_int_not_equal(fixture_shell("cd %s && tpm2_load -Q -r keys/au-master.pem -c c && "
                                       "tpm2_flushcontext -t && tpm2_sign -Q -c c -p " PIN
                                       " -g sha256 -s ecdsa -o sig pin",
                             fx.directory),
        0);
    assert_int_equal(fixture_shell("tpm2_flushcontext -t"), 0);
}

static void refuses(cs_token *token, const char *options, cs_use use, cs_code code)
{
    cs_key *key;

    (void)unlink(strchr(fixture_key_uri("bad"), '=') + 1);
    assert_int_equal(
        fixture_shell("cd %s && tpm2_create -Q -C 0x81000001 %s -p " PIN " -u b.pub -r b.priv && "
                      "tpm2_encodeobject -Q -C 0x81000001 -u b.pub -r b.priv -o keys/bad.pem && "
                      "tpm2_flushcontext -t",
            fx.directory, options),
        0);
    assert_fails(code, cs_key_open(&key, token, fixture_key_uri("bad"), use, CS_SUITE_P256, error));
    assert_null(key);
}

static void test_unfit(void **state)
{
    cs_token *token = fixture_open();

    (void)state;
    refuses(token, "-G ecc384:ecdsa-sha384", CS_USE_SIGN, CS_E_TOKEN_UNSUITABLE);
    refuses(token, "-G rsa2048", CS_USE_SIGN, CS_E_TOKEN_UNSUITABLE);
    refuses(token, "-G ecc:ecdsa-sha256", CS_USE_ISSUE, CS_E_TOKEN_UNSUITABLE);
    refuses(token, "-G ecc", CS_USE_ISSUE, CS_E_TOKEN_UNSUITABLE); /* would sign anything */
    refuses(token, "-G hmac:sha1", CS_USE_PRF, CS_E_TOKEN_UNSUITABLE);
    refuses(token, "-G ecc:ecdsa-sha256 -a 'fixedtpm|fixedparent|sensitivedataorigin|sign'",
        CS_USE_SIGN, CS_E_TOKEN_UNSUITABLE);
    /* with a policy for duplication it can leave this TPM */
    assert_int_equal(
        fixture_shell("cd %s && tpm2_startauthsession -Q -S s && tpm2_policycommandcode -Q -S s -L "
                      "dup.policy TPM2_CC_Duplicate && tpm2_flushcontext s",
            fx.directory),
        0);
    refuses(token, "-G ecc:ecdsa-sha256 -L dup.policy -a 'sensitivedataorigin|userwithauth|sign'",
        CS_USE_SIGN, CS_E_KEY_EXPOSED);
    cs_token_close(&token);
    (void)fixture_shell("tpm2_flushcontext -t; tpm2_flushcontext -l");
}

/* A file of another TPM's, one that was altered, one that is none. */
static void test_foreign(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key;
    char uri[CS_URI_MAX], path[160];
    audit a = {0};

    (void)state;
    assert_int_equal(
        fixture_shell("cd %s && rm -f keys/bad.pem && openssl asn1parse -in "
                      "keys/ours.pem -out ours.der >/dev/null && "
                      "printf '\\377' | dd of=ours.der bs=1 conv=notrunc "
                      "seek=$(($(stat -c %%s ours.der)-9)) && { echo '-----BEGIN TSS2 "
                      "PRIVATE KEY-----'; base64 ours.der; echo '-----END TSS2 PRIVATE "
                      "KEY-----'; } > altered.pem",
            fx.directory),
        0);
    (void)snprintf(uri, sizeof uri, "tpm2:file=%s/altered.pem", fx.directory);
    assert_fails(CS_E_KEY_MISSING, cs_key_open(&key, token, uri, CS_USE_SIGN, 0, error));
    (void)snprintf(uri, sizeof uri, "tpm2:file=%s", fx.pin_file);
    assert_fails(CS_E_MALFORMED, cs_key_open(&key, token, uri, CS_USE_SIGN, 0, error));
    (void)snprintf(uri, sizeof uri, "tpm2:file=%s", fx.keys);
    assert_fails(CS_E_MALFORMED, cs_key_open(&key, token, uri, CS_USE_SIGN, 0, error));
    assert_fails(CS_E_USAGE, cs_key_open(&key, token, fixture_uri(), CS_USE_SIGN, 0, error));
    (void)snprintf(uri, sizeof uri, "tpm2:file=%s/ours.pem?tcti=device:/dev/tpm9", fx.keys);
    assert_fails(CS_E_KEY_MISSING, cs_key_open(&key, token, uri, CS_USE_SIGN, 0, error));
    /* an audit does not pass over a file that is no key of this TPM */
    (void)snprintf(path, sizeof path, "%s/stray.pem", fx.keys);
    fixture_write(path, "stray\n", 0600);
    assert_fails(CS_E_MALFORMED, cs_token_list_keys(token, count, &a, error));
    assert_int_equal(unlink(path), 0);
    cs_token_close(&token);
}

static void test_directory(void **state)
{
    cs_token_options options = fixture_options();
    cs_token *token;
    char uri[CS_URI_MAX], path[160];

    (void)state;
    (void)snprintf(uri, sizeof uri, "tpm2:dir=%s/none?tcti=%s", fx.directory, fx.tcti);
    assert_fails(CS_E_TOKEN_ABSENT, cs_token_open(&token, uri, &options, error));
    assert_int_equal(chmod(fx.keys, 0777), 0);
    assert_fails(CS_E_USAGE, cs_token_open(&token, fixture_uri(), &options, error));
    assert_int_equal(chmod(fx.keys, 0700), 0);
    /* the directory is of another TPM */
    (void)snprintf(path, sizeof path, "%s/storage-root.name", fx.keys);
    assert_int_equal(access(path, R_OK), 0);
    fixture_write(path, "000b00\n", 0600);
    assert_fails(CS_E_TOKEN, cs_token_open(&token, fixture_uri(), &options, error));
    assert_int_equal(unlink(path), 0);
    assert_fails(CS_E_USAGE, cs_token_open(&token, "tpm2:handle=0x81000001", &options, error));
    assert_ok(cs_token_open(&token, fixture_uri(), &options, error));
    cs_token_close(&token);
}

/* A storage root that is there is used as it is; one that may not be made is asked for. */
static void test_root(void **state)
{
    cs_token_options options = fixture_options();
    cs_token *token;
    cs_key *key;
    char path[160];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/storage-root.name", fx.keys);
    assert_int_equal(
        fixture_shell("tpm2_evictcontrol -Q -c 0x81000001 && tpm2_changeauth -Q -c o own"), 0);
    assert_int_equal(unlink(path), 0);
    assert_fails(CS_E_TOKEN, cs_token_open(&token, fixture_uri(), &options, error));
    /* what docs/deployment.md says the owner does */
    assert_int_equal(
        fixture_shell("cd %s && tpm2_createprimary -Q -C o -P own -G ecc256:aes128cfb -g sha256 -a "
                      "'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|"
                      "decrypt' -c srk.ctx && tpm2_evictcontrol -Q -C o -P own -c srk.ctx "
                      "0x81000001 && tpm2_changeauth -Q -c o -p own",
            fx.directory),
        0);
    token = fixture_open();
    assert_ok(cs_key_generate(&key, token, "under-theirs", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(sign(key, error));
    cs_key_close(&key);
    /* a key of before the change is not this root's */
    assert_fails(
        CS_E_KEY_MISSING, cs_key_open(&key, token, fixture_key_uri("ours"), CS_USE_SIGN, 0, error));
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openssl_loads_ours),
        cmocka_unit_test(test_theirs_load_here),
        cmocka_unit_test(test_handle),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_unfit),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_root),
    };

    if (!swtpm_available())
        return SKIPPED;
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
