/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TOKEN_SHARE_H
#define CHARTSEAL_TOKEN_SHARE_H

/*
 * A PIN that nobody knows: random bytes, whose hex digits are the PIN, split among operators. Any
 * `needed` of `count` shares give the PIN; fewer say nothing of it (crypto/shamir.h).
 *
 * What is shared is PIN bytes ‖ R (16 random bytes) ‖ HMAC(R, "chartseal/1 share" ‖ kind ‖ id ‖ PIN
 * bytes)[0:8]: shares that do not belong together, or of which one was altered, are found out
 * before a token sees the PIN that they would give. R also hides: the hash of a share may be
 * published (a transcript does), and who has needed - 1 shares and guesses the PIN cannot check the
 * guess against it, having R to guess too.
 *
 * A wrapping key (token.h) is shared in the same way: its 32 bytes take the place of the PIN's, and
 * what comes of the shares is its 64 hex digits.
 *
 * As bytes, a share is
 *
 *   version (1), kind, needed, count, number: a byte each
 *   id of the ceremony: 8 bytes
 *   what Shamir gives: PIN bytes + 24
 *   checksum: the first 4 bytes of SHA-256 over all before, for who copies it from paper
 *
 * and on paper or in a file the hex digits of that, in groups of four; lines with # are for people
 * and do not count.
 */

#include "token/pin.h"

#define CS_SHARES_MAX 16         /* operators of a ceremony: a room full of people */
#define CS_SHARE_ID_SIZE 8       /* of a ceremony, random */
#define CS_SHARE_PIN_BYTES_MIN 4 /* 8 hex digits, where a token's PIN is that short */
#define CS_SHARE_PIN_BYTES_MAX 32
#define CS_SHARE_DATA_MAX (CS_SHARE_PIN_BYTES_MAX + 24)
#define CS_SHARE_FILE_MAX 1024 /* some 180 characters and a comment */

typedef enum cs_share_kind {
    CS_SHARE_USER_PIN = 1,
    CS_SHARE_SO_PIN,
    CS_SHARE_WRAPPING_KEY,
    CS_SHARE_KIND_LAST = CS_SHARE_WRAPPING_KEY,
} cs_share_kind;
/* "user-pin", "so-pin", "wrapping-key". */
const char *cs_share_kind_name(cs_share_kind kind);

/* In guarded memory, as are arrays of them. */
typedef struct cs_share {
    cs_share_kind kind;
    unsigned needed, count, number; /* number: 1 to count */
    uint8_t id[CS_SHARE_ID_SIZE];
    uint8_t data[CS_SHARE_DATA_MAX];
    size_t size;
} cs_share;

/* A new PIN of pin_bytes random bytes, as `count` shares into out, of which `needed` (2 to count)
 * give it. That they do is tried before this returns. The PIN itself is not given out. CS_E_USAGE.
 */
CS_MUST_CHECK int cs_share_make(cs_share *out, cs_share_kind kind,
    const uint8_t id[CS_SHARE_ID_SIZE], size_t pin_bytes, unsigned needed, unsigned count,
    cs_error *error);

/* The PIN of the shares: at least as many as are needed, in any order, of one kind and ceremony.
 * More than that are all checked. *out: cs_pin_free. CS_E_PIN_MISSING: too few; CS_E_PIN_WRONG:
 * they do not belong together, or one is not what was given out; CS_E_USAGE: one given twice. */
CS_MUST_CHECK int cs_share_combine(cs_pin *out, const cs_share *shares, size_t n, cs_error *error);

/* The groups of hex digits, a line feed at the end, appended to out, which is guarded. */
CS_MUST_CHECK int cs_share_print(cs_buf *out, const cs_share *share, cs_error *error);
/* Of a file, or of what was typed. CS_E_MALFORMED: a digit is wrong, or it is no share. */
CS_MUST_CHECK int cs_share_parse(cs_share *out, cs_view text, cs_error *error);
/* SHA-256 of the bytes, to know it again by. */
CS_MUST_CHECK int cs_share_hash(uint8_t out[32], const cs_share *share, cs_error *error);

#endif
