/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <string.h>

#define INS_SELECT 0xa4
#define INS_GENERAL_AUTHENTICATE 0x87

static const struct {
    uint8_t ins;
    bool extension; /* Yubico's */
    piv_command_fn fn;
} commands[] = {
    {INS_SELECT, false, piv_select},
    {0xcb, false, piv_get_data},
    {0xdb, false, piv_put_data},
    {0x20, false, piv_verify},
    {0x24, false, piv_change_reference},
    {0x2c, false, piv_reset_retry},
    {INS_GENERAL_AUTHENTICATE, false, piv_general_authenticate},
    {0x47, false, piv_generate},
    {0xfe, true, piv_import},
    {0xf7, true, piv_metadata},
    {0xff, true, piv_set_admin_key},
    {0xfa, true, piv_set_retries},
    {0xfb, true, piv_reset},
    {0xfd, true, piv_version},
    {0xf8, true, piv_serial},
};

/* "PIN Always" means: by the command just before. A challenge is good for the next command, too. */
static void undo_what_was_for_this_command(piv_power *power, uint8_t ins)
{
    if (ins == INS_GENERAL_AUTHENTICATE)
        return;
    power->pin_fresh = false;
    power->challenge = PIV_NO_CHALLENGE;
}

uint16_t piv_command(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    undo_what_was_for_this_command(&card->power, apdu->ins);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (commands[i].ins != apdu->ins)
            continue;
        if (commands[i].extension && card->options.plain)
            return SW_INS;
        /* until it is selected, this is no PIV card */
        if (!card->power.selected && apdu->ins != INS_SELECT)
            return SW_INS;
        return commands[i].fn(card, apdu, out);
    }
    return SW_INS;
}

void piv_power_down(piv_card *card)
{
    cs_buf_free(&card->power.chain);
    cs_buf_free(&card->power.pending);
    cs_wipe(&card->power, sizeof card->power);
    card->power = (piv_power){0};
}
