/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory for each card that is made:
 *
 *   record           what the card gets, and how far it is (mode 0600; the desk keeps it: the
 *                    management key and the PUK are nowhere else)
 *   sign.csr         the request for 9C, signed by the card
 *   agree.pub        the public key in 9D, which cannot sign a request
 *   pin-letter.txt   for the doctor alone (mode 0600)
 *   sheet.txt        for the file: no secrets
 */
#include "cli/card_provision.h"

#include "cli/home_options.h"
#include "cli/output.h"
#include "piv/run.h"
#include "service/files.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define RECORD_MAX 4096
#define CERTIFICATE_FILE_MAX 65536 /* PEM, with the text that some authorities put before it */

typedef struct desk {
    const char *dir;
    cs_piv *card;
    cs_piv_run *run;
} desk;

static int place(char out[PATH_SIZE], const char *dir, const char *name, cs_error *error)
{
    if (snprintf(out, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE)
        return CS_FAIL(error, CS_E_USAGE, "--dir is too long a path");
    return CS_OK;
}

static int write_file(
    const char *dir, const char *name, cs_view bytes, mode_t mode, cs_error *error)
{
    char path[PATH_SIZE];
    int rc = place(path, dir, name, error);

    return rc == CS_OK ? cs_file_write(path, bytes, mode, error) : rc;
}

/* -- the record */

static int save(void *context, const cs_piv_run *run, cs_error *error)
{
    const desk *d = context;
    cs_buf text = {.guarded = true};
    int rc = cs_piv_run_encode(&text, run, error);

    if (rc == CS_OK)
        rc = write_file(d->dir, "record", cs_view_buf(&text), 0600, error);
    cs_buf_free(&text);
    return rc;
}

/* The run that was begun in this directory, or a new one. */
static int open_run(desk *d, cs_error *error)
{
    cs_buf text = {.guarded = true};
    char path[PATH_SIZE];
    int rc = place(path, d->dir, "record", error);

    if (rc == CS_OK && access(path, F_OK) != 0)
        return cs_piv_run_new(&d->run, d->card, error);
    if (rc == CS_OK)
        rc = cs_file_read(&text, path, RECORD_MAX, error);
    if (rc == CS_OK)
        rc = cs_piv_run_decode(&d->run, cs_view_buf(&text), error);
    cs_buf_free(&text);
    return rc;
}

/* -- what comes out */

static int write_public(const desk *d, cs_error *error)
{
    cs_buf der = {0}, pem = {0};
    int rc = cs_public_key_encode(&der, CS_VIEW_ARRAY(d->run->agree_puk), error);

    if (rc == CS_OK)
        rc = cs_pem_encode(&pem, "PUBLIC KEY", cs_view_buf(&der), error);
    if (rc == CS_OK)
        rc = write_file(d->dir, "agree.pub", cs_view_buf(&pem), 0644, error);
    cs_buf_free(&pem);
    cs_buf_free(&der);
    return rc;
}

static int write_request(const desk *d, const cs_arguments *arguments, cs_error *error)
{
    cs_subject subject = {
        .common_name = cs_arg(arguments, "name"), .role = "doctor", .id = cs_arg(arguments, "id")};
    cs_buf der = {0}, pem = {0};
    int rc = cs_piv_request(d->card, d->run, &subject, &der, error);

    if (rc == CS_OK)
        rc = cs_pem_encode(&pem, "CERTIFICATE REQUEST", cs_view_buf(&der), error);
    if (rc == CS_OK)
        rc = write_file(d->dir, "sign.csr", cs_view_buf(&pem), 0644, error);
    cs_buf_free(&pem);
    cs_buf_free(&der);
    return rc;
}

static int write_letter(const desk *d, const char *name, cs_error *error)
{
    enum { LETTER_SIZE = 1024 };
    char *text = cs_secret_new(LETTER_SIZE);
    int n, rc;

    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN letter");
    n = snprintf(text, LETTER_SIZE,
        "%s\n\nThe PIN of your card with serial number %u:\n\n    %s\n\nThree wrong PINs block the "
        "card. Change it at the desk if anybody has seen this letter.\n",
        name, d->run->serial, d->run->pin);
    rc = n > 0 && n < LETTER_SIZE
             ? write_file(d->dir, "pin-letter.txt", (cs_view){(const uint8_t *)text, (size_t)n},
                   0600, error)
             : CS_FAIL(error, CS_E_TOO_LARGE, "--name is too long for a letter");
    cs_secret_free(&text);
    return rc;
}

static int write_sheet(
    const desk *d, const char *name, cs_view sign, cs_view agree, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    char of_sign[2 * CS_HASH_SIZE + 1], of_agree[2 * CS_HASH_SIZE + 1], text[1024];
    int n, rc = cs_hash(digest, sign, error);

    if (rc != CS_OK)
        return rc;
    cs_hex(CS_VIEW_ARRAY(digest), of_sign);
    rc = cs_hash(digest, agree, error);
    if (rc != CS_OK)
        return rc;
    cs_hex(CS_VIEW_ARRAY(digest), of_agree);
    n = snprintf(text, sizeof text,
        "doctor         %s\nserial number  %u\n9C signs       certificate SHA-256 %s\n"
        "9D agrees      certificate SHA-256 %s\n",
        name, d->run->serial, of_sign, of_agree);
    if (n < 0 || (size_t)n >= sizeof text)
        return CS_FAIL(error, CS_E_TOO_LARGE, "--name is too long for a sheet");
    return write_file(
        d->dir, "sheet.txt", (cs_view){(const uint8_t *)text, (size_t)n}, 0644, error);
}

/* -- provision */

static int read_certificate(cs_buf *der, const char *path, cs_error *error)
{
    cs_buf pem = {0};
    int rc = cs_file_read(&pem, path, CERTIFICATE_FILE_MAX, error);

    if (rc == CS_OK)
        rc = cs_pem_decode(der, "CERTIFICATE", cs_view_buf(&pem), error);
    cs_buf_free(&pem);
    return rc;
}

static int finish(desk *d, const cs_arguments *arguments, cs_error *error)
{
    cs_buf sign = {0}, agree = {0};
    const char *name = cs_arg(arguments, "name");
    int rc = read_certificate(&sign, cs_arg(arguments, "sign-certificate"), error);

    if (rc == CS_OK)
        rc = read_certificate(&agree, cs_arg(arguments, "agree-certificate"), error);
    if (rc == CS_OK)
        rc = write_letter(d, name, error);
    if (rc == CS_OK)
        rc = write_sheet(d, name, cs_view_buf(&sign), cs_view_buf(&agree), error);
    if (rc == CS_OK)
        rc =
            cs_piv_finish(d->card, d->run, cs_view_buf(&sign), cs_view_buf(&agree), save, d, error);
    cs_buf_free(&agree);
    cs_buf_free(&sign);
    return rc;
}

static int make(desk *d, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_piv_make(d->card, d->run, save, d, error);

    if (rc == CS_OK)
        rc = write_public(d, error);
    return rc == CS_OK ? write_request(d, arguments, error) : rc;
}

static int check_texts(const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_arg_text(arguments, "name", CS_HOLDER_TEXT_MAX, error);

    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "id", CS_HOLDER_TEXT_MAX, error);
    if (rc == CS_OK && (cs_arg(arguments, "sign-certificate") == NULL) !=
                           (cs_arg(arguments, "agree-certificate") == NULL))
        rc = CS_FAIL(
            error, CS_E_USAGE, "give both --sign-certificate and --agree-certificate, or neither");
    return rc;
}

static int report(const desk *d, const cs_arguments *arguments, cs_error *error)
{
    const char *step = cs_piv_step_name(d->run->done);

    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:I, s:s, s:s}", "ok", 1, "serial",
                                 (json_int_t)d->run->serial, "step", step, "dir", d->dir),
            error);
    if (d->run->done == CS_PIV_FINISHED)
        cs_say("the card with serial number %u is finished; hand it out with %s/pin-letter.txt",
            d->run->serial, d->dir);
    else
        cs_say("the card with serial number %u has its keys; have %s/sign.csr and %s/agree.pub "
               "certified, and give the certificates",
            d->run->serial, d->dir, d->dir);
    return CS_OK;
}

int cs_card_provision(const cs_arguments *arguments, cs_error *error)
{
    desk d = {.dir = cs_arg(arguments, "dir")};
    int rc = check_texts(arguments, error);

    if (rc == CS_OK)
        rc = cs_make_directories(d.dir, error);
    if (rc == CS_OK)
        rc = cs_piv_open(&d.card, cs_arg(arguments, "reader"), error);
    if (rc == CS_OK)
        rc = open_run(&d, error);
    if (rc == CS_OK)
        rc = cs_arg(arguments, "sign-certificate") != NULL ? finish(&d, arguments, error)
                                                           : make(&d, arguments, error);
    if (rc == CS_OK)
        rc = report(&d, arguments, error);
    cs_secret_free(&d.run);
    cs_piv_close(&d.card);
    return rc;
}

/* -- wipe */

int cs_card_wipe(const cs_arguments *arguments, cs_error *error)
{
    cs_piv *card = NULL;
    int64_t serial;
    int rc = cs_arg_number(&serial, arguments, "serial", 0, 0, UINT32_MAX, error);

    if (rc == CS_OK)
        rc = cs_piv_open(&card, cs_arg(arguments, "reader"), error);
    if (rc == CS_OK)
        rc = cs_piv_wipe(card, (uint32_t)serial, error);
    cs_piv_close(&card);
    if (rc != CS_OK)
        return rc;
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:I}", "ok", 1, "serial", (json_int_t)serial), error);
    cs_say("the card is as it came from the factory; its directory is of no more use");
    return CS_OK;
}

const cs_option cs_card_provision_options[] = {
    {"dir", "DIR", true, "of this card: made, or gone on with where a run ended early"},
    {"name", "NAME", true, "the doctor's name"},
    {"id", "ID", true, "the doctor's identity"},
    {"sign-certificate", "FILE", false, "for the key in 9C: the card is finished"},
    {"agree-certificate", "FILE", false, "for the key in 9D, beside the other"},
    {"reader", "NAME", false, "the reader the card is in; otherwise the only PIV card there is"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

const cs_option cs_card_wipe_options[] = {
    {"serial", "NUMBER", true, "the card's serial number, so that it is no other"},
    {"reader", "NAME", false, "the reader the card is in; otherwise the only PIV card there is"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
