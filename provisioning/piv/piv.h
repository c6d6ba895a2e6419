/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_PIV_PIV_H
#define CHARTSEAL_PIV_PIV_H

/*
 * PIV cards (NIST SP 800-73-4) as a desk sees that makes them: over PC/SC, below PKCS#11, which has
 * no way to set a management key or to write a certificate. A doctor uses the card as a token, by
 * its PKCS#11 module (token.h); nothing here signs or decrypts.
 *
 * The standard leaves much unsaid that a desk has to know: whether PIN, PUK and management key are
 * still the factory's, whether a slot has a key and where that was made. Cards with Yubico's
 * extensions tell; of others it is unknown, and said to be.
 *
 * All that a card answers is hostile input. A card is used by one thread.
 */

#include <chartseal/bytes.h>
#include <chartseal/certificate.h>

#define CS_PIV_READER_MAX 128
#define CS_PIV_GUID_SIZE 16
#define CS_PIV_SLOTS 24 /* 9A, 9C, 9D, 9E and twenty retired ones */

typedef struct cs_piv cs_piv;

typedef enum cs_piv_answer { CS_PIV_UNKNOWN = 0, CS_PIV_NO, CS_PIV_YES } cs_piv_answer;
const char *cs_piv_answer_name(cs_piv_answer answer); /* "unknown", "no", "yes" */

/* The names of the readers, at most `most` of them. CS_E_TOKEN_ABSENT: there is none. */
CS_MUST_CHECK int cs_piv_readers(
    char (*names)[CS_PIV_READER_MAX], size_t most, size_t *count, cs_error *error);

/* The card in that reader (its whole name), or, with NULL, the only PIV card there is.
 * CS_E_TOKEN_ABSENT: no reader of that name, no card, or no PIV card in it; CS_E_USAGE: several
 * cards and no reader named. */
CS_MUST_CHECK int cs_piv_open(cs_piv **out, const char *reader, cs_error *error);
/* The card is reset, so that nothing stays verified. */
void cs_piv_close(cs_piv **card);

/* Of a management key, as cards number them (SP 800-78-4). */
enum { CS_PIV_3DES = 0x03, CS_PIV_AES128 = 0x08, CS_PIV_AES192 = 0x0a, CS_PIV_AES256 = 0x0c };
const char *cs_piv_algorithm_name(uint8_t algorithm); /* "AES-192"; "unknown" */

typedef struct cs_piv_info {
    char reader[CS_PIV_READER_MAX];
    char version[12]; /* of the applet, where it has Yubico's extensions; else empty */
    bool has_serial;
    uint32_t serial;
    bool has_guid;
    uint8_t guid[CS_PIV_GUID_SIZE]; /* of the CHUID; OpenSC's serial number is its second half */
    int pin_tries, puk_tries;       /* left; -1: not told */
    cs_piv_answer pin_is_default, puk_is_default, admin_is_default;
    uint8_t admin_algorithm; /* 0: not told */
} cs_piv_info;
CS_MUST_CHECK int cs_piv_describe(cs_piv *card, cs_piv_info *out, cs_error *error);

typedef struct cs_piv_slot {
    uint8_t reference; /* 0x9a, … */
    cs_piv_answer has_key;
    cs_piv_answer generated; /* on the card; CS_PIV_NO: imported */
    bool has_puk;            /* the card tells the key, and it is of P-256 */
    uint8_t puk[CS_PUK_SIZE];
    uint8_t pin_policy,
        touch_policy; /* Yubico's: 1 never, 2 once, 3 always; 1 never; 0: not told */
    bool has_certificate;
    bool certificate_read;             /* it is one that we can read; else the rest is empty */
    char name[CS_HOLDER_TEXT_MAX + 1]; /* the common name, if it has one clean one */
    char id[CS_HOLDER_TEXT_MAX + 1];   /* the identity, likewise */
    bool is_container;                 /* it says that it was made for an S_D that was loaded */
    char not_after[11];                /* YYYY-MM-DD */
    uint8_t fingerprint[CS_HASH_SIZE]; /* SHA-256 of the certificate */
    bool certificate_agrees;           /* its key usage has keyAgreement */
    cs_piv_answer matches;             /* is the certificate that of the key? */
} cs_piv_slot;
/* Every slot that has a key or a certificate, in the order 9A, 9C, 9D, 9E, 82 to 95. */
CS_MUST_CHECK int cs_piv_slots(
    cs_piv *card, cs_piv_slot out[CS_PIV_SLOTS], size_t *count, cs_error *error);

#endif
