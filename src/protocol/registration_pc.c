/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/attestation.h"
#include "protocol/credential.h"
#include "protocol/envelope.h"

#include <chartseal/duplicate.h>
#include <chartseal/registration.h>

#include <string.h>

#define LABEL_S_X "chartseal/1 S_X"

/* Half of all S lift, so 64 tries fail once in 2^64. */
#define ISSUE_TRIES_MAX 64

/* D, HPC and a telecare cloud bring a certificate for their sign key, role and identity; P brings
 * B'. */
static int check_binding(
    cs_registration *out, const cs_env *env, const cs_register *request, cs_error *error)
{
    int rc;

    if (out->role == CS_ROLE_PATIENT) {
        if (request->binding.n != CS_HASH_SIZE || request->certificate.n != 0)
            return CS_FAIL(error, CS_E_MALFORMED, "a patient registers with B' and no certificate");
        memcpy(out->binding, request->binding.p, CS_HASH_SIZE);
        return CS_OK;
    }
    if (request->binding.n != 0 || request->certificate.n == 0)
        return CS_FAIL(
            error, CS_E_CERTIFICATE, "a %s registers with a certificate", cs_role_name(out->role));
    rc = cs_certificate_check_holder(
        env, request->certificate, &request->ocsp, out->role, out->id, out->puk_sign, error);
    if (rc == CS_OK)
        rc = cs_hash(out->binding, request->certificate, error);
    return rc;
}

/* A delivery key comes where the token unwraps with one, and nowhere else. */
static int take_delivery(cs_registration *out, const cs_register *request, cs_error *error)
{
    out->delivery = (cs_delivery)request->delivery;
    if (out->delivery == CS_DELIVERY_WRAPPED || out->delivery == CS_DELIVERY_DUPLICATED)
        return cs_p256_uncompress(out->delivery_key, request->delivery_key, error);
    if (request->delivery_key.n != 0)
        return CS_FAIL(error, CS_E_MALFORMED, "a delivery key for a delivery that takes none");
    return CS_OK;
}

static int take_request(cs_registration *out, const cs_register *request, cs_error *error)
{
    cs_buf keys = {0};
    uint8_t point[65];
    int rc;

    out->role = (cs_role)request->role;
    cs_text_copy(out->id, sizeof out->id, request->id);
    memcpy(out->puk_sign, request->puk_sign.p, CS_PUK_SIZE);
    memcpy(out->puk_decrypt, request->puk_decrypt.p, CS_PUK_SIZE);
    out->has_code = request->code.n == CS_CODE_SIZE;
    if (out->has_code)
        memcpy(out->code, request->code.p, CS_CODE_SIZE);
    rc = take_delivery(out, request, error);
    if (rc != CS_OK)
        return rc;
    /* both keys are points of the curve, before anything is sealed to them */
    rc = cs_p256_uncompress(point, request->puk_sign, error);
    if (rc == CS_OK)
        rc = cs_p256_uncompress(point, request->puk_decrypt, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&keys, request->puk_sign, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&keys, request->puk_decrypt, error);
    if (rc == CS_OK)
        rc = cs_hash(out->owner, cs_view_buf(&keys), error);
    cs_buf_free(&keys);
    return rc;
}

static int check_delivery(const cs_registration *r, cs_suite suite, cs_error *error)
{
    if ((r->delivery == CS_DELIVERY_LIFTED && suite != CS_SUITE_ED25519) ||
        (r->delivery == CS_DELIVERY_WRAPPED && suite != CS_SUITE_P256) ||
        (r->delivery == CS_DELIVERY_DUPLICATED && suite != CS_SUITE_P256))
        return CS_FAIL(
            error, CS_E_VERSION, "that delivery of S_X is not for suite %s", cs_suite_name(suite));
    return CS_OK;
}

int cs_register_open(
    cs_registration *out, const cs_party *pc, const cs_env *env, cs_view r1, cs_error *error)
{
    const cs_cloud *cloud = pc->cloud;
    uint8_t digest[CS_HASH_SIZE];
    cs_register request;
    cs_signed whole;
    cs_buf plain = {0};
    uint64_t time;
    int rc = cs_envelope_open(
        "chartseal/1 R1", pc, env, r1, &cs_signed_schema, &whole, &plain, &time, NULL, error);

    memset(out, 0, sizeof *out);
    if (rc == CS_OK)
        rc = cs_decode(&cs_register_schema, &request, whole.body, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, request.time, error);
    if (rc == CS_OK)
        rc = take_request(out, &request, error);
    if (rc == CS_OK)
        rc = check_delivery(out, cloud->suite, error);
    if (rc == CS_OK)
        rc = cs_signed_verify("SigX of a registration", &whole, out->puk_sign, digest, error);
    if (rc == CS_OK)
        rc = cs_attestation_check(out, env, &request, error);
    if (rc == CS_OK)
        rc = check_binding(out, env, &request, error);
    if (rc == CS_OK && (!cs_view_equal(request.id_pc, cs_view_str(cloud->id)) ||
                           !cs_view_equal(request.pk, cs_point_view(&cloud->pk))))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the registration is for another public cloud");
    if (rc == CS_OK)
        rc = cs_check_fresh(env, digest, error);
    if (rc == CS_OK) {
        memcpy(out->signature, whole.signature.p, CS_SIGNATURE_SIZE);
        rc = cs_hash(out->h_request, r1, error);
    }
    cs_buf_free(&plain);
    return rc;
}

/* S_X to be kept sealed: HPKE to X's decrypt key. */
static int seal_scalar(const cs_registration *r, const cs_scalar *s, const cs_point *y,
    uint8_t peer[65], cs_buf *secret, cs_error *error)
{
    return cs_hpke_seal(peer, secret, CS_VIEW_ARRAY(r->puk_decrypt), cs_view_str(LABEL_S_X),
        cs_point_view(y), CS_VIEW_ARRAY(s->b), NULL, error);
}

/* S_X for a token that unwraps: AES key wrap under the ECDH of its delivery key and an ephemeral of
 * ours.
 */
static int wrap_scalar(
    const cs_registration *r, const cs_scalar *s, uint8_t peer[65], cs_buf *secret, cs_error *error)
{
    struct {
        uint8_t ephemeral[32];
        uint8_t kek[32];
    } *keys = cs_secret_new(sizeof *keys);
    cs_buf pkcs8 = {.guarded = true};
    int rc = CS_OK;

    if (keys == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for wrapping S_X");
    if (rc == CS_OK)
        rc = cs_p256_generate(keys->ephemeral, peer, error);
    if (rc == CS_OK)
        rc = cs_p256_ecdh(keys->kek, keys->ephemeral, CS_VIEW_ARRAY(r->delivery_key), error);
    if (rc == CS_OK)
        rc = cs_p256_pkcs8(&pkcs8, s->b, error);
    if (rc == CS_OK)
        rc = cs_key_wrap_pad(secret, keys->kek, cs_view_buf(&pkcs8), error);
    cs_buf_free(&pkcs8);
    cs_secret_free(&keys);
    return rc;
}

/* issue(m_X) with serial after serial until S_X has the form that X's token needs. */
static int issue(const cs_party *pc, const cs_registration *r, cs_issue_body *m,
    cs_serial_fn next_serial, void *context, cs_buf *m_bytes, cs_point *r1, cs_scalar *s,
    cs_error *error)
{
    uint8_t *k = cs_secret_new(CS_X25519_SIZE);
    bool suits = false;
    int rc = CS_OK;

    if (k == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an issuance");
    for (int i = 0; rc == CS_OK && !suits && i < ISSUE_TRIES_MAX; i++) {
        cs_buf_clear(m_bytes);
        rc = next_serial(context, &m->serial, error);
        if (rc == CS_OK)
            rc = cs_encode(m_bytes, &cs_issue_body_schema, m, error);
        if (rc == CS_OK)
            rc = cs_key_issue(pc->issue, cs_view_buf(m_bytes), r1, s, error);
        suits = true;
        if (rc == CS_OK && r->delivery == CS_DELIVERY_LIFTED)
            rc = cs_x25519_lift(k, &suits, s, error);
    }
    cs_secret_free(&k);
    if (rc == CS_OK && !suits)
        rc = CS_FAIL(
            error, CS_E_INTERNAL, "no S_X of the needed form in %d issuances", ISSUE_TRIES_MAX);
    return rc;
}

/* In the form that X's token takes: wrapped, duplicated, sealed, or as it is (R2 itself is sealed
 * to X). */
static int pack_scalar(const cs_registration *r, const cs_credential *credential,
    const cs_scalar *s, uint8_t peer[65], cs_buf *secret, cs_error *error)
{
    switch (r->delivery) {
    case CS_DELIVERY_WRAPPED:
        return wrap_scalar(r, s, peer, secret, error);
    case CS_DELIVERY_DUPLICATED:
        return cs_duplicate_seal(secret, peer, r->delivery_key, s, &credential->y, error);
    case CS_DELIVERY_SEALED:
        return seal_scalar(r, s, &credential->y, peer, secret, error);
    case CS_DELIVERY_LIFTED:
        return cs_buf_append(secret, CS_VIEW_ARRAY(s->b), error);
    }
    return CS_FAIL(error, CS_E_INTERNAL, "unknown delivery");
}

static int answer(const cs_party *pc, const cs_env *env, const cs_registration *r,
    const cs_credential *credential, const cs_scalar *s, cs_buf *r2, cs_error *error)
{
    uint8_t peer[65], activation[CS_TPM_ACTIVATION_SIZE];
    bool bound = r->attested >= CS_ATTESTED_BOUND;
    cs_buf secret = {.guarded = true};
    int rc = pack_scalar(r, credential, s, peer, &secret, error);

    if (rc == CS_OK && bound)
        rc = cs_attestation_seal(&secret, activation, r, error);
    if (rc == CS_OK) {
        const cs_registered registered = {.h_request = CS_VIEW_ARRAY(r->h_request),
            .credential = cs_credential_view(credential),
            .delivery = r->delivery,
            .peer = {peer, r->delivery == CS_DELIVERY_LIFTED ? 0 : sizeof peer},
            .secret = cs_view_buf(&secret),
            .activation = {activation, bound ? sizeof activation : 0},
            .time = (uint64_t)env->now};

        rc = cs_envelope_seal(r2, "chartseal/1 R2", pc->cloud->suite, env->now, r->puk_decrypt,
            &cs_registered_schema, &registered, NULL, error);
    }
    cs_buf_free(&secret);
    return rc;
}

int cs_register_issue(const cs_party *pc, const cs_env *env, const cs_registration *r,
    int64_t not_before, int64_t not_after, cs_serial_fn next_serial, void *context,
    cs_credential *credential, cs_buf *r2, cs_error *error)
{
    cs_issue_body m = {.suite = pc->cloud->suite,
        .role = r->role,
        .id = cs_view_str(r->id),
        .not_before = (uint64_t)not_before,
        .not_after = (uint64_t)not_after,
        .binding = CS_VIEW_ARRAY(r->binding),
        .puk_sign = CS_VIEW_ARRAY(r->puk_sign),
        .puk_decrypt = CS_VIEW_ARRAY(r->puk_decrypt)};
    cs_scalar *s = cs_secret_new(sizeof *s);
    cs_buf m_bytes = {0};
    cs_point r1;
    int rc = CS_OK;

    if (s == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for an issuance");
    if (rc == CS_OK)
        rc = issue(pc, r, &m, next_serial, context, &m_bytes, &r1, s, error);
    if (rc == CS_OK)
        rc = cs_credential_make(credential, pc, cs_view_buf(&m_bytes), &r1, error);
    if (rc == CS_OK)
        rc = answer(pc, env, r, credential, s, r2, error);
    cs_secret_free(&s);
    cs_buf_free(&m_bytes);
    return rc;
}
