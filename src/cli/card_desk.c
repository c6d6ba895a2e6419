/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/card_desk.h"

#include "cli/card_trust.h"
#include "service/files.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

#define PATH_SIZE 4096
#define RECORD_MAX 4096
#define PEM_FILE_MAX 65536 /* with the text that some authorities put before it */

static int place(char out[PATH_SIZE], const char *dir, const char *name, cs_error *error)
{
    if (snprintf(out, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE)
        return CS_FAIL(error, CS_E_USAGE, "the directory of a card has too long a path");
    return CS_OK;
}

static int write_file(
    const char *dir, const char *name, cs_view bytes, mode_t mode, cs_error *error)
{
    char path[PATH_SIZE];
    int rc = place(path, dir, name, error);

    return rc == CS_OK ? cs_file_write(path, bytes, mode, error) : rc;
}

static int write_pem(
    const cs_desk *d, const char *name, const char *label, cs_view der, cs_error *error)
{
    cs_buf pem = {0};
    int rc = cs_pem_encode(&pem, label, der, error);

    if (rc == CS_OK)
        rc = write_file(d->dir, name, cs_view_buf(&pem), 0644, error);
    cs_buf_free(&pem);
    return rc;
}

static int read_pem(cs_buf *der, const char *path, const char *label, cs_error *error)
{
    cs_buf pem = {0};
    int rc = cs_file_read(&pem, path, PEM_FILE_MAX, error);

    if (rc == CS_OK)
        rc = cs_pem_decode(der, label, cs_view_buf(&pem), error);
    if (rc != CS_OK && rc != CS_E_NO_FILE)
        rc = cs_error_context(error, "%s", path);
    cs_buf_free(&pem);
    return rc;
}

/* -- the record */

int cs_desk_save(void *context, const cs_piv_run *run, cs_error *error)
{
    const cs_desk *d = context;
    cs_buf text = {.guarded = true};
    int rc = cs_piv_run_encode(&text, run, error);

    if (rc == CS_OK)
        rc = write_file(d->dir, "record", cs_view_buf(&text), 0600, error);
    cs_buf_free(&text);
    return rc;
}

int cs_desk_read_run(cs_desk *d, cs_error *error)
{
    cs_buf text = {.guarded = true};
    char path[PATH_SIZE];
    int rc = place(path, d->dir, "record", error);

    if (rc == CS_OK)
        rc = cs_file_read(&text, path, RECORD_MAX, error);
    if (rc == CS_OK)
        rc = cs_piv_run_decode(&d->run, cs_view_buf(&text), error);
    cs_buf_free(&text);
    return rc;
}

int cs_desk_open_run(cs_desk *d, bool must_be_there, cs_error *error)
{
    int rc = cs_desk_read_run(d, error);

    return rc == CS_E_NO_FILE && !must_be_there ? cs_piv_run_new(&d->run, d->card, error) : rc;
}

int cs_desk_open(cs_desk *d, const char *reader, bool must_be_there, cs_error *error)
{
    int rc = cs_piv_open(&d->card, reader, error);

    return rc == CS_OK ? cs_desk_open_run(d, must_be_there, error) : rc;
}

void cs_desk_close(cs_desk *d)
{
    cs_secret_free(&d->run);
    cs_piv_close(&d->card);
}

/* -- what comes out */

int cs_desk_write_requests(cs_desk *d, const cs_piv_shown *shown, cs_error *error)
{
    cs_subject subject = {.common_name = d->name, .role = "doctor", .id = d->id};
    cs_buf key = {0}, request = {0};
    int rc = cs_public_key_encode(&key, CS_VIEW_ARRAY(d->run->agree_puk), error);

    if (rc == CS_OK)
        rc = write_pem(d, "agree.pub", "PUBLIC KEY", cs_view_buf(&key), error);
    if (rc == CS_OK)
        rc = cs_piv_request(d->card, d->run, shown, &subject, &request, error);
    if (rc == CS_OK)
        rc = write_pem(d, "sign.csr", "CERTIFICATE REQUEST", cs_view_buf(&request), error);
    cs_buf_free(&request);
    cs_buf_free(&key);
    return rc;
}

int cs_desk_write_letter(const cs_desk *d, cs_error *error)
{
    enum { LETTER_SIZE = 1024 };
    char *text = cs_secret_new(LETTER_SIZE);
    int n, rc;

    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN letter");
    n = snprintf(text, LETTER_SIZE,
        "%s\n\nThe PIN of your card with serial number %u:\n\n    %s\n\nThree wrong PINs block the "
        "card. Change it at the desk if anybody has seen this letter.\n",
        d->name, d->run->serial, d->run->pin);
    rc = n > 0 && n < LETTER_SIZE
             ? write_file(d->dir, "pin-letter.txt", (cs_view){(const uint8_t *)text, (size_t)n},
                   0600, error)
             : CS_FAIL(error, CS_E_TOO_LARGE, "--name is too long for a letter");
    cs_secret_free(&text);
    return rc;
}

static int write_sheet(const cs_desk *d, cs_view sign, cs_view agree, cs_error *error)
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
        "doctor         %s\nidentity       %s\nserial number  %u\n9C signs       certificate "
        "SHA-256 %s\n9D agrees      certificate SHA-256 %s\n",
        d->name, d->id, d->run->serial, of_sign, of_agree);
    if (n < 0 || (size_t)n >= sizeof text)
        return CS_FAIL(error, CS_E_TOO_LARGE, "--name is too long for a sheet");
    return write_file(
        d->dir, "sheet.txt", (cs_view){(const uint8_t *)text, (size_t)n}, 0644, error);
}

/* -- certificates */

int cs_desk_finish(cs_desk *d, const char *sign_file, const char *agree_file, cs_error *error)
{
    cs_buf sign = {0}, agree = {0};
    int rc = read_pem(&sign, sign_file, "CERTIFICATE", error);

    if (rc == CS_OK)
        rc = read_pem(&agree, agree_file, "CERTIFICATE", error);
    if (rc == CS_OK)
        rc = cs_piv_check_certificates(d->run, cs_view_buf(&sign), cs_view_buf(&agree), error);
    if (rc == CS_OK)
        rc = cs_card_check_trusted(d, cs_view_buf(&sign), cs_view_buf(&agree), error);
    if (rc == CS_OK)
        rc = write_pem(d, "sign.pem", "CERTIFICATE", cs_view_buf(&sign), error);
    if (rc == CS_OK)
        rc = write_pem(d, "agree.pem", "CERTIFICATE", cs_view_buf(&agree), error);
    if (rc == CS_OK)
        rc = write_sheet(d, cs_view_buf(&sign), cs_view_buf(&agree), error);
    if (rc == CS_OK)
        rc = cs_piv_finish(
            d->card, d->run, cs_view_buf(&sign), cs_view_buf(&agree), cs_desk_save, d, error);
    cs_buf_free(&agree);
    cs_buf_free(&sign);
    return rc;
}

int cs_desk_certificate(cs_buf *der, const char *dir, const char *name, cs_error *error)
{
    char path[PATH_SIZE];
    int rc = place(path, dir, name, error);

    return rc == CS_OK ? read_pem(der, path, "CERTIFICATE", error) : rc;
}

int cs_desk_holder(cs_holder *out, const char *dir, cs_error *error)
{
    char path[PATH_SIZE];
    cs_buf der = {0};
    int rc = place(path, dir, "sign.csr", error);

    if (rc == CS_OK)
        rc = read_pem(&der, path, "CERTIFICATE REQUEST", error);
    if (rc == CS_OK)
        rc = cs_request_check(cs_view_buf(&der), out, error);
    cs_buf_free(&der);
    return rc;
}
