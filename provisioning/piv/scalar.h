/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PIV_SCALAR_H
#define CHARTSEAL_PIV_SCALAR_H

/*
 * A key that was issued to the doctor (S_D, suite p256) into a retired slot, by Yubico's import:
 * PKCS#11 has no way there. The slot is chosen once, the first that has neither key nor
 * certificate, and is in the record before the card is changed; from then on it is the desk's, and
 * another S_D goes over the one in it. With a record of before (put back from a backup), the slot
 * with an S_D of this doctor's is found by its certificate.
 *
 * OpenSC shows a retired key by a certificate with its key usage, and by the key history object
 * that counts it: both are written. The certificate vouches for nothing.
 *
 * Each step is looked for on the card first, so that a run that ended early is made again.
 */

#include "piv/run.h"

#define CS_PIV_SCALAR_SIZE 32

typedef struct cs_piv_scalar {
    const uint8_t *s;         /* CS_PIV_SCALAR_SIZE bytes, big-endian, guarded; NULL: it has to be
                                 on the card already */
    uint8_t puk[CS_PUK_SIZE]; /* its public half */
    const char *name, *id;    /* the doctor's */
    int64_t not_before, not_after; /* as long as it is good, milliseconds since 1970 */
} cs_piv_scalar;

/* Afterwards the card says of the key in run->scalar_slot that it is that one, and was imported; it
 * wants the PIN once in a session, and no touch. CS_E_ORDER: the card is not finished;
 * CS_E_KEY_MISSING: it is another card, or has no such key; CS_E_REFUSED: another management key;
 * CS_E_TOKEN_UNSUITABLE: it takes none, or has no room. */
CS_MUST_CHECK int cs_piv_load_scalar(cs_piv *card, cs_piv_run *run, const cs_piv_scalar *scalar,
    cs_piv_save_fn save, void *context, cs_error *error);

/* How many retired keys the key history counts, from 82 on; what it does not count, OpenSC does not
 * show. -1: there is no history. */
CS_MUST_CHECK int cs_piv_history(cs_piv *card, int *counted, cs_error *error);

#endif
