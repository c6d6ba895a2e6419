/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_PKCS11_FIXTURE_H
#define CHARTSEAL_TEST_PKCS11_FIXTURE_H

/* A SoftHSM of the test's own in a fresh directory, with one token "unit". */

#include "test.h"

#include <chartseal/token.h>

#define PIN "13572468"
#define WRONG_PIN "99999999"
#define SO_PIN "86427531"
#define LABEL "unit"

typedef struct fixture {
    char directory[64];
    char pin_file[128], wrong_pin_file[128], so_pin_file[128];
    char script[128], counts[128]; /* of the shim */
} fixture;
extern fixture fx;

/* Group setup and teardown. With the shim, every call goes through it. */
int fixture_setup(void **state);
int fixture_setup_shim(void **state);
int fixture_teardown(void **state);

/* The path of the module in use; a URI of the token, "&…" or more appended to the query. */
const char *fixture_module(void);
const char *fixture_uri(const char *label, const char *more_query);
const char *fixture_key_uri(const char *label);

/* Options with the right PIN file. */
cs_token_options fixture_options(void);
cs_token *fixture_open(void);
cs_token *fixture_open_with(unsigned sessions, unsigned timeout_ms);
void fixture_write(const char *path, const char *text, unsigned mode);
/* Another token. */
void fixture_add_token(const char *label);

/* What the shim is to do from now on (shim.c has the language); "" for nothing. Resets its counts.
 */
void fixture_script(const char *text);
/* How often the call reached the shim since the last script. */
unsigned fixture_calls(const char *call);

#endif
