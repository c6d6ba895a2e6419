/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from a card. */
#include "room.h"

#include <string.h>

#define SW_OK 0x9000
#define SW_NOT_FOUND 0x6a82
#define SW_NO_REFERENCE 0x6a88
#define SW_NO_INS 0x6d00
#define SW_NO_FUNCTION 0x6a81
#define SW_TRIES 0x63c0 /* and how many are left */
#define SW_BLOCKED 0x6983
#define TAG_LIST 0x5c
#define TAG_DATA 0x53

int piv_send(cs_piv *card, const piv_read *command, uint8_t out[PIV_ANSWER_MAX], size_t *n,
    int *status, cs_error *error)
{
    const unsigned char header[4] = {0, command->ins, command->p1, command->p2};
    unsigned long size = PIV_ANSWER_MAX;
    ykpiv_rc rc = ykpiv_transfer_data(
        card->state, header, command->data.p, (long)command->data.n, out, &size, status);

    *n = 0;
    if (rc != YKPIV_OK)
        return piv_fail(card, command->what, rc, error);
    if (*status == SW_OK)
        *n = size > PIV_ANSWER_MAX ? 0 : size;
    return CS_OK;
}

int piv_check_status(const cs_piv *card, const char *what, int status, cs_error *error)
{
    if (status == SW_OK)
        return CS_OK;
    if ((status & 0xfff0) == SW_TRIES)
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "reader %s: %s: the card refuses it, %d tries are left; it is not tried again",
            card->reader, what, status & 0xf);
    if (status == SW_BLOCKED)
        return CS_FAIL(error, CS_E_PIN_LOCKED, "reader %s: %s: the card is blocked; wipe it",
            card->reader, what);
    if (status == SW_NO_INS || status == SW_NO_FUNCTION)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE, "reader %s: %s: the card has no such command",
            card->reader, what);
    return CS_FAIL(error, CS_E_TOKEN,
        "reader %s: %s: the card answers %04x; try again, or try another card", card->reader, what,
        (unsigned)status);
}

int piv_transmit(
    cs_piv *card, const piv_read *command, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error)
{
    int status = 0, rc = piv_send(card, command, out, n, &status, error);

    if (rc != CS_OK || status == SW_OK || status == SW_NOT_FOUND || status == SW_NO_REFERENCE ||
        status == SW_NO_INS)
        return rc;
    return piv_check_status(card, command->what, status, error);
}

int piv_write(
    cs_piv *card, const piv_read *command, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error)
{
    int status = 0, rc = piv_send(card, command, out, n, &status, error);

    return rc == CS_OK ? piv_check_status(card, command->what, status, error) : rc;
}

/* -- TLV */

static bool take_length(cs_view *rest, size_t *length)
{
    size_t more = 0;

    if (rest->n == 0)
        return false;
    *length = *rest->p++;
    rest->n--;
    if (*length == 0x81 || *length == 0x82) {
        more = *length - 0x80;
        *length = 0;
    } else if (*length > 0x7f) {
        return false;
    }
    for (; more > 0; more--) {
        if (rest->n == 0)
            return false;
        *length = *length << 8 | *rest->p++;
        rest->n--;
    }
    return *length <= rest->n;
}

bool piv_find(cs_view list, uint8_t tag, cs_view *value)
{
    while (list.n > 0) {
        uint8_t found = *list.p++;
        size_t length;

        list.n--;
        if (!take_length(&list, &length))
            return false;
        *value = (cs_view){list.p, length};
        if (found == tag)
            return true;
        list.p += length;
        list.n -= length;
    }
    return false;
}

/* -- metadata and objects */

int piv_metadata(
    cs_piv *card, uint8_t reference, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error)
{
    piv_read command = {"reading metadata", YKPIV_INS_GET_METADATA, 0, reference, {NULL, 0}};

    return piv_transmit(card, &command, out, n, error);
}

int piv_object(cs_piv *card, uint32_t tag, uint8_t out[PIV_ANSWER_MAX], size_t *n, cs_error *error)
{
    const uint8_t list[] = {TAG_LIST, 3, (uint8_t)(tag >> 16), (uint8_t)(tag >> 8), (uint8_t)tag};
    piv_read command = {"reading an object", YKPIV_INS_GET_DATA, 0x3f, 0xff, CS_VIEW_ARRAY(list)};
    cs_view value;
    int rc = piv_transmit(card, &command, out, n, error);

    if (rc != CS_OK || *n == 0)
        return rc;
    if (!piv_find((cs_view){out, *n}, TAG_DATA, &value))
        return CS_FAIL(error, CS_E_TOKEN,
            "reader %s: object %06x is no data object; try another card", card->reader, tag);
    memmove(out, value.p, value.n);
    *n = value.n;
    return CS_OK;
}
