/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_WIRE_TELECARE_H
#define CHARTSEAL_WIRE_TELECARE_H

/*
 * The messages of telecare (telecare.h; docs/protocol.md, section 13), in the form of wire.h.
 *
 * T1 to T4 open a session with the cloud, U1 and U2 bring a record there, G1 and G2 fetch one. All
 * else is never seen by the cloud: what an episode is about, who is invited, what was signed.
 */

#include <chartseal/wire.h>

#define CS_PLACE_SIZE 32                   /* where a record of an episode lies: a hash */
#define CS_PLACE_TOKEN_SIZE 32             /* who may write there: 256 random bits */
#define CS_RECORD_KEY_SIZE 32              /* a record's content key */
#define CS_RECORD_SEAL_SIZE (65 + 32 + 16) /* that key sealed to a reader: enc, ct */
#define CS_RECORD_SEALS_MAX 2              /* author and reader */
#define CS_BLOCK_SIZE 65536u     /* a record is cut into such blocks, all full: one chunk each */
#define CS_BLOCKS_MAX (1u << 25) /* CS_RECORD_SIZE_MAX, padded */
#define CS_STATEMENT_MAX 1024    /* three identities, a media type, three hashes, signed */
#define CS_TERMS_MAX 4608        /* four credentials, a URL, four places */

/* The four records of an episode, by the procedure that makes them. */
typedef enum cs_slot {
    CS_SLOT_REPORT = 1,  /* HUP: m_H */
    CS_SLOT_MEASUREMENT, /* PUP: m_B */
    CS_SLOT_DIAGNOSIS,   /* TP: m_D */
    CS_SLOT_COPY,        /* CP: all three, for P alone */
} cs_slot;
#define CS_SLOTS 4

/* -- what an episode is --------------------------------------------------------------------------
 */

/* Between whom, where and until when. Its hash names the episode in all that is signed. */
typedef struct cs_terms {
    uint64_t suite;
    cs_view credential_h;
    cs_view credential_p;
    cs_view credential_d;
    cs_view credential_c;
    cs_view url;    /* where the cloud answers */
    uint64_t ends;  /* the cloud keeps nothing longer */
    cs_view places; /* CS_SLOTS of them, one after the other */
} cs_terms;
extern const cs_schema cs_terms_schema;

/* What P and D each get from H, in a letter. */
typedef struct cs_invitation {
    cs_view terms;
    cs_view tokens;     /* of the places that the receiver writes to: P two, D one */
    cs_view report_key; /* content key of the report */
    cs_view cert_d;     /* for P; empty for D, whose own it is */
} cs_invitation;
extern const cs_schema cs_invitation_schema;

/* Something that lies or travels for days, sealed to one reader: no time in its head. */
typedef struct cs_letter {
    uint64_t suite;
    cs_view enc;
    cs_view ct;
} cs_letter;
extern const cs_schema cs_letter_schema;

/* A token's place is the hash of this: who knows the place reads, who knows the token writes. */
typedef struct cs_place_token {
    uint64_t slot;
    cs_view token;
} cs_place_token;
extern const cs_schema cs_place_token_schema;

/* -- what is signed, and how a record begins -----------------------------------------------------
 */

/* SigH, SigP and SigD are over this. */
typedef struct cs_statement {
    uint64_t slot;   /* and with it the role of who signs */
    cs_view episode; /* h(terms) */
    cs_view id_h;
    cs_view id_p;
    cs_view id_d;
    uint64_t time;
    cs_view media_type;
    uint64_t size;
    cs_view h_content;
    cs_view previous; /* h of the statement before, which this one follows; the report has none */
} cs_statement;
extern const cs_schema cs_statement_schema;

/* The beginning of a record's first block, behind its length: the signed statements of its parts
 * and the certificates of who signed them (P: empty). A copy has three parts, all others one. */
typedef struct cs_front {
    cs_list statements;
    cs_list certificates;
} cs_front;
extern const cs_schema cs_front_schema;

/* -- sessions with the cloud ---------------------------------------------------------------------
 */

typedef struct cs_sig_t1 {
    cs_view pk;
    uint64_t t_x;
    cs_view id_x;
    cs_view r_x;
    cs_view id_c;
} cs_sig_t1;
extern const cs_schema cs_sig_t1_schema;

/* T1, of H and D. */
typedef struct cs_ct1 {
    cs_view credential_x;
    cs_view cert_x;
    cs_view ocsp; /* as in S1 */
    uint64_t t_x;
    cs_view r_x;
    cs_view sig_t1;
} cs_ct1;
extern const cs_schema cs_ct1_schema;

typedef struct cs_sig_t2 {
    cs_view pk;
    uint64_t t_c;
    cs_view id_c;
    cs_view id_x;
    cs_view r_x;
    cs_view r_c;
    cs_view tag_c;
    cs_view h_t1;
} cs_sig_t2;
extern const cs_schema cs_sig_t2_schema;

typedef struct cs_ct2 {
    uint64_t t_c;
    cs_view r_c;
    cs_view tag_c;
    cs_view sig_t2;
} cs_ct2;
extern const cs_schema cs_ct2_schema;

/* T3, of P, who is nobody here: a place of the episode admits him. */
typedef struct cs_ct3 {
    cs_view place;
    uint64_t t_x;
    cs_view r_x;
} cs_ct3;
extern const cs_schema cs_ct3_schema;

/* T4, under the key exported from T3. */
typedef struct cs_ct4 {
    uint64_t t_c;
    cs_view r_c;
    cs_view tag_c;
} cs_ct4;
extern const cs_schema cs_ct4_schema;

/* -- within a session ----------------------------------------------------------------------------
 */

/* U1; the blocks follow. */
typedef struct cs_upload {
    uint64_t time;
    uint64_t slot;
    cs_view token;
    uint64_t blocks;
    cs_list seals;
    uint64_t ends;  /* with the report, that begins an episode; else 0 */
    cs_view places; /* likewise; else empty */
} cs_upload;
extern const cs_schema cs_upload_schema;

/* U2. */
typedef struct cs_stored {
    uint64_t time;
    cs_view place;
    uint64_t ends;
} cs_stored;
extern const cs_schema cs_stored_schema;

/* G1. */
typedef struct cs_fetch {
    uint64_t time;
    uint64_t slot;
    cs_view place;
} cs_fetch;
extern const cs_schema cs_fetch_schema;

/* G2; the blocks follow. */
typedef struct cs_fetched {
    uint64_t time;
    cs_view place;
    uint64_t blocks;
    cs_list seals;
} cs_fetched;
extern const cs_schema cs_fetched_schema;

/* -- at rest, at the cloud -----------------------------------------------------------------------
 */

/* The value of a place's row; blocks is 0 until something was written there. */
typedef struct cs_place_value {
    uint64_t slot;
    uint64_t ends;
    uint64_t blocks;
    cs_list seals;
    cs_view h_blocks; /* h of the blocks as they came, or empty */
} cs_place_value;
extern const cs_schema cs_place_value_schema;

#endif
