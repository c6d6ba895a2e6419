/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/attestation.h"

#include <chartseal/secret.h>

#include <string.h>

const char *cs_attested_name(cs_attested attested)
{
    static const char *const names[] = {[CS_ATTESTED_NOT] = "none",
        [CS_ATTESTED_STATED] = "stated",
        [CS_ATTESTED_BOUND] = "bound",
        [CS_ATTESTED_GENUINE] = "genuine"};

    return attested >= CS_ATTESTED_NOT && attested <= CS_ATTESTED_GENUINE ? names[attested] : "?";
}

/* That the statement is about the key that is registered, whose point `wanted` is (SEC1). */
static int check_statement(cs_view bytes, const cs_tpm_public *attesting, cs_tpm_kind kind,
    cs_view wanted, const uint8_t qualifying[CS_HASH_SIZE], cs_error *error)
{
    cs_tpm_statement statement;
    cs_tpm_public key;
    uint8_t point[65];
    int rc = cs_decode(&cs_tpm_statement_schema, &statement, bytes, error);

    if (rc == CS_OK)
        rc = cs_tpm_public_read(&key, statement.area, kind, error);
    if (rc == CS_OK)
        rc = cs_p256_uncompress(point, wanted, error);
    if (rc == CS_OK && memcmp(point, key.point, sizeof point) != 0)
        rc = CS_FAIL(error, CS_E_ATTESTATION,
            "a TPM's statement is about another key than the one that is registered");
    if (rc == CS_OK)
        rc = cs_tpm_statement_check(
            statement.attest, statement.signature, attesting, &key, qualifying, error);
    return rc;
}

/* S_X of suite p256 goes to the storage root, so that has to be in the TPM as well; one that is
 * sealed goes to the decrypt key. Another delivery would take it elsewhere. */
static int check_statements(cs_registration *out, const cs_register *request,
    const cs_attestation *attestation, cs_error *error)
{
    const struct {
        cs_tpm_kind kind;
        cs_view point;
    } keys[] = {{CS_TPM_SIGNING, request->puk_sign}, {CS_TPM_AGREEING, request->puk_decrypt},
        {CS_TPM_PARENT, request->delivery_key}};
    size_t count = request->delivery == CS_DELIVERY_DUPLICATED ? 3 : 2;
    uint8_t qualifying[CS_HASH_SIZE];
    cs_tpm_public attesting;
    int rc;

    if ((count == 2 && request->delivery != CS_DELIVERY_SEALED) ||
        attestation->statements.n != count)
        return CS_FAIL(error, CS_E_MALFORMED,
            "an attestation of %zu keys, or for a delivery that is not to a TPM",
            attestation->statements.n);
    rc = cs_tpm_public_read(&attesting, attestation->attesting, CS_TPM_ATTESTING, error);
    if (rc == CS_OK)
        rc = cs_attestation_qualifying(qualifying, request, error);
    for (size_t i = 0; rc == CS_OK && i < count; i++)
        rc = check_statement(attestation->statements.items[i], &attesting, keys[i].kind,
            keys[i].point, qualifying, error);
    if (rc == CS_OK)
        memcpy(out->attesting_name, attesting.name, sizeof out->attesting_name);
    return rc;
}

/* A certificate that is for another key is a lie; one of a maker whom nobody told us of is not. */
static int check_endorsement(
    cs_registration *out, const cs_env *env, const cs_attestation *attestation, cs_error *error)
{
    uint8_t point[65], certified[CS_PUK_SIZE];
    int rc;

    if (attestation->endorsement.n == 0 && attestation->certificate.n == 0)
        return CS_OK;
    if (attestation->endorsement.n != CS_PUK_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "an endorsement key has %d bytes", CS_PUK_SIZE);
    rc = cs_p256_uncompress(point, attestation->endorsement, error);
    if (rc != CS_OK)
        return rc;
    memcpy(out->endorsement, attestation->endorsement.p, CS_PUK_SIZE);
    out->attested = CS_ATTESTED_BOUND;
    if (attestation->certificate.n == 0)
        return CS_OK;
    rc = cs_endorsement_read(attestation->certificate, certified, error);
    if (rc == CS_OK && memcmp(certified, out->endorsement, sizeof certified) != 0)
        rc = CS_FAIL(error, CS_E_ATTESTATION, "the TPM's certificate is for another key");
    if (rc == CS_OK && env->tpm_makers != NULL &&
        cs_endorsement_check(env->tpm_makers, attestation->certificate, env->now, NULL) == CS_OK)
        out->attested = CS_ATTESTED_GENUINE;
    return rc;
}

int cs_attestation_check(
    cs_registration *out, const cs_env *env, const cs_register *request, cs_error *error)
{
    cs_attestation attestation;
    int rc;

    if (request->attestation.n == 0)
        return CS_OK;
    rc = cs_decode(&cs_attestation_schema, &attestation, request->attestation, error);
    if (rc == CS_OK)
        rc = check_statements(out, request, &attestation, error);
    if (rc != CS_OK)
        return rc;
    out->attested = CS_ATTESTED_STATED;
    memcpy(out->attestation, request->attestation.p, request->attestation.n);
    out->attestation_size = request->attestation.n;
    return check_endorsement(out, env, &attestation, error);
}

int cs_attestation_seal(cs_buf *secret, uint8_t activation[CS_TPM_ACTIVATION_SIZE],
    const cs_registration *r, cs_error *error)
{
    static const uint8_t nonce[CS_AEAD_NONCE_SIZE]; /* the key is for this one message */
    uint8_t *key = cs_secret_new(CS_TPM_ACTIVATION_KEY_SIZE);
    cs_buf sealed = {0};
    int rc;

    if (key == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for the key of S_X");
    cs_random(key, CS_TPM_ACTIVATION_KEY_SIZE);
    rc = cs_tpm_activation_make(
        activation, CS_VIEW_ARRAY(r->endorsement), r->attesting_name, key, error);
    if (rc == CS_OK)
        rc = cs_aead_seal(
            &sealed, key, nonce, CS_VIEW_ARRAY(r->h_request), cs_view_buf(secret), error);
    if (rc == CS_OK) {
        cs_buf_clear(secret);
        rc = cs_buf_append(secret, cs_view_buf(&sealed), error);
    }
    cs_buf_free(&sealed);
    cs_secret_free(&key);
    return rc;
}
