/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <string.h>

#define P1_LOG_OUT 0xff
#define PAD 0xff

/* At least six characters, then nothing but padding. */
static bool well_formed(const uint8_t pin[PIV_PIN_SIZE])
{
    size_t n = 0;

    while (n < PIV_PIN_SIZE && pin[n] != PAD)
        n++;
    if (n < PIV_PIN_DIGITS_MIN)
        return false;
    while (n < PIV_PIN_SIZE && pin[n] == PAD)
        n++;
    return n == PIV_PIN_SIZE;
}

/* The try is spent, and known to be, before the value is compared: who cuts the power in time must
 * not have had it for nothing. */
static uint16_t check(piv_card *card, piv_secret *secret, const uint8_t value[PIV_PIN_SIZE])
{
    uint16_t status;

    if (secret->tries == 0)
        return SW_BLOCKED;
    secret->tries--;
    status = piv_state_save(card);
    if (status != SW_OK) {
        secret->tries++;
        return status;
    }
    if (!cs_view_equal_secret(
            (cs_view){value, PIV_PIN_SIZE}, (cs_view){secret->value, PIV_PIN_SIZE}))
        return secret->tries == 0 ? SW_BLOCKED : (uint16_t)(SW_TRIES | secret->tries);
    secret->tries = secret->most;
    return piv_state_save(card);
}

static void log_out(piv_power *power)
{
    power->pin_verified = false;
    power->pin_fresh = false;
}

uint16_t piv_verify(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    piv_secret *pin = &card->state.pin;
    uint16_t status;

    (void)out;
    if (apdu->p2 != PIV_REF_PIN)
        return SW_REFERENCE;
    if (apdu->p1 == P1_LOG_OUT && apdu->data.n == 0) {
        log_out(&card->power);
        return SW_OK;
    }
    if (apdu->p1 != 0)
        return SW_P1P2;
    if (apdu->data.n == 0) {
        if (card->power.pin_verified)
            return SW_OK;
        return pin->tries == 0 ? SW_BLOCKED : (uint16_t)(SW_TRIES | pin->tries);
    }
    if (apdu->data.n != PIV_PIN_SIZE || !well_formed(apdu->data.p))
        return SW_DATA;
    status = check(card, pin, apdu->data.p);
    if (status == SW_OK) {
        card->power.pin_verified = true;
        card->power.pin_fresh = true;
    } else {
        log_out(&card->power);
    }
    return status;
}

static uint16_t replace(piv_card *card, piv_secret *secret, const uint8_t value[PIV_PIN_SIZE])
{
    const piv_secret before = *secret;
    uint16_t status;

    memcpy(secret->value, value, PIV_PIN_SIZE);
    secret->tries = secret->most;
    status = piv_state_save(card);
    if (status != SW_OK)
        *secret = before;
    return status;
}

uint16_t piv_change_reference(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    bool is_pin = apdu->p2 == PIV_REF_PIN;
    piv_secret *secret = is_pin ? &card->state.pin : &card->state.puk;
    uint16_t status;

    (void)out;
    if (!is_pin && apdu->p2 != PIV_REF_PUK)
        return SW_REFERENCE;
    if (apdu->p1 != 0)
        return SW_P1P2;
    if (apdu->data.n != 2 * PIV_PIN_SIZE || !well_formed(apdu->data.p + PIV_PIN_SIZE))
        return SW_DATA;
    status = check(card, secret, apdu->data.p);
    if (status == SW_OK)
        status = replace(card, secret, apdu->data.p + PIV_PIN_SIZE);
    if (is_pin && status == SW_OK)
        card->power.pin_verified = true;
    else if (is_pin)
        log_out(&card->power);
    return status;
}

uint16_t piv_reset_retry(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    uint16_t status;

    (void)out;
    if (apdu->p2 != PIV_REF_PIN)
        return SW_REFERENCE;
    if (apdu->p1 != 0)
        return SW_P1P2;
    if (apdu->data.n != 2 * PIV_PIN_SIZE || !well_formed(apdu->data.p + PIV_PIN_SIZE))
        return SW_DATA;
    status = check(card, &card->state.puk, apdu->data.p);
    return status == SW_OK ? replace(card, &card->state.pin, apdu->data.p + PIV_PIN_SIZE) : status;
}
