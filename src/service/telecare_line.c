/* SPDX-License-Identifier: Apache-2.0 */
#include "service/telecare_line.h"

#include "service/progress.h"
#include "service/telecare_cloud.h"

#include <string.h>
#include <time.h>

#define ATTEMPTS 6 /* of a piece: waits of 1, 2, 4, 8 and 16 seconds, enough for a restart */
#define SESSIONS 3 /* for one record */

/* -- the session ---------------------------------------------------------------------------------
 */

static int call_by_name(cs_line *line, cs_error *error)
{
    const cs_env *env = &line->world->env;
    cs_buf t1 = {0};
    cs_buf t2 = {0};
    int rc = cs_caller_t1(line->caller, env, &t1, error);

    if (rc == CS_OK)
        rc = cs_peer_ask(&line->peer, "/v1/call", "T1", cs_view_buf(&t1), "T2", &t2, error);
    cs_world_tick(line->world);
    if (rc == CS_OK)
        rc = cs_caller_t2(line->caller, env, cs_view_buf(&t2), error);
    cs_buf_free(&t1);
    cs_buf_free(&t2);
    return rc;
}

static int call_as_nobody(cs_line *line, cs_error *error)
{
    const cs_env *env = &line->world->env;
    cs_buf t3 = {0};
    cs_buf t4 = {0};
    int rc = cs_caller_t3(line->caller, env, line->place, &t3, error);

    if (rc == CS_OK)
        rc = cs_peer_ask(&line->peer, "/v1/guest", "T3", cs_view_buf(&t3), "T4", &t4, error);
    cs_world_tick(line->world);
    if (rc == CS_OK)
        rc = cs_caller_t4(line->caller, env, cs_view_buf(&t4), error);
    cs_buf_free(&t3);
    cs_buf_free(&t4);
    return rc;
}

static int call(cs_line *line, cs_error *error)
{
    cs_op_counts before = cs_ops_of_thread();
    int rc;

    cs_world_tick(line->world);
    rc = line->place == NULL ? call_by_name(line, error) : call_as_nobody(line, error);
    line->session_ops = cs_ops_sum(line->session_ops, cs_ops_between(before, cs_ops_of_thread()));
    return rc;
}

int cs_line_open(cs_line *line, const cs_credential *cloud, const char *url, cs_error *error)
{
    int rc = cs_peer_open(&line->peer, url, cs_home_kind_name(line->actor->home->kind),
        "telecare cloud", line->log, error);

    cs_world_tick(line->world);
    if (rc == CS_OK)
        rc = cs_caller_new(&line->caller, &line->actor->party, &line->world->env, cloud, error);
    return rc == CS_OK ? call(line, error) : rc;
}

void cs_line_close(cs_line *line)
{
    cs_caller_free(&line->caller);
    cs_peer_close(&line->peer);
}

/* -- sending -------------------------------------------------------------------------------------
 */

/* One record on its way. */
typedef struct sending {
    cs_line *line;
    cs_writing *writing;
    cs_spool *const *contents;
    size_t count;
    size_t at; /* the content that is being read */
    uint8_t session[CS_SESSION_ID_SIZE];
    uint64_t blocks; /* sent so far */
    bool final;
    cs_buf body; /* of the piece in hand */
    cs_buf plain;
    cs_buf chunk;
    cs_progress progress;
} sending;

static bool is_away(int rc)
{
    return rc == CS_E_UNREACHABLE || rc == CS_E_TIMEOUT || rc == CS_E_TRUNCATED ||
           rc == CS_E_BUSY || rc == CS_E_NETWORK;
}

static void wait_s(unsigned seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};

    (void)nanosleep(&left, NULL);
}

/* The next bytes of the contents, over the ends of all but the last. */
static int read_plain(sending *out, size_t n, cs_error *error)
{
    size_t filled = 0;
    int rc;

    cs_buf_clear(&out->plain);
    rc = cs_buf_resize(&out->plain, n, error);
    while (rc == CS_OK && filled < n && out->at < out->count) {
        size_t got;

        rc = cs_spool_read(out->contents[out->at], out->plain.p + filled, n - filled, &got, error);
        filled += got;
        out->at += got == 0;
    }
    return rc == CS_OK ? cs_buf_resize(&out->plain, filled, error) : rc;
}

static int make_block(sending *out, bool last_of_piece, cs_error *error)
{
    size_t n = cs_writing_want(out->writing);
    int rc = read_plain(out, n, error);

    cs_buf_clear(&out->chunk);
    if (rc == CS_OK)
        rc = cs_writing_block(
            out->writing, cs_view_buf(&out->plain), &out->chunk, &out->final, error);
    if (rc == CS_OK)
        rc = cs_frame_put(&out->body, cs_view_buf(&out->chunk), last_of_piece || out->final, error);
    return rc;
}

static int make_piece(sending *out, cs_error *error)
{
    uint8_t head[CS_TELECARE_PIECE_HEAD_SIZE];
    unsigned n = 0;
    int rc;

    memcpy(head, out->session, CS_SESSION_ID_SIZE);
    for (size_t i = 0; i < 8; i++)
        head[CS_SESSION_ID_SIZE + i] = (uint8_t)(out->blocks >> (56 - 8 * i));
    cs_buf_clear(&out->body);
    rc = cs_frame_put(&out->body, CS_VIEW_ARRAY(head), false, error);
    for (; rc == CS_OK && n < CS_TELECARE_PIECE_BLOCKS && !out->final; n++)
        rc = make_block(out, n + 1 == CS_TELECARE_PIECE_BLOCKS, error);
    out->blocks += n;
    return rc;
}

/* The same bytes until there is an answer: what has come already is left out there. */
static int send_piece(sending *out, cs_frame_pair *u2, cs_error *error)
{
    int rc = CS_OK;

    for (unsigned i = 0; i < ATTEMPTS; i++) {
        if (i > 0)
            wait_s(1u << (i - 1));
        rc = cs_peer_frames(
            &out->line->peer, "/v1/blocks", "blocks", cs_view_buf(&out->body), "U2", u2, error);
        if (!is_away(rc))
            break;
    }
    return rc;
}

static int send_blocks(sending *out, cs_frame_pair *u2, cs_error *error)
{
    int rc = CS_OK;

    while (rc == CS_OK && !out->final) {
        uint64_t before = out->blocks;

        rc = make_piece(out, error);
        if (rc == CS_OK)
            rc = send_piece(out, u2, error);
        cs_progress_advance(&out->progress, (out->blocks - before) * CS_BLOCK_SIZE);
    }
    if (rc == CS_OK && u2->head.n == 0)
        rc = CS_FAIL(error, CS_E_PEER, "the telecare cloud gave no receipt for the record");
    return rc;
}

static int send_u1(sending *out, cs_error *error)
{
    cs_line *line = out->line;
    cs_frame_pair u1 = {0};
    cs_frame_pair none = {0};
    char label[32];
    int rc;

    cs_world_tick(line->world);
    rc = cs_writing_u1(
        out->writing, line->caller, &line->world->env, &u1.head, &u1.chunk, &u1.final, error);
    if (rc == CS_OK)
        rc = cs_head_session(cs_view_buf(&u1.head), out->session, label, error);
    cs_buf_clear(&out->body);
    if (rc == CS_OK)
        rc = cs_frame_pair_put(&out->body, &u1, error);
    if (rc == CS_OK)
        rc = cs_peer_frames(
            &line->peer, "/v1/upload", "U1", cs_view_buf(&out->body), "U1", &none, error);
    cs_frame_pair_free(&u1);
    cs_frame_pair_free(&none);
    return rc;
}

/* The whole record, in the session that there is. */
static int send_once(sending *out, cs_error *error)
{
    cs_line *line = out->line;
    cs_frame_pair u2 = {0};
    uint64_t total = 0;
    int rc = CS_OK;

    out->at = 0;
    out->blocks = 0;
    out->final = false;
    for (size_t i = 0; rc == CS_OK && i < out->count; i++) {
        rc = cs_spool_rewind(out->contents[i], error);
        total += out->contents[i]->size;
    }
    if (rc == CS_OK)
        rc = send_u1(out, error);
    cs_progress_start(&out->progress, line->progress_fd, "uploading", total);
    if (rc == CS_OK)
        rc = send_blocks(out, &u2, error);
    cs_progress_end(&out->progress);
    cs_world_tick(line->world);
    if (rc == CS_OK)
        rc = cs_writing_u2(out->writing, line->caller, &line->world->env, cs_view_buf(&u2.head),
            cs_view_buf(&u2.chunk), u2.final, error);
    cs_frame_pair_free(&u2);
    return rc;
}

int cs_line_send(
    cs_line *line, cs_writing *writing, cs_spool *const contents[], size_t count, cs_error *error)
{
    sending out = {.line = line, .writing = writing, .contents = contents, .count = count};
    int rc = send_once(&out, error);

    for (unsigned i = 1; rc == CS_E_NO_SESSION && i < SESSIONS; i++) {
        rc = call(line, error);
        if (rc == CS_OK)
            rc = send_once(&out, error);
    }
    cs_buf_free(&out.body);
    cs_buf_free(&out.plain);
    cs_buf_free(&out.chunk);
    return rc;
}

/* -- fetching ------------------------------------------------------------------------------------
 */

typedef struct receiving {
    cs_line *line;
    cs_episode *episode;
    cs_slot slot;
    cs_spool *into;
    cs_buf head;
    cs_buf content;
    cs_reading *reading;
    cs_progress progress;
} receiving;

static void show_progress(receiving *in)
{
    uint64_t total = 0;

    for (size_t i = 0; i < cs_reading_parts(in->reading); i++)
        total += cs_reading_part(in->reading, i)->size;
    cs_progress_start(&in->progress, in->line->progress_fd, "receiving", total);
}

static int take_frame(void *context, uint64_t index, cs_view content, bool final, cs_error *error)
{
    receiving *in = context;
    const cs_env *env = &in->line->world->env;
    int rc;

    cs_world_tick(in->line->world);
    if (index == 0)
        return cs_buf_set(&in->head, content, error);
    if (index == 1)
        return cs_episode_g2(&in->reading, in->episode, in->slot, in->line->caller, env,
            cs_view_buf(&in->head), content, final, error);
    cs_buf_clear(&in->content);
    rc = cs_reading_block(in->reading, env, content, final, &in->content, error);
    if (rc == CS_OK && index == 2)
        show_progress(in);
    if (rc == CS_OK)
        rc = cs_spool_write(in->into, cs_view_buf(&in->content), error);
    cs_progress_advance(&in->progress, in->content.n);
    return rc;
}

static int make_g1(receiving *in, cs_buf *body, cs_error *error)
{
    cs_frame_pair g1 = {.final = true};
    int rc;

    cs_world_tick(in->line->world);
    rc = cs_episode_g1(
        in->episode, in->slot, in->line->caller, &in->line->world->env, &g1.head, &g1.chunk, error);
    if (rc == CS_OK)
        rc = cs_frame_pair_put(body, &g1, error);
    cs_frame_pair_free(&g1);
    return rc;
}

int cs_line_fetch(cs_line *line, cs_episode *episode, cs_slot slot, cs_spool *into,
    cs_part parts[CS_SLOTS - 1], cs_error *error)
{
    receiving in = {
        .line = line, .episode = episode, .slot = slot, .into = into, .progress = {.fd = -1}};
    cs_buf body = {0};
    int rc = make_g1(&in, &body, error);

    if (rc == CS_OK)
        rc = cs_peer_stream(
            &line->peer, "/v1/fetch", "G1", cs_view_buf(&body), "G2", take_frame, &in, error);
    cs_progress_end(&in.progress);
    if (rc == CS_OK && in.reading == NULL)
        rc = CS_FAIL(error, CS_E_PEER, "the telecare cloud sent no record");
    for (size_t i = 0; rc == CS_OK && i < cs_reading_parts(in.reading); i++)
        parts[i] = *cs_reading_part(in.reading, i);
    if (rc == CS_OK)
        rc = cs_reading_finish(in.reading, error);
    cs_reading_free(&in.reading);
    cs_buf_free(&in.head);
    cs_buf_free(&in.content);
    cs_buf_free(&body);
    return rc;
}
