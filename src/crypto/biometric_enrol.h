/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_BIOMETRIC_ENROL_H
#define CRYPTO_BIOMETRIC_ENROL_H

#include "crypto/fuzzy.h"

/* cs_biometric_enrol with its two random values given, for known answers. A salt that is used twice
 * under one device key gives the offsets away: nothing but tests calls this with a chosen one. The
 * secret is not looked at for a passphrase. */
CS_MUST_CHECK int cs_biometric_enrol_chosen(cs_buf *helper, uint8_t h_bp[CS_HASH_SIZE],
    const cs_biometric *bp, const uint8_t device_key[CS_DEVICE_KEY_SIZE],
    const uint8_t salt[CS_BIOMETRIC_SALT_SIZE], const uint8_t secret[CS_FUZZY_SECRET_SIZE],
    cs_error *error);

#endif
