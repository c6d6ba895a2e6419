/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often the fuzzy extractor refuses a scan of the right eye, and accepts one of another.
 *
 *   biometric_rates [READINGS [SEED [KIND]]]    defaults: 100000 readings a row, seed 1, all kinds
 *
 * Prints one row for each kind and level of noise: kind, level in per cent, readings, how many gave
 * the secret back, how many were decoded to something else (which the tag then refuses), and the
 * share of bits that differed. ".../ord" is what would be without the spreading of the code over
 * the template. Each reading is of a fresh template with a fresh secret. Measured is cs_fuzzy_open,
 * which decides; scrypt and the tag come after it and are left out, or 100000 readings would take a
 * day. docs/biometric.md keeps what this printed, biometric_plot.py draws it.
 */
#include "noise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind {
    INDEPENDENT,
    BURSTS,
    RUN,
    IMPOSTOR,
    EYE,
    BURSTS_IN_ORDER,
    RUN_IN_ORDER,
    COINS
} kind;

typedef struct row {
    const char *name;
    kind kind;
    double level; /* per cent: of bits that differ; for RUN, of the template that is covered */
} row;

static const row rows[] = {
    {"independent", INDEPENDENT, 5},
    {"independent", INDEPENDENT, 10},
    {"independent", INDEPENDENT, 15},
    {"independent", INDEPENDENT, 20},
    {"independent", INDEPENDENT, 22},
    {"independent", INDEPENDENT, 24},
    {"independent", INDEPENDENT, 25},
    {"independent", INDEPENDENT, 26},
    {"independent", INDEPENDENT, 27},
    {"independent", INDEPENDENT, 28},
    {"independent", INDEPENDENT, 30},
    {"independent", INDEPENDENT, 32},
    {"independent", INDEPENDENT, 35},
    {"bursts", BURSTS, 5},
    {"bursts", BURSTS, 10},
    {"bursts", BURSTS, 15},
    {"bursts", BURSTS, 20},
    {"bursts", BURSTS, 22},
    {"bursts", BURSTS, 24},
    {"bursts", BURSTS, 25},
    {"bursts", BURSTS, 26},
    {"bursts", BURSTS, 27},
    {"bursts", BURSTS, 28},
    {"bursts", BURSTS, 30},
    {"bursts", BURSTS, 32},
    {"covered", RUN, 10},
    {"covered", RUN, 20},
    {"covered", RUN, 30},
    {"covered", RUN, 40},
    {"covered", RUN, 50},
    {"covered", RUN, 60},
    {"bursts/ord", BURSTS_IN_ORDER, 5},
    {"bursts/ord", BURSTS_IN_ORDER, 10},
    {"bursts/ord", BURSTS_IN_ORDER, 15},
    {"bursts/ord", BURSTS_IN_ORDER, 20},
    {"bursts/ord", BURSTS_IN_ORDER, 25},
    {"covered/ord", RUN_IN_ORDER, 10},
    {"covered/ord", RUN_IN_ORDER, 20},
    {"covered/ord", RUN_IN_ORDER, 30},
    {"impostor", IMPOSTOR, 38},
    {"impostor", IMPOSTOR, 40},
    {"impostor", IMPOSTOR, 42},
    {"impostor", IMPOSTOR, 45},
    {"impostor", IMPOSTOR, 48},
    {"impostor", IMPOSTOR, 50},
    {"impostor-eye", EYE, 50},
    {"eye-at", COINS, 24},
    {"eye-at", COINS, 25},
    {"eye-at", COINS, 26},
    {"eye-at", COINS, 27},
    {"eye-at", COINS, 28},
    {"eye-at", COINS, 29},
    {"eye-at", COINS, 30},
    {"eye-at", COINS, 31},
    {"eye-at", COINS, 32},
    {"eye-at", COINS, 33},
    {"eye-at", COINS, 34},
    {"eye-at", COINS, 35},
    {"eye-at", COINS, 36},
    {"eye-at", COINS, 37},
};

typedef struct tally {
    unsigned long right, other, wrong_bits;
} tally;

static unsigned bit_of(const uint8_t *bytes, size_t i)
{
    return ((unsigned)bytes[i / 8] >> (7 - i % 8)) & 1u;
}

/* Moves the differing bits to where they would be if the code lay in the template in its order. */
static void in_order(uint8_t *reading, const uint8_t *template_bits)
{
    uint8_t moved[CS_TEMPLATE_SIZE];

    memcpy(moved, template_bits, sizeof moved);
    for (size_t i = 0; i < 8 * (size_t)CS_TEMPLATE_SIZE; i++) {
        size_t to = cs_fuzzy_position(i);

        if (bit_of(reading, i) != bit_of(template_bits, i))
            moved[to / 8] = (uint8_t)(moved[to / 8] ^ (0x80u >> (to % 8)));
    }
    memcpy(reading, moved, sizeof moved);
}

static void make_reading(const row *r, noise *n, uint8_t *template_bits, uint8_t *reading)
{
    double p = r->level / 100;

    noise_template(n, template_bits);
    switch (r->kind) {
    case INDEPENDENT:
    case IMPOSTOR:
        noise_independent(n, reading, template_bits, p);
        break;
    case BURSTS:
    case BURSTS_IN_ORDER:
        noise_bursts(n, reading, template_bits, p);
        break;
    case RUN:
    case RUN_IN_ORDER:
        noise_run(n, reading, template_bits, (unsigned)(p * 8 * CS_TEMPLATE_SIZE));
        break;
    case COINS:
        noise_eye_at(n, template_bits, reading, (unsigned)(p * NOISE_EYE_COINS + 0.5));
        break;
    case EYE:
        noise_eye(n, template_bits);
        noise_eye(n, reading);
        break;
    }
    if (r->kind == BURSTS_IN_ORDER || r->kind == RUN_IN_ORDER)
        in_order(reading, template_bits);
}

static unsigned long distance(const uint8_t *a, const uint8_t *b)
{
    unsigned long differing = 0;

    for (size_t i = 0; i < 8 * (size_t)CS_TEMPLATE_SIZE; i++)
        differing += bit_of(a, i) != bit_of(b, i);
    return differing;
}

static int measure_one(const row *r, noise *n, tally *t, cs_error *error)
{
    uint8_t template_bits[CS_TEMPLATE_SIZE];
    uint8_t reading[CS_TEMPLATE_SIZE];
    uint8_t offset[CS_TEMPLATE_SIZE];
    uint8_t secret[CS_FUZZY_SECRET_SIZE];
    uint8_t opened[CS_FUZZY_SECRET_SIZE];
    bool ok = false;
    int rc;

    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)(noise_next(n) >> 56);
    secret[sizeof secret - 1] &= 0xf0;
    make_reading(r, n, template_bits, reading);
    rc = cs_fuzzy_commit(offset, template_bits, secret, error);
    if (rc == CS_OK)
        rc = cs_fuzzy_open(opened, &ok, reading, offset, error);
    if (rc == CS_OK && ok) {
        if (memcmp(opened, secret, sizeof secret) == 0)
            t->right++;
        else
            t->other++;
    }
    t->wrong_bits += distance(template_bits, reading);
    return rc;
}

static int measure_row(const row *r, unsigned long readings, uint64_t seed, cs_error *error)
{
    noise n = noise_of_seed(seed);
    tally t = {0};
    int rc = CS_OK;

    for (unsigned long i = 0; rc == CS_OK && i < readings; i++)
        rc = measure_one(r, &n, &t, error);
    if (rc == CS_OK &&
        printf("%-12s %5.1f %9lu %9lu %9lu  %.4f\n", r->name, r->level, readings, t.right, t.other,
            (double)t.wrong_bits / (8.0 * CS_TEMPLATE_SIZE * (double)readings)) < 0)
        rc = CS_FAIL(error, CS_E_STORAGE, "nothing can be written");
    (void)fflush(stdout);
    return rc;
}

/* A whole number from 1; 0 if it is none. */
static unsigned long number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    return *text == '-' || *end != '\0' ? 0 : value;
}

int main(int argc, char **argv)
{
    unsigned long readings = argc > 1 ? number(argv[1]) : 100000;
    unsigned long seed = argc > 2 ? number(argv[2]) : 1;
    cs_error error = {0};
    int rc = CS_OK;

    if (readings == 0 || seed == 0 || argc > 4) {
        (void)fputs("usage: biometric_rates [READINGS [SEED [KIND]]]\n", stderr);
        return CS_CATEGORY_USAGE;
    }
    (void)puts("# kind       level  readings     right     other  differing");
    for (size_t i = 0; rc == CS_OK && i < sizeof rows / sizeof rows[0]; i++) {
        if (argc < 4 || strcmp(argv[3], rows[i].name) == 0)
            rc = measure_row(&rows[i], readings, seed * 1000 + i, &error);
    }
    if (rc != CS_OK)
        (void)fprintf(stderr, "biometric_rates: %s\n", error.message);
    return (int)cs_category_of(rc);
}
