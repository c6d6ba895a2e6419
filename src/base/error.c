/* SPDX-License-Identifier: Apache-2.0 */
#include <chartseal/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names are part of the protocol (refusals) and of the metrics: append, never rename. */
static const struct {
    int code;
    const char *name;
} names[] = {
    {CS_OK, "ok"},
    {CS_E_USAGE, "usage"},
    {CS_E_MALFORMED, "malformed"},
    {CS_E_TOO_LARGE, "too-large"},
    {CS_E_VERSION, "version"},
    {CS_E_POINT, "point"},
    {CS_E_SCALAR, "scalar"},
    {CS_E_TRUNCATED, "truncated"},
    {CS_E_REFUSED, "refused"},
    {CS_E_STALE, "stale"},
    {CS_E_SIGNATURE, "signature"},
    {CS_E_CREDENTIAL, "credential"},
    {CS_E_EXPIRED, "expired"},
    {CS_E_REVOKED, "revoked"},
    {CS_E_CERTIFICATE, "certificate"},
    {CS_E_RECIPIENT, "recipient"},
    {CS_E_REPLAY, "replay"},
    {CS_E_CONSENT, "consent"},
    {CS_E_ENROLMENT, "enrolment"},
    {CS_E_TAKEN, "taken"},
    {CS_E_DECRYPT, "decrypt"},
    {CS_E_ORDER, "order"},
    {CS_E_POLICY, "policy"},
    {CS_E_LISTS, "lists"},
    {CS_E_ATTESTATION, "attestation"},
    {CS_E_OCSP, "ocsp"},
    {CS_E_NOT_FOUND, "not-found"},
    {CS_E_NO_RECORD, "no-record"},
    {CS_E_NO_DEPARTMENT, "no-department"},
    {CS_E_NO_SESSION, "no-session"},
    {CS_E_NO_FILE, "no-file"},
    {CS_E_PIN_WRONG, "pin-wrong"},
    {CS_E_PIN_FINAL_TRY, "pin-final-try"},
    {CS_E_PIN_LOCKED, "pin-locked"},
    {CS_E_PIN_MISSING, "pin-missing"},
    {CS_E_BIOMETRIC, "biometric"},
    {CS_E_TOKEN, "token"},
    {CS_E_TOKEN_ABSENT, "token-absent"},
    {CS_E_TOKEN_UNSUITABLE, "token-unsuitable"},
    {CS_E_KEY_MISSING, "key-missing"},
    {CS_E_KEY_AMBIGUOUS, "key-ambiguous"},
    {CS_E_KEY_EXPOSED, "key-exposed"},
    {CS_E_NETWORK, "network"},
    {CS_E_UNREACHABLE, "unreachable"},
    {CS_E_PORT_IN_USE, "port-in-use"},
    {CS_E_PEER, "peer"},
    {CS_E_STORAGE, "storage"},
    {CS_E_DISK_FULL, "disk-full"},
    {CS_E_CORRUPT, "corrupt"},
    {CS_E_SCHEMA, "schema"},
    {CS_E_EXISTS, "exists"},
    {CS_E_BUSY, "busy"},
    {CS_E_TIMEOUT, "timeout"},
    {CS_E_CANCELLED, "cancelled"},
    {CS_E_INTERNAL, "internal"},
    {CS_E_MEMORY, "memory"},
};
static const size_t name_count = sizeof names / sizeof names[0];

cs_category cs_category_of(int code)
{
    return (cs_category)(code / 100);
}

const char *cs_code_name(int code)
{
    for (size_t i = 0; i < name_count; i++) {
        if (names[i].code == code)
            return names[i].name;
    }
    return "unknown";
}

int cs_code_from_name(const char *name)
{
    for (size_t i = 1; i < name_count; i++) {
        if (strcmp(names[i].name, name) == 0)
            return names[i].code;
    }
    return CS_E_REFUSED;
}

int cs_code_of_peer(const char *name)
{
    int code = cs_code_from_name(name);

    if (code == CS_E_TOO_LARGE) /* for what the other side takes */
        return code;
    switch (cs_category_of(code)) {
    case CS_CATEGORY_REFUSED:
    case CS_CATEGORY_NOT_FOUND:
    case CS_CATEGORY_BUSY:
        return code;
    default:
        return CS_E_PEER;
    }
}

int cs_error_set(cs_error *error, cs_code code, const char *file, int line, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;

        error->code = code;
        error->file = file;
        error->line = line;
        va_start(arguments, format);
        (void)vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return (int)code;
}

int cs_error_context(cs_error *error, const char *format, ...)
{
    char old[CS_ERROR_MESSAGE_MAX];
    va_list arguments;
    size_t used;
    int n;

    if (error == NULL)
        return CS_E_INTERNAL;
    memcpy(old, error->message, sizeof old);
    va_start(arguments, format);
    n = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    used = n < 0 ? 0 : (size_t)n;
    if (used < sizeof error->message)
        (void)snprintf(error->message + used, sizeof error->message - used, ": %s", old);
    return (int)error->code;
}
