/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_hospital_records.h"

#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/serve_options.h"
#include "cli/survivor_report.h"
#include "cli/trust_verb.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_HEX_SIZE (2 * CS_RECORD_ID_SIZE + 1)

int cs_open_hospital(cs_opened_hospital *out, const cs_arguments *arguments, cs_error *error)
{
    int rc;

    *out = (cs_opened_hospital){0};
    rc = cs_home_open(&out->home, cs_arg(arguments, "dir"), CS_HOME_HOSPITAL, error);
    if (rc == CS_OK)
        rc = cs_hpc_open(&out->hospital, out->home, error);
    if (rc == CS_OK)
        rc = cs_worker_open(&out->worker, out->hospital->server, error);
    return rc;
}

void cs_close_hospital(cs_opened_hospital *opened)
{
    cs_worker_close(&opened->worker);
    cs_hpc_close(&opened->hospital);
    cs_home_free(&opened->home);
}

/* -- import --------------------------------------------------------------------------------------
 */

static int read_import(cs_import *out, const cs_arguments *arguments, cs_error *error)
{
    int rc;

    *out = (cs_import){
        .id_p = cs_arg(arguments, "patient"),
        .id_de = cs_arg(arguments, "department"),
        .media_type = cs_arg_or(arguments, "media-type", "application/octet-stream"),
        .fd = -1,
    };
    rc = cs_arg_text(arguments, "patient", CS_ID_MAX, error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "department", CS_DEPARTMENT_MAX, error);
    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "media-type", CS_MEDIA_TYPE_MAX, error);
    return rc;
}

static int open_file(cs_import *import, uint64_t *size, const char *path, cs_error *error)
{
    struct stat about;

    import->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (import->fd < 0 || fstat(import->fd, &about) != 0)
        return CS_FAIL(error, errno == ENOENT ? CS_E_NO_FILE : CS_E_STORAGE,
            "%s cannot be read: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return CS_FAIL(error, CS_E_USAGE, "%s is a directory; --file wants a file", path);
    *size = S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    return CS_OK;
}

/* What the token did: to keep the record, and apart from that to publish it. */
typedef struct import_ops {
    cs_op_counts keeping, publishing;
} import_ops;

static int print_imported(const cs_imported *in, bool published, const cs_error *why,
    const import_ops *ops, cs_wire_counts wire, const cs_arguments *arguments, cs_error *error)
{
    char id[ID_HEX_SIZE];
    char hash[2 * CS_HASH_SIZE + 1];

    cs_hex(CS_VIEW_ARRAY(in->id), id);
    cs_hex(CS_VIEW_ARRAY(in->hash), hash);
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(
            json_pack("{s:b, s:s, s:s, s:I, s:b, s:o, s:o, s:{s:I, s:I}}", "ok", 1, "record_id", id,
                "sha256", hash, "size", (json_int_t)in->size, "published", published, "token_ops",
                cs_ops_json(ops->keeping), "publishing_ops", cs_ops_json(ops->publishing), "wire",
                "messages", (json_int_t)wire.messages, "bytes", (json_int_t)wire.bytes),
            error);
    cs_say("record %s, %llu bytes, SHA-256 %s", id, (unsigned long long)in->size, hash);
    if (published)
        cs_say("published");
    else
        cs_say("queued for publishing, which `hospital serve` does: %s", why->message);
    return CS_OK;
}

/* The record is safe by now: PC that cannot be reached is no failure of the import. */
static bool publish_now(cs_hpc *hospital, cs_worker *worker, cs_error *why)
{
    size_t left = 0;
    int rc = cs_publisher_new(&hospital->publisher, hospital->server, hospital->outbox, why);

    if (rc == CS_OK)
        rc = cs_publisher_flush(hospital->publisher, worker, &left, why);
    return rc == CS_OK && left == 0;
}

int cs_run_hospital_import(const cs_arguments *arguments, cs_error *error)
{
    const char *path = cs_arg(arguments, "file");
    cs_opened_hospital opened = {0};
    cs_wire_log *log = NULL;
    cs_progress progress;
    cs_imported in;
    cs_import import;
    cs_error why = {0};
    uint64_t size = 0;
    bool published = false;
    cs_op_counts before;
    import_ops ops = {0};
    int rc = read_import(&import, arguments, error);

    if (rc == CS_OK)
        rc = open_file(&import, &size, path, error);
    if (rc == CS_OK)
        rc = cs_open_wire_log(&log, arguments, error);
    if (rc == CS_OK)
        rc = cs_open_hospital(&opened, arguments, error);
    if (rc == CS_OK)
        rc = cs_actor_wants_registration(opened.hospital->server->actor, error);
    if (rc == CS_OK) {
        opened.hospital->server->wire_log = log;
        cs_progress_start(&progress, STDERR_FILENO, "importing", size);
        import.progress = &progress;
        before = cs_ops_of_thread();
        rc = cs_hpc_import(opened.hospital, opened.worker, &import, &in, error);
        ops.keeping = cs_ops_between(before, cs_ops_of_thread());
        cs_progress_end(&progress);
    }
    if (rc == CS_OK) {
        before = cs_ops_of_thread();
        published = publish_now(opened.hospital, opened.worker, &why);
        ops.publishing = cs_ops_between(before, cs_ops_of_thread());
        cs_server_seal(opened.hospital->server, opened.worker);
        rc = print_imported(&in, published, &why, &ops, cs_wire_log_counts(log), arguments, error);
    }
    if (import.fd >= 0)
        (void)close(import.fd);
    cs_close_hospital(&opened);
    cs_wire_log_close(&log);
    return rc;
}

/* -- list ----------------------------------------------------------------------------------------
 */

typedef struct listing {
    cs_key *storage;
    const char *patient;    /* NULL: any */
    const char *department; /* likewise */
    json_t *records;        /* NULL: lines for people */
    json_t *unreadable;     /* ids; NULL likewise */
} listing;

static bool is_wanted(const char *wanted, cs_view text)
{
    return wanted == NULL || cs_view_equal(cs_view_str(wanted), text);
}

static void say_record(const cs_record *record)
{
    const cs_record_header *header = &record->header;
    char raw[CS_MEDIA_TYPE_MAX + 1];
    char patient[CS_ID_MAX + 1];
    char department[CS_DEPARTMENT_MAX + 1];
    char type[CS_MEDIA_TYPE_MAX + 1];
    char id[ID_HEX_SIZE];
    char when[CS_DATE_SIZE];

    cs_hex(CS_VIEW_ARRAY(record->id), id);
    cs_text_of(raw, sizeof raw, header->id_p);
    cs_printable(patient, sizeof patient, raw);
    cs_text_of(raw, sizeof raw, header->id_de);
    cs_printable(department, sizeof department, raw);
    cs_text_of(raw, sizeof raw, header->media_type);
    cs_printable(type, sizeof type, raw);
    cs_say("%s  %s  %-9s  %s  %s  %llu bytes  %s", id, cs_date(when, (int64_t)header->time),
        header->kind == CS_RECORD_DIAGNOSIS ? "diagnosis" : "record", patient, department,
        (unsigned long long)header->size, type);
}

static json_t *json_text(cs_view text)
{
    return json_stringn((const char *)text.p, text.n);
}

/* Whose it is cannot be told, so it is in every list. */
static int list_unreadable(const listing *list, const cs_record_row *row, cs_error *error)
{
    char id[ID_HEX_SIZE];
    char when[CS_DATE_SIZE];

    cs_hex(CS_VIEW_ARRAY(row->id), id);
    if (list->records == NULL)
        cs_say("%s  %s  cannot be read; restore a backup", id, cs_date(when, row->stored_at));
    else if (json_array_append_new(list->unreadable, json_string(id)) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the list");
    return CS_OK;
}

static int list_record(void *context, const cs_record_row *row, cs_error *error)
{
    listing *list = context;
    const cs_record_header *header;
    cs_record *record = NULL;
    int rc = cs_record_open(&record, row, list->storage, error);

    if (cs_value_is_bad(rc))
        return list_unreadable(list, row, error);
    if (rc != CS_OK)
        return rc;
    header = &record->header;
    if (is_wanted(list->patient, header->id_p) && is_wanted(list->department, header->id_de)) {
        if (list->records == NULL)
            say_record(record);
        else if (json_array_append_new(list->records,
                     json_pack("{s:o, s:o, s:o, s:o, s:s, s:I, s:o, s:I}", "record_id",
                         cs_hex_json(CS_VIEW_ARRAY(record->id)), "patient", json_text(header->id_p),
                         "department", json_text(header->id_de), "media_type",
                         json_text(header->media_type), "kind",
                         header->kind == CS_RECORD_DIAGNOSIS ? "diagnosis" : "record", "size",
                         (json_int_t)header->size, "sha256", cs_hex_json(header->hash), "stored_at",
                         (json_int_t)header->time)) != 0)
            rc = CS_FAIL(error, CS_E_MEMORY, "no memory for the list");
    }
    cs_record_free(&record);
    return rc;
}

int cs_run_hospital_list(const cs_arguments *arguments, cs_error *error)
{
    cs_opened_hospital opened = {0};
    listing list = {
        .patient = cs_arg(arguments, "patient"),
        .department = cs_arg(arguments, "department"),
        .records = cs_arg_flag(arguments, "json") ? json_array() : NULL,
        .unreadable = cs_arg_flag(arguments, "json") ? json_array() : NULL,
    };
    cs_row_keys *row = NULL;
    int rc = cs_arg_text(arguments, "patient", CS_ID_MAX, error);

    if (rc == CS_OK)
        rc = cs_arg_text(arguments, "department", CS_DEPARTMENT_MAX, error);
    if (rc == CS_OK)
        rc = cs_open_hospital(&opened, arguments, error);

    if (rc == CS_OK)
        list.storage = opened.hospital->server->actor->storage;
    if (rc == CS_OK && list.patient != NULL && list.department != NULL)
        rc = cs_patient_keys(&row, list.storage, list.patient, list.department, error);
    if (rc == CS_OK)
        rc = cs_store_find_records(opened.worker->store, row == NULL ? NULL : row->row, UINT32_MAX,
            list_record, &list, error);
    if (rc == CS_OK && list.records != NULL)
        rc = cs_print_json(json_pack("{s:b, s:O, s:O}", "ok", 1, "records", list.records,
                               "unreadable", list.unreadable),
            error);
    json_decref(list.records);
    json_decref(list.unreadable);
    cs_secret_free(&row);
    cs_close_hospital(&opened);
    return rc;
}

/* -- notices -------------------------------------------------------------------------------------
 */

static void say_notice(const cs_outbox_item *item)
{
    char doctor[CS_ID_MAX + 1];
    char patient[CS_ID_MAX + 1];
    char department[CS_DEPARTMENT_MAX + 1];
    char reason[CS_TEXT_MAX + 1];
    char when[CS_DATE_SIZE];

    if (item->unreadable) {
        cs_say("%llu  cannot be read; restore a backup", (unsigned long long)item->number);
        return;
    }
    cs_printable(doctor, sizeof doctor, item->id_d);
    cs_printable(patient, sizeof patient, item->id_p);
    cs_printable(department, sizeof department, item->id_de);
    cs_printable(reason, sizeof reason, item->reason);
    cs_say("%llu  %s  doctor %s, patient %s, %s: %s", (unsigned long long)item->number,
        cs_date(when, item->time), doctor, patient, department, reason);
}

/* context: an array of JSON, or NULL for lines. */
static int list_notice(void *context, const cs_outbox_item *item, cs_error *error)
{
    json_t *list = context;
    int rc = 0;

    if (list == NULL)
        say_notice(item);
    else if (item->unreadable)
        rc = json_array_append_new(
            list, json_pack("{s:I, s:b}", "number", (json_int_t)item->number, "unreadable", 1));
    else
        rc = json_array_append_new(
            list, json_pack("{s:I, s:I, s:s, s:s, s:s, s:s}", "number", (json_int_t)item->number,
                      "time", (json_int_t)item->time, "doctor", item->id_d, "patient", item->id_p,
                      "department", item->id_de, "reason", item->reason));
    return rc == 0 ? CS_OK : CS_FAIL(error, CS_E_MEMORY, "no memory for the notices");
}

static int list_notices(
    const cs_opened_hospital *opened, const cs_arguments *arguments, cs_error *error)
{
    json_t *list = cs_arg_flag(arguments, "json") ? json_array() : NULL;
    int rc = cs_outbox_read(opened->hospital->outbox, opened->worker->store, CS_OUTBOX_NOTICE, 0,
        UINT32_MAX, list_notice, list, error);

    if (rc == CS_OK && list != NULL)
        rc = cs_print_json(json_pack("{s:b, s:O}", "ok", 1, "notices", list), error);
    json_decref(list);
    return rc;
}

int cs_run_hospital_notices(const cs_arguments *arguments, cs_error *error)
{
    bool acknowledges = cs_arg(arguments, "acknowledge") != NULL;
    cs_opened_hospital opened = {0};
    int64_t number = 0;
    int rc = CS_OK;

    if (acknowledges)
        rc = cs_arg_number(&number, arguments, "acknowledge", 0, 1, INT64_MAX, error);
    if (rc == CS_OK)
        rc = cs_open_hospital(&opened, arguments, error);
    if (rc == CS_OK && acknowledges)
        rc = cs_hpc_acknowledge(opened.hospital, opened.worker, (uint64_t)number, error);
    if (rc == CS_OK)
        rc = list_notices(&opened, arguments, error);
    cs_close_hospital(&opened);
    return rc;
}

/* -- status --------------------------------------------------------------------------------------
 */

static int print_status(const cs_hpc *hospital, json_t *report, const cs_outbox_counts *outbox,
    const cs_arguments *arguments, cs_error *error)
{
    const cs_home *home = hospital->server->home;
    const cs_credential *credential = &hospital->server->actor->credential;
    const json_t *audit = json_object_get(report, "audit");
    char until[CS_DATE_SIZE];

    if (cs_arg_flag(arguments, "json")) {
        json_t *more = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "id", home->id, "url",
            cs_home_text(home, "url"), "emergency", hospital->allows_emergency ? "allow" : "deny",
            "serial", (json_int_t)credential->serial, "not_after",
            (json_int_t)credential->not_after, "unpublished", (json_int_t)outbox->publications,
            "notices", (json_int_t)outbox->notices, "unreadable", (json_int_t)outbox->unreadable);

        if (more == NULL || json_object_update(report, more) != 0) {
            json_decref(more);
            return CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
        }
        json_decref(more);
        return cs_trust_report(report, home, error) == CS_OK &&
                       cs_survivor_report(report, home, error) == CS_OK
                   ? cs_print_json(json_incref(report), error)
                   : (int)error->code;
    }
    cs_say("hospital %s, answers at %s", home->id, cs_home_text(home, "url"));
    if (credential->raw_size == 0)
        cs_say("  no credential: `chartseal hospital register` gets one");
    else
        cs_say("  credential %llu, good until %s%s", (unsigned long long)credential->serial,
            cs_date(until, credential->not_after),
            credential->not_after <= cs_clock_ms() ? ", EXPIRED: register again" : "");
    cs_say("  records %lld, publications that wait %llu",
        (long long)json_integer_value(json_object_get(report, "record")),
        (unsigned long long)outbox->publications);
    cs_say_trust(home);
    cs_say_survivor(home);
    cs_say("  emergency access %s, notices to patients that wait %llu",
        hospital->allows_emergency ? "allowed" : "denied", (unsigned long long)outbox->notices);
    if (outbox->unreadable > 0)
        cs_say("  items of the outbox that cannot be read %llu; restore a backup",
            (unsigned long long)outbox->unreadable);
    cs_say("  audit entries %lld, sealed to %lld",
        (long long)json_integer_value(json_object_get(audit, "entries")),
        (long long)json_integer_value(json_object_get(audit, "sealed")));
    return CS_OK;
}

int cs_run_hospital_status(const cs_arguments *arguments, cs_error *error)
{
    static const char *const tables[] = {"record", NULL};
    cs_opened_hospital opened = {0};
    cs_outbox_counts outbox;
    json_t *report = NULL;
    int rc = cs_open_hospital(&opened, arguments, error);

    if (rc == CS_OK)
        rc = cs_store_report(&report, opened.worker->store, tables, error);
    if (rc == CS_OK)
        rc = cs_outbox_count(opened.hospital->outbox, opened.worker->store, &outbox, error);
    if (rc == CS_OK)
        rc = print_status(opened.hospital, report, &outbox, arguments, error);
    json_decref(report);
    cs_close_hospital(&opened);
    return rc;
}
