/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_EDITOR_H
#define CHARTSEAL_SERVICE_EDITOR_H

/* Have a person write a text in $VISUAL or $EDITOR, in a file of mode 0600 in `directory` that is
 * removed afterwards. The text is appended to out. CS_E_CANCELLED when the editor fails. */

#include <chartseal/bytes.h>

CS_MUST_CHECK int cs_editor_compose(
    cs_buf *out, const char *directory, size_t limit, cs_error *error);

#endif
