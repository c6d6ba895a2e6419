/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke_schedule.h"

#include <chartseal/group.h>
#include <chartseal/secret.h>

#include <string.h>

/* Everything secret of one message, in guarded memory. */
typedef struct hpke_secrets {
    uint8_t ephemeral[32];
    uint8_t dh[32];
    cs_hpke_context context;
    uint8_t reply[CS_HASH_SIZE];
} hpke_secrets;

/* From the Diffie-Hellman, which is in place, to the AEAD key and the exported secret. */
static int finish_setup(hpke_secrets *secrets, const uint8_t enc[CS_HPKE_ENC_SIZE],
    const uint8_t puk[CS_HPKE_ENC_SIZE], cs_view info, cs_error *error)
{
    int rc = cs_hpke_schedule(&secrets->context, secrets->dh, enc, puk, info, error);

    if (rc == CS_OK)
        rc = cs_hpke_export(secrets->reply, sizeof secrets->reply, &secrets->context,
            cs_view_str(CS_HPKE_EXPORTER_CONTEXT), error);
    return rc;
}

int cs_hpke_seal_with(uint8_t enc[CS_HPKE_ENC_SIZE], cs_buf *ct, const uint8_t ephemeral[32],
    cs_view puk, cs_view info, cs_view aad, cs_view plain, uint8_t *export_secret, cs_error *error)
{
    uint8_t recipient[CS_HPKE_ENC_SIZE];
    hpke_secrets *secrets = cs_secret_new(sizeof *secrets);
    int rc;

    if (secrets == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a sealed message");
    rc = cs_p256_uncompress(recipient, puk, error);
    if (rc == CS_OK)
        rc = cs_p256_public(enc, ephemeral, error);
    if (rc == CS_OK)
        rc = cs_p256_ecdh(secrets->dh, ephemeral, CS_VIEW_ARRAY(recipient), error);
    if (rc == CS_OK)
        rc = finish_setup(secrets, enc, recipient, info, error);
    if (rc == CS_OK)
        rc = cs_aead_seal(ct, secrets->context.key, secrets->context.base_nonce, aad, plain, error);
    if (rc == CS_OK && export_secret != NULL)
        memcpy(export_secret, secrets->reply, sizeof secrets->reply);
    cs_secret_free(&secrets);
    return rc;
}

int cs_hpke_seal(uint8_t enc[CS_HPKE_ENC_SIZE], cs_buf *ct, cs_view puk, cs_view info, cs_view aad,
    cs_view plain, uint8_t *export_secret, cs_error *error)
{
    hpke_secrets *secrets = cs_secret_new(sizeof *secrets);
    int rc;

    if (secrets == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a sealed message");
    rc = cs_p256_generate(secrets->ephemeral, enc, error);
    if (rc == CS_OK)
        rc = cs_hpke_seal_with(
            enc, ct, secrets->ephemeral, puk, info, aad, plain, export_secret, error);
    cs_secret_free(&secrets);
    return rc;
}

/* Everything that can be refused without the token is refused before `agree` is called. */
static int check_open(uint8_t peer[CS_HPKE_ENC_SIZE], uint8_t own[CS_HPKE_ENC_SIZE], cs_view enc,
    cs_view ct, cs_view puk, cs_view info, cs_error *error)
{
    int rc;

    if (enc.n != CS_HPKE_ENC_SIZE)
        return CS_FAIL(
            error, CS_E_POINT, "HPKE: enc has %d bytes, not %zu", CS_HPKE_ENC_SIZE, enc.n);
    if (ct.n < CS_AEAD_TAG_SIZE)
        return CS_FAIL(error, CS_E_DECRYPT, "HPKE: too short to be a sealed message");
    if (info.n > CS_HPKE_INFO_MAX)
        return CS_FAIL(
            error, CS_E_TOO_LARGE, "HPKE: info of %zu bytes is over %d", info.n, CS_HPKE_INFO_MAX);
    rc = cs_p256_uncompress(peer, enc, error);
    if (rc == CS_OK)
        rc = cs_p256_uncompress(own, puk, error);
    return rc;
}

int cs_hpke_open(cs_buf *plain, cs_view enc, cs_view ct, cs_view puk, cs_view info, cs_view aad,
    cs_agree_fn agree, void *agree_context, uint8_t *export_secret, cs_error *error)
{
    uint8_t peer[CS_HPKE_ENC_SIZE];
    uint8_t own[CS_HPKE_ENC_SIZE];
    hpke_secrets *secrets = NULL;
    int rc = check_open(peer, own, enc, ct, puk, info, error);

    if (rc != CS_OK)
        return rc;
    secrets = cs_secret_new(sizeof *secrets);
    if (secrets == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a sealed message");
    rc = agree(agree_context, peer, secrets->dh, error);
    if (rc == CS_OK)
        rc = finish_setup(secrets, peer, own, info, error);
    if (rc == CS_OK)
        rc = cs_aead_open(plain, secrets->context.key, secrets->context.base_nonce, aad, ct, error);
    if (rc == CS_OK && export_secret != NULL)
        memcpy(export_secret, secrets->reply, sizeof secrets->reply);
    cs_secret_free(&secrets);
    return rc;
}
