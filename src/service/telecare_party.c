/* SPDX-License-Identifier: Apache-2.0 */
#include "service/telecare_party.h"

#include "service/actor.h"

#include <stdio.h>
#include <string.h>

#define SIGNED_SLOTS 3 /* report, measurement, diagnosis; a copy has them all */

static const char *const names[CS_SLOTS] = {"report", "measurement", "diagnosis", "copy"};

int cs_care_lists(cs_world *world, const cs_actor *actor, const char *cloud_url, cs_wire_log *log,
    cs_error *error)
{
    cs_peer cloud = {0};
    int rc =
        cs_peer_open(&cloud, cloud_url, cs_home_kind_name(actor->home->kind), "cloud", log, error);

    if (rc == CS_OK)
        rc = cs_fetch_revocations(&cloud, world, actor, error);
    cs_peer_close(&cloud);
    return rc;
}

int cs_care_open(cs_care_world *out, const cs_actor *actor, const char *cloud_url, cs_wire_log *log,
    cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc = cs_actor_wants_registration(actor, error);

    *out = (cs_care_world){0};
    cs_home_path(actor->home, "chartseal.db", path);
    if (rc == CS_OK)
        rc = cs_store_open(&out->store, path, error);
    if (rc == CS_OK)
        rc = cs_world_open(&out->world, actor, out->store, error);
    if (rc == CS_OK)
        rc = cs_care_lists(&out->world, actor, cloud_url, log, error);
    return rc;
}

void cs_care_close(cs_care_world *world)
{
    cs_world_close(&world->world);
    cs_store_close(&world->store);
}

/* A run of a procedure: the episode, the line, what has been read. */
typedef struct run {
    const cs_care *me;
    cs_care_report *report;
    cs_op_counts before;
    cs_episode *episode;
    cs_line line;
    cs_spool spools[CS_SLOTS]; /* by slot, from 1 */
} run;

static void begin(run *r, cs_care_report *report, const cs_care *me)
{
    *r = (run){.me = me,
        .report = report,
        .before = cs_ops_of_thread(),
        .line = {.actor = me->actor,
            .world = me->world,
            .log = me->log,
            .progress_fd = me->progress_fd}};
    *report = (cs_care_report){0};
    for (size_t i = 0; i < CS_SLOTS; i++)
        r->spools[i].fd = -1;
}

static void end(run *r)
{
    r->report->session_ops = r->line.session_ops;
    r->report->ops = cs_ops_between(r->before, cs_ops_of_thread());
    cs_line_close(&r->line);
    cs_episode_free(&r->episode);
    for (size_t i = 0; i < CS_SLOTS; i++)
        cs_spool_close(&r->spools[i]);
}

static void describe(const run *r)
{
    const struct {
        cs_role role;
        char *id;
    } parties[] = {{CS_ROLE_HOSPITAL, r->report->hospital}, {CS_ROLE_PATIENT, r->report->patient},
        {CS_ROLE_DOCTOR, r->report->doctor}, {CS_ROLE_CLOUD, r->report->cloud}};

    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        (void)snprintf(
            parties[i].id, CS_ID_MAX + 1, "%s", cs_episode_party(r->episode, parties[i].role)->id);
    r->report->ends = cs_episode_ends(r->episode);
}

/* -- writing -------------------------------------------------------------------------------------
 */

static cs_content content_of(const cs_spool *spool, const char *media_type)
{
    cs_content content = {.media_type = media_type, .size = spool->size};

    memcpy(content.hash, spool->hash, CS_HASH_SIZE);
    return content;
}

static int write_one(
    run *r, cs_slot slot, cs_writing *writing, const char *media_type, cs_error *error)
{
    cs_spool *const contents[] = {&r->spools[slot - 1]};
    cs_care_item *item = &r->report->items[slot - 1];
    int rc = cs_line_send(&r->line, writing, contents, 1, error);

    if (rc != CS_OK)
        return cs_error_context(error, "the %s", names[slot - 1]);
    *item = (cs_care_item){.there = true, .sent = true};
    item->part.size = contents[0]->size;
    item->part.time = cs_episode_time(r->episode, slot);
    memcpy(item->part.hash, contents[0]->hash, CS_HASH_SIZE);
    (void)snprintf(item->part.media_type, sizeof item->part.media_type, "%s", media_type);
    return CS_OK;
}

/* -- HUP -----------------------------------------------------------------------------------------
 */

static int fetch_credential(run *r, const char *url, cs_buf *out, cs_error *error)
{
    cs_peer peer = {0};
    int rc = cs_peer_open(&peer, url, "hospital", "telecare cloud", r->me->log, error);

    if (rc == CS_OK)
        rc = cs_peer_get(&peer, "/v1/credential", "credential", out, error);
    cs_peer_close(&peer);
    return rc;
}

static int open_episode(run *r, const cs_care_opening *opening, cs_view credential_c,
    cs_writing **writing, cs_error *error)
{
    const cs_hup_input input = {.credential_p = opening->credential_p,
        .credential_d = opening->credential_d,
        .cert_d = opening->cert_d,
        .credential_c = credential_c,
        .url = opening->url,
        .ends = opening->ends};
    const cs_content content = content_of(&r->spools[CS_SLOT_REPORT - 1], opening->media_type);

    cs_world_tick(r->me->world);
    return cs_hup_new(
        &r->episode, writing, &r->me->actor->party, &r->me->world->env, &input, &content, error);
}

int cs_care_hup(cs_care_report *out, cs_buf *letter_p, cs_buf *letter_d, const cs_care *me,
    const cs_care_opening *opening, cs_error *error)
{
    cs_buf credential_c = {0};
    cs_writing *writing = NULL;
    run r;
    int rc;

    begin(&r, out, me);
    rc = cs_spool_open(&r.spools[CS_SLOT_REPORT - 1], opening->path, "report", error);
    if (rc == CS_OK)
        rc = fetch_credential(&r, opening->url, &credential_c, error);
    if (rc == CS_OK)
        rc = open_episode(&r, opening, cs_view_buf(&credential_c), &writing, error);
    if (rc == CS_OK) {
        describe(&r);
        rc = cs_line_open(&r.line, cs_episode_party(r.episode, CS_ROLE_CLOUD), opening->url, error);
    }
    if (rc == CS_OK)
        rc = write_one(&r, CS_SLOT_REPORT, writing, opening->media_type, error);
    if (rc == CS_OK)
        rc = opening->stored(opening->context, out, error);
    if (rc == CS_OK)
        rc = cs_hup_letter(r.episode, CS_ROLE_PATIENT, letter_p, error);
    if (rc == CS_OK)
        rc = cs_hup_letter(r.episode, CS_ROLE_DOCTOR, letter_d, error);
    cs_writing_free(&writing);
    end(&r);
    cs_buf_free(&credential_c);
    return rc;
}

/* -- the others ----------------------------------------------------------------------------------
 */

static int check_party(const run *r, cs_role role, const char *wanted, cs_error *error)
{
    const char *named = cs_episode_party(r->episode, role)->id;

    if (wanted != NULL && strcmp(wanted, named) != 0)
        return CS_FAIL(error, CS_E_RECIPIENT,
            "the invitation names %s as the %s, not %s; nothing was sent", named,
            cs_role_name(role), wanted);
    return CS_OK;
}

/* The letter opened, and a session with the cloud that it names. */
static int enter(run *r, const cs_care_input *input, cs_error *error)
{
    int rc;

    cs_world_tick(r->me->world);
    rc = cs_episode_open(
        &r->episode, &r->me->actor->party, &r->me->world->env, input->letter, error);
    if (rc == CS_OK)
        rc = check_party(r, CS_ROLE_HOSPITAL, input->hospital, error);
    if (rc == CS_OK)
        rc = check_party(r, CS_ROLE_DOCTOR, input->doctor, error);
    if (rc == CS_OK)
        rc = check_party(r, CS_ROLE_PATIENT, input->patient, error);
    if (rc != CS_OK)
        return rc;
    describe(r);
    if (r->me->actor->home->kind == CS_HOME_PATIENT)
        r->line.place = cs_episode_place(r->episode, CS_SLOT_REPORT);
    return cs_line_open(
        &r->line, cs_episode_party(r->episode, CS_ROLE_CLOUD), cs_episode_url(r->episode), error);
}

/* Into a spool, verified, and then to where it is wanted. */
static int read_one(run *r, const cs_care_input *input, cs_slot slot, cs_error *error)
{
    const char *path = input->outputs[slot - 1];
    cs_spool *spool = &r->spools[slot - 1];
    cs_part parts[SIGNED_SLOTS];
    int rc = cs_spool_make(spool, r->me->actor->home->dir, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_line_fetch(&r->line, r->episode, slot, spool, parts, error);
    if (rc != CS_OK)
        return cs_error_context(error, "the %s", names[slot - 1]);
    r->report->items[slot - 1] = (cs_care_item){.there = true, .part = parts[0]};
    if (path == NULL)
        return CS_OK;
    rc = cs_spool_rewind(spool, error);
    return rc == CS_OK ? cs_spool_save(spool, spool->size, path, error) : rc;
}

int cs_care_pup(cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error)
{
    cs_spool *measurement;
    cs_writing *writing = NULL;
    cs_content content;
    run r;
    int rc;

    begin(&r, out, me);
    measurement = &r.spools[CS_SLOT_MEASUREMENT - 1];
    rc = cs_spool_open(measurement, input->path, "measurement", error);
    if (rc == CS_OK)
        rc = enter(&r, input, error);
    if (rc == CS_OK)
        rc = read_one(&r, input, CS_SLOT_REPORT, error);
    if (rc == CS_OK) {
        content = content_of(measurement, input->media_type);
        cs_world_tick(me->world);
        rc = cs_pup_new(&writing, r.episode, &me->world->env, &content, error);
    }
    if (rc == CS_OK)
        rc = write_one(&r, CS_SLOT_MEASUREMENT, writing, input->media_type, error);
    cs_writing_free(&writing);
    end(&r);
    return rc;
}

/* A person wrote it: from the editor into a file without a name. */
static int compose(run *r, const cs_care_input *input, cs_error *error)
{
    cs_spool *spool = &r->spools[CS_SLOT_DIAGNOSIS - 1];
    cs_buf text = {0};
    int rc = input->diagnose(input->context, &text, error);

    if (rc == CS_OK)
        rc = cs_spool_make(spool, r->me->actor->home->dir, error);
    if (rc == CS_OK)
        rc = cs_hash(spool->hash, cs_view_buf(&text), error);
    if (rc == CS_OK)
        rc = cs_spool_write(spool, cs_view_buf(&text), error);
    cs_buf_free(&text);
    return rc;
}

int cs_care_tp(cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error)
{
    cs_spool *diagnosis;
    cs_writing *writing = NULL;
    cs_content content;
    run r;
    int rc = CS_OK;

    begin(&r, out, me);
    diagnosis = &r.spools[CS_SLOT_DIAGNOSIS - 1];
    if (input->path != NULL)
        rc = cs_spool_open(diagnosis, input->path, "diagnosis", error);
    if (rc == CS_OK)
        rc = enter(&r, input, error);
    if (rc == CS_OK)
        rc = read_one(&r, input, CS_SLOT_REPORT, error);
    if (rc == CS_OK)
        rc = read_one(&r, input, CS_SLOT_MEASUREMENT, error);
    if (rc == CS_OK && input->path == NULL)
        rc = compose(&r, input, error);
    if (rc == CS_OK) {
        content = content_of(diagnosis, input->media_type);
        cs_world_tick(me->world);
        rc = cs_tp_new(&writing, r.episode, &me->world->env, &content, error);
    }
    if (rc == CS_OK)
        rc = write_one(&r, CS_SLOT_DIAGNOSIS, writing, input->media_type, error);
    cs_writing_free(&writing);
    end(&r);
    return rc;
}

int cs_care_cp(cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error)
{
    cs_writing *writing = NULL;
    run r;
    cs_spool *const contents[] = {&r.spools[0], &r.spools[1], &r.spools[2]};
    bool sent = false;
    bool there = false;
    int rc;

    begin(&r, out, me);
    rc = enter(&r, input, error);
    for (cs_slot slot = CS_SLOT_REPORT; rc == CS_OK && slot <= CS_SLOT_DIAGNOSIS; slot++)
        rc = read_one(&r, input, slot, error);
    cs_world_tick(me->world);
    if (rc == CS_OK)
        rc = cs_cp_new(&writing, r.episode, &me->world->env, error);
    if (rc == CS_OK) {
        rc = cs_line_send(&r.line, writing, contents, SIGNED_SLOTS, error);
        sent = rc == CS_OK;
        there = sent || rc == CS_E_ORDER;
    }
    if (there) { /* or an earlier call has left it */
        cs_care_item *copy = &out->items[CS_SLOT_COPY - 1];

        *copy = (cs_care_item){.there = true, .sent = sent};
        for (size_t i = 0; i < SIGNED_SLOTS; i++)
            copy->part.size += contents[i]->size;
        rc = CS_OK;
    }
    cs_writing_free(&writing);
    end(&r);
    return rc;
}

int cs_care_copy(
    cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error)
{
    cs_part parts[SIGNED_SLOTS];
    cs_spool *copy;
    run r;
    int rc;

    begin(&r, out, me);
    copy = &r.spools[CS_SLOT_COPY - 1];
    rc = enter(&r, input, error);
    if (rc == CS_OK)
        rc = cs_spool_make(copy, me->actor->home->dir, error);
    if (rc == CS_OK)
        rc = cs_line_fetch(&r.line, r.episode, CS_SLOT_COPY, copy, parts, error);
    if (rc == CS_OK)
        rc = cs_spool_rewind(copy, error);
    for (size_t i = 0; rc == CS_OK && i < SIGNED_SLOTS; i++) {
        out->items[i] = (cs_care_item){.there = true, .part = parts[i]};
        rc = cs_spool_save(copy, parts[i].size, input->outputs[i], error);
    }
    end(&r);
    return rc;
}
