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
    switch (a->type) {
    case TERN__ATTENTION_F16:
        return tern__f32_from_f16(((const uint16_t *)a->rows)[at]);
    case TERN__ATTENTION_I8:
        return (float)((const int8_t *)a->rows)[at];
    default:
        return ((const float *)a->rows)[at];
    }
}

/* number * the scale of position t, where there is one. */
static float scaled(const tern__attention_args *a, float number, int64_t t) {
    return a->type == TERN__ATTENTION_I8 ? number * a->row_scales[t] : number;
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
    for (int64_t i = 0; i < a->queries; i++)
        for (int64_t g = 0; g < a->group; g++) {
            const float *q = a->x + i * a->x_query_stride + g * a->x_stride;
            float *out = a->out + i * a->out_query_stride + g * a->out_stride;
            for (int64_t t = 0; t < a->length + i; t++)
                out[t] = scaled(a, dot(a, q, t), t) * a->scale;
        }
}

static void mix(const tern__attention_args *a) {
    for (int64_t i = 0; i < a->queries; i++)
        for (int64_t g = 0; g < a->group; g++) {
            const float *p = a->x + i * a->x_query_stride + g * a->x_stride;
            float *out = a->out + i * a->out_query_stride + g * a->out_stride;
            for (int64_t d = 0; d < a->head_size; d++) {
                float chain = 0.0f;
                for (int64_t t = 0; t < a->length + i; t++)
                    chain = fmaf(scaled(a, p[t], t), element(a, t, d), chain);
                out[d] = chain;
            }
        }
}

const tern__attention_kernel tern__attention_scalar = {
    .variant = {.name = "scalar", .needs = 0},
    .scores = scores,
    .mix = mix,
};
