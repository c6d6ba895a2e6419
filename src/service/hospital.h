/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOSPITAL_H
#define SERVICE_HOSPITAL_H

/*
 * HPC, a hospital's private cloud: what its service and its commands work with, and the one way a
 * record gets in. Several processes may have the same hospital open.
 */

#include "service/hospital_outbox.h"
#include "service/hospital_records.h"
#include "service/progress.h"
#include "service/publisher.h"
#include "service/sessions.h"

typedef struct cs_hpc {
    cs_server *server;
    cs_outbox *outbox;
    cs_publisher *publisher; /* NULL until the service or a command makes one */
    cs_sessions *sessions;   /* NULL but in the service */
    int lock;                /* on the home: its credential stays while this is open */
    bool allows_emergency;
} cs_hpc;

/* Also without a credential that is in its dates, to see what there is: who goes on to others asks
 * cs_actor_wants_registration. */
CS_MUST_CHECK int cs_hpc_open(cs_hpc **out, cs_home *home, cs_error *error);
void cs_hpc_close(cs_hpc **hospital);

/* The record, its place in the outbox and the audit entry, durable together. */
CS_MUST_CHECK int cs_hpc_keep(cs_hpc *hospital, cs_worker *worker, cs_record_writer *writer,
    const cs_row_keys *row, const cs_record_header *header, cs_decision *decision, cs_error *error);

typedef struct cs_import {
    const char *id_p;
    const char *id_de;
    const char *media_type;
    int fd;                /* read to its end */
    cs_progress *progress; /* NULL: none */
} cs_import;
typedef struct cs_imported {
    uint8_t id[CS_RECORD_ID_SIZE];
    uint8_t hash[CS_HASH_SIZE];
    uint64_t size;
} cs_imported;
/* Any size in constant memory; SigEMR is made here. */
CS_MUST_CHECK int cs_hpc_import(cs_hpc *hospital, cs_worker *worker, const cs_import *import,
    cs_imported *out, cs_error *error);

/* Put the publication of every patient and department into the outbox again: for a hospital that
 * has a new credential or a new address. One prf for each of them. */
CS_MUST_CHECK int cs_hpc_publish_all(
    cs_hpc *hospital, cs_worker *worker, uint64_t *rows, cs_error *error);

/* A person has dealt with the notice of an emergency access: it goes, and the log says so. */
CS_MUST_CHECK int cs_hpc_acknowledge(
    cs_hpc *hospital, cs_worker *worker, uint64_t number, cs_error *error);

#endif
