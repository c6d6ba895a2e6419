/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_INVITATION_H
#define CHARTSEAL_CLI_INVITATION_H

/*
 * The invitation to an episode on its way from the hospital to a patient or a doctor: a file with
 * the letter, or a QR code. What the code has is text: "CHARTSEAL1:" and the letter in base45 (RFC
 * 9285), whose characters a QR code packs tightest, and which no scanner takes for something else.
 * Whoever has scanned it saves the text, and gives that file instead.
 */

#include <chartseal/bytes.h>

CS_MUST_CHECK int cs_invitation_text(cs_buf *out, cs_view letter, cs_error *error);
/* The letter from a file of either form. CS_E_MALFORMED, CS_E_NO_FILE. */
CS_MUST_CHECK int cs_invitation_read(cs_buf *letter, const char *path, cs_error *error);

/* The code, of text as above: for a terminal on standard output, or as SVG in a file.
 * CS_E_TOO_LARGE when it holds more than a code does. */
CS_MUST_CHECK int cs_qr_print(cs_view text, cs_error *error);
CS_MUST_CHECK int cs_qr_svg(cs_view text, const char *path, cs_error *error);

#endif
