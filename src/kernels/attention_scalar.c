/* SPDX-License-Identifier: MIT
 * Family `attention`, the specification. Scores follow the reduction rule of kernels/rows.h, mix
 * is one chain of fused multiply-adds over the positions in order. */
#include <math.h>
#include <stddef.h>

#include "base/half.h"
#include "kernels/attention.h"

/* Element d of the key or value row t. */
static float element(const tern__attention_args *a, int64_t t, int64_t d) {
    int64_t at = t * a->row_stride + d;
    return a->is_f16 ? tern__f32_from_f16(((const uint16_t *)a->rows)[at])
                     : ((const float *)a->rows)[at];
}

static float dot(const tern__attention_args *a, const float *q, int64_t t) {
    float partial[64] = {0};
    for (int64_t i = 0; i < a->head_size; i++)
        partial[i % 64] = fmaf(q[i], element(a, t, i), partial[i % 64]);
    for (int s = 32; s >= 1; s /= 2)
        for (int j = 0; j < s; j++)
            partial[j] += partial[j + s];
    return partial[0];
}

static void scores(const tern__attention_args *a) {
    for (int64_t g = 0; g < a->group; g++)
        for (int64_t t = 0; t < a->length; t++)
            a->out[g * a->out_stride + t] = dot(a, a->x + g * a->x_stride, t) * a->scale;
}

static void mix(const tern__attention_args *a) {
    for (int64_t g = 0; g < a->group; g++)
        for (int64_t d = 0; d < a->head_size; d++) {
            float chain = 0.0f;
            for (int64_t t = 0; t < a->length; t++)
                chain = fmaf(a->x[g * a->x_stride + t], element(a, t, d), chain);
            a->out[g * a->out_stride + d] = chain;
        }
}

const tern__attention_kernel tern__attention_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .scores = scores,
    .mix = mix,
};
