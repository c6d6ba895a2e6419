/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SERVER_COMMON_H
#define SERVICE_SERVER_COMMON_H

/*
 * What the services of PC and HPC have in common: one actor (token, keys, credential) that all
 * workers share, a store and a world for each worker, the audit log, and the life of the process.
 *
 * Every request to the protocol is a decision: cs_server_decide runs its step, counts the token
 * operations it took, and has an audit entry on the disk before the answer leaves, also for what
 * was refused, if it is known whom to hold to it (refusals.h). A refusal is a body of the
 * protocol's (cs_refusal_make) with the HTTP status of its category.
 *
 * What is logged on standard error names classes of errors and places in the program, never an
 * identity.
 */

#include "service/audit_log.h"
#include "service/health.h"
#include "service/home.h"
#include "service/http_server.h"
#include "service/metrics.h"
#include "service/tally.h"
#include "service/trust_watch.h"
#include "service/wire_log.h"

#include <chartseal/search.h>

#include <stdatomic.h>

#define CS_CONTENT_TYPE "application/cbor"
#define CS_SERVER_GRACE_MS 10000u /* for what is in hand when the service is told to stop */
#define CS_SERVER_TICK_MS 1000    /* between two looks at what is due */

typedef struct cs_server {
    cs_home *home; /* not owned */
    cs_actor *actor;
    cs_metrics *metrics;
    cs_audit *audit;
    cs_health health;
    cs_tally tally;   /* refusals of what nobody signed, until they are written down */
    int64_t tally_at; /* when they were last; the ticking thread's */
    char store_path[CS_PATH_MAX];
    cs_trust_watch *trust; /* whose certificates are believed now; actor->trust is of the start */
    atomic_uint lists;     /* revocation lists taken in since the start: workers load a newer one */
    void *role;            /* the service's own */
    cs_wire_log *wire_log; /* of the exchanges that this process begins; not owned, NULL: none */
} cs_server;

CS_MUST_CHECK int cs_server_open(cs_server **out, cs_home *home, cs_error *error);
void cs_server_close(cs_server **server);

/* What one thread works with. */
typedef struct cs_worker {
    const cs_server *server;
    cs_store *store;
    cs_world world;
    cs_trust *trust; /* that world.env points to */
    unsigned lists;
    unsigned trust_changes;
} cs_worker;

CS_MUST_CHECK int cs_worker_open(cs_worker **out, const cs_server *server, cs_error *error);
void cs_worker_close(cs_worker **worker);
/* The time, the newest revocation list, the newest trust. Call it before each step. */
CS_MUST_CHECK int cs_worker_refresh(cs_worker *worker, cs_error *error);

/* What the audit log will say of a request; the step fills it in as it learns. */
typedef struct cs_decision {
    const char *action;
    char who[CS_ID_MAX + 1];
    const char *role; /* NULL: not known yet */
    char patient[CS_ID_MAX + 1];
    char detail[CS_TEXT_MAX + 1];
    char reason[CS_TEXT_MAX + 1];                       /* of an emergency access; empty: none */
    uint8_t evidence[CS_HASH_SIZE + CS_SIGNATURE_SIZE]; /* h(request) ‖ signature */
    bool has_evidence;
    bool repeatable; /* refused before it was known whether the request came before */
    bool recorded;   /* the step has written its entry itself, in one transaction with its effect */
} cs_decision;

void cs_decision_party(cs_decision *decision, const char *who, cs_role role);
void cs_decision_about(cs_decision *decision, const char *patient, const char *detail);
/* Who asks, for whom, in which department, by what right, signed how; rc is what came of opening
 * the request. What is not known to be the doctor's says nothing about her. */
void cs_decision_query(cs_decision *decision, const cs_query *query, int rc);
void cs_decision_evidence(cs_decision *decision, const uint8_t h_request[CS_HASH_SIZE],
    const uint8_t signature[CS_SIGNATURE_SIZE]);
/* Append the entry; outcome is a cs_code. */
CS_MUST_CHECK int cs_decision_record(
    cs_decision *decision, const cs_worker *worker, int outcome, cs_error *error);

/* The end of a transaction that cs_store_begin began: the entry and the commit; or the rollback,
 * when rc is a failure of what stands before, or becomes one. Gives what came of it all. */
CS_MUST_CHECK int cs_decision_commit(
    cs_decision *decision, cs_worker *worker, int rc, cs_error *error);
/* Append the entry to a log that is taken over as it is (cs_audit_adopt). */
CS_MUST_CHECK int cs_decision_adopt(
    cs_decision *decision, const cs_worker *worker, cs_error *error);

/* Decides on a request's body and fills the answer; answer->body is empty if it fails. */
typedef int cs_step(cs_server *server, cs_worker *worker, cs_view body, cs_decision *decision,
    cs_http_answer *answer, cs_error *error);
/* The body of a cs_http_handle: always an answer, so it returns CS_OK unless memory is gone. */
CS_MUST_CHECK int cs_server_decide(cs_server *server, cs_worker *worker,
    const cs_http_request *request, cs_http_answer *answer, const char *action, cs_step *step,
    cs_error *error);

/* Measure token operations outside of requests: what is done between the two calls is added to the
 * procedure. */
void cs_server_count_ops(const cs_server *server, const char *procedure, cs_op_counts before);

/* For a command that has appended to the audit log: a seal, if one is due by the number of entries.
 * What the command did stands, so a failure is only logged. */
void cs_server_seal(cs_server *server, cs_worker *worker);

typedef struct cs_server_options {
    const char *address;
    uint16_t port;
    unsigned workers; /* 0: default, also below */
    unsigned queue;
    const char *port_file; /* NULL: none; gets the port when the service answers */
    cs_wire_log *wire_log; /* NULL: none; of the exchanges that the service begins */
    int stop_fd;           /* cs_stop_fd_open, called before the first thread was made */
} cs_server_options;

/* What is to be done now and then; runs in the thread that called cs_server_run. A failure is
 * logged and tried again. */
typedef int cs_server_tick(cs_server *server, cs_worker *worker, cs_error *error);

/* Serve until told to stop, then finish what is in hand and seal the audit log. */
CS_MUST_CHECK int cs_server_run(cs_server *server, const cs_server_options *options,
    const cs_http_route *routes, size_t route_count, cs_server_tick *tick, cs_error *error);

/* A text member of a decoded struct as an end-marked string, cut at size - 1. */
void cs_text_of(char *out, size_t size, cs_view text);

/* One line on standard error with the time and the role. */
void cs_server_log(const cs_server *server, const char *format, ...) CS_PRINTF(2, 3);
void cs_server_log_error(const cs_server *server, const char *what, const cs_error *error);

#endif
