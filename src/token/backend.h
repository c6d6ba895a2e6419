/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_BACKEND_H
#define CHARTSEAL_TOKEN_BACKEND_H

/*
 * The seam between token.h and the kinds of token: one table of functions for a token, one for a
 * key. src/token/ dispatches, checks what is general (the use of a key, sizes, the issuance
 * equation) and counts; a backend knows its own hardware and nothing of the protocol.
 *
 * A backend allocates its own struct with cs_token (or cs_key) as first member. A function left
 * NULL in a table answers CS_E_TOKEN_UNSUITABLE, where nothing else is said.
 */

#include "token/pin_hold.h"

#include <stdatomic.h>

typedef struct cs_key_ops {
    int (*sign)(cs_key *key, const uint8_t digest[32], uint8_t signature[64], cs_error *error);
    int (*agree)(cs_key *key, const uint8_t peer[65], uint8_t x[32], cs_error *error);
    int (*scalar_mul)(cs_key *key, const cs_point *q, cs_point *out, cs_error *error);
    int (*issue)(cs_key *key, cs_view m, cs_point *r, cs_scalar *s, cs_error *error);
    int (*prf)(cs_key *key, cs_view bytes, uint8_t out[32], cs_error *error);
    int (*remove_others)(cs_key *key, cs_error *error); /* NULL: there are none */
    void (*close)(cs_key *key);                         /* frees the struct */
} cs_key_ops;

struct cs_key {
    const cs_key_ops *ops;
    cs_suite suite; /* for scalar and issue */
    cs_key_info info;
};

typedef struct cs_token_ops {
    int (*describe)(cs_token *token, cs_token_info *out, cs_error *error);
    int (*open_key)(cs_token *token, cs_key **out, const char *uri, cs_use use, cs_suite suite,
        cs_error *error);
    int (*generate)(cs_token *token, cs_key **out, const char *label, cs_use use, cs_suite suite,
        cs_error *error);
    int (*generate_wrapped)(cs_token *token, cs_key **out, cs_buf *wrapped,
        const cs_wrapping_key *with, const char *label, cs_use use, cs_suite suite,
        cs_error *error);
    int (*unwrap_key)(cs_token *token, cs_key **out, const cs_unwrapping *from, const char *label,
        cs_use use, cs_suite suite, cs_error *error);
    int (*destroy)(cs_token *token, const char *label, cs_error *error);
    int (*list_keys)(cs_token *token, cs_key_visit_fn fn, void *context, cs_error *error);
    int (*delivery)(cs_token *token, cs_suite suite, cs_delivery *out, cs_error *error);
    int (*import_lifted)(cs_token *token, cs_key **out, const char *label, const cs_scalar *s,
        const cs_point *y, cs_error *error);
    int (*delivery_key)(
        cs_token *token, cs_delivery_key **out, uint8_t public_key[65], cs_error *error);
    int (*attestor)(cs_token *token, cs_attestor **out, cs_error *error);
    int (*begin_visit)(cs_token *token, cs_error *error); /* NULL: there is nothing to ask */
    void (*close)(cs_token *token);                       /* frees the struct */
} cs_token_ops;

struct cs_token {
    const cs_token_ops *ops;
    cs_held_pin *held; /* the backend's own; NULL: it holds none in this way */
    /* since the opening, or since a visit ended; the backend counts them */
    _Atomic unsigned pin_prompts; /* a person was asked */
    _Atomic unsigned pin_uses;    /* of keys that want it each time */
};

struct cs_delivery_key {
    int (*unwrap)(cs_delivery_key *delivery, cs_key **out, const char *label,
        const uint8_t peer[65], cs_view wrapped, const cs_point *y, cs_error *error);
    void (*free)(cs_delivery_key *delivery);
};

struct cs_wrapping_key {
    void (*free)(cs_wrapping_key *key);
};

struct cs_attestor {
    int (*certify)(cs_attestor *attestor, cs_key *key, const uint8_t qualifying[32],
        cs_statement_of_key *out, cs_error *error);
    int (*activate)(cs_attestor *attestor, const uint8_t activation[CS_TPM_ACTIVATION_SIZE],
        uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE], cs_error *error);
    void (*free)(cs_attestor *attestor);
    cs_attestor_info info;
};

/* Counts one statement or activation for the thread. */
void cs_ops_count_attest(void);

/* The backends: the opener for each URI scheme. */
int cs_pkcs11_token_open(
    cs_token **out, const char *uri, const cs_token_options *options, cs_error *error);
int cs_pkcs11_token_find_vacancy(
    cs_token_vacancy *out, const char *module, const char *label, cs_error *error);
int cs_pkcs11_token_initialise(const char *module, const char *label, const cs_pin_source *so_pin,
    const cs_pin_source *pin, bool again, cs_error *error);
int cs_pkcs11_wrapping_key(cs_wrapping_key **out, const char *uri, const cs_pin_source *so_pin,
    const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error);
int cs_pkcs11_token_list(const char *module, cs_token_visit_fn fn, void *context, cs_error *error);
void cs_pkcs11_shutdown(void);

int cs_tpm_token_open(
    cs_token **out, const char *uri, const cs_token_options *options, cs_error *error);
/* The TPM of TPM2TOOLS_TCTI if that is set, or the one the URI names. */
int cs_tpm_token_list(const char *uri, cs_token_visit_fn fn, void *context, cs_error *error);

#endif
