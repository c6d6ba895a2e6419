/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TPM_TPM_H
#define CHARTSEAL_TPM_TPM_H

/*
 * The TPM 2.0 backend, inside.
 *
 *   bus       a TCTI (the way to a TPM) in a thread of its own, because none of them keeps a time
 *             limit: who waits for an answer gives up at the deadline, the thread when it can
 *   link      bus, ESYS context, the storage root and one session salted to it, and the few keys
 *             that are loaded; made when there is work, dropped when the TPM is lost, and dropped
 *             after a moment of rest where no resource manager shares the TPM out
 *   job       a piece of work with the link to itself; done again when the TPM says so, when its
 *             room is short, and once when it turns out to be lost (reset, restarted)
 *   key       the two halves of a key file in memory, or a persistent handle; loaded for a job, and
 *             known by its Name, which is a hash of its public area
 *
 * Locks: the registry's (list of tokens, for fork) and one per token. `busy` says who has the link;
 * the token's lock is not held during a call to the TPM.
 */

#include "token/backend.h"
#include "token/pin.h"

#include <pthread.h>
#include <tss2/tss2_esys.h>

#define TPM_TIMEOUT_MS 10000   /* a TPM without a resource manager may be at another's work */
#define TPM_BACKOFF_FIRST_MS 2 /* between two tries of a command the TPM put off */
#define TPM_BACKOFF_MAX_MS 200 /* a TPM limits the rate of NV writes to some a second */
#define TPM_IDLE_MS 250        /* rest after which an unshared TPM is let go */
#define TPM_SHORT_MAX_MS 25    /* between two looks for a free place in an unshared TPM */
#define TPM_HOLD_MS 1000       /* no unshared TPM is kept from others longer than that */
#define TPM_PAUSE_MS 50        /* after which it is left to them for a moment */
#define TPM_LOSSES_MAX 5       /* in one job, where the TPM still answers */
#define TPM_SWEEP_MS 3000 /* a shortage that lasts longer was left by a program that was killed */
#define TPM_SWEEP_SPREAD_MS 2000
#define TPM_TIDY_MS 1000            /* for leaving a TPM as it was found, when it had been lost */
#define TPM_LOADED_MAX 4            /* keys kept loaded behind a resource manager */
#define TPM_ROOT_HANDLE 0x81000001u /* the storage root, by TCG provisioning guidance */
#define TPM_AUTH_MAX 32             /* an authorisation value: a SHA-256 at most */
#define TPM_PATH_MAX 4096
#define TPM_KEYS_MAX 4096 /* key files that an audit lists */

/* -- bus.c */
typedef struct tpm_bus tpm_bus;
/* Opens the TCTI of that configuration ("": the TSS default). */
TSS2_RC tpm_bus_open(tpm_bus **out, const char *conf, int64_t deadline_ms);
TSS2_TCTI_CONTEXT *tpm_bus_tcti(tpm_bus *bus);
/* What comes after this moment does not wait any longer. */
void tpm_bus_deadline(tpm_bus *bus, int64_t deadline_ms);
void tpm_bus_close(tpm_bus **bus);
int64_t tpm_now_ms(void);
void tpm_sleep_ms(int64_t ms);
/* A condition that waits by the monotonic clock. */
void tpm_condition_init(pthread_cond_t *condition);
struct timespec tpm_timespec(int64_t at_ms);

/* -- uri.c */
typedef enum tpm_uri_kind {
    TPM_URI_ANY = 0,
    TPM_URI_DIR,
    TPM_URI_FILE,
    TPM_URI_HANDLE
} tpm_uri_kind;
typedef struct tpm_uri {
    tpm_uri_kind kind;
    char path[CS_URI_MAX]; /* of the directory or file */
    TPM2_HANDLE handle;
    char tcti[CS_URI_MAX]; /* "": not given */
} tpm_uri;
int tpm_uri_parse(tpm_uri *out, const char *text, cs_error *error);
int tpm_uri_format(char out[CS_URI_MAX], const tpm_uri *uri, cs_error *error);

/* -- keyfile.c: TSS2 PRIVATE KEY */
typedef struct tpm_blob {
    bool empty_auth;
    TPM2_HANDLE parent;
    TPM2B_PUBLIC public_part;
    TPM2B_PRIVATE private_part;
} tpm_blob;
int tpm_keyfile_encode(cs_buf *pem, const tpm_blob *blob, cs_error *error);
int tpm_keyfile_decode(tpm_blob *out, cs_view pem, cs_error *error);

/* -- place.c: files of the directory */
/* DIR/<label, escaped>.pem */
int tpm_place_of(char path[TPM_PATH_MAX], const char *dir, const char *label, cs_error *error);
/* The label of a path; the name itself where it is none of ours. */
void tpm_place_label(char label[CS_LABEL_MAX + 1], const char *path);
int tpm_place_read(cs_buf *out, const char *path, cs_error *error);
/* Whole or not at all; mode 0600. fresh: CS_E_EXISTS when there is one. */
int tpm_place_write(const char *path, cs_view bytes, bool fresh, cs_error *error);
/* Absent is CS_OK. */
int tpm_place_remove(const char *path, cs_error *error);
/* The paths of the key files, sorted; free them with tpm_place_free. */
int tpm_place_list(char ***paths, size_t *count, const char *dir, cs_error *error);
void tpm_place_free(char ***paths, size_t count);

/* -- the token */
typedef struct tpm_loaded {
    uint64_t key; /* 0: free */
    uint64_t used;
    ESYS_TR object;
} tpm_loaded;

typedef struct tpm_link {
    tpm_bus *bus;
    ESYS_CONTEXT *esys; /* NULL: there is no link */
    ESYS_TR root;
    ESYS_TR session; /* ESYS_TR_NONE until it is wanted */
    tpm_loaded loaded[TPM_LOADED_MAX];
    uint64_t uses;
    int64_t since_ms;
} tpm_link;

typedef struct tpm_token {
    cs_token base;
    struct tpm_token *next; /* in the registry, for fork */
    char dir[TPM_PATH_MAX]; /* absolute; "" for a token that is only listed */
    char tcti[CS_URI_MAX];  /* "": the TSS default */
    bool tcti_in_uri;
    bool shared; /* behind a resource manager */
    cs_pin_source pin_source;
    bool force_final_try;
    unsigned timeout_ms;
    TPM2B_NAME root_name; /* this TPM's identity */
    uint8_t root_point[65];
    char serial[17]; /* from root_name */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy, closing, watched;
    pthread_t watcher;
    int64_t rested_ms; /* since when nobody is busy */

    /* of whoever is busy */
    int64_t deadline_ms;
    tpm_link link;
    int64_t pause_until_ms; /* others first */
    bool untidy;            /* what we had loaded may still be there, unknown to us */
    uint8_t *auth;          /* TPM_AUTH_MAX guarded bytes; NULL: not fetched */
    size_t auth_size;
    uint64_t auth_turn; /* a new one whenever it is fetched */
} tpm_token;

typedef struct tpm_key {
    cs_key base;
    tpm_token *token;
    uint64_t id; /* in this process */
    bool persistent;
    TPM2_HANDLE handle;
    tpm_blob blob; /* of a persistent key: the public part alone */
    TPM2B_NAME name;
    uint64_t proved_turn; /* the turn of the auth that it was used with */
} tpm_key;

/* -- hold.c: who is busy */
void tpm_hold_init(tpm_token *token);
int tpm_take(tpm_token *token, cs_error *error);
void tpm_give(tpm_token *token);
void tpm_hold_end(tpm_token *token);

/* -- process.c */
void tpm_registry_add(tpm_token *token);
void tpm_registry_remove(tpm_token *token);

/* -- job.c */
typedef struct tpm_job {
    tpm_token *token;
    ESYS_CONTEXT *esys;
    ESYS_TR root, session;
    ESYS_TR object;     /* the key the job is for, loaded */
    ESYS_TR scratch[3]; /* flushed when the work is over, however it ended */
    const char *call;   /* the last call, for messages */
    int rc;             /* a failure of ours, with *error set, when the result is success */
    bool at_stake;      /* the token's authorisation value is sent for the key */
    unsigned lost;      /* how often in the attempts before */
    bool swept;
    int64_t sweep_at_ms;
    cs_error *error;
} tpm_job;
typedef TSS2_RC (*tpm_work)(tpm_job *job, void *context);
int tpm_run(tpm_token *token, tpm_key *key, tpm_work work, void *context, cs_error *error);
/* A call with the job's ESYS context as first argument. */
#define TPM(job, name, ...) ((job)->call = #name, Esys_##name((job)->esys, __VA_ARGS__))
/* The session, for a command whose first parameter, or the answer's, is encrypted. */
ESYS_TR tpm_session(tpm_job *job, bool command, bool answer);
/* Wipes and frees what ESYS gave. */
void tpm_free(void *address_of_pointer, size_t n);

/* -- link.c */
/* Makes the link if there is none. */
TSS2_RC tpm_link_make(tpm_job *job);
TSS2_RC tpm_link_session(tpm_job *job);
TSS2_RC tpm_link_load(tpm_job *job, tpm_key *key);
/* alive: the TPM is flushed of what was loaded. */
void tpm_link_drop(tpm_token *token, bool alive);
/* Another process that was killed may have left objects in an unshared TPM: flushes all. */
void tpm_link_sweep(tpm_token *token);

/* -- errors.c */
typedef enum tpm_fate { TPM_FAILED = 0, TPM_WAIT, TPM_SHORT, TPM_LOST, TPM_REFUSED } tpm_fate;
tpm_fate tpm_rc_fate(TSS2_RC rc);
/* Nothing was heard from the TPM. */
bool tpm_rc_silent(TSS2_RC rc);
/* Without the numbers of handle, parameter and session: TPM2_RC_…, to be compared. */
TSS2_RC tpm_rc_base(TSS2_RC rc);
int tpm_fail(const tpm_token *token, const char *call, TSS2_RC rc, cs_error *error);

/* -- root.c */
/* Finds or makes the storage root, and checks that it is the one known. */
TSS2_RC tpm_root_find(tpm_job *job);
TSS2_RC tpm_root_read(tpm_job *job, bool *there);

/* -- auth.c */
typedef struct tpm_tries {
    uint32_t failed, most, interval_s;
    bool locked;
} tpm_tries;
TSS2_RC tpm_tries_read(tpm_job *job, tpm_tries *out);
/* The token's authorisation value is there, and may be sent for that key (NULL: for a new one). */
TSS2_RC tpm_auth_want(tpm_job *job, const tpm_key *key);
TPM2B_AUTH tpm_auth_value(const tpm_token *token);
/* The TPM refused it: never to be sent again. Sets *error. */
int tpm_auth_refused(tpm_job *job, const tpm_key *key);
void tpm_auth_forget(tpm_token *token);
void tpm_auth_after_fork(void);

/* -- template.c */
TPM2B_PUBLIC tpm_root_template(void);
TPM2B_PUBLIC tpm_endorsement_template(void);
TPM2B_PUBLIC tpm_attestation_template(void);
int tpm_key_template(TPM2B_PUBLIC *out, cs_use use, cs_suite suite, cs_error *error);
bool tpm_template_can(const TPMT_PUBLIC *area, cs_use use, cs_suite suite);
cs_use tpm_template_use(const TPMT_PUBLIC *area); /* for an audit */
bool tpm_public_is_p256(const TPMT_PUBLIC *area);
/* x and y, left-padded. */
int tpm_point_get(uint8_t out[65], const TPMS_ECC_POINT *point, cs_error *error);
TPM2B_ECC_POINT tpm_point_put(const uint8_t sec1[65]);
int tpm_pad(uint8_t out[32], const TPM2B_ECC_PARAMETER *value, cs_error *error);
int tpm_name_of(TPM2B_NAME *out, const TPM2B_PUBLIC *area, cs_error *error);
bool tpm_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b);

/* -- key.c */
extern const cs_key_ops tpm_key_ops;
tpm_key *tpm_key_new(tpm_token *token, cs_use use, cs_suite suite, cs_error *error);
/* The key becomes that of the blob: description and use are checked (not for an audit). */
int tpm_key_adopt(tpm_key *key, const char *path, bool audit, cs_error *error);
int tpm_key_list(cs_token *token, cs_key_visit_fn fn, void *context, cs_error *error);
int tpm_key_destroy(cs_token *token, const char *label, cs_error *error);

/* -- open.c */
int tpm_key_open(
    cs_token *token, cs_key **out, const char *uri, cs_use use, cs_suite suite, cs_error *error);
/* The public part of a persistent key, asked for inside the session. */
TSS2_RC tpm_read_persistent(tpm_job *job, TPM2_HANDLE handle, ESYS_TR *object, TPM2B_PUBLIC *out);
int tpm_read_keyfile(tpm_blob *out, const char *path, cs_error *error);

/* -- generate.c, deliver.c */
int tpm_generate(
    cs_token *token, cs_key **out, const char *label, cs_use use, cs_suite suite, cs_error *error);
/* Writes the key's file, whole. */
int tpm_keep(const tpm_key *key, const char *path, bool fresh, cs_error *error);
int tpm_delivery(cs_token *token, cs_suite suite, cs_delivery *out, cs_error *error);
int tpm_delivery_key(
    cs_token *token, cs_delivery_key **out, uint8_t public_key[65], cs_error *error);

/* -- attest.c, endorse.c */
typedef struct tpm_attestor {
    cs_attestor base;
    tpm_token *token;
    tpm_blob key; /* AK */
    TPM2B_NAME name;
} tpm_attestor;
int tpm_attestor_new(cs_token *token, cs_attestor **out, cs_error *error);
/* Loads the AK into a scratch place of the job. */
TSS2_RC tpm_attestor_load(tpm_job *job, const tpm_attestor *attestor, ESYS_TR *object);
/* Looks for the endorsement key, and for its certificate; none is no failure. */
int tpm_endorsement_find(tpm_attestor *attestor, cs_error *error);
int tpm_activate(cs_attestor *attestor, const uint8_t activation[CS_TPM_ACTIVATION_SIZE],
    uint8_t key[CS_TPM_ACTIVATION_KEY_SIZE], cs_error *error);

/* -- sign.c, derive.c, prf.c: the verbs */
int tpm_sign(cs_key *key, const uint8_t digest[32], uint8_t signature[64], cs_error *error);
int tpm_issue(cs_key *key, cs_view m, cs_point *r, cs_scalar *s, cs_error *error);
int tpm_agree(cs_key *key, const uint8_t peer[65], uint8_t x[32], cs_error *error);
int tpm_scalar_mul(cs_key *key, const cs_point *q, cs_point *out, cs_error *error);
/* x of the object's key times the point. */
TSS2_RC tpm_zgen(tpm_job *job, ESYS_TR object, const uint8_t peer[65], uint8_t x[32]);
int tpm_prf(cs_key *key, cs_view bytes, uint8_t out[32], cs_error *error);

/* -- list.c */
int tpm_describe(cs_token *token, cs_token_info *out, cs_error *error);
/* A token of no directory, to be described. */
int tpm_token_open_bare(cs_token **out, const char *uri, cs_error *error);

#endif
