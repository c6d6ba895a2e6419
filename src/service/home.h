/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_HOME_H
#define CHARTSEAL_SERVICE_HOME_H

/*
 * A party's home: the directory (mode 0700) in which it keeps what is not in its token.
 *
 *   config.json       role, id, suite, token, keys (URIs), PIN source, addresses; no secrets
 *   cloud.cbor        PC's parameters (party.h: cs_cloud_parse); the cloud's own home has it too
 *   credential.cbor   after registration
 *   scalar.sealed     only where S_X is sealed (own_scalar.h)
 *   certificate.pem   Cert_D, or the hospital's certificate; request.pem before it is issued
 *   authorities.pem   the medical authorities trusted here; crl.pem their revocation lists
 *   ocsp.der          the authority's newest answer about certificate.pem (staple.h)
 *   revocations.cbor  the newest list of revoked credentials
 *   chartseal.db      the store
 *   audit.seal        how far its audit log was sealed (audit_mark.h)
 *   biometric.bin     a patient's, with "biometric" in config.json: helper data (biometrics.h)
 *   device.key        the key that helper data is sealed under
 *   in.use            a lock, empty (a service's)
 *   ceremony.transcript  of a home that a ceremony made (transcript.h)
 *
 * Files are written whole or not at all (files.h). Opening a home reads and checks config.json;
 * opening its party opens the token, logs in, opens the keys named in it and loads what there is.
 */

#include "service/files.h"
#include "store/store.h"

#include <chartseal/party.h>
#include <chartseal/registration.h>

#include <jansson.h>

#define CS_PATH_MAX 4096

typedef enum cs_home_kind {
    CS_HOME_AUTHORITY = 1,
    CS_HOME_CLOUD,
    CS_HOME_HOSPITAL,
    CS_HOME_DOCTOR,
    CS_HOME_PATIENT,
    CS_HOME_TELECARE, /* the storage cloud of telecare, whose role is `cloud` */
} cs_home_kind;
const char *cs_home_kind_name(cs_home_kind kind);
/* The role that a kind is registered in; 0: authority and PC are not. */
cs_role cs_home_role(cs_home_kind kind);
/* "cloud telecare": what stands before a verb of that kind of home. */
const char *cs_home_group(cs_home_kind kind);

typedef struct cs_home {
    char dir[CS_PATH_MAX];
    cs_home_kind kind;
    json_t *config;
    char id[CS_ID_MAX + 1];
    cs_suite suite;
    uint8_t *authorisation; /* guarded; of keys in a TPM, from H(BP) (biometrics.h); else NULL */
    unsigned adopted;       /* by cs_home_make_keys: keys that were in the token already */
    cs_pin_source pin;      /* CS_PIN_NONE, or where the PIN is now, whatever config.json says */
    const char *pin_hold;   /* NULL, or how long it is held ("visit"), whatever config.json says */
    bool visits;            /* opened for visits: a PIN may be held for one */
    cs_token_tell_fn tell;  /* what has to be done at the reader; NULL: on the terminal */
} cs_home;

/* Make the directory and config.json. CS_E_USAGE, here and below, when others than the owner may
 * use the directory; CS_E_EXISTS when there is a config.json already. `config` is not taken over;
 * role, id and suite are added to it. */
CS_MUST_CHECK int cs_home_create(cs_home **out, const char *dir, cs_home_kind kind, const char *id,
    cs_suite suite, const json_t *config, cs_error *error);
/* Would it refuse the identity or the directory? For what is done before a home is made. */
CS_MUST_CHECK int cs_home_check_place(
    const char *dir, const char *id, cs_home_kind kind, cs_error *error);
/* CS_E_NO_FILE (says which init command makes it), CS_E_MALFORMED, CS_E_USAGE for another kind, and
 * for a home whose ceremony has not come to its end (ceremony.h). */
#define CS_HOME_CEREMONY "ceremony" /* in config.json: "begun" or */
#define CS_HOME_FINISHED "finished"
CS_MUST_CHECK int cs_home_open(cs_home **out, const char *dir, cs_home_kind kind, cs_error *error);
/* The kind is whatever config.json says (audit, token audit). */
CS_MUST_CHECK int cs_home_open_any(cs_home **out, const char *dir, cs_error *error);
/* The same for whoever goes on with that ceremony. */
CS_MUST_CHECK int cs_home_open_begun(cs_home **out, const char *dir, cs_error *error);
void cs_home_free(cs_home **home);
CS_MUST_CHECK int cs_home_save(const cs_home *home, cs_error *error);
/* A string of config.json by dotted path ("keys.sign"), NULL when it has none; valid until another
 * is set there. */
const char *cs_home_text(const cs_home *home, const char *path);
CS_MUST_CHECK int cs_home_set_text(
    cs_home *home, const char *path, const char *value, cs_error *error);
/* dir/name; a file of it read (limit in bytes), written (mode 0600). */
void cs_home_path(const cs_home *home, const char *name, char path[CS_PATH_MAX]);
CS_MUST_CHECK int cs_home_read(
    const cs_home *home, const char *name, size_t limit, cs_buf *out, cs_error *error);
CS_MUST_CHECK int cs_home_write(
    const cs_home *home, const char *name, cs_view bytes, cs_error *error);

/* Everything a party's steps need, opened and owned. `party` points into the rest. */
typedef struct cs_actor {
    cs_home *home; /* not owned */
    cs_token *token;
    cs_cloud cloud;
    cs_credential credential; /* raw_size 0: not registered yet */
    cs_buf certificate;       /* DER; empty: none */
    cs_buf staple;            /* what its authority answers about it (staple.h); empty: none */
    int64_t staple_asked;     /* when its responder last was, be it for nothing; 0: never */
    cs_trust *trust;          /* NULL: no authorities here */
    cs_trust *tpm_makers;     /* PC: manufacturers of TPMs; NULL: none are known */
    cs_key *sign, *decrypt, *scalar, *issue, *storage;
    cs_party party;
} cs_actor;

/* Opens token and keys as far as config.json names them, verifies that the credential (if any)
 * names these keys. wants_cloud false: a home without cloud.cbor is fine (authority, before init
 * ends). */
CS_MUST_CHECK int cs_actor_open(cs_actor **out, cs_home *home, bool wants_cloud, cs_error *error);
void cs_actor_free(cs_actor **actor);

/* Generate the keys of a role in the token that config.json names and write their URIs under
 * "keys": authority sign; cloud sign, decrypt, issue ("master"), storage; hospital and
 * telecare sign, decrypt, storage; doctor and patient sign, decrypt. Labels: PREFIX-sign, … with
 * PREFIX the home's "key_prefix" or the role. Keys that are there already under these labels are
 * taken (a repeated init) if they were made in that token and never readable, unless the token has
 * others too: it may then be somebody's who is registered, and whose S_X a registration would
 * replace. That is CS_E_EXISTS, or done if `adopt` says so. With `adopt`, the keys in 9C and 9D of
 * a PIV card, where OpenSC shows them, are taken in the place of sign and decrypt. */
CS_MUST_CHECK int cs_home_make_keys(cs_home *home, cs_token *token, bool adopt, cs_error *error);

/* An env over the actor's trust, the store's seen table and a way to know revoked serials: PC asks
 * its database, the others revocations.cbor. now is read from the system clock by cs_env_tick. */
typedef struct cs_world {
    cs_env env;
    cs_store *store; /* not owned */
    bool is_cloud;
    cs_buf revocations_bytes;
    cs_revocations revocations;
} cs_world;
CS_MUST_CHECK int cs_world_open(
    cs_world *out, const cs_actor *actor, cs_store *store, cs_error *error);
void cs_world_close(cs_world *world);
void cs_world_tick(cs_world *world); /* env.now from the clock */
/* Whether revocations can be told: PC always, the others while their list is in its dates. */
bool cs_world_knows_revoked(const cs_world *world);
/* Take a newer list in (signature and dates are checked) and keep it in revocations.cbor. */
CS_MUST_CHECK int cs_world_revocations(
    cs_world *world, const cs_actor *actor, cs_view bytes, cs_error *error);

/* Whoever works with a party's credential shares in.use; whoever replaces it wants it alone, and
 * keeps it until close(*fd). CS_E_BUSY at once if that cannot be. */
CS_MUST_CHECK int cs_home_lock(int *fd, const cs_home *home, bool alone, cs_error *error);

int64_t cs_clock_ms(void);

#endif
