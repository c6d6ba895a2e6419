/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/care_options.h"

#include "cli/output.h"
#include "cli/serve_options.h"

#define SHOWN_MAX 128

static const char *const names[CS_SLOTS] = {"report", "measurement", "diagnosis", "copy"};

/* Of a copy its size alone: its parts are told of by themselves. */
static json_t *item_json(const cs_care_item *item, size_t slot)
{
    if (slot == CS_SLOT_COPY)
        return json_pack("{s:b, s:I}", "sent", item->sent, "size", (json_int_t)item->part.size);
    return json_pack("{s:b, s:o, s:I, s:s, s:I}", "sent", item->sent, "sha256",
        cs_hex_json(CS_VIEW_ARRAY(item->part.hash)), "size", (json_int_t)item->part.size,
        "media_type", item->part.media_type, "time", (json_int_t)item->part.time);
}

json_t *cs_care_json(const cs_care_report *report, const cs_opened *opened, int64_t took_ms)
{
    cs_wire_counts counts = cs_wire_log_counts(opened->log);
    json_t *out = json_pack("{s:b, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:{s:I, s:I}, s:f}", "ok", 1,
        "hospital", report->hospital, "patient", report->patient, "doctor", report->doctor,
        "telecare_cloud", report->cloud, "ends", (json_int_t)report->ends, "token_ops",
        cs_ops_json(report->ops), "session_ops", cs_ops_json(report->session_ops), "wire",
        "messages", (json_int_t)counts.messages, "bytes", (json_int_t)counts.bytes, "seconds",
        (double)took_ms / 1000);

    for (size_t i = 0; out != NULL && i < CS_SLOTS; i++) {
        if (report->items[i].there &&
            json_object_set_new(out, names[i], item_json(&report->items[i], i + 1)) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

void cs_say_care(const cs_care_report *report, const char *const outputs[CS_SLOTS])
{
    char hospital[SHOWN_MAX];
    char doctor[SHOWN_MAX];
    char until[CS_DATE_SIZE];

    for (size_t i = 0; i < CS_SLOTS; i++) {
        const cs_care_item *item = &report->items[i];

        if (item->there && item->sent)
            cs_say("the %s, %llu bytes, is at the telecare cloud", names[i],
                (unsigned long long)item->part.size);
        else if (item->there && outputs[i] != NULL)
            cs_say("the %s, verified, is in %s", names[i], outputs[i]);
    }
    cs_say("episode of %s with %s, until %s",
        cs_printable(hospital, sizeof hospital, report->hospital),
        cs_printable(doctor, sizeof doctor, report->doctor), cs_date(until, report->ends));
}
