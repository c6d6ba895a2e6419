/* SPDX-License-Identifier: Apache-2.0 */
#include "service/biometrics.h"

#include "service/actor.h"

#include <chartseal/secret.h>

#include <string.h>

#define CONFIG_BIOMETRIC "biometric"
#define CONFIG_PIN_FROM "pin.from"
#define HELPER_NAME "biometric.bin"
#define DEVICE_KEY_NAME "device.key"

bool cs_home_has_biometric(const cs_home *home)
{
    return cs_home_text(home, CONFIG_BIOMETRIC) != NULL;
}

bool cs_home_wants_biometric(const cs_home *home)
{
    const char *from = cs_home_text(home, CONFIG_PIN_FROM);

    return from != NULL && strcmp(from, CONFIG_BIOMETRIC) == 0;
}

/* -- the authorisation value ---------------------------------------------------------------------
 */

static int authorise(cs_home *home, const uint8_t h_bp[CS_HASH_SIZE], cs_error *error)
{
    if (!cs_home_wants_biometric(home))
        return CS_OK;
    if (home->authorisation == NULL)
        home->authorisation = cs_secret_new(CS_AUTHORISATION_SIZE);
    if (home->authorisation == NULL)
        return CS_FAIL(
            error, CS_E_MEMORY, "no guarded memory for a PIN; free some, or raise RLIMIT_MEMLOCK");
    return cs_biometric_authorisation(home->authorisation, h_bp, error);
}

int cs_home_authorisation(void *context, char *out, size_t *n, cs_error *error)
{
    const cs_home *home = context;

    if (home->authorisation == NULL)
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "the keys of %s want the biometric password; give --template FILE or "
            "--passphrase-file FILE",
            home->dir);
    memcpy(out, home->authorisation, CS_AUTHORISATION_SIZE);
    *n = CS_AUTHORISATION_SIZE;
    return CS_OK;
}

static int found_key(void *context, const cs_key_info *info)
{
    char *label = context;

    memcpy(label, info->label, sizeof info->label);
    return 0;
}

/* Keys of another enrolment, or under a PIN, would be taken over, and the first use would cost one
 * of the TPM's tries and fail. */
static int check_no_keys(cs_home *home, cs_error *error)
{
    cs_token *token = NULL;
    char label[CS_LABEL_MAX + 1] = "";
    int rc = cs_home_open_token(&token, home, error);

    if (rc == CS_OK)
        rc = cs_token_list_keys(token, found_key, label, error);
    if (rc == CS_OK && label[0] != '\0')
        rc = CS_FAIL(error, CS_E_EXISTS,
            "the token has the key '%s', made under another enrolment or a PIN; name another "
            "directory for the keys, or restore %s/" HELPER_NAME " and " DEVICE_KEY_NAME,
            label, home->dir);
    cs_token_close(&token);
    return rc;
}

/* -- enrolment -----------------------------------------------------------------------------------
 */

static int read_device_key(cs_buf *key, const cs_home *home, cs_error *error)
{
    int rc = cs_home_read(home, DEVICE_KEY_NAME, CS_DEVICE_KEY_SIZE, key, error);

    if (rc == CS_OK && key->n != CS_DEVICE_KEY_SIZE)
        rc = CS_FAIL(error, CS_E_CORRUPT, "%s/" DEVICE_KEY_NAME " has not %d bytes; restore it",
            home->dir, CS_DEVICE_KEY_SIZE);
    return rc;
}

/* The one that is there, or a new one. */
static int need_device_key(cs_buf *key, const cs_home *home, cs_error *error)
{
    int rc = read_device_key(key, home, error);

    if (rc != CS_E_NO_FILE)
        return rc;
    rc = cs_buf_resize(key, CS_DEVICE_KEY_SIZE, error);
    if (rc != CS_OK)
        return rc;
    cs_random(key->p, key->n);
    return cs_home_write(home, DEVICE_KEY_NAME, cs_view_buf(key), error);
}

/* The helper data that is there opens with bp, or stays. */
static int take_present(uint8_t h_bp[CS_HASH_SIZE], const cs_home *home, const cs_biometric *bp,
    cs_view helper, const cs_buf *key, cs_error *error)
{
    int rc = cs_biometric_recover(h_bp, bp, helper, key->p, error);

    if (rc == CS_E_BIOMETRIC || rc == CS_E_USAGE)
        rc = CS_FAIL(error, CS_E_EXISTS,
            "%s/" HELPER_NAME " is there already, of another eye or passphrase; give that, or "
            "remove the file to enrol anew",
            home->dir);
    return rc;
}

int cs_home_enrol(
    uint8_t h_bp[CS_HASH_SIZE], cs_home *home, const cs_biometric *bp, cs_error *error)
{
    cs_buf key = {.guarded = true};
    cs_buf helper = {0};
    int rc = cs_home_read(home, HELPER_NAME, CS_HELPER_MAX, &helper, error);

    if (rc == CS_OK) {
        rc = read_device_key(&key, home, error);
        if (rc == CS_OK)
            rc = take_present(h_bp, home, bp, cs_view_buf(&helper), &key, error);
    } else if (rc == CS_E_NO_FILE) {
        rc = cs_home_wants_biometric(home) ? check_no_keys(home, error) : CS_OK;
        if (rc == CS_OK)
            rc = need_device_key(&key, home, error);
        if (rc == CS_OK)
            rc = cs_biometric_enrol(&helper, h_bp, bp, key.p, error);
        if (rc == CS_OK)
            rc = cs_home_write(home, HELPER_NAME, cs_view_buf(&helper), error);
    }
    if (rc == CS_OK)
        rc = cs_home_set_text(home, CONFIG_BIOMETRIC,
            bp->kind == CS_BIOMETRIC_TEMPLATE ? "template" : "passphrase", error);
    if (rc == CS_OK)
        rc = authorise(home, h_bp, error);
    if (rc != CS_OK)
        cs_wipe(h_bp, CS_HASH_SIZE);
    cs_buf_free(&key);
    cs_buf_free(&helper);
    return rc;
}

int cs_home_recover(
    uint8_t h_bp[CS_HASH_SIZE], cs_home *home, const cs_biometric *bp, cs_error *error)
{
    cs_buf key = {.guarded = true};
    cs_buf helper = {0};
    int rc = read_device_key(&key, home, error);

    if (rc == CS_OK)
        rc = cs_home_read(home, HELPER_NAME, CS_HELPER_MAX, &helper, error);
    if (rc == CS_OK)
        rc = cs_biometric_recover(h_bp, bp, cs_view_buf(&helper), key.p, error);
    if (rc == CS_OK)
        rc = authorise(home, h_bp, error);
    if (rc != CS_OK)
        cs_wipe(h_bp, CS_HASH_SIZE);
    cs_buf_free(&key);
    cs_buf_free(&helper);
    return rc;
}
