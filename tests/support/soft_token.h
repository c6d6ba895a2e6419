/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_SOFT_TOKEN_H
#define CHARTSEAL_TEST_SOFT_TOKEN_H

/*
 * A token in memory for tests of what stands above tokens: all verbs in both suites, all
 * deliveries, and failures on demand. Its keys have URIs "soft:object=LABEL" (cs_key_open takes the
 * label alone too). Safe for threads. Close its keys before it; cs_token_close frees it.
 */

#include <chartseal/token.h>

cs_token *cs_soft_token_new(void);
/* The same for a cast (cast_token_fn). */
cs_token *make_soft(const char *name);

/* From now on cs_token_delivery says "sealed" for both suites, as a token without X25519 and
 * unwrapping does; or no longer. */
void cs_soft_token_deliver_sealed(cs_token *token, bool sealed);

typedef enum cs_soft_verb {
    CS_SOFT_SIGN = 1,
    CS_SOFT_AGREE,
    CS_SOFT_SCALAR_MUL,
    CS_SOFT_ISSUE,
    CS_SOFT_PRF,
    CS_SOFT_GENERATE,
    CS_SOFT_IMPORT, /* import_lifted and unwrap */
    CS_SOFT_ANY,    /* the nth call of whatever verb */
} cs_soft_verb;

/* The nth call from now (1: the next) of that verb fails with CS_E_TOKEN, once. nth 0: none. */
void cs_soft_token_fail(cs_token *token, cs_soft_verb verb, unsigned nth);

/* The next call of that verb first calls fn, once: what others do while a token takes its time. */
void cs_soft_token_meanwhile(
    cs_token *token, cs_soft_verb verb, void (*fn)(void *context), void *context);

#endif
