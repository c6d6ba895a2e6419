/* SPDX-License-Identifier: Apache-2.0 */
#include "service/visit_search.h"

#include "service/frames.h"
#include "service/progress.h"

#include <stdio.h>
#include <string.h>

/* -- the session: S1-S4 --------------------------------------------------------------------------
 */

static int ask_cloud(cs_finder *finder, cs_error *error)
{
    cs_peer cloud = {0};
    cs_buf s1 = {0};
    cs_buf s2 = {0};
    int rc = cs_peer_open(&cloud, finder->cloud_url, "doctor", "cloud", finder->log, error);

    cs_world_tick(finder->world);
    if (rc == CS_OK)
        rc = cs_search_s1(finder->search, &finder->world->env, &s1, error);
    if (rc == CS_OK)
        rc = cs_peer_ask(&cloud, "/v1/search", "S1", cs_view_buf(&s1), "S2", &s2, error);
    cs_world_tick(finder->world);
    if (rc == CS_OK)
        rc = cs_search_s2(finder->search, &finder->world->env, cs_view_buf(&s2), error);
    cs_peer_close(&cloud);
    cs_buf_free(&s1);
    cs_buf_free(&s2);
    return rc;
}

/* PC answers with the newest entry first. */
static int choose_hospital(const cs_finder *finder, size_t *which, cs_error *error)
{
    size_t n = cs_search_count(finder->search);

    for (*which = 0; *which < n; (*which)++) {
        const cs_hospital *hospital = cs_search_hospital(finder->search, *which);

        if (finder->hospital_id == NULL ||
            strcmp(hospital->credential.id, finder->hospital_id) == 0)
            return CS_OK;
    }
    return CS_FAIL(error, CS_E_NOT_FOUND,
        "%s has no records of this patient in %s; leave --hospital out to ask the one that has",
        finder->hospital_id == NULL ? "no hospital" : finder->hospital_id, finder->department);
}

static int ask_hospital(cs_finder *finder, cs_error *error)
{
    cs_buf s3 = {0};
    cs_buf s4 = {0};
    size_t which = 0;
    int rc = choose_hospital(finder, &which, error);

    if (rc == CS_OK)
        rc = cs_peer_open(&finder->hospital, cs_search_hospital(finder->search, which)->url,
            "doctor", "hospital", finder->log, error);
    cs_world_tick(finder->world);
    if (rc == CS_OK)
        rc = cs_search_s3(finder->search, &finder->world->env, which, &s3, error);
    if (rc == CS_OK)
        rc =
            cs_peer_ask(&finder->hospital, "/v1/session", "S3", cs_view_buf(&s3), "S4", &s4, error);
    cs_world_tick(finder->world);
    if (rc == CS_OK)
        rc = cs_search_s4(finder->search, &finder->world->env, cs_view_buf(&s4), error);
    cs_buf_free(&s3);
    cs_buf_free(&s4);
    return rc;
}

int cs_finder_open(cs_finder *finder, cs_error *error)
{
    cs_op_counts before = cs_ops_of_thread();
    int rc;

    cs_finder_close(finder);
    rc = cs_search_new(&finder->search, &finder->actor->party, finder->id_p, finder->department,
        finder->consent, finder->reason, error);
    if (rc == CS_OK)
        rc = ask_cloud(finder, error);
    finder->search_ops = cs_ops_between(before, cs_ops_of_thread());
    before = cs_ops_of_thread();
    if (rc == CS_OK)
        rc = ask_hospital(finder, error);
    finder->session_ops = cs_ops_between(before, cs_ops_of_thread());
    if (rc != CS_OK)
        cs_finder_close(finder);
    return rc;
}

bool cs_finder_is_open(const cs_finder *finder)
{
    return finder->search != NULL;
}

void cs_finder_close(cs_finder *finder)
{
    cs_search_free(&finder->search);
    cs_peer_close(&finder->hospital);
}

/* -- the record: S5, S6 --------------------------------------------------------------------------
 */

typedef struct receiver {
    cs_finder *finder;
    const char *path;
    const char *directory;
    cs_found_record *out;
    cs_buf head;
    cs_buf plain; /* what `record` points into */
    cs_chpc2 record;
    cs_bulk *bulk;
    cs_file_sink *sink;
    cs_progress progress;
    cs_buf content;
} receiver;

static int describe(receiver *in, cs_error *error)
{
    cs_found_record *out = in->out;
    char hex[2 * CS_RECORD_ID_SIZE + 1];

    if (in->record.record_id.n != CS_RECORD_ID_SIZE || in->record.h_emr.n != CS_HASH_SIZE)
        return CS_FAIL(error, CS_E_MALFORMED, "the hospital sent a record without id or hash");
    memcpy(out->id, in->record.record_id.p, CS_RECORD_ID_SIZE);
    memcpy(out->hash, in->record.h_emr.p, CS_HASH_SIZE);
    out->size = in->record.size;
    out->others = in->record.others.n;
    (void)snprintf(out->media_type, sizeof out->media_type, "%.*s", (int)in->record.media_type.n,
        (const char *)in->record.media_type.p);
    cs_hex(CS_VIEW_ARRAY(out->id), hex);
    if (in->path != NULL)
        (void)snprintf(out->path, sizeof out->path, "%s", in->path);
    else
        (void)snprintf(out->path, sizeof out->path, "%s/record-%s", in->directory, hex);
    return CS_OK;
}

static int begin_record(receiver *in, cs_view chunk, bool final, cs_error *error)
{
    int rc;

    cs_world_tick(in->finder->world);
    rc = cs_search_s6(in->finder->search, &in->finder->world->env, cs_view_buf(&in->head), chunk,
        final, &in->plain, &in->record, &in->bulk, error);
    if (rc == CS_OK)
        rc = describe(in, error);
    if (rc == CS_OK)
        rc = cs_file_sink_open(&in->sink, in->out->path, 0600, error);
    if (rc == CS_OK)
        cs_progress_start(
            &in->progress, in->finder->progress_fd, "receiving the record", in->record.size);
    return rc;
}

static int take_frame(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    receiver *in = context;
    int rc;

    if (index == 0)
        return cs_buf_set(&in->head, content, error);
    if (index == 1)
        return begin_record(in, content, final, error);
    if (in->bulk == NULL)
        return CS_FAIL(error, CS_E_PEER, "the hospital sent more than the record has");
    cs_buf_clear(&in->content);
    rc = cs_bulk_open(in->bulk, &in->content, content, final, error);
    if (rc == CS_OK)
        rc = cs_file_sink_write(in->sink, cs_view_buf(&in->content), error);
    cs_progress_advance(&in->progress, in->content.n);
    return rc;
}

static int make_s5(cs_finder *finder, cs_view record_id, cs_buf *body, cs_error *error)
{
    cs_buf head = {0};
    cs_buf chunk = {0};
    int rc;

    cs_world_tick(finder->world);
    rc = cs_search_s5(finder->search, &finder->world->env, record_id, &head, &chunk, error);
    if (rc == CS_OK)
        rc = cs_frame_put(body, cs_view_buf(&head), false, error);
    if (rc == CS_OK)
        rc = cs_frame_put(body, cs_view_buf(&chunk), true, error);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

static const char *hospital_of(const cs_finder *finder)
{
    size_t which = 0;

    return choose_hospital(finder, &which, NULL) == CS_OK
               ? cs_search_hospital(finder->search, which)->credential.id
               : "";
}

int cs_finder_record(cs_finder *finder, cs_view record_id, const char *path, const char *directory,
    cs_found_record *out, cs_error *error)
{
    receiver in = {
        .finder = finder, .path = path, .directory = directory, .out = out, .progress = {.fd = -1}};
    cs_buf body = {0};
    int rc = make_s5(finder, record_id, &body, error);

    *out = (cs_found_record){.other_hospitals = cs_search_count(finder->search) - 1};
    (void)snprintf(out->hospital, sizeof out->hospital, "%s", hospital_of(finder));
    if (rc == CS_OK)
        rc = cs_peer_stream(&finder->hospital, "/v1/record", "S5", cs_view_buf(&body), "S6",
            take_frame, &in, error);
    cs_progress_end(&in.progress);
    if (rc == CS_OK)
        rc = cs_search_finish(finder->search, &in.record, in.bulk, error);
    if (rc == CS_OK)
        rc = cs_file_sink_commit(&in.sink, error);
    cs_file_sink_abandon(&in.sink);
    cs_bulk_free(&in.bulk);
    cs_buf_free(&in.head);
    cs_buf_free(&in.plain);
    cs_buf_free(&in.content);
    cs_buf_free(&body);
    return rc;
}

/* -- filing: F1, F2 ------------------------------------------------------------------------------
 */

static int frame_content(cs_buf *body, cs_bulk *bulk, cs_view content, cs_error *error)
{
    cs_buf sealed = {0};
    int rc = CS_OK;

    while (rc == CS_OK && bulk != NULL && cs_bulk_remaining(bulk) > 0) {
        size_t n = content.n < CS_CHUNK_SIZE ? content.n : CS_CHUNK_SIZE;
        bool final = false;

        cs_buf_clear(&sealed);
        rc = cs_bulk_seal(bulk, &sealed, (cs_view){content.p, n}, &final, error);
        if (rc == CS_OK)
            rc = cs_frame_put(body, cs_view_buf(&sealed), final, error);
        content.p += n;
        content.n -= n;
    }
    cs_buf_free(&sealed);
    return rc;
}

static int make_f1(cs_finder *finder, const cs_signed_diagnosis *diagnosis, cs_view content,
    cs_buf *body, cs_error *error)
{
    cs_buf head = {0};
    cs_buf chunk = {0};
    cs_bulk *bulk = NULL;
    bool final = false;
    int rc;

    cs_world_tick(finder->world);
    rc = cs_search_f1(
        finder->search, &finder->world->env, diagnosis, &head, &chunk, &final, &bulk, error);
    if (rc == CS_OK)
        rc = cs_frame_put(body, cs_view_buf(&head), false, error);
    if (rc == CS_OK)
        rc = cs_frame_put(body, cs_view_buf(&chunk), final, error);
    if (rc == CS_OK)
        rc = frame_content(body, bulk, content, error);
    cs_bulk_free(&bulk);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
    return rc;
}

typedef struct filed_answer {
    cs_finder *finder;
    cs_buf head;
    uint8_t *filed;
    bool complete;
} filed_answer;

static int take_filed(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    filed_answer *in = context;
    int rc;

    if (index == 0)
        return cs_buf_set(&in->head, content, error);
    if (index > 1)
        return CS_FAIL(error, CS_E_PEER, "the hospital's receipt is longer than a receipt");
    cs_world_tick(in->finder->world);
    rc = cs_search_f2(in->finder->search, &in->finder->world->env, cs_view_buf(&in->head), content,
        final, in->filed, error);
    in->complete = rc == CS_OK;
    return rc;
}

static int file_once(cs_finder *finder, const cs_signed_diagnosis *diagnosis, cs_view content,
    uint8_t filed[CS_RECORD_ID_SIZE], cs_error *error)
{
    filed_answer in = {.finder = finder, .filed = filed};
    cs_buf body = {0};
    int rc = CS_OK;

    if (!cs_finder_is_open(finder))
        rc = cs_finder_open(finder, error);
    if (rc == CS_OK)
        rc = make_f1(finder, diagnosis, content, &body, error);
    if (rc == CS_OK)
        rc = cs_peer_stream(
            &finder->hospital, "/v1/file", "F1", cs_view_buf(&body), "F2", take_filed, &in, error);
    if (rc == CS_OK && !in.complete)
        rc = CS_FAIL(error, CS_E_PEER, "the hospital gave no receipt for the diagnosis");
    cs_buf_free(&in.head);
    cs_buf_free(&body);
    return rc;
}

int cs_finder_file(cs_finder *finder, const cs_signed_diagnosis *diagnosis, cs_view content,
    uint8_t filed[CS_RECORD_ID_SIZE], cs_error *error)
{
    bool had_session = cs_finder_is_open(finder);
    int rc = file_once(finder, diagnosis, content, filed, error);

    /* A hospital that was restarted, or that waited longer than it keeps sessions; or than the OCSP
     * answer is good that the session began with, and the party may have a newer one. */
    if ((rc == CS_E_NO_SESSION || rc == CS_E_OCSP) && had_session) {
        cs_finder_close(finder);
        rc = file_once(finder, diagnosis, content, filed, error);
    }
    return rc;
}
