/* SPDX-License-Identifier: Apache-2.0 */
/* The telecare cloud's steps, with guests who do what they should not: what is refused, and that
 * nothing is left of it. */
#include "test.h"

#include "cast.h"
#include "soft_token.h"

#include "service/frames.h"
#include "service/telecare_cloud.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDS (CAST_START + 30 * 24 * CAST_HOUR)
#define CONTENT_SIZE 200000 /* four blocks */

static cast c;
static char dir[] = "/tmp/chartseal-telecare.XXXXXX";
static cs_home home = {.kind = CS_HOME_TELECARE, .id = "telecare.example"};
static cs_actor actor;
static cs_server server = {.home = &home, .actor = &actor};
static cs_worker worker;
static cs_worker writer;
static cs_telecare cloud = {.server = &server,
    .writing = PTHREAD_MUTEX_INITIALIZER,
    .leaving = PTHREAD_MUTEX_INITIALIZER,
    .writer = &writer};
static uint8_t content[CONTENT_SIZE];

static void path_of(char out[128], const char *name)
{
    (void)snprintf(out, 128, "%s/%s", dir, name);
}

static int set_up(void **state)
{
    char path[128];

    (void)state;
    cast_open(&c, CS_SUITE_ED25519, make_soft);
    cast_open_telecare(&c, make_soft);
    strcpy(dir, "/tmp/chartseal-telecare.XXXXXX");
    assert_non_null(mkdtemp(dir));
    actor.party = c.telecare.party;
    actor.storage = actor.party.storage = c.telecare.storage;
    actor.home = &home;
    server.role = &cloud;
    path_of(path, "audit.seal");
    assert_ok(cs_audit_new(&server.audit, c.telecare.storage, c.telecare.sign, path, error));
    path_of(path, "a.db");
    worker = (cs_worker){.server = &server, .world = {.env = c.telecare.env}};
    writer = worker;
    assert_ok(cs_store_open(&worker.store, path, error));
    assert_ok(cs_store_open(&writer.store, path, error));
    assert_ok(cs_sessions_new(&cloud.sessions, 0, CS_TELECARE_LIFE_MS, error));
    cloud.blocks_max = 100;
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 31 + i / 255);
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    cs_sessions_free(&cloud.sessions);
    cs_telecare_drop_left(&cloud);
    cs_store_close(&worker.store);
    cs_store_close(&writer.store);
    cs_audit_free(&server.audit);
    cast_close(&c);
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void at(int64_t now)
{
    cast_at(&c, now);
    worker.world.env.now = now;
}

static uint64_t rows(const char *table)
{
    uint64_t count = 0;

    assert_ok(cs_store_count(worker.store, table, &count, error));
    return count;
}

/* -- a guest -------------------------------------------------------------------------------------
 */

static int ask(cs_step *step, cs_view body, cs_buf *answer, cs_error *why)
{
    cs_decision decision = {.action = "test"};
    cs_http_answer out = {0};
    int rc = step(&server, &worker, body, &decision, &out, why);

    cs_buf_clear(answer);
    if (rc == CS_OK)
        assert_ok(cs_buf_append(answer, cs_view_buf(&out.body), error));
    while (rc == CS_OK && out.read != NULL) {
        bool end = false;

        rc = out.read(out.context, &worker, answer, &end, why);
        if (end)
            break;
    }
    if (out.release != NULL)
        out.release(out.context);
    cs_buf_free(&out.body);
    return rc;
}

static int call(cs_caller **caller, cast_actor *who, const uint8_t *place, cs_error *why)
{
    cs_buf sent = {0};
    cs_buf answer = {0};
    int rc;

    cs_caller_free(caller);
    assert_ok(cs_caller_new(caller, &who->party, &who->env, &c.telecare.credential, error));
    if (place == NULL)
        assert_ok(cs_caller_t1(*caller, &who->env, &sent, error));
    else
        assert_ok(cs_caller_t3(*caller, &who->env, place, &sent, error));
    rc = ask(place == NULL ? cs_telecare_t1 : cs_telecare_t3, cs_view_buf(&sent), &answer, why);
    if (rc == CS_OK)
        rc = place == NULL ? cs_caller_t2(*caller, &who->env, cs_view_buf(&answer), why)
                           : cs_caller_t4(*caller, &who->env, cs_view_buf(&answer), why);
    cs_buf_free(&sent);
    cs_buf_free(&answer);
    return rc;
}

static int send_u1(cs_writing *writing, cs_caller *caller, cast_actor *who,
    uint8_t session[CS_SESSION_ID_SIZE], cs_error *why)
{
    cs_frame_pair u1 = {0};
    cs_buf body = {0};
    cs_buf answer = {0};
    char label[32];
    int rc = cs_writing_u1(writing, caller, &who->env, &u1.head, &u1.chunk, &u1.final, why);

    if (rc == CS_OK) {
        assert_ok(cs_head_session(cs_view_buf(&u1.head), session, label, error));
        assert_ok(cs_frame_pair_put(&body, &u1, error));
        rc = ask(cs_telecare_u1, cs_view_buf(&body), &answer, why);
    }
    assert_int_equal(answer.n, 0);
    cs_frame_pair_free(&u1);
    cs_buf_free(&body);
    cs_buf_free(&answer);
    return rc;
}

static void begin_piece(cs_buf *body, const uint8_t session[CS_SESSION_ID_SIZE], uint64_t first)
{
    uint8_t head[CS_TELECARE_PIECE_HEAD_SIZE];

    memcpy(head, session, CS_SESSION_ID_SIZE);
    for (size_t i = 0; i < 8; i++)
        head[CS_SESSION_ID_SIZE + i] = (uint8_t)(first >> (56 - 8 * i));
    cs_buf_clear(body);
    assert_ok(cs_frame_put(body, CS_VIEW_ARRAY(head), false, error));
}

/* One block of the writing into the piece; true when it was the last of all. */
static bool add_block(cs_buf *body, cs_writing *writing, size_t *used, bool last_of_piece)
{
    size_t n = cs_writing_want(writing);
    cs_buf chunk = {0};
    bool final = false;

    assert_ok(cs_writing_block(writing, (cs_view){content + *used, n}, &chunk, &final, error));
    assert_ok(cs_frame_put(body, cs_view_buf(&chunk), last_of_piece || final, error));
    *used += n;
    cs_buf_free(&chunk);
    return final;
}

static cs_content about(size_t size)
{
    cs_content out = {.media_type = "application/octet-stream", .size = size};

    assert_ok(cs_hash(out.hash, (cs_view){content, size}, error));
    return out;
}

static void open_episode(cs_episode **episode, cs_writing **writing, size_t size)
{
    const cs_content content_of_it = about(size);
    const cs_hup_input input = {.credential_p = cs_credential_view(&c.patient.credential),
        .credential_d = cs_credential_view(&c.doctor.credential),
        .cert_d = c.doctor.party.certificate,
        .credential_c = cs_credential_view(&c.telecare.credential),
        .url = "https://telecare.example",
        .ends = ENDS};

    assert_ok(cs_hup_new(
        episode, writing, &c.hospital.party, &c.hospital.env, &input, &content_of_it, error));
}

/* The whole of an upload, a piece for each block; or the error that the cloud gives. */
static int upload(cs_writing *writing, cs_caller *caller, cast_actor *who, cs_error *why)
{
    uint8_t session[CS_SESSION_ID_SIZE];
    cs_frame_pair u2 = {0};
    cs_buf body = {0};
    cs_buf answer = {0};
    uint64_t blocks = 0;
    size_t used = 0;
    bool final = false;
    int rc = send_u1(writing, caller, who, session, why);

    while (rc == CS_OK && !final) {
        begin_piece(&body, session, blocks++);
        final = add_block(&body, writing, &used, true);
        rc = ask(cs_telecare_blocks, cs_view_buf(&body), &answer, why);
        if (rc == CS_OK && !final)
            assert_int_equal(answer.n, 0);
    }
    if (rc == CS_OK)
        rc = cs_frame_pair_read(&u2, cs_view_buf(&answer), why);
    if (rc == CS_OK)
        rc = cs_writing_u2(writing, caller, &who->env, cs_view_buf(&u2.head),
            cs_view_buf(&u2.chunk), u2.final, why);
    cs_frame_pair_free(&u2);
    cs_buf_free(&body);
    cs_buf_free(&answer);
    return rc;
}

static int fetch(cs_episode *episode, cs_slot slot, cs_caller *caller, cast_actor *who,
    cs_buf *answer, cs_error *why)
{
    cs_frame_pair g1 = {.final = true};
    cs_buf body = {0};
    int rc = cs_episode_g1(episode, slot, caller, &who->env, &g1.head, &g1.chunk, why);

    if (rc == CS_OK) {
        assert_ok(cs_frame_pair_put(&body, &g1, error));
        rc = ask(cs_telecare_g1, cs_view_buf(&body), answer, why);
    }
    cs_frame_pair_free(&g1);
    cs_buf_free(&body);
    return rc;
}

/* An upload of four blocks that waits for its first, in a session of the hospital's. */
typedef struct begun {
    cs_episode *episode;
    cs_writing *writing;
    cs_caller *caller;
    uint8_t session[CS_SESSION_ID_SIZE];
    size_t used;
    cs_buf body;
    cs_buf answer;
} begun;

static void begin(begun *b)
{
    *b = (begun){0};
    open_episode(&b->episode, &b->writing, CONTENT_SIZE);
    assert_ok(call(&b->caller, &c.hospital, NULL, error));
    assert_ok(send_u1(b->writing, b->caller, &c.hospital, b->session, error));
}

static void end(begun *b)
{
    cs_writing_free(&b->writing);
    cs_episode_free(&b->episode);
    cs_caller_free(&b->caller);
    cs_buf_free(&b->body);
    cs_buf_free(&b->answer);
}

/* The session is over, and nothing is there that was not before. */
static void expect_nothing_left(begun *b)
{
    begin_piece(&b->body, b->session, 0);
    assert_ok(cs_frame_put(&b->body, cs_view_str("x"), true, error));
    assert_fails(
        CS_E_NO_SESSION, ask(cs_telecare_blocks, cs_view_buf(&b->body), &b->answer, error));
    cs_telecare_drop_left(&cloud);
    assert_int_equal(rows("place"), 0);
    assert_int_equal(rows("record"), 0);
    end(b);
}

/* -- the tests -----------------------------------------------------------------------------------
 */

static void test_sent_twice(void **state)
{
    cs_frame_pair u2 = {0};
    cs_buf first = {0};
    begun b;

    (void)state;
    begin(&b);
    begin_piece(&b.body, b.session, 0);
    (void)add_block(&b.body, b.writing, &b.used, false);
    (void)add_block(&b.body, b.writing, &b.used, true);
    for (int i = 0; i < 3; i++) {
        assert_ok(ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
        assert_int_equal(b.answer.n, 0);
    }
    assert_int_equal(rows("place"), 0); /* until all of it is there */
    begin_piece(&b.body, b.session, 2);
    (void)add_block(&b.body, b.writing, &b.used, false);
    assert_true(add_block(&b.body, b.writing, &b.used, true));
    assert_ok(ask(cs_telecare_blocks, cs_view_buf(&b.body), &first, error));
    assert_int_equal(rows("place"), CS_SLOTS);
    /* the same U2 for who did not get it */
    assert_ok(ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    assert_true(first.n > 0 && cs_view_equal(cs_view_buf(&first), cs_view_buf(&b.answer)));
    assert_int_equal(rows("record"), 1);
    assert_ok(cs_frame_pair_read(&u2, cs_view_buf(&first), error));
    assert_ok(cs_writing_u2(b.writing, b.caller, &c.hospital.env, cs_view_buf(&u2.head),
        cs_view_buf(&u2.chunk), u2.final, error));
    cs_frame_pair_free(&u2);
    cs_buf_free(&first);
    end(&b);
}

static void test_bad_pieces(void **state)
{
    static const uint8_t nobody[CS_SESSION_ID_SIZE];
    begun b;

    (void)state;
    /* one is missing */
    begin(&b);
    begin_piece(&b.body, b.session, 1);
    (void)add_block(&b.body, b.writing, &b.used, true);
    assert_fails(CS_E_ORDER, ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    expect_nothing_left(&b);
    /* altered */
    begin(&b);
    begin_piece(&b.body, b.session, 0);
    (void)add_block(&b.body, b.writing, &b.used, true);
    b.body.p[b.body.n - 1] ^= 1;
    assert_fails(CS_E_DECRYPT, ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    expect_nothing_left(&b);
    /* not at its place */
    begin(&b);
    begin_piece(&b.body, b.session, 0);
    (void)add_block(&b.body, b.writing, &b.used, true);
    begin_piece(&b.body, b.session, 0);
    (void)add_block(&b.body, b.writing, &b.used, true);
    assert_fails(CS_E_DECRYPT, ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    expect_nothing_left(&b);
    /* more than there are */
    begin(&b);
    begin_piece(&b.body, b.session, 0);
    while (!add_block(&b.body, b.writing, &b.used, false))
        continue;
    b.body.p[4 + CS_TELECARE_PIECE_HEAD_SIZE] &= 0x7f;
    b.body.p[b.body.n - CS_CHUNK_SEALED_MAX - 4] &= 0x7f; /* not the end after all */
    assert_ok(cs_frame_put(&b.body, cs_view_str("more"), true, error));
    assert_fails(CS_E_MALFORMED, ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    expect_nothing_left(&b);
    /* cut */
    begin(&b);
    begin_piece(&b.body, b.session, 0);
    (void)add_block(&b.body, b.writing, &b.used, true);
    b.body.n -= 10;
    assert_fails(CS_E_TRUNCATED, ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    expect_nothing_left(&b);
    /* of nobody, of no form */
    begin(&b);
    begin_piece(&b.body, nobody, 0);
    assert_ok(cs_frame_put(&b.body, cs_view_str("x"), true, error));
    assert_fails(CS_E_NO_SESSION, ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    cs_buf_clear(&b.body);
    assert_ok(cs_frame_put(&b.body, cs_view_str("short"), false, error));
    assert_fails(CS_E_MALFORMED, ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    assert_fails(CS_E_TRUNCATED, ask(cs_telecare_blocks, (cs_view){0}, &b.answer, error));
    assert_fails(CS_E_TRUNCATED, ask(cs_telecare_u1, cs_view_str("x"), &b.answer, error));
    end(&b);
}

static void test_given_up(void **state)
{
    begun b;

    (void)state;
    begin(&b);
    begin_piece(&b.body, b.session, 0);
    (void)add_block(&b.body, b.writing, &b.used, true);
    assert_ok(ask(cs_telecare_blocks, cs_view_buf(&b.body), &b.answer, error));
    at(CAST_START + CS_TELECARE_IDLE_MS);
    cs_sessions_sweep(cloud.sessions, worker.world.env.now, CS_TELECARE_IDLE_MS);
    expect_nothing_left(&b);
    /* and begun anew in its own session: what came before goes */
    begin(&b);
    assert_ok(send_u1(b.writing, b.caller, &c.hospital, b.session, error));
    cs_telecare_drop_left(&cloud);
    assert_int_equal(cloud.left_count, 0);
    end(&b);
}

static void test_who_may(void **state)
{
    const uint8_t unknown[CS_PLACE_SIZE] = {1};
    cs_episode *episode = NULL;
    cs_episode *at_patient = NULL;
    cs_writing *writing = NULL;
    cs_writing *second = NULL;
    cs_caller *caller = NULL;
    const cs_content small = about(1000);
    cs_buf letter = {0};
    cs_buf answer = {0};

    (void)state;
    open_episode(&episode, &writing, 1000);
    assert_fails(CS_E_NOT_FOUND, call(&caller, &c.patient, unknown, error));
    /* a report is not for a doctor to bring, not even for one who has its token */
    assert_ok(call(&caller, &c.doctor, NULL, error));
    assert_fails(CS_E_POLICY, upload(writing, caller, &c.doctor, error));
    assert_int_equal(rows("place"), 0);
    assert_ok(call(&caller, &c.hospital, NULL, error));
    assert_ok(upload(writing, caller, &c.hospital, error));
    /* a hospital fetches nothing, be it the episode's own or another */
    assert_fails(CS_E_POLICY, fetch(episode, CS_SLOT_REPORT, caller, &c.hospital, &answer, error));
    assert_ok(call(&caller, &c.other_hospital, NULL, error));
    assert_fails(
        CS_E_POLICY, fetch(episode, CS_SLOT_REPORT, caller, &c.other_hospital, &answer, error));
    assert_ok(cs_hup_letter(episode, CS_ROLE_PATIENT, &letter, error));
    assert_ok(cs_episode_open(
        &at_patient, &c.patient.party, &c.patient.env, cs_view_buf(&letter), error));
    assert_ok(call(&caller, &c.patient, cs_episode_place(at_patient, CS_SLOT_REPORT), error));
    assert_ok(fetch(at_patient, CS_SLOT_REPORT, caller, &c.patient, &answer, error));
    assert_true(answer.n > CS_BLOCK_SIZE);
    assert_fails(CS_E_ORDER, cs_pup_new(&second, at_patient, &c.patient.env, &small, error));
    cs_writing_free(&second);
    cs_writing_free(&writing);
    cs_episode_free(&episode);
    cs_episode_free(&at_patient);
    cs_caller_free(&caller);
    cs_buf_free(&letter);
    cs_buf_free(&answer);
}

/* The hospital's own writing, begun again when it is there already: by two sessions at once. */
static void test_written_once(void **state)
{
    cs_caller *other = NULL;
    begun b;

    (void)state;
    begin(&b);
    assert_ok(call(&other, &c.hospital, NULL, error));
    assert_ok(upload(b.writing, other, &c.hospital, error)); /* the first is left where it was */
    assert_int_equal(rows("record"), 1);
    cs_writing_free(&b.writing);
    cs_caller_free(&other);
    end(&b);
}

static void test_limit_and_end(void **state)
{
    cs_episode *episode = NULL;
    cs_writing *writing = NULL;
    cs_caller *caller = NULL;
    cs_buf answer = {0};

    (void)state;
    open_episode(&episode, &writing, CONTENT_SIZE);
    assert_ok(call(&caller, &c.hospital, NULL, error));
    cloud.blocks_max = 3;
    assert_fails(CS_E_TOO_LARGE, upload(writing, caller, &c.hospital, error));
    cloud.blocks_max = 4;
    assert_ok(call(&caller, &c.hospital, NULL, error));
    assert_ok(upload(writing, caller, &c.hospital, error));
    at(ENDS + CAST_HOUR);
    assert_fails(
        CS_E_EXPIRED, call(&caller, &c.patient, cs_episode_place(episode, CS_SLOT_REPORT), error));
    cs_writing_free(&writing);
    cs_episode_free(&episode);
    cs_caller_free(&caller);
    cs_buf_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sent_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_written_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit_and_end, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
