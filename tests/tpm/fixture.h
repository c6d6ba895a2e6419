/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_TPM_FIXTURE_H
#define CHARTSEAL_TEST_TPM_FIXTURE_H

/* A swtpm of the test's own, on a free port, with a directory of keys and a PIN file. */

#include "swtpm.h"
#include "test.h"

#include <chartseal/token.h>

#define PIN "13572468"
#define WRONG_PIN "99999999"
#define SKIPPED 77 /* ctest's SKIP_RETURN_CODE for these tests */

typedef struct fixture {
    char directory[64];
    swtpm tpm;
    char keys[128]; /* of the token */
    char pin_file[128], wrong_pin_file[128];
    char tcti[64]; /* the way to the TPM; past a proxy where there is one */
} fixture;
extern fixture fx;

/* Group setup and teardown. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Kills it as a power cut would; starts it again with the state it had. */
void fixture_stop(void);
void fixture_start(void);
/* Off and on again in a moment, without the process's end: what was loaded is gone. */
void fixture_reset(void);
/* Stops it from answering, and lets it go on. */
void fixture_freeze(bool frozen);
/* Wrong tries back to 0. */
void fixture_forgive(void);
/* What is loaded in the TPM: transient objects and sessions. */
unsigned fixture_loaded(void);
/* The TPM's count of wrong authorisations. */
unsigned fixture_failed_tries(void);

/* tpm2:dir=KEYS?tcti=…; the URI of a key there. */
const char *fixture_uri(void);
const char *fixture_key_uri(const char *label);
cs_token_options fixture_options(void);
cs_token *fixture_open(void);
void fixture_write(const char *path, const char *text, unsigned mode);
/* The result of a shell command: its exit status. TPM2TOOLS_TCTI is set. */
int fixture_shell(const char *format, ...) CS_PRINTF(1, 2);

#endif
