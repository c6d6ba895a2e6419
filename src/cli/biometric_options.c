/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/biometric_options.h"

#include "service/biometrics.h"

#include <chartseal/secret.h>

static int read_template(cs_buf *bytes, const char *path, cs_error *error)
{
    int rc = cs_file_read(bytes, path, CS_TEMPLATE_SIZE, error);

    if (rc == CS_E_TOO_LARGE || (rc == CS_OK && bytes->n != CS_TEMPLATE_SIZE))
        rc = CS_FAIL(error, CS_E_MALFORMED,
            "%s is no template: an iris code has %d bytes (2048 bits), nothing before or after",
            path, CS_TEMPLATE_SIZE);
    return rc;
}

int cs_read_biometric(
    cs_biometric *out, bool *given, cs_buf *bytes, const cs_arguments *arguments, cs_error *error)
{
    const char *template_path = cs_arg(arguments, "template");
    const char *passphrase_path = cs_arg(arguments, "passphrase-file");
    int rc;

    *given = template_path != NULL || passphrase_path != NULL;
    if (template_path != NULL && passphrase_path != NULL)
        return CS_FAIL(error, CS_E_USAGE, "give --template or --passphrase-file, not both");
    if (template_path != NULL) {
        rc = read_template(bytes, template_path, error);
        *out = (cs_biometric){CS_BIOMETRIC_TEMPLATE, cs_view_buf(bytes)};
        return rc;
    }
    if (passphrase_path == NULL)
        return CS_OK;
    rc = cs_read_line(bytes, passphrase_path, "passphrase", CS_PASSPHRASE_MAX, error);
    if (rc == CS_OK)
        *out = (cs_biometric){CS_BIOMETRIC_PASSPHRASE, {bytes->p, bytes->n - 1}};
    return rc;
}

static int missing(cs_error *error)
{
    return CS_FAIL(error, CS_E_USAGE,
        "the biometric password is missing: give --template FILE or --passphrase-file FILE");
}

int cs_need_biometric(
    cs_biometric *out, cs_buf *bytes, const cs_arguments *arguments, cs_error *error)
{
    bool given = false;
    int rc = cs_read_biometric(out, &given, bytes, arguments, error);

    return rc == CS_OK && !given ? missing(error) : rc;
}

uint8_t *cs_new_h_bp(cs_error *error)
{
    uint8_t *h_bp = cs_secret_new(CS_HASH_SIZE);

    if (h_bp == NULL)
        (void)CS_FAIL(error, CS_E_MEMORY, "no guarded memory for H(BP); free some and retry");
    return h_bp;
}

static int recover(cs_home *home, const cs_biometric *bp, cs_error *error)
{
    uint8_t *h_bp = cs_new_h_bp(error);
    int rc = h_bp == NULL ? CS_E_MEMORY : cs_home_recover(h_bp, home, bp, error);

    cs_secret_free(&h_bp);
    return rc;
}

int cs_give_biometric(cs_home *home, const cs_arguments *arguments, cs_error *error)
{
    cs_buf bytes = {.guarded = true};
    cs_biometric bp = {0};
    bool given = false;
    int rc = cs_read_biometric(&bp, &given, &bytes, arguments, error);

    if (rc == CS_OK && !given && cs_home_wants_biometric(home))
        rc = missing(error);
    else if (rc == CS_OK && given && !cs_home_has_biometric(home))
        rc = CS_FAIL(error, CS_E_USAGE,
            "there is nothing to compare the biometric password with: none was enrolled in %s; "
            "leave it out",
            home->dir);
    else if (rc == CS_OK && given)
        rc = recover(home, &bp, error);
    cs_buf_free(&bytes);
    return rc;
}
