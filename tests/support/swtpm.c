/* SPDX-License-Identifier: Apache-2.0 */
#include "swtpm.h"

#include <chartseal/crypto.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TRIES 400 /* of 10 ms */

bool swtpm_available(void)
{
    /* NOLINTNEXTLINE(cert-env33-c): a test, of constant text */
    if (system("command -v swtpm >/dev/null 2>&1") == 0)
        return true;
    (void)printf("skipped: swtpm is not installed (Debian: swtpm)\n");
    return false;
}

static bool can_bind(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool can;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    can = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return can;
}

/* Below the ports that the system hands out by itself. */
int swtpm_free_port(void)
{
    for (int i = 0; i < 200; i++) {
        uint16_t random;
        int port;

        cs_random(&random, sizeof random);
        port = 12000 + random % 9000 * 2;
        if (can_bind(port) && can_bind(port + 1))
            return port;
    }
    fail_msg("no free port for swtpm");
    return 0;
}

static bool answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool does;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    does = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return does;
}

static void become(const swtpm *tpm)
{
    char state[160], server[64], control[64];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(state, sizeof state, "dir=%s", tpm->state);
    (void)snprintf(server, sizeof server, "type=tcp,port=%d", tpm->port);
    (void)snprintf(control, sizeof control, "type=tcp,port=%d", tpm->port + 1);
    (void)freopen("/dev/null", "w", stdout);
    (void)freopen("/dev/null", "w", stderr);
    (void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
        "--ctrl", control, "--flags", "not-need-init,startup-clear", (char *)NULL);
    _exit(127);
}

void swtpm_prepare(swtpm *tpm, const char *state)
{
    *tpm = (swtpm){.port = swtpm_free_port()};
    assert_true(snprintf(tpm->state, sizeof tpm->state, "%s", state) < (int)sizeof tpm->state);
    (void)snprintf(tpm->tcti, sizeof tpm->tcti, "swtpm:host=127.0.0.1,port=%d", tpm->port);
}

void swtpm_start(swtpm *tpm)
{
    tpm->pid = fork();
    assert_true(tpm->pid >= 0);
    if (tpm->pid == 0)
        become(tpm);
    for (int i = 0; i < START_TRIES; i++) {
        if (answers(tpm->port) && answers(tpm->port + 1))
            return;
        (void)usleep(10000);
    }
    fail_msg("swtpm does not start");
}

void swtpm_stop(swtpm *tpm)
{
    if (tpm->pid <= 0)
        return;
    (void)kill(tpm->pid, SIGKILL);
    (void)waitpid(tpm->pid, NULL, 0);
    tpm->pid = 0;
}
