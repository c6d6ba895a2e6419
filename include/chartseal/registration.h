/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_REGISTRATION_H
#define CHARTSEAL_REGISTRATION_H

/*
 * Registration, Eq. 2-10: X asks, PC issues S_X and a credential, X checks S_X·P = Y_X.
 *
 *   R1  X → PC  E_PUKPC(request, SigX)      SigX shows that X has PRK_X
 *   R2  PC → X  E_PUKX(credential_X, S_X wrapped for X's token)
 *
 * S_X = r + H(..)·s is a Schnorr signature on m_X, made by the token that holds s (`issue`); PC
 * keeps no S_X. How S_X goes into X's token is cs_delivery (token.h). Where the token wants a
 * lifted S_X, PC issues with the next serials until it gets one that can be lifted: twice on
 * average.
 *
 * Where X's keys are in a TPM, R1 says so in the TPM's own words (tpm_statement.h), and PC checks
 * them. Where that TPM showed its endorsement key, S_X is sealed once more in R2, with a key that
 * only the TPM with both that key and the attestation key gives out.
 *
 * Admission is for the service between cs_register_open and cs_register_issue: the enrolment code,
 * and whether the identity is free or belongs to the same keys.
 */

#include <chartseal/party.h>

/* What PC knows of where X's keys are, when they are in a TPM. Each is more than the one before. */
typedef enum cs_attested {
    CS_ATTESTED_NOT = 0,
    CS_ATTESTED_STATED,  /* statements by an attestation key of which nothing is known */
    CS_ATTESTED_BOUND,   /* S_X opens only in the TPM that has this endorsement key too */
    CS_ATTESTED_GENUINE, /* and a manufacturer whom PC trusts certified it */
} cs_attested;
/* "none", "stated", "bound", "genuine". */
const char *cs_attested_name(cs_attested attested);

/* X's side. `me` has cloud, sign and decrypt (and certificate for D, HPC and a telecare cloud). A
 * token that makes statements about its keys is asked for them: two or three statements and one
 * activation. */
typedef struct cs_registering cs_registering;
typedef struct cs_registering_input {
    cs_role role;
    const char *id;
    cs_view binding; /* P: B', 32 bytes; else empty */
    cs_view code;    /* P, HPC, cloud: CS_CODE_SIZE bytes; else empty */
    cs_token *token; /* where S_X will live */
    const char *label;
} cs_registering_input;
CS_MUST_CHECK int cs_registering_begin(cs_registering **out, const cs_party *me, const cs_env *env,
    const cs_registering_input *input, cs_buf *r1, cs_error *error);
/* Checks the answer, brings S_X into the token and checks Eq. 4. *scalar is the open key of S_X.
 * When it stays sealed, `sealed` gets the bytes to keep (enc ‖ ct), for cs_scalar_open_sealed; else
 * it stays empty. me->decrypt must outlive *scalar. CS_E_CREDENTIAL if Eq. 4 does not hold: nothing
 * is kept then. */
CS_MUST_CHECK int cs_registering_finish(cs_registering *registering, const cs_env *env, cs_view r2,
    cs_credential *credential, cs_key **scalar, cs_buf *sealed, cs_error *error);
void cs_registering_free(cs_registering **registering);
/* Open the key of a sealed S_X again from the bytes kept. */
CS_MUST_CHECK int cs_scalar_open_sealed(cs_key **out, cs_key *decrypt, cs_view sealed,
    const cs_credential *credential, cs_error *error);

/* PC's side. */
typedef struct cs_registration {
    cs_role role;
    char id[CS_ID_MAX + 1];
    uint8_t binding[CS_HASH_SIZE];
    uint8_t puk_sign[CS_PUK_SIZE];
    uint8_t puk_decrypt[CS_PUK_SIZE];
    uint8_t code[CS_CODE_SIZE];
    bool has_code;
    uint8_t owner[CS_HASH_SIZE]; /* h of both public keys */
    cs_delivery delivery;
    uint8_t delivery_key[65];
    uint8_t h_request[CS_HASH_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE]; /* evidence */
    cs_attested attested;
    uint8_t attesting_name[CS_TPM_NAME_SIZE];
    uint8_t endorsement[CS_PUK_SIZE];        /* from CS_ATTESTED_BOUND on */
    uint8_t attestation[CS_ATTESTATION_MAX]; /* evidence */
    size_t attestation_size;                 /* 0: none */
} cs_registration;
CS_MUST_CHECK int cs_register_open(
    cs_registration *out, const cs_party *pc, const cs_env *env, cs_view r1, cs_error *error);

/* The next serial, never used before. */
typedef int (*cs_serial_fn)(void *context, uint64_t *serial, cs_error *error);
CS_MUST_CHECK int cs_register_issue(const cs_party *pc, const cs_env *env,
    const cs_registration *registration, int64_t not_before, int64_t not_after,
    cs_serial_fn next_serial, void *context, cs_credential *credential, cs_buf *r2,
    cs_error *error);

#endif
