/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_FUZZ_H
#define CHARTSEAL_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For the driver without libFuzzer: the nth seed, or 0 when there are no more. */
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

#endif
