/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_ACTOR_H
#define CHARTSEAL_SERVICE_ACTOR_H

/* What goes beyond home.h for those who open or register a party. */

#include "service/home.h"

/* PREFIX-NAME, the label of a key in the home's token. */
void cs_home_key_label(const cs_home *home, const char *name, char label[CS_LABEL_MAX + 1]);

/* The token that config.json names; its PIN from where "pin.file" or "pin.environment" says, from
 * the biometric password where "pin.from" says so (biometrics.h), else from a person.
 * What a person gives is held as "pin.hold" says (token/pin_hold.h); for a doctor who does not say,
 * for the visit: she began it, she sits at the station with her card, and four prompts in a visit
 * teach nobody to look at what is signed. Anybody else, and she without a visit, is asked each
 * time. "token_sessions" and "token_timeout_ms" may be there, as in cs_token_options. The home
 * outlives the token. */
CS_MUST_CHECK int cs_home_open_token(cs_token **out, cs_home *home, cs_error *error);
/* The same; the last PIN try is used if it comes to that and the caller says so. */
CS_MUST_CHECK int cs_home_open_token_forced(
    cs_token **out, cs_home *home, bool force_final_try, cs_error *error);

/* Make a home whole: directory and config.json, the token opened, the role's keys made in it. If it
 * fails, config.json goes again, so that the same command can be repeated; keys that are in the
 * token by then are found by their labels; `adopt`: see cs_home_make_keys. *token is the caller's
 * to close. */
CS_MUST_CHECK int cs_home_init(cs_home **out, cs_token **token, const char *dir, cs_home_kind kind,
    const char *id, cs_suite suite, const json_t *config, bool adopt, cs_error *error);
/* The second half of cs_home_init, for a home from cs_home_create: token and keys. If it fails, the
 * home is undone, and still the caller's. */
CS_MUST_CHECK int cs_home_equip(cs_token **token, cs_home *home, bool adopt, cs_error *error);
/* Take config.json away again: for an init that fails after cs_home_init. */
void cs_home_undo(const cs_home *home);

/* A key of the actor's token by a URI from config.json, which must carry no PIN. */
CS_MUST_CHECK int cs_actor_open_key(
    cs_key **out, const cs_actor *actor, const char *uri, cs_use use, cs_error *error);

/* The manufacturers of TPMs that PC trusts: CA certificates, roots and intermediates, in PEM. */
#define CS_TPM_MAKERS_FILE "tpm-makers.pem"
#define CS_TPM_MAKERS_MAX ((size_t)1048576) /* all that there are fill some 200 KiB */

/* authorities.pem with crl.pem; NULL where there are no authorities. */
CS_MUST_CHECK int cs_home_read_trust(cs_trust **out, const cs_home *home, cs_error *error);

/* A credential that is there and in its dates. CS_E_CREDENTIAL, CS_E_EXPIRED: what to run. */
CS_MUST_CHECK int cs_actor_wants_registration(const cs_actor *actor, cs_error *error);

#endif
