/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/envelope.h"
#include "protocol/session.h"

#include <chartseal/consultation.h>

#include <stdlib.h>
#include <string.h>

typedef enum visit_p_step { STATION, SENT_M1, AGREED, SENT_M3, GOT_M4, FINISHED } visit_p_step;

struct cs_visit_p {
    const cs_party *me;
    visit_p_step step;
    cs_credential doctor;
    cs_buf cert_d;
    char department[CS_DEPARTMENT_MAX + 1];
    cs_scalar *r5; /* guarded */
    cs_point r_p2;
    int64_t t_p1;
    uint8_t h_m1[CS_HASH_SIZE];
    cs_session *session;
};

static int want_step(const cs_visit_p *visit, visit_p_step step, cs_error *error)
{
    if (visit->step != step)
        return CS_FAIL(error, CS_E_ORDER, "a step of the consultation out of its order");
    return CS_OK;
}

static int take_station(cs_visit_p *visit, const cs_env *env, cs_view m0, cs_error *error)
{
    cs_station station;
    int rc = cs_decode(&cs_station_schema, &station, m0, error);

    if (rc == CS_OK)
        rc = cs_credential_parse(&visit->doctor, visit->me->cloud, station.credential_d, error);
    if (rc == CS_OK)
        rc = cs_credential_check(&visit->doctor, visit->me->cloud, env, CS_ROLE_DOCTOR, error);
    if (rc == CS_OK)
        rc = cs_credential_check_certificate(
            &visit->doctor, env, station.cert_d, &station.ocsp, error);
    if (rc == CS_OK)
        rc = cs_buf_set(&visit->cert_d, station.cert_d, error);
    if (rc == CS_OK)
        cs_text_copy(visit->department, sizeof visit->department, station.department);
    return rc;
}

int cs_visit_p_new(
    cs_visit_p **out, const cs_party *patient, const cs_env *env, cs_view m0, cs_error *error)
{
    cs_visit_p *visit = calloc(1, sizeof *visit);
    int rc;

    *out = NULL;
    if (visit == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a consultation");
    visit->me = patient;
    rc = take_station(visit, env, m0, error);
    if (rc != CS_OK)
        cs_visit_p_free(&visit);
    *out = visit;
    return rc;
}

void cs_visit_p_free(cs_visit_p **visit)
{
    if (visit == NULL || *visit == NULL)
        return;
    cs_secret_free(&(*visit)->r5);
    cs_session_free(&(*visit)->session);
    cs_buf_free(&(*visit)->cert_d);
    free(*visit);
    *visit = NULL;
}

const cs_credential *cs_visit_p_doctor(const cs_visit_p *visit)
{
    return &visit->doctor;
}

const char *cs_visit_p_department(const cs_visit_p *visit)
{
    return visit->department;
}

/* R_P2 = r5·P and SigP1. */
static int sign_m1(
    cs_visit_p *visit, const cs_env *env, uint8_t sig_p1[CS_SIGNATURE_SIZE], cs_error *error)
{
    const cs_cloud *cloud = visit->me->cloud;
    const cs_credential *own = visit->me->credential;
    cs_sig_p1 fields;
    int rc = cs_ephemeral(&visit->r5, &visit->r_p2, cloud->suite, error);

    if (rc != CS_OK)
        return rc;
    fields = (cs_sig_p1){.r_p1 = cs_point_view(&own->r1),
        .id_p = cs_view_str(own->id),
        .r_p2 = cs_point_view(&visit->r_p2),
        .b = CS_VIEW_ARRAY(own->binding),
        .pk = cs_point_view(&cloud->pk),
        .t_p1 = (uint64_t)env->now,
        .id_d = cs_view_str(visit->doctor.id)};
    return cs_message_sign(sig_p1, visit->me->sign, &cs_sig_p1_schema, &fields, error);
}

int cs_visit_p_m1(cs_visit_p *visit, const cs_env *env, cs_buf *m1, cs_error *error)
{
    uint8_t sig_p1[CS_SIGNATURE_SIZE];
    int rc = want_step(visit, STATION, error);

    if (rc == CS_OK)
        rc = sign_m1(visit, env, sig_p1, error);
    if (rc == CS_OK) {
        const cs_cp1 cp1 = {.credential_p = cs_credential_view(visit->me->credential),
            .r_p2 = cs_point_view(&visit->r_p2),
            .t_p1 = (uint64_t)env->now,
            .sig_p1 = CS_VIEW_ARRAY(sig_p1)};

        rc = cs_envelope_seal(m1, "chartseal/1 M1", visit->me->cloud->suite, env->now,
            visit->doctor.puk_decrypt, &cs_cp1_schema, &cp1, NULL, error);
    }
    if (rc == CS_OK)
        rc = cs_hash(visit->h_m1, cs_view_buf(m1), error);
    if (rc == CS_OK) {
        visit->t_p1 = env->now;
        visit->step = SENT_M1;
    }
    return rc;
}

/* SigD1, and that M2 is by the doctor whom the person saw. */
static int check_m2(const cs_visit_p *visit, const cs_env *env, const cs_cd1 *cd1, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    const cs_sig_d1 fields = {.r_d2 = cd1->r_d2,
        .id_d = cd1->id_d,
        .t_d1 = cd1->t_d1,
        .cert_d = cd1->cert_d,
        .tag_d = cd1->tag_d,
        .pk = cs_point_view(&visit->me->cloud->pk),
        .id_p = cs_view_str(visit->me->credential->id),
        .h_m1 = CS_VIEW_ARRAY(visit->h_m1)};
    int rc = cs_message_verify("the doctor's SigD1", visit->doctor.puk_sign, &cs_sig_d1_schema,
        &fields, cd1->sig_d1, digest, error);

    if (rc != CS_OK)
        return rc;
    if (!cs_view_equal(cd1->id_d, cs_view_str(visit->doctor.id)) ||
        !cs_view_equal(cd1->r_d1, cs_point_view(&visit->doctor.r1)) ||
        !cs_view_equal(cd1->cert_d, cs_view_buf(&visit->cert_d)))
        return CS_FAIL(error, CS_E_CREDENTIAL, "the answer is by another doctor than was shown");
    return cs_check_fresh(env, digest, error);
}

static int agree(cs_visit_p *visit, const cs_cd1 *cd1, cs_error *error)
{
    cs_confirmation confirmation = {.h_request = CS_VIEW_ARRAY(visit->h_m1),
        .id = cd1->id_d,
        .r = cd1->r_d2,
        .time = cd1->t_d1};
    cs_point r_d2;
    cs_handshake handshake = {.cloud = visit->me->cloud,
        .starts = true,
        .r = visit->r5,
        .scalar = visit->me->scalar,
        .own = visit->me->credential,
        .peer = &visit->doctor,
        .r_own = &visit->r_p2,
        .r_peer = &r_d2,
        .t_own = visit->t_p1,
        .t_peer = (int64_t)cd1->t_d1};
    int rc = cs_point_decode(&r_d2, visit->me->cloud->suite, cd1->r_d2, error);

    if (rc == CS_OK)
        rc = cs_session_agree(&visit->session, &handshake, error);
    if (rc == CS_OK)
        rc = cs_session_check_tag(visit->session, &confirmation, cd1->tag_d, "the doctor", error);
    cs_secret_free(&visit->r5);
    return rc;
}

int cs_visit_p_m2(cs_visit_p *visit, const cs_env *env, cs_view m2, cs_error *error)
{
    cs_cd1 cd1;
    cs_buf plain = {0};
    uint64_t time;
    int rc = want_step(visit, SENT_M1, error);

    if (rc != CS_OK)
        return rc;
    visit->step = FINISHED; /* one answer: after a refused one the visit starts again */
    rc = cs_envelope_open(
        "chartseal/1 M2", visit->me, env, m2, &cs_cd1_schema, &cd1, &plain, &time, NULL, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, cd1.t_d1, error);
    if (rc == CS_OK)
        rc = check_m2(visit, env, &cd1, error);
    if (rc == CS_OK)
        rc = agree(visit, &cd1, error);
    if (rc == CS_OK)
        visit->step = AGREED;
    cs_buf_free(&plain);
    return rc;
}

static int make_consent(
    const cs_visit_p *visit, const cs_consent_terms *terms, cs_buf *out, cs_error *error)
{
    uint8_t nonce[16];
    cs_buf bytes = {0};
    cs_consent consent;
    cs_consent_bundle bundle;
    int rc;

    cs_random(nonce, sizeof nonce);
    consent = (cs_consent){.id_p = cs_view_str(visit->me->credential->id),
        .id_d = cs_view_str(visit->doctor.id),
        .id_de = cs_view_str(terms->id_de),
        .purpose = cs_view_str(terms->purpose),
        .not_after = (uint64_t)terms->not_after,
        .nonce = CS_VIEW_ARRAY(nonce)};
    rc = cs_signed_make(&bytes, visit->me->sign, &cs_consent_schema, &consent, error);
    if (rc == CS_OK) {
        bundle = (cs_consent_bundle){.consent = cs_view_buf(&bytes),
            .credential_p = cs_credential_view(visit->me->credential)};
        rc = cs_encode(out, &cs_consent_bundle_schema, &bundle, error);
    }
    cs_buf_free(&bytes);
    return rc;
}

int cs_visit_p_m3(cs_visit_p *visit, const cs_env *env, const cs_consent_terms *terms,
    const char *media_type, uint64_t size, cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk,
    cs_error *error)
{
    cs_buf consent = {0};
    int rc = want_step(visit, AGREED, error);

    *bulk = NULL;
    if (rc == CS_OK && terms != NULL)
        rc = make_consent(visit, terms, &consent, error);
    if (rc == CS_OK) {
        const cs_cp2 cp2 = {.id_p = cs_view_str(visit->me->credential->id),
            .t_p2 = (uint64_t)env->now,
            .consent = cs_view_buf(&consent),
            .media_type = cs_view_str(media_type),
            .size = size};

        rc = cs_session_put(visit->session, "chartseal/1 M3", env->now, &cs_cp2_schema, &cp2, size,
            head, chunk, final, bulk, error);
    }
    if (rc == CS_OK)
        visit->step = SENT_M3;
    cs_buf_free(&consent);
    return rc;
}

int cs_visit_p_m4(cs_visit_p *visit, const cs_env *env, cs_view head, cs_view chunk, bool final,
    cs_buf *plain, cs_diagnosis *diagnosis, cs_bulk **bulk, cs_error *error)
{
    cs_stream *stream = NULL;
    uint64_t time;
    int rc = want_step(visit, SENT_M3, error);

    *bulk = NULL;
    if (rc == CS_OK)
        rc = cs_session_take(visit->session, "chartseal/1 M4", env, head, chunk, final,
            &cs_cd5_schema, &diagnosis->cd5, plain, &time, &stream, error);
    if (rc == CS_OK)
        rc = cs_check_time(env, diagnosis->cd5.t_d5, error);
    if (rc == CS_OK && !cs_view_equal(diagnosis->cd5.cert_d, cs_view_buf(&visit->cert_d)))
        rc = CS_FAIL(error, CS_E_CERTIFICATE, "the diagnosis comes with another certificate");
    if (rc == CS_OK)
        rc = cs_bulk_take(bulk, &stream, diagnosis->cd5.size, error);
    if (rc == CS_OK)
        visit->step = GOT_M4;
    cs_stream_free(&stream);
    return rc;
}

int cs_visit_p_finish(
    cs_visit_p *visit, cs_diagnosis *diagnosis, const cs_bulk *bulk, cs_error *error)
{
    int rc = want_step(visit, GOT_M4, error);

    if (rc == CS_OK)
        rc = cs_bulk_hash_or_empty(bulk, diagnosis->hash, error);
    if (rc == CS_OK)
        rc = cs_diagnosis_verify(
            &visit->doctor, visit->me->credential->id, &diagnosis->cd5, diagnosis->hash, error);
    if (rc == CS_OK)
        visit->step = FINISHED;
    return rc;
}
