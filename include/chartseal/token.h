/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_H
#define CHARTSEAL_TOKEN_H

/*
 * Tokens: where the private keys are. The protocol asks a key for one of five verbs
 *
 *   sign        ECDSA P-256 over a SHA-256 digest
 *   agree       P-256 ECDH: the x coordinate of d·Q
 *   scalar_mul  |S_X·Q| in the group of the suite
 *   issue       the Schnorr signature (R, S) with the master key s: S = r + e·s
 *   prf         HMAC-SHA-256 with a storage key
 *
 * and does not know what kind of token answers. A key is for one use, given when it is opened; any
 * other verb on it is CS_E_USAGE, so a master key can sign nothing but issuance messages.
 *
 * A token is named by a URI: `pkcs11:…` (RFC 7512; module-path in the query) or `tpm2:dir=PATH`. A
 * key's URI must match exactly one private or secret key, or it is CS_E_KEY_MISSING or
 * CS_E_KEY_AMBIGUOUS. A private key that is extractable or not sensitive is CS_E_KEY_EXPOSED,
 * unless it is opened to be audited; so is an s or a storage key that was not made in its token, or
 * could leave it once, where that is not said to be by choice (backed_up and restored below). A
 * public half that is not the private key's is CS_E_KEY_MISSING.
 *
 * A TPM 2.0 keeps few keys itself: it wraps them under its storage root (persistent handle
 * 0x81000001, made to the TCG's template where it is absent), and they lie in a directory as TSS2
 * PRIVATE KEY files, which tpm2-tools and tpm2-openssl read too, worth nothing without that TPM.
 *
 *   tpm2:dir=PATH              the token: the directory of its key files, one per label
 *   tpm2:file=PATH             a key file, of this directory or another
 *   tpm2:handle=0x81XXXXXX     a key at a persistent handle
 *
 * each with `?tcti=CONF` (percent-encoded where need be) or without: then TPM2TOOLS_TCTI says where
 * the TPM is, and else the TSS takes its own default. The root's Name is written to
 * PATH/storage-root.name at the first use; another root is refused afterwards. In a TPM the PIN is
 * the authorisation value of every key: its bytes, or their SHA-256 where there are more than 32.
 * The TPM asks for it at each use, so it stays in guarded memory while the token is open; a wrong
 * one is sent once, for whichever key comes first, and costs one of the TPM's tries
 * (dictionary-attack protection is on). Sessions are salted to the storage root and encrypt what is
 * secret; one thing a TPM cannot encrypt is a signature, and with it the S_X that `issue` makes:
 * the bus of the public cloud's TPM must be out of reach.
 *
 * Threads: a cs_token and its keys may be used by any number of threads; the backend has a bounded
 * pool of sessions (a TPM: one) and waits for one for a limited time (CS_E_BUSY). A token remembers
 * the process that opened it and opens itself again in a child after fork.
 *
 * What a token answers is checked as any input: a signature is verified, a point is decoded with
 * validation, an issuance satisfies S·P = R + e·PK before it is returned.
 */

#include <chartseal/crypto.h>
#include <chartseal/group.h>
#include <chartseal/tpm_statement.h>

#define CS_URI_MAX 1024
#define CS_LABEL_MAX 64
#define CS_PIN_MAX 255
#define CS_ATTRIBUTES_MAX 191

typedef struct cs_token cs_token;
typedef struct cs_key cs_key;

typedef enum cs_use {
    CS_USE_SIGN = 1,
    CS_USE_AGREE,
    CS_USE_SCALAR, /* S_X */
    CS_USE_ISSUE,  /* s */
    CS_USE_PRF,
} cs_use;
/* As audits have it: "sign", "agree", "scalar_mul", "issue", "prf", or "other". */
const char *cs_use_name(cs_use use);

/* Where the private half is. */
typedef enum cs_custody {
    CS_CUSTODY_TOKEN = 1, /* in the token, and every operation with it too */
    CS_CUSTODY_SEALED,    /* sealed to a key in the token, opened in guarded memory per operation */
} cs_custody;

/* How S_X can come to this token (docs/protocol.md, section 2). */
typedef enum cs_delivery {
    CS_DELIVERY_SEALED = 1,     /* it stays sealed: the token can do neither of the others */
    CS_DELIVERY_LIFTED = 2,     /* ed25519: imported as the X25519 key k = S + tL */
    CS_DELIVERY_WRAPPED = 3,    /* p256: unwrapped in the token, never in host memory */
    CS_DELIVERY_DUPLICATED = 4, /* p256: imported by a TPM, never in host memory */
} cs_delivery;

typedef struct cs_key_info {
    char uri[CS_URI_MAX];
    char label[CS_LABEL_MAX + 1];
    char token_serial[33];
    cs_use use;
    cs_custody custody;
    bool sensitive;
    bool extractable;
    bool local; /* generated in this token */
    bool always_sensitive;
    bool never_extractable;
    bool wrap_with_trusted; /* while it could leave, then only wrapped by a trusted key */
    bool always_authenticate;
    bool attestable; /* a statement that it was made in its TPM and stays there can be made */
    char attributes[CS_ATTRIBUTES_MAX + 1]; /* a TPM's TPMA_OBJECT by their names; else empty */
    uint8_t
        public_key[65]; /* sign, agree: SEC1 uncompressed; issue, scalar: the group's encoding */
    size_t public_key_size; /* 0 where the token does not show it (prf) */
} cs_key_info;

typedef struct cs_token_info {
    char uri[CS_URI_MAX];
    char label[33];
    char manufacturer[33];
    char model[17];
    char serial[17];
    char hardware[8], firmware[8]; /* versions, "2.6"; empty where they are not told */
    char module[256];
    bool login_required;
    bool initialised;
    bool pin_count_low;
    bool pin_final_try;
    bool pin_locked;
} cs_token_info;

/* Operations that the calling thread has had done, by verb. Monotonic; subtract two readings. */
typedef struct cs_op_counts {
    uint64_t sign, agree, scalar_mul, issue, prf;
    uint64_t attest; /* no verb of a key: statements about keys, and activations (cs_attestor) */
} cs_op_counts;
cs_op_counts cs_ops_of_thread(void);
cs_op_counts cs_ops_between(cs_op_counts before, cs_op_counts after);
cs_op_counts cs_ops_sum(cs_op_counts a, cs_op_counts b);

/* Where a PIN comes from. The PIN is fetched when the token wants a login, held in guarded
 * memory for that call alone (a person's: cs_pin_hold), and never repeated after it was refused.
 * After a loss of the token the source is asked again. */
typedef enum cs_pin_kind {
    CS_PIN_NONE = 0,    /* tokens without login; else CS_E_PIN_MISSING */
    CS_PIN_FILE,        /* path: first line of a file */
    CS_PIN_ENVIRONMENT, /* path: name of an environment variable that names such a file */
    CS_PIN_PINENTRY,    /* pinentry, or the terminal where there is none */
    CS_PIN_CALLBACK,    /* a function of the program's own, such as one that reads a finger */
} cs_pin_kind;

/* Puts the PIN (any bytes) into `out`, CS_PIN_MAX bytes of guarded memory that the caller wipes.
 * It is called while the token is held, and must not use that token. */
typedef int (*cs_pin_fn)(void *context, char *out, size_t *n, cs_error *error);

typedef struct cs_pin_source {
    cs_pin_kind kind;
    char path[CS_URI_MAX];
    cs_pin_fn callback; /* CS_PIN_CALLBACK; it and its context outlive the token */
    void *context;
    unsigned patience_s; /* how long a person may take; 0: CS_PIN_PATIENCE_S */
} cs_pin_source;
#define CS_PIN_PATIENCE_S 120 /* the card is nobody else's meanwhile */

/* Some keys want the PIN for every use (CKA_ALWAYS_AUTHENTICATE; 9C of a PIV card). A person need
 * not type it as often: it can be held, for this token alone, from the login or the first such use
 * on, in guarded memory. It is wiped at the end of what it is held for, when the token refuses
 * anything with it, when the token is lost or another is in its place (the person is asked again,
 * even when the card is back), and when the token is closed. A login that is not for a use is never
 * made with a held PIN. Nothing is held of other sources, which can be read each time, nor of a
 * reader with a pad of its own (CKF_PROTECTED_AUTHENTICATION_PATH), where nobody here ever has the
 * PIN: there the person enters it for the login and for each use. A TPM is another matter: above.
 */
typedef enum cs_pin_hold_kind {
    CS_PIN_HOLD_EACH = 0, /* not held: the person is asked for every use */
    CS_PIN_HOLD_VISIT,    /* until cs_token_end_visit; within the limits below, too */
    CS_PIN_HOLD_COUNTED,  /* for so many uses and so long, over the ends of visits */
} cs_pin_hold_kind;
/* What gematik allows a comfort signature: 250 signatures, 24 hours. */
#define CS_PIN_HOLD_USES_MAX 250
#define CS_PIN_HOLD_SECONDS_MAX 86400

typedef struct cs_pin_hold {
    cs_pin_hold_kind kind;
    unsigned uses, seconds; /* CS_PIN_HOLD_COUNTED: each at least 1 */
} cs_pin_hold;

/* Something that the person has to do now at the reader. */
typedef void (*cs_token_tell_fn)(void *context, const char *text);

typedef struct cs_token_options {
    cs_pin_source pin;     /* a pin-source in the URI comes first */
    cs_pin_hold hold;      /* of a PIN that a person gives */
    cs_token_tell_fn tell; /* NULL: a line on the terminal, where there is one */
    void *tell_context;
    unsigned sessions;    /* most sessions at once; 0: 8, or what the token allows if fewer */
    unsigned timeout_ms;  /* wait for a free session, and for all that a TPM does; 0: 10000 */
    bool force_final_try; /* use the last PIN try if it comes to that */
    /* Keys for this use (CS_USE_ISSUE or CS_USE_PRF; 0: none) are taken, too, that left the token
     * once by cs_key_generate_wrapped, or came to it by cs_key_unwrap: whoever opens the token
     * knows which key that is, and checks that it is the one. */
    cs_use backed_up, restored;
} cs_token_options;

/* The URI is of a TPM, or of a key in one: what it takes for a PIN is an authorisation value. */
bool cs_uri_is_tpm(const char *uri);

/* Open the token a URI names (object attributes of the URI are not looked at here): load its
 * module, find it by label or serial, log in once. options may be NULL. CS_E_USAGE,
 * CS_E_TOKEN_ABSENT, CS_E_KEY_AMBIGUOUS (two tokens match), CS_E_PIN_*. */
CS_MUST_CHECK int cs_token_open(
    cs_token **out, const char *uri, const cs_token_options *options, cs_error *error);
void cs_token_close(cs_token **token);
CS_MUST_CHECK int cs_token_describe(cs_token *token, cs_token_info *out, cs_error *error);

/* How often a person was asked for the PIN, at a reader's pad too, since the token was opened or
 * the last visit ended. */
unsigned cs_token_pin_prompts(const cs_token *token);
/* A visit begins: what it will want of a person is asked for now, where it can be held, and not
 * when somebody waits. A PIN that is asked for here is not sent before the first use that wants
 * one. Where no key of the token wants it each time, none is asked for, or held any longer.
 * CS_E_PIN_*, CS_E_CANCELLED, CS_E_TOKEN_ABSENT. */
CS_MUST_CHECK int cs_token_begin_visit(cs_token *token, cs_error *error);
/* A visit is over: a PIN that is held for it is wiped, and what is counted for it begins anew. */
void cs_token_end_visit(cs_token *token);

/* Open the one key the URI names. suite counts for CS_USE_SCALAR and CS_USE_ISSUE. A key must be
 * closed before its token. */
CS_MUST_CHECK int cs_key_open(
    cs_key **out, cs_token *token, const char *uri, cs_use use, cs_suite suite, cs_error *error);
void cs_key_close(cs_key **key);
const cs_key_info *cs_key_describe(const cs_key *key);

/* Generate in the token: sensitive, not extractable, for that one use. label: 1 to CS_LABEL_MAX
 * bytes; one that the token has already is CS_E_EXISTS. CS_USE_SCALAR is never generated. */
CS_MUST_CHECK int cs_key_generate(
    cs_key **out, cs_token *token, const char *label, cs_use use, cs_suite suite, cs_error *error);

/* Remove the objects (private, public, secret) with that label. None: CS_OK. */
CS_MUST_CHECK int cs_key_destroy(cs_token *token, const char *label, cs_error *error);

/* All private and secret keys, for audit. fn returning non-zero stops and is returned. */
typedef int (*cs_key_visit_fn)(void *context, const cs_key_info *info);
CS_MUST_CHECK int cs_token_list_keys(
    cs_token *token, cs_key_visit_fn fn, void *context, cs_error *error);

/* Keys that must survive their token, by their owners' choice. A wrapping key (AES-256, from
 * outside: nothing in PKCS#11 can split one inside) is put into the token as a session object by
 * the security officer, who marks it as trusted; it can wrap, is never stored there, and is gone
 * with the cs_wrapping_key or the process. A key made with it is generated in the token,
 * extractable and CKA_WRAP_WITH_TRUSTED, is wrapped at once (AES key wrap with padding, RFC 5649),
 * and then made a key that cannot leave any more: CKA_EXTRACTABLE false, which no one can undo. All
 * that is one call, and a key that does not get to its end is removed. What is left in the token is
 * not CKA_NEVER_EXTRACTABLE, and known by that for ever.
 *
 * The user's PIN alone can do none of it: neither set CKA_TRUSTED, nor clear CKA_WRAP_WITH_TRUSTED.
 *
 * CS_E_TOKEN_UNSUITABLE: a TPM; or a token that does not wrap such a key (SoftHSM 2.6.1 and
 * Ed25519). */
#define CS_WRAPPING_KEY_SIZE 32
#define CS_WRAPPED_MAX 512 /* a PKCS#8 of Ed25519 or P-256 has some 100 bytes */
typedef struct cs_wrapping_key cs_wrapping_key;
/* token: its URI. No token of the process may be open there until this returns (the security
 * officer and the user are not logged in at once); afterwards it is opened by the user, to work
 * with. key: guarded, not needed any more when this returns. */
CS_MUST_CHECK int cs_wrapping_key_new(cs_wrapping_key **out, const char *token,
    const cs_pin_source *so_pin, const uint8_t key[CS_WRAPPING_KEY_SIZE], cs_error *error);
void cs_wrapping_key_free(cs_wrapping_key **key);
/* use: CS_USE_ISSUE or CS_USE_PRF, which the options of the token say is backed_up. */
CS_MUST_CHECK int cs_key_generate_wrapped(cs_key **out, cs_buf *wrapped, cs_token *token,
    const cs_wrapping_key *with, const char *label, cs_use use, cs_suite suite, cs_error *error);
/* What was wrapped, as a key of this token that cannot leave; its options say restored. `again`:
 * NULL, or it is wrapped once more before it is made to stay, into *rewrapped. public_key: of s;
 * empty for a storage key. Whether it is the key that it should be is the caller's to try.
 * CS_E_DECRYPT: it is not wrapped under this key. */
typedef struct cs_unwrapping {
    const uint8_t *key; /* CS_WRAPPING_KEY_SIZE bytes, guarded */
    cs_view wrapped, public_key;
    const cs_wrapping_key *again;
    cs_buf *rewrapped;
} cs_unwrapping;
CS_MUST_CHECK int cs_key_unwrap(cs_key **out, cs_token *token, const cs_unwrapping *from,
    const char *label, cs_use use, cs_suite suite, cs_error *error);

/* The five verbs. */
CS_MUST_CHECK int cs_key_sign(cs_key *key, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error);
CS_MUST_CHECK int cs_key_agree(cs_key *key, const uint8_t peer[65], uint8_t x[32], cs_error *error);
CS_MUST_CHECK int cs_key_scalar_mul(cs_key *key, const cs_point *q, cs_point *out, cs_error *error);
CS_MUST_CHECK int cs_key_issue(cs_key *key, cs_view m, cs_point *r, cs_scalar *s, cs_error *error);
CS_MUST_CHECK int cs_key_prf(
    cs_key *key, cs_view bytes, uint8_t out[CS_HASH_SIZE], cs_error *error);

/* The delivery of S_X. What can this token take? */
CS_MUST_CHECK int cs_token_delivery(
    cs_token *token, cs_suite suite, cs_delivery *out, cs_error *error);

/* CS_DELIVERY_LIFTED: import S as the X25519 key k. `y` is S·P, public; it is stored beside the
 * key. A key of that label stays, too, until cs_key_remove_others. CS_E_SCALAR if S has no lift. S:
 * guarded memory, wiped by the caller. */
CS_MUST_CHECK int cs_key_import_lifted(cs_key **out, cs_token *token, const char *label,
    const cs_scalar *s, const cs_point *y, cs_error *error);

/* CS_DELIVERY_WRAPPED: a key pair made in the token for this one delivery; its public key goes to
 * the issuer, who answers with a public key of its own and the wrapped PKCS#8 (AES key wrap with
 * padding under the x coordinate of their ECDH). unwrap checks that the result acts as y's private
 * key (one ECDH each side with a fresh pair), or it does not stay. A key of that label stays, too,
 * until cs_key_remove_others. */
/* CS_DELIVERY_DUPLICATED goes the same way: the public key is that of the TPM's storage root, the
 * issuer answers with its ephemeral point and a duplication blob (duplicate.h). A TPM has one key
 * of a label: there the new one replaces the other once it is found to be good. */
typedef struct cs_delivery_key cs_delivery_key;
CS_MUST_CHECK int cs_delivery_key_new(
    cs_delivery_key **out, cs_token *token, uint8_t public_key[65], cs_error *error);
CS_MUST_CHECK int cs_delivery_key_unwrap(cs_key **out, cs_delivery_key *delivery, const char *label,
    const uint8_t peer[65], cs_view wrapped, const cs_point *y, cs_error *error);
void cs_delivery_key_free(cs_delivery_key **delivery);

/* Remove the other keys of this key's label: an S_X that was renewed, what an interrupted delivery
 * has left. For when nothing names them any more. */
CS_MUST_CHECK int cs_key_remove_others(cs_key *key, cs_error *error);

/* Statements about keys, for somebody else to check (tpm_statement.h). A TPM makes them, no PKCS#11
 * token does. An attestor is an attestation key, made in the token for this one time, in memory
 * alone and gone with it; and the TPM's endorsement key with its certificate, where the TPM lets it
 * be used (an endorsement hierarchy that has an authorisation value of its own does not). */
typedef struct cs_attestor cs_attestor;
typedef struct cs_attestor_info {
    uint8_t area[CS_TPM_PUBLIC_MAX]; /* the attestation key's */
    size_t area_size;
    bool has_endorsement;
    uint8_t endorsement[65];                    /* the endorsement key's point */
    uint8_t certificate[CS_EK_CERTIFICATE_MAX]; /* for that key, DER */
    size_t certificate_size;                    /* 0: there is none */
} cs_attestor_info;
typedef struct cs_statement_of_key {
    uint8_t area[CS_TPM_PUBLIC_MAX];
    size_t area_size;
    uint8_t attest[CS_TPM_ATTEST_SIZE];
    uint8_t signature[CS_SIGNATURE_SIZE];
} cs_statement_of_key;
/* CS_E_TOKEN_UNSUITABLE: this token makes no statements. The token must outlive it. */
CS_MUST_CHECK int cs_attestor_new(cs_attestor **out, cs_token *token, cs_error *error);
const cs_attestor_info *cs_attestor_describe(const cs_attestor *attestor);
/* About a key of the same token, or (NULL) about the storage root, whose public key is that of
 * cs_delivery_key_new. CS_E_USAGE: a key of another token. */
CS_MUST_CHECK int cs_attestor_certify(cs_attestor *attestor, cs_key *key,
    const uint8_t qualifying[CS_HASH_SIZE], cs_statement_of_key *out, cs_error *error);
/* What was sealed to the endorsement key and this attestation key; key: guarded. CS_E_DECRYPT: it
 * is for others. */
CS_MUST_CHECK int cs_attestor_activate(cs_attestor *attestor,
    const uint8_t activation[CS_TPM_ACTIVATION_SIZE], uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE],
    cs_error *error);
void cs_attestor_free(cs_attestor **attestor);

/* CS_DELIVERY_SEALED: a scalar key whose S is HPKE-sealed (info "chartseal/1 S_X", aad: y) to
 * `agree`, which must outlive it. Every scalar_mul costs one agree, counted as such and as
 * scalar_mul. */
CS_MUST_CHECK int cs_key_open_sealed(cs_key **out, cs_key *agree, cs_view enc, cs_view sealed,
    cs_suite suite, const cs_point *y, cs_error *error);
/* S itself, for a token that takes it by a way that PKCS#11 has not, as a PIV card does at its
 * desk; S·P = y is checked (CS_E_CREDENTIAL). One agree. S: guarded memory, wiped by the caller.
 * CS_E_USAGE: the key is no sealed one. */
CS_MUST_CHECK int cs_key_unseal(cs_scalar *s, cs_key *key, cs_error *error);

/* Make a fresh token: C_InitToken, C_InitPIN. module: path of a PKCS#11 module; the slot is the
 * first without an initialised token. PINs come from files. CS_E_EXISTS if the label is in use. */
CS_MUST_CHECK int cs_token_initialise(const char *module, const char *label,
    const char *so_pin_file, const char *pin_file, cs_error *error);

/* Whether there is room for it: the slot that cs_token_initialise would take, and how long it wants
 * PINs to be. Errors as there. */
typedef struct cs_token_vacancy {
    size_t pin_least, pin_most;
} cs_token_vacancy;
CS_MUST_CHECK int cs_token_find_vacancy(
    cs_token_vacancy *out, const char *module, const char *label, cs_error *error);

/* The same, for a run that may have been interrupted: a token of that label that is there already
 * is taken for its, and gets its user PIN if it has none yet. CS_E_PIN_WRONG if the SO PIN shows
 * that it is not. Whether the PIN is right, the first login tells. PINs from any source. */
CS_MUST_CHECK int cs_token_initialise_again(const char *module, const char *label,
    const cs_pin_source *so_pin, const cs_pin_source *pin, cs_error *error);

/* Every token of the configured modules, and the TPM of TPM2TOOLS_TCTI where that is set; or those
 * of the one module named, which may be `tpm2:?tcti=CONF`. */
typedef int (*cs_token_visit_fn)(void *context, const cs_token_info *info);
CS_MUST_CHECK int cs_token_list(
    const char *module, cs_token_visit_fn fn, void *context, cs_error *error);

/* Give back every module. Call it at the end of main, after all tokens are closed; never at exit.
 */
void cs_token_shutdown(void);

#endif
