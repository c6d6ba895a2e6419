/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/invitation.h"
#include "cli/output.h"
#include "service/files.h"

#include <errno.h>
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUIET 4             /* modules of light around a code, as its standard wants it */
#define MODULE 4            /* pixels of one in an SVG, before it is scaled */
#define DARK 1              /* the bit of a module */
#define LINE_MAX_BYTES 1024 /* three bytes for each column of the largest code */

static int encode(QRcode **out, cs_view text, cs_error *error)
{
    cs_buf string = {0};
    int rc = cs_buf_append(&string, text, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = cs_buf_append(&string, (cs_view){(const uint8_t *)"", 1}, error);
    if (rc == CS_OK) {
        *out = QRcode_encodeString((const char *)string.p, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
        if (*out == NULL)
            rc = errno == ENOMEM
                     ? CS_FAIL(error, CS_E_MEMORY, "no memory for a QR code")
                     : CS_FAIL(error, CS_E_TOO_LARGE,
                           "the invitation is too long for a QR code; hand over the file");
    }
    cs_buf_free(&string);
    return rc;
}

static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return (code->data[y * code->width + x] & DARK) != 0;
}

/* Two rows in one line, by half blocks; light is what is written, since terminals are dark. */
int cs_qr_print(cs_view text, cs_error *error)
{
    static const char *const blocks[] = {"\u2588", "\u2580", "\u2584", " "};
    bool colours = isatty(STDOUT_FILENO) != 0;
    QRcode *code = NULL;
    int rc = encode(&code, text, error);

    if (rc != CS_OK)
        return rc;
    for (int y = -QUIET; y < code->width + QUIET; y += 2) {
        char line[LINE_MAX_BYTES] = "";
        size_t n = 0;

        for (int x = -QUIET; x < code->width + QUIET && n + 4 < sizeof line; x++) {
            unsigned pair = (is_dark(code, x, y) ? 2u : 0u) | (is_dark(code, x, y + 1) ? 1u : 0u);

            n += (size_t)snprintf(line + n, sizeof line - n, "%s", blocks[pair]);
        }
        cs_say("%s%s%s", colours ? "\033[97;40m" : "", line, colours ? "\033[0m" : "");
    }
    QRcode_free(code);
    return CS_OK;
}

static int begin_svg(cs_buf *out, const QRcode *code, cs_error *error)
{
    int side = code->width + 2 * QUIET;
    char text[256];

    (void)snprintf(text, sizeof text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
        "%d\">\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<path d=\"",
        side * MODULE, side * MODULE, side, side, side, side);
    return cs_buf_append(out, cs_view_str(text), error);
}

/* One path, of runs of dark modules. */
static int draw(cs_buf *out, const QRcode *code, cs_error *error)
{
    int rc = CS_OK;

    for (int y = 0; y < code->width; y++) {
        for (int x = 0; rc == CS_OK && x < code->width; x++) {
            int n = 0;

            while (is_dark(code, x + n, y))
                n++;
            if (n > 0) {
                char text[64];

                (void)snprintf(text, sizeof text, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, n, n);
                rc = cs_buf_append(out, cs_view_str(text), error);
                x += n;
            }
        }
    }
    return rc;
}

int cs_qr_svg(cs_view text, const char *path, cs_error *error)
{
    QRcode *code = NULL;
    cs_buf svg = {0};
    int rc = encode(&code, text, error);

    if (rc == CS_OK)
        rc = begin_svg(&svg, code, error);
    if (rc == CS_OK)
        rc = draw(&svg, code, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&svg, cs_view_str("\"/>\n</svg>\n"), error);
    if (rc == CS_OK)
        rc = cs_file_write(path, cs_view_buf(&svg), 0600, error);
    QRcode_free(code);
    cs_buf_free(&svg);
    return rc;
}
