/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/card_verbs.h"
#include "cli/cli.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "piv/scalar.h"

#include <stdio.h>

#define HEX(n) (2 * (n) + 1)

typedef struct card_report {
    cs_piv_info info;
    cs_piv_slot slots[CS_PIV_SLOTS];
    size_t count;
    int history; /* retired keys that it counts; -1: the card has none */
} card_report;

/* -- for people */

static void print_card(const cs_piv_info *info)
{
    char reader[CS_PIV_READER_MAX], guid[HEX(CS_PIV_GUID_SIZE)] = "none", serial[16] = "not told";
    char pin_tries[16] = "not told", puk_tries[16] = "not told";

    if (info->has_serial)
        (void)snprintf(serial, sizeof serial, "%u", info->serial);
    if (info->has_guid)
        cs_hex(CS_VIEW_ARRAY(info->guid), guid);
    if (info->pin_tries >= 0)
        (void)snprintf(pin_tries, sizeof pin_tries, "%d", info->pin_tries);
    if (info->puk_tries >= 0)
        (void)snprintf(puk_tries, sizeof puk_tries, "%d", info->puk_tries);
    cs_say("reader          %s", cs_printable(reader, sizeof reader, info->reader));
    cs_say("serial number   %s", serial);
    cs_say("GUID            %s", guid);
    cs_say("extensions      %s", info->version[0] == '\0' ? "none" : info->version);
    cs_say("PIN             tries left: %s; the factory's: %s", pin_tries,
        cs_piv_answer_name(info->pin_is_default));
    cs_say("PUK             tries left: %s; the factory's: %s", puk_tries,
        cs_piv_answer_name(info->puk_is_default));
    cs_say("management key  algorithm: %s; the factory's: %s",
        cs_piv_algorithm_name(info->admin_algorithm), cs_piv_answer_name(info->admin_is_default));
}

static const char *origin(const cs_piv_slot *slot)
{
    switch (slot->has_key) {
    case CS_PIV_NO:
        return "no key";
    case CS_PIV_YES:
        if (slot->generated != CS_PIV_UNKNOWN)
            return slot->generated == CS_PIV_YES ? "key made on the card" : "key imported";
        return "key of unknown origin";
    case CS_PIV_UNKNOWN:
    default:
        return "a key, if it has one, of unknown origin";
    }
}

static void print_slot(const cs_piv_slot *slot)
{
    char name[CS_HOLDER_TEXT_MAX + 1], fingerprint[HEX(CS_HASH_SIZE)];

    cs_say("slot %02X         %s", slot->reference, origin(slot));
    if (!slot->has_certificate)
        return;
    cs_hex(CS_VIEW_ARRAY(slot->fingerprint), fingerprint);
    if (slot->certificate_read)
        cs_say("  certificate   %s, until %s%s", cs_printable(name, sizeof name, slot->name),
            slot->not_after, slot->matches == CS_PIV_NO ? ", OF ANOTHER KEY" : "");
    else
        cs_say("  certificate   one that cannot be read");
    cs_say("  SHA-256       %s", fingerprint);
}

/* OpenSC shows the retired keys that it counts, from 82 on. */
static void print_history(int counted)
{
    if (counted >= 0)
        cs_say("key history     %d retired key%s", counted, counted == 1 ? "" : "s");
}

/* -- for machines */

static json_t *slot_json(const cs_piv_slot *slot)
{
    char reference[3];
    json_t *out;

    (void)snprintf(reference, sizeof reference, "%02X", slot->reference);
    out = json_pack("{s:s, s:s, s:s}", "slot", reference, "key", cs_piv_answer_name(slot->has_key),
        "generated", cs_piv_answer_name(slot->generated));
    if (out == NULL || !slot->has_certificate)
        return out;
    if (json_object_set_new(out, "certificate",
            json_pack("{s:b, s:s, s:s, s:o?, s:s}", "read", slot->certificate_read, "name",
                slot->name, "not_after", slot->not_after, "sha256",
                cs_hex_json(CS_VIEW_ARRAY(slot->fingerprint)), "matches",
                cs_piv_answer_name(slot->matches))) != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *report_json(const card_report *report)
{
    const cs_piv_info *info = &report->info;
    json_t *slots = json_array();

    for (size_t i = 0; i < report->count; i++) {
        if (json_array_append_new(slots, slot_json(&report->slots[i])) != 0) {
            json_decref(slots);
            return NULL;
        }
    }
    return json_pack("{s:b, s:s, s:o?, s:o?, s:s, s:i, s:i, s:s, s:{s:s, s:s, s:s}, s:o?, s:o}",
        "ok", 1, "reader", info->reader, "serial",
        info->has_serial ? json_integer(info->serial) : NULL, "guid",
        info->has_guid ? cs_hex_json(CS_VIEW_ARRAY(info->guid)) : NULL, "extensions", info->version,
        "pin_tries", info->pin_tries, "puk_tries", info->puk_tries, "management_algorithm",
        cs_piv_algorithm_name(info->admin_algorithm), "factory", "pin",
        cs_piv_answer_name(info->pin_is_default), "puk", cs_piv_answer_name(info->puk_is_default),
        "management_key", cs_piv_answer_name(info->admin_is_default), "key_history",
        report->history < 0 ? NULL : json_integer(report->history), "slots", slots);
}

/* -- show */

static int run_show(const cs_arguments *arguments, cs_error *error)
{
    static card_report report;
    cs_piv *card = NULL;
    int rc = cs_piv_open(&card, cs_arg(arguments, "reader"), error);

    if (rc == CS_OK)
        rc = cs_piv_describe(card, &report.info, error);
    if (rc == CS_OK)
        rc = cs_piv_slots(card, report.slots, &report.count, error);
    if (rc == CS_OK)
        rc = cs_piv_history(card, &report.history, error);
    cs_piv_close(&card);
    if (rc != CS_OK)
        return rc;
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(report_json(&report), error);
    print_card(&report.info);
    for (size_t i = 0; i < report.count; i++)
        print_slot(&report.slots[i]);
    print_history(report.history);
    return CS_OK;
}

static const cs_option show_options[] = {
    CS_CARD_READER_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

static const cs_verb verbs[] = {
    {"show", "a PIV card: its serial number, its PINs, its keys and certificates", show_options,
        "--reader \"Alcor Micro AU9540 00 00\"", run_show},
    {"provision", "make a doctor's card of a new one, or go on where a run ended early",
        cs_card_provision_options, "--dir cards/17 --name \"Dr. E. Koch\" --id D-17",
        cs_card_provision},
    {"load", "bring a registered doctor's S_D, which is sealed to 9D, into a retired slot",
        cs_card_load_options, "--dir cards/17 --home ek", cs_card_load},
    {"change-pin", "another PIN, by the old one", cs_card_change_pin_options, "--serial 12648430",
        cs_card_change_pin},
    {"unblock", "a fresh PIN by the desk's PUK, and a letter for it", cs_card_unblock_options,
        "--dir cards/17", cs_card_unblock},
    {"renew", "requests again, for the same keys or new ones; then new certificates",
        cs_card_renew_options, "--dir cards/17 --pin-file pin", cs_card_renew},
    {"suspend", "a card that is looked for counts no more, until it is found",
        cs_card_suspend_options, "--dir cards/17 --authority board", cs_card_suspend},
    {"revoke", "a card counts no more, at the authority and at the cloud", cs_card_revoke_options,
        "--dir cards/17 --authority board --cloud cloud", cs_card_revoke},
    {"wipe", "make a card as it came from the factory; its keys are destroyed",
        cs_card_wipe_options, "--serial 12648430", cs_card_wipe},
    {0},
};

const cs_group cs_card_group = {"card", "PIV cards, at the desk that makes them", verbs};
