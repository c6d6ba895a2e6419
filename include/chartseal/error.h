/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_ERROR_H
#define CHARTSEAL_ERROR_H

/*
 * Errors: what went wrong, for a program to switch on and for a person to act on.
 *
 * Every function of Chartseal that can fail returns an `int`: CS_OK (0) or one of the codes below,
 * and is marked CS_MUST_CHECK. Its last parameter is a `cs_error *` which the caller owns (usually
 * on its stack) and which receives the same code with one sentence that names the thing that
 * failed and the next step. It may be NULL where only the code matters.
 *
 * A code belongs to a category, code / 100, and the category is also the exit status of the
 * `chartseal` command. Switch on the category to decide (ask the person, try later, give up); print
 * the message; log file and line for the developer.
 *
 * Messages never hold a secret: no PIN, no key, no plaintext, and of a refused message only the
 * class of the check that failed.
 */

#include <stdbool.h>
#include <stddef.h>

#define CS_MUST_CHECK __attribute__((warn_unused_result))
#define CS_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Long enough for a URI and a sentence; a longer message is cut, never overrun. */
#define CS_ERROR_MESSAGE_MAX 512

typedef enum cs_category {
    CS_CATEGORY_OK = 0,
    CS_CATEGORY_USAGE = 2,     /* the command or the call was wrong */
    CS_CATEGORY_INPUT = 3,     /* bytes that do not decode, or are over a limit */
    CS_CATEGORY_REFUSED = 4,   /* well-formed, but a check of the protocol says no */
    CS_CATEGORY_NOT_FOUND = 5, /* no such record, department, session, file */
    CS_CATEGORY_PIN = 6,       /* the PIN or biometric password is wrong, missing or locked */
    CS_CATEGORY_TOKEN = 7,     /* the token is absent, fails, or cannot do this */
    CS_CATEGORY_NETWORK = 8,   /* the other side cannot be reached or does not speak to us */
    CS_CATEGORY_STORAGE = 9,   /* the disk or the database */
    CS_CATEGORY_BUSY = 10,     /* try again later */
    CS_CATEGORY_INTERNAL = 70, /* a defect of Chartseal, or no memory */
} cs_category;

typedef enum cs_code {
    CS_OK = 0,

    CS_E_USAGE = 200,

    CS_E_MALFORMED = 300, /* not deterministic CBOR, not the label, trailing bytes, bad file */
    CS_E_TOO_LARGE,       /* over a named limit */
    CS_E_VERSION,         /* a version or suite this program does not speak */
    CS_E_POINT,           /* not a valid point of the group */
    CS_E_SCALAR,          /* zero, or not below the order */
    CS_E_TRUNCATED,       /* a stream ended before its final chunk */

    CS_E_REFUSED = 400, /* refused, for a reason the other side does not tell */
    CS_E_STALE,         /* the time is outside of ΔT, or clear and sealed time differ */
    CS_E_SIGNATURE,     /* a signature does not verify */
    CS_E_CREDENTIAL,    /* a credential is not PC's, or is not this party's */
    CS_E_EXPIRED,       /* a credential, certificate or consent is out of its dates */
    CS_E_REVOKED,       /* a credential or certificate is revoked */
    CS_E_CERTIFICATE,   /* Cert_D: chain, key usage, or its key is not PUK_D */
    CS_E_RECIPIENT,     /* the message is for somebody else */
    CS_E_REPLAY,        /* seen before */
    CS_E_CONSENT,       /* no consent, or one that does not cover this */
    CS_E_ENROLMENT,     /* the enrolment code is unknown, used or expired */
    CS_E_TAKEN,         /* that identity belongs to another key */
    CS_E_DECRYPT,       /* an AEAD did not open: altered, or for another key */
    CS_E_ORDER,         /* a message out of its order ends the session */
    CS_E_POLICY,        /* the policy of this installation forbids it */
    CS_E_LISTS,         /* the checker's own list of revocations is missing or too old */
    CS_E_ATTESTATION,   /* a TPM's statement about a key that is not so, or is missing */
    CS_E_OCSP,          /* no fresh answer of the authority's responder, where one is required */

    CS_E_NOT_FOUND = 500,
    CS_E_NO_RECORD,
    CS_E_NO_DEPARTMENT,
    CS_E_NO_SESSION,
    CS_E_NO_FILE,

    CS_E_PIN_WRONG = 600,
    CS_E_PIN_FINAL_TRY, /* one try is left: refused, so that it is not burnt */
    CS_E_PIN_LOCKED,
    CS_E_PIN_MISSING,
    CS_E_BIOMETRIC, /* a reading or passphrase that is not the one enrolled */

    CS_E_TOKEN = 700,
    CS_E_TOKEN_ABSENT,
    CS_E_TOKEN_UNSUITABLE, /* a mechanism or attribute is missing */
    CS_E_KEY_MISSING,
    CS_E_KEY_AMBIGUOUS,
    CS_E_KEY_EXPOSED, /* a private key that is extractable or not sensitive */

    CS_E_NETWORK = 800,
    CS_E_UNREACHABLE,
    CS_E_PORT_IN_USE,
    CS_E_PEER, /* the peer failed, or answered something that is not the protocol */

    CS_E_STORAGE = 900,
    CS_E_DISK_FULL,
    CS_E_CORRUPT,
    CS_E_SCHEMA, /* made by a newer version */
    CS_E_EXISTS,

    CS_E_BUSY = 1000,
    CS_E_TIMEOUT,
    CS_E_CANCELLED,

    CS_E_INTERNAL = 7000,
    CS_E_MEMORY,
} cs_code;

typedef struct cs_error {
    cs_code code;
    const char *file; /* where it was raised; static storage */
    int line;
    char message[CS_ERROR_MESSAGE_MAX];
} cs_error;

/* The category of a code, which is also the exit status for it. */
cs_category cs_category_of(int code);

/* The name of a code in lower case with hyphens, as logs, metrics and refusals carry it, such as
 * "pin-wrong"; "unknown" for a number that is no code. Static storage. */
const char *cs_code_name(int code);

/* The code with that name, or CS_E_REFUSED if there is none: what a peer says is hostile input. */
int cs_code_from_name(const char *name);

/* What the code that a peer names is to us. That it refuses, has not found, is busy or finds it too
 * large is about what we asked and stays; any other trouble is its own, and CS_E_PEER here. */
int cs_code_of_peer(const char *name);

/* Fill *error (may be NULL) and return `code`, so that a failing function can say
 *     return CS_FAIL(error, CS_E_POINT, "%s is not on the curve; ...", name); */
int cs_error_set(cs_error *error, cs_code code, const char *file, int line, const char *format, ...)
    CS_PRINTF(5, 6);
#define CS_FAIL(error, code, ...)                                                                  \
    (cs_error_set((error), (code), __FILE__, __LINE__, __VA_ARGS__), (int)(code))

/* Put "format: " before the message of an error that is already set, to say what was being done.
 * Returns its code. */
int cs_error_context(cs_error *error, const char *format, ...) CS_PRINTF(2, 3);

#endif
