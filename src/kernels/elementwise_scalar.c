/* SPDX-License-Identifier: MIT
 * Family `elementwise` in plain C: the specification of the other variants. */
#include "kernels/elementwise.h"
#include "kernels/exp.h"

static void add(const float *a, int64_t a_stride, const float *b, int64_t b_stride, float *out,
                int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i * a_stride] + b[i * b_stride];
}

static void mul(const float *a, int64_t a_stride, const float *b, int64_t b_stride, float *out,
                int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i * a_stride] * b[i * b_stride];
}

static void scale(const float *x, int64_t x_stride, float factor, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i * x_stride] * factor;
}

static void relu2(const float *x, int64_t x_stride, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float r = x[i * x_stride] < 0 ? 0 : x[i * x_stride];
        out[i] = r * r;
    }
}

static void silu(const float *x, int64_t x_stride, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        out[i] = s_silu((sf){x[i * x_stride]})[0];
}

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
    .add = add,
    .mul = mul,
    .scale = scale,
    .relu2 = relu2,
    .silu = silu,
    .rope = rope,
    .from_i32 = from_i32,
    .accumulate_i32 = accumulate_i32,
};
