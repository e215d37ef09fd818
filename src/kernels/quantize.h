/* SPDX-License-Identifier: MIT
 *
 * Family `quantize`: a row of floats as integers of a few bits and one scale. With `limit` the
 * largest integer and m the largest |x[i]| of the row, but at least 2^-100:
 *
 *     s = limit / m,  scale = m / limit,  q[i] = rint(x[i] * s)  (ties to even)
 *
 * so that x[i] is about q[i] * scale.
 *
 * |x * s| <= limit (1 + 2^-24)^2 < limit + 1/2, so |q| <= limit without a clamp. A row with a NaN
 * or an infinity is the caller's: it has no q.
 *
 * With the codes come two sums, of squares of x and of its errors fma(-q, scale, x), each by 64
 * partial results and steps fma(v, v, partial) in the order of the reduction rule (reduce.h).
 */
#ifndef TERN__QUANTIZE_H
#define TERN__QUANTIZE_H

#include <stdint.h>

#include "base/cpu.h"

typedef struct tern__quantize_sums {
    float squares[64], errors[64];
} tern__quantize_sums;

typedef struct tern__quantize_kernel {
    tern__variant variant;
    /* The largest bit pattern of |x[i]|, 0 of nothing. As integers a NaN lies above infinity and
     * the rest are in the order of their values. */
    int32_t (*largest)(const float *x, int64_t n);
    /* codes[i] = q[i] + offset, a byte. A row may come in portions; all but the last of them of a
     * multiple of 64 elements. */
    void (*codes)(const float *x, int64_t n, float s, float scale, int offset, uint8_t *codes,
                  tern__quantize_sums *sums);
} tern__quantize_kernel;

extern const tern__quantize_kernel *const tern__quantize_family[];

#endif
