/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/diagnosis.h"

#include <string.h>

int cs_diagnosis_sign(cs_signed_diagnosis *out, const cs_party *doctor, const cs_env *env,
    const char *id_p, const char *id_de, const char *media_type, cs_view m_dinf, cs_error *error)
{
    uint8_t h_dinf[CS_HASH_SIZE];
    cs_sig_dinf fields;
    int rc;

    memset(out, 0, sizeof *out);
    if (m_dinf.n > CS_DIAGNOSIS_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "a diagnosis has at most %d bytes", CS_DIAGNOSIS_MAX);
    rc = cs_text_take(out->id_de, sizeof out->id_de, "department", id_de, error);
    if (rc == CS_OK)
        rc = cs_text_take(out->media_type, sizeof out->media_type, "media type", media_type, error);
    if (rc == CS_OK)
        rc = cs_hash(h_dinf, m_dinf, error);
    if (rc != CS_OK)
        return rc;
    fields = (cs_sig_dinf){.id_p = cs_view_str(id_p),
        .id_d = cs_view_str(doctor->credential->id),
        .h_cert_d = CS_VIEW_ARRAY(doctor->credential->binding), /* which is h(Cert_D) */
        .id_de = cs_view_str(id_de),
        .media_type = cs_view_str(media_type),
        .h_dinf = CS_VIEW_ARRAY(h_dinf),
        .t_d5 = (uint64_t)env->now};
    out->t_d5 = env->now;
    out->size = m_dinf.n;
    return cs_message_sign(out->sig_dinf, doctor->sign, &cs_sig_dinf_schema, &fields, error);
}

int cs_diagnosis_verify(const cs_credential *doctor, const char *id_p, const cs_cd5 *cd5,
    const uint8_t hash[CS_HASH_SIZE], cs_error *error)
{
    const cs_sig_dinf fields = {.id_p = cs_view_str(id_p),
        .id_d = cs_view_str(doctor->id),
        .h_cert_d = CS_VIEW_ARRAY(doctor->binding),
        .id_de = cd5->id_de,
        .media_type = cd5->media_type,
        .h_dinf = {hash, CS_HASH_SIZE},
        .t_d5 = cd5->t_d5};

    return cs_message_verify("the doctor's SigDINF", doctor->puk_sign, &cs_sig_dinf_schema, &fields,
        cd5->sig_dinf, NULL, error);
}

int cs_diagnosis_put(cs_session *session, const char *label, const cs_party *doctor,
    const cs_env *env, const cs_signed_diagnosis *diagnosis, cs_buf *head, cs_buf *chunk,
    bool *final, cs_bulk **bulk, cs_error *error)
{
    const cs_cd5 cd5 = {.cert_d = doctor->certificate,
        .t_d5 = (uint64_t)diagnosis->t_d5,
        .id_de = cs_view_str(diagnosis->id_de),
        .media_type = cs_view_str(diagnosis->media_type),
        .size = diagnosis->size,
        .sig_dinf = CS_VIEW_ARRAY(diagnosis->sig_dinf)};

    return cs_session_put(session, label, env->now, &cs_cd5_schema, &cd5, diagnosis->size, head,
        chunk, final, bulk, error);
}
