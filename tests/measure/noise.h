/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MEASURE_NOISE_H
#define MEASURE_NOISE_H

/*
 * Eyes and scans that are made up, the same ones for the same seed. A generator of our own kind
 * (xoshiro256**), because a measurement has to be repeatable and quick, not unpredictable.
 */

#include "crypto/fuzzy.h"

typedef struct noise {
    uint64_t s[4];
} noise;

noise noise_of_seed(uint64_t seed);
uint64_t noise_next(noise *n);
/* True with probability p. */
bool noise_chance(noise *n, double p);

/* Every bit a coin. */
void noise_template(noise *n, uint8_t out[CS_TEMPLATE_SIZE]);
/* Every bit differs from `in` with probability p, by itself. p of 0.4 to 0.5: somebody else's eye
 * that is more like this one than chance has it. */
void noise_independent(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], double p);
/* Bad stretches of 64 bits on average (an eyelid, a reflection), in which half of the bits differ;
 * between them p / 2 of them. Altogether p. (Gilbert-Elliott.) */
void noise_bursts(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], double p);
/* Exactly `wrong` bits differ, anywhere. */
void noise_exactly(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], unsigned wrong);
/* A run of `length` bits of coins from a random place on, round the end. */
void noise_run(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], unsigned length);
/* Somebody else's eye with as little variety as a real one: 249 coins, each held for 8 or 9 bits in
 * a row. */
void noise_eye(noise *n, uint8_t out[CS_TEMPLATE_SIZE]);
#define NOISE_EYE_COINS 249
/* Two such eyes that differ in exactly `differing` coins. */
void noise_eye_at(
    noise *n, uint8_t one[CS_TEMPLATE_SIZE], uint8_t two[CS_TEMPLATE_SIZE], unsigned differing);

#endif
