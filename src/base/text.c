/* SPDX-License-Identifier: Apache-2.0 */
#include <chartseal/bytes.h>

#include <limits.h>
#include <openssl/asn1.h>

/* Control characters, line and paragraph separators, and the marks that turn the direction of what
 * follows: with these a text writes to somebody's terminal, or is made to look like another. */
static bool misleads(unsigned long c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

size_t cs_text_character(cs_view text, bool *clean)
{
    unsigned long character = 0;
    int n = UTF8_getc(text.p, text.n > INT_MAX ? INT_MAX : (int)text.n, &character);

    *clean = n > 0 && !misleads(character);
    return n > 0 ? (size_t)n : 1;
}

bool cs_text_is_clean(cs_view text)
{
    bool clean = true;

    while (clean && text.n > 0) {
        size_t n = cs_text_character(text, &clean);

        text.p += n;
        text.n -= n;
    }
    return clean;
}
