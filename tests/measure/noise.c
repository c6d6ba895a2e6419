/* SPDX-License-Identifier: Apache-2.0 */
#include "noise.h"

#include <string.h>

#define BITS (8u * CS_TEMPLATE_SIZE)
#define BURST_LENGTH 64.0

static uint64_t rotate(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

/* xoshiro256** 1.0 and, to begin it, splitmix64 (Blackman and Vigna, both in the public domain) */
uint64_t noise_next(noise *n)
{
    uint64_t *s = n->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

noise noise_of_seed(uint64_t seed)
{
    noise n;

    for (size_t i = 0; i < 4; i++) {
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        n.s[i] = z ^ (z >> 31);
    }
    return n;
}

bool noise_chance(noise *n, double p)
{
    return (double)(noise_next(n) >> 11) * 0x1p-53 < p;
}

static void flip(uint8_t *bytes, unsigned i)
{
    bytes[i / 8] = (uint8_t)(bytes[i / 8] ^ (0x80u >> (i % 8)));
}

void noise_template(noise *n, uint8_t out[CS_TEMPLATE_SIZE])
{
    for (size_t i = 0; i < CS_TEMPLATE_SIZE; i++)
        out[i] = (uint8_t)(noise_next(n) >> 56);
}

void noise_independent(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], double p)
{
    memcpy(out, in, CS_TEMPLATE_SIZE);
    for (unsigned i = 0; i < BITS; i++) {
        if (noise_chance(n, p))
            flip(out, i);
    }
}

void noise_bursts(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], double p)
{
    double bad_share = p / (1 - p); /* so that share / 2 + (1 - share) p / 2 = p */
    double leave = 1 / BURST_LENGTH;
    double enter = leave * bad_share / (1 - bad_share);
    bool bad = noise_chance(n, bad_share);

    memcpy(out, in, CS_TEMPLATE_SIZE);
    for (unsigned i = 0; i < BITS; i++) {
        if (noise_chance(n, bad ? 0.5 : p / 2))
            flip(out, i);
        if (noise_chance(n, bad ? leave : enter))
            bad = !bad;
    }
}

void noise_exactly(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], unsigned wrong)
{
    unsigned left = wrong;

    memcpy(out, in, CS_TEMPLATE_SIZE);
    for (unsigned i = 0; i < BITS; i++) {
        if (noise_chance(n, (double)left / (double)(BITS - i))) {
            flip(out, i);
            left--;
        }
    }
}

void noise_run(
    noise *n, uint8_t out[CS_TEMPLATE_SIZE], const uint8_t in[CS_TEMPLATE_SIZE], unsigned length)
{
    unsigned start = (unsigned)(noise_next(n) % BITS);

    memcpy(out, in, CS_TEMPLATE_SIZE);
    for (unsigned i = 0; i < length; i++) {
        if (noise_chance(n, 0.5))
            flip(out, (start + i) % BITS);
    }
}

static unsigned coin_of(unsigned bit)
{
    return bit * NOISE_EYE_COINS / BITS;
}

void noise_eye(noise *n, uint8_t out[CS_TEMPLATE_SIZE])
{
    bool coin = false;

    memset(out, 0, CS_TEMPLATE_SIZE);
    for (unsigned i = 0; i < BITS; i++) {
        if (i == 0 || coin_of(i) != coin_of(i - 1))
            coin = noise_chance(n, 0.5);
        if (coin)
            flip(out, i);
    }
}

void noise_eye_at(
    noise *n, uint8_t one[CS_TEMPLATE_SIZE], uint8_t two[CS_TEMPLATE_SIZE], unsigned differing)
{
    unsigned left = differing;
    bool differs = false;

    noise_eye(n, one);
    memcpy(two, one, CS_TEMPLATE_SIZE);
    for (unsigned i = 0; i < BITS; i++) {
        if (i == 0 || coin_of(i) != coin_of(i - 1)) {
            differs = noise_chance(n, (double)left / (double)(NOISE_EYE_COINS - coin_of(i)));
            left -= differs;
        }
        if (differs)
            flip(two, i);
    }
}
