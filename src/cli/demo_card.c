/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's card of the demonstration: a virtual PIV card, a program of its own, in a reader of
 * vpcd under pcscd. A desk makes it as it would a real one, and OpenSC's module is the token.
 */
#include "cli/demo.h"

#include "service/wait.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIND "virtual-piv"
#define PROGRAM_VARIABLE "CHARTSEAL_VIRTUAL_PIV"
#define MODULE_VARIABLE "CHARTSEAL_OPENSC_MODULE"
#define PACKAGES "pcscd, vsmartcard-vpcd and opensc-pkcs11"
#define START_MS 15000
#define LOOK_MS 200
#define GUID_HEX 32
#define RECORD_MAX 4096

/* Where Debian puts OpenSC's module. */
static const char *const module_places[] = {
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/opensc-pkcs11.so",
    "/usr/local/lib/opensc-pkcs11.so",
};

bool demo_has_card(const demo *me, cs_home_kind kind)
{
    return me->doctor_card != NULL && kind == CS_HOME_DOCTOR;
}

static int find_module(demo *me, cs_error *error)
{
    const char *chosen = getenv(MODULE_VARIABLE);

    for (size_t i = 0; chosen == NULL && i < sizeof module_places / sizeof module_places[0]; i++) {
        if (access(module_places[i], R_OK) == 0)
            chosen = module_places[i];
    }
    if (chosen == NULL || access(chosen, R_OK) != 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "OpenSC's module is not found; install opensc-pkcs11, or name it in " MODULE_VARIABLE);
    (void)snprintf(me->card.module, sizeof me->card.module, "%s", chosen);
    return CS_OK;
}

int demo_find_card(demo *me, const char *program, cs_error *error)
{
    if (me->doctor_card == NULL)
        return CS_OK;
    if (strcmp(me->doctor_card, KIND) != 0)
        return CS_FAIL(error, CS_E_USAGE, "--doctor-card is " KIND ", nothing else");
    if (program == NULL)
        program = getenv(PROGRAM_VARIABLE);
    if (program == NULL || access(program, X_OK) != 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "the program of the virtual card is not found; name it with --card-program or "
            "in " PROGRAM_VARIABLE " (it is built as tests/virtual_piv/virtual_piv)");
    (void)snprintf(me->card.program, sizeof me->card.program, "%s", program);
    return find_module(me, error);
}

/* -- in the reader -------------------------------------------------------------------------------
 */

/* Nothing is done to a card that is not the one that was started here. */
static int look_at(demo *me, bool *seen, cs_error *error)
{
    const char *const argv[] = {"card", "show", "--json", NULL};
    const char *guid;
    json_t *answer = NULL;
    int rc = demo_run(me, "card show", argv, DEMO_STEP_MS, &answer, error);

    *seen = false;
    if (rc != CS_OK)
        return rc;
    guid = json_string_value(json_object_get(answer, "guid"));
    *seen = json_integer_value(json_object_get(answer, "serial")) == (json_int_t)me->card.serial &&
            guid != NULL && strlen(guid) == GUID_HEX;
    if (*seen)
        (void)snprintf(me->card.token_serial, sizeof me->card.token_serial, "%s",
            guid + GUID_HEX / 2); /* OpenSC takes that half */
    else
        rc = CS_FAIL(error, CS_E_KEY_AMBIGUOUS,
            "the PIV card in the reader is not the demonstration's; take it out");
    json_decref(answer);
    return rc;
}

static int wait_in_reader(demo *me, cs_error *error)
{
    int64_t deadline = cs_deadline_in(START_MS);
    bool seen = false;
    int rc = look_at(me, &seen, error);

    while (rc == CS_E_TOKEN_ABSENT && cs_monotonic_ms() < deadline) {
        rc = cs_wait_fd(me->card.child.fd, POLLIN, cs_deadline_in(LOOK_MS), me->stop_fd, error);
        if (rc == CS_OK)
            return CS_FAIL(error, CS_E_TOKEN_ABSENT,
                "the virtual card has ended: nothing of vpcd listens at its port; install " PACKAGES
                ", and run pcscd with vpcd's reader");
        if (rc == CS_E_TIMEOUT)
            rc = look_at(me, &seen, error);
    }
    if (rc == CS_E_TOKEN_ABSENT)
        return cs_error_context(error,
            "the virtual card reaches no reader: pcscd has to run with vpcd's (packages " PACKAGES
            ")");
    return rc;
}

int demo_start_card(demo *me, cs_error *error)
{
    char state[CS_PATH_MAX];
    char serial[16];
    const char *const argv[] = {"--state", state, "--serial", serial, NULL};
    int rc;

    cs_random((uint8_t *)&me->card.serial, sizeof me->card.serial);
    (void)snprintf(serial, sizeof serial, "%08x", me->card.serial);
    (void)snprintf(state, sizeof state, "%s/tokens/card", me->dir);
    rc = demo_start_aside(me, &me->card.child, "the card", me->card.program, argv, error);
    return rc == CS_OK ? wait_in_reader(me, error) : rc;
}

void demo_card_uri(const demo *me, char uri[CS_URI_MAX])
{
    (void)snprintf(
        uri, CS_URI_MAX, "pkcs11:serial=%s?module-path=%s", me->card.token_serial, me->card.module);
}

/* -- at the desk ---------------------------------------------------------------------------------
 */

/* What the doctor reads in the PIN letter. */
static int keep_pin(const demo *me, const char *record, cs_error *error)
{
    static const char name[] = "\npin ";
    cs_buf text = {.guarded = true};
    char path[CS_PATH_MAX];
    const uint8_t *line, *end;
    int rc = cs_file_read(&text, record, RECORD_MAX, error);

    if (rc != CS_OK)
        return rc;
    line = text.n == 0 ? NULL : memmem(text.p, text.n, name, sizeof name - 1);
    if (line != NULL)
        line += sizeof name - 1;
    end = line == NULL ? NULL : memchr(line, '\n', (size_t)(text.p + text.n - line));
    demo_path(me, CS_HOME_DOCTOR, "pin", path);
    rc = end == NULL ? CS_FAIL(error, CS_E_CORRUPT, "%s has no PIN", record)
                     : cs_file_write(path, (cs_view){line, (size_t)(end - line)}, 0600, error);
    cs_buf_free(&text);
    return rc;
}

static int issue(demo *me, const char *request, const char *agree_key, const char *out,
    json_t **answer, cs_error *error)
{
    char board[CS_PATH_MAX];
    const char *const argv[] = {"authority", "issue", "--dir", board, "--request", request, "--out",
        out, "--json", agree_key == NULL ? NULL : "--agree-key", agree_key, NULL};

    demo_path(me, CS_HOME_AUTHORITY, "", board);
    return demo_run(me, "authority issue", argv, DEMO_STEP_MS, answer, error);
}

int demo_make_card(demo *me, const char *name, cs_error *error)
{
    char dir[CS_PATH_MAX], request[CS_PATH_MAX], agree[CS_PATH_MAX], record[CS_PATH_MAX];
    char sign_out[CS_PATH_MAX], agree_out[CS_PATH_MAX];
    const char *keys[] = {"card", "provision", "--dir", dir, "--name", name, "--id", me->doctor_id,
        "--json", NULL, NULL, NULL, NULL, NULL, NULL, NULL};
    char ca[CS_PATH_MAX];
    json_t *answer = NULL;
    int rc;

    demo_path(me, CS_HOME_DOCTOR, "card", dir);
    demo_path(me, CS_HOME_DOCTOR, "card/sign.csr", request);
    demo_path(me, CS_HOME_DOCTOR, "card/agree.pub", agree);
    demo_path(me, CS_HOME_DOCTOR, "card/record", record);
    demo_path(me, CS_HOME_AUTHORITY, "certificate.pem", ca);
    demo_path(me, CS_HOME_AUTHORITY, "doctor.pem", sign_out);
    demo_path(me, CS_HOME_AUTHORITY, "doctor-agree.pem", agree_out);
    rc = demo_run(me, "card provision", keys, DEMO_STEP_MS, NULL, error);
    if (rc == CS_OK)
        rc = issue(me, request, NULL, sign_out, &answer, error);
    if (rc == CS_OK)
        rc = issue(me, request, agree, agree_out, NULL, error);
    keys[9] = "--sign-certificate";
    keys[10] = sign_out;
    keys[11] = "--agree-certificate";
    keys[12] = agree_out;
    keys[13] = "--trust";
    keys[14] = ca;
    if (rc == CS_OK)
        rc = demo_run(me, "card provision", keys, DEMO_STEP_MS, NULL, error);
    if (rc == CS_OK)
        rc = keep_pin(me, record, error);
    if (rc == CS_OK) {
        demo_tell(me, "desk, authority",
            "a blank card gets PIN, PUK and management key of its own, makes the doctor's keys in "
            "9C and 9D, and gets the certificates for them",
            "the request is signed by the key that is in it");
        demo_tell_ops(me, "authority", json_object_get(answer, "token_ops"));
    }
    json_decref(answer);
    return rc;
}

/* An X25519 key has no place on a PIV card: in the other suite S_D stays sealed to 9D. */
int demo_load_card(demo *me, cs_error *error)
{
    char dir[CS_PATH_MAX], home[CS_PATH_MAX];
    const char *const argv[] = {"card", "load", "--dir", dir, "--home", home, "--json", NULL};
    json_t *answer = NULL;
    int rc;

    if (strcmp(me->suite, cs_suite_name(CS_SUITE_P256)) != 0)
        return CS_OK;
    demo_path(me, CS_HOME_DOCTOR, "card", dir);
    demo_path(me, CS_HOME_DOCTOR, "", home);
    rc = demo_run(me, "card load", argv, DEMO_STEP_MS, &answer, error);
    if (rc == CS_OK) {
        demo_tell(me, "desk, doctor",
            "S_D, sealed to 9D, is opened once and imported into a retired slot of the card",
            "the key in the slot acts as that of Y_D");
        demo_tell_ops(me, "doctor", json_object_get(answer, "token_ops"));
    }
    json_decref(answer);
    return rc;
}
