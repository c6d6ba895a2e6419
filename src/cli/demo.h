/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_DEMO_H
#define CHARTSEAL_CLI_DEMO_H

/*
 * The demonstration: every party as a process of its own, started from this same program, each with
 * a fresh software token, on loopback ports. The demo only starts processes, reads what they print,
 * and compares files; it opens no token and knows no key.
 *
 * A token is one of SoftHSM's, or a TPM: a swtpm of its own for each party that has one. Suite p256
 * has the cloud's keys in a TPM, since PKCS#11 has no ECSCHNORR, and the patient's. The doctor may
 * have a smartcard, a virtual one under pcscd and OpenSC.
 *
 *   DIR/tokens                      SoftHSM's configuration and token files
 *   DIR/tokens/card                 what the doctor's card remembers
 *   DIR/tokens/tpm-PARTY            the state of a TPM; its wrapped keys are in DIR/PARTY/keys
 *   DIR/authority … DIR/patient     the homes, each with the PINs of its token
 *   DIR/log                         what the services print
 */

#include "service/home.h"

#include <sys/types.h>

#define DEMO_PARTIES CS_HOME_TELECARE /* the last of them in telecare alone */

typedef struct demo_child {
    pid_t pid; /* 0: not running */
    int fd;    /* pidfd; -1: none */
    char name[48];
    int status; /* of waitpid, once it has ended */
    bool ended;
} demo_child;

typedef struct demo_tpm {
    uint16_t port; /* and the next one; 0: none was started */
    demo_child child;
} demo_tpm;

typedef struct demo_card {
    char program[CS_PATH_MAX], module[CS_PATH_MAX];
    uint32_t serial;
    char token_serial[17]; /* OpenSC's */
    demo_child child;
} demo_card;

typedef struct demo {
    char dir[CS_PATH_MAX];
    bool temporary;
    bool quiet; /* --json */
    bool patient_tpm;
    bool telecare;           /* the procedures of telecare, and not a visit */
    const char *doctor_card; /* its kind; NULL: none */
    int stop_fd;
    const char *record, *signal, *diagnosis, *wire_log, *suite; /* record: of telecare the report */
    char module[CS_PATH_MAX];
    char program[CS_PATH_MAX];
    char simulator[CS_PATH_MAX]; /* of TPMs; "": not needed */
    char patient_id[CS_ID_MAX + 1];
    char doctor_id[CS_ID_MAX + 1];
    int reserved; /* a socket that holds the hospital's port until the hospital takes it */
    uint16_t hospital_port;
    uint16_t cloud_port, telecare_port;
    demo_child cloud, hospital, telecare_cloud;
    demo_card card;
    demo_tpm tpms[DEMO_PARTIES + 1]; /* by cs_home_kind */
    unsigned steps;                  /* told so far */
    json_t *registration;            /* party → operations */
    json_t *visit;                   /* party → operations */
    json_t *filing;                  /* party → operations */
    json_t *keys;
    json_t *record_report, *signal_report, *diagnosis_report;
    json_t *procedures;
    uint64_t messages, bytes;
} demo;

#define DEMO_DEPARTMENT "general-medicine"
#define DEMO_CLOUD_ID "cloud.example"
#define DEMO_HOSPITAL_ID "hospital-north"
#define DEMO_TELECARE_ID "telecare.example"

/* -- demo_process.c: children
 * ---------------------------------------------------------------------- */

#define DEMO_STEP_MS 120000     /* one command; a token in files is not fast */
#define DEMO_CONTENT_MS 7200000 /* one that moves a record, which may be large */

/* argv without the program's own name, ended by NULL. Output goes to DIR/log. */
CS_MUST_CHECK int demo_start(
    demo *me, demo_child *out, const char *name, const char *const argv[], cs_error *error);
/* Another program, in a process group of its own: what a terminal sends to all of ours passes it
 * by, and it lasts until we end it. */
CS_MUST_CHECK int demo_start_aside(demo *me, demo_child *out, const char *name, const char *program,
    const char *const argv[], cs_error *error);
/* The last line that it said on standard error. */
void demo_last_words(const demo *me, const demo_child *child, char *out, size_t size);
/* Wait for the end of a child. What it printed is parsed into *answer (NULL: do not want it). A
 * child that failed is its error, with its name before it; a service that ends meanwhile as well.
 */
CS_MUST_CHECK int demo_wait(
    demo *me, demo_child *child, int timeout_ms, json_t **answer, cs_error *error);
/* Both to their end; the one that failed first is the error. */
CS_MUST_CHECK int demo_wait_both(
    demo *me, demo_child *a, demo_child *b, int timeout_ms, cs_error *error);
CS_MUST_CHECK int demo_run(demo *me, const char *name, const char *const argv[], int timeout_ms,
    json_t **answer, cs_error *error);
CS_MUST_CHECK int demo_answer(
    const demo *me, const demo_child *child, json_t **answer, cs_error *error);
/* Remove what it printed: reports of clients name the patient. */
void demo_forget(const demo *me, const demo_child *child);
/* Wait until the child has written a port into the file, and read it. */
CS_MUST_CHECK int demo_wait_port(
    demo *me, demo_child *child, const char *path, uint16_t *port, cs_error *error);
/* End it if it runs: first kindly. */
void demo_stop(demo_child *child);
/* The same for a service, which says at its end what it did. */
CS_MUST_CHECK int demo_end_service(demo *me, demo_child *child, json_t **answer, cs_error *error);

/* -- demo_places.c: directories and tokens
 * --------------------------------------------------------- */

CS_MUST_CHECK int demo_make_places(demo *me, const char *state, cs_error *error);
void demo_remove_places(const demo *me);
/* DIR/PARTY/NAME */
void demo_path(const demo *me, cs_home_kind kind, const char *name, char path[CS_PATH_MAX]);
/* "pkcs11:token=…?module-path=…", or "tpm2:dir=…?tcti=…" */
void demo_token_uri(const demo *me, cs_home_kind kind, char uri[CS_URI_MAX]);

/* -- demo_tpm.c: simulated TPMs
 * ------------------------------------------------------------------------- */

#define DEMO_PASSPHRASE "passphrase" /* DIR/patient/… */

bool demo_has_tpm(const demo *me, cs_home_kind kind);
/* CS_E_TOKEN_ABSENT, with what to install, when one is needed and there is none. */
CS_MUST_CHECK int demo_find_simulator(demo *me, cs_error *error);
/* Until it answers. */
CS_MUST_CHECK int demo_start_tpm(demo *me, cs_home_kind kind, cs_error *error);
/* As a host does when it is switched off. */
void demo_stop_tpms(demo *me);
void demo_tpm_uri(const demo *me, cs_home_kind kind, char uri[CS_URI_MAX]);

/* -- demo_card.c: the doctor's smartcard
 * ------------------------------------------------------------------------- */

bool demo_has_card(const demo *me, cs_home_kind kind);
/* program: of the virtual card; NULL: the environment says. CS_E_TOKEN_ABSENT, with what to
 * install. */
CS_MUST_CHECK int demo_find_card(demo *me, const char *program, cs_error *error);
/* Until a reader has it. */
CS_MUST_CHECK int demo_start_card(demo *me, cs_error *error);
/* As a desk does: DIR/doctor/card, the PIN in DIR/doctor/pin, Cert_D in DIR/authority/doctor.pem.
 */
CS_MUST_CHECK int demo_make_card(demo *me, const char *name, cs_error *error);
/* S_D into a retired slot, where the suite has it so; after the registration. */
CS_MUST_CHECK int demo_load_card(demo *me, cs_error *error);
void demo_card_uri(const demo *me, char uri[CS_URI_MAX]);

/* -- demo_steps.c, demo_visit.c: what happens
 * ------------------------------------------------------- */

CS_MUST_CHECK int demo_found(demo *me, cs_error *error); /* tokens, authority, cloud, homes */
CS_MUST_CHECK int demo_register(demo *me, cs_error *error);
CS_MUST_CHECK int demo_visit(demo *me, cs_error *error);
CS_MUST_CHECK int demo_audit_keys(demo *me, cs_error *error);
/* The last kind that takes part. */
cs_home_kind demo_last_party(const demo *me);
/* A message of text as a file of the doctor's, unless --diagnosis names one. */
CS_MUST_CHECK int demo_choose_diagnosis(const demo *me, char path[CS_PATH_MAX], cs_error *error);
/* By the name of a file. */
const char *demo_media_type(const char *path);

/* demo_telecare.c: HUP, PUP, TP, CP. */
CS_MUST_CHECK int demo_telecare(demo *me, cs_error *error);
CS_MUST_CHECK int demo_print_telecare(demo *me, double seconds, cs_error *error);

/* -- demo_report.c
 * ------------------------------------------------------------------------------------ */

/* Tell a step: who, what happens, what was proved, and a party's token operations (NULL: none). */
void demo_tell(demo *me, const char *parties, const char *what, const char *proved);
void demo_tell_ops(const demo *me, const char *party, json_t *ops);
/* The same of an `init`, from its answer: the keys it made are told, too. */
void demo_tell_made(const demo *me, const char *party, const json_t *answer);
/* Token operations of a service so far, for a procedure, from its /metrics. */
CS_MUST_CHECK int demo_service_ops(
    cs_op_counts *out, uint16_t port, const char *procedure, cs_error *error);
CS_MUST_CHECK int demo_wait_healthy(
    demo *me, const demo_child *child, uint16_t port, cs_error *error);
/* {"sent_sha256", "received_sha256"} of two files, which must be equal. */
CS_MUST_CHECK int demo_compare(
    json_t **out, const char *what, const char *sent, const char *received, cs_error *error);
/* Add a child's "wire" object to the sums. */
void demo_count_wire(demo *me, const json_t *answer);
CS_MUST_CHECK int demo_print(demo *me, double seconds, cs_error *error);
/* What it says to people at its end. */
void demo_tell_end(const demo *me, double seconds);

#endif
