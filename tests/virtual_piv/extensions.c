/* SPDX-License-Identifier: Apache-2.0 */
/* What Yubico's cards have beyond the standard, and its tools ask for. */
#include "card.h"

#include <chartseal/crypto.h>

#include <string.h>

#define TAG_SCALAR 0x06
#define TAG_POINT 0x86
#define REF_ADMIN_TOUCH 0xfe /* P2 of SET MANAGEMENT KEY: with touch; FF without */
#define META_ALGORITHM 0x01
#define META_POLICY 0x02
#define META_ORIGIN 0x03
#define META_PUBLIC 0x04
#define META_DEFAULT 0x05
#define META_RETRIES 0x06
#define ALGORITHM_PIN 0xff

/* The first that tells all of the metadata; and one whose management key is of AES. */
static const uint8_t version[] = {5, 4, 3}, version_aes[] = {5, 7, 1};
static const uint8_t default_pin[] = {'1', '2', '3', '4', '5', '6', 0xff, 0xff};
static const uint8_t default_puk[] = {'1', '2', '3', '4', '5', '6', '7', '8'};

uint16_t piv_version(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    const uint8_t *its = card->state.factory_algorithm == PIV_3DES ? version : version_aes;

    (void)apdu;
    return cs_buf_append(out, (cs_view){its, sizeof version}, NULL) == CS_OK ? SW_OK : SW_INTERNAL;
}

uint16_t piv_serial(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    (void)apdu;
    return cs_buf_append(out, CS_VIEW_ARRAY(card->state.serial), NULL) == CS_OK ? SW_OK
                                                                                : SW_INTERNAL;
}

uint16_t piv_import(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    piv_key key = {.reference = apdu->p2, .origin = PIV_IMPORTED};
    cs_view scalar;
    uint16_t status = SW_DATA;

    (void)out;
    if (card->options.no_import)
        return SW_INS;
    if (apdu->p1 != PIV_P256 || !piv_key_reference(apdu->p2))
        return SW_P1P2;
    if (!card->power.admin)
        return SW_SECURITY;
    if (!piv_tlv_find(apdu->data, TAG_SCALAR, &scalar) || scalar.n != sizeof key.private_key ||
        !piv_key_policies(apdu->data, &key))
        return SW_DATA;
    memcpy(key.private_key, scalar.p, sizeof key.private_key);
    if (cs_p256_public(key.public_key, key.private_key, NULL) == CS_OK)
        status = piv_key_store(card, &key);
    cs_wipe(&key, sizeof key);
    return status;
}

static int append_secret(const piv_secret *secret, const uint8_t *value, cs_buf *out)
{
    const uint8_t algorithm = ALGORITHM_PIN, retries[] = {secret->most, secret->tries};
    const uint8_t is_default = memcmp(secret->value, value, PIV_PIN_SIZE) == 0;
    int rc = piv_tlv_append(out, META_ALGORITHM, (cs_view){&algorithm, 1});

    if (rc == CS_OK)
        rc = piv_tlv_append(out, META_DEFAULT, (cs_view){&is_default, 1});
    return rc == CS_OK ? piv_tlv_append(out, META_RETRIES, CS_VIEW_ARRAY(retries)) : rc;
}

static int append_admin(const piv_state *state, cs_buf *out)
{
    const uint8_t policy[] = {0, 1};
    const uint8_t is_default =
        state->admin_algorithm == state->factory_algorithm &&
        memcmp(state->admin_key, piv_default_admin_key, sizeof piv_default_admin_key) == 0;
    int rc = piv_tlv_append(out, META_ALGORITHM, (cs_view){&state->admin_algorithm, 1});

    if (rc == CS_OK)
        rc = piv_tlv_append(out, META_POLICY, CS_VIEW_ARRAY(policy));
    return rc == CS_OK ? piv_tlv_append(out, META_DEFAULT, (cs_view){&is_default, 1}) : rc;
}

static int append_key(const piv_key *key, cs_buf *out)
{
    const uint8_t algorithm = PIV_P256;
    const uint8_t policy[] = {piv_key_pin_policy(key), key->touch_policy};
    cs_buf point = {0};
    int rc = piv_tlv_append(out, META_ALGORITHM, (cs_view){&algorithm, 1});

    if (rc == CS_OK)
        rc = piv_tlv_append(out, META_POLICY, CS_VIEW_ARRAY(policy));
    if (rc == CS_OK)
        rc = piv_tlv_append(out, META_ORIGIN, (cs_view){&key->origin, 1});
    if (rc == CS_OK)
        rc = piv_tlv_append(&point, TAG_POINT, CS_VIEW_ARRAY(key->public_key));
    if (rc == CS_OK)
        rc = piv_tlv_append(out, META_PUBLIC, cs_view_buf(&point));
    cs_buf_free(&point);
    return rc;
}

uint16_t piv_metadata(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    const piv_key *key = piv_key_find(card, apdu->p2);
    int rc;

    if (apdu->p1 != 0)
        return SW_P1P2;
    if (apdu->p2 == PIV_REF_PIN)
        rc = append_secret(&card->state.pin, default_pin, out);
    else if (apdu->p2 == PIV_REF_PUK)
        rc = append_secret(&card->state.puk, default_puk, out);
    else if (apdu->p2 == PIV_REF_ADMIN)
        rc = append_admin(&card->state, out);
    else if (key != NULL)
        rc = append_key(key, out);
    else
        return SW_REFERENCE;
    return rc == CS_OK ? SW_OK : SW_INTERNAL;
}

/* The algorithm, 9B, a length, the key. */
uint16_t piv_set_admin_key(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    piv_state *state = &card->state;
    uint8_t before[PIV_ADMIN_KEY_MAX], algorithm = state->admin_algorithm;
    cs_view data = apdu->data;
    uint16_t status;

    (void)out;
    if (apdu->p1 != 0xff || (apdu->p2 != 0xff && apdu->p2 != REF_ADMIN_TOUCH))
        return SW_P1P2;
    if (!card->power.admin)
        return SW_SECURITY;
    if (data.n < 3 || data.p[1] != PIV_REF_ADMIN || data.p[2] != data.n - 3 || data.p[2] == 0 ||
        data.p[2] != piv_admin_key_size(data.p[0]))
        return SW_DATA;
    memcpy(before, state->admin_key, sizeof before);
    state->admin_algorithm = data.p[0];
    memset(state->admin_key, 0, sizeof state->admin_key);
    memcpy(state->admin_key, data.p + 3, data.n - 3);
    status = piv_state_save(card);
    if (status != SW_OK) {
        state->admin_algorithm = algorithm;
        memcpy(state->admin_key, before, sizeof before);
    }
    cs_wipe(before, sizeof before);
    return status;
}

/* How many tries there are from now on. Both secrets become the factory's again. */
uint16_t piv_set_retries(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    const piv_secret pin = card->state.pin, puk = card->state.puk;
    uint16_t status;

    (void)out;
    if (apdu->p1 == 0 || apdu->p2 == 0)
        return SW_P1P2;
    if (!card->power.admin || !card->power.pin_verified)
        return SW_SECURITY;
    card->state.pin = (piv_secret){.tries = apdu->p1, .most = apdu->p1};
    card->state.puk = (piv_secret){.tries = apdu->p2, .most = apdu->p2};
    memcpy(card->state.pin.value, default_pin, PIV_PIN_SIZE);
    memcpy(card->state.puk.value, default_puk, PIV_PIN_SIZE);
    status = piv_state_save(card);
    if (status != SW_OK) {
        card->state.pin = pin;
        card->state.puk = puk;
    }
    return status;
}

/* The way out of a card whose PIN and PUK are both blocked: it is as new, and all keys are gone. */
uint16_t piv_reset(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    (void)out;
    if (apdu->p1 != 0 || apdu->p2 != 0)
        return SW_P1P2;
    if (card->state.pin.tries != 0 || card->state.puk.tries != 0)
        return SW_CONDITIONS;
    piv_objects_clear(&card->state);
    piv_state_defaults(&card->state);
    card->power.admin = false;
    card->power.pin_verified = false;
    return piv_state_save(card);
}

void piv_state_defaults(piv_state *state)
{
    memcpy(state->pin.value, default_pin, PIV_PIN_SIZE);
    memcpy(state->puk.value, default_puk, PIV_PIN_SIZE);
    state->pin.tries = state->pin.most = PIV_TRIES;
    state->puk.tries = state->puk.most = PIV_TRIES;
    state->admin_algorithm = state->factory_algorithm;
    memset(state->admin_key, 0, sizeof state->admin_key);
    memcpy(state->admin_key, piv_default_admin_key, sizeof piv_default_admin_key);
    cs_wipe(state->keys, sizeof state->keys);
    state->key_count = 0;
}
