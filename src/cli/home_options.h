/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_HOME_OPTIONS_H
#define CHARTSEAL_CLI_HOME_OPTIONS_H

/* The options that the verbs of all parties share, and what `init` does with them. */

#include "cli/options.h"
#include "service/actor.h"
#include "service/wire_log.h"

#define CS_OPTIONS_END                                                                             \
    {                                                                                              \
        0                                                                                          \
    }
#define CS_DIR_OPTION                                                                              \
    {                                                                                              \
        "dir", "DIR", true, "the home, where everything but the keys is kept"                      \
    }
#define CS_JSON_OPTION                                                                             \
    {                                                                                              \
        "json", NULL, false, "one JSON object on standard output"                                  \
    }
#define CS_WIRE_LOG_OPTION                                                                         \
    {                                                                                              \
        "wire-log", "FILE", false, "append every message on the wire, a line of JSON each"         \
    }
#define CS_TOKEN_OPTIONS                                                                           \
    {"token", "URI", true, "the token, as pkcs11:... (RFC 7512) or tpm2:dir=..."},                 \
        {"pin-file", "FILE", false, "its PIN is the first line; otherwise a person is asked"},     \
        {"pin-env", "NAME", false, "an environment variable that names such a file"},              \
    {                                                                                              \
        "adopt-keys", NULL, false, "take over keys of these names, be they another identity's"     \
    }
#define CS_MEMBER_OPTIONS                                                                          \
    {"cloud-file", "FILE", true, "the cloud's parameters (cloud.cbor); compare its fingerprint"},  \
        {"authority", "PEM", true, "the medical authorities to trust"},                            \
    {                                                                                              \
        "crl", "PEM", false, "their revocation lists"                                              \
    }

/* {"token", "pin"} for config.json; paths made absolute. The caller gives up the reference. */
CS_MUST_CHECK int cs_token_config(json_t **config, const cs_arguments *arguments, cs_error *error);

/* The home of a party that takes part in the cloud (CS_TOKEN_OPTIONS and CS_MEMBER_OPTIONS): files
 * checked and copied, keys made in the token. `config` is from cs_token_config, with more or not.
 * *fingerprint: h of the cloud's parameters, in hex. */
CS_MUST_CHECK int cs_member_init(cs_home **out, cs_home_kind kind, const cs_arguments *arguments,
    const json_t *config, char fingerprint[2 * CS_HASH_SIZE + 1], cs_error *error);

/* That the home is made, and whether its keys are new: for people. */
void cs_say_made(const cs_home *home);

/* The files of CS_MEMBER_OPTIONS are there and good. */
CS_MUST_CHECK int cs_member_check_files(const cs_arguments *arguments, cs_error *error);

/* Its two halves, for what has to be done before there are keys: the home with its files (undone if
 * that fails), then the token and the keys in it (the home is undone if that fails, and still the
 * caller's). */
CS_MUST_CHECK int cs_member_begin(cs_home **out, cs_home_kind kind, const cs_arguments *arguments,
    const json_t *config, char fingerprint[2 * CS_HASH_SIZE + 1], cs_error *error);
CS_MUST_CHECK int cs_member_equip(cs_home *home, bool adopt, cs_error *error);

/* What both `doctor init` and `patient init` print. */
CS_MUST_CHECK int cs_print_member(const cs_home *home, const char *fingerprint, const char *next,
    const cs_arguments *arguments, cs_error *error);

/* --suite, ed25519 if it is not given. CS_E_USAGE. */
CS_MUST_CHECK int cs_arg_suite(cs_suite *out, const cs_arguments *arguments, cs_error *error);

/* --cloud-url, or the one of the last registration. CS_E_USAGE when there is neither. */
CS_MUST_CHECK int cs_cloud_url(
    const char **out, const cs_home *home, const cs_arguments *arguments, cs_error *error);

/* The same for a registration, which keeps it in config.json once it has succeeded. */
CS_MUST_CHECK int cs_keep_cloud_url(
    const char **out, cs_home *home, const cs_arguments *arguments, cs_error *error);

/* --wire-log, counting only when it is not given. */
CS_MUST_CHECK int cs_open_wire_log(
    cs_wire_log **out, const cs_arguments *arguments, cs_error *error);

/* The home of that kind at --dir and its party; --wire-log opened (counting only when it is not
 * given). All are the caller's, also after an error. */
typedef struct cs_opened {
    cs_home *home;
    cs_actor *actor;
    cs_wire_log *log;
} cs_opened;
CS_MUST_CHECK int cs_open_member(
    cs_opened *out, cs_home_kind kind, const cs_arguments *arguments, cs_error *error);
/* Its two halves, for what has to be done before the token is asked: the home, then the rest. */
CS_MUST_CHECK int cs_open_home(
    cs_opened *out, cs_home_kind kind, const cs_arguments *arguments, cs_error *error);
CS_MUST_CHECK int cs_open_party(cs_opened *out, const cs_arguments *arguments, cs_error *error);
void cs_close_member(cs_opened *opened);

/* What both `register` verbs print. */
CS_MUST_CHECK int cs_print_registered(
    const cs_opened *opened, cs_op_counts ops, const cs_arguments *arguments, cs_error *error);

/* The first line of a file as text in *out (its end included); for codes and passphrases. */
CS_MUST_CHECK int cs_read_line(
    cs_buf *out, const char *path, const char *what, size_t limit, cs_error *error);
/* An enrolment code, which is the first line of a file. */
CS_MUST_CHECK int cs_read_code(uint8_t code[CS_CODE_SIZE], const char *path, cs_error *error);

#endif
