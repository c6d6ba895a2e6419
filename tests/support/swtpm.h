/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_SWTPM_H
#define CHARTSEAL_TEST_SWTPM_H

/* A simulated TPM as a child process on a free port. It ends with the test, however that ends. */

#include "test.h"

typedef struct swtpm {
    char state[128]; /* its directory, the caller's */
    char tcti[64];
    int port; /* the control port is the next one */
    int pid;  /* 0: not running */
} swtpm;

/* False where swtpm is not installed; says so. */
bool swtpm_available(void);
/* It and the next one are free. */
int swtpm_free_port(void);
/* Chooses the port. */
void swtpm_prepare(swtpm *tpm, const char *state);
/* With the state there is, until it answers. */
void swtpm_start(swtpm *tpm);
/* As a power cut would. */
void swtpm_stop(swtpm *tpm);

#endif
