/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

static bool take(cs_view *rest, uint8_t *out)
{
    if (rest->n == 0)
        return false;
    *out = *rest->p++;
    rest->n--;
    return true;
}

static bool take_tag(cs_view *rest, uint32_t *tag)
{
    uint8_t byte;

    if (!take(rest, &byte))
        return false;
    *tag = byte;
    if ((byte & 0x1f) != 0x1f)
        return true;
    do {
        if (*tag > 0xffff || !take(rest, &byte)) /* three bytes are the most */
            return false;
        *tag = *tag << 8 | byte;
    } while ((byte & 0x80) != 0);
    return true;
}

static bool take_length(cs_view *rest, size_t *length)
{
    uint8_t first, byte;

    if (!take(rest, &first))
        return false;
    *length = first;
    if (first < 0x80)
        return true;
    if (first != 0x81 && first != 0x82)
        return false;
    *length = 0;
    for (int i = 0x80; i < first; i++) {
        if (!take(rest, &byte))
            return false;
        *length = *length << 8 | byte;
    }
    return true;
}

bool piv_tlv_next(cs_view *rest, uint32_t *tag, cs_view *value)
{
    size_t length;

    if (!take_tag(rest, tag) || !take_length(rest, &length) || length > rest->n)
        return false;
    *value = (cs_view){rest->p, length};
    rest->p += length;
    rest->n -= length;
    return true;
}

bool piv_tlv_find(cs_view list, uint32_t wanted, cs_view *value)
{
    uint32_t tag;

    while (piv_tlv_next(&list, &tag, value)) {
        if (tag == wanted)
            return true;
    }
    return false;
}

int piv_tlv_append(cs_buf *out, uint32_t tag, cs_view value)
{
    uint8_t header[6];
    size_t n = 0;
    int rc;

    if (value.n > 0xffff)
        return CS_E_TOO_LARGE;
    for (int shift = 16; shift >= 0; shift -= 8) {
        if (tag >> shift != 0)
            header[n++] = (uint8_t)(tag >> shift);
    }
    if (value.n > 0xff)
        header[n++] = 0x82;
    else if (value.n > 0x7f)
        header[n++] = 0x81;
    if (value.n > 0xff)
        header[n++] = (uint8_t)(value.n >> 8);
    header[n++] = (uint8_t)value.n;
    rc = cs_buf_append(out, (cs_view){header, n}, NULL);
    return rc == CS_OK ? cs_buf_append(out, value, NULL) : rc;
}
