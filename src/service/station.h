/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_STATION_H
#define CHARTSEAL_SERVICE_STATION_H

/*
 * The doctor's station serving one patient: waits for the device, consults (M0-M3), searches and
 * saves the record (S1-S6), has the doctor write the diagnosis, sends it (M4) and files it (F1,
 * F2).
 *
 * In an emergency there is no device: the doctor names the patient and the reason, which PC and the
 * hospital record, and the diagnosis is filed and not sent.
 *
 * A patient of whom no hospital has a record is treated all the same, unless the record is
 * required: the doctor is told, the patient gets the diagnosis, and as only a hospital to which the
 * cloud refers can be asked, it is not filed.
 *
 * With the visit ends what the doctor's PIN was held for, whatever came of it; the next one of the
 * same process asks for it before it waits, if the card is there.
 *
 * A diagnosis that was written is not lost: when it cannot be sent it is filed all the same, and
 * when it cannot be filed it is kept in the home and the error names the file.
 */

#include "service/visit_search.h"

typedef struct cs_station_report cs_station_report;

typedef struct cs_station_input {
    const char *listen_host;
    uint16_t listen_port;
    const char *cloud_url;
    const char *department;
    const char *hospital; /* NULL: the one with the newest entry */
    cs_view record_id;    /* empty: the newest */
    bool wants_record;
    bool requires_record; /* the visit ends when there is none; otherwise it goes on without */
    const char *emergency_reason; /* NULL: none */
    const char *emergency_patient;
    const char *signal_path; /* NULL: a name of the station's, in the home */
    const char *record_path; /* NULL: as well */
    const char *media_type;  /* of the diagnosis */
    int patience_ms;         /* how long to wait for a patient */
    int stop_fd;             /* -1, or readable when it is time to give up */
    int progress_fd;
    /* The station listens on that port. */
    int (*listening)(void *context, uint16_t port, cs_error *error);
    /* Something to tell the doctor. */
    void (*notice)(void *context, const char *text);
    /* Something that may make the visit fail, and is no failure yet. */
    void (*warn)(void *context, const char *text);
    /* Write the diagnosis: at most CS_DIAGNOSIS_MAX bytes, appended to out. */
    int (*diagnose)(void *context, const cs_station_report *so_far, cs_buf *out, cs_error *error);
    void *context;
} cs_station_input;

struct cs_station_report {
    bool somebody_came; /* and was not sent away */
    char patient[CS_ID_MAX + 1];
    bool consented;
    uint64_t signal_size; /* 0: no signal, no hash, no file */
    uint8_t signal_hash[CS_HASH_SIZE];
    char signal_path[CS_PATH_MAX];
    bool has_record;
    int missing; /* why there is no record though one was wanted: a code, or CS_OK */
    cs_found_record record;
    uint64_t diagnosis_size;
    uint8_t diagnosis_hash[CS_HASH_SIZE];
    bool delivered; /* the device has verified it */
    bool filed;
    uint8_t filed_id[CS_RECORD_ID_SIZE];
    cs_op_counts consultation_ops; /* M1, M2 */
    cs_op_counts search_ops;       /* S1, S2; none when no record was fetched */
    cs_op_counts session_ops;      /* S3, S4; likewise */
    cs_op_counts diagnosis_ops;    /* SigDINF */
    cs_op_counts ops;              /* of the visit, without the filing */
    int64_t own_us;                /* of the station and its token: without waiting for others */
    cs_op_counts filing_ops;       /* none, where the session of the search was used */
    unsigned pin_prompts; /* times that the doctor was asked for the PIN; for the login, too */
};

CS_MUST_CHECK int cs_station_visit(cs_station_report *out, cs_home *home, cs_actor *actor,
    cs_wire_log *log, const cs_station_input *input, cs_error *error);

#endif
