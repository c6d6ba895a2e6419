/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says in words goes to terminals, logs and JSON: it is made harmless UTF-8 first. */
#include "p11.h"

#define CHARACTER_MAX 4 /* bytes of a character in UTF-8 */

/* The bytes of the character at *at (of n), 0 when there is no valid one. */
static size_t decode(const unsigned char *at, size_t n, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80             ? 1
                  : (at[0] & 0xe0) == 0xc0 ? 2
                  : (at[0] & 0xf0) == 0xe0 ? 3
                  : (at[0] & 0xf8) == 0xf0 ? CHARACTER_MAX
                                           : 0;

    if (size == 0 || size > n)
        return 0;
    *code = size == 1 ? at[0] : at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (at[i] & 0x3fu);
    }
    if (*code < least[size] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
        return 0;
    return size;
}

/* C0, DEL and C1: a terminal may obey them. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool p11_text(char *out, size_t size, const unsigned char *padded, size_t n)
{
    size_t used = 0;
    bool exact = true;

    while (n > 0 && (padded[n - 1] == ' ' || padded[n - 1] == '\0'))
        n--;
    for (size_t at = 0; at < n;) {
        uint32_t code = 0;
        size_t bytes = decode(padded + at, n - at, &code);
        bool good = bytes > 0 && !is_control(code);

        if (used + (good ? bytes : 1) + 1 > size) {
            exact = false;
            break;
        }
        if (good)
            memcpy(out + used, padded + at, bytes);
        else
            out[used] = '?';
        used += good ? bytes : 1;
        at += bytes > 0 ? bytes : 1;
        exact = exact && good;
    }
    out[used] = '\0';
    return exact;
}
