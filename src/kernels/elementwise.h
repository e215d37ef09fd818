/* SPDX-License-Identifier: MIT
 *
 * Family `elementwise`: F32 element by element. Operand strides are in elements and may be any
 * number (0 repeats one element); results are contiguous and may be the same memory as a
 * contiguous operand. Each result is the correctly rounded expression named, so all variants agree
 * bit for bit; NaN in gives NaN out.
 */
#ifndef TERN__ELEMENTWISE_H
#define TERN__ELEMENTWISE_H

#include <stdint.h>

#include "base/cpu.h"

typedef struct tern__elementwise_kernel {
    tern__variant variant;
    void (*add)(const float *a, int64_t a_stride, const float *b, int64_t b_stride, float *out,
                int64_t n); /* a + b */
    void (*mul)(const float *a, int64_t a_stride, const float *b, int64_t b_stride, float *out,
                int64_t n); /* a * b */
    void (*scale)(const float *x, int64_t x_stride, float factor, float *out, int64_t n);
    void (*relu2)(const float *x, int64_t x_stride, float *out, int64_t n); /* r = x < 0 ? 0 : x;
                                                                               r * r */
    void (*silu)(const float *x, int64_t x_stride, float *out,
                 int64_t n); /* x / (1 + exp(-x)),
                                exp of kernels/exp.h */
    /* One head of a rotary embedding: pairs (x[i], x[i + half]), i < half, contiguous:
     *   out[i]        = fma(-x[i + half], sine[i], x[i] * cosine[i])
     *   out[i + half] = fma(x[i], sine[i], x[i + half] * cosine[i]) */
    void (*rope)(const float *x, const float *cosine, const float *sine, float *out, int64_t half);
    /* Exact integers to scaled floats, in place allowed: (float)x[i] * factor. */
    void (*from_i32)(const int32_t *x, float factor, float *out, int64_t n);
    /* out[i] = fma((float)x[i], factors[i], out[i]) */
    void (*accumulate_i32)(const int32_t *x, const float *factors, float *out, int64_t n);
} tern__elementwise_kernel;

extern const tern__elementwise_kernel *const tern__elementwise_family[];

#endif
