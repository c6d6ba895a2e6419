/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment in a home: once, not written over, and refused when a file is lost or changed. */
#include "test.h"

#include "service/biometrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "test_biometrics.XXXXXX";
static char inside[sizeof directory + 8];
static cs_home *home;
static uint8_t h_bp[CS_HASH_SIZE];

static const cs_biometric phrase = {
    CS_BIOMETRIC_PASSPHRASE, {(const uint8_t *)"correct horse", 13}};
static const cs_biometric other = {
    CS_BIOMETRIC_PASSPHRASE, {(const uint8_t *)"battery staple", 14}};

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(inside, sizeof inside, "%s/home", directory);
    return cs_home_create(&home, inside, CS_HOME_PATIENT, "P-1", CS_SUITE_ED25519, NULL, NULL);
}

static void drop(const char *name)
{
    char path[CS_PATH_MAX];

    cs_home_path(home, name, path);
    (void)unlink(path);
}

static int tear_down(void **state)
{
    (void)state;
    drop("biometric.bin");
    drop("device.key");
    drop("config.json");
    cs_home_free(&home);
    return rmdir(inside) + rmdir(directory);
}

static void assert_private(const char *name)
{
    char path[CS_PATH_MAX];
    struct stat info;

    cs_home_path(home, name, path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_enrol(void **state)
{
    uint8_t again[CS_HASH_SIZE];

    (void)state;
    assert_false(cs_home_has_biometric(home));
    assert_fails(CS_E_NO_FILE, cs_home_recover(again, home, &phrase, error));
    assert_ok(cs_home_enrol(h_bp, home, &phrase, error));
    assert_true(cs_home_has_biometric(home));
    assert_string_equal(cs_home_text(home, "biometric"), "passphrase");
    assert_private("biometric.bin");
    assert_private("device.key");
    assert_ok(cs_home_recover(again, home, &phrase, error));
    assert_memory_equal(again, h_bp, sizeof again);
    assert_fails(CS_E_BIOMETRIC, cs_home_recover(again, home, &other, error));
}

/* An init that is repeated: keys may have been made under the first H(BP). */
static void test_not_written_over(void **state)
{
    uint8_t again[CS_HASH_SIZE];

    (void)state;
    assert_ok(cs_home_enrol(again, home, &phrase, error));
    assert_memory_equal(again, h_bp, sizeof again);
    assert_fails(CS_E_EXISTS, cs_home_enrol(again, home, &other, error));
    assert_ok(cs_home_recover(again, home, &phrase, error));
    assert_memory_equal(again, h_bp, sizeof again);
}

/* What a TPM is given, where config.json says that the keys want it. */
static void test_authorisation(void **state)
{
    uint8_t wanted[CS_AUTHORISATION_SIZE];
    uint8_t again[CS_HASH_SIZE];
    char pin[CS_PIN_MAX];
    size_t n = 0;

    (void)state;
    assert_false(cs_home_wants_biometric(home));
    assert_ok(cs_home_recover(again, home, &phrase, error));
    assert_null(home->authorisation);
    assert_ok(cs_home_set_text(home, "pin.from", "biometric", error));
    assert_true(cs_home_wants_biometric(home));
    assert_fails(CS_E_PIN_MISSING, cs_home_authorisation(home, pin, &n, error));
    assert_fails(CS_E_BIOMETRIC, cs_home_recover(again, home, &other, error));
    assert_fails(CS_E_PIN_MISSING, cs_home_authorisation(home, pin, &n, error));
    assert_ok(cs_home_recover(again, home, &phrase, error));
    assert_ok(cs_home_authorisation(home, pin, &n, error));
    assert_ok(cs_biometric_authorisation(wanted, h_bp, error));
    assert_int_equal(n, sizeof wanted);
    assert_memory_equal(pin, wanted, sizeof wanted);
}

static void test_damage(void **state)
{
    uint8_t again[CS_HASH_SIZE];
    cs_buf key = {0};
    cs_buf helper = {0};

    (void)state;
    assert_ok(cs_home_read(home, "device.key", CS_DEVICE_KEY_SIZE, &key, error));
    assert_ok(cs_home_read(home, "biometric.bin", CS_HELPER_MAX, &helper, error));
    helper.p[60] ^= 1;
    assert_ok(cs_home_write(home, "biometric.bin", cs_view_buf(&helper), error));
    assert_fails(CS_E_CORRUPT, cs_home_recover(again, home, &phrase, error));
    assert_fails(CS_E_CORRUPT, cs_home_enrol(again, home, &phrase, error));
    helper.p[60] ^= 1;
    assert_ok(cs_home_write(home, "biometric.bin", cs_view_buf(&helper), error));
    assert_ok(cs_home_write(home, "device.key", (cs_view){key.p, key.n - 1}, error));
    assert_fails(CS_E_CORRUPT, cs_home_recover(again, home, &phrase, error));
    key.p[0] ^= 1;
    assert_ok(cs_home_write(home, "device.key", cs_view_buf(&key), error));
    assert_fails(CS_E_CORRUPT, cs_home_recover(again, home, &phrase, error));
    drop("device.key");
    assert_fails(CS_E_NO_FILE, cs_home_recover(again, home, &phrase, error));
    assert_fails(CS_E_NO_FILE, cs_home_enrol(again, home, &phrase, error));
    cs_buf_free(&key);
    cs_buf_free(&helper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enrol),
        cmocka_unit_test(test_not_written_over),
        cmocka_unit_test(test_authorisation),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
