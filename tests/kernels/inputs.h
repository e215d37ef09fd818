/* SPDX-License-Identifier: MIT
 * Lengths and float inputs that the tests of the row-shaped kernel families share. */
#ifndef TERN_TEST_INPUTS_H
#define TERN_TEST_INPUTS_H

#include <math.h>

#include "base/half.h"
#include "support.h"

/* Round the register widths and the 64 partial results, primes, rows of real models. */
static const int64_t test_lengths[] = {0,   1,   2,   3,   7,   8,   9,    15,   16,  17,
                                       31,  32,  33,  63,  64,  65,  100,  127,  128, 129,
                                       191, 211, 255, 256, 257, 768, 1009, 2560, 6912};
enum { TEST_LENGTHS = sizeof test_lengths / sizeof *test_lengths };

enum {
    TEST_NORMAL,   /* mean 0, variance 1 */
    TEST_BITS,     /* any bit pattern */
    TEST_TERNARY,  /* -1, 0, +1 */
    TEST_ONES,     /* all 1 */
    TEST_ZEROS,    /* +0 and -0 */
    TEST_DENORMAL, /* denormal and the smallest normal numbers */
    TEST_SPECIAL,  /* normal numbers with an infinity or NaN here and there */
    TEST_INPUTS
};

static inline void test_fill(test_random *random, int input, float *x, int64_t n) {
    if (input == TEST_BITS || input == TEST_DENORMAL)
        test_random_bits(random, x, n);
    else
        test_random_normal(random, x, n);
    for (int64_t i = 0; i < n; i++) {
        if (input == TEST_TERNARY)
            x[i] = (float)test_random_range(random, -1, 1);
        else if (input == TEST_ONES)
            x[i] = 1;
        else if (input == TEST_ZEROS)
            x[i] = x[i] < 0 ? -0.0f : 0.0f;
        else if (input == TEST_DENORMAL)
            x[i] = tern__f32_from_bits(tern__f32_bits(x[i]) & 0x80ffffffu);
        else if (input == TEST_SPECIAL && test_random_range(random, 0, 99) == 0)
            x[i] =
                (float[]){INFINITY, -INFINITY, NAN, 3e38f, -3e38f}[test_random_range(random, 0, 4)];
    }
}

/* A guarded buffer of n floats, filled, at a random multiple of 4 bytes. */
static inline test_guarded test_floats(test_random *random, int input, int64_t n) {
    size_t offset = (size_t)test_random_range(random, 0, 15) * sizeof(float);
    test_guarded buffer = test_guarded_new((size_t)n * sizeof(float), offset);
    test_fill(random, input, (float *)buffer.data, n);
    return buffer;
}

#endif
