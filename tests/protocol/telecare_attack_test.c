/* SPDX-License-Identifier: Apache-2.0 */
/* The faults of L18 and the claims of its abstract: each attack carried out by somebody who has
 * what that attacker has. docs/protocol.md, section 13, has the list. */
#include "protocol/common.h"
#include "protocol/envelope.h"
#include "protocol/session.h"
#include "protocol/telecare.h"
#include "telecare_stage.h"

#include <stdlib.h>
#include <string.h>

/* -- who listens ---------------------------------------------------------------------------------
 */

#define HEARD_MAX 128

/* All messages of a run: their sizes, and what in them is not form (labels, suite, time). */
typedef struct ear {
    const char *only; /* of these procedures, or NULL */
    size_t sizes[HEARD_MAX];
    size_t count;
    cs_buf all;
    cs_buf opaque;
    cs_buf t1, t2, t3, t4, g1_head, g1, u1_head, u1_first; /* the last of each */
} ear;

static void keep(cs_buf *where, const char *suffix, const char *name, const cs_buf *message)
{
    size_t n = strlen(name);

    if (n >= strlen(suffix) && strcmp(name + n - strlen(suffix), suffix) == 0)
        assert_ok(cs_buf_set(where, cs_view_buf(message), error));
}

/* Of an envelope enc and ct, of a reply ct, of a head the session; of a chunk all. */
static void hear_opaque(ear *e, cs_view bytes)
{
    static const char *const heads[] = {
        "chartseal/1 U1", "chartseal/1 U2", "chartseal/1 G1", "chartseal/1 G2"};
    static const char *const envelopes[] = {"chartseal/1 T1", "chartseal/1 T2", "chartseal/1 T3"};
    cs_session_head head;
    cs_envelope envelope;
    cs_reply reply;

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (cs_decode_as(&cs_session_head_schema, heads[i], &head, bytes, NULL) == CS_OK) {
            assert_ok(cs_buf_append(&e->opaque, head.session, error));
            return;
        }
    }
    for (size_t i = 0; i < sizeof envelopes / sizeof envelopes[0]; i++) {
        if (cs_decode_as(&cs_envelope_schema, envelopes[i], &envelope, bytes, NULL) == CS_OK) {
            assert_ok(cs_buf_append(&e->opaque, envelope.enc, error));
            assert_ok(cs_buf_append(&e->opaque, envelope.ct, error));
            return;
        }
    }
    if (cs_decode_as(&cs_reply_schema, "chartseal/1 T4", &reply, bytes, NULL) == CS_OK)
        bytes = reply.ct;
    assert_ok(cs_buf_append(&e->opaque, bytes, error));
}

static void listen_in(void *context, const char *name, cs_buf *message, bool *final)
{
    ear *e = context;

    (void) final;
    if (strncmp(name, "letter", 6) == 0) /* handed over by H, not sent */
        return;
    if (e->only != NULL && strncmp(name, e->only, strlen(e->only)) != 0)
        return;
    assert_true(e->count < HEARD_MAX);
    e->sizes[e->count++] = message->n;
    assert_ok(cs_buf_append(&e->all, cs_view_buf(message), error));
    hear_opaque(e, cs_view_buf(message));
    keep(&e->t1, " T1", name, message);
    keep(&e->t2, " T2", name, message);
    keep(&e->t3, " T3", name, message);
    keep(&e->t4, " T4", name, message);
    keep(&e->g1_head, " G1 head", name, message);
    keep(&e->g1, " G1", name, message);
    keep(&e->u1_head, " U1 head", name, message);
    keep(&e->u1_first, " U1 first", name, message);
}

static void lend_ear(telecare_play *play, ear *e)
{
    play->tamper = listen_in;
    play->tamper_context = e;
}

static void forget_heard(ear *e)
{
    cs_buf *all[] = {&e->all, &e->opaque, &e->t1, &e->t2, &e->t3, &e->t4, &e->g1_head, &e->g1,
        &e->u1_head, &e->u1_first};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        cs_buf_free(all[i]);
    e->count = 0;
}

#define WINDOW 8 /* by chance 8 bytes are the same once in 2^64 pairs */

static int compare_windows(const void *a, const void *b)
{
    return memcmp(a, b, WINDOW);
}

/* Whether 8 bytes of one stand anywhere in the other. */
static bool share(cs_view a, cs_view b)
{
    size_t n = a.n < WINDOW ? 0 : a.n - WINDOW + 1;
    uint8_t *windows;
    bool found = false;

    assert_true(n > 0 && b.n >= WINDOW); /* nothing was compared, else */
    windows = calloc(n + 1, WINDOW);
    assert_non_null(windows);
    for (size_t i = 0; i < n; i++)
        memcpy(windows + i * WINDOW, a.p + i, WINDOW);
    qsort(windows, n, WINDOW, compare_windows);
    for (size_t i = 0; !found && i + WINDOW <= b.n; i++)
        found = bsearch(b.p + i, windows, n, WINDOW, compare_windows) != NULL;
    free(windows);
    return found;
}

static bool share_bufs(const cs_buf *a, const cs_buf *b)
{
    return share(cs_view_buf(a), cs_view_buf(b));
}

/* What lies on the cloud's disk, all of it. */
static void read_disk(const telecare_play *play, cs_buf *out)
{
    for (size_t i = 0; i < play->row_count; i++) {
        assert_ok(cs_buf_append(out, CS_VIEW_ARRAY(play->rows[i].key), error));
        assert_ok(cs_buf_append(out, cs_view_buf(&play->rows[i].value), error));
        assert_ok(cs_buf_append(out, cs_view_buf(&play->rows[i].blocks), error));
    }
}

static void run_whole(telecare_play *play)
{
    assert_ok(telecare_run(play, error));
    assert_ok(telecare_read_copy(play, error));
}

/* -- anonymity and unlinkability -----------------------------------------------------------------
 */

/* Nothing that goes over the line, that the cloud opens or that it keeps has anything of the
 * patient, or anything that was signed: a guess could be tested by it. */
static void test_patient_anonymity(void **state)
{
    const cs_credential *patient = &c.patient.credential;
    cs_buf disk = {0};
    cs_signed statement;
    ear e = {0};

    (void)state;
    lend_ear(&p, &e);
    run_whole(&p);
    read_disk(&p, &disk);
    assert_ok(cs_decode(&cs_signed_schema, &statement,
        cs_view_buf(&cs_episode_part_of(p.at_patient, CS_SLOT_MEASUREMENT)->statement), error));
    {
        const cs_view traces[] = {cs_view_str(c.patient.id), CS_VIEW_ARRAY(patient->puk_sign),
            CS_VIEW_ARRAY(patient->puk_decrypt), CS_VIEW_ARRAY(patient->binding),
            cs_point_view(&patient->y), cs_point_view(&patient->r1), statement.signature,
            CS_VIEW_ARRAY(p.at_patient->id)};
        const cs_buf *seen[] = {&e.all, &p.seen_of_named, &p.seen_of_nobody, &disk};

        for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
            for (size_t j = 0; j < sizeof seen / sizeof seen[0]; j++)
                assert_false(share(traces[i], cs_view_buf(seen[j])));
        }
        /* of who calls by name the cloud knows it, and the line does not */
        assert_true(share(cs_view_str(c.doctor.id), cs_view_buf(&p.seen_of_named)));
        assert_false(share(cs_view_str(c.doctor.id), cs_view_buf(&e.all)));
        assert_false(share(cs_view_str(c.hospital.id), cs_view_buf(&e.all)));
    }
    cs_buf_free(&disk);
    forget_heard(&e);
}

/* Two runs, of the same patient or of two: to who listens and to the cloud one is as the other. */
static void compare_runs(cast_actor *first, cast_actor *second, bool *shared, bool *sizes_differ)
{
    cs_buf disks[2] = {{0}};
    ear ears[2] = {{0}};

    p.patient = first;
    q.patient = second;
    lend_ear(&p, &ears[0]);
    lend_ear(&q, &ears[1]);
    cast_at(&c, CAST_START);
    run_whole(&p);
    cast_at(&c, CAST_START + 5 * CAST_HOUR + 123);
    run_whole(&q);
    read_disk(&p, &disks[0]);
    read_disk(&q, &disks[1]);
    *shared = share_bufs(&ears[0].opaque, &ears[1].opaque) ||
              share_bufs(&p.seen_of_nobody, &q.seen_of_nobody) || share_bufs(&disks[0], &disks[1]);
    *sizes_differ = ears[0].count != ears[1].count || disks[0].n != disks[1].n ||
                    p.seen_of_nobody.n != q.seen_of_nobody.n ||
                    p.seen_of_named.n != q.seen_of_named.n;
    for (size_t i = 0; !*sizes_differ && i < ears[0].count; i++)
        *sizes_differ = ears[0].sizes[i] != ears[1].sizes[i];
    for (size_t i = 0; i < 2; i++) {
        forget_heard(&ears[i]);
        cs_buf_free(&disks[i]);
    }
    telecare_forget(&p);
    telecare_forget(&q);
}

static void test_unlinkability(void **state)
{
    bool shared = true;
    bool sizes_differ = true;

    (void)state;
    compare_runs(&c.patient, &c.patient, &shared, &sizes_differ);
    assert_false(shared || sizes_differ);
    compare_runs(&c.patient, &c.other_patient, &shared, &sizes_differ);
    assert_false(shared || sizes_differ);
    /* other contents, as long as they are of one step; the letters do not pass the cloud */
    q.report.n = 20000;
    q.measurement.n = 100000;
    compare_runs(&c.patient, &c.other_patient, &shared, &sizes_differ);
    assert_false(shared || sizes_differ);
    /* a step further it shows: the test can tell */
    q.measurement.n = 140000;
    compare_runs(&c.patient, &c.patient, &shared, &sizes_differ);
    assert_false(shared);
    assert_true(sizes_differ);
}

/* The same for who stole the cloud's disk, with what was on it at two times: rows of one episode
 * have nothing in common either, nor with the places that readers know. */
static void test_disk_alone(void **state)
{
    (void)state;
    run_whole(&p);
    for (size_t i = 0; i < p.row_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_false(share_bufs(&p.rows[i].value, &p.rows[j].value));
            assert_false(share_bufs(&p.rows[i].blocks, &p.rows[j].blocks));
        }
        for (cs_slot slot = CS_SLOT_REPORT; slot <= CS_SLOT_COPY; slot++) {
            const cs_view place = {cs_episode_place(p.at_patient, slot), CS_PLACE_SIZE};

            assert_false(share(place, CS_VIEW_ARRAY(p.rows[i].key)));
            assert_false(share(place, cs_view_buf(&p.rows[i].value)));
        }
    }
}

/* L18: the second message of PUP is the same in every run, so it links them and can be sent again.
 * Here a patient fetches the same report twice. */
static void test_second_message_of_pup(void **state)
{
    ear ears[2] = {{.only = "PUP"}, {.only = "PUP"}};
    telecare_line line;
    cs_guest guest;
    uint8_t place[CS_PLACE_SIZE];
    uint64_t slot;

    (void)state;
    assert_ok(telecare_hup(&p, error));
    for (size_t i = 0; i < 2; i++) {
        cast_at(&c, CAST_START + (int64_t)i);
        lend_ear(&p, &ears[i]);
        cs_buf_clear(&p.report_at_p);
        assert_ok(telecare_call(&p, &line, "PUP", &c.patient, p.at_patient, error));
        assert_ok(telecare_fetch(&p, &line, p.at_patient, CS_SLOT_REPORT, &p.report_at_p, error));
        if (i == 0)
            telecare_hang_up(&line);
    }
    assert_int_equal(ears[0].count, ears[1].count);
    assert_memory_equal(ears[0].sizes, ears[1].sizes, sizeof ears[0].sizes);
    assert_false(share_bufs(&ears[0].opaque, &ears[1].opaque));
    /* sent again: the beginning, and what follows it, in the session of today */
    assert_fails(CS_E_REPLAY,
        cs_guest_t3(&guest, &c.telecare.party, &c.telecare.env, cs_view_buf(&ears[0].t3), error));
    assert_fails(CS_E_NO_SESSION,
        cs_guest_g1(line.session, &c.telecare.env, &line.guest, cs_view_buf(&ears[0].g1_head),
            cs_view_buf(&ears[0].g1), true, &slot, place, error));
    telecare_hang_up(&line);
    forget_heard(&ears[0]);
    forget_heard(&ears[1]);
}

/* -- guessing ------------------------------------------------------------------------------------
 */

/* What L18 shows as S3, in short: a hash of NID and of what is known. */
static void l18_s3(uint8_t s3[CS_HASH_SIZE], uint8_t key[CS_HASH_SIZE], const char *nid)
{
    assert_ok(cs_hmac(s3, cs_view_str("S3"), cs_view_str(nid), error));
    assert_ok(cs_hmac(key, cs_view_str("SK"), cs_view_str(nid), error));
}

/* Does this key, or place, or token, fit anything that was heard or is stored? */
static bool fits(const ear *e, const uint8_t guess[32])
{
    static const char *const labels[] = {"", "chartseal/1 reply", "chartseal/1 from i",
        "chartseal/1 from j", "chartseal/1 row key", "chartseal/1 record key"};
    const cs_episode *episode = p.at_patient;
    bool found = false;

    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        const cs_view head = cs_view_buf(&e->u1_head);
        uint8_t key[32];
        uint8_t place[CS_PLACE_SIZE];
        cs_stream *stream = NULL;
        cs_buf plain = {0};
        cs_ct4 ct4;
        uint64_t time;

        memcpy(key, guess, sizeof key);
        if (labels[i][0] != '\0')
            assert_ok(cs_hkdf_expand(
                key, sizeof key, (cs_view){guess, 32}, cs_view_str(labels[i]), error));
        found =
            found || cs_reply_open("chartseal/1 T4", key, c.suite, &c.patient.env,
                         cs_view_buf(&e->t4), &cs_ct4_schema, &ct4, &plain, &time, NULL) == CS_OK;
        assert_ok(cs_stream_new(&stream, key, head, error));
        found = found ||
                cs_stream_open(stream, &plain, cs_view_buf(&e->u1_first), false, NULL) == CS_OK;
        for (cs_slot slot = CS_SLOT_REPORT; slot <= CS_SLOT_COPY; slot++) {
            const uint8_t *there = cs_episode_place(episode, slot);
            const telecare_row *row = telecare_row_of(&p, there);

            assert_ok(cs_place_of(place, slot, key, error));
            found = found || memcmp(place, there, CS_PLACE_SIZE) == 0 ||
                    memcmp(key, there, CS_PLACE_SIZE) == 0 ||
                    cs_chunk_open(&plain, key, (cs_view){there, CS_PLACE_SIZE}, 0,
                        row->blocks.n == CS_BLOCK_SIZE, (cs_view){row->blocks.p, CS_BLOCK_SIZE},
                        NULL) == CS_OK;
        }
        cs_stream_free(&stream);
        cs_buf_free(&plain);
    }
    return found;
}

/* L18: NID can be guessed offline from S3, and gives the session key. Whoever listens has here the
 * identities of all, their credentials, and the whole traffic with the cloud's disk. */
static void test_offline_guess(void **state)
{
    static const char *const guesses[] = {"patient-0815", "patient-4711", "dr-lindqvist",
        "hospital-north", "telecare-cloud", "pc.example", "https://telecare.example"};
    const size_t count = sizeof guesses / sizeof guesses[0];
    uint8_t s3[CS_HASH_SIZE];
    uint8_t sk[CS_HASH_SIZE];
    ear e = {.only = "PUP"};

    (void)state;
    /* the attack as such is right: of L18's S3 it finds NID and the key */
    l18_s3(s3, sk, c.patient.id);
    for (size_t i = 0; i < count; i++) {
        uint8_t tried[CS_HASH_SIZE];
        uint8_t key[CS_HASH_SIZE];

        l18_s3(tried, key, guesses[i]);
        assert_int_equal(memcmp(tried, s3, sizeof s3) == 0, strcmp(guesses[i], c.patient.id) == 0);
        assert_int_equal(memcmp(key, sk, sizeof sk) == 0, strcmp(guesses[i], c.patient.id) == 0);
    }
    lend_ear(&p, &e);
    assert_ok(telecare_run(&p, error));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            uint8_t guess[CS_HASH_SIZE];

            assert_ok(cs_hmac(guess, cs_view_str(guesses[i]), cs_view_str(guesses[j]), error));
            assert_false(fits(&e, guess));
            assert_ok(cs_hash(guess, cs_view_str(guesses[i]), error));
            assert_false(fits(&e, guess));
        }
    }
    assert_false(fits(&e, c.patient.credential.binding));
    assert_false(fits(&e, c.patient.credential.puk_decrypt + 1));
    /* who knows one thing that was not to be guessed finds it: the test can tell */
    assert_true(fits(&e, p.at_doctor->secrets->report_key));
    assert_true(fits(&e, p.at_patient->secrets->tokens[CS_SLOT_COPY - 1]));
    forget_heard(&e);
}

/* -- revelation ----------------------------------------------------------------------------------
 */

/* The cloud, with its keys and all it has seen, and everybody who is not invited. */
static void test_no_revelation(void **state)
{
    const cast_actor *others[] = {
        &c.telecare, &c.pc, &c.hospital, &c.other_hospital, &c.other_doctor, &c.other_patient};
    cs_buf disk = {0};
    ear e = {0};

    (void)state;
    lend_ear(&p, &e);
    run_whole(&p);
    read_disk(&p, &disk);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(telecare_try(&p, others[i], NULL), 0);
    /* all that the cloud sees of 32 bytes, tried as a key */
    for (size_t at = 0; at + 32 <= p.seen_of_nobody.n && at < 1000; at++)
        assert_int_equal(telecare_try(&p, NULL, p.seen_of_nobody.p + at), 0);
    for (cs_slot slot = CS_SLOT_REPORT; slot <= CS_SLOT_COPY; slot++)
        assert_int_equal(telecare_try(&p, NULL, p.at_hospital->secrets->tokens[slot - 1]), 0);
    {
        const cs_view contents[] = {{p.report.p, 32}, {p.measurement.p + 500, 32},
            {p.measurement.p + 65800, 32}, {p.diagnosis.p, 20}};
        const cs_buf *seen[] = {&e.all, &p.seen_of_named, &p.seen_of_nobody, &disk};

        for (size_t i = 0; i < 4; i++) {
            for (size_t j = 0; j < 4; j++)
                assert_false(share(contents[i], cs_view_buf(seen[j])));
        }
    }
    cs_buf_free(&disk);
    forget_heard(&e);
}

/* L18 has no forward secrecy. Whoever recorded the traffic and later gets every long-term key there
 * is opens T1 to T4; but r_X and r_C are gone, and he cannot agree on C again. */
static void check_recorded(const ear *e, bool nobody, const cast_actor *caller)
{
    const cs_party *cloud = &c.telecare.party;
    cs_guest guest;
    cs_session *session = NULL;
    cs_upload upload;
    uint8_t place[CS_PLACE_SIZE];
    cs_bulk *bulk = NULL;
    cs_buf opened = {0};
    cs_buf plain = {0};
    cs_buf t2 = {0};
    cs_ct4 ct4;
    uint64_t time;
    int rc;

    c.telecare.memory.seen_count = 0; /* he has the keys, and asks nobody */
    if (nobody) {
        assert_ok(cs_guest_t3(&guest, cloud, &c.telecare.env, cs_view_buf(&e->t3), error));
        assert_ok(cs_reply_open("chartseal/1 T4", guest.reply_secret, c.suite, &c.patient.env,
            cs_view_buf(&e->t4), &cs_ct4_schema, &ct4, &opened, &time, error));
        assert_ok(cs_guest_t4(cloud, &c.telecare.env, &guest, &t2, &session, error));
    } else {
        cs_stream *stream = NULL;
        cs_ct2 ct2;

        assert_ok(cs_guest_t1(&guest, cloud, &c.telecare.env, cs_view_buf(&e->t1), error));
        assert_ok(cs_envelope_open("chartseal/1 T2", &caller->party, &caller->env,
            cs_view_buf(&e->t2), &cs_ct2_schema, &ct2, &opened, &time, NULL, error));
        /* nothing in T2 is the key, as in L18 */
        assert_ok(cs_stream_new(&stream, ct2.tag_c.p, cs_view_buf(&e->u1_head), error));
        assert_fails(
            CS_E_DECRYPT, cs_stream_open(stream, &plain, cs_view_buf(&e->u1_first), false, error));
        cs_stream_free(&stream);
        assert_ok(cs_guest_t2(cloud, &c.telecare.env, &guest, &t2, &session, error));
    }
    rc =
        cs_guest_u1(session, &c.telecare.env, &guest, TELECARE_BLOCKS_MAX, cs_view_buf(&e->u1_head),
            cs_view_buf(&e->u1_first), false, &plain, &upload, place, &bulk, NULL);
    assert_int_not_equal(rc, CS_OK);
    assert_int_equal(plain.n, 0);
    cs_session_free(&session);
    cs_buf_free(&opened);
    cs_buf_free(&plain);
    cs_buf_free(&t2);
}

static void test_forward_secrecy(void **state)
{
    ear named = {.only = "HUP"};
    ear nobody = {.only = "PUP"};

    (void)state;
    lend_ear(&p, &named);
    assert_ok(telecare_hup(&p, error));
    lend_ear(&p, &nobody);
    assert_ok(telecare_pup(&p, error));
    p.tamper = NULL;
    check_recorded(&named, false, &c.hospital);
    check_recorded(&nobody, true, NULL);
    forget_heard(&named);
    forget_heard(&nobody);
}

/* A session's first message under the key that comes of this sum and this C. */
static bool opens_with(const uint8_t salt[CS_HASH_SIZE], const cs_point *sum, const cs_point *third,
    cs_view head, cs_view chunk)
{
    const size_t n = cs_point_size(c.suite);
    const cs_message_key name = {.label = cs_view_str("chartseal/1 G1"), .sequence = 0};
    uint8_t ikm[2 * CS_POINT_MAX];
    uint8_t sek[CS_HASH_SIZE];
    uint8_t from_i[CS_HASH_SIZE];
    uint8_t key[CS_AEAD_KEY_SIZE];
    cs_stream *stream = NULL;
    cs_buf info = {0};
    cs_buf plain = {0};
    bool opened;

    memcpy(ikm, sum->b, n);
    memcpy(ikm + n, third->b, n);
    assert_ok(cs_hkdf_extract(sek, (cs_view){salt, CS_HASH_SIZE}, (cs_view){ikm, 2 * n}, error));
    assert_ok(cs_hkdf_expand(
        from_i, sizeof from_i, CS_VIEW_ARRAY(sek), cs_view_str("chartseal/1 from i"), error));
    assert_ok(cs_encode(&info, &cs_message_key_schema, &name, error));
    assert_ok(cs_hkdf_expand(key, sizeof key, CS_VIEW_ARRAY(from_i), cs_view_buf(&info), error));
    assert_ok(cs_stream_new(&stream, key, head, error));
    opened = cs_stream_open(stream, &plain, chunk, true, NULL) == CS_OK;
    cs_stream_free(&stream);
    cs_buf_free(&info);
    cs_buf_free(&plain);
    return opened;
}

/* With S_C, S_X and all that was sent one has A and B, and everything of the key but C. Nothing
 * else that is at hand does in its place; C itself, which took r, does. */
static void check_all_but_c(const cast_actor *caller)
{
    const cs_view nobody = {0};
    const cs_credential *cloud = &c.telecare.credential;
    const cs_fetch fetch = {.time = CAST_START, .slot = 1, .place = CS_VIEW_ARRAY(cloud->binding)};
    cs_scalar *r_x = NULL;
    cs_scalar *r_c = NULL;
    cs_point at_x;
    cs_point at_c;
    cs_point a;
    cs_point b;
    cs_point sum;
    cs_point third;
    cs_session *session = NULL;
    cs_bulk *none = NULL;
    uint8_t salt[CS_HASH_SIZE];
    cs_transcript transcript;
    cs_buf head = {0};
    cs_buf chunk = {0};
    bool final;

    assert_ok(cs_ephemeral(&r_x, &at_x, c.suite, error));
    assert_ok(cs_ephemeral(&r_c, &at_c, c.suite, error));
    {
        const cs_handshake handshake = {.cloud = &c.cloud,
            .starts = true,
            .r = r_x,
            .scalar = caller == NULL ? NULL : caller->party.scalar,
            .own = caller == NULL ? NULL : &caller->credential,
            .peer = cloud,
            .r_own = &at_x,
            .r_peer = &at_c,
            .t_own = CAST_START,
            .t_peer = CAST_START};

        assert_ok(cs_session_agree(&session, &handshake, error));
    }
    assert_ok(cs_session_put(session, "chartseal/1 G1", CAST_START, &cs_fetch_schema, &fetch, 0,
        &head, &chunk, &final, &none, error));
    transcript = (cs_transcript){.suite = c.suite,
        .pk = cs_point_view(&c.cloud.pk),
        .credential_i = caller == NULL ? nobody : cs_credential_view(&caller->credential),
        .credential_j = cs_credential_view(cloud),
        .r_i = cs_point_view(&at_x),
        .r_j = cs_point_view(&at_c),
        .t_i = CAST_START,
        .t_j = CAST_START};
    assert_ok(cs_message_hash(salt, &cs_transcript_schema, &transcript, error));
    assert_ok(cs_key_scalar_mul(c.telecare.party.scalar, &at_x, &a, error));
    sum = a;
    b = a;
    if (caller != NULL) {
        assert_ok(cs_key_scalar_mul(caller->party.scalar, &at_c, &b, error));
        assert_ok(cs_point_add(&sum, &a, &b, error));
    }
    {
        const cs_point *at_hand[] = {&a, &b, &sum, &at_x, &at_c, &cloud->y, &c.cloud.pk};

        for (size_t i = 0; i < sizeof at_hand / sizeof at_hand[0]; i++)
            assert_false(
                opens_with(salt, &sum, at_hand[i], cs_view_buf(&head), cs_view_buf(&chunk)));
    }
    assert_ok(cs_point_mul(&third, r_x, &at_c, error));
    assert_true(opens_with(salt, &sum, &third, cs_view_buf(&head), cs_view_buf(&chunk)));
    cs_session_free(&session);
    cs_secret_free(&r_x);
    cs_secret_free(&r_c);
    cs_buf_free(&head);
    cs_buf_free(&chunk);
}

static void test_all_keys_but_c(void **state)
{
    (void)state;
    check_all_but_c(&c.hospital);
    check_all_but_c(&c.doctor);
    check_all_but_c(NULL);
}

/* L18 has no times: what was said once can be said for ever. */
static void test_old_messages(void **state)
{
    ear named = {.only = "HUP"};
    ear nobody = {.only = "PUP"};
    cs_guest guest;

    (void)state;
    lend_ear(&p, &named);
    assert_ok(telecare_hup(&p, error));
    lend_ear(&p, &nobody);
    assert_ok(telecare_pup(&p, error));
    c.telecare.memory.seen_count = 0; /* a cloud that has forgotten */
    cast_at(&c, CAST_START + CS_DELTA_T_DEFAULT + 1);
    assert_fails(CS_E_STALE,
        cs_guest_t1(&guest, &c.telecare.party, &c.telecare.env, cs_view_buf(&named.t1), error));
    assert_fails(CS_E_STALE,
        cs_guest_t3(&guest, &c.telecare.party, &c.telecare.env, cs_view_buf(&nobody.t3), error));
    cast_at(&c, p.ends + 1);
    p.tamper = NULL;
    assert_fails(CS_E_EXPIRED, telecare_tp(&p, error));
    assert_fails(CS_E_EXPIRED, telecare_cp(&p, error));
    forget_heard(&named);
    forget_heard(&nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_patient_anonymity, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_unlinkability, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_disk_alone, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_second_message_of_pup, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_offline_guess, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_no_revelation, open_plays, close_plays),
        cmocka_unit_test_setup_teardown(test_forward_secrecy, open_plays, close_plays),
        cmocka_unit_test(test_all_keys_but_c),
        cmocka_unit_test_setup_teardown(test_old_messages, open_plays, close_plays),
    };

    return cmocka_run_group_tests(tests, open_cast, close_cast);
}
