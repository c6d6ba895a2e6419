/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CONSULTATION_H
#define CHARTSEAL_CONSULTATION_H

/*
 * Consultation, Eq. 11-24, and diagnosis, Eq. 49-50: patient P and doctor D, four messages.
 *
 *   M0  D → P  credential_D, Cert_D, department             public; the person sees which doctor it
 * is M1  P → D  E_PUKD(credential_P, R_P2, T_P1, SigP1) M2  D → P  E_PUKP(ID_D, Cert_D, R_D1, R_D2,
 * tag_D, T_D1, SigD1) M3  P → D  E_SEK1(ID_P, T_P2, consent) and M_SD M4  D → P  E_SEK1(Cert_D,
 * T_D5, SigDINF) and M_DINF
 *
 * Token operations: P 2 sign (SigP1, consent), 1 agree, 1 scalar_mul; D 2 sign (SigD1, SigDINF),
 * 1 agree, 1 scalar_mul. Steps must be called in this order; another order is CS_E_ORDER.
 */

#include <chartseal/session.h>

/* -- the patient's device -----------------------------------------------------------------------
 */

typedef struct cs_visit_p cs_visit_p;

/* Takes M0: checks credential_D and Cert_D. `doctor` is what to show the person. The party, its
 * cloud and keys must outlive the visit. */
CS_MUST_CHECK int cs_visit_p_new(
    cs_visit_p **out, const cs_party *patient, const cs_env *env, cs_view m0, cs_error *error);
void cs_visit_p_free(cs_visit_p **visit);
const cs_credential *cs_visit_p_doctor(const cs_visit_p *visit);
/* The department that the station names; an end-marked string, "" when it names none. */
const char *cs_visit_p_department(const cs_visit_p *visit);

CS_MUST_CHECK int cs_visit_p_m1(cs_visit_p *visit, const cs_env *env, cs_buf *m1, cs_error *error);
CS_MUST_CHECK int cs_visit_p_m2(cs_visit_p *visit, const cs_env *env, cs_view m2, cs_error *error);

/* What the patient agrees to; NULL for none. id_de NULL or "": any department. */
typedef struct cs_consent_terms {
    const char *id_de;
    const char *purpose;
    int64_t not_after;
} cs_consent_terms;
/* The head and first chunk of M3; *final tells whether the chunk is the last. Bulk M_SD of `size`
 * bytes then goes through *bulk (NULL result when size is 0). */
CS_MUST_CHECK int cs_visit_p_m3(cs_visit_p *visit, const cs_env *env, const cs_consent_terms *terms,
    const char *media_type, uint64_t size, cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk,
    cs_error *error);

/* M4: head and first chunk; *diagnosis points into *plain, which the caller keeps and frees. */
typedef struct cs_diagnosis {
    cs_cd5 cd5;
    uint8_t hash[CS_HASH_SIZE]; /* set by the finish */
} cs_diagnosis;
CS_MUST_CHECK int cs_visit_p_m4(cs_visit_p *visit, const cs_env *env, cs_view head, cs_view chunk,
    bool final, cs_buf *plain, cs_diagnosis *diagnosis, cs_bulk **bulk, cs_error *error);
/* After the last chunk: SigDINF over what came. Only then is M_DINF the doctor's word. */
CS_MUST_CHECK int cs_visit_p_finish(
    cs_visit_p *visit, cs_diagnosis *diagnosis, const cs_bulk *bulk, cs_error *error);

/* -- the doctor's station ------------------------------------------------------------------------
 */

typedef struct cs_visit_d cs_visit_d;

CS_MUST_CHECK int cs_visit_d_new(
    cs_visit_d **out, const cs_party *doctor, const char *department, cs_buf *m0, cs_error *error);
void cs_visit_d_free(cs_visit_d **visit);
/* Set after M1. */
const cs_credential *cs_visit_d_patient(const cs_visit_d *visit);
/* The consent bundle that came with M3, verified; empty when the patient gave none. */
cs_view cs_visit_d_consent(const cs_visit_d *visit);

/* Takes M1 and answers M2. */
CS_MUST_CHECK int cs_visit_d_m1(
    cs_visit_d *visit, const cs_env *env, cs_view m1, cs_buf *m2, cs_error *error);
/* M3: head and first chunk. *signal points into *plain. */
typedef struct cs_signal {
    cs_view media_type;
    uint64_t size;
} cs_signal;
CS_MUST_CHECK int cs_visit_d_m3(cs_visit_d *visit, const cs_env *env, cs_view head, cs_view chunk,
    bool final, cs_buf *plain, cs_signal *signal, cs_bulk **bulk, cs_error *error);

/* Sign the diagnosis: SigDINF, once; the same goes to P (M4) and to HPC (filing, search.h). */
typedef struct cs_signed_diagnosis {
    uint8_t sig_dinf[CS_SIGNATURE_SIZE];
    int64_t t_d5;
    char id_de[CS_DEPARTMENT_MAX + 1];
    char media_type[CS_MEDIA_TYPE_MAX + 1];
    uint64_t size;
} cs_signed_diagnosis;
CS_MUST_CHECK int cs_diagnosis_sign(cs_signed_diagnosis *out, const cs_party *doctor,
    const cs_env *env, const char *id_p, const char *id_de, const char *media_type, cs_view m_dinf,
    cs_error *error);
CS_MUST_CHECK int cs_visit_d_m4(cs_visit_d *visit, const cs_env *env,
    const cs_signed_diagnosis *diagnosis, cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk,
    cs_error *error);

/* SigDINF of a diagnosis by `doctor` for `id_p`. */
CS_MUST_CHECK int cs_diagnosis_verify(const cs_credential *doctor, const char *id_p,
    const cs_cd5 *cd5, const uint8_t hash[CS_HASH_SIZE], cs_error *error);

/* -- consent
 * --------------------------------------------------------------------------------------- */

/* Verify a consent bundle: P's credential, signature, dates; that it is by id_p for id_d (and,
 * where id_de is not NULL, that it covers the department). patient may be NULL. */
CS_MUST_CHECK int cs_consent_verify(const cs_cloud *cloud, const cs_env *env, cs_view bundle,
    cs_view id_p, cs_view id_d, const char *id_de, cs_credential *patient, cs_error *error);

#endif
