/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PROTOCOL_TELECARE_H
#define CHARTSEAL_PROTOCOL_TELECARE_H

/* What the files of telecare have in common. */

#include "protocol/common.h"

#include <chartseal/telecare.h>

#define CS_SIGNED_SLOTS 3 /* report, measurement, diagnosis; a copy is made of these */

/* A block holds this much; sealed it is CS_BLOCK_SIZE, which is one chunk of a session. */
#define CS_BLOCK_PLAIN (CS_BLOCK_SIZE - CS_AEAD_TAG_SIZE)
#define CS_FRONT_LENGTH_SIZE 4

/* -- letters and places --------------------------------------------------------------------------
 */

/* A letter, sealed and opened (1 agree). CS_E_RECIPIENT when it does not open with this key. */
CS_MUST_CHECK int cs_letter_seal(cs_buf *out, cs_suite suite, const uint8_t puk[CS_PUK_SIZE],
    const cs_invitation *invitation, cs_error *error);
CS_MUST_CHECK int cs_letter_open(
    cs_invitation *invitation, cs_buf *plain, const cs_party *me, cs_view letter, cs_error *error);

/* The place that a token opens for writing. */
CS_MUST_CHECK int cs_place_of(uint8_t place[CS_PLACE_SIZE], uint64_t slot,
    const uint8_t token[CS_PLACE_TOKEN_SIZE], cs_error *error);

/* A record's key sealed to a reader, and opened (1 agree). aad: the place. */
CS_MUST_CHECK int cs_record_key_seal(uint8_t seal[CS_RECORD_SEAL_SIZE],
    const uint8_t puk[CS_PUK_SIZE], const uint8_t place[CS_PLACE_SIZE],
    const uint8_t key[CS_RECORD_KEY_SIZE], cs_error *error);
CS_MUST_CHECK int cs_record_key_open(uint8_t key[CS_RECORD_KEY_SIZE], const cs_party *me,
    const uint8_t place[CS_PLACE_SIZE], cs_view seal, cs_error *error);

/* -- the roles of a slot -------------------------------------------------------------------------
 */

typedef struct cs_slot_rule {
    const char *name;
    cs_role author;
    size_t seals;                         /* of its content key; the report's is in the letters */
    cs_role readers[CS_RECORD_SEALS_MAX]; /* whose the seals are, in their order */
    size_t parts;
} cs_slot_rule;
/* slot: 1 to CS_SLOTS. */
const cs_slot_rule *cs_slot_rule_of(uint64_t slot);

/* -- an episode ----------------------------------------------------------------------------------
 */

/* In guarded memory. */
typedef struct cs_episode_secrets {
    uint8_t tokens[CS_SLOTS][CS_PLACE_TOKEN_SIZE]; /* zeros: not one's own */
    uint8_t report_key[CS_RECORD_KEY_SIZE];
} cs_episode_secrets;

/* A signed part that is known: read and verified, or one's own and stored. */
typedef struct cs_episode_part {
    bool known;
    cs_part part;
    uint8_t h_statement[CS_HASH_SIZE];
    cs_buf statement; /* signed */
    cs_buf certificate;
} cs_episode_part;

struct cs_episode {
    const cs_party *me;
    cs_role role; /* of me */
    cs_buf terms;
    uint8_t id[CS_HASH_SIZE]; /* h(terms) */
    cs_credential hospital, patient, doctor, cloud;
    char url[CS_URL_MAX + 1];
    int64_t ends;
    uint8_t places[CS_SLOTS][CS_PLACE_SIZE];
    cs_buf cert_d; /* at H and P */
    cs_episode_secrets *secrets;
    cs_episode_part parts[CS_SIGNED_SLOTS];
};

CS_MUST_CHECK int cs_episode_alloc(cs_episode **out, const cs_party *me, cs_error *error);
/* The terms, which it keeps, decoded into the members above. */
CS_MUST_CHECK int cs_episode_set_terms(cs_episode *episode, cs_view terms, cs_error *error);
CS_MUST_CHECK int cs_episode_check_end(
    const cs_episode *episode, const cs_env *env, cs_error *error);
cs_episode_part *cs_episode_part_of(cs_episode *episode, uint64_t slot);
/* What the statement of a slot has as `previous`; empty for the report. */
cs_view cs_episode_previous(const cs_episode *episode, uint64_t slot);

/* -- statements ----------------------------------------------------------------------------------
 */

/* Sign what one will write: 1 sign. *part is not known by that. */
CS_MUST_CHECK int cs_statement_sign(cs_episode_part *out, const cs_episode *episode,
    const cs_env *env, cs_slot slot, const cs_content *content, cs_error *error);
/* A statement that came: its signature and all that it says but the content's hash. With `now` also
 * what may have changed since: dates and revocations of its author, and its time. */
CS_MUST_CHECK int cs_statement_check(cs_episode_part *out, const cs_episode *episode,
    const cs_env *env, uint64_t slot, cs_view statement, cs_view certificate, cs_view previous,
    bool now, cs_error *error);
/* *to takes what *from has; *from is empty then. */
void cs_episode_part_move(cs_episode_part *to, cs_episode_part *from);
void cs_episode_part_free(cs_episode_part *part);

/* -- the content of a record ---------------------------------------------------------------------
 */

/* Bytes that pass, cut into parts, each of which has to have its hash. */
typedef struct cs_parts {
    size_t n;
    cs_part part[CS_SIGNED_SLOTS];
    size_t at;
    uint64_t left; /* of the part at `at` */
    cs_hasher *hasher;
} cs_parts;
CS_MUST_CHECK int cs_parts_begin(cs_parts *parts, cs_error *error);
CS_MUST_CHECK int cs_parts_pass(cs_parts *parts, cs_view bytes, cs_error *error);
void cs_parts_end(cs_parts *parts);
uint64_t cs_parts_size(const cs_parts *parts);
/* The blocks that a front and contents of those sizes take, padded. */
uint64_t cs_record_blocks(size_t front_size, uint64_t content_size);

/* A record to be written: of the one part given, which it takes over, or (a copy: NULL) of all that
 * are known. */
CS_MUST_CHECK int cs_writing_new(
    cs_writing **out, cs_episode *episode, cs_slot slot, cs_episode_part *part, cs_error *error);

/* The session of a caller. CS_E_ORDER before there is one. */
CS_MUST_CHECK int cs_caller_session(cs_session **out, cs_caller *caller, cs_error *error);

#endif
