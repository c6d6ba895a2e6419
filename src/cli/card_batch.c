/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch of cards: a thread for each reader makes whatever card is put into it, the one of the
 * doctor whose it is or, if it is new, the next doctor's. What is done is in the directories, so
 * that a batch that ended anywhere is gone on with by the same command.
 */
#include "cli/card_verbs.h"

#include "cli/card_list.h"
#include "cli/card_trust.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "service/authority.h"
#include "service/signals.h"
#include "service/wait.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 200
#define TIMEOUT_DEFAULT_S 3600
#define TIMEOUT_MAX_S 86400
#define READERS_MAX 16

typedef struct batch {
    pthread_mutex_t lock; /* of the list, the authority and the output */
    cs_card_list list;
    cs_home *authority; /* NULL: certificates come another way */
    cs_actor *actor;
    cs_trust *trust; /* of --trust, or that authority; NULL: issuers are not checked */
    bool json;
    int stop_fd;
    int64_t timeout_ms, deadline;
    bool failed; /* not one card, but the batch */
} batch;

typedef struct station {
    pthread_t thread;
    batch *batch;
    char reader[CS_PIV_READER_MAX];
} station;

/* -- one card */

static int write_issued(batch *b, const cs_desk *d, const cs_view *request, cs_view agree,
    const char *name, cs_error *error)
{
    char path[CS_PATH_MAX];
    cs_buf pem = {0};
    cs_issued issued;
    int rc = cs_authority_issue(
        b->authority, b->actor, *request, agree, CS_CERTIFICATE_DAYS_DEFAULT, &issued, &pem, error);

    (void)snprintf(path, sizeof path, "%s/%s", d->dir, name);
    if (rc == CS_OK)
        rc = cs_file_write(path, cs_view_buf(&pem), 0644, error);
    cs_buf_free(&pem);
    return rc;
}

/* The lock is held: one token, and one list of what was issued. */
static int certify(batch *b, const cs_desk *d, cs_error *error)
{
    enum { PEM_MAX = 65536 };
    char path[CS_PATH_MAX];
    cs_buf request = {0}, agree = {0};
    cs_view asked;
    int rc;

    (void)snprintf(path, sizeof path, "%s/sign.csr", d->dir);
    rc = cs_file_read(&request, path, PEM_MAX, error);
    (void)snprintf(path, sizeof path, "%s/agree.pub", d->dir);
    if (rc == CS_OK)
        rc = cs_file_read(&agree, path, PEM_MAX, error);
    asked = cs_view_buf(&request);
    if (rc == CS_OK)
        rc = write_issued(b, d, &asked, (cs_view){0}, "sign.pem", error);
    if (rc == CS_OK)
        rc = write_issued(b, d, &asked, cs_view_buf(&agree), "agree.pem", error);
    cs_buf_free(&agree);
    cs_buf_free(&request);
    return rc;
}

static bool has_file(const cs_desk *d, const char *name, char path[CS_PATH_MAX])
{
    (void)snprintf(path, CS_PATH_MAX, "%s/%s", d->dir, name);
    return access(path, F_OK) == 0;
}

/* As far as it can be made now: to its keys, or with certificates to the end. */
static int make(batch *b, cs_desk *d, cs_error *error)
{
    char sign[CS_PATH_MAX], agree[CS_PATH_MAX];
    bool certified;
    int rc = cs_piv_make(d->card, d->run, cs_desk_save, d, error);

    certified = has_file(d, "sign.pem", sign) && has_file(d, "agree.pem", agree);
    (void)has_file(d, "agree.pem", agree);
    if (rc == CS_OK && !certified)
        rc = cs_desk_write_requests(d, NULL, error);
    if (rc == CS_OK && !certified && b->authority != NULL) {
        (void)pthread_mutex_lock(&b->lock);
        rc = certify(b, d, error);
        (void)pthread_mutex_unlock(&b->lock);
        certified = rc == CS_OK;
    }
    if (rc != CS_OK || !certified)
        return rc;
    rc = cs_desk_write_letter(d, error);
    return rc == CS_OK ? cs_desk_finish(d, sign, agree, error) : rc;
}

/* -- what is told: a line for each card */

static void tell(
    const batch *b, const cs_card_job *job, const cs_desk *d, int rc, const cs_error *error)
{
    size_t done = cs_card_list_done(&b->list);
    const char *step = d->run == NULL ? "new" : cs_piv_step_name(d->run->done);
    uint32_t serial = d->run == NULL ? 0 : d->run->serial;
    json_t *object;
    char *text;

    if (!b->json) {
        cs_say("%zu/%zu  %s  %s  serial number %u  %s%s%s", done, b->list.count, job->id, job->name,
            serial, rc == CS_OK ? step : "FAILED", rc == CS_OK ? "" : ": ",
            rc == CS_OK ? "" : error->message);
        (void)fflush(stdout);
        return;
    }
    object =
        json_pack("{s:b, s:s, s:s, s:I, s:s, s:I, s:I, s:s?}", "ok", rc == CS_OK, "id", job->id,
            "name", job->name, "serial", (json_int_t)serial, "step", step, "done", (json_int_t)done,
            "of", (json_int_t)b->list.count, "error", rc == CS_OK ? NULL : error->message);
    text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    cs_say("%s", text == NULL ? "{\"ok\":false}" : text);
    (void)fflush(stdout);
    free(text);
    json_decref(object);
}

static void tell_foreign(batch *b, const station *s, uint32_t serial)
{
    (void)pthread_mutex_lock(&b->lock);
    (void)fprintf(stderr,
        "chartseal: the card in reader %s (serial number %u) is not new, or nobody waits for one\n",
        s->reader, serial);
    (void)pthread_mutex_unlock(&b->lock);
}

/* -- a reader */

/* The lock is held. */
static bool is_over(const batch *b)
{
    return b->failed || cs_card_list_done(&b->list) == b->list.count ||
           cs_monotonic_ms() > b->deadline;
}

static bool goes_on(batch *b)
{
    bool over;

    if (cs_wait_for_stop(b->stop_fd, LOOK_MS, NULL) == CS_OK)
        return false;
    (void)pthread_mutex_lock(&b->lock);
    over = is_over(b);
    (void)pthread_mutex_unlock(&b->lock);
    return !over;
}

static cs_card_job *take_job(batch *b, const cs_piv_info *info)
{
    bool is_new = info->pin_is_default == CS_PIV_YES && info->puk_is_default == CS_PIV_YES &&
                  info->admin_is_default == CS_PIV_YES;
    cs_card_job *job = NULL;

    (void)pthread_mutex_lock(&b->lock);
    if (info->has_serial)
        job = cs_card_list_find(&b->list, info->serial, is_new);
    if (job != NULL)
        job->state = CS_CARD_IN_HAND;
    (void)pthread_mutex_unlock(&b->lock);
    return job;
}

static void give_back(batch *b, cs_card_job *job, const cs_desk *d, int rc, const cs_error *error)
{
    (void)pthread_mutex_lock(&b->lock);
    job->state = rc == CS_OK ? CS_CARD_DONE : CS_CARD_WAITS;
    if (d->run != NULL && d->run->done > CS_PIV_NEW) {
        job->has_card = true;
        job->serial = d->run->serial;
    }
    tell(b, job, d, rc, error);
    b->deadline = cs_monotonic_ms() + b->timeout_ms;
    (void)pthread_mutex_unlock(&b->lock);
}

/* The card is the desk's, or is closed. */
static void serve(station *s, cs_piv **card)
{
    batch *b = s->batch;
    cs_error error = {0};
    cs_piv_info info = {0};
    cs_desk d = {0};
    cs_card_job *job = NULL;
    int rc = cs_piv_describe(*card, &info, &error);

    if (rc == CS_OK)
        job = take_job(b, &info);
    if (job == NULL) {
        cs_piv_close(card);
        if (rc == CS_OK)
            tell_foreign(b, s, info.serial);
        return;
    }
    d = (cs_desk){
        .dir = job->dir, .name = job->name, .id = job->id, .card = *card, .trust = b->trust};
    *card = NULL;
    rc = cs_make_directories(d.dir, &error);
    if (rc == CS_OK)
        rc = cs_desk_open_run(&d, false, &error);
    if (rc == CS_OK)
        rc = make(b, &d, &error);
    give_back(b, job, &d, rc, &error);
    cs_desk_close(&d);
}

/* One that was made, or was not, is taken out before the next one counts. */
static void wait_for_removal(station *s)
{
    cs_piv *card = NULL;

    while (goes_on(s->batch) && cs_piv_open(&card, s->reader, NULL) == CS_OK)
        cs_piv_close(&card);
}

static void *work(void *context)
{
    station *s = context;
    cs_piv *card = NULL;

    while (goes_on(s->batch)) {
        if (cs_piv_open(&card, s->reader, NULL) != CS_OK)
            continue;
        serve(s, &card);
        wait_for_removal(s);
    }
    return NULL;
}

/* -- the batch */

/* What needs nothing more, as far as can be known without its card. */
static void mark_done(batch *b)
{
    for (size_t i = 0; i < b->list.count; i++) {
        cs_card_job *job = &b->list.jobs[i];
        const cs_desk d = {.dir = job->dir};
        char path[CS_PATH_MAX];

        if (job->done == CS_PIV_FINISHED ||
            (job->done == CS_PIV_AGREE && b->authority == NULL && has_file(&d, "sign.csr", path) &&
                !has_file(&d, "sign.pem", path)))
            job->state = CS_CARD_DONE;
    }
}

static int run_stations(batch *b, cs_error *error)
{
    static char names[READERS_MAX][CS_PIV_READER_MAX];
    station stations[READERS_MAX];
    size_t count = 0, started = 0;
    int rc = cs_piv_readers(names, READERS_MAX, &count, error);

    for (size_t i = 0; rc == CS_OK && i < count; i++) {
        stations[i] = (station){.batch = b};
        (void)snprintf(stations[i].reader, sizeof stations[i].reader, "%s", names[i]);
        if (pthread_create(&stations[i].thread, NULL, work, &stations[i]) == 0)
            started++;
        else
            rc = CS_FAIL(error, CS_E_MEMORY, "no thread for reader %s", names[i]);
        if (rc != CS_OK) {
            (void)pthread_mutex_lock(&b->lock);
            b->failed = true; /* the others end */
            (void)pthread_mutex_unlock(&b->lock);
        }
    }
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(stations[i].thread, NULL);
    return rc;
}

static int open_batch(batch *b, const cs_arguments *arguments, cs_error *error)
{
    const char *authority = cs_arg(arguments, "authority");
    int64_t seconds;
    int rc =
        cs_arg_number(&seconds, arguments, "timeout", TIMEOUT_DEFAULT_S, 1, TIMEOUT_MAX_S, error);

    if (rc == CS_OK)
        rc = cs_card_list_read(
            &b->list, cs_arg(arguments, "batch"), cs_arg(arguments, "dir"), error);
    if (rc == CS_OK && authority != NULL)
        rc = cs_home_open(&b->authority, authority, CS_HOME_AUTHORITY, error);
    if (rc == CS_OK && authority != NULL)
        rc = cs_actor_open(&b->actor, b->authority, false, error);
    if (rc == CS_OK)
        rc = cs_card_trust(&b->trust, arguments, error);
    if (rc == CS_OK && b->trust == NULL && authority != NULL)
        rc = cs_card_trust_home(&b->trust, b->authority, error);
    if (rc == CS_OK)
        rc = cs_stop_fd_open(&b->stop_fd, error);
    b->timeout_ms = seconds * 1000;
    b->deadline = cs_monotonic_ms() + b->timeout_ms;
    return rc;
}

int cs_card_batch(const cs_arguments *arguments, cs_error *error)
{
    batch b = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .json = cs_arg_flag(arguments, "json"), .stop_fd = -1};
    size_t done;
    int rc = open_batch(&b, arguments, error);

    if (rc == CS_OK) {
        mark_done(&b);
        rc = run_stations(&b, error);
    }
    done = cs_card_list_done(&b.list);
    if (rc == CS_OK && done < b.list.count)
        rc = CS_FAIL(error, CS_E_TIMEOUT,
            "%zu of %zu cards are made as far as they can be; the same command goes on with the "
            "others",
            done, b.list.count);
    if (b.stop_fd >= 0)
        (void)close(b.stop_fd);
    cs_actor_free(&b.actor);
    cs_home_free(&b.authority);
    cs_trust_free(&b.trust);
    cs_card_list_free(&b.list);
    return rc;
}
