/* SPDX-License-Identifier: MIT
 *
 * Family `attention`: the two products of attention over an F16 cache, for a group of query rows
 * that share one key/value head and see the same positions.
 */
#ifndef TERN__ATTENTION_H
#define TERN__ATTENTION_H

#include <stdint.h>

#include "base/cpu.h"

typedef struct tern__attention_kernel {
    tern__variant variant;
    /* out[g * out_stride + t] = dot(q row g, key row t) * scale for t < length, g < group; the dot
     * by the reduction rule of kernels/rows.h over head_size elements.
     * q (group, q_stride) F32; keys (length, key_stride) F16. */
    void (*scores)(const float *q, int64_t q_stride, int group, const uint16_t *keys,
                   int64_t key_stride, int64_t length, int64_t head_size, float scale, float *out,
                   int64_t out_stride);
    /* out[g][d] = fma(p[g][t], values[t][d], out[g][d]) for t in order, from +0. */
    void (*mix)(const float *p, int64_t p_stride, int group, const uint16_t *values,
                int64_t value_stride, int64_t length, int64_t head_size, float *out,
                int64_t out_stride);
} tern__attention_kernel;

extern const tern__attention_kernel *const tern__attention_family[];

#endif
