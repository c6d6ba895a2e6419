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
 * The officer's PIN is another one. */
static int pin_digest(const CK_TOKEN_INFO *info, CK_USER_TYPE user, const cs_pin *pin,
    uint8_t out[CS_HASH_SIZE], cs_error *error)
{
    uint8_t token_key[CS_HASH_SIZE], whose[sizeof info->serialNumber + 1];
    int rc;

    memcpy(whose, info->serialNumber, sizeof info->serialNumber);
    whose[sizeof info->serialNumber] = user == CKU_SO;
    if (refused.count == 0)
        cs_random(refused.key, sizeof refused.key);
    rc = cs_hmac(token_key, CS_VIEW_ARRAY(refused.key), CS_VIEW_ARRAY(whose), error);
    if (rc == CS_OK)
        rc = cs_hmac(
            out, CS_VIEW_ARRAY(token_key), (cs_view){(const uint8_t *)pin->text, pin->n}, error);
    cs_wipe(token_key, sizeof token_key);
    return rc;
}

static int check_not_refused(
    const char *label, const char *serial, const uint8_t digest[CS_HASH_SIZE], cs_error *error)
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
            label, serial);
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

#define WHY_SIZE (CS_LABEL_MAX + 64)

static bool asks_person(const p11_token *token)
{
    return token->pin_source.kind == CS_PIN_PINENTRY && token->pin_value.n == 0;
}

/* One login: for what, and what came of it. */
typedef struct attempt {
    p11_token *token;
    CK_SESSION_HANDLE session;
    CK_USER_TYPE user;
    const char *label; /* of the key whose use it is for; NULL: none */
    CK_FLAGS flags;    /* of the token, as it told them just now */
    CK_RV rv;          /* what it answered last */
} attempt;

static cs_view owner_of(const CK_TOKEN_INFO *info, uint8_t owner[CS_PIN_OWNER_MAX])
{
    memcpy(owner, info->label, sizeof info->label);
    memcpy(owner + sizeof info->label, info->serialNumber, sizeof info->serialNumber);
    return (cs_view){owner, sizeof info->label + sizeof info->serialNumber};
}

static int send_pin(attempt *a, const cs_pin *pin, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    int rc = pin_digest(&a->token->info, CKU_USER, pin, digest, error);

    if (rc == CS_OK)
        rc = check_not_refused(a->token->label, a->token->serial, digest, error);
    if (rc != CS_OK)
        goto out;
    a->rv =
        a->token->module->functions->C_Login(a->session, a->user, (CK_UTF8CHAR *)pin->text, pin->n);
    if (is_wrong_pin(a->rv))
        memcpy(refused.digests[refused.count++], digest, sizeof digest);
    if (a->rv != CKR_OK && a->rv != CKR_USER_ALREADY_LOGGED_IN)
        rc = login_failed(a->token, a->rv, error);
out:
    cs_wipe(digest, sizeof digest);
    return rc;
}

/* "login" or "signature 2 of this visit, key SIGN key". Keys that want it each time only sign. */
static void say_why(const attempt *a, char out[WHY_SIZE])
{
    const p11_token *token = a->token;

    if (a->label == NULL)
        (void)snprintf(out, WHY_SIZE, "login");
    else
        (void)snprintf(out, WHY_SIZE, "signature %u%s, key %s", token->base.pin_uses + 1,
            token->hold.kind == CS_PIN_HOLD_VISIT ? " of this visit" : "", a->label);
}

/* The reader's own pad asks for the PIN, and nobody here learns it: nothing is held, and nothing
 * can be sent again. A person who does not enter it, or enters another, has to begin anew. */
static int use_pinpad(attempt *a, cs_error *error)
{
    p11_token *token = a->token;
    char why[WHY_SIZE], text[sizeof why + 128];

    say_why(a, why);
    (void)snprintf(text, sizeof text, "enter the PIN of token %s (serial %s) at the reader: %s%s",
        token->label, token->serial, why,
        (a->flags & CKF_USER_PIN_COUNT_LOW) != 0 ? "; few tries are left" : "");
    cs_pin_tell(token->tell, token->tell_context, text);
    token->base.pin_prompts++;
    a->rv = token->module->functions->C_Login(a->session, a->user, NULL, 0);
    if (a->rv == CKR_OK || a->rv == CKR_USER_ALREADY_LOGGED_IN)
        return CS_OK;
    if (a->rv == CKR_CANCEL || a->rv == CKR_FUNCTION_CANCELED || a->rv == CKR_FUNCTION_REJECTED)
        return CS_FAIL(error, CS_E_CANCELLED,
            "token %s (serial %s): the PIN was not entered at the reader in time, or it was "
            "cancelled there (%s); do this again",
            token->label, token->serial, p11_rv_name(a->rv));
    return login_failed(token, a->rv, error);
}

/* From its source, with why it is asked for. */
static int ask(cs_pin *pin, const attempt *a, const char *why, cs_error *error)
{
    p11_token *token = a->token;
    char what[96], held[64], text[WHY_SIZE + sizeof held + 32];

    cs_pin_hold_text(&token->hold, held, sizeof held);
    (void)snprintf(what, sizeof what, "token %s (serial %s)", token->label, token->serial);
    (void)snprintf(text, sizeof text, "%s%s%s", why, held,
        (a->flags & CKF_USER_PIN_FINAL_TRY) != 0   ? "; this is the last try"
        : (a->flags & CKF_USER_PIN_COUNT_LOW) != 0 ? "; few tries are left"
                                                   : "");
    if (asks_person(token))
        token->base.pin_prompts++;
    return cs_pin_get(pin, &token->pin_source, what, text, error);
}

/* The token is there and has tries for it. */
static int look_at_token(attempt *a, cs_error *error)
{
    p11_token *token = a->token;
    CK_TOKEN_INFO info;

    a->rv = token->module->functions->C_GetTokenInfo(token->slot, &info);
    /* between two uses another card may have come into the reader, which the PIN is not for */
    if (a->rv == CKR_OK && !p11_is_token(token, &info))
        a->rv = CKR_TOKEN_NOT_PRESENT;
    if (a->rv != CKR_OK)
        return p11_fail(token, "C_GetTokenInfo", a->rv, error);
    a->flags = info.flags;
    if ((a->flags & CKF_LOGIN_REQUIRED) == 0 && a->user == CKU_USER)
        return CS_OK;
    return check_tries(token, a->flags, error);
}

/* What a person gave is held as far as the policy goes, once the token has taken it: one that was
 * logged in to already has not looked at it. */
static int ask_and_send(attempt *a, cs_error *error)
{
    uint8_t owner[CS_PIN_OWNER_MAX];
    char why[WHY_SIZE];
    cs_pin pin = {0};
    int rc;

    say_why(a, why);
    rc = ask(&pin, a, why, error);
    /* a person takes minutes: by now there may be another card, or one try only */
    if (rc == CS_OK && asks_person(a->token))
        rc = look_at_token(a, error);
    if (rc == CS_OK)
        rc = send_pin(a, &pin, error);
    if (rc == CS_OK && a->rv == CKR_OK && asks_person(a->token))
        cs_held_pin_keep(
            a->token->base.held, &pin, owner_of(&a->token->info, owner), a->label == NULL ? 0 : 1);
    cs_pin_free(&pin);
    return rc;
}

/* Whatever comes of it but a success, the person is asked the next time. */
static int send_held(attempt *a, const cs_pin *pin, cs_error *error)
{
    int rc = send_pin(a, pin, error);

    if (rc != CS_OK)
        cs_held_pin_forget(a->token->base.held);
    return rc;
}

static int login_as(attempt *a, cs_error *error)
{
    p11_token *token = a->token;
    uint8_t owner[CS_PIN_OWNER_MAX];
    cs_pin pin = {0};
    int rc = look_at_token(a, error);

    if (rc != CS_OK || ((a->flags & CKF_LOGIN_REQUIRED) == 0 && a->user == CKU_USER))
        return rc;
    if ((a->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
        return use_pinpad(a, error);
    if (token->pin_value.n > 0)
        return send_pin(a, &token->pin_value, error);
    if (a->label == NULL ||
        !cs_held_pin_take(token->base.held, &pin, owner_of(&token->info, owner)))
        return ask_and_send(a, error);
    rc = send_held(a, &pin, error);
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
    attempt a = {.token = token, .session = session, .user = CKU_USER};
    int rc = CS_OK;

    (void)pthread_mutex_lock(&login_lock);
    if (!logged_in(token, session))
        rc = login_as(&a, error);
    (void)pthread_mutex_unlock(&login_lock);
    return rc;
}

CK_RV p11_login_context(p11_job *job, const p11_key *key)
{
    attempt a = {.token = job->token,
        .session = job->session,
        .user = CKU_CONTEXT_SPECIFIC,
        .label = key->base.info.label};
    int rc;

    (void)pthread_mutex_lock(&login_lock);
    job->call = "C_Login";
    rc = login_as(&a, job->error);
    if (rc == CS_OK)
        job->token->base.pin_uses++;
    (void)pthread_mutex_unlock(&login_lock);
    if (rc == CS_OK)
        return CKR_OK;
    if (p11_rv_is_lost(a.rv))
        return a.rv;
    job->rc = rc;
    return CKR_OPERATION_ACTIVE;
}

/* -- before a visit */

/* It is held without having been sent; one that was refused before is not held. */
static int ask_ahead(attempt *a, cs_error *error)
{
    p11_token *token = a->token;
    uint8_t owner[CS_PIN_OWNER_MAX], digest[CS_HASH_SIZE];
    cs_pin pin = {0};
    int rc = look_at_token(a, error);

    if (rc != CS_OK || (a->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0 ||
        cs_held_pin_is(token->base.held, owner_of(&token->info, owner)))
        return rc;
    rc = ask(&pin, a, "the signatures to come", error);
    if (rc == CS_OK)
        rc = pin_digest(&token->info, CKU_USER, &pin, digest, error);
    if (rc == CS_OK)
        rc = check_not_refused(token->label, token->serial, digest, error);
    if (rc == CS_OK)
        cs_held_pin_keep(token->base.held, &pin, owner_of(&token->info, owner), 0);
    cs_pin_free(&pin);
    cs_wipe(digest, sizeof digest);
    return rc;
}

static CK_RV begin_work(p11_job *job, void *context)
{
    attempt a = {.token = job->token, .session = job->session, .user = CKU_CONTEXT_SPECIFIC};
    int rc;

    (void)context;
    (void)pthread_mutex_lock(&login_lock);
    job->call = "C_GetTokenInfo";
    rc = ask_ahead(&a, job->error);
    (void)pthread_mutex_unlock(&login_lock);
    if (p11_rv_is_lost(a.rv))
        return a.rv;
    job->rc = rc;
    return CKR_OK;
}

int p11_begin_visit(cs_token *base, cs_error *error)
{
    p11_token *token = (p11_token *)base;

    if (!token->wants_pin)
        cs_held_pin_forget(base->held);
    if (!token->wants_pin || token->hold.kind == CS_PIN_HOLD_EACH || !asks_person(token))
        return CS_OK;
    return p11_run(token, NULL, begin_work, NULL, error);
}

/* -- the security officer */

typedef struct officer {
    const p11_slot *slot;
    CK_SESSION_HANDLE session;
    char label[33], serial[17];
} officer;

/* As look_at_token; his tries are often fewer, and no one sets them back. */
static int look_as_officer(const officer *o, cs_error *error)
{
    const CK_TOKEN_INFO *known = &o->slot->info;
    CK_TOKEN_INFO info;
    CK_RV rv = o->slot->module->functions->C_GetTokenInfo(o->slot->id, &info);

    if (rv == CKR_OK &&
        (memcmp(info.label, known->label, sizeof info.label) != 0 ||
            memcmp(info.serialNumber, known->serialNumber, sizeof info.serialNumber) != 0))
        rv = CKR_TOKEN_NOT_PRESENT;
    if (rv != CKR_OK)
        return p11_fail_module(o->slot->module, "C_GetTokenInfo", rv, error);
    if ((info.flags & CKF_SO_PIN_LOCKED) != 0)
        return CS_FAIL(error, CS_E_PIN_LOCKED,
            "the SO PIN of token %s (serial %s) is locked; see its maker's way to wipe it",
            o->label, o->serial);
    if ((info.flags & CKF_SO_PIN_FINAL_TRY) != 0)
        return CS_FAIL(error, CS_E_PIN_FINAL_TRY,
            "token %s (serial %s) has one try of the SO PIN left, which is left alone; its maker's "
            "tool sets the count back with the right one",
            o->label, o->serial);
    return CS_OK;
}

static int send_so_pin(const officer *o, const cs_pin *pin, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    int rc = pin_digest(&o->slot->info, CKU_SO, pin, digest, error);
    CK_RV rv;

    if (rc == CS_OK)
        rc = check_not_refused(o->label, o->serial, digest, error);
    if (rc == CS_OK) {
        rv = o->slot->module->functions->C_Login(
            o->session, CKU_SO, (CK_UTF8CHAR *)pin->text, pin->n);
        if (is_wrong_pin(rv))
            memcpy(refused.digests[refused.count++], digest, sizeof digest);
        if (rv != CKR_OK)
            rc = p11_fail_module(o->slot->module, "C_Login (SO)", rv, error);
    }
    cs_wipe(digest, sizeof digest);
    return rc;
}

int p11_as_officer(const p11_slot *slot, CK_SESSION_HANDLE session, const cs_pin *pin,
    void (*work)(void *context), void *context, cs_error *error)
{
    officer o = {.slot = slot, .session = session};
    int rc;
    CK_RV rv;

    (void)p11_text(o.label, sizeof o.label, slot->info.label, sizeof slot->info.label);
    (void)p11_text(
        o.serial, sizeof o.serial, slot->info.serialNumber, sizeof slot->info.serialNumber);
    (void)pthread_mutex_lock(&login_lock);
    rc = look_as_officer(&o, error);
    if (rc == CS_OK)
        rc = send_so_pin(&o, pin, error);
    if (rc == CS_OK) {
        work(context);
        rv = slot->module->functions->C_Logout(session);
        if (rv != CKR_OK)
            rc = p11_fail_module(slot->module, "C_Logout (SO)", rv, error);
    }
    (void)pthread_mutex_unlock(&login_lock);
    return rc;
}
