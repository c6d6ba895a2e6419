/* SPDX-License-Identifier: Apache-2.0 */
#include "service/audit_fhir.h"

#include <jansson.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#define DICOM "http://dicom.nema.org/resources/ontology/DCM"
#define PURPOSES "http://terminology.hl7.org/CodeSystem/v3-ActReason"
#define ACTION_SYSTEM "urn:chartseal:action"
#define OUTCOME_SUCCESS "0"
#define OUTCOME_FAILURE "4" /* minor: the action was refused, the system works */

/* What each action is in the vocabulary of the audit profile: a DICOM event and C, R, U, D or E. */
static const struct event_kind {
    const char *action;
    const char *code;
    const char *display;
    const char *letter;
} kinds[] = {
    {"register", "110114", "User Authentication", "C"},
    {"search", "110112", "Query", "E"},
    {"session", "110114", "User Authentication", "E"},
    {"read", "110106", "Export", "R"},
    {"file", "110107", "Import", "C"},
    {"import", "110107", "Import", "C"},
    {"recover", "110107", "Import", "C"},
    {"recovered", "110107", "Import", "C"},
    {"publish", "110107", "Import", "U"},
    {"enrol", "110137", "User Security Attributes Changed", "C"},
    {"revoke", "110137", "User Security Attributes Changed", "U"},
    {"emergency-notice", "110127", "Emergency Override Started", "E"},
    {"telecare-open", "110106", "Export", "C"},
    {"telecare-call", "110114", "User Authentication", "E"},
    {"telecare-guest", "110114", "User Authentication", "E"},
    {"telecare-upload", "110107", "Import", "C"},
    {"telecare-fetch", "110106", "Export", "R"},
    {"telecare-expire", "110100", "Application Activity", "D"},
};
static const struct event_kind other_kind = {"", "110100", "Application Activity", "E"};

static const struct event_kind *kind_of(cs_view action)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (cs_view_equal(action, cs_view_str(kinds[i].action)))
            return &kinds[i];
    }
    return &other_kind;
}

static json_t *text(cs_view view)
{
    return json_stringn((const char *)view.p, view.n);
}

static json_t *recorded(uint64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char day[32];

    if (gmtime_r(&seconds, &tm) == NULL || strftime(day, sizeof day, "%FT%T", &tm) == 0)
        return NULL;
    return json_sprintf("%s.%03uZ", day, (unsigned)(time_ms % 1000));
}

static json_t *entities(const cs_audit_entry *entry)
{
    json_t *list = json_array();
    int failed = list == NULL;

    if (!failed && entry->patient.n > 0)
        failed = json_array_append_new(
            list, json_pack("{s:{s:{s:o}}, s:{s:s, s:s}}", "what", "identifier", "value",
                      text(entry->patient), "role", "code", "1", "display", "Patient"));
    if (!failed && entry->detail.n > 0)
        failed =
            json_array_append_new(list, json_pack("{s:o}", "description", text(entry->detail)));
    if (!failed && entry->reason.n > 0)
        failed = json_array_append_new(
            list, json_pack("{s:s, s:o}", "name", "emergency", "description", text(entry->reason)));
    if (!failed && entry->evidence.n > 0 && entry->evidence.n <= 4096) {
        char hex[2 * 4096 + 1];

        cs_hex(entry->evidence, hex);
        failed = json_array_append_new(
            list, json_pack("{s:s, s:[{s:s, s:s}]}", "name", "evidence", "detail", "type",
                      "h(request) and signature", "valueString", hex));
    }
    if (failed) {
        json_decref(list);
        list = NULL;
    }
    return list;
}

static json_t *agent_of(const cs_audit_entry *entry)
{
    json_t *who = entry->who.n > 0 ? text(entry->who) : json_string("unknown");
    json_t *role = entry->role.n > 0 ? text(entry->role) : json_string("unknown");
    json_t *agent = json_pack("{s:{s:o}, s:{s:{s:o}}, s:b}", "type", "text", role, "who",
        "identifier", "value", who, "requestor", 1);

    if (agent != NULL && entry->reason.n > 0 &&
        json_object_set_new(agent, "purposeOfUse",
            json_pack("[{s:[{s:s, s:s, s:s}]}]", "coding", "system", PURPOSES, "code", "BTG",
                "display", "break the glass")) != 0) {
        json_decref(agent);
        agent = NULL;
    }
    return agent;
}

static json_t *event(uint64_t number, const cs_audit_entry *entry, const char *observer)
{
    const struct event_kind *kind = kind_of(entry->action);
    bool success = cs_view_equal(entry->outcome, cs_view_str("ok"));
    json_t *resource = json_pack("{s:s, s:o, s:{s:s, s:s, s:s}, s:[{s:s, s:o}], s:s, s:o}",
        "resourceType", "AuditEvent", "id",
        json_sprintf("chartseal-%llu", (unsigned long long)number), "type", "system", DICOM, "code",
        kind->code, "display", kind->display, "subtype", "system", ACTION_SYSTEM, "code",
        text(entry->action), "action", kind->letter, "recorded", recorded(entry->time));
    json_t *rest = json_pack("{s:s, s:o, s:[o], s:{s:{s:{s:s}}}}", "outcome",
        success ? OUTCOME_SUCCESS : OUTCOME_FAILURE, "outcomeDesc", text(entry->outcome), "agent",
        agent_of(entry), "source", "observer", "identifier", "value", observer);
    json_t *things = entities(entry);
    json_t *whole = NULL;

    if (resource != NULL && rest != NULL && things != NULL &&
        json_object_update(resource, rest) == 0 &&
        (json_array_size(things) == 0 || json_object_set(resource, "entity", things) == 0))
        whole = json_pack("{s:O}", "resource", resource);
    json_decref(resource);
    json_decref(rest);
    json_decref(things);
    return whole;
}

typedef struct exporting {
    FILE *out;
    const char *observer;
    cs_audit_exported *exported;
} exporting;

static int not_written(cs_error *error)
{
    return CS_FAIL(error, errno == ENOSPC ? CS_E_DISK_FULL : CS_E_STORAGE,
        "the audit export cannot be written: %s", strerror(errno));
}

static int export_entry(
    void *context, uint64_t number, const cs_audit_entry *entry, cs_error *error)
{
    exporting *state = context;
    json_t *item = event(number, entry, state->observer);
    int rc = CS_OK;

    if (item == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for audit entry %llu as FHIR",
            (unsigned long long)number);
    if (fputs(state->exported->entries == 0 ? "\n" : ",\n", state->out) < 0 ||
        json_dumpf(item, state->out, JSON_COMPACT) != 0)
        rc = not_written(error);
    state->exported->entries++;
    if (cs_view_equal(entry->action, cs_view_str(CS_AUDIT_UNREADABLE)))
        state->exported->unreadable++;
    json_decref(item);
    return rc;
}

int cs_audit_export(FILE *out, cs_store *store, cs_key *storage, const char *observer,
    cs_audit_exported *exported, cs_error *error)
{
    exporting state = {.out = out, .observer = observer, .exported = exported};
    int rc = CS_OK;

    *exported = (cs_audit_exported){0};
    errno = 0;
    if (fputs("{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[", out) < 0)
        rc = not_written(error);
    if (rc == CS_OK)
        rc = cs_audit_read(store, storage, export_entry, &state, error);
    if (rc == CS_OK && (fputs("\n]}\n", out) < 0 || fflush(out) != 0))
        rc = not_written(error);
    return rc;
}
