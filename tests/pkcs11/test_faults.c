/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that no healthy token shows, by the shim: the session logic, the logins, odd answers. */
#include "fixture.h"
#include "other.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static cs_key *new_key(cs_token *token, const char *label, cs_use use)
{
    cs_key *key;

    assert_ok(cs_key_destroy(token, label, error));
    assert_ok(cs_key_generate(&key, token, label, use, CS_SUITE_P256, error));
    return key;
}

static int sign_once(cs_key *key, cs_error *error)
{
    uint8_t digest[32] = {1}, signature[64];
    int rc = cs_key_sign(key, digest, signature, error);

    if (rc == CS_OK)
        rc = cs_ecdsa_verify(
            (cs_view){cs_key_describe(key)->public_key, 65}, digest, signature, error);
    return rc;
}

static void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

static int open_with(const char *pin_file, bool force, cs_error *error)
{
    cs_token_options options = {.pin = {.kind = CS_PIN_FILE}, .force_final_try = force};
    cs_token *token;
    int rc;

    (void)snprintf(options.pin.path, sizeof options.pin.path, "%s", pin_file);
    rc = cs_token_open(&token, fixture_uri(LABEL, ""), &options, error);
    cs_token_close(&token);
    return rc;
}

static void test_wrong_pin_is_sent_once(void **state)
{
    (void)state;
    fixture_script("");
    assert_fails(CS_E_PIN_WRONG, open_with(fx.wrong_pin_file, false, error));
    assert_int_equal(fixture_calls("C_Login"), 1);
    assert_fails(CS_E_PIN_WRONG, open_with(fx.wrong_pin_file, false, error));
    assert_int_equal(fixture_calls("C_Login"), 1);
    /* corrected in the file, it is sent: it is another PIN */
    assert_ok(open_with(fx.pin_file, false, error));
    assert_int_equal(fixture_calls("C_Login"), 2);
}

/* What the token tells of its tries once it has refused a PIN; SoftHSM itself tells "fewer". */
static void test_tries_left(void **state)
{
    static const struct {
        unsigned flags;
        const char *text;
    } tells[] = {
        {0x10000, "tries are left, but fewer"}, /* CKF_USER_PIN_COUNT_LOW */
        {0x30000, "one try is left"},           /* and CKF_USER_PIN_FINAL_TRY */
        {0x40000, "locked now"},                /* CKF_USER_PIN_LOCKED */
    };
    char path[128], text[64];
    unsigned before;

    (void)state;
    fixture_script("");
    assert_ok(open_with(fx.pin_file, false, error));
    before = fixture_calls("C_GetTokenInfo");
    (void)snprintf(path, sizeof path, "%s/another-pin", fx.directory);
    for (size_t i = 0; i < sizeof tells / sizeof tells[0]; i++) {
        cs_error error;

        (void)snprintf(text, sizeof text, "8888%zu", i);
        fixture_write(path, text, 0600);
        (void)snprintf(
            text, sizeof text, "C_GetTokenInfo %u+ flags 0x%x\n", before + 1, tells[i].flags);
        fixture_script(text);
        assert_int_equal(open_with(path, false, &error), CS_E_PIN_WRONG);
        assert_non_null(strstr(error.message, tells[i].text));
        assert_non_null(strstr(error.message, LABEL));
        assert_null(strstr(error.message, "8888"));
        assert_int_equal(fixture_calls("C_Login"), 1);
    }
    fixture_script("");
}

static void test_one_login_per_token(void **state)
{
    cs_token *token, *second;
    cs_key *key;

    (void)state;
    fixture_script("");
    token = fixture_open();
    key = new_key(token, "logins", CS_USE_SIGN);
    for (int i = 0; i < 10; i++)
        assert_ok(sign_once(key, error));
    second = fixture_open(); /* the process is logged in already */
    assert_int_equal(fixture_calls("C_Login"), 1);
    assert_int_equal(fixture_calls("C_OpenSession"), 2);
    cs_key_close(&key);
    cs_token_close(&second);
    cs_token_close(&token);
}

static void test_final_try(void **state)
{
    (void)state;
    fixture_script("C_GetTokenInfo * flags 0x20000\n"); /* CKF_USER_PIN_FINAL_TRY */
    assert_fails(CS_E_PIN_FINAL_TRY, open_with(fx.pin_file, false, error));
    assert_int_equal(fixture_calls("C_Login"), 0);
    assert_ok(open_with(fx.pin_file, true, error));
    assert_int_equal(fixture_calls("C_Login"), 1);
    fixture_script("C_GetTokenInfo * flags 0x40000\n"); /* CKF_USER_PIN_LOCKED */
    assert_fails(CS_E_PIN_LOCKED, open_with(fx.pin_file, true, error));
    assert_int_equal(fixture_calls("C_Login"), 0);
    fixture_script("C_GetTokenInfo * flags 0x10000\n"); /* CKF_USER_PIN_COUNT_LOW: still fine */
    assert_ok(open_with(fx.pin_file, false, error));
    fixture_script("");
}

static void test_already_logged_in(void **state)
{
    (void)state;
    fixture_script("C_Login 1 fail 0x100\n"); /* CKR_USER_ALREADY_LOGGED_IN */
    assert_ok(open_with(fx.pin_file, false, error));
    fixture_script("C_Login 1 fail 0xa4\n"); /* CKR_PIN_LOCKED */
    assert_fails(CS_E_PIN_LOCKED, open_with(fx.pin_file, false, error));
    fixture_script("");
}

/* A login that fails in no particular way is tried once more, if the token says it cost no try. */
static void test_login_fails_once(void **state)
{
    (void)state;
    assert_non_null(dlopen(fixture_module(), RTLD_NOW | RTLD_NODELETE)); /* its counts go on */
    fixture_script("C_Login 1 fail 0x5\n");                              /* CKR_GENERAL_ERROR */
    assert_ok(open_with(fx.pin_file, false, error));
    assert_int_equal(fixture_calls("C_Login"), 2);
    fixture_script("C_Login * fail 0x5\n");
    assert_fails(CS_E_TOKEN, open_with(fx.pin_file, false, error));
    assert_int_equal(fixture_calls("C_Login"), 2);
    fixture_script("C_Login 1 fail 0x5\nC_GetTokenInfo * flags 0x10000\n"); /* a try was used */
    assert_fails(CS_E_TOKEN, open_with(fx.pin_file, false, error));
    assert_int_equal(fixture_calls("C_Login"), 1);
    fixture_script("");
}

/* Each is survived within the call: found again, logged in again, done again. */
static void test_lost_sessions(void **state)
{
    static const char *const scripts[] = {
        "C_SignInit 1 fail 0xb3\n", /* CKR_SESSION_HANDLE_INVALID */
        "C_Sign 1 fail 0x32\n",     /* CKR_DEVICE_REMOVED in mid-call */
        "C_Sign 1 fail 0x101\n",    /* CKR_USER_NOT_LOGGED_IN */
        "C_SignInit 1 fail 0xe0\n", /* CKR_TOKEN_NOT_PRESENT */
        "C_SignInit 1 fail 0x60\n", /* CKR_KEY_HANDLE_INVALID */
        "C_SignInit 1 drop 0\n",    /* really: closed, logged out, private keys hidden */
    };
    cs_token *token = fixture_open();
    cs_key *key = new_key(token, "survivor", CS_USE_SIGN);

    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        fixture_script(scripts[i]);
        assert_ok(sign_once(key, error));
        assert_int_equal(fixture_calls("C_SignInit"), 2);
        assert_ok(sign_once(key, error));
        assert_int_equal(fixture_calls("C_SignInit"), 3);
    }
    assert_true(fixture_calls("C_Login") == 1); /* the last was logged out */
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

static void test_gone_for_a_while(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key = new_key(token, "absent", CS_USE_SIGN);

    (void)state;
    fixture_script("C_SignInit * fail 0x32\nC_GetTokenInfo * fail 0xe0\n");
    assert_fails(CS_E_TOKEN_ABSENT, sign_once(key, error));
    assert_fails(CS_E_TOKEN_ABSENT, sign_once(key, error)); /* backs off: no call at all */
    assert_int_equal(fixture_calls("C_GetSlotList"), 2);
    fixture_script("");
    pause_ms(300);
    assert_ok(sign_once(key, error));
    cs_key_close(&key);
    cs_token_close(&token);
}

/* Who comes within the back-off is told what the last recovery came to, not merely to wait. */
static void test_why_it_is_lost(void **state)
{
    static const struct {
        const char *script;
        cs_code code;
    } cases[] = {
        {"C_SignInit * fail 0x32\nC_GetTokenInfo * flags 0x40000\n", CS_E_PIN_LOCKED},
        {"C_SignInit * fail 0x32\nC_GetTokenInfo * flags 0x20000\n", CS_E_PIN_FINAL_TRY},
        {"C_SignInit * fail 0x32\nC_OpenSession * fail 0xb1\n", CS_E_BUSY},
        {"C_SignInit * fail 0x32\nC_GetTokenInfo * fail 0xe0\n", CS_E_TOKEN_ABSENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cs_token *token = fixture_open();
        cs_key *key = new_key(token, "why", CS_USE_SIGN);
        cs_error told;

        fixture_script(cases[i].script);
        assert_int_equal(sign_once(key, NULL), cases[i].code);
        assert_int_equal(fixture_calls("C_GetSlotList"), 2);
        assert_int_equal(sign_once(key, &told), cases[i].code);
        assert_int_equal(told.code, cases[i].code);
        assert_non_null(strstr(told.message, "tried again in a moment: "));
        assert_int_equal(sign_once(key, NULL), cases[i].code);
        assert_int_equal(fixture_calls("C_GetSlotList"), 2); /* it was not asked */
        fixture_script("");
        pause_ms(300);
        assert_ok(sign_once(key, error));
        cs_key_close(&key);
        cs_token_close(&token);
    }
}

static void test_not_retried_for_ever(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key = new_key(token, "hopeless", CS_USE_SIGN);

    (void)state;
    fixture_script("C_Sign * fail 0x30\n"); /* CKR_DEVICE_ERROR */
    assert_fails(CS_E_TOKEN, sign_once(key, error));
    assert_int_equal(fixture_calls("C_Sign"), 2);
    fixture_script("C_Sign 1 fail 0x6\n"); /* CKR_FUNCTION_FAILED is no loss: not retried */
    assert_fails(CS_E_TOKEN, sign_once(key, error));
    assert_int_equal(fixture_calls("C_Sign"), 1);
    assert_ok(sign_once(key, error));
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

/* A failed operation costs its session, but not the login, though it was the only session. */
static void test_failure_keeps_login(void **state)
{
    cs_token *token = fixture_open_with(1, 0);
    cs_key *key = new_key(token, "one", CS_USE_SIGN);

    (void)state;
    fixture_script("C_Sign 1 fail 0x6\n");
    assert_fails(CS_E_TOKEN, sign_once(key, error));
    assert_ok(sign_once(key, error));
    assert_int_equal(fixture_calls("C_Login"), 0);
    assert_int_equal(fixture_calls("C_OpenSession"), 1);
    assert_int_equal(fixture_calls("C_CloseSession"), 1);
    /* a token that has no second session is logged in to again */
    fixture_script("C_Sign 1 fail 0x6\nC_OpenSession 1 fail 0xb1\n");
    assert_fails(CS_E_TOKEN, sign_once(key, error));
    assert_ok(sign_once(key, error));
    assert_int_equal(fixture_calls("C_Login"), 1);
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

/* After a loss, another key under the old name must not be used. */
static void test_replaced_key_is_noticed(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key = new_key(token, "replaced", CS_USE_SIGN), *other;

    (void)state;
    other = new_key(token, "replaced", CS_USE_SIGN);
    fixture_script("C_SignInit 1 drop 0\n");
    assert_fails(CS_E_KEY_MISSING, sign_once(key, error));
    assert_ok(sign_once(other, error));
    fixture_script("");
    cs_key_close(&other);
    cs_key_close(&key);
    cs_token_close(&token);
}

static void test_odd_answers(void **state)
{
    cs_token *token = fixture_open();
    cs_key *sign = new_key(token, "odd-sign", CS_USE_SIGN);
    cs_key *agree = new_key(token, "odd-agree", CS_USE_AGREE);
    uint8_t private_key[32], public_key[65], x[32];

    (void)state;
    assert_ok(sign_once(sign, error));
    fixture_script("C_Sign 1 short 63\n");
    assert_fails(CS_E_TOKEN, sign_once(sign, error));
    fixture_script("C_Sign 1 alter 0\n");
    assert_fails(CS_E_TOKEN, sign_once(sign, error)); /* not CS_E_SIGNATURE: it is not given out */
    assert_ok(sign_once(sign, error));
    assert_ok(cs_p256_generate(private_key, public_key, error));
    assert_ok(cs_key_agree(agree, public_key, x, error));
    fixture_script("C_GetAttributeValue 1 short 33\nC_GetAttributeValue 2 short 0\n");
    assert_fails(CS_E_TOKEN, cs_key_agree(agree, public_key, x, error));
    assert_fails(CS_E_TOKEN, cs_key_agree(agree, public_key, x, error));
    assert_ok(cs_key_agree(agree, public_key, x, error));
    fixture_script("");
    /* one derive, one read, one destroy: nothing else on the hot path */
    assert_ok(cs_key_agree(agree, public_key, x, error));
    assert_int_equal(fixture_calls("C_DeriveKey"), 1);
    assert_int_equal(fixture_calls("C_GetAttributeValue"), 1);
    assert_int_equal(fixture_calls("C_DestroyObject"), 1);
    assert_int_equal(fixture_calls("C_FindObjectsInit"), 0);
    assert_int_equal(fixture_calls("C_OpenSession"), 0);
    cs_key_close(&sign);
    cs_key_close(&agree);
    cs_token_close(&token);
}

/* Raw is tried first; a token that wants DER is remembered as one that does, and that alone. */
static void test_peer_point_as_der(void **state)
{
    cs_token *token, *second;
    cs_key *agree;
    uint8_t private_key[32], public_key[65], here[32], there[32];

    (void)state;
    token = fixture_open();
    second = fixture_open();
    agree = new_key(token, "der", CS_USE_AGREE);
    assert_ok(cs_p256_generate(private_key, public_key, error));
    fixture_script("C_DeriveKey 1 fail 0x71\n"); /* CKR_MECHANISM_PARAM_INVALID */
    assert_ok(cs_key_agree(agree, public_key, there, error));
    assert_ok(
        cs_p256_ecdh(here, private_key, (cs_view){cs_key_describe(agree)->public_key, 65}, error));
    assert_memory_equal(here, there, 32);
    assert_ok(cs_key_agree(agree, public_key, there, error));
    assert_memory_equal(here, there, 32);
    assert_int_equal(fixture_calls("C_DeriveKey"), 3);
    cs_key_close(&agree);
    assert_ok(
        cs_key_open(&agree, second, fixture_key_uri("der"), CS_USE_AGREE, CS_SUITE_P256, error));
    fixture_script("C_DeriveKey 1 fail 0x71\n");
    assert_ok(cs_key_agree(agree, public_key, there, error));
    assert_int_equal(fixture_calls("C_DeriveKey"), 2);
    fixture_script("");
    cs_key_close(&agree);
    cs_token_close(&second);
    cs_token_close(&token);
}

typedef struct slow {
    cs_key *key;
    int rc;
} slow;

static void *sign_slowly(void *context)
{
    slow *s = context;

    s->rc = sign_once(s->key, NULL);
    return NULL;
}

/* The pool is what the token says it can have, though eight were asked for; one who waits too long
 * for a session is told so. */
static void test_busy(void **state)
{
    cs_token *token;
    cs_key *key;
    slow other = {0};
    pthread_t thread;

    (void)state;
    fixture_script("C_GetTokenInfo * sessions 1\n");
    token = fixture_open_with(8, 200);
    key = new_key(token, "busy", CS_USE_SIGN);
    other.key = key;
    fixture_script("C_Sign 1 delay 1000\n");
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, &other), 0);
    pause_ms(200);
    assert_fails(CS_E_BUSY, sign_once(key, error));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.rc, CS_OK);
    assert_ok(sign_once(key, error));
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

/* It has fewer sessions than it told: what there is, is shared. */
static void test_session_count(void **state)
{
    cs_token *token = fixture_open_with(8, 3000);
    cs_key *key = new_key(token, "few", CS_USE_SIGN);
    slow other = {.key = key};
    pthread_t thread;

    (void)state;
    fixture_script("C_OpenSession * fail 0xb1\nC_Sign 1 delay 300\n"); /* CKR_SESSION_COUNT */
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, &other), 0);
    pause_ms(100);
    assert_ok(sign_once(key, error));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.rc, CS_OK);
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

/* ... and when it has them again, they are used again. */
static void test_session_count_passes(void **state)
{
    cs_token *token = fixture_open_with(8, 3000);
    cs_key *key = new_key(token, "passing", CS_USE_SIGN);
    slow other = {.key = key, .rc = -1};
    pthread_t thread;

    (void)state;
    fixture_script("C_OpenSession 1 fail 0xb1\nC_Sign 1 delay 2500\n");
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, &other), 0);
    pause_ms(100);
    assert_ok(sign_once(key, error)); /* by another session, while the first is busy */
    assert_int_equal(fixture_calls("C_OpenSession"), 2);
    assert_int_equal(other.rc, -1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

/* A session whose opening began before the token was lost, and ended after it was found again, is
 * not used: the keys are found once, by whoever found the token. */
static void test_opened_across_a_loss(void **state)
{
    cs_token *token = fixture_open_with(8, 3000);
    cs_key *key = new_key(token, "across", CS_USE_SIGN);
    slow other = {.key = key};
    pthread_t thread;

    (void)state;
    fixture_script("C_Sign 1 delay 300\nC_Sign 1 fail 0x32\nC_OpenSession 1 delay 900\n");
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, &other), 0);
    pause_ms(100);
    assert_ok(sign_once(key, error));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.rc, CS_OK);
    assert_int_equal(fixture_calls("C_FindObjectsInit"), 2); /* private half, public half */
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

/* The calls that reached the shim, first letters of C_SignInit, C_Login and C_Sign. */
static void order_of_calls(char *out, size_t size)
{
    FILE *file = fopen(fx.counts, "r");
    char line[64];
    size_t n = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL && n + 1 < size) {
        if (strcmp(line, "C_SignInit\n") == 0)
            out[n++] = 'i';
        else if (strcmp(line, "C_Login\n") == 0)
            out[n++] = 'l';
        else if (strcmp(line, "C_Sign\n") == 0)
            out[n++] = 's';
    }
    out[n] = '\0';
    assert_int_equal(fclose(file), 0);
}

/* Between the login for one signature and that signature, the card sees nothing else. */
static void test_always_authenticate_is_alone(void **state)
{
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE more[] = {{CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_SIGN, &yes, 1},
        {CKA_DERIVE, &no, 1}, {CKA_ALWAYS_AUTHENTICATE, &yes, 1}};
    CK_OBJECT_HANDLE public_key, private_key;
    cs_token *token = fixture_open_with(8, 3000);
    cs_key *plain = new_key(token, "plain", CS_USE_SIGN), *card;
    other_user o = other_open(true);
    slow signing = {0};
    pthread_t thread;
    char order[16];

    (void)state;
    other_make_pair(&o, "card", 9, more, 5, &public_key, &private_key);
    assert_ok(cs_key_open(&card, token, fixture_key_uri("card"), CS_USE_SIGN, 0, error));
    signing.key = card;
    fixture_script("C_Sign 1 delay 400\n");
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, &signing), 0);
    pause_ms(200);
    assert_ok(sign_once(plain, error));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(signing.rc, CS_OK);
    order_of_calls(order, sizeof order);
    assert_string_equal(order, "ilsis");
    /* that login may be the first to notice that the card was pulled and put back */
    fixture_script("C_Login 1 fail 0x32\n"); /* CKR_DEVICE_REMOVED */
    assert_ok(sign_once(card, error));
    fixture_script("C_GetTokenInfo 1 fail 0xe0\n"); /* CKR_TOKEN_NOT_PRESENT */
    assert_ok(sign_once(card, error));
    fixture_script("");
    cs_key_close(&card);
    assert_ok(cs_key_destroy(token, "card", error));
    /* where there is no way to give the PIN, the key is refused when it is opened */
    more[2].pValue = &no;
    more[3].pValue = &yes;
    other_make_pair(&o, "card", 9, more, 5, &public_key, &private_key);
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_key_open(&card, token, fixture_key_uri("card"), CS_USE_AGREE, 0, error));
    assert_ok(cs_key_destroy(token, "card", error));
    other_close(&o);
    cs_key_close(&plain);
    cs_token_close(&token);
}

static void test_lost_while_making(void **state)
{
    cs_token *token = fixture_open();
    cs_key *key;

    (void)state;
    fixture_script("C_GenerateKeyPair 1 fail 0x32\n"); /* perhaps it was made: not done twice */
    assert_fails(
        CS_E_TOKEN_ABSENT, cs_key_generate(&key, token, "half", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_int_equal(fixture_calls("C_GenerateKeyPair"), 1);
    assert_ok(cs_key_generate(&key, token, "half", CS_USE_SIGN, CS_SUITE_P256, error));
    assert_ok(sign_once(key, error));
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

/* The delivery key is an object of a session: with the session it is gone, and that is said. */
static void test_lost_delivery(void **state)
{
    cs_token *token = fixture_open();
    cs_key *sign = new_key(token, "during", CS_USE_SIGN), *key;
    cs_delivery_key *delivery;
    uint8_t public_key[65], wrapped[40] = {0};
    cs_scalar s;
    cs_point y;

    (void)state;
    assert_ok(cs_scalar_random(&s, CS_SUITE_P256, error));
    assert_ok(cs_point_base_mul(&y, CS_SUITE_P256, &s, error));
    assert_ok(cs_delivery_key_new(&delivery, token, public_key, error));
    fixture_script("C_SignInit 1 drop 0\n");
    assert_ok(sign_once(sign, error));
    assert_fails(CS_E_TOKEN,
        cs_delivery_key_unwrap(&key, delivery, "S", public_key, CS_VIEW_ARRAY(wrapped), &y, error));
    cs_delivery_key_free(&delivery);
    fixture_script("");
    cs_key_close(&sign);
    cs_token_close(&token);
}

/* It is found out while the delivery waits for a session: the handles of its pair are of before,
 * and what has them now is not touched. */
static void test_lost_delivery_destroys_nothing(void **state)
{
    cs_token *token = fixture_open_with(1, 3000);
    cs_key *sign = new_key(token, "meanwhile", CS_USE_SIGN);
    slow other = {.key = sign};
    cs_delivery_key *delivery;
    uint8_t public_key[65];
    pthread_t thread;

    (void)state;
    assert_ok(cs_delivery_key_new(&delivery, token, public_key, error));
    fixture_script("C_SignInit 1 delay 400\nC_SignInit 1 fail 0x32\n");
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, &other), 0);
    pause_ms(100);
    cs_delivery_key_free(&delivery);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.rc, CS_OK);
    assert_int_equal(fixture_calls("C_Login"), 1); /* it was lost, and found again */
    assert_int_equal(fixture_calls("C_DestroyObject"), 0);
    fixture_script("");
    cs_key_close(&sign);
    cs_token_close(&token);
}

/* Other code has the module begun anew while a thread is in a call: that thread's session has the
 * handle of one that is open since, which stays open. */
static void test_stale_session_is_not_closed(void **state)
{
    CK_FUNCTION_LIST *f = NULL;
    CK_C_GetFunctionList get;
    slow other = {0};
    pthread_t thread;
    unsigned closed;
    cs_token *token;
    cs_key *key;

    (void)state;
    cs_token_shutdown(); /* so that the first session has the first handle */
    token = fixture_open_with(8, 3000);
    key = new_key(token, "stale", CS_USE_SIGN);
    other.key = key;
    *(void **)&get = dlsym(dlopen(fixture_module(), RTLD_NOW | RTLD_NODELETE), "C_GetFunctionList");
    assert_int_equal(get(&f), CKR_OK);
    fixture_script("C_Sign 1 delay 1500\n");
    assert_int_equal(pthread_create(&thread, NULL, sign_slowly, &other), 0);
    pause_ms(200);
    assert_int_equal(f->C_Finalize(NULL), CKR_OK);
    assert_ok(sign_once(key, error));
    assert_int_equal(fixture_calls("C_Login"), 1);
    closed = fixture_calls("C_CloseSession"); /* by p11-kit, before it initialises again */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(fixture_calls("C_CloseSession"), closed);
    assert_ok(sign_once(key, error));
    assert_int_equal(fixture_calls("C_Login"), 1);
    fixture_script("");
    cs_key_close(&key);
    cs_token_close(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_pin_is_sent_once),
        cmocka_unit_test(test_one_login_per_token),
        cmocka_unit_test(test_tries_left),
        cmocka_unit_test(test_final_try),
        cmocka_unit_test(test_already_logged_in),
        cmocka_unit_test(test_login_fails_once),
        cmocka_unit_test(test_lost_sessions),
        cmocka_unit_test(test_gone_for_a_while),
        cmocka_unit_test(test_why_it_is_lost),
        cmocka_unit_test(test_not_retried_for_ever),
        cmocka_unit_test(test_failure_keeps_login),
        cmocka_unit_test(test_replaced_key_is_noticed),
        cmocka_unit_test(test_odd_answers),
        cmocka_unit_test(test_peer_point_as_der),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_session_count),
        cmocka_unit_test(test_session_count_passes),
        cmocka_unit_test(test_opened_across_a_loss),
        cmocka_unit_test(test_always_authenticate_is_alone),
        cmocka_unit_test(test_lost_while_making),
        cmocka_unit_test(test_lost_delivery),
        cmocka_unit_test(test_lost_delivery_destroys_nothing),
        cmocka_unit_test(test_stale_session_is_not_closed),
    };

    return cmocka_run_group_tests(tests, fixture_setup_shim, fixture_teardown);
}
