/* SPDX-License-Identifier: Apache-2.0 */
#include "service/http_work.h"

#include <stdlib.h>
#include <string.h>

/* A handler that is busy is so for about one operation of a token. */
#define BUSY_RETRY_S 1u

/* ---- jobs */

static void release_answer(cs_http_answer *answer)
{
    if (answer->release != NULL)
        answer->release(answer->context);
    cs_buf_free(&answer->body);
    *answer = (cs_http_answer){0};
}

void cs_http_body_free(cs_http_job *job)
{
    cs_buf_free(&job->body);
    atomic_fetch_sub(&job->server->in_receipt, job->charged);
    job->charged = 0;
}

void cs_http_job_free(cs_http_job *job)
{
    release_answer(&job->answer);
    cs_http_body_free(job);
    cs_buf_free(&job->piece);
    free(job);
}

void cs_http_answer_code(cs_http_job *job, unsigned status, const char *name)
{
    release_answer(&job->answer);
    job->answer.status = status;
    job->answer.content_type = "text/plain; charset=utf-8";
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        job->answer.retry_after_s = BUSY_RETRY_S;
    /* without memory the status alone must do */
    if (cs_buf_set(&job->answer.body, cs_view_str(name), NULL) == CS_OK &&
        cs_buf_append(&job->answer.body, cs_view_str("\n"), NULL) != CS_OK)
        cs_buf_free(&job->answer.body);
}

/* ---- the queue */

bool cs_http_submit(cs_http_job *job, cs_http_state state)
{
    cs_http_server *server = job->server;
    bool is_new = state == CS_HTTP_IN_WORK;
    bool accepted;

    (void)pthread_mutex_lock(&server->lock);
    accepted = !server->cutting &&
               (!is_new || (!server->stopping && server->queued < server->config.queue));
    if (accepted) {
        job->state = state;
        job->next = NULL;
        if (is_new) {
            job->active = true;
            server->active++;
            server->queued++;
        }
        MHD_suspend_connection(job->connection);
        if (server->last != NULL)
            server->last->next = job;
        else
            server->first = job;
        server->last = job;
        (void)pthread_cond_signal(&server->work);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return accepted;
}

/* With the lock held. */
static cs_http_job *take(cs_http_server *server)
{
    cs_http_job *job = server->first;

    if (job == NULL)
        return NULL;
    server->first = job->next;
    if (server->first == NULL)
        server->last = NULL;
    if (job->state == CS_HTTP_IN_WORK)
        server->queued--;
    return job;
}

/* The next job; NULL: quit. */
static cs_http_job *wait_for_job(cs_http_server *server)
{
    cs_http_job *job;

    (void)pthread_mutex_lock(&server->lock);
    while (server->first == NULL && !server->quit)
        (void)pthread_cond_wait(&server->work, &server->lock);
    job = server->quit ? NULL : take(server);
    (void)pthread_mutex_unlock(&server->lock);
    return job;
}

/* After this the job is no longer ours. */
static void give_back(cs_http_job *job)
{
    cs_http_server *server = job->server;

    (void)pthread_mutex_lock(&server->lock);
    job->state = CS_HTTP_ANSWERED;
    MHD_resume_connection(job->connection);
    (void)pthread_mutex_unlock(&server->lock);
}

/* ---- the work */

static unsigned status_of(int code)
{
    switch (cs_category_of(code)) {
    case CS_CATEGORY_INPUT:
        return MHD_HTTP_BAD_REQUEST;
    case CS_CATEGORY_REFUSED:
        return MHD_HTTP_FORBIDDEN;
    case CS_CATEGORY_NOT_FOUND:
        return MHD_HTTP_NOT_FOUND;
    case CS_CATEGORY_BUSY:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    default:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

static void tell_failure(const cs_http_job *job, const cs_error *error)
{
    const cs_http_server_config *config = &job->server->config;

    if (config->failed != NULL)
        config->failed(config->app, job->route->procedure, error);
}

static void call_handler(cs_http_job *job, void *worker)
{
    const cs_http_request request = {
        .method = job->route->method,
        .path = job->route->path,
        .procedure = job->route->procedure,
        .body = cs_view_buf(&job->body),
    };
    cs_error error = {0};
    int rc = job->route->handle(job->server->config.app, worker, &request, &job->answer, &error);

    if (rc != CS_OK) {
        tell_failure(job, &error);
        cs_http_answer_code(job, status_of(rc), cs_code_name(rc));
    }
    cs_http_body_free(job);
}

static void call_read(cs_http_job *job, void *worker)
{
    cs_error error = {0};
    int rc;

    cs_buf_clear(&job->piece);
    job->sent = 0;
    rc = job->answer.read(job->answer.context, worker, &job->piece, &job->ended, &error);
    if (rc == CS_OK && job->piece.n == 0 && !job->ended)
        rc = CS_FAIL(&error, CS_E_INTERNAL, "a stream neither goes on nor ends");
    if (rc != CS_OK) {
        tell_failure(job, &error);
        job->cut = true;
    }
}

static void *run_worker(void *context)
{
    const cs_http_worker *worker = context;
    cs_http_job *job;

    while ((job = wait_for_job(worker->server)) != NULL) {
        if (job->state == CS_HTTP_IN_WORK)
            call_handler(job, worker->context);
        else
            call_read(job, worker->context);
        give_back(job);
    }
    return NULL;
}

/* ---- the workers */

int cs_http_workers_start(cs_http_server *server, cs_error *error)
{
    const cs_http_server_config *config = &server->config;

    server->workers = calloc(config->workers, sizeof *server->workers);
    if (server->workers == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for %u workers", config->workers);
    for (unsigned i = 0; i < config->workers; i++) {
        cs_http_worker *worker = &server->workers[i];

        worker->server = server;
        if (config->worker_new != NULL) {
            cs_error reason = {.code = CS_E_INTERNAL, .message = "a worker does not start"};

            worker->context = config->worker_new(config->app, &reason);
            if (worker->context == NULL) {
                if (error != NULL)
                    *error = reason;
                return (int)reason.code;
            }
            worker->has_context = true;
        }
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0)
            return CS_FAIL(error, CS_E_MEMORY,
                "no thread for worker %u; start fewer or raise the limit", i + 1);
        worker->running = true;
    }
    return CS_OK;
}

void cs_http_workers_stop(cs_http_server *server)
{
    cs_http_job *job;

    (void)pthread_mutex_lock(&server->lock);
    server->stopping = true;
    server->cutting = true;
    server->quit = true;
    while ((job = take(server)) != NULL) {
        job->cut = true;
        MHD_resume_connection(job->connection);
    }
    (void)pthread_cond_broadcast(&server->work);
    (void)pthread_mutex_unlock(&server->lock);
    if (server->workers == NULL)
        return;
    for (unsigned i = 0; i < server->config.workers; i++) {
        cs_http_worker *worker = &server->workers[i];

        if (worker->running)
            (void)pthread_join(worker->thread, NULL);
        if (worker->has_context && server->config.worker_free != NULL)
            server->config.worker_free(worker->context);
    }
    free(server->workers);
    server->workers = NULL;
}
