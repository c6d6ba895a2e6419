/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzzer on its seeds and on mutations of them, from a fixed start. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#define INPUT_MAX 16384
#define ROUNDS_PER_SEED 400

static uint64_t state = 0x9e3779b97f4a7c15U;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static size_t mutate(uint8_t *data, size_t size)
{
    uint64_t changes = 1 + next() % 3;

    for (uint64_t i = 0; i < changes && size > 0; i++) {
        size_t at = next() % size;

        switch (next() % 4) {
        case 0:
            data[at] = (uint8_t)next();
            break;
        case 1:
            data[at] ^= (uint8_t)(1u << (next() % 8));
            break;
        case 2:
            size = at;
            break;
        default:
            memmove(data + at, data + size / 2, size - (at > size / 2 ? at : size / 2));
            break;
        }
    }
    return size;
}

int main(void)
{
    static uint8_t seed[INPUT_MAX];
    static uint8_t input[INPUT_MAX];
    size_t runs = 0;
    size_t size;

    for (size_t n = 0; (size = fuzz_seed(n, seed, sizeof seed)) > 0; n++) {
        (void)LLVMFuzzerTestOneInput(seed, size);
        for (int i = 0; i < ROUNDS_PER_SEED; i++, runs++) {
            memcpy(input, seed, size);
            (void)LLVMFuzzerTestOneInput(input, mutate(input, size));
        }
    }
    (void)printf("%zu inputs\n", runs);
    return runs >= ROUNDS_PER_SEED ? 0 : 1;
}
