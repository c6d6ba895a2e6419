/* SPDX-License-Identifier: Apache-2.0 */
/* The transcript of a ceremony, checked and printed: for the paper that the operators sign. */
#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/token_shares.h"
#include "service/transcript.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX 1024 /* of a line on paper */

static void put_plain(char *out, size_t size, const json_t *value)
{
    if (json_is_string(value))
        (void)snprintf(out, size, "%s", json_string_value(value));
    else if (json_is_integer(value))
        (void)snprintf(out, size, "%lld", (long long)json_integer_value(value));
    else
        (void)snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
}

/* A value as text: of an object its members, one after the other. */
static void put_value(char *out, size_t size, json_t *value)
{
    const char *name;
    json_t *member;
    size_t n = 0;

    out[0] = '\0';
    if (json_is_object(value)) {
        json_object_foreach(value, name, member)
        {
            char text[VALUE_MAX];

            put_plain(text, sizeof text, member);
            n += (size_t)snprintf(out + n, size - n, "%s%s %s", n == 0 ? "" : ", ", name, text);
            if (n >= size)
                return;
        }
    } else {
        put_plain(out, size, value);
    }
}

static void print_value(const char *name, json_t *value)
{
    char text[VALUE_MAX], shown[VALUE_MAX], label[64];

    put_value(text, sizeof text, value);
    cs_say("  %-18s %s", cs_printable(label, sizeof label, name),
        cs_printable(shown, sizeof shown, text));
}

static void print_entry(json_t *entry)
{
    const char *time = json_string_value(json_object_get(entry, "time"));
    char step[32], when[40];
    const char *name;
    json_t *value;

    cs_say("%lld. %s%s%s", (long long)json_integer_value(json_object_get(entry, "n")),
        cs_printable(step, sizeof step, json_string_value(json_object_get(entry, "step"))),
        time == NULL ? "" : "  ", time == NULL ? "" : cs_printable(when, sizeof when, time));
    json_object_foreach(entry, name, value)
    {
        json_t *element;
        size_t i;

        if (strcmp(name, "n") == 0 || strcmp(name, "step") == 0 || strcmp(name, "time") == 0)
            continue;
        if (!json_is_array(value)) {
            print_value(name, value);
            continue;
        }
        json_array_foreach(value, i, element)
        {
            print_value(i == 0 ? name : "", element);
        }
    }
}

static int print(const cs_transcript *transcript, const char *signer, const cs_arguments *arguments,
    cs_error *error)
{
    size_t count = cs_transcript_count(transcript);
    json_t *entries;

    if (!cs_arg_flag(arguments, "json")) {
        for (size_t i = 0; i < count; i++)
            print_entry(cs_transcript_entry(transcript, i));
        cs_say("whole, and signed by the key");
        cs_say("  %s", signer);
        if (cs_arg(arguments, "key") == NULL)
            cs_say("which the transcript names itself: compare it with what was written down then");
        return CS_OK;
    }
    entries = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *copy = json_deep_copy(cs_transcript_entry(transcript, i));

        if (json_array_append_new(entries, copy) != 0) {
            json_decref(entries);
            return CS_FAIL(error, CS_E_MEMORY, "no memory for a transcript in JSON");
        }
    }
    return cs_print_json(
        json_pack("{s:b, s:s, s:o}", "ok", 1, "sign_key", signer, "entries", entries), error);
}

int cs_run_transcript(const cs_arguments *arguments, cs_error *error)
{
    const char *file = cs_arg(arguments, "file");
    const char *key = cs_arg(arguments, "key");
    cs_transcript *transcript = NULL;
    char signer[2 * CS_PUK_SIZE + 1] = "";
    uint8_t puk[CS_PUK_SIZE];
    int rc = cs_transcript_open(&transcript, file, error);

    if (rc == CS_OK && cs_transcript_count(transcript) == 0)
        rc = CS_FAIL(error, CS_E_NO_FILE, "there is no transcript %s", file);
    if (rc == CS_OK)
        rc = cs_transcript_signer(transcript, puk, error);
    if (rc == CS_OK)
        cs_hex(CS_VIEW_ARRAY(puk), signer);
    if (rc == CS_OK && key != NULL && strcasecmp(key, signer) != 0)
        rc = CS_FAIL(error, CS_E_SIGNATURE,
            "%s is signed by %s, not by the key that you name; find out who has replaced it", file,
            signer);
    if (rc == CS_OK)
        rc = print(transcript, signer, arguments, error);
    cs_transcript_free(&transcript);
    return rc;
}

const cs_option cs_transcript_options[] = {
    {"file", "FILE", true, "the transcript, ceremony.transcript of the home"},
    {"key", "HEX", false, "the signing key, as it was written down at the ceremony"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
