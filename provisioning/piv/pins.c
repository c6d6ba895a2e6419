/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PINs of a card that is in use. By commands of our own: libykpiv keeps a copy of a PIN, and puts a
 * command between the PIN and 9C's signature.
 */
#include "piv/life.h"
#include "room.h"

#include <string.h>

#define PIN_FIELD 8 /* padded with FF */
#define CHANGE_REFERENCE 0x24
#define TRIES_FACTORY 3 /* of a card whose secret has not been refused */

static void put_pin(uint8_t field[PIN_FIELD], const char *pin)
{
    memset(field, 0xff, PIN_FIELD);
    memcpy(field, pin, strnlen(pin, PIN_FIELD));
}

int piv_verify(cs_piv *card, const char *pin, cs_error *error)
{
    uint8_t data[PIN_FIELD], answer[PIV_ANSWER_MAX];
    piv_read command = {
        "showing the PIN", YKPIV_INS_VERIFY, 0, PIV_REFERENCE_PIN, CS_VIEW_ARRAY(data)};
    size_t n;
    int rc;

    put_pin(data, pin);
    rc = piv_write(card, &command, answer, &n, error);
    cs_wipe(data, sizeof data);
    return rc;
}

static int send_two(cs_piv *card, const char *what, uint8_t ins, uint8_t reference,
    const char *first, const char *second, cs_error *error)
{
    uint8_t data[2 * PIN_FIELD], answer[PIV_ANSWER_MAX];
    piv_read command = {what, ins, 0, reference, CS_VIEW_ARRAY(data)};
    size_t n;
    int rc;

    put_pin(data, first);
    put_pin(data + PIN_FIELD, second);
    rc = piv_write(card, &command, answer, &n, error);
    cs_wipe(data, sizeof data);
    return rc;
}

int piv_change(
    cs_piv *card, uint8_t reference, const char *before, const char *after, cs_error *error)
{
    return send_two(
        card, "replacing PIN or PUK", CHANGE_REFERENCE, reference, before, after, error);
}

/* -- may it be sent? */

static int check_tries(
    const cs_piv *card, const char *what, int tries, bool of_record, bool force, cs_error *error)
{
    if (tries == 0)
        return CS_FAIL(error, CS_E_PIN_LOCKED, "the %s of the card in reader %s is blocked; %s",
            what, card->reader,
            strcmp(what, "PIN") == 0 ? "`chartseal card unblock` gives it a new one"
                                     : "wipe the card and make it anew");
    if (tries < 0 || force)
        return CS_OK;
    if (of_record && tries < TRIES_FACTORY)
        return CS_FAIL(error, CS_E_PIN_WRONG,
            "the card in reader %s has refused a %s (%d tries are left): the record's is not sent "
            "again",
            card->reader, what, tries);
    if (tries == 1)
        return CS_FAIL(error, CS_E_PIN_FINAL_TRY,
            "the card in reader %s has one try for its %s left, which is left alone; --force uses "
            "it",
            card->reader, what);
    return CS_OK;
}

int piv_check_pin_tries(cs_piv *card, bool of_record, bool force, cs_error *error)
{
    int tries, rc = piv_count_tries(card, &tries, error);

    return rc == CS_OK ? check_tries(card, "PIN", tries, of_record, force, error) : rc;
}

/* -- changing */

static bool is_pin(const char *text)
{
    size_t n = strlen(text);

    return n >= CS_PIV_PIN_LEAST && n <= PIN_FIELD && strspn(text, "0123456789") == n;
}

static int check_change(cs_piv *card, const cs_piv_pin_change *change, cs_error *error)
{
    cs_piv_info info;
    int rc;

    if (!is_pin(change->after) || !is_pin(change->before))
        return CS_FAIL(error, CS_E_USAGE, "a PIN has %d to %d digits", CS_PIV_PIN_LEAST, PIN_FIELD);
    if (strcmp(change->before, change->after) == 0)
        return CS_FAIL(error, CS_E_USAGE, "the new PIN is the old one; choose another");
    rc = cs_piv_describe(card, &info, error);
    if (rc == CS_OK && (!info.has_serial || info.serial != change->serial))
        rc = CS_FAIL(error, CS_E_KEY_MISSING,
            "the card in reader %s does not have the serial number %u; nothing was done",
            card->reader, change->serial);
    return rc;
}

/* After a change that was cut off, the card has the one or the other: the new one is tried first,
 * for a right PIN sets the count of tries back. */
static int has_it_already(cs_piv *card, const cs_piv_pin_change *change, bool *has, cs_error *error)
{
    int rc = piv_verify(card, change->after, error);

    *has = rc == CS_OK;
    if (rc != CS_E_PIN_WRONG)
        return rc;
    return piv_check_pin_tries(card, false, change->force, error);
}

int cs_piv_change_pin(cs_piv *card, const cs_piv_pin_change *change, cs_error *error)
{
    bool has = false;
    int rc = check_change(card, change, error);

    if (rc == CS_OK)
        rc = piv_check_pin_tries(card, false, change->force, error);
    if (rc == CS_OK && change->again)
        rc = has_it_already(card, change, &has, error);
    if (rc != CS_OK || has)
        return rc;
    rc = piv_change(card, PIV_REFERENCE_PIN, change->before, change->after, error);
    if (rc != CS_OK && rc != CS_E_PIN_WRONG && rc != CS_E_PIN_LOCKED)
        rc = cs_error_context(
            error, "which PIN the card has is not known now; run this again with --again");
    return rc;
}

/* Whether or not the card has had it, the PUK is right: a run that ended early is made again. */
int cs_piv_unblock(
    cs_piv *card, cs_piv_run *run, bool force, cs_piv_save_fn save, void *context, cs_error *error)
{
    cs_piv_info info;
    int rc = piv_check_card(card, run, &info, error);

    if (rc == CS_OK)
        rc = check_tries(card, "PUK", info.puk_tries, true, force, error);
    if (rc != CS_OK)
        return rc;
    piv_random_digits(run->pin);
    rc = save(context, run, error);
    return rc == CS_OK ? send_two(card, "unblocking the PIN", YKPIV_INS_RESET_RETRY,
                             PIV_REFERENCE_PIN, run->puk, run->pin, error)
                       : rc;
}
