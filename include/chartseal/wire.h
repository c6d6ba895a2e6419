/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_WIRE_H
#define CHARTSEAL_WIRE_H

/*
 * Every message as a struct, and its one encoding: an array in deterministic CBOR whose first
 * element is a label. What is hashed, signed, sealed or sent is always such an array, so the
 * papers' ‖ is never ambiguous and no signature over one thing can be read as one over another.
 *
 * Decoding is strict: the label, the number of elements, the shortest heads, clean UTF-8, each
 * length within its named limit, nothing after the end. The members of a decoded struct are views
 * into the bytes that were decoded and live as long as those.
 *
 * Members follow the papers' symbols. Times are milliseconds since 1970; points and scalars are in
 * the encoding of the suite's group (group.h), PUK are SEC1 compressed; an absent optional member
 * has length 0. docs/protocol.md carries the CDDL, made from the same tables (`cs_schema_cddl`).
 */

#include <chartseal/crypto.h>
#include <chartseal/group.h>
#include <chartseal/tpm_statement.h>

/* Limits, each with its reason. */
#define CS_MESSAGE_MAX 262144    /* a search answer with 16 credentials is below 64 KiB */
#define CS_ID_MAX 64             /* an identity: a UUID, an insurance number, a name in DNS */
#define CS_DEPARTMENT_MAX 64     /* ID_DE */
#define CS_URL_MAX 256           /* where a hospital answers */
#define CS_TEXT_MAX 1024         /* a reason, a purpose: for people */
#define CS_MEDIA_TYPE_MAX 127    /* RFC 6838 */
#define CS_CREDENTIAL_MAX 1024   /* about 420 bytes with the longest identity */
#define CS_CERT_MAX 8192         /* CS_CERTIFICATE_MAX */
#define CS_STAPLE_MAX 8192       /* CS_OCSP_MAX */
#define CS_CONSENT_MAX 3072      /* a consent with the credential that it is verified by */
#define CS_REFERRAL_MAX 2048     /* SigC with what it covers: up to 16 commitments */
#define CS_LIST_MAX 16           /* hospitals of one patient and department in one answer */
#define CS_TPM_STATEMENT_MAX 416 /* of a key's public area, a statement and its signature */
#define CS_ATTESTATION_MAX 4096  /* three statements of a TPM, and a certificate of 2 KiB */
#define CS_CODE_SIZE 16          /* an enrolment code: 128 random bits */
#define CS_SESSION_ID_SIZE 16
#define CS_RECORD_SIZE_MAX (1ull << 40)     /* 1 TiB; a chunk counter would allow far more */
#define CS_DIAGNOSIS_MAX 1048576            /* M_DINF is read by a person and is held in memory */
#define CS_TIME_MAX 253402300799999ull      /* the end of the year 9999 */
#define CS_SERIAL_MAX 0x7fffffffffffffffull /* what an SQL integer holds */
#define CS_REVOKED_MAX 32000 /* serials in a revocation list: what CS_MESSAGE_MAX holds */

typedef struct cs_list {
    cs_view items[CS_LIST_MAX];
    size_t n;
} cs_list;

typedef enum cs_role {
    CS_ROLE_PATIENT = 1,
    CS_ROLE_DOCTOR = 2,
    CS_ROLE_HOSPITAL = 3,
    CS_ROLE_CLOUD = 4, /* where telecare episodes lie (telecare.h); PC itself has no role */
} cs_role;
const char *cs_role_name(uint64_t role);
CS_MUST_CHECK int cs_role_from_name(cs_role *out, const char *name, cs_error *error);

typedef struct cs_schema cs_schema;

/* Append the encoding of *message (the struct that belongs to the schema). Limits are enforced. */
CS_MUST_CHECK int cs_encode(
    cs_buf *out, const cs_schema *schema, const void *message, cs_error *error);
/* Decode all of `bytes`. CS_E_MALFORMED, CS_E_TOO_LARGE; *message is zeroed then. */
CS_MUST_CHECK int cs_decode(const cs_schema *schema, void *message, cs_view bytes, cs_error *error);
/* The same for schemas that serve several labels (envelopes, session messages). */
CS_MUST_CHECK int cs_encode_as(
    cs_buf *out, const cs_schema *schema, const char *label, const void *message, cs_error *error);
CS_MUST_CHECK int cs_decode_as(
    const cs_schema *schema, const char *label, void *message, cs_view bytes, cs_error *error);

/* -- common forms ------------------------------------------------------------------------------ */

/* body with a signature over exactly these bytes: consents, publications, lists. */
typedef struct cs_signed {
    cs_view body;
    cs_view signature;
} cs_signed;
extern const cs_schema cs_signed_schema;

/* A message under E_PUK. Labels R1 R2 M1 M2 S1 S2 S3 S4 P1 T1 T2 T3; its header (aad) is the same
 * array without enc and ct. */
typedef struct cs_envelope {
    uint64_t suite;
    uint64_t time;
    cs_view enc;
    cs_view ct;
} cs_envelope;
extern const cs_schema cs_envelope_schema;
typedef struct cs_envelope_header {
    uint64_t suite;
    uint64_t time;
} cs_envelope_header;
extern const cs_schema cs_envelope_header_schema;

/* The head of a message under E_SEK; its encoding is the aad of the chunks that follow. Labels M3
 * M4 S5 S6 F1 F2 U1 U2 G1 G2. */
typedef struct cs_session_head {
    uint64_t suite;
    uint64_t time;
    cs_view session;
    uint64_t sequence;
} cs_session_head;
extern const cs_schema cs_session_head_schema;

/* A short answer under a key exported from the request's HPKE context. Labels P2 T4. */
typedef struct cs_reply {
    uint64_t suite;
    uint64_t time;
    cs_view ct;
} cs_reply;
extern const cs_schema cs_reply_schema;
typedef struct cs_acknowledgement {
    cs_view h_request;
} cs_acknowledgement;
extern const cs_schema cs_acknowledgement_schema;

/* Any refusal, in the clear: the class of the check (cs_code_name) and a sentence. */
typedef struct cs_refusal {
    cs_view code;
    cs_view message;
} cs_refusal;
extern const cs_schema cs_refusal_schema;

/* -- what PC tells everybody (inside cs_signed) -------------------------------------------------
 */

typedef struct cs_parameters {
    uint64_t suite;
    cs_view id_pc;
    cs_view pk;
    cs_view puk_sign;
    cs_view puk_decrypt;
} cs_parameters;
extern const cs_schema cs_parameters_schema;

typedef struct cs_revocations {
    uint64_t time;
    uint64_t next;
    cs_view serials; /* 8 bytes big-endian each, ascending */
} cs_revocations;
extern const cs_schema cs_revocations_schema;

/* -- registration, Eq. 2-10 ---------------------------------------------------------------------
 */

/* m_X, what `issue` signs. */
typedef struct cs_issue_body {
    uint64_t suite;
    uint64_t role;
    cs_view id;
    uint64_t serial;
    uint64_t not_before;
    uint64_t not_after;
    cs_view binding;
    cs_view puk_sign;
    cs_view puk_decrypt;
} cs_issue_body;
extern const cs_schema cs_issue_body_schema;

/* What PRK_PC signs of a credential, and the credential as it is sent. */
typedef struct cs_credential_body {
    cs_view m;
    cs_view r;
} cs_credential_body;
extern const cs_schema cs_credential_body_schema;

/* R1, inside cs_signed. */
typedef struct cs_register {
    uint64_t role;
    cs_view id;
    cs_view puk_sign;
    cs_view puk_decrypt;
    cs_view binding;      /* P: B'; else empty: PC computes it from the certificate */
    cs_view certificate;  /* D, HPC, cloud */
    cs_view ocsp;         /* its authority's answer about it; or empty */
    cs_view code;         /* P, HPC, cloud: enrolment code */
    uint64_t delivery;    /* cs_delivery */
    cs_view delivery_key; /* wrapped, duplicated: public key of the token's delivery key, SEC1 */
    cs_view attestation;  /* what a TPM says of these keys; or empty */
    uint64_t time;
    cs_view id_pc;
    cs_view pk;
} cs_register;
extern const cs_schema cs_register_schema;

/* R2. */
typedef struct cs_registered {
    cs_view h_request;
    cs_view credential;
    uint64_t delivery;
    cs_view peer;   /* PC's ephemeral public key (wrapped, duplicated), enc (sealed), or empty */
    cs_view secret; /* the wrapped, duplicated or sealed S_X, or S_X itself */
    cs_view activation; /* the key that secret is sealed with, for X's endorsement key; or empty */
    uint64_t time;
} cs_registered;
extern const cs_schema cs_registered_schema;

/* One key of a TPM: TPMT_PUBLIC, and what TPM2_Certify says of it (tpm_statement.h). */
typedef struct cs_tpm_statement {
    cs_view area;
    cs_view attest;
    cs_view signature;
} cs_tpm_statement;
extern const cs_schema cs_tpm_statement_schema;

/* The attestation in R1. */
typedef struct cs_attestation {
    cs_view attesting;   /* TPMT_PUBLIC of the attestation key */
    cs_list statements;  /* about the sign and the decrypt key; duplicated: and the storage root */
    cs_view endorsement; /* the endorsement key, SEC1 compressed; or empty */
    cs_view certificate; /* its certificate; or empty */
} cs_attestation;
extern const cs_schema cs_attestation_schema;

/* -- consultation, Eq. 11-24, and diagnosis, Eq. 49-50 -------------------------------------------
 */

/* What the doctor's station shows first; public. */
typedef struct cs_station {
    cs_view credential_d;
    cs_view cert_d;
    cs_view ocsp; /* its authority's answer about Cert_D; here and below, or empty */
    cs_view department;
} cs_station;
extern const cs_schema cs_station_schema;

/* The transcript that SEK1 and SEK2 are bound to; i starts, j answers. */
typedef struct cs_transcript {
    uint64_t suite;
    cs_view pk;
    cs_view credential_i; /* empty: nobody, in T3 */
    cs_view credential_j;
    cs_view r_i;
    cs_view r_j;
    uint64_t t_i;
    uint64_t t_j;
} cs_transcript;
extern const cs_schema cs_transcript_schema;

/* What tag_D and tag_HPC cover. */
typedef struct cs_confirmation {
    cs_view h_request;
    cs_view id;
    cs_view r;
    uint64_t time;
} cs_confirmation;
extern const cs_schema cs_confirmation_schema;

/* What a message key is derived for. */
typedef struct cs_message_key {
    cs_view label;
    uint64_t sequence;
} cs_message_key;
extern const cs_schema cs_message_key_schema;

typedef struct cs_sig_p1 {
    cs_view r_p1;
    cs_view id_p;
    cs_view r_p2;
    cs_view b;
    cs_view pk;
    uint64_t t_p1;
    cs_view id_d;
} cs_sig_p1;
extern const cs_schema cs_sig_p1_schema;

typedef struct cs_cp1 {
    cs_view credential_p;
    cs_view r_p2;
    uint64_t t_p1;
    cs_view sig_p1;
} cs_cp1;
extern const cs_schema cs_cp1_schema;

typedef struct cs_sig_d1 {
    cs_view r_d2;
    cs_view id_d;
    uint64_t t_d1;
    cs_view cert_d;
    cs_view tag_d;
    cs_view pk;
    cs_view id_p;
    cs_view h_m1;
} cs_sig_d1;
extern const cs_schema cs_sig_d1_schema;

typedef struct cs_cd1 {
    cs_view id_d;
    cs_view cert_d;
    cs_view r_d1;
    cs_view r_d2;
    cs_view tag_d;
    uint64_t t_d1;
    cs_view sig_d1;
} cs_cd1;
extern const cs_schema cs_cd1_schema;

/* Signed by P (cs_signed), carried with the credential it is verified by. */
typedef struct cs_consent {
    cs_view id_p;
    cs_view id_d;
    cs_view id_de; /* empty: any department */
    cs_view purpose;
    uint64_t not_after;
    cs_view nonce;
} cs_consent;
extern const cs_schema cs_consent_schema;
typedef struct cs_consent_bundle {
    cs_view consent;
    cs_view credential_p;
} cs_consent_bundle;
extern const cs_schema cs_consent_bundle_schema;

/* M3; M_SD follows in chunks. */
typedef struct cs_cp2 {
    cs_view id_p;
    uint64_t t_p2;
    cs_view consent;
    cs_view media_type; /* of M_SD; empty when there is none */
    uint64_t size;
} cs_cp2;
extern const cs_schema cs_cp2_schema;

typedef struct cs_sig_dinf {
    cs_view id_p;
    cs_view id_d;
    cs_view h_cert_d;
    cs_view id_de;
    cs_view media_type;
    cs_view h_dinf;
    uint64_t t_d5;
} cs_sig_dinf;
extern const cs_schema cs_sig_dinf_schema;

/* M4, and F1 (filing) with the same members; M_DINF follows in chunks. */
typedef struct cs_cd5 {
    cs_view cert_d;
    uint64_t t_d5; /* of SigDINF */
    cs_view id_de;
    cs_view media_type;
    uint64_t size;
    cs_view sig_dinf;
} cs_cd5;
extern const cs_schema cs_cd5_schema;

/* -- search, Eq. 25-48 ---------------------------------------------------------------------------
 */

typedef struct cs_sig_d2 {
    cs_view y_d;
    uint64_t t_d2;
    cs_view id_p;
    cs_view id_de;
    cs_view id_d;
    cs_view id_pc;
    cs_view h_access; /* h(consent ‖ reason) as cs_access */
} cs_sig_d2;
extern const cs_schema cs_sig_d2_schema;

/* By what right: a consent, or the reason of an emergency. */
typedef struct cs_access {
    cs_view consent;
    cs_view reason;
} cs_access;
extern const cs_schema cs_access_schema;

typedef struct cs_cd2 {
    cs_view id_p;
    uint64_t t_d2;
    cs_view id_d;
    cs_view credential_d;
    cs_view cert_d;
    cs_view ocsp;
    cs_view id_de;
    cs_view consent;
    cs_view reason;
    cs_view sig_d2;
} cs_cd2;
extern const cs_schema cs_cd2_schema;

/* The commitment to one hospital of an answer: a referral shown to it does not name the others. */
typedef struct cs_hospital_commitment {
    cs_view id_hpc;
    cs_view salt;
} cs_hospital_commitment;
extern const cs_schema cs_hospital_commitment_schema;

typedef struct cs_sig_c {
    cs_view id_de;
    cs_view y_d;
    cs_view hospitals; /* commitments, 32 bytes each */
    uint64_t t_c;
    cs_view id_p;
    cs_view h_s1;
} cs_sig_c;
extern const cs_schema cs_sig_c_schema;

typedef struct cs_found {
    cs_view id_hpc;
    cs_view credential_hpc;
    cs_view url;
    cs_view salt;
} cs_found;
extern const cs_schema cs_found_schema;

typedef struct cs_cc {
    cs_view sig_c_body; /* cs_sig_c, encoded */
    cs_view sig_c;
    cs_list found;
    uint64_t t_c;
} cs_cc;
extern const cs_schema cs_cc_schema;

/* What D shows HPC of PC's answer. */
typedef struct cs_referral {
    cs_view sig_c_body;
    cs_view sig_c;
    cs_view salt;
} cs_referral;
extern const cs_schema cs_referral_schema;

typedef struct cs_sig_d3 {
    cs_view pk;
    uint64_t t_d3;
    cs_view id_p;
    cs_view r_d3;
    cs_view r_d1;
    cs_view id_hpc;
    cs_view id_de;
    cs_view h_access;
    cs_view h_referral;
} cs_sig_d3;
extern const cs_schema cs_sig_d3_schema;

typedef struct cs_cd3 {
    cs_view credential_d;
    cs_view cert_d;
    cs_view ocsp;
    uint64_t t_d3;
    cs_view id_d;
    cs_view r_d3;
    cs_view r_d1;
    cs_view id_p;
    cs_view id_de;
    cs_view referral;
    cs_view consent;
    cs_view reason;
    cs_view sig_d3;
} cs_cd3;
extern const cs_schema cs_cd3_schema;

typedef struct cs_sig_hpc1 {
    cs_view pk;
    uint64_t t_hpc1;
    cs_view id_hpc;
    cs_view id_d;
    cs_view id_p;
    cs_view r_d3;
    cs_view r_hpc2;
    cs_view tag_hpc;
    cs_view h_s3;
} cs_sig_hpc1;
extern const cs_schema cs_sig_hpc1_schema;

typedef struct cs_chpc1 {
    cs_view id_hpc;
    cs_view tag_hpc;
    uint64_t t_hpc1;
    cs_view r_hpc2;
    cs_view sig_hpc1;
} cs_chpc1;
extern const cs_schema cs_chpc1_schema;

/* S5. */
typedef struct cs_cd4 {
    cs_view id_p;
    cs_view id_d;
    uint64_t t_d4;
    cs_view h_cert_d;
    cs_view record_id; /* empty: the newest of the department */
} cs_cd4;
extern const cs_schema cs_cd4_schema;

typedef struct cs_sig_emr {
    cs_view id_hpc;
    cs_view id_p;
    cs_view id_de;
    cs_view record_id;
    cs_view media_type;
    cs_view h_emr;
    uint64_t time;
} cs_sig_emr;
extern const cs_schema cs_sig_emr_schema;

/* S6; M_EMR follows in chunks. */
typedef struct cs_chpc2 {
    uint64_t t_hpc2;
    cs_view record_id;
    cs_view media_type;
    uint64_t size;
    cs_view h_emr;
    uint64_t stored_at;
    cs_view sig_emr;
    cs_list others; /* ids of further records of the patient in the department, newest first */
} cs_chpc2;
extern const cs_schema cs_chpc2_schema;

/* F2, the answer to filing. */
typedef struct cs_filed {
    uint64_t time;
    cs_view record_id;
} cs_filed;
extern const cs_schema cs_filed_schema;

/* P1, inside cs_signed: HPC publishes that it has records. */
typedef struct cs_publish {
    cs_view credential_hpc;
    cs_view id_p;
    cs_view id_de;
    cs_view url;
    uint64_t time;
    cs_view id_pc;
} cs_publish;
extern const cs_schema cs_publish_schema;

/* -- at rest
 * --------------------------------------------------------------------------------------- */

/* The input of prf for a row or a record. Labels "index", "patient", "identity", "enrolment",
 * "audit key", "place row". */
typedef struct cs_row_name {
    cs_view a;
    cs_view b;
} cs_row_name;
extern const cs_schema cs_row_name_schema;
typedef struct cs_record_name {
    cs_view record_id;
    cs_view salt;
} cs_record_name;
extern const cs_schema cs_record_name_schema;

/* An index row of PC, a record's header at HPC, an entry of the audit log: sealed by their owner.
 */
typedef struct cs_index_value {
    cs_view id_hpc;
    cs_view credential_hpc;
    cs_view url;
} cs_index_value;
extern const cs_schema cs_index_value_schema;

typedef struct cs_record_header {
    uint64_t kind; /* 1: M_EMR, signed by HPC; 2: M_DINF, signed by D */
    cs_view id_p;
    cs_view id_de;
    cs_view media_type;
    uint64_t size;
    cs_view hash;
    uint64_t time;
    cs_view signature; /* SigEMR */
    cs_view evidence;  /* M_DINF: cs_cd5 with SigDINF and Cert_D */
    cs_view author;    /* M_DINF: ID_D */
} cs_record_header;
extern const cs_schema cs_record_header_schema;

typedef struct cs_audit_entry {
    uint64_t time;
    cs_view action;  /* register, search, session, read, file, publish, import, revoke … */
    cs_view outcome; /* cs_code_name */
    cs_view who;     /* identity, as far as it was known */
    cs_view role;
    cs_view patient;
    cs_view detail;   /* the department; for others what the action says */
    cs_view evidence; /* the signatures, encoded */
    cs_view reason;   /* why there was no consent; empty: no emergency */
} cs_audit_entry;
extern const cs_schema cs_audit_entry_schema;

/* What the token signs to seal the chain up to entry n; 0: its beginning. */
typedef struct cs_audit_seal {
    uint64_t number;
    cs_view hash;
} cs_audit_seal;
extern const cs_schema cs_audit_seal_schema;

#endif
