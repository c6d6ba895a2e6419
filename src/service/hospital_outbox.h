/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOSPITAL_OUTBOX_H
#define SERVICE_HOSPITAL_OUTBOX_H

/*
 * What HPC has still to tell: that it has records of a patient and department (to PC, until PC has
 * acknowledged it), and that somebody used an emergency access (a notice to the patient, kept until
 * it is fetched). It is written in the transaction that makes it necessary, so that a crash
 * cannot lose it. Items are sealed under one key for the whole outbox: one prf when it is opened.
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

typedef struct cs_outbox_item {
    uint8_t key[CS_STORE_KEY_SIZE];
    char id_p[CS_ID_MAX + 1];
    char id_de[CS_DEPARTMENT_MAX + 1];
} cs_outbox_item;

/* The publications that wait, the oldest first, `most` at most. */
CS_MUST_CHECK int cs_outbox_publications(const cs_outbox *outbox, cs_store *store,
    cs_outbox_item *items, size_t most, size_t *count, cs_error *error);

typedef struct cs_outbox_counts {
    uint64_t publications;
    uint64_t notices;
    uint64_t unreadable;
} cs_outbox_counts;
CS_MUST_CHECK int cs_outbox_count(
    const cs_outbox *outbox, cs_store *store, cs_outbox_counts *out, cs_error *error);

#endif
