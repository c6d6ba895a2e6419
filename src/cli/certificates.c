/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certificates.h"

#include <string.h>

#define PEM_MAX 65536 /* of one certificate */
#define NAME_SIZE 65

static int sign_in_token(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    return cs_key_sign(context, digest, signature, error);
}

int cs_request_write(const cs_home *home, const cs_actor *actor, const char *common_name,
    const char *path, cs_error *error)
{
    const cs_key_info *key = cs_key_describe(actor->sign);
    const cs_subject subject = {.common_name = common_name};
    cs_buf der = {0};
    cs_buf pem = {0};
    int rc = cs_request_make(&der, &subject, (cs_view){key->public_key, key->public_key_size},
        sign_in_token, actor->sign, error);

    if (rc == CS_OK)
        rc = cs_pem_encode(&pem, "CERTIFICATE REQUEST", cs_view_buf(&der), error);
    if (rc == CS_OK)
        rc = cs_home_write(home, "request.pem", cs_view_buf(&pem), error);
    if (rc == CS_OK && path != NULL)
        rc = cs_file_write(path, cs_view_buf(&pem), 0644, error);
    cs_buf_free(&der);
    cs_buf_free(&pem);
    return rc;
}

static int check_is_ours(const cs_actor *actor, cs_view der, const char *path, cs_error *error)
{
    const cs_key_info *key = cs_key_describe(actor->sign);
    uint8_t own[CS_PUK_SIZE];
    uint8_t puk[CS_PUK_SIZE];
    char name[NAME_SIZE];
    int rc;

    if (actor->trust == NULL)
        return CS_FAIL(error, CS_E_CERTIFICATE, "%s/authorities.pem is missing; run init again",
            actor->home->dir);
    rc = cs_certificate_check(actor->trust, der, cs_clock_ms(), puk, name, sizeof name, error);
    if (rc == CS_OK)
        rc = cs_p256_compress(own, (cs_view){key->public_key, key->public_key_size}, error);
    if (rc == CS_OK && memcmp(own, puk, sizeof own) != 0)
        rc = CS_FAIL(error, CS_E_CERTIFICATE,
            "%s is not for the signing key of this %s; get one for request.pem", path,
            cs_home_kind_name(actor->home->kind));
    return rc;
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
