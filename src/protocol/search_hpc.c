/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/access.h"
#include "protocol/credential.h"
#include "protocol/envelope.h"

#include <chartseal/consultation.h>

#include <string.h>

/* SigD3 with the key that the credential claims, then whether the claim holds. */
static int check_doctor(cs_query *q, const cs_party *hpc, const cs_env *env, const cs_cd3 *cd3,
    uint8_t digest[CS_HASH_SIZE], cs_error *error)
{
    uint8_t h_referral[CS_HASH_SIZE];
    const cs_sig_d3 fields = {.pk = cs_point_view(&hpc->cloud->pk),
        .t_d3 = cd3->t_d3,
        .id_p = cd3->id_p,
        .r_d3 = cd3->r_d3,
        .r_d1 = cs_point_view(&q->doctor.r1),
        .id_hpc = cs_view_str(hpc->credential->id),
        .id_de = cd3->id_de,
        .h_access = CS_VIEW_ARRAY(q->h_access),
        .h_referral = CS_VIEW_ARRAY(h_referral)};
    int rc = cs_hash(h_referral, cd3->referral, error);

    if (rc == CS_OK)
        rc = cs_message_verify("the doctor's SigD3", q->doctor.puk_sign, &cs_sig_d3_schema, &fields,
            cd3->sig_d3, digest, error);
    if (rc == CS_OK)
        rc = cs_credential_check(&q->doctor, hpc->cloud, env, CS_ROLE_DOCTOR, error);
    q->known = cs_credential_is_authentic(rc);
    if (rc == CS_OK && (!cs_view_equal(cd3->id_d, cs_view_str(q->doctor.id)) ||
                           !cs_view_equal(cd3->r_d1, cs_point_view(&q->doctor.r1))))
        rc = CS_FAIL(error, CS_E_CREDENTIAL, "the credential is another doctor's");
    if (rc == CS_OK)
        rc = cs_credential_check_certificate(&q->doctor, env, cd3->cert_d, &cd3->ocsp, error);
    return rc;
}

static int take_request(cs_query *out, const cs_party *hpc, const cs_cd3 *cd3, cs_error *error)
{
    int rc;

    cs_text_copy(out->id_p, sizeof out->id_p, cd3->id_p);
    cs_text_copy(out->id_de, sizeof out->id_de, cd3->id_de);
    memcpy(out->signature, cd3->sig_d3.p, CS_SIGNATURE_SIZE);
    out->t_d3 = (int64_t)cd3->t_d3;
    /* all are within their fields' limits */
    memcpy(out->certificate, cd3->cert_d.p, cd3->cert_d.n);
    out->certificate_size = cd3->cert_d.n;
    if (cd3->ocsp.n > 0)
        memcpy(out->ocsp, cd3->ocsp.p, cd3->ocsp.n);
    out->ocsp_size = cd3->ocsp.n;
    if (cd3->consent.n > 0)
        memcpy(out->consent, cd3->consent.p, cd3->consent.n);
    out->consent_size = cd3->consent.n;
    rc = cs_credential_parse(&out->doctor, hpc->cloud, cd3->credential_d, error);
    if (rc == CS_OK) {
        memcpy(out->h_certificate, out->doctor.binding, CS_HASH_SIZE);
        rc = cs_point_decode(&out->r_d3, hpc->cloud->suite, cd3->r_d3, error);
    }
    if (rc == CS_OK)
        rc = cs_access_hash(out->h_access, cd3->consent, cd3->reason, error);
    return rc;
}

int cs_access_open(
    cs_query *out, const cs_party *hpc, const cs_env *env, cs_view s3, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    cs_buf plain = {0};
    cs_cd3 cd3;
    uint64_t time;
    int rc = cs_envelope_open(
        "chartseal/1 S3", hpc, env, s3, &cs_cd3_schema, &cd3, &plain, &time, NULL, error);

    memset(out, 0, sizeof *out);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, cd3.t_d3, error);
    if (rc == CS_OK)
        rc = cs_hash(out->h_request, s3, error);
    if (rc == CS_OK)
        rc = take_request(out, hpc, &cd3, error);
    if (rc == CS_OK)
        rc = check_doctor(out, hpc, env, &cd3, digest, error);
    if (rc == CS_OK)
        rc = cs_referral_check(out, hpc, env, cd3.referral, error);
    if (rc == CS_OK)
        rc = cs_access_check(out, hpc->cloud, env, cd3.consent, cd3.reason, error);
    if (rc == CS_OK)
        rc = cs_check_fresh(env, digest, error);
    cs_buf_free(&plain);
    return rc;
}

int cs_access_check_again(
    const cs_query *query, const cs_party *hpc, const cs_env *env, cs_error *error)
{
    const cs_view certificate = {query->certificate, query->certificate_size};
    const cs_view ocsp = {query->ocsp, query->ocsp_size};
    const cs_view consent = {query->consent, query->consent_size};
    int rc = cs_credential_check(&query->doctor, hpc->cloud, env, CS_ROLE_DOCTOR, error);

    if (rc == CS_OK)
        rc = cs_credential_check_certificate(&query->doctor, env, certificate, &ocsp, error);
    if (rc == CS_OK && !query->emergency)
        rc = cs_consent_verify(hpc->cloud, env, consent, cs_view_str(query->id_p),
            cs_view_str(query->doctor.id), query->id_de, NULL, error);
    return rc;
}

/* R_HPC2 = r8·P, SEK2. r8 lives no longer than this. */
static int agree(const cs_party *hpc, const cs_env *env, const cs_query *query, cs_point *r_hpc2,
    cs_session **session, cs_error *error)
{
    cs_scalar *r8 = NULL;
    cs_handshake handshake = {.cloud = hpc->cloud,
        .starts = false,
        .scalar = hpc->scalar,
        .own = hpc->credential,
        .peer = &query->doctor,
        .r_own = r_hpc2,
        .r_peer = &query->r_d3,
        .t_own = env->now,
        .t_peer = query->t_d3};
    int rc = cs_ephemeral(&r8, r_hpc2, hpc->cloud->suite, error);

    handshake.r = r8;
    if (rc == CS_OK)
        rc = cs_session_agree(session, &handshake, error);
    cs_secret_free(&r8);
    return rc;
}

static int answer(const cs_party *hpc, const cs_env *env, const cs_query *query,
    const cs_point *r_hpc2, const cs_session *session, cs_buf *s4, cs_error *error)
{
    uint8_t tag_hpc[CS_HASH_SIZE];
    uint8_t sig_hpc1[CS_SIGNATURE_SIZE];
    const cs_confirmation confirmation = {.h_request = CS_VIEW_ARRAY(query->h_request),
        .id = cs_view_str(hpc->credential->id),
        .r = cs_point_view(r_hpc2),
        .time = (uint64_t)env->now};
    const cs_sig_hpc1 fields = {.pk = cs_point_view(&hpc->cloud->pk),
        .t_hpc1 = (uint64_t)env->now,
        .id_hpc = cs_view_str(hpc->credential->id),
        .id_d = cs_view_str(query->doctor.id),
        .id_p = cs_view_str(query->id_p),
        .r_d3 = cs_point_view(&query->r_d3),
        .r_hpc2 = cs_point_view(r_hpc2),
        .tag_hpc = CS_VIEW_ARRAY(tag_hpc),
        .h_s3 = CS_VIEW_ARRAY(query->h_request)};
    const cs_chpc1 chpc1 = {.id_hpc = fields.id_hpc,
        .tag_hpc = CS_VIEW_ARRAY(tag_hpc),
        .t_hpc1 = fields.t_hpc1,
        .r_hpc2 = fields.r_hpc2,
        .sig_hpc1 = CS_VIEW_ARRAY(sig_hpc1)};
    int rc = cs_session_tag(session, &confirmation, tag_hpc, error);

    if (rc == CS_OK)
        rc = cs_message_sign(sig_hpc1, hpc->sign, &cs_sig_hpc1_schema, &fields, error);
    if (rc == CS_OK)
        rc = cs_envelope_seal(s4, "chartseal/1 S4", hpc->cloud->suite, env->now,
            query->doctor.puk_decrypt, &cs_chpc1_schema, &chpc1, NULL, error);
    return rc;
}

int cs_access_answer(const cs_party *hpc, const cs_env *env, const cs_query *query, cs_buf *s4,
    cs_session **session, cs_error *error)
{
    cs_point r_hpc2;
    int rc;

    *session = NULL;
    rc = agree(hpc, env, query, &r_hpc2, session, error);
    if (rc == CS_OK)
        rc = answer(hpc, env, query, &r_hpc2, *session, s4, error);
    if (rc != CS_OK)
        cs_session_free(session);
    return rc;
}

int cs_head_session(
    cs_view head, uint8_t session_id[CS_SESSION_ID_SIZE], char label[32], cs_error *error)
{
    static const char *const labels[] = {
        "chartseal/1 S5", "chartseal/1 F1", "chartseal/1 U1", "chartseal/1 G1"};
    cs_session_head fields;
    int rc = CS_E_MALFORMED;

    for (size_t i = 0; rc != CS_OK && i < sizeof labels / sizeof labels[0]; i++) {
        rc = cs_decode_as(&cs_session_head_schema, labels[i], &fields, head, error);
        if (rc == CS_OK) {
            memcpy(session_id, fields.session.p, CS_SESSION_ID_SIZE);
            cs_text_copy(label, 32, cs_view_str(labels[i]));
        }
    }
    return rc;
}

int cs_access_s5(cs_session *session, const cs_env *env, const cs_query *query, cs_view head,
    cs_view chunk, bool final, uint8_t record_id[16], size_t *record_id_size, cs_error *error)
{
    cs_stream *stream = NULL;
    cs_bulk *none = NULL;
    cs_buf plain = {0};
    cs_cd4 cd4;
    uint64_t time;
    int rc = cs_session_take(session, "chartseal/1 S5", env, head, chunk, final, &cs_cd4_schema,
        &cd4, &plain, &time, &stream, error);

    if (rc == CS_OK)
        rc = cs_check_same_time(time, cd4.t_d4, error);
    if (rc == CS_OK)
        rc = cs_bulk_take(&none, &stream, 0, error);
    if (rc == CS_OK && (!cs_view_equal(cd4.id_p, cs_view_str(query->id_p)) ||
                           !cs_view_equal(cd4.id_d, cs_view_str(query->doctor.id)) ||
                           !cs_view_equal(cd4.h_cert_d, CS_VIEW_ARRAY(query->h_certificate))))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "S5 is about another patient or doctor than S3");
    if (rc == CS_OK && cd4.record_id.n != 0 && cd4.record_id.n != 16)
        rc = CS_FAIL(error, CS_E_MALFORMED, "a record id has 16 bytes");
    if (rc == CS_OK) {
        *record_id_size = cd4.record_id.n;
        if (cd4.record_id.n > 0)
            memcpy(record_id, cd4.record_id.p, cd4.record_id.n);
    }
    cs_stream_free(&stream);
    cs_buf_free(&plain);
    return rc;
}

int cs_access_s6(cs_session *session, const cs_env *env, const cs_chpc2 *record, cs_buf *head,
    cs_buf *chunk, bool *final, cs_bulk **bulk, cs_error *error)
{
    cs_chpc2 chpc2 = *record;

    chpc2.t_hpc2 = (uint64_t)env->now;
    return cs_session_put(session, "chartseal/1 S6", env->now, &cs_chpc2_schema, &chpc2, chpc2.size,
        head, chunk, final, bulk, error);
}

/* T_D5 is when D signed, which M4 and F1 have in common, so it is not the head's time. */
static int check_filing_date(const cs_env *env, uint64_t t_d5, cs_error *error)
{
    int64_t age = env->now - (int64_t)t_d5; /* both at most CS_TIME_MAX */

    if (age < -env->delta_t)
        return CS_FAIL(error, CS_E_STALE,
            "the diagnosis is dated in the future; check that both clocks are set");
    if (age > CS_FILING_AGE_MAX)
        return CS_FAIL(
            error, CS_E_STALE, "the diagnosis was signed too long ago to be filed; sign it again");
    return CS_OK;
}

int cs_access_f1(cs_session *session, const cs_env *env, const cs_query *query, cs_view head,
    cs_view chunk, bool final, cs_buf *plain, cs_cd5 *filing, cs_bulk **bulk, cs_error *error)
{
    uint8_t h_certificate[CS_HASH_SIZE];
    cs_stream *stream = NULL;
    uint64_t time;
    int rc = cs_session_take(session, "chartseal/1 F1", env, head, chunk, final, &cs_cd5_schema,
        filing, plain, &time, &stream, error);

    *bulk = NULL;
    if (rc == CS_OK)
        rc = check_filing_date(env, filing->t_d5, error);
    if (rc == CS_OK)
        rc = cs_hash(h_certificate, filing->cert_d, error);
    if (rc == CS_OK && memcmp(h_certificate, query->h_certificate, CS_HASH_SIZE) != 0)
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "the filing comes with another certificate");
    if (rc == CS_OK && !cs_view_equal(filing->id_de, cs_view_str(query->id_de)))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the filing is for another department");
    if (rc == CS_OK)
        rc = cs_bulk_take(bulk, &stream, filing->size, error);
    cs_stream_free(&stream);
    return rc;
}

int cs_access_filed(const cs_query *query, const cs_cd5 *filing, const cs_bulk *bulk,
    uint8_t hash[CS_HASH_SIZE], cs_error *error)
{
    int rc = cs_bulk_hash_or_empty(bulk, hash, error);

    if (rc == CS_OK)
        rc = cs_diagnosis_verify(&query->doctor, query->id_p, filing, hash, error);
    return rc;
}

int cs_access_f2(cs_session *session, const cs_env *env, const uint8_t record_id[16], cs_buf *head,
    cs_buf *chunk, cs_error *error)
{
    const cs_filed filed = {.time = (uint64_t)env->now, .record_id = {record_id, 16}};
    cs_bulk *none = NULL;
    bool final;

    return cs_session_put(session, "chartseal/1 F2", env->now, &cs_filed_schema, &filed, 0, head,
        chunk, &final, &none, error);
}

int cs_emr_sign(const cs_party *hpc, const char *id_p, const char *id_de,
    const uint8_t record_id[16], const char *media_type, const uint8_t hash[CS_HASH_SIZE],
    int64_t time, uint8_t sig_emr[CS_SIGNATURE_SIZE], cs_error *error)
{
    const cs_sig_emr fields = {.id_hpc = cs_view_str(hpc->credential->id),
        .id_p = cs_view_str(id_p),
        .id_de = cs_view_str(id_de),
        .record_id = {record_id, 16},
        .media_type = cs_view_str(media_type),
        .h_emr = {hash, CS_HASH_SIZE},
        .time = (uint64_t)time};

    return cs_message_sign(sig_emr, hpc->sign, &cs_sig_emr_schema, &fields, error);
}
