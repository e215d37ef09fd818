/* SPDX-License-Identifier: MIT
 *
 * Family `elementwise`: the steps of a decoder that are one expression for each element, F32. Rows
 * are contiguous. Each result is the correctly rounded expression named, so all variants agree bit
 * for bit; NaN in gives NaN out.
 */
#ifndef TERN__ELEMENTWISE_H
#define TERN__ELEMENTWISE_H

#include <stdint.h>

#include "base/cpu.h"

typedef struct tern__elementwise_kernel {
    tern__variant variant;
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
