/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PIV_ROOM_H
#define CHARTSEAL_PIV_ROOM_H

/* The room, inside. */

#include "piv/run.h"

#include "crypto/x509.h"

#include <ykpiv.h>

#define PIV_REFERENCE_PIN 0x80
#define PIV_REFERENCE_PUK 0x81
#define PIV_ANSWER_MAX 4096 /* a certificate and a bit; Yubico's objects have 3072 at most */

#define PIV_CONTAINER "S_D" /* the organisation in a certificate that only makes a key seen */

struct cs_piv {
    ykpiv_state *state;
    char reader[CS_PIV_READER_MAX];
};

/* What libykpiv returned, as an error of ours: "reader R: WHAT: …; next step". */
int piv_fail(const cs_piv *card, const char *what, ykpiv_rc rc, cs_error *error);

/* A command that reads, with its answer; *n is 0 where the card does not know the command or has no
 * such thing. libykpiv has calls for most of them, which do not tell that from a failure. */
typedef struct piv_read {
    const char *what; /* for messages: "reading metadata" */
    uint8_t ins, p1, p2;
    cs_view data;
} piv_read;
CS_MUST_CHECK int piv_transmit(
    cs_piv *card, const piv_read *command, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error);
/* One that must succeed. CS_E_PIN_WRONG, CS_E_PIN_LOCKED, CS_E_TOKEN. */
CS_MUST_CHECK int piv_write(
    cs_piv *card, const piv_read *command, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error);

/* One whose status word the caller judges. */
CS_MUST_CHECK int piv_send(cs_piv *card, const piv_read *command, uint8_t out[PIV_ANSWER_MAX],
    size_t *n, int *status, cs_error *error);
CS_MUST_CHECK int piv_check_status(
    const cs_piv *card, const char *what, int status, cs_error *error);

/* Yubico's metadata of a key, the PIN or the PUK; and a data object, without its frame. */
CS_MUST_CHECK int piv_metadata(
    cs_piv *card, uint8_t reference, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error);
CS_MUST_CHECK int piv_object(
    cs_piv *card, uint32_t tag, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error);

/* PIN tries that are left, which costs none; -1: the PIN is verified, and the card does not tell.
 */
CS_MUST_CHECK int piv_count_tries(cs_piv *card, int *tries, cs_error *error);

/* PINs: one shown, one replaced (PIV_REFERENCE_PIN or _PUK); and whether the card may be sent one,
 * the record's or another. */
CS_MUST_CHECK int piv_verify(cs_piv *card, const char *pin, cs_error *error);
CS_MUST_CHECK int piv_change(
    cs_piv *card, uint8_t reference, const char *before, const char *after, cs_error *error);
CS_MUST_CHECK int piv_check_pin_tries(cs_piv *card, bool of_record, bool force, cs_error *error);
void piv_random_digits(char out[CS_PIV_PIN_SIZE + 1]);

/* The management key: an algorithm that a card here may have; shown (NULL: the factory's), the card
 * showing that it has it, too (CS_E_REFUSED: one of the two has another); replaced. */
CS_MUST_CHECK int piv_admin_check(const cs_piv *card, uint8_t algorithm, cs_error *error);
CS_MUST_CHECK int piv_admin_show(
    cs_piv *card, uint8_t algorithm, const uint8_t *key, cs_error *error);
int piv_admin_refused(const cs_piv *card, cs_error *error); /* CS_E_REFUSED: not the record's */
CS_MUST_CHECK int piv_admin_replace(
    cs_piv *card, uint8_t algorithm, const uint8_t *key, cs_error *error);

/* Is the card that of the run, with Yubico's extensions? */
CS_MUST_CHECK int piv_check_card(
    cs_piv *card, const cs_piv_run *run, cs_piv_info *info, cs_error *error);

/* What the card tells of the key in out->reference; and of its certificate, too. tells: the card
 * tells of keys. */
CS_MUST_CHECK int piv_read_key(cs_piv *card, cs_piv_slot *out, cs_error *error);
CS_MUST_CHECK int piv_read_slot(cs_piv *card, bool tells, cs_piv_slot *out, cs_error *error);

/* What steps have in common: the record's management key shown; a key made on the card, in the
 * place of what was there; a certificate written. */
CS_MUST_CHECK int piv_authenticate(
    cs_piv *card, const cs_piv_run *run, const cs_piv_info *info, cs_error *error);
CS_MUST_CHECK int piv_make_key(
    cs_piv *card, uint8_t reference, uint8_t puk[CS_PUK_SIZE], cs_error *error);
CS_MUST_CHECK int piv_write_certificate(
    cs_piv *card, uint8_t reference, cs_view der, cs_error *error);

/* The S_D that was loaded (scalar.h) is gone from the card afterwards; none was: nothing is done.
 */
CS_MUST_CHECK int piv_drop_scalar(
    cs_piv *card, const cs_piv_run *run, const cs_piv_info *info, cs_error *error);

/* The value of that tag in TLV with tags of one byte and BER lengths; false if there is none. */
bool piv_find(cs_view list, uint8_t tag, cs_view *value);

#endif
