/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/demo.h"
#include "cli/home_options.h"
#include "service/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_RANDOM 6 /* bytes; nobody mistakes it for a real identity */

static void random_id(char *out, size_t size, const char *prefix)
{
    uint8_t random[ID_RANDOM];
    char hex[2 * ID_RANDOM + 1];

    cs_random(random, sizeof random);
    cs_hex(CS_VIEW_ARRAY(random), hex);
    (void)snprintf(out, size, "%s%s", prefix, hex);
}

/* *size: of a file that can be read; opened, for access() also likes a directory. */
static int look_at(const char *option, const char *path, uint64_t *size, cs_error *error)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc = CS_OK;

    if (fd < 0)
        return CS_FAIL(error, errno == ENOENT ? CS_E_NO_FILE : CS_E_STORAGE,
            "--%s %s cannot be read: %s", option, path, strerror(errno));
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        rc = CS_FAIL(error, CS_E_USAGE, "--%s %s is no regular file", option, path);
    else
        *size = (uint64_t)about.st_size;
    (void)close(fd);
    return rc;
}

/* Whatever can be known to be wrong is said before anything is made. */
static int check_files(demo *me, cs_error *error)
{
    uint64_t size = 0;
    int rc = look_at(me->telecare ? "report" : "record", me->record, &size, error);

    if (rc == CS_OK && me->diagnosis != NULL) {
        rc = look_at("diagnosis", me->diagnosis, &size, error);
        if (rc == CS_OK && (size == 0 || size > CS_DIAGNOSIS_MAX))
            rc =
                CS_FAIL(error, CS_E_USAGE, "--diagnosis %s has %llu bytes; a diagnosis has 1 to %d",
                    me->diagnosis, (unsigned long long)size, CS_DIAGNOSIS_MAX);
    }
    if (rc == CS_OK && me->signal != NULL) {
        rc = look_at("signal", me->signal, &size, error);
        if (rc == CS_OK && size == 0)
            me->signal = NULL; /* to the protocol it is none: nothing would arrive */
    }
    return rc;
}

/* The log may go into the directory of --state, which is made for it. */
static int check_wire_log(const demo *me, const char *state, cs_error *error)
{
    cs_wire_log *log = NULL;
    int rc = state == NULL ? CS_OK : cs_make_directories(state, error);

    if (rc == CS_OK)
        rc = cs_wire_log_open(&log, me->wire_log, error);
    cs_wire_log_close(&log);
    return rc;
}

static int prepare(demo *me, const cs_arguments *arguments, cs_error *error)
{
    cs_suite suite;
    int rc = cs_arg_suite(&suite, arguments, error);

    me->registration = json_object();
    me->keys = json_array();
    random_id(me->patient_id, sizeof me->patient_id, "patient-");
    random_id(me->doctor_id, sizeof me->doctor_id, "dr-");
    if (rc == CS_OK && (me->registration == NULL || me->keys == NULL))
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a report");
    if (rc == CS_OK)
        rc = check_files(me, error);
    if (rc == CS_OK)
        rc = check_wire_log(me, cs_arg(arguments, "state"), error);
    if (rc == CS_OK)
        rc = cs_stop_fd_open(&me->stop_fd, error);
    return rc;
}

/* Everything ends and, without --state, everything goes, however the demo went. */
static void clean_up(demo *me)
{
    demo_stop(&me->telecare_cloud);
    demo_stop(&me->hospital);
    demo_stop(&me->cloud);
    demo_stop_tpms(me);
    demo_stop(&me->card.child);
    if (me->reserved >= 0)
        (void)close(me->reserved);
    if (me->stop_fd >= 0)
        (void)close(me->stop_fd);
    demo_remove_places(me);
    json_decref(me->registration);
    json_decref(me->visit);
    json_decref(me->filing);
    json_decref(me->keys);
    json_decref(me->record_report);
    json_decref(me->signal_report);
    json_decref(me->diagnosis_report);
    json_decref(me->procedures);
}

/* Everybody there and registered, then what the demo is of. */
static int run(demo *me, const cs_arguments *arguments, cs_error *error)
{
    int64_t started = cs_clock_ms();
    int rc = prepare(me, arguments, error);

    if (rc == CS_OK && me->doctor_card != NULL)
        rc = demo_find_card(me, cs_arg(arguments, "card-program"), error);
    if (rc == CS_OK)
        rc = demo_make_places(me, cs_arg(arguments, "state"), error);
    if (rc == CS_OK)
        rc = demo_found(me, error);
    if (rc == CS_OK)
        rc = demo_register(me, error);
    if (rc == CS_OK)
        rc = me->telecare ? demo_telecare(me, error) : demo_visit(me, error);
    if (rc == CS_OK)
        rc = demo_audit_keys(me, error);
    if (rc == CS_OK) {
        double seconds = (double)(cs_clock_ms() - started) / 1000;

        rc =
            me->telecare ? demo_print_telecare(me, seconds, error) : demo_print(me, seconds, error);
    }
    clean_up(me);
    return rc;
}

static demo new_demo(const cs_arguments *arguments, bool telecare)
{
    return (demo){.quiet = cs_arg_flag(arguments, "json"),
        .telecare = telecare,
        .patient_tpm = cs_arg_flag(arguments, "patient-tpm"),
        .doctor_card = telecare ? NULL : cs_arg(arguments, "doctor-card"),
        .stop_fd = -1,
        .reserved = -1,
        .record = cs_arg(arguments, telecare ? "report" : "record"),
        .signal = cs_arg(arguments, "signal"),
        .diagnosis = cs_arg(arguments, "diagnosis"),
        .wire_log = cs_arg(arguments, "wire-log"),
        .suite = cs_arg_or(arguments, "suite", "ed25519"),
        .card.child = {.fd = -1},
        .cloud = {.fd = -1},
        .hospital = {.fd = -1},
        .telecare_cloud = {.fd = -1}};
}

static int run_demo(const cs_arguments *arguments, cs_error *error)
{
    demo me = new_demo(arguments, false);

    return run(&me, arguments, error);
}

static int run_telecare(const cs_arguments *arguments, cs_error *error)
{
    demo me = new_demo(arguments, true);

    return run(&me, arguments, error);
}

#define COMMON_OPTIONS                                                                             \
    {"diagnosis", "FILE", false, "the doctor's diagnosis; otherwise one of the demo's own"},       \
        {"state", "DIR", false, "keep everything there; otherwise it is removed at the end"},      \
        {"suite", "NAME", false,                                                                   \
            "ed25519, or p256 with the cloud's and the patient's keys in TPMs"},                   \
        {"patient-tpm", NULL, false,                                                               \
            "the patient's keys in a TPM; in suite ed25519 S_P is sealed to it"},                  \
        CS_WIRE_LOG_OPTION, CS_JSON_OPTION, CS_OPTIONS_END

static const cs_option demo_options[] = {
    {"record", "FILE", true, "the patient's record that the hospital has; any file, any size"},
    {"signal", "FILE", false, "what the patient's device sensed"},
    {"doctor-card", "KIND", false,
        "the doctor's keys on a card: virtual-piv, under pcscd with vpcd's reader, through OpenSC"},
    {"card-program", "FILE", false, "the virtual card; otherwise CHARTSEAL_VIRTUAL_PIV names it"},
    COMMON_OPTIONS,
};

static const cs_option telecare_options[] = {
    {"report", "FILE", true, "m_H, the hospital's report; any file, any size"},
    {"signal", "FILE", false,
        "m_B, what the patient's device sensed; otherwise one of the demo's own"},
    COMMON_OPTIONS,
};

static const cs_verb verbs[] = {
    {"",
        "everybody on this machine, with software tokens: registration, and one whole visit; "
        "`demo telecare`: and one episode of telecare",
        demo_options, "--record tests/data/patient.json --signal tests/data/ecg-360hz-u16le.bin",
        run_demo},
    {"telecare", "the same, with one episode of telecare: HUP, PUP, TP and CP", telecare_options,
        "--report tests/data/patient.json --signal tests/data/ecg-360hz-u16le.bin", run_telecare},
    {0},
};

const cs_group cs_demo_group = {
    "demo", "everybody on one machine: a visit, or an episode of telecare", verbs};
