/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPMs of the demonstration: a swtpm for each party that has one, on loopback. What a person
 * would do with the machine around a TPM (switch it on and off) is done here; what is done with the
 * TPM is up to the parties.
 */
#include "cli/demo.h"

#include "service/wait.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIMULATOR "swtpm"
#define PACKAGES "swtpm and libtss2-tcti-swtpm0"
#define DIRECTORY_MAX (CS_URI_MAX / 4) /* a byte of it may take three in a URI */
#define PORT_FIRST 12000               /* below the ports that systems hand out by themselves */
#define PORT_PAIRS 9000
#define PORT_TRIES 50
#define START_TRIES 5 /* somebody else may take a port that was free */
#define START_MS 20000
#define LOOK_MS 20
#define SWITCH_OFF_S 2

bool demo_has_tpm(const demo *me, cs_home_kind kind)
{
    bool p256 = strcmp(me->suite, "p256") == 0;

    return (kind == CS_HOME_CLOUD && p256) ||
           (kind == CS_HOME_PATIENT && (p256 || me->patient_tpm));
}

int demo_find_simulator(demo *me, cs_error *error)
{
    const char *path = getenv("PATH");

    if (!demo_has_tpm(me, CS_HOME_PATIENT))
        return CS_OK;
    for (path = path == NULL ? "/usr/bin" : path; *path != '\0';) {
        size_t n = strcspn(path, ":");

        (void)snprintf(
            me->simulator, sizeof me->simulator, "%.*s/" SIMULATOR, (int)n, n == 0 ? "." : path);
        if (n > 0 && access(me->simulator, X_OK) == 0)
            return CS_OK;
        path += n + (path[n] == ':');
    }
    return CS_FAIL(error, CS_E_TOKEN_ABSENT,
        SIMULATOR ", which plays the TPMs, is not found; install the packages " PACKAGES);
}

/* -- ports and sockets ---------------------------------------------------------------------------
 */

static int new_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool can_bind(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int on = 1;
    int fd = new_socket();
    bool can = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
               bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        (void)close(fd);
    return can;
}

/* The port for commands; that for control is the next one. 0: there is none. */
static uint16_t free_ports(void)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t random;
        uint16_t port;

        cs_random((uint8_t *)&random, sizeof random);
        port = (uint16_t)(PORT_FIRST + 2 * (random % PORT_PAIRS));
        if (can_bind(port) && can_bind((uint16_t)(port + 1)))
            return port;
    }
    return 0;
}

/* -1: nobody answers. */
static int connect_to(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = new_socket();

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static bool answers(uint16_t port)
{
    int fd = connect_to(port);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

/* -- on and off ----------------------------------------------------------------------------------
 */

static void state_path(const demo *me, cs_home_kind kind, char path[CS_PATH_MAX])
{
    (void)snprintf(path, CS_PATH_MAX, "%s/tokens/tpm-%s", me->dir, cs_home_kind_name(kind));
}

static int make_directories(const demo *me, cs_home_kind kind, cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc;

    if (strchr(me->dir, ',') != NULL || strlen(me->dir) > DIRECTORY_MAX)
        return CS_FAIL(error, CS_E_USAGE,
            "the path %s has a comma or over %d bytes, which TPMs do not take; give another "
            "--state",
            me->dir, DIRECTORY_MAX);
    state_path(me, kind, path);
    rc = cs_make_directories(path, error);
    demo_path(me, kind, "keys", path);
    return rc == CS_OK ? cs_make_directories(path, error) : rc;
}

/* CS_OK too when it has ended: it may be that the port was taken. */
static int wait_for_answer(demo *me, demo_tpm *tpm, cs_error *error)
{
    int64_t deadline = cs_deadline_in(START_MS);

    while (!answers(tpm->port) || !answers((uint16_t)(tpm->port + 1))) {
        int rc = cs_wait_fd(tpm->child.fd, POLLIN, cs_deadline_in(LOOK_MS), me->stop_fd, error);

        if (rc != CS_E_TIMEOUT) {
            demo_stop(&tpm->child);
            return rc;
        }
        if (cs_monotonic_ms() > deadline)
            return CS_FAIL(error, CS_E_TIMEOUT, "%s does not start", tpm->child.name);
    }
    return CS_OK;
}

static int start_once(demo *me, cs_home_kind kind, cs_error *error)
{
    demo_tpm *tpm = &me->tpms[kind];
    char name[48];
    char path[CS_PATH_MAX];
    char state[CS_PATH_MAX + 32];
    char server[64];
    char control[64];
    const char *const argv[] = {"socket", "--tpm2", "--tpmstate", state, "--server", server,
        "--ctrl", control, "--flags", "not-need-init,startup-clear", NULL};
    int rc;

    tpm->port = free_ports();
    if (tpm->port == 0)
        return CS_FAIL(error, CS_E_NETWORK, "no two free ports for a TPM");
    (void)snprintf(name, sizeof name, "the TPM of the %s", cs_home_kind_name(kind));
    state_path(me, kind, path);
    (void)snprintf(state, sizeof state, "dir=%s,mode=0600", path);
    (void)snprintf(server, sizeof server, "type=tcp,bindaddr=127.0.0.1,port=%d", tpm->port);
    (void)snprintf(control, sizeof control, "type=tcp,bindaddr=127.0.0.1,port=%d", tpm->port + 1);
    rc = demo_start_aside(me, &tpm->child, name, me->simulator, argv, error);
    return rc == CS_OK ? wait_for_answer(me, tpm, error) : rc;
}

int demo_start_tpm(demo *me, cs_home_kind kind, cs_error *error)
{
    const demo_child *child = &me->tpms[kind].child;
    char words[CS_ERROR_MESSAGE_MAX];
    int rc = make_directories(me, kind, error);

    for (int i = 0; rc == CS_OK && i < START_TRIES; i++) {
        rc = start_once(me, kind, error);
        if (rc != CS_OK || !child->ended)
            return rc;
    }
    if (rc != CS_OK)
        return rc;
    demo_last_words(me, child, words, sizeof words);
    return CS_FAIL(error, CS_E_TOKEN_ABSENT, "%s does not start: %s", child->name, words);
}

/* TPM2_Shutdown(CLEAR): a TPM that loses its power without it counts that as a wrong authorisation.
 */
static void tell_shutdown(uint16_t port)
{
    static const uint8_t command[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 0};
    const struct timeval limit = {.tv_sec = SWITCH_OFF_S};
    uint8_t answer[10];
    int fd = connect_to(port);

    if (fd < 0)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        send(fd, command, sizeof command, MSG_NOSIGNAL) == (ssize_t)sizeof command)
        (void)recv(fd, answer, sizeof answer, MSG_WAITALL);
    (void)close(fd);
}

void demo_stop_tpms(demo *me)
{
    for (size_t i = 0; i < sizeof me->tpms / sizeof me->tpms[0]; i++) {
        if (me->tpms[i].child.pid > 0)
            tell_shutdown(me->tpms[i].port);
        demo_stop(&me->tpms[i].child);
    }
}

/* -- its name ------------------------------------------------------------------------------------
 */

void demo_tpm_uri(const demo *me, cs_home_kind kind, char uri[CS_URI_MAX])
{
    static const char plain[] = "-._~/";
    char keys[CS_PATH_MAX];
    size_t n = (size_t)snprintf(uri, CS_URI_MAX, "tpm2:dir=");

    demo_path(me, kind, "keys", keys);
    for (const char *c = keys; *c != '\0' && n + 4 < CS_URI_MAX; c++)
        n += (size_t)snprintf(uri + n, CS_URI_MAX - n,
            isalnum((unsigned char)*c) || strchr(plain, *c) != NULL ? "%c" : "%%%02X",
            (unsigned char)*c);
    (void)snprintf(
        uri + n, CS_URI_MAX - n, "?tcti=swtpm:host=127.0.0.1,port=%d", me->tpms[kind].port);
}
