/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_SHARE_FILES_H
#define CHARTSEAL_CLI_SHARE_FILES_H

/* Operators' shares as files, named in one option as FILE,FILE,… */

#include "token/share.h"

/* All of them into *out (cs_secret_free). A file that others may read is refused, as a PIN file is.
 * CS_E_PIN_MISSING, CS_E_MALFORMED (names the file), CS_E_NO_FILE. */
CS_MUST_CHECK int cs_shares_read(cs_share **out, size_t *n, const char *files, cs_error *error);
/* As many as are needed, typed at the terminal: of the kind, one operator after the other. */
CS_MUST_CHECK int cs_shares_ask(cs_share *out, size_t needed, cs_share_kind kind, cs_error *error);

/* DIR/operator-2.user-pin, mode 0600, for each; dirs is one directory, or one for each operator, as
 * DIR,DIR,… A share that is there already stays (CS_E_EXISTS), unless void_id (or NULL) says that
 * it is of a run that counts no more. */
CS_MUST_CHECK int cs_shares_write(const cs_share *shares, const char *token, const char *dirs,
    const uint8_t *void_id, cs_error *error);

#endif
