/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_CAST_H
#define CHARTSEAL_TEST_CAST_H

/*
 * The cast for tests of the protocol: an authority, PC, two hospitals, two doctors, two patients
 * and a telecare cloud, each with a token of its own, registered with each other; a clock that the
 * test sets; what was seen and what is revoked in memory. The tokens come from a function, so that
 * one test body runs over every backend.
 */

#include "test.h"

#include <chartseal/consultation.h>
#include <chartseal/registration.h>
#include <chartseal/search.h>

#define CAST_START 1767225600000LL /* 2026-01-01 */
#define CAST_CLOUD "pc.example"    /* the names of the others say who they are */
#define CAST_HOUR 3600000LL
#define CAST_YEAR 31536000000LL
#define CAST_SEEN_MAX 256
#define CAST_ACTORS 9 /* of a cast: as many tokens */

typedef struct cast_memory {
    uint8_t seen[CAST_SEEN_MAX][CS_HASH_SIZE];
    size_t seen_count;
    uint64_t revoked[16];
    size_t revoked_count;
} cast_memory;

typedef struct cast_actor {
    const char *id;
    cs_role role; /* 0: PC, the authority */
    cs_token *token;
    cs_key *sign, *decrypt, *scalar, *issue, *storage;
    cs_credential credential;
    cs_buf certificate;
    cs_buf sealed;
    cs_attested attested; /* as PC found it */
    cast_memory memory;
    cs_env env;
    cs_party party;
} cast_actor;

typedef cs_token *(*cast_token_fn)(const char *name);

typedef struct cast {
    cs_suite suite;
    cs_cloud cloud;
    cs_buf ca;
    cs_trust *trust;
    uint64_t serial;
    cast_actor authority, pc, hospital, doctor, patient;
    cast_actor other_doctor, other_patient, other_hospital;
    cast_actor telecare; /* the cloud of telecare episodes */
} cast;

/* Everybody of a visit registered, at CAST_START. `make` opens a fresh token. */
void cast_open(cast *c, cs_suite suite, cast_token_fn make);
/* And the cloud of telecare, which no visit needs. */
void cast_open_telecare(cast *c, cast_token_fn make);
void cast_close(cast *c);
/* Add what was done since the last call to a party's account. */
void cast_charge(cs_op_counts *account, cs_op_counts *last);
/* Set everybody's clock. */
void cast_at(cast *c, int64_t now);
/* Registers an actor that has keys; gives the last two messages if the buffers are not NULL. */
int cast_register(cast *c, cast_actor *actor, cs_buf *r1, cs_buf *r2, cs_error *error);
/* The next serial, as cs_serial_fn; context is the cast. */
int cast_serial(void *context, uint64_t *serial, cs_error *error);
/* A certificate by the authority for the actor's sign key. */
void cast_certify(cast *c, cast_actor *actor, int64_t not_before, int64_t not_after);
/* Trust the authority with a CRL that revokes that certificate. */
void cast_revoke_certificate(cast *c, cast_actor *actor);

#endif
