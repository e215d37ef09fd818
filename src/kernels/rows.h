/* SPDX-License-Identifier: MIT
 *
 * Family `rows`: functions of one contiguous F32 row that need a reduction.
 *
 * The reduction rule: 64 partial results, partial j taking the elements j, j + 64, j + 128, ... in
 * that order, starting from +0 (sums) or -infinity (maximum); then partial[j] (+) partial[j + s]
 * for s = 32, 16, 8, 4, 2, 1. It depends on the length only. Steps: sum a + x; dot and sum of
 * squares fma(x, y, partial). A maximum is that of IEEE 754-2019: +0 is larger than -0, a NaN
 * anywhere makes it NaN; so its order does not matter.
 *
 * sum, dot and max are the parts of the others, offered alone so that tests hold each variant's
 * reductions to the rule directly.
 */
#ifndef TERN__ROWS_H
#define TERN__ROWS_H

#include <stdint.h>

#include "base/cpu.h"
#include "base/half.h"

typedef struct tern__rows_kernel {
    tern__variant variant;
    float (*sum)(const float *x, int64_t n);
    float (*dot)(const float *x, const float *y, int64_t n);
    float (*max)(const float *x, int64_t n); /* n >= 1 */

    /* r = 1 / sqrt(dot(x, x) / n + epsilon); out[i] = (x[i] * r) * weight[i]. In place allowed. */
    void (*rms_norm)(const float *x, const float *weight, float epsilon, float *out, int64_t n);

    /* m = max(x); e[i] = exp(x[i] - m), kernels/exp.h; r = 1 / sum(e); out[i] = e[i] * r. In place
     * allowed. n >= 1. */
    void (*softmax)(const float *x, float *out, int64_t n);

    /* BitNet b1.58 activations (Ma et al. 2024, section 2; design of bitnet.cpp): m = max |x[i]|,
     * s = 127 / max(m, 1e-5), q[i] = clamp(rint(x[i] * s), -128, 127), zeros in q[n..padded).
     * Returns s; *total = sum of q (exact for n <= 2^24). A NaN in x makes s NaN and all q 0; an
     * infinity makes s 0 and all q 0. */
    float (*quantize)(const float *x, int64_t n, int8_t *q, int64_t padded, int32_t *total);
} tern__rows_kernel;

extern const tern__rows_kernel *const tern__rows_family[];

/* For the variants: the scale of quantize() from the largest bit pattern of |x|. As integers a NaN
 * lies above infinity and the rest are in the order of their values, so one maximum does it all. */
static inline float tern__quantize_scale(uint32_t largest) {
    uint32_t least = tern__f32_bits(1e-5f);
    return 127.0f / tern__f32_from_bits(largest > least ? largest : least);
}

#endif
