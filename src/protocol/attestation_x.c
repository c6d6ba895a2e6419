/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/attestation.h"

#include <chartseal/secret.h>

int cs_attestation_qualifying(
    uint8_t out[CS_HASH_SIZE], const cs_register *request, cs_error *error)
{
    cs_register without = *request;
    cs_buf bytes = {0};
    int rc;

    without.attestation = (cs_view){0};
    rc = cs_encode(&bytes, &cs_register_schema, &without, error);
    if (rc == CS_OK)
        rc = cs_hash(out, cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}

/* One statement more, encoded, into the list. */
static int add(cs_list *list, cs_buf *bytes, cs_attestor *attestor, cs_key *key,
    const uint8_t qualifying[CS_HASH_SIZE], cs_error *error)
{
    cs_statement_of_key made;
    cs_tpm_statement statement;
    int rc = cs_attestor_certify(attestor, key, qualifying, &made, error);

    if (rc != CS_OK)
        return rc;
    statement = (cs_tpm_statement){.area = {made.area, made.area_size},
        .attest = CS_VIEW_ARRAY(made.attest),
        .signature = CS_VIEW_ARRAY(made.signature)};
    rc = cs_encode(bytes, &cs_tpm_statement_schema, &statement, error);
    if (rc == CS_OK)
        list->items[list->n++] = cs_view_buf(bytes);
    return rc;
}

static int encode(
    cs_buf *out, const cs_attestor *attestor, const cs_list *statements, cs_error *error)
{
    const cs_attestor_info *info = cs_attestor_describe(attestor);
    uint8_t endorsement[CS_PUK_SIZE];
    cs_attestation attestation = {
        .attesting = {info->area, info->area_size}, .statements = *statements};
    int rc = CS_OK;

    if (info->has_endorsement) {
        rc = cs_p256_compress(endorsement, CS_VIEW_ARRAY(info->endorsement), error);
        attestation.endorsement = CS_VIEW_ARRAY(endorsement);
        attestation.certificate = (cs_view){info->certificate, info->certificate_size};
    }
    return rc == CS_OK ? cs_encode(out, &cs_attestation_schema, &attestation, error) : rc;
}

int cs_attestation_make(cs_attestor **attestor, cs_buf *out, const cs_party *me, cs_token *token,
    const cs_register *request, cs_error *error)
{
    cs_key *const keys[] = {me->sign, me->decrypt, NULL /* the storage root */};
    size_t count = request->delivery == CS_DELIVERY_DUPLICATED ? 3 : 2;
    uint8_t qualifying[CS_HASH_SIZE];
    cs_buf bytes[3] = {0};
    cs_list statements = {0};
    int rc;

    *attestor = NULL;
    if (!cs_key_describe(me->sign)->attestable || !cs_key_describe(me->decrypt)->attestable)
        return CS_OK;
    rc = cs_attestor_new(attestor, token, error);
    if (rc == CS_E_TOKEN_UNSUITABLE)
        return CS_OK;
    if (rc == CS_OK)
        rc = cs_attestation_qualifying(qualifying, request, error);
    for (size_t i = 0; rc == CS_OK && i < count; i++)
        rc = add(&statements, &bytes[i], *attestor, keys[i], qualifying, error);
    if (rc == CS_OK)
        rc = encode(out, *attestor, &statements, error);
    for (size_t i = 0; i < count; i++)
        cs_buf_free(&bytes[i]);
    if (rc != CS_OK)
        cs_attestor_free(attestor);
    return rc;
}

int cs_attestation_open(cs_buf *out, cs_attestor *attestor, cs_view activation,
    const uint8_t h_request[CS_HASH_SIZE], cs_view sealed, cs_error *error)
{
    static const uint8_t nonce[CS_AEAD_NONCE_SIZE]; /* the key is for this one message */
    uint8_t *key;
    int rc;

    if (activation.n != CS_TPM_ACTIVATION_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "what PC sealed for the endorsement key has %d bytes",
            CS_TPM_ACTIVATION_SIZE);
    key = cs_secret_new(CS_TPM_ACTIVATION_KEY_SIZE);
    if (key == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for the key of S_X");
    rc = cs_attestor_activate(attestor, activation.p, key, error);
    if (rc == CS_OK)
        rc = cs_aead_open(out, key, nonce, (cs_view){h_request, CS_HASH_SIZE}, sealed, error);
    cs_secret_free(&key);
    return rc;
}
