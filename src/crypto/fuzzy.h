/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_FUZZY_H
#define CRYPTO_FUZZY_H

/*
 * The error-correcting code under biometric.h: 140 secret bits to 2048 and back, with many of the
 * 2048 wrong.
 *
 *   140 bits = 20 symbols of 7 bits
 *     → Reed-Solomon (32, 20) over GF(2^7): 32 symbols, any 6 of which may come back wrong
 *     → each symbol a word of 64 bits of the biorthogonal (Hadamard) code of order 6, any two of
 *       which differ in at least 32 bits: 15 wrong bits are always mended, more usually
 *     → the bits spread over the template (cs_fuzzy_position)
 *
 * Decoding goes the other way: the nearest of the 128 words for every 64 bits, then Reed-Solomon
 * over what those got wrong. The Hadamard half takes the bits that differ between any two readings
 * of one eye, the Reed-Solomon half the words that had too many of these.
 *
 * A decoder finds a word of the code near to its input, not the word that was meant: past its limit
 * it may find another. And libfec is not asked to be right: shortened codes like ours, where it
 * could "mend" a symbol of the padding that does not exist, are little used. Hence cs_rs_decode
 * encodes anew, compares, and counts what was changed; and the caller has still to check the secret
 * by a tag, because of the other words.
 *
 * Hadamard decoding takes the same steps whatever the bits are. libfec's tables are read at places
 * that depend on the secret: who can measure the cache of this machine during a decoding is not
 * kept out.
 *
 * Numbering: bit 0 is the most significant of byte 0, in templates and in words.
 */

#include <chartseal/biometric.h>

#define CS_FUZZY_SYMBOL_BITS 7 /* a word of 64 bits says one of 128 */
#define CS_FUZZY_SYMBOLS 32    /* 2048 / 64 */
#define CS_FUZZY_DATA 20
#define CS_FUZZY_PARITY 12
#define CS_FUZZY_CORRECTS 6 /* half of the parity */
#define CS_FUZZY_WORD_BITS 64
#define CS_FUZZY_SECRET_SIZE 18 /* 140 bits and 4 of zero */

/* One symbol (below 128) as a word; the nearest symbol to a word, the smallest of equally near. */
uint64_t cs_hadamard_encode(uint8_t symbol);
uint8_t cs_hadamard_decode(uint64_t word);

/* Symbols below 128. Encoding sets the last 12 from the first 20. Decoding mends in place; when
 * there is no word of the code within 6 symbols, *ok is false and the symbols stay as they were.
 * Both return CS_E_MEMORY only. */
CS_MUST_CHECK int cs_rs_encode(uint8_t symbols[CS_FUZZY_SYMBOLS], cs_error *error);
CS_MUST_CHECK int cs_rs_decode(uint8_t symbols[CS_FUZZY_SYMBOLS], bool *ok, cs_error *error);

/* Where bit i of the code lies in the template: 65 i mod 2048. 65 is odd, so every place is taken
 * once. It is 64 + 1, so the 64 bits of one word fall on every residue modulo 64 once: neither a
 * run of bad bits (an eyelid) nor a pattern with a period of a power of two (rings and wavelet
 * pairs of an iris code) hits one word more than the others. It is the same for every helper: a
 * permutation of each helper's own would let two helpers of one eye be solved for the eye (Tams
 * 2014, arXiv:1406.1154). */
size_t cs_fuzzy_position(size_t i);

/* offset = template XOR the code word of the secret. Bits past the 140th of secret are ignored. */
CS_MUST_CHECK int cs_fuzzy_commit(uint8_t offset[CS_TEMPLATE_SIZE],
    const uint8_t template_bits[CS_TEMPLATE_SIZE], const uint8_t secret[CS_FUZZY_SECRET_SIZE],
    cs_error *error);
/* The secret again, from a reading. When *ok is false the secret is what came out nevertheless, so
 * that a caller can go on alike and refuse at the end. It is not proven when *ok is true. */
CS_MUST_CHECK int cs_fuzzy_open(uint8_t secret[CS_FUZZY_SECRET_SIZE], bool *ok,
    const uint8_t reading[CS_TEMPLATE_SIZE], const uint8_t offset[CS_TEMPLATE_SIZE],
    cs_error *error);

#endif
