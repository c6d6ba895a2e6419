/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOSPITAL_OUTBOX_H
#define SERVICE_HOSPITAL_OUTBOX_H

/*
 * What HPC has still to tell: that it has records of a patient and department (to PC, until PC has
 * acknowledged it), and that somebody used an emergency access (a notice to the patient, kept until
 * a person has dealt with it and acknowledges it). It is written in the transaction that makes it
 * necessary, so that a crash cannot lose it. Items are sealed under one key for the whole outbox:
 * one prf when it is opened.
 */

#include "service/audit_log.h"

#include <chartseal/search.h>

typedef struct cs_outbox cs_outbox;

CS_MUST_CHECK int cs_outbox_new(cs_outbox **out, cs_key *storage, cs_error *error);
void cs_outbox_free(cs_outbox **outbox);

/* row: the row key of patient and department, so that one item stands for all its records. */
CS_MUST_CHECK int cs_outbox_put_publication(const cs_outbox *outbox, cs_store *store,
    const uint8_t row[CS_STORE_KEY_SIZE], const char *id_p, const char *id_de, int64_t now,
    cs_error *error);
CS_MUST_CHECK int cs_outbox_put_notice(
    const cs_outbox *outbox, cs_store *store, const cs_query *query, int64_t now, cs_error *error);

/* A row of another database of this hospital is a notice: it opens under its key, and says so.
 * CS_E_CORRUPT. */
CS_MUST_CHECK int cs_outbox_check_notice(
    const cs_outbox *outbox, const cs_outbox_row *row, cs_error *error);

typedef struct cs_outbox_item {
    uint64_t number;
    bool unreadable;
    uint8_t key[CS_STORE_KEY_SIZE];
    int64_t time;
    char id_p[CS_ID_MAX + 1];
    char id_de[CS_DEPARTMENT_MAX + 1];
    char id_d[CS_ID_MAX + 1];     /* of a notice */
    char reason[CS_TEXT_MAX + 1]; /* likewise */
} cs_outbox_item;
typedef int (*cs_outbox_fn)(void *context, const cs_outbox_item *item, cs_error *error);

/* What waits of that kind with a number above `after`, the oldest first, `most` at most. An item
 * that cannot be read is handed over too, marked, with its number and key alone. */
CS_MUST_CHECK int cs_outbox_read(const cs_outbox *outbox, cs_store *store, cs_outbox_kind kind,
    uint64_t after, unsigned most, cs_outbox_fn fn, void *context, cs_error *error);

typedef struct cs_outbox_counts {
    uint64_t publications;
    uint64_t notices;
    uint64_t unreadable; /* of both; they are in neither */
} cs_outbox_counts;
CS_MUST_CHECK int cs_outbox_count(
    const cs_outbox *outbox, cs_store *store, cs_outbox_counts *out, cs_error *error);

#endif
