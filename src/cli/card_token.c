/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A doctor's token that is made through its own PKCS#11 module (C_InitToken, C_InitPIN,
 * C_GenerateKeyPair): cards that are no PIV cards, and HSMs. The directory has
 *
 *   token-record     module, label, how far it is
 *   so-pin, pin      of the token (mode 0600; the desk keeps the first)
 *   home             a doctor's home that knows no cloud: where the keys are
 *   sign.csr, pin-letter.txt, sheet.txt
 *
 * Each step is saved as done; the one at hand is looked for in the token first, by its label, which
 * nobody else has.
 */
#include "cli/card_verbs.h"

#include "cli/certificates.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "service/actor.h"

#include <chartseal/secret.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD "token-record"
#define RECORD_MAX 16384
#define ID_IN_LABEL 22 /* of 32 bytes of a label; the rest makes it the only one */
#define PIN_DIGITS 8
#define SO_PIN_DIGITS 16
#define HEX(n) (2 * (n) + 1)

typedef enum token_step { TOKEN_BEGUN = 0, TOKEN_MADE, TOKEN_KEYS, TOKEN_FINISHED } token_step;
static const char *const step_names[] = {"begun", "token", "keys", "finished"};

typedef struct token_run {
    const char *dir, *name, *id;
    json_t *record;
    token_step done;
    char so_pin[CS_PATH_MAX], pin[CS_PATH_MAX], home_dir[CS_PATH_MAX];
} token_run;

static const char *text_of(const token_run *run, const char *name)
{
    const char *text = json_string_value(json_object_get(run->record, name));

    return text == NULL ? "" : text;
}

/* -- the record */

static int save(token_run *run, token_step done, cs_error *error)
{
    char path[CS_PATH_MAX];
    char *text;
    int rc;

    if (json_object_set_new(run->record, "done", json_string(step_names[done])) != 0 ||
        (text = json_dumps(run->record, JSON_INDENT(2))) == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a token's record");
    (void)snprintf(path, sizeof path, "%s/" RECORD, run->dir);
    rc = cs_file_write(path, cs_view_str(text), 0600, error);
    if (rc == CS_OK)
        run->done = done;
    free(text);
    return rc;
}

static int write_digits(const char *path, size_t count, cs_error *error)
{
    char *text = cs_secret_new(SO_PIN_DIGITS + 2);
    int rc;

    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN");
    for (size_t i = 0; i < count;) {
        uint8_t byte;

        cs_random(&byte, 1);
        if (byte < 250) /* or the low digits would be more frequent */
            text[i++] = (char)('0' + byte % 10);
    }
    text[count] = '\n';
    rc = cs_file_write(path, (cs_view){(const uint8_t *)text, count + 1}, 0600, error);
    cs_secret_free(&text);
    return rc;
}

static int begin(token_run *run, const char *module, cs_error *error)
{
    uint8_t random[4];
    char hex[HEX(sizeof random)], label[40];
    int rc = write_digits(run->so_pin, SO_PIN_DIGITS, error);

    cs_random(random, sizeof random);
    cs_hex(CS_VIEW_ARRAY(random), hex);
    (void)snprintf(label, sizeof label, "%.*s-%s", ID_IN_LABEL, run->id, hex);
    for (char *c = label; *c != '\0'; c++) { /* it goes into a URI */
        if (!isalnum((unsigned char)*c))
            *c = '-';
    }
    run->record = json_pack("{s:s, s:s, s:s}", "module", module, "label", label, "id", run->id);
    if (rc == CS_OK && run->record == NULL)
        rc = CS_FAIL(error, CS_E_USAGE, "--module or --id is not UTF-8 text");
    if (rc == CS_OK)
        rc = write_digits(run->pin, PIN_DIGITS, error);
    return rc == CS_OK ? save(run, TOKEN_BEGUN, error) : rc;
}

static int take_step(token_run *run, cs_error *error)
{
    for (size_t i = 0; i < sizeof step_names / sizeof step_names[0]; i++) {
        if (strcmp(step_names[i], text_of(run, "done")) == 0) {
            run->done = (token_step)i;
            return CS_OK;
        }
    }
    return CS_FAIL(error, CS_E_CORRUPT, "%s/" RECORD " is not the record of a token", run->dir);
}

static int open_run(token_run *run, const char *module, cs_error *error)
{
    cs_buf text = {0};
    char path[CS_PATH_MAX];
    int rc;

    (void)snprintf(run->so_pin, sizeof run->so_pin, "%s/so-pin", run->dir);
    (void)snprintf(run->pin, sizeof run->pin, "%s/pin", run->dir);
    (void)snprintf(run->home_dir, sizeof run->home_dir, "%s/home", run->dir);
    (void)snprintf(path, sizeof path, "%s/" RECORD, run->dir);
    rc = cs_file_read(&text, path, RECORD_MAX, error);
    if (rc == CS_E_NO_FILE)
        return begin(run, module, error);
    if (rc == CS_OK)
        run->record = json_loadb((const char *)text.p, text.n, 0, NULL);
    cs_buf_free(&text);
    if (rc == CS_OK)
        rc = take_step(run, error);
    if (rc == CS_OK &&
        (strcmp(text_of(run, "module"), module) != 0 || strcmp(text_of(run, "id"), run->id) != 0))
        rc = CS_FAIL(error, CS_E_EXISTS,
            "%s is of another module or doctor; give that one's, or another --dir", run->dir);
    return rc;
}

/* -- the steps */

static cs_pin_source file_source(const char *path)
{
    cs_pin_source source = {.kind = CS_PIN_FILE};

    (void)snprintf(source.path, sizeof source.path, "%s", path);
    return source;
}

/* A token with this label is the one that an earlier run has initialised. */
static int make_token(token_run *run, cs_error *error)
{
    const cs_pin_source so_pin = file_source(run->so_pin);
    const cs_pin_source pin = file_source(run->pin);

    return cs_token_initialise_again(
        text_of(run, "module"), text_of(run, "label"), &so_pin, &pin, error);
}

/* A home that a run has left: is it whole? If not it is undone, and what is in the token is found
 * by its labels. */
static int look_at_home(const token_run *run, bool *whole, cs_error *error)
{
    cs_home *home = NULL;
    int rc = cs_home_open(&home, run->home_dir, CS_HOME_DOCTOR, error);

    *whole = rc == CS_OK && cs_home_text(home, "keys.sign") != NULL &&
             cs_home_text(home, "keys.decrypt") != NULL;
    if (rc == CS_OK && !*whole)
        cs_home_undo(home);
    cs_home_free(&home);
    return rc == CS_E_NO_FILE ? CS_OK : rc;
}

static int make_keys(token_run *run, cs_error *error)
{
    char uri[CS_URI_MAX];
    json_t *config;
    cs_home *home = NULL;
    cs_token *token = NULL;
    bool whole;
    int rc = look_at_home(run, &whole, error);

    if (rc != CS_OK || whole)
        return rc;
    (void)snprintf(uri, sizeof uri, "pkcs11:token=%s?module-path=%s", text_of(run, "label"),
        text_of(run, "module"));
    config =
        json_pack("{s:s, s:{s:s}, s:s}", "token", uri, "pin", "file", run->pin, "name", run->name);
    if (config == NULL)
        return CS_FAIL(error, CS_E_USAGE, "--dir or --name is not UTF-8 text");
    rc = cs_home_init(
        &home, &token, run->home_dir, CS_HOME_DOCTOR, run->id, CS_SUITE_P256, config, false, error);
    cs_token_close(&token);
    cs_home_free(&home);
    json_decref(config);
    return rc;
}

static int write_letter(const token_run *run, cs_error *error)
{
    enum { LETTER_MAX = 1024 };
    char path[CS_PATH_MAX];
    cs_buf pin = {.guarded = true};
    char *text = cs_secret_new(LETTER_MAX);
    int n = 0, rc = cs_file_read(&pin, run->pin, PIN_DIGITS + 2, error);

    if (rc == CS_OK && text == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN letter");
    if (rc == CS_OK)
        n = snprintf(text, LETTER_MAX, "%s\n\nThe PIN of your token %s:\n\n    %.*s\n", run->name,
            text_of(run, "label"), (int)pin.n, (const char *)pin.p);
    (void)snprintf(path, sizeof path, "%s/pin-letter.txt", run->dir);
    if (rc == CS_OK)
        rc = cs_file_write(path, (cs_view){(const uint8_t *)text, (size_t)n}, 0600, error);
    cs_secret_free(&text);
    cs_buf_free(&pin);
    return rc;
}

static int write_sheet(const token_run *run, const cs_actor *actor, cs_error *error)
{
    const cs_key_info *sign = cs_key_describe(actor->sign);
    const cs_key_info *agree = cs_key_describe(actor->decrypt);
    uint8_t digest[CS_HASH_SIZE];
    char of_sign[HEX(CS_HASH_SIZE)], of_agree[HEX(CS_HASH_SIZE)], path[CS_PATH_MAX], text[1024];
    int rc = cs_hash(digest, (cs_view){sign->public_key, sign->public_key_size}, error);

    cs_hex(CS_VIEW_ARRAY(digest), of_sign);
    if (rc == CS_OK)
        rc = cs_hash(digest, (cs_view){agree->public_key, agree->public_key_size}, error);
    cs_hex(CS_VIEW_ARRAY(digest), of_agree);
    (void)snprintf(text, sizeof text,
        "doctor         %s\nidentity       %s\ntoken          %s\nserial number  %s\nsigns         "
        " "
        "key SHA-256 %s\nagrees         key SHA-256 %s\n",
        run->name, run->id, text_of(run, "label"), sign->token_serial, of_sign, of_agree);
    (void)snprintf(path, sizeof path, "%s/sheet.txt", run->dir);
    return rc == CS_OK ? cs_file_write(path, cs_view_str(text), 0644, error) : rc;
}

static int write_papers(token_run *run, cs_error *error)
{
    char request[CS_PATH_MAX];
    cs_home *home = NULL;
    cs_actor *actor = NULL;
    int rc = cs_home_open(&home, run->home_dir, CS_HOME_DOCTOR, error);

    (void)snprintf(request, sizeof request, "%s/sign.csr", run->dir);
    if (rc == CS_OK)
        rc = cs_actor_open(&actor, home, false, error);
    if (rc == CS_OK)
        rc = cs_request_write(home, actor, run->name, request, error);
    if (rc == CS_OK)
        rc = write_sheet(run, actor, error);
    if (rc == CS_OK)
        rc = write_letter(run, error);
    cs_actor_free(&actor);
    cs_home_free(&home);
    return rc;
}

static int make(token_run *run, cs_error *error)
{
    static const struct {
        token_step step;
        int (*fn)(token_run *run, cs_error *error);
    } steps[] = {{TOKEN_MADE, make_token}, {TOKEN_KEYS, make_keys}, {TOKEN_FINISHED, write_papers}};
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof steps / sizeof steps[0]; i++) {
        if (run->done >= steps[i].step)
            continue;
        rc = steps[i].fn(run, error);
        if (rc == CS_OK)
            rc = save(run, steps[i].step, error);
    }
    return rc;
}

static int check_options(const cs_arguments *arguments, cs_error *error)
{
    static const char *const of_piv[] = {
        "reader", "sign-certificate", "agree-certificate", "trust", "crl"};

    for (size_t i = 0; i < sizeof of_piv / sizeof of_piv[0]; i++) {
        if (cs_arg(arguments, of_piv[i]) != NULL)
            return CS_FAIL(error, CS_E_USAGE,
                "--%s is of a PIV card; a token of --module needs no certificates", of_piv[i]);
    }
    if (strlen(cs_arg(arguments, "dir")) > CS_PATH_MAX / 4)
        return CS_FAIL(error, CS_E_USAGE, "--dir is too long a path");
    return CS_OK;
}

int cs_card_provision_token(const cs_arguments *arguments, cs_error *error)
{
    token_run run = {.dir = cs_arg(arguments, "dir"),
        .name = cs_arg(arguments, "name"),
        .id = cs_arg(arguments, "id")};
    int rc = check_options(arguments, error);

    if (rc == CS_OK)
        rc = cs_make_directories(run.dir, error);
    if (rc == CS_OK)
        rc = open_run(&run, cs_arg(arguments, "module"), error);
    if (rc == CS_OK)
        rc = make(&run, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc =
            cs_print_json(json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "label",
                              text_of(&run, "label"), "step", step_names[run.done], "dir", run.dir),
                error);
    else if (rc == CS_OK)
        cs_say("token %s is finished; hand it out with %s/pin-letter.txt, and have %s/sign.csr "
               "certified",
            text_of(&run, "label"), run.dir, run.dir);
    json_decref(run.record);
    return rc;
}
