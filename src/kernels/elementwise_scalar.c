/* SPDX-License-Identifier: MIT
 * Family `elementwise` in plain C: the specification of the other variants. */
#include <math.h>

#include "kernels/elementwise.h"

static void rope(const float *x, const float *cosine, const float *sine, float *out, int64_t half) {
    for (int64_t i = 0; i < half; i++) {
        float first = x[i], second = x[i + half];
        out[i] = fmaf(-second, sine[i], first * cosine[i]);
        out[i + half] = fmaf(first, sine[i], second * cosine[i]);
    }
}

static void from_i32(const int32_t *x, float factor, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)x[i] * factor;
}

static void accumulate_i32(const int32_t *x, const float *factors, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = fmaf((float)x[i], factors[i], out[i]);
}

const tern__elementwise_kernel tern__elementwise_scalar = {
    .variant = {.name = "scalar"},
    .rope = rope,
    .from_i32 = from_i32,
    .accumulate_i32 = accumulate_i32,
};
