/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PARTY_H
#define CHARTSEAL_PARTY_H

/*
 * Who takes part, and what a party needs to do its part.
 *
 * The protocol does no I/O: a step takes bytes and gives bytes. What it cannot know it is given in
 * a cs_env: the time, ΔT, the authorities it trusts, and two questions it may ask (seen before?
 * revoked?). What is secret it never has: a cs_party holds open keys of a token, and asks them for
 * one operation at a time.
 *
 * A credential (Eq. 2-10) says which public keys, and which Y_X, belong to an identity; PC signed
 * it. credential_X = [m_X, R_X1, Sign(PRK_PC, ["chartseal/1 credential", m_X, R_X1])] Y_X = R_X1 +
 * H(R_X1, PK, m_X)·PK
 */

#include <chartseal/certificate.h>
#include <chartseal/token.h>
#include <chartseal/wire.h>

#define CS_DELTA_T_DEFAULT 60000 /* ms */
/* How long a message is remembered: while its time lets it pass, and a margin, since who checks the
 * time and then waits for the token or the database is later than the clock that he looked at. */
#define CS_SEEN_MARGIN_MS 60000
#define CS_SEEN_MS(delta_t) (2 * (delta_t) + CS_SEEN_MARGIN_MS)

/* What a step may ask of the world. All members but `now` may be shared by steps. */
typedef struct cs_env {
    int64_t now;           /* ms since 1970 */
    int64_t delta_t;       /* ΔT in ms */
    const cs_trust *trust; /* who may have issued Cert_D; NULL where no certificate is checked */
    const cs_trust *tpm_makers; /* PC: who certifies endorsement keys of TPMs; NULL: nobody */
    /* Remember a signature's hash until `until` and tell whether it was new; across restarts and
     * instances. */
    int (*seen)(void *context, const uint8_t hash[CS_HASH_SIZE], int64_t until, bool *fresh,
        cs_error *error);
    /* CS_E_LISTS when this side cannot tell. */
    int (*revoked)(void *context, uint64_t serial, bool *revoked, cs_error *error);
    void *context;
} cs_env;

/* PC as everybody knows it. */
typedef struct cs_cloud {
    cs_suite suite;
    char id[CS_ID_MAX + 1];
    cs_point pk;
    uint8_t puk_sign[CS_PUK_SIZE];
    uint8_t puk_decrypt[CS_PUK_SIZE];
} cs_cloud;

/* The parameters as PC hands them out, signed by itself, and back. Whoever takes them in compares
 * their fingerprint (h of the bytes) over another way first. CS_E_SIGNATURE, CS_E_MALFORMED. */
CS_MUST_CHECK int cs_cloud_publish(
    cs_buf *out, const cs_cloud *cloud, cs_key *sign, cs_error *error);
CS_MUST_CHECK int cs_cloud_parse(cs_cloud *out, cs_view parameters, cs_error *error);

/* A credential, decoded. A plain value: no pointers. */
typedef struct cs_credential {
    cs_role role;
    char id[CS_ID_MAX + 1];
    uint64_t serial;
    int64_t not_before;
    int64_t not_after;
    uint8_t binding[CS_HASH_SIZE]; /* P: B'; D, HPC: h of the certificate */
    uint8_t puk_sign[CS_PUK_SIZE];
    uint8_t puk_decrypt[CS_PUK_SIZE];
    cs_point r1; /* R_X1 */
    cs_point y;  /* Y_X */
    uint8_t raw[CS_CREDENTIAL_MAX];
    size_t raw_size;
} cs_credential;

/* Decode, for a look or before the checks: nothing is verified. y is computed from what it says. */
CS_MUST_CHECK int cs_credential_parse(
    cs_credential *out, const cs_cloud *cloud, cs_view bytes, cs_error *error);
/* Role, PC's signature, dates at env->now, revocation. CS_E_CREDENTIAL, CS_E_EXPIRED,
 * CS_E_REVOKED. */
CS_MUST_CHECK int cs_credential_check(const cs_credential *credential, const cs_cloud *cloud,
    const cs_env *env, cs_role role, cs_error *error);
/* That a certificate is good (cs_certificate_check; `ocsp` as there), for this key, and names the
 * role (in an organizational unit) and the identity (in the serialNumber attribute): else whoever
 * has any certificate could register as anybody. CS_E_CERTIFICATE, CS_E_EXPIRED, CS_E_REVOKED,
 * CS_E_OCSP. */
CS_MUST_CHECK int cs_certificate_check_holder(const cs_env *env, cs_view certificate,
    const cs_view *ocsp, cs_role role, const char *id, const uint8_t puk_sign[CS_PUK_SIZE],
    cs_error *error);
/* Cert_D or HPC's certificate: bound by the credential, its key is PUK sign, its holder
 * has the credential's role and identity, chain, dates, CRL, and the OCSP answer beside it. */
CS_MUST_CHECK int cs_credential_check_certificate(const cs_credential *credential,
    const cs_env *env, cs_view certificate, const cs_view *ocsp, cs_error *error);
cs_view cs_credential_view(const cs_credential *credential);

/* A party: itself, its open keys (not owned), its credential and certificate (not owned). PC has no
 * credential and no scalar, but issue; keys a step does not need may be NULL. */
typedef struct cs_party {
    const cs_cloud *cloud;
    cs_key *sign;
    cs_key *decrypt;
    cs_key *scalar; /* S_X */
    cs_key *issue;  /* s */
    cs_key *storage;
    const cs_credential *credential;
    cs_view certificate;
    cs_view ocsp; /* its authority's answer about the certificate (ocsp.h); empty: none */
} cs_party;

/* The list of revoked serials, signed by PC: made, and taken in (signature and dates checked;
 * CS_E_LISTS when it is too old). */
CS_MUST_CHECK int cs_revocations_publish(
    cs_buf *out, cs_key *sign, cs_view serials, int64_t now, int64_t next, cs_error *error);
CS_MUST_CHECK int cs_revocations_open(
    cs_revocations *out, const cs_cloud *cloud, cs_view bytes, int64_t now, cs_error *error);
bool cs_revocations_have(const cs_revocations *list, uint64_t serial);

/* A refusal as bytes to send, and a refusal received as an error ("the hospital refused: …"). The
 * message sent says the class of the check alone, never which value. */
CS_MUST_CHECK int cs_refusal_make(cs_buf *out, int code, cs_error *error);
CS_MUST_CHECK int cs_refusal_raise(cs_view bytes, const char *who, cs_error *error);

#endif
