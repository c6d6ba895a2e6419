/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TELECARE_H
#define CHARTSEAL_TELECARE_H

/*
 * Telecare, after L18 (docs/protocol.md, section 13): a patient who is at home measures, a doctor
 * elsewhere judges it, and a cloud in between keeps what they send each other without learning what
 * it is or whose.
 *
 *   HUP  hospital H   opens an episode and uploads the report            m_H
 *   PUP  patient P    reads the report, uploads the measurement          m_B
 *   TP   doctor D     reads both, uploads the diagnosis                  m_D
 *   CP   patient P    reads the diagnosis, uploads a copy of all three, sealed to itself
 *
 * An **episode** is one such round. H writes down between whom, at which cloud and until when
 * (cs_terms); the hash of that is the episode in everything that is signed. For each of the four
 * records H draws a **token** of 256 random bits; the hash of a token is the record's **place**.
 * The cloud files a record under its place: who knows the place may read the ciphertext, who knows
 * the token may write, once. H tells P and D all places, and each only the tokens of what is theirs
 * to write, in a letter that is sealed to them (a file; or a QR code, where it is short enough).
 * Nothing of an episode comes from an identity, so there is nothing to guess, and no two episodes
 * have anything in common.
 *
 * A **record** is encrypted once, under a key of its own that is sealed to each reader, and looks
 * like this: blocks of 64 KiB, all full, their number padded to steps, so that what the cloud and
 * the line see of a content is its size to an eighth. In front of the content stands what its
 * author signed (cs_statement): role, H, P, D, episode, time, media type, size and hash of the
 * content, and the hash of the statement before. So a diagnosis is one of this measurement, which
 * is one on this report.
 *
 * With the cloud one speaks in **sessions** (session.h): H and D show a credential and a
 * certificate (T1, T2), P shows a place and no name (T3, T4). The cloud has a credential of role
 * `cloud`, from the same registration as everybody.
 *
 * Token operations: H 1 sign, and P 1 sign, D 1 sign; P and D 1 agree for each record they read,
 * that of the report being their letter; a session costs H and D 1 sign, 1 agree, 1 scalar_mul, P
 * nothing, and the cloud 1 agree, 1 scalar_mul and, except for P, 1 sign.
 *
 * Everything here is as the rest of the protocol: bytes in, bytes out, no I/O, steps in their order
 * or CS_E_ORDER. An object outlives what was made from it; parties, their keys and cs_cloud outlive
 * all.
 */

#include <chartseal/session.h>
#include <chartseal/wire_telecare.h>

#define CS_EPISODE_STEP_MS                                                                         \
    3600000LL /* an end is on the hour: it is no mark to know it again by                          \
               */
#define CS_EPISODE_LIFE_MAX_MS (366LL * 24 * 3600000) /* the cloud is no archive */

/* -- a session with the cloud, at H, P and D -----------------------------------------------------
 */

typedef struct cs_caller cs_caller;

/* Checks the cloud's credential: role, PC's signature, dates, revocation. */
CS_MUST_CHECK int cs_caller_new(cs_caller **out, const cs_party *me, const cs_env *env,
    const cs_credential *cloud, cs_error *error);
void cs_caller_free(cs_caller **caller);
/* T1 and T2: as oneself, who is a hospital or a doctor. One answer for each request. */
CS_MUST_CHECK int cs_caller_t1(cs_caller *caller, const cs_env *env, cs_buf *t1, cs_error *error);
CS_MUST_CHECK int cs_caller_t2(cs_caller *caller, const cs_env *env, cs_view t2, cs_error *error);
/* T3 and T4: as nobody, by a place that is known. No token operation. */
CS_MUST_CHECK int cs_caller_t3(cs_caller *caller, const cs_env *env,
    const uint8_t place[CS_PLACE_SIZE], cs_buf *t3, cs_error *error);
CS_MUST_CHECK int cs_caller_t4(cs_caller *caller, const cs_env *env, cs_view t4, cs_error *error);

/* -- an episode, at H, P and D -------------------------------------------------------------------
 */

typedef struct cs_episode cs_episode;
typedef struct cs_writing cs_writing; /* one record on its way to the cloud */
typedef struct cs_reading cs_reading; /* one on its way from there */

/* What a record will hold; its bytes are given later and have to have this size and hash. */
typedef struct cs_content {
    const char *media_type;
    uint64_t size;
    uint8_t hash[CS_HASH_SIZE];
} cs_content;

/* HUP. H knows P's credential from the patient, D's and Cert_D from her station, the cloud's from
 * the cloud; all are checked. `ends` is put up to the next full hour. */
typedef struct cs_hup_input {
    cs_view credential_p;
    cs_view credential_d;
    cs_view cert_d;
    cs_view credential_c;
    const char *url;
    int64_t ends;
} cs_hup_input;
CS_MUST_CHECK int cs_hup_new(cs_episode **out, cs_writing **report, const cs_party *hospital,
    const cs_env *env, const cs_hup_input *input, const cs_content *content, cs_error *error);
/* The letter to P or to D, after the report was stored. */
CS_MUST_CHECK int cs_hup_letter(
    const cs_episode *episode, cs_role to, cs_buf *letter, cs_error *error);

/* P and D: opens one's letter (1 agree) and checks the credentials in it, that it is for oneself,
 * and that the episode has not ended. What H is said to have written there counts once the report
 * was read: SigH covers it. CS_E_RECIPIENT for somebody else's letter, CS_E_EXPIRED. */
CS_MUST_CHECK int cs_episode_open(
    cs_episode **out, const cs_party *me, const cs_env *env, cs_view letter, cs_error *error);
void cs_episode_free(cs_episode **episode);

const cs_credential *cs_episode_party(const cs_episode *episode, cs_role role);
const char *cs_episode_url(const cs_episode *episode);
int64_t cs_episode_ends(const cs_episode *episode);
const uint8_t *cs_episode_place(const cs_episode *episode, cs_slot slot);
/* The time of a statement that was read or written in this episode; 0: not yet. */
int64_t cs_episode_time(const cs_episode *episode, cs_slot slot);

/* PUP, TP, CP: the record to be written, signed (a copy is made of signed parts; its bytes are
 * those of report, measurement and diagnosis, one after the other). What comes before has to be
 * read first. */
CS_MUST_CHECK int cs_pup_new(cs_writing **out, cs_episode *episode, const cs_env *env,
    const cs_content *content, cs_error *error);
CS_MUST_CHECK int cs_tp_new(cs_writing **out, cs_episode *episode, const cs_env *env,
    const cs_content *content, cs_error *error);
CS_MUST_CHECK int cs_cp_new(
    cs_writing **out, cs_episode *episode, const cs_env *env, cs_error *error);

/* U1: head and first chunk; the record's blocks follow, one chunk each. Each U1 begins the record
 * anew, under a new key, so that it can be tried again in another session. */
CS_MUST_CHECK int cs_writing_u1(cs_writing *writing, cs_caller *caller, const cs_env *env,
    cs_buf *head, cs_buf *chunk, bool *final, cs_error *error);
/* How many bytes of the content the next block takes (0: padding alone), and the block as a chunk
 * of the session. */
size_t cs_writing_want(const cs_writing *writing);
CS_MUST_CHECK int cs_writing_block(
    cs_writing *writing, cs_view content, cs_buf *chunk, bool *final, cs_error *error);
CS_MUST_CHECK int cs_writing_u2(cs_writing *writing, cs_caller *caller, const cs_env *env,
    cs_view head, cs_view chunk, bool final, cs_error *error);
void cs_writing_free(cs_writing **writing);

/* G1: asks for a record. G2: head and first chunk; 1 agree, but for the report. */
CS_MUST_CHECK int cs_episode_g1(cs_episode *episode, cs_slot slot, cs_caller *caller,
    const cs_env *env, cs_buf *head, cs_buf *chunk, cs_error *error);
CS_MUST_CHECK int cs_episode_g2(cs_reading **out, cs_episode *episode, cs_slot slot,
    cs_caller *caller, const cs_env *env, cs_view head, cs_view chunk, bool final, cs_error *error);
/* One block: what it has of the content is appended to *content. The first brings the statement,
 * which is checked; the content is its author's word only after finish. */
CS_MUST_CHECK int cs_reading_block(cs_reading *reading, const cs_env *env, cs_view chunk,
    bool final, cs_buf *content, cs_error *error);
CS_MUST_CHECK int cs_reading_finish(cs_reading *reading, cs_error *error);
/* What is signed of each part, after the first block: one part, of a copy three. */
typedef struct cs_part {
    int64_t time;
    char media_type[CS_MEDIA_TYPE_MAX + 1];
    uint64_t size;
    uint8_t hash[CS_HASH_SIZE];
} cs_part;
size_t cs_reading_parts(const cs_reading *reading);
const cs_part *cs_reading_part(const cs_reading *reading, size_t i);
void cs_reading_free(cs_reading **reading);

/* -- the cloud -----------------------------------------------------------------------------------
 */

/* Who called, checked. A plain value. */
typedef struct cs_guest {
    bool nobody;                      /* T3 */
    cs_credential who;                /* T1 */
    uint8_t certificate[CS_CERT_MAX]; /* T1 */
    size_t certificate_size;
    uint8_t ocsp[CS_STAPLE_MAX]; /* T1 */
    size_t ocsp_size;
    uint8_t place[CS_PLACE_SIZE]; /* T3 */
    cs_point r_x;
    int64_t t_x;
    uint8_t h_request[CS_HASH_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE]; /* SigT1, as evidence */
    uint8_t reply_secret[32];             /* T3: of the answer, which wipes it */
    bool known;                           /* a refused T1 was signed by somebody whom PC knows */
} cs_guest;

CS_MUST_CHECK int cs_guest_t1(
    cs_guest *out, const cs_party *cloud, const cs_env *env, cs_view t1, cs_error *error);
CS_MUST_CHECK int cs_guest_t2(const cs_party *cloud, const cs_env *env, const cs_guest *guest,
    cs_buf *t2, cs_session **session, cs_error *error);
/* Before it answers, the service looks whether there is such a place: a stranger then costs one
 * agree and one prf, and no session. */
CS_MUST_CHECK int cs_guest_t3(
    cs_guest *out, const cs_party *cloud, const cs_env *env, cs_view t3, cs_error *error);
CS_MUST_CHECK int cs_guest_t4(const cs_party *cloud, const cs_env *env, cs_guest *guest, cs_buf *t4,
    cs_session **session, cs_error *error);
/* Whether credential and certificate are still good: before U1 and G1 are answered. */
CS_MUST_CHECK int cs_guest_check_again(
    const cs_guest *guest, const cs_party *cloud, const cs_env *env, cs_error *error);

/* U1: *upload points into *plain, place is that of its token; the blocks come through *bulk.
 * Checked is what does not need the store: who may write this slot, sizes, padding, and the end. */
CS_MUST_CHECK int cs_guest_u1(cs_session *session, const cs_env *env, const cs_guest *guest,
    uint64_t blocks_max, cs_view head, cs_view chunk, bool final, cs_buf *plain, cs_upload *upload,
    uint8_t place[CS_PLACE_SIZE], cs_bulk **bulk, cs_error *error);
CS_MUST_CHECK int cs_guest_u2(cs_session *session, const cs_env *env,
    const uint8_t place[CS_PLACE_SIZE], uint64_t ends, cs_buf *head, cs_buf *chunk,
    cs_error *error);
CS_MUST_CHECK int cs_guest_g1(cs_session *session, const cs_env *env, const cs_guest *guest,
    cs_view head, cs_view chunk, bool final, uint64_t *slot, uint8_t place[CS_PLACE_SIZE],
    cs_error *error);
CS_MUST_CHECK int cs_guest_g2(cs_session *session, const cs_env *env,
    const uint8_t place[CS_PLACE_SIZE], const cs_place_value *row, cs_buf *head, cs_buf *chunk,
    bool *final, cs_bulk **bulk, cs_error *error);

/* What the row of a place allows. CS_E_EXPIRED, CS_E_RECIPIENT (a place of another slot), to write
 * CS_E_ORDER (there is a record already), to read CS_E_NO_RECORD (there is none yet). */
CS_MUST_CHECK int cs_place_check_write(
    const cs_place_value *row, const cs_env *env, uint64_t slot, cs_error *error);
CS_MUST_CHECK int cs_place_check_read(
    const cs_place_value *row, const cs_env *env, uint64_t slot, cs_error *error);

/* -- sizes --------------------------------------------------------------------------------------
 */

/* The number of blocks that n are padded to: three bits behind the first, so at most an eighth
 * more. */
uint64_t cs_blocks_padded(uint64_t n);

#endif
