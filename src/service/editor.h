/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_EDITOR_H
#define CHARTSEAL_SERVICE_EDITOR_H

/* Have a person write a text in $VISUAL or $EDITOR, on the terminal even where standard output is
 * something else, in a directory of its own (mode 0700) in
 * `directory`, which is removed afterwards with all that the editor left in it. The text is
 * appended to out. CS_E_CANCELLED when the editor fails. After a failure what was written stays,
 * and the error says where. */

#include <chartseal/bytes.h>

CS_MUST_CHECK int cs_editor_compose(
    cs_buf *out, const char *directory, size_t limit, cs_error *error);

#endif
