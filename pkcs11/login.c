/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins, one at a time in the process, so that two threads cannot burn two tries with one wrong
 * PIN. A refused PIN is remembered by a keyed digest and never sent to that token again by this
 * process: not even after others had it set to that, which nothing here can know.
 */
#include "p11.h"

#include <stdio.h>
#include <string.h>

#define REFUSED_MAX 64 /* more wrong PINs than any token allows tries */

static pthread_mutex_t login_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint8_t key[CS_HASH_SIZE];
    uint8_t digests[REFUSED_MAX][CS_HASH_SIZE];
    size_t count;
} refused;

void p11_login_after_fork(void)
{
    (void)pthread_mutex_init(&login_lock, NULL);
}

/* A digest of a PIN could be guessed against; under a key that leaves with the process it cannot.
 */
static int pin_digest(
    const p11_token *token, const cs_pin *pin, uint8_t out[CS_HASH_SIZE], cs_error *error)
{
    uint8_t token_key[CS_HASH_SIZE];
    int rc;

    if (refused.count == 0)
        cs_random(refused.key, sizeof refused.key);
    rc = cs_hmac(
        token_key, CS_VIEW_ARRAY(refused.key), CS_VIEW_ARRAY(token->info.serialNumber), error);
    if (rc == CS_OK)
        rc = cs_hmac(
            out, CS_VIEW_ARRAY(token_key), (cs_view){(const uint8_t *)pin->text, pin->n}, error);
    cs_wipe(token_key, sizeof token_key);
    return rc;
}

static int check_not_refused(
    const p11_token *token, const uint8_t digest[CS_HASH_SIZE], cs_error *error)
{
    bool again = false;

    if (refused.count == REFUSED_MAX)
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "tokens have refused %d PINs of this process; no PIN is sent any more, start it again "
            "when they are right",
            REFUSED_MAX);
    for (size_t i = 0; i < refused.count; i++)
        again = again || cs_view_equal_secret(
                             (cs_view){digest, CS_HASH_SIZE}, CS_VIEW_ARRAY(refused.digests[i]));
    if (again)
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "token %s (serial %s) has refused this PIN; it is not sent again: correct it, or start "
            "this again if the token has it by now",
            token->label, token->serial);
    return CS_OK;
}

static int check_tries(const p11_token *token, CK_FLAGS flags, cs_error *error)
{
    if ((flags & CKF_USER_PIN_LOCKED) != 0)
        return CS_FAIL(error, CS_E_PIN_LOCKED,
            "the PIN of token %s (serial %s) is locked; unlock it with the SO PIN (PUK)",
            token->label, token->serial);
    if ((flags & CKF_USER_PIN_INITIALIZED) == 0)
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "token %s (serial %s) has no user PIN yet; set one with the SO PIN", token->label,
            token->serial);
    if ((flags & CKF_USER_PIN_FINAL_TRY) != 0 && !token->force_final_try)
        return CS_FAIL(error, CS_E_PIN_FINAL_TRY,
            "token %s (serial %s) has one PIN try left, which is left alone; "
            "`chartseal token login --force-final-try` uses it",
            token->label, token->serial);
    return CS_OK;
}

static bool is_wrong_pin(CK_RV rv)
{
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE;
}

/* PKCS#11 has no number of tries, only "fewer", "one" and "none"; some tokens do not say even that.
 */
static int wrong_pin(const p11_token *token, CK_RV rv, cs_error *error)
{
    CK_TOKEN_INFO info;
    CK_FLAGS flags =
        token->module->functions->C_GetTokenInfo(token->slot, &info) == CKR_OK ? info.flags : 0;
    const char *tries = "the token does not tell how many tries are left";

    if ((flags & CKF_USER_PIN_LOCKED) != 0)
        tries = "no try is left: it is locked now, unlock it with the SO PIN (PUK)";
    else if ((flags & CKF_USER_PIN_FINAL_TRY) != 0)
        tries = "one try is left";
    else if ((flags & CKF_USER_PIN_COUNT_LOW) != 0)
        tries = "tries are left, but fewer than before";
    return CS_FAIL(error, CS_E_PIN_WRONG,
        "token %s (serial %s) refuses the PIN (module %s, slot %lu: C_Login: %s, 0x%lx); %s; check "
        "the PIN, it is not sent again",
        token->label, token->serial, token->module->path, token->slot, p11_rv_name(rv), rv, tries);
}

static int login_failed(const p11_token *token, CK_RV rv, cs_error *error)
{
    return is_wrong_pin(rv) ? wrong_pin(token, rv, error) : p11_fail(token, "C_Login", rv, error);
}

/* A login, here and below: *rv is what the token answered last. */
static int send_pin(p11_token *token, CK_SESSION_HANDLE session, CK_USER_TYPE user,
    const cs_pin *pin, CK_RV *rv, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    int rc = pin_digest(token, pin, digest, error);

    if (rc == CS_OK)
        rc = check_not_refused(token, digest, error);
    if (rc != CS_OK)
        goto out;
    *rv = token->module->functions->C_Login(session, user, (CK_UTF8CHAR *)pin->text, pin->n);
    if (is_wrong_pin(*rv))
        memcpy(refused.digests[refused.count++], digest, sizeof digest);
    if (*rv != CKR_OK && *rv != CKR_USER_ALREADY_LOGGED_IN)
        rc = login_failed(token, *rv, error);
out:
    cs_wipe(digest, sizeof digest);
    return rc;
}

/* The reader's own pad asks for the PIN. */
static int use_pinpad(
    p11_token *token, CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_RV *rv, cs_error *error)
{
    *rv = token->module->functions->C_Login(session, user, NULL, 0);
    if (*rv != CKR_OK && *rv != CKR_USER_ALREADY_LOGGED_IN)
        return login_failed(token, *rv, error);
    return CS_OK;
}

static int login_as(
    p11_token *token, CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_RV *rv, cs_error *error)
{
    CK_TOKEN_INFO info;
    cs_pin pin = {0};
    char what[96];
    int rc;

    *rv = token->module->functions->C_GetTokenInfo(token->slot, &info);
    if (*rv != CKR_OK)
        return p11_fail(token, "C_GetTokenInfo", *rv, error);
    if ((info.flags & CKF_LOGIN_REQUIRED) == 0 && user == CKU_USER)
        return CS_OK;
    rc = check_tries(token, info.flags, error);
    if (rc != CS_OK)
        return rc;
    if ((info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
        return use_pinpad(token, session, user, rv, error);
    if (token->pin_value.n > 0)
        return send_pin(token, session, user, &token->pin_value, rv, error);
    (void)snprintf(what, sizeof what, "token %s (serial %s)", token->label, token->serial);
    rc = cs_pin_get(&pin, &token->pin_source, what,
        (info.flags & CKF_USER_PIN_FINAL_TRY) != 0   ? "this is the last try"
        : (info.flags & CKF_USER_PIN_COUNT_LOW) != 0 ? "few tries are left"
                                                     : NULL,
        error);
    if (rc == CS_OK)
        rc = send_pin(token, session, user, &pin, rv, error);
    cs_pin_free(&pin);
    return rc;
}

static bool logged_in(p11_token *token, CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info;

    return token->module->functions->C_GetSessionInfo(session, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

int p11_login(p11_token *token, CK_SESSION_HANDLE session, cs_error *error)
{
    int rc = CS_OK;
    CK_RV rv;

    (void)pthread_mutex_lock(&login_lock);
    if (!logged_in(token, session))
        rc = login_as(token, session, CKU_USER, &rv, error);
    (void)pthread_mutex_unlock(&login_lock);
    return rc;
}

CK_RV p11_login_context(p11_job *job)
{
    CK_RV rv = CKR_OK;
    int rc;

    (void)pthread_mutex_lock(&login_lock);
    job->call = "C_Login";
    rc = login_as(job->token, job->session, CKU_CONTEXT_SPECIFIC, &rv, job->error);
    (void)pthread_mutex_unlock(&login_lock);
    if (rc == CS_OK)
        return CKR_OK;
    if (p11_rv_is_lost(rv))
        return rv;
    job->rc = rc;
    return CKR_OPERATION_ACTIVE;
}
