/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_BIOMETRIC_H
#define CHARTSEAL_BIOMETRIC_H

/*
 * The biometric password BP, and the values that come from it: H(BP), B' and the authorisation
 * value of the patient's keys. BP is an eye or a passphrase; it never leaves the device.
 *
 * THE PROBLEM. Two scans of one eye are never equal: of the 2048 bits of an iris code some tenth
 * differ from scan to scan, and half differ between two eyes. A hash of the bits is of no use,
 * then; what is needed is a value that is the same for every scan of this eye and for no other,
 * without the eye itself being kept anywhere.
 *
 * THE CODE-OFFSET FUZZY EXTRACTOR. At enrolment a secret K of 140 bits is drawn, encoded with an
 * error-correcting code into 2048 bits, and XORed with the template:
 *
 *   offset = template XOR code(K)
 *
 * Later, reading XOR offset = code(K) XOR (reading XOR template): the code word with as many wrong
 * bits as the scans differ in. The decoder finds K if these are few enough. K is random and has
 * nothing to do with the eye, so a new enrolment gives a new one. The code is that of Hao, Anderson
 * and Daugman (IEEE Transactions on Computers 55(9), 2006): 32 Hadamard words of 64 bits, with
 * Reed-Solomon (32, 20) over them; crypto/fuzzy.h has the details, docs/biometric.md what it was
 * measured to do. In short: with a fifth of the bits wrong it gives K back nearly always, with 35 %
 * or more practically never.
 *
 *   H(BP) = scrypt(K)            for an eye
 *   H(BP) = scrypt(passphrase)   for a passphrase
 *   B'    = HMAC(salt, H(BP))    to PC, with a new salt for each registration
 *   auth  = HKDF(H(BP), "chartseal/1 auth")
 *
 * FALSE REJECT AND FALSE ACCEPT. A scan that is too different is refused (scan again). A scan of
 * somebody else is accepted if it happens to be near enough. The second is rare because eyes differ
 * in half of their bits with little spread, not because K is long.
 *
 * ENTROPY. K has 140 bits, but to find it one need only find a template near enough. The bits of an
 * iris code depend on each other: Daugman found the variety of 249 independent ones in 2048. From
 * this Hao, Anderson and Daugman estimate the work at 2^44, for somebody who has the offset and a
 * code that mends 27 % of the bits and no more. A code does not end so sharply, and
 * docs/biometric.md comes to 2^30 for ours. A try that decodes costs an scrypt as well; one that
 * does not costs none. This is far from a key of 128 bits: hence the offset is sealed. A passphrase
 * has what its owner gave it.
 *
 * WHAT HELPER DATA LEAKS. The bare offset determines 1908 of the 2048 bits of the template in terms
 * of the other 140; with K it gives the template, and two offsets of one eye can be told to be of
 * one eye. So the offset is kept under a key of the device, and what is stored ("helper data")
 * shows nothing to those who have not got this key.
 *
 * BOUND TO THE DEVICE, twice over. The device key (32 bytes, the caller's: best from a token's prf)
 * opens the helper data, by AES-256-GCM: altered helper data, or another device's, is refused
 * before any reading comes near it. Inside is a tag under a key that comes from H(BP), over all of
 * the helper data: those who do have the device key cannot alter it either, or learn a template bit
 * by bit from what is still accepted. The same tag says whether K is right; the decoder's own word
 * is not taken for it. The salt of scrypt goes through the device key as well, so B' and a stolen
 * disk are not enough to guess a passphrase with.
 *
 * A reading that does not decode takes the same way as one that decodes wrongly, scrypt included,
 * so the time does not say which it was. There is no counter of tries here: for who has the device
 * key this is a test to be run at will. The counter is the token's, over the authorisation value.
 *
 * THE BYTES of helper data, version 1; no length is free, so there is one encoding for each
 * content:
 *
 *   "chartseal helper" ‖ 1 ‖ kind ‖ salt (32) ‖ AES-256-GCM(offset (256; template only) ‖ tag (32))
 *
 *   order of derivation, all HKDF-SHA-256:
 *     seal key (32) ‖ scrypt salt (32) = HKDF(salt, device key, "chartseal/1 helper")
 *     tag = HMAC(HKDF("", H(BP), "chartseal/1 helper tag"), all before the sealed part ‖ offset)
 *   The nonce is zero: salt, and so the key, is new for every helper. The associated data is all
 *   before the sealed part.
 */

#include <chartseal/crypto.h>

#define CS_TEMPLATE_SIZE 256         /* an iris code: 2048 bits */
#define CS_BIOMETRIC_SALT_SIZE 32    /* of scrypt, of helper data, of B' */
#define CS_DEVICE_KEY_SIZE 32        /* of the device, for its helper data */
#define CS_AUTHORISATION_SIZE 32     /* the most a TPM takes with SHA-256 */
#define CS_PASSPHRASE_MAX 4096       /* bytes; more is a wrong file */
#define CS_HELPER_PASSPHRASE_SIZE 98 /* 16 + 1 + 1 + 32, then 32 + 16 */
#define CS_HELPER_TEMPLATE_SIZE 354  /* as above, and 256 */
#define CS_HELPER_MAX CS_HELPER_TEMPLATE_SIZE
/* A template has about as many ones as zeros. One with less than a quarter of either is a sensor's
 * failure (dark, covered), and would give its K away: it is not enrolled. */
#define CS_TEMPLATE_ONES_LEAST 512
#define CS_TEMPLATE_ONES_MOST (8 * CS_TEMPLATE_SIZE - CS_TEMPLATE_ONES_LEAST)

typedef enum cs_biometric_kind {
    CS_BIOMETRIC_TEMPLATE = 1,
    CS_BIOMETRIC_PASSPHRASE = 2,
} cs_biometric_kind;

/* BP, as it is read: bytes in guarded memory of the caller's. A template has CS_TEMPLATE_SIZE
 * bytes, a passphrase 1 to CS_PASSPHRASE_MAX; anything else is CS_E_MALFORMED. */
typedef struct cs_biometric {
    cs_biometric_kind kind;
    cs_view bytes;
} cs_biometric;

/* Appends helper data to `helper` and gives H(BP), which the caller keeps in guarded memory
 * (secret.h). Two enrolments of the same BP give two different H(BP). Takes as long as cs_scrypt.
 * CS_E_MALFORMED for what is no template or passphrase, CS_E_MEMORY. */
CS_MUST_CHECK int cs_biometric_enrol(cs_buf *helper, uint8_t h_bp[CS_HASH_SIZE],
    const cs_biometric *bp, const uint8_t device_key[CS_DEVICE_KEY_SIZE], cs_error *error);

/* H(BP) again, from a new reading and the helper data. If it fails h_bp is zeroed.
 *   CS_E_BIOMETRIC  another eye or passphrase, or a bad scan: scan again
 *   CS_E_CORRUPT    the helper data was altered, or is of another device
 *   CS_E_USAGE      a passphrase where a template was enrolled, or the other way round
 *   CS_E_MALFORMED, CS_E_VERSION  no helper data; no template */
CS_MUST_CHECK int cs_biometric_recover(uint8_t h_bp[CS_HASH_SIZE], const cs_biometric *bp,
    cs_view helper, const uint8_t device_key[CS_DEVICE_KEY_SIZE], cs_error *error);

/* H(BP) = scrypt(secret, salt): the one place where it is computed. secret is not empty, salt has
 * CS_BIOMETRIC_SALT_SIZE bytes; else CS_E_USAGE. */
CS_MUST_CHECK int cs_biometric_hash(
    uint8_t h_bp[CS_HASH_SIZE], cs_view secret, cs_view salt, cs_error *error);

/* B' = HMAC-SHA-256(salt, H(BP)). salt: CS_BIOMETRIC_SALT_SIZE bytes, else CS_E_USAGE. */
CS_MUST_CHECK int cs_biometric_bind(
    uint8_t b[CS_HASH_SIZE], const uint8_t h_bp[CS_HASH_SIZE], cs_view salt, cs_error *error);

/* What the token asks for before it uses the patient's keys. B' says nothing about it. Its last
 * byte is never zero (the lowest bit is set): a TPM drops zeros at the end of an authorisation
 * value, and nobody should have to. */
CS_MUST_CHECK int cs_biometric_authorisation(uint8_t authorisation[CS_AUTHORISATION_SIZE],
    const uint8_t h_bp[CS_HASH_SIZE], cs_error *error);

#endif
