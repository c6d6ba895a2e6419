/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_ENDORSEMENT_H
#define CHARTSEAL_TEST_ENDORSEMENT_H

/* A maker of TPMs: an authority of its own, and certificates of endorsement keys. */

#include <chartseal/bytes.h>

#include <openssl/evp.h>

typedef struct maker {
    EVP_PKEY *key;
    cs_buf ca_pem;
} maker;

void maker_open(maker *m, const char *name);
void maker_close(maker *m);
/* DER appended. With the subject alternative name alone, as the profile has it; `endorses`: with
 * the extended key usage of endorsement keys. */
void maker_certify(const maker *m, cs_buf *der, const uint8_t point[65], bool endorses);

#endif
