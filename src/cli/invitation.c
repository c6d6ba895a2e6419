/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/invitation.h"

#include "service/files.h"

#include <chartseal/wire_telecare.h>

#include <string.h>

#define PREFIX "CHARTSEAL1:"
#define LETTER_MAX (CS_TERMS_MAX + CS_CERT_MAX + 1024)
#define FILE_MAX (2 * (size_t)LETTER_MAX) /* as text it is half as long again */
#define BASE 45u

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

int cs_invitation_text(cs_buf *out, cs_view letter, cs_error *error)
{
    int rc = cs_buf_append(out, cs_view_str(PREFIX), error);

    for (size_t i = 0; rc == CS_OK && i < letter.n; i += 2) {
        bool pair = i + 1 < letter.n;
        unsigned n = pair ? letter.p[i] * 256u + letter.p[i + 1] : letter.p[i];
        const uint8_t digits[] = {(uint8_t)alphabet[n % BASE], (uint8_t)alphabet[n / BASE % BASE],
            (uint8_t)alphabet[n / BASE / BASE]};

        rc = cs_buf_append(out, (cs_view){digits, pair ? 3 : 2}, error);
    }
    return rc;
}

static int bad_text(cs_error *error)
{
    return CS_FAIL(error, CS_E_MALFORMED,
        "the text of an invitation is not whole; scan the code again, or ask for the file");
}

/* Two or three digits, one or two bytes. */
static int decode_group(cs_buf *letter, cs_view digits, cs_error *error)
{
    unsigned n = 0;
    uint8_t bytes[2];

    for (size_t i = digits.n; i-- > 0;) {
        const char *at = digits.p[i] == '\0' ? NULL : strchr(alphabet, digits.p[i]);

        if (at == NULL)
            return bad_text(error);
        n = n * BASE + (unsigned)(at - alphabet);
    }
    if (digits.n == 1 || n > (digits.n == 3 ? 0xffffu : 0xffu))
        return bad_text(error);
    bytes[0] = (uint8_t)(n >> 8);
    bytes[1] = (uint8_t)n;
    return cs_buf_append(
        letter, digits.n == 3 ? CS_VIEW_ARRAY(bytes) : (cs_view){bytes + 1, 1}, error);
}

static int decode_text(cs_buf *letter, cs_view text, cs_error *error)
{
    int rc = CS_OK;

    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    while (rc == CS_OK && text.n > 0) {
        size_t n = text.n < 3 ? text.n : 3;

        rc = decode_group(letter, (cs_view){text.p, n}, error);
        text.p += n;
        text.n -= n;
    }
    return rc;
}

int cs_invitation_read(cs_buf *letter, const char *path, cs_error *error)
{
    const size_t prefix = strlen(PREFIX);
    cs_buf bytes = {0};
    int rc = cs_file_read(&bytes, path, FILE_MAX, error);

    if (rc == CS_OK && bytes.n >= prefix && memcmp(bytes.p, PREFIX, prefix) == 0)
        rc = decode_text(letter, (cs_view){bytes.p + prefix, bytes.n - prefix}, error);
    else if (rc == CS_OK)
        rc = cs_buf_append(letter, cs_view_buf(&bytes), error);
    if (rc != CS_OK)
        rc = cs_error_context(error, "the invitation %s", path);
    cs_buf_free(&bytes);
    return rc;
}
