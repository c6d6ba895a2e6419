/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/access.h"

#include <chartseal/consultation.h>

int cs_access_check(cs_query *query, const cs_cloud *cloud, const cs_env *env, cs_view consent,
    cs_view reason, cs_error *error)
{
    if ((consent.n == 0) == (reason.n == 0))
        return CS_FAIL(error, CS_E_CONSENT,
            "a search needs the patient's consent or, in an emergency, a reason");
    query->emergency = consent.n == 0;
    cs_text_copy(query->reason, sizeof query->reason, reason);
    if (query->emergency)
        return CS_OK;
    return cs_consent_verify(cloud, env, consent, cs_view_str(query->id_p),
        cs_view_str(query->doctor.id), query->id_de, NULL, error);
}

int cs_hospital_hash(uint8_t hash[CS_HASH_SIZE], cs_view id_hpc, cs_view salt, cs_error *error)
{
    const cs_hospital_commitment commitment = {.id_hpc = id_hpc, .salt = salt};

    return cs_message_hash(hash, &cs_hospital_commitment_schema, &commitment, error);
}

int cs_sig_c_open(cs_sig_c *out, const cs_cloud *cloud, cs_view body, cs_view signature,
    uint8_t *digest, cs_error *error)
{
    const cs_signed whole = {.body = body, .signature = signature};
    int rc = cs_decode(&cs_sig_c_schema, out, body, error);

    if (rc == CS_OK && out->hospitals.n % CS_HASH_SIZE != 0)
        rc = CS_FAIL(error, CS_E_MALFORMED, "SigC does not cover whole commitments");
    if (rc == CS_OK)
        rc = cs_signed_verify("the public cloud's SigC", &whole, cloud->puk_sign, digest, error);
    return rc;
}

static bool has_commitment(cs_view hospitals, const uint8_t hash[CS_HASH_SIZE])
{
    for (size_t at = 0; at < hospitals.n; at += CS_HASH_SIZE) {
        if (cs_view_equal((cs_view){hospitals.p + at, CS_HASH_SIZE}, (cs_view){hash, CS_HASH_SIZE}))
            return true;
    }
    return false;
}

int cs_referral_check(
    const cs_query *query, const cs_party *hpc, const cs_env *env, cs_view bytes, cs_error *error)
{
    uint8_t own[CS_HASH_SIZE];
    cs_referral referral;
    cs_sig_c fields;
    int64_t age;
    int rc = cs_decode(&cs_referral_schema, &referral, bytes, error);

    if (rc == CS_OK)
        rc = cs_sig_c_open(&fields, hpc->cloud, referral.sig_c_body, referral.sig_c, NULL, error);
    if (rc != CS_OK)
        return rc;
    age = env->now - (int64_t)fields.t_c;
    if (age > CS_REFERRAL_AGE_MAX || age < -env->delta_t)
        return CS_FAIL(error, CS_E_STALE, "the referral is too old; search again");
    if (!cs_view_equal(fields.y_d, cs_point_view(&query->doctor.y)) ||
        !cs_view_equal(fields.id_p, cs_view_str(query->id_p)) ||
        !cs_view_equal(fields.id_de, cs_view_str(query->id_de)))
        return CS_FAIL(
            error, CS_E_RECIPIENT, "the referral is for another doctor, patient or department");
    rc = cs_hospital_hash(own, cs_view_str(hpc->credential->id), referral.salt, error);
    if (rc == CS_OK && !has_commitment(fields.hospitals, own))
        rc = CS_FAIL(error, CS_E_RECIPIENT, "the referral is to another hospital");
    return rc;
}
