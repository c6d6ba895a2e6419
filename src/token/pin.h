/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_PIN_H
#define CHARTSEAL_TOKEN_PIN_H

/*
 * Fetching a PIN from where the person or the operator put it. The PIN comes in guarded memory
 * (cs_secret_free it) and is not written anywhere.
 */

#include <chartseal/token.h>

typedef struct cs_pin {
    char *text; /* guarded; no end mark counted */
    size_t n;
} cs_pin;

/* `what` names the token for the person ("token doctor-7 (serial …)"); warning may be NULL, or what
 * else to tell, such as "login; 2 tries are left". CS_E_CANCELLED: the person does not give it, or
 * not in time. CS_E_PIN_MISSING when the source has none. A file that others can read is
 * CS_E_PIN_MISSING too, with what to do. */
CS_MUST_CHECK int cs_pin_get(cs_pin *out, const cs_pin_source *source, const char *what,
    const char *warning, cs_error *error);
void cs_pin_free(cs_pin *pin);

/* What the person has to do elsewhere, by the function if there is one; else a line on the
 * terminal, if there is one. */
void cs_pin_tell(cs_token_tell_fn tell, void *context, const char *text);

/* For URIs that are kept or seen by others (a command line, a configuration file), named by
 * `where`: CS_E_USAGE if it has a pin-value. */
CS_MUST_CHECK int cs_pin_refuse_in_uri(const char *uri, const char *where, cs_error *error);

#endif
