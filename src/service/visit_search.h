/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_VISIT_SEARCH_H
#define CHARTSEAL_SERVICE_VISIT_SEARCH_H

/*
 * The doctor's side of search, record and filing (S1-S6, F1, F2) over HTTP. One finder serves one
 * patient and department; it keeps the session with the hospital between record and filing, and
 * opens a new one when the hospital has lost it.
 */

#include "service/visit_exchange.h"

#include <chartseal/consultation.h>
#include <chartseal/search.h>

typedef struct cs_finder {
    const cs_actor *actor; /* these are the caller's and outlive the finder */
    cs_world *world;
    cs_wire_log *log;
    const char *cloud_url;
    const char *id_p;
    const char *department;
    const char *hospital_id; /* NULL: the one with the newest entry */
    cs_view consent;         /* or: */
    const char *reason;      /* of an emergency; NULL: none */
    int progress_fd;         /* -1: show nothing */

    cs_search *search; /* set by a finder's own calls, as are the others */
    cs_peer hospital;
    cs_op_counts search_ops;  /* of S1, S2 */
    cs_op_counts session_ops; /* of S3, S4 */
} cs_finder;

/* A record as it was verified and kept. */
typedef struct cs_found_record {
    uint8_t id[CS_RECORD_ID_SIZE];
    uint8_t hash[CS_HASH_SIZE];
    uint64_t size;
    char media_type[CS_MEDIA_TYPE_MAX + 1];
    char hospital[CS_ID_MAX + 1];
    char path[CS_PATH_MAX];
    size_t others; /* further records of the patient in the department */
    size_t other_hospitals;
} cs_found_record;

/* S1-S4. CS_E_NO_DEPARTMENT or what PC says when nobody has records; CS_E_NOT_FOUND when the wanted
 * hospital is not among those that have. */
CS_MUST_CHECK int cs_finder_open(cs_finder *finder, cs_error *error);
bool cs_finder_is_open(const cs_finder *finder);

/* S5, S6: record_id has 16 bytes, or none for the newest. The file gets its name once hash and
 * signature are verified; path NULL: record-ID in `directory`. */
CS_MUST_CHECK int cs_finder_record(cs_finder *finder, cs_view record_id, const char *path,
    const char *directory, cs_found_record *out, cs_error *error);

/* F1, F2, opening a session if there is none, or another where the hospital has lost it or finds
 * that the OCSP answer that it began with has ended. */
CS_MUST_CHECK int cs_finder_file(cs_finder *finder, const cs_signed_diagnosis *diagnosis,
    cs_view content, uint8_t filed[CS_RECORD_ID_SIZE], cs_error *error);

void cs_finder_close(cs_finder *finder);

#endif
