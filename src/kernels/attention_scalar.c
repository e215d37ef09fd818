/* SPDX-License-Identifier: MIT
 * Family `attention`, the specification. Scores follow the reduction rule of kernels/rows.h, mix
 * is one chain of fused multiply-adds over the positions in order. */
#include <math.h>
#include <stddef.h>

#include "base/half.h"
#include "kernels/attention.h"

static float dot(const float *q, const uint16_t *key, int64_t n) {
    float partial[64] = {0};
    for (int64_t i = 0; i < n; i++)
        partial[i % 64] = fmaf(q[i], tern__f32_from_f16(key[i]), partial[i % 64]);
    for (int s = 32; s >= 1; s /= 2)
        for (int j = 0; j < s; j++)
            partial[j] += partial[j + s];
    return partial[0];
}

static void scores(const float *q, int64_t q_stride, int group, const uint16_t *keys,
                   int64_t key_stride, int64_t length, int64_t head_size, float scale, float *out,
                   int64_t out_stride) {
    for (int64_t g = 0; g < group; g++)
        for (int64_t t = 0; t < length; t++)
            out[g * out_stride + t] =
                dot(q + g * q_stride, keys + t * key_stride, head_size) * scale;
}

static void mix(const float *p, int64_t p_stride, int group, const uint16_t *values,
                int64_t value_stride, int64_t length, int64_t head_size, float *out,
                int64_t out_stride) {
    for (int64_t g = 0; g < group; g++)
        for (int64_t d = 0; d < head_size; d++) {
            float chain = 0.0f;
            for (int64_t t = 0; t < length; t++)
                chain = fmaf(p[g * p_stride + t], tern__f32_from_f16(values[t * value_stride + d]),
                             chain);
            out[g * out_stride + d] = chain;
        }
}

const tern__attention_kernel tern__attention_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .scores = scores,
    .mix = mix,
};
