/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <string.h>

#define TAG_CHUID 0x5fc102
#define TAG_CCC 0x5fc107
#define TAG_DISCOVERY 0x7e
#define TAG_LIST 0x5c
#define TAG_DATA 0x53
#define RID_SIZE 5

static const uint8_t aid[] = {0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00};
/* Of the PIV application: its identifier, name, the authority of its tags, and where it is told of.
 */
static const uint8_t properties[] = {0x61, 0x16, 0x4f, 0x06, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00,
    0x79, 0x07, 0x4f, 0x05, 0xa0, 0x00, 0x00, 0x03, 0x08, 0x50, 0x03, 'P', 'I', 'V'};
/* The card's own PIN satisfies what is asked, there is no global one. */
static const uint8_t discovery[] = {0x7e, 0x12, 0x4f, 0x0b, 0xa0, 0x00, 0x00, 0x03, 0x08, 0x00,
    0x00, 0x10, 0x00, 0x01, 0x00, 0x5f, 0x2f, 0x02, 0x40, 0x00};

/* By the whole identifier or a beginning of it that has the registered part. */
uint16_t piv_select(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    if (apdu->p1 != 0x04 || apdu->p2 != 0)
        return SW_P1P2;
    if (apdu->data.n < RID_SIZE || apdu->data.n > sizeof aid ||
        memcmp(apdu->data.p, aid, apdu->data.n) != 0)
        return SW_NOT_FOUND;
    card->power.selected = true;
    return cs_buf_append(out, CS_VIEW_ARRAY(properties), NULL) == CS_OK ? SW_OK : SW_INTERNAL;
}

/* The tag in a tag list, 0 for none: an object's has three bytes, the discovery object's one. */
static uint32_t tag_of(cs_view list)
{
    if (list.n == 1 && list.p[0] == TAG_DISCOVERY)
        return TAG_DISCOVERY;
    if (list.n == 3 && list.p[0] == 0x5f)
        return (uint32_t)list.p[0] << 16 | (uint32_t)list.p[1] << 8 | list.p[2];
    return 0;
}

static piv_object *find(piv_state *state, uint32_t tag)
{
    for (size_t i = 0; i < state->object_count; i++) {
        if (state->objects[i].tag == tag)
            return &state->objects[i];
    }
    return NULL;
}

uint16_t piv_get_data(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    const piv_object *object;
    cs_view rest = apdu->data, list;
    uint32_t tag;

    if (apdu->p1 != 0x3f || apdu->p2 != 0xff)
        return SW_P1P2;
    if (!piv_tlv_next(&rest, &tag, &list) || tag != TAG_LIST || rest.n != 0 || tag_of(list) == 0)
        return SW_DATA;
    if (tag_of(list) == TAG_DISCOVERY)
        return cs_buf_append(out, CS_VIEW_ARRAY(discovery), NULL) == CS_OK ? SW_OK : SW_INTERNAL;
    object = find(&card->state, tag_of(list));
    if (object == NULL)
        return SW_NOT_FOUND;
    return piv_tlv_append(out, TAG_DATA, cs_view_buf(&object->bytes)) == CS_OK ? SW_OK
                                                                               : SW_INTERNAL;
}

static void remove_object(piv_state *state, piv_object *object)
{
    cs_buf_free(&object->bytes);
    *object = state->objects[--state->object_count];
    state->objects[state->object_count] = (piv_object){0};
}

/* An empty object is none. What was there comes back when it cannot be saved. */
static uint16_t put(piv_card *card, uint32_t tag, cs_view value)
{
    piv_state *state = &card->state;
    piv_object *object = find(state, tag);
    cs_buf fresh = {0}, before;
    uint16_t status;

    if (object == NULL && state->object_count == PIV_OBJECTS_MAX)
        return SW_FULL;
    if (cs_buf_set(&fresh, value, NULL) != CS_OK)
        return SW_INTERNAL;
    if (object == NULL) {
        object = &state->objects[state->object_count++];
        *object = (piv_object){.tag = tag};
    }
    before = object->bytes;
    object->bytes = fresh;
    status = piv_state_save(card);
    if (status == SW_OK) {
        cs_buf_free(&before);
    } else {
        cs_buf_free(&object->bytes);
        object->bytes = before;
    }
    if (object->bytes.n == 0)
        remove_object(state, object);
    return status;
}

uint16_t piv_put_data(piv_card *card, const piv_apdu *apdu, cs_buf *out)
{
    cs_view rest = apdu->data, list, value;
    uint32_t tag;

    (void)out;
    if (apdu->p1 != 0x3f || apdu->p2 != 0xff)
        return SW_P1P2;
    if (!card->power.admin)
        return SW_SECURITY;
    if (!piv_tlv_next(&rest, &tag, &list) || tag != TAG_LIST || tag_of(list) == 0 ||
        tag_of(list) == TAG_DISCOVERY)
        return SW_DATA;
    if (!piv_tlv_next(&rest, &tag, &value) || tag != TAG_DATA || rest.n != 0)
        return SW_DATA;
    return put(card, tag_of(list), value);
}

void piv_objects_clear(piv_state *state)
{
    while (state->object_count > 0)
        remove_object(state, &state->objects[state->object_count - 1]);
}

static int add(piv_state *state, uint32_t tag, cs_view value, cs_error *error)
{
    piv_object *object = &state->objects[state->object_count];

    *object = (piv_object){.tag = tag};
    state->object_count++;
    return cs_buf_set(&object->bytes, value, error);
}

/* The CHUID of a card outside of the federal government: agency 9999, and a GUID that tells cards
 * apart: it ends with the serial number, and OpenSC's serial number is its last eight bytes. */
int piv_objects_new(piv_card *card, cs_error *error)
{
    uint8_t chuid[] = {0x30, 0x19, 0xd4, 0xe7, 0x39, 0xda, 0x73, 0x9c, 0xed, 0x39, 0xce, 0x73, 0x9d,
        0x83, 0x68, 0x58, 0x21, 0x08, 0x42, 0x10, 0x84, 0x21, 0xc8, 0x42, 0x10, 0xc3, 0xeb, 0x34,
        0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x35, 0x08, '2', '0', '4', '0', '0',
        '1', '0', '1', 0x3e, 0x00, 0xfe, 0x00};
    uint8_t ccc[] = {0xf0, 0x15, 0xa0, 0x00, 0x00, 0x01, 0x16, 0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0xf1, 0x01, 0x21, 0xf2, 0x01, 0x21, 0xf3, 0x00, 0xf4, 0x01, 0x00, 0xf5,
        0x01, 0x10, 0xf6, 0x00, 0xf7, 0x00, 0xfa, 0x00, 0xfb, 0x00, 0xfc, 0x00, 0xfd, 0x00, 0xfe,
        0x00};
    int rc;

    if (card->options.blank)
        return CS_OK;
    cs_random(chuid + 29, 16);
    cs_random(ccc + 9, 14);
    memcpy(chuid + 29 + 12, card->state.serial, sizeof card->state.serial);
    rc = add(&card->state, TAG_CHUID, CS_VIEW_ARRAY(chuid), error);
    return rc == CS_OK ? add(&card->state, TAG_CCC, CS_VIEW_ARRAY(ccc), error) : rc;
}
