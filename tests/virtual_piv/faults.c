/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

bool piv_fault_now(const piv_card *card, piv_fault_kind kind)
{
    return card->options.fault == kind && card->commands == card->options.fault_at;
}

bool piv_transact(piv_card *card, cs_view command, cs_buf *response)
{
    card->commands++;
    if (piv_fault_now(card, PIV_FAULT_PULL_BEFORE))
        card->pulled = true;
    if (card->pulled || piv_answer(card, command, response) != CS_OK)
        return false;
    if (piv_fault_now(card, PIV_FAULT_PULL_AFTER))
        card->pulled = true;
    return !card->pulled;
}

/* Headers and status words alone: what a command carries is a PIN as often as not. */
void piv_log(piv_card *card, cs_view command, uint16_t status)
{
    char header[9] = "";

    if (card->log == NULL)
        return;
    cs_hex((cs_view){command.p, command.n < 4 ? command.n : 4}, header);
    (void)fprintf(card->log, "%lu %s %zu %04x\n", card->commands, header, command.n, status);
    (void)fflush(card->log);
}
