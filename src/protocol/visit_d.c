/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/diagnosis.h"
#include "protocol/envelope.h"

#include <stdlib.h>
#include <string.h>

typedef enum visit_d_step { WAITING, AGREED, GOT_M3, SENT_M4 } visit_d_step;

struct cs_visit_d {
    const cs_party *me;
    visit_d_step step;
    cs_credential patient;
    cs_session *session;
    cs_buf consent;
};

static int want_step(const cs_visit_d *visit, visit_d_step step, cs_error *error)
{
    if (visit->step != step)
        return CS_FAIL(error, CS_E_ORDER, "a step of the consultation out of its order");
    return CS_OK;
}

int cs_visit_d_new(
    cs_visit_d **out, const cs_party *doctor, const char *department, cs_buf *m0, cs_error *error)
{
    const cs_station station = {.credential_d = cs_credential_view(doctor->credential),
        .cert_d = doctor->certificate,
        .ocsp = doctor->ocsp,
        .department = cs_view_str(department)};
    cs_visit_d *visit = calloc(1, sizeof *visit);
    int rc;

    *out = NULL;
    if (visit == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a consultation");
    visit->me = doctor;
    rc = cs_encode(m0, &cs_station_schema, &station, error);
    if (rc != CS_OK)
        cs_visit_d_free(&visit);
    *out = visit;
    return rc;
}

void cs_visit_d_free(cs_visit_d **visit)
{
    if (visit == NULL || *visit == NULL)
        return;
    cs_session_free(&(*visit)->session);
    cs_buf_free(&(*visit)->consent);
    free(*visit);
    *visit = NULL;
}

const cs_credential *cs_visit_d_patient(const cs_visit_d *visit)
{
    return &visit->patient;
}

cs_view cs_visit_d_consent(const cs_visit_d *visit)
{
    return cs_view_buf(&visit->consent);
}

/* SigP1 with the claimed key, then whether the claim holds. The patient named this doctor in SigP1,
 * so a message that another doctor passes on does not verify. */
static int check_m1(cs_visit_d *visit, const cs_env *env, const cs_cp1 *cp1, cs_error *error)
{
    const cs_cloud *cloud = visit->me->cloud;
    uint8_t digest[CS_HASH_SIZE];
    cs_sig_p1 fields;
    int rc = cs_credential_parse(&visit->patient, cloud, cp1->credential_p, error);

    if (rc != CS_OK)
        return rc;
    fields = (cs_sig_p1){.r_p1 = cs_point_view(&visit->patient.r1),
        .id_p = cs_view_str(visit->patient.id),
        .r_p2 = cp1->r_p2,
        .b = CS_VIEW_ARRAY(visit->patient.binding),
        .pk = cs_point_view(&cloud->pk),
        .t_p1 = cp1->t_p1,
        .id_d = cs_view_str(visit->me->credential->id)};
    rc = cs_message_verify("the patient's SigP1", visit->patient.puk_sign, &cs_sig_p1_schema,
        &fields, cp1->sig_p1, digest, error);
    if (rc == CS_OK)
        rc = cs_credential_check(&visit->patient, cloud, env, CS_ROLE_PATIENT, error);
    if (rc == CS_OK)
        rc = cs_check_fresh(env, digest, error);
    return rc;
}

/* R_D2 = r6·P, SEK1. r6 lives no longer than this; a session that could not be answered goes. */
static int agree(
    cs_visit_d *visit, const cs_env *env, const cs_cp1 *cp1, cs_point *r_d2, cs_error *error)
{
    cs_suite suite = visit->me->cloud->suite;
    cs_scalar *r6 = NULL;
    cs_point r_p2;
    cs_handshake handshake = {.cloud = visit->me->cloud,
        .starts = false,
        .scalar = visit->me->scalar,
        .own = visit->me->credential,
        .peer = &visit->patient,
        .r_own = r_d2,
        .r_peer = &r_p2,
        .t_own = env->now,
        .t_peer = (int64_t)cp1->t_p1};
    int rc = cs_point_decode(&r_p2, suite, cp1->r_p2, error);

    cs_session_free(&visit->session);
    if (rc == CS_OK)
        rc = cs_ephemeral(&r6, r_d2, suite, error);
    handshake.r = r6;
    if (rc == CS_OK)
        rc = cs_session_agree(&visit->session, &handshake, error);
    cs_secret_free(&r6);
    return rc;
}

static int answer(const cs_visit_d *visit, const cs_env *env, cs_view m1, const cs_point *r_d2,
    cs_buf *m2, cs_error *error)
{
    const cs_credential *own = visit->me->credential;
    uint8_t h_m1[CS_HASH_SIZE];
    uint8_t tag_d[CS_HASH_SIZE];
    uint8_t sig_d1[CS_SIGNATURE_SIZE];
    cs_confirmation confirmation = {.h_request = CS_VIEW_ARRAY(h_m1),
        .id = cs_view_str(own->id),
        .r = cs_point_view(r_d2),
        .time = (uint64_t)env->now};
    const cs_sig_d1 fields = {.r_d2 = cs_point_view(r_d2),
        .id_d = cs_view_str(own->id),
        .t_d1 = (uint64_t)env->now,
        .cert_d = visit->me->certificate,
        .tag_d = CS_VIEW_ARRAY(tag_d),
        .pk = cs_point_view(&visit->me->cloud->pk),
        .id_p = cs_view_str(visit->patient.id),
        .h_m1 = CS_VIEW_ARRAY(h_m1)};
    const cs_cd1 cd1 = {.id_d = cs_view_str(own->id),
        .cert_d = visit->me->certificate,
        .r_d1 = cs_point_view(&own->r1),
        .r_d2 = cs_point_view(r_d2),
        .tag_d = CS_VIEW_ARRAY(tag_d),
        .t_d1 = (uint64_t)env->now,
        .sig_d1 = CS_VIEW_ARRAY(sig_d1)};
    int rc = cs_hash(h_m1, m1, error);

    if (rc == CS_OK)
        rc = cs_session_tag(visit->session, &confirmation, tag_d, error);
    if (rc == CS_OK)
        rc = cs_message_sign(sig_d1, visit->me->sign, &cs_sig_d1_schema, &fields, error);
    if (rc == CS_OK)
        rc = cs_envelope_seal(m2, "chartseal/1 M2", visit->me->cloud->suite, env->now,
            visit->patient.puk_decrypt, &cs_cd1_schema, &cd1, NULL, error);
    return rc;
}

int cs_visit_d_m1(cs_visit_d *visit, const cs_env *env, cs_view m1, cs_buf *m2, cs_error *error)
{
    cs_cp1 cp1;
    cs_point r_d2;
    cs_buf plain = {0};
    uint64_t time;
    int rc = want_step(visit, WAITING, error);

    if (rc == CS_OK)
        rc = cs_envelope_open(
            "chartseal/1 M1", visit->me, env, m1, &cs_cp1_schema, &cp1, &plain, &time, NULL, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, cp1.t_p1, error);
    if (rc == CS_OK)
        rc = check_m1(visit, env, &cp1, error);
    if (rc == CS_OK)
        rc = agree(visit, env, &cp1, &r_d2, error);
    if (rc == CS_OK)
        rc = answer(visit, env, m1, &r_d2, m2, error);
    if (rc == CS_OK)
        visit->step = AGREED;
    cs_buf_free(&plain);
    return rc;
}

static int take_consent(cs_visit_d *visit, const cs_env *env, cs_view consent, cs_error *error)
{
    int rc;

    if (consent.n == 0)
        return CS_OK;
    rc = cs_consent_verify(visit->me->cloud, env, consent, cs_view_str(visit->patient.id),
        cs_view_str(visit->me->credential->id), NULL, NULL, error);
    return rc == CS_OK ? cs_buf_set(&visit->consent, consent, error) : rc;
}

int cs_visit_d_m3(cs_visit_d *visit, const cs_env *env, cs_view head, cs_view chunk, bool final,
    cs_buf *plain, cs_signal *signal, cs_bulk **bulk, cs_error *error)
{
    cs_stream *stream = NULL;
    cs_cp2 cp2 = {0};
    uint64_t time;
    int rc = want_step(visit, AGREED, error);

    *bulk = NULL;
    if (rc == CS_OK)
        rc = cs_session_take(visit->session, "chartseal/1 M3", env, head, chunk, final,
            &cs_cp2_schema, &cp2, plain, &time, &stream, error);
    if (rc == CS_OK)
        rc = cs_check_same_time(time, cp2.t_p2, error);
    if (rc == CS_OK && !cs_view_equal(cp2.id_p, cs_view_str(visit->patient.id)))
        rc = CS_FAIL(error, CS_E_CREDENTIAL, "M3 names another patient than M1");
    if (rc == CS_OK)
        rc = take_consent(visit, env, cp2.consent, error);
    if (rc == CS_OK)
        rc = cs_bulk_take(bulk, &stream, cp2.size, error);
    if (rc == CS_OK) {
        *signal = (cs_signal){.media_type = cp2.media_type, .size = cp2.size};
        visit->step = GOT_M3;
    }
    cs_stream_free(&stream);
    return rc;
}

int cs_visit_d_m4(cs_visit_d *visit, const cs_env *env, const cs_signed_diagnosis *diagnosis,
    cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk, cs_error *error)
{
    int rc = want_step(visit, GOT_M3, error);

    *bulk = NULL;
    if (rc == CS_OK)
        rc = cs_diagnosis_put(visit->session, "chartseal/1 M4", visit->me, env, diagnosis, head,
            chunk, final, bulk, error);
    if (rc == CS_OK)
        visit->step = SENT_M4;
    return rc;
}
