/* SPDX-License-Identifier: Apache-2.0 */
#include "service/hospital_service.h"

#include "service/actor.h"
#include "service/frames.h"
#include "service/hospital_visit.h"

#include <stdlib.h>

#define RECORD_BODY_MAX (CS_FRAME_HEAD_MAX + CS_MESSAGE_MAX) /* S5: a head and one message */
/* F1: the same, the diagnosis, and for each of its chunks a frame and a tag. */
#define FILE_BODY_MAX (RECORD_BODY_MAX + CS_DIAGNOSIS_MAX + 64 * 1024)

static int handle_session(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "session", cs_hpc_session, error);
}

static int handle_record(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "read", cs_hpc_record, error);
}

static int handle_file(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    return cs_server_decide(app, worker, request, answer, "file", cs_hpc_filing, error);
}

static int handle_hospital(void *app, void *worker, const cs_http_request *request,
    cs_http_answer *answer, cs_error *error)
{
    const cs_server *server = app;
    json_t *about = json_pack(
        "{s:s, s:s}", "id", server->home->id, "suite", cs_suite_name(server->home->suite));
    char *text = about == NULL ? NULL : json_dumps(about, JSON_COMPACT);
    int rc;

    (void)worker;
    (void)request;
    json_decref(about);
    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for an answer");
    answer->content_type = "application/json";
    rc = cs_buf_set(&answer->body, cs_view_str(text), error);
    free(text);
    return rc;
}

static const cs_http_route routes[] = {
    {"POST", "/v1/session", "session", handle_session, CS_MESSAGE_MAX},
    {"POST", "/v1/record", "record", handle_record, RECORD_BODY_MAX},
    {"POST", "/v1/file", "file", handle_file, FILE_BODY_MAX},
    {"GET", "/v1/hospital", "hospital", handle_hospital, 0},
};

static int declare_gauges(cs_metrics *metrics, cs_error *error)
{
    int rc = cs_metrics_declare(
        metrics, CS_METRIC_GAUGE, "chartseal_sessions", "Sessions open with doctors.", error);

    if (rc == CS_OK)
        rc = cs_metrics_declare(metrics, CS_METRIC_GAUGE, "chartseal_outbox",
            "What waits: publications for the cloud, notices for a person.", error);
    return rc;
}

/* Sessions that are over go; then the gauges. */
static int look_after(cs_server *server, cs_worker *worker, cs_error *error)
{
    static const struct {
        cs_outbox_kind kind;
        cs_label label;
    } kinds[] = {
        {CS_OUTBOX_PUBLICATION, {"kind", "publication"}}, {CS_OUTBOX_NOTICE, {"kind", "notice"}}};
    const cs_hpc *hospital = server->role;
    int rc = CS_OK;

    cs_sessions_sweep(hospital->sessions, worker->world.env.now, CS_SESSION_LIFE_MS);
    cs_metrics_set(server->metrics, "chartseal_sessions", NULL, 0,
        (double)cs_sessions_count(hospital->sessions));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && rc == CS_OK; i++) {
        uint64_t count = 0;

        rc = cs_store_count_outbox(worker->store, kinds[i].kind, &count, error);
        if (rc == CS_OK)
            cs_metrics_set(server->metrics, "chartseal_outbox", &kinds[i].label, 1, (double)count);
    }
    return rc;
}

int cs_hpc_serve(cs_home *home, const cs_server_options *options, cs_error *error)
{
    cs_hpc *hospital = NULL;
    int rc = cs_hpc_open(&hospital, home, error);

    if (rc == CS_OK)
        rc = cs_actor_wants_registration(hospital->server->actor, error);
    if (rc == CS_OK)
        hospital->server->wire_log = options->wire_log;
    if (rc == CS_OK)
        rc = declare_gauges(hospital->server->metrics, error);
    if (rc == CS_OK)
        rc = cs_sessions_new(&hospital->sessions, 0, CS_SESSION_LIFE_MS, error);
    if (rc == CS_OK)
        rc = cs_publisher_new(&hospital->publisher, hospital->server, hospital->outbox, error);
    if (rc == CS_OK)
        rc = cs_publisher_start(hospital->publisher, error);
    if (rc == CS_OK)
        rc = cs_server_run(
            hospital->server, options, routes, sizeof routes / sizeof routes[0], look_after, error);
    cs_hpc_close(&hospital);
    return rc;
}
