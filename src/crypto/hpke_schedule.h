/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CRYPTO_HPKE_SCHEDULE_H
#define CHARTSEAL_CRYPTO_HPKE_SCHEDULE_H

/*
 * RFC 9180 between the Diffie-Hellman and the AEAD: ExtractAndExpand of DHKEM (4.1), the key
 * schedule of base mode (5.1) and the export (5.3). hpke.h puts it to use; the known-answer tests
 * look at what is in it.
 */

#include <chartseal/hpke.h>

/* Secret. Keep it in guarded memory or wipe it. */
typedef struct cs_hpke_context {
    uint8_t key[CS_AEAD_KEY_SIZE];
    uint8_t base_nonce[CS_AEAD_NONCE_SIZE]; /* the nonce of the first message, and we send one */
    uint8_t exporter_secret[CS_HASH_SIZE];
} cs_hpke_context;

/* dh: x of the Diffie-Hellman; enc and puk: both public keys, uncompressed. */
CS_MUST_CHECK int cs_hpke_schedule(cs_hpke_context *out, const uint8_t dh[32],
    const uint8_t enc[CS_HPKE_ENC_SIZE], const uint8_t puk[CS_HPKE_ENC_SIZE], cs_view info,
    cs_error *error);

CS_MUST_CHECK int cs_hpke_export(uint8_t *out, size_t n, const cs_hpke_context *context,
    cs_view exporter_context, cs_error *error);

#endif
