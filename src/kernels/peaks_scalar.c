/* SPDX-License-Identifier: MIT
 * Family `peaks` in plain C: readers only, which say what the others must give. What plain C makes
 * of arithmetic is the compiler's choice and no limit of the machine. */
#include <string.h>

#include "kernels/peaks.h"

typedef uint64_t words;

static inline words words_zero(void) {
    return 0;
}

static inline words words_load(const uint8_t *from) {
    words value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline words words_plus(words x, words y) {
    return x + y;
}

static inline uint64_t words_total(words x) {
    return x;
}

#include "kernels/peaks_readers.h"

const tern__peaks_kernel tern__peaks_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .readers = PEAKS_READERS,
};
