/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_TPM_PROXY_H
#define CHARTSEAL_TEST_TPM_PROXY_H

/*
 * Somebody on the bus: between the code under test and the fixture's swtpm, who keeps every byte
 * that passes and changes what he is told to.
 */

#include "fixture.h"

typedef struct proxy_script {
    uint32_t command; /* the command code it is about */
    unsigned times;   /* how often it still happens */
    enum {
        PROXY_PASS = 0,
        PROXY_ANSWER, /* with `code`, and the TPM never hears of it */
        PROXY_DROP,   /* the connection is closed without an answer */
        PROXY_STALL,  /* no answer until the script changes */
        PROXY_FLIP,   /* one bit of the last quarter of the answer */
        PROXY_ROOT,   /* ReadPublic of the storage root: another point, with its right Name */
    } what;
    uint32_t code;
} proxy_script;

/* After fixture_setup; from then on fixture_uri names the proxy. */
int proxy_setup(void **state);
int proxy_teardown(void **state);
void proxy_do(proxy_script script);
/* Was it seen since the last proxy_forget? */
bool proxy_saw(const void *bytes, size_t n);
unsigned proxy_commands(uint32_t command);
void proxy_forget(void);

#endif
