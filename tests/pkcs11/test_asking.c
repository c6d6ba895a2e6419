/* SPDX-License-Identifier: Apache-2.0 */
/* How often a person is asked for the PIN of a key that wants it each time, and with what words: by
 * a pinentry of the test's own, and by the pad of a reader that the shim pretends. */
#include "fixture.h"
#include "other.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAD "C_GetTokenInfo * flags 0x100\n" /* CKF_PROTECTED_AUTHENTICATION_PATH */

static char asked[128];     /* what pinentry was to say, a line each time */
static char meanwhile[128]; /* becomes the shim's script while pinentry is open, once */
static other_user own;

/* It gives what the file `typed` holds, after so many seconds. */
static void type_pin(const char *pin)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/typed", fx.directory);
    fixture_write(path, pin, 0600);
}

static int count_lines(char *last, size_t size)
{
    FILE *file = fopen(asked, "r");
    char line[512];
    int count = 0;

    last[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(last, size, "%s", line);
        count++;
    }
    if (file != NULL)
        (void)fclose(file);
    return count;
}

static void assert_asked(int count, const char *text)
{
    char last[512];

    assert_int_equal(count_lines(last, sizeof last), count);
    if (text != NULL && strstr(last, text) == NULL)
        fail_msg("no '%s' in: %s", text, last);
}

static cs_token_options asking(const char *hold)
{
    cs_token_options options = {.pin = {.kind = CS_PIN_PINENTRY, .patience_s = 5}};

    if (strcmp(hold, "visit") == 0)
        options.hold.kind = CS_PIN_HOLD_VISIT;
    else if (strcmp(hold, "each") != 0) {
        options.hold.kind = CS_PIN_HOLD_COUNTED;
        options.hold.uses = (unsigned)strtoul(hold, NULL, 10);
        options.hold.seconds = 60;
    }
    return options;
}

static cs_token *open_asking(const char *hold, cs_key **key)
{
    cs_token_options options = asking(hold);
    cs_token *token = NULL;

    assert_ok(cs_token_open(&token, fixture_uri(LABEL, ""), &options, error));
    assert_ok(cs_key_open(key, token, fixture_key_uri("card"), CS_USE_SIGN, 0, error));
    assert_true(cs_key_describe(*key)->always_authenticate);
    return token;
}

static void close_both(cs_token **token, cs_key **key)
{
    cs_key_close(key);
    cs_token_close(token);
}

static int sign(cs_key *key, cs_error *error)
{
    uint8_t digest[32] = {7}, signature[64];
    int rc = cs_key_sign(key, digest, signature, error);

    return rc == CS_OK ? cs_ecdsa_verify((cs_view){cs_key_describe(key)->public_key, 65}, digest,
                             signature, error)
                       : rc;
}

static void sign_times(cs_key *key, int count)
{
    for (int i = 0; i < count; i++)
        assert_ok(sign(key, error));
}

static void test_each(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("each", &key);

    (void)state;
    assert_asked(1, "PIN of token unit (serial ");
    assert_asked(1, "; login");
    sign_times(key, 4);
    assert_asked(5, "; signature 4, key card");
    assert_int_equal(cs_token_pin_prompts(token), 5);
    assert_int_equal(fixture_calls("C_Login"), 5);
    close_both(&token, &key);
}

/* One PIN for login and signatures; the next visit is asked for its own, and no more is sent to the
 * token than when each is asked for. */
static void test_visit(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);

    (void)state;
    assert_asked(1, "; login; held until this visit is over");
    sign_times(key, 4);
    assert_asked(1, NULL);
    assert_int_equal(cs_token_pin_prompts(token), 1);
    assert_int_equal(fixture_calls("C_Login"), 5);
    cs_token_end_visit(token);
    assert_int_equal(cs_token_pin_prompts(token), 0);
    sign_times(key, 4);
    assert_asked(2, "; signature 1 of this visit, key card; held until this visit is over");
    assert_int_equal(cs_token_pin_prompts(token), 1);
    close_both(&token, &key);
    token = open_asking("visit", &key); /* what was held went with the token */
    assert_asked(3, "; login");
    close_both(&token, &key);
}

static void test_counted(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("8", &key);

    (void)state;
    assert_asked(1, "held for up to 8 signatures within 1 minutes");
    sign_times(key, 4);
    cs_token_end_visit(token);
    sign_times(key, 4);
    cs_token_end_visit(token);
    assert_asked(1, NULL);
    sign_times(key, 4); /* the third visit */
    assert_asked(2, "; signature 1, key card");
    sign_times(key, 4);
    assert_asked(2, NULL); /* eight again, that one included */
    sign_times(key, 1);
    assert_asked(3, NULL);
    close_both(&token, &key);
}

/* Asked for before somebody waits, and sent when it is wanted. */
static void test_begin_visit(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);

    (void)state;
    assert_ok(cs_token_begin_visit(token, error));
    assert_asked(1, "; login");
    sign_times(key, 4);
    cs_token_end_visit(token);
    fixture_script("");
    assert_ok(cs_token_begin_visit(token, error));
    assert_asked(2, "; the signatures to come; held until this visit is over");
    assert_int_equal(fixture_calls("C_Login"), 0);
    assert_int_equal(cs_token_pin_prompts(token), 1);
    sign_times(key, 4);
    assert_ok(cs_token_begin_visit(token, error));
    assert_asked(2, NULL);
    cs_token_end_visit(token);
    /* a loss is noticed, and the login is what asks */
    fixture_script("C_GetTokenInfo 1 fail 0xe0\n");
    assert_ok(cs_token_begin_visit(token, error));
    assert_asked(3, "; login");
    fixture_script("");
    cs_token_end_visit(token);
    type_pin("cancel");
    assert_fails(CS_E_CANCELLED, cs_token_begin_visit(token, error));
    type_pin(PIN);
    /* the last try is not led to */
    fixture_script("C_GetTokenInfo * flags 0x20000\n");
    assert_fails(CS_E_PIN_FINAL_TRY, cs_token_begin_visit(token, error));
    assert_asked(4, NULL);
    fixture_script("");
    close_both(&token, &key);
    /* where each is asked for, nothing is asked ahead; nor where no key wants a PIN */
    token = open_asking("each", &key);
    assert_ok(cs_token_begin_visit(token, error));
    assert_asked(5, "; login");
    close_both(&token, &key);
    assert_ok(cs_token_open(&token, fixture_uri(LABEL, ""),
        &(cs_token_options){.pin = {.kind = CS_PIN_PINENTRY}, .hold = {.kind = CS_PIN_HOLD_VISIT}},
        error));
    cs_token_end_visit(token);
    assert_ok(cs_token_begin_visit(token, error));
    assert_asked(6, "; login");
    cs_token_close(&token);
}

/* It comes back, perhaps in other hands: the person is asked, by every policy. */
static void test_lost(void **state)
{
    static const char *const policies[] = {"visit", "100"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cs_key *key;
        cs_token *token;

        (void)unlink(asked);
        token = open_asking(policies[i], &key);
        sign_times(key, 1);
        assert_asked(1, NULL);
        fixture_script("C_SignInit 1 drop 0\n");
        assert_ok(sign(key, error));
        assert_asked(2, "; login");
        assert_int_equal(fixture_calls("C_Login"), 2); /* anew, and for the signature */
        fixture_script("C_GetTokenInfo 1 fail 0xe0\n");
        assert_ok(sign(key, error));
        assert_asked(3, "; login");
        fixture_script("C_Sign 1 fail 0x32\n");
        assert_ok(sign(key, error));
        assert_asked(4, NULL);
        fixture_script("");
        close_both(&token, &key);
    }
}

/* Found again without a login, because other code of the process is logged in: what was held has
 * gone with the loss all the same. */
static void test_lost_but_logged_in(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);

    (void)state;
    own = other_open(false);
    sign_times(key, 2);
    assert_asked(1, NULL);
    fixture_script("C_SignInit 1 fail 0xb3\n"); /* CKR_SESSION_HANDLE_INVALID */
    assert_ok(sign(key, error));
    assert_asked(2, "; signature 3 of this visit");
    sign_times(key, 1);
    assert_asked(2, NULL);
    other_close(&own);
    close_both(&token, &key);
}

/* A token that is logged in to already has not looked at what was typed: it is not held. */
static void test_not_looked_at(void **state)
{
    cs_key *key;
    cs_token *token;

    (void)state;
    own = other_open(true);
    type_pin("00000000");
    fixture_script("C_GetSessionInfo 1 fail 0x5\n");
    token = open_asking("visit", &key);
    assert_asked(1, "; login");
    type_pin(PIN);
    sign_times(key, 2);
    assert_asked(2, "; signature 1 of this visit");
    other_close(&own);
    close_both(&token, &key);
}

/* Changed by others while it was held: sent once, refused, asked for. */
static void test_refused(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);
    cs_error told;

    (void)state;
    fixture_script("C_Login 1 fail 0xa0\n"); /* CKR_PIN_INCORRECT */
    assert_int_equal(sign(key, &told), CS_E_PIN_WRONG);
    assert_non_null(strstr(told.message, "it is not sent again"));
    assert_null(strstr(told.message, PIN));
    assert_int_equal(fixture_calls("C_Login"), 1);
    assert_asked(1, NULL);
    /* the same typed again is not sent again, and another one is */
    assert_fails(CS_E_PIN_WRONG, sign(key, error));
    assert_asked(2, "; signature 1");
    assert_int_equal(fixture_calls("C_Login"), 1);
    close_both(&token, &key);
}

/* With any other failure it is not held on to either. */
static void test_failed(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);

    (void)state;
    fixture_script("C_Login 1 fail 0x6\n"); /* CKR_FUNCTION_FAILED */
    assert_fails(CS_E_TOKEN, sign(key, error));
    assert_asked(1, NULL);
    assert_ok(sign(key, error));
    assert_asked(2, NULL);
    fixture_script("");
    close_both(&token, &key);
}

/* Another token in the slot, before anything tells of a loss. */
static void test_another_token(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);
    cs_error told;

    (void)state;
    fixture_script("C_GetTokenInfo * serial 18\n");
    assert_int_equal(sign(key, &told), CS_E_TOKEN_ABSENT);
    assert_int_equal(fixture_calls("C_Login"), 0);
    assert_non_null(strstr(told.message, "is another, unit (serial 18"));
    fixture_script("");
    (void)usleep(150000); /* P11_BACKOFF_FIRST_MS, and a bit */
    assert_ok(sign(key, error));
    assert_asked(2, NULL);
    close_both(&token, &key);
}

/* What happens while the person types: the token loses tries elsewhere, or is taken for another.
 * What was typed is sent to neither. */
static void test_changed_meanwhile(void **state)
{
    static const struct {
        const char *meanwhile;
        int code;
    } cases[] = {
        {"C_GetTokenInfo * flags 0x20000\n", CS_E_PIN_FINAL_TRY},
        {"C_GetTokenInfo * flags 0x40000\n", CS_E_PIN_LOCKED},
        {"C_GetTokenInfo * serial 18\n", CS_E_TOKEN_ABSENT},
    };
    cs_key *key;
    cs_token *token = open_asking("each", &key);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_script("");
        (void)unlink(asked);
        fixture_write(meanwhile, cases[i].meanwhile, 0600);
        assert_fails(cases[i].code, sign(key, error));
        assert_asked(1, NULL);
        assert_int_equal(fixture_calls("C_Login"), 0);
        fixture_script("");
        (void)usleep(150000); /* P11_BACKOFF_FIRST_MS, and a bit */
        assert_ok(sign(key, error));
    }
    close_both(&token, &key);
    /* a login, too; and who says so uses the last try */
    for (int force = 0; force <= 1; force++) {
        cs_token_options options = asking("each");

        fixture_script("");
        options.force_final_try = force;
        fixture_write(meanwhile, cases[0].meanwhile, 0600);
        assert_int_equal(cs_token_open(&token, fixture_uri(LABEL, ""), &options, NULL),
            force ? CS_OK : CS_E_PIN_FINAL_TRY);
        assert_int_equal(fixture_calls("C_Login"), force);
        cs_token_close(&token);
    }
}

/* The person does not want to, or is not there: nothing is signed; then all is as before. */
static void test_cancelled(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("each", &key);

    (void)state;
    type_pin("cancel");
    assert_fails(CS_E_CANCELLED, sign(key, error));
    assert_asked(2, NULL);
    assert_int_equal(fixture_calls("C_Sign"), 0);
    assert_int_equal(fixture_calls("C_Login"), 1);
    type_pin(PIN);
    assert_ok(sign(key, error));
    close_both(&token, &key);
    type_pin("cancel");
    assert_fails(CS_E_CANCELLED, cs_token_open(&token, fixture_uri(LABEL, ""),
                                     &(cs_token_options){.pin = {.kind = CS_PIN_PINENTRY}}, error));
}

/* Nor does it bar those who ask next, as the failures of a token do that is lost. */
static void test_cancelled_when_lost(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);

    (void)state;
    type_pin("cancel");
    fixture_script("C_Sign 1 fail 0x32\n"); /* CKR_DEVICE_REMOVED */
    assert_fails(CS_E_CANCELLED, sign(key, error));
    fixture_script("");
    type_pin(PIN);
    assert_ok(sign(key, error));
    close_both(&token, &key);
}

/* What can be read each time is, and nobody is asked; holding it would be of no use. */
static void test_file(void **state)
{
    cs_token_options options = fixture_options();
    cs_token *token;
    cs_key *key;

    (void)state;
    options.hold.kind = CS_PIN_HOLD_VISIT;
    assert_ok(cs_token_open(&token, fixture_uri(LABEL, ""), &options, error));
    assert_ok(cs_key_open(&key, token, fixture_key_uri("card"), CS_USE_SIGN, 0, error));
    sign_times(key, 2);
    assert_int_equal(cs_token_pin_prompts(token), 0);
    fixture_write(fx.pin_file, PIN "\n", 0644);
    assert_fails(CS_E_PIN_MISSING, sign(key, error));
    fixture_write(fx.pin_file, PIN "\n", 0600);
    close_both(&token, &key);
}

/* What a child of a fork signs with, it is asked for itself. */
static void test_fork(void **state)
{
    cs_key *key;
    cs_token *token = open_asking("visit", &key);
    int status = 1;
    pid_t child;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(sign(key, NULL) == CS_OK && cs_token_pin_prompts(token) == 2 ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_asked(2, NULL); /* for a login or the signature: modules differ in what a child has */
    sign_times(key, 1);
    assert_asked(2, NULL); /* and the parent is not */
    close_both(&token, &key);
}

/* -- a reader's pad */

static char told[8][256];
static unsigned told_count;

static void tell(void *context, const char *text)
{
    (void)context;
    (void)snprintf(told[told_count % 8], sizeof told[0], "%s", text);
    told_count++;
}

static int open_pad(cs_token **token, cs_error *error)
{
    cs_token_options options = asking("visit"); /* which no pad can do */

    options.tell = tell;
    return cs_token_open(token, fixture_uri(LABEL, ""), &options, error);
}

static void test_pad(void **state)
{
    cs_token *token;
    cs_key *key;

    (void)state;
    fixture_script(PAD "C_Login * pad 0\n");
    assert_ok(open_pad(&token, error));
    assert_int_equal(told_count, 1);
    assert_non_null(strstr(told[0], "enter the PIN of token unit (serial "));
    assert_non_null(strstr(told[0], "at the reader: login"));
    assert_ok(cs_key_open(&key, token, fixture_key_uri("card"), CS_USE_SIGN, 0, error));
    sign_times(key, 4);
    assert_int_equal(told_count, 5);
    assert_non_null(strstr(told[4], "at the reader: signature 4 of this visit, key card"));
    assert_int_equal(fixture_calls("C_Login"), 5);
    assert_int_equal(fixture_calls("C_Login with a PIN"), 0);
    assert_int_equal(cs_token_pin_prompts(token), 5);
    assert_asked(0, NULL);
    close_both(&token, &key);
}

/* Each is told, once; what is tried again, the person tries. */
static void test_pad_fails(void **state)
{
    static const struct {
        const char *script, *text;
        int code;
    } fails[] = {
        {PAD "C_Login * fail 0x50\n", "not entered at the reader in time", CS_E_CANCELLED},
        {PAD "C_Login * fail 0x1\n", "not entered at the reader in time", CS_E_CANCELLED},
        {PAD "C_Login * fail 0xa0\n", "refuses the PIN", CS_E_PIN_WRONG},
        {PAD "C_Login * fail 0xa4\n", "unlock it", CS_E_PIN_LOCKED},
        {PAD "C_Login * fail 0x5\n", "CKR_GENERAL_ERROR", CS_E_TOKEN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof fails / sizeof fails[0]; i++) {
        cs_token *token;
        cs_error why;

        told_count = 0;
        fixture_script(fails[i].script);
        assert_int_equal(open_pad(&token, &why), fails[i].code);
        if (strstr(why.message, fails[i].text) == NULL)
            fail_msg("no '%s' in: %s", fails[i].text, why.message);
        assert_int_equal(fixture_calls("C_Login"), 1);
        assert_int_equal(told_count, 1);
    }
    fixture_script("C_GetTokenInfo * flags 0x20100\n"); /* and CKF_USER_PIN_FINAL_TRY */
    assert_fails(CS_E_PIN_FINAL_TRY, open_pad(&(cs_token *){NULL}, error));
    assert_int_equal(fixture_calls("C_Login"), 0);
    assert_int_equal(told_count, 1); /* nobody is led to use it up */
}

static void test_pad_fails_in_use(void **state)
{
    static const struct {
        const char *script;
        int code;
    } fails[] = {
        {PAD "C_Login 1 fail 0x50\nC_Login * pad 0\n", CS_E_CANCELLED},
        {PAD "C_Login 1 fail 0xa0\nC_Login * pad 0\n", CS_E_PIN_WRONG},
    };
    cs_token *token;
    cs_key *key;

    (void)state;
    fixture_script(PAD "C_Login * pad 0\n");
    assert_ok(open_pad(&token, error));
    assert_ok(cs_key_open(&key, token, fixture_key_uri("card"), CS_USE_SIGN, 0, error));
    for (size_t i = 0; i < sizeof fails / sizeof fails[0]; i++) {
        fixture_script(fails[i].script);
        told_count = 0;
        assert_int_equal(sign(key, NULL), fails[i].code);
        assert_int_equal(fixture_calls("C_Login"), 1);
        assert_int_equal(fixture_calls("C_Sign"), 0);
        assert_int_equal(told_count, 1);
        assert_ok(sign(key, error)); /* the person comes to it again */
        assert_int_equal(told_count, 2);
    }
    fixture_script("");
    close_both(&token, &key);
}

/* Its PINs are set at the pad, too, and by the maker's tool. */
static void test_pad_initialise(void **state)
{
    (void)state;
    fixture_script(PAD);
    assert_fails(CS_E_TOKEN_UNSUITABLE,
        cs_token_initialise(fixture_module(), "new", fx.so_pin_file, fx.pin_file, error));
    assert_int_equal(fixture_calls("C_InitToken"), 0);
    fixture_script("");
}

static int setup(void **state)
{
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE more[] = {{CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_SIGN, &yes, 1},
        {CKA_DERIVE, &no, 1}, {CKA_ALWAYS_AUTHENTICATE, &yes, 1}};
    CK_OBJECT_HANDLE public_key, private_key;
    char path[256], script[1280];

    if (fixture_setup_shim(state) != 0)
        return -1;
    (void)snprintf(asked, sizeof asked, "%s/asked", fx.directory);
    (void)snprintf(meanwhile, sizeof meanwhile, "%s/meanwhile", fx.directory);
    (void)snprintf(script, sizeof script,
        "#!/bin/sh\necho OK ready\nwhile read -r command rest; do case $command in\n"
        "SETDESC) echo \"$rest\" >>%s; echo OK ;;\n"
        "GETPIN) read -r pin <%s/typed || true\n"
        "    [ ! -e %s ] || mv %s %s\n"
        "    if [ \"$pin\" = cancel ]; then echo 'ERR 83886179 cancelled'\n"
        "    else echo \"D $pin\"; echo OK; fi ;;\n"
        "BYE) exit 0 ;; *) echo OK ;; esac; done\n",
        asked, fx.directory, meanwhile, meanwhile, fx.script);
    (void)snprintf(path, sizeof path, "%s/pinentry", fx.directory);
    fixture_write(path, script, 0700);
    (void)snprintf(path, sizeof path, "%s:/usr/bin:/bin", fx.directory);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(setenv("DISPLAY", ":99", 1), 0);
    assert_int_equal(setenv("CS_SHIM_PAD_PIN", PIN, 1), 0);
    own = other_open(true);
    other_make_pair(&own, "card", 3, more, 5, &public_key, &private_key);
    other_close(&own);
    return 0;
}

/* Modules begun anew: what a test had refused the token has forgotten, and this process not. */
static int each_setup(void **state)
{
    (void)state;
    fixture_script("");
    (void)unlink(asked);
    type_pin(PIN "\n");
    told_count = 0;
    return 0;
}

static int each_teardown(void **state)
{
    (void)state;
    fixture_script("");
    cs_token_shutdown();
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each), TEST(test_visit), TEST(test_counted), TEST(test_begin_visit),
        TEST(test_lost), TEST(test_lost_but_logged_in), TEST(test_not_looked_at), TEST(test_failed),
        TEST(test_another_token), TEST(test_changed_meanwhile), TEST(test_cancelled),
        TEST(test_cancelled_when_lost), TEST(test_file), TEST(test_fork), TEST(test_pad),
        TEST(test_pad_fails), TEST(test_pad_fails_in_use), TEST(test_pad_initialise),
        TEST(test_refused), /* the last: from then on this PIN is refused */
    };

    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
