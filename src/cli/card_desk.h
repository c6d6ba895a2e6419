/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_CARD_DESK_H
#define CHARTSEAL_CLI_CARD_DESK_H

/*
 * The desk that makes cards. A directory for each of them:
 *
 *   record           what the card gets, and how far it is (mode 0600; the desk keeps it: the
 *                    management key and the PUK are nowhere else)
 *   sign.csr         the request for 9C, signed by the card
 *   agree.pub        the public key in 9D, which cannot sign a request
 *   sign.pem, agree.pem   the certificates that the card has been given
 *   pin-letter.txt   for the doctor alone (mode 0600)
 *   sheet.txt        for the file: no secrets
 */

#include "piv/life.h"

typedef struct cs_desk {
    const char *dir;
    const char *name, *id; /* the doctor's */
    const cs_trust *trust; /* who may have issued certificates (card_trust.h); NULL: not checked */
    cs_piv *card;
    cs_piv_run *run;
} cs_desk;

/* The card in that reader (NULL: the only one), and the run that was begun in the directory; or,
 * unless it has to be there, a new one. CS_E_NO_FILE. */
CS_MUST_CHECK int cs_desk_open(cs_desk *d, const char *reader, bool must_be_there, cs_error *error);
/* The run alone: of d->card, or (as it was left) without any card. */
CS_MUST_CHECK int cs_desk_open_run(cs_desk *d, bool must_be_there, cs_error *error);
CS_MUST_CHECK int cs_desk_read_run(cs_desk *d, cs_error *error);
void cs_desk_close(cs_desk *d);

/* A cs_piv_save_fn; context: the desk. */
int cs_desk_save(void *context, const cs_piv_run *run, cs_error *error);

/* agree.pub and sign.csr of a card that has its keys. shown: as of cs_piv_request. */
CS_MUST_CHECK int cs_desk_write_requests(cs_desk *d, const cs_piv_shown *shown, cs_error *error);
CS_MUST_CHECK int cs_desk_write_letter(const cs_desk *d, cs_error *error);
/* Certificates (PEM files) onto the card and into the directory, and the sheet. */
CS_MUST_CHECK int cs_desk_finish(
    cs_desk *d, const char *sign_file, const char *agree_file, cs_error *error);

/* Whom sign.csr in that directory is for. */
CS_MUST_CHECK int cs_desk_holder(cs_holder *out, const char *dir, cs_error *error);
/* A certificate of the directory: "sign.pem" or "agree.pem", in DER. */
CS_MUST_CHECK int cs_desk_certificate(
    cs_buf *der, const char *dir, const char *name, cs_error *error);

#endif
