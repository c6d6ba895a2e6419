/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_TELECARE_PLAY_H
#define CHARTSEAL_TEST_TELECARE_PLAY_H

/*
 * Telecare as a play: HUP, PUP, TP and CP, with every message handed over in memory, and a cloud
 * that stores as a service would. A test may lay hands on each message on its way (`tamper`), looks
 * at what the parties end up with, and at what the cloud has.
 *
 * Messages are named by procedure and label: "HUP T1", "PUP G2 block", "letter P".
 */

#include "cast.h"

#include <chartseal/at_rest.h>
#include <chartseal/telecare.h>

#define TELECARE_ROWS_MAX 64
#define TELECARE_BLOCKS_MAX 64 /* what this cloud takes */
#define TELECARE_END (CAST_START + 48 * CAST_HOUR)

typedef void (*telecare_tamper_fn)(void *context, const char *name, cs_buf *message, bool *final);

/* A row of the cloud: what lies on its disk. */
typedef struct telecare_row {
    uint8_t key[32];
    cs_buf value;
    cs_buf blocks;
} telecare_row;

/* One session, both ends of it. */
typedef struct telecare_line {
    const char *procedure;
    cast_actor *caller_actor;
    cs_caller *caller;
    cs_guest guest;
    cs_session *session;
} telecare_line;

typedef struct telecare_play {
    cast *c;
    telecare_tamper_fn tamper;
    void *tamper_context;
    cast_actor *hospital, *patient, *doctor;
    cs_view report, measurement, diagnosis;
    int64_t ends;
    uint64_t blocks_max;
    /* inside */
    cs_episode *at_hospital, *at_patient, *at_doctor;
    cs_buf letter_p, letter_d;
    telecare_row rows[TELECARE_ROWS_MAX];
    size_t row_count;
    /* what arrived */
    cs_buf report_at_p, report_at_d, measurement_at_d, measurement_at_p, diagnosis_at_p, copy_at_p;
    /* all that the cloud opens: of who calls by name, and of nobody */
    cs_buf seen_of_named, seen_of_nobody;
    /* operations by party */
    cs_op_counts hospital_ops, patient_ops, doctor_ops, cloud_ops;
} telecare_play;

void telecare_open(telecare_play *p, cast *c);
void telecare_close(telecare_play *p);
/* Forgets episodes, messages seen and operations; the cloud's rows stay, unless said otherwise. */
void telecare_forget(telecare_play *p);
void telecare_empty_cloud(telecare_play *p);

/* All of it, and P's copy read back, or up to the first refusal. */
int telecare_run(telecare_play *p, cs_error *error);
/* The parts. HUP ends with both letters opened. */
int telecare_hup(telecare_play *p, cs_error *error);
int telecare_pup(telecare_play *p, cs_error *error);
int telecare_tp(telecare_play *p, cs_error *error);
int telecare_cp(telecare_play *p, cs_error *error);
int telecare_read_copy(telecare_play *p, cs_error *error);

/* A session as oneself, or (episode not NULL) as nobody who knows a place. */
int telecare_call(telecare_play *p, telecare_line *line, const char *procedure, cast_actor *who,
    const cs_episode *episode, cs_error *error);
void telecare_hang_up(telecare_line *line);
int telecare_send(
    telecare_play *p, telecare_line *line, cs_writing *writing, cs_view content, cs_error *error);
int telecare_fetch(telecare_play *p, telecare_line *line, cs_episode *episode, cs_slot slot,
    cs_buf *content, cs_error *error);

/* What a content is, for its record. */
cs_content telecare_content(cs_view bytes);
int telecare_invite(telecare_play *p, cs_error *error);
/* Tries every seal of a run's records with somebody's key (who, or NULL), and the first block of
 * each with a content key (or NULL); how many opened. */
unsigned telecare_try(telecare_play *play, const cast_actor *who, const uint8_t *key);
/* The row of a place; NULL. */
telecare_row *telecare_row_of(telecare_play *p, const uint8_t place[CS_PLACE_SIZE]);

#endif
