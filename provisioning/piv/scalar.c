/* SPDX-License-Identifier: Apache-2.0 */
/* S_D in a retired slot. */
#include "piv/scalar.h"
#include "room.h"

#include <chartseal/secret.h>

#include <string.h>
#include <time.h>

#define RETIRED_FIRST YKPIV_KEY_RETIRED1
#define RETIRED_LAST YKPIV_KEY_RETIRED20
/* of an import */
#define TAG_SCALAR 0x06
#define IMPORT_SIZE (2 + CS_PIV_SCALAR_SIZE + 3 + 3)
/* of the key history, SP 800-73-4, part 1, table 19 */
#define TAG_ON_CARD 0xc1
#define TAG_OFF_CARD 0xc2
#define TAG_URL 0xf3
#define TAG_CHECK 0xfe
#define URL_MAX 118
#define HISTORY_MAX (3 + 3 + 2 + URL_MAX + 2)

static bool is_retired(uint8_t reference)
{
    return reference >= RETIRED_FIRST && reference <= RETIRED_LAST;
}

/* -- the slot */

static bool holds(const cs_piv_slot *slot, const cs_piv_scalar *scalar)
{
    return slot->generated == CS_PIV_NO && slot->has_puk &&
           memcmp(slot->puk, scalar->puk, CS_PUK_SIZE) == 0;
}

/* With an S_D of this doctor's from before: another goes over it, so that no old one stays. */
static bool was_loaded(const cs_piv_slot *slot, const cs_piv_scalar *scalar)
{
    return slot->is_container && strcmp(slot->id, scalar->id == NULL ? "" : scalar->id) == 0;
}

/* Of a record that was put back: the one that has it already, or an earlier one. Else the first
 * that has nothing. */
static int choose_slot(
    cs_piv *card, const cs_piv_scalar *scalar, uint8_t *reference, cs_error *error)
{
    cs_piv_slot slots[CS_PIV_SLOTS];
    bool used[RETIRED_LAST - RETIRED_FIRST + 1] = {false};
    size_t count;
    int rc = cs_piv_slots(card, slots, &count, error);

    *reference = 0;
    for (size_t i = 0; rc == CS_OK && i < count; i++) {
        if (!is_retired(slots[i].reference))
            continue;
        used[slots[i].reference - RETIRED_FIRST] = true;
        if (holds(&slots[i], scalar) || (*reference == 0 && was_loaded(&slots[i], scalar)))
            *reference = slots[i].reference;
    }
    for (uint8_t i = 0; rc == CS_OK && *reference == 0 && i < sizeof used; i++) {
        if (!used[i])
            *reference = (uint8_t)(RETIRED_FIRST + i);
    }
    if (rc == CS_OK && *reference == 0)
        rc = CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the card in reader %s has a key or a certificate in each of its twenty retired slots; "
            "S_D stays sealed",
            card->reader);
    return rc;
}

static int settle_slot(cs_piv *card, cs_piv_run *run, const cs_piv_scalar *scalar,
    cs_piv_save_fn save, void *context, cs_error *error)
{
    int rc;

    if (run->scalar_slot != 0)
        return CS_OK;
    rc = choose_slot(card, scalar, &run->scalar_slot, error);
    if (rc == CS_OK)
        rc = save(context, run, error);
    if (rc != CS_OK)
        run->scalar_slot = 0;
    return rc;
}

/* -- the key */

static bool is_there(const cs_piv_slot *slot, const cs_piv_scalar *scalar)
{
    return holds(slot, scalar) && slot->pin_policy == YKPIV_PINPOLICY_ONCE &&
           slot->touch_policy == YKPIV_TOUCHPOLICY_NEVER;
}

/* A command of our own, for its status word: libykpiv does not tell a card that has no import from
 * one that fails. The policies are said, whatever the maker's are. */
static int import(cs_piv *card, uint8_t reference, const uint8_t *s, cs_error *error)
{
    static const uint8_t policies[] = {YKPIV_PINPOLICY_TAG, 1, YKPIV_PINPOLICY_ONCE,
        YKPIV_TOUCHPOLICY_TAG, 1, YKPIV_TOUCHPOLICY_NEVER};
    uint8_t *data = cs_secret_new(IMPORT_SIZE), answer[PIV_ANSWER_MAX];
    piv_read command = {
        "importing S_D", YKPIV_INS_IMPORT_KEY, YKPIV_ALGO_ECCP256, reference, {data, IMPORT_SIZE}};
    size_t n;
    int rc;

    if (data == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for S_D; raise RLIMIT_MEMLOCK");
    data[0] = TAG_SCALAR;
    data[1] = CS_PIV_SCALAR_SIZE;
    memcpy(data + 2, s, CS_PIV_SCALAR_SIZE);
    memcpy(data + 2 + CS_PIV_SCALAR_SIZE, policies, sizeof policies);
    rc = piv_write(card, &command, answer, &n, error);
    cs_secret_free(&data);
    return rc;
}

/* What the card says afterwards is what counts. */
static int load_key(cs_piv *card, uint8_t reference, const cs_piv_scalar *scalar, cs_error *error)
{
    cs_piv_slot slot = {.reference = reference};
    int rc = piv_read_key(card, &slot, error);

    if (rc != CS_OK || is_there(&slot, scalar))
        return rc;
    if (scalar->s == NULL)
        return CS_FAIL(error, CS_E_KEY_MISSING,
            "the card in reader %s does not say of slot %02X that S_D was imported there; register "
            "again, and load it then",
            card->reader, reference);
    rc = import(card, reference, scalar->s, error);
    if (rc != CS_OK)
        return cs_error_context(error, "S_D stays sealed to 9D, as it is");
    slot = (cs_piv_slot){.reference = reference};
    rc = piv_read_key(card, &slot, error);
    if (rc == CS_OK && !is_there(&slot, scalar))
        rc = CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "the card in reader %s does not say of slot %02X what was imported there; S_D stays "
            "sealed",
            card->reader, reference);
    return rc;
}

/* -- its certificate */

static int load_certificate(
    cs_piv *card, uint8_t reference, const cs_piv_scalar *scalar, cs_error *error)
{
    cs_piv_slot slot = {.reference = reference};
    const cs_subject subject = {.common_name = scalar->name,
        .organisation = PIV_CONTAINER,
        .role = "doctor",
        .id = scalar->id};
    cs_buf der = {0};
    int rc = piv_read_slot(card, true, &slot, error);

    if (rc != CS_OK || (slot.matches == CS_PIV_YES && slot.certificate_agrees))
        return rc;
    rc = cs_certificate_container(
        &der, &subject, CS_VIEW_ARRAY(scalar->puk), scalar->not_before, scalar->not_after, error);
    if (rc == CS_OK)
        rc = piv_write_certificate(card, reference, cs_view_buf(&der), error);
    cs_buf_free(&der);
    return rc;
}

/* -- the key history */

typedef struct history {
    bool is_there;
    uint8_t on_card, off_card;
    uint8_t url[URL_MAX]; /* of those off the card */
    size_t url_size;
} history;

static int read_history(cs_piv *card, history *out, cs_error *error)
{
    uint8_t bytes[PIV_ANSWER_MAX];
    size_t n = 0;
    cs_view value;
    int rc = piv_object(card, YKPIV_OBJ_KEY_HISTORY, bytes, &n, error);

    *out = (history){0};
    if (rc != CS_OK || !piv_find((cs_view){bytes, n}, TAG_ON_CARD, &value) || value.n != 1)
        return rc;
    out->is_there = true;
    out->on_card = value.p[0];
    if (piv_find((cs_view){bytes, n}, TAG_OFF_CARD, &value) && value.n == 1)
        out->off_card = value.p[0];
    if (piv_find((cs_view){bytes, n}, TAG_URL, &value) && value.n <= URL_MAX) {
        memcpy(out->url, value.p, value.n);
        out->url_size = value.n;
    }
    return CS_OK;
}

static int write_history(cs_piv *card, const history *h, cs_error *error)
{
    uint8_t bytes[HISTORY_MAX] = {TAG_ON_CARD, 1, h->on_card, TAG_OFF_CARD, 1, h->off_card};
    size_t n = 6;
    ykpiv_rc rc;

    if (h->on_card != 0 || h->off_card != 0) { /* or it must not be there, part 1, 3.3.3 */
        bytes[n++] = TAG_URL;
        bytes[n++] = (uint8_t)h->url_size;
        memcpy(bytes + n, h->url, h->url_size);
        n += h->url_size;
    }
    bytes[n++] = TAG_CHECK;
    bytes[n++] = 0;
    rc = ykpiv_save_object(card->state, YKPIV_OBJ_KEY_HISTORY, bytes, n);
    return rc == YKPIV_OK ? CS_OK : piv_fail(card, "writing the key history", rc, error);
}

/* Keys on the card are counted from 82 on, so what counts is the last slot with a certificate. */
static int settle_history(cs_piv *card, cs_error *error)
{
    uint8_t last = 0;
    history h;
    int rc = read_history(card, &h, error);

    for (uint8_t slot = RETIRED_FIRST; rc == CS_OK && slot <= RETIRED_LAST; slot++) {
        uint8_t bytes[PIV_ANSWER_MAX];
        size_t n = 0;

        rc = piv_object(card, ykpiv_util_slot_object(slot), bytes, &n, error);
        if (rc == CS_OK && n > 0)
            last = (uint8_t)(slot - RETIRED_FIRST + 1);
    }
    if (rc != CS_OK || h.on_card == last)
        return rc;
    h.on_card = last;
    return write_history(card, &h, error);
}

int cs_piv_history(cs_piv *card, int *counted, cs_error *error)
{
    history h;
    int rc = read_history(card, &h, error);

    *counted = rc == CS_OK && h.is_there ? h.on_card : -1;
    return rc;
}

/* ------------------------------------------------------------------------------------------------
 */

int cs_piv_load_scalar(cs_piv *card, cs_piv_run *run, const cs_piv_scalar *scalar,
    cs_piv_save_fn save, void *context, cs_error *error)
{
    cs_piv_info info;
    int rc = piv_check_card(card, run, &info, error);

    if (rc == CS_OK && run->done < CS_PIV_FINISHED)
        rc = CS_FAIL(error, CS_E_ORDER,
            "the card is not finished; `chartseal card provision` or `renew` goes on with it");
    if (rc == CS_OK)
        rc = piv_authenticate(card, run, &info, error);
    if (rc == CS_OK)
        rc = settle_slot(card, run, scalar, save, context, error);
    if (rc == CS_OK)
        rc = load_key(card, run->scalar_slot, scalar, error);
    if (rc == CS_OK)
        rc = load_certificate(card, run->scalar_slot, scalar, error);
    return rc == CS_OK ? settle_history(card, error) : rc;
}

/* The slot that the record names; of a record that was put back, the first that says it was loaded.
 * 0: none. Few cards have a history, and only these are looked through. */
static int find_loaded(cs_piv *card, const cs_piv_run *run, uint8_t *reference, cs_error *error)
{
    cs_piv_slot slots[CS_PIV_SLOTS];
    size_t count = 0;
    history h = {0};
    int rc = CS_OK;

    *reference = run->scalar_slot;
    if (*reference == 0)
        rc = read_history(card, &h, error);
    if (rc != CS_OK || *reference != 0 || h.on_card == 0)
        return rc;
    rc = cs_piv_slots(card, slots, &count, error);
    for (size_t i = 0; rc == CS_OK && *reference == 0 && i < count; i++) {
        if (is_retired(slots[i].reference) && slots[i].is_container)
            *reference = slots[i].reference;
    }
    return rc;
}

/* A key that the card makes goes over it: there is no command that removes one. Without its
 * certificate nothing shows it. The slot stays the desk's. */
int piv_drop_scalar(cs_piv *card, const cs_piv_run *run, const cs_piv_info *info, cs_error *error)
{
    uint8_t puk[CS_PUK_SIZE], reference;
    ykpiv_rc status;
    int rc = find_loaded(card, run, &reference, error);

    if (rc != CS_OK || reference == 0)
        return rc;
    rc = piv_authenticate(card, run, info, error);
    if (rc == CS_OK)
        rc = piv_make_key(card, reference, puk, error);
    if (rc != CS_OK)
        return rc;
    status = ykpiv_util_delete_cert(card->state, reference);
    if (status != YKPIV_OK)
        return piv_fail(card, "removing the certificate of S_D", status, error);
    return settle_history(card, error);
}
