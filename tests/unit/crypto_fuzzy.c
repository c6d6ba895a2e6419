/* SPDX-License-Identifier: Apache-2.0 */
/* The code under the fuzzy extractor: against brute force, against arithmetic of our own, and with
 * more errors than it can mend. */
#include "noise.h"
#include "test.h"

#include <string.h>

#define BITS (8 * (size_t)CS_TEMPLATE_SIZE)

static unsigned parity_of(unsigned x)
{
    unsigned sum = 0;

    for (; x != 0; x >>= 1)
        sum ^= x & 1;
    return sum;
}

static unsigned ones(uint64_t x)
{
    unsigned n = 0;

    for (; x != 0; x &= x - 1)
        n++;
    return n;
}

static void test_hadamard_words(void **state)
{
    (void)state;
    for (unsigned s = 0; s < 128; s++) {
        uint64_t word = cs_hadamard_encode((uint8_t)s);

        for (unsigned x = 0; x < 64; x++)
            assert_int_equal((word >> (63 - x)) & 1, parity_of(s & 63 & x) ^ (s >> 6));
        assert_int_equal(cs_hadamard_decode(word), s);
        for (unsigned other = 0; other < s; other++)
            assert_true(ones(word ^ cs_hadamard_encode((uint8_t)other)) >= 32);
    }
}

/* An eighth of them. */
static uint64_t few_ones(noise *n)
{
    uint64_t bits = noise_next(n);

    bits &= noise_next(n);
    bits &= noise_next(n);
    return bits;
}

static void test_hadamard_nearest(void **state)
{
    noise n = noise_of_seed(11);

    (void)state;
    for (unsigned i = 0; i < 6000; i++) {
        uint64_t word = noise_next(&n);
        unsigned nearest = 0;

        if (i % 2 == 0) /* not far from a word: a random one is far from all */
            word = cs_hadamard_encode((uint8_t)(i % 128)) ^ few_ones(&n);
        for (unsigned s = 1; s < 128; s++) {
            if (ones(word ^ cs_hadamard_encode((uint8_t)s)) <
                ones(word ^ cs_hadamard_encode((uint8_t)nearest)))
                nearest = s;
        }
        assert_int_equal(cs_hadamard_decode(word), nearest);
    }
}

/* GF(2^7) by x^7 + x^3 + 1, the slow way. */
static unsigned times(unsigned a, unsigned b)
{
    unsigned product = 0;

    for (; b != 0; b >>= 1) {
        if ((b & 1) != 0)
            product ^= a;
        a <<= 1;
        if ((a & 0x80) != 0)
            a ^= 0x89;
    }
    return product;
}

static void random_word(noise *n, uint8_t symbols[CS_FUZZY_SYMBOLS])
{
    for (size_t i = 0; i < CS_FUZZY_DATA; i++)
        symbols[i] = (uint8_t)(noise_next(n) % 128);
    assert_ok(cs_rs_encode(symbols, error));
}

/* libfec's parameters say what we mean: a word is a polynomial with the roots α^1 to α^12. */
static void test_rs_generator(void **state)
{
    noise n = noise_of_seed(12);
    uint8_t symbols[CS_FUZZY_SYMBOLS];

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        unsigned root = 1;

        random_word(&n, symbols);
        for (unsigned r = 1; r <= CS_FUZZY_PARITY; r++) {
            unsigned value = 0;

            root = times(root, 2);
            for (size_t k = 0; k < CS_FUZZY_SYMBOLS; k++)
                value = times(value, root) ^ symbols[k];
            assert_int_equal(value, 0);
        }
    }
}

/* `wrong` symbols, all different from what they were. */
static void spoil(noise *n, uint8_t symbols[CS_FUZZY_SYMBOLS], unsigned wrong)
{
    unsigned left = wrong;

    for (unsigned i = 0; i < CS_FUZZY_SYMBOLS; i++) {
        if (noise_next(n) % (CS_FUZZY_SYMBOLS - i) < left) {
            symbols[i] = (uint8_t)(symbols[i] ^ (1 + noise_next(n) % 127));
            left--;
        }
    }
}

static void test_rs_limit(void **state)
{
    noise n = noise_of_seed(13);
    uint8_t word[CS_FUZZY_SYMBOLS];
    uint8_t received[CS_FUZZY_SYMBOLS];
    uint8_t symbols[CS_FUZZY_SYMBOLS];
    bool ok;

    (void)state;
    for (unsigned i = 0; i < 700; i++) {
        unsigned wrong = i % 14;

        random_word(&n, word);
        memcpy(received, word, sizeof word);
        spoil(&n, received, wrong);
        memcpy(symbols, received, sizeof word);
        assert_ok(cs_rs_decode(symbols, &ok, error));
        assert_int_equal(ok, wrong <= CS_FUZZY_CORRECTS);
        assert_memory_equal(symbols, ok ? word : received, sizeof word);
    }
}

/* In libfec's place (the linker's --wrap): its own answer, or a false success. */
int libfec_decode(void *coder, unsigned char *data, int *erasures, int n) __asm__(
    "__real_decode_rs_char");
int our_decode(void *coder, unsigned char *data, int *erasures, int n) __asm__(
    "__wrap_decode_rs_char");
static enum { HONEST, NO_WORD, FAR_WORD } libfec;

int our_decode(void *coder, unsigned char *data, int *erasures, int n)
{
    if (libfec == HONEST)
        return libfec_decode(coder, data, erasures, n);
    if (libfec == NO_WORD)
        data[3] ^= 1;
    else
        memset(data, 0, CS_FUZZY_SYMBOLS);
    return 1;
}

static void test_rs_not_trusted(void **state)
{
    noise n = noise_of_seed(14);
    uint8_t received[CS_FUZZY_SYMBOLS];
    uint8_t symbols[CS_FUZZY_SYMBOLS];
    bool ok = true;

    (void)state;
    random_word(&n, received);
    spoil(&n, received, 2);
    for (libfec = NO_WORD; libfec <= FAR_WORD; libfec++) {
        memcpy(symbols, received, sizeof symbols);
        assert_ok(cs_rs_decode(symbols, &ok, error));
        assert_false(ok);
        assert_memory_equal(symbols, received, sizeof symbols);
    }
    libfec = HONEST;
    assert_ok(cs_rs_decode(symbols, &ok, error));
    assert_true(ok);
}

static void flip(uint8_t *bytes, size_t i)
{
    bytes[i / 8] = (uint8_t)(bytes[i / 8] ^ (0x80u >> (i % 8)));
}

static void test_positions(void **state)
{
    uint8_t taken[CS_TEMPLATE_SIZE] = {0};

    (void)state;
    for (size_t word = 0; word < CS_FUZZY_SYMBOLS; word++) {
        uint64_t residues = 0;

        for (size_t x = 0; x < CS_FUZZY_WORD_BITS; x++) {
            size_t at = cs_fuzzy_position(word * CS_FUZZY_WORD_BITS + x);

            assert_true(at < BITS);
            flip(taken, at);
            residues |= UINT64_C(1) << (at % 64);
        }
        assert_true(residues == UINT64_MAX);
    }
    for (size_t i = 0; i < sizeof taken; i++)
        assert_int_equal(taken[i], 0xff);
}

typedef struct commitment {
    uint8_t template_bits[CS_TEMPLATE_SIZE];
    uint8_t offset[CS_TEMPLATE_SIZE];
    uint8_t secret[CS_FUZZY_SECRET_SIZE];
} commitment;

static void commit(commitment *c, noise *n)
{
    noise_template(n, c->template_bits);
    for (size_t i = 0; i < sizeof c->secret; i++)
        c->secret[i] = (uint8_t)(noise_next(n) >> 56);
    c->secret[sizeof c->secret - 1] &= 0xf0;
    assert_ok(cs_fuzzy_commit(c->offset, c->template_bits, c->secret, error));
}

/* True when the secret comes back. A wrong secret that passes for right is counted. */
static bool opens(const commitment *c, const uint8_t *reading, unsigned *miscorrected)
{
    uint8_t opened[CS_FUZZY_SECRET_SIZE];
    bool ok = false;
    bool same;

    assert_ok(cs_fuzzy_open(opened, &ok, reading, c->offset, error));
    same = memcmp(opened, c->secret, sizeof opened) == 0;
    *miscorrected += ok && !same;
    return ok && same;
}

/* What is promised, at its edge: 6 words with all bits wrong, and 15 in each of the others. */
static void test_promised_limit(void **state)
{
    noise n = noise_of_seed(15);
    commitment c;
    unsigned miscorrected = 0;

    (void)state;
    commit(&c, &n);
    for (size_t words = 6; words <= 7; words++) {
        uint8_t reading[CS_TEMPLATE_SIZE];

        memcpy(reading, c.template_bits, sizeof reading);
        for (size_t i = 0; i < BITS; i++) {
            if (i / CS_FUZZY_WORD_BITS < words || i % CS_FUZZY_WORD_BITS < 15)
                flip(reading, cs_fuzzy_position(i));
        }
        assert_int_equal(opens(&c, reading, &miscorrected), words == 6);
    }
    assert_int_equal(miscorrected, 0);
}

/* 7 symbols moved to those of a word that differs in 13: the decoder goes to that one. Its secret
 * is wrong and looks right, which only a tag can tell. */
static void test_miscorrection(void **state)
{
    noise n = noise_of_seed(16);
    commitment c;
    uint8_t reading[CS_TEMPLATE_SIZE];
    uint8_t light[CS_FUZZY_SYMBOLS] = {1}; /* one symbol of data and twelve of parity */
    unsigned miscorrected = 0;

    (void)state;
    commit(&c, &n);
    memcpy(reading, c.template_bits, sizeof reading);
    assert_ok(cs_rs_encode(light, error));
    for (size_t i = 0; i < 7; i++) {
        size_t word = i == 0 ? 0 : CS_FUZZY_DATA + i - 1;

        assert_int_not_equal(light[word], 0);
        for (size_t x = 0; x < CS_FUZZY_WORD_BITS; x++) {
            if (((cs_hadamard_encode(light[word]) >> (63 - x)) & 1) != 0)
                flip(reading, cs_fuzzy_position(word * CS_FUZZY_WORD_BITS + x));
        }
    }
    assert_false(opens(&c, reading, &miscorrected));
    assert_int_equal(miscorrected, 1);
}

typedef void (*noise_fn)(noise *, uint8_t *, const uint8_t *, double);

static unsigned accepted(noise_fn make, double level, unsigned readings, uint64_t seed)
{
    noise n = noise_of_seed(seed);
    unsigned miscorrected = 0;
    unsigned right = 0;

    for (unsigned i = 0; i < readings; i++) {
        commitment c;
        uint8_t reading[CS_TEMPLATE_SIZE];

        commit(&c, &n);
        make(&n, reading, c.template_bits, level);
        right += opens(&c, reading, &miscorrected);
    }
    assert_int_equal(miscorrected, 0);
    return right;
}

/* The measurement of docs/biometric.md in small; the bounds are wide enough for the luck of other
 * seeds, and narrow enough for a code that mends a little less or more to fall out of them. */
static void test_rates(void **state)
{
    (void)state;
    assert_int_equal(accepted(noise_independent, 0.10, 500, 21), 500);
    assert_int_equal(accepted(noise_independent, 0.20, 1000, 22), 1000);
    assert_in_range(accepted(noise_independent, 0.28, 1000, 23), 720, 880);
    assert_in_range(accepted(noise_independent, 0.30, 1000, 24), 220, 400);
    assert_int_equal(accepted(noise_independent, 0.40, 1000, 25), 0);
    assert_int_equal(accepted(noise_independent, 0.50, 1000, 26), 0);
    assert_int_equal(accepted(noise_bursts, 0.10, 500, 27), 500);
    assert_in_range(accepted(noise_bursts, 0.20, 1000, 28), 970, 1000);
}

static void test_secret_bits(void **state)
{
    noise n = noise_of_seed(17);
    commitment c;

    (void)state;
    commit(&c, &n);
    for (size_t i = 0; i < 8 * (size_t)CS_FUZZY_SECRET_SIZE; i++) {
        uint8_t offset[CS_TEMPLATE_SIZE];
        uint8_t secret[CS_FUZZY_SECRET_SIZE];
        unsigned differing = 0;

        memcpy(secret, c.secret, sizeof secret);
        flip(secret, i);
        assert_ok(cs_fuzzy_commit(offset, c.template_bits, secret, error));
        for (size_t k = 0; k < sizeof offset; k++)
            differing += ones((uint64_t)(offset[k] ^ c.offset[k]));
        if (i < 140) /* 13 symbols at least, each in 32 bits at least */
            assert_true(differing >= 13 * 32);
        else
            assert_int_equal(differing, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hadamard_words),
        cmocka_unit_test(test_hadamard_nearest),
        cmocka_unit_test(test_rs_generator),
        cmocka_unit_test(test_rs_limit),
        cmocka_unit_test(test_rs_not_trusted),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_promised_limit),
        cmocka_unit_test(test_miscorrection),
        cmocka_unit_test(test_secret_bits),
        cmocka_unit_test(test_rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
