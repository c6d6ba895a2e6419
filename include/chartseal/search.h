/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SEARCH_H
#define CHARTSEAL_SEARCH_H

/*
 * EMR search, Eq. 25-48, and filing: doctor D asks PC where a patient's records are, and the
 * hospital HPC for one of them.
 *
 *   S1  D → PC   E_PUKPC(ID_P, T_D2, ID_D, credential_D, Cert_D, ID_DE, consent | reason, SigD2)
 *   S2  PC → D   E_PUKD(SigC over (ID_DE, Y_D, hospitals, T_C, ID_P, h(S1)); per hospital: ID_HPC,
 *                credential_HPC, URL, salt)
 *   S3  D → HPC  E_PUKHPC(credential_D, Cert_D, T_D3, ID_D, R_D3, R_D1, ID_P, ID_DE, referral,
 *                consent | reason, SigD3)
 *   S4  HPC → D  E_PUKD(ID_HPC, tag_HPC, T_HPC1, R_HPC2, SigHPC1)
 *   S5  D → HPC  E_SEK2(ID_P, ID_D, T_D4, h(Cert_D), record asked for)
 *   S6  HPC → D  E_SEK2(T_HPC2, record id, SigEMR …) and M_EMR
 *   F1  D → HPC  E_SEK2(Cert_D, T_D5, SigDINF …) and M_DINF
 *   F2  HPC → D  E_SEK2(record id)
 *
 * A referral is SigC with the fields it covers: HPC sees that PC was asked, and for whom. Several
 * hospitals of one answer stand in SigC as commitments h(ID_HPC, salt), so that one signature
 * serves and a referral shown to one hospital names no other.
 *
 * Token operations: D 2 sign, 2 agree, 1 scalar_mul; PC 1 sign, 1 agree; HPC 1 sign, 1 agree,
 * 1 scalar_mul. prf of index and records is the service's (at_rest.h).
 */

#include <chartseal/consultation.h>

#define CS_REFERRAL_AGE_MAX 600000 /* ms: D chooses among hospitals, a person may have to */
/* ms: a week, for a hospital that could not be reached when D signed. Longer, and whoever has a
 * doctor's session could date back as she likes. */
#define CS_FILING_AGE_MAX 604800000LL

/* -- the doctor
 * ------------------------------------------------------------------------------------ */

typedef struct cs_search cs_search;

/* By consent (bundle from M3) or, in an emergency, by a reason for people; one of the two. */
CS_MUST_CHECK int cs_search_new(cs_search **out, const cs_party *doctor, const char *id_p,
    const char *id_de, cs_view consent, const char *reason, cs_error *error);
void cs_search_free(cs_search **search);

/* One answer for each S1, and for each S3: after a refused one the request is made again. */
CS_MUST_CHECK int cs_search_s1(cs_search *search, const cs_env *env, cs_buf *s1, cs_error *error);
CS_MUST_CHECK int cs_search_s2(cs_search *search, const cs_env *env, cs_view s2, cs_error *error);

/* What PC found, after S2. Their certificates are not known to D; PC vouches by the credential. */
typedef struct cs_hospital {
    cs_credential credential;
    char url[CS_URL_MAX + 1];
    uint8_t salt[16];
} cs_hospital;
size_t cs_search_count(const cs_search *search);
const cs_hospital *cs_search_hospital(const cs_search *search, size_t i);

/* A session with hospital i. A search may open one after the other. */
CS_MUST_CHECK int cs_search_s3(
    cs_search *search, const cs_env *env, size_t i, cs_buf *s3, cs_error *error);
CS_MUST_CHECK int cs_search_s4(cs_search *search, const cs_env *env, cs_view s4, cs_error *error);

/* Ask for a record: record_id of 16 bytes, or empty for the newest. One chunk, the last. */
CS_MUST_CHECK int cs_search_s5(cs_search *search, const cs_env *env, cs_view record_id,
    cs_buf *head, cs_buf *chunk, cs_error *error);
/* S6, of the record asked for. *record points into *plain. *bulk is NULL when the record has no
 * bytes. */
CS_MUST_CHECK int cs_search_s6(cs_search *search, const cs_env *env, cs_view head, cs_view chunk,
    bool final, cs_buf *plain, cs_chpc2 *record, cs_bulk **bulk, cs_error *error);
/* After the last chunk: h(M_EMR) is what was announced, and SigEMR is HPC's over it. */
CS_MUST_CHECK int cs_search_finish(
    cs_search *search, const cs_chpc2 *record, const cs_bulk *bulk, cs_error *error);

CS_MUST_CHECK int cs_search_f1(cs_search *search, const cs_env *env,
    const cs_signed_diagnosis *diagnosis, cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk,
    cs_error *error);
CS_MUST_CHECK int cs_search_f2(cs_search *search, const cs_env *env, cs_view head, cs_view chunk,
    bool final, uint8_t record_id[16], cs_error *error);

/* -- PC
 * ---------------------------------------------------------------------------------------------- */

/* Who asks, for whom, by what right: S1 opened and checked. A plain value. */
typedef struct cs_query {
    cs_credential doctor;
    char id_p[CS_ID_MAX + 1];
    char id_de[CS_DEPARTMENT_MAX + 1];
    bool emergency;
    char reason[CS_TEXT_MAX + 1];
    uint8_t h_request[CS_HASH_SIZE];      /* h(S1), or h(S3) */
    uint8_t signature[CS_SIGNATURE_SIZE]; /* SigD2, or SigD3: evidence */
    uint8_t h_access[CS_HASH_SIZE];
    bool known; /* also when it is refused: the doctor has signed this, with a key that PC knows */
    /* HPC only: */
    uint8_t h_certificate[CS_HASH_SIZE]; /* h(Cert_D) */
    cs_point r_d3;
    int64_t t_d3;
    /* what cs_access_check_again looks at: Cert_D, and the consent (empty in an emergency) */
    uint8_t certificate[CS_CERTIFICATE_MAX];
    size_t certificate_size;
    uint8_t ocsp[CS_STAPLE_MAX]; /* what came with it */
    size_t ocsp_size;
    uint8_t consent[CS_CONSENT_MAX];
    size_t consent_size;
} cs_query;
CS_MUST_CHECK int cs_query_open(
    cs_query *out, const cs_party *pc, const cs_env *env, cs_view s1, cs_error *error);
/* The rows that the service found: 1 to CS_LIST_MAX, decoded (cs_index_value). */
CS_MUST_CHECK int cs_query_answer(const cs_party *pc, const cs_env *env, const cs_query *query,
    const cs_index_value *rows, size_t count, cs_buf *s2, cs_error *error);

/* Publishing, HPC → PC: P1 sealed and signed; P2 acknowledges under a key exported from P1. */
typedef struct cs_publishing {
    uint8_t reply_secret[32]; /* guarded memory is the caller's choice; wipe after use */
    uint8_t h_request[CS_HASH_SIZE];
} cs_publishing;
CS_MUST_CHECK int cs_publishing_begin(cs_publishing *out, const cs_party *hpc, const cs_env *env,
    const char *id_p, const char *id_de, const char *url, cs_buf *p1, cs_error *error);
CS_MUST_CHECK int cs_publishing_finish(const cs_publishing *publishing, const cs_party *hpc,
    const cs_env *env, cs_view p2, cs_error *error);

typedef struct cs_publication {
    cs_credential hospital;
    char id_p[CS_ID_MAX + 1];
    char id_de[CS_DEPARTMENT_MAX + 1];
    char url[CS_URL_MAX + 1];
    uint8_t h_request[CS_HASH_SIZE];
    uint8_t reply_secret[32];
    uint8_t signature[CS_SIGNATURE_SIZE];
    bool known; /* as in cs_query, of the hospital */
} cs_publication;
CS_MUST_CHECK int cs_publication_open(
    cs_publication *out, const cs_party *pc, const cs_env *env, cs_view p1, cs_error *error);
CS_MUST_CHECK int cs_publication_acknowledge(const cs_publication *publication, const cs_party *pc,
    const cs_env *env, cs_buf *p2, cs_error *error);

/* -- HPC
 * --------------------------------------------------------------------------------------------- */

/* S3 opened and checked: time, signature, credential, certificate, referral, consent. An emergency
 * is for the hospital's policy to decide, by the caller, before it answers. */
CS_MUST_CHECK int cs_access_open(
    cs_query *out, const cs_party *hpc, const cs_env *env, cs_view s3, cs_error *error);
CS_MUST_CHECK int cs_access_answer(const cs_party *hpc, const cs_env *env, const cs_query *query,
    cs_buf *s4, cs_session **session, cs_error *error);

/* Whether what was good at S3 is still so: the doctor's credential and certificate, the consent and
 * the patient's credential; their dates and revocations. Before S5 and F1 are answered. */
CS_MUST_CHECK int cs_access_check_again(
    const cs_query *query, const cs_party *hpc, const cs_env *env, cs_error *error);

/* The session a head belongs to, for a look-up. */
CS_MUST_CHECK int cs_head_session(
    cs_view head, uint8_t session_id[CS_SESSION_ID_SIZE], char label[32], cs_error *error);

/* S5: which record; record_id_size is 16 or 0 for the newest. */
CS_MUST_CHECK int cs_access_s5(cs_session *session, const cs_env *env, const cs_query *query,
    cs_view head, cs_view chunk, bool final, uint8_t record_id[16], size_t *record_id_size,
    cs_error *error);
/* S6: head, first chunk and the way for the bulk. `record` as stored; t_hpc2 is set here. */
CS_MUST_CHECK int cs_access_s6(cs_session *session, const cs_env *env, const cs_chpc2 *record,
    cs_buf *head, cs_buf *chunk, bool *final, cs_bulk **bulk, cs_error *error);
/* F1: the filing's struct points into *plain; the content follows through *bulk; then the signature
 * is checked by cs_access_filed over what came, and F2 is made by cs_access_f2. */
CS_MUST_CHECK int cs_access_f1(cs_session *session, const cs_env *env, const cs_query *query,
    cs_view head, cs_view chunk, bool final, cs_buf *plain, cs_cd5 *filing, cs_bulk **bulk,
    cs_error *error);
CS_MUST_CHECK int cs_access_filed(const cs_query *query, const cs_cd5 *filing, const cs_bulk *bulk,
    uint8_t hash[CS_HASH_SIZE], cs_error *error);
CS_MUST_CHECK int cs_access_f2(cs_session *session, const cs_env *env, const uint8_t record_id[16],
    cs_buf *head, cs_buf *chunk, cs_error *error);

/* SigEMR, made once when HPC stores a record. */
CS_MUST_CHECK int cs_emr_sign(const cs_party *hpc, const char *id_p, const char *id_de,
    const uint8_t record_id[16], const char *media_type, const uint8_t hash[CS_HASH_SIZE],
    int64_t time, uint8_t sig_emr[CS_SIGNATURE_SIZE], cs_error *error);

#endif
