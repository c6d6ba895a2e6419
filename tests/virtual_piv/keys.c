/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <chartseal/crypto.h>

#include <errno.h>
#include <time.h>

#define TAG_CONTROL 0xac
#define TAG_ALGORITHM 0x80
#define TAG_PIN_POLICY 0xaa
#define TAG_TOUCH_POLICY 0xab
#define TAG_PUBLIC_KEY 0x7f49
#define TAG_POINT 0x86
#define POLICY_MAX 3

bool piv_key_reference(uint8_t reference)
{
    switch (reference) {
    case PIV_REF_AUTHENTICATION:
    case PIV_REF_SIGNATURE:
    case PIV_REF_KEY_MANAGEMENT:
    case PIV_REF_CARD:
        return true;
    default:
        return reference >= PIV_REF_RETIRED_FIRST && reference <= PIV_REF_RETIRED_LAST;
    }
}

piv_key *piv_key_find(piv_card *card, uint8_t reference)
{
    for (size_t i = 0; i < card->state.key_count; i++) {
        if (card->state.keys[i].reference == reference)
            return &card->state.keys[i];
    }
    return NULL;
}

/* SP 800-73-4, part 1, table 5. */
uint8_t piv_key_pin_policy(const piv_key *key)
{
    if (key->pin_policy != PIV_PIN_DEFAULT)
        return key->pin_policy;
    switch (key->reference) {
    case PIV_REF_SIGNATURE:
        return PIV_PIN_ALWAYS;
    case PIV_REF_CARD:
        return PIV_PIN_NEVER;
    default:
        return PIV_PIN_ONCE;
    }
}

static bool policy(cs_view template, uint32_t tag, uint8_t *out)
{
    cs_view value;

    *out = 0;
    if (!piv_tlv_find(template, tag, &value))
        return true;
    if (value.n != 1 || value.p[0] > POLICY_MAX)
        return false;
    *out = value.p[0];
    return true;
}

bool piv_key_policies(cs_view template, piv_key *out)
{
    return policy(template, TAG_PIN_POLICY, &out->pin_policy) &&
           policy(template, TAG_TOUCH_POLICY, &out->touch_policy);
}

uint16_t piv_key_store(piv_card *card, const piv_key *key)
{
    piv_state *state = &card->state;
    piv_key *place = piv_key_find(card, key->reference);
    piv_key before = {0};
    uint16_t status;

    if (place != NULL)
        before = *place;
    else if (state->key_count == PIV_KEYS_MAX)
        return SW_FULL;
    else
        place = &state->keys[state->key_count++];
    *place = *key;
    status = piv_state_save(card);
    if (status != SW_OK) {
        *place = before;
        if (before.reference == 0)
            state->key_count--;
    }
    cs_wipe(&before, sizeof before);
    return status;
}

/* What a chip takes for its arithmetic. */
void piv_key_delay(const piv_card *card)
{
    struct timespec left = {
        card->options.delay_ms / 1000, (long)(card->options.delay_ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static uint16_t answer_public(const piv_key *key, cs_buf *out)
{
    cs_buf point = {0};
    int rc = piv_tlv_append(&point, TAG_POINT, CS_VIEW_ARRAY(key->public_key));

    if (rc == CS_OK)
        rc = piv_tlv_append(out, TAG_PUBLIC_KEY, cs_view_buf(&point));
    cs_buf_free(&point);
    return rc == CS_OK ? SW_OK : SW_INTERNAL;
}

uint16_t piv_generate(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    piv_key key = {.reference = apdu->p2, .origin = PIV_GENERATED};
    cs_view template, algorithm;
    uint16_t status = SW_INTERNAL;

    if (apdu->p1 != 0 || !piv_key_reference(apdu->p2))
        return SW_P1P2;
    if (!card->power.admin)
        return SW_SECURITY;
    if (!piv_tlv_find(apdu->data, TAG_CONTROL, &template) ||
        !piv_tlv_find(template, TAG_ALGORITHM, &algorithm) || algorithm.n != 1 ||
        algorithm.p[0] != PIV_P256 || !piv_key_policies(template, &key))
        return SW_DATA;
    piv_key_delay(card);
    if (cs_p256_generate(key.private_key, key.public_key, NULL) == CS_OK)
        status = piv_key_store(card, &key);
    if (status == SW_OK)
        status = answer_public(&key, out);
    cs_wipe(&key, sizeof key);
    return status;
}
