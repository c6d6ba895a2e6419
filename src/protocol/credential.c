/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/credential.h"

#include <string.h>

/* A credential is cs_signed over cs_credential_body over m_X. */
static int decode(
    cs_view bytes, cs_signed *whole, cs_credential_body *body, cs_issue_body *m, cs_error *error)
{
    int rc = cs_decode(&cs_signed_schema, whole, bytes, error);

    if (rc == CS_OK)
        rc = cs_decode(&cs_credential_body_schema, body, whole->body, error);
    if (rc == CS_OK)
        rc = cs_decode(&cs_issue_body_schema, m, body->m, error);
    return rc;
}

int cs_credential_parse(cs_credential *out, const cs_cloud *cloud, cs_view bytes, cs_error *error)
{
    cs_credential_body body;
    cs_issue_body m;
    cs_signed whole;
    int rc;

    memset(out, 0, sizeof *out);
    if (bytes.n > sizeof out->raw)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a credential is over %d bytes", CS_CREDENTIAL_MAX);
    rc = decode(bytes, &whole, &body, &m, error);
    if (rc != CS_OK)
        return rc;
    if (m.suite != (uint64_t)cloud->suite)
        return CS_FAIL(error, CS_E_VERSION, "a credential of another suite than %s",
            cs_suite_name(cloud->suite));
    rc = cs_point_decode(&out->r1, cloud->suite, body.r, error);
    if (rc == CS_OK)
        rc = cs_implicit_public(&out->y, &out->r1, &cloud->pk, body.m, error);
    if (rc != CS_OK)
        return rc;
    out->role = (cs_role)m.role;
    cs_text_copy(out->id, sizeof out->id, m.id);
    out->serial = m.serial;
    out->not_before = (int64_t)m.not_before;
    out->not_after = (int64_t)m.not_after;
    memcpy(out->binding, m.binding.p, sizeof out->binding);
    memcpy(out->puk_sign, m.puk_sign.p, sizeof out->puk_sign);
    memcpy(out->puk_decrypt, m.puk_decrypt.p, sizeof out->puk_decrypt);
    memcpy(out->raw, bytes.p, bytes.n);
    out->raw_size = bytes.n;
    return CS_OK;
}

int cs_credential_check(const cs_credential *credential, const cs_cloud *cloud, const cs_env *env,
    cs_role role, cs_error *error)
{
    cs_credential_body body;
    cs_issue_body m;
    cs_signed whole;
    bool revoked = true;
    int rc = decode(cs_credential_view(credential), &whole, &body, &m, error);

    if (rc == CS_OK)
        rc = cs_signed_verify(
            "the public cloud's signature on a credential", &whole, cloud->puk_sign, NULL, error);
    if (rc == CS_E_SIGNATURE)
        return CS_FAIL(error, CS_E_CREDENTIAL,
            "a credential is not by this public cloud; register with it first");
    if (rc != CS_OK)
        return rc;
    if (credential->role != role)
        return CS_FAIL(error, CS_E_CREDENTIAL, "a %s's credential where a %s's is needed",
            cs_role_name(credential->role), cs_role_name(role));
    if (env->now < credential->not_before || env->now > credential->not_after)
        return CS_FAIL(error, CS_E_EXPIRED,
            "the %s's credential is out of its dates; it has to register again",
            cs_role_name(role));
    rc = env->revoked(env->context, credential->serial, &revoked, error);
    if (rc != CS_OK)
        return rc;
    if (revoked)
        return CS_FAIL(error, CS_E_REVOKED,
            "the %s's credential is revoked; ask the public cloud's operator", cs_role_name(role));
    return CS_OK;
}

int cs_certificate_check_holder(const cs_env *env, cs_view certificate, const cs_view *ocsp,
    cs_role role, const char *id, const uint8_t puk_sign[CS_PUK_SIZE], cs_error *error)
{
    cs_holder holder;
    int rc;

    if (env->trust == NULL)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "no medical authority is trusted here; give its certificate at init");
    rc = cs_certificate_check(env->trust, certificate, ocsp, env->now, &holder, error);
    if (rc != CS_OK)
        return rc;
    if (memcmp(holder.puk, puk_sign, CS_PUK_SIZE) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE, "the certificate is for another key");
    if (strcmp(holder.role, cs_role_name(role)) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate's organizational unit does not say '%s'; get one that does",
            cs_role_name(role));
    if (strcmp(holder.id, id) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate's serialNumber attribute is not the %s's identity; get one for it",
            cs_role_name(role));
    return CS_OK;
}

int cs_credential_check_certificate(const cs_credential *credential, const cs_env *env,
    cs_view certificate, const cs_view *ocsp, cs_error *error)
{
    uint8_t hash[CS_HASH_SIZE];
    int rc = cs_hash(hash, certificate, error);

    if (rc != CS_OK)
        return rc;
    if (memcmp(hash, credential->binding, sizeof hash) != 0)
        return CS_FAIL(error, CS_E_CERTIFICATE,
            "the certificate is not the credential's; "
            "register again after a new certificate");
    return cs_certificate_check_holder(
        env, certificate, ocsp, credential->role, credential->id, credential->puk_sign, error);
}

cs_view cs_credential_view(const cs_credential *credential)
{
    return (cs_view){credential->raw, credential->raw_size};
}

int cs_credential_make(
    cs_credential *credential, const cs_party *pc, cs_view m, const cs_point *r, cs_error *error)
{
    const cs_credential_body body = {.m = m, .r = cs_point_view(r)};
    cs_buf bytes = {0};
    int rc = cs_signed_make(&bytes, pc->sign, &cs_credential_body_schema, &body, error);

    if (rc == CS_OK)
        rc = cs_credential_parse(credential, pc->cloud, cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}
