/* SPDX-License-Identifier: Apache-2.0 */
/* The four procedures of telecare, each party a process of its own. */
#include "cli/demo.h"

#include "cli/output.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX 64
#define WORDS_MAX 24
#define MEASUREMENT "time_s,heart_rate_bpm\n0,72\n1,71\n2,74\n3,73\n4,72\n5,70\n"

/* The files of the round, as they are sent and as each reader gets them. */
typedef struct files {
    char measurement[CS_PATH_MAX];
    char diagnosis[CS_PATH_MAX];
    char for_patient[CS_PATH_MAX], for_doctor[CS_PATH_MAX]; /* invitations */
    char report_at_patient[CS_PATH_MAX], report_at_doctor[CS_PATH_MAX];
    char measurement_at_doctor[CS_PATH_MAX], measurement_at_patient[CS_PATH_MAX];
    char diagnosis_at_patient[CS_PATH_MAX];
    char copy[3][CS_PATH_MAX]; /* of all three, at the patient */
} files;

static int name_files(const demo *me, files *f, cs_error *error)
{
    static const char *const parts[] = {"report", "measurement", "diagnosis"};
    int rc = demo_choose_diagnosis(me, f->diagnosis, error);

    demo_path(me, CS_HOME_HOSPITAL, "patient.invitation", f->for_patient);
    demo_path(me, CS_HOME_HOSPITAL, "doctor.invitation", f->for_doctor);
    demo_path(me, CS_HOME_PATIENT, "report", f->report_at_patient);
    demo_path(me, CS_HOME_DOCTOR, "report", f->report_at_doctor);
    demo_path(me, CS_HOME_DOCTOR, "measurement", f->measurement_at_doctor);
    demo_path(me, CS_HOME_PATIENT, "measurement", f->measurement_at_patient);
    demo_path(me, CS_HOME_PATIENT, "diagnosis", f->diagnosis_at_patient);
    for (size_t i = 0; i < 3; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "%s.copy", parts[i]);
        demo_path(me, CS_HOME_PATIENT, name, f->copy[i]);
    }
    if (me->signal != NULL) {
        (void)snprintf(f->measurement, sizeof f->measurement, "%s", me->signal);
        return rc;
    }
    demo_path(me, CS_HOME_PATIENT, "sensed.csv", f->measurement);
    return rc == CS_OK ? cs_file_write(f->measurement, cs_view_str(MEASUREMENT), 0600, error) : rc;
}

static int serve(demo *me, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char port_file[CS_PATH_MAX];
    const char *const argv[] = {"cloud", "telecare", "serve", "--dir", dir, "--listen",
        "127.0.0.1:0", "--port-file", port_file, NULL};
    int rc;

    demo_path(me, CS_HOME_TELECARE, "", dir);
    demo_path(me, CS_HOME_TELECARE, "port", port_file);
    rc = demo_start(me, &me->telecare_cloud, "cloud telecare serve", argv, error);
    if (rc == CS_OK)
        rc = demo_wait_port(me, &me->telecare_cloud, port_file, &me->telecare_port, error);
    if (rc == CS_OK)
        rc = demo_wait_healthy(me, &me->telecare_cloud, me->telecare_port, error);
    return rc;
}

/* -- one procedure -------------------------------------------------------------------------------
 */

typedef struct words {
    const char *argv[WORDS_MAX + 1];
    size_t n;
} words;

static void say(words *w, const char *option, const char *value)
{
    if (value != NULL && w->n + 2 <= WORDS_MAX) {
        w->argv[w->n++] = option;
        w->argv[w->n++] = value;
    }
}

/* What the telecare cloud's token has done so far, for all that it does. */
static int service_ops(const demo *me, cs_op_counts *out, cs_error *error)
{
    static const char *const procedures[] = {"call", "guest", "upload", "blocks", "fetch"};
    int rc = CS_OK;

    *out = (cs_op_counts){0};
    for (size_t i = 0; rc == CS_OK && i < sizeof procedures / sizeof procedures[0]; i++) {
        cs_op_counts one;

        rc = demo_service_ops(&one, me->telecare_port, procedures[i], error);
        *out = cs_ops_sum(*out, one);
    }
    return rc;
}

typedef struct procedure {
    const char *name;
    cs_home_kind kind;
    const char *what, *proved;
} procedure;

static int report_procedure(
    demo *me, const procedure *p, const json_t *answer, cs_op_counts before, cs_error *error)
{
    const char *party = cs_home_kind_name(p->kind);
    const json_t *wire = json_object_get(answer, "wire");
    json_t *ops = json_object_get(answer, "token_ops");
    cs_op_counts after;
    char parties[48];
    json_t *cloud;
    int rc = service_ops(me, &after, error);

    if (rc != CS_OK)
        return rc;
    cloud = cs_ops_json(cs_ops_between(before, after));
    (void)snprintf(parties, sizeof parties, "%s, telecare cloud", party);
    demo_count_wire(me, answer);
    demo_tell(me, parties, p->what, p->proved);
    demo_tell_ops(me, party, ops);
    demo_tell_ops(me, "telecare cloud", cloud);
    if (json_array_append_new(me->procedures,
            json_pack("{s:s, s:b, s:O, s:O, s:{s:O, s:o}, s:O}", "name", p->name, "ok",
                json_is_true(json_object_get(answer, "ok")), "messages",
                json_object_get(wire, "messages"), "bytes", json_object_get(wire, "bytes"),
                "token_ops", party, ops, "telecare_cloud", cloud, "session_ops",
                json_object_get(answer, "session_ops"))) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    return CS_OK;
}

/* `own` has the party's verb and what is its own; the rest is the same for all. */
static int run_procedure(demo *me, const procedure *p, const words *own, cs_error *error)
{
    words all = *own;
    words *w = &all;
    char name[64];
    char dir[CS_PATH_MAX];
    char passphrase[CS_PATH_MAX];
    cs_op_counts before;
    json_t *answer = NULL;
    int rc = service_ops(me, &before, error);

    (void)snprintf(name, sizeof name, "%s %s %s", w->argv[0], w->argv[1], w->argv[2]);
    demo_path(me, p->kind, "", dir);
    say(w, "--dir", dir);
    say(w, "--wire-log", me->wire_log);
    if (p->kind == CS_HOME_PATIENT && demo_has_tpm(me, CS_HOME_PATIENT)) {
        demo_path(me, CS_HOME_PATIENT, DEMO_PASSPHRASE, passphrase);
        say(w, "--passphrase-file", passphrase);
    }
    w->argv[w->n++] = "--json";
    if (rc == CS_OK)
        rc = demo_run(me, name, w->argv, DEMO_CONTENT_MS, &answer, error);
    if (rc == CS_OK)
        rc = report_procedure(me, p, answer, before, error);
    json_decref(answer);
    return rc;
}

static int hup(demo *me, const files *f, cs_error *error)
{
    static const procedure p = {"HUP", CS_HOME_HOSPITAL,
        "the report goes to the telecare cloud; patient and doctor are invited (HUP)",
        "patient, doctor and telecare cloud are registered; the session is with that cloud"};
    char patient[CS_PATH_MAX];
    char doctor[CS_PATH_MAX];
    char certificate[CS_PATH_MAX];
    char url[URL_MAX];
    words w = {{"hospital", "telecare", "upload"}, 3};

    demo_path(me, CS_HOME_PATIENT, "credential.cbor", patient);
    demo_path(me, CS_HOME_DOCTOR, "credential.cbor", doctor);
    demo_path(me, CS_HOME_DOCTOR, "certificate.pem", certificate);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)me->telecare_port);
    say(&w, "--report", me->record);
    say(&w, "--media-type", demo_media_type(me->record));
    say(&w, "--telecare-url", url);
    say(&w, "--patient-credential", patient);
    say(&w, "--doctor-credential", doctor);
    say(&w, "--doctor-certificate", certificate);
    say(&w, "--patient-invitation", f->for_patient);
    say(&w, "--doctor-invitation", f->for_doctor);
    return run_procedure(me, &p, &w, error);
}

static int pup(demo *me, const files *f, cs_error *error)
{
    static const procedure p = {"PUP", CS_HOME_PATIENT,
        "reads the report, sends the measurement, and is nobody to the cloud (PUP)",
        "the report is the hospital's, for this patient and doctor (SigH)"};
    words w = {{"patient", "telecare", "upload"}, 3};

    say(&w, "--invitation", f->for_patient);
    say(&w, "--measurement", f->measurement);
    say(&w, "--media-type", demo_media_type(f->measurement));
    say(&w, "--report-out", f->report_at_patient);
    say(&w, "--doctor", me->doctor_id);
    return run_procedure(me, &p, &w, error);
}

static int tp(demo *me, const files *f, cs_error *error)
{
    static const procedure p = {"TP", CS_HOME_DOCTOR,
        "reads report and measurement, sends the diagnosis (TP)",
        "the measurement is the patient's, on this report (SigH, SigP)"};
    words w = {{"doctor", "telecare", "treat"}, 3};

    say(&w, "--invitation", f->for_doctor);
    say(&w, "--report-out", f->report_at_doctor);
    say(&w, "--measurement-out", f->measurement_at_doctor);
    say(&w, "--diagnosis", f->diagnosis);
    say(&w, "--media-type", demo_media_type(f->diagnosis));
    say(&w, "--patient", me->patient_id);
    return run_procedure(me, &p, &w, error);
}

static int cp(demo *me, const files *f, cs_error *error)
{
    static const procedure p = {"CP", CS_HOME_PATIENT,
        "reads the diagnosis, leaves a copy of all for itself (CP)",
        "the diagnosis is this doctor's, of this measurement (SigD)"};
    words w = {{"patient", "telecare", "read"}, 3};

    say(&w, "--invitation", f->for_patient);
    say(&w, "--diagnosis-out", f->diagnosis_at_patient);
    say(&w, "--measurement-out", f->measurement_at_patient);
    return run_procedure(me, &p, &w, error);
}

/* The copy is good for something. No procedure of its own, so it is only told. */
static int read_copy(demo *me, const files *f, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char passphrase[CS_PATH_MAX];
    words w = {{"patient", "telecare", "read", "--copy", "--json"}, 5};
    json_t *answer = NULL;
    int rc;

    demo_path(me, CS_HOME_PATIENT, "", dir);
    demo_path(me, CS_HOME_PATIENT, DEMO_PASSPHRASE, passphrase);
    say(&w, "--dir", dir);
    say(&w, "--invitation", f->for_patient);
    say(&w, "--report-out", f->copy[0]);
    say(&w, "--measurement-out", f->copy[1]);
    say(&w, "--diagnosis-out", f->copy[2]);
    say(&w, "--wire-log", me->wire_log);
    say(&w, "--passphrase-file", demo_has_tpm(me, CS_HOME_PATIENT) ? passphrase : NULL);
    rc = demo_run(me, "patient telecare read copy", w.argv, DEMO_CONTENT_MS, &answer, error);
    if (rc == CS_OK) {
        demo_count_wire(me, answer);
        demo_tell(me, "patient, telecare cloud", "reads its copy back",
            "each of the three is its author's (SigH, SigP, SigD)");
        demo_tell_ops(me, "patient", json_object_get(answer, "token_ops"));
    }
    json_decref(answer);
    return rc;
}

/* -- what arrived --------------------------------------------------------------------------------
 */

/* One reader's file against what was sent. */
static int compare_one(json_t *report, const char *what, const char *reader, const char *sent,
    const char *received, cs_error *error)
{
    json_t *both = NULL;
    json_t *hashes = json_object_get(report, "received_sha256");
    int rc = demo_compare(&both, what, sent, received, error);

    if (rc == CS_OK &&
        (json_object_set(report, "sent_sha256", json_object_get(both, "sent_sha256")) != 0 ||
            json_object_set(hashes, reader, json_object_get(both, "received_sha256")) != 0))
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    json_decref(both);
    return rc;
}

static int compare(demo *me, const files *f, cs_error *error)
{
    const struct {
        json_t **report;
        const char *what, *reader, *sent, *received;
    } all[] = {
        {&me->record_report, "report", "patient", me->record, f->report_at_patient},
        {&me->record_report, "report", "doctor", me->record, f->report_at_doctor},
        {&me->record_report, "report", "copy", me->record, f->copy[0]},
        {&me->signal_report, "measurement", "doctor", f->measurement, f->measurement_at_doctor},
        {&me->signal_report, "measurement", "patient", f->measurement, f->measurement_at_patient},
        {&me->signal_report, "measurement", "copy", f->measurement, f->copy[1]},
        {&me->diagnosis_report, "diagnosis", "patient", f->diagnosis, f->diagnosis_at_patient},
        {&me->diagnosis_report, "diagnosis", "copy", f->diagnosis, f->copy[2]},
    };
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < sizeof all / sizeof all[0]; i++) {
        if (*all[i].report == NULL)
            *all[i].report = json_pack("{s:{}}", "received_sha256");
        rc = compare_one(
            *all[i].report, all[i].what, all[i].reader, all[i].sent, all[i].received, error);
    }
    return rc;
}

int demo_telecare(demo *me, cs_error *error)
{
    files f;
    int rc = name_files(me, &f, error);

    me->procedures = json_array();
    if (rc == CS_OK)
        rc = serve(me, error);
    if (rc == CS_OK)
        rc = hup(me, &f, error);
    if (rc == CS_OK)
        rc = pup(me, &f, error);
    if (rc == CS_OK)
        rc = tp(me, &f, error);
    if (rc == CS_OK)
        rc = cp(me, &f, error);
    if (rc == CS_OK)
        rc = read_copy(me, &f, error);
    if (rc == CS_OK)
        rc = compare(me, &f, error);
    return rc;
}

int demo_print_telecare(demo *me, double seconds, cs_error *error)
{
    if (me->quiet)
        return cs_print_json(
            json_pack("{s:b, s:s, s:O, s:O, s:O, s:O, s:O, s:O, s:{s:I, s:I}, s:f}", "ok", 1,
                "suite", me->suite, "procedures", me->procedures, "m_H", me->record_report, "m_B",
                me->signal_report, "m_D", me->diagnosis_report, "keys", me->keys,
                "registration_ops", me->registration, "wire", "messages", (json_int_t)me->messages,
                "bytes", (json_int_t)me->bytes, "seconds", seconds),
            error);
    demo_tell_end(me, seconds);
    return CS_OK;
}
