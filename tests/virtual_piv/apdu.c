/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as ISO 7816-4 frames them, and their answers. */
#include "card.h"

#include <string.h>

#define CLA_CHAIN 0x10
#define INS_GET_RESPONSE 0xc0
#define LE_SHORT_MAX 256
#define LE_EXTENDED_MAX 65536

/* T=1, and in the historical bytes the identifier of the PIV application, by which OpenSC takes the
 * card for a PIV card of no particular make. The last byte is the XOR of those after the first. */
const uint8_t piv_atr[] = {
    0x3b, 0x8b, 0x01, 0x80, 0xf9, 0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x48};

static size_t be16(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

/* body: what follows the zero that marks extended lengths. */
static bool parse_extended(piv_apdu *out, cs_view body)
{
    size_t lc;

    out->extended = true;
    if (body.n == 2) {
        lc = 0;
    } else {
        lc = be16(body.p);
        if (lc == 0)
            return false;
        body.p += 2;
        body.n -= 2;
        if (body.n != lc && body.n != lc + 2)
            return false;
        out->data = (cs_view){body.p, lc};
    }
    if (body.n == lc + 2) {
        out->le = be16(body.p + lc);
        if (out->le == 0)
            out->le = LE_EXTENDED_MAX;
    }
    return true;
}

bool piv_apdu_parse(piv_apdu *out, cs_view bytes)
{
    size_t lc;

    *out = (piv_apdu){0};
    if (bytes.n < 4)
        return false;
    out->cla = bytes.p[0];
    out->ins = bytes.p[1];
    out->p1 = bytes.p[2];
    out->p2 = bytes.p[3];
    if (bytes.n == 4)
        return true;
    lc = bytes.p[4];
    if (bytes.n == 5) {
        out->le = lc == 0 ? LE_SHORT_MAX : lc;
        return true;
    }
    if (lc == 0)
        return bytes.n >= 7 && parse_extended(out, (cs_view){bytes.p + 5, bytes.n - 5});
    if (bytes.n != 5 + lc && bytes.n != 6 + lc)
        return false;
    out->data = (cs_view){bytes.p + 5, lc};
    if (bytes.n == 6 + lc)
        out->le = bytes.p[5 + lc] == 0 ? LE_SHORT_MAX : bytes.p[5 + lc];
    return true;
}

/* -- chaining */

static void drop_chain(piv_power *power)
{
    power->chaining = false;
    cs_buf_free(&power->chain);
}

/* One command of a chain: SW_OK and *whole when it was the last, apdu->data then being all of it.
 */
static uint16_t chain(piv_power *power, piv_apdu *apdu, bool *whole)
{
    const uint8_t header[4] = {apdu->ins, apdu->p1, apdu->p2, 0};
    bool last = (apdu->cla & CLA_CHAIN) == 0;

    *whole = last && !power->chaining;
    if (*whole)
        return SW_OK;
    if (!power->chaining) {
        memcpy(power->chain_header, header, sizeof header);
        power->chaining = true;
    } else if (memcmp(power->chain_header, header, sizeof header) != 0) {
        drop_chain(power);
        return SW_CHAIN;
    }
    if (power->chain.n + apdu->data.n > PIV_DATA_MAX) {
        drop_chain(power);
        return SW_LENGTH;
    }
    if (cs_buf_append(&power->chain, apdu->data, NULL) != CS_OK) {
        drop_chain(power);
        return SW_INTERNAL;
    }
    apdu->cla &= (uint8_t)~CLA_CHAIN;
    apdu->data = cs_view_buf(&power->chain);
    *whole = last;
    return SW_OK;
}

/* -- answers */

/* As much of what is pending as Le allows, the rest by GET RESPONSE. Yubico's tools leave out Le,
 * and its cards answer all the same. */
static int give_pending(piv_power *power, size_t le, cs_buf *response, uint16_t *status)
{
    size_t most = le == 0 ? LE_SHORT_MAX : le;
    size_t n = power->pending.n < most ? power->pending.n : most;
    size_t left = power->pending.n - n;
    int rc = cs_buf_append(response, (cs_view){power->pending.p, n}, NULL);

    if (rc != CS_OK)
        return rc;
    if (n > 0)
        memmove(power->pending.p, power->pending.p + n, left);
    rc = cs_buf_resize(&power->pending, left, NULL);
    *status = left == 0 ? SW_OK : (uint16_t)(SW_MORE | (left > 0xff ? 0 : left));
    return rc;
}

static uint16_t carry_out(piv_card *card, piv_apdu *apdu)
{
    piv_power *power = &card->power;
    bool whole = false;
    uint16_t status;

    cs_buf_free(&power->pending);
    if ((apdu->cla & ~CLA_CHAIN) != 0)
        return (apdu->cla & ~(CLA_CHAIN | 3)) == 0 ? SW_CHANNEL : SW_CLA;
    status = chain(power, apdu, &whole);
    if (status == SW_OK && whole) {
        status = piv_command(card, apdu, &power->pending);
        drop_chain(power);
    }
    if (status != SW_OK)
        cs_buf_free(&power->pending);
    return status;
}

int piv_answer(piv_card *card, cs_view command, cs_buf *response)
{
    uint16_t status = SW_LENGTH;
    uint8_t trailer[2];
    piv_apdu apdu;
    int rc = CS_OK;

    cs_buf_clear(response);
    if (piv_fault_now(card, PIV_FAULT_STATUS)) {
        status = card->options.fault_status;
    } else if (piv_apdu_parse(&apdu, command)) {
        bool more = apdu.ins == INS_GET_RESPONSE && apdu.cla == 0;

        if (!more)
            status = carry_out(card, &apdu);
        else if (apdu.p1 != 0 || apdu.p2 != 0)
            status = SW_P1P2;
        else
            status = card->power.pending.n > 0 ? SW_OK : SW_CONDITIONS;
        if (status == SW_OK && card->power.pending.n > 0)
            rc = give_pending(&card->power, apdu.le, response, &status);
    }
    trailer[0] = (uint8_t)(status >> 8);
    trailer[1] = (uint8_t)status;
    if (rc == CS_OK)
        rc = cs_buf_append(response, CS_VIEW_ARRAY(trailer), NULL);
    piv_log(card, command, status);
    return rc;
}
