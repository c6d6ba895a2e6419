/* SPDX-License-Identifier: Apache-2.0 */
/* A session with the cloud, at the cloud: who calls, and the answer. */
#include "protocol/credential.h"
#include "protocol/envelope.h"
#include "protocol/session.h"
#include "protocol/telecare.h"

#include <string.h>

/* SigT1 with the key that the credential claims, then whether the claim holds. */
static int check_caller(cs_guest *g, const cs_party *cloud, const cs_env *env, const cs_ct1 *ct1,
    uint8_t digest[CS_HASH_SIZE], cs_error *error)
{
    const cs_sig_t1 fields = {.pk = cs_point_view(&cloud->cloud->pk),
        .t_x = ct1->t_x,
        .id_x = cs_view_str(g->who.id),
        .r_x = ct1->r_x,
        .id_c = cs_view_str(cloud->credential->id)};
    int rc = cs_message_verify("the caller's SigT1", g->who.puk_sign, &cs_sig_t1_schema, &fields,
        ct1->sig_t1, digest, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_credential_check(&g->who, cloud->cloud, env, g->who.role, error);
    g->known = cs_credential_is_authentic(rc);
    if (rc == CS_OK && g->who.role != CS_ROLE_HOSPITAL && g->who.role != CS_ROLE_DOCTOR)
        rc = CS_FAIL(error, CS_E_CREDENTIAL,
            "hospitals and doctors call by their name; a %s does not", cs_role_name(g->who.role));
    if (rc == CS_OK)
        rc = cs_credential_check_certificate(&g->who, env, ct1->cert_x, &ct1->ocsp, error);
    return rc;
}

int cs_guest_t1(
    cs_guest *out, const cs_party *cloud, const cs_env *env, cs_view t1, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    cs_buf plain = {0};
    cs_ct1 ct1;
    uint64_t time;
    int rc = cs_envelope_open(
        "chartseal/1 T1", cloud, env, t1, &cs_ct1_schema, &ct1, &plain, &time, NULL, error);

    memset(out, 0, sizeof *out);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, ct1.t_x, error);
    if (rc == CS_OK)
        rc = cs_hash(out->h_request, t1, error);
    if (rc == CS_OK)
        rc = cs_credential_parse(&out->who, cloud->cloud, ct1.credential_x, error);
    if (rc == CS_OK)
        rc = cs_point_decode(&out->r_x, cloud->cloud->suite, ct1.r_x, error);
    if (rc == CS_OK) {
        out->t_x = (int64_t)ct1.t_x;
        memcpy(out->certificate, ct1.cert_x.p, ct1.cert_x.n);
        out->certificate_size = ct1.cert_x.n;
        if (ct1.ocsp.n > 0)
            memcpy(out->ocsp, ct1.ocsp.p, ct1.ocsp.n);
        out->ocsp_size = ct1.ocsp.n;
        memcpy(out->signature, ct1.sig_t1.p, CS_SIGNATURE_SIZE);
        rc = check_caller(out, cloud, env, &ct1, digest, error);
    }
    if (rc == CS_OK)
        rc = cs_check_fresh(env, digest, error);
    cs_buf_free(&plain);
    return rc;
}

/* Nothing is signed here: what is remembered is h of what was sealed, which nobody but its sender
 * can seal again in other bytes. */
int cs_guest_t3(
    cs_guest *out, const cs_party *cloud, const cs_env *env, cs_view t3, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    cs_buf plain = {0};
    cs_ct3 ct3;
    uint64_t time;
    int rc;

    memset(out, 0, sizeof *out);
    out->nobody = true;
    rc = cs_envelope_open("chartseal/1 T3", cloud, env, t3, &cs_ct3_schema, &ct3, &plain, &time,
        out->reply_secret, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, ct3.t_x, error);
    if (rc == CS_OK)
        rc = cs_hash(out->h_request, t3, error);
    if (rc == CS_OK)
        rc = cs_point_decode(&out->r_x, cloud->cloud->suite, ct3.r_x, error);
    if (rc == CS_OK) {
        out->t_x = (int64_t)ct3.t_x;
        memcpy(out->place, ct3.place.p, CS_PLACE_SIZE);
        rc = cs_hash(digest, cs_view_buf(&plain), error);
    }
    if (rc == CS_OK)
        rc = cs_check_fresh(env, digest, error);
    cs_buf_free(&plain);
    return rc;
}

/* R_C = r·P, SEK, tag_C. r lives no longer than this. */
static int agree(const cs_party *cloud, const cs_env *env, const cs_guest *guest, cs_point *r_c,
    uint8_t tag_c[CS_HASH_SIZE], cs_session **session, cs_error *error)
{
    cs_scalar *r = NULL;
    cs_handshake handshake = {.cloud = cloud->cloud,
        .starts = false,
        .scalar = cloud->scalar,
        .own = cloud->credential,
        .peer = guest->nobody ? NULL : &guest->who,
        .r_own = r_c,
        .r_peer = &guest->r_x,
        .t_own = env->now,
        .t_peer = guest->t_x};
    int rc = cs_ephemeral(&r, r_c, cloud->cloud->suite, error);

    handshake.r = r;
    if (rc == CS_OK)
        rc = cs_session_agree(session, &handshake, error);
    if (rc == CS_OK) {
        const cs_confirmation confirmation = {.h_request = CS_VIEW_ARRAY(guest->h_request),
            .id = cs_view_str(cloud->credential->id),
            .r = cs_point_view(r_c),
            .time = (uint64_t)env->now};

        rc = cs_session_tag(*session, &confirmation, tag_c, error);
    }
    cs_secret_free(&r);
    return rc;
}

static int answer(const cs_party *cloud, const cs_env *env, const cs_guest *guest,
    const cs_point *r_c, const uint8_t tag_c[CS_HASH_SIZE], cs_buf *t2, cs_error *error)
{
    uint8_t sig_t2[CS_SIGNATURE_SIZE];
    const cs_sig_t2 fields = {.pk = cs_point_view(&cloud->cloud->pk),
        .t_c = (uint64_t)env->now,
        .id_c = cs_view_str(cloud->credential->id),
        .id_x = cs_view_str(guest->who.id),
        .r_x = cs_point_view(&guest->r_x),
        .r_c = cs_point_view(r_c),
        .tag_c = {tag_c, CS_HASH_SIZE},
        .h_t1 = CS_VIEW_ARRAY(guest->h_request)};
    const cs_ct2 ct2 = {.t_c = fields.t_c,
        .r_c = fields.r_c,
        .tag_c = fields.tag_c,
        .sig_t2 = CS_VIEW_ARRAY(sig_t2)};
    int rc = cs_message_sign(sig_t2, cloud->sign, &cs_sig_t2_schema, &fields, error);

    if (rc == CS_OK)
        rc = cs_envelope_seal(t2, "chartseal/1 T2", cloud->cloud->suite, env->now,
            guest->who.puk_decrypt, &cs_ct2_schema, &ct2, NULL, error);
    return rc;
}

int cs_guest_t2(const cs_party *cloud, const cs_env *env, const cs_guest *guest, cs_buf *t2,
    cs_session **session, cs_error *error)
{
    uint8_t tag_c[CS_HASH_SIZE];
    cs_point r_c;
    int rc;

    *session = NULL;
    if (guest->nobody)
        return CS_FAIL(error, CS_E_ORDER, "T2 answers T1, not T3");
    rc = agree(cloud, env, guest, &r_c, tag_c, session, error);
    if (rc == CS_OK)
        rc = answer(cloud, env, guest, &r_c, tag_c, t2, error);
    if (rc != CS_OK)
        cs_session_free(session);
    return rc;
}

/* No signature: who answers has the S_C of the credential, or the tag would be another. */
int cs_guest_t4(const cs_party *cloud, const cs_env *env, cs_guest *guest, cs_buf *t4,
    cs_session **session, cs_error *error)
{
    uint8_t tag_c[CS_HASH_SIZE];
    cs_point r_c;
    int rc;

    *session = NULL;
    if (!guest->nobody)
        return CS_FAIL(error, CS_E_ORDER, "T4 answers T3, not T1");
    rc = agree(cloud, env, guest, &r_c, tag_c, session, error);
    if (rc == CS_OK) {
        const cs_ct4 ct4 = {
            .t_c = (uint64_t)env->now, .r_c = cs_point_view(&r_c), .tag_c = CS_VIEW_ARRAY(tag_c)};

        rc = cs_reply_seal(t4, "chartseal/1 T4", guest->reply_secret, cloud->cloud->suite, env->now,
            &cs_ct4_schema, &ct4, error);
    }
    cs_wipe(guest->reply_secret, sizeof guest->reply_secret);
    if (rc != CS_OK)
        cs_session_free(session);
    return rc;
}

int cs_guest_check_again(
    const cs_guest *guest, const cs_party *cloud, const cs_env *env, cs_error *error)
{
    const cs_view certificate = {guest->certificate, guest->certificate_size};
    const cs_view ocsp = {guest->ocsp, guest->ocsp_size};
    int rc;

    if (guest->nobody)
        return CS_OK;
    rc = cs_credential_check(&guest->who, cloud->cloud, env, guest->who.role, error);
    if (rc == CS_OK)
        rc = cs_credential_check_certificate(&guest->who, env, certificate, &ocsp, error);
    return rc;
}
