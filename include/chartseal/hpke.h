/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_HPKE_H
#define CHARTSEAL_HPKE_H

/*
 * E_PUK: HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one
 * message per context. The one step of opening that needs the private key, the Diffie-Hellman of
 * the decapsulation, is a function of the caller's: a token's `agree`.
 *
 * Both sides can also export a secret from the context (RFC 9180, 5.3). Replies that need no
 * signature are encrypted under it, which costs no token operation.
 */

#include <chartseal/crypto.h>

#define CS_HPKE_ENC_SIZE 65
#define CS_HPKE_INFO_MAX 256 /* info is a label; longer is a mistake: CS_E_TOO_LARGE */
#define CS_HPKE_EXPORTER_CONTEXT "chartseal/1 reply"

/* The x coordinate (32 bytes) of private·peer; peer is 65 bytes uncompressed, already validated. */
typedef int (*cs_agree_fn)(void *context, const uint8_t peer[65], uint8_t x[32], cs_error *error);

/* enc (65 bytes) and ct (plain.n + 16, appended to ct). puk: SEC1. If export_secret is not NULL, 32
 * bytes are exported with CS_HPKE_EXPORTER_CONTEXT, into guarded
 * memory of the caller's. info, aad and plain may be empty. CS_E_POINT when puk is no point. */
CS_MUST_CHECK int cs_hpke_seal(uint8_t enc[CS_HPKE_ENC_SIZE], cs_buf *ct, cs_view puk, cs_view info,
    cs_view aad, cs_view plain, uint8_t *export_secret, cs_error *error);

/* The same from the ephemeral key given: for known-answer tests alone. */
CS_MUST_CHECK int cs_hpke_seal_with(uint8_t enc[CS_HPKE_ENC_SIZE], cs_buf *ct,
    const uint8_t ephemeral[32], cs_view puk, cs_view info, cs_view aad, cs_view plain,
    uint8_t *export_secret, cs_error *error);

/* Opens; plain is appended. puk is the recipient's own public key (it is part of the KEM context).
 * CS_E_DECRYPT, or what agree returned; and before agree is called CS_E_POINT for a bad enc or puk,
 * CS_E_DECRYPT for a ct without room for its tag. On failure nothing is appended or exported. */
CS_MUST_CHECK int cs_hpke_open(cs_buf *plain, cs_view enc, cs_view ct, cs_view puk, cs_view info,
    cs_view aad, cs_agree_fn agree, void *agree_context, uint8_t *export_secret, cs_error *error);

#endif
