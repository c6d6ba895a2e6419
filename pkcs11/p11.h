/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PKCS11_P11_H
#define CHARTSEAL_PKCS11_P11_H

/*
 * The PKCS#11 backend, inside.
 *
 *   module    a loaded library; one per process and path, initialised again in a child after fork
 *   token     a slot found by serial and label, with a bounded pool of logged-in sessions
 *   job       a piece of work on one session; when the session turns out to be lost (card removed,
 *             HSM restarted, logged out by another process, process forked) the token is found
 *             again, logged in to, the key's handle is found again, and the work is done once more
 *   key       an object found once, with its public half; its handle is good for one generation of
 *             the token's sessions
 *
 * Locks: the registry's (modules, list of tokens), one for whoever looks for tokens, one per module
 * (who has which session), three per token (pool and handles; work, shared or alone; the PIN that
 * is held), one for logins. None is held during a call to a token, except that of work, the
 * login's, the looking one's and, while a module is loaded, the registry's.
 */

#include "token/backend.h"
#include "token/pin.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>

#define P11_SESSIONS_DEFAULT 8
#define P11_SESSIONS_MAX 256     /* beyond that no token is faster */
#define P11_TIMEOUT_MS 10000     /* wait for a free session */
#define P11_BACKOFF_FIRST_MS 100 /* between two tries to find a lost token again */
#define P11_BACKOFF_MAX_MS 5000
#define P11_LOWERED_MS                                                                             \
    1000                     /* for so long a token that had no more sessions is not asked for any \
                              */
#define P11_LOOKS_AGAIN 3    /* for a token absent at the opening: after 100, 200 and 400 ms */
#define P11_SLOTS_MAX 1024   /* a partitioned HSM has tens */
#define P11_OBJECTS_MAX 4096 /* private and secret keys that an audit lists */
#define P11_ID_MAX 64        /* CKA_ID; ours have 20 bytes */
#define P11_PUBLIC_MAX 8 /* public keys of one CKA_ID that are looked through for the right one */
#define P11_EC_POINT_MAX 80 /* a P-256 point as DER OCTET STRING has 67 */

typedef enum p11_peer_form { P11_PEER_UNKNOWN = 0, P11_PEER_RAW, P11_PEER_DER } p11_peer_form;

typedef enum p11_curve {
    P11_CURVE_NONE = 0,
    P11_CURVE_P256,
    P11_CURVE_ED25519,
    P11_CURVE_X25519,
} p11_curve;

typedef struct p11_claim p11_claim; /* open.c */

typedef struct p11_module {
    struct p11_module *next;
    CK_FUNCTION_LIST *functions;
    char path[256];
    bool configured; /* one of p11-kit's list, given back with that list */
    unsigned users;
    pid_t pid; /* the process that initialised it */
    pthread_mutex_t claims_lock;
    p11_claim *claims; /* sessions that are open */
} p11_module;

typedef struct p11_session {
    CK_SESSION_HANDLE handle;
    unsigned generation;
} p11_session;

/* Session objects end with the session that made them: it stays open while somebody holds it. */
typedef struct p11_hold {
    struct p11_hold *next; /* of the token's */
    p11_session session;
    bool parked; /* not fit to be used again: open for the hold alone */
} p11_hold;

typedef struct p11_token {
    cs_token base;
    struct p11_token *next; /* in the registry, for fork */
    p11_module *module;
    _Atomic CK_SLOT_ID slot; /* changes when the token is found again elsewhere */
    CK_TOKEN_INFO info;      /* as first found; label and serial number are its identity */
    char label[33], serial[17];
    cs_pin_source pin_source;
    cs_pin pin_value; /* from pin-value in the URI; else empty */
    cs_pin_hold hold;
    cs_token_tell_fn tell;
    void *tell_context;
    atomic_bool wants_pin; /* a key was opened that wants it for every use */
    bool force_final_try;
    cs_use backed_up, restored; /* as in cs_token_options */
    unsigned timeout_ms;

    /* of the token, not of a session: a card takes the PIN of a key with CKA_ALWAYS_AUTHENTICATE
     * for its very next operation. Such a use is alone, all other work shares the token. */
    pthread_rwlock_t alone;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    p11_session idle[P11_SESSIONS_MAX];
    unsigned idle_count, open_count, limit;
    p11_hold *holds;
    unsigned parked; /* of the open ones; they do not count against the limit */
    unsigned
        lowered; /* the limit until then: CKR_SESSION_COUNT passes, as others give theirs back */
    int64_t lowered_until_ms;
    unsigned generation; /* of sessions and handles; a new one whenever they were lost */
    bool lost, recovering;
    int64_t retry_at_ms; /* not before: the back-off after a failed recovery */
    unsigned backoff_ms;
    cs_error why_lost; /* of that recovery; until it is tried again, callers are told the same */
    _Atomic int peer_form; /* how it wants the peer's point: p11_peer_form */
    _Atomic int lifted;    /* can X25519 keys be imported: 0 not known, 1 yes, 2 no */
} p11_token;

typedef struct p11_key {
    cs_key base;
    p11_token *token;
    CK_OBJECT_CLASS class;
    uint8_t id[P11_ID_MAX];
    size_t id_size;
    CK_OBJECT_HANDLE handle;
    unsigned generation;
} p11_key;

/* -- module.c */
/* Loads (or finds loaded) the module; give it back with p11_module_put. */
int p11_module_get(p11_module **out, const char *path, cs_error *error);
/* The configured modules, or the one of `path`; fn for each until it returns non-zero. */
typedef int (*p11_module_fn)(void *context, p11_module *module, cs_error *error);
int p11_module_each(const char *path, p11_module_fn fn, void *context, cs_error *error);
void p11_module_hold(p11_module *module);
/* One thread at a time looks for tokens: the modules that nothing holds are its own meanwhile. */
void p11_scan_begin(void);
void p11_scan_end(void);
void p11_module_put(p11_module *module);
/* After fork, or when the module lost its state: initialises it for this process, once. */
int p11_module_revive(p11_module *module, cs_error *error);
void p11_registry_add(p11_token *token);
void p11_registry_remove(p11_token *token);

/* -- errors.c */
const char *p11_rv_name(CK_RV rv);
/* The session, the slot or the handle is gone: worth finding everything again. */
bool p11_rv_is_lost(CK_RV rv);
int p11_fail(const p11_token *token, const char *call, CK_RV rv, cs_error *error);
int p11_fail_module(const p11_module *module, const char *call, CK_RV rv, cs_error *error);
/* -- text.c */
/* Blank-padded text of Cryptoki, as a C string in UTF-8; what is not UTF-8, or not printable,
 * becomes '?'. False when that, or the room, has altered it. */
bool p11_text(char *out, size_t size, const unsigned char *padded, size_t n);

/* Cryptoki takes without const what it only reads. */
static inline void *p11_unconst(const void *p)
{
    void *q;

    memcpy(&q, &p, sizeof q);
    return q;
}

/* What a token says of a private or secret key. What it does not say is 0 or false, but for
 * extractable and private, which are true. */
typedef struct p11_facts {
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE key_type;
    p11_curve curve;
    char label[CS_LABEL_MAX + 1];
    bool label_exact; /* not altered to be shown */
    uint8_t id[P11_ID_MAX];
    size_t id_size;
    bool sign, derive, encrypt, decrypt, wrap, unwrap;
    bool private; /* seen only when logged in */
    bool sensitive, extractable, local, always_sensitive, never_extractable, always_authenticate;
    bool wrap_with_trusted;
} p11_facts;

/* -- uri.c */
int p11_uri_parse(P11KitUri **out, const char *text, cs_error *error);
/* The PIN source the URI names, if any; *pin is filled from a pin-value. */
int p11_uri_pin(const P11KitUri *uri, cs_pin_source *source, cs_pin *pin, cs_error *error);
/* uri of a token (key NULL) or of a key in it. */
int p11_uri_format(char out[CS_URI_MAX], const char *module_path, const CK_TOKEN_INFO *info,
    const p11_facts *key, cs_error *error);

/* -- list.c */
typedef struct p11_slot {
    p11_module *module;
    CK_SLOT_ID id;
    CK_TOKEN_INFO info;
} p11_slot;
/* Every slot of a module with a token in it. fn returning non-zero stops and is returned. */
typedef int (*p11_slot_fn)(void *context, const p11_slot *slot, cs_error *error);
int p11_slot_each(p11_module *module, p11_slot_fn fn, void *context, cs_error *error);
int p11_describe(
    const p11_module *module, const CK_TOKEN_INFO *info, cs_token_info *out, cs_error *error);

/* Label and serial number are the token's. */
bool p11_is_token(const p11_token *token, const CK_TOKEN_INFO *info);

/* -- login.c */
/* Logs in on the session if the token wants that and it is not so already. */
int p11_login(p11_token *token, CK_SESSION_HANDLE session, cs_error *error);
void p11_login_after_fork(void);
/* One piece of work as the security officer, on a session of the token's as `slot` had it: with the
 * care that the user's PIN gets, and no other login meanwhile. */
int p11_as_officer(const p11_slot *slot, CK_SESSION_HANDLE session, const cs_pin *pin,
    void (*work)(void *context), void *context, cs_error *error);

/* -- open.c */
CK_RV p11_session_open(p11_token *token, unsigned generation, p11_session *out);
/* Nothing happens where the handle is another session's by now. */
void p11_session_close(p11_token *token, const p11_session *session);
/* The same for another owner than a token. */
CK_RV p11_session_open_for(p11_module *module, CK_SLOT_ID slot, const void *owner, CK_FLAGS flags,
    unsigned generation, p11_session *out);
void p11_session_close_for(p11_module *module, const void *owner, const p11_session *session);
/* The module was initialised anew: all its sessions are gone. */
void p11_claims_forget(p11_module *module);

/* -- session.c */
void p11_pause_ms(long ms);
int p11_pool_new(p11_token *token, unsigned wanted, cs_error *error);
void p11_pool_free(p11_token *token);
int p11_session_take(p11_token *token, p11_session *out, cs_error *error);
/* healthy: fit to be used again. lost: everything of its generation is to be found again. */
void p11_session_give(p11_token *token, const p11_session *session, bool healthy, bool lost);
void p11_pool_after_fork(p11_token *token);

/* -- job.c */
typedef struct p11_job {
    p11_token *token;
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
    unsigned generation;  /* the session's */
    CK_OBJECT_HANDLE key; /* the current handle of the key the job is for */
    const char *call;     /* the last call, for messages */
    bool committed;       /* it changed the token: not to be done twice */
    int rc;               /* a failure of ours, with *error set, when the result is CKR_OK */
    cs_error *error;
} p11_job;
typedef CK_RV (*p11_work)(p11_job *job, void *context);
/* Does the work on a session; key may be NULL. */
int p11_run(p11_token *token, p11_key *key, p11_work work, void *context, cs_error *error);
/* -- login.c again: the login that CKA_ALWAYS_AUTHENTICATE wants between SignInit and Sign. For
 * some modules it is the first call to notice that the card was pulled; other failures are told by
 * job->rc, with CKR_OPERATION_ACTIVE, so that the session is dropped. */
CK_RV p11_login_context(p11_job *job, const p11_key *key);
int p11_begin_visit(cs_token *token, cs_error *error);
/* A call with the job's session as first argument. */
#define P11(job, name, ...) ((job)->call = #name, (job)->f->name((job)->session, __VA_ARGS__))
/* In a job: its session stays open until the end of the hold, or until the token is lost. */
void p11_hold_begin(p11_job *job, p11_hold *hold);
void p11_hold_end(p11_token *token, p11_hold *hold);

/* -- object.c */
#define P11_ATTRIBUTE(type, value)                                                                 \
    {                                                                                              \
        (type), (value), sizeof *(value)                                                           \
    }
/* At most `most` handles. CKR_USER_NOT_LOGGED_IN when the session could not see what is private. */
CK_RV p11_find(p11_job *job, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *out,
    CK_ULONG most, CK_ULONG *count);
/* An attribute of at most *n bytes; *n is 0 when the object does not have it or it is too long. */
CK_RV p11_read(
    p11_job *job, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *out, CK_ULONG *n);
CK_RV p11_read_facts(p11_job *job, CK_OBJECT_HANDLE object, p11_facts *out);
/* The raw public point beside a private key; *n is 0 when the token has none. *bound: its hash is
 * the private key's CKA_ID, which only who is logged in can set. */
CK_RV p11_read_public(p11_job *job, CK_OBJECT_HANDLE object, const p11_facts *facts,
    uint8_t out[65], size_t *n, bool *bound);
/* The keys of that label, private and secret ones first; certificates and data are left out. */
CK_RV p11_find_label(
    p11_job *job, const char *label, CK_OBJECT_HANDLE *out, CK_ULONG most, CK_ULONG *count);
/* Removes all keys of that label but those of the CKA_ID `keep` (empty: none). */
CK_RV p11_remove_label(p11_job *job, const char *label, cs_view keep);
void p11_destroy(p11_job *job, CK_OBJECT_HANDLE object);

/* -- key.c */
extern const cs_key_ops p11_key_ops;
p11_key *p11_key_new(p11_token *token, cs_use use, cs_suite suite, cs_error *error);
int p11_key_open(
    cs_token *token, cs_key **out, const char *uri, cs_use use, cs_suite suite, cs_error *error);
int p11_key_list(cs_token *token, cs_key_visit_fn fn, void *context, cs_error *error);
int p11_key_destroy(cs_token *token, const char *label, cs_error *error);
int p11_key_remove_others(cs_key *key, cs_error *error);
/* In a job: the key becomes that of the object, or job->rc says why it must not. */
CK_RV p11_key_adopt(p11_job *job, p11_key *key, CK_OBJECT_HANDLE object);
CK_RV p11_key_find_again(p11_job *job, p11_key *key, CK_OBJECT_HANDLE *out);

/* -- ec.c */
/* CKA_EC_PARAMS; form 0 is the OID, form 1 the curve's name where older tokens want that. */
cs_view p11_curve_params(p11_curve curve, unsigned form);
p11_curve p11_curve_of(cs_view params);
/* CKA_EC_POINT, as DER OCTET STRING or raw, to the raw point of that many bytes; false if neither.
 */
bool p11_point_raw(cs_view point, size_t size, const uint8_t **raw);
/* Raw to DER OCTET STRING; size < 128. */
size_t p11_point_der(uint8_t out[P11_EC_POINT_MAX], cs_view raw);

/* -- sign.c, derive.c: the verbs */
int p11_sign(cs_key *key, const uint8_t digest[32], uint8_t signature[64], cs_error *error);
int p11_issue(cs_key *key, cs_view m, cs_point *r, cs_scalar *s, cs_error *error);
int p11_prf(cs_key *key, cs_view bytes, uint8_t out[32], cs_error *error);
int p11_agree(cs_key *key, const uint8_t peer[65], uint8_t x[32], cs_error *error);
int p11_scalar_mul(cs_key *key, const cs_point *q, cs_point *out, cs_error *error);
/* ECDH of the private key `object` and the peer's raw point into a new key of that template. */
CK_RV p11_derive(p11_job *job, CK_OBJECT_HANDLE object, cs_view peer, CK_ATTRIBUTE *template,
    CK_ULONG n, CK_OBJECT_HANDLE *out);
/* The shared x coordinate, left-padded (P-256), or u (X25519). */
CK_RV p11_derive_x(
    p11_job *job, CK_OBJECT_HANDLE object, p11_curve curve, cs_view peer, uint8_t x[32]);
/* The same for signing keys: one signature of random bytes. */
CK_RV p11_signs_as(p11_job *job, CK_OBJECT_HANDLE object, const uint8_t public_key[65]);
/* |S·q| with the object's S. */
CK_RV p11_scalar_mul_with(p11_job *job, CK_OBJECT_HANDLE object, const cs_point *q, cs_point *out);

/* -- survive.c, wrapping.c: keys that are wrapped once, or were */
int p11_unwrap_key(cs_token *token, cs_key **out, const cs_unwrapping *from, const char *label,
    cs_use use, cs_suite suite, cs_error *error);
/* In a job: the wrapped key, appended to out. */
CK_RV p11_wrap(p11_job *job, const cs_wrapping_key *with, CK_OBJECT_HANDLE object, cs_buf *out);

/* -- token.c: the one initialised token that a URI names; its module is held for the caller. */
int p11_token_find(p11_slot *out, const char *uri, cs_error *error);

/* -- generate.c, deliver.c, import.c, unwrap.c */
/* with: NULL, or the key is wrapped and then made to stay, before it is the key's. */
typedef struct p11_generation {
    const char *label;
    cs_use use;
    p11_key *key;
    const cs_wrapping_key *with;
    cs_buf *wrapped;
} p11_generation;
/* The object is adopted, after it was wrapped and made to stay if g says so. On a failure it is the
 * caller's to destroy. */
CK_RV p11_settle(p11_job *job, const p11_generation *g, CK_OBJECT_HANDLE object);
/* The work, and *out is g's key; or the key is freed. */
int p11_run_for_key(p11_token *token, cs_key **out, p11_work work, void *context,
    const p11_generation *g, cs_error *error);
CK_RV p11_check_label_free(p11_job *job, const char *label);
int p11_generate_wrapped(cs_token *token, cs_key **out, cs_buf *wrapped,
    const cs_wrapping_key *with, const char *label, cs_use use, cs_suite suite, cs_error *error);
int p11_generate(
    cs_token *token, cs_key **out, const char *label, cs_use use, cs_suite suite, cs_error *error);
/* CKA_ID of ours: the first 20 bytes of SHA-256 of the public point. */
#define P11_OWN_ID_SIZE 20
int p11_own_id(uint8_t id[P11_OWN_ID_SIZE], cs_view public_point, cs_error *error);
/* Is the object y's private key? One multiplication each side with a fresh pair. */
CK_RV p11_acts_as(p11_job *job, CK_OBJECT_HANDLE object, const cs_point *y);
int p11_delivery(cs_token *token, cs_suite suite, cs_delivery *out, cs_error *error);
/* The S_X object just made: checks that it acts as y's private key, stores Y beside it, fills the
 * key. When it fails, the object is removed. */
CK_RV p11_settle_scalar(
    p11_job *job, CK_OBJECT_HANDLE object, const char *label, const cs_point *y, p11_key *key);
/* X25519 key k as an object; session object when token is false. */
CK_RV p11_create_x25519(p11_job *job, const uint8_t k[32], const char *label, cs_view id,
    bool token, CK_OBJECT_HANDLE *out);
int p11_import_lifted(cs_token *token, cs_key **out, const char *label, const cs_scalar *s,
    const cs_point *y, cs_error *error);
int p11_delivery_key(
    cs_token *token, cs_delivery_key **out, uint8_t public_key[65], cs_error *error);

#endif
