/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/card_list.h"

#include "cli/card_desk.h"
#include "service/files.h"

#include <chartseal/certificate.h>
#include <chartseal/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_FILE_MAX (CS_CARD_LIST_MAX * 160)
#define ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-+=:()."

/* How far its card is. */
static int look(cs_card_job *job, cs_error *error)
{
    cs_desk d = {.dir = job->dir};
    int rc = cs_desk_read_run(&d, error);

    if (rc == CS_E_NO_FILE)
        return CS_OK;
    if (rc == CS_OK) {
        job->has_card = true;
        job->serial = d.run->serial;
        job->done = d.run->done;
    }
    cs_desk_close(&d);
    return rc;
}

static bool known(const cs_card_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->jobs[i].id, id) == 0)
            return true;
    }
    return false;
}

static int add(cs_card_list *list, char *line, const char *dir, cs_error *error)
{
    char *comma = strchr(line, ',');
    size_t id_size = comma == NULL ? 0 : (size_t)(comma - line);
    const char *name = comma == NULL ? "" : comma + 1;
    cs_card_job job = {0};
    size_t room;

    if (id_size == 0 || id_size > CS_HOLDER_TEXT_MAX || line[0] == '.' || name[0] == '\0' ||
        strlen(name) > CS_HOLDER_TEXT_MAX || !cs_text_is_clean(cs_view_str(name)))
        return CS_FAIL(error, CS_E_MALFORMED, "is no ID,NAME");
    *comma = '\0';
    if (strspn(line, ID_CHARACTERS) != id_size)
        return CS_FAIL(error, CS_E_MALFORMED, "has an identity that is no name of a directory");
    if (known(list, line))
        return CS_FAIL(error, CS_E_MALFORMED, "has an identity that was there before");
    if (list->count == CS_CARD_LIST_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "is one too many; make two lists");
    room = 2 * id_size + strlen(name) + strlen(dir) + 4;
    job.id = malloc(room);
    if (job.id == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "finds no memory");
    job.name = job.id + id_size + 1;
    job.dir = job.name + strlen(name) + 1;
    (void)snprintf(job.id, room, "%s%c%s%c%s/%s", line, '\0', name, '\0', dir, line);
    list->jobs[list->count++] = job;
    return look(&list->jobs[list->count - 1], error);
}

static int take_lines(cs_card_list *list, char *text, const char *dir, cs_error *error)
{
    unsigned number = 0;
    int rc = CS_OK;

    for (char *line; rc == CS_OK && (line = strsep(&text, "\n")) != NULL;) {
        line[strcspn(line, "\r")] = '\0';
        number++;
        if (line[0] == '\0' || line[0] == '#')
            continue;
        rc = add(list, line, dir, error);
        if (rc != CS_OK)
            rc = cs_error_context(error, "line %u", number);
    }
    if (rc == CS_OK && list->count == 0)
        rc = CS_FAIL(error, CS_E_MALFORMED, "there is nobody in it");
    return rc;
}

int cs_card_list_read(cs_card_list *out, const char *file, const char *dir, cs_error *error)
{
    cs_buf text = {0};
    int rc = cs_file_read(&text, file, LIST_FILE_MAX, error);

    *out = (cs_card_list){.jobs = calloc(CS_CARD_LIST_MAX, sizeof *out->jobs)};
    if (rc == CS_OK && out->jobs == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a list of doctors");
    if (rc == CS_OK && text.n > 0 && memchr(text.p, '\0', text.n) != NULL)
        rc = CS_FAIL(error, CS_E_MALFORMED, "%s is no text", file);
    if (rc == CS_OK)
        rc = cs_buf_append(&text, (cs_view){(const uint8_t *)"", 1}, error);
    if (rc == CS_OK) {
        rc = take_lines(out, (char *)text.p, dir, error);
        if (rc != CS_OK)
            rc = cs_error_context(error, "%s", file);
    }
    cs_buf_free(&text);
    if (rc != CS_OK)
        cs_card_list_free(out);
    return rc;
}

void cs_card_list_free(cs_card_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->jobs[i].id);
    free(list->jobs);
    *list = (cs_card_list){0};
}

cs_card_job *cs_card_list_find(const cs_card_list *list, uint32_t serial, bool is_new)
{
    for (size_t i = 0; i < list->count; i++) {
        cs_card_job *job = &list->jobs[i];

        if (job->has_card && job->serial == serial)
            return job->state == CS_CARD_WAITS ? job : NULL;
    }
    for (size_t i = 0; is_new && i < list->count; i++) {
        if (!list->jobs[i].has_card && list->jobs[i].state == CS_CARD_WAITS)
            return &list->jobs[i];
    }
    return NULL;
}

size_t cs_card_list_done(const cs_card_list *list)
{
    size_t done = 0;

    for (size_t i = 0; i < list->count; i++)
        done += list->jobs[i].state == CS_CARD_DONE;
    return done;
}
