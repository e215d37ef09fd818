/* SPDX-License-Identifier: MIT
 * The loops of the family `quantize`. A variant is a file that includes this: the compiler makes
 * vector code for the instruction set that the file's suffix allows. */
#ifndef TERN__QUANTIZE_LOOPS_H
#define TERN__QUANTIZE_LOOPS_H

#include <math.h>
#include <string.h>

#include "kernels/quantize.h"

static int32_t largest(const float *x, int64_t n) {
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= INT32_MAX;
        most = bits > most ? bits : most;
    }
    return most;
}

/* At most 64 elements: one for each partial result. */
static inline void quantize_line(const float *restrict x, int count, float s, float scale,
                                 int offset, uint8_t *restrict codes,
                                 tern__quantize_sums *restrict sums) {
    for (int j = 0; j < count; j++) {
        float q = rintf(x[j] * s), error = fmaf(-q, scale, x[j]);
        codes[j] = (uint8_t)((int32_t)q + offset);
        sums->squares[j] = fmaf(x[j], x[j], sums->squares[j]);
        sums->errors[j] = fmaf(error, error, sums->errors[j]);
    }
}

static void codes(const float *x, int64_t n, float s, float scale, int offset, uint8_t *to,
                  tern__quantize_sums *sums) {
    int64_t i = 0;
    for (; i + 64 <= n; i += 64)
        quantize_line(x + i, 64, s, scale, offset, to + i, sums);
    quantize_line(x + i, (int)(n - i), s, scale, offset, to + i, sums);
}

#define QUANTIZE_FUNCTIONS .largest = largest, .codes = codes

#endif
