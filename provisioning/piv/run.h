/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PIV_RUN_H
#define CHARTSEAL_PIV_RUN_H

/*
 * Making a doctor's card of a factory-new one: a sequence of steps, recorded so that a card is
 * never left half made. What the card is to get is chosen first and saved; then each step changes
 * the card, and is saved as done. A run that ended early is made again from its record: whether the
 * step at hand had reached the card, the card itself tells. Or the card is wiped.
 *
 *   begun     the card is new: all secrets are the factory's, and no slot is used
 *   admin     a management key of its own, of the algorithm that the card came with
 *   puk, pin  of its own
 *   objects   CHUID and CCC, where it came without
 *   sign      the key in 9C, made on the card, with its PIN for each signature
 *   agree     the key in 9D, made on the card
 *   finished  certificates for both, of those keys, with the key usage that PKCS#11 goes by
 *
 * The standard has no command that replaces a management key, and none that tells whether a secret
 * is the factory's: the card must have Yubico's extensions.
 */

#include "piv/piv.h"

#define CS_PIV_ADMIN_KEY_SIZE 24 /* of 3DES and of AES-192: the card's algorithm is kept */
#define CS_PIV_PIN_SIZE 8        /* digits */

typedef enum cs_piv_step {
    CS_PIV_NEW = 0,
    CS_PIV_BEGUN,
    CS_PIV_ADMIN,
    CS_PIV_PUK,
    CS_PIV_PIN,
    CS_PIV_OBJECTS,
    CS_PIV_SIGN,
    CS_PIV_AGREE,
    CS_PIV_FINISHED,
} cs_piv_step;
const char *cs_piv_step_name(cs_piv_step step);

/* In guarded memory (cs_secret_new, cs_secret_free). */
typedef struct cs_piv_run {
    uint32_t serial;
    cs_piv_step done;
    uint8_t admin_algorithm; /* CS_PIV_3DES or CS_PIV_AES192 */
    uint8_t admin_key[CS_PIV_ADMIN_KEY_SIZE];
    char pin[CS_PIV_PIN_SIZE + 1], puk[CS_PIV_PIN_SIZE + 1];
    uint8_t sign_puk[CS_PUK_SIZE], agree_puk[CS_PUK_SIZE]; /* once their steps are done */
    uint8_t scalar_slot; /* the retired slot that is for S_D (scalar.h); 0: none was needed yet */
} cs_piv_run;

/* A new run, with fresh secrets, for the card. */
CS_MUST_CHECK int cs_piv_run_new(cs_piv_run **out, cs_piv *card, cs_error *error);
/* Its record: text, with the secrets. out: guarded. CS_E_CORRUPT. */
CS_MUST_CHECK int cs_piv_run_encode(cs_buf *out, const cs_piv_run *run, cs_error *error);
CS_MUST_CHECK int cs_piv_run_decode(cs_piv_run **out, cs_view text, cs_error *error);

/* Keeps the record, on the disk when it returns. */
typedef int (*cs_piv_save_fn)(void *context, const cs_piv_run *run, cs_error *error);

/* All steps up to `agree` that are not done. CS_E_EXISTS: the card is not new; CS_E_KEY_MISSING: it
 * is another card than the run's; CS_E_REFUSED: its management key is not the run's;
 * CS_E_TOKEN_UNSUITABLE. */
CS_MUST_CHECK int cs_piv_make(
    cs_piv *card, cs_piv_run *run, cs_piv_save_fn save, void *context, cs_error *error);
/* A PIN that its holder shows; force: on the last try, too. */
typedef struct cs_piv_shown {
    const char *pin;
    bool force;
} cs_piv_shown;
/* A request (PKCS#10, DER appended) for the key in 9C, signed by it: one VERIFY, one signature.
 * shown: NULL for the record's PIN, which a card that has refused one is not sent again
 * (CS_E_PIN_WRONG). CS_E_PIN_FINAL_TRY, CS_E_PIN_LOCKED. */
CS_MUST_CHECK int cs_piv_request(cs_piv *card, const cs_piv_run *run, const cs_piv_shown *shown,
    const cs_subject *subject, cs_buf *out, cs_error *error);
/* Certificates in DER for the run's keys: CS_E_CERTIFICATE: of another key, or for another use;
 * CS_E_EXPIRED. */
CS_MUST_CHECK int cs_piv_check_certificates(
    const cs_piv_run *run, cs_view sign_certificate, cs_view agree_certificate, cs_error *error);
/* The last step, with certificates that are good. */
CS_MUST_CHECK int cs_piv_finish(cs_piv *card, cs_piv_run *run, cs_view sign_certificate,
    cs_view agree_certificate, cs_piv_save_fn save, void *context, cs_error *error);

/* The card with that serial number as it came from the factory, all keys gone. It needs no secret:
 * PIN and PUK are blocked for it. CS_E_KEY_MISSING: it is another card. */
CS_MUST_CHECK int cs_piv_wipe(cs_piv *card, uint32_t serial, cs_error *error);

#endif
