/* SPDX-License-Identifier: Apache-2.0 */
/* Statements about keys: dispatched to the backend that makes them, and counted. */
#include "token/backend.h"

int cs_attestor_new(cs_attestor **out, cs_token *token, cs_error *error)
{
    *out = NULL;
    if (token->ops->attestor == NULL)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "this kind of token makes no statements about its keys; a TPM does");
    return token->ops->attestor(token, out, error);
}

const cs_attestor_info *cs_attestor_describe(const cs_attestor *attestor)
{
    return &attestor->info;
}

int cs_attestor_certify(cs_attestor *attestor, cs_key *key, const uint8_t qualifying[CS_HASH_SIZE],
    cs_statement_of_key *out, cs_error *error)
{
    cs_ops_count_attest();
    return attestor->certify(attestor, key, qualifying, out, error);
}

int cs_attestor_activate(cs_attestor *attestor, const uint8_t activation[CS_TPM_ACTIVATION_SIZE],
    uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE], cs_error *error)
{
    if (!attestor->info.has_endorsement)
        return CS_FAIL(error, CS_E_DECRYPT, "this attestor showed no endorsement key");
    cs_ops_count_attest();
    return attestor->activate(attestor, activation, key, error);
}

void cs_attestor_free(cs_attestor **attestor)
{
    if (attestor == NULL || *attestor == NULL)
        return;
    (*attestor)->free(*attestor);
    *attestor = NULL;
}
