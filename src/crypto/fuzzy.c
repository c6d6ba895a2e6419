/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/fuzzy.h"

#include <chartseal/secret.h>

#include <fec.h>
#include <sodium.h>
#include <string.h>

/* The generator of the Reed-Solomon code: GF(2^7) by x^7 + x^3 + 1, roots α^1 to α^12. */
#define RS_FIELD 0x89
#define RS_FIRST_ROOT 1
#define RS_PRIMITIVE 1
#define RS_PAD (127 - CS_FUZZY_SYMBOLS) /* the code has 127 symbols; the first 95 are zero */

/* What libfec's decoder leaves on the stack: a dozen arrays of 13 to 32 bytes, and frames. */
#define STACK_TO_CLEAR 4096

#define STRIDE (CS_FUZZY_WORD_BITS + 1)
#define BITS (8 * (size_t)CS_TEMPLATE_SIZE)

/* Each word is a linear function of its six lower symbol bits, or the opposite of one. */
uint64_t cs_hadamard_encode(uint8_t symbol)
{
    /* bit x of the word is bit k of x, for the k-th of these */
    static const uint64_t base[6] = {0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f,
        0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff};
    uint64_t word = UINT64_C(0) - ((symbol >> 6) & 1);

    for (unsigned k = 0; k < 6; k++)
        word ^= base[k] & (UINT64_C(0) - ((symbol >> k) & 1));
    return word;
}

/* All 64 correlations at once: the fast Walsh-Hadamard transform, in place. */
static void transform(int16_t v[CS_FUZZY_WORD_BITS])
{
    for (size_t half = 1; half < CS_FUZZY_WORD_BITS; half *= 2) {
        for (size_t i = 0; i < CS_FUZZY_WORD_BITS; i++) {
            int16_t a;
            int16_t b;

            if ((i & half) != 0)
                continue;
            a = v[i];
            b = v[i + half];
            v[i] = (int16_t)(a + b);
            v[i + half] = (int16_t)(a - b);
        }
    }
}

/* The symbol of the largest correlation, or of the most negative one with bit 6 set. Chosen by
 * masks, not by branches. */
uint8_t cs_hadamard_decode(uint64_t word)
{
    int16_t v[CS_FUZZY_WORD_BITS];
    int32_t best = INT32_MIN;
    int32_t symbol = 0;

    for (size_t x = 0; x < CS_FUZZY_WORD_BITS; x++)
        v[x] = (int16_t)(1 - 2 * (int)((word >> (63 - x)) & 1));
    transform(v);
    for (int32_t candidate = 0; candidate < 128; candidate++) {
        int32_t sign = 1 - 2 * (candidate >> 6);
        int32_t value = sign * v[candidate & 63];
        int32_t take = -(int32_t)(value > best);

        best = (value & take) | (best & ~take);
        symbol = (candidate & take) | (symbol & ~take);
    }
    cs_wipe(v, sizeof v);
    return (uint8_t)symbol;
}

static int new_coder(void **out, cs_error *error)
{
    *out = init_rs_char(
        CS_FUZZY_SYMBOL_BITS, RS_FIELD, RS_FIRST_ROOT, RS_PRIMITIVE, CS_FUZZY_PARITY, RS_PAD);
    if (*out == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a Reed-Solomon coder; free some");
    return CS_OK;
}

int cs_rs_encode(uint8_t symbols[CS_FUZZY_SYMBOLS], cs_error *error)
{
    void *coder;
    int rc = new_coder(&coder, error);

    if (rc != CS_OK)
        return rc;
    encode_rs_char(coder, symbols, symbols + CS_FUZZY_DATA);
    free_rs_char(coder);
    sodium_stackzero(STACK_TO_CLEAR);
    return CS_OK;
}

/* Is `mended` a word of the code, within reach of `received`? Asked of the encoder. */
static bool is_word_near(void *coder, uint8_t mended[CS_FUZZY_SYMBOLS],
    const uint8_t received[CS_FUZZY_SYMBOLS], uint8_t parity[CS_FUZZY_PARITY])
{
    unsigned changed = 0;

    encode_rs_char(coder, mended, parity);
    for (size_t i = 0; i < CS_FUZZY_SYMBOLS; i++)
        changed += mended[i] != received[i];
    return sodium_memcmp(parity, mended + CS_FUZZY_DATA, CS_FUZZY_PARITY) == 0 &&
           changed <= CS_FUZZY_CORRECTS;
}

int cs_rs_decode(uint8_t symbols[CS_FUZZY_SYMBOLS], bool *ok, cs_error *error)
{
    struct {
        uint8_t received[CS_FUZZY_SYMBOLS];
        uint8_t parity[CS_FUZZY_PARITY];
    } *work = cs_secret_new(sizeof *work);
    void *coder = NULL;
    int rc = CS_OK;

    *ok = false;
    if (work == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory to decode in; free some");
    if (rc == CS_OK)
        rc = new_coder(&coder, error);
    if (rc == CS_OK) {
        memcpy(work->received, symbols, CS_FUZZY_SYMBOLS);
        *ok = decode_rs_char(coder, symbols, NULL, 0) >= 0 &&
              is_word_near(coder, symbols, work->received, work->parity);
        if (!*ok)
            memcpy(symbols, work->received, CS_FUZZY_SYMBOLS);
        free_rs_char(coder);
        sodium_stackzero(STACK_TO_CLEAR);
    }
    cs_secret_free(&work);
    return rc;
}

size_t cs_fuzzy_position(size_t i)
{
    return i * STRIDE % BITS;
}

static unsigned bit_of(const uint8_t *bytes, size_t i)
{
    return ((unsigned)bytes[i / 8] >> (7 - i % 8)) & 1u;
}

static void xor_bit(uint8_t *bytes, size_t i, unsigned bit)
{
    bytes[i / 8] = (uint8_t)(bytes[i / 8] ^ (bit << (7 - i % 8)));
}

/* 140 bits to 20 symbols, most significant first, and back. */
static void symbols_of_secret(uint8_t symbols[CS_FUZZY_DATA], const uint8_t *secret)
{
    memset(symbols, 0, CS_FUZZY_DATA);
    for (size_t i = 0; i < (size_t)CS_FUZZY_DATA * CS_FUZZY_SYMBOL_BITS; i++)
        symbols[i / CS_FUZZY_SYMBOL_BITS] =
            (uint8_t)(2 * symbols[i / CS_FUZZY_SYMBOL_BITS] + bit_of(secret, i));
}

static void secret_of_symbols(uint8_t *secret, const uint8_t symbols[CS_FUZZY_DATA])
{
    memset(secret, 0, CS_FUZZY_SECRET_SIZE);
    for (size_t i = 0; i < (size_t)CS_FUZZY_DATA * CS_FUZZY_SYMBOL_BITS; i++)
        xor_bit(secret, i,
            ((unsigned)symbols[i / CS_FUZZY_SYMBOL_BITS] >>
                (CS_FUZZY_SYMBOL_BITS - 1 - i % CS_FUZZY_SYMBOL_BITS)) &
                1u);
}

int cs_fuzzy_commit(uint8_t offset[CS_TEMPLATE_SIZE], const uint8_t template_bits[CS_TEMPLATE_SIZE],
    const uint8_t secret[CS_FUZZY_SECRET_SIZE], cs_error *error)
{
    uint8_t *symbols = cs_secret_new(CS_FUZZY_SYMBOLS);
    int rc = CS_OK;

    if (symbols == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory to encode in; free some");
    symbols_of_secret(symbols, secret);
    rc = cs_rs_encode(symbols, error);
    if (rc == CS_OK)
        memcpy(offset, template_bits, CS_TEMPLATE_SIZE);
    for (size_t i = 0; rc == CS_OK && i < CS_FUZZY_SYMBOLS; i++) {
        uint64_t word = cs_hadamard_encode(symbols[i]);

        for (size_t x = 0; x < CS_FUZZY_WORD_BITS; x++)
            xor_bit(offset, cs_fuzzy_position(i * CS_FUZZY_WORD_BITS + x),
                (unsigned)(word >> (63 - x)) & 1u);
    }
    cs_secret_free(&symbols);
    return rc;
}

int cs_fuzzy_open(uint8_t secret[CS_FUZZY_SECRET_SIZE], bool *ok,
    const uint8_t reading[CS_TEMPLATE_SIZE], const uint8_t offset[CS_TEMPLATE_SIZE],
    cs_error *error)
{
    uint8_t *symbols = cs_secret_new(CS_FUZZY_SYMBOLS);
    int rc;

    *ok = false;
    if (symbols == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory to decode in; free some");
    for (size_t i = 0; i < CS_FUZZY_SYMBOLS; i++) {
        uint64_t word = 0;

        for (size_t x = 0; x < CS_FUZZY_WORD_BITS; x++) {
            size_t at = cs_fuzzy_position(i * CS_FUZZY_WORD_BITS + x);

            word = 2 * word + (bit_of(reading, at) ^ bit_of(offset, at));
        }
        symbols[i] = cs_hadamard_decode(word);
    }
    rc = cs_rs_decode(symbols, ok, error);
    if (rc == CS_OK)
        secret_of_symbols(secret, symbols);
    cs_secret_free(&symbols);
    return rc;
}
