/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_CLI_SERVICE_MEMBER_H
#define CHARTSEAL_CLI_SERVICE_MEMBER_H

/* `init` and `register` of parties that are a service and have a certificate: a hospital, and the
 * storage cloud of telecare. */

#include "cli/home_options.h"

/* --listen and --url (where others reach it; http:// and --listen when it is not given) into the
 * configuration, checked. */
CS_MUST_CHECK int cs_service_config(
    json_t *config, const cs_arguments *arguments, const char *listen, cs_error *error);
/* Of http or https, a host, and nothing that hides which. CS_E_USAGE naming the option. */
CS_MUST_CHECK int cs_check_url(const char *option, const char *url, cs_error *error);

/* The home with its keys and request.pem. pin: NULL, or where the PIN is now. */
CS_MUST_CHECK int cs_service_member_make(cs_home **out, cs_home_kind kind,
    const cs_arguments *arguments, const json_t *config, const cs_pin_source *pin, bool adopt,
    char fingerprint[2 * CS_HASH_SIZE + 1], cs_error *error);
/* The same by an init, and what it prints. */
CS_MUST_CHECK int cs_service_member_init(cs_home_kind kind, const cs_arguments *arguments,
    const json_t *config, const char *next, cs_error *error);

/* With --code-file, --certificate and --cloud-url. `after` (NULL: nothing) is what is due when
 * there is a new credential. */
CS_MUST_CHECK int cs_service_member_register(cs_home_kind kind, const cs_arguments *arguments,
    int (*after)(cs_home *home, cs_error *error), cs_error *error);

#define CS_SERVICE_REGISTER_OPTIONS                                                                \
    CS_DIR_OPTION, {"cloud-url", "URL", false, "where the cloud answers; else as the last time"},  \
        {"code-file", "FILE", true, "the enrolment code is the first line"},                       \
        {"certificate", "PEM", false,                                                              \
            "the certificate for request.pem; else the one that is there"},                        \
        CS_WIRE_LOG_OPTION, CS_JSON_OPTION, CS_OPTIONS_END

#endif
