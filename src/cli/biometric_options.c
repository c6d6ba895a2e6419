/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/biometric_options.h"

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
