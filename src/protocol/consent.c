/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/common.h"

#include <chartseal/consultation.h>

/* What a consent has to say for this doctor, patient and department. */
static int covers(const cs_consent *consent, const cs_env *env, cs_view id_p, cs_view id_d,
    const char *id_de, cs_error *error)
{
    if (!cs_view_equal(consent->id_p, id_p) || !cs_view_equal(consent->id_d, id_d))
        return CS_FAIL(error, CS_E_CONSENT,
            "the consent is by another patient or for another "
            "doctor; ask the patient for one");
    if (id_de != NULL && consent->id_de.n > 0 && !cs_view_equal(consent->id_de, cs_view_str(id_de)))
        return CS_FAIL(
            error, CS_E_CONSENT, "the consent is for another department; ask the patient for one");
    if ((int64_t)consent->not_after < env->now)
        return CS_FAIL(error, CS_E_EXPIRED, "the consent has expired; ask the patient for one");
    return CS_OK;
}

int cs_consent_verify(const cs_cloud *cloud, const cs_env *env, cs_view bytes, cs_view id_p,
    cs_view id_d, const char *id_de, cs_credential *patient, cs_error *error)
{
    cs_credential credential;
    cs_consent_bundle bundle;
    cs_consent consent = {0};
    cs_signed whole;
    int rc = cs_decode(&cs_consent_bundle_schema, &bundle, bytes, error);

    if (rc == CS_OK)
        rc = cs_decode(&cs_signed_schema, &whole, bundle.consent, error);
    if (rc == CS_OK)
        rc = cs_decode(&cs_consent_schema, &consent, whole.body, error);
    if (rc == CS_OK)
        rc = cs_credential_parse(&credential, cloud, bundle.credential_p, error);
    if (rc == CS_OK)
        rc = cs_signed_verify(
            "the patient's signature on the consent", &whole, credential.puk_sign, NULL, error);
    if (rc == CS_OK)
        rc = cs_credential_check(&credential, cloud, env, CS_ROLE_PATIENT, error);
    if (rc == CS_OK && !cs_view_equal(cs_view_str(credential.id), consent.id_p))
        rc = CS_FAIL(error, CS_E_CONSENT, "the consent is signed by another patient");
    if (rc == CS_OK)
        rc = covers(&consent, env, id_p, id_d, id_de, error);
    if (rc == CS_OK && patient != NULL)
        *patient = credential;
    return rc;
}
