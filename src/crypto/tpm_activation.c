/* SPDX-License-Identifier: Apache-2.0 */

/* TPM2_MakeCredential in software (TPM 2.0 Part 1, "Credential Protection"), for the default P-256
 * endorsement key: what it seals, TPM2_ActivateCredential opens. */

#include "p256.h"
#include "tpm_wrap.h"

#include <chartseal/group.h>
#include <chartseal/secret.h>
#include <chartseal/tpm_statement.h>

#include <string.h>

#define IDENTITY_SIZE (2 + CS_TPM_ACTIVATION_KEY_SIZE) /* TPM2B_DIGEST, sealed */

/* What is secret on the way; guarded. */
typedef struct sealing {
    uint8_t ephemeral[32];
    uint8_t z[CS_TPM_COORDINATE];
    uint8_t seed[CS_HASH_SIZE];
    uint8_t storage[CS_TPM_AES_SIZE];
    uint8_t integrity[CS_HASH_SIZE];
    uint8_t identity[IDENTITY_SIZE + CS_TPM_NAME_SIZE]; /* with the name behind it, to be hashed */
    uint8_t mac[CS_HASH_SIZE];
} sealing;

static int agree(sealing *s, uint8_t point[65], cs_view endorsement, cs_error *error)
{
    uint8_t peer[65];
    int rc = cs_p256_uncompress(peer, endorsement, error);

    if (rc == CS_OK)
        rc = cs_p256_generate(s->ephemeral, point, error);
    if (rc == CS_OK)
        rc = cs_p256_ecdh(s->z, s->ephemeral, CS_VIEW_ARRAY(peer), error);
    if (rc == CS_OK)
        rc = cs_tpm_kdf_e(s->seed, s->z, "IDENTITY", point, peer, error);
    return rc;
}

static int seal(sealing *s, const uint8_t name[CS_TPM_NAME_SIZE],
    const uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE], cs_error *error)
{
    int rc = cs_tpm_kdf_a(
        s->storage, sizeof s->storage, s->seed, "STORAGE", name, CS_TPM_NAME_SIZE, error);

    if (rc == CS_OK)
        rc = cs_tpm_kdf_a(s->integrity, sizeof s->integrity, s->seed, "INTEGRITY", NULL, 0, error);
    (void)cs_tpm_put2b(s->identity, key, CS_TPM_ACTIVATION_KEY_SIZE);
    if (rc == CS_OK)
        rc = cs_tpm_cfb(s->identity, IDENTITY_SIZE, s->storage, error);
    memcpy(s->identity + IDENTITY_SIZE, name, CS_TPM_NAME_SIZE);
    if (rc == CS_OK)
        rc = cs_hmac(s->mac, CS_VIEW_ARRAY(s->integrity), CS_VIEW_ARRAY(s->identity), error);
    return rc;
}

int cs_tpm_activation_make(uint8_t out[CS_TPM_ACTIVATION_SIZE], cs_view endorsement,
    const uint8_t name[CS_TPM_NAME_SIZE], const uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE],
    cs_error *error)
{
    sealing *s = cs_secret_new(sizeof *s);
    uint8_t point[65];
    uint8_t *at = out;
    int rc;

    if (s == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for sealing to a TPM");
    rc = agree(s, point, endorsement, error);
    if (rc == CS_OK)
        rc = seal(s, name, key, error);
    if (rc == CS_OK) {
        at = cs_tpm_put2b(at, s->mac, sizeof s->mac);
        memcpy(at, s->identity, IDENTITY_SIZE);
        at = cs_tpm_put2b(at + IDENTITY_SIZE, point + 1, CS_TPM_COORDINATE);
        (void)cs_tpm_put2b(at, point + 1 + CS_TPM_COORDINATE, CS_TPM_COORDINATE);
    }
    cs_secret_free(&s);
    return rc;
}
