/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certificates.h"

#include "cli/output.h"
#include "service/staple.h"

#include <string.h>

#define PEM_MAX 65536 /* of one certificate */

static int sign_in_token(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    return cs_key_sign(context, digest, signature, error);
}

int cs_request_write(const cs_home *home, const cs_actor *actor, const char *common_name,
    const char *path, cs_error *error)
{
    const cs_key_info *key = cs_key_describe(actor->sign);
    const cs_subject subject = {
        .common_name = common_name, .role = cs_role_name(cs_home_role(home->kind)), .id = home->id};
    cs_buf der = {0};
    cs_buf pem = {0};
    int rc = cs_request_make(&der, &subject, (cs_view){key->public_key, key->public_key_size},
        sign_in_token, actor->sign, error);

    if (rc == CS_OK)
        rc = cs_pem_encode(&pem, "CERTIFICATE REQUEST", cs_view_buf(&der), error);
    if (rc == CS_OK)
        rc = cs_home_write(home, "request.pem", cs_view_buf(&pem), error);
    if (rc == CS_OK && path != NULL)
        rc = cs_write_output(path, cs_view_buf(&pem), 0644, error);
    cs_buf_free(&der);
    cs_buf_free(&pem);
    return rc;
}

static int check_is_ours(const cs_actor *actor, cs_view der, const char *path, cs_error *error)
{
    const cs_key_info *key = cs_key_describe(actor->sign);
    uint8_t own[CS_PUK_SIZE];
    const cs_env env = {.now = cs_clock_ms(), .trust = actor->trust};
    int rc = cs_p256_compress(own, (cs_view){key->public_key, key->public_key_size}, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_certificate_check_holder(
        &env, der, NULL, cs_home_role(actor->home->kind), actor->home->id, own, error);
    if (rc != CS_OK)
        return cs_error_context(error, "%s", path);
    return CS_OK;
}

int cs_certificate_install(const cs_home *home, cs_actor *actor, const char *path, cs_error *error)
{
    cs_buf pem = {0};
    cs_buf der = {0};
    int rc = cs_file_read(&pem, path, PEM_MAX, error);

    if (rc == CS_OK)
        rc = cs_pem_decode(&der, "CERTIFICATE", cs_view_buf(&pem), error);
    if (rc == CS_OK)
        rc = check_is_ours(actor, cs_view_buf(&der), path, error);
    if (rc == CS_OK)
        rc = cs_home_write(home, "certificate.pem", cs_view_buf(&pem), error);
    if (rc == CS_OK)
        rc = cs_buf_set(&actor->certificate, cs_view_buf(&der), error);
    actor->party.certificate = cs_view_buf(&actor->certificate);
    cs_buf_free(&pem);
    cs_buf_free(&der);
    return rc;
}

int cs_certificate_staple(cs_actor *actor, cs_error *error)
{
    char warning[CS_STAPLE_WARNING_SIZE];
    int rc = cs_staple_bring(actor, warning, error);

    if (rc == CS_OK && warning[0] != '\0')
        cs_warn("%s", warning);
    return rc;
}
