/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TELECARE_PARTY_H
#define SERVICE_TELECARE_PARTY_H

/*
 * The procedures of telecare (telecare.h) at those who take part, from files to files: HUP at the
 * hospital, PUP and CP at the patient's device, TP at the doctor's station. Each is one run of a
 * program; what one has to know of an earlier run is fetched again, since the cloud keeps it and
 * the letter opens it.
 */

#include "service/telecare_line.h"

/* Who does it, with what. All are the caller's. */
typedef struct cs_care {
    cs_actor *actor;
    cs_world *world;
    cs_wire_log *log;
    int progress_fd; /* -1: show nothing */
} cs_care;

/* PC's list of revoked credentials, taken in. */
CS_MUST_CHECK int cs_care_lists(cs_world *world, const cs_actor *actor, const char *cloud_url,
    cs_wire_log *log, cs_error *error);

/* A patient's or a doctor's: the world around the actor, and PC's list of revoked credentials. */
typedef struct cs_care_world {
    cs_store *store;
    cs_world world;
} cs_care_world;
CS_MUST_CHECK int cs_care_open(cs_care_world *out, const cs_actor *actor, const char *cloud_url,
    cs_wire_log *log, cs_error *error);
void cs_care_close(cs_care_world *world);

/* What became of a record in this run. */
typedef struct cs_care_item {
    bool there;
    bool sent; /* else received */
    cs_part part;
} cs_care_item;

typedef struct cs_care_report {
    char hospital[CS_ID_MAX + 1];
    char patient[CS_ID_MAX + 1];
    char doctor[CS_ID_MAX + 1];
    char cloud[CS_ID_MAX + 1];
    int64_t ends;
    cs_care_item items[CS_SLOTS]; /* by slot, from 1 */
    cs_op_counts ops;             /* all of them */
    cs_op_counts session_ops;     /* of these: to open the session */
} cs_care_report;

/* -- HUP -----------------------------------------------------------------------------------------
 */

typedef struct cs_care_opening {
    cs_view credential_p;
    cs_view credential_d;
    cs_view cert_d; /* DER */
    const char *url;
    int64_t ends;
    const char *path, *media_type;
    /* The report is stored: before anybody is invited, it is put on record. */
    int (*stored)(void *context, const cs_care_report *so_far, cs_error *error);
    void *context;
} cs_care_opening;
CS_MUST_CHECK int cs_care_hup(cs_care_report *out, cs_buf *letter_p, cs_buf *letter_d,
    const cs_care *me, const cs_care_opening *opening, cs_error *error);

/* -- PUP, TP, CP ---------------------------------------------------------------------------------
 */

typedef struct cs_care_input {
    cs_view letter;
    /* Who it has to be; NULL: whoever the letter names. CS_E_RECIPIENT. */
    const char *hospital, *doctor, *patient;
    const char *path, *media_type; /* of what is written: PUP, TP */
    const char *outputs[CS_SLOTS]; /* by slot, from 1; where what was read goes; NULL: nowhere */
    /* TP, without a path: the diagnosis, when report and measurement are where they go. */
    int (*diagnose)(void *context, cs_buf *out, cs_error *error);
    void *context;
} cs_care_input;
CS_MUST_CHECK int cs_care_pup(
    cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error);
CS_MUST_CHECK int cs_care_tp(
    cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error);
/* A copy that is there already stays: an item that was not sent. */
CS_MUST_CHECK int cs_care_cp(
    cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error);
/* The copy that CP made: all three from one record. */
CS_MUST_CHECK int cs_care_copy(
    cs_care_report *out, const cs_care *me, const cs_care_input *input, cs_error *error);

#endif
