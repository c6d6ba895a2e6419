/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/table.h"

#include <chartseal/wire_telecare.h>

#include <string.h>

/* The tables. Order is the order on the wire; docs/protocol.md says what each message is for. */

static const cs_field signed_fields[] = {
    BYTES(cs_signed, body, 1, CS_MESSAGE_MAX),
    BYTES(cs_signed, signature, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_signed_schema = SCHEMA(cs_signed, "signed", signed_fields);

static const cs_field envelope_fields[] = {
    UINT(cs_envelope, suite, 1, 2),
    UINT(cs_envelope, time, 0, CS_TIME_MAX),
    BYTES(cs_envelope, enc, 65, 65),
    BYTES(cs_envelope, ct, 16, CS_MESSAGE_MAX),
};
const cs_schema cs_envelope_schema = SCHEMA(cs_envelope, "envelope", envelope_fields);

static const cs_field envelope_header_fields[] = {
    UINT(cs_envelope_header, suite, 1, 2),
    UINT(cs_envelope_header, time, 0, CS_TIME_MAX),
};
const cs_schema cs_envelope_header_schema =
    SCHEMA(cs_envelope_header, "envelope header", envelope_header_fields);

static const cs_field session_head_fields[] = {
    UINT(cs_session_head, suite, 1, 2),
    UINT(cs_session_head, time, 0, CS_TIME_MAX),
    BYTES(cs_session_head, session, CS_SESSION_ID_SIZE, CS_SESSION_ID_SIZE),
    UINT(cs_session_head, sequence, 0, UINT32_MAX),
};
const cs_schema cs_session_head_schema =
    SCHEMA(cs_session_head, "session head", session_head_fields);

static const cs_field reply_fields[] = {
    UINT(cs_reply, suite, 1, 2),
    UINT(cs_reply, time, 0, CS_TIME_MAX),
    BYTES(cs_reply, ct, 16, CS_MESSAGE_MAX),
};
const cs_schema cs_reply_schema = SCHEMA(cs_reply, "reply", reply_fields);

static const cs_field acknowledgement_fields[] = {
    BYTES(cs_acknowledgement, h_request, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_acknowledgement_schema =
    SCHEMA(cs_acknowledgement, "acknowledgement", acknowledgement_fields);

static const cs_field refusal_fields[] = {
    TEXT(cs_refusal, code, 1, 32),
    TEXT(cs_refusal, message, 0, CS_ERROR_MESSAGE_MAX),
};
const cs_schema cs_refusal_schema = SCHEMA(cs_refusal, "refusal", refusal_fields);

static const cs_field parameters_fields[] = {
    UINT(cs_parameters, suite, 1, 2),
    TEXT(cs_parameters, id_pc, 1, CS_ID_MAX),
    BYTES(cs_parameters, pk, 32, CS_POINT_MAX),
    BYTES(cs_parameters, puk_sign, CS_PUK_SIZE, CS_PUK_SIZE),
    BYTES(cs_parameters, puk_decrypt, CS_PUK_SIZE, CS_PUK_SIZE),
};
const cs_schema cs_parameters_schema = SCHEMA(cs_parameters, "parameters", parameters_fields);

static const cs_field revocations_fields[] = {
    UINT(cs_revocations, time, 0, CS_TIME_MAX),
    UINT(cs_revocations, next, 0, CS_TIME_MAX),
    BYTES(cs_revocations, serials, 0, 8 * CS_REVOKED_MAX),
};
const cs_schema cs_revocations_schema = SCHEMA(cs_revocations, "revocations", revocations_fields);

static const cs_field issue_body_fields[] = {
    UINT(cs_issue_body, suite, 1, 2),
    UINT(cs_issue_body, role, 1, 4),
    TEXT(cs_issue_body, id, 1, CS_ID_MAX),
    UINT(cs_issue_body, serial, 1, CS_SERIAL_MAX),
    UINT(cs_issue_body, not_before, 0, CS_TIME_MAX),
    UINT(cs_issue_body, not_after, 0, CS_TIME_MAX),
    BYTES(cs_issue_body, binding, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_issue_body, puk_sign, CS_PUK_SIZE, CS_PUK_SIZE),
    BYTES(cs_issue_body, puk_decrypt, CS_PUK_SIZE, CS_PUK_SIZE),
};
const cs_schema cs_issue_body_schema = SCHEMA(cs_issue_body, "issue", issue_body_fields);

static const cs_field credential_body_fields[] = {
    BYTES(cs_credential_body, m, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_credential_body, r, 32, CS_POINT_MAX),
};
const cs_schema cs_credential_body_schema =
    SCHEMA(cs_credential_body, "credential", credential_body_fields);

static const cs_field register_fields[] = {
    UINT(cs_register, role, 1, 4),
    TEXT(cs_register, id, 1, CS_ID_MAX),
    BYTES(cs_register, puk_sign, CS_PUK_SIZE, CS_PUK_SIZE),
    BYTES(cs_register, puk_decrypt, CS_PUK_SIZE, CS_PUK_SIZE),
    BYTES(cs_register, binding, 0, CS_HASH_SIZE),
    BYTES(cs_register, certificate, 0, CS_CERT_MAX),
    BYTES(cs_register, ocsp, 0, CS_STAPLE_MAX),
    BYTES(cs_register, code, 0, CS_CODE_SIZE),
    UINT(cs_register, delivery, 1, 4),
    BYTES(cs_register, delivery_key, 0, 65),
    BYTES(cs_register, attestation, 0, CS_ATTESTATION_MAX),
    UINT(cs_register, time, 0, CS_TIME_MAX),
    TEXT(cs_register, id_pc, 1, CS_ID_MAX),
    BYTES(cs_register, pk, 32, CS_POINT_MAX),
};
const cs_schema cs_register_schema = SCHEMA(cs_register, "register", register_fields);

static const cs_field registered_fields[] = {
    BYTES(cs_registered, h_request, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_registered, credential, 1, CS_CREDENTIAL_MAX),
    UINT(cs_registered, delivery, 1, 4),
    BYTES(cs_registered, peer, 0, 65),
    BYTES(cs_registered, secret, 1, 512),
    BYTES(cs_registered, activation, 0, CS_TPM_ACTIVATION_SIZE),
    UINT(cs_registered, time, 0, CS_TIME_MAX),
};
const cs_schema cs_registered_schema = SCHEMA(cs_registered, "registered", registered_fields);

static const cs_field tpm_statement_fields[] = {
    BYTES(cs_tpm_statement, area, 1, CS_TPM_PUBLIC_MAX),
    BYTES(cs_tpm_statement, attest, CS_TPM_ATTEST_SIZE, CS_TPM_ATTEST_SIZE),
    BYTES(cs_tpm_statement, signature, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_tpm_statement_schema =
    SCHEMA(cs_tpm_statement, "TPM statement", tpm_statement_fields);

static const cs_field attestation_fields[] = {
    BYTES(cs_attestation, attesting, 1, CS_TPM_PUBLIC_MAX),
    LIST(cs_attestation, statements, 1, CS_TPM_STATEMENT_MAX),
    BYTES(cs_attestation, endorsement, 0, CS_PUK_SIZE),
    BYTES(cs_attestation, certificate, 0, CS_EK_CERTIFICATE_MAX),
};
const cs_schema cs_attestation_schema = SCHEMA(cs_attestation, "attestation", attestation_fields);

static const cs_field station_fields[] = {
    BYTES(cs_station, credential_d, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_station, cert_d, 1, CS_CERT_MAX),
    BYTES(cs_station, ocsp, 0, CS_STAPLE_MAX),
    TEXT(cs_station, department, 0, CS_DEPARTMENT_MAX),
};
const cs_schema cs_station_schema = SCHEMA(cs_station, "station", station_fields);

static const cs_field transcript_fields[] = {
    UINT(cs_transcript, suite, 1, 2),
    BYTES(cs_transcript, pk, 32, CS_POINT_MAX),
    BYTES(cs_transcript, credential_i, 0, CS_CREDENTIAL_MAX),
    BYTES(cs_transcript, credential_j, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_transcript, r_i, 32, CS_POINT_MAX),
    BYTES(cs_transcript, r_j, 32, CS_POINT_MAX),
    UINT(cs_transcript, t_i, 0, CS_TIME_MAX),
    UINT(cs_transcript, t_j, 0, CS_TIME_MAX),
};
const cs_schema cs_transcript_schema = SCHEMA(cs_transcript, "session", transcript_fields);

static const cs_field confirmation_fields[] = {
    BYTES(cs_confirmation, h_request, CS_HASH_SIZE, CS_HASH_SIZE),
    TEXT(cs_confirmation, id, 1, CS_ID_MAX),
    BYTES(cs_confirmation, r, 32, CS_POINT_MAX),
    UINT(cs_confirmation, time, 0, CS_TIME_MAX),
};
const cs_schema cs_confirmation_schema = SCHEMA(cs_confirmation, "confirm", confirmation_fields);

static const cs_field message_key_fields[] = {
    TEXT(cs_message_key, label, 1, 32),
    UINT(cs_message_key, sequence, 0, UINT32_MAX),
};
const cs_schema cs_message_key_schema = SCHEMA(cs_message_key, "message key", message_key_fields);

static const cs_field sig_p1_fields[] = {
    BYTES(cs_sig_p1, r_p1, 32, CS_POINT_MAX),
    TEXT(cs_sig_p1, id_p, 1, CS_ID_MAX),
    BYTES(cs_sig_p1, r_p2, 32, CS_POINT_MAX),
    BYTES(cs_sig_p1, b, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_sig_p1, pk, 32, CS_POINT_MAX),
    UINT(cs_sig_p1, t_p1, 0, CS_TIME_MAX),
    TEXT(cs_sig_p1, id_d, 1, CS_ID_MAX),
};
const cs_schema cs_sig_p1_schema = SCHEMA(cs_sig_p1, "SigP1", sig_p1_fields);

static const cs_field cp1_fields[] = {
    BYTES(cs_cp1, credential_p, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_cp1, r_p2, 32, CS_POINT_MAX),
    UINT(cs_cp1, t_p1, 0, CS_TIME_MAX),
    BYTES(cs_cp1, sig_p1, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_cp1_schema = SCHEMA(cs_cp1, "CP1", cp1_fields);

static const cs_field sig_d1_fields[] = {
    BYTES(cs_sig_d1, r_d2, 32, CS_POINT_MAX),
    TEXT(cs_sig_d1, id_d, 1, CS_ID_MAX),
    UINT(cs_sig_d1, t_d1, 0, CS_TIME_MAX),
    BYTES(cs_sig_d1, cert_d, 1, CS_CERT_MAX),
    BYTES(cs_sig_d1, tag_d, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_sig_d1, pk, 32, CS_POINT_MAX),
    TEXT(cs_sig_d1, id_p, 1, CS_ID_MAX),
    BYTES(cs_sig_d1, h_m1, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_sig_d1_schema = SCHEMA(cs_sig_d1, "SigD1", sig_d1_fields);

static const cs_field cd1_fields[] = {
    TEXT(cs_cd1, id_d, 1, CS_ID_MAX),
    BYTES(cs_cd1, cert_d, 1, CS_CERT_MAX),
    BYTES(cs_cd1, r_d1, 32, CS_POINT_MAX),
    BYTES(cs_cd1, r_d2, 32, CS_POINT_MAX),
    BYTES(cs_cd1, tag_d, CS_HASH_SIZE, CS_HASH_SIZE),
    UINT(cs_cd1, t_d1, 0, CS_TIME_MAX),
    BYTES(cs_cd1, sig_d1, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_cd1_schema = SCHEMA(cs_cd1, "CD1", cd1_fields);

static const cs_field consent_fields[] = {
    TEXT(cs_consent, id_p, 1, CS_ID_MAX),
    TEXT(cs_consent, id_d, 1, CS_ID_MAX),
    TEXT(cs_consent, id_de, 0, CS_DEPARTMENT_MAX),
    TEXT(cs_consent, purpose, 1, CS_TEXT_MAX),
    UINT(cs_consent, not_after, 0, CS_TIME_MAX),
    BYTES(cs_consent, nonce, 16, 16),
};
const cs_schema cs_consent_schema = SCHEMA(cs_consent, "consent", consent_fields);

static const cs_field consent_bundle_fields[] = {
    BYTES(cs_consent_bundle, consent, 1, CS_CONSENT_MAX),
    BYTES(cs_consent_bundle, credential_p, 1, CS_CREDENTIAL_MAX),
};
const cs_schema cs_consent_bundle_schema =
    SCHEMA(cs_consent_bundle, "consent bundle", consent_bundle_fields);

static const cs_field cp2_fields[] = {
    TEXT(cs_cp2, id_p, 1, CS_ID_MAX),
    UINT(cs_cp2, t_p2, 0, CS_TIME_MAX),
    BYTES(cs_cp2, consent, 0, CS_CONSENT_MAX),
    TEXT(cs_cp2, media_type, 0, CS_MEDIA_TYPE_MAX),
    UINT(cs_cp2, size, 0, CS_RECORD_SIZE_MAX),
};
const cs_schema cs_cp2_schema = SCHEMA(cs_cp2, "CP2", cp2_fields);

static const cs_field sig_dinf_fields[] = {
    TEXT(cs_sig_dinf, id_p, 1, CS_ID_MAX),
    TEXT(cs_sig_dinf, id_d, 1, CS_ID_MAX),
    BYTES(cs_sig_dinf, h_cert_d, CS_HASH_SIZE, CS_HASH_SIZE),
    TEXT(cs_sig_dinf, id_de, 1, CS_DEPARTMENT_MAX),
    TEXT(cs_sig_dinf, media_type, 1, CS_MEDIA_TYPE_MAX),
    BYTES(cs_sig_dinf, h_dinf, CS_HASH_SIZE, CS_HASH_SIZE),
    UINT(cs_sig_dinf, t_d5, 0, CS_TIME_MAX),
};
const cs_schema cs_sig_dinf_schema = SCHEMA(cs_sig_dinf, "SigDINF", sig_dinf_fields);

static const cs_field cd5_fields[] = {
    BYTES(cs_cd5, cert_d, 1, CS_CERT_MAX),
    UINT(cs_cd5, t_d5, 0, CS_TIME_MAX),
    TEXT(cs_cd5, id_de, 1, CS_DEPARTMENT_MAX),
    TEXT(cs_cd5, media_type, 1, CS_MEDIA_TYPE_MAX),
    UINT(cs_cd5, size, 0, CS_DIAGNOSIS_MAX),
    BYTES(cs_cd5, sig_dinf, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_cd5_schema = SCHEMA(cs_cd5, "CD5", cd5_fields);

static const cs_field sig_d2_fields[] = {
    BYTES(cs_sig_d2, y_d, 32, CS_POINT_MAX),
    UINT(cs_sig_d2, t_d2, 0, CS_TIME_MAX),
    TEXT(cs_sig_d2, id_p, 1, CS_ID_MAX),
    TEXT(cs_sig_d2, id_de, 1, CS_DEPARTMENT_MAX),
    TEXT(cs_sig_d2, id_d, 1, CS_ID_MAX),
    TEXT(cs_sig_d2, id_pc, 1, CS_ID_MAX),
    BYTES(cs_sig_d2, h_access, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_sig_d2_schema = SCHEMA(cs_sig_d2, "SigD2", sig_d2_fields);

static const cs_field access_fields[] = {
    BYTES(cs_access, consent, 0, CS_CONSENT_MAX),
    TEXT(cs_access, reason, 0, CS_TEXT_MAX),
};
const cs_schema cs_access_schema = SCHEMA(cs_access, "access", access_fields);

static const cs_field cd2_fields[] = {
    TEXT(cs_cd2, id_p, 1, CS_ID_MAX),
    UINT(cs_cd2, t_d2, 0, CS_TIME_MAX),
    TEXT(cs_cd2, id_d, 1, CS_ID_MAX),
    BYTES(cs_cd2, credential_d, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_cd2, cert_d, 1, CS_CERT_MAX),
    BYTES(cs_cd2, ocsp, 0, CS_STAPLE_MAX),
    TEXT(cs_cd2, id_de, 1, CS_DEPARTMENT_MAX),
    BYTES(cs_cd2, consent, 0, CS_CONSENT_MAX),
    TEXT(cs_cd2, reason, 0, CS_TEXT_MAX),
    BYTES(cs_cd2, sig_d2, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_cd2_schema = SCHEMA(cs_cd2, "CD2", cd2_fields);

static const cs_field hospital_commitment_fields[] = {
    TEXT(cs_hospital_commitment, id_hpc, 1, CS_ID_MAX),
    BYTES(cs_hospital_commitment, salt, 16, 16),
};
const cs_schema cs_hospital_commitment_schema =
    SCHEMA(cs_hospital_commitment, "hospital", hospital_commitment_fields);

static const cs_field sig_c_fields[] = {
    TEXT(cs_sig_c, id_de, 1, CS_DEPARTMENT_MAX),
    BYTES(cs_sig_c, y_d, 32, CS_POINT_MAX),
    BYTES(cs_sig_c, hospitals, 32, 32 * CS_LIST_MAX),
    UINT(cs_sig_c, t_c, 0, CS_TIME_MAX),
    TEXT(cs_sig_c, id_p, 1, CS_ID_MAX),
    BYTES(cs_sig_c, h_s1, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_sig_c_schema = SCHEMA(cs_sig_c, "SigC", sig_c_fields);

static const cs_field found_fields[] = {
    TEXT(cs_found, id_hpc, 1, CS_ID_MAX),
    BYTES(cs_found, credential_hpc, 1, CS_CREDENTIAL_MAX),
    TEXT(cs_found, url, 1, CS_URL_MAX),
    BYTES(cs_found, salt, 16, 16),
};
const cs_schema cs_found_schema = SCHEMA(cs_found, "found", found_fields);

static const cs_field cc_fields[] = {
    BYTES(cs_cc, sig_c_body, 1, CS_REFERRAL_MAX),
    BYTES(cs_cc, sig_c, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
    LIST(cs_cc, found, 1, CS_REFERRAL_MAX),
    UINT(cs_cc, t_c, 0, CS_TIME_MAX),
};
const cs_schema cs_cc_schema = SCHEMA(cs_cc, "CC", cc_fields);

static const cs_field referral_fields[] = {
    BYTES(cs_referral, sig_c_body, 1, CS_REFERRAL_MAX),
    BYTES(cs_referral, sig_c, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
    BYTES(cs_referral, salt, 16, 16),
};
const cs_schema cs_referral_schema = SCHEMA(cs_referral, "referral", referral_fields);

static const cs_field sig_d3_fields[] = {
    BYTES(cs_sig_d3, pk, 32, CS_POINT_MAX),
    UINT(cs_sig_d3, t_d3, 0, CS_TIME_MAX),
    TEXT(cs_sig_d3, id_p, 1, CS_ID_MAX),
    BYTES(cs_sig_d3, r_d3, 32, CS_POINT_MAX),
    BYTES(cs_sig_d3, r_d1, 32, CS_POINT_MAX),
    TEXT(cs_sig_d3, id_hpc, 1, CS_ID_MAX),
    TEXT(cs_sig_d3, id_de, 1, CS_DEPARTMENT_MAX),
    BYTES(cs_sig_d3, h_access, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_sig_d3, h_referral, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_sig_d3_schema = SCHEMA(cs_sig_d3, "SigD3", sig_d3_fields);

static const cs_field cd3_fields[] = {
    BYTES(cs_cd3, credential_d, 1, CS_CREDENTIAL_MAX),
    BYTES(cs_cd3, cert_d, 1, CS_CERT_MAX),
    BYTES(cs_cd3, ocsp, 0, CS_STAPLE_MAX),
    UINT(cs_cd3, t_d3, 0, CS_TIME_MAX),
    TEXT(cs_cd3, id_d, 1, CS_ID_MAX),
    BYTES(cs_cd3, r_d3, 32, CS_POINT_MAX),
    BYTES(cs_cd3, r_d1, 32, CS_POINT_MAX),
    TEXT(cs_cd3, id_p, 1, CS_ID_MAX),
    TEXT(cs_cd3, id_de, 1, CS_DEPARTMENT_MAX),
    BYTES(cs_cd3, referral, 1, CS_REFERRAL_MAX),
    BYTES(cs_cd3, consent, 0, CS_CONSENT_MAX),
    TEXT(cs_cd3, reason, 0, CS_TEXT_MAX),
    BYTES(cs_cd3, sig_d3, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_cd3_schema = SCHEMA(cs_cd3, "CD3", cd3_fields);

static const cs_field sig_hpc1_fields[] = {
    BYTES(cs_sig_hpc1, pk, 32, CS_POINT_MAX),
    UINT(cs_sig_hpc1, t_hpc1, 0, CS_TIME_MAX),
    TEXT(cs_sig_hpc1, id_hpc, 1, CS_ID_MAX),
    TEXT(cs_sig_hpc1, id_d, 1, CS_ID_MAX),
    TEXT(cs_sig_hpc1, id_p, 1, CS_ID_MAX),
    BYTES(cs_sig_hpc1, r_d3, 32, CS_POINT_MAX),
    BYTES(cs_sig_hpc1, r_hpc2, 32, CS_POINT_MAX),
    BYTES(cs_sig_hpc1, tag_hpc, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_sig_hpc1, h_s3, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_sig_hpc1_schema = SCHEMA(cs_sig_hpc1, "SigHPC1", sig_hpc1_fields);

static const cs_field chpc1_fields[] = {
    TEXT(cs_chpc1, id_hpc, 1, CS_ID_MAX),
    BYTES(cs_chpc1, tag_hpc, CS_HASH_SIZE, CS_HASH_SIZE),
    UINT(cs_chpc1, t_hpc1, 0, CS_TIME_MAX),
    BYTES(cs_chpc1, r_hpc2, 32, CS_POINT_MAX),
    BYTES(cs_chpc1, sig_hpc1, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
};
const cs_schema cs_chpc1_schema = SCHEMA(cs_chpc1, "CHPC1", chpc1_fields);

static const cs_field cd4_fields[] = {
    TEXT(cs_cd4, id_p, 1, CS_ID_MAX),
    TEXT(cs_cd4, id_d, 1, CS_ID_MAX),
    UINT(cs_cd4, t_d4, 0, CS_TIME_MAX),
    BYTES(cs_cd4, h_cert_d, CS_HASH_SIZE, CS_HASH_SIZE),
    BYTES(cs_cd4, record_id, 0, 16),
};
const cs_schema cs_cd4_schema = SCHEMA(cs_cd4, "CD4", cd4_fields);

static const cs_field sig_emr_fields[] = {
    TEXT(cs_sig_emr, id_hpc, 1, CS_ID_MAX),
    TEXT(cs_sig_emr, id_p, 1, CS_ID_MAX),
    TEXT(cs_sig_emr, id_de, 1, CS_DEPARTMENT_MAX),
    BYTES(cs_sig_emr, record_id, 16, 16),
    TEXT(cs_sig_emr, media_type, 1, CS_MEDIA_TYPE_MAX),
    BYTES(cs_sig_emr, h_emr, CS_HASH_SIZE, CS_HASH_SIZE),
    UINT(cs_sig_emr, time, 0, CS_TIME_MAX),
};
const cs_schema cs_sig_emr_schema = SCHEMA(cs_sig_emr, "SigEMR", sig_emr_fields);

static const cs_field chpc2_fields[] = {
    UINT(cs_chpc2, t_hpc2, 0, CS_TIME_MAX),
    BYTES(cs_chpc2, record_id, 16, 16),
    TEXT(cs_chpc2, media_type, 1, CS_MEDIA_TYPE_MAX),
    UINT(cs_chpc2, size, 0, CS_RECORD_SIZE_MAX),
    BYTES(cs_chpc2, h_emr, CS_HASH_SIZE, CS_HASH_SIZE),
    UINT(cs_chpc2, stored_at, 0, CS_TIME_MAX),
    BYTES(cs_chpc2, sig_emr, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
    LIST(cs_chpc2, others, 16, 16),
};
const cs_schema cs_chpc2_schema = SCHEMA(cs_chpc2, "CHPC2", chpc2_fields);

static const cs_field filed_fields[] = {
    UINT(cs_filed, time, 0, CS_TIME_MAX),
    BYTES(cs_filed, record_id, 16, 16),
};
const cs_schema cs_filed_schema = SCHEMA(cs_filed, "filed", filed_fields);

static const cs_field publish_fields[] = {
    BYTES(cs_publish, credential_hpc, 1, CS_CREDENTIAL_MAX),
    TEXT(cs_publish, id_p, 1, CS_ID_MAX),
    TEXT(cs_publish, id_de, 1, CS_DEPARTMENT_MAX),
    TEXT(cs_publish, url, 1, CS_URL_MAX),
    UINT(cs_publish, time, 0, CS_TIME_MAX),
    TEXT(cs_publish, id_pc, 1, CS_ID_MAX),
};
const cs_schema cs_publish_schema = SCHEMA(cs_publish, "publish", publish_fields);

static const cs_field row_name_fields[] = {
    BYTES(cs_row_name, a, 1, CS_TEXT_MAX),
    BYTES(cs_row_name, b, 0, CS_TEXT_MAX),
};
const cs_schema cs_row_name_schema = SCHEMA(cs_row_name, "row", row_name_fields);

static const cs_field record_name_fields[] = {
    BYTES(cs_record_name, record_id, 16, 16),
    BYTES(cs_record_name, salt, 32, 32),
};
const cs_schema cs_record_name_schema = SCHEMA(cs_record_name, "record", record_name_fields);

static const cs_field index_value_fields[] = {
    TEXT(cs_index_value, id_hpc, 1, CS_ID_MAX),
    BYTES(cs_index_value, credential_hpc, 1, CS_CREDENTIAL_MAX),
    TEXT(cs_index_value, url, 1, CS_URL_MAX),
};
const cs_schema cs_index_value_schema = SCHEMA(cs_index_value, "index value", index_value_fields);

static const cs_field record_header_fields[] = {
    UINT(cs_record_header, kind, 1, 2),
    TEXT(cs_record_header, id_p, 1, CS_ID_MAX),
    TEXT(cs_record_header, id_de, 1, CS_DEPARTMENT_MAX),
    TEXT(cs_record_header, media_type, 1, CS_MEDIA_TYPE_MAX),
    UINT(cs_record_header, size, 0, CS_RECORD_SIZE_MAX),
    BYTES(cs_record_header, hash, CS_HASH_SIZE, CS_HASH_SIZE),
    UINT(cs_record_header, time, 0, CS_TIME_MAX),
    BYTES(cs_record_header, signature, CS_SIGNATURE_SIZE, CS_SIGNATURE_SIZE),
    BYTES(cs_record_header, evidence, 0, 2 * CS_CERT_MAX),
    TEXT(cs_record_header, author, 0, CS_ID_MAX),
};
const cs_schema cs_record_header_schema =
    SCHEMA(cs_record_header, "record header", record_header_fields);

static const cs_field audit_entry_fields[] = {
    UINT(cs_audit_entry, time, 0, CS_TIME_MAX),
    TEXT(cs_audit_entry, action, 1, 64),
    TEXT(cs_audit_entry, outcome, 1, 32),
    TEXT(cs_audit_entry, who, 0, CS_ID_MAX),
    TEXT(cs_audit_entry, role, 0, 16),
    TEXT(cs_audit_entry, patient, 0, CS_ID_MAX),
    TEXT(cs_audit_entry, detail, 0, CS_TEXT_MAX),
    BYTES(cs_audit_entry, evidence, 0, CS_MESSAGE_MAX),
    TEXT(cs_audit_entry, reason, 0, CS_TEXT_MAX),
};
const cs_schema cs_audit_entry_schema = SCHEMA(cs_audit_entry, "audit", audit_entry_fields);

static const cs_field audit_seal_fields[] = {
    UINT(cs_audit_seal, number, 0, CS_SERIAL_MAX),
    BYTES(cs_audit_seal, hash, CS_HASH_SIZE, CS_HASH_SIZE),
};
const cs_schema cs_audit_seal_schema = SCHEMA(cs_audit_seal, "audit seal", audit_seal_fields);

const cs_schema *const cs_all_schemas[] = {
    &cs_signed_schema,
    &cs_envelope_schema,
    &cs_envelope_header_schema,
    &cs_session_head_schema,
    &cs_reply_schema,
    &cs_acknowledgement_schema,
    &cs_refusal_schema,
    &cs_parameters_schema,
    &cs_revocations_schema,
    &cs_issue_body_schema,
    &cs_credential_body_schema,
    &cs_register_schema,
    &cs_registered_schema,
    &cs_tpm_statement_schema,
    &cs_attestation_schema,
    &cs_station_schema,
    &cs_transcript_schema,
    &cs_confirmation_schema,
    &cs_message_key_schema,
    &cs_sig_p1_schema,
    &cs_cp1_schema,
    &cs_sig_d1_schema,
    &cs_cd1_schema,
    &cs_consent_schema,
    &cs_consent_bundle_schema,
    &cs_cp2_schema,
    &cs_sig_dinf_schema,
    &cs_cd5_schema,
    &cs_sig_d2_schema,
    &cs_access_schema,
    &cs_cd2_schema,
    &cs_hospital_commitment_schema,
    &cs_sig_c_schema,
    &cs_found_schema,
    &cs_cc_schema,
    &cs_referral_schema,
    &cs_sig_d3_schema,
    &cs_cd3_schema,
    &cs_sig_hpc1_schema,
    &cs_chpc1_schema,
    &cs_cd4_schema,
    &cs_sig_emr_schema,
    &cs_chpc2_schema,
    &cs_filed_schema,
    &cs_publish_schema,
    &cs_row_name_schema,
    &cs_record_name_schema,
    &cs_index_value_schema,
    &cs_record_header_schema,
    &cs_audit_entry_schema,
    &cs_audit_seal_schema,
    &cs_terms_schema,
    &cs_invitation_schema,
    &cs_letter_schema,
    &cs_place_token_schema,
    &cs_statement_schema,
    &cs_front_schema,
    &cs_sig_t1_schema,
    &cs_ct1_schema,
    &cs_sig_t2_schema,
    &cs_ct2_schema,
    &cs_ct3_schema,
    &cs_ct4_schema,
    &cs_upload_schema,
    &cs_stored_schema,
    &cs_fetch_schema,
    &cs_fetched_schema,
    &cs_place_value_schema,
    NULL,
};

const char *cs_role_name(uint64_t role)
{
    switch (role) {
    case CS_ROLE_PATIENT:
        return "patient";
    case CS_ROLE_DOCTOR:
        return "doctor";
    case CS_ROLE_HOSPITAL:
        return "hospital";
    case CS_ROLE_CLOUD:
        return "cloud";
    default:
        return "unknown";
    }
}

int cs_role_from_name(cs_role *out, const char *name, cs_error *error)
{
    for (cs_role role = CS_ROLE_PATIENT; role <= CS_ROLE_CLOUD; role++) {
        if (strcmp(cs_role_name(role), name) == 0) {
            *out = role;
            return CS_OK;
        }
    }
    return CS_FAIL(
        error, CS_E_USAGE, "\"%s\" is no role: use patient, doctor, hospital or cloud", name);
}
