/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include "cli/output.h"
#include "service/signals.h"
#include "service/wait.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS_MAX 64
#define LOOK_MS 20
#define DIAGNOSIS                                                                                  \
    "Demonstration. Known history reviewed, signal without pathological findings.\n"               \
    "No change of medication; follow-up in six weeks.\n"

/* -- the record gets into the hospital -----------------------------------------------------------
 */

static int serve_hospital(demo *me, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char port_file[CS_PATH_MAX];
    const char *const argv[] = {"hospital", "serve", "--dir", dir, "--port-file", port_file,
        "--json", me->wire_log == NULL ? NULL : "--wire-log", me->wire_log, NULL};
    uint16_t port = 0;
    int rc;

    demo_path(me, CS_HOME_HOSPITAL, "", dir);
    demo_path(me, CS_HOME_HOSPITAL, "port", port_file);
    (void)close(me->reserved);
    me->reserved = -1;
    rc = demo_start(me, &me->hospital, "hospital serve", argv, error);
    if (rc == CS_OK)
        rc = demo_wait_port(me, &me->hospital, port_file, &port, error);
    if (rc == CS_OK)
        rc = demo_wait_healthy(me, &me->hospital, port, error);
    return rc;
}

const char *demo_media_type(const char *path)
{
    const char *dot = strrchr(path, '.');

    if (dot != NULL && strcmp(dot, ".json") == 0)
        return "application/fhir+json";
    if (dot != NULL && strcmp(dot, ".txt") == 0)
        return "text/plain";
    return "application/octet-stream";
}

/* A publication is signed by the hospital, and opened by the cloud. */
static uint64_t publications(cs_op_counts ops)
{
    return ops.sign + ops.agree;
}

/* The service on that port is through with `wanted` publications. Import publishes at once when it
 * can; otherwise, and after a filing, the hospital's service does. */
static int wait_published(demo *me, uint16_t port, uint64_t wanted, cs_error *error)
{
    int64_t deadline = cs_deadline_in(DEMO_STEP_MS);

    for (;;) {
        cs_op_counts ops;
        int rc = demo_service_ops(&ops, port, "publish", error);

        if (rc != CS_OK || publications(ops) >= wanted)
            return rc;
        if (cs_monotonic_ms() > deadline)
            return CS_FAIL(
                error, CS_E_TIMEOUT, "the hospital's publication does not arrive at the cloud");
        rc = cs_wait_for_stop(me->stop_fd, LOOK_MS, error);
        if (rc == CS_OK)
            return CS_FAIL(error, CS_E_CANCELLED, "stopped; nothing is left running");
        if (rc != CS_E_TIMEOUT)
            return rc;
    }
}

static int tell_import(demo *me, const json_t *answer, cs_error *error)
{
    cs_op_counts published;
    json_t *cloud;
    int rc = demo_service_ops(&published, me->cloud_port, "publish", error);

    if (rc != CS_OK)
        return rc;
    demo_tell(me, "hospital", "keeps the record, encrypted and signed (SigEMR)", NULL);
    demo_tell_ops(me, "hospital", json_object_get(answer, "token_ops"));
    demo_tell(me, "hospital, cloud", "publishes that it has a record (P1, P2)",
        "the publication is by a registered hospital");
    demo_tell_ops(me, "hospital", json_object_get(answer, "publishing_ops"));
    cloud = cs_ops_json(published);
    demo_tell_ops(me, "cloud", cloud);
    json_decref(cloud);
    return CS_OK;
}

static int import_record(demo *me, cs_error *error)
{
    char dir[CS_PATH_MAX];
    const char *argv[] = {"hospital", "import", "--dir", dir, "--patient", me->patient_id,
        "--department", DEMO_DEPARTMENT, "--file", me->record, "--media-type",
        demo_media_type(me->record), "--json", me->wire_log == NULL ? NULL : "--wire-log",
        me->wire_log, NULL};
    json_t *answer = NULL;
    int rc;

    demo_path(me, CS_HOME_HOSPITAL, "", dir);
    rc = demo_run(me, "hospital import", argv, DEMO_CONTENT_MS, &answer, error);
    if (rc == CS_OK)
        rc = wait_published(me, me->cloud_port, 1, error);
    if (rc == CS_OK) {
        demo_count_wire(me, answer);
        rc = tell_import(me, answer, error);
    }
    json_decref(answer);
    return rc;
}

/* -- the visit -----------------------------------------------------------------------------------
 */

/* What the services have done so far. */
typedef struct totals {
    cs_op_counts search, session, record, file;
    cs_op_counts publishing, published; /* by the hospital, at the cloud */
} totals;

static int read_totals(const demo *me, totals *out, cs_error *error)
{
    int rc = demo_service_ops(&out->search, me->cloud_port, "search", error);

    if (rc == CS_OK)
        rc = demo_service_ops(&out->session, me->hospital_port, "session", error);
    if (rc == CS_OK)
        rc = demo_service_ops(&out->record, me->hospital_port, "record", error);
    if (rc == CS_OK)
        rc = demo_service_ops(&out->file, me->hospital_port, "file", error);
    if (rc == CS_OK)
        rc = demo_service_ops(&out->publishing, me->hospital_port, "publish", error);
    if (rc == CS_OK)
        rc = demo_service_ops(&out->published, me->cloud_port, "publish", error);
    return rc;
}

/* me->visit and me->filing; *services: what the services did by procedure. */
static int count_visit(demo *me, const totals *before, const json_t *patient, const json_t *doctor,
    json_t **services, cs_error *error)
{
    totals after;
    cs_op_counts search;
    cs_op_counts session;
    cs_op_counts record;
    cs_op_counts file;
    int rc = read_totals(me, &after, error);

    if (rc != CS_OK)
        return rc;
    search = cs_ops_between(before->search, after.search);
    session = cs_ops_between(before->session, after.session);
    record = cs_ops_between(before->record, after.record);
    file = cs_ops_between(before->file, after.file);
    me->visit = json_pack("{s:O, s:O, s:o, s:o}", "patient", json_object_get(patient, "token_ops"),
        "doctor", json_object_get(doctor, "token_ops"), "hospital",
        cs_ops_json(cs_ops_sum(session, record)), "cloud", cs_ops_json(search));
    me->filing = json_pack("{s:O, s:o}", "doctor", json_object_get(doctor, "filing_ops"),
        "hospital", cs_ops_json(file));
    *services = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "search", cs_ops_json(search),
        "session", cs_ops_json(session), "record", cs_ops_json(record), "file", cs_ops_json(file),
        "publishing", cs_ops_json(cs_ops_between(before->publishing, after.publishing)),
        "published", cs_ops_json(cs_ops_between(before->published, after.published)));
    if (me->visit == NULL || me->filing == NULL || *services == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    return CS_OK;
}

/* What each message is for, in the order of the visit. `doctor` and `patient` name a member of
 * "step_ops" in that one's report, `hospital` and `cloud` one of `services`. */
typedef struct visit_step {
    const char *parties, *what, *proved;
    const char *without_signal; /* what it is then; NULL: the same */
    const char *patient, *doctor, *hospital, *cloud;
} visit_step;

static const visit_step visit_steps[] = {
    {.parties = "doctor, patient",
        .what = "consultation (M1, M2): both agree on SEK1",
        .proved = "Cert_D, both credentials, both signatures, the same key",
        .patient = "consultation",
        .doctor = "consultation"},
    {.parties = "patient, doctor",
        .what = "the consent and the signal, under SEK1 (M3)",
        .without_signal = "the consent, under SEK1 (M3); there is no signal",
        .proved = "the consent is the patient's, for this doctor and department",
        .patient = "consent"},
    {.parties = "doctor, cloud",
        .what = "where are records of this patient? (S1, S2)",
        .proved = "the doctor, the consent; the answer is the cloud's, to this request",
        .doctor = "search",
        .cloud = "search"},
    {.parties = "doctor, hospital",
        .what = "both agree on SEK2 (S3, S4)",
        .proved = "the doctor, the consent, the cloud's referral, the hospital, the same key",
        .doctor = "session",
        .hospital = "session"},
    {.parties = "hospital, doctor",
        .what = "the record, under SEK2 (S5, S6)",
        .proved = "the record is the hospital's (SigEMR), whole and unaltered",
        .hospital = "record"},
    {.parties = "doctor, patient",
        .what = "the diagnosis, under SEK1 (M4)",
        .proved = "the diagnosis is this doctor's, for this patient (SigDINF)",
        .doctor = "diagnosis"},
    {.parties = "doctor, hospital",
        .what = "the diagnosis is filed, under SEK2 (F1, F2)",
        .proved = "the diagnosis is this doctor's, for this patient (SigDINF)",
        .hospital = "file"},
    {.parties = "hospital, cloud",
        .what = "publishes that it has the diagnosis (P1, P2)",
        .proved = "the publication is by a registered hospital",
        .hospital = "publishing",
        .cloud = "published"},
};

static json_t *step_ops(const json_t *report, const char *name)
{
    return name == NULL ? NULL : json_object_get(json_object_get(report, "step_ops"), name);
}

static void tell_visit(
    demo *me, const json_t *patient, const json_t *doctor, const json_t *services)
{
    static const char *const parties[] = {"patient", "doctor", "hospital", "cloud"};

    for (size_t i = 0; i < sizeof visit_steps / sizeof visit_steps[0]; i++) {
        const visit_step *step = &visit_steps[i];

        demo_tell(me, step->parties,
            me->signal == NULL && step->without_signal != NULL ? step->without_signal : step->what,
            step->proved);
        demo_tell_ops(me, "patient", step_ops(patient, step->patient));
        demo_tell_ops(me, "doctor", step_ops(doctor, step->doctor));
        if (step->hospital != NULL)
            demo_tell_ops(me, "hospital", json_object_get(services, step->hospital));
        if (step->cloud != NULL)
            demo_tell_ops(me, "cloud", json_object_get(services, step->cloud));
    }
    if (!me->quiet)
        cs_say("    The visit without the filing:");
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        demo_tell_ops(me, parties[i], json_object_get(me->visit, parties[i]));
}

static int start_doctor(demo *me, demo_child *out, uint16_t *port, const char *record,
    const char *signal, const char *diagnosis, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char port_file[CS_PATH_MAX];
    const char *argv[] = {"doctor", "visit", "--dir", dir, "--listen", "127.0.0.1:0", "--port-file",
        port_file, "--department", DEMO_DEPARTMENT, "--diagnosis", diagnosis, "--media-type",
        demo_media_type(diagnosis), "--record-out", record, "--signal-out", signal, "--json",
        me->wire_log == NULL ? NULL : "--wire-log", me->wire_log, NULL};
    int rc;

    demo_path(me, CS_HOME_DOCTOR, "", dir);
    demo_path(me, CS_HOME_DOCTOR, "port", port_file);
    rc = demo_start(me, out, "doctor visit", argv, error);
    return rc == CS_OK ? demo_wait_port(me, out, port_file, port, error) : rc;
}

static int start_patient(
    demo *me, demo_child *out, uint16_t port, const char *diagnosis, cs_error *error)
{
    char dir[CS_PATH_MAX];
    char station[ADDRESS_MAX];
    char passphrase[CS_PATH_MAX];
    const char *argv[] = {"patient", "visit", "--dir", dir, "--station", station, "--doctor",
        me->doctor_id, "--diagnosis-out", diagnosis, "--json", NULL, NULL, NULL, NULL, NULL, NULL,
        NULL};
    size_t n = 11;

    demo_path(me, CS_HOME_PATIENT, "", dir);
    (void)snprintf(station, sizeof station, "127.0.0.1:%u", (unsigned)port);
    if (me->signal != NULL) {
        argv[n++] = "--signal";
        argv[n++] = me->signal;
    }
    if (me->wire_log != NULL) {
        argv[n++] = "--wire-log";
        argv[n++] = me->wire_log;
    }
    if (demo_has_tpm(me, CS_HOME_PATIENT)) {
        demo_path(me, CS_HOME_PATIENT, DEMO_PASSPHRASE, passphrase);
        argv[n++] = "--passphrase-file";
        argv[n] = passphrase;
    }
    return demo_start(me, out, "patient visit", argv, error);
}

static int run_visit(
    demo *me, const char *sent, json_t **doctor_answer, json_t **patient_answer, cs_error *error)
{
    char record[CS_PATH_MAX];
    char signal[CS_PATH_MAX];
    char received[CS_PATH_MAX];
    demo_child doctor = {.fd = -1};
    demo_child patient = {.fd = -1};
    uint16_t port = 0;
    int rc;

    demo_path(me, CS_HOME_DOCTOR, "record", record);
    demo_path(me, CS_HOME_DOCTOR, "signal", signal);
    demo_path(me, CS_HOME_PATIENT, "diagnosis", received);
    rc = start_doctor(me, &doctor, &port, record, signal, sent, error);
    if (rc == CS_OK)
        rc = start_patient(me, &patient, port, received, error);
    if (rc == CS_OK)
        rc = demo_wait_both(me, &doctor, &patient, DEMO_CONTENT_MS, error);
    demo_stop(&doctor);
    demo_stop(&patient);
    if (rc == CS_OK)
        rc = demo_answer(me, &doctor, doctor_answer, error);
    if (rc == CS_OK)
        rc = demo_answer(me, &patient, patient_answer, error);
    if (rc == CS_OK) {
        demo_forget(me, &doctor);
        demo_forget(me, &patient);
    }
    if (rc == CS_OK)
        rc = demo_compare(&me->record_report, "record", me->record, record, error);
    if (rc == CS_OK && me->signal != NULL)
        rc = demo_compare(&me->signal_report, "signal", me->signal, signal, error);
    if (rc == CS_OK)
        rc = demo_compare(&me->diagnosis_report, "diagnosis", sent, received, error);
    if (rc == CS_OK && json_object_set_new(me->record_report, "received_path",
                           me->temporary ? json_null() : json_string(record)) != 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    return rc;
}

int demo_choose_diagnosis(const demo *me, char path[CS_PATH_MAX], cs_error *error)
{
    if (me->diagnosis != NULL) {
        (void)snprintf(path, CS_PATH_MAX, "%s", me->diagnosis);
        return CS_OK;
    }
    demo_path(me, CS_HOME_DOCTOR, "diagnosis.txt", path);
    return cs_file_write(path, cs_view_str(DIAGNOSIS), 0600, error);
}

int demo_visit(demo *me, cs_error *error)
{
    char diagnosis[CS_PATH_MAX];
    json_t *doctor = NULL;
    json_t *patient = NULL;
    json_t *hospital = NULL;
    json_t *services = NULL;
    totals before;
    int rc = serve_hospital(me, error);

    if (rc == CS_OK)
        rc = import_record(me, error);
    if (rc == CS_OK)
        rc = demo_choose_diagnosis(me, diagnosis, error);
    if (rc == CS_OK)
        rc = read_totals(me, &before, error);
    if (rc == CS_OK)
        rc = run_visit(me, diagnosis, &doctor, &patient, error);
    if (rc == CS_OK) /* a moment after the visit */
        rc = wait_published(me, me->cloud_port, publications(before.published) + 1, error);
    if (rc == CS_OK)
        rc = wait_published(me, me->hospital_port, publications(before.publishing) + 1, error);
    if (rc == CS_OK)
        rc = count_visit(me, &before, patient, doctor, &services, error);
    if (rc == CS_OK) /* it has nothing left to do, and says what it has sent */
        rc = demo_end_service(me, &me->hospital, &hospital, error);
    if (rc == CS_OK) {
        demo_count_wire(me, doctor);
        demo_count_wire(me, patient);
        demo_count_wire(me, hospital);
        tell_visit(me, patient, doctor, services);
    }
    json_decref(services);
    json_decref(hospital);
    json_decref(doctor);
    json_decref(patient);
    return rc;
}

/* -- where the keys are --------------------------------------------------------------------------
 */

static int add_keys(demo *me, const char *party, const json_t *answer, cs_error *error)
{
    const json_t *keys = json_object_get(answer, "keys");
    size_t i;
    json_t *key;

    json_array_foreach(keys, i, key)
    {
        if (json_object_set_new(key, "party", json_string(party)) != 0 ||
            json_array_append(me->keys, key) != 0)
            return CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    }
    return CS_OK;
}

static void tell_keys(demo *me)
{
    char text[128];
    size_t i;
    const json_t *key;

    (void)snprintf(text, sizeof text, "%zu private and secret keys looked at in the tokens",
        json_array_size(me->keys));
    demo_tell(me, "everybody", text, "each is sensitive and not extractable");
    json_array_foreach(me->keys, i, key)
    {
        const char *use = json_string_value(json_object_get(key, "use"));

        if (!me->quiet && use != NULL && strcmp(use, "scalar_mul") == 0)
            cs_say("    S_X of the %s: %s", json_string_value(json_object_get(key, "party")),
                json_string_value(json_object_get(key, "delivery")));
    }
}

int demo_audit_keys(demo *me, cs_error *error)
{
    int rc = CS_OK;

    for (int kind = CS_HOME_AUTHORITY; rc == CS_OK && kind <= (int)demo_last_party(me); kind++) {
        const char *party = cs_home_kind_name((cs_home_kind)kind);
        char dir[CS_PATH_MAX];
        const char *const argv[] = {"token", "audit", "--dir", dir, "--json", NULL};
        json_t *answer = NULL;

        demo_path(me, (cs_home_kind)kind, "", dir);
        rc = demo_run(me, "token audit", argv, DEMO_STEP_MS, &answer, error);
        if (rc == CS_OK)
            rc = add_keys(me, party, answer, error);
        json_decref(answer);
    }
    if (rc == CS_OK)
        tell_keys(me);
    return rc;
}
