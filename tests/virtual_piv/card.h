/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_VIRTUAL_PIV_CARD_H
#define CHARTSEAL_TEST_VIRTUAL_PIV_CARD_H

/*
 * A PIV card (NIST SP 800-73-4) as a process, for tests: it speaks to vpcd, the virtual reader of
 * vsmartcard, as a card speaks to a reader, and so is a card to pcscd and to all above it.
 *
 *   vpcd.c           the reader's protocol over TCP; instead of it
 *   direct.c         PC/SC without pcscd, for a program with the card in itself
 *   apdu.c           what a command is: short and extended lengths, chaining, GET RESPONSE
 *   commands.c       which command is whose, and what a command in between undoes
 *   objects.c        SELECT, GET DATA, PUT DATA
 *   pins.c           VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER
 *   keys.c           GENERATE ASYMMETRIC KEY PAIR
 *   authenticate.c   GENERAL AUTHENTICATE: ECDSA, ECDH, the management key
 *   extensions.c     Yubico's: version, serial, import, metadata, management key, retries, reset
 *   state.c          what outlives the process; written before the answer leaves
 *   faults.c         the n-th command fails, or the card is pulled, or the program killed
 *
 * It keeps its secrets in a plain file and is no more than a test needs. What real cards are strict
 * in, it is strict in: a retry is counted before the PIN is compared; 9C wants its PIN with the
 * command just before; a point is checked; nothing is changed without the management key.
 */

#include <chartseal/bytes.h>

#include <stdio.h>
#include <sys/types.h>

#define PIV_PIN_SIZE 8       /* padded with FF */
#define PIV_PIN_DIGITS_MIN 6 /* SP 800-73-4, part 2, 2.4.3 */
#define PIV_TRIES 3
#define PIV_DATA_MAX 4096    /* of a command or an object: a certificate and a bit */
#define PIV_APDU_MAX 65544   /* extended header, 65535 bytes, extended Le */
#define PIV_ADMIN_KEY_MAX 32 /* AES-256 */
#define PIV_BLOCK_MAX 16
#define PIV_KEYS_MAX 32    /* 9A, 9C, 9D, 9E and twenty retired ones */
#define PIV_OBJECTS_MAX 64 /* SP 800-73-4 has 36 */

/* Status words, ISO 7816-4. */
#define SW_OK 0x9000
#define SW_MORE 0x6100   /* and how many bytes */
#define SW_TRIES 0x63c0  /* and how many are left */
#define SW_MEMORY 0x6581 /* nothing was changed: the state file could not be written */
#define SW_LENGTH 0x6700
#define SW_CHANNEL 0x6881 /* logical channels */
#define SW_CHAIN 0x6883   /* the last command of the chain was expected */
#define SW_SECURITY 0x6982
#define SW_BLOCKED 0x6983
#define SW_CONDITIONS 0x6985
#define SW_DATA 0x6a80
#define SW_NOT_FOUND 0x6a82
#define SW_FULL 0x6a84
#define SW_P1P2 0x6a86
#define SW_REFERENCE 0x6a88 /* no such key */
#define SW_INS 0x6d00
#define SW_CLA 0x6e00
#define SW_INTERNAL 0x6f00

/* Algorithms, SP 800-78-4. */
enum { PIV_3DES = 0x03, PIV_AES128 = 0x08, PIV_AES192 = 0x0a, PIV_AES256 = 0x0c, PIV_P256 = 0x11 };
/* References of keys. */
enum {
    PIV_REF_PIN = 0x80,
    PIV_REF_PUK = 0x81,
    PIV_REF_AUTHENTICATION = 0x9a,
    PIV_REF_ADMIN = 0x9b,
    PIV_REF_SIGNATURE = 0x9c,
    PIV_REF_KEY_MANAGEMENT = 0x9d,
    PIV_REF_CARD = 0x9e,
    PIV_REF_RETIRED_FIRST = 0x82,
    PIV_REF_RETIRED_LAST = 0x95,
};
/* When a key wants the PIN. */
enum { PIV_PIN_DEFAULT = 0, PIV_PIN_NEVER = 1, PIV_PIN_ONCE = 2, PIV_PIN_ALWAYS = 3 };
enum { PIV_GENERATED = 1, PIV_IMPORTED = 2 };

typedef struct piv_secret {
    uint8_t value[PIV_PIN_SIZE];
    uint8_t tries, most;
} piv_secret;

typedef struct piv_key {
    uint8_t reference, origin, pin_policy, touch_policy;
    uint8_t private_key[32], public_key[65];
} piv_key;

typedef struct piv_object {
    uint32_t tag;
    cs_buf bytes;
} piv_object;

/* What outlives the process. */
typedef struct piv_state {
    uint8_t serial[4];
    piv_secret pin, puk;
    uint8_t admin_algorithm, factory_algorithm; /* the second: as it came, and is reset to */
    uint8_t admin_key[PIV_ADMIN_KEY_MAX];
    piv_key keys[PIV_KEYS_MAX];
    size_t key_count;
    piv_object objects[PIV_OBJECTS_MAX];
    size_t object_count;
} piv_state;

/* What ends with the power. */
typedef enum piv_challenge { PIV_NO_CHALLENGE, PIV_WITNESS, PIV_CHALLENGE } piv_challenge;
typedef struct piv_power {
    bool selected;
    bool pin_verified;
    bool pin_fresh; /* verified by the command just before */
    bool admin;     /* the management key has been shown */
    piv_challenge challenge;
    uint8_t challenge_block[PIV_BLOCK_MAX];
    uint8_t chain_header[4];
    cs_buf chain;
    bool chaining;
    cs_buf pending; /* for GET RESPONSE */
} piv_power;

typedef enum piv_fault_kind {
    PIV_FAULT_NONE,
    PIV_FAULT_STATUS,      /* the command is not carried out and answered with a status word */
    PIV_FAULT_PULL_BEFORE, /* the card is pulled before it is carried out */
    PIV_FAULT_PULL_AFTER,  /* carried out, and pulled before the answer */
    PIV_FAULT_KILL_BEFORE, /* the program that sends it is killed before or after; direct.c alone */
    PIV_FAULT_KILL_AFTER,
} piv_fault_kind;

typedef struct piv_options {
    const char *state_path, *log_path;
    uint16_t port;
    unsigned delay_ms; /* of each operation with a private key */
    bool plain;        /* without Yubico's extensions */
    bool blank;        /* a new card has no CHUID and no CCC */
    bool no_import;    /* has the other extensions, and takes no keys */
    bool aes;          /* a new card's management key is of AES-192 */
    bool impostor;     /* without its management key */
    uint8_t serial[4]; /* of a new card */
    bool has_serial;
    piv_fault_kind fault;
    unsigned long fault_at; /* the first command is 1 */
    uint16_t fault_status;
} piv_options;

typedef struct piv_card {
    piv_options options;
    piv_state state;
    piv_power power;
    unsigned long commands; /* since the process began */
    FILE *log;
    bool pulled;
} piv_card;

typedef struct piv_apdu {
    uint8_t cla, ins, p1, p2;
    cs_view data;
    size_t le; /* 0: none */
    bool extended;
} piv_apdu;

/* -- tlv.c: BER-TLV of up to 65535 bytes */
/* The next of `rest`, which is moved on; false at the end, and for what is malformed. */
bool piv_tlv_next(cs_view *rest, uint32_t *tag, cs_view *value);
/* The value of that tag; false if there is none or the list is malformed. */
bool piv_tlv_find(cs_view list, uint32_t tag, cs_view *value);
CS_MUST_CHECK int piv_tlv_append(cs_buf *out, uint32_t tag, cs_view value);

/* -- apdu.c */
extern const uint8_t piv_atr[15];
/* false: its lengths do not fit. */
bool piv_apdu_parse(piv_apdu *out, cs_view bytes);
/* The card's answer to the bytes of a command, status word included. */
CS_MUST_CHECK int piv_answer(piv_card *card, cs_view command, cs_buf *response);

/* -- commands.c: carries out a whole command */
uint16_t piv_command(piv_card *card, const piv_apdu *apdu, cs_buf *out);
/* Power off, on, or a reset. */
void piv_power_down(piv_card *card);

/* -- the commands: a status word, and data in out */
typedef uint16_t (*piv_command_fn)(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_select(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_get_data(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_put_data(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_verify(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_change_reference(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_reset_retry(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_general_authenticate(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_generate(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_import(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_metadata(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_set_admin_key(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_set_retries(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_reset(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_version(piv_card *card, const piv_apdu *apdu, cs_buf *out);
uint16_t piv_serial(piv_card *card, const piv_apdu *apdu, cs_buf *out);

/* -- keys.c */
piv_key *piv_key_find(piv_card *card, uint8_t reference);
bool piv_key_reference(uint8_t reference);
uint8_t piv_key_pin_policy(const piv_key *key);
/* Policies of a GENERATE or IMPORT template; false if they are none. */
bool piv_key_policies(cs_view template, piv_key *out);
/* Puts the key in the place of one of its reference, and saves. */
uint16_t piv_key_store(piv_card *card, const piv_key *key);
void piv_key_delay(const piv_card *card);

/* -- authenticate.c: 0 for what is no algorithm of a management key */
size_t piv_admin_key_size(uint8_t algorithm);
extern const uint8_t piv_default_admin_key[24];

/* -- objects.c */
/* What a new card has in it. */
CS_MUST_CHECK int piv_objects_new(piv_card *card, cs_error *error);
void piv_objects_clear(piv_state *state);

/* -- state.c */
void piv_state_defaults(piv_state *state);
/* Reads the file, or makes it for a new card. */
CS_MUST_CHECK int piv_state_open(piv_card *card, cs_error *error);
/* The whole of it, at once: what was there, or what is. SW_OK or SW_MEMORY. */
uint16_t piv_state_save(piv_card *card);

/* -- faults.c: has this command a fault of that kind? */
bool piv_fault_now(const piv_card *card, piv_fault_kind kind);
/* A command and its answer; false when the card has been pulled. */
bool piv_transact(piv_card *card, cs_view command, cs_buf *response);
void piv_log(piv_card *card, cs_view command, uint16_t status);

/* -- vpcd.c: until a SIGTERM; a SIGUSR1 pulls the card, a SIGUSR2 puts it in again. */
CS_MUST_CHECK int piv_serve(piv_card *card, cs_error *error);

#endif
