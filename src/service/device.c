/* SPDX-License-Identifier: Apache-2.0 */
#include "service/device.h"

#include "service/actor.h"
#include "service/visit_exchange.h"
#include "service/visit_link.h"

#include <chartseal/consultation.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define CONSENT_MS ((int64_t)86400000) /* a day: the visit, and the reading that follows it */

typedef struct device {
    cs_actor *actor;
    cs_store *store;
    cs_world world;
    cs_talk talk;
    cs_visit_p *visit;
    const cs_device_input *input;
    cs_device_report *report;
    cs_consent_terms terms; /* as they were shown, so that these are what is signed */
} device;

/* -- the signal ----------------------------------------------------------------------------------
 */

static int open_signal(int *fd, uint64_t *size, const char *path, cs_error *error)
{
    struct stat status;

    *fd = -1;
    *size = 0;
    if (path == NULL)
        return CS_OK;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return CS_FAIL(error, errno == ENOENT ? CS_E_NO_FILE : CS_E_STORAGE,
            "the signal %s cannot be opened: %s", path, strerror(errno));
    if (fstat(*fd, &status) != 0 || !S_ISREG(status.st_mode))
        return CS_FAIL(error, CS_E_USAGE, "the signal %s is not a regular file", path);
    *size = (uint64_t)status.st_size;
    return CS_OK;
}

static int read_signal(void *context, uint8_t *out, size_t n, size_t *got, cs_error *error)
{
    const int *fd = context;

    *got = 0;
    while (*got < n) {
        ssize_t part = read(*fd, out + *got, n - *got);

        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return CS_FAIL(error, CS_E_STORAGE, "the signal cannot be read: %s", strerror(errno));
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return CS_OK;
}

/* -- the messages --------------------------------------------------------------------------------
 */

/* The name that the medical authority certified; cs_visit_p_new has checked the rest. */
static int show_doctor(device *me, cs_view m0, cs_error *error)
{
    const cs_device_input *input = me->input;
    cs_device_report *report = me->report;
    cs_holder holder;
    cs_doctor_shown shown;
    cs_station station;
    int rc = cs_decode(&cs_station_schema, &station, m0, error);

    if (rc == CS_OK)
        rc = cs_certificate_check(
            me->actor->trust, station.cert_d, &station.ocsp, me->world.env.now, &holder, error);
    if (rc != CS_OK)
        return rc;
    (void)snprintf(report->doctor_name, sizeof report->doctor_name, "%s", holder.name);
    (void)snprintf(report->doctor, sizeof report->doctor, "%s", cs_visit_p_doctor(me->visit)->id);
    (void)snprintf(
        report->department, sizeof report->department, "%s", cs_visit_p_department(me->visit));
    me->terms = (cs_consent_terms){
        .id_de = input->consent_department != NULL ? input->consent_department : report->department,
        .purpose = input->purpose,
        .not_after = me->world.env.now + CONSENT_MS,
    };
    shown = (cs_doctor_shown){.id = report->doctor,
        .name = report->doctor_name,
        .department = report->department,
        .consents = input->consents,
        .consent_department = me->terms.id_de,
        .purpose = me->terms.purpose,
        .consent_until = me->terms.not_after};
    return input->accept(input->context, &shown, error);
}

static int meet(device *me, cs_error *error)
{
    cs_buf message = {0};
    cs_buf m1 = {0};
    int rc = cs_talk_receive_m0(&me->talk, &message, error);

    cs_world_tick(&me->world);
    if (rc == CS_OK)
        rc = cs_visit_p_new(
            &me->visit, &me->actor->party, &me->world.env, cs_view_buf(&message), error);
    if (rc == CS_OK)
        rc = show_doctor(me, cs_view_buf(&message), error);
    cs_world_tick(&me->world); /* a person may have looked at it for a while */
    if (rc == CS_OK)
        rc = cs_visit_p_m1(me->visit, &me->world.env, &m1, error);
    if (rc == CS_OK)
        rc = cs_talk_send(&me->talk, "M1", cs_view_buf(&m1), error);
    if (rc == CS_OK)
        rc = cs_talk_receive(&me->talk, "M2", &message, CS_ANSWER_MS, error);
    cs_world_tick(&me->world);
    if (rc == CS_OK)
        rc = cs_visit_p_m2(me->visit, &me->world.env, cs_view_buf(&message), error);
    cs_buf_free(&message);
    cs_buf_free(&m1);
    return rc;
}

static int send_m3(device *me, int signal, uint64_t size, cs_error *error)
{
    const cs_device_input *input = me->input;
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_bulk *bulk = NULL;
    bool final = false;
    int rc;

    cs_world_tick(&me->world);
    rc = cs_visit_p_m3(me->visit, &me->world.env, input->consents ? &me->terms : NULL,
        size == 0 ? "" : input->signal_type, size, &head, &chunk, &final, &bulk, error);
    if (rc == CS_OK)
        rc = cs_talk_send(&me->talk, "M3", cs_view_buf(&head), error);
    if (rc == CS_OK)
        rc = cs_talk_send_chunk(&me->talk, "M3 chunk", cs_view_buf(&chunk), final, error);
    if (rc == CS_OK)
        rc = cs_talk_send_bulk(&me->talk, "M3 chunk", bulk, read_signal, &signal, error);
    if (rc == CS_OK && bulk != NULL)
        rc = cs_bulk_hash(bulk, me->report->signal_hash, error);
    me->report->consented = input->consents;
    me->report->signal_size = size;
    cs_bulk_free(&bulk);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

static int keep_diagnosis(
    device *me, const cs_diagnosis *diagnosis, cs_view content, cs_error *error)
{
    cs_device_report *report = me->report;

    report->diagnosis_size = diagnosis->cd5.size;
    memcpy(report->diagnosis_hash, diagnosis->hash, CS_HASH_SIZE);
    (void)snprintf(report->diagnosis_type, sizeof report->diagnosis_type, "%.*s",
        (int)diagnosis->cd5.media_type.n, (const char *)diagnosis->cd5.media_type.p);
    return cs_file_write(me->input->diagnosis_path, content, 0600, error);
}

static int receive_m4(device *me, cs_error *error)
{
    cs_diagnosis diagnosis = {0};
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_buf plain = {0};
    cs_buf content = {0};
    cs_bulk *bulk = NULL;
    bool final = false;
    int rc = cs_talk_receive(&me->talk, "M4", &head, me->input->patience_ms, error);

    if (rc == CS_OK)
        rc = cs_talk_receive_chunk(&me->talk, "M4 chunk", &chunk, &final, error);
    cs_world_tick(&me->world);
    if (rc == CS_OK)
        rc = cs_visit_p_m4(me->visit, &me->world.env, cs_view_buf(&head), cs_view_buf(&chunk),
            final, &plain, &diagnosis, &bulk, error);
    if (rc == CS_OK)
        rc = cs_talk_receive_bulk(&me->talk, "M4 chunk", bulk, cs_content_to_buf, &content, error);
    if (rc == CS_OK)
        rc = cs_visit_p_finish(me->visit, &diagnosis, bulk, error);
    if (rc == CS_OK)
        rc = keep_diagnosis(me, &diagnosis, cs_view_buf(&content), error);
    if (rc == CS_OK)
        rc = cs_talk_send(&me->talk, "done", cs_view_str(CS_DONE), error);
    cs_bulk_free(&bulk);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    cs_buf_free(&plain);
    cs_buf_free(&content);
    return rc;
}

static int prepare(device *me, cs_home *home, cs_wire_log *log, cs_error *error)
{
    const cs_device_input *input = me->input;
    cs_peer cloud = {0};
    char path[CS_PATH_MAX];
    int rc = cs_actor_wants_registration(me->actor, error);

    cs_home_path(home, "chartseal.db", path);
    if (rc == CS_OK)
        rc = cs_store_open(&me->store, path, error);
    if (rc == CS_OK)
        rc = cs_world_open(&me->world, me->actor, me->store, error);
    if (rc == CS_OK)
        rc = cs_peer_open(&cloud, input->cloud_url, "patient", "cloud", log, error);
    if (rc == CS_OK)
        rc = cs_fetch_revocations(&cloud, &me->world, me->actor, error);
    cs_peer_close(&cloud);
    if (rc == CS_OK)
        rc = cs_link_connect(
            &me->talk.link, input->host, input->port, CONNECT_MS, input->stop_fd, error);
    if (rc == CS_OK)
        cs_link_cancel_on(me->talk.link, input->stop_fd);
    return rc;
}

int cs_device_visit(cs_device_report *out, cs_home *home, cs_actor *actor, cs_wire_log *log,
    const cs_device_input *input, cs_error *error)
{
    device me = {.actor = actor,
        .talk = {.me = "patient", .other = "doctor", .log = log},
        .input = input,
        .report = out};
    cs_op_counts before = cs_ops_of_thread();
    uint64_t size = 0;
    int signal = -1;
    int rc;

    *out = (cs_device_report){0};
    rc = open_signal(&signal, &size, input->signal_path, error);
    if (rc == CS_OK)
        rc = prepare(&me, home, log, error);
    if (rc == CS_OK)
        rc = meet(&me, error);
    out->consultation_ops = cs_ops_between(before, cs_ops_of_thread());
    if (rc == CS_OK)
        rc = send_m3(&me, signal, size, error);
    out->consent_ops =
        cs_ops_between(out->consultation_ops, cs_ops_between(before, cs_ops_of_thread()));
    if (rc == CS_OK)
        rc = receive_m4(&me, error);
    if (rc != CS_OK)
        cs_talk_refuse(&me.talk, rc);
    out->ops = cs_ops_between(before, cs_ops_of_thread());
    if (signal >= 0)
        (void)close(signal);
    cs_visit_p_free(&me.visit);
    cs_link_free(&me.talk.link);
    cs_world_close(&me.world);
    cs_store_close(&me.store);
    return rc;
}
