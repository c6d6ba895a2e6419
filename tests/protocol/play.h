/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_PLAY_H
#define CHARTSEAL_TEST_PLAY_H

/*
 * A visit as a play: consultation, search, record, diagnosis, filing, with every message handed
 * from party to party in memory. A test may lay hands on each message on its way (`tamper`), and
 * looks at what the parties end up with.
 */

#include "cast.h"

#define PLAY_DEPARTMENT "cardiology"

/* Called with each message before it is delivered; `final` counts for chunks. */
typedef void (*play_tamper_fn)(void *context, const char *name, cs_buf *message, bool *final);

typedef struct play {
    cast *c;
    play_tamper_fn tamper;
    void *tamper_context;
    bool no_consent;
    const char *emergency;          /* a reason; no consultation takes place then */
    const char *consent_department; /* NULL: the one that the station names */
    cs_view signal;
    cs_view emr;
    cs_view dinf;
    /* what arrived */
    cs_buf signal_seen;
    cs_buf emr_seen;
    cs_buf dinf_seen;  /* by the patient */
    cs_buf dinf_filed; /* by the hospital */
    /* operations by party */
    cs_op_counts patient_ops, doctor_ops, hospital_ops, cloud_ops, filing_ops;
    /* inside */
    cs_visit_p *visit_p;
    cs_visit_d *visit_d;
    cs_search *search;
    cs_session *session;
    cs_query query;
    cs_signed_diagnosis diagnosis;
} play;

/* With defaults: content of some chunks, consent for the station's department, PLAY_DEPARTMENT. */
void play_open(play *p, cast *c);
void play_close(play *p);
/* All of it, or up to the first refusal. Forgets what was seen before. */
int play_visit(play *p, cs_error *error);
/* The parts, for tests that stop between. */
int play_consultation(play *p, cs_error *error);
int play_search(play *p, cs_error *error);
int play_session(play *p, size_t hospital, cs_error *error);
int play_record(play *p, cs_error *error);
int play_diagnosis(play *p, cs_error *error);
int play_filing(play *p, cs_error *error);

#endif
